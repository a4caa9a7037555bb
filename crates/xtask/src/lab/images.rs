//! The files that are flashed.

use super::scenario::{Image, Scenario};
use anyhow::Context;
use firmware_image::generate::{Body, Generated, Plan, models};
use firmware_image::{GobiType, nvup};
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
    let (generated, surplus) = match image {
        // Gobi: no header, and a fixed name; the last 8 bytes are not sent (qdl.md §5).
        Image::Firmware(size) if profile.image_names.is_empty() => {
            (Generated::gobi(GobiType::Amss, SEED, size), 8)
        }
        Image::Firmware(size) => {
            let name = format!("{family}_{FIRMWARE}.cwe");
            (firmware(profile, size).build(name)?, 0)
        }
        Image::Carrier => {
            let name = format!("{family}_{FIRMWARE}_{CARRIER}.nvu");
            (carrier(profile).build(name)?, 0)
        }
    };
    let path = folder.join(generated.name());
    let mut content = generated.to_vec();
    fs::write(&path, &content)?;
    content.truncate(content.len().saturating_sub(surplus));
    Ok(File { path, content })
}

const FIRMWARE: &str = "02.33.03.00";
const CARRIER: &str = "GENERIC_002.072_000";
const SEED: u64 = 6;

/// A package whose header says `size`, with boot loader and application in it.
fn firmware(profile: &Profile, size: u64) -> Plan {
    let version = format!("{}_{FIRMWARE}", profile.family);
    let plan = |kind: &str, body| Plan::new(kind, product(profile), &version, body);
    let loader = Body::Noise {
        seed: SEED,
        size: 100_000,
    };
    let loader = plan("BOOT", Body::Images(vec![plan("SBL1", loader)]));
    // Each image in the package has a header of its own.
    let rest = size.saturating_sub(loader.body_size() + 2 * 400);
    let application = plan(
        "APPL",
        Body::Noise {
            seed: SEED + 1,
            size: rest,
        },
    );
    let version = format!("INTERNAL_?_{version}_?_?_?_?");
    Plan::new(
        "SPKG",
        product(profile),
        &version,
        Body::Images(vec![loader, application]),
    )
}

/// Settings, nested as in real files: SPKG > FILE > FILE > NVUP (cwe.md §1).
fn carrier(profile: &Profile) -> Plan {
    let version = format!("9999999_9999999_{}_{FIRMWARE}_00_{CARRIER}", profile.family);
    let plan = |kind: &str, text: &str, body| Plan::new(kind, product(profile), text, body);
    let settings = plan(
        "NVUP",
        &version,
        Body::Bytes(nvup::encode_named(models::CARRIER_ITEMS)),
    );
    let inner = plan(
        "FILE",
        "/swir/nvdelta/NVUP_GENERIC.010",
        Body::Images(vec![settings]),
    );
    let outer = plan("FILE", "", Body::Images(vec![inner]));
    plan("SPKG", &version, Body::Images(vec![outer]))
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
        let Image::Firmware(size) = super::super::scenario::FIRMWARE else {
            panic!("no firmware")
        };
        let file = firmware(profile, size).build("a.cwe").unwrap().to_vec();
        assert_eq!(file.len() as u64, size + 400);
        assert_eq!(file[0x114..0x118], [0x00, 0x28, 0x7d, 0x7e]);
    }
}
