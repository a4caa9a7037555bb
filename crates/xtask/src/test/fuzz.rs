//! The fuzz targets compile. Their corpora are replayed by the ordinary tests of the crate `fuzz-targets`.

use anyhow::Result;

use super::shell::{cargo, run};
use super::{Done, Workspace};

pub(super) fn check(workspace: &Workspace) -> Result<Done> {
    let folder = workspace.root.join("fuzz");
    // Linked, so that a target that lacks a symbol is found; without the sanitizer's instrumentation, which needs nightly and
    // cargo-fuzz and finds nothing that isn't run for long.
    run(cargo(workspace)
        .current_dir(&folder)
        .args(["build", "--bins", "--locked"])
        .env("CARGO_TARGET_DIR", workspace.target.join("fuzz")))?;
    Ok(Done::Passed(String::new()))
}
