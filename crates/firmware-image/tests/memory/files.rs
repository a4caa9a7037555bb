//! Files by themselves.

use modemflash_firmware_image::{
    Family, ImageError, Inspector, Report, Text, VerifiedReader,
    cwe::descriptor::{Descriptor, DescriptorKind, ProductBuffer},
    generate::{Body, Generated, Plan, models},
};
use std::io::Read;
use test_support::Alone;

use crate::{HEAP, MIB};

/// Reads a file through a buffer of 1 MiB.
fn read(file: &Generated) -> Result<Report, ImageError> {
    let mut buffer = vec![0; MIB];
    let mut reader = file.reader();
    let mut inspector = Inspector::new(file.name(), file.size());
    let mut refused = Ok(());
    loop {
        let count = reader.fill(&mut buffer);
        refused = refused.and_then(|()| inspector.push(&buffer[..count]));
        if count == 0 || refused.is_err() {
            break;
        }
    }
    inspector.finish()
}

/// What comes of reading the file, and the heap at its highest, buffer included.
fn measure(alone: &Alone<'_>, file: &Generated) -> (Result<Report, ImageError>, usize) {
    alone.peak_of(|| read(file))
}

#[test]
fn a_hundred_megabytes_eight_levels_deep_need_less_than_four_mebibytes() {
    let alone = HEAP.alone();
    let size = 100_000_000;
    let mut plan = Plan::new("DSP2", "9X30", "", Body::Noise { seed: 1, size });
    for _ in 1..8 {
        plan = Plan::new("FILE", "9X30", "", Body::Images(vec![plan]));
    }
    let file = plan.build("deep.cwe").unwrap();
    let (report, peak) = measure(&alone, &file);
    let report = report.unwrap();
    assert_eq!((report.images.len(), report.summed_bytes), (8, size + 8 * 400));
    assert!(peak < 4 * MIB, "{peak} bytes");
    // Most of that is the buffer: what grows with the file are four bytes per 64 KiB.
    assert!(peak < MIB + 64 * 1024, "{peak} bytes");
}

#[test]
fn as_many_images_as_allowed_with_full_product_buffers_need_less_than_four_mebibytes() {
    let alone = HEAP.alone();
    let descriptor = Descriptor {
        kind: DescriptorKind::Generic,
        flags: 0,
        reserved: 0,
        offset: 0x190,
        size: 1,
        source_version: Text::new("FULL").unwrap(),
        reserved_end: 0,
    };
    let mut image = Plan::new("????", "9X30", &"x".repeat(84), Body::Bytes(vec![7]));
    image.product_buffer = ProductBuffer::with_descriptors(&[descriptor; 8]);
    for count in [4095, 4200] {
        let body = Body::Images(vec![image.clone(); count]);
        let file = Plan::new("SPKG", "9X30", "", body).build("row.cwe").unwrap();
        let (report, peak) = measure(&alone, &file);
        assert_eq!(report.is_ok(), count == 4095);
        assert!(peak < 4 * MIB, "{peak} bytes");
    }
}

#[test]
fn settings_with_huge_or_many_items_need_less_than_four_mebibytes() {
    let alone = HEAP.alone();
    let huge = vec![0xAA; 8 * MIB];
    let body = Body::Bytes(modemflash_firmware_image::nvup::encode_named(&[(
        "PRI_LIST", &huge,
    )]));
    let file = Plan::new("NVUP", "9x30", "", body).build("huge.nvu").unwrap();
    let (report, peak) = measure(&alone, &file);
    assert_eq!(report.unwrap().settings.unwrap().items_read, 1);
    assert!(peak < 4 * MIB, "{peak} bytes");

    let names: Vec<String> = (0..60_000).map(|number| format!("PRI_{number}")).collect();
    let items: Vec<(&str, &[u8])> = names
        .iter()
        .map(|name| (name.as_str(), b"x".as_slice()))
        .collect();
    let body = Body::Bytes(modemflash_firmware_image::nvup::encode_named(&items));
    let file = Plan::new("NVUP", "9x30", "", body).build("many.nvu").unwrap();
    let (report, peak) = measure(&alone, &file);
    let settings = report.unwrap().settings.unwrap();
    assert_eq!((settings.items_read, settings.changes.len()), (60_000, 64));
    assert!(peak < 4 * MIB, "{peak} bytes");
}

#[test]
fn making_and_sending_an_image_needs_no_room_for_its_content() {
    let alone = HEAP.alone();
    let ((), peak) = alone.peak_of(|| {
        let file = models::em7565_01_14_02_00().unwrap();
        let report = read(&file).unwrap();
        assert_eq!(report.families, [Family::Swi9x50]);
        let mut reader = VerifiedReader::new(file.reader(), report.fingerprint);
        let mut buffer = vec![0; 256 * 1024];
        let mut total = 0;
        loop {
            match reader.read(&mut buffer).unwrap() {
                0 => break,
                count => total += count as u64,
            }
        }
        assert_eq!(total, file.size());
    });
    assert!(peak < 2 * MIB, "{peak} bytes");
}
