//! A small scripted boot loader and a driver with a clock of its own, for tests of the QDL conversation.
#![allow(unreachable_pub)]

use std::collections::VecDeque;
use std::time::Duration;

use modemflash_modem_protocol::conversation::Stretch;
use modemflash_modem_protocol::hdlc::Decoder;
use modemflash_modem_protocol::qdl::message::*;
use modemflash_modem_protocol::qdl::{Download, Image, Start};
use modemflash_modem_protocol::{Action, Conversation, Instant, ProtocolError, Report};

/// What the host sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    Framed(Request, Vec<u8>),
    Chunk(Stretch),
}

/// What the modem does.
#[derive(Clone, Debug)]
pub enum Reaction {
    Bytes(Duration, Vec<u8>),
    Close(Duration),
}

pub const SOON: Duration = Duration::from_millis(1);

pub fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub fn say(response: &Response) -> Vec<Reaction> {
    vec![Reaction::Bytes(SOON, response.frame())]
}

pub fn bytes(bytes: &[u8]) -> Vec<Reaction> {
    vec![Reaction::Bytes(SOON, bytes.to_vec())]
}

pub fn error(code: ErrorCode) -> Response {
    Response::Error(ErrorReport {
        code,
        text: String::new(),
    })
}

pub fn write(sequence: u16, status: WriteStatus) -> Response {
    Response::Write(WriteResponse {
        sequence,
        reserved: 0,
        status,
    })
}

pub fn done(status: DoneStatus) -> Response {
    Response::Done(DoneResponse {
        status,
        image_type: ImageType::Cwe,
        text: String::new(),
    })
}

/// What a healthy 9x30 boot loader answers.
pub fn healthy(sent: &Sent) -> Vec<Reaction> {
    match sent {
        Sent::Framed(Request::SwitchToStreaming { .. }, _) => say(&error(ErrorCode::NotSupported)),
        Sent::Framed(Request::Hello(hello), _) if hello.maximum_version == 6 => {
            say(&Response::Hello(HelloResponse::of_version(6)))
        }
        Sent::Framed(Request::Open(open), _) => say(&Response::Open(OpenResponse {
            status: OpenStatus::Success,
            window: 1,
            chunk_size: open.data_length,
        })),
        Sent::Framed(Request::Done, _) => say(&done(DoneStatus::Success)),
        Sent::Framed(Request::Reset, _) => vec![Reaction::Close(SOON)],
        Sent::Framed(..) => say(&error(ErrorCode::InvalidCommand)),
        Sent::Chunk(stretch) => say(&write(sequence(stretch), WriteStatus::Success)),
    }
}

pub fn sequence(stretch: &Stretch) -> u16 {
    WriteHeader::parse(&stretch.header).unwrap().sequence
}

/// How a run went.
pub struct Outcome {
    pub result: Result<(), ProtocolError>,
    pub reports: Vec<Report>,
    pub sent: Vec<Sent>,
    pub took: Duration,
    pub rest: Vec<u8>,
}

impl Outcome {
    pub fn chunks(&self) -> Vec<Stretch> {
        let chunk = |sent: &Sent| {
            if let Sent::Chunk(stretch) = sent {
                Some(stretch.clone())
            } else {
                None
            }
        };
        self.sent.iter().filter_map(chunk).collect()
    }

    pub fn count(&self, request: &Request) -> usize {
        self.sent
            .iter()
            .filter(|sent| matches!(sent, Sent::Framed(found, _) if found == request))
            .count()
    }

    pub fn versions(&self) -> Vec<u8> {
        let version = |sent: &Sent| match sent {
            Sent::Framed(Request::Hello(hello), _) => Some(hello.maximum_version),
            _ => None,
        };
        self.sent.iter().filter_map(version).collect()
    }
}

/// A run: what the port does with output, and how reads are cut.
pub struct Bench {
    pub download: Download,
    /// The port takes this many bytes at once.
    pub takes: u64,
    /// The time between two writes.
    pub back_pressure: Duration,
    /// Reads deliver at most this many bytes.
    pub read_size: usize,
    /// After how many requests the user wants to stop.
    pub stop_after: Option<usize>,
}

/// An image of `data` bytes behind a CWE header of zeros.
pub fn image(data: u64) -> Image {
    Image::cwe(&[0; 400], 400 + data).unwrap()
}

impl Bench {
    pub fn new(images: Vec<Image>) -> Self {
        Self::with_start(images, Start::Fresh)
    }

    pub fn with_start(images: Vec<Image>, start: Start) -> Self {
        Self {
            download: Download::new(images, start),
            takes: u64::MAX,
            back_pressure: Duration::ZERO,
            read_size: usize::MAX,
            stop_after: None,
        }
    }

    /// Runs to the end. The modem gets each request and its number, from 0; nothing means a healthy answer.
    pub fn run(mut self, mut modem: impl FnMut(&Sent, usize) -> Option<Vec<Reaction>>) -> Outcome {
        let (mut reports, mut sent) = (vec![], vec![]);
        let mut now = Instant::START + seconds(7);
        let start = now;
        let mut coming: VecDeque<(Instant, Reaction)> = VecDeque::new();
        let mut output: Option<(Sent, u64)> = None;
        for _ in 0..200_000 {
            let until = match self.download.poll(now) {
                Ok(Action::Report(report)) => {
                    reports.push(report);
                    continue;
                }
                Ok(Action::Send(frame)) => {
                    assert!(output.is_none(), "one output at a time");
                    let mut decoder = Decoder::default();
                    decoder.push(&frame);
                    let request = Request::parse(&decoder.next_frame().unwrap().unwrap()).unwrap();
                    output = Some((Sent::Framed(request, frame.clone()), frame.len() as u64));
                    now
                }
                Ok(Action::SendImage(stretch)) => {
                    assert!(output.is_none(), "one output at a time");
                    assert!(stretch.range.end - stretch.range.start <= Stretch::LARGEST);
                    let length = stretch.header.len() as u64 + stretch.range.end - stretch.range.start;
                    output = Some((Sent::Chunk(stretch), length));
                    now
                }
                Ok(Action::Wait { until }) => until,
                result => {
                    let result = result.map(|_| ());
                    if let Err(error) = &result {
                        assert_eq!(self.download.poll(now), Err(error.clone()), "a failure stays");
                    }
                    let took = now - start;
                    return Outcome {
                        result,
                        reports,
                        sent,
                        took,
                        rest: self.download.into_rest(),
                    };
                }
            };
            // Whichever comes first: the modem, the port that takes bytes, the deadline.
            let write_at = output.is_some().then(|| now + self.back_pressure);
            let read_at = coming.front().map(|(at, _)| (*at).max(now));
            let next = [write_at, read_at].into_iter().flatten().min();
            match next.filter(|&at| at <= until.max(now)) {
                Some(at) if Some(at) == read_at => {
                    now = at;
                    match coming.pop_front().unwrap().1 {
                        Reaction::Bytes(_, bytes) => {
                            let cut = bytes.len().min(self.read_size);
                            let (first, rest) = bytes.split_at(cut);
                            self.download.receive(first, now);
                            if !rest.is_empty() {
                                coming.push_front((now, Reaction::Bytes(Duration::ZERO, rest.to_vec())));
                            }
                        }
                        Reaction::Close(_) => self.download.closed(now),
                    }
                }
                Some(at) => {
                    now = at;
                    let (what, left) = output.take().unwrap();
                    let count = left.min(self.takes);
                    if count < left {
                        output = Some((what, left - count));
                    } else {
                        let number = sent.len();
                        sent.push(what.clone());
                        let reactions = modem(&what, number).unwrap_or_else(|| healthy(&what));
                        let mut at = now;
                        for reaction in reactions {
                            let (Reaction::Bytes(delay, _) | Reaction::Close(delay)) = &reaction;
                            at += *delay;
                            coming.push_back((at, reaction));
                        }
                        coming.make_contiguous().sort_by_key(|(at, _)| *at);
                    }
                    self.download
                        .wrote(usize::try_from(count).unwrap(), left - count, now);
                    if self.stop_after == Some(sent.len()) {
                        self.download.stop();
                    }
                }
                None => now = until,
            }
        }
        panic!("the conversation doesn't end");
    }
}
