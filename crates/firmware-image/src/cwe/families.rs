//! Which modems a file is for, as the headers of all its images tell (cwe.md §7, images.md §4, devices.md).
//!
//! Three things tell: the platform in a version text (`SWI9X30C`), a model's name in it (`EM7455`), and the product code
//! (`9X30`). They must agree within one header, from parent to child, and platforms throughout the file. What isn't in a
//! list contradicts nothing but another platform. The file's name is asked only where all headers are silent: people rename
//! files, and the vendor's own names carry two platforms at once.

use alloc::{format, string::String, string::ToString, vec::Vec};

use super::ImageType;
use crate::finding::Findings;
use crate::gobi::base_name;
use crate::platform::Platform;
use crate::{Family, FamilySource, FileKind, Finding, GobiType, ImageNode, Report};

/// Whom a file is for.
#[derive(Default)]
pub(super) struct Claims {
    pub(super) platforms: Vec<Platform>,
    pub(super) families: Vec<Family>,
    pub(super) source: FamilySource,
}

/// Platforms of one file that are kept. Two are a contradiction already.
const MOST_PLATFORMS: usize = 8;

impl Claims {
    /// Whom the file is for; contradictions go to `findings`.
    pub(super) fn of(report: &Report, findings: &mut Findings) -> Self {
        if let FileKind::Gobi(kind) = report.kind {
            return Self {
                platforms: Vec::new(),
                families: of_gobi(kind),
                source: FamilySource::FileKind,
            };
        }
        let mut claims = Self::default();
        claims.read_headers(report, findings);
        claims.read_name(base_name(&report.name), findings);
        claims
    }

    fn read_headers(&mut self, report: &Report, findings: &mut Findings) {
        // For each image what it and those around it leave; empty while nothing is known.
        let mut effective: Vec<Vec<Family>> = Vec::with_capacity(report.images.len());
        let mut telling: Option<usize> = None;
        for (place, node) in report.images.iter().enumerate() {
            self.read_platforms(report, place, telling, findings);
            if telling.is_none() && !self.platforms.is_empty() {
                telling = Some(place);
            }
            let own = own_families(report, place, node, findings);
            let around = node.parent.and_then(|parent| effective.get(parent));
            let around = around.map(Vec::as_slice).unwrap_or_default();
            if is_disjoint(&own, around) {
                findings.add(Finding::FamilyContradiction {
                    image: report.path(place),
                    says: said(node, &own),
                    other_image: node.parent.map(|parent| report.path(parent)).unwrap_or_default(),
                    other_says: listed(around),
                });
            }
            effective.push(narrowed(&own, around));
        }
        for told in &effective {
            if !is_disjoint(&self.families, told) {
                self.families = narrowed(&self.families, told);
            }
        }
        let unlisted = self.platforms.iter().find(|platform| platform.family().is_none());
        if let Some(platform) = unlisted {
            // It counts more than a product code: nothing is known of what it takes.
            self.families = [Family::Unknown(platform.to_string())].into();
        } else if self.families.is_empty() {
            let product = report.root().map(|root| root.header.product.as_str());
            self.families = Family::of_product(product.unwrap_or_default());
        }
        if self.families.iter().any(Family::is_known) || !self.platforms.is_empty() {
            self.source = FamilySource::Header;
        }
    }

    /// Platforms are the same throughout a file; `telling` is the image that told the first one.
    fn read_platforms(
        &mut self,
        report: &Report,
        place: usize,
        telling: Option<usize>,
        findings: &mut Findings,
    ) {
        let Some(node) = report.images.get(place) else {
            return;
        };
        for platform in Platform::all_in(node.header.version.as_str()) {
            if self.platforms.contains(&platform) || self.platforms.len() >= MOST_PLATFORMS {
                continue;
            }
            let other = self.platforms.iter().find(|known| !known.is_same(&platform));
            if let Some(other) = other {
                findings.add(Finding::FamilyContradiction {
                    image: report.path(place),
                    says: platform.to_string(),
                    other_image: report.path(telling.unwrap_or(place)),
                    other_says: other.to_string(),
                });
            }
            self.platforms.push(platform);
        }
    }

    fn read_name(&mut self, name: &str, findings: &mut Findings) {
        let Some(named) = Family::of_version_text(name) else {
            return;
        };
        if self.source != FamilySource::Header {
            if named.is_known() || self.families.is_empty() {
                self.families = [named].into();
                self.source = FamilySource::FileName;
            }
            return;
        }
        let mut platforms = Platform::all_in(name).peekable();
        let is_other = if platforms.peek().is_some() && !self.platforms.is_empty() {
            !platforms.any(|named| self.platforms.iter().any(|platform| platform.is_same(&named)))
        } else {
            named.is_known() && is_disjoint(&self.families, core::slice::from_ref(&named))
        };
        if is_other {
            findings.add(Finding::FamilyDoubt {
                families: self.families.clone(),
                named,
            });
        }
    }
}

fn of_gobi(kind: GobiType) -> Vec<Family> {
    match kind {
        GobiType::Amss | GobiType::Apps => [Family::Gobi1000, Family::Gobi2000, Family::Gobi3000].into(),
        GobiType::Uqcn => [Family::Gobi2000, Family::Gobi3000].into(),
    }
}

/// What one header tells; empty when it tells nothing that is known.
fn own_families(report: &Report, place: usize, node: &ImageNode, findings: &mut Findings) -> Vec<Family> {
    let header = &node.header;
    let version = header.version.as_str();
    let mut by_text: Vec<Family> = Platform::all_in(version)
        .filter_map(|platform| platform.family())
        .collect();
    let names_models = place == 0 || header.image_type == ImageType::Boot;
    if by_text.is_empty() && names_models {
        by_text.extend(Family::of_version_text(version).filter(Family::is_known));
    }
    let mut by_product = Family::of_product(header.product.as_str());
    by_product.retain(Family::is_known);
    if is_disjoint(&by_text, &by_product) {
        let image = report.path(place);
        findings.add(Finding::FamilyContradiction {
            image: image.clone(),
            says: listed(&by_text),
            other_image: image,
            other_says: said(node, &by_product),
        });
        return by_text;
    }
    narrowed(&by_text, &by_product)
}

/// Both tell something, and nothing in common.
fn is_disjoint(one: &[Family], other: &[Family]) -> bool {
    !one.is_empty() && !other.is_empty() && !one.iter().any(|family| other.contains(family))
}

/// What both leave; where one tells nothing, or they contradict each other, the first that tells something.
fn narrowed(one: &[Family], other: &[Family]) -> Vec<Family> {
    let common: Vec<Family> = one
        .iter()
        .filter(|family| other.contains(family))
        .cloned()
        .collect();
    if !common.is_empty() {
        common
    } else if one.is_empty() {
        other.to_vec()
    } else {
        one.to_vec()
    }
}

/// `9x30 (product code 9X30)`.
fn said(node: &ImageNode, families: &[Family]) -> String {
    format!(
        "{} (product code {})",
        listed(families),
        node.header.product.as_str()
    )
}

fn listed(families: &[Family]) -> String {
    crate::finding::Listed(families).to_string()
}
