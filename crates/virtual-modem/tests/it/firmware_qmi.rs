//! QMI of running firmware: the vectors of qmi.md, and what a host may do wrong.

use std::time::Duration;

use crate::common::normal::{Normal, running};
use crate::common::{self, hex};
use modem_protocol::qmi::dms::{OperatingMode, Request, Response};
use modem_protocol::qmi::{Frame, Service, ctl};
use modemflash_virtual_modem::profile::Timings;
use modemflash_virtual_modem::storage::{ModemImage, PriImage};
use modemflash_virtual_modem::{Profile, Selection, Setup};

/// The modem of the vectors: MC7455 with 02.33.03.00 and 002.072_000, client 5.
fn vector_modem() -> Normal {
    let mut setup = running("MC7455");
    setup.storage.imei = "012345678901234".to_owned();
    let selection = Selection::new("02.33.03.00", "GENERIC", "002.072_000");
    setup.storage.modem_images[0] = Some(ModemImage {
        firmware: selection.firmware.clone(),
        failures: 0,
        age: 1,
    });
    setup.storage.pri_images = vec![PriImage {
        config: selection.config.clone(),
        build: "02.33.03.00_GENERIC".to_owned(),
    }];
    setup.storage.preferred = Some(selection.clone());
    setup.storage.boot_firmware = selection.firmware.clone();
    setup.storage.current = selection;
    let mut normal = Normal::bare(setup);
    for _ in 0..5 {
        normal.allocate();
    }
    assert_eq!(normal.client, 5);
    normal
}

#[test]
fn the_answers_are_those_of_the_vectors() {
    for (number, request, response) in [
        (
            "8",
            "01 0C 00 00 02 05 00 02 00 22 00 00 00",
            "01 1C 00 80 02 05 02 02 00 22 00 10 00 02 04 00 00 00 00 00 01 06 00 4D 43 37 34 35 35",
        ),
        (
            "9",
            "01 0C 00 00 02 05 00 03 00 21 00 00 00",
            "01 33 00 80 02 05 02 03 00 21 00 27 00 02 04 00 00 00 00 00 01 1D 00 53 69 65 72 72 61 20 57 69 72 65 6C 65 73 73 2C 20 49 6E 63 6F 72 70 6F 72 61 74 65 64",
        ),
        (
            "10",
            "01 0C 00 00 02 05 00 04 00 25 00 00 00",
            "01 3F 00 80 02 05 02 04 00 25 00 33 00 02 04 00 00 00 00 00 10 01 00 30 11 0F 00 30 31 32 33 34 35 36 37 38 39 30 31 32 33 34 12 0E 00 30 31 32 33 34 35 36 37 38 39 30 31 32 33 13 02 00 32 30",
        ),
        (
            "12",
            "01 10 00 00 02 05 00 06 00 2E 00 04 00 01 01 00 03",
            "01 13 00 80 02 05 02 06 00 2E 00 07 00 02 04 00 00 00 00 00",
        ),
        (
            "14",
            "01 0C 00 00 02 05 00 08 00 3E 00 00 00",
            "01 13 00 80 02 05 02 08 00 3E 00 07 00 02 04 00 00 00 00 00",
        ),
        (
            "15",
            "01 10 00 00 02 05 00 09 00 50 00 04 00 01 01 00 01",
            "01 13 00 80 02 05 02 09 00 50 00 07 00 02 04 00 00 00 00 00",
        ),
        (
            "16",
            "01 0C 00 00 02 05 00 0A 00 4F 00 00 00",
            "01 17 00 80 02 05 02 0A 00 4F 00 0B 00 02 04 00 00 00 00 00 10 01 00 00",
        ),
        (
            "18",
            "01 10 00 00 02 05 00 0C 00 5C 55 04 00 01 01 00 06",
            "01 13 00 80 02 05 02 0C 00 5C 55 07 00 02 04 00 00 00 00 00",
        ),
        (
            "19 and 20",
            "01 54 00 00 02 05 00 0D 00 48 00 48 00 01 45 00 02 00 3F 5F 3F 00 00 00 00 00 00 00 00 00 00 00 00 00 0D 30 32 2E 33 33 2E 30 33 2E 30 30 5F 3F 01 30 30 32 2E 30 37 32 5F 30 30 30 00 00 00 00 00 13 30 32 2E 33 33 2E 30 33 2E 30 30 5F 47 45 4E 45 52 49 43",
            "01 17 00 80 02 05 02 0D 00 48 00 0B 00 02 04 00 00 00 00 00 01 01 00 00",
        ),
        (
            "21",
            "01 0C 00 00 02 05 00 0E 00 47 00 00 00",
            "01 5B 00 80 02 05 02 0E 00 47 00 4F 00 02 04 00 00 00 00 00 01 45 00 02 00 3F 5F 3F 00 00 00 00 00 00 00 00 00 00 00 00 00 0D 30 32 2E 33 33 2E 30 33 2E 30 30 5F 3F 01 30 30 32 2E 30 37 32 5F 30 30 30 00 00 00 00 00 13 30 32 2E 33 33 2E 30 33 2E 30 30 5F 47 45 4E 45 52 49 43",
        ),
        (
            "22",
            "01 0C 00 00 02 05 00 0F 00 49 00 00 00",
            "01 65 00 80 02 05 02 0F 00 49 00 59 00 02 04 00 00 00 00 00 01 4F 00 02 00 04 00 01 01 00 3F 5F 3F 00 00 00 00 00 00 00 00 00 00 00 00 00 0D 30 32 2E 33 33 2E 30 33 2E 30 30 5F 3F 01 32 00 01 FF 00 30 30 32 2E 30 37 32 5F 30 30 30 00 00 00 00 00 13 30 32 2E 33 33 2E 30 33 2E 30 30 5F 47 45 4E 45 52 49 43",
        ),
        (
            "24",
            "01 34 00 00 02 05 00 11 00 4C 00 28 00 01 25 00 01 30 30 32 2E 30 37 32 5F 30 30 30 00 00 00 00 00 13 30 32 2E 33 33 2E 30 33 2E 30 30 5F 47 45 4E 45 52 49 43",
            "01 48 00 80 02 05 02 11 00 4C 00 3C 00 02 04 00 00 00 00 00 10 04 00 02 00 21 00 11 24 00 02 00 00 00 30 30 32 2E 30 37 32 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 12 04 00 00 00 00 00",
        ),
        (
            "25",
            "01 0C 00 00 02 05 00 12 00 56 55 00 00",
            "01 84 00 80 02 05 02 12 00 56 55 78 00 02 04 00 00 00 00 00 10 06 00 4D 43 37 34 35 35 11 14 00 53 57 49 39 58 33 30 43 5F 30 32 2E 33 33 2E 30 33 2E 30 30 12 14 00 53 57 49 39 58 33 30 43 5F 30 32 2E 33 33 2E 30 33 2E 30 30 13 07 00 31 31 30 32 34 37 36 14 07 00 75 6E 6B 6E 6F 77 6E 15 01 00 31 16 07 00 30 30 32 2E 30 37 32 17 07 00 47 45 4E 45 52 49 43 18 0B 00 30 30 32 2E 30 37 32 5F 30 30 30",
        ),
        (
            "6",
            "01 10 00 00 00 00 00 04 23 00 05 00 01 02 00 02 05",
            "01 17 00 80 00 00 01 04 23 00 0C 00 02 04 00 00 00 00 00 01 02 00 02 05",
        ),
        (
            "3",
            "01 0B 00 00 00 00 00 01 27 00 00 00",
            "01 12 00 80 00 00 01 01 27 00 07 00 02 04 00 00 00 00 00",
        ),
    ] {
        let mut normal = vector_modem();
        let control = normal.control;
        let answer = normal.ask_on(control, &hex(request));
        let answer = answer.first().map(Vec::as_slice);
        assert_eq!(answer, Some(hex(response).as_slice()), "vector {number}");
        assert_eq!(normal.bench.kinds(), [""; 0], "vector {number}");
    }
}

#[test]
fn a_modem_without_preferences_refuses_as_in_vector_one() {
    let mut normal = Normal::bare(running("MC7710"));
    for _ in 0..5 {
        normal.allocate();
    }
    let request = "01 54 00 00 02 05 00 0D 00 48 00 48 00 01 45 00 02 00 3F 5F 3F 00 00 00 00 00 00 00 00 00 00 00 00 00 0D 30 32 2E 33 33 2E 30 33 2E 30 30 5F 3F 01 30 30 32 2E 30 37 32 5F 30 30 30 00 00 00 00 00 13 30 32 2E 33 33 2E 30 33 2E 30 30 5F 47 45 4E 45 52 49 43";
    let refused = hex("01 13 00 80 02 05 02 0D 00 48 00 07 00 02 04 00 01 00 5E 00");
    let control = normal.control;
    assert_eq!(normal.ask_on(control, &hex(request)), [refused]);
}

#[test]
fn a_start_is_told_with_the_sync_indication() {
    let mut setup = running("MC7455");
    setup.timings.ready_after = Duration::from_secs(3);
    let mut bench = common::Bench::closed(setup);
    bench.modem.terminal_ready(8, true, bench.now);
    bench.modem.port_opened(8, bench.now);
    assert_eq!(bench.hear(), hex("01 0B 00 80 00 00 02 00 27 00 00 00"));
}

#[test]
fn a_booting_modem_gives_out_clients_that_are_void_when_it_has_started() {
    let mut setup = running("EM7565");
    setup.timings.ready_after = Duration::from_secs(20);
    let mut bench = common::Bench::closed(setup.clone());
    bench.modem.terminal_ready(8, true, bench.now);
    bench.modem.port_opened(8, bench.now);
    let allocate = ctl::Request::Allocate {
        service: Service::Dms,
    };
    bench.modem.receive(8, &allocate.to_frame(1).encode(), bench.now);
    bench
        .modem
        .receive(8, &Request::GetModel.to_frame(1, 1).encode(), bench.now);
    let heard = bench.hear_for(Duration::from_secs(1));
    let (first, second) = heard.split_at(24);
    assert_eq!(first[6], 1, "a response of the control service");
    assert_eq!(
        Frame::parse(second).unwrap().tlvs.get(2),
        Some(&[1, 0, 52, 0][..])
    );
    let _ = bench.hear_for(Duration::from_secs(30));
    let ask = |bench: &mut common::Bench, transaction: u16, client: u8| {
        let request = Request::GetModel.to_frame(client, transaction);
        bench.modem.receive(8, &request.encode(), bench.now);
        let heard = bench.hear_for(Duration::from_secs(1));
        Frame::parse(&heard).unwrap().tlvs.get(2).map(<[u8]>::to_vec)
    };
    // Its host can't have known.
    assert_eq!(ask(&mut bench, 2, 1), Some(vec![1, 0, 7, 0]));
    assert_eq!(bench.modem.violations(), []);
    bench.modem.receive(8, &allocate.to_frame(2).encode(), bench.now);
    let heard = bench.hear_for(Duration::from_secs(1));
    let client = *heard.last().unwrap();
    assert_eq!(ask(&mut bench, 3, client), Some(vec![0, 0, 0, 0]));
}

#[test]
fn nothing_answers_without_dtr_on_a_family_that_needs_it() {
    for (model, interface, answers) in [("MC7455", 8, false), ("MC7710", 8, true)] {
        let mut bench = common::Bench::closed(running(model));
        bench.modem.port_opened(interface, bench.now);
        let _ = bench.hear();
        let sync = ctl::Request::Sync.to_frame(1).encode();
        bench.modem.receive(interface, &sync, bench.now);
        assert_eq!(!bench.hear().is_empty(), answers, "{model}");
    }
}

#[test]
fn an_em7565_ignores_the_first_message_after_each_opening() {
    let mut setup = Setup::running(Profile::named("EM7565").unwrap());
    setup.timings = Timings::INSTANT;
    let mut normal = Normal::bare(setup);
    let sync = ctl::Request::Sync.to_frame(1).encode();
    for _ in 0..2 {
        assert!(normal.ask_on(8, &sync).is_empty());
        assert_eq!(normal.ask_on(8, &sync).len(), 1);
        assert_eq!(normal.ask_on(8, &sync).len(), 1);
        normal.bench.modem.port_closed(8, normal.bench.now);
        normal.bench.modem.port_opened(8, normal.bench.now);
    }
}

#[test]
fn clients_run_out_until_somebody_syncs() {
    let mut setup = running("MC7455");
    setup.quirks.has_stale_clients = true;
    let mut normal = Normal::bare(setup);
    let allocate = hex("01 0F 00 00 00 00 00 03 22 00 04 00 01 01 00 02");
    // qmi.md vector 5.
    let exhausted = hex("01 12 00 80 00 00 01 03 22 00 07 00 02 04 00 01 00 05 00");
    assert_eq!(normal.ask_on(8, &allocate), [exhausted]);
    let sync = ctl::Request::Sync.to_frame(1);
    assert!(normal.frame(&sync).is_some());
    normal.allocate();
    assert!(normal.dms(&Request::GetModel).is_ok());
}

#[test]
fn the_script_loses_delays_repeats_and_refuses_answers() {
    let mut setup = running("MC7455");
    setup.faults = "lose-answer@0x22,late-answer@0x23:12s,repeat-answer@0x21,refuse@0x25:52"
        .parse()
        .unwrap();
    let mut normal = Normal::new(setup);
    let client = normal.client;
    let mut ask = |request: Request, transaction| {
        let answers = normal.ask_on(8, &request.to_frame(client, transaction).encode());
        let transactions = answers
            .iter()
            .map(|answer| Frame::parse(answer).unwrap().transaction);
        transactions.collect::<Vec<_>>()
    };
    assert_eq!(ask(Request::GetModel, 1), []);
    assert_eq!(ask(Request::GetModel, 2), [2]);
    assert_eq!(ask(Request::GetRevision, 3), []);
    // What comes meanwhile overtakes it.
    assert_eq!(ask(Request::GetRevision, 4), [4]);
    assert_eq!(ask(Request::GetManufacturer, 5), [5, 5, 3]);
    assert_eq!(normal.dms(&Request::GetIds), Err(52));
    assert!(normal.dms(&Request::GetIds).is_ok());
}

#[test]
fn a_silent_control_port_stays_silent() {
    for model in ["MC7455", "EM9191"] {
        let mut setup = running(model);
        setup.quirks.is_control_silent = true;
        let mut bench = common::Bench::closed(setup);
        let number = bench.modem.layout().interfaces.iter();
        let number = number
            .filter(|function| function.kind.is_message_port())
            .map(|function| function.number)
            .next()
            .unwrap();
        bench.modem.terminal_ready(number, true, bench.now);
        bench.modem.port_opened(number, bench.now);
        let sync = ctl::Request::Sync.to_frame(1).encode();
        bench.modem.receive(number, &sync, bench.now);
        assert_eq!(bench.hear(), []);
    }
}

#[test]
fn what_a_host_does_wrong_is_noted() {
    let mut normal = Normal::new(running("MC7455"));
    let frame = Request::GetModel.to_frame(normal.client, 1).encode();
    assert!(normal.ask_on(8, &frame[..7]).is_empty());
    let mut long = frame.clone();
    long.resize(5000, 0);
    assert!(normal.ask_on(8, &long).is_empty());
    assert_eq!(normal.bench.kinds(), ["control message", "control message"]);

    let mut normal = Normal::new(running("MC7455"));
    let foreign = Request::GetModel.to_frame(77, 1);
    let answer = normal.frame(&foreign).unwrap();
    assert_eq!(answer.tlvs.get(2), Some(&[1, 0, 7, 0][..]));
    assert_eq!(normal.bench.kinds(), ["unallocated client"]);

    let mut normal = Normal::new(running("MC7455"));
    let reset = Request::SetOperatingMode(OperatingMode::Reset);
    assert_eq!(normal.dms(&reset), Err(60));
    assert_eq!(normal.bench.kinds(), ["reset without offline"]);

    let mut normal = Normal::new(running("MC7455"));
    let preference = Request::SetFirmwarePreference {
        preference: {
            let mut list =
                modem_protocol::qmi::dms::FirmwarePreference::new("02.33.03.00", "002.072_000", "GENERIC")
                    .unwrap();
            list.0[1].build_id = "02.24.05.06_GENERIC".to_owned();
            list
        },
        download_override: false,
        storage_index: None,
    };
    assert!(normal.dms(&preference).is_ok());
    assert_eq!(normal.bench.kinds(), ["preference pair"]);

    let mut normal = Normal::new(running("MC7455"));
    normal.bench.modem.port_closed(10, normal.bench.now);
    assert_eq!(normal.bench.kinds(), [""; 0], "another port's clients");
    normal.bench.modem.port_closed(8, normal.bench.now);
    assert_eq!(normal.bench.kinds(), ["clients left"]);
}

#[test]
fn a_reset_while_an_answer_is_outstanding_is_noted() {
    let mut setup = running("MC7455");
    setup.timings.answer = Duration::from_millis(2);
    let mut normal = Normal::new(setup);
    let offline = Request::SetOperatingMode(OperatingMode::Offline);
    assert_eq!(normal.dms(&offline), Ok(Response::OperatingModeSet));
    let client = normal.client;
    let now = normal.bench.now;
    for (transaction, request) in [
        (8, Request::GetModel),
        (9, Request::SetOperatingMode(OperatingMode::Reset)),
    ] {
        let frame = request.to_frame(client, transaction).encode();
        normal.bench.modem.receive(8, &frame, now);
    }
    assert_eq!(normal.bench.kinds(), ["reset while busy"]);
}

#[test]
fn going_away_after_a_reset_leaves_no_clients() {
    let mut setup = running("MC7455");
    setup.timings.answer = Duration::from_millis(2);
    setup.timings.leaving = Duration::from_millis(300);
    let mut normal = Normal::new(setup);
    let offline = Request::SetOperatingMode(OperatingMode::Offline);
    assert!(normal.dms(&offline).is_ok());
    let reset = Request::SetOperatingMode(OperatingMode::Reset).to_frame(normal.client, 99);
    normal.bench.modem.receive(8, &reset.encode(), normal.bench.now);
    normal.bench.modem.port_closed(8, normal.bench.now);
    assert_eq!(normal.bench.kinds(), [""; 0]);
}

#[test]
fn services_that_are_not_about_firmware_refuse_and_never_hang() {
    let mut normal = Normal::bare(running("MC7455"));
    let ask = |normal: &mut Normal, frame: &Frame| normal.frame(frame).expect("an answer");
    let version = ask(&mut normal, &ctl::Request::VersionInfo.to_frame(1));
    assert!(
        ctl::Response::parse(version.message, &version.tlvs)
            .unwrap()
            .is_ok()
    );
    for service in [1_u8, 3, 5, 0x0B, 0x10] {
        let request = ctl::Request::Allocate {
            service: service.into(),
        };
        let answer = ask(&mut normal, &request.to_frame(2));
        let Ok(ctl::Response::Allocated { client, .. }) =
            ctl::Response::parse(answer.message, &answer.tlvs).unwrap()
        else {
            panic!("{answer:?}")
        };
        let mut question = Request::GetModel.to_frame(client, 3);
        question.service = service.into();
        assert_eq!(ask(&mut normal, &question).tlvs.get(2), Some(&[1, 0, 71, 0][..]));
    }
    let unknown = ctl::Request::Other {
        message: 0x0099,
        tlvs: modem_protocol::qmi::Tlvs::new(),
    };
    let answer = ask(&mut normal, &unknown.to_frame(4));
    assert_eq!(answer.tlvs.get(2), Some(&[1, 0, 71, 0][..]));
    assert_eq!(normal.bench.kinds(), [""; 0]);
}
