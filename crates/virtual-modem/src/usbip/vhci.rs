//! The modem on the kernel's virtual host controller, in real time.
//!
//! One thread and one socket: the thread waits in `poll(2)` for the host, for the modem's next moment, or for
//! the end.

use super::descriptors::Speed;
use super::device::{Device, PortEvent, TooManyTransfers};
use super::wire::{Decoder, WireError};
use crate::layout::Appearance;
use crate::{Output, VirtualModem};
use modem_world::Instant;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::fmt;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where the modem appears.
#[derive(Clone, Debug)]
pub struct Options {
    /// The host controller in sysfs.
    pub controller: PathBuf,
    /// The controller's port. The modem takes the same port at both speeds: the kernel has a hub for each
    /// speed with the same sockets, and knows that they are peers.
    pub port: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            controller: "/sys/devices/platform/vhci_hcd.0".into(),
            port: 0,
        }
    }
}

/// Something that happened, for a log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Happening<'a> {
    /// The modem has appeared on the bus.
    Attached(&'a Appearance),
    /// The modem has left the bus.
    Detached,
    /// A host reads from this interface.
    Opened(u8),
    /// No host reads from this interface any more.
    Closed(u8),
    /// The host has raised (true) or dropped DTR on this interface.
    Lines(u8, bool),
    /// The host has configured the modem anew.
    ReEnumerated,
    /// The host has sent these bytes to this interface, and the modem has taken them.
    Received(u8, &'a [u8]),
    /// The modem sends these bytes from this interface.
    Sent(u8, &'a [u8]),
}

impl fmt::Display for Happening<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attached(Appearance { device, layout }) => write!(
                f,
                "attached as {}, {} interface(s), {:?} speed",
                device.id(),
                layout.count(),
                Speed::of(device)
            ),
            Self::Detached => f.write_str("detached"),
            Self::Opened(interface) => write!(f, "{interface} opened"),
            Self::Closed(interface) => write!(f, "{interface} closed"),
            Self::Lines(interface, true) => write!(f, "{interface} DTR on"),
            Self::Lines(interface, false) => write!(f, "{interface} DTR off"),
            Self::ReEnumerated => f.write_str("configured anew by the host"),
            Self::Received(interface, bytes) => write!(f, "{interface} < {}", Excerpt(bytes)),
            Self::Sent(interface, bytes) => write!(f, "{interface} > {}", Excerpt(bytes)),
        }
    }
}

/// The first bytes in hex, and the length.
struct Excerpt<'a>(&'a [u8]);

impl fmt::Display for Excerpt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0.iter().take(64) {
            write!(f, "{byte:02X} ")?;
        }
        write!(f, "({} bytes)", self.0.len())
    }
}

/// Why the modem can't be put on the bus, or can't stay there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VhciError {
    /// A file in sysfs.
    #[error("{path}: {source}")]
    Attach {
        /// The file.
        path: PathBuf,
        /// What the kernel says.
        source: io::Error,
    },
    /// A call on the socket to the kernel.
    #[error("{call}: {source}")]
    Io {
        /// The system call.
        call: &'static str,
        /// What the kernel says.
        source: io::Error,
    },
    /// The kernel sends something that the protocol doesn't know.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The kernel asks for too much.
    #[error(transparent)]
    TooManyTransfers(#[from] TooManyTransfers),
    /// Someone has detached the modem through sysfs.
    #[error("the modem was detached by the host")]
    DetachedByHost,
}

/// Runs the modem on the bus until `stop` becomes readable or its other end is closed, then takes the modem
/// off the bus. Calls `report` for everything that happens, with the time on the modem's clock.
///
/// # Errors
/// There is no such host controller; permission is missing; the port stays in use for 5 s; or the kernel
/// breaks the protocol.
pub fn run(
    modem: &mut VirtualModem,
    options: &Options,
    stop: BorrowedFd<'_>,
    report: &mut dyn FnMut(Instant, &Happening<'_>),
) -> Result<(), VhciError> {
    let clock = Clock::start();
    let mut front = Front {
        options,
        clock,
        modem,
        report,
        connection: None,
    };
    loop {
        let deadline = front.settle()?;
        if front.wait(deadline, stop)? {
            return Ok(());
        }
        front.read()?;
    }
}

/// How long a port may stay in use after the modem has left it, and how often to try again: the kernel takes
/// a detached device apart in a thread of its own. That takes some milliseconds, or far more on a loaded
/// host.
const ATTACH_TIMEOUT: Duration = Duration::from_secs(5);
const ATTACH_PAUSE: Duration = Duration::from_millis(20);

struct Front<'a> {
    options: &'a Options,
    clock: Clock,
    modem: &'a mut VirtualModem,
    report: &'a mut dyn FnMut(Instant, &Happening<'_>),
    connection: Option<Connection>,
}

/// One appearance on the bus.
struct Connection {
    device: Device,
    decoder: Decoder,
    link: Link,
}

enum Link {
    /// The port is still in use. Attaching is tried again at `next` and given up at `last`; both are times
    /// since the start.
    Waiting {
        speed: Speed,
        next: Duration,
        last: Duration,
    },
    /// The kernel has the other end of the socket.
    Up(UnixStream),
}

impl Front<'_> {
    /// Lets the modem do everything that it can do now. Returns its next moment, as time since the start.
    fn settle(&mut self) -> Result<Duration, VhciError> {
        let mut settled_at = None;
        loop {
            let now = settled_at.unwrap_or_else(|| self.clock.now());
            match self.modem.poll(now) {
                Output::Wait(until) if settled_at.is_some() => return Ok(until.since_start()),
                // If the modem turns out to be full, it must be asked when it will have room again. So it is
                // polled once more at the same moment: later it may have room already and say nothing.
                Output::Wait(_) => {
                    settled_at = (!self.hand_in(now)).then_some(now);
                    continue;
                }
                Output::Attach(appearance) => self.attach(&appearance, now)?,
                Output::Detach => {
                    // Closing the socket unplugs the modem. A write that the modem has taken completely still
                    // counts as done.
                    if let Some(Connection {
                        link: Link::Up(stream),
                        device,
                        ..
                    }) = &mut self.connection
                    {
                        flush(stream, device.replies())?;
                    }
                    self.connection = None;
                    (self.report)(now, &Happening::Detached);
                }
                Output::Send { interface, bytes } => {
                    (self.report)(now, &Happening::Sent(interface, &bytes));
                    if let Some(connection) = &mut self.connection {
                        connection.device.send(interface, bytes);
                    }
                }
            }
            settled_at = None;
        }
    }

    /// Hands one thing that happened to the modem. Returns false if nothing has happened.
    fn hand_in(&mut self, now: Instant) -> bool {
        let Some(Connection { device, .. }) = &mut self.connection else {
            return false;
        };
        if let Some(event) = device.next_event() {
            let happening = match event {
                PortEvent::Opened(interface) => {
                    self.modem.port_opened(interface, now);
                    Happening::Opened(interface)
                }
                PortEvent::Closed(interface) => {
                    self.modem.port_closed(interface, now);
                    Happening::Closed(interface)
                }
                PortEvent::Lines {
                    interface,
                    is_terminal_ready,
                } => {
                    self.modem.terminal_ready(interface, is_terminal_ready, now);
                    Happening::Lines(interface, is_terminal_ready)
                }
                PortEvent::ReEnumerated => {
                    self.modem.configured_again(now);
                    Happening::ReEnumerated
                }
            };
            (self.report)(now, &happening);
            return true;
        }
        let mut taken = None;
        for (interface, is_message, offered) in device.offers() {
            let room = self.modem.room(interface, now);
            let bytes = if is_message && room > 0 {
                offered
            } else {
                offered.get(..room).unwrap_or(offered)
            };
            if !bytes.is_empty() {
                self.modem.receive(interface, bytes, now);
                (self.report)(now, &Happening::Received(interface, bytes));
                taken = Some((interface, bytes.len()));
                break;
            }
        }
        let Some((interface, count)) = taken else {
            return false;
        };
        device.took(interface, count);
        true
    }

    fn attach(&mut self, appearance: &Appearance, now: Instant) -> Result<(), VhciError> {
        // The port must be left before it is taken again.
        self.connection = None;
        let real = self.clock.elapsed();
        let link = Link::Waiting {
            speed: Speed::of(&appearance.device),
            next: real,
            last: real + ATTACH_TIMEOUT,
        };
        self.connection = Some(Connection {
            device: Device::new(appearance),
            decoder: Decoder::default(),
            link,
        });
        (self.report)(now, &Happening::Attached(appearance));
        self.try_attach()
    }

    /// Attaches the modem, if that is still to be done and its time has come.
    fn try_attach(&mut self) -> Result<(), VhciError> {
        let Some(Connection {
            link: link @ Link::Waiting { .. },
            ..
        }) = &mut self.connection
        else {
            return Ok(());
        };
        let Link::Waiting { speed, next, last } = link else {
            return Ok(());
        };
        let real = self.clock.elapsed();
        if real < *next {
            return Ok(());
        }
        let path = self.options.controller.join("attach");
        match attach(&path, self.options.port, *speed) {
            Ok(stream) => *link = Link::Up(stream),
            Err(error)
                if error.raw_os_error() == Some(rustix::io::Errno::BUSY.raw_os_error()) && real < *last =>
            {
                *next = real + ATTACH_PAUSE;
            }
            Err(source) => return Err(VhciError::Attach { path, source }),
        }
        Ok(())
    }

    /// Sends what there is to send, then waits for the kernel, for the deadline (time since the start), or
    /// for the end. Returns true at the end.
    fn wait(&mut self, deadline: Duration, stop: BorrowedFd<'_>) -> Result<bool, VhciError> {
        self.try_attach()?;
        let mut deadline = deadline;
        let mut fds = vec![PollFd::from_borrowed_fd(stop, PollFlags::IN)];
        match self.connection.as_mut() {
            Some(Connection {
                link: Link::Waiting { next, .. },
                ..
            }) => deadline = deadline.min(*next),
            Some(Connection {
                link: Link::Up(stream),
                device,
                ..
            }) => {
                flush(stream, device.replies())?;
                let wanted = if device.replies().is_empty() {
                    PollFlags::IN
                } else {
                    PollFlags::IN | PollFlags::OUT
                };
                fds.push(PollFd::new(&*stream, wanted));
            }
            None => {}
        }
        // At least a millisecond, so that a modem that always has something due doesn't keep a processor
        // busy.
        let span = deadline
            .saturating_sub(self.clock.elapsed())
            .max(Duration::from_millis(1));
        let timeout = Timespec {
            tv_sec: i64::try_from(span.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: span.subsec_nanos().into(),
        };
        match poll(&mut fds, Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => {
                return Err(VhciError::Io {
                    call: "poll",
                    source: error.into(),
                });
            }
        }
        Ok(fds.first().is_some_and(|stop| !stop.revents().is_empty()))
    }

    /// Reads what the kernel has sent.
    fn read(&mut self) -> Result<(), VhciError> {
        let Some(Connection {
            link: Link::Up(stream),
            device,
            decoder,
        }) = &mut self.connection
        else {
            return Ok(());
        };
        // A driver writes 4 KiB at a time; usbfs writes more.
        let mut buffer = [0; 32 << 10];
        match stream.read(&mut buffer) {
            Ok(0) => return Err(VhciError::DetachedByHost),
            Ok(count) => decoder.push(buffer.get(..count).unwrap_or_default()),
            Err(error) if is_temporary(&error) => return Ok(()),
            Err(source) => return Err(VhciError::Io { call: "read", source }),
        }
        while let Some(command) = decoder.next_command()? {
            device.handle(command)?;
        }
        Ok(())
    }
}

/// Gives one end of a new socket pair to the kernel and keeps the other.
fn attach(path: &Path, port: u32, speed: Speed) -> io::Result<UnixStream> {
    let (ours, kernels) = UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    // Any device number except zero will do: bus 1, device 2.
    let line = format!(
        "{port} {} {} {}",
        kernels.as_raw_fd(),
        1 << 16 | 2,
        speed.number()
    );
    std::fs::OpenOptions::new()
        .write(true)
        .open(path)?
        .write_all(line.as_bytes())?;
    Ok(ours)
}

/// Sends as much as the kernel takes now.
fn flush(stream: &mut UnixStream, replies: &mut Vec<u8>) -> Result<(), VhciError> {
    let mut sent = 0;
    while let Some(rest) = replies.get(sent..).filter(|rest| !rest.is_empty()) {
        match stream.write(rest) {
            Ok(count) => sent += count,
            Err(error) if is_temporary(&error) => break,
            // The kernel has closed its end; the next read reports that.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => sent = replies.len(),
            Err(source) => {
                return Err(VhciError::Io {
                    call: "write",
                    source,
                });
            }
        }
    }
    replies.drain(..sent);
    Ok(())
}

fn is_temporary(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}

/// Real time since the start.
struct Clock {
    start: std::time::Instant,
}

impl Clock {
    #[allow(clippy::disallowed_methods, reason = "this front end runs in real time")]
    fn start() -> Self {
        Self {
            start: std::time::Instant::now(),
        }
    }

    fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    fn now(&self) -> Instant {
        Instant::from_start(self.elapsed())
    }
}
