//! Tells the plan and asks for a confirmation of its warnings.

use super::parts::Run;
use crate::request::Request;
use crate::told::{Cause, EventKind, Plan, Warning};

impl Run<'_> {
    /// Tells the plan and its warnings, and asks for a confirmation.
    pub(crate) fn announce(
        &mut self,
        plan: &Plan,
        request: &Request,
        ask: &mut dyn FnMut(&Plan) -> bool,
    ) -> Result<(), Cause> {
        let now = self.now();
        self.teller.tell(now, EventKind::Planned { plan: plan.clone() });
        for warning in &plan.warnings {
            self.teller.warn(now, warning.clone());
        }
        let is_open = |warning: &&Warning| warning.is_open_for(request);
        let unconfirmed: Vec<Warning> = plan.warnings.iter().filter(is_open).cloned().collect();
        if unconfirmed.is_empty() || ask(plan) {
            return Ok(());
        }
        self.stops.are_over();
        Err(Cause::NotConfirmed {
            warnings: unconfirmed,
        })
    }
}
