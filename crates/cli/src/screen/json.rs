//! Events for programs: one JSON object per line on standard output.

use std::io::ErrorKind;

use update_engine::Event;

use super::interface::{Screen, Screens};
use crate::failure::VerbFailure;
use crate::output::stdout;

/// Prints events as JSON.
#[derive(Debug, Default)]
pub(crate) struct JsonScreen {
    /// Standard output can't be written any more. The update goes on all the same.
    closed: bool,
    /// Why events are missing. If the reader went away by itself, that is no failure and nothing stands here.
    lost: Option<VerbFailure>,
}

impl Screen for JsonScreen {
    fn show(&mut self, event: &Event) {
        if self.closed {
            return;
        }
        if let Err(error) = crate::output::json_events::write(event) {
            self.closed = true;
            self.lost = (error.kind() != ErrorKind::BrokenPipe).then(|| stdout::unwritable(&error));
        }
    }

    fn rest(&mut self) {}

    fn lost(&mut self) -> Option<VerbFailure> {
        self.lost.take()
    }
}

impl Screens for JsonScreen {
    fn show(&mut self, _: usize, event: &Event) {
        // The number isn't needed: each event names its modem.
        Screen::show(self, event);
    }

    fn rest(&mut self) {}

    fn lost(&mut self) -> Option<VerbFailure> {
        self.lost.take()
    }
}
