//! `-z`: shows what is in the files.
//!
//! For a sound file the lines are those of `qmi-firmware-update`, which doesn't check checksums. Here a wrong checksum is shown
//! with its image and is an error with exit code 1, because `-u` refuses such a file too.

use std::path::{Path, PathBuf};

use firmware_image::source::{Inspected, Options, gather, inspect};
use firmware_image::{CrcVerdict, FileKind, Finding, GobiType, ImageNode, Report, Severity, VersionKind};

use super::console::Console;

/// Bytes of data in one write of QDL (qdl.md §5). `qmi-firmware-update` counts in this unit.
const CHUNK: u64 = 1024 * 1024;

/// What `qmi-firmware-update` says about a file that it can't use.
const UNKNOWN: &str = "couldn't detect image type: unknown firmware image file";

/// Checks and shows all files, even after a bad one. Returns whether all are sound.
pub(crate) fn run(files: &[PathBuf], console: &mut Console<'_>) -> bool {
    let mut is_sound = true;
    for file in files {
        is_sound &= one(file, console);
    }
    is_sound
}

fn one(file: &Path, console: &mut Console<'_>) -> bool {
    let gathered = match gather(&[file], &Options::default()) {
        Ok(gathered) => gathered,
        Err(error) => {
            refuse(console, error.code(), &error.to_string());
            return false;
        }
    };
    let notes: Vec<String> = gathered.notes.iter().map(ToString::to_string).collect();
    let Inspected { files, refused, .. } = inspect(gathered, &mut |_| {});
    if files.is_empty() && refused.is_empty() {
        let why = if notes.is_empty() {
            format!("{}: nothing in it is an image", file.display())
        } else {
            notes.join("; ")
        };
        refuse(console, update_engine::codes::Code::ImageNone.as_str(), &why);
        return false;
    }
    let mut is_sound = refused.is_empty();
    for file in &files {
        is_sound &= show(file.report(), console);
    }
    for refused in &refused {
        let why = format!("{}: {}", refused.name, refused.error);
        refuse(console, refused.error.code(), &why);
    }
    is_sound
}

fn refuse(console: &mut Console<'_>, code: &str, why: &str) {
    console.error(UNKNOWN);
    console.warn(&format!("  {code}: {why}"));
}

/// Shows one file. Returns whether it is sound.
fn show(report: &Report, console: &mut Console<'_>) -> bool {
    console.put(&describe(report));
    for finding in &report.findings {
        match finding.severity() {
            Severity::Error => say_damage(report, finding, console),
            _ if is_damage(finding) => say_damage(report, finding, console),
            Severity::StrongWarning => console.warn(&format!("warning: {}: {finding}", report.name)),
            Severity::Warning | Severity::Note => {}
        }
    }
    damage(report).is_none()
}

fn say_damage(report: &Report, finding: &Finding, console: &mut Console<'_>) {
    console.error(&format!(
        "damaged firmware image file: {}: {finding} [{}]",
        report.name,
        finding.code()
    ));
}

/// The first finding that makes a file unusable. A wrong checksum counts even if the header doesn't claim that it is valid: in
/// genuine files it is right even then, and this command line can't ask the user.
pub(crate) fn damage(report: &Report) -> Option<&Finding> {
    let mut findings = report.findings.iter();
    findings.find(|finding| finding.severity() == Severity::Error || is_damage(finding))
}

fn is_damage(finding: &Finding) -> bool {
    matches!(finding, Finding::BodySuspicious { .. })
}

/// The type of a file in the words of `qmi-firmware-update`.
pub(crate) fn kind(report: &Report) -> &'static str {
    match report.kind {
        FileKind::Cwe => "cwe",
        FileKind::Gobi(GobiType::Amss) => "amss-modem",
        FileKind::Gobi(GobiType::Apps) => "amss-application",
        FileKind::Gobi(GobiType::Uqcn) => "amss-uqcn",
    }
}

/// The last part of a path.
pub(crate) fn base_name(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

fn describe(report: &Report) -> String {
    let kind = kind(report);
    let data = report.data_size();
    // The tail of a Gobi file counts neither as header nor as data.
    let header = match report.kind {
        FileKind::Cwe => report.size.saturating_sub(data),
        FileKind::Gobi(_) => 0,
    };
    let mut text = format!(
        "\nFirmware image:\n  filename:      {}\n  detected type: {kind}\n  size:          {} bytes\n    \
         header:      {header} bytes\n    data:        {data} bytes\n  data chunks:   {} ({CHUNK} bytes/chunk)\n",
        base_name(&report.name),
        report.size,
        data.div_ceil(CHUNK).max(1),
    );
    if report.kind != FileKind::Cwe {
        return text;
    }
    for (what, version) in [
        ("firmware version:", VersionKind::Firmware),
        ("config version:  ", VersionKind::Config),
        ("carrier:         ", VersionKind::Carrier),
    ] {
        let known = report.versions.known(version);
        let known = known.map_or("n/a", |known| known.text.as_str());
        text.push_str(&format!("  [{kind}] detected {what} {known}\n"));
    }
    for (index, image) in report.images.iter().enumerate() {
        branch(&mut text, kind, &report.path(index), image);
    }
    text
}

/// Adds one image of the tree. Each level is indented by four more columns.
fn branch(text: &mut String, kind: &str, path: &str, image: &ImageNode) {
    let indent = " ".repeat(image.depth.saturating_sub(1).saturating_mul(4).saturating_add(2));
    let header = &image.header;
    let or_none = |text: &str| {
        if text.is_empty() {
            "n/a".to_owned()
        } else {
            text.to_owned()
        }
    };
    text.push_str(&format!("{indent}{}\n", "-".repeat(37)));
    let mut lines = vec![
        ("type:   ", or_none(header.image_type.code())),
        ("product:", or_none(header.product.as_str())),
        ("version:", or_none(header.version.as_str())),
        ("date:   ", or_none(header.date.as_str())),
        ("size:   ", header.body_size.to_string()),
    ];
    if image.verdict() != CrcVerdict::Right {
        lines.push((
            "crc:    ",
            format!(
                "{:08x} WRONG, header says {:08x}",
                image.computed_crc, header.body_crc
            ),
        ));
    }
    for (what, value) in lines {
        text.push_str(&format!("{indent}[{kind} {path}] {what} {value}\n"));
    }
}
