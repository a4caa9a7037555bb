//! What a run reports: events while it runs, and at the end an outcome or an error, with code, cause and
//! advice.

mod advice;
mod card;
mod cause;
pub mod codes;
mod error;
mod event;
pub mod exit;
mod outcome;
mod plan;
mod state;
mod step;
mod warning;

pub use advice::Advice;
pub use cause::{Cause, Layer};
pub use codes::{ALL_CODES, Code};
pub use error::{Failure, UpdateError};
pub(crate) use event::seconds;
pub use event::{Event, EventKind, SCHEMA_VERSION};
pub(crate) use outcome::Written;
pub use outcome::{Accepted, Outcome, Unchanged, Updated};
pub use plan::{Plan, PlannedImage, PlannedStep, Warning};
pub use state::ModemState;
pub use step::Step;
pub use warning::{ALL_REMARKS, RUN_WARNINGS, RemarkCode, RunWarning, WarningCode};
