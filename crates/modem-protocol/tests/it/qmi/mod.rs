//! QMI messages of both sides against the numbered vectors of qmi.md, captured bytes, and generated ones.

mod any_bytes;
mod messages;
mod vectors;

use crate::common::hex;
use modemflash_modem_protocol::qmi::dms::{
    FirmwarePreference, ImageReference, ImageType, StoredImage, UniqueId,
};

/// The bytes of a vector of qmi.md, by its number and its place in the line.
fn vector(name: &str) -> Vec<u8> {
    let line = include_str!("../../vectors/qmi.txt")
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
