//! Which modems a file is for, judged by the headers of all its images (cwe.md §7, images.md §4, devices.md).
//!
//! Three fields say it: the platform in a version text (`SWI9X30C`), a model's name in a version text (`EM7455`), and
//! the product code (`9X30`). All images of a file are for the same modem, so all these fields must agree. A platform
//! that isn't in the list contradicts only other platforms; a product code that isn't in the list contradicts nothing.
//! The file's name counts only if no header says anything, because people rename files, and the vendor's own names
//! contain two platforms at once.

use alloc::{format, string::String, string::ToString, vec::Vec};

use super::ImageType;
use crate::finding::Findings;
use crate::gobi::base_name;
use crate::platform::{Model, Platform};
use crate::{Family, FamilySource, FileKind, Finding, GobiType, ImageNode, Report};

/// Which modems a file says it is for.
#[derive(Default)]
pub(super) struct Claims {
    pub(super) platforms: Vec<Platform>,
    pub(super) families: Vec<Family>,
    pub(super) source: FamilySource,
}

/// How many platforms of one file are kept.
const MOST_PLATFORMS: usize = 8;
/// How many contradictions of one file are reported. One is enough to refuse the file.
const MOST_CONTRADICTIONS: usize = 8;

impl Claims {
    /// Reads which modems the file is for; contradictions go to `findings`.
    pub(super) fn of(report: &Report, findings: &mut Findings) -> Self {
        if let FileKind::Gobi(kind) = report.kind {
            return Self {
                platforms: Vec::new(),
                families: of_gobi(kind),
                source: FamilySource::FileKind,
            };
        }
        let mut reader = Reader {
            report,
            platforms: Vec::new(),
            families: Vec::new(),
            told_by: 0,
            contradictions: Vec::new(),
        };
        for (place, node) in report.images.iter().enumerate() {
            reader.read(place, node);
        }
        let mut claims = reader.finish(findings);
        claims.read_name(base_name(&report.name), findings);
        claims
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
            platforms.all(|named| self.platforms.iter().all(|platform| platform.contradicts(&named)))
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

/// Reads the headers one after the other.
struct Reader<'r> {
    report: &'r Report,
    /// Each platform, with the index of the first image that named it.
    platforms: Vec<(Platform, usize)>,
    /// The families that fit all headers read so far; empty while nothing is known.
    families: Vec<Family>,
    /// The index of the last image whose header changed `families`.
    told_by: usize,
    contradictions: Vec<Finding>,
}

impl Reader<'_> {
    fn read(&mut self, place: usize, node: &ImageNode) {
        let platforms = platforms_of(place, node);
        let mut own: Vec<Family> = platforms.iter().filter_map(Platform::family).collect();
        for platform in platforms {
            self.add_platform(platform, place);
        }
        if own.is_empty() && names_models(place, node) {
            own.extend(Family::of_version_text(node.header.version.as_str()).filter(Family::is_known));
        }
        let product = node.header.product.as_str();
        let mut by_product = Family::of_product(product);
        by_product.retain(Family::is_known);
        let said = |families: &[Family]| format!("{} (product code {product})", listed(families));
        if is_disjoint(&own, &by_product) {
            self.contradict((place, listed(&own)), (place, said(&by_product)));
        }
        let told = if own.is_empty() {
            said(&by_product)
        } else {
            listed(&own)
        };
        let own = narrowed(&own, &by_product);
        if is_disjoint(&own, &self.families) {
            self.contradict((place, told), (self.told_by, listed(&self.families)));
            return;
        }
        let left = narrowed(&self.families, &own);
        if left.len() != self.families.len() {
            self.told_by = place;
        }
        self.families = left;
    }

    fn add_platform(&mut self, platform: Platform, place: usize) {
        let is_new = !self.platforms.iter().any(|(known, _)| *known == platform);
        if !is_new || self.platforms.len() >= MOST_PLATFORMS {
            return;
        }
        let other = self
            .platforms
            .iter()
            .find(|(known, _)| known.contradicts(&platform));
        if let Some((other, other_place)) = other.cloned() {
            self.contradict((place, platform.to_string()), (other_place, other.to_string()));
        }
        self.platforms.push((platform, place));
    }

    fn contradict(&mut self, (place, says): (usize, String), (other, other_says): (usize, String)) {
        if self.contradictions.len() < MOST_CONTRADICTIONS {
            self.contradictions.push(Finding::FamilyContradiction {
                image: self.report.path(place),
                says,
                other_image: self.report.path(other),
                other_says,
            });
        }
    }

    fn finish(self, findings: &mut Findings) -> Claims {
        for contradiction in self.contradictions {
            findings.add(contradiction);
        }
        let platforms: Vec<Platform> = self.platforms.into_iter().map(|(platform, _)| platform).collect();
        // A platform takes precedence over a product code. Of a platform that isn't in the list only the name is known.
        let families = match platforms.first() {
            Some(first) => {
                let unlisted = || Family::Unknown(first.to_string());
                [first.family().unwrap_or_else(unlisted)].into()
            }
            None if self.families.is_empty() => {
                let root = self.report.root();
                Family::of_product(root.map_or("", |root| root.header.product.as_str()))
            }
            None => self.families,
        };
        let is_told = !platforms.is_empty() || families.iter().any(Family::is_known);
        Claims {
            platforms,
            families,
            source: if is_told {
                FamilySource::Header
            } else {
                FamilySource::Nothing
            },
        }
    }
}

/// The platforms in a version text; if there are none, the platform of the model that the text names.
fn platforms_of(place: usize, node: &ImageNode) -> Vec<Platform> {
    let text = node.header.version.as_str();
    // This text is the path of a file on the modem, not a version (images.md §1).
    if text.starts_with('/') {
        return Vec::new();
    }
    let told: Vec<Platform> = Platform::all_in(text).collect();
    if !told.is_empty() || !names_models(place, node) {
        return told;
    }
    let model = Model::in_text(text).and_then(|model| model.target);
    model.and_then(|target| target.platform).into_iter().collect()
}

/// Whether this image's version text may name a model. Only the texts of a whole package and of boot loaders do.
fn names_models(place: usize, node: &ImageNode) -> bool {
    place == 0 || node.header.image_type == ImageType::Boot
}

fn of_gobi(kind: GobiType) -> Vec<Family> {
    match kind {
        GobiType::Amss | GobiType::Apps => [Family::Gobi1000, Family::Gobi2000, Family::Gobi3000].into(),
        GobiType::Uqcn => [Family::Gobi2000, Family::Gobi3000].into(),
    }
}

/// Whether neither list is empty, and they have no family in common.
fn is_disjoint(one: &[Family], other: &[Family]) -> bool {
    !one.is_empty() && !other.is_empty() && !one.iter().any(|family| other.contains(family))
}

/// The families in both lists. If there are none, the first list that isn't empty.
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

fn listed(families: &[Family]) -> String {
    crate::finding::Listed(families).to_string()
}
