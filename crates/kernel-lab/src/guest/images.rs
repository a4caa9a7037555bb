//! The files that are flashed.

use crate::scenario::Image;
use firmware_image::generate::{Body, Generated, Plan, models};
use firmware_image::{GobiType, nvup};
use std::fs;
use std::path::{Path, PathBuf};
use virtual_modem::{Profile, Selection};

/// A file, and what of it a modem has at the end.
#[derive(Debug)]
pub(crate) struct File {
    /// Where it is.
    pub(crate) path: PathBuf,
    /// What the modem stores: all of it, or for `amss.mbn` all but the last 8 bytes (qdl.md §5).
    pub(crate) content: Vec<u8>,
}

/// Makes these images for a model, in the folder `name` under `folder`.
pub(crate) fn make(
    name: &str,
    profile: &Profile,
    images: &[Image],
    folder: &Path,
) -> anyhow::Result<Vec<File>> {
    let folder = folder.join(name);
    fs::create_dir_all(&folder)?;
    images
        .iter()
        .map(|image| make_one(profile, *image, &folder))
        .collect()
}

fn make_one(profile: &Profile, image: Image, folder: &Path) -> anyhow::Result<File> {
    let family = profile.family;
    let (generated, surplus) = match image {
        // Gobi: no header, and a fixed name; the last 8 bytes are not sent (qdl.md §5).
        Image::Firmware(size) if profile.image_names.is_empty() => {
            (Generated::gobi(GobiType::Amss, SEED, size), 8)
        }
        Image::Firmware(size) => {
            let name = format!("{family}_{FIRMWARE}.cwe");
            (firmware(profile, size).build(name)?, 0)
        }
        Image::Package(size) => {
            let version = version_with_carrier(profile);
            (package(profile, size).build(format!("{version}.spk"))?, 0)
        }
        Image::Carrier => {
            let name = format!("{family}_{FIRMWARE}_{CARRIER}_{CONFIG}.nvu");
            (carrier(profile).build(name)?, 0)
        }
    };
    let path = folder.join(generated.name());
    let mut content = generated.to_vec();
    fs::write(&path, &content)?;
    content.truncate(content.len().saturating_sub(surplus));
    Ok(File { path, content })
}

/// What the files bring.
pub(crate) fn target() -> Selection {
    Selection::new(FIRMWARE, CARRIER, CONFIG)
}

const FIRMWARE: &str = "02.33.03.00";
const CARRIER: &str = "GENERIC";
const CONFIG: &str = "002.072_000";
const SEED: u64 = 6;

/// A package whose header says `size`, with boot loader and application in it.
fn firmware(profile: &Profile, size: u64) -> Plan {
    let version = format!("INTERNAL_?_{}_{FIRMWARE}_?_?_?_?", profile.family);
    let body = Body::Images(system(profile, size));
    Plan::new("SPKG", product(profile), &version, body)
}

/// Boot loader and application, together so large.
fn system(profile: &Profile, size: u64) -> Vec<Plan> {
    let version = format!("{}_{FIRMWARE}", profile.family);
    let plan = |kind: &str, body| Plan::new(kind, product(profile), &version, body);
    let loader = Body::Noise {
        seed: SEED,
        size: 100_000,
    };
    let loader = plan("BOOT", Body::Images(vec![plan("SBL1", loader)]));
    // Each image in the package has a header of its own.
    let rest = size.saturating_sub(loader.body_size() + 2 * 400);
    let seed = SEED + 1;
    let application = plan("APPL", Body::Noise { seed, size: rest });
    vec![loader, application]
}

/// Settings, nested as in real files: SPKG > FILE > FILE > NVUP (cwe.md §1).
fn carrier(profile: &Profile) -> Plan {
    let body = Body::Images(vec![settings(profile)]);
    Plan::new("SPKG", product(profile), &version_with_carrier(profile), body)
}

/// What is in a package of settings.
fn settings(profile: &Profile) -> Plan {
    let plan = |kind: &str, text: &str, body| Plan::new(kind, product(profile), text, body);
    let items = Body::Bytes(nvup::encode_named(models::CARRIER_ITEMS));
    let settings = plan("NVUP", &version_with_carrier(profile), items);
    let path = "/swir/nvdelta/NVUP_GENERIC.010";
    let inner = plan("FILE", path, Body::Images(vec![settings]));
    plan("FILE", "", Body::Images(vec![inner]))
}

/// Firmware and settings in one file, as open modules have it.
fn package(profile: &Profile, size: u64) -> Plan {
    let settings = settings(profile);
    let rest = size.saturating_sub(settings.body_size() + 400);
    let mut images = system(profile, rest);
    images.push(settings);
    let body = Body::Images(images);
    Plan::new("SPKG", product(profile), &version_with_carrier(profile), body)
}

fn version_with_carrier(profile: &Profile) -> String {
    format!(
        "9999999_9999999_{}_{FIRMWARE}_00_{CARRIER}_{CONFIG}",
        profile.family
    )
}

fn product(profile: &Profile) -> &'static str {
    profile.products.first().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_of_the_firmware_has_bytes_that_frames_must_escape() {
        let profile = Profile::named("MC7455").unwrap();
        let Image::Firmware(size) = crate::scenario::FIRMWARE else {
            panic!("no firmware")
        };
        let file = firmware(profile, size).build("a.cwe").unwrap().to_vec();
        assert_eq!(file.len() as u64, size + 400);
        assert_eq!(file[0x114..0x118], [0x00, 0x28, 0x7d, 0x7e]);
    }
}
