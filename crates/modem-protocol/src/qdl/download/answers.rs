//! Handles the modem's answers, state by state, as in the tables of qdl.md §4 and §7.

use alloc::format;
use alloc::string::ToString;

use super::{ASKED_AGAIN, ATTEMPTS, Answer, Asked, Download, QdlState, SAHARA_HELLO, VERSIONS, garbled};
use crate::conversation::{Connected, Peer, Refusal, Step};
use crate::hdlc::{FrameError, FrameErrorKind};
use crate::qdl::message::{
    DoneStatus, ErrorCode, ErrorReport, HelloResponse, OpenResponse, OpenStatus, Response, WriteResponse,
    WriteStatus, command,
};
use crate::{ParseError, ProtocolError, Report};

impl Download {
    /// Handles all complete frames, and looks for a Sahara hello.
    pub(super) fn read_frames(&mut self) {
        loop {
            if matches!(self.state, QdlState::Failed(_) | QdlState::Finished) {
                return;
            }
            // A hello has no flags, so the decoder would join it with the next frame. Look for it first.
            if self.decoder.unread().starts_with(&SAHARA_HELLO) {
                return self.stranger(Peer::Sahara);
            }
            match self.decoder.next_frame() {
                None => break,
                Some(Ok(payload)) => match Response::parse(&payload) {
                    Ok(response) => self.answer(response),
                    Err(error) => self.doubt_frame(error, &payload),
                },
                Some(Err(FrameError { kind, bytes })) => {
                    if let Some(place) = find_sahara_hello(&bytes) {
                        self.strange = bytes.get(place..).unwrap_or_default().to_vec();
                        return self.stranger(Peer::Sahara);
                    }
                    // A damaged frame isn't the end: the right answer may still come (qdl.md §2).
                    self.doubt_frame(ParseError::Frame(kind), &bytes);
                }
            }
        }
        if self.decoder.unread().starts_with(&SAHARA_HELLO) {
            self.stranger(Peer::Sahara);
        }
    }

    /// Handles a frame that can't be read; `bytes` are those between its flags.
    fn doubt_frame(&mut self, error: ParseError, bytes: &[u8]) {
        self.note_noise(error.to_string());
        if let QdlState::Awaiting { asked, .. } = self.state {
            if garbled::is_probably_answer(asked, bytes) {
                self.answer = Answer::Garbled;
            }
        }
        if let Some(asked) = self.asked() {
            self.doubt = Some(ProtocolError::Garbled {
                step: self.step(asked),
                error,
            });
        }
    }

    /// Gives up on an answer without an end, and drops it. A Sahara hello has no end either, and stays.
    pub(super) fn doubt_endless(&mut self, asked: Asked) {
        if find_sahara_hello(self.decoder.unread()).is_some() {
            return;
        }
        let got = self.decoder.unread().len();
        self.decoder.consume(got);
        self.doubt = Some(ProtocolError::Garbled {
            step: self.step(asked),
            error: ParseError::Frame(FrameErrorKind::Endless { got }),
        });
    }

    pub(super) fn asked(&self) -> Option<Asked> {
        match self.state {
            QdlState::Ready(asked) | QdlState::Sending { asked, .. } | QdlState::Awaiting { asked, .. } => {
                Some(asked)
            }
            QdlState::Finished | QdlState::Failed(_) => None,
        }
    }

    pub(super) fn stranger(&mut self, peer: Peer) {
        if let Some(asked) = self.asked() {
            self.fail(ProtocolError::OtherProtocol {
                step: self.step(asked),
                peer,
            });
        }
    }

    /// Handles a message of the modem.
    fn answer(&mut self, response: Response) {
        match response {
            Response::DiagBadCommand { .. } => return self.stranger(Peer::Diag),
            Response::Echo { .. } => return self.stranger(Peer::Echo),
            // These are the host's own requests, so the port echoes.
            Response::Other {
                command:
                    command::HELLO_REQUEST | command::OPEN_REQUEST | command::DONE_REQUEST | command::RESET,
                ..
            } => return self.stranger(Peer::Echo),
            _ => {}
        }
        if self.is_stray(&response) {
            return;
        }
        match self.state {
            QdlState::Awaiting { asked, .. } => self.answer_to(asked, response),
            QdlState::Sending {
                asked: asked @ Asked::Write { .. },
                ..
            } => self.answer_inside_chunk(asked, response),
            // The modem sends nothing unasked (qdl.md §1), so this is a late answer to an abandoned request.
            _ => self.note_noise(format!("late: {response}")),
        }
    }

    /// Whether this is a second refusal of 0x70, which can come if a message is doubled on its way or 0x70 was sent
    /// twice. It is ignored but kept as `doubt`: if it was an answer to the present request after all, nothing else
    /// will come, and it becomes the error.
    fn is_stray(&mut self, response: &Response) -> bool {
        let Response::Error(report) = response else {
            return false;
        };
        let Some(asked) = self.asked() else { return false };
        let is_meant = matches!(asked, Asked::Switch { .. });
        if report.code != ErrorCode::NotSupported || is_meant || self.stray_refusals == 0 {
            return false;
        }
        self.stray_refusals -= 1;
        self.note_noise(format!("late: {response}"));
        let refusal = Refusal::QdlError(report.clone());
        self.doubt = Some(ProtocolError::Refused {
            step: self.step(asked),
            refusal,
        });
        true
    }

    /// Handles an answer that comes while a chunk is still being written. A refusal ends the session: it isn't known
    /// what the modem would do with the rest of the chunk, so no further request can be sent on this port.
    fn answer_inside_chunk(&mut self, asked: Asked, response: Response) {
        let step = self.step(asked);
        match response {
            Response::Error(report) => {
                self.fail(ProtocolError::Refused {
                    step,
                    refusal: Refusal::QdlError(report),
                });
            }
            Response::Write(write) if write.status != WriteStatus::Success => {
                self.fail(ProtocolError::Refused {
                    step,
                    refusal: Refusal::QdlWrite(write.status),
                });
            }
            Response::Write(write) if !is_late(asked, &write) => {
                let expected = "no answer before the end of the chunk";
                self.fail(ProtocolError::Unexpected {
                    step,
                    expected,
                    got: Response::Write(write).to_string(),
                });
            }
            other => self.note_noise(format!("late: {other}")),
        }
    }

    fn answer_to(&mut self, asked: Asked, response: Response) {
        match (asked, response) {
            (Asked::Switch { .. }, Response::DloadAck) => self.ask(self.after_switch()),
            // The modem is already in streaming mode; 9x30 always answers so (qdl.md §4.1).
            (
                Asked::Switch { .. },
                Response::Error(ErrorReport {
                    code: ErrorCode::NotSupported,
                    ..
                }),
            ) => {
                self.stray_refusals = 1;
                self.ask(self.after_switch());
            }
            (Asked::Switch { .. }, Response::DloadNak { reason }) => self.stranger(Peer::Dload { reason }),
            (Asked::Probe { place, .. }, Response::Hello(hello)) => self.connected(place, &hello),
            (Asked::Probe { place, lost }, Response::Error(report)) => {
                let refusal = Refusal::QdlError(report);
                self.probe_next(
                    place,
                    lost,
                    ProtocolError::Refused {
                        step: Step::Hello,
                        refusal,
                    },
                );
            }
            (Asked::Hello { .. }, Response::Hello(_)) => self.begin_image(),
            (Asked::Hello { again }, Response::Error(report)) => {
                let refusal = Refusal::QdlError(report);
                self.hello_again(
                    again,
                    ProtocolError::Refused {
                        step: Step::Hello,
                        refusal,
                    },
                );
            }
            (Asked::Open, Response::Open(open)) => self.opened(open),
            (Asked::Write { chunk, of }, Response::Write(write)) => self.written(chunk, of, write),
            (Asked::Done, Response::Done(done)) => {
                let step = self.step(asked);
                match done.status {
                    DoneStatus::Success => {
                        self.report(Report::ImageAccepted { image: self.image });
                        self.next_image();
                    }
                    DoneStatus::FlashWriteFailed => {
                        self.try_again(ProtocolError::Refused {
                            step,
                            refusal: Refusal::QdlDone(done),
                        });
                    }
                    _ => self.fail(ProtocolError::Refused {
                        step,
                        refusal: Refusal::QdlDone(done),
                    }),
                }
            }
            (Asked::Open | Asked::Write { .. } | Asked::Done, Response::Error(report)) => {
                let passing = may_pass(report.code);
                let error = ProtocolError::Refused {
                    step: self.step(asked),
                    refusal: Refusal::QdlError(report),
                };
                if passing {
                    self.try_again(error)
                } else {
                    self.fail(error)
                }
            }
            (Asked::Switch { .. } | Asked::Reset, Response::Error(report)) => {
                let refusal = Refusal::QdlError(report);
                self.fail(ProtocolError::Refused {
                    step: self.step(asked),
                    refusal,
                });
            }
            (asked, other) => {
                let got = other.to_string();
                self.note_noise(format!("late: {got}"));
                let expected = "the answer";
                self.doubt = Some(ProtocolError::Unexpected {
                    step: self.step(asked),
                    expected,
                    got,
                });
            }
        }
    }

    fn connected(&mut self, place: usize, hello: &HelloResponse) {
        let tried = VERSIONS
            .get(place % VERSIONS.len())
            .copied()
            .unwrap_or(self.version);
        // This may be a late answer to an earlier try. Then use the version that the modem reports.
        let fits = (hello.minimum_version..=hello.maximum_version).contains(&tried);
        self.version = if !fits && VERSIONS.contains(&hello.maximum_version) {
            hello.maximum_version
        } else {
            tried
        };
        self.report(Report::Connected(Connected::Qdl {
            version: self.version,
        }));
        self.ask(self.next_image_or_reset());
    }

    /// Tries the next version. If an answer was lost, as opposed to a refusal, all versions are tried a second time.
    fn probe_next(&mut self, place: usize, lost: usize, error: ProtocolError) {
        let next = place.saturating_add(1);
        let rounds = if lost == 0 { 1 } else { 2 };
        if next < VERSIONS.len() * rounds {
            self.ask(Asked::Probe { place: next, lost });
        } else {
            self.fail(error);
        }
    }

    fn hello_again(&mut self, again: u8, error: ProtocolError) {
        let next = again.saturating_add(1);
        if next < ASKED_AGAIN {
            self.ask(Asked::Hello { again: next });
        } else {
            // The modem doesn't answer any more, so report the error that made the image fail.
            let error = self.cause.take().unwrap_or(error);
            self.fail(error);
        }
    }

    fn begin_image(&mut self) {
        let attempt = u8::try_from(self.attempt.saturating_add(1)).unwrap_or(u8::MAX);
        self.report(Report::ImageStarted {
            image: self.image,
            attempt,
        });
        self.ask(Asked::Open);
    }

    fn opened(&mut self, open: OpenResponse) {
        let image = self.image;
        match open.status {
            OpenStatus::Success => {}
            OpenStatus::NotRequired => {
                self.report(Report::ImageNotRequired { image });
                return self.next_image();
            }
            status => {
                let refusal = Refusal::QdlOpen(status);
                return self.fail(ProtocolError::Refused {
                    step: Step::Open { image },
                    refusal,
                });
            }
        }
        let wanted = ATTEMPTS
            .get(self.attempt)
            .or(ATTEMPTS.last())
            .copied()
            .unwrap_or(1);
        self.chunk_size = if open.chunk_size == 0 {
            wanted
        } else {
            wanted.min(open.chunk_size)
        };
        let chunks = self
            .images
            .get(image)
            .and_then(|current| current.chunks(self.chunk_size));
        // The sequence number has 16 bits (qdl.md §6).
        match chunks.filter(|&chunks| (1..=u32::from(u16::MAX) + 1).contains(&chunks)) {
            Some(of) => self.ask(Asked::Write { chunk: 0, of }),
            None => {
                let why = "the modem takes so little at once that the chunks can't be counted";
                self.fail(ProtocolError::Unsendable { image, why });
            }
        }
    }

    fn written(&mut self, chunk: u32, of: u32, write: WriteResponse) {
        let asked = Asked::Write { chunk, of };
        let step = self.step(asked);
        if u32::from(write.sequence) != chunk {
            let got = Response::Write(write).to_string();
            if is_late(asked, &write) {
                return self.note_noise(format!("late: {got}"));
            }
            let expected = "an answer with the number of the write";
            return self.try_again(ProtocolError::Unexpected { step, expected, got });
        }
        match write.status {
            WriteStatus::Success => {
                let bytes = self
                    .images
                    .get(self.image)
                    .map_or(0, |image| image.chunk(chunk, self.chunk_size).end);
                self.report(Report::Acknowledged {
                    image: self.image,
                    bytes,
                });
                let next = chunk.saturating_add(1);
                self.ask(if next < of {
                    Asked::Write { chunk: next, of }
                } else {
                    Asked::Done
                });
            }
            WriteStatus::ChecksumFailed => {
                let refusal = Refusal::QdlWrite(write.status);
                self.try_again(ProtocolError::Refused { step, refusal });
            }
            status => self.fail(ProtocolError::Refused {
                step,
                refusal: Refusal::QdlWrite(status),
            }),
        }
    }

    fn next_image(&mut self) {
        self.image = self.image.saturating_add(1);
        self.attempt = 0;
        self.cause = None;
        self.ask(self.next_image_or_reset());
    }

    /// Tries the image again from its start, after a new hello, because the error may not occur again.
    fn try_again(&mut self, error: ProtocolError) {
        let next = self.attempt.saturating_add(1);
        if next >= ATTEMPTS.len() {
            return self.fail(error);
        }
        let step = self.asked().map_or(Step::Hello, |asked| self.step(asked));
        let attempt = u8::try_from(next.saturating_add(1)).unwrap_or(u8::MAX);
        self.report(Report::Retrying {
            step,
            attempt,
            why: error.to_string(),
        });
        self.attempt = next;
        self.cause = Some(error);
        self.ask(Asked::Hello { again: 0 });
    }

    /// Handles an answer that didn't come in time.
    pub(super) fn expired(&mut self, asked: Asked, error: ProtocolError) {
        match asked {
            Asked::Switch { again } if again.saturating_add(1) < ASKED_AGAIN => {
                self.ask(Asked::Switch {
                    again: again.saturating_add(1),
                });
            }
            Asked::Probe { place, lost } => {
                let is_refused = matches!(error, ProtocolError::Refused { .. });
                self.probe_next(place, lost.saturating_add(usize::from(!is_refused)), error);
            }
            Asked::Hello { again } => self.hello_again(again, error),
            Asked::Open | Asked::Write { .. } | Asked::Done => self.try_again(error),
            Asked::Switch { .. } | Asked::Reset => self.fail(error),
        }
    }
}

/// Whether another try may succeed after this error. The other errors have their cause in the image or the modem.
const fn may_pass(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::UnexpectedEnd
            | ErrorCode::OperationFailed
            | ErrorCode::VerifyFailed
            | ErrorCode::OutOfSequence
            | ErrorCode::CloseFailed
            | ErrorCode::InvalidChecksum
            | ErrorCode::InvalidState
            | ErrorCode::ReceiveTimeout
    )
}

/// Whether this is a repeated acknowledgement of the chunk before.
fn is_late(asked: Asked, write: &WriteResponse) -> bool {
    matches!(asked, Asked::Write { chunk, .. } if u32::from(write.sequence) + 1 == chunk)
        && write.status == WriteStatus::Success
}

pub(super) fn find_sahara_hello(bytes: &[u8]) -> Option<usize> {
    bytes
        .windows(SAHARA_HELLO.len())
        .position(|window| window == SAHARA_HELLO)
}
