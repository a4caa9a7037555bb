//! The AT port of running firmware: the texts of the traces, and what a host may do wrong.

use std::time::Duration;

use crate::common::normal::{Normal, running};
use modem_protocol::qdl::message::Request;
use modemflash_virtual_modem::quirk::BootHoldHabit;
use modemflash_virtual_modem::{Mode, Selection};

#[test]
fn answers_have_the_echo_and_the_lines_of_the_traces() {
    let mut normal = Normal::bare(running("MC7455"));
    assert_eq!(normal.at("AT"), "AT\r\r\nOK\r\n");
    assert_eq!(
        normal.at("AT!IMPREF?"),
        "AT!IMPREF?\r\r\n!IMPREF:\r\n preferred fw version:    02.24.05.06\r\n preferred carrier name:  \
         GENERIC\r\n preferred config name:   GENERIC_002.026_000\r\n preferred subpri index:  000\r\n current fw \
         version:      02.24.05.06\r\n current carrier name:    GENERIC\r\n current config name:     \
         GENERIC_002.026_000\r\n current subpri index:    000\r\n\r\nOK\r\n"
    );
    assert!(normal.at_ok("ATE0"));
    assert_eq!(
        normal.at("AT+CGMR"),
        "\r\nSWI9X30C_02.24.05.06 r7040 CARMD-EV-FRMWR2 2017/05/19 06:23:09\r\n\r\nOK\r\n"
    );
    assert_eq!(normal.at("at+cgsn"), "\r\n012345678901237\r\n\r\nOK\r\n");
    assert_eq!(normal.at("AT!NOSUCH?"), "\r\nERROR\r\n");
    let identity = normal.at("ATI");
    for line in [
        "Model: MC7455\r\n",
        "IMEI: 012345678901237\r\n",
        "FSN: LQ650551290110\r\n",
    ] {
        assert!(identity.contains(line), "{identity}");
    }
    assert!(
        normal.at("AT!IMAGE?").contains(
            "FW   1    GOOD   2   0 0      ?_?         02.24.05.06_?\r\nFW   2    EMPTY  0   0 0\r\n"
        )
    );
    assert_eq!(normal.bench.kinds(), [""; 0]);
}

#[test]
fn old_modems_have_the_old_names_and_layouts() {
    let mut normal = Normal::bare(running("MC7354"));
    assert!(!normal.at_ok("AT!IMPREF?"));
    assert!(!normal.at_ok("AT!GOBIIMPREF?"));
    assert!(normal.at_ok("AT!ENTERCND=\"A710\""));
    assert!(
        normal
            .at("AT!GOBIIMPREF?")
            .contains("!GOBIIMPREF:\r\n preferred fw")
    );
    let power = normal.at("AT!PCINFO?");
    assert!(
        power.contains("LPM force flags - W_DISABLE:0") && power.contains("GOBIIM:0"),
        "{power}"
    );
}

#[test]
fn settings_are_locked_until_the_password_and_again_after_a_reset() {
    let mut normal = Normal::bare(running("MC7455"));
    assert!(!normal.at_ok("AT!USBCOMP?"));
    assert!(normal.at_ok("AT!USBCOMP=?"));
    assert!(!normal.at_ok("AT!ENTERCND=\"A711\""));
    assert!(normal.at_ok("AT!ENTERCND=\"A710\""));
    assert!(normal.at("AT!USBCOMP?").contains(
        "Config Type:  1 (Generic)\r\nInterface bitmask: 0000050D (diag,nmea,modem,rmnet0,rmnet1)"
    ));
    assert!(normal.at_ok("AT!RESET"));
    normal.wait_for_return();
    normal.open_all();
    assert!(!normal.at_ok("AT!USBCOMP?"));
}

#[test]
fn a_composition_takes_effect_at_the_next_restart() {
    let mut setup = running("EM7565");
    setup.allowed_commands = vec!["AT!USBCOMP=".to_owned()];
    let mut normal = Normal::bare(setup);
    assert!(normal.at_ok("AT!ENTERCND=\"A710\""));
    // The trap of at.md §3: type 1 is another thing here than on EM7455.
    assert!(normal.at_ok("AT!USBCOMP=1,1,0000100D"));
    assert!(!normal.at_ok("AT!USBCOMP=1,9,0000100D"));
    assert!(!normal.at_ok("AT!USBCOMP=1,3,0000110D"));
    let _ = normal.at("AT!RESET");
    normal.wait_for_return();
    normal.open_all();
    assert_eq!(normal.bench.seen.last(), Some(&("1199:90b1".to_owned(), 5)));
    assert!(normal.is_mbim());
    assert!(normal.at_ok("AT!ENTERCND=\"A710\""));
    assert!(normal.at("AT!USBPID?").contains("APP : 90B1\r\nBOOT: 90B0"));
    assert_eq!(normal.bench.kinds(), [""; 0]);
}

#[test]
fn a_preference_is_taken_only_for_a_stored_pair() {
    let mut setup = running("MC7455");
    setup.allowed_commands = vec!["AT!IMPREF=".to_owned(), "AT!IMAGE=".to_owned()];
    let mut normal = Normal::bare(setup);
    assert!(!normal.at_ok("AT!IMPREF=\"GENERIC\""), "locked");
    assert!(normal.at_ok("AT!ENTERCND=\"A710\""));
    assert!(normal.at_ok("AT!IMPREF=\"GENERIC\""));
    assert!(!normal.at_ok("AT!IMPREF=\"ROGERS\""));
    assert!(normal.at_ok("AT!IMPREF=\"02.24.05.06\",\"GENERIC\",\"GENERIC_002.026_000\""));
    assert_eq!(
        normal.bench.modem.storage().preferred,
        Some(Selection::new("02.24.05.06", "GENERIC", "002.026_000"))
    );
    assert!(normal.at_ok("AT!IMAGE=0"));
    // E12: everything is empty, and nothing can be preferred.
    assert!(normal.at("AT!IMAGE?").contains("Active FW image is at slot 255"));
    assert!(!normal.at_ok("AT!IMPREF=\"GENERIC\""));
}

#[test]
fn boot_and_hold_has_its_habits() {
    let with = |habit| {
        let mut setup = running("EM7565");
        setup.quirks.boot_hold = habit;
        Normal::bare(setup)
    };
    let mut normal = with(BootHoldHabit::Works);
    assert_eq!(normal.at("AT!BOOTHOLD"), "AT!BOOTHOLD\r\r\nOK\r\n");
    normal.wait_for_return();
    assert_eq!(normal.bench.modem.mode(), Mode::Download);

    let mut normal = with(BootHoldHabit::NeedsUnlock);
    assert!(!normal.at_ok("AT!BOOTHOLD"));
    assert!(normal.at_ok("AT!ENTERCND=\"A710\""));
    assert!(normal.at_ok("AT!BOOTHOLD"));

    let mut normal = with(BootHoldHabit::OnlySaysOk);
    assert!(normal.at_ok("AT!BOOTHOLD"));
    let _ = normal.hear_on(0, Duration::from_secs(100));
    assert_eq!(
        (normal.bench.modem.mode(), normal.bench.detached),
        (Mode::Normal, 0)
    );

    // tests/data/at/em7455-boothold-notimpl.bin of modem-protocol, byte for byte.
    let mut normal = with(BootHoldHabit::NotImplemented);
    let answer = "AT!BOOTHOLD\r\r\n!BOOTHOLD: NOT IMPLEMENTED\r\n\r\nOK\r\n";
    assert_eq!(normal.at("AT!BOOTHOLD"), answer);
    let _ = normal.hear_on(0, Duration::from_secs(100));
    assert_eq!(
        (normal.bench.modem.mode(), normal.bench.detached),
        (Mode::Normal, 0)
    );

    let mut normal = with(BootHoldHabit::Unknown);
    assert!(!normal.at_ok("AT!BOOTHOLD"));
}

#[test]
fn what_programs_ask_at_their_start_is_answered() {
    let mut normal = Normal::bare(running("MC7455"));
    for command in [
        "ATE0",
        "ATV1",
        "AT+CMEE=1",
        "ATX4",
        "AT&C1",
        "ATQ0V1E1S0=0",
        "AT+GCAP",
        "ATI",
        "AT+CGMI",
        "AT+CGMM",
        "AT+CFUN?",
        "AT+CREG?",
        "AT+CSQ",
        "AT+IFC=?",
        "ATZ",
        "ATE0 +CMEE=2;+GMM",
    ] {
        assert!(normal.at_ok(command), "{command}");
    }
    assert_eq!(normal.at("AT+CPIN?").trim(), "+CME ERROR: 10");
    for command in ["AT+CPMS?", "AT^SYSINFO", "AT*CNTI=0", "AT$QCDMG", "AT%IPSYS?"] {
        assert_eq!(normal.at(command).trim(), "ERROR", "{command}");
    }
    assert_eq!(normal.bench.kinds(), [""; 0]);
}

#[test]
fn a_line_may_come_in_pieces_and_its_echo_comes_at_once() {
    let mut normal = Normal::bare(running("MC7455"));
    assert_eq!(normal.ask_on(3, b"AT+CG").concat(), b"AT+CG");
    let rest = String::from_utf8(normal.ask_on(3, b"MM\r").concat()).unwrap();
    assert_eq!(rest, "MM\r\r\nMC7455\r\n\r\nOK\r\n");
}

#[test]
fn changes_that_nobody_asked_for_are_noted() {
    let mut setup = running("MC7455");
    setup.allowed_commands = vec!["AT!USBSPEED=".to_owned()];
    let mut normal = Normal::bare(setup);
    assert!(normal.at_ok("AT!ENTERCND=\"A710\""));
    assert!(normal.at_ok("AT!USBSPEED=0"));
    assert_eq!(normal.bench.kinds(), [""; 0]);
    assert!(normal.at_ok("AT!USBPID=9091"));
    assert!(normal.at_ok("AT!RMARESET=1"));
    assert_eq!(normal.bench.kinds(), ["forbidden command", "forbidden command"]);
}

#[test]
fn two_commands_at_once_are_noted() {
    let mut setup = running("MC7455");
    setup.timings.answer = Duration::from_millis(2);
    let mut normal = Normal::bare(setup);
    let _ = normal.ask_on(3, b"AT\rATI\r");
    assert_eq!(normal.bench.kinds(), ["command while busy"]);
}

#[test]
fn bytes_for_a_boot_loader_are_noted_and_diag_answers_them() {
    let mut normal = Normal::bare(running("MC7455"));
    let probe = Request::SwitchToStreaming { flags: 0 }.frame();
    let answer = normal.ask_on(0, &probe);
    // em7455_sdp-0x13 trace.
    assert_eq!(answer, [[0x13, 0x70, 0x00, 0x00, 0x6A, 0x9A, 0x7E]]);
    let echo = normal.ask_on(3, &probe);
    assert_eq!(echo, [probe]);
    let kinds = normal.bench.kinds();
    assert_eq!(kinds, ["foreign bytes", "foreign bytes"]);
}

#[test]
fn positions_come_unasked_only_when_that_is_the_habit() {
    for prints in [false, true] {
        let mut setup = running("MC7455");
        setup.quirks.prints_positions = prints;
        let mut normal = Normal::bare(setup);
        let heard = normal.hear_on(2, Duration::from_secs(3)).concat();
        assert_eq!(heard.starts_with(b"$GPGSV"), prints);
    }
}
