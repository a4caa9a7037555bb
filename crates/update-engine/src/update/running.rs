//! An update of a modem that runs its firmware (update-flow.md §3): ask, tell, send into download mode, flash, follow.
//!
//! At most two passes are made. Where the modem runs, but not what was wanted, the preference is set once more: some
//! modems follow with their settings only at the second time (field-reports.md D5, D11, F3), and a modem that was rescued
//! from download mode has been told nothing before.

use std::time::Duration;

use modem_protocol::control::{Closing, ControlError};
use modem_protocol::qmi::dms::{DownloadList, Request as Dms, Response};

use super::read_back::ReadBack;
use super::restart::{BOOT_LIMIT, POWER_CYCLE_LIMIT};
use crate::decide::{
    Agreed, Firmware, Goal, Nature, Which, check_slot, check_talkative, checks, fit, has_stored,
    is_as_wanted, target,
};
use crate::modem::{Mode, Modem};
use crate::request::Request;
use crate::run::{Deed, HOLDER_LIMIT, RETURN_LIMIT, Run};
use crate::talk::{PATIENCE, is_unheard};
use crate::told::RunWarning;
use crate::told::{Cause, ModemState, Outcome, Plan, Step, Unchanged, Updated, Warning, Written};

/// How often a modem is told and flashed at most.
const PASSES: u8 = 2;

/// How often a modem may restart by itself before it is asked for the first time.
const RESTARTS: u8 = 2;

impl Run<'_> {
    /// The update of a modem in normal mode.
    pub(crate) fn update_running(
        &mut self,
        modem: Modem,
        request: &Request,
        firmware: &Firmware,
        warnings: Vec<Warning>,
        until: Until<'_>,
    ) -> Result<Reached, Cause> {
        self.teller.begin(self.world.now(), Step::Inhibit);
        self.inhibit(Some(&modem), request)?;
        self.keep_awake();
        self.teller.begin(self.world.now(), Step::ReadModem);
        let modem = self.open_restless(modem, request)?;
        let goal = match self.decide(&modem, request, firmware, warnings, until)? {
            Decided::Go(goal) => *goal,
            Decided::Plan(plan) => return Ok(Reached::Plan(plan)),
            Decided::Nothing(outcome) => return Ok(Reached::End(outcome)),
        };
        self.stay_awake();
        let which = if goal.firmware_first {
            Which::FirmwareOnly
        } else {
            Which::Asked
        };
        self.teller.set_stage(0.02, 0.12);
        let passed = self.pass(modem, &goal, which)?;
        self.see_through(&goal, passed).map(Reached::End)
    }

    /// Opens a modem that may be in the middle of a restart: when it leaves meanwhile, it is waited for
    /// (field-reports.md A6).
    fn open_restless(&mut self, mut modem: Modem, request: &Request) -> Result<Modem, Cause> {
        let mut left = 0_u8;
        loop {
            self.settle_at(&modem);
            let cause = match self.open_talk(&modem, request.control) {
                Ok(()) => {
                    self.home.clone_from(&Some(modem.device.clone()));
                    return Ok(modem);
                }
                Err(cause @ (Cause::Unreachable { .. } | Cause::NotInLanguage { .. })) => cause,
                Err(other) => return Err(other),
            };
            self.settle_at(&modem);
            if left >= RESTARTS || !self.wait_leave(Duration::ZERO)? {
                return Err(cause);
            }
            left = left.saturating_add(1);
            self.tell_retry(
                "asking the modem",
                left.saturating_add(1),
                "it left the bus and is waited for",
            );
            modem = self
                .wait_back(RETURN_LIMIT)
                .inspect_err(|cause| self.note_whereabouts(cause))?;
            if modem.mode != Mode::Normal {
                self.note_loader();
                return Err(cause);
            }
        }
    }

    /// Reads what the modem has and decides what to do.
    fn decide<'g>(
        &mut self,
        modem: &Modem,
        request: &'g Request,
        firmware: &'g Firmware,
        mut warnings: Vec<Warning>,
        until: Until<'_>,
    ) -> Result<Decided<'g>, Cause> {
        let facts = self.read_facts()?;
        self.stop_if_asked("stopped before anything was changed")?;
        check_talkative(&facts, request)?;
        self.name_modem(&facts);
        self.teller.read(self.world.now(), &facts);
        let wanted = target::wanted(
            &firmware.combination().versions,
            &request.given,
            request.ignore_versions,
        )?;
        let nature = Nature::of_modem(modem).with_facts(&facts);
        let vouched = request.as_platform.as_ref();
        let fit = fit::judge(nature, firmware, vouched)?;
        warnings.extend(fit.doubt);
        let protocol = checks::protocol_for(nature, vouched);
        if facts.has_preferences() && self.has_control_session() {
            target::check_complete(&wanted)?;
        }
        check_slot(request.slot, &facts)?;
        let way = target::way(&facts, &wanted, request.force, &mut warnings)?;
        if !self.has_control_session() && facts.has_preferences() && facts.preferred.as_ref() != Some(&wanted)
        {
            warnings.push(Warning {
                code: RunWarning::NoControlPort.into(),
                text: "no control port answers, so the modem can't be told what is to come; it may keep its radio off until \
                       AT!IMPREF is set"
                    .to_owned(),
                confirm: true,
            });
        }
        checks::warn_of_habits(modem.row, &self.port, firmware, &mut warnings);
        let is_there = is_as_wanted(&facts, &wanted) && !request.force && !request.download_override;
        let can_choose = self.has_control_session() && has_stored(&facts, &wanted, request);
        let before = warnings.len();
        if !is_there && !can_choose {
            self.check_download_port(modem, request.force, &mut warnings)?;
        }
        let has_doubt = warnings.len() > before;
        let plan = checks::make_running_plan(modem, firmware, fit.families, warnings, &facts, &wanted);
        let ask = match until {
            Until::Plan => return Ok(Decided::Plan(Box::new(plan))),
            Until::End(ask) => ask,
        };
        if is_there {
            return Ok(Decided::Nothing(Outcome::Unchanged(Unchanged {
                proven: true,
                radio: facts.radio().if_off(),
                runs: facts.running.clone(),
            })));
        }
        self.announce(&plan, request, ask)?;
        self.stop_if_asked("stopped before anything was changed")?;
        let goal = Goal {
            wanted,
            request,
            firmware,
            before: Some(facts),
            protocol,
            state_before: ModemState::RunsFirmware,
            firmware_first: way.firmware_first,
            // Whoever was shown the doubt has said yes by now.
            agreed: Agreed::by(request).with_doubt(has_doubt),
        };
        Ok(Decided::Go(Box::new(goal)))
    }

    /// One pass: tells the modem what is to come, sends it into download mode and sends the images.
    fn pass(&mut self, modem: Modem, goal: &Goal<'_>, which: Which) -> Result<Passed, Cause> {
        if !self.has_control_session() || !goal.knows_preferences() {
            self.close_session(Closing::Release)?;
            self.refuse_unreachable(&modem, goal.agreed)?;
            self.teller.begin(self.world.now(), Step::EnterDownloadMode);
            let arrival = self.boot_and_hold(modem, goal.request.control, goal.agreed)?;
            return if arrival.is_in_download_mode() {
                self.send(goal, which, &None)
            } else {
                Err(self.not_entered(arrival.tried))
            };
        }
        let list = self.tell_preference(&modem, goal, which)?;
        if let Some(what) = goal.not_brought(&list).filter(|_| !goal.request.force) {
            self.put_back(&modem, goal)?;
            return Err(Cause::ImagesMissing { what });
        }
        let is_stored = list.as_ref().is_some_and(Vec::is_empty);
        // A modem that has all images starts them without going into download mode.
        if !is_stored {
            if let Err(cause) = self.refuse_unreachable(&modem, goal.agreed) {
                self.put_back(&modem, goal)?;
                return Err(cause);
            }
        }
        let step = if is_stored {
            Step::Boot
        } else {
            Step::EnterDownloadMode
        };
        self.teller.begin(self.world.now(), step);
        if self.stops > 0 {
            self.put_back(&modem, goal)?;
            return Err(Cause::Stopped {
                how: "stopped before the modem was restarted",
            });
        }
        if let Err(why) = self.power_cycle_with_preference()? {
            return self.restart_refused(modem, goal, vec![format!("power cycle: {why}")]);
        }
        self.settle_at(&modem);
        // It is on its way; where to, is known when it is back.
        let before = self.teller.modem();
        self.set_modem(if is_stored {
            ModemState::Restarting
        } else {
            ModemState::Unknown
        });
        if !self.following(|run| run.wait_leave(POWER_CYCLE_LIMIT))? {
            self.set_modem(before);
            let seconds = POWER_CYCLE_LIMIT.as_secs();
            let tried = format!("power cycle: accepted, but it was still on the bus {seconds} s later");
            self.put_back(&modem, goal)?;
            self.settle_at(&modem);
            // One that answers nothing any more was only slow to leave.
            if self.teller.modem() != before || !self.wait_leave(Duration::ZERO)? {
                return Err(Cause::NotRestarted { tried: vec![tried] });
            }
            self.set_modem(ModemState::Unknown);
        }
        if is_stored {
            self.note_deed(Deed::Written);
        }
        let limit = if is_stored { BOOT_LIMIT } else { RETURN_LIMIT };
        let why = if is_stored {
            "the modem starts the firmware that it has"
        } else {
            "the modem restarts into download mode"
        };
        self.teller.silence(self.world.now(), limit, why);
        let back = if is_stored {
            self.wait_back(limit)
        } else {
            self.following(|run| run.wait_back(limit))
        };
        let back = back.inspect_err(|cause| self.note_whereabouts(cause))?;
        self.keep_away(&back, goal.request)?;
        match (back.mode, is_stored) {
            (Mode::Download, _) => self.send(goal, which, &list),
            (_, true) => Ok(Passed {
                written: Written::default(),
                back: Some(back),
            }),
            (_, false) => {
                self.set_modem(ModemState::WrongPreference);
                self.retry_entry(back, goal, which, &list)
            }
        }
    }

    /// It was restarted, but into its firmware: the other ways into download mode (field-reports.md B8).
    fn retry_entry(
        &mut self,
        back: Modem,
        goal: &Goal<'_>,
        which: Which,
        list: &DownloadList,
    ) -> Result<Passed, Cause> {
        let first = "preference and power cycle: it came back in normal mode".to_owned();
        self.tell_retry("the way into download mode", 2, &first);
        // It may have come back under another id than before.
        let is_reachable = self.refuse_unreachable(&back, goal.agreed);
        let (control, agreed) = (goal.request.control, goal.agreed);
        let arrival = match is_reachable.and_then(|()| self.boot_and_hold(back, control, agreed)) {
            Ok(arrival) => arrival,
            // Stopped, or lost on the way: where it runs, it must not prefer what it hasn't got.
            Err(cause) => {
                self.undo_in_normal_mode(goal)?;
                return Err(cause);
            }
        };
        if arrival.is_in_download_mode() {
            return self.send(goal, which, list);
        }
        self.set_modem(ModemState::WrongPreference);
        self.note_what_runs(&arrival.modem, goal)?;
        self.put_back(&arrival.modem, goal)?;
        let tried = std::iter::once(first).chain(arrival.tried).collect();
        Err(self.not_entered(tried))
    }

    fn restart_refused(
        &mut self,
        modem: Modem,
        goal: &Goal<'_>,
        tried: Vec<String>,
    ) -> Result<Passed, Cause> {
        self.put_back(&modem, goal)?;
        Err(Cause::NotRestarted { tried })
    }

    fn not_entered(&self, tried: Vec<String>) -> Cause {
        Cause::NotEntered {
            tried,
            is_pin: self.may_be_pinned(),
        }
    }

    /// Sets the firmware preference; gives what the modem wants to be sent.
    fn tell_preference(
        &mut self,
        modem: &Modem,
        goal: &Goal<'_>,
        which: Which,
    ) -> Result<DownloadList, Cause> {
        self.teller.begin(self.world.now(), Step::SetPreference);
        let preference = goal.preference()?;
        let request = Dms::SetFirmwarePreference {
            preference,
            download_override: which == Which::All || goal.request.force || goal.request.download_override,
            storage_index: goal.request.slot,
        };
        self.note_deed(Deed::Preference);
        // Who doesn't wait for the answer doesn't know whether the modem has it.
        let mut answer = self
            .ask(request.clone(), PATIENCE)
            .inspect_err(|_| self.set_modem(ModemState::WrongPreference))?;
        let mut is_in_doubt = false;
        if answer.as_ref().is_err_and(is_unheard) {
            // It may have it; to say the same twice changes nothing.
            is_in_doubt = true;
            self.set_modem(ModemState::WrongPreference);
            answer = self.ask(request, PATIENCE)?;
        }
        let error = match answer {
            Ok(Response::FirmwarePreferenceSet(list)) => {
                let is_complete = list.as_ref().is_some_and(Vec::is_empty);
                // To prefer what it runs, and to send it all the same, leaves nothing wrong.
                let is_kept = goal
                    .before
                    .as_ref()
                    .is_some_and(|facts| facts.running == goal.wanted);
                self.set_modem(if is_complete || is_kept {
                    goal.state_before
                } else {
                    ModemState::WrongPreference
                });
                tracing::info!(?list, "to be downloaded");
                return Ok(list);
            }
            Ok(other) => {
                return Err(Cause::Bug {
                    what: format!("the preference was answered with {other:?}"),
                });
            }
            Err(error) => error,
        };
        if is_in_doubt || !matches!(error, ControlError::Refused { .. }) {
            self.put_back(modem, goal)?;
        } else {
            self.teller.note_put_back();
        }
        Err(Cause::Control { error })
    }

    /// Sends images to the modem, which is in download mode.
    fn send(&mut self, goal: &Goal<'_>, which: Which, list: &DownloadList) -> Result<Passed, Cause> {
        self.note_loader();
        self.stop_if_asked("stopped in download mode, before anything was sent")?;
        let places = goal.places(which, list);
        let job = checks::job_for(goal.request, goal.protocol, goal.firmware, &places)?;
        self.teller.begin(self.world.now(), Step::OpenPort);
        let written = self.open_following(HOLDER_LIMIT).and_then(|()| {
            self.keep_awake();
            self.teller.set_stage(0.12, 0.85);
            self.download(&job, &mut goal.firmware.feed(&places))
        });
        if written.is_err() && self.teller.modem().runs() {
            self.undo_in_normal_mode(goal)?;
        }
        let written = written?;
        Ok(Passed { written, back: None })
    }

    /// Follows a modem that has everything and restarts, until it is proven or has failed.
    pub(crate) fn see_through(&mut self, goal: &Goal<'_>, passed: Passed) -> Result<Outcome, Cause> {
        let Passed {
            mut written,
            mut back,
        } = passed;
        let (mut pass, mut downloads) = (1_u8, 1_u8);
        loop {
            let modem = match back.take() {
                Some(modem) => modem,
                None => self.wait_started(goal)?,
            };
            if modem.mode == Mode::Download {
                self.set_modem(ModemState::AllWritten);
                if downloads >= PASSES {
                    return Err(Cause::BackInDownloadMode);
                }
                downloads = downloads.saturating_add(1);
                self.tell_retry("the download", downloads, "the modem came back in download mode");
                written = self.send(goal, Which::All, &None)?.written;
                continue;
            }
            if goal.request.skip_read_back {
                return Ok(written.unproven());
            }
            self.keep_away(&modem, goal.request)?;
            self.teller.set_stage(0.97, 1.0);
            self.teller.begin(self.world.now(), Step::ReadBack);
            let is_half = goal.firmware_first && pass == 1;
            let (modem, facts, differences) = match self.read_back(modem, goal, is_half)? {
                ReadBack::Proven(modem, facts) if is_half => {
                    (modem, facts, vec!["now the settings follow".to_owned()])
                }
                // It runs, but nothing tells which version was wanted (Gobi files have no headers).
                ReadBack::Proven(_, facts) if goal.wanted.firmware.is_none() => {
                    return Ok(written.incomparable(facts.running));
                }
                ReadBack::Proven(_, facts) => {
                    return Ok(Outcome::Updated(Updated {
                        proven: true,
                        from: goal.before.as_ref().map(|facts| facts.running.clone()),
                        radio: facts.radio().if_off(),
                        to: facts.running,
                        accepted: written.accepted,
                        not_required: written.not_required,
                        bytes: written.bytes,
                        passes: pass,
                    }));
                }
                ReadBack::Download(modem) => {
                    back = Some(modem);
                    continue;
                }
                ReadBack::Differs {
                    modem,
                    facts,
                    differences,
                } => (modem, facts, differences),
            };
            self.note_deed(Deed::Written);
            self.set_modem(ModemState::RunsOther);
            let can_be_told = facts.has_preferences() && goal.wanted.is_complete();
            let lacks = goal.would_lack(&facts);
            if pass >= PASSES || !can_be_told || lacks.is_some() {
                return Err(Cause::NotProven { differences, lacks });
            }
            // Found in download mode it had told nothing of what it takes.
            let nature = Nature::of_modem(&modem).with_facts(&facts);
            let vouched = goal.request.as_platform.as_ref();
            fit::judge(nature, goal.firmware, vouched)?;
            let protocol = checks::protocol_for(nature, vouched);
            pass = pass.saturating_add(1);
            self.tell_retry("the update", pass, &differences.join("; "));
            match self.open_talk(&modem, goal.request.control) {
                // It can be asked, as was seen just now, but not told.
                Err(Cause::NotInLanguage { .. }) => {
                    let lacks = None;
                    return Err(Cause::NotProven { differences, lacks });
                }
                opened => opened?,
            }
            // What is put back, should this pass fail, is what the modem has now; who it is, is what it was at first.
            let mut found = *facts;
            if let Some(imei) = goal.before.as_ref().and_then(|before| before.imei.clone()) {
                found.imei = Some(imei);
            }
            let again = Goal {
                wanted: goal.wanted.clone(),
                before: Some(found),
                protocol,
                state_before: ModemState::RunsOther,
                ..*goal
            };
            let which = if is_half { Which::All } else { Which::Asked };
            let more = match self.pass(modem, &again, which) {
                // It knows better than its list of images.
                Err(Cause::ImagesMissing { what }) => {
                    let lacks = Some(what);
                    return Err(Cause::NotProven { differences, lacks });
                }
                passed => passed?,
            };
            written = written.and(&more.written);
            back = more.back;
        }
    }

    /// Waits until the modem is on the bus again.
    fn wait_started(&mut self, goal: &Goal<'_>) -> Result<Modem, Cause> {
        self.teller.set_stage(0.85, 0.97);
        self.teller.begin(self.world.now(), Step::Boot);
        let why = "the modem starts its new firmware; it may restart more than once";
        self.teller.silence(self.world.now(), BOOT_LIMIT, why);
        // What was found in download mode may have any port; it is waited for the best.
        self.had_control |= goal.before.is_none();
        match self.wait_back(BOOT_LIMIT) {
            Err(cause @ Cause::NoPort { .. }) if self.is_in_download_mode(&cause) => {
                self.set_modem(ModemState::AllWritten);
                Err(cause)
            }
            Err(Cause::NoPort { id, mode }) => Err(Cause::NotReadBack {
                id,
                why: format!("no driver made a port of it in {mode} mode"),
            }),
            other => other.inspect_err(|cause| self.note_whereabouts(cause)),
        }
    }
}

/// What a pass has come to.
pub(crate) struct Passed {
    /// What was written in it.
    pub(crate) written: Written,
    /// The modem, when it was seen to be back already.
    pub(crate) back: Option<Modem>,
}

/// What came of looking.
enum Decided<'g> {
    Plan(Box<crate::told::Plan>),
    Nothing(Outcome),
    Go(Box<Goal<'g>>),
}

/// How far a run is to go.
pub(crate) enum Until<'a> {
    /// To the plan.
    Plan,
    /// To the end; asks where a warning needs a confirmation.
    End(&'a mut dyn FnMut(&Plan) -> bool),
}

impl Until<'_> {
    /// What the user asked for, as other runs are told.
    pub(crate) const fn verb(&self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::End(_) => "update",
        }
    }
}

/// How far a run has come.
pub(crate) enum Reached {
    Plan(Box<Plan>),
    End(Outcome),
}
