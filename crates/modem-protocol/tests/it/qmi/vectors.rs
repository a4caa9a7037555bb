//! The numbered vectors of qmi.md, byte for byte.

use super::{preference, pri_image, stored, vector};
use modemflash_modem_protocol::qmi::dms::{
    BootImageDownloadMode, BootVersion, CurrentFirmware, Ids, ImageType, OfflineReason, OperatingMode,
    OperatingState, PriVersion, StoredImageInfo, StoredImageList, StoredImages, SwiStoredImages,
    UsbComposition,
};
use modemflash_modem_protocol::qmi::{Frame, Framer, Kind, QmiError, Service, ctl, dms};

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
