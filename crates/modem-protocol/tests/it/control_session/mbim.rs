//! QMI inside MBIM.

use super::*;

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
