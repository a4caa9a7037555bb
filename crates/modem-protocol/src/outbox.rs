//! What a Sahara or Firehose conversation has ready for the driver: reports, at most one output, and the failure that
//! ends the conversation.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::time::Duration;

use crate::conversation::{Action, ProtocolError, Report, Step, Stretch};
use crate::time::Instant;

/// If the port takes no byte for this long, the conversation gives up. A module that is busy writing its flash holds
/// up the line for a minute (field-reports.md C10); this is twice that.
pub(crate) const WRITE_STALL: Duration = Duration::from_secs(120);

/// Reports, output and failure of a conversation.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outbox {
    reports: VecDeque<Report>,
    output: Option<Action>,
    /// Bytes of the last output that the port has not taken yet.
    left: u64,
    /// When the driver got the last output, or when the port last took bytes of it. For a request the time isn't
    /// renewed: its few hundred bytes have to go out within [`WRITE_STALL`] as a whole.
    progress: Instant,
    is_image: bool,
    failure: Option<ProtocolError>,
}

impl Outbox {
    pub(crate) fn report(&mut self, report: Report) {
        self.reports.push_back(report);
    }

    /// Adds a report of an image's progress. It replaces an earlier one that the driver has not fetched yet.
    pub(crate) fn progressed(&mut self, image: usize, bytes: u64) {
        let report = Report::Acknowledged { image, bytes };
        match self.reports.back_mut() {
            Some(last @ Report::Acknowledged { .. }) => *last = report,
            _ => self.report(report),
        }
    }

    /// Sets the next output. It replaces one that the driver has not fetched yet.
    pub(crate) fn send(&mut self, bytes: Vec<u8>) {
        self.output = Some(Action::Send(bytes));
    }

    /// Sets the next output to a stretch of an image.
    pub(crate) fn send_image(&mut self, stretch: Stretch) {
        self.output = Some(Action::SendImage(stretch));
    }

    /// Drops an output that the driver has not fetched yet.
    pub(crate) fn cancel_output(&mut self) {
        self.output = None;
    }

    /// Ends the conversation with an error. If it has already failed, the first error stays.
    pub(crate) fn fail(&mut self, error: ProtocolError) {
        self.output = None;
        self.failure.get_or_insert(error);
    }

    pub(crate) const fn has_failed(&self) -> bool {
        self.failure.is_some()
    }

    /// Whether the port has taken all output, and no output waits to be fetched.
    pub(crate) const fn is_clear(&self) -> bool {
        self.left == 0 && self.output.is_none()
    }

    /// Bytes that the port has not taken yet.
    pub(crate) const fn left(&self) -> u64 {
        self.left
    }

    pub(crate) fn wrote(&mut self, count: usize, left: u64, now: Instant) {
        self.left = left;
        if count > 0 && self.is_image {
            self.progress = now;
        }
    }

    /// When the port will have been stalled for too long; `None` if no output is under way.
    pub(crate) fn stall_deadline(&self) -> Option<Instant> {
        (self.left > 0).then(|| self.progress + WRITE_STALL)
    }

    /// Fails if the port has been stalled for too long.
    pub(crate) fn check_stall(&mut self, step: Step, now: Instant) {
        if self.stall_deadline().is_some_and(|deadline| now >= deadline) {
            let error = ProtocolError::Stalled {
                step,
                left: self.left,
                waited: now - self.progress,
            };
            self.fail(error);
        }
    }

    /// The next report, else the failure, else the next output; `None` if there is nothing.
    pub(crate) fn next(&mut self, now: Instant) -> Option<Result<Action, ProtocolError>> {
        if let Some(report) = self.reports.pop_front() {
            return Some(Ok(Action::Report(report)));
        }
        if let Some(error) = &self.failure {
            return Some(Err(error.clone()));
        }
        if self.left > 0 {
            return None;
        }
        let output = self.output.take()?;
        self.left = length(&output);
        self.is_image = matches!(output, Action::SendImage(_));
        self.progress = now;
        Some(Ok(output))
    }
}

/// The size of an output on the wire, in bytes.
fn length(output: &Action) -> u64 {
    let of_slice = |bytes: &[u8]| u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    match output {
        Action::Send(bytes) => of_slice(bytes),
        Action::SendImage(stretch) => of_slice(&stretch.header)
            .saturating_add(stretch.range.end.saturating_sub(stretch.range.start))
            .saturating_add(stretch.padding.into()),
        _ => 0,
    }
}
