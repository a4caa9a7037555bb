//! What the kernel holds for one port: bytes in both directions that the receiver hasn't taken yet.
//!
//! On a control port a write is a message, which is taken whole or not at all. A read returns one message; if
//! the buffer is too small, the rest stays for the next read.

use std::collections::VecDeque;
use std::time::Duration;

use modem_world::{Instant, PortId, PortKind};

use crate::modem::VirtualModem;
use crate::random::Random;

/// How many bytes usb-serial takes in one write: a page.
const WRITE_BUFFER: usize = 4096;
/// With this many unread bytes the kernel throttles the device: it no longer reads the IN endpoint, so the
/// device can neither send nor take anything.
const READ_BUFFER: usize = 64 * 1024;

/// The longest message of a control port in bytes (mbim.md §3).
pub(super) const LARGEST_MESSAGE: usize = 4096;

/// One interface with a port.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) interface: u8,
    pub(super) port: PortId,
    pub(super) kind: PortKind,
    /// Whether one read of a control port returns all messages that are there.
    joins: bool,
    /// Bytes from the modem, each piece with the time at which it arrives.
    incoming: VecDeque<(Instant, Vec<u8>)>,
    /// How many bytes of the first piece have been read.
    read: usize,
    unread: usize,
    outgoing: Vec<u8>,
    /// The port was raw once. The kernel keeps the settings of a tty until its device leaves or is configured anew.
    pub(super) is_raw: bool,
}

impl Line {
    pub(super) const fn new(interface: u8, port: PortId, kind: PortKind, joins: bool) -> Self {
        Self {
            interface,
            port,
            kind,
            joins,
            incoming: VecDeque::new(),
            read: 0,
            unread: 0,
            outgoing: Vec::new(),
            is_raw: false,
        }
    }

    const fn has_messages(&self) -> bool {
        matches!(self.kind, PortKind::Wdm)
    }

    /// Whether the kernel has stopped reading what the modem sends.
    pub(super) const fn is_throttled(&self) -> bool {
        self.unread >= READ_BUFFER
    }

    /// When the next bytes arrive that aren't here yet.
    pub(super) fn next_arrival(&self, now: Instant) -> Instant {
        let incoming = self.incoming.front().map_or(Instant::FAR, |(at, _)| *at);
        if incoming <= now { Instant::FAR } else { incoming }
    }

    pub(super) fn is_drained(&self) -> bool {
        self.outgoing.is_empty()
    }

    /// Moves bytes to the modem.
    pub(super) fn drain(&mut self, modem: &mut VirtualModem, now: Instant) {
        while !self.outgoing.is_empty() {
            let count = modem.room(self.interface, now).min(self.outgoing.len());
            if count == 0 {
                return;
            }
            let taken = self.outgoing.get(..count).unwrap_or_default();
            modem.receive(self.interface, taken, now);
            self.outgoing.drain(..count);
        }
    }

    /// A transfer of the modem arrives, whole or in two parts.
    pub(super) fn arrive(&mut self, mut bytes: Vec<u8>, now: Instant, chop: Option<&mut Random>) {
        // An empty transfer would make the port readable with nothing to read.
        if bytes.is_empty() {
            return;
        }
        self.unread += bytes.len();
        let last = self.incoming.back().map_or(now, |(at, _)| (*at).max(now));
        if let Some(random) = chop.filter(|_| !self.has_messages()) {
            if bytes.len() > 1 && random.once_in(4) {
                let rest = bytes.split_off(random.portion(bytes.len() - 1));
                let later = Duration::from_micros(random.below(20_000));
                self.incoming.push_back((last, bytes));
                self.incoming.push_back((last + later, rest));
                return;
            }
        }
        self.incoming.push_back((last, bytes));
    }

    /// The port is closed: all bytes on their way in either direction are lost.
    pub(super) fn clear(&mut self) {
        self.incoming.clear();
        (self.read, self.unread) = (0, 0);
        self.outgoing.clear();
    }

    pub(super) fn is_readable(&self, now: Instant) -> bool {
        self.incoming.front().is_some_and(|(at, _)| *at <= now)
    }

    pub(super) fn is_writable(&self, modem: &mut VirtualModem, now: Instant) -> bool {
        if self.has_messages() {
            // A message is taken whole or not at all.
            return modem.room(self.interface, now) >= LARGEST_MESSAGE;
        }
        self.outgoing.len() < WRITE_BUFFER
    }

    /// What has arrived and waits for a reader.
    pub(super) fn unread(&self, now: Instant) -> Vec<u8> {
        let arrived = self.incoming.iter().take_while(|(at, _)| *at <= now);
        arrived.flat_map(|(_, bytes)| bytes.iter().copied()).collect()
    }

    pub(super) fn read(&mut self, buffer: &mut [u8], now: Instant, chop: Option<&mut Random>) -> usize {
        let mut limit = buffer.len();
        if let Some(random) = chop.filter(|_| !self.has_messages()) {
            if random.once_in(4) {
                limit = random.portion(limit.min(64)).min(limit);
            }
        }
        let mut filled = 0;
        while let Some((at, bytes)) = self.incoming.front() {
            let rest = bytes.get(self.read..).unwrap_or_default();
            let count = rest.len().min(limit - filled);
            if *at > now || count == 0 {
                break;
            }
            if let (Some(to), Some(from)) = (buffer.get_mut(filled..filled + count), rest.get(..count)) {
                to.copy_from_slice(from);
            }
            filled += count;
            if count == rest.len() {
                self.read = 0;
                self.incoming.pop_front();
                if self.has_messages() && !self.joins {
                    break;
                }
            } else {
                self.read += count;
            }
        }
        self.unread = self.unread.saturating_sub(filled);
        filled
    }

    pub(super) fn write(
        &mut self,
        modem: &mut VirtualModem,
        bytes: &[u8],
        now: Instant,
        chop: Option<&mut Random>,
    ) -> usize {
        if self.has_messages() {
            // The driver cuts off what is longer than its descriptors allow.
            let message = bytes.get(..LARGEST_MESSAGE).unwrap_or(bytes);
            if modem.room(self.interface, now) < message.len() {
                return 0;
            }
            modem.receive(self.interface, message, now);
            return message.len();
        }
        let mut count = bytes
            .len()
            .min(WRITE_BUFFER - self.outgoing.len().min(WRITE_BUFFER));
        if let Some(random) = chop {
            if count > 1 && random.once_in(4) {
                count = random.portion(count);
            }
        }
        let taken = bytes.get(..count).unwrap_or_default();
        // As long as the modem takes the bytes, they go straight through without a copy.
        let mut direct = 0;
        if self.outgoing.is_empty() && !self.is_throttled() {
            direct = modem.room(self.interface, now).min(count);
            if direct > 0 {
                modem.receive(self.interface, taken.get(..direct).unwrap_or_default(), now);
            }
        }
        self.outgoing
            .extend_from_slice(taken.get(direct..).unwrap_or_default());
        count
    }
}
