//! Turns the events of a run into the lines that `qmi-firmware-update` prints during an update.
//!
//! The lines that scripts look for are the same word for word, and come at the same moment. Where `qmi-firmware-update` has no line
//! for an event, a line `note: …` or `warning: …` goes to standard error.

use update_engine::modem::Mode;
use update_engine::{Event, EventKind, Facts, Firmware, Outcome, Protocol, Step, Trio};

use super::console::{Console, decimal};
use super::report;
use super::verify::{base_name, kind};

/// Wipes the line and moves the cursor to its beginning.
const WIPE: &str = "\x1b[2K\r";
/// How many places the star in the bar has.
const PLACES: usize = 6;

/// The kind of job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CompatJob {
    /// `-u`, `-U`.
    Update,
    /// `-b`.
    Reset,
}

/// Turns the events of one run into lines.
pub(crate) struct ProgressLines<'p, 'c> {
    console: &'p mut Console<'c>,
    job: CompatJob,
    /// Name, type and size of each file.
    files: Vec<(String, &'static str, u64)>,
    /// Whether details are shown (`-v`). Then there is no bar.
    is_verbose: bool,
    step: Option<Step>,
    wanted: Trio,
    protocol: Option<Protocol>,
    before: Option<Facts>,
    after: Option<Facts>,
    /// When sending the present image began, in seconds.
    began: f64,
    /// The percentage that the bar shows.
    shown: String,
    /// How often the star has moved.
    moves: usize,
    /// Whether the cursor stands in a line that has no end yet.
    is_open: bool,
}

impl<'p, 'c> ProgressLines<'p, 'c> {
    /// Lines for a job with these files.
    pub(crate) fn new(
        console: &'p mut Console<'c>,
        job: CompatJob,
        firmware: Option<&Firmware>,
        is_verbose: bool,
    ) -> Self {
        let files = firmware.into_iter().flat_map(Firmware::reports);
        Self {
            console,
            job,
            files: files
                .map(|report| (report.name.clone(), kind(report), report.size))
                .collect(),
            is_verbose,
            step: None,
            wanted: Trio::default(),
            protocol: None,
            before: None,
            after: None,
            began: 0.0,
            shown: String::new(),
            moves: 0,
            is_open: false,
        }
    }

    /// Prints the lines for an event.
    pub(crate) fn show(&mut self, event: &Event) {
        match &event.kind {
            EventKind::Planned { plan } => {
                self.wanted = plan.to.clone();
                self.protocol = plan.protocol;
            }
            EventKind::Detected { protocol, .. } => self.protocol = Some(*protocol),
            EventKind::StepStarted { step, .. } => self.begin(event.t, step),
            EventKind::ModemRead { facts } => match self.step {
                Some(Step::ReadBack) => self.after = Some(facts.clone()),
                _ => self.before = Some(facts.clone()),
            },
            EventKind::Appeared { mode, .. } => self.appeared(*mode),
            EventKind::Advanced {
                acknowledged_bytes,
                total_bytes,
                ..
            } => self.bar(*acknowledged_bytes, *total_bytes),
            EventKind::ImageAccepted { file, .. } => self.accepted(event.t, file),
            EventKind::ImageNotRequired { file, .. } => {
                let file = base_name(file).to_owned();
                self.note(&format!("note: the modem doesn't need {file}; it is passed over"));
            }
            EventKind::Tried { way, answer } => self.note(&format!("note: {way}: {answer}")),
            EventKind::Retrying { what, attempt, why } => {
                self.note(&format!("note: trying {what} again (attempt {attempt}): {why}"));
            }
            EventKind::Warning { warning } => self.note(&format!("warning: {}", warning.text)),
            EventKind::Stopping { when } => {
                self.note("cancelling the operation...");
                self.note(&format!("note: {when}"));
            }
            EventKind::Outcome { outcome } => self.end(outcome),
            EventKind::Failed { .. } => self.close_line(),
            _ => {}
        }
    }

    fn begin(&mut self, t: f64, step: &Step) {
        let before = self.step.replace(step.clone());
        if self.job == CompatJob::Reset {
            return;
        }
        match step {
            Step::ReadModem if self.before.is_none() => {
                self.say("loading device information before the update...");
            }
            // The plan for a modem in download mode names no versions.
            Step::SetPreference if self.wanted == Trio::default() => {}
            Step::SetPreference => {
                let part = |part: &Option<String>| part.clone().unwrap_or_default();
                let lines = format!(
                    "setting firmware preference:\n  firmware version: '{}'\n  config version:   '{}'\n  \
                     carrier:          '{}'",
                    part(&self.wanted.firmware),
                    part(&self.wanted.config),
                    part(&self.wanted.carrier)
                );
                self.say(&lines);
            }
            Step::EnterDownloadMode => self.say("rebooting in download mode..."),
            // No download came between these steps: the modem has all images already.
            Step::Boot if before == Some(Step::SetPreference) => {
                self.has_it();
                self.say("now power cycling to apply the new firmware preference...");
            }
            Step::Write { file, .. } => self.image(t, file),
            Step::Finalise { .. } => self.finalise(),
            Step::Reset => self.say("rebooting in normal mode..."),
            Step::ReadBack => {
                self.close_line();
                self.console.put(&report::before_asking());
            }
            _ => {}
        }
    }

    fn has_it(&mut self) {
        self.say("device already contains the given firmware/config version: no download needed");
        self.say("forcing the download may be requested with the --override-download option");
    }

    fn appeared(&mut self, mode: Mode) {
        match (self.job, mode) {
            (CompatJob::Update, Mode::Download) => self.say("download mode detected"),
            (CompatJob::Update, Mode::Normal) => self.say("normal mode detected"),
            _ => {}
        }
    }

    /// Prints the line for an image that begins.
    fn image(&mut self, t: f64, file: &str) {
        self.began = t;
        self.shown.clear();
        let (kind, size) = self.known(file);
        let size = decimal(size, self.console.blank());
        self.say(&format!(
            "downloading {kind} image: {} ({size})...",
            base_name(file)
        ));
    }

    fn known(&self, file: &str) -> (&'static str, f64) {
        let known = self.files.iter().find(|(name, ..)| name == file);
        // Sizes are shown with one decimal, so the precision of f64 is enough.
        #[allow(clippy::cast_precision_loss)]
        known.map_or(("cwe", 0.0), |(_, kind, size)| (*kind, *size as f64))
    }

    fn bar(&mut self, done: u64, of: u64) {
        if self.is_verbose || self.job == CompatJob::Reset {
            return;
        }
        // The percentage has one decimal, so the precision of f64 is enough.
        #[allow(clippy::cast_precision_loss)]
        let percent = done as f64 * 100.0 / (of as f64).max(1.0);
        let percent = format!("{percent:04.1}%");
        // The last percentage isn't shown: the next line replaces the bar at once.
        if percent == self.shown || (done >= of && of > 0) {
            return;
        }
        let period = 2 * (PLACES - 1);
        let place = self.moves % period;
        let place = if place < PLACES { place } else { period - place };
        let stars: String = (0..PLACES)
            .map(|column| if column == place { '*' } else { '-' })
            .collect();
        self.console.put(&format!("{WIPE}({stars}) {percent}"));
        self.moves = self.moves.wrapping_add(1);
        self.shown = percent;
        self.is_open = true;
    }

    fn finalise(&mut self) {
        if self.is_verbose {
            return;
        }
        let span = match self.protocol {
            Some(Protocol::SaharaFirehose) => "several minutes",
            _ => "more than one minute",
        };
        self.console.put(&format!(
            "{WIPE}finalizing download... (may take {span}, be patient)"
        ));
        self.is_open = true;
    }

    fn accepted(&mut self, t: f64, file: &str) {
        let took = (t - self.began).max(0.0);
        let (_, size) = self.known(file);
        let rate = decimal(size / took.max(0.001), self.console.blank());
        if std::mem::take(&mut self.is_open) {
            self.console.put(WIPE);
        }
        self.say(&format!("successfully downloaded in {took:.2}s ({rate}/s)"));
    }

    fn end(&mut self, outcome: &Outcome) {
        self.close_line();
        if self.job == CompatJob::Reset {
            return;
        }
        match outcome {
            Outcome::Unchanged(unchanged) => {
                self.has_it();
                self.note(&format!(
                    "note: the modem runs {} already; it isn't restarted",
                    unchanged.runs
                ));
            }
            Outcome::Updated(_) => self.compare(),
            Outcome::Accepted(accepted) if accepted.runs.is_some() => {
                self.compare();
                self.note("note: the files name no firmware version to compare that with");
            }
            _ => self.note("note: what the modem runs now was not read back"),
        }
        self.say("firmware update operation finished successfully");
    }

    /// Prints what the modem reported before the update and after it.
    fn compare(&mut self) {
        if let Some(after) = &self.after {
            let text = report::compare(self.before.as_ref(), after);
            self.console.put(&text);
        }
    }

    /// Prints a line of results. It doesn't begin in the middle of the bar.
    fn say(&mut self, line: &str) {
        self.close_line();
        self.console.say(line);
    }

    /// Prints a line on standard error. It doesn't begin in the middle of the bar.
    fn note(&mut self, line: &str) {
        self.close_line();
        self.console.warn(line);
    }

    fn close_line(&mut self) {
        if std::mem::take(&mut self.is_open) {
            self.console.put("\n");
        }
    }
}
