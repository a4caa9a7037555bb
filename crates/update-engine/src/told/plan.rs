//! The plan for one modem: computed, and ready to be printed, before the first byte is sent.

use firmware_image::Family;
use serde::Serialize;

use super::step::Step;
use super::warning::WarningCode;
use crate::modem::{Protocol, Trio};
use crate::request::Request;

/// What the run is going to do to one modem.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Plan {
    /// The images in the order in which they are sent: largest first (update-flow.md §6).
    pub images: Vec<PlannedImage>,
    /// Sum of the images' sizes in bytes.
    pub total_bytes: u64,
    /// The protocol that the device (or, failing that, the images) leads modemflash to expect; none when only
    /// the modem can tell.
    pub protocol: Option<Protocol>,
    /// The families that the device and the images lead modemflash to expect.
    pub families: Vec<Family>,
    /// What the user should know beforehand. Each warning says whether it needs a confirmation.
    pub warnings: Vec<Warning>,
    /// What the modem runs now; none for a modem in download mode.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Trio>,
    /// What the modem is to run after the update, as far as known.
    pub to: Trio,
    /// The steps in order, with their estimated times.
    pub steps: Vec<PlannedStep>,
    /// Sum of the estimated times, in seconds.
    pub estimate_s: u64,
}

impl Plan {
    /// Makes the estimate the sum of the steps.
    pub(crate) fn sum_up(&mut self) {
        self.estimate_s = self.steps.iter().map(|step| step.estimate_s).sum();
    }

    /// The warnings that need a confirmation.
    pub fn to_confirm(&self) -> impl Iterator<Item = &Warning> {
        self.warnings.iter().filter(|warning| warning.confirm)
    }
}

/// One image of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlannedImage {
    /// The file's name.
    pub file: String,
    /// The file's size in bytes.
    pub bytes: u64,
    /// Firmware version, when the image names one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub firmware: Option<String>,
    /// Carrier, when the image names one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub carrier: Option<String>,
}

/// One step of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlannedStep {
    /// The step.
    pub step: Step,
    /// Estimate of how long the step takes, in seconds.
    pub estimate_s: u64,
}

/// Something the user should know before the modem is touched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// Stable code for programs: `USB3`, or the code of an image's finding.
    pub code: WarningCode,
    /// The warning in words.
    pub text: String,
    /// Whether the modem could be harmed, so that the user has to confirm the warning.
    pub confirm: bool,
}

impl Warning {
    /// Whether the warning needs a confirmation that the user hasn't given.
    pub(crate) fn is_open_for(&self, request: &Request) -> bool {
        self.confirm && !request.confirms(self.code.as_str())
    }
}
