//! A person's answer at a terminal, or the wish to end the program instead.
//!
//! While a world handles signals, Ctrl-C doesn't end a program that reads from a terminal: the read would go on, and the next
//! line would be taken for the answer. So the terminal and the signals are waited for together.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Mode, OFlags, open};
use rustix::io::{Errno, read};
use rustix::termios::{QueueSelector, tcflush};
use signal_hook::consts::SIGHUP;

use crate::cancel::{CancelRequests, STOP_SIGNALS};

/// Ctrl-C and Ctrl-D as bytes: a terminal in raw mode makes neither a signal nor an end of file of them.
const RAW_ENDS: [u8; 2] = [0x03, 0x04];

/// A longer line is no answer; the kernel ends lines there too (`N_TTY_BUF_SIZE`).
const LONGEST: usize = 4096;

/// What came of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Typed {
    /// A whole line, without its end.
    Line(String),
    /// SIGINT, SIGTERM, SIGHUP, the end of the input, or a terminal that is gone.
    Left,
}

/// Asks at a terminal, and remembers all signals since it was made that end a question.
///
/// Make it after the world that [handles signals](crate::LinuxWorld::handle_signals): then none is lost in between.
#[derive(Debug)]
pub struct Questions {
    stop: CancelRequests,
    hang_up: CancelRequests,
}

impl Questions {
    /// From now on SIGINT, SIGTERM and SIGHUP are remembered, beside what worlds do with them.
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

    /// Whether SIGINT or SIGTERM has come since this was made. A closed terminal (SIGHUP) doesn't count: it stops no flash.
    pub fn is_stopped(&self) -> bool {
        self.stop.is_asked()
    }

    /// Shows a question by calling `show`, and waits for a line. What was typed before it is thrown away: nobody has answered a
    /// question that wasn't shown yet. After a signal nothing is shown.
    pub fn ask(&self, terminal: impl AsFd, show: impl FnOnce()) -> Typed {
        if self.is_left() {
            return Typed::Left;
        }
        // In this order: who answers as soon as the question is there isn't thrown away.
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

    /// Reads to the end of the line. A wish to stop that has come by then is stronger than the line.
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

/// The same terminal, opened once more so that reading never blocks: Ctrl-C may empty its queue between `poll` and `read`. The
/// flag can't be set on the descriptor itself, which other programs share. `None` where the terminal can't be opened, as after
/// `su`; a read may block there then.
fn reopened(terminal: impl AsFd) -> Option<OwnedFd> {
    use std::os::fd::AsRawFd;
    let path = format!("/proc/self/fd/{}", terminal.as_fd().as_raw_fd());
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    open(path, flags, Mode::empty()).ok()
}
