//! Answers of real modems, byte for byte (`tests/data/at`; identities are replaced), however they are split.

use modemflash_modem_protocol::at::parse::*;
use modemflash_modem_protocol::at::{Answer, Collector, Final};

/// The answer to `command` in these bytes. All splits into two reads must give the same one.
fn answer(command: &str, bytes: &[u8]) -> Answer {
    let whole = Collector::new(command).push(bytes).unwrap();
    for cut in 1..bytes.len() {
        let mut collector = Collector::new(command);
        let early = collector.push(&bytes[..cut]);
        let answer = early.or_else(|| collector.push(&bytes[cut..]));
        assert_eq!(answer.as_ref(), Some(&whole), "cut at {cut}");
    }
    let echo = |line: &String| line.eq_ignore_ascii_case(command);
    assert!(!whole.lines.iter().any(echo), "{whole:?}");
    assert_eq!((&whole.result, whole.left_out), (&Final::Ok, 0));
    whole
}

/// The lines of the answer in a file.
macro_rules! lines_of {
    ($command:expr, $file:literal) => {
        answer($command, include_bytes!(concat!("../data/at/", $file))).lines
    };
}

fn some(text: &str) -> Option<String> {
    Some(text.into())
}

#[test]
fn images_of_an_em7690_whose_running_firmware_is_in_no_slot() {
    let found = image_list(&lines_of!("AT!IMAGE?", "em7690-image.bin")).unwrap();
    let image = |slot, lru, unique: &str, build: &str| StoredImage {
        slot,
        status: Status::Good,
        lru,
        failures: [0, 0],
        ids: Some((unique.into(), build.into())),
    };
    let empty = |slot| StoredImage {
        slot,
        status: Status::Empty,
        lru: 0,
        failures: [0, 0],
        ids: None,
    };
    assert_eq!(
        found,
        ImageList {
            firmware: vec![image(1, 1, "?_?", "03.04.03.00_?"), empty(2), empty(3)],
            most_firmware: Some(3),
            active: Some(ActiveSlot::NotStored),
            pri: vec![image(0xFF, 0, "016.010_000", "01.07.19.00_GENERIC")],
            most_pri: Some(50),
        }
    );
}

#[test]
fn preference_of_an_em7690_that_runs_another_firmware() {
    let found = impref(&lines_of!("AT!IMPREF?", "em7690-impref.bin")).unwrap();
    let preferred = Selection {
        firmware: some("01.07.19.00"),
        carrier: some("GENERIC"),
        config: some("GENERIC_016.010_000"),
        sub_pri: some("000"),
    };
    let current = Selection {
        firmware: some("03.04.03.00"),
        ..preferred.clone()
    };
    let mismatches = vec![Mismatch::Firmware];
    assert_eq!(
        found,
        ImagePreference {
            preferred,
            current,
            mismatches
        }
    );
}

#[test]
fn preference_of_an_mc7455_without_current_settings() {
    let found = impref(&lines_of!("AT!GOBIIMPREF?", "mc7455-gobiimpref.bin")).unwrap();
    let preferred = Selection {
        firmware: some("02.33.03.00"),
        carrier: some("GENERIC"),
        config: some("GENERIC_002.072_000"),
        sub_pri: some("000"),
    };
    let current = Selection {
        carrier: None,
        config: None,
        ..preferred.clone()
    };
    assert_eq!(current.config_version(), None);
    let mismatches = vec![Mismatch::Carrier, Mismatch::Config];
    assert_eq!(
        found,
        ImagePreference {
            preferred,
            current,
            mismatches
        }
    );
}

#[test]
fn why_a_dw5811e_is_offline() {
    let found = pcinfo(&lines_of!("AT!PCINFO?", "dw5811e-pcinfo-offline.bin")).unwrap();
    assert_eq!(found.mode, Mode::Offline);
    assert!(found.is_image_mismatch());
    assert_eq!(found.other_voters().count(), 0);
    let voters: Vec<(&str, u32)> = found
        .voters
        .iter()
        .map(|voter| (voter.name.as_str(), voter.vote))
        .collect();
    assert_eq!(
        voters,
        [
            ("Temp", 0),
            ("Volt", 0),
            ("User", 0),
            ("W_DISABLE", 0),
            ("IMSWITCH", 1),
            ("BIOS", 0)
        ]
    );
    assert_eq!(found.details, PowerDetails::Voters { persistence: None });
}

#[test]
fn status_of_an_em7565_that_is_online() {
    let found = gstatus(&lines_of!("AT!GSTATUS?", "em7565-gstatus.bin")).unwrap();
    assert_eq!(
        found,
        GeneralStatus {
            seconds: Some(4306),
            temperature: Some(35),
            resets: Some(2),
            mode: Some(Mode::Online),
        }
    );
}

#[test]
fn composition_of_an_em9291() {
    let found = usbcomp(&lines_of!("AT!USBCOMP?", "em9291-usbcomp.bin")).unwrap();
    assert_eq!(
        found,
        Composition {
            index: 1,
            kind: 4,
            kind_name: some("MBIM V2"),
            mask: 0x1009,
            interfaces: vec!["diag".into(), "modem".into(), "mbim".into()],
        }
    );
}

#[test]
fn settings_of_two_carriers_in_an_em7565() {
    let found = priid(&lines_of!("AT!PRIID?", "em7565-priid-two-carriers.bin")).unwrap();
    assert_eq!(
        found,
        Pri {
            part_number: some("9907344"),
            revision: some("002.001"),
            customer: some("Generic-M2M"),
            carriers: vec![
                "9999999_9907258_SWI9X50C_01.07.02.00_00_ATT_002.008_004".into(),
                "9999999_9907259_SWI9X50C_01.09.04.00_00_GENERIC_002.019_000".into(),
            ],
        }
    );
}

#[test]
fn identity_of_an_mc7354() {
    let found = ati(&lines_of!("ATI", "mc7354-ati.bin")).unwrap();
    assert_eq!(
        found,
        Identity {
            manufacturer: some("Sierra Wireless, Incorporated"),
            model: some("MC7354"),
            revision: some("SWI9X15C_05.05.16.03 r22385 carmd-fwbuild1 2014/06/04 15:01:26"),
            meid: some("A1000000000000"),
            imei: some("359225050000000"),
            imei_sv: some("13"),
            fsn: some("J8000000000310"),
        }
    );
}

#[test]
fn an_em7455_without_boot_and_hold_says_ok_and_refuses() {
    let answer = answer(
        "AT!BOOTHOLD",
        include_bytes!("../data/at/em7455-boothold-notimpl.bin"),
    );
    assert!(answer.result.is_ok());
    assert_eq!(
        answer.refusal("AT!BOOTHOLD").as_deref(),
        Some("!BOOTHOLD: NOT IMPLEMENTED")
    );
}
