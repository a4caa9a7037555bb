//! The files that are measured with; made once, and kept in the target folder.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;
use firmware_image::Family;
use firmware_image::generate::models::{Release, em7565_01_14_02_00};
use firmware_image::generate::{Body, Plan};

use super::Context;
use super::process::{is_installed, time};
use crate::images::write_to;

/// Size of the largest images in the field (images.md §7).
pub(crate) const SIZE: u64 = 80_241_623;
/// Dictionary of the 7z archive: what 7-Zip takes at its usual level, for a file of this size.
pub(crate) const DICTIONARY_MIB: u32 = 16;

/// The nested layout of a real EM7565 image, incompressible: 80,241,623 bytes.
pub(crate) fn firehose_image(context: &Context) -> Result<PathBuf> {
    kept(&context.data, "SWI9X50C_01.14.02.00.cwe", |folder| {
        write_to(&em7565_01_14_02_00()?, folder).map(|_| ())
    })
}

/// An image for a 9x30, as large.
pub(crate) fn qdl_image(context: &Context) -> Result<PathBuf> {
    kept(&context.data, "SWI9X30C_02.33.03.00.cwe", |folder| {
        let release = Release {
            family: Family::Swi9x30,
            firmware: "02.33.03.00",
            config: "002.072_000",
            carrier: "GENERIC",
            seed: 1,
        };
        let image = release.system(SIZE).build(release.system_name())?;
        write_to(&image, folder).map(|_| ())
    })
}

/// An image for a 9x50 that can be compressed as programs can: to a bit more than half.
pub(crate) fn compressible_image(context: &Context) -> Result<PathBuf> {
    let folder = context.data.join("compressible");
    kept(&folder, "SWI9X50C_01.14.13.00.cwe", |folder| {
        let size = usize::try_from(SIZE)?.saturating_sub(800);
        let inner = Plan::new(
            "APPL",
            "9X50",
            "SWI9X50C_01.14.13.00",
            Body::Bytes(like_a_program(size)),
        );
        let version = "INTERNAL_?_SWI9X50C_01.14.13.00_?_?_?_?";
        let image = Plan::new("SPKG", "9X50", version, Body::Images(vec![inner])).dated("08/28/19");
        write_to(&image.build("SWI9X50C_01.14.13.00.cwe")?, folder).map(|_| ())
    })
}

/// The compressible image, and in a zip archive (deflate); none without the program `zip`.
pub(crate) fn zip(context: &Context) -> Result<Option<PathBuf>> {
    let image = compressible_image(context)?;
    if !is_installed("zip") {
        return Ok(None);
    }
    kept(&context.data, "bench.zip", |folder| {
        let mut command = Command::new("zip");
        command
            .args(["-q", "-j"])
            .arg(folder.join("bench.zip"))
            .arg(&image);
        time(&mut command).map(|_| ())
    })
    .map(Some)
}

/// The compressible image in a 7z archive (LZMA2); none without the program `7z`.
pub(crate) fn seven_zip(context: &Context) -> Result<Option<PathBuf>> {
    let image = compressible_image(context)?;
    if !is_installed("7z") {
        return Ok(None);
    }
    kept(&context.data, "bench.7z", |folder| {
        let mut command = Command::new("7z");
        command
            .args(["a", "-bso0", "-bsp0", "-mx=1"])
            .arg(format!("-m0=LZMA2:d={DICTIONARY_MIB}m"))
            .arg(folder.join("bench.7z"))
            .arg(&image);
        time(&mut command).map(|_| ())
    })
    .map(Some)
}

/// The file of this name; made when it isn't there.
fn kept(folder: &Path, name: &str, make: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    let path = folder.join(name);
    if !path.is_file() {
        std::fs::create_dir_all(folder)?;
        make(folder)?;
    }
    Ok(path)
}

/// Bytes of six bits each, and now and then a piece of what came before.
fn like_a_program(size: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut bytes = Vec::with_capacity(size);
    while bytes.len() < size {
        let chance = next();
        if chance % 16 == 0 && bytes.len() > 4096 {
            let distance = usize::try_from(next() % 4000).unwrap_or(0) + 64;
            let start = bytes.len() - distance;
            let piece = bytes.get(start..start + 48).unwrap_or_default().to_vec();
            bytes.extend(piece);
        } else {
            bytes.extend(chance.to_le_bytes().map(|byte| byte & 0x3f));
        }
    }
    bytes.truncate(size);
    bytes
}
