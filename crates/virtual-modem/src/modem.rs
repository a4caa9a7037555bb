//! The modem and what front ends see of it.

use modem_world::{Instant, UsbDevice};

/// What the modem does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Appears on the bus. The device's path and number are the front end's to set.
    Attach(UsbDevice),
    /// Leaves the bus; all bytes in flight are lost.
    Detach,
    /// Sends bytes to the host, as one USB transfer.
    Send(Vec<u8>),
    /// Does nothing until bytes come, the port is opened or closed, or this moment is reached.
    Wait(Instant),
}

/// Something that a real boot loader would not accept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// When it happened.
    pub at: Instant,
    /// What it was, in words.
    pub what: String,
}

/// A modem in download mode.
///
/// A front end polls until [`Output::Wait`], waits, hands in what happened, and polls again.
#[derive(Debug)]
pub struct VirtualModem {}

impl VirtualModem {
    /// What the modem does now.
    pub fn poll(&mut self, now: Instant) -> Output {
        let _ = now;
        Output::Wait(Instant::FAR)
    }

    /// How many bytes the modem takes from the host now. Zero while it is busy with its flash: the host's
    /// writes then stand still. Grows again by itself; `poll` says when.
    pub fn room(&mut self, now: Instant) -> usize {
        let _ = now;
        0
    }

    /// Takes bytes from the host; no more than [`VirtualModem::room`] said.
    pub fn receive(&mut self, bytes: &[u8], now: Instant) {
        let _ = (bytes, now);
    }

    /// The host has opened the port: it reads from now on. A front end that can't see this calls it when the
    /// host first asks for bytes.
    pub fn port_opened(&mut self, now: Instant) {
        let _ = now;
    }

    /// The host has closed the port.
    pub fn port_closed(&mut self, now: Instant) {
        let _ = now;
    }

    /// The host makes the device enumerate again.
    pub fn re_enumerate(&mut self, now: Instant) {
        let _ = now;
    }

    /// What the host did wrong so far.
    pub fn violations(&self) -> &[Violation] {
        &[]
    }
}
