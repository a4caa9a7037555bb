//! What is known about a file after one pass over it.

use crate::{
    Family, Finding, Fingerprint, GobiType, Header, Platform, Severity, Versions,
    cwe::{CrcIndicator, ImageType},
    nvup::NvReport,
};
use alloc::{string::String, string::ToString, vec::Vec};

/// A checked file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The file's name as it was given.
    pub name: String,
    /// Bytes of the file.
    pub size: u64,
    /// What kind of file it is.
    pub kind: FileKind,
    /// Every image, parents before children, in file order; the first is the outermost. Empty for Gobi files.
    pub images: Vec<ImageNode>,
    /// Four bytes after the outermost image.
    pub trailer: Option<Trailer>,
    /// Firmware version, config version and carrier as this file states them.
    pub versions: Versions,
    /// The platforms in the file's headers: usually one or none. There may be several, and then they either agree or
    /// cause a finding.
    pub platforms: Vec<Platform>,
    /// The families that the file may be for: one if that is certain, none if nothing in the file says so. A product
    /// code that isn't in the list counts as an unknown family.
    pub families: Vec<Family>,
    /// Where the families come from.
    pub families_from: FamilySource,
    /// What the settings in the file would change; `None` without settings.
    pub settings: Option<NvReport>,
    /// Everything a user should know, worst first.
    pub findings: Vec<Finding>,
    /// The checksums of the file's blocks, for [`VerifiedReader`](crate::VerifiedReader).
    pub fingerprint: Fingerprint,
    /// How many bytes were summed to make this report; always the file's size.
    pub summed_bytes: u64,
}

/// The kind of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum FileKind {
    /// CWE, SPK or NVU: one container for all.
    Cwe,
    /// A Gobi file without header; nothing in it can be checked.
    Gobi(GobiType),
}

/// Where the families of a file come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum FamilySource {
    /// Nothing in the file names a known family.
    #[default]
    Nothing,
    /// The headers: version texts and product codes.
    Header,
    /// Only the file's name. Anybody may rename a file, so a name never counts as a contradiction.
    FileName,
    /// The kind of file: a Gobi file has no header.
    FileKind,
}

/// One image of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct ImageNode {
    /// The parent's index in [`Report::images`].
    pub parent: Option<usize>,
    /// 1 for the outermost image.
    pub depth: usize,
    /// Offset of its header in the file.
    pub start: u64,
    /// Offset after the last byte: `start` + 400 + body size.
    pub end: u64,
    /// Its header.
    pub header: Header,
    /// The checksum that was computed over the body.
    pub computed_crc: u32,
    /// How many images the body contains directly; 0 if it contains none.
    pub children: usize,
    /// Bytes at the image's end that no child covers; 0 if it has no children.
    pub uncovered: u64,
}

/// The verdict on a body's checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum CrcVerdict {
    /// As the header states.
    Right,
    /// Different, and the header declares its checksum valid.
    Wrong,
    /// Different, but the header doesn't declare its checksum valid.
    WrongUndeclared,
}

/// The trailer after the outermost image (cwe.md §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum Trailer {
    /// `77 73 57 53`.
    Forward,
    /// `53 57 73 77`.
    Backward,
}

impl ImageNode {
    /// The verdict on the body's checksum.
    pub fn verdict(&self) -> CrcVerdict {
        if self.computed_crc == self.header.body_crc {
            CrcVerdict::Right
        } else if self.header.crc_indicator == CrcIndicator::Good {
            CrcVerdict::Wrong
        } else {
            CrcVerdict::WrongUndeclared
        }
    }
}

impl Report {
    /// The outermost image; `None` for Gobi files.
    pub fn root(&self) -> Option<&ImageNode> {
        self.images.first()
    }

    /// The type of the outermost image.
    pub fn root_type(&self) -> Option<ImageType> {
        self.root().map(|root| root.header.image_type)
    }

    /// The path of image `index` in the tree: `0`, `0.1`, `0.1.0`.
    pub fn path(&self, index: usize) -> String {
        let mut steps = Vec::new();
        let mut next = Some(index);
        while let Some(index) = next {
            let parent = self.images.get(index).and_then(|image| image.parent);
            let brothers = self.images.get(..index).unwrap_or_default();
            steps.push(
                brothers
                    .iter()
                    .filter(|image| image.parent == parent)
                    .count()
                    .to_string(),
            );
            // A parent always comes before its children; without this check a wrong index could loop for ever.
            next = parent.filter(|parent| *parent < index);
        }
        steps.reverse();
        steps.join(".")
    }

    /// Whether the file contains firmware: a boot loader, a modem system or an application system. Gobi files count
    /// as firmware.
    pub fn brings_firmware(&self) -> bool {
        match self.kind {
            FileKind::Cwe => crate::combine::is_firmware(self),
            FileKind::Gobi(_) => true,
        }
    }

    /// Whether the file contains a carrier's settings. A config version in its version text is enough.
    pub fn brings_settings(&self) -> bool {
        self.settings.is_some() || self.versions.config.is_some()
    }

    /// The worst finding's severity; `None` without findings.
    pub fn worst(&self) -> Option<Severity> {
        self.findings.iter().map(Finding::severity).max()
    }

    /// How many bytes are sent to the modem as data: the file without its header, or without a Gobi file's tail
    /// (qdl.md §5).
    pub fn data_size(&self) -> u64 {
        match self.kind {
            FileKind::Cwe => self.size.saturating_sub(crate::cwe::HEADER_SIZE_U64),
            FileKind::Gobi(kind) => self.size.saturating_sub(kind.unsent_tail()),
        }
    }
}
