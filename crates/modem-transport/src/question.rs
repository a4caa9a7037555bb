//! A user's answer at a terminal, or the user's wish to end the program instead.
//!
//! While a world handles signals, Ctrl-C doesn't end a program that reads from a terminal: the read would go
//! on, and the next line would be taken for the answer. So this waits for the terminal and the signals
//! together.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Mode, OFlags, open};
use rustix::io::{Errno, read};
use rustix::termios::{QueueSelector, tcflush};
use signal_hook::consts::SIGHUP;

use crate::cancel::{CancelRequests, STOP_SIGNALS};

/// Ctrl-C and Ctrl-D as bytes. In raw mode the terminal turns them neither into a signal nor into an end of
/// file.
const RAW_ENDS: [u8; 2] = [0x03, 0x04];

/// A longer line isn't accepted as an answer; the kernel cuts lines there too (`N_TTY_BUF_SIZE`).
const LONGEST: usize = 4096;

/// The outcome of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Typed {
    /// A whole line, without its line end.
    Line(String),
    /// SIGINT, SIGTERM or SIGHUP came, the input ended, or the terminal is gone.
    Left,
}

/// Asks at a terminal. From the moment this is made, it remembers every signal that ends a question.
///
/// Make it after the world that [handles signals](crate::LinuxWorld::handle_signals), so that no signal is
/// lost in between.
#[derive(Debug)]
pub struct Questions {
    stop: CancelRequests,
    hang_up: CancelRequests,
}

impl Questions {
    /// Remembers SIGINT, SIGTERM and SIGHUP from now on. Worlds still get these signals too.
    ///
    /// # Errors
    /// No file descriptors are left, or the system refuses a handler.
    pub fn new() -> io::Result<Self> {
        let mut stop = CancelRequests::new()?;
        stop.handle(&STOP_SIGNALS)?;
        let mut hang_up = CancelRequests::new()?;
        hang_up.handle(&[SIGHUP])?;
        Ok(Self { stop, hang_up })
    }

    /// Whether SIGINT or SIGTERM has come since this was made. A closed terminal (SIGHUP) doesn't count,
    /// because it stops no flash.
    pub fn is_stopped(&self) -> bool {
        self.stop.is_asked()
    }

    /// Shows a question by calling `show`, and waits for a line. Text typed before the question is thrown
    /// away, because it can't be an answer to a question that wasn't visible yet. After a signal nothing is
    /// shown.
    pub fn ask(&self, terminal: impl AsFd, show: impl FnOnce()) -> Typed {
        if self.is_left() {
            return Typed::Left;
        }
        // The order matters: an answer typed as soon as the question is visible isn't thrown away.
        let _ = tcflush(&terminal, QueueSelector::IFlush);
        show();
        match reopened(&terminal) {
            Some(own) => self.line(own),
            None => self.line(terminal),
        }
    }

    fn is_left(&self) -> bool {
        self.stop.is_asked() || self.hang_up.is_asked()
    }

    /// Reads to the end of the line. A request to stop that has come by then takes precedence over the line.
    fn line(&self, terminal: impl AsFd) -> Typed {
        let mut line = Vec::new();
        loop {
            let mut descriptors = [
                PollFd::new(&terminal, PollFlags::IN),
                PollFd::new(&self.stop, PollFlags::IN),
                PollFd::new(&self.hang_up, PollFlags::IN),
            ];
            match poll(&mut descriptors, None) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(_) => return Typed::Left,
            }
            let is_typed = !descriptors[0].revents().is_empty();
            if self.is_left() {
                return Typed::Left;
            }
            if !is_typed {
                continue;
            }
            let mut bytes = [0; 256];
            let typed = match read(&terminal, &mut bytes) {
                Ok(count @ 1..) => bytes.get(..count).unwrap_or_default(),
                // Ctrl-C has emptied the terminal's queue since the poll.
                Err(Errno::AGAIN | Errno::INTR) => continue,
                // The end of the input, or a terminal that was closed.
                Ok(_) | Err(_) => return Typed::Left,
            };
            for byte in typed {
                match byte {
                    _ if RAW_ENDS.contains(byte) => return Typed::Left,
                    b'\n' | b'\r' if self.is_left() => return Typed::Left,
                    b'\n' | b'\r' => return Typed::Line(String::from_utf8_lossy(&line).into_owned()),
                    byte if line.len() < LONGEST => line.push(*byte),
                    _ => return Typed::Left,
                }
            }
        }
    }
}

/// Opens the same terminal once more, so that reading never blocks: Ctrl-C may empty the terminal's queue
/// between `poll` and `read`. The non-blocking flag can't be set on the original descriptor, because other
/// programs share it. `None` if the terminal can't be opened, as after `su`; then a read may block.
fn reopened(terminal: impl AsFd) -> Option<OwnedFd> {
    use std::os::fd::AsRawFd;
    let path = format!("/proc/self/fd/{}", terminal.as_fd().as_raw_fd());
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    open(path, flags, Mode::empty()).ok()
}
