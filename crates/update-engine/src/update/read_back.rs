//! Verifies the update: compares what the modem reports after its start with what was requested (update-flow.md §8).
//!
//! While a modem boots, it may restart more than once, say "not ready", or take requests without answering. modemflash
//! waits until that is over. The update has succeeded if everything agrees and the modem has stayed on the bus for a while.

use std::time::Duration;

use modem_protocol::control::Closing;
use modem_protocol::qmi::dms::{Request as Dms, Response, UpdateResult, UpdateStatus};
use modem_world::Instant;

use super::restart::{BOOT_LIMIT, NEW_FIRMWARE};
use super::stages::Course;
use super::work::Update;
use crate::decide::Goal;
use crate::modem::{Facts, Mode, Trio, masked};
use crate::run::Heed;
use crate::talk::{OPEN_PATIENCE, PATIENCE};
use crate::told::{Cause, ModemState};

/// How long a difference may last after the first full answer before it counts as a failure (update-flow.md §8).
const DIFFERENCE_LIMIT: Duration = Duration::from_secs(60);
/// How long a modem that reports what was requested must have been on the bus: twice as long as the longest appearance of a modem
/// in a boot loop, which shows itself for 2 to 3 s every 10 to 15 s (field-reports.md E5). The 3 s of linux.md §5 after the report
/// would add to the time of a modem that has long been there.
const STAY: Duration = Duration::from_secs(6);
/// How long to wait before asking a modem again that isn't ready or doesn't report what was requested yet.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// A modem that restarts this often while it is read back is in a boot loop. After an update a modem restarts once or twice
/// (update-flow.md §3.1).
const LOOP_RESTARTS: u8 = 3;

/// The result of reading back.
pub(super) enum ReadBack {
    /// The modem runs what was requested.
    Proven(Box<Facts>),
    /// The modem's firmware runs, but the modem doesn't report what was requested.
    Differs {
        facts: Box<Facts>,
        differences: Vec<String>,
    },
    /// The modem came back in download mode.
    Download,
}

/// The result of asking the modem once.
enum Reply {
    /// What the modem reports.
    Facts(Box<Facts>),
    /// Why the modem can't tell yet.
    NotYet(String),
}

impl Update<'_> {
    /// Asks a modem that is on the bus, again and again, until the update is verified or has failed.
    ///
    /// # Errors
    /// The modem doesn't answer, leaves the bus for good, or is a different modem; the user stops.
    pub(super) fn read_back(&mut self, course: &Course) -> Result<ReadBack, Cause> {
        let (goal, is_half) = (&course.goal, course.is_half());
        let until = self.run.now() + BOOT_LIMIT;
        let mut differs_since: Option<Instant> = None;
        let mut told: Option<Facts> = None;
        let mut restarts = 0;
        loop {
            if self.run.whereabouts().modem()?.mode == Mode::Download {
                return Ok(ReadBack::Download);
            }
            let asked = self.ask_for_facts(goal)?;
            self.run
                .stop_if_asked("stopped before the versions were read back; the modem has all images")?;
            let why = match asked {
                // A lost answer must not hide a difference that the modem reported a moment ago.
                Reply::Facts(facts) if told.as_ref().is_some_and(|told| tells_less(&facts, told)) => {
                    told = None;
                    "the modem reports less than a moment ago".to_owned()
                }
                Reply::Facts(facts) => {
                    self.is_same_modem(&facts, goal)?;
                    if told.as_ref() != Some(&*facts) {
                        told = Some((*facts).clone());
                        self.run.read(&facts);
                    }
                    let differences = differences(&facts, goal, is_half);
                    if differences.is_empty() {
                        let proven = self.run.whereabouts().came() + STAY;
                        if self.stays(proven.since(self.run.now()))? {
                            self.run.set_proven();
                            return Ok(ReadBack::Proven(facts));
                        }
                        self.wait_again(&mut restarts, until)?;
                        differs_since = None;
                        continue;
                    }
                    let since = *differs_since.get_or_insert(self.run.now());
                    if self.run.now() >= since + DIFFERENCE_LIMIT {
                        let mut differences = differences;
                        differences.extend(self.own_verdict()?);
                        return Ok(ReadBack::Differs { facts, differences });
                    }
                    differences.join("; ")
                }
                Reply::NotYet(why) => why,
            };
            tracing::info!(why, "not proven yet");
            self.run.remind_manager();
            if self.run.now() >= until {
                let id = self.run.whereabouts().modem()?.device.id();
                return Err(Cause::NotReadBack { id, why });
            }
            if !self.stays(ASK_AGAIN)? {
                self.wait_again(&mut restarts, until)?;
                differs_since = None;
            }
        }
    }

    fn ask_for_facts(&mut self, goal: &Goal) -> Result<Reply, Cause> {
        if let Err(mut tried) = self.run.open_control(self.request.control, OPEN_PATIENCE)? {
            if let Err(more) = self.run.open_at()? {
                tried.extend(more.tried);
                return Ok(Reply::NotYet(tried.join("; ")));
            }
        }
        let read = self.run.read_facts();
        self.run.close_session(Closing::Release)?;
        Ok(match read {
            Ok(facts) if facts.is_booting => {
                Reply::NotYet("the modem says that it isn't ready yet".to_owned())
            }
            Ok(facts) if facts.has_gaps => Reply::NotYet("the modem didn't answer every question".to_owned()),
            Ok(facts) if leaves_out(&facts, goal) => Reply::NotYet(
                "the modem doesn't report everything that it reported before the update".to_owned(),
            ),
            Ok(facts) if facts.running.firmware.is_none() => {
                Reply::NotYet("the modem doesn't report its firmware version".to_owned())
            }
            Ok(facts) => Reply::Facts(Box::new(facts)),
            Err(Cause::Control { error }) => Reply::NotYet(error.to_string()),
            Err(other) => return Err(other),
        })
    }

    /// What the modem itself says about its last update (qmi.md §5.4). `None` if the modem doesn't know that question, or
    /// says that all is well.
    fn own_verdict(&mut self) -> Result<Option<String>, Cause> {
        let opened = self.run.open_control(self.request.control, OPEN_PATIENCE)?;
        if opened.is_err() {
            return Ok(None);
        }
        let answer = self.run.ask(Dms::SwiGetFirmwareUpdateStatus, PATIENCE)?;
        self.run.close_session(Closing::Release)?;
        let Ok(Response::SwiFirmwareUpdateStatus(UpdateStatus {
            result: Some(result), ..
        })) = answer
        else {
            return Ok(None);
        };
        let is_telling = result != UpdateResult::SUCCESS && result != UpdateResult::UNKNOWN;
        Ok(is_telling.then(|| format!("the modem's own verdict on the update: {result}")))
    }

    /// Whether the modem stays on the bus for this long.
    fn stays(&mut self, span: Duration) -> Result<bool, Cause> {
        self.run.wait_leave(span, Heed::AtOnce).map(|has_left| !has_left)
    }

    /// Waits for the modem, which has left the bus once more, to come back. `restarts`: how often it has left so far.
    fn wait_again(&mut self, restarts: &mut u8, until: Instant) -> Result<(), Cause> {
        *restarts = restarts.saturating_add(1);
        let attempt = restarts.saturating_add(1);
        let why = "the modem restarted once more";
        self.run.retry("reading the versions back", attempt, why);
        let id = self.run.whereabouts().modem()?.device.id();
        let limit = until.since(self.run.now());
        match self.run.wait_back(limit, NEW_FIRMWARE, Heed::AtOnce) {
            Ok(_) => Ok(()),
            Err(cause) => {
                self.run.note_whereabouts(&cause);
                if *restarts < LOOP_RESTARTS || !matches!(cause, Cause::DidNotReturn { .. }) {
                    return Err(cause);
                }
                let why = format!(
                    "it restarted again and again, {restarts} times within {} s; its firmware seems to crash during its start",
                    BOOT_LIMIT.as_secs()
                );
                Err(Cause::NotReadBack { id, why })
            }
        }
    }

    /// Another modem may have been put into the socket meanwhile.
    pub(super) fn is_same_modem(&mut self, facts: &Facts, goal: &Goal) -> Result<(), Cause> {
        let before = goal.found.as_ref().and_then(|found| found.imei.as_deref());
        match (before, facts.imei.as_deref()) {
            (Some(was), Some(is)) if was != is => {
                self.run.set_modem(ModemState::Unknown);
                Err(Cause::OtherModem {
                    was: masked(was),
                    is: masked(is),
                })
            }
            _ => Ok(()),
        }
    }
}

/// Whether the modem leaves out something that it reported before the update. Without that the update isn't verified.
fn leaves_out(facts: &Facts, goal: &Goal) -> bool {
    let Some(before) = &goal.found else { return false };
    // Over another kind of port the modem may know less.
    facts.over == before.over
        && ((before.imei.is_some() && facts.imei.is_none())
            || (before.running.config.is_some() && facts.running.config.is_none())
            || (before.running.carrier.is_some() && facts.running.carrier.is_none()))
}

/// How what the modem reports differs from what was requested, in words.
fn differences(facts: &Facts, goal: &Goal, is_half: bool) -> Vec<String> {
    let wanted = &goal.wanted;
    if is_half {
        let firmware_only = Trio {
            firmware: wanted.firmware.clone(),
            ..Trio::default()
        };
        return runs_other(&firmware_only, facts);
    }
    let mut found = runs_other(wanted, facts);
    if let Some(preferred) = &facts.preferred {
        found.extend(
            wanted
                .differences(preferred)
                .into_iter()
                .map(|(what, wanted, is)| {
                    format!("{what} {wanted} was requested, but the modem prefers {is}")
                }),
        );
    }
    if let Some(mismatch) = &facts.mismatch {
        let mode = facts.operating_mode.as_deref().unwrap_or("the radio is off");
        found.push(format!("{mode}: {mismatch}"));
    }
    if let Some(count) = wanted
        .firmware
        .as_deref()
        .and_then(|firmware| facts.failed_to_boot(firmware))
    {
        found.push(format!("the stored firmware failed to start {count} times"));
    }
    found
}

/// Whether the modem left out something that it reported in its answer before.
fn tells_less(now: &Facts, before: &Facts) -> bool {
    let lost = |before: bool, now: bool| before && !now;
    now.over == before.over
        && (lost(before.operating_mode.is_some(), now.operating_mode.is_some())
            || lost(before.preferred.is_some(), now.preferred.is_some())
            || lost(!before.images.is_empty(), !now.images.is_empty()))
}

fn runs_other(wanted: &Trio, facts: &Facts) -> Vec<String> {
    wanted
        .differences(&facts.running)
        .into_iter()
        .map(|(what, wanted, is)| format!("{what} {wanted} was requested, but the modem runs {is}"))
        .collect()
}
