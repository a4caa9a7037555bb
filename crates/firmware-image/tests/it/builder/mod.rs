//! The smallest images with right checksums, for tests of everything around them.

// Each test program uses a part of this.
#![allow(dead_code)]

use modemflash_firmware_image::crc;

/// The 400 bytes before a body with this length and checksum (images.md §1).
pub(crate) fn header(image_type: &str, product: &str, version: &str, length: u32, sum: u32) -> Vec<u8> {
    let mut header = vec![0; 256];
    header.extend(crc::OF_ZERO_BUFFER.to_be_bytes());
    header.extend(3_u32.to_be_bytes());
    header.extend(b"GOOD");
    header.extend(image_type.as_bytes());
    header.extend(product.as_bytes());
    header.extend(length.to_be_bytes());
    header.extend(sum.to_be_bytes());
    let mut text = version.as_bytes().to_vec();
    text.resize(84, 0);
    header.extend(text);
    header.extend(b"01/02/18");
    header.extend(1_u32.to_be_bytes());
    header.resize(0x18C, 0);
    header.extend(1_u32.to_be_bytes());
    header
}

/// An image around a body.
pub(crate) fn image(image_type: &str, product: &str, version: &str, body: &[u8]) -> Vec<u8> {
    let mut image = header(
        image_type,
        product,
        version,
        u32::try_from(body.len()).unwrap(),
        crc::checksum(body),
    );
    image.extend(body);
    image
}
