//! QMI messages of both sides against the numbered vectors of qmi.md and captured bytes.

use crate::common::{self, hex};
use modemflash_modem_protocol::ParseError;
use modemflash_modem_protocol::qmi::dms::{
    BootImageDownloadMode, BootVersion, CurrentFirmware, FirmwarePreference, Ids, ImageReference, ImageType,
    OfflineReason, OperatingMode, OperatingState, PriVersion, StoredImage, StoredImageInfo, StoredImageList,
    StoredImages, SwiStoredImages, UniqueId, UnsendablePreference, UpdateResult, UpdateStatus,
    UsbComposition,
};
use modemflash_modem_protocol::qmi::{Frame, Framer, Kind, QmiError, Service, Tlvs, ctl, dms};
use proptest::prelude::*;

/// The bytes of a vector of qmi.md, by its number and its place in the line.
fn vector(name: &str) -> Vec<u8> {
    let line = include_str!("../vectors/qmi.txt")
        .lines()
        .find(|line| line.split(' ').next() == Some(name))
        .unwrap_or_else(|| panic!("no vector {name}"));
    hex(line.split_once(' ').unwrap().1)
}

fn pri_image() -> ImageReference {
    ImageReference {
        image_type: ImageType::Pri,
        unique_id: UniqueId::from_text("002.072_000").unwrap(),
        build_id: "02.33.03.00_GENERIC".into(),
    }
}

fn preference() -> FirmwarePreference {
    FirmwarePreference::new("02.33.03.00", "002.072_000", "GENERIC").unwrap()
}

fn stored(slot: Option<u8>, failures: Option<u8>, unique_id: &str, build_id: &str) -> StoredImage {
    StoredImage {
        storage_index: slot,
        failure_count: failures,
        unique_id: UniqueId::from_text(unique_id).unwrap(),
        build_id: build_id.into(),
    }
}

fn dms_requests() -> Vec<(&'static str, u16, dms::Request)> {
    use dms::Request as R;
    vec![
        ("7a", 1, R::GetRevision),
        ("8a", 2, R::GetModel),
        ("9a", 3, R::GetManufacturer),
        ("10a", 4, R::GetIds),
        ("11a", 5, R::GetOperatingMode),
        ("12a", 6, R::SetOperatingMode(OperatingMode::Offline)),
        ("13a", 7, R::SetOperatingMode(OperatingMode::Reset)),
        ("14a", 8, R::SetFirmwareId),
        (
            "15a",
            9,
            R::SetBootImageDownloadMode(BootImageDownloadMode::BootAndRecovery),
        ),
        ("16a", 10, R::GetBootImageDownloadMode),
        ("17a", 11, R::SwiGetUsbComposition),
        ("18a", 12, R::SwiSetUsbComposition(UsbComposition(6))),
        (
            "19a",
            13,
            R::SetFirmwarePreference {
                preference: preference(),
                download_override: false,
                storage_index: None,
            },
        ),
        ("21a", 14, R::GetFirmwarePreference),
        ("22a", 15, R::ListStoredImages),
        ("23a", 16, R::DeleteStoredImage(pri_image())),
        ("24a", 17, R::GetStoredImageInfo(pri_image())),
        ("25a", 18, R::SwiGetCurrentFirmware),
        ("26a", 19, R::SwiGetStoredImages),
    ]
}

fn dms_responses() -> Vec<(&'static str, u16, dms::Response)> {
    use dms::Response as R;
    let lists = |running, modem, pri| {
        StoredImages(vec![
            StoredImageList {
                image_type: ImageType::Modem,
                maximum: 4,
                running,
                images: vec![modem],
            },
            StoredImageList {
                image_type: ImageType::Pri,
                maximum: 50,
                running,
                images: vec![pri],
            },
        ])
    };
    let text = |text: &str| Some(text.to_owned());
    vec![
        (
            "7b",
            1,
            R::Revision("SWI9X30C_02.33.03.00 r8209 CARMD-EV-FRMWR2 2019/08/28 20:59:30".into()),
        ),
        ("8b", 2, R::Model("MC7455".into())),
        ("9b", 3, R::Manufacturer("Sierra Wireless, Incorporated".into())),
        (
            "10b",
            4,
            R::Ids(Ids {
                esn: text("0"),
                imei: text("012345678901234"),
                meid: text("01234567890123"),
                imei_software_version: text("20"),
            }),
        ),
        (
            "11b",
            5,
            R::OperatingMode(OperatingState {
                mode: OperatingMode::Offline,
                offline_reason: Some(OfflineReason::PRI_VERSION_INCOMPATIBLE),
                is_hardware_restricted: Some(false),
            }),
        ),
        ("12b", 6, R::OperatingModeSet),
        ("13b", 7, R::OperatingModeSet),
        ("14b", 8, R::FirmwareIdSet),
        ("15b", 9, R::BootImageDownloadModeSet),
        (
            "16b",
            10,
            R::BootImageDownloadMode(Some(BootImageDownloadMode::Normal)),
        ),
        (
            "17b",
            11,
            R::SwiUsbComposition {
                current: Some(UsbComposition(8)),
                supported: Some([6, 8, 9].map(UsbComposition).to_vec()),
            },
        ),
        ("18b", 12, R::SwiUsbCompositionSet),
        ("20a", 13, R::FirmwarePreferenceSet(Some(vec![]))),
        (
            "20b",
            13,
            R::FirmwarePreferenceSet(Some(vec![ImageType::Modem, ImageType::Pri])),
        ),
        ("20c", 13, R::FirmwarePreferenceSet(Some(vec![ImageType::Pri]))),
        ("21b", 14, R::FirmwarePreference(preference())),
        (
            "22b",
            15,
            R::StoredImages(lists(
                Some(0),
                stored(Some(1), Some(0), "?_?", "02.33.03.00_?"),
                stored(None, Some(0), "002.072_000", "02.33.03.00_GENERIC"),
            )),
        ),
        (
            "24b",
            17,
            R::StoredImageInfo(StoredImageInfo {
                boot_version: Some(BootVersion { major: 2, minor: 33 }),
                pri_version: Some(PriVersion {
                    number: 2,
                    text: "002.072".into(),
                }),
                oem_lock: Some(0),
            }),
        ),
        (
            "25b",
            18,
            R::SwiCurrentFirmware(CurrentFirmware {
                model: text("MC7455"),
                boot_version: text("SWI9X30C_02.33.03.00"),
                amss_version: text("SWI9X30C_02.33.03.00"),
                sku_id: text("1102476"),
                package_id: text("unknown"),
                carrier_id: text("1"),
                pri_version: text("002.072"),
                carrier: text("GENERIC"),
                config_version: text("002.072_000"),
            }),
        ),
        (
            "26b",
            19,
            R::SwiStoredImages(SwiStoredImages::Read {
                images: lists(
                    None,
                    stored(Some(1), Some(0), "?_?", "01.00.02.00_?"),
                    stored(None, None, "001.012_000", "01.00.02.00_GENERIC"),
                ),
                states: vec![[3, 1, 0, 0], [3, 0, 0, 0]],
            }),
        ),
    ]
}

#[test]
fn vectors_1_and_2_are_refusals_with_their_error() {
    for (name, message, transaction, error) in [
        ("1a", 0x48, 13, QmiError::NotSupported),
        ("2a", 0x3E, 8, QmiError::InvalidCommand),
    ] {
        let frame = Frame::parse(&vector(name)).unwrap();
        assert_eq!(
            (
                frame.service,
                frame.client,
                frame.kind,
                frame.transaction,
                frame.message
            ),
            (Service::Dms, 5, Kind::Response, transaction, message)
        );
        assert_eq!(dms::Response::parse(message, &frame.tlvs), Ok(Err(error)));
        assert_eq!(
            dms::refusal(message, 5, transaction, error).encode(),
            vector(name)
        );
        assert!(error.is_absent());
    }
}

#[test]
fn vectors_3_to_6_and_28_of_the_control_service_are_read_and_written_byte_for_byte() {
    use ctl::{Request, Response, ServiceVersion};
    let dms = Service::Dms;
    let requests = [
        ("3a", 1, Request::Sync),
        ("4a", 2, Request::VersionInfo),
        ("5a", 3, Request::Allocate { service: dms }),
        (
            "6a",
            4,
            Request::Release {
                service: dms,
                client: 5,
            },
        ),
        (
            "28a",
            1,
            Request::ProxyOpen {
                device: "/dev/cdc-wdm0".into(),
            },
        ),
    ];
    for (name, transaction, request) in requests {
        let frame = Frame::parse(&vector(name)).unwrap();
        assert_eq!(frame, request.to_frame(transaction), "{name}");
        assert_eq!(
            ctl::Request::parse(frame.message, &frame.tlvs),
            Ok(request),
            "{name}"
        );
        assert_eq!(frame.encode(), vector(name), "{name}");
    }
    let version = |service, major, minor| ServiceVersion {
        service,
        major,
        minor,
    };
    let responses = [
        ("3b", 1, Response::Synced),
        (
            "4b",
            2,
            Response::VersionInfo(vec![
                version(Service::Ctl, 1, 5),
                version(Service::Wds, 1, 67),
                version(dms, 1, 14),
            ]),
        ),
        (
            "5b",
            3,
            Response::Allocated {
                service: dms,
                client: 5,
            },
        ),
        (
            "6b",
            4,
            Response::Released {
                service: dms,
                client: 5,
            },
        ),
        ("28b", 1, Response::ProxyOpened),
    ];
    for (name, transaction, response) in responses {
        let frame = Frame::parse(&vector(name)).unwrap();
        assert_eq!(frame, response.to_frame(transaction), "{name}");
        assert_eq!(
            ctl::Response::parse(frame.message, &frame.tlvs),
            Ok(Ok(response)),
            "{name}"
        );
        assert_eq!(frame.encode(), vector(name), "{name}");
    }
    let exhausted = Frame::parse(&vector("5c")).unwrap();
    assert_eq!(
        ctl::Response::parse(exhausted.message, &exhausted.tlvs),
        Ok(Err(QmiError::ClientIdsExhausted))
    );
    assert_eq!(
        ctl::refusal(0x22, 3, QmiError::ClientIdsExhausted).encode(),
        vector("5c")
    );
    let sync = Frame::parse(&vector("3c")).unwrap();
    assert_eq!(sync.kind, Kind::Indication);
    assert_eq!(ctl::Indication::from_message(sync.message), ctl::Indication::Sync);
    assert_eq!(ctl::Indication::Sync.to_frame().encode(), vector("3c"));
}

#[test]
fn vectors_7_to_26_of_requests_are_read_and_written_byte_for_byte() {
    for (name, transaction, request) in dms_requests() {
        let frame = Frame::parse(&vector(name)).unwrap();
        assert_eq!(frame, request.to_frame(5, transaction), "{name}");
        assert_eq!(frame.encode(), vector(name), "{name}");
        assert_eq!(
            dms::Request::parse(frame.message, &frame.tlvs),
            Ok(request),
            "{name}"
        );
    }
}

#[test]
fn vectors_7_to_26_of_responses_are_read_and_written_byte_for_byte() {
    for (name, transaction, response) in dms_responses() {
        let frame = Frame::parse(&vector(name)).unwrap();
        assert_eq!(frame, response.to_frame(5, transaction), "{name}");
        assert_eq!(frame.encode(), vector(name), "{name}");
        assert_eq!(
            dms::Response::parse(frame.message, &frame.tlvs),
            Ok(Ok(response)),
            "{name}"
        );
    }
}

#[test]
fn vector_19_with_override_and_storage_index_has_both_lengths_8_larger() {
    let request = dms::Request::SetFirmwarePreference {
        preference: preference(),
        download_override: true,
        storage_index: Some(2),
    };
    let mut expected = vector("19a");
    expected[1] += 8;
    expected[11] += 8;
    expected.extend(vector("19b"));
    let frame = request.to_frame(5, 13);
    assert_eq!(frame.encode(), expected);
    assert_eq!(dms::Request::parse(0x48, &frame.tlvs), Ok(request));
}

#[test]
fn vector_27_two_frames_in_one_read_are_two_and_a_cut_one_waits() {
    let mut framer = Framer::default();
    framer.push(&[vector("12b"), vector("13b")].concat());
    let transactions: Vec<u16> =
        std::iter::from_fn(|| framer.next_frame().map(|frame| frame.unwrap().transaction)).collect();
    assert_eq!(transactions, [6, 7]);
    let list = vector("22b");
    framer.push(&list[..10]);
    assert_eq!(framer.next_frame(), None);
    framer.push(&list[10..]);
    assert_eq!(framer.next_frame(), Some(Frame::parse(&list)));
}

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

#[test]
fn every_check_of_a_frame_names_what_is_wrong() {
    let field = |bytes: &[u8]| match Frame::parse(bytes) {
        Err(ParseError::Value { field, .. } | ParseError::Truncated { field, .. }) => field,
        other => panic!("{other:?}"),
    };
    for (at, value, name) in [
        (0, 2, "marker"),
        (1, 0x14, "frame length"),
        (3, 1, "frame flags"),
        (6, 1, "message flags"),
        (6, 0, "frame flags"),
        (11, 8, "length of the fields"),
        (14, 5, "TLV value"),
    ] {
        let mut bytes = vector("12b");
        bytes[at] = value;
        assert_eq!(field(&bytes), name, "byte {at}");
    }
}

#[test]
fn rubbish_before_and_between_frames_is_reported_once_and_passed_over() {
    let mut framer = Framer::default();
    let frame = vector("22b");
    // The second stretch begins like a frame; its lengths don't agree.
    framer.push(
        &[
            hex("AA 01 BB"),
            frame.clone(),
            hex("01 0C 00 80 02"),
            frame.clone(),
        ]
        .concat(),
    );
    let results: Vec<_> = std::iter::from_fn(|| framer.next_frame()).collect();
    let frames: Vec<_> = results.iter().flatten().collect();
    assert_eq!(frames, [&Frame::parse(&frame).unwrap(); 2]);
    assert_eq!(results.iter().filter(|result| result.is_err()).count(), 2);
}

#[test]
fn a_frame_whose_fields_are_broken_is_passed_over_as_a_whole() {
    let mut broken = vector("12b");
    broken[14] = 5;
    let mut framer = Framer::default();
    framer.push(&[broken, vector("13b")].concat());
    assert!(framer.next_frame().unwrap().is_err());
    assert_eq!(framer.next_frame().unwrap().unwrap().transaction, 7);
    assert_eq!(framer.next_frame(), None);
}

fn all_vectors() -> Vec<Vec<u8>> {
    include_str!("../vectors/qmi.txt")
        .lines()
        .filter(|line| !line.starts_with('#') && !line.starts_with("19b"))
        .map(|line| hex(line.split_once(' ').unwrap().1))
        .collect()
}

fn any_text() -> impl Strategy<Value = String> {
    "[ -~ä]{0,120}"
}

fn any_image() -> impl Strategy<Value = ImageReference> {
    (any::<u8>(), any::<[u8; 16]>(), any_text()).prop_map(|(image_type, id, build_id)| ImageReference {
        image_type: image_type.into(),
        unique_id: UniqueId(id),
        build_id,
    })
}

fn any_stored_images() -> impl Strategy<Value = StoredImages> {
    let index = || prop::option::of(0..255_u8);
    let image = (index(), index(), any::<[u8; 16]>(), any_text()).prop_map(
        |(storage_index, failure_count, id, build_id)| StoredImage {
            storage_index,
            failure_count,
            unique_id: UniqueId(id),
            build_id,
        },
    );
    let list = (
        any::<u8>(),
        any::<u8>(),
        index(),
        prop::collection::vec(image, 0..5),
    )
        .prop_map(|(image_type, maximum, running, images)| StoredImageList {
            image_type: image_type.into(),
            maximum,
            running,
            images,
        });
    prop::collection::vec(list, 0..4).prop_map(StoredImages)
}

fn any_dms_response() -> impl Strategy<Value = dms::Response> {
    use dms::Response as R;
    let text = || prop::option::of(any_text());
    let images = || prop::collection::vec(any_image(), 0..4).prop_map(FirmwarePreference);
    prop_oneof![
        any_text().prop_map(R::Manufacturer),
        any_text().prop_map(R::Revision),
        (text(), prop::option::of("[0-9]{0,15}"), text(), text()).prop_map(
            |(esn, imei, meid, imei_software_version)| R::Ids(Ids {
                esn,
                imei,
                meid,
                imei_software_version
            })
        ),
        (
            any::<u8>(),
            prop::option::of(any::<u16>()),
            prop::option::of(any::<bool>())
        )
            .prop_map(
                |(mode, reason, is_hardware_restricted)| R::OperatingMode(OperatingState {
                    mode: mode.into(),
                    offline_reason: reason.map(OfflineReason),
                    is_hardware_restricted
                })
            ),
        images().prop_map(R::FirmwarePreference),
        images().prop_map(R::SwiFirmwareCurrent),
        prop::option::of(prop::collection::vec(any::<u8>().prop_map(ImageType::from), 0..9))
            .prop_map(R::FirmwarePreferenceSet),
        any_stored_images().prop_map(R::StoredImages),
        any_stored_images().prop_map(|images| {
            let states = images.iter().map(|_| [1, 2, 3, 4]).collect();
            R::SwiStoredImages(SwiStoredImages::Read { images, states })
        }),
        (
            prop::option::of((any::<u16>(), any::<u16>())),
            prop::option::of((any::<u32>(), "[!-~]{0,32}")),
            prop::option::of(any::<u32>())
        )
            .prop_map(|(boot, pri, oem_lock)| R::StoredImageInfo(StoredImageInfo {
                boot_version: boot.map(|(major, minor)| BootVersion { major, minor }),
                pri_version: pri.map(|(number, text)| PriVersion { number, text }),
                oem_lock,
            })),
        (
            prop::option::of(any::<u8>()),
            prop::option::of(prop::collection::vec(any::<u8>(), 0..30))
        )
            .prop_map(|(current, supported)| R::SwiUsbComposition {
                current: current.map(UsbComposition),
                supported: supported.map(|values| values.into_iter().map(UsbComposition).collect()),
            }),
        (0x6000_u16.., prop::collection::vec(any::<u8>(), 0..40)).prop_map(|(message, value)| R::Other {
            message,
            tlvs: Tlvs::new().with(0x33, value)
        }),
    ]
}

fn any_frame() -> impl Strategy<Value = Frame> {
    (
        any::<u8>(),
        any::<u8>(),
        prop_oneof![Just(Kind::Request), Just(Kind::Response), Just(Kind::Indication)],
        any::<u16>(),
        any::<u16>(),
        prop::collection::vec((any::<u8>(), prop::collection::vec(any::<u8>(), 0..60)), 0..6),
    )
        .prop_map(|(service, client, kind, transaction, message, tlvs)| Frame {
            service: service.into(),
            client,
            kind,
            transaction: if service == 0 {
                transaction & 0xFF
            } else {
                transaction
            },
            message,
            tlvs: tlvs
                .into_iter()
                .fold(Tlvs::new(), |tlvs, (kind, value)| tlvs.with(kind, value)),
        })
}

proptest! {
    #[test]
    fn what_was_written_is_read(frame in any_frame()) {
        prop_assert_eq!(Frame::parse(&frame.encode()), Ok(frame));
    }

    #[test]
    fn responses_come_back_as_they_were_written(response in any_dms_response()) {
        let frame = response.to_frame(1, 1);
        prop_assert_eq!(dms::Response::parse(frame.message, &frame.tlvs), Ok(Ok(response)));
    }

    #[test]
    fn requests_come_back_as_they_were_written(
        images in prop::collection::vec(any_image(), 0..4),
        download_override: bool,
        storage_index: Option<u8>,
    ) {
        let request = dms::Request::SetFirmwarePreference {
            preference: FirmwarePreference(images),
            download_override,
            storage_index,
        };
        let tlvs = request.encode();
        prop_assert_eq!(dms::Request::parse(0x48, &tlvs), Ok(request));
    }

    #[test]
    fn frames_come_out_of_any_split(frames in prop::collection::vec(any_frame(), 1..5), sizes in prop::collection::vec(1..40_usize, 1..8)) {
        let bytes: Vec<u8> = frames.iter().flat_map(Frame::encode).collect();
        let mut framer = Framer::default();
        let mut found = vec![];
        let (mut rest, mut sizes) = (&bytes[..], sizes.into_iter().cycle());
        while !rest.is_empty() {
            let (piece, next) = rest.split_at(sizes.next().unwrap().min(rest.len()));
            framer.push(piece);
            found.extend(std::iter::from_fn(|| framer.next_frame()).map(Result::unwrap));
            rest = next;
        }
        prop_assert_eq!(found, frames);
    }

    #[test]
    fn a_damaged_byte_costs_its_own_frame_at_most(
        vector in prop::sample::select(all_vectors()),
        at: prop::sample::Index,
        flip in 1..=255_u8,
    ) {
        let mut damaged = vector;
        let at = at.index(damaged.len());
        damaged[at] ^= flip;
        if let Ok(frame) = Frame::parse(&damaged) {
            // Whoever reads it gets an answer or an error.
            let _ = ctl::Request::parse(frame.message, &frame.tlvs);
            let _ = ctl::Response::parse(frame.message, &frame.tlvs);
            let _ = dms::Request::parse(frame.message, &frame.tlvs);
            let _ = dms::Response::parse(frame.message, &frame.tlvs);
        }
        let good = common::hex("01 13 00 80 02 05 02 07 00 2E 00 07 00 02 04 00 00 00 00 00");
        let mut framer = Framer::default();
        framer.push(&damaged);
        framer.push(&good);
        // Two more, in case the damaged length swallows the first.
        for _ in 0..LONGEST_DAMAGE {
            framer.push(&good);
        }
        let last = std::iter::from_fn(|| framer.next_frame()).flatten().last();
        prop_assert_eq!(last, Some(Frame::parse(&good).unwrap()));
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes: Vec<u8>, message: u16) {
        let _ = Frame::parse(&bytes);
        if let Ok(tlvs) = Tlvs::parse(&bytes) {
            let _ = dms::Request::parse(message, &tlvs);
            let _ = dms::Response::parse(message, &tlvs);
        }
    }
}

/// A wrong length in front makes the framer wait for the 12 bytes of a header, so three frames are enough.
const LONGEST_DAMAGE: usize = 3;
