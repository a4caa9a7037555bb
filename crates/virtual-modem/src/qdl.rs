//! The boot loader's side of DLOAD and QDL (qdl.md), written from the specification.

use modem_protocol::hdlc;
use modem_protocol::qdl::message::{
    DoneResponse, DoneStatus, ErrorCode, ErrorReport, FEATURES, HelloResponse, ImageType, OpenRequest,
    OpenResponse, OpenStatus, Request, Response, WriteHeader, WriteResponse, WriteStatus, command,
};
use modem_world::Instant;

use crate::board::Board;
use crate::memory::{HEADER, Header, ImageState, Writing};
use crate::profile::QdlTraits;
use crate::violation::Wrong;

/// The longest frame on the wire, in bytes: an open request of 413 bytes and its checksum, all escaped, and
/// two flags.
const LONGEST_FRAME: usize = 2 * (413 + 2) + 2;
/// The largest chunk that any boot loader takes (qdl.md §6).
const LARGEST_CHUNK: u32 = 64 * 1024 * 1024;

/// A QDL boot loader.
#[derive(Debug)]
pub(crate) struct Qdl {
    traits: QdlTraits,
    /// The boot loader speaks the streaming protocol and has left DLOAD.
    streaming: bool,
    /// The boot loader has accepted a hello.
    greeted: bool,
    wire: Wire,
    image: Option<Open>,
    /// Whether the last image arrived whole and waits for the end of the session.
    whole: Whole,
    last_byte: Instant,
}

/// The boot loader's position in the stream.
#[derive(Debug)]
enum Wire {
    Between,
    /// Skips bytes that belong to nothing.
    Lost,
    Frame(Vec<u8>),
    Header(Vec<u8>),
    Data {
        header: WriteHeader,
        left: u32,
        /// The data is refused and not written.
        refused: bool,
    },
}

/// An image that is being written.
#[derive(Debug)]
struct Open {
    writing: Writing,
    sequence: u16,
    largest_chunk: u32,
}

/// What the last image is waiting for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whole {
    Nothing,
    /// The host's "session done".
    Done {
        image_type: ImageType,
        rejected: bool,
    },
}

impl Qdl {
    pub(crate) const fn new(traits: QdlTraits) -> Self {
        Self {
            traits,
            streaming: !traits.starts_in_dload,
            greeted: false,
            wire: Wire::Between,
            image: None,
            whole: Whole::Nothing,
            last_byte: Instant::START,
        }
    }

    pub(crate) const fn in_data(&self) -> bool {
        self.image.is_some()
    }

    pub(crate) fn timer(&self, board: &Board) -> Instant {
        match self.wire {
            Wire::Data { .. } | Wire::Header(_) => self.last_byte + board.setup.timings.patience,
            _ => Instant::FAR,
        }
    }

    /// The host has been silent for too long in the middle of a write request.
    pub(crate) fn tick(&mut self, board: &mut Board, now: Instant) {
        if board.is_stalled(now) {
            self.last_byte = now;
            return;
        }
        let missing = match &self.wire {
            Wire::Data { left, .. } => u64::from(*left),
            _ => 0,
        };
        self.wire = Wire::Between;
        board.wrong(Wrong::LessThanAnnounced { missing }, now);
        self.give_up(board);
        self.error(ErrorCode::ReceiveTimeout, board, now);
    }

    pub(crate) fn receive(&mut self, mut bytes: &[u8], board: &mut Board, now: Instant) {
        self.last_byte = now;
        while let Some((&first, rest)) = bytes.split_first() {
            if board.is_leaving() {
                return;
            }
            match &mut self.wire {
                Wire::Between | Wire::Lost => match first {
                    hdlc::FLAG => {
                        self.wire = Wire::Frame(Vec::with_capacity(64));
                        bytes = rest;
                    }
                    command::WRITE_REQUEST if matches!(self.wire, Wire::Between) => {
                        self.wire = Wire::Header(Vec::with_capacity(WriteHeader::LENGTH));
                    }
                    stranger => {
                        if matches!(self.wire, Wire::Between) {
                            board.wrong(Wrong::OutsideOfFrame { first: stranger }, now);
                        }
                        self.wire = Wire::Lost;
                        let next = rest
                            .iter()
                            .position(|&byte| byte == hdlc::FLAG)
                            .unwrap_or(rest.len());
                        bytes = rest.get(next..).unwrap_or_default();
                    }
                },
                Wire::Frame(collected) => {
                    let end = bytes.iter().position(|&byte| byte == hdlc::FLAG);
                    collected.extend_from_slice(bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default());
                    if collected.len() > LONGEST_FRAME {
                        self.wire = Wire::Lost;
                        board.wrong(Wrong::EndlessFrame { limit: LONGEST_FRAME }, now);
                        self.error(ErrorCode::InvalidLength, board, now);
                    }
                    let Some(end) = end else { return };
                    bytes = bytes.get(end + 1..).unwrap_or_default();
                    if let Wire::Frame(collected) = &mut self.wire {
                        if !collected.is_empty() {
                            let frame = std::mem::take(collected);
                            self.wire = Wire::Between;
                            self.frame(&frame, board, now);
                        }
                    }
                }
                Wire::Header(collected) => {
                    let wanted = (WriteHeader::LENGTH - collected.len()).min(bytes.len());
                    let (head, rest) = bytes.split_at(wanted);
                    collected.extend_from_slice(head);
                    bytes = rest;
                    if collected.len() == WriteHeader::LENGTH {
                        let header = std::mem::take(collected);
                        self.write_header(&header, board, now);
                    }
                }
                Wire::Data {
                    header,
                    left,
                    refused,
                } => {
                    let wanted = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                    let (data, rest) = bytes.split_at(wanted);
                    bytes = rest;
                    *left = left.saturating_sub(u32::try_from(wanted).unwrap_or(u32::MAX));
                    let (header, complete, refused) = (*header, *left == 0, *refused);
                    if !refused {
                        if let Some(open) = &mut self.image {
                            open.writing.write(data);
                        }
                        board.took(data.len(), now);
                    }
                    if complete {
                        self.wire = Wire::Between;
                        if !refused && !board.is_leaving() {
                            self.chunk(header, board, now);
                        }
                    }
                }
            }
        }
    }

    fn frame(&mut self, raw: &[u8], board: &mut Board, now: Instant) {
        let mut decoder = hdlc::Decoder::default();
        decoder.push(raw);
        decoder.push(&[hdlc::FLAG]);
        let Some(Ok(payload)) = decoder.next_frame() else {
            board.wrong(Wrong::FrameChecksum, now);
            return self.error(ErrorCode::InvalidChecksum, board, now);
        };
        match Request::parse(&payload) {
            Ok(request) => self.request(request, board, now),
            Err(error) => {
                board.wrong(
                    Wrong::Malformed {
                        request: "request",
                        why: error.to_string(),
                    },
                    now,
                );
                self.error(ErrorCode::InvalidLength, board, now);
            }
        }
    }

    fn request(&mut self, request: Request, board: &mut Board, now: Instant) {
        if board.is_interrupted(now) {
            board.wrong(
                Wrong::OutOfOrder {
                    request: "request",
                    place: "before the last acknowledgement",
                },
                now,
            );
        }
        match request {
            Request::SwitchToStreaming { .. } if self.streaming => {
                // Not a violation: a host can't know this (mc7455_qdl_session trace).
                self.say(
                    &Response::Error(report(ErrorCode::NotSupported, String::new())),
                    board,
                    now,
                );
            }
            Request::SwitchToStreaming { .. } => {
                self.streaming = true;
                self.say(&Response::DloadAck, board, now);
            }
            Request::DloadNop if !self.streaming => self.say(&Response::DloadAck, board, now),
            Request::Reset => {
                self.give_up(board);
                board.restart(now);
            }
            _ if !self.streaming => {
                board.wrong(
                    Wrong::OutOfOrder {
                        request: "request",
                        place: "before the switch to streaming",
                    },
                    now,
                );
                self.say(&Response::DloadNak { reason: 6 }, board, now);
            }
            Request::Nop => self.say(&Response::DloadAck, board, now),
            Request::Hello(hello) => {
                let fits = (hello.minimum_version..=hello.maximum_version).contains(&self.traits.version);
                if !fits {
                    // Not a violation: trying versions is usual and harmless (qdl.md §7).
                    return self.error(ErrorCode::InvalidCommand, board, now);
                }
                if hello.features != FEATURES {
                    let why = format!("feature bits {:#04x}", hello.features);
                    board.wrong(
                        Wrong::Malformed {
                            request: "hello",
                            why,
                        },
                        now,
                    );
                    return self.error(ErrorCode::InvalidFeatures, board, now);
                }
                // After a failure the session begins anew from here (qdl.md §7).
                self.give_up(board);
                self.greeted = true;
                let mut answer = HelloResponse::of_version(self.traits.version);
                if !self.traits.says_target {
                    (answer.magic_tail, answer.boot_major) = ([0; 4], 0);
                }
                self.say(&Response::Hello(answer), board, now);
            }
            Request::Open(open) => self.open(&open, board, now),
            Request::Done => self.done(board, now),
            Request::SwitchToDload => {
                self.give_up(board);
                (self.streaming, self.greeted) = (false, false);
                self.say(&Response::DloadAck, board, now);
            }
            Request::ImagePreference => self.say(&Response::ImagePreference(Vec::new()), board, now),
            Request::DloadNop => self.unknown(command::DLOAD_NOP, board, now),
            Request::Other { command, .. } => self.unknown(command, board, now),
        }
    }

    fn unknown(&mut self, command: u8, board: &mut Board, now: Instant) {
        board.wrong(Wrong::UnknownCommand(command.into()), now);
        self.error(ErrorCode::NotSupported, board, now);
    }

    fn open(&mut self, request: &OpenRequest, board: &mut Board, now: Instant) {
        if !self.greeted || self.image.is_some() {
            let place = if self.greeted {
                "while an image is open"
            } else {
                "before the hello"
            };
            board.wrong(
                Wrong::OutOfOrder {
                    request: "open",
                    place,
                },
                now,
            );
            return self.error(ErrorCode::OutOfSequence, board, now);
        }
        let status = match self.check_open(request, board) {
            Ok(()) => OpenStatus::Success,
            Err((wrong, status)) => {
                let foreign = matches!(wrong, Wrong::ForeignImage { .. });
                board.wrong(wrong, now);
                if foreign {
                    return self.error(ErrorCode::AuthenticationFailed, board, now);
                }
                status
            }
        };
        let mut answer = OpenResponse {
            status,
            window: 1,
            chunk_size: request.data_length,
        };
        if status != OpenStatus::Success {
            return self.say(&Response::Open(answer), board, now);
        }
        let mut writing = board.begin_image(request.image_type.into(), request.image_length.into());
        if board.setup.quirks.not_required == Some(board.images_begun) {
            answer.status = OpenStatus::NotRequired;
            return self.say(&Response::Open(answer), board, now);
        }
        let mut largest_chunk = LARGEST_CHUNK;
        if let Some(smaller) = board.setup.quirks.chunk_size {
            (answer.chunk_size, largest_chunk) = (smaller, smaller);
        }
        self.whole = Whole::Nothing;
        if !request.header.is_empty() {
            writing.write(&request.header);
        }
        self.image = Some(Open {
            writing,
            sequence: 0,
            largest_chunk,
        });
        self.say(&Response::Open(answer), board, now);
    }

    fn check_open(&self, request: &OpenRequest, board: &Board) -> Result<(), (Wrong, OpenStatus)> {
        let image_type = u8::from(request.image_type);
        let malformed = |why: String| Wrong::Malformed { request: "open", why };
        if !self.traits.image_types.contains(&image_type) {
            return Err((
                malformed(format!("image type {image_type:#04x}")),
                OpenStatus::ImageType,
            ));
        }
        if request.window != 1 || request.features != 0 {
            let why = format!("window {}, feature flags {}", request.window, request.features);
            return Err((malformed(why), OpenStatus::ImageType));
        }
        let is_cwe = request.image_type == ImageType::Cwe;
        let expected = if is_cwe { HEADER } else { 0 };
        if request.header.len() != expected {
            let why = format!("{} header bytes instead of {expected}", request.header.len());
            return Err((malformed(why), OpenStatus::HeaderSize));
        }
        let size = |what, expected, got| (Wrong::Size { what, expected, got }, OpenStatus::ImageSize);
        let data = u64::from(request.image_length).saturating_sub(expected as u64);
        if data == 0 || u64::from(request.data_length) != data {
            return Err(size("chunk size", data, request.data_length.into()));
        }
        if is_cwe {
            let header = Header::parse(&request.header).map_err(|wrong| (wrong, OpenStatus::ImageType))?;
            header
                .for_model(board.setup.profile)
                .map_err(|wrong| (wrong, OpenStatus::ImageType))?;
            // A trailer of 4 bytes is accepted (cwe.md §5).
            if data != u64::from(header.size) && data != u64::from(header.size) + 4 {
                let whole = u64::from(header.size) + expected as u64;
                return Err(size("image length", whole, request.image_length.into()));
            }
        }
        Ok(())
    }

    fn write_header(&mut self, bytes: &[u8], board: &mut Board, now: Instant) {
        let header = match WriteHeader::parse(bytes) {
            Ok(header) => header,
            Err(_) => {
                board.wrong(Wrong::WriteChecksum, now);
                let sequence = self.image.as_ref().map_or(0, |open| open.sequence);
                self.give_up(board);
                // How many bytes follow isn't known, so everything up to the next frame is skipped.
                self.wire = Wire::Lost;
                let status = WriteStatus::ChecksumFailed;
                let answer = Response::Write(WriteResponse {
                    sequence,
                    reserved: 0,
                    status,
                });
                return self.say(&answer, board, now);
            }
        };
        let length = header.data_length;
        let refusal = match &self.image {
            None if self.whole != Whole::Nothing => Some((
                Wrong::MoreThanAnnounced {
                    surplus: length.into(),
                },
                ErrorCode::OutOfSequence,
            )),
            None => Some((
                Wrong::OutOfOrder {
                    request: "write",
                    place: "without an open image",
                },
                ErrorCode::OutOfSequence,
            )),
            Some(open) => {
                let left = open.writing.announced().saturating_sub(open.writing.length());
                if header.sequence != open.sequence {
                    let (expected, got) = (open.sequence, header.sequence);
                    Some((Wrong::Sequence { expected, got }, ErrorCode::OutOfSequence))
                } else if u64::from(length) > left {
                    let surplus = u64::from(length) - left;
                    Some((Wrong::MoreThanAnnounced { surplus }, ErrorCode::InvalidLength))
                } else if length == 0 || length > open.largest_chunk {
                    let expected = open.largest_chunk.into();
                    Some((
                        Wrong::Size {
                            what: "chunk",
                            expected,
                            got: length.into(),
                        },
                        ErrorCode::InvalidLength,
                    ))
                } else if header.address != 0 {
                    let why = format!("address {:#x}", header.address);
                    Some((
                        Wrong::Malformed {
                            request: "write",
                            why,
                        },
                        ErrorCode::InvalidAddress,
                    ))
                } else {
                    None
                }
            }
        };
        let refused = refusal.is_some();
        if let Some((wrong, code)) = refusal {
            board.wrong(wrong, now);
            self.give_up(board);
            self.error(code, board, now);
        }
        self.wire = if length == 0 {
            Wire::Between
        } else {
            Wire::Data {
                header,
                left: length,
                refused,
            }
        };
    }

    /// Handles a complete chunk.
    fn chunk(&mut self, header: WriteHeader, board: &mut Board, now: Instant) {
        let Some(mut open) = self.image.take() else { return };
        let mut status = WriteStatus::Success;
        let mut at = board.digested(now) + board.setup.timings.answer;
        if let Some(code) = board.error_at(header.sequence.into()) {
            board.end_image(open.writing, ImageState::Rejected);
            return self.error(code.into(), board, now);
        }
        if open.writing.length() < open.writing.announced() {
            open.sequence = open.sequence.wrapping_add(1);
            self.image = Some(open);
        } else {
            at += board.setup.timings.programming(open.writing.length());
            board.programs(now, at);
            match open.writing.check(board.setup.profile) {
                Ok(()) => {
                    let image_type = open.writing.image_type().into();
                    self.whole = Whole::Done {
                        image_type,
                        rejected: board.rejects_image(),
                    };
                    board.end_image(open.writing, ImageState::Complete);
                }
                Err(wrong) => {
                    board.wrong(wrong, now);
                    board.end_image(open.writing, ImageState::Rejected);
                    status = WriteStatus::ContentFailed;
                }
            }
        }
        let answer = WriteResponse {
            sequence: header.sequence,
            reserved: 0,
            status,
        };
        let _ = board.say(Response::Write(answer).frame(), at);
    }

    fn done(&mut self, board: &mut Board, now: Instant) {
        let Whole::Done { image_type, rejected } = self.whole else {
            let place = if self.image.is_some() {
                "before the last write"
            } else {
                "without an image"
            };
            if let Some(open) = &self.image {
                let missing = open.writing.announced().saturating_sub(open.writing.length());
                board.wrong(Wrong::LessThanAnnounced { missing }, now);
            } else {
                board.wrong(
                    Wrong::OutOfOrder {
                        request: "session done",
                        place,
                    },
                    now,
                );
            }
            self.give_up(board);
            return self.error(ErrorCode::OutOfSequence, board, now);
        };
        self.whole = Whole::Nothing;
        let mut answer = DoneResponse {
            status: DoneStatus::Success,
            image_type,
            text: String::new(),
        };
        if rejected {
            answer.status = DoneStatus::AuthenticationFailed;
            answer.text = board.setup.quirks.error_text.clone().unwrap_or_default();
            if let Some(image) = board.images.last_mut() {
                image.state = ImageState::Rejected;
            }
        } else {
            board.accept_complete_images();
        }
        self.say(&Response::Done(answer), board, now);
    }

    /// Gives up the image that is being written.
    pub(crate) fn give_up(&mut self, board: &mut Board) {
        if let Some(open) = self.image.take() {
            // The header alone isn't in the flash yet.
            let begun = open.sequence > 0 || open.writing.length() > HEADER as u64;
            if begun || open.writing.image_type() != 0x80 {
                board.end_image(open.writing, ImageState::Partial);
            }
        }
    }

    fn error(&mut self, code: ErrorCode, board: &mut Board, now: Instant) {
        let text = board.setup.quirks.error_text.clone().unwrap_or_default();
        self.say(&Response::Error(report(code, text)), board, now);
    }

    fn say(&mut self, response: &Response, board: &mut Board, now: Instant) {
        board.answer(response.frame(), now);
    }
}

const fn report(code: ErrorCode, text: String) -> ErrorReport {
    ErrorReport { code, text }
}
