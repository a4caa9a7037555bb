//! Judges several files together: their order, their versions, their contradictions (update-flow.md §5.4, §6).

use crate::{
    Family, FamilySource, FileKind, Finding, Platform, Report, VersionKind, Versions, cwe::ImageType,
};
use alloc::{string::String, vec::Vec};

/// What several files are together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Combination {
    /// The order in which the files are sent, as indices into the given list: the largest first; files of equal size
    /// keep their order.
    pub order: Vec<usize>,
    /// The versions, each from the first file in that order that states it.
    pub versions: Versions,
    /// The platforms in the headers of the files: usually one or none. There may be several, and then they either
    /// agree or cause a finding.
    pub platforms: Vec<Platform>,
    /// The families that fit all files; empty if no family does, or if no file says which modems it is for.
    pub families: Vec<Family>,
    /// Where the families come from: the headers of at least one file if they say something, else the file names.
    pub families_from: FamilySource,
    /// The files whose headers don't say which modems they are for, if the headers of other files do.
    pub silent: Vec<String>,
    /// The findings about the files as a set, worst first. The findings about a single file are in its own report.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::serialize::findings"))]
    pub findings: Vec<Finding>,
}

/// Judges files together. If two files state different versions, that is an error; [`Combination::versions`] then has
/// the version of the larger file, in case the user forces the update.
pub fn combine(files: &[&Report]) -> Combination {
    let mut order: Vec<usize> = (0..files.len()).collect();
    order.sort_by_key(|&place| core::cmp::Reverse(files.get(place).map_or(0, |file| file.size)));
    let sorted: Vec<&Report> = order
        .iter()
        .filter_map(|&place| files.get(place).copied())
        .collect();
    let mut combination = Combination {
        order,
        ..Combination::default()
    };
    combination.find_versions(&sorted);
    combination.find_platforms(&sorted);
    combination.find_families(&sorted);
    combination.find_twins(&sorted);
    combination.find_gaps(&sorted);
    combination
        .findings
        .sort_by_key(|finding| core::cmp::Reverse(finding.severity()));
    combination
}

impl Combination {
    /// The firmware version that the settings are for, if it isn't the firmware's own one ([`Finding::VersionsMixed`]).
    pub fn settings_for(&self) -> Option<&str> {
        self.findings.iter().find_map(|finding| match finding {
            Finding::VersionsMixed { other, .. } => Some(other.as_str()),
            _ => None,
        })
    }

    fn find_versions(&mut self, files: &[&Report]) {
        for kind in VersionKind::ALL {
            let mut telling = files
                .iter()
                .filter_map(|file| Some((file, file.versions.known(kind)?)));
            let Some((first_file, first)) = telling.next() else {
                let needs_versions = files.iter().any(|file| file.kind == FileKind::Cwe);
                if needs_versions {
                    self.findings.push(Finding::VersionMissing { kind });
                }
                continue;
            };
            for (other_file, other) in telling.filter(|(_, other)| other.text != first.text) {
                if kind == VersionKind::Firmware && is_mixed_pair(files) {
                    self.findings
                        .push(mixed(first_file, &first.text, other_file, &other.text));
                    continue;
                }
                self.findings.push(Finding::VersionConflict {
                    kind,
                    first_file: first_file.name.clone(),
                    first: first.text.clone(),
                    other_file: other_file.name.clone(),
                    other: other.text.clone(),
                });
            }
            *self.versions.place(kind) = Some(first.clone());
        }
    }

    fn find_platforms(&mut self, files: &[&Report]) {
        let mut told: Vec<(usize, &Platform)> = Vec::new();
        for (place, file) in files.iter().enumerate() {
            for platform in &file.platforms {
                let mut others = told.iter().filter(|(other, _)| *other != place);
                let other = others.find(|(_, known)| known.contradicts(platform));
                if let Some((first_file, first)) =
                    other.and_then(|(at, known)| Some((files.get(*at)?, known)))
                {
                    self.findings.push(Finding::PlatformConflict {
                        first_file: first_file.name.clone(),
                        first: (*first).clone(),
                        other_file: file.name.clone(),
                        other: platform.clone(),
                    });
                }
                told.push((place, platform));
                if !self.platforms.contains(platform) {
                    self.platforms.push(platform.clone());
                }
            }
        }
    }

    /// Finds the families that fit all files. A file name counts only if no file's headers say which modems it is
    /// for.
    fn find_families(&mut self, files: &[&Report]) {
        let is_telling = |file: &&&Report| !file.families.is_empty();
        let is_proven = |file: &&&Report| {
            is_telling(file) && matches!(file.families_from, FamilySource::Header | FamilySource::FileKind)
        };
        let has_proof = files.iter().any(|file| is_proven(&file));
        let mut telling = files.iter().filter(|file| {
            if has_proof {
                is_proven(file)
            } else {
                is_telling(file)
            }
        });
        self.silent = files
            .iter()
            .filter(|file| has_proof && !is_proven(file))
            .map(|file| file.name.clone())
            .collect();
        let Some(first) = telling.next() else { return };
        self.families = first.families.clone();
        self.families_from = first.families_from;
        let has_platform_conflict = self.is_in_conflict();
        for other in telling {
            let common: Vec<Family> = self
                .families
                .iter()
                .filter(|family| other.families.contains(family))
                .cloned()
                .collect();
            let all_known = self.families.iter().chain(&other.families).all(Family::is_known);
            if !common.is_empty() {
                self.families = common;
            } else if all_known && has_proof {
                if !has_platform_conflict {
                    self.findings.push(Finding::FamilyConflict {
                        first_file: first.name.clone(),
                        first: self.families.clone(),
                        other_file: other.name.clone(),
                        other: other.families.clone(),
                    });
                }
            } else {
                // Neither an unknown product code (images.md §4) nor a file name contradicts a known family.
                let mut families: Vec<Family> = self.families.clone();
                families.extend(
                    other
                        .families
                        .iter()
                        .filter(|family| !self.families.contains(family))
                        .cloned(),
                );
                self.families = families;
            }
        }
        if self.is_in_conflict() {
            self.families.clear();
        }
    }

    fn is_in_conflict(&self) -> bool {
        let is_conflict = |finding: &Finding| {
            matches!(
                finding,
                Finding::FamilyConflict { .. } | Finding::PlatformConflict { .. }
            )
        };
        self.findings.iter().any(is_conflict)
    }

    fn find_twins(&mut self, files: &[&Report]) {
        for (place, file) in files.iter().enumerate() {
            let body = |file: &Report| file.root().map(|root| root.computed_crc);
            let twin = files.iter().take(place).find(|earlier| {
                let is_same = match (body(earlier), body(file)) {
                    (Some(earlier), Some(body)) => earlier == body,
                    _ => earlier.fingerprint == file.fingerprint,
                };
                earlier.size == file.size && earlier.kind == file.kind && is_same
            });
            if let Some(twin) = twin {
                self.findings.push(Finding::SameImageTwice {
                    first_file: twin.name.clone(),
                    other_file: file.name.clone(),
                });
            }
        }
    }

    fn find_gaps(&mut self, files: &[&Report]) {
        let has = |wanted: fn(&Report) -> bool| files.iter().find(|file| wanted(file));
        let package = has(|file| file.root_type() == Some(ImageType::Package) && is_firmware(file));
        let boot = has(|file| file.root_type() == Some(ImageType::Boot));
        let firmware = has(is_firmware);
        let settings = has(|file| file.settings.is_some());
        if let (Some(boot), None) = (boot, package) {
            self.findings.push(Finding::BootWithoutPackage {
                file: boot.name.clone(),
            });
        }
        // A config version means that the file contains settings, even if they can't be seen.
        let config_known = self.versions.config.is_some();
        match (firmware, settings) {
            (Some(firmware), None) if !config_known => {
                self.findings.push(Finding::FirmwareWithoutConfig {
                    file: firmware.name.clone(),
                });
            }
            (None, Some(settings)) => {
                self.findings.push(Finding::ConfigWithoutFirmware {
                    file: settings.name.clone(),
                });
            }
            _ => {}
        }
    }
}

/// Whether these are one firmware and settings for a version of almost the same number, for modems that may be the
/// same.
fn is_mixed_pair(files: &[&Report]) -> bool {
    let [one, other] = files else { return false };
    let (system, settings) = if is_firmware(one) {
        (one, other)
    } else {
        (other, one)
    };
    is_near_pair(system, settings)
}

/// Whether `settings` are settings and nothing else, for a version that differs from the firmware's in its last number
/// only, and for modems that may be the same.
pub(crate) fn is_near_pair(system: &Report, settings: &Report) -> bool {
    let version = |file: &Report| file.versions.firmware.as_ref().map(|known| known.text.clone());
    let is_near = match (version(system), version(settings)) {
        (Some(one), Some(other)) => one != other && crate::version::is_near(&one, &other),
        _ => false,
    };
    let brings_settings = |file: &Report| file.settings.is_some() || file.versions.config.is_some();
    let is_pair = is_firmware(system)
        && !brings_settings(system)
        && brings_settings(settings)
        && !is_firmware(settings);
    let agrees = |platform: &Platform| !settings.platforms.iter().any(|other| other.contradicts(platform));
    let families = (&system.families, &settings.families);
    let is_for_one = families.0.is_empty()
        || families.1.is_empty()
        || families.0.iter().any(|family| families.1.contains(family));
    is_near && is_pair && system.platforms.iter().all(agrees) && is_for_one
}

fn mixed(first_file: &Report, first: &str, other_file: &Report, other: &str) -> Finding {
    let (system, settings) = if is_firmware(first_file) {
        ((first_file, first), (other_file, other))
    } else {
        ((other_file, other), (first_file, first))
    };
    Finding::VersionsMixed {
        first_file: system.0.name.clone(),
        first: system.1.into(),
        other_file: settings.0.name.clone(),
        other: settings.1.into(),
    }
}

/// Whether a file contains firmware: a boot loader, a modem system or an application system.
pub(crate) fn is_firmware(file: &Report) -> bool {
    file.images.iter().any(|image| {
        matches!(
            image.header.image_type,
            ImageType::Boot | ImageType::Modem | ImageType::Application | ImageType::Amss | ImageType::Kernel
        )
    })
}
