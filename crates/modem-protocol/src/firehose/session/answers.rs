//! Handles what the modem sends.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use super::garbled::{is_garbled, resembles_response};
use super::{
    AFTER_FAILURE, AFTER_NOISE, AFTER_REFUSAL, AFTER_SUCCESS, Announced, FirehoseState, Goal, MOST_PROGRAMS,
    MOST_RESET_NAKS, MOST_TRIES, PROCESSED, Ping, Programs, QUIET, RAW_DATA, RAW_DATA_BYTES_PER_S, Session,
};
use crate::Instant;
use crate::conversation::{ProtocolError, Refusal, Report, Step};
use crate::firehose::failure;
use crate::firehose::message::{Answer, Configure, Nak, Response, Verdict};
use crate::firehose::plan::ZERO_BLOCK;

fn is_unknown(answer: &Answer) -> bool {
    matches!(answer, Answer::Other { .. })
}

impl Session {
    pub(super) fn document(&mut self, document: &[u8], now: Instant) {
        match Answer::parse(document) {
            // One damaged byte turns the element into another one, or into text.
            Ok(answers) if answers.iter().all(is_unknown) && resembles_response(document) => {
                let error = ProtocolError::Unexpected {
                    step: self.step(),
                    expected: "a response",
                    got: "a damaged document".to_string(),
                };
                self.garbled(document, error, now);
            }
            Ok(answers) => {
                for answer in answers {
                    if self.out.has_failed() {
                        return;
                    }
                    match answer {
                        Answer::Log(line) => self.logged(line, now),
                        Answer::Response(response) if is_garbled(&response, document) => {
                            let (step, got) = (self.step(), format!("response {response}"));
                            let error = ProtocolError::Unexpected {
                                step,
                                expected: "ACK or NAK",
                                got,
                            };
                            self.garbled(document, error, now);
                        }
                        Answer::Response(response) => self.responded(&response, now),
                        Answer::Other { name, .. } => {
                            self.out.report(Report::Noise(format!("unknown element {name}")));
                        }
                    }
                }
            }
            Err(error) => self.doubt(document, error, now),
        }
    }

    fn logged(&mut self, line: String, now: Instant) {
        if self.geometry.is_none() {
            self.storage_line(&line);
        }
        let is_failure = failure::is_failure(&line);
        let is_success = line.contains(PROCESSED);
        self.out.report(if failure::is_zero_block_noise(&line) {
            Report::Noise(line.clone())
        } else {
            Report::ModemLog(line.clone())
        });
        if self.log.len() >= Nak::MOST_LINES {
            self.log.pop_front();
        }
        self.log.push_back(line);
        match &mut self.state {
            FirehoseState::RawData { image, .. } if is_failure => {
                let step = Step::RawData { image: *image };
                self.refuse(step);
            }
            FirehoseState::Verdict { deadline, .. } if is_failure => {
                self.announced = Announced::Failure;
                *deadline = (*deadline).min(now + AFTER_FAILURE);
            }
            FirehoseState::RawData { .. } if is_success => self.announced = Announced::Success,
            FirehoseState::Verdict { deadline, .. } if is_success => {
                self.announced = Announced::Success;
                *deadline = (*deadline).min(now + AFTER_SUCCESS);
            }
            _ => {}
        }
    }

    /// Reads a line of the form `name=value` about the flash.
    fn storage_line(&mut self, line: &str) {
        let Some((name, value)) = line.split_once('=') else {
            return;
        };
        let number = value.trim().parse::<u32>().ok();
        let (name, value) = (name.trim(), value.trim());
        let is_plausible = if name.eq_ignore_ascii_case("SECTOR_SIZE_IN_BYTES") {
            // A sector consists of whole USB packets and is no larger than the largest block.
            let size = number.filter(|size| (512..=1 << 20).contains(size) && size % 512 == 0);
            self.storage.sector_size_bytes = size.unwrap_or(self.storage.sector_size_bytes);
            size.is_some()
        } else if name.eq_ignore_ascii_case("PAGES_IN_BLOCK") {
            let pages = number.filter(|pages| (1..=1 << 16).contains(pages));
            self.storage.pages_per_block = pages.unwrap_or(self.storage.pages_per_block);
            pages.is_some()
        } else {
            true
        };
        if !is_plausible {
            self.out.fail(ProtocolError::Unexpected {
                step: Step::StorageInfo,
                expected: "a plausible size",
                got: format!("{name}={value}"),
            });
        }
    }

    pub(super) fn responded(&mut self, response: &Response, now: Instant) {
        let nak = self.nak();
        let is_noise = nak.is_noise();
        // This is the modem's payload limit even if the response comes late, after a stray ACK.
        if let (None, Some(bytes)) = (self.geometry, response.max_payload_to_target_bytes) {
            self.storage.max_payload_bytes = bytes.min(Configure::WISH_BYTES);
        }
        match (&mut self.state, &response.verdict) {
            // The NAK before wasn't the answer to `program`: this is.
            (
                FirehoseState::Drain {
                    goal: Goal::Program(image),
                    ping: Ping::Due,
                    ..
                },
                Verdict::Ack,
            ) if response.raw_mode == Some(true) && self.programs.refused > 0 => {
                let image = *image;
                self.start_raw_data(image, now);
            }
            // The same, but the NOP since then has become image data.
            (
                FirehoseState::Drain {
                    goal: Goal::Program(image),
                    ..
                }
                | FirehoseState::Ping {
                    goal: Goal::Program(image),
                    ..
                },
                Verdict::Ack,
            ) if response.raw_mode == Some(true) && self.programs.refused > 0 => {
                let step = Step::Program { image: *image };
                self.out.fail(ProtocolError::Unexpected {
                    step,
                    expected: "an answer to NOP",
                    got: response.to_string(),
                });
            }
            (FirehoseState::Drain { .. } | FirehoseState::Finished, _) => {
                self.out
                    .report(Report::Noise(format!("{response} that nothing was asked for")));
            }
            (FirehoseState::Ping { goal, tries, .. }, Verdict::Ack) => {
                let (goal, is_only_answer) = (*goal, *tries == 1 && self.heard.naks == 0);
                // After several NOPs, or a refusal, more answers may be on their way.
                if is_only_answer && self.programs.tries() == 0 {
                    self.go_on(goal, now);
                } else {
                    self.drain(goal, Ping::Done, now);
                }
            }
            (
                FirehoseState::Ping {
                    again_at, nak: last, ..
                },
                _,
            ) => {
                *again_at = now + QUIET;
                *last = (!is_noise).then_some(nak);
                self.heard.naks = self.heard.naks.saturating_add(1);
            }
            // The usual answer to configure is a NAK with a number, which only corrects the payload.
            (
                FirehoseState::Asked {
                    goal: Goal::Configure,
                    tries,
                    ..
                },
                _,
            ) if response.max_payload_to_target_bytes.is_some() => {
                if *tries == 1 {
                    self.go_on(Goal::StorageInfo, now);
                } else {
                    self.drain(Goal::StorageInfo, Ping::Done, now);
                }
            }
            (
                FirehoseState::Asked {
                    goal: Goal::Configure,
                    ..
                },
                Verdict::Ack,
            ) => {
                self.drain(Goal::StorageInfo, Ping::Done, now);
            }
            (
                FirehoseState::Asked {
                    goal: Goal::StorageInfo,
                    ..
                },
                Verdict::Ack,
            ) => {
                let goal = self.after(None);
                self.drain(goal, Ping::Due, now);
            }
            (
                FirehoseState::Asked {
                    goal: Goal::Program(image),
                    ..
                },
                Verdict::Ack,
            ) => {
                let image = *image;
                match response.raw_mode {
                    Some(true) => self.start_raw_data(image, now),
                    _ => self
                        .out
                        .report(Report::Noise(format!("{response} before raw mode"))),
                }
            }
            (
                FirehoseState::Asked {
                    goal: Goal::Reset, ..
                },
                Verdict::Ack,
            ) => self.enter(FirehoseState::Finished),
            // The request may have been lost together with the noise, or the modem may still answer it after the
            // noise. So wait before sending it again.
            (FirehoseState::Asked { again_at, .. }, Verdict::Nak) if is_noise => {
                *again_at = now + AFTER_NOISE
            }
            (
                FirehoseState::Asked {
                    goal: Goal::Reset,
                    naks,
                    again_at,
                    ..
                },
                Verdict::Nak,
            ) if *naks < MOST_RESET_NAKS => {
                *naks += 1;
                *again_at = now + AFTER_NOISE;
            }
            (
                FirehoseState::Asked {
                    goal: Goal::Program(image),
                    ..
                },
                Verdict::Nak,
            ) => {
                let image = *image;
                self.refused_program(image, nak, now);
            }
            (FirehoseState::RawData { image, next, .. }, Verdict::Ack)
                if response.raw_mode == Some(false) =>
            {
                let (image, next) = (*image, *next);
                let is_sent = self.images.get(image).is_some_and(|&size| next >= size)
                    && self.out.left() <= ZERO_BLOCK.into();
                if is_sent {
                    self.accept(image, now);
                } else {
                    self.out.fail(ProtocolError::Unexpected {
                        step: Step::RawData { image },
                        expected: "no verdict before the last byte",
                        got: response.to_string(),
                    });
                }
            }
            (FirehoseState::Verdict { image, .. }, Verdict::Ack)
                if response.raw_mode == Some(false)
                    || (response.raw_mode.is_none() && self.announced == Announced::Success) =>
            {
                let image = *image;
                if self.announced == Announced::Failure {
                    self.refuse_with(Step::Verdict { image }, nak);
                } else {
                    self.accept(image, now);
                }
            }
            (FirehoseState::RawData { .. } | FirehoseState::Verdict { .. }, Verdict::Ack) => {
                self.out
                    .report(Report::Noise(format!("{response} during raw data")));
            }
            // These are probably late complaints about the image before, which come one by one. If they are about
            // this image, its verdict will not come, and the last complaint is reported as the reason.
            (FirehoseState::RawData { .. } | FirehoseState::Verdict { .. }, Verdict::Nak)
                if is_noise && self.complaints < MOST_TRIES =>
            {
                self.complaints += 1;
                self.complaint = Some(nak);
            }
            (_, Verdict::Nak) => {
                let step = self.step();
                self.refuse_with(step, nak);
            }
            (_, Verdict::Other(value)) => {
                let (step, got) = (self.step(), format!("response {value}"));
                self.out.fail(ProtocolError::Unexpected {
                    step,
                    expected: "ACK or NAK",
                    got,
                });
            }
        }
    }

    /// The modem refuses `program`, so it is still in command mode.
    pub(super) fn refused_program(&mut self, image: usize, nak: Nak, now: Instant) {
        self.programs.refused += 1;
        if !nak.log.is_empty() || self.programs.refusal.is_none() {
            self.programs.refusal = Some(nak);
        }
        if self.programs.tries() >= MOST_PROGRAMS {
            return self.refuse_program(image);
        }
        let why = self.programs.refusal.as_ref().map(ToString::to_string);
        self.out.report(Report::Retrying {
            step: Step::Program { image },
            attempt: self.programs.tries() + 1,
            why: why.unwrap_or_default(),
        });
        self.drain(Goal::Program(image), Ping::Due, now);
        if let FirehoseState::Drain { quiet_until, .. } = &mut self.state {
            *quiet_until = now + AFTER_REFUSAL;
        }
    }

    /// Fails with the modem's reason for not taking the image.
    pub(super) fn refuse_program(&mut self, image: usize) {
        let log = Vec::new();
        let nak = self.programs.refusal.take().unwrap_or(Nak { log });
        self.refuse_with(Step::Program { image }, nak);
    }

    pub(super) fn refuse(&mut self, step: Step) {
        let nak = self.nak();
        self.refuse_with(step, nak);
    }

    pub(super) fn refuse_with(&mut self, step: Step, nak: Nak) {
        self.out.fail(ProtocolError::Refused {
            step,
            refusal: Refusal::Firehose(nak),
        });
    }

    pub(super) fn start_raw_data(&mut self, image: usize, now: Instant) {
        self.out.cancel_output();
        let size = self.images.get(image).copied().unwrap_or(0);
        let deadline = now + RAW_DATA + Duration::from_secs(size / RAW_DATA_BYTES_PER_S);
        self.enter(FirehoseState::RawData {
            image,
            next: 0,
            start: 0,
            since: now,
            deadline,
        });
    }

    pub(super) fn accept(&mut self, image: usize, now: Instant) {
        self.out.report(Report::ImageAccepted { image });
        self.programs = Programs::default();
        let goal = self.after(Some(image));
        self.drain(goal, Ping::Due, now);
    }
}
