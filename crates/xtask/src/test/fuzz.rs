//! The fuzz targets compile. Their corpora are replayed by the ordinary tests of the crate `fuzz-targets`.

use std::process::Command;

use anyhow::Result;

use super::shell::{cargo, run, works};
use super::{Done, Workspace};

pub(super) fn check(workspace: &Workspace) -> Result<Done> {
    let folder = workspace.root.join("fuzz");
    if works(Command::new("cargo").args(["+nightly", "fuzz", "--version"])) {
        run(Command::new("cargo")
            .args(["+nightly", "fuzz", "build"])
            .current_dir(&workspace.root)
            .env_remove("RUSTC"))?;
        return Ok(Done::Passed("with cargo-fuzz".to_owned()));
    }
    // Without cargo-fuzz: everything but the sanitizer's instrumentation.
    run(cargo(workspace)
        .current_dir(&folder)
        .args(["check", "--all-targets"])
        .env("CARGO_TARGET_DIR", workspace.target.join("fuzz")))?;
    Ok(Done::Passed("with cargo check".to_owned()))
}
