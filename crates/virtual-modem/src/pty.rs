//! The modem on a pseudo-terminal, in real time.
//!
//! [`PtyModem::start`] serves a modem in a thread of its own. The host opens the path that it returns, as it
//! would open `/dev/ttyUSB0`. No USB device is behind such a port. When the modem leaves the bus, the
//! terminal is hung up. When the modem comes back, there is another terminal, perhaps under another path; the
//! optional link always leads to the current one.
//!
//! As with a real port, what the modem sends while no host has the port open is lost, and the modem knows
//! when a host has opened it. The kernel doesn't report that the slave was opened, so this is checked every 5
//! ms.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use modem_world::Instant;
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, QueueSelector, tcflush, tcgetattr, tcsetattr};

use crate::modem::{Output, VirtualModem};

/// How long the opening of the slave may go unnoticed.
const LOOK: Duration = Duration::from_millis(5);
/// How many bytes are read at once; the kernel returns at most 4095.
const READ: usize = 16 * 1024;
/// With this many unread bytes the modem isn't asked for more.
const PENDING: usize = 64 * 1024;
/// The interface that is behind the terminal.
const INTERFACE: u8 = 0;

/// A modem that is being served on a pseudo-terminal.
#[derive(Debug)]
pub struct PtyModem {
    path: Arc<Mutex<Option<PathBuf>>>,
    stop: OwnedFd,
    thread: JoinHandle<(VirtualModem, io::Result<()>)>,
}

impl PtyModem {
    /// Serves the modem until [`PtyModem::stop`]. `link` becomes a symbolic link to the slave and follows it.
    /// An existing link is replaced.
    ///
    /// # Errors
    /// There is no pseudo-terminal, no thread, or the link can't be made.
    pub fn start(modem: VirtualModem, link: Option<&Path>) -> io::Result<Self> {
        let path = Arc::new(Mutex::new(None));
        let stop = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let mut front = Front {
            modem,
            clock: Clock::start(),
            line: None,
            pending: Vec::new(),
            path: Arc::clone(&path),
            link: link.map(Path::to_owned),
            stop: stop.try_clone()?,
        };
        // The modem comes onto the bus before this returns, so that the path is known.
        front.act()?;
        let thread = std::thread::Builder::new()
            .name("virtual modem".to_owned())
            .spawn(move || {
                let outcome = front.serve();
                if let Some(link) = &front.link {
                    let _ = std::fs::remove_file(link);
                }
                (front.modem, outcome)
            })?;
        Ok(Self { path, stop, thread })
    }

    /// The slave that a host opens; `None` while the modem is off the bus.
    pub fn path(&self) -> Option<PathBuf> {
        self.path.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Stops serving, hangs the terminal up, and returns the modem so that the caller can look at it.
    ///
    /// # Errors
    /// Serving had already ended with this error.
    pub fn stop(self) -> io::Result<VirtualModem> {
        rustix::io::write(&self.stop, &1_u64.to_ne_bytes())?;
        let ended = self.thread.join();
        let (modem, outcome) =
            ended.map_err(|_| io::Error::other("the virtual modem's thread has failed"))?;
        outcome.map(|()| modem)
    }
}

/// Real time since the start.
#[derive(Debug)]
struct Clock(std::time::Instant);

impl Clock {
    #[allow(clippy::disallowed_methods)] // This front end is in real time; the modem gets it as a value.
    fn start() -> Self {
        Self(std::time::Instant::now())
    }

    fn now(&self) -> Instant {
        Instant::from_start(self.0.elapsed())
    }
}

/// A pseudo-terminal.
#[derive(Debug)]
struct Line {
    master: OwnedFd,
    path: PathBuf,
    /// Whether a host has the slave open.
    opened: bool,
}

impl Line {
    fn new() -> io::Result<Self> {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        rustix::io::ioctl_fionbio(&master, true)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        let name = ptsname(&master, Vec::new())?;
        // Raw from the start, so that a host that reads before setting its own mode sees the bytes unchanged.
        // The mode stays as long as the master is open. When the slave is closed again, the master reports
        // "hung up" until a host opens it.
        let slave = rustix::fs::open(
            &name,
            OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC,
            Mode::empty(),
        )?;
        let mut mode = tcgetattr(&slave)?;
        mode.make_raw();
        tcsetattr(&slave, OptionalActions::Now, &mode)?;
        let path = PathBuf::from(name.to_string_lossy().into_owned());
        Ok(Self {
            master,
            path,
            opened: false,
        })
    }
}

struct Front {
    modem: VirtualModem,
    clock: Clock,
    line: Option<Line>,
    /// Bytes for the host that the kernel hasn't taken yet.
    pending: Vec<u8>,
    path: Arc<Mutex<Option<PathBuf>>>,
    link: Option<PathBuf>,
    stop: OwnedFd,
}

impl Front {
    fn serve(&mut self) -> io::Result<()> {
        let mut buffer = vec![0; READ];
        loop {
            let until = self.act()?;
            if self.wait(until)? {
                return Ok(());
            }
            self.write()?;
            self.read(&mut buffer)?;
        }
    }

    /// Lets the modem do what is due; returns when it wants to be polled again.
    fn act(&mut self) -> io::Result<Instant> {
        loop {
            if self.pending.len() >= PENDING {
                return Ok(Instant::FAR);
            }
            let now = self.clock.now();
            match self.modem.poll(now) {
                Output::Attach(_) => {
                    let line = Line::new()?;
                    self.lead_to(Some(&line.path))?;
                    self.line = Some(line);
                }
                Output::Detach => {
                    self.pending.clear();
                    self.line = None;
                    self.lead_to(None)?;
                }
                // A terminal has only one line: what other interfaces send has no reader.
                Output::Send { interface: 1.., .. } => {}
                Output::Send { bytes, .. } => {
                    if self.line.as_ref().is_some_and(|line| line.opened) {
                        self.pending.extend_from_slice(&bytes);
                        self.write()?;
                    }
                }
                Output::Wait(until) => return Ok(until),
            }
        }
    }

    /// Publishes where the slave is.
    fn lead_to(&self, path: Option<&Path>) -> io::Result<()> {
        if let Some(link) = &self.link {
            match std::fs::remove_file(link) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            if let Some(path) = path {
                std::os::unix::fs::symlink(path, link)?;
            }
        }
        *self.path.lock().unwrap_or_else(PoisonError::into_inner) = path.map(Path::to_owned);
        Ok(())
    }

    /// Waits for the host, for the modem's next moment, or for the end; returns true at the end.
    fn wait(&mut self, until: Instant) -> io::Result<bool> {
        let now = self.clock.now();
        let mut span = until.since(now);
        let room = self.modem.room(INTERFACE, now);
        let mut events = PollFlags::empty();
        events.set(PollFlags::IN, room > 0);
        events.set(PollFlags::OUT, !self.pending.is_empty());
        let opened = self.line.as_ref().filter(|line| line.opened);
        let mut polled = vec![PollFd::new(&self.stop, PollFlags::IN)];
        match opened {
            Some(line) => polled.push(PollFd::new(&line.master, events)),
            None if self.line.is_some() => span = span.min(LOOK),
            None => {}
        }
        // poll(2) counts in milliseconds; a day is as good as for ever.
        let span = span.min(Duration::from_secs(86_400));
        let timeout = Timespec::try_from(span).map_err(io::Error::other)?;
        match poll(&mut polled, Some(&timeout)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        let ended = polled.first().is_some_and(|fd| !fd.revents().is_empty());
        self.look()?;
        Ok(ended)
    }

    /// Notices that a host has opened or closed the slave.
    fn look(&mut self) -> io::Result<()> {
        let Some(line) = &mut self.line else { return Ok(()) };
        let mut polled = [PollFd::new(&line.master, PollFlags::IN)];
        match poll(&mut polled, Some(&Timespec::default())) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        let [master] = &polled;
        let (hung_up, readable) = (
            master.revents().contains(PollFlags::HUP),
            master.revents().contains(PollFlags::IN),
        );
        let now = self.clock.now();
        if line.opened && hung_up {
            // What the host wrote before closing is still taken.
            if readable && self.modem.room(INTERFACE, now) > 0 {
                return Ok(());
            }
            line.opened = false;
            self.pending.clear();
            // What the host hasn't read is lost: the kernel drops it for a USB port too.
            let _ = tcflush(line.master.as_fd(), QueueSelector::IOFlush);
            self.modem.port_closed(INTERFACE, now);
        } else if !line.opened && !hung_up {
            line.opened = true;
            self.modem.port_opened(INTERFACE, now);
        }
        Ok(())
    }

    fn write(&mut self) -> io::Result<()> {
        let Some(line) = self.line.as_ref().filter(|line| line.opened) else {
            return Ok(());
        };
        while !self.pending.is_empty() {
            match rustix::io::write(&line.master, &self.pending) {
                Ok(count) => {
                    self.pending.drain(..count);
                }
                Err(Errno::INTR) => {}
                // The terminal is full, or the host has just closed it, which the next look notices.
                Err(Errno::AGAIN | Errno::IO) => return Ok(()),
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(())
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        // Reads until nothing is left, so that not every read needs a round of its own.
        while let Some(line) = self.line.as_ref().filter(|line| line.opened) {
            let now = self.clock.now();
            let room = self.modem.room(INTERFACE, now).min(buffer.len());
            let Some(free) = buffer.get_mut(..room).filter(|free| !free.is_empty()) else {
                return Ok(());
            };
            match rustix::io::read(&line.master, free) {
                Ok(0) | Err(Errno::AGAIN | Errno::IO) => return Ok(()),
                Ok(count) => self
                    .modem
                    .receive(INTERFACE, buffer.get(..count).unwrap_or_default(), now),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
            self.act()?;
        }
        Ok(())
    }
}
