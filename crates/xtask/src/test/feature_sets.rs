//! Every set of features that somebody may choose compiles without a warning.

use anyhow::{Result, bail};

use super::shell::{cargo, run};
use super::{Done, Workspace};

/// Crate and features, without the default ones.
const SETS: &[(&str, &[&str])] = &[
    (
        "modemflash-firmware-image",
        &[
            "",
            "serde",
            "std",
            "std,serde",
            "zip",
            "sevenz",
            "zip,sevenz,serde",
        ],
    ),
    (
        "modemflash",
        &[
            "",
            "router",
            "archives",
            "progress",
            "modem-manager",
            "rehearse",
            "archives,rehearse",
        ],
    ),
    ("modemflash-modem-transport", &["", "modem-manager"]),
    ("modemflash-virtual-modem", &["", "pty", "vhci"]),
];

pub(super) fn check(workspace: &Workspace) -> Result<Done> {
    let mut count = 0;
    let mut failed = Vec::new();
    for (package, sets) in SETS {
        for features in *sets {
            // By clippy, like all sources before: what it has looked at with the same features isn't compiled again.
            let checked = run(cargo(workspace).args([
                "clippy",
                "--locked",
                "--package",
                package,
                "--no-default-features",
                "--features",
                features,
                "--",
                "-D",
                "warnings",
            ]));
            count += 1;
            if checked.is_err() {
                failed.push(format!("{package} with {features:?}"));
            }
        }
    }
    if !failed.is_empty() {
        bail!("{} of {count} sets: {}", failed.len(), failed.join(", "));
    }
    Ok(Done::Passed(format!("{count} sets")))
}
