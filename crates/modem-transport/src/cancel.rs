//! Stopping a run: Ctrl-C, SIGTERM, or a request from another thread.
//!
//! Each signal is one byte in a socket that [`World::wait`](modem_world::World::wait) watches, so that no
//! signal is lost and each is reported once. The first one asks to stop at the next safe point, the second
//! one to stop now.

use std::ffi::c_int;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use signal_hook::consts::{SIGHUP, SIGINT, SIGPIPE, SIGTERM};
use signal_hook::{SigId, flag, low_level};

/// The signals by which a user stops a program.
pub(crate) const STOP_SIGNALS: [c_int; 2] = [SIGINT, SIGTERM];

/// Asks a world to stop, from any thread.
#[derive(Debug)]
pub struct Canceller(UnixStream);

impl Canceller {
    /// Asks once. Each call makes `wait` return [`Wake::Cancelled`](modem_world::Wake::Cancelled) once.
    ///
    /// # Errors
    /// The world is gone, or it has hundreds of requests that it hasn't read yet.
    pub fn cancel(&self) -> io::Result<()> {
        (&self.0).write_all(&[0])
    }
}

/// The receiving end of requests to stop.
#[derive(Debug)]
pub(crate) struct CancelRequests {
    receiver: UnixStream,
    sender: UnixStream,
    handlers: Vec<SigId>,
    pending: u32,
}

impl CancelRequests {
    pub(crate) fn new() -> io::Result<Self> {
        let (receiver, sender) = UnixStream::pair()?;
        receiver.set_nonblocking(true)?;
        sender.set_nonblocking(true)?;
        Ok(Self {
            receiver,
            sender,
            handlers: Vec::new(),
            pending: 0,
        })
    }

    pub(crate) fn canceller(&self) -> io::Result<Canceller> {
        Ok(Canceller(self.sender.try_clone()?))
    }

    /// Turns SIGINT and SIGTERM into requests to stop. A closed terminal (SIGHUP) or a closed pipe doesn't
    /// stop a flash.
    pub(crate) fn handle_signals(&mut self) -> io::Result<()> {
        if !self.handlers.is_empty() {
            return Ok(());
        }
        self.handle(&STOP_SIGNALS)?;
        for signal in [SIGHUP, SIGPIPE] {
            // This handler sets a flag that nobody reads, so that the signal has no effect.
            self.handlers
                .push(flag::register(signal, Arc::new(AtomicBool::new(false)))?);
        }
        Ok(())
    }

    /// Turns each of these signals into a request from now on.
    pub(crate) fn handle(&mut self, signals: &[c_int]) -> io::Result<()> {
        for signal in signals {
            self.handlers
                .push(low_level::pipe::register(*signal, self.sender.try_clone()?)?);
        }
        Ok(())
    }

    /// Whether there is a request that hasn't been [heard](Self::hear) yet.
    pub(crate) fn is_asked(&self) -> bool {
        let mut descriptors = [PollFd::new(self, PollFlags::IN)];
        loop {
            match poll(&mut descriptors, Some(&Timespec::default())) {
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => return false,
                Ok(count) => return count > 0,
            }
        }
    }

    /// Takes one of the requests that were [heard](Self::hear), if there is one.
    pub(crate) fn take(&mut self) -> bool {
        let asked = self.pending > 0;
        self.pending = self.pending.saturating_sub(1);
        asked
    }

    /// Counts the requests that have come. Call this when the descriptor is readable.
    pub(crate) fn hear(&mut self) {
        let mut bytes = [0; 64];
        while let Ok(count @ 1..) = self.receiver.read(&mut bytes) {
            self.pending = self
                .pending
                .saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
        }
    }
}

impl AsFd for CancelRequests {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.receiver.as_fd()
    }
}

impl Drop for CancelRequests {
    fn drop(&mut self) {
        for handler in self.handlers.drain(..) {
            low_level::unregister(handler);
        }
    }
}
