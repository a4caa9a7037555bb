//! Stopping a run: Ctrl-C, SIGTERM, or a word from another thread.
//!
//! A signal is one byte in a socket that [`World::wait`](modem_world::World::wait) watches, so that none is lost
//! and each is told once: the first asks to stop at the next safe point, the second to stop now.

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
    /// Asks once; [`Wake::Cancelled`](modem_world::Wake::Cancelled) is told once for each call.
    ///
    /// # Errors
    /// The world is gone, or it has hundreds of requests that it hasn't looked at.
    pub fn cancel(&self) -> io::Result<()> {
        (&self.0).write_all(&[0])
    }
}

/// The receiving end.
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

    /// SIGINT and SIGTERM ask to stop. A closed terminal (SIGHUP) doesn't stop a flash, nor does a closed pipe.
    pub(crate) fn handle_signals(&mut self) -> io::Result<()> {
        if !self.handlers.is_empty() {
            return Ok(());
        }
        self.handle(&STOP_SIGNALS)?;
        for signal in [SIGHUP, SIGPIPE] {
            // A handler that only sets a flag nobody reads: the signal has no effect any more.
            self.handlers
                .push(flag::register(signal, Arc::new(AtomicBool::new(false)))?);
        }
        Ok(())
    }

    /// Each of these signals is a request from now on.
    pub(crate) fn handle(&mut self, signals: &[c_int]) -> io::Result<()> {
        for signal in signals {
            self.handlers
                .push(low_level::pipe::register(*signal, self.sender.try_clone()?)?);
        }
        Ok(())
    }

    /// Whether there is a request that nobody has [heard](Self::hear).
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

    /// Takes one of the requests that were [heard](Self::hear), when there is one.
    pub(crate) fn take(&mut self) -> bool {
        let asked = self.pending > 0;
        self.pending = self.pending.saturating_sub(1);
        asked
    }

    /// Counts the requests that have come; to be called when this is readable.
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
