//! Single messages: captured answers, missing and unknown fields, and the words for people.

use super::{preference, pri_image, stored};
use crate::common::hex;
use modemflash_modem_protocol::ParseError;
use modemflash_modem_protocol::qmi::dms::{
    BootImageDownloadMode, CurrentFirmware, FirmwarePreference, ImageType, OfflineReason, OperatingMode,
    StoredImageList, SwiStoredImages, UniqueId, UnsendablePreference, UpdateResult, UpdateStatus,
    UsbComposition,
};
use modemflash_modem_protocol::qmi::{Frame, QmiError, Tlvs, dms};

#[test]
fn mc7710_says_its_firmware_in_three_texts_with_a_nul_behind_each() {
    // trace dms_boothold_mc7710_em7565 (a); the third text is cut in the source and is left out here
    let request = hex("01 0C 00 00 02 01 00 05 00 56 55 00 00");
    assert_eq!(
        dms::Request::SwiGetCurrentFirmware.to_frame(1, 5).encode(),
        request
    );
    let boot = b"SWI9200X_03.00.08.02BT R3715 CARMD-EN-10526 2011/11/14 18:34:41\0";
    let fields = [
        hex("02 04 00 00 00 00 00 10 07 00 4D 43 37 37 31 30 00 11 40 00"),
        boot.to_vec(),
    ]
    .concat();
    let tlvs = Tlvs::parse(&fields).unwrap();
    assert_eq!(
        dms::Response::parse(0x5556, &tlvs),
        Ok(Ok(dms::Response::SwiCurrentFirmware(CurrentFirmware {
            model: Some("MC7710".into()),
            boot_version: Some("SWI9200X_03.00.08.02BT R3715 CARMD-EN-10526 2011/11/14 18:34:41".into()),
            ..CurrentFirmware::default()
        })))
    );
}

#[test]
fn em7565_refuses_boot_and_hold_with_a_missing_argument() {
    // trace dms_boothold_mc7710_em7565 (c)
    assert_eq!(
        dms::Request::SetFirmwareId.to_frame(8, 1).encode(),
        hex("01 0C 00 00 02 08 00 01 00 3E 00 00 00")
    );
    let refusal = hex("01 13 00 80 02 08 02 01 00 3E 00 07 00 02 04 00 01 00 11 00");
    let frame = Frame::parse(&refusal).unwrap();
    assert_eq!(
        dms::Response::parse(frame.message, &frame.tlvs),
        Ok(Err(QmiError::MissingArgument))
    );
    assert_eq!(
        dms::refusal(0x3E, 8, 1, QmiError::MissingArgument).encode(),
        refusal
    );
    assert_eq!(
        dms::Request::SetBootImageDownloadMode(BootImageDownloadMode::BootAndRecovery)
            .to_frame(8, 2)
            .encode(),
        hex("01 10 00 00 02 08 00 02 00 50 00 04 00 01 01 00 01")
    );
}

#[test]
fn em7565_lists_its_images_as_captured() {
    // trace dms_firmware-preference_em7565_windows_2018, packet 2052
    let entry = |state: &str, id: &[u8], build: &[u8], behind: &str| {
        let mut bytes = hex(state);
        bytes.extend(id);
        bytes.resize(5 + 16 + 1, 0);
        bytes.push(u8::try_from(build.len()).unwrap());
        bytes.extend(build);
        bytes.extend(hex(behind));
        bytes
    };
    let value = [
        vec![2],
        entry("00 04 FF 01 01 00", b"?_?", b"01.00.02.00_?", "03 01 00 00"),
        entry(
            "01 32 FF 01 FF FF",
            b"001.012_000",
            b"01.00.02.00_GENERIC",
            "03 00 00 00",
        ),
    ]
    .concat();
    let tlvs = Tlvs::new().with(0x02, [0; 4]).with(0x01, value);
    let Ok(Ok(dms::Response::SwiStoredImages(SwiStoredImages::Read { images, .. }))) =
        dms::Response::parse(0x557A, &tlvs)
    else {
        panic!("not read")
    };
    let modem = images.of_type(ImageType::Modem).unwrap();
    assert_eq!((modem.maximum, modem.running), (4, None));
    assert_eq!(modem.images, [stored(Some(1), Some(0), "?_?", "01.00.02.00_?")]);
    assert_eq!(images.of_type(ImageType::Pri).unwrap().maximum, 50);
}

#[test]
fn a_list_of_0x557a_in_another_layout_is_kept_unread() {
    let tlvs = Tlvs::new().with(0x02, [0; 4]).with(0x01, [2, 0, 4]);
    let response = dms::Response::SwiStoredImages(SwiStoredImages::Unread(vec![2, 0, 4]));
    assert_eq!(response.encode(), tlvs);
    assert_eq!(dms::Response::parse(0x557A, &tlvs), Ok(Ok(response)));
}

#[test]
fn a_download_list_that_is_absent_is_not_an_empty_one() {
    let tlvs = Tlvs::new().with(0x02, [0; 4]);
    let response = dms::Response::FirmwarePreferenceSet(None);
    assert_eq!(response.encode(), tlvs);
    assert_eq!(dms::Response::parse(0x48, &tlvs), Ok(Ok(response)));
}

#[test]
fn an_index_of_the_running_image_beyond_the_list_names_none() {
    // MC7455: index 2 with two entries (qmi.md §5.2)
    let mut list = StoredImageList {
        image_type: ImageType::Modem,
        maximum: 4,
        running: Some(2),
        images: vec![
            stored(Some(1), Some(0), "?_?", "a"),
            stored(Some(2), Some(0), "?_?", "b"),
        ],
    };
    assert_eq!(list.running_image(), None);
    list.running = Some(1);
    assert_eq!(list.running_image(), Some(&list.images[1]));
    list.running = None;
    assert_eq!(list.running_image(), None);
}

#[test]
fn the_update_status_is_read_where_it_is_likely_and_its_other_fields_are_kept() {
    let details = Tlvs::new().with(0x10, [1]).with(0x11, *b"log");
    let status = |result, details| dms::Response::SwiFirmwareUpdateStatus(UpdateStatus { result, details });
    let known = Tlvs::new()
        .with(0x02, [0; 4])
        .with(0x01, [1, 0, 0, 0])
        .with(0x10, [1])
        .with(0x11, *b"log");
    assert_eq!(
        dms::Response::parse(0x5564, &known),
        Ok(Ok(status(Some(UpdateResult::SUCCESS), details)))
    );
    let other = Tlvs::new().with(0x02, [0; 4]).with(0x01, [1]);
    assert_eq!(
        dms::Response::parse(0x5564, &other),
        Ok(Ok(status(None, Tlvs::new().with(0x01, [1]))))
    );
    assert_eq!(UpdateResult(0x2000_0007).to_string(), "NVUP error (0x20000007)");
    assert_eq!(UpdateResult::UNKNOWN.to_string(), "unknown (0xffffffff)");
}

#[test]
fn the_running_images_have_the_layout_of_a_preference() {
    let response = dms::Response::SwiFirmwareCurrent(preference());
    let of_preference = dms::Response::FirmwarePreference(preference()).encode();
    assert_eq!(response.encode(), of_preference);
    assert_eq!(dms::Response::parse(0x5563, &of_preference), Ok(Ok(response)));
}

#[test]
fn unique_ids_are_shown_as_text_only_if_they_are_text() {
    assert_eq!(UniqueId::WILDCARD.to_string(), "?_?");
    assert_eq!(
        UniqueId::from_text("0123456789abcdef").unwrap().to_string(),
        "0123456789abcdef"
    );
    assert_eq!(UniqueId::from_text("0123456789abcdefg"), None);
    assert_eq!(UniqueId([0; 16]).to_string(), "00000000000000000000000000000000");
    let mut with_a_tail = UniqueId::WILDCARD;
    with_a_tail.0[15] = b'x';
    assert_eq!(with_a_tail.to_string(), "3f5f3f00000000000000000000000078");
    let mut not_ascii = UniqueId::WILDCARD;
    not_ascii.0[0] = 0xFF;
    assert_eq!(not_ascii.text(), None);
}

#[test]
fn a_preference_that_does_not_fit_is_refused_before_it_is_sent() {
    assert_eq!(
        FirmwarePreference::new("1", "0123456789abcdefg", "GENERIC"),
        Err(UnsendablePreference::Config("0123456789abcdefg".into()))
    );
    assert_eq!(
        FirmwarePreference::new("1", "1", &"x".repeat(254)),
        Err(UnsendablePreference::Build)
    );
    assert!(FirmwarePreference::new("1", "1", &"x".repeat(253)).is_ok());
}

/// The table of qmi.md §3, with the correction in its row 9.
const ERRORS: [(u16, &str); 28] = [
    (0, "no error given"),
    (1, "malformed message"),
    (3, "internal error"),
    (4, "aborted"),
    (5, "client ids exhausted"),
    (7, "invalid client id"),
    (9, "invalid handle"),
    (10, "invalid profile"),
    (17, "missing argument"),
    (25, "device unsupported"),
    (26, "no effect"),
    (46, "general error"),
    (47, "unknown error"),
    (48, "invalid argument"),
    (49, "invalid index"),
    (50, "no entry"),
    (51, "device storage full"),
    (52, "device not ready"),
    (60, "invalid transition"),
    (70, "invalid operation"),
    (71, "invalid QMI command"),
    (74, "information unavailable"),
    (81, "extended internal error"),
    (82, "access denied"),
    (83, "hardware restricted"),
    (90, "incompatible state"),
    (94, "not supported"),
    (388, "firmware file error"),
];

#[test]
fn errors_have_the_names_of_the_specification() {
    for (code, name) in ERRORS {
        assert_eq!(QmiError::from(code).to_string(), format!("{name} ({code})"));
    }
    let named: Vec<u16> = QmiError::KNOWN.iter().map(|error| error.code()).collect();
    let in_table = ERRORS.iter().map(|(code, _)| *code);
    assert_eq!(named, in_table.filter(|code| *code < 388).collect::<Vec<u16>>());
    for code in 388..=402 {
        assert!(QmiError::from(code).is_about_a_firmware_file(), "{code}");
    }
    for code in [387, 403] {
        assert!(!QmiError::from(code).is_about_a_firmware_file(), "{code}");
    }
}

#[test]
fn errors_have_their_number_and_the_meaning_for_the_tool() {
    assert_eq!(QmiError::NotReady.to_string(), "device not ready (52)");
    assert_eq!(QmiError::from(390).to_string(), "firmware file error (390)");
    assert_eq!(QmiError::from(999).to_string(), "QMI error (999)");
    for error in QmiError::KNOWN {
        assert_eq!(QmiError::from(error.code()), *error);
        assert_eq!(error.is_absent(), [17, 25, 71, 94].contains(&error.code()));
        assert_eq!(error.is_not_ready(), error.code() == 52);
    }
}

#[test]
fn words_for_people_name_what_is_known_and_number_what_is_not() {
    assert_eq!(OperatingMode::LowPower.to_string(), "low power");
    assert_eq!(OperatingMode::from(9).to_string(), "operating mode 9");
    let both = OfflineReason(OfflineReason::PRI_VERSION_INCOMPATIBLE.0 | 0x100);
    assert_eq!(both.to_string(), "PRI version incompatible, reason 0x100");
    assert!(both.contains(OfflineReason::PRI_VERSION_INCOMPATIBLE));
    assert!(!both.contains(OfflineReason::MEMORY_FULL));
    assert_eq!(UsbComposition(8).to_string(), "8 (DM+NMEA+AT+MBIM)");
    assert_eq!(
        UsbComposition(14).to_string(),
        "14 (DM+NMEA+AT+QMI, with an MBIM host MBIM)"
    );
    assert_eq!(
        pri_image().to_string(),
        "PRI image 02.33.03.00_GENERIC (002.072_000)"
    );
}

#[test]
fn a_missing_field_is_named() {
    let granted = Tlvs::new().with(0x02, [0; 4]);
    assert_eq!(
        dms::Response::parse(0x0023, &granted),
        Err(ParseError::Missing { field: "revision" })
    );
    assert_eq!(
        dms::Response::parse(0x0023, &Tlvs::new()),
        Err(ParseError::Missing { field: "result" })
    );
    assert_eq!(
        dms::Request::parse(0x002E, &Tlvs::new()),
        Err(ParseError::Missing {
            field: "operating mode"
        })
    );
}

#[test]
fn unknown_fields_are_kept_and_the_first_of_two_counts() {
    let bytes = hex("01 01 00 03 42 02 00 AA BB 01 01 00 04");
    let tlvs = Tlvs::parse(&bytes).unwrap();
    assert_eq!(tlvs.get(0x01), Some(&[3][..]));
    assert_eq!(tlvs.get(0x42), Some(&[0xAA, 0xBB][..]));
    assert_eq!(tlvs.iter().count(), 3);
    assert_eq!(tlvs.to_bytes(), bytes);
}
