//! One image file as a person likes to read it.

use std::fmt::Write;

use firmware_image::{CrcVerdict, FileKind, Finding, Report, Severity, VersionKind};

use crate::words;

/// The file's head, its tree, and what there is to say about it; ends with a line feed.
pub(crate) fn describe(report: &Report) -> String {
    let mut text = String::new();
    head(&mut text, report);
    tree(&mut text, report);
    findings(&mut text, &report.findings, "  ");
    text
}

/// Findings, worst first.
pub(crate) fn findings(text: &mut String, findings: &[Finding], indent: &str) {
    for finding in findings {
        let word = match finding.severity() {
            Severity::Error => "ERROR: ",
            Severity::StrongWarning => "WARNING: ",
            Severity::Warning => "warning: ",
            Severity::Note => "note: ",
        };
        let _ = writeln!(text, "{indent}{word}{finding}");
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
                "{wrong} of {} are WRONG",
                words::count(report.images.len(), "checksum")
            )
        }
    };
    let _ = writeln!(
        text,
        "{}: {} ({} bytes), {verdict}",
        report.name,
        words::bytes(report.size),
        report.size
    );
    for kind in VersionKind::ALL {
        if let Some(known) = report.versions.known(kind) {
            let _ = writeln!(text, "  {kind}: {} (from the {})", known.text, known.source);
        }
    }
    match report.families.as_slice() {
        [] => {
            let _ = writeln!(text, "  for: nothing in it tells which modems");
        }
        families => {
            for family in families {
                let protocol = family
                    .download_protocol()
                    .map(|protocol| format!(", flashed by {protocol}"));
                let _ = writeln!(
                    text,
                    "  for: {} ({family}{})",
                    family.models(),
                    protocol.unwrap_or_default()
                );
            }
        }
    }
    if let Some(settings) = &report.settings {
        let _ = writeln!(
            text,
            "  settings: {}",
            words::count(settings.items_read as usize, "item")
        );
    }
}

/// Images whose body doesn't have the stated checksum.
fn damaged(report: &Report) -> usize {
    report
        .images
        .iter()
        .filter(|image| image.verdict() != CrcVerdict::Right)
        .count()
}

/// A line of the tree, in columns.
struct Row {
    name: String,
    size: String,
    product: String,
    rest: String,
}

fn tree(text: &mut String, report: &Report) {
    let mut rows = Vec::new();
    if !report.images.is_empty() {
        branch(&mut rows, report, 0, "  ", "  ");
    }
    let width = |column: fn(&Row) -> &str| {
        rows.iter()
            .map(|row| column(row).chars().count())
            .max()
            .unwrap_or(0)
    };
    let (name, size, product) = (
        width(|row| &row.name),
        width(|row| &row.size),
        width(|row| &row.product),
    );
    for row in &rows {
        let _ = writeln!(
            text,
            "{:<name$}  {:>size$}  {:<product$}  {}",
            row.name, row.size, row.product, row.rest
        );
    }
}

/// One image and those in it. `lead` stands before its own line, `below` before those of its children. The depth
/// is bounded by the parser (eight levels).
fn branch(rows: &mut Vec<Row>, report: &Report, index: usize, lead: &str, below: &str) {
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
    for word in [header.date.as_str(), header.version.as_str()]
        .into_iter()
        .chain(options)
    {
        if !word.is_empty() {
            let _ = write!(rest, "  {word}");
        }
    }
    rows.push(Row {
        name: format!(
            "{lead}{} {}",
            header.image_type.code(),
            header.image_type.meaning()
        ),
        size: words::bytes(u64::from(header.body_size)),
        product: header.product.as_str().into(),
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
