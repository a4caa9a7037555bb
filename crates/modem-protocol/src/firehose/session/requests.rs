//! Handles what becomes due: the next request, the next stretch of an image, or giving up.

use alloc::format;
use alloc::string::ToString;
use core::time::Duration;

use super::{
    AFTER_SUCCESS, ASK_AGAIN, Announced, FirehoseState, Goal, MOST_PINGS, MOST_TRIES, PING, PING_AGAIN,
    PROGRAM, Ping, RESET, Session, Storage, VERDICT,
};
use crate::Instant;
use crate::conversation::{Connected, ProtocolError, Report, Step};
use crate::firehose::message::{Configure, FirehoseRequest, Nak, Power, Program};
use crate::firehose::plan::Geometry;

impl Session {
    pub(super) fn tick(&mut self, now: Instant) {
        let is_clear = self.out.is_clear();
        match self.state {
            FirehoseState::Drain {
                goal,
                ping,
                since,
                quiet_until,
                deadline,
            } if is_clear => {
                if now >= quiet_until || (now >= deadline && goal == Goal::Reset) {
                    match ping {
                        Ping::Due => self.ping(goal, now),
                        Ping::Done => self.ask(goal, now),
                    }
                } else if now >= deadline {
                    self.give_up(since, now);
                }
            }
            FirehoseState::Ping {
                goal,
                tries,
                since,
                again_at,
                deadline,
                ..
            } if is_clear => {
                if now >= deadline || (now >= again_at && tries >= MOST_PINGS) {
                    self.give_up_pinging(goal, since, now);
                } else if now >= again_at {
                    self.ping_again(now);
                }
            }
            FirehoseState::Asked {
                tries,
                since,
                again_at,
                deadline,
                ..
            } if is_clear => {
                if now >= deadline || (now >= again_at && tries >= MOST_TRIES) {
                    self.give_up(since, now);
                } else if now >= again_at {
                    self.ask_again(now);
                }
            }
            FirehoseState::RawData {
                image,
                since,
                deadline,
                ..
            } if now >= deadline => {
                self.out.fail(ProtocolError::Stalled {
                    step: Step::RawData { image },
                    left: self.out.left(),
                    waited: now - since,
                });
            }
            FirehoseState::RawData {
                image,
                next,
                since,
                deadline,
                ..
            } if is_clear => {
                let size = self.images.get(image).copied().unwrap_or(0);
                match self
                    .geometry
                    .and_then(|geometry| geometry.stretch(image, next, size))
                {
                    Some(stretch) => {
                        let (start, next) = (stretch.range.start, stretch.range.end);
                        self.state = FirehoseState::RawData {
                            image,
                            next,
                            start,
                            since,
                            deadline,
                        };
                        self.out.send_image(stretch);
                    }
                    None => {
                        let deadline = match self.announced {
                            Announced::Success => now + AFTER_SUCCESS,
                            _ => now + VERDICT,
                        };
                        self.out.report(Report::Finalising {
                            image,
                            up_to: VERDICT,
                        });
                        self.enter(FirehoseState::Verdict {
                            image,
                            since: now,
                            deadline,
                        });
                    }
                }
            }
            FirehoseState::Verdict {
                image,
                since,
                deadline,
            } if now >= deadline => match self.announced {
                Announced::Success => {
                    let words = "no final ACK came, but the modem logged that the image is processed";
                    self.out.report(Report::Noise(words.to_string()));
                    self.accept(image, now);
                }
                Announced::Failure => self.refuse(Step::Verdict { image }),
                Announced::Nothing => match self.complaint.take() {
                    Some(nak) => self.refuse_with(Step::Verdict { image }, nak),
                    None => self.give_up(since, now),
                },
            },
            _ => {}
        }
    }

    fn ping(&mut self, goal: Goal, now: Instant) {
        let deadline = self.total(goal, PING, now);
        self.enter(FirehoseState::Ping {
            goal,
            tries: 1,
            since: now,
            again_at: now + PING_AGAIN,
            deadline,
            nak: None,
        });
        self.out.send(FirehoseRequest::Ping.to_bytes());
    }

    fn ping_again(&mut self, now: Instant) {
        if let FirehoseState::Ping {
            tries, again_at, nak, ..
        } = &mut self.state
        {
            *tries = tries.saturating_add(1);
            *again_at = now + PING_AGAIN;
            let why = nak.as_ref().map_or_else(|| "no ACK".to_string(), Nak::to_string);
            // This is expected after an image with a short last block: the zero block swallows one or two NOPs.
            self.out.report(Report::Noise(format!(
                "sending NOP {tries}, the one before it had no effect: {why}"
            )));
            self.out.send(FirehoseRequest::Ping.to_bytes());
        }
    }

    fn give_up_pinging(&mut self, goal: Goal, since: Instant, now: Instant) {
        if goal == Goal::Reset {
            // All images are accepted, so the reset is worth a try even without an ACK.
            self.out.report(Report::Noise(
                "no ACK to NOP; sending the reset anyway".to_string(),
            ));
            self.ask(goal, now);
            return;
        }
        match &self.state {
            // The refusal before says more.
            FirehoseState::Ping {
                goal: Goal::Program(image),
                ..
            } if self.programs.refused > 0 => {
                let image = *image;
                self.refuse_program(image);
            }
            FirehoseState::Ping { nak: Some(nak), .. } => {
                let nak = nak.clone();
                self.refuse_with(Step::Ping, nak);
            }
            _ => self.give_up(since, now),
        }
    }

    /// Sends the request of the goal for the first time.
    fn ask(&mut self, goal: Goal, now: Instant) {
        if self.geometry.is_none() && matches!(goal, Goal::Program(_)) && !self.conclude_storage() {
            return;
        }
        let Some(request) = self.request(goal) else { return };
        let (again_at, deadline) = match goal {
            Goal::Configure | Goal::StorageInfo => (now + ASK_AGAIN, self.start_deadline),
            Goal::Program(_) => (Instant::FAR, now + PROGRAM),
            Goal::Reset => (now + ASK_AGAIN, now + RESET),
        };
        if let Goal::Program(image) = goal {
            self.announced = Announced::Nothing;
            (self.complaints, self.complaint) = (0, None);
            let attempt = self.programs.tries() + 1;
            self.out.report(Report::ImageStarted { image, attempt });
        }
        self.enter(FirehoseState::Asked {
            goal,
            tries: 1,
            naks: 0,
            since: now,
            again_at,
            deadline,
        });
        self.out.send(request.to_bytes());
    }

    fn ask_again(&mut self, now: Instant) {
        let FirehoseState::Asked {
            goal,
            tries,
            again_at,
            ..
        } = &mut self.state
        else {
            return;
        };
        let (goal, attempt) = (*goal, tries.saturating_add(1));
        *tries = attempt;
        *again_at = if matches!(goal, Goal::Program(_)) {
            Instant::FAR
        } else {
            now + ASK_AGAIN
        };
        let why = match self.heard.garbled {
            0 => "only noise or nothing came",
            _ => "the answer can't be understood",
        };
        let why = why.to_string();
        self.out.report(Report::Retrying {
            step: goal.step(),
            attempt,
            why,
        });
        if let Some(request) = self.request(goal) {
            self.out.send(request.to_bytes());
        }
    }

    fn request(&self, goal: Goal) -> Option<FirehoseRequest> {
        Some(match goal {
            Goal::Configure => FirehoseRequest::Configure(Configure::asking_for(Configure::WISH_BYTES)),
            Goal::StorageInfo => FirehoseRequest::StorageInfo {
                physical_partition: 0,
            },
            Goal::Program(image) => {
                let (geometry, size) = (self.geometry?, self.images.get(image)?);
                FirehoseRequest::Program(Program::image(
                    geometry.sectors(*size),
                    geometry.sector_size_bytes(),
                    geometry.pages_per_block(),
                ))
            }
            Goal::Reset => FirehoseRequest::Power(Power::reset()),
        })
    }

    /// Makes the geometry from the modem's answers to configure and storage info.
    fn conclude_storage(&mut self) -> bool {
        let Storage {
            max_payload_bytes,
            sector_size_bytes,
            pages_per_block,
        } = self.storage;
        self.geometry = Geometry::new(max_payload_bytes, sector_size_bytes, pages_per_block);
        match self.geometry {
            Some(geometry) => self.out.report(Report::Connected(Connected::Firehose {
                block_size_bytes: geometry.block_size_bytes(),
                sector_size_bytes,
                pages_per_block,
            })),
            None => self.out.fail(ProtocolError::Unexpected {
                step: Step::Configure,
                expected: "a payload of at least one sector",
                got: format!("{max_payload_bytes} bytes, with sectors of {sector_size_bytes}"),
            }),
        }
        self.geometry.is_some()
    }

    /// Ends a step whose answer didn't come.
    fn give_up(&mut self, since: Instant, now: Instant) {
        let (step, waited) = (self.step(), now - since);
        // The refusal before says more than what came, or didn't come, after it.
        if let FirehoseState::Drain {
            goal: Goal::Program(image),
            ..
        }
        | FirehoseState::Asked {
            goal: Goal::Program(image),
            ..
        } = self.state
        {
            if self.programs.refused > 0 {
                return self.refuse_program(image);
            }
        }
        let is_still_talking = now.since(self.heard.last) < Duration::from_secs(1);
        self.out.fail(if self.heard.documents > 0 && is_still_talking {
            ProtocolError::Endless { step, waited }
        } else if self.heard.documents == 0 && self.heard.bytes > 0 {
            ProtocolError::Unexpected {
                step,
                expected: "a Firehose document",
                got: format!("{} bytes of something else", self.heard.bytes),
            }
        } else {
            ProtocolError::Silent { step, waited }
        });
    }
}
