//! The numbered vectors of cwe.md §8, made by the generator and read by the inspector.

use modemflash_firmware_image::{
    CrcVerdict, DownloadProtocol, FileKind, Finding, Foreign, GobiType, Header, HeaderField, ImageError,
    Inspector, Report, Severity, Trailer, VersionSource,
    generate::{Generated, models},
    nvup::{NvChange, NvValue},
};
use sha2::{Digest, Sha256};

fn inspect(name: &str, bytes: &[u8]) -> Result<Report, ImageError> {
    let mut inspector = Inspector::new(name, bytes.len() as u64);
    let _ = inspector.push(bytes);
    inspector.finish()
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn unhex(text: &str) -> Vec<u8> {
    text.split_whitespace()
        .map(|byte| u8::from_str_radix(byte, 16).unwrap())
        .collect()
}

fn wrong_file(vector: u8) -> Vec<u8> {
    let files = models::wrong_files().unwrap();
    files
        .into_iter()
        .find(|file| file.vector == vector)
        .unwrap()
        .bytes
}

/// cwe.md vector 2: the settings of a public maker's file, as far as the specification prints them.
fn real_settings() -> Vec<u8> {
    let body = unhex(include_str!("../data/nvup_disable_b5.hex"));
    assert_eq!(body.len(), 202);
    body
}

fn around_real_settings() -> Vec<u8> {
    let mut header = [0u8; 400];
    header[256..260].copy_from_slice(&0xF269_7AA7_u32.to_be_bytes());
    header[260..264].copy_from_slice(&3u32.to_be_bytes());
    header[264..276].copy_from_slice(b"GOODNVUP9x30");
    header[276..280].copy_from_slice(&202u32.to_be_bytes());
    header[280..284].copy_from_slice(&0x2C89_290D_u32.to_be_bytes());
    let version = b"9999999_9901234_SWI9X30C_02.05.03.00_00_DisableB5_1_000";
    header[284..284 + version.len()].copy_from_slice(version);
    header[368..376].copy_from_slice(b"12/08/15");
    header[376..380].copy_from_slice(&1u32.to_be_bytes());
    header[396..400].copy_from_slice(b"Pars");
    [header.as_slice(), &real_settings()].concat()
}

#[test]
fn vector_2_real_settings_are_read_to_the_end_and_change_the_carrier() {
    let report = inspect("x.nvu", &around_real_settings()).unwrap();
    let root = report.root().unwrap();
    assert_eq!(root.verdict(), CrcVerdict::Right);
    assert_eq!(root.header.encode(), around_real_settings()[..400]);
    let settings = report.settings.unwrap();
    assert_eq!(
        (settings.items_declared, settings.items_read, settings.items_named),
        (3, 3, 3)
    );
    assert_eq!(settings.changes, [NvChange::Carrier { id: 5 }]);
    let firmware = report.versions.firmware.unwrap();
    assert_eq!(
        (firmware.text.as_str(), firmware.source),
        ("02.05.03.00", VersionSource::RootHeader)
    );
    assert!(
        !report
            .findings
            .iter()
            .any(|finding| matches!(finding, Finding::SettingsNotRead { .. }))
    );
}

#[test]
fn vector_3_the_mini_image_is_the_published_one_byte_for_byte() {
    let mini = models::mini().build("mini.cwe").unwrap().to_vec();
    assert_eq!(
        sha256(&mini),
        "2ce391dc57747678e91d4a28b3405c7b8f1b104e41afafe7d6a05765276d31ec"
    );
    let report = inspect("mini.cwe", &mini).unwrap();
    let root = report.root().unwrap();
    assert_eq!(
        (mini.len(), report.images.len(), root.computed_crc),
        (416, 1, 0x3131_1D77)
    );
    assert_eq!(report.versions.firmware.unwrap().text, "02.33.03.00");
    assert_eq!(report.versions.config.unwrap().text, "002.072_000");
    assert_eq!(report.versions.carrier.unwrap().text, "GENERIC");
    assert_eq!(report.findings, []);
}

#[test]
fn vector_4_the_package_is_the_published_one_with_its_tree() {
    let package = models::package().build("package.cwe").unwrap().to_vec();
    assert_eq!(
        sha256(&package),
        "0aa092ce34b21379306d45427e3d54f2185b81e432a81f02cf1472c05d583f01"
    );
    let report = inspect("package.cwe", &package).unwrap();
    let tree: Vec<_> = report
        .images
        .iter()
        .enumerate()
        .map(|(place, image)| {
            let header = &image.header;
            let kind = header.image_type.to_string();
            (
                report.path(place),
                kind,
                image.parent,
                image.depth,
                header.body_size,
                image.computed_crc,
            )
        })
        .collect();
    let row = |path: &str, kind: &str, parent, depth, size, crc| {
        (path.to_string(), kind.to_string(), parent, depth, size, crc)
    };
    assert_eq!(
        tree,
        [
            row("0", "SPKG", None, 1, 1218, 0x6D1E_E9F4),
            row("0.0", "BOOT", Some(0), 2, 408, 0xDFB9_72BD),
            row("0.0.0", "SBL1", Some(1), 3, 8, 0x9723_49E3),
            row("0.1", "APPL", Some(0), 2, 10, 0x597B_3839),
        ]
    );
    assert_eq!(
        report.versions.firmware.as_ref().unwrap().source,
        VersionSource::RootHeader
    );
    assert_eq!(
        (report.versions.config.as_ref(), report.versions.carrier.as_ref()),
        (None, None)
    );
    let named = inspect("SWI9X30C_02.33.03.00_GENERIC_002.072_000.cwe", &package).unwrap();
    let carrier = named.versions.carrier.unwrap();
    assert_eq!(
        (carrier.text.as_str(), carrier.source),
        ("GENERIC", VersionSource::FileName)
    );
}

#[test]
fn vector_5_a_missing_byte_is_counted() {
    let error = inspect("mini.cwe", &wrong_file(5)).unwrap_err();
    assert_eq!(
        error,
        ImageError::Truncated {
            expected: 16,
            got: 15,
            missing: 1
        }
    );
    assert_eq!(
        error.to_string(),
        "the file is cut short: 15 data bytes, the header says 16 (1 missing); is the download complete?"
    );
}

#[test]
fn vector_6_a_surplus_byte_is_counted() {
    let error = inspect("mini.cwe", &wrong_file(6)).unwrap_err();
    assert_eq!(
        error,
        ImageError::Surplus {
            surplus: 1,
            end: 416,
            size: 417
        }
    );
}

#[test]
fn vector_7_a_damaged_body_is_a_strong_warning_or_with_good_an_error() {
    let mut bytes = wrong_file(7);
    let report = inspect("mini.cwe", &bytes).unwrap();
    assert_eq!(report.root().unwrap().verdict(), CrcVerdict::WrongUndeclared);
    assert_eq!(report.worst(), Some(Severity::StrongWarning));
    bytes[264..268].copy_from_slice(b"GOOD");
    let report = inspect("mini.cwe", &bytes).unwrap();
    assert_eq!(report.root().unwrap().verdict(), CrcVerdict::Wrong);
    assert_eq!(report.worst(), Some(Severity::Error));
    assert!(matches!(
        report.findings[0],
        Finding::BodyDamaged {
            offset: 0,
            expected: 0x3131_1D77,
            ..
        }
    ));
}

#[test]
fn vector_8_an_image_without_a_body_is_refused() {
    assert_eq!(
        inspect("mini.cwe", &wrong_file(8)).unwrap_err(),
        ImageError::NoBody
    );
}

#[test]
fn vector_9_a_type_that_is_no_text_is_refused() {
    let expected = ImageError::NotAnImage {
        field: HeaderField::Type,
        offset: 268,
    };
    assert_eq!(inspect("mini.cwe", &wrong_file(9)).unwrap_err(), expected);
}

#[test]
fn vector_10_a_child_larger_than_its_parent_is_data() {
    let report = inspect("package.cwe", &wrong_file(10)).unwrap();
    assert_eq!(report.images.len(), 1);
    assert_eq!(report.root().unwrap().verdict(), CrcVerdict::Right);
    assert_eq!(report.findings, []);
}

#[test]
fn vector_11_an_incomplete_header_is_refused() {
    assert_eq!(
        inspect("mini.cwe", &wrong_file(11)).unwrap_err(),
        ImageError::HeaderIncomplete { size: 399 }
    );
    assert_eq!(inspect("mini.cwe", &[]).unwrap_err(), ImageError::EmptyFile);
}

#[test]
fn a_trailer_in_either_order_is_accepted_and_other_surplus_of_four_bytes_is_not() {
    let mini = models::mini().build("mini.cwe").unwrap();
    for (bytes, trailer) in [
        ([0x77, 0x73, 0x57, 0x53], Trailer::Forward),
        ([0x53, 0x57, 0x73, 0x77], Trailer::Backward),
    ] {
        let report = inspect("mini.cwe", &mini.clone().followed_by(&bytes).to_vec()).unwrap();
        assert_eq!(report.trailer, Some(trailer));
        assert_eq!(report.findings, [Finding::TrailerFound]);
    }
    let error = inspect("mini.cwe", &mini.followed_by(&[0; 4]).to_vec()).unwrap_err();
    assert_eq!(
        error,
        ImageError::Surplus {
            surplus: 4,
            end: 416,
            size: 420
        }
    );
}

#[test]
fn foreign_files_are_named() {
    let file = |begin: &[u8]| {
        let mut bytes = begin.to_vec();
        bytes.resize(2000, b' ');
        inspect("fw.cwe", &bytes).unwrap_err()
    };
    assert_eq!(
        file(b"PK\x03\x04"),
        ImageError::Foreign {
            foreign: Foreign::Zip
        }
    );
    assert_eq!(
        file(b"MZ\x90\0"),
        ImageError::Foreign {
            foreign: Foreign::WindowsProgram
        }
    );
    assert_eq!(
        file(b"<!DOCTYPE html>"),
        ImageError::Foreign {
            foreign: Foreign::WebPage
        }
    );
    assert_eq!(
        inspect("fw.cwe", b"<html>").unwrap_err(),
        ImageError::Foreign {
            foreign: Foreign::WebPage
        }
    );
    assert!(matches!(file(b"just some text"), ImageError::NotAHeader { .. }));
}

#[test]
fn a_file_that_ends_early_or_grows_is_refused() {
    let mini = models::mini().build("mini.cwe").unwrap().to_vec();
    let mut inspector = Inspector::new("mini.cwe", 416);
    inspector.push(&mini[..410]).unwrap();
    assert_eq!(
        inspector.finish().unwrap_err(),
        ImageError::EndedEarly { size: 416, got: 410 }
    );
    let mut inspector = Inspector::new("mini.cwe", 416);
    inspector.push(&mini).unwrap();
    assert_eq!(inspector.push(&[0]).unwrap_err(), ImageError::Grew { size: 416 });
    assert_eq!(inspector.finish().unwrap_err(), ImageError::Grew { size: 416 });
}

#[test]
fn gobi_files_are_recognised_by_name_and_sized_without_their_tail() {
    let amss = Generated::gobi(GobiType::Amss, 1, 100_000);
    let report = inspect("6/AMSS.MBN", &amss.to_vec()).unwrap();
    assert_eq!(report.kind, FileKind::Gobi(GobiType::Amss));
    assert_eq!((report.size, report.data_size()), (100_000, 99_992));
    assert_eq!(report.findings, [Finding::Uncheckable]);
    assert_eq!(
        report.families[0].download_protocol(),
        Some(DownloadProtocol::Qdl)
    );
    let page = b"<!DOCTYPE html><html>please log in</html>";
    assert_eq!(
        inspect("amss.mbn", page).unwrap_err(),
        ImageError::Foreign {
            foreign: Foreign::WebPage
        }
    );
    let error = inspect("amss.mbn", &[0; 8]).unwrap_err();
    assert_eq!(
        error,
        ImageError::TooSmall {
            name: "amss.mbn".into(),
            size: 8,
            limit: 8
        }
    );
}

#[test]
fn settings_that_move_the_ports_are_a_strong_warning_with_decoded_values() {
    let release = models::Release {
        family: modemflash_firmware_image::Family::Swi9x30,
        firmware: "02.05.07.00",
        config: "001.003_000",
        carrier: "Lenovo-Laptop",
        seed: 1,
    };
    let file = release
        .settings(models::MAKER_ITEMS)
        .build(release.settings_name())
        .unwrap();
    let report = inspect(file.name(), &file.to_vec()).unwrap();
    let types: Vec<_> = report
        .images
        .iter()
        .map(|image| image.header.image_type.to_string())
        .collect();
    assert_eq!(types, ["SPKG", "FILE", "FILE", "NVUP"]);
    assert_eq!(
        report.settings.as_ref().unwrap().changes,
        [
            NvChange::UsbComposition {
                index: 1,
                interfaces: 0x100D
            },
            NvChange::Sku {
                value: NvValue::Text("1102662".into())
            },
            NvChange::Pri {
                name: "NVPRIID".into(),
                value: NvValue::Text("9905046".into())
            },
        ]
    );
    assert_eq!(report.worst(), Some(Severity::StrongWarning));
    assert_eq!(
        report.findings[0].to_string(),
        "the settings change the USB composition (configuration 1, interfaces 100D): \
         the modem may come back with other ports"
    );
}

#[test]
fn ids_in_settings_are_read_as_numbers_and_names_cannot_reach_the_terminal() {
    let release = models::Release {
        family: modemflash_firmware_image::Family::Swi9x30,
        firmware: "02.05.07.00",
        config: "001.003_000",
        carrier: "GENERIC",
        seed: 1,
    };
    let items: &[(&str, &[u8])] = &[("USB_PID", &[0xB1, 0x90]), ("PRI_\x1b[2J", b"0207")];
    let file = release.settings(items).build("x.nvu").unwrap();
    let report = inspect(file.name(), &file.to_vec()).unwrap();
    let said: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
    assert!(said[0].contains("USB_PID = 90b1"), "{said:?}");
    assert_eq!(said[1], "the settings set PRI_\u{fffd}[2J to 0207");
}

#[test]
fn settings_of_another_layout_are_said_to_be_unread() {
    let mut bytes = around_real_settings();
    bytes[400 + 10 + 32] = 7; // the second item's length: shorter than its own head
    let report = inspect("x.nvu", &bytes).unwrap();
    let unread = report
        .findings
        .iter()
        .find(|finding| matches!(finding, Finding::SettingsNotRead { .. }));
    assert_eq!(
        unread,
        Some(&Finding::SettingsNotRead {
            offset: 442,
            items: 1
        })
    );
}

#[test]
fn a_header_that_was_read_is_written_the_same() {
    for bytes in [
        models::mini().build("a").unwrap().to_vec(),
        models::package().build("b").unwrap().to_vec(),
    ] {
        let header = Header::parse(&bytes).unwrap();
        assert_eq!(header.encode(), bytes[..400]);
        assert!(header.product_buffer_is_sound());
    }
}
