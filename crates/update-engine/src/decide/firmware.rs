//! The images of a run: checked files, with access to their bytes.

use std::sync::OnceLock;

use firmware_image::source::{self, FileError, FirmwareFile, FirmwareSet, ImageSource};
use firmware_image::{Combination, Finding, Report, combine};
use modem_protocol::qdl;
use serde::{Deserialize, Serialize};

use crate::told::Cause;

/// A checked image, with access to its bytes.
pub(super) struct Checked {
    pub(super) report: Report,
    pub(super) source: Box<dyn ImageSource>,
    /// The image as QDL sends it. Empty until the image's header is read.
    pub(super) for_qdl: OnceLock<qdl::Image>,
}

/// An image, identified by its contents and not by where its file is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ImageName {
    /// The name of the file, for people.
    pub(crate) file: String,
    /// The size in bytes.
    pub(crate) size: u64,
    /// The checksum of the bytes ([`Fingerprint::sum`](firmware_image::Fingerprint::sum)), in hex.
    pub(crate) sum: String,
}

impl ImageName {
    fn of(report: &Report) -> Self {
        Self {
            file: report.name.clone(),
            size: report.size,
            sum: format!("{:08x}", report.fingerprint.sum()),
        }
    }

    /// Whether both stand for the same bytes. The names of the files don't matter.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.size == other.size && self.sum == other.sum
    }
}

/// Checked images in the order in which they are sent, the largest first.
pub struct Firmware {
    images: Vec<Checked>,
    combination: Combination,
}

/// Bytes in one read while an image is checked.
const PIECE: usize = 64 * 1024;

impl Firmware {
    /// Reads and checks images, every checksum of every level, in one pass.
    ///
    /// # Errors
    /// A file can't be read or isn't an image; the first such file ends the check. Damage inside an image is no error here:
    /// it is in the findings of the image's report, which [`prepare`](crate::update::prepare) judges.
    pub fn check(sources: Vec<Box<dyn ImageSource>>) -> Result<Self, Cause> {
        let mut checked = Vec::with_capacity(sources.len());
        for source in sources {
            let report = inspect(source.as_ref())?;
            checked.push((report, source));
        }
        Ok(Self::from_reports(checked))
    }

    /// Takes images that were checked already. If the same image is there twice, only one of them is kept.
    pub fn from_reports(checked: Vec<(Report, Box<dyn ImageSource>)>) -> Self {
        let reports: Vec<&Report> = checked.iter().map(|(report, _)| report).collect();
        let combination = combine(&reports);
        let superfluous: Vec<String> = combination
            .findings
            .iter()
            .filter_map(|finding| match finding {
                Finding::SameImageTwice { other_file, .. } => Some(other_file.clone()),
                _ => None,
            })
            .collect();
        let mut places: Vec<Option<(Report, Box<dyn ImageSource>)>> = checked.into_iter().map(Some).collect();
        let mut images: Vec<Checked> = combination
            .order
            .iter()
            .filter_map(|&place| places.get_mut(place).and_then(Option::take))
            .map(|(report, source)| Checked {
                report,
                source,
                for_qdl: OnceLock::new(),
            })
            .collect();
        for name in superfluous {
            // Both images may have the same file name, so remove only the last one with this name.
            if let Some(place) = images.iter().rposition(|image| image.report.name == name) {
                if images.len() > 1 {
                    images.remove(place);
                }
            }
        }
        Self { images, combination }
    }

    /// The images in the order in which they are sent.
    pub fn reports(&self) -> impl ExactSizeIterator<Item = &Report> {
        self.images.iter().map(|image| &image.report)
    }

    /// The images with access to their bytes, in the order in which they are sent.
    pub fn images(&self) -> impl ExactSizeIterator<Item = (&Report, &dyn ImageSource)> {
        self.images
            .iter()
            .map(|image| (&image.report, image.source.as_ref()))
    }

    /// What the images say together.
    pub fn combination(&self) -> &Combination {
        &self.combination
    }

    pub(super) fn checked(&self) -> &[Checked] {
        &self.images
    }

    /// The images by size and checksum, in the order in which they are sent. By these another run recognises the images.
    pub(crate) fn names(&self) -> Vec<ImageName> {
        self.reports().map(ImageName::of).collect()
    }
}

impl From<FirmwareSet> for Firmware {
    /// Takes the images of a set that was chosen.
    fn from(set: FirmwareSet) -> Self {
        Self::from_reports(set.files.into_iter().map(FirmwareFile::into_parts).collect())
    }
}

impl std::fmt::Debug for Firmware {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&str> = self.reports().map(|report| report.name.as_str()).collect();
        f.debug_struct("Firmware")
            .field("images", &names)
            .finish_non_exhaustive()
    }
}

fn inspect(source: &dyn ImageSource) -> Result<Report, Cause> {
    source::check(source, PIECE).map_err(|error| {
        let (file, why) = (source.name().to_owned(), error.to_string());
        match error {
            FileError::Source(_) => Cause::ImageUnreadable { file, why },
            FileError::Image(_) => Cause::ImageDamaged {
                file,
                why,
                can_be_forced: false,
            },
        }
    })
}
