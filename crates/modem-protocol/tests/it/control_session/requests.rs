//! Requests and their answers, and the end of a session.

use super::*;

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
