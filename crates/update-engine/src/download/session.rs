//! A download, from detecting the protocol until the modem leaves the bus: its sessions, and what to do when a session ends
//! early.
//!
//! A session is started again only if the specification shows that this helps, and only a bounded number of times: after a
//! Sahara start that was spoiled or met a memory dump (sahara-firehose.md §6), and after a modem left the bus in the middle
//! and came back in download mode (update-flow.md §10: an image starts from its beginning). Within a session, the
//! conversation itself decides what to repeat.

use std::time::Duration;

use modem_protocol::conversation::{Conversation, Peer, ProtocolError, Refusal};
use modem_protocol::{firehose, qdl, sahara};

use super::detect::{Expect, Found};
use super::watch::Watch;
use crate::decide::Shipment;
use crate::modem::{Protocol, Quirk, standing};
use crate::run::{Deed, DriveError, Heed, ImageFeed, LEAVE_LIMIT, NoImages, RETURN_LIMIT, Run};
use crate::told::{Cause, Layer, ModemState, Step, Written};

/// How often a failed Sahara start is repeated: first after the modem enumerates again, which leaves it in its boot loader
/// (sahara-firehose.md §6.4), then after a reset (sahara-firehose.md §6, rule: once).
const FRESH_STARTS: u8 = 2;
/// How often a download starts again after the modem left the bus in the middle.
const RETURNS: u8 = 1;
/// How long after its enumeration to leave a modem alone that answered 0x1F (sahara-firehose.md §6.2).
const HOLD_BACK: Duration = Duration::from_secs(2);

/// How a session ends.
enum End {
    /// The modem accepted all images, and the reset is sent.
    Done,
    /// The session failed before anything was written. A fresh start may help.
    Fresh(Cause),
    /// The boot loader speaks Sahara, not QDL as expected, and sent these bytes.
    Hello(Vec<u8>),
    /// The modem left the bus in the middle.
    Left(Cause),
    /// The session failed, and starting it again wouldn't help.
    Failed(Cause),
}

impl Run<'_> {
    /// Sends the images of `shipment` to the modem behind the open port. If `shipment` has no images, the modem only restarts.
    ///
    /// # Errors
    /// The download fails; the modem's state is noted. The user stops.
    pub(crate) fn download(&mut self, shipment: &mut Shipment<'_>) -> Result<Written, Cause> {
        let mut watch = Watch::new(shipment.names());
        let mut expect = Expect {
            opening: shipment.opening(),
            is_again: shipment.is_again(),
            is_bare: self.whereabouts().device().is_none(),
        };
        let (mut fresh_starts, mut returns) = (0, 0);
        let mut refused: Option<Cause> = None;
        loop {
            self.begin(Step::Detect);
            let found = match (self.detect(expect), refused.take()) {
                (Ok(found), before) => {
                    refused = before;
                    found
                }
                // The modem is silent after the fresh start. The failure before that says more, so report that one.
                (Err(Cause::Mute { .. }), Some(before)) => {
                    self.set_modem(ModemState::Unknown);
                    return Err(before);
                }
                (Err(cause), _) => return Err(cause),
            };
            let mut end = self.session(found, shipment, &mut watch, fresh_starts > 0);
            if let End::Hello(received) = end {
                let found = Found::Sahara {
                    received,
                    provoked: true,
                };
                end = self.session(found, shipment, &mut watch, fresh_starts > 0);
            }
            if watch.accepted > 0 {
                self.note_deed(Deed::Written);
            }
            match end {
                End::Done => return self.leave(&watch),
                End::Failed(cause) => return Err(cause),
                End::Hello(_) => {
                    let what = "a Sahara session ended with a Sahara hello".to_owned();
                    return Err(Cause::Bug { what });
                }
                End::Fresh(cause) => {
                    if fresh_starts >= FRESH_STARTS {
                        return Err(after_reset(cause));
                    }
                    fresh_starts += 1;
                    let is_dump = matches!(after_reset(cause.clone()), Cause::Crashed);
                    let is_gentle = fresh_starts == 1 && !is_dump && self.enumerate_anew(&cause)?;
                    if !is_gentle {
                        fresh_starts = FRESH_STARTS;
                        self.fresh_start(&cause)?;
                    }
                    refused = Some(after_reset(cause));
                    expect.is_again = true;
                }
                // The modem has all images and restarts by itself, so no reset is needed.
                End::Left(_) if watch.is_complete() => return self.leave(&watch),
                End::Left(cause) => {
                    let is_last = returns >= RETURNS || self.is_stop_asked();
                    self.follow(&cause, &watch, is_last)?;
                    if is_last {
                        return Err(cause);
                    }
                    returns += 1;
                    // The session had started, and this start of the boot loader is a new one.
                    fresh_starts = 0;
                    expect.is_again = false;
                }
            }
        }
    }

    /// Runs one session, in the protocol that was found.
    fn session(
        &mut self,
        found: Found,
        shipment: &mut Shipment<'_>,
        watch: &mut Watch,
        is_again: bool,
    ) -> End {
        self.begin(Step::Connect);
        match found {
            Found::Qdl { received } => self.qdl(received, shipment, watch),
            Found::Firehose { received } => self.firehose(received, shipment, watch),
            Found::Refused => {
                let refusal = Refusal::MemoryDebug;
                let error = ProtocolError::Refused {
                    step: modem_protocol::conversation::Step::SaharaHello,
                    refusal,
                };
                End::Fresh(Cause::Protocol {
                    layer: Layer::Sahara,
                    error,
                })
            }
            Found::Unasked { tried } => match self.sahara(sahara::switch::Start::Unasked, watch) {
                Ok(rest) => self.firehose(rest, shipment, watch),
                Err(End::Fresh(Cause::Protocol {
                    error: ProtocolError::Silent { .. },
                    ..
                })) => End::Failed(Cause::Mute { tried }),
                Err(end) => end,
            },
            Found::Sahara {
                mut received,
                provoked,
            } => {
                if let Err(cause) = self.hold_back(&mut received, is_again) {
                    return End::Failed(cause);
                }
                tracing::debug!(provoked, "Sahara hello");
                match self.sahara(sahara::switch::Start::Heard(received), watch) {
                    Ok(rest) => self.firehose(rest, shipment, watch),
                    Err(end) => end,
                }
            }
        }
    }

    /// Waits until some time after the modem's enumeration, if the modem is known to fail when it is asked too early, or if
    /// the session is started again.
    fn hold_back(&mut self, received: &mut Vec<u8>, is_again: bool) -> Result<(), Cause> {
        let row = self.whereabouts().device().and_then(standing::lookup);
        if is_again || row.is_some_and(|row| row.has(Quirk::HoldBack)) {
            // The Sahara switch begins with a silence of its own, so subtract that.
            let until = self.whereabouts().came() + HOLD_BACK.saturating_sub(sahara::switch::QUIET);
            self.collect(received, until)?;
        }
        Ok(())
    }

    /// Runs a QDL session. The probe 0x70 has already been sent.
    fn qdl(&mut self, received: Vec<u8>, shipment: &mut Shipment<'_>, watch: &mut Watch) -> End {
        if shipment.image_protocol() == Some(Protocol::SaharaFirehose) {
            return End::Failed(other_family(shipment, "a modem that speaks QDL"));
        }
        let images = match shipment.for_qdl() {
            Ok(images) => images,
            Err(cause) => return End::Failed(cause),
        };
        self.note_deed(Deed::Changed);
        watch.restart(Protocol::Qdl);
        let mut conversation = qdl::Download::new(images, qdl::Start::SwitchSent { received });
        match self.converse(&mut conversation, watch, shipment) {
            Ok(()) => End::Done,
            Err(DriveError::Protocol(ProtocolError::OtherProtocol { peer, .. })) => match peer {
                Peer::Sahara => End::Hello(conversation.into_rest()),
                Peer::Diag | Peer::Echo => {
                    self.set_modem(ModemState::RunsFirmware);
                    End::Failed(Cause::RunsNormally {
                        evidence: format!("{peer} answers"),
                    })
                }
                other => {
                    self.set_modem(ModemState::Emergency);
                    End::Failed(Cause::EmergencyMode {
                        evidence: format!("{other} answers"),
                    })
                }
            },
            Err(error) => end_of(error, Layer::Qdl),
        }
    }

    /// Switches the boot loader from Sahara to Firehose. Returns the bytes that came after the switch.
    fn sahara(&mut self, start: sahara::switch::Start, watch: &mut Watch) -> Result<Vec<u8>, End> {
        let mut conversation = sahara::switch::Switch::to_firehose(start, self.now());
        match self.converse(&mut conversation, watch, &mut NoImages) {
            Ok(()) => Ok(conversation.into_rest()),
            Err(error) => Err(match end_of(error, Layer::Sahara) {
                // Sahara writes nothing, so a fresh start is possible whatever went wrong.
                End::Failed(cause @ Cause::Protocol { .. }) if !is_stop(&cause) => End::Fresh(cause),
                end => end,
            }),
        }
    }

    /// Runs a Firehose session. `received` holds the bytes that have already come.
    fn firehose(&mut self, received: Vec<u8>, shipment: &mut Shipment<'_>, watch: &mut Watch) -> End {
        // Don't check this before the switch: a crashed QDL modem sends a Sahara hello, too.
        if shipment.image_protocol() == Some(Protocol::Qdl) {
            return End::Failed(other_family(shipment, "a modem that speaks Sahara and Firehose"));
        }
        let images = match shipment.for_firehose() {
            Ok(images) => images,
            Err(cause) => return End::Failed(cause),
        };
        // From here on the modem may change. The Sahara switch before this only asked which boot loader is there.
        self.note_deed(Deed::Changed);
        watch.restart(Protocol::SaharaFirehose);
        let mut conversation = firehose::session::Session::new(&images, &received, self.now());
        match self.converse(&mut conversation, watch, shipment) {
            Ok(()) => End::Done,
            Err(error) => end_of(error, Layer::Firehose),
        }
    }

    fn converse(
        &mut self,
        conversation: &mut dyn Conversation,
        watch: &mut Watch,
        feed: &mut dyn ImageFeed,
    ) -> Result<(), DriveError> {
        self.handle().map_err(DriveError::Cause)?;
        self.touched();
        self.drive(conversation, feed, &mut |teller, now, note| {
            watch.note(teller, now, note)
        })
    }

    /// After a failed Sahara start, has the host make the modem enumerate again. Returns false if the host can't do that.
    fn enumerate_anew(&mut self, cause: &Cause) -> Result<bool, Cause> {
        if !self.re_enumerate() {
            return Ok(false);
        }
        let why = format!("{cause}; the host makes the modem enumerate again");
        self.retry("the start of the session", 2, &why);
        self.begin(Step::Return);
        self.follow_re_enumeration()
            .inspect_err(|cause| self.note_lost(cause))?;
        Ok(true)
    }

    /// After a failed Sahara start, resets the modem and waits until it is back.
    fn fresh_start(&mut self, cause: &Cause) -> Result<(), Cause> {
        let why = format!("{cause}; modemflash restarts the modem");
        self.retry("the start of the session", 2, &why);
        self.begin(Step::Return);
        self.note_deed(Deed::Changed);
        let mut conversation = sahara::reset::Reset::new(self.now());
        self.handle()?;
        match self.drive(&mut conversation, &mut NoImages, &mut |_, _, _| {}) {
            Err(DriveError::StoppedNow) => return Err(Cause::StoppedMidway),
            outcome => tracing::debug!(?outcome, "Sahara reset"),
        }
        if self.is_stop_asked() {
            return Err(Cause::Stopped {
                how: "stopped before the session was started again; no image was being sent",
            });
        }
        if !self.wait_leave(LEAVE_LIMIT, Heed::AtOnce)? {
            if !self.re_enumerate() {
                return Err(after_reset(cause.clone()));
            }
            return self
                .follow_re_enumeration()
                .inspect_err(|cause| self.note_lost(cause));
        }
        self.silence(RETURN_LIMIT, "the modem restarts");
        self.wait_return(RETURN_LIMIT)
            .inspect_err(|cause| self.note_lost(cause))
    }

    /// Follows a modem that left the bus in the middle. Returns `Ok` if the modem is back in download mode.
    fn follow(&mut self, cause: &Cause, watch: &Watch, is_last: bool) -> Result<(), Cause> {
        self.set_modem(ModemState::Unknown);
        if is_last {
            let why = format!("{cause}; waiting for the modem, only to see whether it comes back");
            self.silence(RETURN_LIMIT, &why);
        } else {
            let why = format!("{cause}; waiting for the modem to come back");
            self.retry("the download", 2, &why);
            self.silence(RETURN_LIMIT, "the modem may restart");
        }
        match self.wait_return(RETURN_LIMIT) {
            Ok(()) => {
                self.set_modem(watch.state());
                Ok(())
            }
            Err(Cause::Stopped { how }) => Err(Cause::Stopped { how }),
            Err(emergency @ Cause::EmergencyMode { .. }) => Err(emergency),
            // Report the first failure, because it says more. The modem's state says where the modem is now.
            Err(other) => {
                tracing::info!(%other, "not back");
                Err(cause.clone())
            }
        }
    }

    /// Waits until the modem leaves the bus after the reset request.
    fn leave(&mut self, watch: &Watch) -> Result<Written, Cause> {
        if !watch.is_complete() {
            let what = "a session ended without an answer to every image".to_owned();
            return Err(Cause::Bug { what });
        }
        if !self.wait_leave(LEAVE_LIMIT, Heed::WhenGone)? {
            return Err(Cause::DidNotLeave {
                waited_s: LEAVE_LIMIT.as_secs(),
            });
        }
        let now = self.now();
        self.teller().advance(1.0);
        self.teller().finish(now);
        self.set_modem(ModemState::Restarting);
        Ok(Written {
            accepted: watch.accepted,
            not_required: watch.not_required,
            bytes: watch.accepted_bytes,
        })
    }
}

/// How a session ends that failed with this error.
fn end_of(error: DriveError, layer: Layer) -> End {
    match error {
        DriveError::StoppedNow => End::Failed(Cause::StoppedMidway),
        DriveError::Cause(cause) => End::Failed(cause),
        DriveError::Protocol(ProtocolError::Stayed { waited }) => End::Failed(Cause::DidNotLeave {
            waited_s: waited.as_secs(),
        }),
        DriveError::Protocol(error @ ProtocolError::Left { .. }) => {
            End::Left(Cause::Protocol { layer, error })
        }
        DriveError::Protocol(error) => End::Failed(Cause::Protocol { layer, error }),
    }
}

fn other_family(shipment: &Shipment<'_>, modem: &str) -> Cause {
    let names = shipment.names();
    Cause::ImageOfOtherFamily {
        file: names
            .into_iter()
            .next()
            .map(|image| image.file)
            .unwrap_or_default(),
        image: shipment.words().to_owned(),
        modem: modem.to_owned(),
    }
}

fn is_stop(cause: &Cause) -> bool {
    matches!(
        cause,
        Cause::Protocol {
            error: ProtocolError::Stopped { .. },
            ..
        }
    )
}

/// The cause to report if a Sahara start failed and a reset didn't help.
fn after_reset(cause: Cause) -> Cause {
    match &cause {
        Cause::Protocol {
            error: ProtocolError::Refused { refusal, .. },
            ..
        } => match refusal {
            Refusal::MemoryDebug => Cause::Crashed,
            refusal => Cause::SpoiledStart {
                refusal: refusal.to_string(),
            },
        },
        _ => cause,
    }
}
