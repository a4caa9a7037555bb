//! Opening a QMI port, directly and through the proxy.

use super::*;

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
fn a_failed_opening_is_tried_again_by_the_next_request() {
    let mut host = Host::greeted();
    while let (_, Step::Wait { .. }) = host.silence() {}
    host.sent();
    host.ask(Request::GetModel);
    assert_eq!(host.sent().len(), 1);
}
