//! Images that the vendor's own tools made (`data/cwe/README.md`).

use modemflash_firmware_image::{CrcVerdict, Family, Finding, Inspector, Report, cwe::CrcIndicator};

const LS: &[u8] = include_bytes!("../data/cwe/ls.cwe");
const CP_UBI: &[u8] = include_bytes!("../data/cwe/cp_ubi.cwe");
const CP2LS: &[u8] = include_bytes!("../data/cwe/cp2ls.cwe");
const KEYSTORE: &[u8] = include_bytes!("../data/cwe/keystore.cwe");

fn inspect(name: &str, bytes: &[u8]) -> Report {
    let mut inspector = Inspector::new(name, bytes.len() as u64);
    for piece in bytes.chunks(777) {
        inspector.push(piece).unwrap();
    }
    let report = inspector.finish().unwrap();
    assert_eq!(report.summed_bytes, bytes.len() as u64);
    report
}

/// Path, type, product, version, date, start, end and checksum of an image.
type Row = (String, String, String, String, String, u64, u64, u32);

/// A row for every image; every checksum is right.
fn tree(report: &Report) -> Vec<Row> {
    let rows = report.images.iter().enumerate().map(|(place, image)| {
        let header = &image.header;
        assert_eq!(image.verdict(), CrcVerdict::Right);
        assert_eq!(header.crc_indicator, CrcIndicator::Unset);
        assert_eq!(header.revision, 3);
        assert_eq!(image.uncovered, 0);
        (
            report.path(place),
            header.image_type.to_string(),
            header.product.to_string(),
            header.version.to_string(),
            header.date.to_string(),
            image.start,
            image.end,
            image.computed_crc,
        )
    });
    rows.collect()
}

#[test]
fn an_application_holds_its_kernel_image() {
    let report = inspect("ls.cwe", LS);
    let version = "Wed Sep 19 15:42:13 UTC 2018";
    let row = |path: &str, kind: &str, product: &str, start, crc| {
        let (version, date) = (version.to_string(), "09/19/18".to_string());
        (
            path.to_string(),
            kind.to_string(),
            product.to_string(),
            version,
            date,
            start,
            119_080,
            crc,
        )
    };
    assert_eq!(
        tree(&report),
        [
            row("0", "APPL", "Y921", 0, 0x3C42_50B3),
            row("0.0", "APPS", "9X28", 400, 0x33F1_ADCD)
        ]
    );
    // devices.md: Y921 is the 9x07's and the 9x06's.
    assert_eq!(report.families, [Family::Swi9x07, Family::Swi9x06]);
    assert_eq!(report.findings, []);
}

#[test]
fn an_application_holds_its_user_image_whose_body_of_ff_is_not_taken_for_a_header() {
    let report = inspect("cp_ubi.cwe", CP_UBI);
    let rows = tree(&report);
    assert_eq!(rows.len(), 2);
    assert_eq!(
        (rows[0].1.as_str(), rows[0].3.as_str(), rows[0].7),
        ("APPL", "1.0", 0x35BA_D40C)
    );
    assert_eq!(
        (rows[1].1.as_str(), rows[1].3.as_str(), rows[1].7),
        ("USER", "CP.UBI", 0xC1CC_4CFB)
    );
    assert_eq!((rows[1].5, rows[1].6), (400, 164_640));
}

#[test]
fn headers_inside_meta_are_not_images_of_the_file_and_the_rest_of_a_delta_is_checked() {
    let report = inspect("cp2ls.cwe", CP2LS);
    let rows = tree(&report);
    let short: Vec<_> = rows
        .iter()
        .map(|row| (row.0.as_str(), row.1.as_str(), row.5, row.6, row.7))
        .collect();
    assert_eq!(
        short,
        [
            ("0", "SPKG", 0, 44_924, 0x59CF_ABEC),
            ("0.0", "META", 400, 1_600, 0x53E2_8BAF),
            ("0.1", "APPS", 1_600, 44_924, 0x4F9B_77FC),
        ]
    );
    assert!(report.images[0].header.options.is_delta());
    assert!(!report.images[1].header.options.is_delta());
    assert!(report.images[2].header.options.is_delta());
    assert_eq!(
        report.findings,
        [
            Finding::Delta { image: "0".into() },
            Finding::Delta { image: "0.1".into() }
        ]
    );
}

#[test]
fn a_key_store_has_forty_bytes_and_no_children() {
    let report = inspect("keystore.cwe", KEYSTORE);
    let rows = tree(&report);
    assert_eq!(rows.len(), 1);
    assert_eq!(
        (rows[0].1.as_str(), rows[0].3.as_str(), rows[0].6, rows[0].7),
        ("KEYS", "KEYS V0", 440, 0x1613_C24E)
    );
    // images.md §4: the product code 9X28 is used by two families.
    assert_eq!(report.families, [Family::Swi9x07, Family::Swi9x06]);
}

#[test]
fn every_damaged_byte_of_a_real_body_is_seen() {
    for (bytes, name) in [(KEYSTORE, "keystore.cwe"), (CP2LS, "cp2ls.cwe")] {
        let step = if bytes.len() > 1000 { 501 } else { 1 };
        for place in (400..bytes.len()).step_by(step) {
            let mut damaged = bytes.to_vec();
            damaged[place] ^= 0x10;
            let report = inspect(name, &damaged);
            let is_seen = report
                .findings
                .iter()
                .any(|finding| matches!(finding, Finding::BodySuspicious { .. }));
            assert!(is_seen, "{name}: byte {place}");
        }
    }
}
