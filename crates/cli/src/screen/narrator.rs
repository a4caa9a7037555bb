//! Turns events into lines for people. Bars and plain lines show the same lines.

use update_engine::{Event, EventKind, Facts, Plan, Step, Trio};

use crate::text::amounts;

/// Turns events into lines.
#[derive(Debug)]
pub(crate) struct Narrator {
    verbose: u8,
    images: usize,
    /// Whether a line has named the modem.
    is_introduced: bool,
}

impl Narrator {
    /// `verbose` is 0 for the steps, 1 to add what the modem says, 2 to add expected noise.
    pub(crate) fn new(verbose: u8) -> Self {
        Self {
            verbose,
            images: 0,
            is_introduced: false,
        }
    }

    /// The lines for this event; often none.
    pub(crate) fn tell(&mut self, event: &Event) -> Vec<String> {
        let mut lines = Vec::new();
        let is_known = event.device.path().is_some() || matches!(event.kind, EventKind::Planned { .. });
        if is_known && !self.is_introduced {
            self.is_introduced = true;
            lines.push(format!("modem: {}", device(event)));
        }
        lines.extend(self.of_kind(&event.kind));
        lines
    }

    fn of_kind(&mut self, kind: &EventKind) -> Vec<String> {
        match kind {
            EventKind::Planned { plan } => {
                self.images = plan.images.len();
                plan_lines(plan)
            }
            EventKind::Warning { warning } => vec![format!("warning: {}", warning.text)],
            EventKind::StepStarted { step, .. } => self.beginning(step).into_iter().collect(),
            EventKind::ModemRead { facts } => facts_lines(facts),
            EventKind::Appeared { usb_id, mode } => {
                vec![format!("the modem is on the bus as {usb_id}, in {mode} mode")]
            }
            EventKind::Tried { way, answer } => vec![format!("  {way}: {answer}")],
            EventKind::Detected { protocol, how } => vec![format!("boot loader speaks {protocol}: {how}")],
            EventKind::Connected { what } if self.verbose > 0 => vec![format!("  {what}")],
            EventKind::SilenceExpected { up_to_s, why } => vec![
                why.clone(),
                format!(
                    "  up to {} of silence is normal, don't unplug it",
                    amounts::seconds(*up_to_s)
                ),
            ],
            EventKind::ImageAccepted { image, of, .. } => vec![format!("image {image} of {of} accepted")],
            EventKind::ImageNotRequired { image, file } => {
                vec![format!(
                    "image {image} of {}: the modem doesn't need {file}, passed over",
                    self.images
                )]
            }
            EventKind::ModemLog { line } if self.verbose > 0 => vec![format!("  modem: {line}")],
            EventKind::Noise { what } if self.verbose > 1 => vec![format!("  expected noise: {what}")],
            EventKind::Retrying { what, attempt, why } => {
                vec![format!("trying {what} again (attempt {attempt}): {why}")]
            }
            EventKind::Stopping { when } => vec![format!("stopping: {when}")],
            EventKind::StepFinished { step, took_s, .. } if self.verbose > 0 && *took_s >= 0.5 => {
                vec![format!(
                    "  {} took {}",
                    step_name(step),
                    amounts::seconds(*took_s)
                )]
            }
            _ => vec![],
        }
    }

    /// The line at the beginning of a step.
    fn beginning(&self, step: &Step) -> Option<String> {
        let words = match step {
            Step::Write { image, of, file } => return Some(format!("sending image {image} of {of}: {file}")),
            Step::Inhibit if self.verbose > 0 => "seeing that other programs let go of the modem",
            Step::ReadModem => "asking the modem what it has",
            Step::SetPreference => "telling the modem which firmware is to come",
            Step::EnterDownloadMode => "sending the modem into download mode",
            Step::Detect => "finding out what is behind the port",
            Step::Return => "waiting for the modem to come back",
            Step::Reset => "restarting the modem",
            Step::Boot => "waiting for the modem to start its firmware",
            Step::ReadBack => "asking the modem for its versions",
            _ => return None,
        };
        Some(words.to_owned())
    }
}

/// What a running modem said of itself.
fn facts_lines(facts: &Facts) -> Vec<String> {
    let model = facts.model.as_deref().unwrap_or("the modem");
    let mut lines = vec![format!(
        "{model} runs {}, asked over {}",
        facts.running, facts.over
    )];
    if let Some(preferred) = facts
        .preferred
        .as_ref()
        .filter(|preferred| **preferred != facts.running)
    {
        lines.push(format!("  but prefers {preferred}"));
    }
    if let Some(mismatch) = &facts.mismatch {
        lines.push(format!("  its radio is off: {mismatch}"));
    }
    lines
}

/// The modem in words that a user knows: place, model, port.
fn device(event: &Event) -> String {
    let device = &event.device;
    let mut words = device.to_string();
    if let (Some(_), Some(port)) = (device.path(), device.port()) {
        words.push_str(&format!(" on {port}"));
    }
    if let Some(id) = device.usb_id() {
        words.push_str(&format!(", USB id {id}"));
    }
    words
}

/// The plan of the run.
fn plan_lines(plan: &Plan) -> Vec<String> {
    let mut lines = Vec::new();
    if plan.to != Trio::default() {
        lines.push(format!("  to become: {}", plan.to));
    }
    let images = plan.images.iter().enumerate();
    lines.extend(images.map(|(place, image)| {
        let mut line = format!(
            "  image {}: {}, {}",
            place + 1,
            image.file,
            amounts::bytes(image.bytes)
        );
        for (name, value) in [("firmware", &image.firmware), ("carrier", &image.carrier)] {
            if let Some(value) = value {
                line.push_str(&format!(", {name} {value}"));
            }
        }
        line
    }));
    // An estimate of some minutes in whole seconds: f64 is precise enough.
    #[allow(clippy::cast_precision_loss)]
    let estimate = amounts::seconds(plan.estimate_s as f64);
    lines.push(match plan.protocol {
        Some(protocol) => format!("  about {estimate}, {protocol} expected"),
        None => format!("  about {estimate}"),
    });
    lines
}

/// The name of a step, for "… took 3 s".
fn step_name(step: &Step) -> String {
    match step {
        Step::CheckImages => "check of the images".into(),
        Step::CheckDevice => "check of the device".into(),
        Step::OpenPort => "opening of the port".into(),
        Step::Inhibit => "asking other programs to let go".into(),
        Step::ReadModem => "asking the modem".into(),
        Step::SetPreference => "setting the preference".into(),
        Step::EnterDownloadMode => "way into download mode".into(),
        Step::Detect => "detection".into(),
        Step::Return => "return of the modem".into(),
        Step::Connect => "start of the protocol".into(),
        Step::Write { image, .. } => format!("sending of image {image}"),
        Step::Finalise { image, .. } => format!("checking and storing of image {image}"),
        Step::Reset => "restart".into(),
        Step::Leave => "leaving the bus".into(),
        Step::Boot => "start of the firmware".into(),
        Step::ReadBack => "reading back".into(),
        _ => "step".into(),
    }
}
