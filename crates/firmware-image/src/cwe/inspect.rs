//! The one pass over a file: its bytes go in, in pieces of any size, and the report comes out (cwe.md §5).
//!
//! Images are nested. Only after 400 bytes can the inspector know whether the bytes after a header are another image.
//! So it keeps the open images, from the outermost to the innermost (at most eight), 400 bytes, and the list of what it
//! found. Apart from that list it needs 4 bytes per 64 KiB of the file.

use super::{
    COUNT_LIMIT, DEPTH_LIMIT, HEADER_SIZE, HEADER_SIZE_U64, Header, HeaderError, ImageType, TRAILER,
    blocks::Blocks, judge::Judgements,
};
use crate::{
    FamilySource, FileKind, Finding, Foreign, GobiType, ImageError, ImageNode, Report, Trailer, Versions,
    crc::Sum, finding::Findings, gobi::base_name, nvup,
};
use alloc::{string::String, vec::Vec};

/// Checks one file while it streams by. Hand in all bytes with [`push`](Self::push), then call
/// [`finish`](Self::finish).
///
/// ```
/// use modemflash_firmware_image::{Inspector, Severity, generate::models};
/// let bytes = models::package().build("package.cwe")?.to_vec();
/// let mut inspector = Inspector::new("package.cwe", bytes.len() as u64);
/// for piece in bytes.chunks(64 * 1024) {
///     inspector.push(piece)?;
/// }
/// let report = inspector.finish()?;
/// assert_eq!(report.versions.firmware.as_ref().unwrap().text, "02.33.03.00");
/// assert_ne!(report.worst(), Some(Severity::Error));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Inspector {
    name: String,
    size: u64,
    kind: FileKind,
    offset: u64,
    state: InspectorState,
    blocks: Blocks,
    images: Vec<ImageNode>,
    /// The images around the present offset, outermost first.
    open: Vec<Open>,
    header: [u8; HEADER_SIZE],
    tail: [u8; 4],
    settings: nvup::Decoder,
    has_settings: bool,
    findings: Findings,
    failed: Option<ImageError>,
}

#[derive(Debug)]
enum InspectorState {
    /// Collecting the 400 bytes that may be a header.
    Header { filled: usize, buffer: Sum, rest: Sum },
    /// Inside the innermost open image; no header is expected before that image ends.
    Opaque,
    /// After the outermost image.
    Tail { filled: usize },
    /// A file without structure.
    Plain,
}

impl InspectorState {
    fn header() -> Self {
        Self::Header {
            filled: 0,
            buffer: Sum::new(),
            rest: Sum::new(),
        }
    }
}

/// An image around the present offset.
struct Open {
    /// The image's index in the list.
    place: usize,
    end: u64,
    header: Sum,
    body: Sum,
    /// Whether the body is settings, which are decoded.
    is_settings: bool,
}

impl Inspector {
    /// Begins with a file of `size` bytes. The name decides whether it is a Gobi file, and may contain versions; a path
    /// is fine.
    pub fn new(name: &str, size: u64) -> Self {
        let kind = GobiType::of_name(name).map_or(FileKind::Cwe, FileKind::Gobi);
        let state = match kind {
            FileKind::Cwe => InspectorState::header(),
            FileKind::Gobi(_) => InspectorState::Plain,
        };
        let mut inspector = Self {
            name: name.into(),
            size,
            kind,
            offset: 0,
            state,
            blocks: Blocks::default(),
            images: Vec::new(),
            open: Vec::new(),
            header: [0; HEADER_SIZE],
            tail: [0; 4],
            settings: nvup::Decoder::default(),
            has_settings: false,
            findings: Findings::default(),
            failed: None,
        };
        inspector.failed = inspector.size_problem();
        inspector
    }

    /// The error if the size alone shows that the file can't be sent.
    fn size_problem(&self) -> Option<ImageError> {
        let size = self.size;
        if size == 0 {
            return Some(ImageError::EmptyFile);
        }
        if let FileKind::Gobi(kind) = self.kind {
            let limit = u64::from(u32::MAX);
            if size > limit {
                return Some(ImageError::TooLarge { size, limit });
            }
            let smallest = kind.unsent_tail();
            return (size <= smallest).then(|| ImageError::TooSmall {
                name: base_name(&self.name).into(),
                size,
                limit: smallest,
            });
        }
        None
    }

    /// Takes the next bytes of the file, in pieces of any size; pieces of 64 KiB and more are fastest.
    ///
    /// # Errors
    /// The file isn't an image. After an error, every further call returns the same error.
    pub fn push(&mut self, mut bytes: &[u8]) -> Result<(), ImageError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let outcome = self.consume(&mut bytes);
        if let Err(error) = &outcome {
            self.failed = Some(error.clone());
        }
        outcome
    }

    fn consume(&mut self, bytes: &mut &[u8]) -> Result<(), ImageError> {
        while !bytes.is_empty() {
            if self.offset >= self.size {
                return Err(ImageError::Grew { size: self.size });
            }
            match &mut self.state {
                InspectorState::Header { filled, buffer, rest } => {
                    // The product buffer has a checksum of its own, so it is summed separately. `judge_header` joins
                    // both sums to that of the header.
                    let (until, sum) = if *filled < 256 {
                        (256, buffer)
                    } else {
                        (HEADER_SIZE, rest)
                    };
                    let piece = split_off(bytes, until.saturating_sub(*filled));
                    self.blocks.absorb(piece, sum);
                    if let Some(place) = self.header.get_mut(*filled..*filled + piece.len()) {
                        place.copy_from_slice(piece);
                    }
                    *filled += piece.len();
                    self.offset = self.offset.saturating_add(length(piece));
                    if *filled == HEADER_SIZE {
                        self.judge_header()?;
                    }
                }
                InspectorState::Opaque => {
                    let Some(image) = self.open.last_mut() else {
                        self.state = InspectorState::Tail { filled: 0 };
                        continue;
                    };
                    let left = usize::try_from(image.end.saturating_sub(self.offset)).unwrap_or(usize::MAX);
                    let piece = split_off(bytes, left);
                    self.blocks.absorb(piece, &mut image.body);
                    if image.is_settings {
                        self.settings.push(piece);
                    }
                    self.offset = self.offset.saturating_add(length(piece));
                    self.close_ended();
                }
                InspectorState::Tail { filled } => {
                    let room = self.tail.len().saturating_sub(*filled);
                    let piece = split_off(bytes, room);
                    if piece.is_empty() {
                        return Err(ImageError::Grew { size: self.size });
                    }
                    self.blocks.absorb(piece, &mut Sum::new());
                    if let Some(place) = self.tail.get_mut(*filled..*filled + piece.len()) {
                        place.copy_from_slice(piece);
                    }
                    *filled += piece.len();
                    self.offset = self.offset.saturating_add(length(piece));
                }
                InspectorState::Plain => {
                    let left = usize::try_from(self.size.saturating_sub(self.offset)).unwrap_or(usize::MAX);
                    let piece = split_off(bytes, left);
                    self.blocks.absorb(piece, &mut Sum::new());
                    // Keep the beginning, to recognise downloads that went wrong.
                    let filled = usize::try_from(self.offset).unwrap_or(usize::MAX);
                    let beginning = self.header.get_mut(filled..).unwrap_or_default();
                    for (place, byte) in beginning.iter_mut().zip(piece) {
                        *place = *byte;
                    }
                    self.offset = self.offset.saturating_add(length(piece));
                }
            }
        }
        Ok(())
    }

    /// Judges the last 400 bytes: either an image begins with them, or from here on the body around them is opaque.
    fn judge_header(&mut self) -> Result<(), ImageError> {
        let InspectorState::Header { buffer, rest, .. } =
            core::mem::replace(&mut self.state, InspectorState::Opaque)
        else {
            return Ok(());
        };
        let start = self.offset.saturating_sub(HEADER_SIZE_U64);
        let buffer_crc = buffer.value();
        let mut sum = buffer;
        sum.append(&rest);
        let parsed = Header::parse(&self.header);
        let Some(parent) = self.open.last_mut() else {
            let header = parsed.map_err(|problem| self.explain(problem))?;
            return self.open_root(header, buffer_crc, sum);
        };
        let fits = parsed.ok().filter(|header| {
            header.product_buffer_crc == buffer_crc && start.saturating_add(header.total_size()) <= parent.end
        });
        let Some(header) = fits else {
            // Not a header but data of the surrounding image; its sum is known already.
            parent.body.append(&sum);
            if parent.is_settings {
                self.settings.push(&self.header);
            }
            self.close_ended();
            return Ok(());
        };
        let parent_place = parent.place;
        if self.open.len() >= DEPTH_LIMIT {
            return Err(ImageError::TooDeep {
                limit: DEPTH_LIMIT,
                offset: start,
            });
        }
        if self.images.len() >= COUNT_LIMIT {
            return Err(ImageError::TooMany {
                limit: COUNT_LIMIT,
                offset: start,
            });
        }
        if let Some(parent) = self.images.get_mut(parent_place) {
            parent.children += 1;
        }
        self.open_image(header, start, Some(parent_place), sum);
        Ok(())
    }

    /// The error for the first 400 bytes if they aren't a header.
    fn explain(&self, problem: HeaderError) -> ImageError {
        if let Some(foreign) = Foreign::recognise(&self.header) {
            return ImageError::Foreign { foreign };
        }
        match problem {
            HeaderError::NotText { field } => ImageError::NotAnImage {
                field,
                offset: field.offset(),
            },
            HeaderError::Empty => ImageError::NoBody,
            HeaderError::Incomplete { .. } => ImageError::HeaderIncomplete { size: self.size },
        }
    }

    fn open_root(&mut self, header: Header, buffer_crc: u32, sum: Sum) -> Result<(), ImageError> {
        let end = header.total_size();
        let (expected, computed) = (header.product_buffer_crc, buffer_crc);
        if expected != computed {
            if let Some(foreign) = Foreign::recognise(&self.header) {
                return Err(ImageError::Foreign { foreign });
            }
            if self.size != end {
                return Err(ImageError::NotAHeader { expected, computed });
            }
        }
        if self.size < end {
            return Err(ImageError::Truncated {
                expected: u64::from(header.body_size),
                got: self.size.saturating_sub(HEADER_SIZE_U64),
                missing: end.saturating_sub(self.size),
            });
        }
        let surplus = self.size.saturating_sub(end);
        let trailer_size = length(&TRAILER);
        if surplus != 0 && surplus != trailer_size {
            return Err(ImageError::Surplus {
                surplus,
                end,
                size: self.size,
            });
        }
        if expected != computed {
            self.findings.add(Finding::HeaderDamaged { expected, computed });
        }
        self.open_image(header, 0, None, sum);
        Ok(())
    }

    fn open_image(&mut self, header: Header, start: u64, parent: Option<usize>, sum: Sum) {
        let end = start.saturating_add(header.total_size());
        let image_type = header.image_type;
        let is_settings = matches!(image_type, ImageType::NvUpdate | ImageType::Archive);
        if is_settings {
            self.settings.start();
            self.has_settings |= image_type == ImageType::NvUpdate;
        }
        let place = self.images.len();
        self.images.push(ImageNode {
            parent,
            depth: self.open.len() + 1,
            start,
            end,
            header,
            computed_crc: 0,
            children: 0,
            uncovered: 0,
        });
        self.open.push(Open {
            place,
            end,
            header: sum,
            body: Sum::new(),
            is_settings,
        });
        // Headers inside META describe the target of a delta; they aren't images of this file (cwe.md §5).
        let may_nest = image_type != ImageType::Meta && !is_settings;
        let room = end.saturating_sub(self.offset);
        self.state = if may_nest && room > HEADER_SIZE_U64 {
            InspectorState::header()
        } else {
            InspectorState::Opaque
        };
    }

    /// Closes every image that ends here, then prepares for the next sibling of the last one.
    fn close_ended(&mut self) {
        let mut has_closed = false;
        while self.open.last().is_some_and(|image| image.end <= self.offset) {
            let Some(image) = self.open.pop() else { break };
            self.close(image, has_closed);
            has_closed = true;
        }
        if !has_closed {
            return;
        }
        self.state = match self.open.last() {
            None => InspectorState::Tail { filled: 0 },
            Some(parent) if parent.end.saturating_sub(self.offset) > HEADER_SIZE_U64 => {
                InspectorState::header()
            }
            Some(_) => InspectorState::Opaque,
        };
    }

    /// Ends an image. `is_covered` is true if a child of it ended at the same place.
    fn close(&mut self, image: Open, is_covered: bool) {
        let last_child_end = if is_covered { Some(image.end) } else { None };
        let child_end = last_child_end.or_else(|| {
            let children = self.images.iter().skip(image.place + 1).rev();
            children
                .filter(|child| child.parent == Some(image.place))
                .map(|child| child.end)
                .next()
        });
        let body_size = image.body.length();
        if let Some(node) = self.images.get_mut(image.place) {
            node.computed_crc = image.body.value();
            node.uncovered = child_end.map_or(0, |end| image.end.saturating_sub(end));
            if image.is_settings {
                if let Some(understood) = self.settings.end(body_size) {
                    self.findings.add(Finding::SettingsNotRead {
                        offset: node
                            .start
                            .saturating_add(HEADER_SIZE_U64)
                            .saturating_add(understood),
                        items: self.settings.items_read(),
                    });
                }
            }
        }
        if let Some(parent) = self.open.last_mut() {
            parent.body.append(&image.header);
            parent.body.append(&image.body);
        }
    }

    /// Ends the pass.
    ///
    /// # Errors
    /// The file isn't an image, or not all of its bytes came. Damage that leaves the structure readable is not an error
    /// here but a finding in the report.
    pub fn finish(mut self) -> Result<Report, ImageError> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        if self.offset < self.size {
            return Err(ImageError::EndedEarly {
                size: self.size,
                got: self.offset,
            });
        }
        // The file is too short for a header, but its first bytes may show what it is.
        if self.kind == FileKind::Cwe && self.images.is_empty() {
            return Err(match Foreign::recognise(&self.header) {
                Some(foreign) => ImageError::Foreign { foreign },
                None => ImageError::HeaderIncomplete { size: self.size },
            });
        }
        if let FileKind::Gobi(_) = self.kind {
            // A genuine Gobi file may be an ELF file.
            if let Some(foreign) = Foreign::recognise(&self.header).filter(|foreign| *foreign != Foreign::Elf)
            {
                return Err(ImageError::Foreign { foreign });
            }
        }
        let trailer = self.trailer()?;
        let mut report = Report {
            name: self.name,
            size: self.size,
            kind: self.kind,
            images: self.images,
            trailer,
            versions: Versions::default(),
            platforms: Vec::new(),
            families: Vec::new(),
            families_from: FamilySource::default(),
            settings: self.has_settings.then(|| self.settings.into_report()),
            findings: Vec::new(),
            summed_bytes: self.blocks.total(),
            fingerprint: self.blocks.finish(),
        };
        let judgements = Judgements::of(&report, self.findings);
        report.versions = judgements.versions;
        report.platforms = judgements.claims.platforms;
        report.families = judgements.claims.families;
        report.families_from = judgements.claims.source;
        report.findings = judgements.findings.into_sorted();
        Ok(report)
    }

    fn trailer(&self) -> Result<Option<Trailer>, ImageError> {
        let Some(root) = self.images.first() else {
            return Ok(None);
        };
        if self.size == root.end {
            return Ok(None);
        }
        let mut backward = TRAILER;
        backward.reverse();
        if self.tail == TRAILER {
            Ok(Some(Trailer::Forward))
        } else if self.tail == backward {
            Ok(Some(Trailer::Backward))
        } else {
            let surplus = self.size.saturating_sub(root.end);
            Err(ImageError::Surplus {
                surplus,
                end: root.end,
                size: self.size,
            })
        }
    }
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

/// Takes at most `count` bytes from the front.
fn split_off<'b>(bytes: &mut &'b [u8], count: usize) -> &'b [u8] {
    let (piece, rest) = bytes.split_at_checked(count).unwrap_or((bytes, &[]));
    *bytes = rest;
    piece
}
