//! The Sahara boot loader: its hello in all its habits, its refusals, and hosts that are wrong on purpose.

use std::time::Duration;

use crate::common::{self, Bench, hex, lines, quick};
use modem_protocol::sahara::message::{ClientCommand, HelloResponse, Mode as SaharaMode, Packet, Status};
use modemflash_virtual_modem::quirk::{ExecuteAnswer, HelloHabit, Pieces, Provoked, RamDump};
use modemflash_virtual_modem::{Mode, Profile, Quirks, Setup, Wrong};

/// The hello of the captures (em7565_failed-qdl-probe trace).
const HELLO: &str = "01 00 00 00 30 00 00 00 02 00 00 00 01 00 00 00 00 04 00 00 02 00 00 00 00 00 00 00 00 00 00 00 \
                     00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00";
const QDL_PROBE: &str = "7E 70 00 00 14 46 7E";
const EXECUTE: &str = "0D 00 00 00 0C 00 00 00 00 FF 00 00";

fn with(quirks: impl FnOnce(&mut Quirks)) -> Setup {
    let mut setup = quick("EM7565");
    quirks(&mut setup.quirks);
    setup
}

fn response() -> Vec<u8> {
    Packet::HelloResponse(HelloResponse::COMMAND_MODE).to_bytes()
}

fn refusal(status: Status) -> Vec<u8> {
    Packet::EndOfImage { image: 0, status }.to_bytes()
}

/// Answers the hello and asks for Firehose; returns what comes.
fn switch(bench: &mut Bench) -> Vec<u8> {
    assert_eq!(bench.ask(&response()), hex("0B 00 00 00 08 00 00 00"));
    bench.ask(&hex(EXECUTE))
}

fn is_accepted(answer: &[u8]) -> bool {
    answer == hex("0E 00 00 00 10 00 00 00 00 FF 00 00 09 00 00 00")
}

#[test]
fn the_handshake_of_an_em7565_gives_the_captured_bytes() {
    let mut bench = Bench::closed(quick("EM7565"));
    assert_eq!(bench.hear(), b"", "nobody reads yet");
    bench.modem.port_opened(0, bench.now);
    assert_eq!(bench.hear(), hex(HELLO));
    // The vendor's tool counts in the reserved words (vendor-sdk trace).
    let counted = "02 00 00 00 30 00 00 00 02 00 00 00 02 00 00 00 00 00 00 00 03 00 00 00 01 00 00 00 02 00 00 00 \
                   03 00 00 00 04 00 00 00 05 00 00 00 06 00 00 00";
    assert_eq!(bench.ask(&hex(counted)), hex("0B 00 00 00 08 00 00 00"));
    assert!(is_accepted(&bench.ask(&hex(EXECUTE))));
    let greeting = bench.ask(&hex("0F 00 00 00 0C 00 00 00 00 FF 00 00"));
    let greeting = greeting.strip_prefix(b"confirmed").unwrap();
    assert!(lines(&common::answers(greeting)).contains(&"SWI supported functions: CWE"));
    assert_eq!(bench.modem.violations(), []);
}

#[test]
fn every_sahara_model_switches_to_firehose() {
    for profile in Profile::ALL.iter().filter(|profile| !profile.is_qdl()) {
        let mut bench = Bench::opened(quick(profile.name));
        assert!(!bench.firehose().is_empty(), "{}", profile.name);
        assert_eq!(bench.modem.violations(), []);
    }
}

#[test]
fn packets_may_be_split_and_joined_anywhere() {
    let command = ClientCommand::SwitchToFirehose;
    let mut session = response();
    session.extend(Packet::Execute { command }.to_bytes());
    session.extend(Packet::ExecuteData { command }.to_bytes());
    session.extend_from_slice(b"<data><NOP value=\"ping\" /></data>");
    for cut in 0..session.len() {
        let mut bench = Bench::opened(quick("EM7565"));
        bench.hear();
        bench.send(&session[..cut]);
        bench.hear_for(Duration::from_millis(1));
        bench.send(&session[cut..]);
        bench.hear();
        assert_eq!(bench.modem.violations(), [], "cut at {cut}");
    }
}

#[test]
fn a_late_hello_comes_late() {
    let mut bench = Bench::opened(with(|quirks| {
        quirks.hello = HelloHabit::Late(Duration::from_secs(12))
    }));
    assert_eq!(bench.hear_for(Duration::from_millis(11_999)), b"");
    assert_eq!(bench.hear_for(Duration::from_millis(1)), hex(HELLO));
}

#[test]
fn a_hello_waits_for_a_host_that_reads() {
    let mut bench = Bench::opened(with(|quirks| {
        quirks.hello = HelloHabit::Late(Duration::from_secs(2))
    }));
    bench.modem.port_closed(0, bench.now);
    assert_eq!(bench.hear(), b"");
    bench.modem.port_opened(0, bench.now);
    assert_eq!(bench.hear(), hex(HELLO));
}

#[test]
fn a_hello_that_nobody_heard_is_brought_out_by_any_bytes() {
    let lost = HelloHabit::AfterEnumeration(Duration::from_millis(1));
    for probe in [hex(QDL_PROBE), b"UTUV".repeat(6)] {
        let mut bench = Bench::closed(with(|quirks| quirks.hello = lost));
        assert_eq!(bench.hear(), hex(HELLO), "into the void");
        bench.modem.port_opened(0, bench.now);
        assert_eq!(bench.hear_for(Duration::from_secs(30)), b"");
        // In pieces, too, it is one hello.
        bench.send(&probe[..3]);
        bench.send(&probe[3..]);
        assert_eq!(bench.hear(), hex(HELLO));
        assert!(is_accepted(&switch(&mut bench)));
        assert_eq!(bench.modem.violations(), []);
    }
}

#[test]
fn a_hello_that_nobody_heard_may_be_answered_all_the_same() {
    let lost = HelloHabit::AfterEnumeration(Duration::from_millis(1));
    let mut bench = Bench::closed(with(|quirks| quirks.hello = lost));
    bench.hear();
    bench.modem.port_opened(0, bench.now);
    assert!(is_accepted(&switch(&mut bench)));
    assert_eq!(bench.modem.violations(), []);
}

#[test]
fn a_new_enumeration_brings_a_new_hello() {
    let soon = HelloHabit::AfterEnumeration(Duration::from_millis(100));
    let mut bench = Bench::closed(with(|quirks| quirks.hello = soon));
    bench.hear();
    bench.modem.port_opened(0, bench.now);
    bench.modem.re_enumerate(bench.now);
    bench.hear_for(Duration::from_millis(200));
    assert_eq!((bench.detached, bench.seen.len()), (1, 2));
    bench.modem.port_opened(0, bench.now);
    assert_eq!(bench.hear(), hex(HELLO));
}

#[test]
fn a_second_opening_brings_a_hello_where_that_is_the_habit() {
    let mut bench = Bench::closed(with(|quirks| quirks.hello = HelloHabit::AtReopen));
    bench.hear();
    bench.modem.port_opened(0, bench.now);
    assert_eq!(bench.hear(), b"");
    bench.modem.port_closed(0, bench.now);
    bench.modem.port_opened(0, bench.now);
    assert_eq!(bench.hear(), hex(HELLO));
}

#[test]
fn a_hello_only_after_the_first_bytes_is_the_other_reading_of_the_rc7620() {
    let mut setup = quick("RC7620");
    setup.quirks.hello = HelloHabit::AfterBytes;
    let mut bench = Bench::opened(setup);
    assert_eq!(bench.hear_for(Duration::from_secs(60)), b"");
    assert_eq!(bench.ask(&hex(QDL_PROBE)), hex(HELLO));
    assert!(is_accepted(&switch(&mut bench)));
    assert_eq!(bench.modem.violations(), []);
}

#[test]
fn a_modem_without_hello_never_says_it() {
    let mut bench = Bench::opened(with(|quirks| quirks.hello = HelloHabit::Never));
    assert_eq!(bench.ask(&hex(QDL_PROBE)), b"");
    assert_eq!(bench.hear_for(Duration::from_secs(600)), b"");
}

#[test]
fn two_hellos_may_both_be_answered() {
    let mut bench = Bench::opened(with(|quirks| quirks.hello_twice = true));
    assert_eq!(bench.hear(), [hex(HELLO), hex(HELLO)].concat());
    assert_eq!(bench.ask(&response()), hex("0B 00 00 00 08 00 00 00"));
    assert_eq!(bench.ask(&response()), b"");
    assert!(is_accepted(&bench.ask(&hex(EXECUTE))));
    assert_eq!(bench.modem.violations(), []);
}

#[test]
fn hellos_come_again_as_often_as_asked_for() {
    let mut bench = Bench::opened(with(|quirks| quirks.repeated_hellos = 6));
    assert_eq!(bench.hear(), hex(HELLO));
    for _ in 0..6 {
        assert_eq!(bench.ask(&response()), hex(HELLO));
    }
    assert!(is_accepted(&switch(&mut bench)));
    assert_eq!(bench.modem.violations(), []);
}

#[test]
fn a_hello_may_ask_for_too_new_a_version() {
    let mut bench = Bench::opened(with(|quirks| quirks.hello_compatible = Some(3)));
    let Ok(Packet::Hello(hello)) = Packet::parse(&bench.hear()) else {
        panic!("no hello")
    };
    assert_eq!(hello.compatible, 3);
}

#[test]
fn a_provoked_hello_may_end_in_a_refusal_and_a_reset_leads_out() {
    let mut bench = Bench::opened(with(|quirks| {
        quirks.hello = HelloHabit::AfterBytes;
        quirks.provoked = Provoked::Refused;
    }));
    bench.ask(&hex(QDL_PROBE));
    assert_eq!(switch(&mut bench), refusal(Status::CommandUnsupported));
    // A second try on the same opening is refused as well, and wrong.
    assert_eq!(bench.ask(&response()), refusal(Status::InvalidCommand));
    assert_eq!(bench.kinds(), ["request out of order"]);
    bench.ask(&Packet::Reset.to_bytes());
    assert_eq!((bench.detached, bench.modem.mode()), (1, Mode::Download));
}

#[test]
fn an_answer_too_soon_after_enumeration_is_refused_where_that_is_the_habit() {
    let deaf = Some(Duration::from_secs(2));
    let mut early = Bench::opened(with(|quirks| quirks.deaf_after_enumeration = deaf));
    early.hear_for(Duration::from_secs(1));
    early.send(&response());
    early.hear_for(Duration::from_millis(10));
    assert_eq!(early.ask(&hex(EXECUTE)), refusal(Status::CommandUnsupported));
    let mut patient = Bench::opened(with(|quirks| quirks.deaf_after_enumeration = deaf));
    patient.hear_for(Duration::from_secs(2));
    assert!(is_accepted(&switch(&mut patient)));
}

#[test]
fn the_execute_response_may_have_length_zero_or_a_huge_one() {
    for (habit, length) in [
        (ExecuteAnswer::Empty, 0),
        (ExecuteAnswer::Announces(u32::MAX), u32::MAX),
    ] {
        let mut bench = Bench::opened(with(|quirks| quirks.execute = habit));
        bench.hear();
        let command = ClientCommand::SwitchToFirehose;
        let answer = switch(&mut bench);
        assert_eq!(
            Packet::parse(&answer),
            Ok(Packet::ExecuteResponse { command, length })
        );
        let greeting = bench.ask(&Packet::ExecuteData { command }.to_bytes());
        assert!(greeting.starts_with(b"<?xml"), "no data, straight to Firehose");
    }
}

#[test]
fn a_crashed_modem_says_the_same_hello_and_offers_its_memory() {
    for model in ["MC7455", "EM7565"] {
        let mut setup = quick(model);
        setup.mode = Mode::RamDump(RamDump::Offers);
        let mut bench = Bench::opened(setup);
        assert_eq!(bench.hear(), hex(HELLO), "{model}");
        assert!(matches!(
            Packet::parse(&bench.ask(&response())),
            Ok(Packet::MemoryDebug { .. })
        ));
        assert_eq!(
            bench.ask(&Packet::Reset.to_bytes()),
            Packet::ResetResponse.to_bytes()
        );
        assert_eq!(bench.modem.mode(), Mode::Download);
        assert_eq!(bench.modem.violations(), []);
    }
}

#[test]
fn a_crashed_modem_may_refuse_only_the_execute() {
    let mut setup = quick("MC7455");
    setup.mode = Mode::RamDump(RamDump::RefusesExecute);
    let mut bench = Bench::opened(setup);
    bench.hear();
    assert_eq!(switch(&mut bench), refusal(Status::CommandUnsupported));
}

#[test]
fn messages_may_come_in_two_pieces() {
    let pieces = Pieces::Cut {
        at: 20,
        pause: Duration::from_millis(50),
    };
    let mut bench = Bench::opened(with(|quirks| quirks.pieces = pieces));
    assert_eq!(bench.hear_for(Duration::from_millis(49)), hex(HELLO)[..20]);
    assert_eq!(bench.hear_for(Duration::from_millis(1)), hex(HELLO)[20..]);
}

// Wrong hosts

#[test]
fn writing_before_the_hello_of_an_em7565_is_caught_and_spoils_the_session() {
    let mut setup = Setup::of(Profile::named("EM7565").unwrap());
    setup.timings.hello = Duration::from_secs(1);
    let mut bench = Bench::opened(setup);
    bench.hear_for(Duration::from_millis(500));
    assert_eq!(bench.ask(&hex(QDL_PROBE)), hex(HELLO));
    assert_eq!(
        bench.modem.violations()[0].what,
        Wrong::WroteBeforeHello { count: 7 }
    );
    assert_eq!(switch(&mut bench), refusal(Status::CommandUnsupported));
}

#[test]
fn writing_before_the_hello_is_caught_even_where_it_does_no_harm() {
    let mut setup = Setup::of(Profile::named("EM7565").unwrap());
    setup.quirks.provoked = Provoked::Works;
    let mut bench = Bench::opened(setup);
    assert_eq!(bench.ask(&response()), hex(HELLO));
    assert_eq!(bench.kinds(), ["write before hello"]);
    assert!(is_accepted(&switch(&mut bench)));
}

#[test]
fn garbage_behind_a_hello_is_caught_and_spoils_the_session() {
    let mut bench = Bench::opened(quick("EM7565"));
    bench.hear();
    assert_eq!(bench.ask(&hex(QDL_PROBE)), hex(HELLO));
    assert_eq!(bench.kinds(), ["malformed request"]);
    assert_eq!(switch(&mut bench), refusal(Status::CommandUnsupported));
}

#[test]
fn a_packet_of_a_wrong_size_is_caught() {
    for bytes in [
        "0D 00 00 00 04 00 00 00",
        "02 00 00 00 10 00 00 00 02 00 00 00 02 00 00 00",
        "0D 00 00 00 FF FF FF FF",
        "07 00 00 00 0C 00 00 00 00 00 00 00",
    ] {
        let mut bench = Bench::opened(quick("EM7565"));
        bench.hear();
        assert_eq!(
            bench.ask(&hex(bytes)),
            refusal(Status::InvalidPacketSize),
            "{bytes}"
        );
        assert_eq!(bench.kinds(), ["malformed request"]);
    }
}

#[test]
fn a_hello_response_with_another_mode_is_caught() {
    let mut bench = Bench::opened(quick("EM7565"));
    bench.hear();
    let wrong = HelloResponse {
        mode: SaharaMode::ImageTransferPending,
        ..HelloResponse::COMMAND_MODE
    };
    assert_eq!(
        bench.ask(&Packet::HelloResponse(wrong).to_bytes()),
        refusal(Status::InvalidHostMode)
    );
    assert_eq!(bench.modem.violations()[0].what, Wrong::WrongMode(0));
}

#[test]
fn a_hello_response_of_a_newer_version_is_caught() {
    let mut bench = Bench::opened(quick("EM7565"));
    bench.hear();
    let wrong = HelloResponse {
        version: 4,
        compatible: 3,
        ..HelloResponse::COMMAND_MODE
    };
    assert_eq!(
        bench.ask(&Packet::HelloResponse(wrong).to_bytes()),
        refusal(Status::ProtocolMismatch)
    );
    assert_eq!(bench.modem.violations()[0].what, Wrong::WrongVersion(4));
}

#[test]
fn an_execute_before_the_hello_response_is_caught() {
    let mut bench = Bench::opened(quick("EM7565"));
    bench.hear();
    assert_eq!(bench.ask(&hex(EXECUTE)), refusal(Status::InvalidCommand));
    assert_eq!(bench.kinds(), ["request out of order"]);
}

#[test]
fn a_second_response_to_one_hello_is_caught() {
    let mut bench = Bench::opened(quick("EM7565"));
    bench.hear();
    bench.ask(&response());
    assert_eq!(bench.ask(&response()), refusal(Status::InvalidCommand));
    assert_eq!(bench.kinds(), ["request out of order"]);
}

#[test]
fn a_go_ahead_without_execute_is_caught() {
    let mut bench = Bench::opened(quick("EM7565"));
    bench.hear();
    bench.ask(&response());
    let command = ClientCommand::SwitchToFirehose;
    assert_eq!(
        bench.ask(&Packet::ExecuteData { command }.to_bytes()),
        refusal(Status::InvalidCommand)
    );
    assert_eq!(bench.kinds(), ["request out of order"]);
}

// What isn't a boot loader

#[test]
fn a_modem_in_normal_mode_answers_the_probe_as_captured() {
    let mut setup = quick("EM7455");
    setup.mode = Mode::Diag;
    let mut bench = Bench::opened(setup);
    assert_eq!(bench.ask(&hex(QDL_PROBE)), hex("13 70 00 00 6A 9A 7E"));
}

#[test]
fn a_port_with_echo_gives_the_probe_back() {
    let mut setup = quick("MC7455");
    setup.mode = Mode::Echo;
    let mut bench = Bench::opened(setup);
    assert_eq!(bench.ask(&hex(QDL_PROBE)), hex(QDL_PROBE));
}

#[test]
fn the_boot_loader_of_the_chip_answers_as_captured_and_else_is_silent() {
    let mut setup = quick("MC7455");
    setup.mode = Mode::Pbl;
    let mut bench = Bench::opened(setup);
    assert_eq!(bench.seen, [("05c6:9008".to_owned(), 1)]);
    assert_eq!(bench.ask(&hex("7E 0B AB 4E 7E")), hex("7E 03 00 06 9E 4C 7E"));
    assert_eq!(bench.ask(&hex(QDL_PROBE)), b"");
}

#[test]
fn a_dead_port_takes_everything_and_says_nothing() {
    let mut setup = quick("MC7455");
    setup.mode = Mode::Dead;
    let mut bench = Bench::opened(setup);
    assert_eq!(bench.ask(&hex(QDL_PROBE)), b"");
}

#[test]
fn a_foreign_device_has_a_foreign_id_and_a_foreign_answer() {
    let mut setup = quick("MC7455");
    setup.mode = Mode::Foreign;
    let mut bench = Bench::opened(setup);
    assert_eq!(bench.seen, [("0403:6001".to_owned(), 1)]);
    assert_eq!(bench.ask(&hex(QDL_PROBE)), b"\r\nlogin: ");
}
