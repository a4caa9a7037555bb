//! What holds for every image, every split and every damage.
#![allow(clippy::cast_possible_truncation)]

use modemflash_firmware_image::{
    Family, Header, ImageError, Inspector, Report, Severity,
    generate::{
        Body, Plan,
        models::{self, CARRIER_ITEMS, Release},
    },
};
use proptest::prelude::*;

fn inspect(bytes: &[u8], cuts: &[usize]) -> Result<Report, ImageError> {
    let mut inspector = Inspector::new("SWI9X30C_02.33.03.00_GENERIC_002.072_000.spk", bytes.len() as u64);
    let mut rest = bytes;
    for &cut in cuts {
        let (piece, tail) = rest.split_at(cut.min(rest.len()));
        inspector.push(piece)?;
        rest = tail;
    }
    inspector.push(rest)?;
    inspector.finish()
}

/// A package with firmware and settings that crosses some block boundaries.
fn sample() -> Vec<u8> {
    let release = Release {
        family: Family::Swi9x30,
        firmware: "02.33.03.00",
        config: "002.072_000",
        carrier: "GENERIC",
        seed: 5,
    };
    release
        .combined(150_000, CARRIER_ITEMS)
        .build("sample.spk")
        .unwrap()
        .to_vec()
}

fn trees() -> impl Strategy<Value = Plan> {
    let texts = (
        prop_oneof![
            Just("SPKG"),
            Just("BOOT"),
            Just("FILE"),
            Just("ZZZZ"),
            Just("META"),
            Just("NVUP")
        ],
        "[ -~]{0,84}",
    );
    let leaf = (texts.clone(), prop::collection::vec(any::<u8>(), 1..900))
        .prop_map(|((kind, version), bytes)| Plan::new(kind, "9X30", &version, Body::Bytes(bytes)));
    leaf.prop_recursive(6, 40, 5, move |inner| {
        let images = prop::collection::vec(inner, 1..5);
        (texts.clone(), images, prop::collection::vec(any::<u8>(), 0..500)).prop_map(
            |((kind, version), images, rest)| {
                Plan::new(kind, "9X30", &version, Body::ImagesAndRest(images, rest))
            },
        )
    })
}

proptest! {
    #[test]
    fn any_split_gives_the_same_report(cuts in prop::collection::vec(0usize..40_000, 0..40)) {
        let bytes = sample();
        prop_assert_eq!(inspect(&bytes, &cuts), inspect(&bytes, &[]));
    }

    #[test]
    fn any_tree_has_right_checksums_and_each_byte_is_summed_once(
        plan in trees(),
        cuts in prop::collection::vec(0usize..1000, 0..20),
    ) {
        let bytes = plan.build("any.cwe").unwrap().to_vec();
        let report = inspect(&bytes, &cuts).unwrap();
        prop_assert_eq!(report.summed_bytes, bytes.len() as u64);
        for image in &report.images {
            let body = &bytes[image.start as usize + 400..image.end as usize];
            prop_assert_eq!(image.computed_crc, modemflash_firmware_image::crc::checksum(body));
            prop_assert_eq!(image.computed_crc, image.header.body_crc);
        }
        for (place, block) in bytes.chunks(65536).enumerate() {
            prop_assert!(report.fingerprint.matches(place, block));
        }
        prop_assert_eq!(inspect(&bytes, &[]).unwrap(), report);
    }

    #[test]
    fn any_damaged_byte_behind_the_first_header_is_an_error_or_a_warning(
        place in 400usize..150_000, flip in 1u8..,
    ) {
        let mut bytes = sample();
        let place = 400 + place % (bytes.len() - 400);
        bytes[place] ^= flip;
        match inspect(&bytes, &[]) {
            Ok(report) => prop_assert!(report.worst() >= Some(Severity::StrongWarning)),
            Err(error) => prop_assert!(false, "{error}"),
        }
    }

    #[test]
    fn a_damaged_size_buffer_or_checksum_of_the_first_header_is_an_error_or_a_warning(
        place in prop_oneof![0usize..260, 276usize..284], flip in 1u8..,
    ) {
        let mut bytes = sample();
        bytes[place] ^= flip;
        let outcome = inspect(&bytes, &[]);
        prop_assert!(outcome.map_or(true, |report| report.worst() >= Some(Severity::StrongWarning)));
    }

    #[test]
    fn any_bytes_are_refused_or_read_without_a_panic(bytes: Vec<u8>, behind_header: bool) {
        let mut file = bytes.clone();
        if behind_header {
            let body = if bytes.is_empty() { vec![1] } else { bytes };
            file = Plan::new("NVUP", "9x30", "", Body::Bytes(body)).build("x.nvu").unwrap().to_vec();
        }
        let report = inspect(&file, &[7, 300, 100]);
        prop_assert_eq!(report.is_ok(), behind_header);
    }

    #[test]
    fn any_header_that_can_be_read_is_written_the_same(
        fixed in prop::collection::vec(any::<u8>(), 400), version in "[ -~]{84}", date in "[ -~]{0,8}",
    ) {
        let mut bytes = fixed;
        bytes[268..276].copy_from_slice(b"SPKG9X30");
        bytes[284..368].copy_from_slice(version.as_bytes());
        bytes[368..376].fill(0);
        bytes[368..368 + date.len()].copy_from_slice(date.as_bytes());
        bytes[276] |= 1;
        let header = Header::parse(&bytes).unwrap();
        prop_assert_eq!(header.encode().to_vec(), bytes);
    }
}

#[test]
fn the_undamaged_sample_gives_no_warning() {
    let report = inspect(&sample(), &[]).unwrap();
    assert!(report.worst() < Some(Severity::Warning), "{:?}", report.findings);
    assert_eq!(report.size, 150_000);
}

/// An image inside an image, `levels` deep.
fn nested(levels: usize) -> Vec<u8> {
    let mut plan = Plan::new("FILE", "9X30", "", Body::Bytes(b"core".to_vec()));
    for _ in 1..levels {
        plan = Plan::new("FILE", "9X30", "", Body::Images(vec![plan]));
    }
    plan.build("nested.cwe").unwrap().to_vec()
}

#[test]
fn eight_levels_are_read_and_a_ninth_is_a_clear_error() {
    let report = inspect(&nested(8), &[]).unwrap();
    assert_eq!(report.images.len(), 8);
    assert_eq!(report.images[7].depth, 8);
    assert_eq!(report.path(7), "0.0.0.0.0.0.0.0");
    let error = inspect(&nested(9), &[]).unwrap_err();
    assert_eq!(
        error,
        ImageError::TooDeep {
            limit: 8,
            offset: 3200
        }
    );
    assert_eq!(
        error.to_string(),
        "images are nested more than 8 levels deep at offset 3200"
    );
}

#[test]
fn more_images_than_the_limit_are_a_clear_error() {
    let row = |count| {
        let image = Plan::new("FILE", "9X30", "", Body::Bytes(vec![7]));
        Plan::new("SPKG", "9X30", "", Body::Images(vec![image; count]))
            .build("row.cwe")
            .unwrap()
            .to_vec()
    };
    assert_eq!(inspect(&row(4095), &[]).unwrap().images.len(), 4096);
    let error = inspect(&row(4096), &[]).unwrap_err();
    assert_eq!(
        error,
        ImageError::TooMany {
            limit: 4096,
            offset: 400 + 4095 * 401
        }
    );
}

#[test]
fn bytes_that_no_child_covers_are_counted() {
    let child = models::mini();
    let body = Body::ImagesAndRest(vec![child], vec![9; 500]);
    let bytes = Plan::new("FILE", "9X30", "", body)
        .build("gap.cwe")
        .unwrap()
        .to_vec();
    let report = inspect(&bytes, &[]).unwrap();
    assert_eq!(report.images[0].uncovered, 500);
    assert!(report.findings.iter().any(|finding| {
        finding.to_string() == "500 bytes at offset 816, the end of image 0, belong to no inner image"
    }));
}
