//! Before the first stage: looks at the modem, asks it for its versions if its firmware runs, and decides what to do.

use std::time::Duration;

use super::stages::{Course, Stage};
use super::work::Update;
use crate::decide::checks::Prepared;
use crate::decide::{
    Agreed, AskedImages, Before, Goal, Nature, Pass, Which, check_slot, check_talkative, checks, fit,
    has_stored, is_as_wanted, target,
};
use crate::modem::{Facts, Mode, Opening, Trio};
use crate::run::{Awaited, Heed, RETURN_LIMIT};
use crate::told::{Cause, ModemState, Outcome, Plan, RunWarning, Step, Unchanged, Warning};

/// How often a modem may restart by itself before its first answer.
const RESTARTS: u8 = 2;

/// What modemflash found out about a modem, with the plan for that modem.
pub(super) enum Looked {
    /// The modem's firmware runs.
    Running(Box<Running>),
    /// The modem waits in download mode, or nothing is known about the device behind the port.
    Waiting(Box<Prepared>),
}

impl Looked {
    /// The plan alone.
    pub(super) fn into_plan(self) -> Plan {
        match self {
            Self::Running(looked) => looked.plan,
            Self::Waiting(looked) => looked.plan,
        }
    }
}

/// What modemflash found out about a modem that runs its firmware.
pub(super) struct Running {
    plan: Plan,
    facts: Facts,
    wanted: Trio,
    opening: Option<Opening>,
    firmware_first: bool,
    /// The modem already runs what is requested.
    is_there: bool,
    /// modemflash can't tell whether this host can reach the modem in download mode.
    has_doubt: bool,
}

impl Update<'_> {
    /// Looks at the modem. If its firmware runs, the modem is also asked for its versions.
    ///
    /// # Errors
    /// Anything that rules the update out; the user stops.
    pub(super) fn look(&mut self, warnings: Vec<Warning>) -> Result<Looked, Cause> {
        let modem = self.run.whereabouts().known_modem();
        if modem.is_some_and(|modem| modem.mode == Mode::Normal) {
            let looked = self.look_running(warnings)?;
            return Ok(Looked::Running(Box::new(looked)));
        }
        let port = self.run.whereabouts().port();
        match checks::prepare_download(port, &self.request, self.firmware, warnings) {
            Ok(prepared) => Ok(Looked::Waiting(Box::new(prepared))),
            Err(refused) => {
                let (step, cause) = *refused;
                self.run.begin(step);
                Err(cause)
            }
        }
    }

    fn look_running(&mut self, mut warnings: Vec<Warning>) -> Result<Running, Cause> {
        self.run.begin(Step::CheckDevice);
        let device = self.run.whereabouts().modem()?.device.clone();
        let name = device.path.to_string();
        checks::judge_standing(&self.request, &name, &device, &mut warnings)?;
        self.run.begin(Step::Inhibit);
        self.run.inhibit(&self.request)?;
        self.run.keep_awake();
        self.run.begin(Step::ReadModem);
        self.open_restless()?;
        let facts = self.run.read_facts()?;
        self.run.stop_if_asked("stopped before anything was changed")?;
        let (request, firmware) = (&self.request, self.firmware);
        check_talkative(&facts, request)?;
        self.run.name_modem(&facts);
        self.run.read(&facts);
        let wanted = target::wanted(
            &firmware.combination().versions,
            &request.given,
            request.ignore_versions,
        )?;
        let modem = self.run.whereabouts().modem()?.clone();
        let nature = Nature::of_modem(&modem).with_facts(&facts);
        let vouched = request.as_platform.as_ref();
        let fit = fit::judge(nature, firmware, vouched)?;
        warnings.extend(fit.doubt);
        let opening = checks::opening_for(nature, vouched);
        let has_control = self.run.has_control_session();
        if facts.has_preferences() && has_control {
            target::check_complete(&wanted)?;
        }
        check_slot(request.slot, &facts)?;
        let way = target::way(&facts, &wanted, request.force, &mut warnings)?;
        if !has_control && facts.has_preferences() && facts.preferred.as_ref() != Some(&wanted) {
            warnings.push(Warning {
                code: RunWarning::NoControlPort.into(),
                text: "no control port answers, so the firmware preference can't be set; after the update the modem may keep \
                       its radio off until you set AT!IMPREF"
                    .to_owned(),
                confirm: true,
            });
        }
        checks::warn_of_habits(modem.row, self.run.whereabouts().port(), firmware, &mut warnings);
        let is_there = is_as_wanted(&facts, &wanted) && !request.force && !request.download_override;
        let can_choose =
            has_control && has_stored(&facts, &wanted, firmware.combination().settings_for(), request);
        let before = warnings.len();
        if !is_there && !can_choose {
            self.run.check_download_port(request.force, &mut warnings)?;
        }
        let has_doubt = warnings.len() > before;
        let plan =
            checks::make_running_plan(&modem, firmware, fit.families, warnings, &facts, &wanted, opening);
        Ok(Running {
            plan,
            facts,
            wanted,
            opening,
            firmware_first: way.firmware_first,
            is_there,
            has_doubt,
        })
    }

    /// Opens a modem that may be in the middle of a restart. If the modem leaves the bus meanwhile, this waits until it is
    /// back (field-reports.md A6).
    fn open_restless(&mut self) -> Result<(), Cause> {
        let mut left = 0_u8;
        loop {
            let cause = match self.run.open_talk(self.request.control) {
                Ok(()) => {
                    self.run.whereabouts_mut().set_home();
                    return Ok(());
                }
                Err(cause @ (Cause::Unreachable { .. } | Cause::NotInLanguage { .. })) => cause,
                Err(other) => return Err(other),
            };
            if left >= RESTARTS || !self.run.wait_leave(Duration::ZERO, Heed::AtOnce)? {
                return Err(cause);
            }
            left = left.saturating_add(1);
            self.run.retry(
                "asking the modem",
                left.saturating_add(1),
                "the modem left the bus, waiting until it is back",
            );
            let mode = self.run.wait_back(RETURN_LIMIT, Awaited::ANY_MODE, Heed::AtOnce);
            let mode = mode.inspect_err(|cause| self.run.note_whereabouts(cause))?;
            if mode != Mode::Normal {
                self.run.note_loader();
                return Err(cause);
            }
        }
    }

    /// The first stage for a modem whose firmware runs.
    ///
    /// # Errors
    /// The user doesn't confirm the plan, or stops.
    pub(super) fn begin_running(
        &mut self,
        looked: Running,
        ask: &mut dyn FnMut(&Plan) -> bool,
    ) -> Result<Stage, Cause> {
        let Running {
            plan,
            facts,
            wanted,
            opening,
            firmware_first,
            is_there,
            has_doubt,
        } = looked;
        if is_there {
            return Ok(Stage::End(Outcome::Unchanged(Unchanged {
                proven: true,
                radio: facts.radio().if_off(),
                runs: facts.running,
            })));
        }
        self.run.announce(&plan, &self.request, ask)?;
        self.run.stop_if_asked("stopped before anything was changed")?;
        self.run.stay_awake();
        let before = Before::of(&facts, &wanted);
        let pass = Pass {
            number: 1,
            which: if firmware_first {
                Which::FirmwareOnly
            } else {
                Which::Asked
            },
            asked: AskedImages::NotSaid,
            before: Some(before.clone().without_imei()),
            opening,
            state_before: ModemState::RunsFirmware,
            differences: Vec::new(),
        };
        let goal = Goal {
            wanted,
            settings_for: self.firmware.combination().settings_for().map(str::to_owned),
            found: Some(before),
            firmware_first,
            // If there was a doubt, the user has seen and confirmed it by now.
            agreed: Agreed::by(&self.request).with_doubt(has_doubt),
        };
        Ok(self.first_stage(Course::new(goal, pass)))
    }

    /// The first stage for a modem that waits for images in download mode. This opens the modem's port.
    ///
    /// # Errors
    /// The user doesn't confirm the plan; the port can't be opened; the user stops.
    pub(super) fn begin_waiting(
        &mut self,
        looked: Prepared,
        ask: &mut dyn FnMut(&Plan) -> bool,
    ) -> Result<Stage, Cause> {
        let Prepared { plan, opening } = looked;
        let wanted = target::wanted(
            &self.firmware.combination().versions,
            &self.request.given,
            self.request.ignore_versions,
        )?;
        self.run.announce(&plan, &self.request, ask)?;
        self.run.begin(Step::OpenPort);
        self.run.inhibit(&self.request)?;
        self.run.open_following(Duration::ZERO)?;
        self.run.keep_awake();
        self.run.stay_awake();
        let goal = Goal {
            wanted,
            settings_for: self.firmware.combination().settings_for().map(str::to_owned),
            found: None,
            firmware_first: false,
            // The modem was found in download mode with a port, so this host can reach it there.
            agreed: Agreed::by(&self.request).with_doubt(true),
        };
        let pass = Pass {
            number: 1,
            which: Which::All,
            asked: AskedImages::NotSaid,
            before: None,
            opening,
            state_before: ModemState::RunsFirmware,
            differences: Vec::new(),
        };
        Ok(Stage::Send(Course::new(goal, pass)))
    }
}
