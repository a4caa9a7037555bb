//! What events say to a person, as lines; shared by the bar and the plain lines.

use update_engine::{Event, EventKind, Plan, Step};

use crate::words;

/// Turns events into lines.
#[derive(Debug)]
pub(crate) struct Narrator {
    verbose: u8,
    images: usize,
}

impl Narrator {
    /// `verbose`: 0 for the steps, 1 for what the modem says, too.
    pub(crate) fn new(verbose: u8) -> Self {
        Self { verbose, images: 0 }
    }

    /// The lines that this event is worth.
    pub(crate) fn tell(&mut self, event: &Event) -> Vec<String> {
        match &event.kind {
            EventKind::Planned { plan } => {
                self.images = plan.images.len();
                let mut lines = vec![format!("modem: {}", device(event))];
                lines.extend(plan_lines(plan));
                lines
            }
            EventKind::Warning { warning } => vec![format!("warning: {}", warning.text)],
            EventKind::StepStarted { step, .. } => match step {
                Step::Write { image, of, file } => vec![format!("sending image {image} of {of}: {file}")],
                Step::Detect => vec!["finding out what is behind the port".into()],
                Step::Return => vec!["waiting for the modem to come back".into()],
                Step::Reset => vec!["restarting the modem".into()],
                _ => vec![],
            },
            EventKind::Detected { protocol, how } => vec![format!("boot loader speaks {protocol}: {how}")],
            EventKind::Connected { what } if self.verbose > 0 => vec![format!("  {what}")],
            EventKind::SilenceExpected { up_to_s, why } => vec![
                why.clone(),
                format!(
                    "  up to {} of silence is normal, don't unplug it",
                    words::seconds(*up_to_s)
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
                vec![format!("  {} took {}", step_name(step), words::seconds(*took_s))]
            }
            _ => vec![],
        }
    }
}

/// The modem as a user knows it: place, model, port.
fn device(event: &Event) -> String {
    let device = &event.device;
    let mut words = device.to_string();
    if device.path().is_some() {
        words.push_str(&format!(" on {}", device.port()));
    }
    if let Some(id) = device.usb_id() {
        words.push_str(&format!(", USB id {id}"));
    }
    words
}

/// What is going to be done.
fn plan_lines(plan: &Plan) -> Vec<String> {
    let mut lines: Vec<String> = plan
        .images
        .iter()
        .enumerate()
        .map(|(place, image)| {
            let mut line = format!(
                "  image {}: {}, {}",
                place + 1,
                image.file,
                words::bytes(image.bytes)
            );
            for (name, value) in [("firmware", &image.firmware), ("carrier", &image.carrier)] {
                if let Some(value) = value {
                    line.push_str(&format!(", {name} {value}"));
                }
            }
            line
        })
        .collect();
    // Estimates are whole seconds of minutes; precision is no matter here.
    #[allow(clippy::cast_precision_loss)]
    let estimate = words::seconds(plan.estimate_s as f64);
    lines.push(match plan.protocol {
        Some(protocol) => format!("  about {estimate}, {protocol} expected"),
        None => format!("  about {estimate}"),
    });
    lines
}

/// A step as a noun.
fn step_name(step: &Step) -> String {
    match step {
        Step::CheckImages => "check of the images".into(),
        Step::CheckDevice => "check of the device".into(),
        Step::OpenPort => "opening of the port".into(),
        Step::Detect => "detection".into(),
        Step::Return => "return of the modem".into(),
        Step::Connect => "start of the protocol".into(),
        Step::Write { image, .. } => format!("sending of image {image}"),
        Step::Finalise { image, .. } => format!("checking and storing of image {image}"),
        Step::Reset => "restart".into(),
        Step::Leave => "leaving the bus".into(),
        _ => "step".into(),
    }
}
