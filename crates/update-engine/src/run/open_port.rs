//! The port that a run has open: at most one at a time.

use std::ops::Range;

use modem_world::PortHandle;

use super::session::Session;

/// The open port, and the buffers for what goes through it.
#[derive(Default)]
pub(crate) struct OpenPort {
    open: Open,
    buffers: Buffers,
}

/// What is open.
#[derive(Default)]
enum Open {
    #[default]
    Nothing,
    /// A port without a session: that of a modem in download mode.
    Plain(PortHandle),
    /// A session with the running firmware, with its port.
    Session(Box<Session>),
}

impl OpenPort {
    /// The port without a session.
    pub(super) const fn plain(&self) -> Option<PortHandle> {
        match self.open {
            Open::Plain(handle) => Some(handle),
            _ => None,
        }
    }

    /// This port is open now.
    pub(super) fn set_plain(&mut self, handle: PortHandle) {
        debug_assert!(matches!(self.open, Open::Nothing), "a port is open already");
        self.open = Open::Plain(handle);
    }

    /// The port without a session, which is the caller's from now on.
    pub(super) fn take_plain(&mut self) -> Option<PortHandle> {
        let handle = self.plain()?;
        self.open = Open::Nothing;
        Some(handle)
    }

    /// The open session.
    pub(super) const fn session(&mut self) -> Option<&mut Session> {
        match &mut self.open {
            Open::Session(session) => Some(session),
            _ => None,
        }
    }

    /// This session is open now.
    pub(super) fn set_session(&mut self, session: Session) {
        debug_assert!(matches!(self.open, Open::Nothing), "a port is open already");
        self.open = Open::Session(Box::new(session));
    }

    /// The open session, which is the caller's from now on.
    pub(super) fn take_session(&mut self) -> Option<Session> {
        match std::mem::take(&mut self.open) {
            Open::Session(session) => Some(*session),
            other => {
                self.open = other;
                None
            }
        }
    }

    /// The buffers, used again for every port and conversation.
    pub(super) const fn buffers(&mut self) -> &mut Buffers {
        &mut self.buffers
    }
}

/// The buffers of a run, used again for every port and conversation.
#[derive(Default)]
pub(crate) struct Buffers {
    /// Image bytes of the present stretch, or those read ahead; as large as the largest stretch so far.
    pub(super) stretch: Vec<u8>,
    /// What stands in `stretch` although nobody asked for it yet: the image and the range of its bytes.
    pub(super) ahead: Option<(usize, Range<u64>)>,
    /// Received bytes.
    pub(super) input: Vec<u8>,
}
