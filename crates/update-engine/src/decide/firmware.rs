//! The images of a run: checked files with the way to their bytes.

use std::sync::OnceLock;

use firmware_image::source::{self, FileError, FirmwareFile, FirmwareSet, ImageSource};
use firmware_image::{Combination, Finding, Report, combine};
use modem_protocol::qdl;
use serde::{Deserialize, Serialize};

use crate::told::Cause;

/// A checked image with the way to its bytes.
pub(super) struct Checked {
    pub(super) report: Report,
    pub(super) source: Box<dyn ImageSource>,
    /// The image as QDL sends it, once its header was read.
    pub(super) for_qdl: OnceLock<qdl::Image>,
}

/// An image, named by what it is and not by where it lies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ImageName {
    /// The name of its file, for people.
    pub(crate) file: String,
    /// Its size in bytes.
    pub(crate) size: u64,
    /// The checksum of its bytes ([`Fingerprint::sum`](firmware_image::Fingerprint::sum)), in hex.
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

    /// Whether both name the same bytes.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.size == other.size && self.sum == other.sum
    }
}

/// Checked images in the order in which they are sent, the largest first.
pub struct Firmware {
    images: Vec<Checked>,
    combination: Combination,
}

/// Bytes read in one piece while an image is checked or passed over.
const PIECE: usize = 64 * 1024;

impl Firmware {
    /// Reads and checks images: every checksum of every level, in one pass.
    ///
    /// # Errors
    /// The first file that can't be read or isn't an image. What is wrong with the contents of an image stands in
    /// its report's findings instead and is judged by [`prepare`](crate::update::prepare).
    pub fn check(sources: Vec<Box<dyn ImageSource>>) -> Result<Self, Cause> {
        let mut checked = Vec::with_capacity(sources.len());
        for source in sources {
            let report = inspect(source.as_ref())?;
            checked.push((report, source));
        }
        Ok(Self::from_reports(checked))
    }

    /// Images that were checked already. A file that is there twice is taken once.
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
            // The same name can stand for both: only a second one goes.
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

    /// The images with the way to their bytes, in the same order.
    pub fn images(&self) -> impl ExactSizeIterator<Item = (&Report, &dyn ImageSource)> {
        self.images
            .iter()
            .map(|image| (&image.report, image.source.as_ref()))
    }

    /// What the images are together.
    pub fn combination(&self) -> &Combination {
        &self.combination
    }

    pub(super) fn checked(&self) -> &[Checked] {
        &self.images
    }

    /// The images by size and sum, in their order: what another run needs to know the same images again.
    pub(crate) fn names(&self) -> Vec<ImageName> {
        self.reports().map(ImageName::of).collect()
    }
}

impl From<FirmwareSet> for Firmware {
    /// The images of a set that was chosen.
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
            FileError::Image(_) => Cause::ImageDamaged { file, why },
        }
    })
}
