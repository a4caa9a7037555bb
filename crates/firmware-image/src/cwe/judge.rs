//! Derives the verdicts and versions from a finished tree, consulting the sources in their order
//! (cwe.md §5, §7; update-flow.md §5.3).

use super::{ImageType, families::Claims};
use crate::{
    CrcVerdict, FileKind, Finding, Known, Report, VersionKind, VersionSource, Versions, finding::Findings,
    gobi::base_name, parse_versions,
};

/// What was derived from a finished tree.
#[derive(Default)]
pub(super) struct Judgements {
    pub(super) versions: Versions,
    pub(super) claims: Claims,
    pub(super) findings: Findings,
}

impl Judgements {
    pub(super) fn of(report: &Report, findings: Findings) -> Self {
        let mut judgements = Self {
            findings,
            ..Self::default()
        };
        judgements.judge_images(report);
        judgements.find_versions(report);
        judgements.claims = Claims::of(report, &mut judgements.findings);
        if let FileKind::Gobi(_) = report.kind {
            judgements.findings.add(Finding::Uncheckable);
        }
        if report.trailer.is_some() {
            judgements.findings.add(Finding::TrailerFound);
        }
        for change in report.settings.iter().flat_map(|settings| &settings.changes) {
            judgements.findings.add(Finding::SettingsChange {
                change: change.clone(),
            });
        }
        judgements
    }

    fn judge_images(&mut self, report: &Report) {
        for (place, node) in report.images.iter().enumerate() {
            let header = &node.header;
            let (image_type, offset, computed) = (header.image_type, node.start, node.computed_crc);
            let expected = header.body_crc;
            let image = || report.path(place);
            match node.verdict() {
                CrcVerdict::Right => {}
                CrcVerdict::Wrong => {
                    let image = image();
                    self.findings.add(Finding::BodyDamaged {
                        image,
                        image_type,
                        offset,
                        expected,
                        computed,
                    });
                }
                CrcVerdict::WrongUndeclared => {
                    let image = image();
                    self.findings.add(Finding::BodySuspicious {
                        image,
                        image_type,
                        offset,
                        expected,
                        computed,
                    });
                }
            }
            if header.revision != 3 {
                self.findings.add(Finding::UnknownRevision {
                    image: image(),
                    revision: header.revision,
                });
            }
            if let ImageType::Other(image_type) = image_type {
                self.findings.add(Finding::UnknownType {
                    image: image(),
                    image_type,
                });
            }
            if node.uncovered > 0 {
                let (bytes, offset) = (node.uncovered, node.end.saturating_sub(node.uncovered));
                self.findings.add(Finding::Uncovered {
                    image: image(),
                    offset,
                    bytes,
                });
            }
            if header.options.is_delta() {
                self.findings.add(Finding::Delta { image: image() });
            }
        }
    }

    /// Consults the sources in their order (cwe.md §7). A later source fills gaps but never overrides an earlier one.
    fn find_versions(&mut self, report: &Report) {
        let Some(root) = report.root() else { return };
        self.read_versions(
            VersionSource::RootHeader,
            root.header.version.as_str(),
            &VersionKind::ALL,
        );
        self.read_versions(
            VersionSource::FileName,
            base_name(&report.name),
            &VersionKind::ALL,
        );
        for (place, node) in report.images.iter().enumerate().skip(1) {
            let kinds: &[VersionKind] = match node.header.image_type {
                ImageType::Boot => &[VersionKind::Firmware],
                ImageType::NvUpdate => &VersionKind::ALL,
                _ => continue,
            };
            let source = VersionSource::InnerImage {
                image: report.path(place),
            };
            self.read_versions(source, node.header.version.as_str(), kinds);
        }
    }

    fn read_versions(&mut self, source: VersionSource, text: &str, kinds: &[VersionKind]) {
        let told = parse_versions(text);
        let mut is_used = false;
        for &kind in kinds {
            let Some(value) = told.value(kind) else { continue };
            match self.versions.known(kind) {
                None => {
                    is_used = true;
                    let known = Known {
                        text: value.into(),
                        source: source.clone(),
                    };
                    *self.versions.place(kind) = Some(known);
                }
                Some(used) if used.text != value => {
                    let finding = Finding::VersionsDisagree {
                        kind,
                        used: used.text.clone(),
                        used_source: used.source.clone(),
                        other: value.into(),
                        other_source: source.clone(),
                    };
                    self.findings.add(finding);
                }
                Some(_) => {}
            }
        }
        let is_gap = kinds.iter().any(|&kind| self.versions.known(kind).is_none());
        if is_used || is_gap {
            let doubts = told.notes.into_iter();
            let doubts = doubts.map(|note| Finding::VersionDoubt {
                source: source.clone(),
                text: text.into(),
                note,
            });
            doubts.for_each(|doubt| self.findings.add(doubt));
        }
    }
}
