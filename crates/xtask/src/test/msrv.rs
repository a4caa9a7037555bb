//! The library crates and the `router` feature set build with the oldest Rust that they promise.
//!
//! An old toolchain comes from where it can be had: rustup, when it has it; Debian's package, unpacked into
//! `target/msrv` without installing anything; rustup again, from the network.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::shell::{run, works};
use super::{Done, Workspace};

/// `rust-version` in the root `Cargo.toml`.
const VERSION: &str = "1.85";

/// Debian 12's build of it, and the libraries that it was linked with.
const DEBIAN_VERSION: &str = "1.85.0+dfsg3-1~deb12u3";
const DEBIAN_PACKAGES: &[&str] = &[
    "rustc-web",
    "cargo-web",
    "libstd-rust-web-1.85",
    "libstd-rust-web-dev",
];
const DEBIAN_LIBRARIES: &[&str] = &["libllvm19", "libz3-4", "libpcre3", "libhttp-parser2.9"];

/// What is promised for it: crate, features without the default ones.
const PROMISED: &[(&str, &str)] = &[
    ("modemflash-firmware-image", ""),
    ("modemflash-firmware-image", "std,serde"),
    ("modemflash-modem-protocol", ""),
    ("modemflash-modem-world", ""),
    ("modemflash-modem-discovery", ""),
    ("modemflash-modem-transport", ""),
    ("modemflash-virtual-modem", "pty"),
    ("modemflash-update-engine", ""),
    ("modemflash", "router"),
];

/// A toolchain: cargo, and what must stand in its environment.
struct Toolchain {
    cargo: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(&'static str, PathBuf)>,
    origin: &'static str,
}

pub(super) fn check(workspace: &Workspace) -> Result<Done> {
    let manifest = std::fs::read_to_string(workspace.root.join("Cargo.toml")).context("Cargo.toml")?;
    if !manifest.contains(&format!("rust-version = \"{VERSION}\"")) {
        bail!("rust-version in Cargo.toml isn't {VERSION} any more: this step checks the wrong one");
    }
    let Some(toolchain) = find(workspace)? else {
        return Ok(Done::Skipped(format!(
            "no Rust {VERSION}: try `rustup toolchain install {VERSION} --profile minimal`"
        )));
    };
    for (package, features) in PROMISED {
        let mut command = Command::new(&toolchain.cargo);
        command
            .args(&toolchain.arguments)
            .args([
                "check",
                "--locked",
                "--package",
                package,
                "--no-default-features",
                "--features",
                features,
            ])
            .current_dir(&workspace.root)
            .env("CARGO_TARGET_DIR", workspace.target.join("msrv/build"))
            // Set by the cargo that runs this.
            .env_remove("RUSTC")
            .env_remove("RUSTUP_TOOLCHAIN")
            .envs(toolchain.environment.iter().map(|(name, value)| (name, value)));
        run(&mut command)?;
    }
    Ok(Done::Passed(format!(
        "{} builds with Rust {VERSION} from {}",
        PROMISED.len(),
        toolchain.origin
    )))
}

fn find(workspace: &Workspace) -> Result<Option<Toolchain>> {
    if rustup_has_it() {
        return Ok(Some(of_rustup()));
    }
    let unpacked = workspace.target.join("msrv/debian");
    if cfg!(target_arch = "x86_64") && works(Command::new("dpkg").arg("--version")) {
        if !unpacked.join("complete").exists() {
            if let Err(error) = unpack(&unpacked) {
                println!("   Debian's Rust {VERSION} can't be had: {error:#}");
            }
        }
        if unpacked.join("complete").exists() {
            return Ok(Some(of_debian(&unpacked)));
        }
    }
    let install = [
        "toolchain",
        "install",
        VERSION,
        "--profile",
        "minimal",
        "--no-self-update",
    ];
    let installed = works(Command::new("rustup").args(install)) && rustup_has_it();
    Ok(installed.then(of_rustup))
}

fn rustup_has_it() -> bool {
    let listed = run(Command::new("rustup").args(["toolchain", "list"])).unwrap_or_default();
    listed
        .lines()
        .any(|line| line.starts_with(&format!("{VERSION}-")) || line.starts_with(&format!("{VERSION}.")))
        && works(Command::new("rustup").args(["run", VERSION, "rustc", "--version"]))
}

fn of_rustup() -> Toolchain {
    let arguments = ["run", VERSION, "cargo"].map(str::to_owned).to_vec();
    Toolchain {
        cargo: PathBuf::from("rustup"),
        arguments,
        environment: Vec::new(),
        origin: "rustup",
    }
}

fn of_debian(folder: &Path) -> Toolchain {
    let libraries = [
        folder.join("usr/lib/x86_64-linux-gnu"),
        folder.join("lib/x86_64-linux-gnu"),
    ];
    let path = libraries.map(|path| path.display().to_string()).join(":");
    let environment = vec![
        ("LD_LIBRARY_PATH", PathBuf::from(path)),
        ("RUSTC", folder.join("usr/bin/rustc")),
    ];
    Toolchain {
        cargo: folder.join("usr/bin/cargo"),
        arguments: Vec::new(),
        environment,
        origin: "Debian",
    }
}

/// Downloads and unpacks; nothing is installed, no rights are needed.
fn unpack(folder: &Path) -> Result<()> {
    let downloads = folder.join("packages");
    std::fs::create_dir_all(&downloads).context("target/msrv")?;
    let versioned = DEBIAN_PACKAGES
        .iter()
        .map(|name| format!("{name}={DEBIAN_VERSION}"));
    let packages: Vec<String> = versioned
        .chain(DEBIAN_LIBRARIES.iter().map(|&name| name.to_owned()))
        .collect();
    let download = |packages: &[String]| {
        run(Command::new("apt-get")
            .arg("download")
            .args(packages)
            .current_dir(&downloads))
    };
    if !works(
        Command::new("apt-get")
            .args(["--print-uris", "download"])
            .args(&packages)
            .current_dir(&downloads),
    ) {
        // A fresh container has no lists.
        run(Command::new("apt-get").arg("update"))?;
    }
    download(&packages)?;
    for entry in std::fs::read_dir(&downloads).context("target/msrv")? {
        run(Command::new("dpkg")
            .arg("-x")
            .arg(entry.context("target/msrv")?.path())
            .arg(folder))?;
    }
    std::fs::remove_dir_all(&downloads).context("target/msrv")?;
    std::fs::write(folder.join("complete"), DEBIAN_VERSION).context("target/msrv")
}
