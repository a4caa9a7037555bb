//! The host's side of a control port against peers whose bytes are written by hand from qmi.md and mbim.md.

mod mbim;
mod opening;
mod requests;

use std::time::Duration;

use crate::common::hex;
use modemflash_modem_protocol::control::{Closing, ControlError, Link, Session, Step};
use modemflash_modem_protocol::mbim::{ProtocolFault, Status};
use modemflash_modem_protocol::qmi::dms::{OperatingMode, Request, Response};
use modemflash_modem_protocol::qmi::{QmiError, dms};
use modemflash_modem_protocol::{Instant, ParseError};

const OPEN_PATIENCE: Duration = Duration::from_secs(20);
const PATIENCE: Duration = Duration::from_secs(10);

/// A driver whose port takes everything, and a clock that is set by hand.
struct Host {
    session: Session,
    now: Instant,
    /// Writes since the last call of `sent`.
    writes: Vec<Vec<u8>>,
}

impl Host {
    fn new(link: Link) -> Self {
        Self {
            session: Session::new(link, OPEN_PATIENCE, Instant::START),
            now: Instant::START,
            writes: vec![],
        }
    }

    /// A session on a QMI port that has answered the greeting, transaction 1.
    fn greeted() -> Self {
        let mut host = Self::new(Link::Qmi);
        host.settle();
        host.session.receive(&hex(&versions(1)), host.now);
        host.sends(&[&greeting(1)]);
        host
    }

    /// A session on a QMI port with client 5; its allocation was transaction 2.
    fn ready() -> Self {
        let mut host = Self::greeted();
        host.settle();
        assert_eq!(host.hear(&allocated(2, 5)), Step::Ready);
        host.sent();
        host
    }

    /// Polls until there is nothing to send.
    fn settle(&mut self) -> Step {
        for _ in 0..1000 {
            match self.session.poll(self.now) {
                Step::Send(bytes) => self.writes.push(bytes),
                step => {
                    if let Step::Wait { until } = step {
                        assert!(until > self.now, "a wait for the past");
                        assert!(until < Instant::FAR, "a wait without end");
                    }
                    return step;
                }
            }
        }
        panic!("no end of output");
    }

    fn hear(&mut self, digits: &str) -> Step {
        self.session.receive(&hex(digits), self.now);
        self.settle()
    }

    fn ask(&mut self, request: Request) -> Step {
        self.session.ask(request, PATIENCE, self.now);
        self.settle()
    }

    fn close(&mut self, closing: Closing) -> Step {
        self.session.close(closing, self.now);
        self.settle()
    }

    fn leave(&mut self) -> Step {
        self.session.closed(self.now);
        self.settle()
    }

    /// Nothing happens until the session goes on by itself; how long that took.
    fn silence(&mut self) -> (Duration, Step) {
        let Step::Wait { until } = self.settle() else {
            panic!("it doesn't wait")
        };
        let waited = until - self.now;
        self.now = until;
        (waited, self.settle())
    }

    #[track_caller]
    fn sent(&mut self) -> Vec<String> {
        std::mem::take(&mut self.writes)
            .iter()
            .map(|bytes| bytes.iter().map(|byte| format!("{byte:02X}")).collect())
            .collect()
    }

    #[track_caller]
    fn sends(&mut self, expected: &[&str]) {
        let expected: Vec<String> = expected.iter().map(|digits| digits.replace(' ', "")).collect();
        assert_eq!(self.sent(), expected);
    }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn milliseconds(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

// What the host sends, with a transaction.
fn greeting(transaction: u8) -> String {
    format!("01 0B 00 00 00 00 00 {transaction:02X} 21 00 00 00")
}
fn allocate(transaction: u8) -> String {
    format!("01 0F 00 00 00 00 00 {transaction:02X} 22 00 04 00 01 01 00 02")
}
fn release(transaction: u8, client: u8) -> String {
    format!("01 10 00 00 00 00 00 {transaction:02X} 23 00 05 00 01 02 00 02 {client:02X}")
}
fn sync(transaction: u8) -> String {
    format!("01 0B 00 00 00 00 00 {transaction:02X} 27 00 00 00")
}
fn get_model(client: u8, transaction: u8) -> String {
    format!("01 0C 00 00 02 {client:02X} 00 {transaction:02X} 00 22 00 00 00")
}

// What the modem sends.
fn versions(transaction: u8) -> String {
    // qmi.md vector 4
    format!(
        "01 25 00 80 00 00 01 {transaction:02X} 21 00 1A 00 02 04 00 00 00 00 00 01 10 00 03 00 01 00 05 00 01 01 00 43 00 \
         02 01 00 0E 00"
    )
}
fn allocated(transaction: u8, client: u8) -> String {
    format!(
        "01 17 00 80 00 00 01 {transaction:02X} 22 00 0C 00 02 04 00 00 00 00 00 01 02 00 02 {client:02X}"
    )
}
fn control_refusal(transaction: u8, message: u8, error: u8) -> String {
    format!("01 12 00 80 00 00 01 {transaction:02X} {message:02X} 00 07 00 02 04 00 01 00 {error:02X} 00")
}
fn synced(transaction: u8) -> String {
    format!("01 12 00 80 00 00 01 {transaction:02X} 27 00 07 00 02 04 00 00 00 00 00")
}
fn released(transaction: u8, client: u8) -> String {
    format!(
        "01 17 00 80 00 00 01 {transaction:02X} 23 00 0C 00 02 04 00 00 00 00 00 01 02 00 02 {client:02X}"
    )
}
fn model(client: u8, transaction: u8) -> String {
    format!(
        "01 1C 00 80 02 {client:02X} 02 {transaction:02X} 00 22 00 10 00 02 04 00 00 00 00 00 01 06 00 4D 43 37 34 35 35"
    )
}
fn model_refused(client: u8, transaction: u8, error: u8) -> String {
    format!("01 13 00 80 02 {client:02X} 02 {transaction:02X} 00 22 00 07 00 02 04 00 01 00 {error:02X} 00")
}
const SYNC_INDICATION: &str = "01 0B 00 80 00 00 02 00 27 00 00 00";

/// What a host or a function says in MBIM with QMI inside: type, transaction, status or command type, the frame.
fn mbim_qmi(message_type: &str, transaction: u8, word: u8, frame: &str) -> String {
    let frame = frame.replace(' ', "");
    let length = frame.len() / 2;
    format!(
        "{message_type} {:02X}000000 {transaction:02X}000000 01000000 00000000 \
         D1A30BC2F97A6E43BF65C7E24FB0F0D3 01000000 {word:02X}000000 {length:02X}000000 {frame}",
        48 + length
    )
}
fn command(transaction: u8, frame: &str) -> String {
    mbim_qmi("03000000", transaction, 1, frame)
}
fn command_done(transaction: u8, frame: &str) -> String {
    mbim_qmi("03000080", transaction, 0, frame)
}
fn mbim_refusal(transaction: u8, status: u8) -> String {
    mbim_qmi("03000080", transaction, status, "")
}
fn mbim_open(transaction: u8) -> String {
    format!("01000000 10000000 {transaction:02X}000000 00100000")
}
fn mbim_close(transaction: u8) -> String {
    format!("02000000 0C000000 {transaction:02X}000000")
}
fn open_done(transaction: u8, status: u8) -> String {
    format!("01000080 10000000 {transaction:02X}000000 {status:02X}000000")
}
fn close_done(transaction: u8) -> String {
    format!("02000080 10000000 {transaction:02X}000000 00000000")
}
fn function_error(transaction: u8, fault: u8) -> String {
    format!("04000080 10000000 {transaction:02X}000000 {fault:02X}000000")
}
const MBIM: Link = Link::Mbim { largest: 4096 };

/// An MBIM session with client 5 after transactions 1 (open) and 2 (allocate).
fn mbim_ready() -> Host {
    let mut host = Host::new(MBIM);
    host.settle();
    host.hear(&open_done(1, 0));
    assert_eq!(host.hear(&command_done(2, &allocated(1, 5))), Step::Ready);
    host.sends(&[&mbim_open(1), &command(2, &allocate(1))]);
    host
}

fn answered(text: &str) -> Step {
    Step::Answer(Ok(Response::Model(text.into())))
}

fn refused(request: &'static str, error: QmiError) -> ControlError {
    ControlError::Refused { request, error }
}
