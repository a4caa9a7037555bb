//! The images of one download: which images, in which order, and access to their bytes.

use std::io::Read;
use std::ops::Range;

use firmware_image::{FileKind, VerifiedReader};
use modem_protocol::conversation::ProtocolError;
use modem_protocol::qdl;
use modem_protocol::qmi::dms::ImageType;

use super::firmware::{Checked, Firmware};
use super::fit;
use super::goal::{AskedImages, Which};
use crate::download::Named;
use crate::modem::{Opening, Protocol};
use crate::request::Request;
use crate::run::ImageFeed;
use crate::told::{Cause, Layer};

/// The images of one download in the order in which they are sent, with access to their bytes.
pub(crate) struct Shipment<'f> {
    images: Vec<&'f Checked>,
    of_device: Option<Opening>,
    of_images: Option<Opening>,
    is_again: bool,
    words: String,
    open: Option<Open<'f>>,
}

impl<'f> Shipment<'f> {
    /// A download without images: the session starts, and then the modem is restarted.
    pub(crate) const fn of_nothing(of_device: Option<Opening>) -> Self {
        Self {
            images: Vec::new(),
            of_device,
            of_images: None,
            is_again: false,
            words: String::new(),
            open: None,
        }
    }

    /// The images to send to a modem in download mode. `of_device` is what is known about the modem's boot loader. If the
    /// user vouches for the platform (`--as-platform`), `of_device` also counts for the images.
    pub(crate) fn of(
        request: &Request,
        firmware: &'f Firmware,
        which: Which,
        asked: AskedImages,
        of_device: Option<Opening>,
    ) -> Self {
        let claims = firmware.combination();
        Self {
            images: chosen(firmware, which, asked),
            of_images: match &request.as_platform {
                Some(_) => of_device,
                None => Opening::common(&claims.families),
            },
            words: fit::words(claims),
            ..Self::of_nothing(of_device)
        }
    }

    /// Checks that the images can be sent in the expected protocol. This reads the images' headers.
    ///
    /// # Errors
    /// The protocol can't send the images, or a file can't be read any more.
    pub(crate) fn check(&mut self) -> Result<(), Cause> {
        let protocol = self.of_device.or(self.of_images).map(Opening::protocol);
        match (self.for_qdl(), self.for_firehose(), protocol) {
            (Err(cause @ (Cause::ImageChanged { .. } | Cause::Bug { .. })), _, _)
            | (Err(cause), _, Some(Protocol::Qdl))
            | (_, Err(cause), Some(Protocol::SaharaFirehose))
            | (Err(cause), Err(_), None) => Err(cause),
            _ => Ok(()),
        }
    }

    /// The images' file names and sizes, as the events give them.
    pub(crate) fn names(&self) -> Vec<Named> {
        let named = |image: &&Checked| Named {
            file: image.report.name.clone(),
            bytes: image.report.size,
        };
        self.images.iter().map(named).collect()
    }

    /// How to open the session, judged by the modem and, if that tells nothing, by the images.
    pub(crate) const fn opening(&self) -> Option<Opening> {
        match (self.of_device, self.of_images) {
            (Some(opening), _) => Some(opening),
            // Images for QDL don't prove that the boot loader speaks QDL, and the first bytes of QDL spoil the start of a Sahara
            // boot loader (sahara-firehose.md §6.1).
            (None, Some(Opening::Qdl) | None) => None,
            // modemflash listens first, which harms no boot loader.
            (None, Some(opening)) => Some(opening),
        }
    }

    /// The boot loader has refused a session before: a Sahara boot loader gets no byte before it has had time to say hello.
    pub(crate) const fn listen_first(&mut self) {
        self.is_again = true;
    }

    /// Whether the boot loader has refused a session before.
    pub(crate) const fn is_again(&self) -> bool {
        self.is_again
    }

    /// The protocol of the images' family, if the images tell it.
    pub(crate) fn image_protocol(&self) -> Option<Protocol> {
        self.of_images.map(Opening::protocol)
    }

    /// What the images are for, in words.
    pub(crate) fn words(&self) -> &str {
        &self.words
    }

    /// The images as QDL sends them. This reads the headers that weren't read yet.
    ///
    /// # Errors
    /// QDL can't send them, or a file can't be read any more.
    pub(crate) fn for_qdl(&mut self) -> Result<Vec<qdl::Image>, Cause> {
        let images = self.images.clone();
        let image = |(place, image): (usize, &Checked)| self.qdl_image(place, image);
        images.into_iter().enumerate().map(image).collect()
    }

    fn qdl_image(&mut self, place: usize, checked: &Checked) -> Result<qdl::Image, Cause> {
        if let Some(image) = checked.for_qdl.get() {
            return Ok(image.clone());
        }
        let report = &checked.report;
        let image = match report.kind {
            FileKind::Cwe => {
                let mut header = [0; qdl::Image::CWE_HEADER];
                self.fill(place, 0..400, &mut header)?;
                qdl::Image::cwe(&header, report.size)
            }
            FileKind::Gobi(kind) => qdl::Image::gobi(kind.qdl_code().into(), report.size),
        };
        let image = image.map_err(|error| {
            tracing::info!(file = report.name, %error, "not for QDL");
            let why = match error {
                qdl::ImageError::Large { .. } => "the image has more bytes than QDL can count",
                qdl::ImageError::Empty => "the image has no data",
                _ => "QDL doesn't know this kind of image",
            };
            let error = ProtocolError::Unsendable { image: place, why };
            Cause::Protocol {
                layer: Layer::Qdl,
                error,
            }
        })?;
        Ok(checked.for_qdl.get_or_init(|| image).clone())
    }

    /// The sizes of the images in bytes, as Firehose needs them.
    ///
    /// # Errors
    /// Firehose can't send them.
    pub(crate) fn for_firehose(&self) -> Result<Vec<u64>, Cause> {
        let size = |(image, checked): (usize, &&Checked)| match checked.report.kind {
            FileKind::Cwe => Ok(checked.report.size),
            FileKind::Gobi(_) => {
                let why = "Gobi files are for modems that speak QDL";
                let error = ProtocolError::Unsendable { image, why };
                Err(Cause::Protocol {
                    layer: Layer::Firehose,
                    error,
                })
            }
        };
        self.images.iter().enumerate().map(size).collect()
    }
}

/// The images to send, in their order. An image that is neither firmware nor settings is sent, except with
/// [`Which::FirmwareOnly`], and the modem decides whether it takes the image. If no image would be left, all are sent.
fn chosen(firmware: &Firmware, which: Which, asked: AskedImages) -> Vec<&Checked> {
    let is_wanted = |kind: ImageType| match which {
        Which::FirmwareOnly => kind == ImageType::Modem,
        Which::Asked => asked.may_include(kind),
        Which::All => true,
    };
    let is_chosen = |image: &&Checked| {
        let report = &image.report;
        let (firmware, settings) = (report.brings_firmware(), report.brings_settings());
        (!firmware && !settings && which != Which::FirmwareOnly)
            || (firmware && is_wanted(ImageType::Modem))
            || (settings && is_wanted(ImageType::Pri))
    };
    let chosen: Vec<&Checked> = firmware.checked().iter().filter(is_chosen).collect();
    if chosen.is_empty() {
        firmware.checked().iter().collect()
    } else {
        chosen
    }
}

/// The image that is being read, from front to back. Each byte is compared with the result of the check before it is handed
/// on.
struct Open<'f> {
    image: usize,
    at: u64,
    reader: VerifiedReader<Box<dyn Read + Send + 'f>>,
}

impl ImageFeed for Shipment<'_> {
    fn size(&self, image: usize) -> u64 {
        self.images.get(image).map_or(0, |image| image.report.size)
    }

    fn fill(&mut self, image: usize, range: Range<u64>, buffer: &mut [u8]) -> Result<(), Cause> {
        let Some(Checked { report, source, .. }) = self.images.get(image) else {
            return Err(Cause::Bug {
                what: format!("the protocol asked for image {image}, which the download doesn't have"),
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
