//! Follows a download: turns the reports of the conversation and the driver into events, progress and the
//! modem's state.

use std::time::Duration;

use modem_protocol::conversation::{Connected, Report};
use modem_world::Instant;

use super::weight;
use crate::modem::Protocol;
use crate::run::{Note, Teller};
use crate::told::{EventKind, ModemState, Step};

/// The shortest time between two events about the progress of an image.
const ADVANCE_EVERY: Duration = Duration::from_millis(200);

/// An image, as the events name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) file: String,
    pub(crate) bytes: u64,
}

/// How far a download has got.
#[derive(Debug)]
pub(crate) struct Watch {
    images: Vec<Named>,
    /// Number of images that the modem accepted in this session.
    pub(crate) accepted: usize,
    /// Number of images that the modem said it doesn't need.
    pub(crate) not_required: usize,
    /// Bytes of the accepted images.
    pub(crate) accepted_bytes: u64,
    /// Whether image bytes were sent, in this session or an earlier one.
    pub(crate) has_written: bool,
    protocol: Protocol,
    current: Option<usize>,
    sent: u64,
    acknowledged: u64,
    told: Option<Instant>,
}

impl Watch {
    pub(crate) fn new(images: Vec<Named>) -> Self {
        Self {
            images,
            accepted: 0,
            not_required: 0,
            accepted_bytes: 0,
            has_written: false,
            protocol: Protocol::Qdl,
            current: None,
            sent: 0,
            acknowledged: 0,
            told: None,
        }
    }

    /// Begins a new session, in which every image is sent again.
    pub(crate) fn restart(&mut self, protocol: Protocol) {
        self.accepted = 0;
        self.not_required = 0;
        self.accepted_bytes = 0;
        self.current = None;
        self.protocol = protocol;
    }

    /// Whether the modem has answered for every image.
    pub(crate) fn is_complete(&self) -> bool {
        self.accepted.saturating_add(self.not_required) >= self.images.len()
    }

    /// The state of the modem, provided that it is still in download mode.
    pub(crate) fn state(&self) -> ModemState {
        if self.is_complete() && self.accepted > 0 {
            ModemState::AllWritten
        } else if self.has_written {
            ModemState::PartlyWritten {
                accepted: self.accepted,
                of: self.images.len(),
            }
        } else {
            ModemState::InDownloadMode
        }
    }

    fn named(&self, image: usize) -> (usize, usize, String) {
        let file = self
            .images
            .get(image)
            .map(|named| named.file.clone())
            .unwrap_or_default();
        (image.saturating_add(1), self.images.len(), file)
    }

    fn size(&self, image: usize) -> u64 {
        self.images.get(image).map_or(0, |named| named.bytes)
    }

    /// The share of the whole run that is done. Each part counts with its weight ([`weight`]).
    fn share(&self, image: usize, acknowledged: u64, is_sent: bool, is_done: bool) -> f64 {
        let mut done = weight::START;
        let mut total = weight::START + weight::RESET;
        for (place, named) in self.images.iter().enumerate() {
            let (write, finalise) = weight::of_image(self.protocol, named.bytes);
            total += write + finalise;
            if place < image || (place == image && is_done) {
                done += write + finalise;
            } else if place == image {
                let share = if is_sent {
                    1.0
                } else {
                    part(acknowledged, named.bytes)
                };
                done += write * share;
            }
        }
        done / total
    }

    /// Records what happened and tells it.
    pub(crate) fn note(&mut self, teller: &mut Teller<'_>, now: Instant, note: Note) {
        match note {
            Note::Sent { image, bytes } => {
                self.sent = bytes;
                if !self.has_written && bytes > 0 {
                    self.has_written = true;
                    teller.set_modem(now, self.state());
                }
                self.tell_advance(teller, now, image, false);
            }
            Note::StopAsked => {
                let when = "at the next point from which the update can be started again; \
                            press Ctrl-C once more to stop now";
                teller.tell(
                    now,
                    EventKind::Stopping {
                        when: when.to_owned(),
                    },
                );
            }
            Note::Report(report) => self.report(teller, now, report),
        }
    }

    fn report(&mut self, teller: &mut Teller<'_>, now: Instant, report: Report) {
        match report {
            Report::Connected(connected) => {
                teller.tell(
                    now,
                    EventKind::Connected {
                        what: words(&connected),
                    },
                );
            }
            Report::ImageStarted { image, attempt } => {
                self.current = Some(image);
                (self.sent, self.acknowledged, self.told) = (0, 0, None);
                let (number, of, file) = self.named(image);
                if attempt > 1 {
                    tracing::info!(image = number, attempt, "image again");
                }
                teller.advance(self.share(image, 0, false, false));
                teller.begin(
                    now,
                    Step::Write {
                        image: number,
                        of,
                        file,
                    },
                );
            }
            Report::ImageNotRequired { image } => {
                self.not_required = self.not_required.saturating_add(1);
                let (number, _, file) = self.named(image);
                teller.advance(self.share(image, 0, true, true));
                teller.tell(now, EventKind::ImageNotRequired { image: number, file });
                teller.finish(now);
                self.reset_step(teller, now);
            }
            Report::Acknowledged { image, bytes } => {
                self.acknowledged = bytes;
                self.sent = self.sent.max(bytes);
                let is_last = bytes >= self.size(image);
                self.tell_advance(teller, now, image, is_last);
            }
            Report::Finalising { image, up_to } => {
                let (number, of, file) = self.named(image);
                teller.advance(self.share(image, 0, true, false));
                teller.silence(
                    now,
                    up_to,
                    "the modem is checking the image and writing it to flash",
                );
                teller.begin(
                    now,
                    Step::Finalise {
                        image: number,
                        of,
                        file,
                    },
                );
            }
            Report::ImageAccepted { image } => {
                self.accepted = self.accepted.saturating_add(1);
                self.accepted_bytes = self.accepted_bytes.saturating_add(self.size(image));
                let (number, of, file) = self.named(image);
                teller.advance(self.share(image, 0, true, true));
                teller.finish(now);
                teller.tell(
                    now,
                    EventKind::ImageAccepted {
                        image: number,
                        of,
                        file,
                    },
                );
                teller.set_modem(now, self.state());
                self.reset_step(teller, now);
            }
            Report::ModemLog(line) => teller.tell(now, EventKind::ModemLog { line }),
            Report::Noise(what) => teller.tell(now, EventKind::Noise { what }),
            Report::Retrying { step, attempt, why } => teller.retry(now, &step.to_string(), attempt, &why),
            Report::ResetSent => {
                teller.begin(now, Step::Leave);
            }
            other => tracing::debug!(?other, "report"),
        }
    }

    fn reset_step(&self, teller: &mut Teller<'_>, now: Instant) {
        if self.is_complete() {
            teller.begin(now, Step::Reset);
        }
    }

    fn tell_advance(&mut self, teller: &mut Teller<'_>, now: Instant, image: usize, is_last: bool) {
        let progress = teller.advance(self.share(image, self.acknowledged, false, false));
        let is_due = self.told.is_none_or(|told| now.since(told) >= ADVANCE_EVERY);
        if is_due || is_last {
            self.told = Some(now);
            let kind = EventKind::Advanced {
                image: image.saturating_add(1),
                sent_bytes: self.sent,
                acknowledged_bytes: self.acknowledged,
                total_bytes: self.size(image),
                progress,
            };
            teller.tell(now, kind);
        }
    }
}

/// The share of `part` in `whole`, from 0 to 1.
fn part(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        1.0
    } else {
        (part as f64 / whole as f64).min(1.0)
    }
}

fn words(connected: &Connected) -> String {
    match connected {
        Connected::Qdl { version } => format!("QDL version {version}"),
        Connected::Sahara {
            version,
            confirmation,
        } => {
            format!("Sahara version {version}, switched to Firehose ({confirmation})")
        }
        Connected::Firehose {
            block_size_bytes,
            sector_size_bytes,
            ..
        } => {
            format!("Firehose with blocks of {block_size_bytes} bytes and sectors of {sector_size_bytes}")
        }
        other => format!("{other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::modem::DeviceId;
    use crate::told::Event;

    fn images() -> Vec<Named> {
        vec![
            Named {
                file: "a.cwe".into(),
                bytes: 1000,
            },
            Named {
                file: "b.nvu".into(),
                bytes: 100,
            },
        ]
    }

    #[test]
    fn progress_never_goes_backwards_when_an_image_is_sent_again() {
        let images = images();
        let mut told: Vec<Event> = Vec::new();
        let mut sink = |event: &Event| told.push(event.clone());
        let mut teller = Teller::new(&mut sink, DeviceId::from_port_name("p"), Instant::START);
        let mut watch = Watch::new(images);
        let reports = [
            Report::ImageStarted { image: 0, attempt: 1 },
            Report::Acknowledged { image: 0, bytes: 900 },
            Report::ImageStarted { image: 0, attempt: 2 },
            Report::Acknowledged {
                image: 0,
                bytes: 1000,
            },
            Report::Finalising {
                image: 0,
                up_to: Duration::from_secs(180),
            },
            Report::ImageAccepted { image: 0 },
            Report::ImageStarted { image: 1, attempt: 1 },
            Report::ImageNotRequired { image: 1 },
            Report::ResetSent,
        ];
        for report in reports {
            watch.note(&mut teller, Instant::START, Note::Report(report));
        }
        assert!(watch.is_complete());
        let mut last = 0.0;
        for event in told {
            let progress = match event.kind {
                EventKind::StepStarted { progress, .. }
                | EventKind::StepFinished { progress, .. }
                | EventKind::Advanced { progress, .. } => progress,
                _ => continue,
            };
            assert!((last..=1.0).contains(&progress), "{progress} after {last}");
            last = progress;
        }
        assert!(last > 0.5);
    }

    #[test]
    fn the_silence_is_told_before_its_step_begins() {
        let images = images();
        let mut told: Vec<Event> = Vec::new();
        let mut sink = |event: &Event| told.push(event.clone());
        let mut teller = Teller::new(&mut sink, DeviceId::from_port_name("p"), Instant::START);
        let mut watch = Watch::new(images);
        let report = Report::Finalising {
            image: 0,
            up_to: Duration::from_secs(180),
        };
        watch.note(&mut teller, Instant::START, Note::Report(report));
        assert!(matches!(
            told[0].kind,
            EventKind::SilenceExpected { up_to_s: 180.0, .. }
        ));
        assert!(matches!(
            told[1].kind,
            EventKind::StepStarted {
                step: Step::Finalise { .. },
                ..
            }
        ));
    }

    #[test]
    fn the_state_follows_what_was_written_and_accepted() {
        let images = images();
        let mut sink = |_: &Event| {};
        let mut teller = Teller::new(&mut sink, DeviceId::from_port_name("p"), Instant::START);
        let mut watch = Watch::new(images);
        assert_eq!(watch.state(), ModemState::InDownloadMode);
        watch.note(&mut teller, Instant::START, Note::Sent { image: 0, bytes: 401 });
        assert_eq!(teller.modem(), ModemState::PartlyWritten { accepted: 0, of: 2 });
        watch.note(
            &mut teller,
            Instant::START,
            Note::Report(Report::ImageAccepted { image: 0 }),
        );
        assert_eq!(teller.modem(), ModemState::PartlyWritten { accepted: 1, of: 2 });
        watch.note(
            &mut teller,
            Instant::START,
            Note::Report(Report::ImageAccepted { image: 1 }),
        );
        assert_eq!(teller.modem(), ModemState::AllWritten);
    }
}
