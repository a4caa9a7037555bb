//! The host's side of a control port against peers whose bytes are written by hand from qmi.md and mbim.md.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, clippy::panic)]

mod common;

use std::time::Duration;

use common::hex;
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

#[test]
fn a_qmi_port_is_opened_with_an_allocation_and_no_sync() {
    let mut host = Host::greeted();
    host.settle();
    host.sends(&[&allocate(2)]);
    assert_eq!(host.hear(&allocated(2, 5)), Step::Ready);
    assert_eq!(host.settle(), Step::Ready, "it stays true");
    host.sends(&[]);
    host.ask(Request::GetModel);
    host.sends(&[&get_model(5, 1)]);
    assert_eq!(host.hear(&model(5, 1)), answered("MC7455"));
    assert_eq!(host.settle(), Step::Ready, "an answer is said once");
    host.ask(Request::GetModel);
    host.sends(&[&get_model(5, 2)]);
    assert_eq!(host.hear(&model(5, 2)), answered("MC7455"));
    host.close(Closing::Release);
    host.sends(&[&release(3, 5)]);
    assert_eq!(host.hear(&released(3, 5)), Step::Closed);
}

#[test]
fn the_first_message_may_be_ignored_as_em7565_does() {
    // field-reports.md A7: what is ignored is a question that changes nothing.
    let mut host = Host::new(Link::Qmi);
    assert_eq!(host.silence().0, milliseconds(250));
    host.sends(&[&greeting(1), &greeting(2)]);
    host.hear(&versions(2));
    host.sends(&[&allocate(3)]);
    assert_eq!(host.hear(&allocated(3, 7)), Step::Ready);
    assert_eq!(host.now, Instant::START + milliseconds(250));
    // Once is enough.
    host.hear(SYNC_INDICATION);
    host.ask(Request::GetModel);
    host.sends(&[&allocate(4)]);
}

#[test]
fn a_modem_that_answers_no_greeting_is_asked_for_a_client_id_all_the_same() {
    let mut host = Host::new(Link::Qmi);
    for wait in [250, 500, 1000] {
        assert_eq!(host.silence().0, milliseconds(wait));
    }
    host.sends(&[&greeting(1), &greeting(2), &greeting(3), &allocate(4)]);
    // Answers that come late are passed over.
    host.hear(&[versions(1), versions(3)].concat());
    host.sends(&[]);
    assert_eq!(host.hear(&allocated(4, 7)), Step::Ready);
}

#[test]
fn a_modem_that_refuses_a_greeting_listens() {
    for error in [3, 52, 71] {
        let mut host = Host::new(Link::Qmi);
        host.settle();
        host.hear(&control_refusal(1, 0x21, error));
        host.sends(&[&greeting(1), &allocate(2)]);
    }
    // Also one that says something that can't be read.
    let mut host = Host::new(Link::Qmi);
    host.settle();
    host.hear("01 0B 00 80 00 00 01 01 21 00 00 00");
    host.sends(&[&greeting(1), &allocate(2)]);
}

#[test]
fn a_modem_that_stays_silent_is_synced_with_before_the_next_allocation() {
    let mut host = Host::greeted();
    host.silence();
    host.silence();
    host.sends(&[&allocate(2), &allocate(3), &sync(4)]);
    host.hear(&synced(4));
    host.sends(&[&allocate(5)]);
    assert_eq!(host.hear(&allocated(5, 5)), Step::Ready);
}

#[test]
fn ids_that_are_exhausted_are_freed_by_one_sync() {
    let mut host = Host::greeted();
    host.settle();
    host.hear(&control_refusal(2, 0x22, 5));
    host.sends(&[&allocate(2), &sync(3)]);
    host.hear(&synced(3));
    host.sends(&[&allocate(4)]);
    assert_eq!(
        host.hear(&control_refusal(4, 0x22, 5)),
        Step::Failed(refused("allocate client id", QmiError::ClientIdsExhausted))
    );
    host.sends(&[]);
}

#[test]
fn no_answer_at_all_ends_after_the_patience_of_the_caller() {
    let mut host = Host::new(Link::Qmi);
    let mut steps = 0;
    let failed = loop {
        steps += 1;
        match host.silence().1 {
            Step::Wait { .. } => {}
            step => break step,
        }
    };
    let error = ControlError::Silent {
        request: "allocate client id",
        waited: OPEN_PATIENCE,
    };
    assert_eq!(failed, Step::Failed(error.clone()));
    assert_eq!(host.now, Instant::START + OPEN_PATIENCE);
    assert!((5..15).contains(&steps), "{steps} attempts");
    assert_eq!(
        error.to_string(),
        "no answer to \"allocate client id\" within 20 s"
    );
    assert_eq!(host.settle(), Step::Failed(error), "a failure stays");
}

#[test]
fn a_modem_that_is_booting_is_asked_again() {
    let mut host = Host::greeted();
    host.settle();
    host.hear(&control_refusal(2, 0x22, 52));
    host.sends(&[&allocate(2)]);
    host.silence();
    host.sends(&[&allocate(3)]);
    assert_eq!(host.hear(&allocated(3, 5)), Step::Ready);
    let mut host = Host::greeted();
    host.settle();
    for transaction in 2..100 {
        host.sends(&[&allocate(transaction)]);
        host.hear(&control_refusal(transaction, 0x22, 52));
        if let (_, Step::Failed(error)) = host.silence() {
            assert_eq!(error, refused("allocate client id", QmiError::NotReady));
            assert_eq!(host.now, Instant::START + OPEN_PATIENCE);
            return;
        }
    }
    panic!("no end");
}

#[test]
fn another_refusal_of_a_client_id_is_final() {
    let mut host = Host::greeted();
    host.settle();
    assert_eq!(
        host.hear(&control_refusal(2, 0x22, 71)),
        Step::Failed(refused("allocate client id", QmiError::InvalidCommand))
    );
}

#[test]
fn a_client_id_that_comes_late_is_given_back() {
    let mut host = Host::greeted();
    host.silence();
    host.sends(&[&allocate(2), &allocate(3)]);
    host.hear(&allocated(2, 5));
    host.sends(&[&release(4, 5)]);
    assert_eq!(host.hear(&allocated(3, 6)), Step::Ready);
    assert_eq!(host.hear(&released(4, 5)), Step::Ready);
    host.ask(Request::GetModel);
    host.sends(&[&get_model(6, 1)]);
}

#[test]
fn answers_that_come_late_and_all_at_once_leave_the_new_client_alone() {
    let mut host = Host::greeted();
    host.silence();
    host.silence();
    host.silence();
    host.sends(&[&allocate(2), &allocate(3), &sync(4), &allocate(5)]);
    // The sync has freed client 5, and the last answer gives it out anew: it mustn't be given back.
    let all = [allocated(2, 5), allocated(3, 6), synced(4), allocated(5, 5)].concat();
    assert_eq!(host.hear(&all), Step::Ready);
    host.sends(&[]);
}

#[test]
fn the_proxy_is_told_the_port_and_never_synced_through() {
    // update-flow.md §9, row 27
    let mut host = Host::new(Link::QmiProxy {
        device: "/dev/cdc-wdm0".into(),
    });
    host.settle();
    host.sends(&["01 1B 00 00 00 00 00 01 00 FF 10 00 01 0D 00 2F 64 65 76 2F 63 64 63 2D 77 64 6D 30"]);
    host.hear("01 12 00 80 00 00 01 01 00 FF 07 00 02 04 00 00 00 00 00");
    host.sends(&[&greeting(2)]);
    host.hear(&versions(2));
    host.sends(&[&allocate(3)]);
    while let (_, Step::Wait { .. }) = host.silence() {}
    let sent = host.sent();
    assert!(sent.len() >= 3, "{sent:?}");
    assert!(
        sent.iter()
            .zip(4..)
            .all(|(bytes, transaction)| *bytes == allocate(transaction).replace(' ', "")),
        "{sent:?}"
    );
    assert_eq!(
        host.settle(),
        Step::Failed(ControlError::Silent {
            request: "allocate client id",
            waited: OPEN_PATIENCE
        })
    );
}

#[test]
fn exhausted_ids_behind_a_proxy_are_an_error() {
    let mut host = Host::new(Link::QmiProxy {
        device: "/dev/x".into(),
    });
    host.settle();
    host.hear("01 12 00 80 00 00 01 01 00 FF 07 00 02 04 00 00 00 00 00");
    host.hear(&versions(2));
    assert_eq!(
        host.hear(&control_refusal(3, 0x22, 5)),
        Step::Failed(refused("allocate client id", QmiError::ClientIdsExhausted))
    );
}

#[test]
fn a_proxy_that_does_not_open_the_port_says_so_or_ends_the_connection() {
    let link = Link::QmiProxy {
        device: "/dev/cdc-wdm9".into(),
    };
    let mut host = Host::new(link.clone());
    host.settle();
    assert_eq!(
        host.hear("01 12 00 80 00 00 01 01 00 FF 07 00 02 04 00 01 00 03 00"),
        Step::Failed(ControlError::ProxyRefused {
            device: "/dev/cdc-wdm9".into(),
            error: QmiError::Internal
        })
    );
    let mut host = Host::new(link.clone());
    host.settle();
    let error = ControlError::ProxyClosed {
        device: "/dev/cdc-wdm9".into(),
    };
    assert_eq!(host.leave(), Step::Failed(error));
    let mut host = Host::new(link);
    let (waited, step) = host.silence();
    assert_eq!(waited, OPEN_PATIENCE);
    assert_eq!(
        step,
        Step::Failed(ControlError::Silent {
            request: "open through qmi-proxy",
            waited: OPEN_PATIENCE
        })
    );
}

#[test]
fn what_is_not_the_answer_is_passed_over() {
    let mut host = Host::ready();
    host.ask(Request::GetModel);
    host.sent();
    for other in [
        // an older and a later transaction, another client, another service, another message
        model(5, 9),
        model(6, 1),
        model(5, 1).replace("80 02 05", "80 03 05"),
        model(5, 1).replace("00 22 00 10", "00 21 00 10"),
        // our own request back
        get_model(5, 1),
        // event report of DMS to everybody and to this client
        "01 0C 00 80 02 FF 04 00 00 01 00 00 00".into(),
        "01 0C 00 80 02 05 04 01 00 22 00 00 00".into(),
        // a control answer with the same transaction
        allocated(2, 5),
        // a control indication that isn't sync
        "01 0B 00 80 00 00 02 00 28 00 00 00".into(),
    ] {
        assert!(matches!(host.hear(&other), Step::Wait { .. }), "{other}");
    }
    host.sends(&[]);
    assert_eq!(host.hear(&model(5, 1)), answered("MC7455"));
}

#[test]
fn answers_come_out_of_any_split_and_two_frames_in_one_read() {
    let bytes = hex(&(SYNC_INDICATION.replace("27 00", "28 00") + &model(5, 1)));
    for cut in 0..bytes.len() {
        let mut host = Host::ready();
        host.ask(Request::GetModel);
        host.session.receive(&bytes[..cut], host.now);
        assert!(matches!(host.settle(), Step::Wait { .. }), "cut at {cut}");
        host.session.receive(&bytes[cut..], host.now);
        assert_eq!(host.settle(), answered("MC7455"), "cut at {cut}");
    }
}

#[test]
fn an_answer_to_a_request_that_was_given_up_is_not_taken_for_the_next() {
    let mut host = Host::ready();
    host.ask(Request::GetModel);
    let (waited, step) = host.silence();
    assert_eq!(waited, PATIENCE);
    let silent = ControlError::Silent {
        request: "get model",
        waited: PATIENCE,
    };
    assert_eq!(step, Step::Answer(Err(silent)));
    assert_eq!(host.settle(), Step::Ready);
    assert_eq!(host.hear(&model(5, 1)), Step::Ready, "too late");
    host.ask(Request::GetModel);
    assert!(matches!(host.hear(&model(5, 1)), Step::Wait { .. }));
    assert_eq!(host.hear(&model(5, 2)), answered("MC7455"));
}

#[test]
fn a_request_can_be_given_up_for_another() {
    let mut host = Host::ready();
    host.ask(Request::GetModel);
    host.ask(Request::GetModel);
    assert!(matches!(host.hear(&model(5, 1)), Step::Wait { .. }));
    assert_eq!(host.hear(&model(5, 2)), answered("MC7455"));
}

#[test]
fn an_invalid_client_id_is_replaced_and_the_request_repeated_once() {
    let mut host = Host::ready();
    host.ask(Request::GetModel);
    host.hear(&model_refused(5, 1, 7));
    host.sends(&[&get_model(5, 1), &allocate(3)]);
    host.hear(&allocated(3, 9));
    host.sends(&[&get_model(9, 2)]);
    assert_eq!(
        host.hear(&model_refused(9, 2, 7)),
        Step::Answer(Err(refused("get model", QmiError::InvalidClientId)))
    );
    host.sends(&[]);
}

#[test]
fn an_internal_error_is_repeated_once() {
    let mut host = Host::ready();
    host.ask(Request::GetModel);
    host.hear(&model_refused(5, 1, 3));
    host.sends(&[&get_model(5, 1), &get_model(5, 2)]);
    assert_eq!(
        host.hear(&model_refused(5, 2, 3)),
        Step::Answer(Err(refused("get model", QmiError::Internal)))
    );
    // The next request may be repeated again.
    host.ask(Request::GetModel);
    host.hear(&model_refused(5, 3, 3));
    assert_eq!(host.hear(&model(5, 4)), answered("MC7455"));
}

#[test]
fn other_refusals_are_answers() {
    let mut host = Host::ready();
    host.ask(Request::GetModel);
    let error = refused("get model", QmiError::NotReady);
    assert_eq!(error.to_string(), "\"get model\" refused: device not ready (52)");
    assert_eq!(host.hear(&model_refused(5, 1, 52)), Step::Answer(Err(error)));
    assert_eq!(host.settle(), Step::Ready);
}

#[test]
fn a_modem_that_restarts_during_a_request_is_asked_again_with_a_new_client() {
    let mut host = Host::ready();
    host.ask(Request::GetModel);
    host.hear(SYNC_INDICATION);
    host.sends(&[&get_model(5, 1), &allocate(3)]);
    // A second one while the client is being replaced changes nothing.
    host.hear(SYNC_INDICATION);
    host.hear(&allocated(3, 9));
    host.sends(&[&get_model(9, 2)]);
    assert_eq!(host.hear(&model(9, 2)), answered("MC7455"));
}

#[test]
fn a_modem_that_keeps_restarting_is_not_asked_for_ever() {
    let mut host = Host::ready();
    host.ask(Request::GetModel);
    host.hear(SYNC_INDICATION);
    host.hear(&allocated(3, 9));
    assert_eq!(
        host.hear(SYNC_INDICATION),
        Step::Answer(Err(refused("get model", QmiError::InvalidClientId)))
    );
}

#[test]
fn a_modem_that_restarted_between_requests_gets_a_new_client_first() {
    let mut host = Host::ready();
    assert_eq!(host.hear(SYNC_INDICATION), Step::Ready);
    host.ask(Request::GetModel);
    host.sends(&[&allocate(3)]);
    host.hear(&allocated(3, 1));
    host.sends(&[&get_model(1, 1)]);
    assert_eq!(host.hear(&model(1, 1)), answered("MC7455"));
}

#[test]
fn a_reset_is_not_repeated_when_the_modem_restarts_without_an_answer() {
    for request in [
        Request::SetOperatingMode(OperatingMode::Reset),
        Request::SetFirmwareId,
        Request::SwiResetToDownloadMode,
    ] {
        let mut host = Host::ready();
        let name = request.name();
        host.ask(request);
        let gone = ControlError::Gone { request: name };
        assert_eq!(host.hear(SYNC_INDICATION), Step::Answer(Err(gone)));
        assert_eq!(host.sent().len(), 1);
    }
}

#[test]
fn a_port_that_goes_answers_the_request_and_ends_the_session() {
    let mut host = Host::ready();
    host.ask(Request::SetFirmwareId);
    let gone = ControlError::Gone {
        request: "set firmware id",
    };
    assert_eq!(
        gone.to_string(),
        "the modem left the bus during \"set firmware id\""
    );
    assert_eq!(host.leave(), Step::Answer(Err(gone)));
    assert_eq!(host.settle(), Step::Closed);
    let asked = host.ask(Request::GetModel);
    assert_eq!(
        asked,
        Step::Answer(Err(ControlError::Gone { request: "get model" }))
    );
    assert_eq!(host.settle(), Step::Closed);
    assert_eq!(host.close(Closing::Release), Step::Closed);
    assert_eq!(host.sent().len(), 1, "nothing is sent to a port that has gone");
}

#[test]
fn a_port_that_goes_while_it_is_idle_opening_or_closing_ends_the_session() {
    assert_eq!(Host::ready().leave(), Step::Closed);
    let mut host = Host::greeted();
    host.settle();
    let gone = ControlError::Gone {
        request: "allocate client id",
    };
    assert_eq!(host.leave(), Step::Failed(gone));
    let mut host = Host::ready();
    host.close(Closing::Release);
    assert_eq!(host.leave(), Step::Closed);
}

#[test]
fn nothing_is_written_to_a_port_that_has_gone() {
    let mut host = Host::ready();
    host.session.ask(Request::GetModel, PATIENCE, host.now);
    host.leave();
    host.sends(&[]);
}

#[test]
fn an_answer_that_came_before_the_port_went_is_still_said() {
    let mut host = Host::ready();
    host.ask(Request::GetModel);
    host.session.receive(&hex(&model(5, 1)), host.now);
    host.session.closed(host.now);
    assert_eq!(host.settle(), answered("MC7455"));
    assert_eq!(host.settle(), Step::Closed);
}

#[test]
fn an_answer_that_cannot_be_read_says_why() {
    let mut host = Host::ready();
    host.ask(Request::GetModel);
    // No field 0x01.
    let step = host.hear("01 13 00 80 02 05 02 01 00 22 00 07 00 02 04 00 00 00 00 00");
    let error = ParseError::Missing { field: "model" };
    assert_eq!(
        step,
        Step::Answer(Err(ControlError::Garbled {
            request: "get model",
            error
        }))
    );
}

#[test]
fn rubbish_is_passed_over_and_named_if_nothing_else_comes() {
    let mut host = Host::ready();
    host.ask(Request::GetModel);
    host.hear("AA BB CC");
    assert_eq!(host.hear(&model(5, 1)), answered("MC7455"));
    host.ask(Request::GetModel);
    host.hear("AA BB CC");
    assert!(matches!(
        host.silence().1,
        Step::Answer(Err(ControlError::Garbled {
            request: "get model",
            ..
        }))
    ));
}

#[test]
fn a_silent_modem_delays_the_end_by_two_seconds_only() {
    let mut host = Host::ready();
    host.close(Closing::Release);
    let (waited, step) = host.silence();
    assert_eq!((waited, step), (seconds(2), Step::Closed));
    let mut host = mbim_ready();
    host.close(Closing::Release);
    host.sends(&[&command(3, &release(2, 5))]);
    assert_eq!(host.silence().0, seconds(2));
    host.sends(&[&mbim_close(4)]);
    let (waited, step) = host.silence();
    assert_eq!((waited, step), (seconds(2), Step::Closed));
}

#[test]
fn a_modem_that_is_reset_is_left_at_once() {
    let mut host = Host::ready();
    assert_eq!(host.close(Closing::Abandon), Step::Closed);
    host.sends(&[]);
    let mut host = mbim_ready();
    assert_eq!(host.close(Closing::Abandon), Step::Closed);
    host.sends(&[&mbim_close(3)]);
}

#[test]
fn a_closed_session_answers_that_it_is_closed() {
    let mut host = Host::ready();
    host.close(Closing::Abandon);
    let closed = ControlError::Closed { request: "get model" };
    assert_eq!(host.ask(Request::GetModel), Step::Answer(Err(closed)));
    assert_eq!(host.settle(), Step::Closed);
}

#[test]
fn transaction_ids_wrap_past_0() {
    let mut host = Host::ready();
    for transaction in 1..=u16::MAX {
        host.session.ask(Request::GetModel, PATIENCE, host.now);
        let Step::Send(bytes) = host.session.poll(host.now) else {
            panic!("nothing sent")
        };
        assert_eq!(bytes[7..9], transaction.to_le_bytes());
    }
    host.ask(Request::GetModel);
    host.sends(&[&get_model(5, 1)]);
    assert_eq!(host.hear(&model(5, 1)), answered("MC7455"));

    // A request that was given up doesn't spoil the next that has its number.
    let mut host = Host::greeted();
    host.silence();
    host.hear(&allocated(3, 5));
    host.sent();
    for (transaction, request) in (4..=255).chain([1, 2, 3]).zip(1_u16..) {
        host.hear(SYNC_INDICATION);
        host.ask(Request::GetModel);
        host.sends(&[&allocate(transaction)]);
        host.hear(&allocated(transaction, 5));
        host.sent();
        let [low, high] = request.to_le_bytes();
        let answer = model(5, low).replace(" 00 22 00 10", &format!(" {high:02X} 22 00 10"));
        assert_eq!(host.hear(&answer), answered("MC7455"));
    }
}

#[test]
fn an_mbim_port_is_opened_first_and_qmi_goes_inside() {
    let mut host = mbim_ready();
    host.ask(Request::GetModel);
    host.sends(&[&command(3, &get_model(5, 1))]);
    assert_eq!(host.hear(&command_done(3, &model(5, 1))), answered("MC7455"));
    host.close(Closing::Release);
    host.sends(&[&command(4, &release(2, 5))]);
    host.hear(&command_done(4, &released(2, 5)));
    host.sends(&[&mbim_close(5)]);
    assert_eq!(host.hear(&close_done(5)), Step::Closed);
}

#[test]
fn an_mbim_open_without_answer_is_repeated() {
    let mut host = Host::new(MBIM);
    assert_eq!(host.silence().0, seconds(2));
    assert_eq!(host.silence().0, seconds(2));
    assert_eq!(host.silence().0, seconds(5));
    host.sends(&[&mbim_open(1), &mbim_open(2), &mbim_open(3), &mbim_open(4)]);
    // An answer to an older one is not the answer.
    host.hear(&open_done(1, 0));
    host.sends(&[]);
    host.hear(&open_done(4, 0));
    host.sends(&[&command(5, &allocate(1))]);
}

#[test]
fn what_went_wrong_on_the_way_to_mbim_does_not_count_for_the_client_id() {
    let mut host = Host::new(MBIM);
    host.silence();
    host.silence();
    host.hear("FF FF FF FF FF FF FF FF");
    host.hear(&open_done(3, 0));
    host.sent();
    assert_eq!(host.silence().0, seconds(2));
    host.sends(&[&command(5, &allocate(2))]);
    let mut last = host.settle();
    while let Step::Wait { .. } = last {
        last = host.silence().1;
    }
    assert_eq!(
        last,
        Step::Failed(ControlError::Silent {
            request: "allocate client id",
            waited: OPEN_PATIENCE
        })
    );
}

#[test]
fn messages_of_an_old_session_are_answered_with_close_and_open() {
    // of basic connect
    let indication =
        "07000080 2C000000 00000000 01000000 00000000 A289CC33BCBB8B4FB6B0133EC2AAE6DF 0B000000 00000000";
    for stray in [
        function_error(1, 5),
        function_error(77, 5),
        command_done(9, &model(5, 3)),
        mbim_refusal(9, 2),
        indication.into(),
    ] {
        let mut host = Host::new(MBIM);
        host.settle();
        host.hear(&stray);
        host.sends(&[&mbim_open(1), &mbim_close(2)]);
        // Whatever comes before the close is done changes nothing.
        host.hear(&stray);
        host.hear(&close_done(1));
        host.sends(&[]);
        host.hear(&close_done(2));
        host.sends(&[&mbim_open(3)]);
        host.hear(&open_done(3, 0));
        host.sends(&[&command(4, &allocate(1))]);
    }
}

#[test]
fn a_close_that_finds_nothing_open_is_followed_by_open_at_once() {
    let mut host = Host::new(MBIM);
    host.settle();
    host.hear(&function_error(1, 5));
    host.hear(&function_error(2, 5));
    host.sends(&[&mbim_open(1), &mbim_close(2), &mbim_open(3)]);
}

#[test]
fn the_end_of_another_close_is_not_the_end() {
    let mut host = mbim_ready();
    host.close(Closing::Release);
    host.hear(&command_done(3, &released(2, 5)));
    assert!(matches!(host.hear(&close_done(2)), Step::Wait { .. }));
    assert_eq!(host.hear(&close_done(4)), Step::Closed);
    // A function that isn't open any more has nothing to close.
    let mut host = mbim_ready();
    host.close(Closing::Release);
    host.hear(&function_error(3, 5));
    assert_eq!(host.hear(&function_error(4, 5)), Step::Closed);
}

#[test]
fn a_close_without_answer_is_followed_by_open_after_two_seconds() {
    let mut host = Host::new(MBIM);
    host.settle();
    host.hear(&function_error(1, 5));
    assert_eq!(host.silence().0, seconds(2));
    host.sends(&[&mbim_open(1), &mbim_close(2), &mbim_open(3)]);
}

#[test]
fn a_function_that_never_stops_its_old_messages_ends_after_the_patience() {
    let mut host = Host::new(MBIM);
    let mut writes = 0;
    let failed = loop {
        host.hear(&function_error(0, 5));
        writes += host.sent().len();
        if let (_, step @ Step::Failed(_)) = host.silence() {
            break step;
        }
    };
    assert_eq!(host.now, Instant::START + OPEN_PATIENCE);
    assert!(writes < 15, "{writes}");
    assert_eq!(
        failed,
        Step::Failed(ControlError::Silent {
            request: "MBIM open",
            waited: OPEN_PATIENCE
        })
    );
}

#[test]
fn an_open_that_is_refused_is_tried_anew_and_named_in_the_end() {
    let mut host = Host::new(MBIM);
    host.settle();
    host.hear(&open_done(1, 2));
    host.sends(&[&mbim_open(1), &mbim_close(2)]);
    host.hear(&close_done(2));
    host.hear(&open_done(3, 2));
    host.hear(&close_done(4));
    host.sends(&[&mbim_open(3), &mbim_close(4), &mbim_open(5)]);
    let failed = loop {
        let sent = host.sent();
        for open in sent.iter().chain([&mbim_open(5).replace(' ', "")]) {
            if open.starts_with("01000000") {
                let transaction = u8::from_str_radix(&open[16..18], 16).unwrap();
                host.hear(&open_done(transaction, 2));
            }
        }
        if let (_, step @ Step::Failed(_)) = host.silence() {
            break step;
        }
    };
    assert_eq!(
        failed,
        Step::Failed(ControlError::MbimRefused {
            request: "MBIM open",
            status: Status::Failure
        })
    );
}

#[test]
fn a_modem_without_qmi_over_mbim_says_so() {
    let mut host = Host::new(MBIM);
    host.settle();
    host.hear(&open_done(1, 0));
    let error = ControlError::MbimRefused {
        request: "allocate client id",
        status: Status::NoDeviceSupport,
    };
    assert_eq!(
        error.to_string(),
        "\"allocate client id\" refused by the MBIM function: no device support (9)"
    );
    assert_eq!(host.hear(&mbim_refusal(2, 9)), Step::Failed(error));
    // The function is open, and has to be closed.
    host.sent();
    host.close(Closing::Release);
    host.sends(&[&mbim_close(3)]);
    assert_eq!(host.hear(&close_done(3)), Step::Closed);
}

#[test]
fn a_function_that_is_busy_is_asked_again() {
    let mut host = Host::new(MBIM);
    host.settle();
    host.hear(&open_done(1, 0));
    host.hear(&mbim_refusal(2, 1));
    host.sent();
    assert_eq!(host.silence().0, seconds(2));
    host.sends(&[&command(3, &allocate(2))]);
    assert_eq!(host.hear(&command_done(3, &allocated(2, 5))), Step::Ready);
}

#[test]
fn a_function_that_was_closed_meanwhile_is_opened_again_for_the_request() {
    let mut host = mbim_ready();
    host.ask(Request::GetModel);
    // An error about something else is passed over.
    host.hear(&function_error(99, 5));
    host.sends(&[&command(3, &get_model(5, 1))]);
    host.hear(&function_error(3, 5));
    host.sends(&[&mbim_close(4)]);
    host.hear(&close_done(4));
    host.sends(&[&mbim_open(5)]);
    host.hear(&open_done(5, 0));
    host.sends(&[&command(6, &allocate(2))]);
    host.hear(&command_done(6, &allocated(2, 1)));
    host.sends(&[&command(7, &get_model(1, 2))]);
    assert_eq!(host.hear(&command_done(7, &model(1, 2))), answered("MC7455"));
}

#[test]
fn another_error_of_the_function_about_a_request_ends_it() {
    let mut host = mbim_ready();
    host.ask(Request::GetModel);
    assert_eq!(
        host.hear(&function_error(3, 8)),
        Step::Answer(Err(ControlError::MbimFault {
            request: "get model",
            fault: ProtocolFault::MaxTransferExceeded
        }))
    );
}

#[test]
fn an_mbim_sync_indication_replaces_the_client() {
    let mut host = mbim_ready();
    // mbim.md vector 8
    let indication = "07 00 00 80 38 00 00 00 00 00 00 00 01 00 00 00 00 00 00 00 D1 A3 0B C2 F9 7A 6E 43 BF 65 \
                      C7 E2 4F B0 F0 D3 01 00 00 00 0C 00 00 00 01 0B 00 80 00 00 02 00 27 00 00 00";
    assert_eq!(host.hear(indication), Step::Ready);
    host.ask(Request::GetModel);
    host.sends(&[&command(3, &allocate(2))]);
}

#[test]
fn long_requests_go_out_in_fragments_and_long_answers_come_in_them() {
    let mut host = Host::new(Link::Mbim { largest: 64 });
    host.settle();
    host.hear(&open_done(1, 0));
    host.hear(&command_done(2, &allocated(1, 5)));
    host.sent();
    host.ask(Request::SetFirmwarePreference {
        preference: dms::FirmwarePreference::new("02.33.03.00", "002.072_000", "GENERIC").unwrap(),
        download_override: false,
        storage_index: None,
    });
    let lengths: Vec<usize> = host.sent().iter().map(|digits| digits.len() / 2).collect();
    assert_eq!(lengths, [64, 64, 45]);
    // "Nothing to download" in two fragments of 64 and 28 bytes.
    let first = "03000080 40000000 03000000 02000000 00000000 D1A30BC2F97A6E43BF65C7E24FB0F0D3 01000000 00000000 \
                 18000000 01 17 00 80 02 05 02 01 00 48 00 0B 00 02 04 00";
    let second = "03000080 1C000000 03000000 02000000 01000000 00 00 00 00 01 01 00 00";
    let Step::Wait { until } = host.hear(first) else {
        panic!("half an answer")
    };
    assert_eq!(until - host.now, Duration::from_millis(1250));
    assert_eq!(
        host.hear(second),
        Step::Answer(Ok(Response::FirmwarePreferenceSet(Some(vec![]))))
    );
}

#[test]
fn fragments_that_are_late_or_out_of_order_are_reported_to_the_function() {
    let first = "03000080 40000000 03000000 02000000 00000000 D1A30BC2F97A6E43BF65C7E24FB0F0D3 01000000 00000000 \
                 18000000 01 17 00 80 02 05 02 01 00 48 00 0B 00 02 04 00";
    let mut host = mbim_ready();
    host.ask(Request::GetModel);
    host.sent();
    host.hear(first);
    host.silence();
    host.sends(&["04000000 10000000 03000000 01000000"]);
    host.hear(&first.replace("02000000 00000000", "02000000 01000000"));
    host.sends(&["04000000 10000000 03000000 02000000"]);
    assert!(matches!(
        host.silence().1,
        Step::Answer(Err(ControlError::Fragmented {
            request: "get model",
            ..
        }))
    ));
}

#[test]
fn a_failed_opening_is_tried_again_by_the_next_request() {
    let mut host = Host::greeted();
    while let (_, Step::Wait { .. }) = host.silence() {}
    host.sent();
    host.ask(Request::GetModel);
    assert_eq!(host.sent().len(), 1);
}

#[test]
fn nothing_waits_longer_than_the_callers_patience_whatever_is_lost() {
    // Every answer of a whole MBIM session in turn is lost.
    let answers = [
        open_done(1, 0),
        command_done(2, &allocated(1, 5)),
        command_done(3, &model(5, 1)),
        command_done(4, &released(2, 5)),
        close_done(5),
    ];
    for lost in 0..answers.len() {
        let mut host = Host::new(MBIM);
        host.settle();
        for (place, answer) in answers.iter().enumerate() {
            if place != lost {
                host.hear(answer);
            }
            match place {
                1 => host.session.ask(Request::GetModel, PATIENCE, host.now),
                2 => host.session.close(Closing::Release, host.now),
                _ => {}
            }
            host.settle();
        }
        for _ in 0..20 {
            match host.settle() {
                Step::Wait { until } => host.now = until,
                Step::Closed | Step::Ready | Step::Failed(_) => break,
                _ => {}
            }
        }
        assert!(host.now <= Instant::START + OPEN_PATIENCE + PATIENCE, "{lost}");
    }
}
