//! The files that are flashed.

use super::scenario::{Image, Scenario};
use anyhow::Context;
use std::fs;
use std::path::{Path, PathBuf};
use virtual_modem::Profile;

/// A file, and what of it a modem has at the end.
#[derive(Debug)]
pub(crate) struct File {
    /// Where it is.
    pub(crate) path: PathBuf,
    /// What the modem stores: all of it, or for `amss.mbn` all but the last 8 bytes (qdl.md §5).
    pub(crate) content: Vec<u8>,
}

/// Makes the files of a scenario in a folder of their own under `folder`.
pub(crate) fn make(scenario: &Scenario, folder: &Path) -> anyhow::Result<Vec<File>> {
    let profile = Profile::named(scenario.model).with_context(|| format!("no profile {}", scenario.model))?;
    let folder = folder.join(scenario.name);
    fs::create_dir_all(&folder)?;
    scenario
        .images
        .iter()
        .map(|image| make_one(profile, *image, &folder))
        .collect()
}

fn make_one(profile: &Profile, image: Image, folder: &Path) -> anyhow::Result<File> {
    let family = profile.family;
    let (name, version, size) = match image {
        _ if profile.image_names.is_empty() => {
            let (Image::Firmware(size) | Image::Carrier(size)) = image;
            let path = folder.join("amss.mbn");
            let mut content = noise(size);
            fs::write(&path, &content)?;
            content.truncate(size.saturating_sub(8));
            return Ok(File { path, content });
        }
        Image::Firmware(size) => (
            format!("{family}_02.33.03.00.cwe"),
            format!("INTERNAL_?_{family}_02.33.03.00_?_?_?_?"),
            size,
        ),
        Image::Carrier(size) => {
            let version = format!("9999999_9999999_{family}_02.33.03.00_00_GENERIC_002.072_000");
            (
                format!("{family}_02.33.03.00_GENERIC_002.072_000.nvu"),
                version,
                size,
            )
        }
    };
    let product = profile.products.first().context("no product")?;
    let path = folder.join(name);
    let content = package(product, &version, &noise(size));
    fs::write(&path, &content)?;
    Ok(File { path, content })
}

/// A package with these data (cwe.md §2).
fn package(product: &str, version: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; 256];
    let jamcrc = |bytes: &[u8]| (!crc32fast::hash(bytes)).to_be_bytes();
    bytes.extend(jamcrc(&[0; 256]));
    bytes.extend(3u32.to_be_bytes());
    bytes.extend([0xff; 4]);
    bytes.extend(b"SPKG");
    bytes.extend(product.bytes().chain([0; 4]).take(4));
    bytes.extend(u32::try_from(data.len()).unwrap_or(u32::MAX).to_be_bytes());
    bytes.extend(jamcrc(data));
    bytes.extend(version.bytes().chain([0; 84]).take(84));
    bytes.extend(b"08/28/19");
    bytes.extend(1u32.to_be_bytes());
    bytes.resize(396, 0);
    bytes.extend(1u32.to_be_bytes());
    bytes.extend(data);
    bytes
}

/// Bytes without a pattern, among them many 0x7E and 0x7D, which frames must escape.
fn noise(size: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let byte = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let [first, second, ..] = state.to_be_bytes();
        if first < 16 { 0x7d + (first & 1) } else { second }
    };
    std::iter::repeat_with(byte).take(size).collect()
}
