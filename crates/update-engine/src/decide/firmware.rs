//! The images of a run: checked files with the way to their bytes.

use std::io::Read;
use std::ops::Range;

use firmware_image::source::{self, FileError, FirmwareFile, FirmwareSet, ImageSource};
use firmware_image::{Combination, FileKind, Finding, Report, VerifiedReader, combine};
use modem_protocol::conversation::ProtocolError;
use modem_protocol::qdl;

use crate::run::ImageFeed;
use crate::told::{Cause, Layer};

/// Checked images in the order in which they are sent, the largest first.
pub struct Firmware {
    images: Vec<(Report, Box<dyn ImageSource>)>,
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
        let mut images: Vec<(Report, Box<dyn ImageSource>)> = combination
            .order
            .iter()
            .filter_map(|&place| places.get_mut(place).and_then(Option::take))
            .collect();
        for name in superfluous {
            // The same name can stand for both: only a second one goes.
            if let Some(place) = images.iter().rposition(|(report, _)| report.name == name) {
                if images.len() > 1 {
                    images.remove(place);
                }
            }
        }
        Self { images, combination }
    }

    /// The images in the order in which they are sent.
    pub fn reports(&self) -> impl ExactSizeIterator<Item = &Report> {
        self.images.iter().map(|(report, _)| report)
    }

    /// The images with the way to their bytes, in the same order.
    pub fn images(&self) -> impl ExactSizeIterator<Item = (&Report, &dyn ImageSource)> {
        self.images
            .iter()
            .map(|(report, source)| (report, source.as_ref()))
    }

    /// What the images are together.
    pub fn combination(&self) -> &Combination {
        &self.combination
    }

    /// The places of all images.
    pub(crate) fn all(&self) -> Vec<usize> {
        (0..self.images.len()).collect()
    }

    fn chosen<'f>(&'f self, places: &'f [usize]) -> impl Iterator<Item = &'f Report> {
        let chosen = places.iter().filter_map(|place| self.images.get(*place));
        chosen.map(|(report, _)| report)
    }

    /// The images at these places as QDL sends them. Reads their headers.
    pub(crate) fn for_qdl(&self, places: &[usize]) -> Result<Vec<qdl::Image>, Cause> {
        let mut feed = self.feed(places);
        self.chosen(places)
            .enumerate()
            .map(|(image, report)| qdl_image(&mut feed, image, report))
            .collect()
    }

    /// The sizes of the images at these places as Firehose sends them.
    pub(crate) fn for_firehose(&self, places: &[usize]) -> Result<Vec<u64>, Cause> {
        let size = |(image, report): (usize, &Report)| match report.kind {
            FileKind::Cwe => Ok(report.size),
            FileKind::Gobi(_) => {
                let why = "Gobi files are for modems that speak QDL";
                let error = ProtocolError::Unsendable { image, why };
                Err(Cause::Protocol {
                    layer: Layer::Firehose,
                    error,
                })
            }
        };
        self.chosen(places).enumerate().map(size).collect()
    }

    /// The way to the bytes of the images at these places; the first of them is image 0.
    pub(crate) fn feed(&self, places: &[usize]) -> Feed<'_> {
        Feed {
            firmware: self,
            places: places.to_vec(),
            open: None,
        }
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

fn qdl_image(feed: &mut Feed<'_>, place: usize, report: &Report) -> Result<qdl::Image, Cause> {
    let image = match report.kind {
        FileKind::Cwe => {
            let mut header = [0; qdl::Image::CWE_HEADER];
            feed.fill(place, 0..400, &mut header)?;
            qdl::Image::cwe(&header, report.size)
        }
        FileKind::Gobi(kind) => qdl::Image::gobi(kind.qdl_code().into(), report.size),
    };
    image.map_err(|error| {
        tracing::info!(file = report.name, %error, "not for QDL");
        let why = match error {
            qdl::ImageError::Large { .. } => "it has more bytes than QDL can count",
            qdl::ImageError::Empty => "it has no data",
            _ => "QDL doesn't know this kind",
        };
        let error = ProtocolError::Unsendable { image: place, why };
        Cause::Protocol {
            layer: Layer::Qdl,
            error,
        }
    })
}

/// Reads images front to back, each byte compared with the check before it is handed on.
pub(crate) struct Feed<'f> {
    firmware: &'f Firmware,
    places: Vec<usize>,
    open: Option<Open<'f>>,
}

impl<'f> Feed<'f> {
    fn image(&self, image: usize) -> Option<&'f (Report, Box<dyn ImageSource>)> {
        self.firmware.images.get(*self.places.get(image)?)
    }
}

struct Open<'f> {
    image: usize,
    at: u64,
    reader: VerifiedReader<Box<dyn Read + Send + 'f>>,
}

impl ImageFeed for Feed<'_> {
    fn size(&self, image: usize) -> u64 {
        self.image(image).map_or(0, |(report, _)| report.size)
    }

    fn fill(&mut self, image: usize, range: Range<u64>, buffer: &mut [u8]) -> Result<(), Cause> {
        let Some((report, source)) = self.image(image) else {
            return Err(Cause::Bug {
                what: format!("image {image} was asked for"),
            });
        };
        let changed = |error: std::io::Error| Cause::ImageChanged {
            file: report.name.clone(),
            why: error.to_string(),
        };
        let mut open = match self.open.take() {
            Some(open) if open.image == image && open.at <= range.start => open,
            _ => {
                let reader = source.open().map_err(changed)?;
                Open {
                    image,
                    at: 0,
                    reader: VerifiedReader::new(reader, report.fingerprint.clone()),
                }
            }
        };
        let mut skip = range.start.saturating_sub(open.at);
        while skip > 0 {
            let mut piece = [0; 4096];
            let count = usize::try_from(skip).unwrap_or(usize::MAX).min(piece.len());
            let Some(part) = piece.get_mut(..count) else { break };
            open.reader.read_exact(part).map_err(changed)?;
            skip = skip.saturating_sub(u64::try_from(count).unwrap_or(u64::MAX));
        }
        open.reader.read_exact(buffer).map_err(changed)?;
        open.at = range.end;
        self.open = Some(open);
        Ok(())
    }
}
