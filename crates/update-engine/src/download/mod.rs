//! The download: what is behind a port in download mode, and sending images to it.

mod detect;
mod session;
mod watch;
pub(crate) mod weight;

pub(crate) use watch::Named;
