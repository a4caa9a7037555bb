//! Where words and data go: standard output, standard error, and files under names that the user gave.

pub(crate) mod file;
pub(crate) mod json_events;
pub(crate) mod logging;
pub(crate) mod stderr;
pub(crate) mod stdout;
