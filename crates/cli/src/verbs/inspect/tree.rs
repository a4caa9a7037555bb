//! One image file as text for people.

use std::fmt::Write;

use firmware_image::{CrcVerdict, FileKind, Finding, Report, Severity, VersionKind};

use crate::text::amounts;
use crate::text::terminal;

/// The head of the file, the tree of its images, and the findings. The text ends with a line feed.
pub(crate) fn describe(report: &Report) -> String {
    let mut text = String::new();
    head(&mut text, report);
    tree(&mut text, report);
    findings(&mut text, &report.findings, "  ");
    text
}

/// Adds the findings, which a report lists worst first.
pub(crate) fn findings(text: &mut String, findings: &[Finding], indent: &str) {
    for finding in findings {
        let word = match finding.severity() {
            Severity::Error => "ERROR: ",
            Severity::StrongWarning => "WARNING: ",
            Severity::Warning => "warning: ",
            Severity::Note => "note: ",
        };
        terminal::wrap(text, indent, &format!("{word}{finding}"));
    }
}

fn head(text: &mut String, report: &Report) {
    let verdict = match (report.kind, damaged(report)) {
        (FileKind::Gobi(_), _) => "has no checksums".to_owned(),
        (FileKind::Cwe, 0) => match report.images.len() {
            1 => "its checksum is right".to_owned(),
            2 => "both checksums are right".to_owned(),
            all => format!("all {all} checksums are right"),
        },
        (FileKind::Cwe, wrong) => {
            format!(
                "{wrong} of {} WRONG",
                amounts::count(report.images.len(), "checksum")
            )
        }
    };
    let _ = writeln!(
        text,
        "{}: {} ({} bytes), {verdict}",
        report.name,
        amounts::bytes(report.size),
        report.size
    );
    for kind in VersionKind::ALL {
        if let Some(known) = report.versions.known(kind) {
            let _ = writeln!(text, "  {kind}: {} (from the {})", known.text, known.source);
        }
    }
    for platform in &report.platforms {
        let _ = writeln!(text, "  platform: {platform}");
    }
    if report.families.is_empty() {
        text.push_str("  for: nothing in it tells which modems\n");
    }
    for family in &report.families {
        terminal::wrap(text, "  ", &format!("for: {} ({family})", family.models()));
        if let Some(protocol) = family.download_protocol() {
            let _ = writeln!(text, "  flashed by: {protocol}");
        }
    }
    if let Some(settings) = &report.settings {
        let _ = writeln!(
            text,
            "  settings: {}",
            amounts::count(settings.items_read as usize, "item")
        );
    }
}

/// How many images have a body that doesn't match the stated checksum.
fn damaged(report: &Report) -> usize {
    report
        .images
        .iter()
        .filter(|image| image.verdict() != CrcVerdict::Right)
        .count()
}

/// A line of the tree, by columns.
struct TreeRow {
    name: String,
    size: String,
    rest: String,
}

/// Adds the tree. It is at most 80 columns wide unless names or texts are long. What an image has in common with the image around
/// it isn't repeated.
fn tree(text: &mut String, report: &Report) {
    let Some(root) = report.root() else { return };
    let header = &root.header;
    for (name, value) in [
        ("product", header.product.as_str()),
        ("date", header.date.as_str()),
        ("version text", header.version.as_str()),
    ] {
        if !value.is_empty() {
            let _ = writeln!(text, "  {name}: {value}");
        }
    }
    let mut rows = Vec::new();
    branch(&mut rows, report, 0, "  ", "  ");
    let width = |column: fn(&TreeRow) -> &str| {
        rows.iter()
            .map(|row| column(row).chars().count())
            .max()
            .unwrap_or(0)
    };
    let (name, size) = (width(|row| &row.name), width(|row| &row.size));
    for row in &rows {
        let _ = writeln!(text, "{:<name$}  {:>size$}  {}", row.name, row.size, row.rest);
    }
}

/// Adds one image and the images in it. `lead` is the beginning of its own line, `below` that of the lines of its children. The
/// parser limits the depth to eight levels.
fn branch(rows: &mut Vec<TreeRow>, report: &Report, index: usize, lead: &str, below: &str) {
    let Some(image) = report.images.get(index) else {
        return;
    };
    let header = &image.header;
    let mut rest = match image.verdict() {
        CrcVerdict::Right => format!("{:08x} right", image.computed_crc),
        CrcVerdict::Wrong | CrcVerdict::WrongUndeclared => {
            format!(
                "{:08x} WRONG, header says {:08x}",
                image.computed_crc, header.body_crc
            )
        }
    };
    let options = [
        (header.options.is_compressed(), "compressed"),
        (header.options.is_encrypted(), "encrypted"),
        (header.options.is_signed(), "signed"),
        (header.options.is_delta(), "delta"),
    ];
    let options = options.iter().filter(|(set, _)| *set).map(|(_, word)| *word);
    for word in own_texts(report, index).into_iter().chain(options) {
        let _ = write!(rest, "  {word}");
    }
    rows.push(TreeRow {
        name: format!(
            "{lead}{} {}",
            header.image_type.code(),
            header.image_type.meaning()
        ),
        size: amounts::bytes(u64::from(header.body_size)),
        rest,
    });
    let children: Vec<usize> = (index + 1..report.images.len())
        .filter(|child| {
            report
                .images
                .get(*child)
                .is_some_and(|image| image.parent == Some(index))
        })
        .collect();
    for (place, child) in children.iter().enumerate() {
        let last = place + 1 == children.len();
        let (own, next) = if last {
            ("└─ ", "   ")
        } else {
            ("├─ ", "│  ")
        };
        branch(
            rows,
            report,
            *child,
            &format!("{below}{own}"),
            &format!("{below}{next}"),
        );
    }
}

/// Product, date and version text of an inner image, as far as they tell something new. A text isn't new if an image around it has
/// it, or if it is only the firmware version of the whole file.
fn own_texts(report: &Report, index: usize) -> Vec<&str> {
    let mut around = Vec::new();
    let mut next = report.images.get(index).and_then(|image| image.parent);
    while let Some(image) = next.and_then(|parent| report.images.get(parent)) {
        around.push(&image.header);
        // Parents stand before their children.
        next = image.parent.filter(|_| around.len() < report.images.len());
    }
    let (Some(image), Some(root)) = (report.images.get(index), around.last()) else {
        return Vec::new();
    };
    let header = &image.header;
    let same_product = |other: &str| other.eq_ignore_ascii_case(header.product.as_str());
    let mut texts = Vec::new();
    if !around
        .first()
        .is_some_and(|parent| same_product(parent.product.as_str()))
    {
        texts.push(header.product.as_str());
    }
    if header.date.as_str() != root.date.as_str() {
        texts.push(header.date.as_str());
    }
    let version = header.version.as_str();
    let firmware = report.versions.known(VersionKind::Firmware);
    let is_firmware_only = firmware.is_some_and(|known| {
        let platform = version.strip_suffix(known.text.as_str());
        platform.is_some_and(|platform| root.version.as_str().contains(platform))
    });
    if !is_firmware_only && around.iter().all(|other| other.version.as_str() != version) {
        texts.push(version);
    }
    texts.retain(|text| !text.is_empty());
    texts
}
