//! What was written to the modem, and the checks that a boot loader makes on it.

use std::fmt;

use firmware_image::cwe::ImageType;
use firmware_image::{Finding, Inspector, Report};

use crate::profile::Profile;
use crate::storage::PriImage;
use crate::violation::Wrong;

/// An image as the modem received it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredImage {
    /// QDL image type; 0x80 for CWE images.
    pub image_type: u8,
    /// Length of the whole file in bytes, as far as it arrived.
    pub length: u64,
    /// CRC-32 (zlib) of these bytes.
    pub crc: u32,
    /// The bytes; `None` if they were not kept.
    pub bytes: Option<Vec<u8>>,
    /// How far the image got.
    pub state: ImageState,
    /// Version text of a CWE image.
    pub version: String,
    /// What the image brings, if it was whole and sound.
    pub contents: Contents,
}

/// What an image brings to the modem, according to its own headers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// The version of the firmware.
    pub firmware: Option<String>,
    /// Carrier settings.
    pub pri: Option<PriImage>,
}

impl Contents {
    /// Settings are in NVUP images; every other innermost image is firmware (cwe.md §4).
    fn of(report: &Report) -> Self {
        let text = |known: &Option<firmware_image::Known>| known.as_ref().map(|known| known.text.clone());
        let versions = &report.versions;
        let firmware = text(&versions.firmware);
        let has = |is_settings: bool| {
            report.images.iter().any(|image| {
                let is_nvup = image.header.image_type == ImageType::NvUpdate;
                image.children == 0 && is_nvup == is_settings
            })
        };
        let pri = || {
            Some(PriImage {
                config: text(&versions.config)?,
                build: format!("{}_{}", firmware.as_deref()?, text(&versions.carrier)?),
            })
        };
        Self {
            pri: if has(true) { pri() } else { None },
            firmware: firmware.clone().filter(|_| has(false)),
        }
    }
}

/// How far an image got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageState {
    /// Not all of the image arrived.
    Partial,
    /// All of the image arrived, but the session was not ended (QDL).
    Complete,
    /// The boot loader has accepted the image.
    Accepted,
    /// The boot loader has refused the image after receiving it.
    Rejected,
}

/// How much of the images is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// All bytes of images up to a length, and only the sums of longer ones.
    Bytes {
        /// The longest image that is kept, in bytes.
        up_to: u64,
    },
    /// Lengths and sums only.
    Sums,
}

impl Default for Keep {
    fn default() -> Self {
        Self::Bytes {
            up_to: 4 * 1024 * 1024,
        }
    }
}

/// Bytes of a CWE header (cwe.md §2).
pub(crate) const HEADER: usize = 400;

/// What a boot loader reads from a CWE header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// Number of bytes after the header.
    pub(crate) size: u32,
    /// Version text.
    pub(crate) version: String,
    /// Product field.
    pub(crate) product: String,
}

impl Header {
    /// Parses a header and checks it (cwe.md §2 and §3).
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Wrong> {
        let damaged = |why: &str| Wrong::DamagedImage(why.to_owned());
        if bytes.len() < HEADER {
            return Err(damaged("header not complete"));
        }
        let specific = bytes.get(..256).unwrap_or_default();
        if number(bytes, 0x100) != jamcrc(specific) {
            return Err(damaged("wrong checksum of the product specific buffer"));
        }
        if number(bytes, 0x104) != 3 {
            return Err(damaged("header revision is not 3"));
        }
        let size = number(bytes, 0x114);
        if size == 0 {
            return Err(damaged("image size 0"));
        }
        Ok(Self {
            size,
            version: text(bytes, 0x11C, 84),
            product: text(bytes, 0x110, 4),
        })
    }

    /// Length of the whole file in bytes, without a trailer.
    pub(crate) fn length(&self) -> u64 {
        u64::from(self.size).saturating_add(HEADER as u64)
    }

    /// Whether the image is for this model.
    pub(crate) fn for_model(&self, profile: &Profile) -> Result<(), Wrong> {
        match profile.foreign(&self.version, &self.product) {
            None => Ok(()),
            Some(found) => Err(Wrong::ForeignImage {
                found,
                model: profile.name,
            }),
        }
    }
}

fn number(bytes: &[u8], at: usize) -> u32 {
    let field = bytes.get(at..).and_then(<[u8]>::first_chunk).copied();
    field.map_or(0, u32::from_be_bytes)
}

fn text(bytes: &[u8], at: usize, length: usize) -> String {
    let field = bytes.get(at..at + length).unwrap_or_default();
    let end = field.iter().position(|&byte| byte == 0).unwrap_or(field.len());
    String::from_utf8_lossy(field.get(..end).unwrap_or_default()).into_owned()
}

fn jamcrc(bytes: &[u8]) -> u32 {
    !crc32fast::hash(bytes)
}

/// The inspection of an image's structure, while it is possible.
struct Inspection(Option<Box<Inspector>>);

impl fmt::Debug for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "going on" } else { "none" })
    }
}

/// An image that is being written.
#[derive(Debug)]
pub(crate) struct Writing {
    image_type: u8,
    announced: u64,
    length: u64,
    /// The CRC of the whole file.
    whole: crc32fast::Hasher,
    /// Checks the CWE structure, once the header is complete.
    inspection: Inspection,
    header_bytes: Vec<u8>,
    header: Option<Header>,
    bytes: Option<Vec<u8>>,
    contents: Contents,
}

impl Writing {
    /// Begins an image of `announced` bytes, including the header.
    pub(crate) fn new(image_type: u8, announced: u64, keep: Keep) -> Self {
        let bytes = match keep {
            Keep::Bytes { up_to } if announced <= up_to => {
                Some(Vec::with_capacity(usize::try_from(announced).unwrap_or(0)))
            }
            _ => None,
        };
        Self {
            image_type,
            announced,
            length: 0,
            whole: crc32fast::Hasher::new(),
            inspection: Inspection(None),
            header_bytes: Vec::new(),
            header: None,
            bytes,
            contents: Contents::default(),
        }
    }

    /// Length so far.
    pub(crate) const fn length(&self) -> u64 {
        self.length
    }

    /// Length announced.
    pub(crate) const fn announced(&self) -> u64 {
        self.announced
    }

    /// Type.
    pub(crate) const fn image_type(&self) -> u8 {
        self.image_type
    }

    /// Takes the next bytes of the file.
    pub(crate) fn write(&mut self, mut bytes: &[u8]) {
        if let Some(kept) = &mut self.bytes {
            kept.extend_from_slice(bytes);
        }
        self.whole.update(bytes);
        self.length = self
            .length
            .saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        if self.header_bytes.len() < HEADER {
            let wanted = (HEADER - self.header_bytes.len()).min(bytes.len());
            let (head, rest) = bytes.split_at(wanted);
            self.header_bytes.extend_from_slice(head);
            bytes = rest;
            if self.header_bytes.len() == HEADER {
                self.header = Header::parse(&self.header_bytes).ok();
                if let (Some(header), 0x80) = (&self.header, self.image_type) {
                    let mut inspector = Inspector::new("image.cwe", header.length());
                    let outcome = inspector.push(&self.header_bytes);
                    self.inspection.0 = outcome.is_ok().then(|| Box::new(inspector));
                }
            }
        }
        // A trailer may follow the image (cwe.md §5); it isn't inspected.
        let before = self
            .length
            .saturating_sub(u64::try_from(bytes.len()).unwrap_or(0));
        let end = self.header.as_ref().map_or(0, Header::length);
        let wanted = usize::try_from(end.saturating_sub(before)).unwrap_or(usize::MAX);
        let looked_at = bytes.get(..wanted.min(bytes.len())).unwrap_or_default();
        if let Some(inspector) = &mut self.inspection.0 {
            if !looked_at.is_empty() && inspector.push(looked_at).is_err() {
                self.inspection.0 = None;
            }
        }
    }

    /// Makes a boot loader's checks on a whole CWE file: header, product, size, body checksum.
    pub(crate) fn check(&mut self, profile: &Profile) -> Result<(), Wrong> {
        if self.image_type != 0x80 {
            return Ok(());
        }
        let header = Header::parse(&self.header_bytes)?;
        header.for_model(profile)?;
        let whole = header.length();
        // A trailer of 4 bytes after the outermost image is accepted (cwe.md §5).
        if self.length != whole && self.length != whole + 4 {
            return Err(Wrong::DamagedImage(format!(
                "{} bytes came, {whole} belong to it",
                self.length
            )));
        }
        let inspector = self.inspection.0.take();
        let unreadable = || Wrong::DamagedImage("structure not readable".to_owned());
        let report = inspector
            .ok_or_else(unreadable)?
            .finish()
            .map_err(|error| Wrong::DamagedImage(error.to_string()))?;
        let damaged = report.findings.iter().find_map(|finding| match finding {
            Finding::BodyDamaged { image, .. } | Finding::BodySuspicious { image, .. } => Some(image),
            _ => None,
        });
        match damaged {
            Some(image) => Err(Wrong::DamagedImage(format!("wrong checksum of image {image}"))),
            None => {
                self.contents = Contents::of(&report);
                Ok(())
            }
        }
    }

    /// The image as the modem remembers it.
    pub(crate) fn finish(self, state: ImageState) -> StoredImage {
        StoredImage {
            image_type: self.image_type,
            length: self.length,
            crc: self.whole.finalize(),
            bytes: self.bytes,
            state,
            version: self.header.map(|header| header.version).unwrap_or_default(),
            contents: self.contents,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A CWE file with correct sums.
    pub(crate) fn cwe(version: &str, product: &str, body: &[u8]) -> Vec<u8> {
        let mut file = vec![0; HEADER];
        let mut put = |at: usize, bytes: &[u8]| file[at..at + bytes.len()].copy_from_slice(bytes);
        put(0x100, &0xF269_7AA7_u32.to_be_bytes());
        put(0x104, &3_u32.to_be_bytes());
        put(0x108, b"GOOD");
        put(0x10C, b"SPKG");
        put(0x110, product.as_bytes());
        put(0x114, &u32::try_from(body.len()).unwrap().to_be_bytes());
        put(0x118, &jamcrc(body).to_be_bytes());
        put(0x11C, version.as_bytes());
        put(0x170, b"08/28/19");
        put(0x178, &1_u32.to_be_bytes());
        put(0x18C, &1_u32.to_be_bytes());
        file.extend_from_slice(body);
        file
    }

    #[test]
    fn a_body_of_any_cut_has_the_checksum_of_cwe_vector_one() {
        assert_eq!(jamcrc(b"123456789"), 0x340B_C6D9);
        assert_eq!(jamcrc(&[0; 256]), 0xF269_7AA7);
        let file = cwe("SWI9X30C_02.33.03.00", "9X30", b"123456789");
        let profile = Profile::named("MC7455").unwrap();
        for cut in 0..=file.len() {
            let mut writing = Writing::new(0x80, 409, Keep::Sums);
            writing.write(&file[..cut]);
            writing.write(&file[cut..]);
            assert_eq!(writing.check(profile), Ok(()), "cut at {cut}");
            let stored = writing.finish(ImageState::Accepted);
            assert_eq!((stored.length, stored.crc), (409, crc32fast::hash(&file)));
        }
    }

    #[test]
    fn a_damaged_body_a_wrong_size_and_a_foreign_product_are_found() {
        let profile = Profile::named("MC7455").unwrap();
        let check = |file: &[u8]| {
            let mut writing = Writing::new(0x80, file.len() as u64, Keep::Sums);
            writing.write(file);
            writing.check(profile).unwrap_err().kind()
        };
        let good = cwe("SWI9X30C_02.33.03.00", "9X30", b"123456789");
        let mut damaged = good.clone();
        damaged[405] ^= 1;
        assert_eq!(check(&damaged), "damaged image");
        assert_eq!(check(&good[..408]), "damaged image");
        assert_eq!(check(&good[..399]), "damaged image");
        assert_eq!(check(&cwe("SWI9X50C_01.14.02.00", "9X50", b"1")), "foreign image");
    }

    #[test]
    fn long_images_are_remembered_by_their_sums() {
        let keep = Keep::Bytes { up_to: 8 };
        let mut short = Writing::new(0x05, 8, keep);
        short.write(b"12345678");
        assert_eq!(
            short.finish(ImageState::Partial).bytes.as_deref(),
            Some(&b"12345678"[..])
        );
        let mut long = Writing::new(0x05, 9, keep);
        long.write(b"123456789");
        let stored = long.finish(ImageState::Partial);
        assert_eq!((stored.bytes, stored.crc), (None, 0xCBF4_3926));
    }
}
