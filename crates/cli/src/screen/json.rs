//! Events for programs: one JSON object per line on standard output.

use std::io::{self, Write};

use update_engine::Event;

use super::{Screen, Screens};

/// Prints events as JSON.
#[derive(Debug, Default)]
pub(crate) struct Json {
    /// Nobody reads any more. That is no reason to stop a flash.
    closed: bool,
}

impl Screen for Json {
    fn show(&mut self, event: &Event) {
        if self.closed {
            return;
        }
        let mut line = serde_json::to_vec(event).unwrap_or_else(|_| b"{}".to_vec());
        line.push(b'\n');
        let mut out = io::stdout().lock();
        if out.write_all(&line).and_then(|()| out.flush()).is_err() {
            self.closed = true;
        }
    }

    fn rest(&mut self) {}
}

impl Screens for Json {
    fn show(&mut self, _: usize, event: &Event) {
        // The event says which modem it is about.
        Screen::show(self, event);
    }

    fn rest(&mut self) {}
}
