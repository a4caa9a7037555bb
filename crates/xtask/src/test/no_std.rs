//! Proof that the pure crates need no `std`.
//!
//! `crates/xtask/no_std` is a library with a panic handler of its own that uses the pure crates. The compiler
//! takes only one panic handler: as soon as any of them, or anything below them, links `std`, it refuses with
//! "found duplicate lang item `panic_impl`". So no other target is needed.

use anyhow::{Context, Result};

use super::shell::{cargo, run};
use super::{Done, Workspace};

pub(super) fn check(workspace: &Workspace) -> Result<Done> {
    let folder = workspace.root.join("crates/xtask/no_std");
    // The same versions as everywhere; cargo takes out what isn't needed.
    std::fs::copy(workspace.root.join("Cargo.lock"), folder.join("Cargo.lock")).context("Cargo.lock")?;
    for features in ["", "serde"] {
        run(cargo(workspace)
            .current_dir(&folder)
            .args(["build", "--features", features])
            .env("CARGO_TARGET_DIR", workspace.target.join("no_std")))?;
    }
    Done::passed()
}
