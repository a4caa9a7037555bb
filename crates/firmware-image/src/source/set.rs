//! Chooses the set of files for one modem from many checked files, or lists the files that fit equally well.
//!
//! All files that the user named are taken, except those that an option such as `--carrier` rules out: a shell's
//! `*.nvu` names the settings of every carrier. From the files found in folders and archives the program chooses one
//! system (`.cwe`, `.spk` or Gobi files), and for a `.cwe` the settings (`.nvu`) of the same firmware version. The
//! program never guesses: it doesn't prefer the newest version, nor the carrier GENERIC.

use std::boxed::Box;
use std::string::{String, ToString};
use std::vec::Vec;

use super::choice::{Choice, ChoiceError, Question, Wanted};
use super::gather::Origin;
use super::inspect::{FirmwareFile, Inspected};
use super::names;
use crate::combine::{Combination, combine, is_firmware, is_near_pair};
use crate::cwe::ImageType;
use crate::{FileKind, Finding, GobiType, Known, Report, parse_versions};

/// Files to be sent to one modem.
#[derive(Debug)]
pub struct FirmwareSet {
    /// In the order they are sent: the largest first; files of equal size keep their order (update-flow.md §6).
    pub files: Vec<FirmwareFile>,
    /// The files judged together. Contradictions between them are findings in here, with severity `Error`.
    pub combination: Combination,
    /// Files that were found or named, but not chosen.
    pub left_out: Vec<LeftOut>,
}

/// A file that was not chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// The path, or `archive/entry`.
    pub name: String,
    /// Why.
    pub why: Why,
}

/// Why a file was not chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Why {
    /// The file is for another family of modems.
    OtherFamily,
    /// The file is, or belongs to, another firmware version.
    OtherFirmware,
    /// The file is for another carrier.
    OtherCarrier,
    /// The file has another config version.
    OtherConfig,
    /// The same image is already in the set.
    Same,
    /// The user named another file for this part of the set.
    NamedInstead,
    /// The system already contains settings.
    NotNeeded,
    /// The file is a boot loader or another part; the chosen system is complete without it.
    Part,
    /// The file is damaged, and it belongs to another firmware version.
    Refused,
}

impl std::fmt::Display for Why {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::OtherFamily => "for other modems",
            Self::OtherFirmware => "another firmware version",
            Self::OtherCarrier => "another carrier",
            Self::OtherConfig => "another config version",
            Self::Same => "the same image as another file",
            Self::NamedInstead => "another file was named for this part",
            Self::NotNeeded => "the firmware already contains settings",
            Self::Part => "a part that the complete firmware contains too",
            Self::Refused => "damaged, and of another firmware version",
        })
    }
}

/// Which part a file can play in a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    System,
    Settings,
    Gobi(GobiType),
    Part,
}

fn role(report: &Report) -> Role {
    if let FileKind::Gobi(kind) = report.kind {
        return Role::Gobi(kind);
    }
    let is_whole = matches!(
        report.root_type(),
        Some(ImageType::Package | ImageType::Modem | ImageType::Application)
    );
    let brings_settings = report.settings.is_some() || report.versions.config.is_some();
    match (is_firmware(report), is_whole) {
        (true, true) => Role::System,
        (true, false) => Role::Part,
        (false, _) if brings_settings => Role::Settings,
        (false, true) => Role::System,
        (false, false) => Role::Part,
    }
}

impl FirmwareSet {
    /// Chooses the set from all inspected files.
    ///
    /// # Errors
    /// [`ChoiceError`]: several files fit, none fits, or a file that may be meant is damaged.
    pub fn choose(inspected: Inspected, wanted: &Wanted) -> Result<Self, ChoiceError> {
        let Inspected { files, refused, .. } = inspected;
        let mut damaged = Vec::new();
        for file in refused {
            if file.origin == Origin::Named {
                return Err(ChoiceError::Refused {
                    name: file.name,
                    error: file.error,
                });
            }
            damaged.push(file);
        }
        let (named, found): (Vec<_>, Vec<_>) = files.into_iter().partition(|f| f.origin() == Origin::Named);
        let mut pile = Pile {
            wanted,
            all: named.iter().chain(&found).map(Choice::of).collect(),
            left_out: Vec::new(),
        };
        let had_found = !found.is_empty();
        let named = pile.settle_named(named)?;
        let chosen_from_found = pile.choose_found(&named, found)?;
        let mut files = named;
        files.extend(chosen_from_found);
        if files.is_empty() {
            // If there is a damaged file, report it: that says more than "no image".
            return Err(match damaged.into_iter().next() {
                Some(file) => ChoiceError::Refused {
                    name: file.name,
                    error: file.error,
                },
                None => pile.no_fit(),
            });
        }
        let set = Self::of(files, pile.left_out);
        set.check_damaged(damaged, had_found)
    }

    fn of(files: Vec<FirmwareFile>, left_out: Vec<LeftOut>) -> Self {
        let reports: Vec<&Report> = files.iter().map(FirmwareFile::report).collect();
        let mut combination = combine(&reports);
        let mut slots: Vec<Option<FirmwareFile>> = files.into_iter().map(Some).collect();
        let mut sorted: Vec<FirmwareFile> = Vec::new();
        let mut left_out = left_out;
        for place in &combination.order {
            let Some(file) = slots.get_mut(*place).and_then(Option::take) else {
                continue;
            };
            // Sending an image twice would take time, and the modem could refuse it. The finding about it stays.
            if sorted.iter().any(|other| is_same(other.report(), file.report())) {
                left_out.push(LeftOut {
                    name: file.name().to_string(),
                    why: Why::Same,
                });
            } else {
                sorted.push(file);
            }
        }
        combination.order = (0..sorted.len()).collect();
        Self {
            files: sorted,
            combination,
            left_out,
        }
    }

    /// Refuses the set if a damaged file could be the one that is meant. It isn't if its name states another firmware
    /// version than that of the chosen files.
    fn check_damaged(
        mut self,
        damaged: Vec<super::inspect::Refused>,
        had_found: bool,
    ) -> Result<Self, ChoiceError> {
        let chosen = self
            .combination
            .versions
            .firmware
            .as_ref()
            .map(|known| known.text.clone());
        for file in damaged {
            let its = parse_versions(names::base(&file.name)).firmware;
            let is_other = matches!((&its, &chosen), (Some(its), Some(chosen)) if its != chosen);
            if had_found && !is_other {
                return Err(ChoiceError::Refused {
                    name: file.name,
                    error: file.error,
                });
            }
            self.left_out.push(LeftOut {
                name: file.name,
                why: Why::Refused,
            });
        }
        Ok(self)
    }

    /// The findings about the set as a whole that forbid sending it, unless the user forces it.
    pub fn contradictions(&self) -> impl Iterator<Item = &Finding> {
        self.combination
            .findings
            .iter()
            .filter(|finding| finding.severity() == crate::Severity::Error)
    }
}

/// Whether both files have the same bytes.
fn is_same(one: &Report, other: &Report) -> bool {
    one.kind == other.kind && one.fingerprint == other.fingerprint
}

struct Pile<'a> {
    wanted: &'a Wanted,
    /// All files, named and found, for error messages.
    all: Vec<Choice>,
    left_out: Vec<LeftOut>,
}

impl Pile<'_> {
    fn no_fit(&self) -> ChoiceError {
        ChoiceError::NoFit {
            wanted: Box::new(self.wanted.clone()),
            choices: self.all.clone(),
        }
    }

    /// Keeps the files for which `why` returns `None`, and leaves out the others with the reason it returns.
    fn keep(&mut self, files: Vec<FirmwareFile>, why: impl Fn(&Report) -> Option<Why>) -> Vec<FirmwareFile> {
        let mut kept: Vec<FirmwareFile> = Vec::new();
        for file in files {
            match why(file.report()) {
                Some(why) => self.left_out.push(LeftOut {
                    name: file.name().to_string(),
                    why,
                }),
                None => kept.push(file),
            }
        }
        kept
    }

    fn leave_out(&mut self, files: Vec<FirmwareFile>, why: Why) {
        let _none_kept = self.keep(files, |_| Some(why));
    }

    /// Leaves out the named files that the user's options rule out. Packages of several versions, or settings of
    /// several carriers, are never meant together; the user is asked which one is meant, just as for a folder.
    fn settle_named(&mut self, named: Vec<FirmwareFile>) -> Result<Vec<FirmwareFile>, ChoiceError> {
        let wanted = self.wanted;
        let had_named = !named.is_empty();
        let is_package = |r: &Report| role(r) == Role::System && r.root_type() == Some(ImageType::Package);
        let is_settings = |r: &Report| role(r) == Role::Settings;
        // If there is only one file of a kind, there is nothing to choose. A version option that doesn't match it is
        // a contradiction, which is reported later with both versions.
        let is_only =
            |of_kind: &dyn Fn(&Report) -> bool| named.iter().filter(|f| of_kind(f.report())).count() == 1;
        let (only_package, only_settings) = (is_only(&is_package), is_only(&is_settings));
        let named = self.keep(named, |r| {
            if (only_package && is_package(r)) || (only_settings && is_settings(r)) {
                return None;
            }
            let other = wanted.firmware.as_deref().is_some_and(|v| other_firmware(r, v));
            if other {
                Some(Why::OtherFirmware)
            } else {
                other_settings(r, wanted)
            }
        });
        if had_named && named.is_empty() {
            return Err(self.no_fit());
        }
        let kinds: [&dyn Fn(&Report) -> bool; 2] = [&is_package, &is_settings];
        for is_kind in kinds {
            let files: Vec<&FirmwareFile> = named.iter().filter(|f| is_kind(f.report())).collect();
            let question = question(&files);
            // Different families are a contradiction, which is a finding of the set. The same image twice is sent
            // once.
            if !matches!(question, Question::Family | Question::File) {
                return Err(ambiguous(question, &files));
            }
        }
        Ok(named)
    }

    fn choose_found(
        &mut self,
        named: &[FirmwareFile],
        found: Vec<FirmwareFile>,
    ) -> Result<Vec<FirmwareFile>, ChoiceError> {
        if found.is_empty() {
            return Ok(found);
        }
        let wanted = self.wanted;
        let found = self.without_twins(named, found);
        let found = self.keep(found, |r| (!fits_family(r, wanted)).then_some(Why::OtherFamily));
        let named_has = |wanted: fn(Role) -> bool| named.iter().any(|f| wanted(role(f.report())));
        let mut systems = Vec::new();
        let mut settings = Vec::new();
        let mut gobi = Vec::new();
        let mut parts = Vec::new();
        for file in found {
            match role(file.report()) {
                Role::System => systems.push(file),
                Role::Settings => settings.push(file),
                Role::Gobi(kind) => gobi.push((kind, file)),
                Role::Part => parts.push(file),
            }
        }
        let has_named_system = named_has(|r| matches!(r, Role::System | Role::Gobi(_) | Role::Part));
        if has_named_system {
            self.leave_out(systems, Why::NamedInstead);
            self.leave_out(
                gobi.into_iter().map(|(_, file)| file).collect(),
                Why::NamedInstead,
            );
            self.leave_out(parts, Why::NamedInstead);
            let named_firmware = named.iter().find_map(|f| firmware(f.report()));
            return self.with_settings(Vec::new(), named, settings, named_firmware.as_deref());
        }
        let had_system = !(systems.is_empty() && gobi.is_empty() && parts.is_empty());
        let mut systems = self.keep_by_version(systems);
        if !systems.is_empty() && !gobi.is_empty() {
            let files: Vec<&FirmwareFile> = systems.iter().chain(gobi.iter().map(|(_, f)| f)).collect();
            return Err(ambiguous(Question::Family, &files));
        }
        if !gobi.is_empty() {
            self.leave_out(settings, Why::OtherFamily);
            self.leave_out(parts, Why::OtherFamily);
            return gobi_set(gobi);
        }
        if systems.is_empty() && !parts.is_empty() {
            systems = self.keep_by_version(parts);
        } else {
            self.leave_out(parts, Why::Part);
        }
        // If the user named settings, their firmware version decides between several systems.
        let named_firmware = named.iter().find_map(|f| firmware(f.report()));
        if let Some(version) = &named_firmware {
            systems = self.keep(systems, |r| {
                other_firmware(r, version).then_some(Why::OtherFirmware)
            });
        }
        if systems.len() > 1 {
            let files: Vec<&FirmwareFile> = systems.iter().collect();
            return Err(ambiguous(question(&files), &files));
        }
        if systems.is_empty() && (had_system || named.is_empty() && settings.is_empty()) {
            return Err(self.no_fit());
        }
        let version = systems
            .first()
            .and_then(|f| firmware(f.report()))
            .or(named_firmware);
        self.with_settings(systems, named, settings, version.as_deref())
    }

    /// Leaves out files whose bytes are the same as those of a named file or of one found earlier.
    fn without_twins(&mut self, named: &[FirmwareFile], found: Vec<FirmwareFile>) -> Vec<FirmwareFile> {
        let mut kept: Vec<FirmwareFile> = Vec::new();
        for file in found {
            let is_twin = named
                .iter()
                .chain(&kept)
                .any(|other| is_same(other.report(), file.report()));
            if is_twin {
                self.left_out.push(LeftOut {
                    name: file.name().to_string(),
                    why: Why::Same,
                });
            } else {
                kept.push(file);
            }
        }
        kept
    }

    fn keep_by_version(&mut self, systems: Vec<FirmwareFile>) -> Vec<FirmwareFile> {
        let wanted = self.wanted;
        let systems = self.keep(systems, |r| {
            let version = wanted.firmware.as_deref()?;
            other_firmware(r, version).then_some(Why::OtherFirmware)
        });
        self.keep(systems, |r| other_settings(r, wanted))
    }

    /// Adds the settings that belong to the system, unless the system contains settings or the user named some.
    fn with_settings(
        &mut self,
        mut chosen: Vec<FirmwareFile>,
        named: &[FirmwareFile],
        settings: Vec<FirmwareFile>,
        version: Option<&str>,
    ) -> Result<Vec<FirmwareFile>, ChoiceError> {
        let reports = || chosen.iter().chain(named).map(FirmwareFile::report);
        if named.iter().any(|f| role(f.report()) == Role::Settings) {
            self.leave_out(settings, Why::NamedInstead);
            return Ok(chosen);
        }
        if reports().any(|r| r.settings.is_some()) {
            self.leave_out(settings, Why::NotNeeded);
            return Ok(chosen);
        }
        let wanted = self.wanted;
        let had_settings = !settings.is_empty();
        let version = version.or(wanted.firmware.as_deref());
        let fits = |r: &Report| !version.is_some_and(|v| other_firmware(r, v));
        // Some vendors' packages mix versions that differ in their last number (field-reports.md I9). Such settings are
        // taken if there are none of the firmware's own version; the set then has a finding, so that the user is asked.
        let is_mixed = !settings.iter().any(|f| fits(f.report()));
        let systems: Vec<&Report> = reports().filter(|r| role(r) == Role::System).collect();
        let is_near = |r: &Report| matches!(systems.as_slice(), [system] if is_near_pair(system, r));
        let fitting = self.keep(settings, |r| {
            let is_taken = fits(r) || (is_mixed && is_near(r));
            (!is_taken).then_some(Why::OtherFirmware)
        });
        let fitting = self.keep(fitting, |r| other_settings(r, wanted));
        if fitting.len() > 1 {
            let files: Vec<&FirmwareFile> = fitting.iter().collect();
            return Err(ambiguous(question(&files), &files));
        }
        // If there are no settings files at all, the carrier or config version that the user gave is used without
        // them (update-flow.md §9, row 21).
        let is_asked = wanted.carrier.is_some() || wanted.config.is_some();
        if fitting.is_empty() && had_settings && is_asked && !reports().any(|r| tells_settings(r, wanted)) {
            return Err(self.no_fit());
        }
        chosen.extend(fitting);
        Ok(chosen)
    }
}

/// One file of each Gobi type.
fn gobi_set(files: Vec<(GobiType, FirmwareFile)>) -> Result<Vec<FirmwareFile>, ChoiceError> {
    for kind in [GobiType::Amss, GobiType::Apps, GobiType::Uqcn] {
        let of_kind: Vec<&FirmwareFile> = files.iter().filter(|(k, _)| *k == kind).map(|(_, f)| f).collect();
        if of_kind.len() > 1 {
            return Err(ambiguous(Question::File, &of_kind));
        }
    }
    Ok(files.into_iter().map(|(_, file)| file).collect())
}

fn ambiguous(question: Question, files: &[&FirmwareFile]) -> ChoiceError {
    ChoiceError::Ambiguous {
        question,
        choices: files.iter().map(|f| Choice::of(f)).collect(),
    }
}

/// What distinguishes the files. If several things do, the most general one.
fn question(files: &[&FirmwareFile]) -> Question {
    let differ = |value: fn(&Report) -> Option<String>| {
        let mut values = files.iter().map(|f| value(f.report()));
        let first = values.next();
        values.any(|other| Some(other) != first)
    };
    let family = |report: &Report| {
        let platform = report.platforms.first().map(ToString::to_string);
        platform.or_else(|| report.families.first().map(ToString::to_string))
    };
    if differ(family) {
        Question::Family
    } else if differ(firmware) {
        Question::Firmware
    } else if differ(|r| text(&r.versions.carrier)) {
        Question::Carrier
    } else if differ(|r| text(&r.versions.config)) {
        Question::Config
    } else {
        Question::File
    }
}

fn text(known: &Option<Known>) -> Option<String> {
    known.as_ref().map(|known| known.text.clone())
}

fn firmware(report: &Report) -> Option<String> {
    text(&report.versions.firmware)
}

/// Whether the file states another firmware version. A file that states none may fit.
fn other_firmware(report: &Report, version: &str) -> bool {
    report
        .versions
        .firmware
        .as_ref()
        .is_some_and(|known| known.text != version)
}

/// Why the file's settings aren't the wanted ones; `None` if they may be. A file that states no carrier or config
/// version may fit.
fn other_settings(report: &Report, wanted: &Wanted) -> Option<Why> {
    if let (Some(known), Some(carrier)) = (&report.versions.carrier, &wanted.carrier) {
        if !is_same_carrier(&known.text, carrier) {
            return Some(Why::OtherCarrier);
        }
    }
    if let (Some(known), Some(config)) = (&report.versions.config, &wanted.config) {
        if known.text != *config {
            return Some(Why::OtherConfig);
        }
    }
    None
}

/// Whether the file states that it has the wanted settings.
fn tells_settings(report: &Report, wanted: &Wanted) -> bool {
    let told = report.versions.carrier.is_some() || report.versions.config.is_some();
    told && other_settings(report, wanted).is_none()
}

/// Whether the file may be for the wanted family or platform. An unknown product code doesn't rule that out
/// (images.md §4).
fn fits_family(report: &Report, wanted: &Wanted) -> bool {
    if let (Some(wanted), [_, ..]) = (&wanted.platform, report.platforms.as_slice()) {
        return !report
            .platforms
            .iter()
            .any(|platform| platform.contradicts(wanted));
    }
    let Some(family) = &wanted.family else { return true };
    let families = &report.families;
    families.is_empty() || families.contains(family) || families.iter().any(|f| !f.is_known())
}

/// Whether both texts mean the same carrier. Carriers are spelt in several ways: `Generic` and `GENERIC`, `AT_T` and
/// `ATT`; Verizon's devices say `VZW` (images.md §5).
fn is_same_carrier(one: &str, other: &str) -> bool {
    let plain = |carrier: &str| -> String {
        let letters: String = carrier
            .chars()
            .filter(|c| c.is_ascii_alphanumeric())
            .map(|c| c.to_ascii_uppercase())
            .collect();
        if letters == "VERIZON" {
            "VZW".to_string()
        } else {
            letters
        }
    };
    plain(one) == plain(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn carriers_are_compared_loosely() {
        for (one, other) in [
            ("Generic", "GENERIC"),
            ("AT_T", "att"),
            ("Verizon", "VZW"),
            ("GENNA-UMTS", "gennaumts"),
        ] {
            assert!(is_same_carrier(one, other), "{one} {other}");
        }
        assert!(!is_same_carrier("VERIZON", "GENERIC"));
    }
}
