//! What a check found: one variant for each kind of finding, with its facts and its severity.

use crate::{Family, NameNote, Platform, Text, VersionKind, VersionSource, cwe::ImageType, nvup::NvChange};
use alloc::{string::String, vec::Vec};
use core::fmt;

/// How serious a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// Worth reading before continuing.
    Warning,
    /// The user could damage the modem or no longer reach it. The program asks the user; a script has to agree with
    /// an option.
    StrongWarning,
    /// The file is damaged, or contradicts itself or another file. The program refuses it unless the user forces it.
    Error,
}

/// One finding. Offsets count from the file's start; `image` is an image's path in the tree, such as `0.1`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(tag = "finding", rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum Finding {
    /// A body's checksum is wrong, and the header declares it valid.
    BodyDamaged {
        /// Which image.
        image: String,
        /// Its type.
        image_type: ImageType,
        /// Offset of its header.
        offset: u64,
        /// The checksum that the header states.
        expected: u32,
        /// The checksum of the bytes.
        computed: u32,
    },
    /// A body's checksum is wrong, but the header marks it as not valid. In genuine files it is right even so.
    BodySuspicious {
        /// Which image.
        image: String,
        /// Its type.
        image_type: ImageType,
        /// Offset of its header.
        offset: u64,
        /// The checksum that the header states.
        expected: u32,
        /// The checksum of the bytes.
        computed: u32,
    },
    /// The product buffer of the outermost header doesn't have the stated checksum.
    HeaderDamaged {
        /// The checksum that the header states.
        expected: u32,
        /// The checksum of the bytes.
        computed: u32,
    },
    /// A header of an unknown revision.
    UnknownRevision {
        /// Which image.
        image: String,
        /// The revision.
        revision: u32,
    },
    /// An image of a type that isn't in the list.
    UnknownType {
        /// Which image.
        image: String,
        /// The type.
        image_type: Text<4>,
    },
    /// Bytes at the end of a composite image that no child covers.
    Uncovered {
        /// Which image.
        image: String,
        /// Offset of these bytes.
        offset: u64,
        /// How many they are.
        bytes: u64,
    },
    /// A delta: the differences from an older image. It fits only a modem with exactly that older image.
    Delta {
        /// Which image.
        image: String,
    },
    /// Four bytes of trailer follow the outermost image.
    TrailerFound,
    /// A doubt about how a version was read from a text.
    VersionDoubt {
        /// Where the text was found.
        source: VersionSource,
        /// The text.
        text: String,
        /// The doubt.
        note: NameNote,
    },
    /// Two places in one file state different versions.
    VersionsDisagree {
        /// Which value.
        kind: VersionKind,
        /// The value that is used.
        used: String,
        /// Where the used value was found.
        used_source: VersionSource,
        /// The other value.
        other: String,
        /// Where the other value was found.
        other_source: VersionSource,
    },
    /// By its name, the file is for other modems than its headers say. That is only a doubt: the headers count.
    FamilyDoubt {
        /// What the headers say.
        families: Vec<Family>,
        /// What the name says.
        named: Family,
    },
    /// The file's own headers are for different modems.
    FamilyContradiction {
        /// One image.
        image: String,
        /// What that image is for: `SWI9X30C`, `9x30 (product code 9X30)`.
        says: String,
        /// The other image. It is the same image if its version text contradicts its own product code.
        other_image: String,
        /// What the other image is for.
        other_says: String,
    },
    /// The settings change something that a user notices.
    SettingsChange {
        /// The change.
        change: NvChange,
    },
    /// The settings could not be read completely.
    SettingsNotRead {
        /// Offset in the file up to which the settings were understood.
        offset: u64,
        /// Items that were understood.
        items: u32,
    },
    /// Gobi files carry no checksum.
    Uncheckable,
    /// There are more findings of this severity than are listed.
    More {
        /// The severity of the findings that were left out.
        severity: Severity,
        /// How many were left out.
        count: usize,
    },
    /// Two files state different versions.
    VersionConflict {
        /// Which value.
        kind: VersionKind,
        /// The file whose value is used: the first by size.
        first_file: String,
        /// Its value.
        first: String,
        /// The other file.
        other_file: String,
        /// Its value.
        other: String,
    },
    /// One firmware, and settings for a version that differs in its last number only: some vendors' packages mix such
    /// numbers (field-reports.md I9).
    VersionsMixed {
        /// The firmware's file. Its version is used.
        first_file: String,
        /// Its version.
        first: String,
        /// The settings' file.
        other_file: String,
        /// The version that the settings are for.
        other: String,
    },
    /// Two files are for different families.
    FamilyConflict {
        /// One file.
        first_file: String,
        /// Its families.
        first: Vec<Family>,
        /// The other file.
        other_file: String,
        /// Its families.
        other: Vec<Family>,
    },
    /// Two files are for different platforms.
    PlatformConflict {
        /// One file.
        first_file: String,
        /// Its platform.
        first: Platform,
        /// The other file.
        other_file: String,
        /// Its platform.
        other: Platform,
    },
    /// Two files hold the same image.
    SameImageTwice {
        /// The first of them.
        first_file: String,
        /// The other one, which isn't needed.
        other_file: String,
    },
    /// A boot loader on its own, without the package it belongs to.
    BootWithoutPackage {
        /// The file.
        file: String,
    },
    /// Firmware without the carrier's settings.
    FirmwareWithoutConfig {
        /// The firmware's file.
        file: String,
    },
    /// Settings without firmware.
    ConfigWithoutFirmware {
        /// The settings' file.
        file: String,
    },
    /// No file states the value.
    VersionMissing {
        /// Which value.
        kind: VersionKind,
    },
}

impl Finding {
    /// How serious the finding is.
    pub const fn severity(&self) -> Severity {
        match self {
            Self::BodyDamaged { .. }
            | Self::HeaderDamaged { .. }
            | Self::VersionConflict { .. }
            | Self::FamilyConflict { .. }
            | Self::FamilyContradiction { .. }
            | Self::PlatformConflict { .. } => Severity::Error,
            // A delta that is applied to a different base than its own leaves a broken system.
            Self::BodySuspicious { .. }
            | Self::BootWithoutPackage { .. }
            | Self::Delta { .. }
            | Self::VersionsMixed { .. } => Severity::StrongWarning,
            Self::SettingsChange { change } => {
                if change.moves_ports() {
                    Severity::StrongWarning
                } else {
                    Severity::Note
                }
            }
            Self::VersionDoubt { note, .. } => note.severity(),
            Self::More { severity, .. } => *severity,
            // Genuine packages contain boot loaders and settings of other versions (images.md §7).
            Self::VersionsDisagree { other_source, .. } => match other_source {
                VersionSource::InnerImage { .. } => Severity::Note,
                VersionSource::RootHeader | VersionSource::FileName => Severity::Warning,
            },
            Self::UnknownRevision { .. }
            | Self::FamilyDoubt { .. }
            | Self::SettingsNotRead { .. }
            | Self::SameImageTwice { .. }
            | Self::FirmwareWithoutConfig { .. }
            | Self::ConfigWithoutFirmware { .. } => Severity::Warning,
            Self::UnknownType { .. }
            | Self::Uncovered { .. }
            | Self::TrailerFound
            | Self::Uncheckable
            | Self::VersionMissing { .. } => Severity::Note,
        }
    }

    /// A stable code for programs and the documentation.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::BodyDamaged { .. } => "IMAGE-DAMAGED",
            Self::BodySuspicious { .. } => "IMAGE-SUSPICIOUS",
            Self::HeaderDamaged { .. } => "IMAGE-HEADER-DAMAGED",
            Self::UnknownRevision { .. } => "IMAGE-REVISION",
            Self::UnknownType { .. } => "IMAGE-TYPE-UNKNOWN",
            Self::Uncovered { .. } => "IMAGE-UNCOVERED",
            Self::Delta { .. } => "IMAGE-DELTA",
            Self::TrailerFound => "IMAGE-TRAILER",
            Self::VersionDoubt { .. } => "VERSION-DOUBT",
            Self::VersionsDisagree { .. } => "VERSION-DISAGREES",
            Self::FamilyDoubt { .. } => "FAMILY-DOUBT",
            Self::FamilyContradiction { .. } => "FAMILY-CONTRADICTION",
            Self::SettingsChange { .. } => "SETTINGS-CHANGE",
            Self::SettingsNotRead { .. } => "SETTINGS-NOT-READ",
            Self::Uncheckable => "IMAGE-UNCHECKABLE",
            Self::More { .. } => "MORE",
            Self::VersionConflict { .. } => "VERSION-CONFLICT",
            Self::VersionsMixed { .. } => "VERSION-MIXED",
            Self::FamilyConflict { .. } => "FAMILY-CONFLICT",
            Self::PlatformConflict { .. } => "PLATFORM-CONFLICT",
            Self::SameImageTwice { .. } => "IMAGE-TWICE",
            Self::BootWithoutPackage { .. } => "BOOT-WITHOUT-PACKAGE",
            Self::FirmwareWithoutConfig { .. } => "FIRMWARE-WITHOUT-CONFIG",
            Self::ConfigWithoutFirmware { .. } => "CONFIG-WITHOUT-FIRMWARE",
            Self::VersionMissing { .. } => "VERSION-MISSING",
        }
    }
}

/// How many findings of one severity are kept. Without a limit a hostile file could cause thousands.
const LIMIT: usize = 64;

/// Collects findings and limits their number. Each severity has its own limit, so minor findings never displace worse
/// ones.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    kept: Vec<Finding>,
    dropped: [usize; 4],
}

impl Findings {
    pub(crate) fn add(&mut self, finding: Finding) {
        let severity = finding.severity();
        let kept = self
            .kept
            .iter()
            .filter(|other| other.severity() == severity)
            .count();
        if kept < LIMIT {
            self.kept.push(finding);
        } else if let Some(dropped) = self.dropped.get_mut(severity as usize) {
            *dropped = dropped.saturating_add(1);
        }
    }

    /// All of them, worst first.
    pub(crate) fn into_sorted(mut self) -> Vec<Finding> {
        let severities = [
            Severity::Note,
            Severity::Warning,
            Severity::StrongWarning,
            Severity::Error,
        ];
        for (severity, count) in severities.into_iter().zip(self.dropped) {
            if count > 0 {
                self.kept.push(Finding::More { severity, count });
            }
        }
        self.kept
            .sort_by_key(|finding| core::cmp::Reverse(finding.severity()));
        self.kept
    }
}

/// Families as `9x07 or 9x06`.
pub(crate) struct Listed<'a>(pub(crate) &'a [Family]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, family) in self.0.iter().enumerate() {
            let before = if place == 0 { "" } else { " or " };
            write!(f, "{before}{family}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BodyDamaged {
                image,
                image_type,
                offset,
                expected,
                computed,
            } => write!(
                f,
                "image {image} ({image_type}) at offset {offset} is damaged: checksum {computed:08x}, \
                 the header says {expected:08x}"
            ),
            Self::BodySuspicious {
                image,
                image_type,
                offset,
                expected,
                computed,
            } => write!(
                f,
                "image {image} ({image_type}) at offset {offset} is probably damaged: checksum {computed:08x}, \
                 the header says {expected:08x} (the header marks its checksum as not valid, but in genuine files it is right even so)"
            ),
            Self::HeaderDamaged { expected, computed } => write!(
                f,
                "the header is damaged: its first 256 bytes have checksum {computed:08x}, the header says {expected:08x}"
            ),
            Self::UnknownRevision { image, revision } => {
                write!(
                    f,
                    "image {image} has header revision {revision}; every known file has 3"
                )
            }
            Self::UnknownType { image, image_type } => {
                write!(f, "image {image} has the unknown type {:?}", image_type.as_str())
            }
            Self::Uncovered { image, offset, bytes } => {
                write!(
                    f,
                    "{bytes} bytes at offset {offset}, the end of image {image}, belong to no inner image"
                )
            }
            Self::Delta { image } => {
                write!(
                    f,
                    "image {image} is a delta: it fits only a modem with the version it starts from"
                )
            }
            Self::TrailerFound => write!(f, "a trailer of 4 bytes follows the image"),
            Self::VersionDoubt { source, text, note } => write!(f, "{source} {text:?}: {note}"),
            Self::VersionsDisagree {
                kind,
                used,
                used_source,
                other,
                other_source,
            } => write!(
                f,
                "the {used_source} says {kind} {used}, the {other_source} says {other}; {used} is used"
            ),
            Self::FamilyDoubt { families, named } => write!(
                f,
                "by its name the file is for {named}, by its headers for {}; the headers count",
                Listed(families)
            ),
            Self::FamilyContradiction {
                image,
                says,
                other_image,
                other_says,
            } if image == other_image => write!(
                f,
                "image {image} contradicts itself: its version is for {says}, but it is for {other_says}"
            ),
            Self::FamilyContradiction {
                image,
                says,
                other_image,
                other_says,
            } => write!(
                f,
                "image {image} is for {says}, but image {other_image} of the same file is for {other_says}"
            ),
            Self::SettingsChange { change } => fmt::Display::fmt(change, f),
            Self::SettingsNotRead { offset, items } => write!(
                f,
                "the settings were understood up to offset {offset} only ({items} items); \
                 what follows was not looked at"
            ),
            Self::Uncheckable => write!(f, "files of this kind carry no checksum: damage can't be seen"),
            Self::More { count, .. } => write!(f, "{count} more of this severity"),
            Self::VersionConflict {
                kind,
                first_file,
                first,
                other_file,
                other,
            } => {
                write!(
                    f,
                    "{first_file} is {kind} {first}, but {other_file} is {kind} {other}"
                )
            }
            Self::VersionsMixed {
                first_file,
                first,
                other_file,
                other,
            } => {
                write!(
                    f,
                    "{first_file} is firmware version {first}, but {other_file} holds settings for {other}; \
                     some vendors ship such pairs, but a modem may refuse them"
                )
            }
            Self::FamilyConflict {
                first_file,
                first,
                other_file,
                other,
            } => write!(
                f,
                "{first_file} is for {}, but {other_file} is for {}",
                Listed(first),
                Listed(other)
            ),
            Self::PlatformConflict {
                first_file,
                first,
                other_file,
                other,
            } => write!(f, "{first_file} is for {first}, but {other_file} is for {other}"),
            Self::SameImageTwice {
                first_file,
                other_file,
            } => {
                write!(f, "{first_file} and {other_file} hold the same image")
            }
            Self::BootWithoutPackage { file } => {
                write!(f, "{file} is a boot loader without the package it belongs to")
            }
            Self::FirmwareWithoutConfig { file } => {
                write!(
                    f,
                    "{file} is firmware, and no file contains the carrier's settings (.nvu)"
                )
            }
            Self::ConfigWithoutFirmware { file } => {
                write!(
                    f,
                    "{file} holds settings, and no file contains the firmware (.cwe)"
                )
            }
            Self::VersionMissing { kind } => write!(f, "no file states the {kind}"),
        }
    }
}
