//! The boot loader's side of Firehose (sahara-firehose.md §4 and §5), written from the specification.

use std::time::Duration;

use modem_protocol::firehose::message::{Answer, Configure, FirehoseRequest, Program, Response, Verdict};
use modem_world::Instant;

use crate::board::Board;
use crate::memory::{HEADER, Header, ImageState, Writing};
use crate::profile::SaharaTraits;
use crate::quirk::{NoiseMoment, NoisyRequest, PayloadAnswer, RefusedPrograms};
use crate::violation::Wrong;

/// Bytes of the zero block (sahara-firehose.md §5.2).
const ZERO_BLOCK: usize = 512;
/// A longer document isn't accepted; the longest request of the specification has 247 bytes.
const LONGEST_DOCUMENT: usize = 4096;
/// The chunk that a fault script counts in.
const CHUNK: u64 = 1024 * 1024;
/// Bytes that may follow the end of an image (cwe.md §5).
const TRAILERS: [[u8; 4]; 2] = [[0x77, 0x73, 0x57, 0x53], [0x53, 0x57, 0x73, 0x77]];

const END: &[u8] = b"</data>";
/// What the modem logs before it refuses `program` out of habit. The wording is this modem's own.
const NOT_TAKEN: &str = "ERROR: storage device is busy";
const NOISE: &str = "ERROR: XML not formed correctly. Expected a < character at loc 0";

/// A Firehose server.
#[derive(Debug)]
pub(crate) struct Firehose {
    traits: SaharaTraits,
    /// The largest payload that both sides agreed on, in bytes.
    payload: Option<u64>,
    stream: Stream,
    /// What happens to requests that still meet the rest of a zero block.
    noisy: Option<NoisyRequest>,
    /// How many times `program` was refused for the next image.
    refused: u16,
    log_at: Option<Instant>,
    last_byte: Instant,
}

#[derive(Debug)]
enum Stream {
    /// Documents.
    Documents {
        buffer: Vec<u8>,
        /// Image data may still arrive for a while: it belongs to an image that was refused.
        forgiving: bool,
    },
    /// Image data.
    Data(Box<Data>),
    /// The zero block.
    Zeros {
        left: usize,
        clean: bool,
        data: Box<Data>,
    },
}

/// An image that is being received.
#[derive(Debug)]
struct Data {
    writing: Writing,
    /// Bytes in a sector.
    sector: u64,
    /// The announced number of bytes, in whole sectors.
    total: u64,
    taken: u64,
    /// The first bytes, until the header is complete.
    head: Vec<u8>,
    /// The image's length according to its header.
    length: Option<u64>,
    /// The first bytes after the end of the image.
    tail: Vec<u8>,
    padding_clean: bool,
    /// The image will be refused at its end.
    is_refused: bool,
}

impl Firehose {
    pub(crate) const fn new(traits: SaharaTraits) -> Self {
        Self {
            traits,
            payload: None,
            stream: Stream::Documents {
                buffer: Vec::new(),
                forgiving: false,
            },
            noisy: None,
            refused: 0,
            log_at: None,
            last_byte: Instant::START,
        }
    }

    /// Sends the greeting.
    pub(crate) fn start(&mut self, board: &mut Board, now: Instant) {
        for line in self.traits.greeting {
            log(line, board, now + board.setup.timings.greeting);
        }
        self.log_at = board.setup.quirks.endless_log.map(|period| now + period);
    }

    pub(crate) const fn in_data(&self) -> bool {
        matches!(self.stream, Stream::Data(_))
    }

    pub(crate) fn timer(&self, board: &Board) -> Instant {
        let log_at = self.log_at.unwrap_or(Instant::FAR);
        match self.stream {
            Stream::Documents { .. } => log_at,
            Stream::Data(_) | Stream::Zeros { .. } => {
                log_at.min(self.last_byte + board.setup.timings.patience)
            }
        }
    }

    pub(crate) fn tick(&mut self, board: &mut Board, now: Instant) {
        if self.log_at.is_some_and(|at| at <= now) {
            log("still here", board, now);
            self.log_at = board.setup.quirks.endless_log.map(|period| now + period);
        }
        if now < self.last_byte + board.setup.timings.patience {
            return;
        }
        if board.is_stalled(now) {
            self.last_byte = now;
            return;
        }
        match self.take_stream() {
            Stream::Documents { buffer, forgiving } => self.stream = Stream::Documents { buffer, forgiving },
            Stream::Data(data) => {
                let missing = data.total.saturating_sub(data.taken);
                board.wrong(Wrong::LessThanAnnounced { missing }, now);
                self.fail(*data, ImageState::Partial, None, board, now);
            }
            Stream::Zeros { data, .. } => {
                board.wrong(Wrong::ZeroBlock, now);
                self.fail(*data, ImageState::Partial, None, board, now);
            }
        }
    }

    /// Ends the image that is being written; its bytes stay as they are.
    pub(crate) fn give_up(&mut self, board: &mut Board) {
        if let Stream::Data(data) | Stream::Zeros { data, .. } = self.take_stream() {
            board.end_image(data.writing, ImageState::Partial);
        }
    }

    fn take_stream(&mut self) -> Stream {
        std::mem::replace(
            &mut self.stream,
            Stream::Documents {
                buffer: Vec::new(),
                forgiving: false,
            },
        )
    }

    pub(crate) fn receive(&mut self, mut bytes: &[u8], board: &mut Board, now: Instant) {
        self.last_byte = now;
        while !bytes.is_empty() && !board.is_leaving() {
            match self.take_stream() {
                Stream::Documents {
                    mut buffer,
                    forgiving,
                } => {
                    buffer.extend_from_slice(bytes);
                    bytes = &[];
                    self.documents(buffer, forgiving, board, now);
                }
                Stream::Data(data) => bytes = self.data(*data, bytes, board, now),
                Stream::Zeros { left, clean, data } => {
                    let (zeros, rest) = bytes.split_at(left.min(bytes.len()));
                    bytes = rest;
                    let clean = clean && zeros.iter().all(|&byte| byte == 0);
                    let left = left - zeros.len();
                    if left > 0 && clean {
                        self.stream = Stream::Zeros { left, clean, data };
                    } else {
                        if !clean {
                            board.wrong(Wrong::ZeroBlock, now);
                        }
                        let mut data = *data;
                        if !clean {
                            data.is_refused = true;
                        }
                        self.finish(data, true, board, now);
                    }
                }
            }
        }
    }

    // Documents

    fn documents(&mut self, mut buffer: Vec<u8>, mut forgiving: bool, board: &mut Board, now: Instant) {
        loop {
            let begin = buffer
                .iter()
                .position(|byte| !byte.is_ascii_whitespace())
                .unwrap_or(buffer.len());
            buffer.drain(..begin);
            if buffer.is_empty() {
                break;
            }
            // The rest of a zero block after a full last block is harmless; anything else isn't.
            let strangers = strangers(&buffer);
            if strangers > 0 {
                let zeros = buffer.iter().take(strangers).all(|&byte| byte == 0);
                if zeros {
                    self.noisy = self.noisy.or(board.setup.quirks.noise.map(|noise| noise.request));
                } else if !forgiving {
                    board.wrong(Wrong::OutsideOfDocument(strangers), now);
                }
                buffer.drain(..strangers);
                continue;
            }
            let Some(end) = find(&buffer, END).map(|at| at + END.len()) else {
                if buffer.len() > LONGEST_DOCUMENT {
                    board.wrong(
                        Wrong::Document(format!("no end within {LONGEST_DOCUMENT} bytes")),
                        now,
                    );
                    buffer.clear();
                }
                break;
            };
            let rest = buffer.split_off(end);
            let document = std::mem::replace(&mut buffer, rest);
            forgiving = false;
            self.document(&document, board, now);
            if board.is_leaving() {
                return;
            }
            if self.in_data() {
                // The line feeds after the document belong to it (sahara-firehose.md §4).
                return self.receive(buffer.trim_ascii_start(), board, now);
            }
        }
        self.stream = Stream::Documents { buffer, forgiving };
    }

    fn document(&mut self, document: &[u8], board: &mut Board, mut now: Instant) {
        if board.is_interrupted(now) {
            board.wrong(
                Wrong::OutOfOrder {
                    request: "document",
                    place: "before the verdict",
                },
                now,
            );
        }
        if let Some(request) = self.noisy {
            if let Some(noise) = board.setup.quirks.noise {
                let mut at = now + board.setup.timings.answer;
                for _ in 0..noise.messages {
                    let _ = board.say(noise_bytes(), at);
                    at += noise.spacing;
                }
            }
            match request {
                NoisyRequest::Lost(0 | 1) => self.noisy = None,
                NoisyRequest::Lost(left) => self.noisy = Some(NoisyRequest::Lost(left - 1)),
                NoisyRequest::Queued => self.noisy = None,
            }
            if matches!(request, NoisyRequest::Lost(_)) {
                return;
            }
            // A queued request is handled after the complaints.
            let noise = board.setup.quirks.noise;
            now += noise.map_or(Duration::ZERO, |noise| noise.spacing * u32::from(noise.messages));
        }
        match FirehoseRequest::parse(document) {
            Ok(requests) => {
                for request in requests {
                    self.request(request, board, now);
                }
            }
            Err(error) => {
                board.wrong(Wrong::Document(error.to_string()), now);
                nak(&[NOISE.to_owned()], board, now);
            }
        }
    }

    fn request(&mut self, request: FirehoseRequest, board: &mut Board, now: Instant) {
        match request {
            FirehoseRequest::Ping => respond(Response::plain(Verdict::Ack), board, now),
            FirehoseRequest::Configure(configure) => self.configure(&configure, board, now),
            FirehoseRequest::StorageInfo { .. } => {
                if self.traits.tells_sectors {
                    log(
                        &format!("SECTOR_SIZE_IN_BYTES={}", self.traits.sector_size_bytes),
                        board,
                        now,
                    );
                    log(
                        &format!("PAGES_IN_BLOCK={}", self.traits.pages_per_block),
                        board,
                        now,
                    );
                }
                respond(Response::plain(Verdict::Ack), board, now);
            }
            FirehoseRequest::Program(program) => self.program(&program, board, now),
            FirehoseRequest::Power(power) => {
                if power.value != "reset" {
                    return self.attribute("power", "value", "reset", &power.value, board, now);
                }
                log("Requested POWER_RESET", board, now);
                respond(Response::plain(Verdict::Ack), board, now);
                board.restart(now);
            }
            FirehoseRequest::Other { name, .. } => {
                board.wrong(Wrong::Document(format!("unknown request {name}")), now);
                nak(&[format!("ERROR: {name} is not supported")], board, now);
            }
        }
    }

    fn attribute(
        &mut self,
        request: &'static str,
        name: &'static str,
        expected: &str,
        got: &str,
        board: &mut Board,
        now: Instant,
    ) {
        let (expected, got) = (expected.to_owned(), got.to_owned());
        nak(&[format!("ERROR: {request}: invalid {name}")], board, now);
        board.wrong(
            Wrong::Attribute {
                request,
                name,
                expected,
                got,
            },
            now,
        );
    }

    fn configure(&mut self, configure: &Configure, board: &mut Board, now: Instant) {
        let wish = configure.max_payload_to_target_bytes;
        let largest = self.traits.max_payload_bytes;
        let (verdict, number) = match board.setup.quirks.payload.unwrap_or(PayloadAnswer::Nak(largest)) {
            PayloadAnswer::AckWithoutNumber => {
                self.payload = Some(wish);
                return respond(Response::plain(Verdict::Ack), board, now);
            }
            PayloadAnswer::Ack(number) => (Verdict::Ack, number),
            PayloadAnswer::Nak(number) if wish <= u64::from(number) => (Verdict::Ack, number),
            PayloadAnswer::Nak(number) => (Verdict::Nak, number),
        };
        let number = u64::from(number);
        // If the host asked for less, the server takes less (own choice).
        let agreed = if verdict == Verdict::Ack {
            wish.min(number)
        } else {
            number
        };
        self.payload = Some(agreed);
        let mut response = Response::payload_limit(verdict, number);
        response.target_name = Some(self.traits.target_name.to_owned());
        respond(response, board, now);
    }

    fn program(&mut self, program: &Program, board: &mut Board, now: Instant) {
        let sector = self.traits.sector_size_bytes;
        if self.payload.is_none() {
            board.wrong(
                Wrong::OutOfOrder {
                    request: "program",
                    place: "before configure",
                },
                now,
            );
            return nak(&["ERROR: not configured".to_owned()], board, now);
        }
        let checks = [
            (
                "SECTOR_SIZE_IN_BYTES",
                i64::from(sector),
                i64::from(program.sector_size_bytes),
            ),
            (
                "PAGES_PER_BLOCK",
                i64::from(self.traits.pages_per_block),
                i64::from(program.pages_per_block),
            ),
            (
                "physical_partition_number",
                0,
                i64::from(program.physical_partition),
            ),
            ("start_sector", -1, program.start_sector),
        ];
        for (name, expected, got) in checks {
            if expected != got {
                return self.attribute(
                    "program",
                    name,
                    &expected.to_string(),
                    &got.to_string(),
                    board,
                    now,
                );
            }
        }
        if program.filename != "spkg.cwe" {
            return self.attribute("program", "filename", "spkg.cwe", &program.filename, board, now);
        }
        let total = program.sectors.saturating_mul(sector.into());
        if total == 0 {
            return self.attribute("program", "num_partition_sectors", "more", "0", board, now);
        }
        let is_refused = match board.setup.quirks.refused_programs {
            RefusedPrograms::None => false,
            RefusedPrograms::First(count) => self.refused < count,
            RefusedPrograms::All => true,
        };
        if is_refused {
            self.refused = self.refused.saturating_add(1);
            return nak(&[NOT_TAKEN.to_owned()], board, now);
        }
        self.refused = 0;
        self.stream = Stream::Data(Box::new(Data {
            writing: board.begin_image(0x80, total),
            sector: sector.max(1).into(),
            total,
            taken: 0,
            head: Vec::with_capacity(HEADER),
            length: None,
            tail: Vec::new(),
            padding_clean: true,
            is_refused: false,
        }));
        respond(Response::ack_raw(true), board, now);
    }

    // Image data

    /// Takes image data and returns the rest of `bytes`.
    fn data<'a>(&mut self, mut data: Data, mut bytes: &'a [u8], board: &mut Board, now: Instant) -> &'a [u8] {
        if data.taken == 0 {
            // The end of the request, if it came in two pieces: no CWE image begins with a blank.
            bytes = bytes.trim_ascii_start();
        }
        let left = usize::try_from(data.total.saturating_sub(data.taken)).unwrap_or(usize::MAX);
        let (taken, rest) = bytes.split_at(left.min(bytes.len()));
        let before = data.taken;
        data.taken = data
            .taken
            .saturating_add(u64::try_from(taken.len()).unwrap_or(u64::MAX));
        let foreign = data.take(taken, board, now);
        board.took(taken.len(), now);
        if board.is_leaving() {
            board.end_image(data.writing, ImageState::Partial);
            return &[];
        }
        let complete = data.taken == data.total;
        let chunks = before / CHUNK..if complete {
            data.taken.div_ceil(CHUNK)
        } else {
            data.taken / CHUNK
        };
        let refused = chunks.filter_map(|chunk| board.error_at(chunk)).next();
        if let Some(code) = refused {
            let line = format!("SWI Error Code {code:#04x}");
            self.fail(data, ImageState::Rejected, Some(line), board, now);
        } else if foreign {
            let line = "Package not compatible".to_owned();
            self.fail(data, ImageState::Rejected, Some(line), board, now);
        } else if !complete {
            self.stream = Stream::Data(Box::new(data));
        } else if self.needs_zero_block(&data) {
            self.stream = Stream::Zeros {
                left: ZERO_BLOCK,
                clean: true,
                data: Box::new(data),
            };
        } else {
            self.finish(data, false, board, now);
        }
        rest
    }

    /// Whether a zero block must follow, because the last transfer block of the file was a short one
    /// (sahara-firehose.md §5.2 and vectors 12 to 15).
    fn needs_zero_block(&self, data: &Data) -> bool {
        let sector = u64::from(self.traits.sector_size_bytes);
        let payload = self.payload.unwrap_or(sector);
        let block = payload / sector * sector;
        let length = data.length.unwrap_or(data.total);
        let trailer = if data.tail_is_trailer() { 4 } else { 0 };
        (length + trailer).checked_rem(block).unwrap_or(0) != 0
    }

    /// All data has arrived: makes the long check.
    fn finish(&mut self, mut data: Data, zeros: bool, board: &mut Board, now: Instant) {
        let at = board.digested(now) + board.setup.timings.programming(data.writing.length());
        board.programs(now, at);
        if !data.padding_clean {
            board.wrong(Wrong::Padding, now);
            data.is_refused = true;
        }
        if !data.is_refused {
            if let Err(wrong) = data.writing.check(board.setup.profile) {
                board.wrong(wrong, now);
                data.is_refused = true;
            }
        }
        if data.is_refused || board.rejects_image() {
            self.stream = Stream::Documents {
                buffer: Vec::new(),
                forgiving: true,
            };
            board.end_image(data.writing, ImageState::Rejected);
            let lines = failure_lines(None, board);
            return nak(&lines, board, at);
        }
        board.end_image(data.writing, ImageState::Accepted);
        log("SWI CWE image processed OK", board, at);
        let mut verdict = Answer::Response(Response::ack_raw(false)).to_bytes();
        if let (true, Some(noise)) = (zeros, board.setup.quirks.noise) {
            match noise.moment {
                NoiseMoment::WithVerdict => {
                    (0..noise.messages).for_each(|_| verdict.extend_from_slice(&noise_bytes()));
                }
                NoiseMoment::AtNextRequest => self.noisy = Some(noise.request),
            }
        }
        let _ = board.say(verdict, at);
    }

    /// Ends the image early.
    fn fail(&mut self, data: Data, state: ImageState, line: Option<String>, board: &mut Board, now: Instant) {
        self.stream = Stream::Documents {
            buffer: Vec::new(),
            forgiving: true,
        };
        board.end_image(data.writing, state);
        let lines = failure_lines(line, board);
        nak(&lines, board, now);
    }
}

impl Data {
    /// Writes what belongs to the image, and checks the rest. Returns true if the image is for another
    /// product.
    fn take(&mut self, mut bytes: &[u8], board: &mut Board, now: Instant) -> bool {
        let mut foreign = false;
        if self.head.len() < HEADER {
            let wanted = (HEADER - self.head.len()).min(bytes.len());
            let (head, rest) = bytes.split_at(wanted);
            self.head.extend_from_slice(head);
            self.writing.write(head);
            bytes = rest;
            if self.head.starts_with(b"<?xml") && !self.is_refused {
                board.wrong(Wrong::DocumentAsImageData, now);
                self.is_refused = true;
            }
            if self.head.len() == HEADER && !self.is_refused {
                foreign = self.header(board, now);
            }
        }
        let end = self.length.unwrap_or(u64::MAX);
        let left = usize::try_from(end.saturating_sub(self.writing.length())).unwrap_or(usize::MAX);
        let (image, padding) = bytes.split_at(if self.tail.is_empty() {
            left.min(bytes.len())
        } else {
            0
        });
        self.writing.write(image);
        let (tail, padding) = padding.split_at((4 - self.tail.len().min(4)).min(padding.len()));
        self.tail.extend_from_slice(tail);
        if !tail.is_empty() && self.tail_is_trailer() {
            let trailer = std::mem::take(&mut self.tail);
            self.writing.write(&trailer);
            self.tail = trailer;
        }
        self.padding_clean &= padding.iter().all(|&byte| byte == 0);
        if self.taken == self.total && !self.tail_is_trailer() {
            self.padding_clean &= self.tail.iter().all(|&byte| byte == 0);
        }
        foreign
    }

    /// Checks the complete header. Returns true if the image is for another product.
    fn header(&mut self, board: &mut Board, now: Instant) -> bool {
        // A damaged header fails the check at the end of the image.
        let Ok(header) = Header::parse(&self.head) else {
            return false;
        };
        let length = u64::from(header.size) + HEADER as u64;
        let (expected, got) = (length.div_ceil(self.sector), self.total / self.sector);
        if expected != got && (length + 4).div_ceil(self.sector) != got {
            board.wrong(
                Wrong::Size {
                    what: "num_partition_sectors",
                    expected,
                    got,
                },
                now,
            );
            self.is_refused = true;
        } else {
            self.length = Some(length);
        }
        match header.for_model(board.setup.profile) {
            Ok(()) => false,
            Err(wrong) => {
                board.wrong(wrong, now);
                true
            }
        }
    }

    fn tail_is_trailer(&self) -> bool {
        TRAILERS.iter().any(|trailer| self.tail == trailer)
    }
}

/// How many bytes stand before the next document.
fn strangers(buffer: &[u8]) -> usize {
    let begins = |bytes: &[u8], mark: &[u8]| mark.iter().zip(bytes).all(|(mark, byte)| mark == byte);
    let document = |at: usize| {
        let rest = buffer.get(at..).unwrap_or_default();
        begins(rest, b"<?xml") || begins(rest, b"<data")
    };
    (0..buffer.len()).find(|&at| document(at)).unwrap_or(buffer.len())
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

fn failure_lines(line: Option<String>, board: &Board) -> Vec<String> {
    if !board.setup.quirks.failure_lines.is_empty() {
        return board.setup.quirks.failure_lines.clone();
    }
    // These words announce a failure (em7565_sahara-firehose_vendor-sdk trace).
    vec![
        line.unwrap_or_else(|| "SWI Error Code 0x80".to_owned()),
        "HANDLE_PROGRAM_FAILURE".to_owned(),
    ]
}

fn log(line: &str, board: &mut Board, at: Instant) {
    let _ = board.say(Answer::Log(line.to_owned()).to_bytes(), at);
}

fn respond(response: Response, board: &mut Board, now: Instant) {
    board.answer(Answer::Response(response).to_bytes(), now);
}

fn nak(lines: &[String], board: &mut Board, at: Instant) {
    for line in lines {
        log(line, board, at);
    }
    board.answer(Answer::Response(Response::plain(Verdict::Nak)).to_bytes(), at);
}

/// One complaint about the zero block.
fn noise_bytes() -> Vec<u8> {
    let mut bytes = Answer::Log(NOISE.to_owned()).to_bytes();
    bytes.extend_from_slice(&Answer::Response(Response::plain(Verdict::Nak)).to_bytes());
    bytes
}
