//! One interface of the device: what the host asks it for, what it sends, and what is on its way.

use super::wire::{self, Status};
use crate::layout::{Function, FunctionKind};
use std::collections::VecDeque;

/// How many messages to a control interface may wait, and how many pieces may wait for a host that doesn't
/// read. Drivers send one command at a time, and read everything that is announced to them.
const MOST_MESSAGES: usize = 64;
const MOST_PIECES: usize = 4096;

/// What happened to a message to the modem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// The message waits for the modem.
    Queued,
    /// The message is refused, because too many are waiting already.
    Refused,
}

/// What kind of transfer the host has taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TakenBack {
    /// A request on the endpoint where the host listens.
    Request,
    /// Any other transfer.
    Other,
}

/// The queues of one interface.
///
/// The host listens on one endpoint: bulk in of a serial interface, or the interrupt endpoint of a control
/// interface. Requests for bytes wait there until there are some. Bytes from the host wait until the modem
/// takes them, and only then their transfer is answered: that is the back-pressure that the host's driver
/// feels.
#[derive(Debug)]
pub struct Port {
    number: u8,
    kind: FunctionKind,
    /// Whether the host has asked for bytes where it listens, and hasn't taken all requests back.
    is_open: bool,
    /// Requests on the endpoint where the host listens, oldest first.
    asked: VecDeque<Asked>,
    /// Requests on the other endpoint, which are never answered.
    parked: Vec<u32>,
    /// What the modem has sent and the host hasn't fetched; one entry for each transfer or message.
    to_host: VecDeque<Vec<u8>>,
    /// How many messages haven't been announced to the host.
    unannounced: usize,
    /// What the host has sent and the modem hasn't taken.
    from_host: VecDeque<Sent>,
}

#[derive(Debug)]
struct Asked {
    sequence: u32,
    room: usize,
}

#[derive(Debug)]
struct Sent {
    /// The transfer to answer when everything is taken; `None` for a message on endpoint 0, which is answered
    /// at once.
    sequence: Option<u32>,
    data: Vec<u8>,
    taken: usize,
}

impl Port {
    /// An interface on which nothing has happened yet.
    pub fn new(function: Function) -> Self {
        Self {
            number: function.number,
            kind: function.kind,
            is_open: false,
            asked: VecDeque::new(),
            parked: Vec::new(),
            to_host: VecDeque::new(),
            unannounced: 0,
            from_host: VecDeque::new(),
        }
    }

    /// `bInterfaceNumber`.
    pub fn number(&self) -> u8 {
        self.number
    }

    /// Whether one call carries one message.
    pub fn has_messages(&self) -> bool {
        self.kind.is_message_port()
    }

    /// The host asks for bytes. Returns true if it begins to listen with this request.
    pub fn ask(&mut self, sequence: u32, room: usize, is_interrupt: bool, replies: &mut Vec<u8>) -> bool {
        let listens = if self.has_messages() {
            is_interrupt
        } else {
            self.kind.is_serial() && !is_interrupt
        };
        if !listens {
            self.parked.push(sequence);
            return false;
        }
        self.asked.push_back(Asked { sequence, room });
        self.match_up(replies);
        !std::mem::replace(&mut self.is_open, true)
    }

    /// The host sends bytes on a bulk endpoint.
    pub fn write(&mut self, sequence: u32, data: Vec<u8>, replies: &mut Vec<u8>) {
        if !self.kind.is_serial() {
            // Network packets: the modem doesn't read them, but they don't block anything either.
            wire::reply_out(replies, sequence, Status::Done, data.len());
            return;
        }
        self.from_host.push_back(Sent {
            sequence: Some(sequence),
            data,
            taken: 0,
        });
        self.complete_taken(replies);
    }

    /// The host sends a message on endpoint 0.
    pub fn command(&mut self, data: &[u8]) -> Taken {
        if self.from_host.len() >= MOST_MESSAGES {
            return Taken::Refused;
        }
        if !data.is_empty() {
            self.from_host.push_back(Sent {
                sequence: None,
                data: data.to_vec(),
                taken: 0,
            });
        }
        Taken::Queued
    }

    /// The host asks for the next message on endpoint 0, with at most this many bytes. If the message is
    /// longer, the rest is announced as the next one.
    pub fn response(&mut self, room: usize, replies: &mut Vec<u8>) -> Vec<u8> {
        let Some(mut message) = self.to_host.pop_front() else {
            return Vec::new();
        };
        // The host may have fetched the message before it was announced.
        self.unannounced = self.unannounced.min(self.to_host.len());
        let rest = message.split_off(room.min(message.len()));
        if !rest.is_empty() {
            self.to_host.push_front(rest);
            self.unannounced += 1;
            self.match_up(replies);
        }
        message
    }

    /// The modem sends these bytes, as one transfer or one message.
    pub fn send(&mut self, bytes: Vec<u8>, replies: &mut Vec<u8>) {
        if self.to_host.len() >= MOST_PIECES {
            // The host hasn't read for a long time: the newest bytes are lost.
            return;
        }
        self.to_host.push_back(bytes);
        if self.has_messages() {
            self.unannounced += 1;
        }
        self.match_up(replies);
    }

    /// The oldest bytes from the host that the modem hasn't taken; empty if there are none.
    pub fn offered(&self) -> &[u8] {
        self.from_host
            .front()
            .and_then(|sent| sent.data.get(sent.taken..))
            .unwrap_or_default()
    }

    /// The modem has taken the first `count` bytes of those offered.
    pub fn took(&mut self, count: usize, replies: &mut Vec<u8>) {
        let Some(first) = self.from_host.front_mut() else {
            return;
        };
        first.taken = first.taken.saturating_add(count).min(first.data.len());
        self.complete_taken(replies);
    }

    /// Takes a transfer back; `None` if there is no such transfer.
    pub fn take_back(&mut self, victim: u32) -> Option<TakenBack> {
        let before = self.waiting();
        self.asked.retain(|asked| asked.sequence != victim);
        if self.waiting() < before {
            return Some(TakenBack::Request);
        }
        self.parked.retain(|waiting| *waiting != victim);
        self.from_host.retain(|sent| sent.sequence != Some(victim));
        (self.waiting() < before).then_some(TakenBack::Other)
    }

    /// Whether the host has just stopped listening, by taking its last request back.
    pub fn has_closed(&mut self) -> bool {
        let closes = self.is_open && self.asked.is_empty();
        self.is_open &= !closes;
        closes
    }

    /// How many transfers of the host wait for an answer.
    pub fn waiting(&self) -> usize {
        self.asked.len() + self.parked.len() + self.from_host.len()
    }

    /// Answers the host's requests with what the modem has sent.
    fn match_up(&mut self, replies: &mut Vec<u8>) {
        if self.has_messages() {
            while self.unannounced > 0 {
                let Some(asked) = self.asked.pop_front() else {
                    return;
                };
                self.unannounced -= 1;
                // RESPONSE_AVAILABLE of this interface, without data (CDC 1.2 §6.3).
                let notice = [0xa1, 0x01, 0, 0, self.number, 0, 0, 0];
                let notice = notice.get(..asked.room).unwrap_or(&notice);
                wire::reply_in(replies, asked.sequence, Status::Done, notice);
            }
            return;
        }
        while let (Some(asked), Some(bytes)) = (self.asked.front(), self.to_host.front_mut()) {
            if self.kind == FunctionKind::Foreign {
                // The driver removes two bytes from each packet: the state of the port's lines (ftdi_sio.h).
                let packet = 510.min(asked.room.saturating_sub(2));
                let rest = bytes.split_off(packet.min(bytes.len()));
                let packet = [&[0x01, 0x60], bytes.as_slice()].concat();
                wire::reply_in(replies, asked.sequence, Status::Done, &packet);
                *bytes = rest;
            } else {
                let rest = bytes.split_off(asked.room.min(bytes.len()));
                wire::reply_in(replies, asked.sequence, Status::Done, bytes);
                *bytes = rest;
            }
            self.asked.pop_front();
            if bytes.is_empty() {
                self.to_host.pop_front();
            }
        }
    }

    /// Answers the transfers whose bytes have all been taken.
    fn complete_taken(&mut self, replies: &mut Vec<u8>) {
        while let Some(sent) = self.from_host.front() {
            if sent.taken < sent.data.len() {
                break;
            }
            if let Some(sequence) = sent.sequence {
                wire::reply_out(replies, sequence, Status::Done, sent.taken);
            }
            self.from_host.pop_front();
        }
    }
}
