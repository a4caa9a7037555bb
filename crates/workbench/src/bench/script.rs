//! What a modem says after which byte, as a list: so a reader that does nothing but count can stand in for it.
//!
//! The list is recorded while the engine flashes a virtual modem in memory. Played on a pseudo-terminal, the modem
//! takes no time of its own, and what is measured is the host.

use std::ops::Range;
use std::path::Path;

use anyhow::{Context as _, Result};
use firmware_image::source::{FirmwareSet, Options, SpoolPolicy, Wanted, gather, inspect};
use modem_world::Recorder;
use modem_world::trace::{Event, Trace};
use update_engine::{Firmware, Request, Selector, update};
use virtual_modem::profile::{Profile, Timings};
use virtual_modem::simulated::SimulatedWorld;
use virtual_modem::{Keep, Setup};

/// A modem's part of a whole flash.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Script {
    /// In order.
    pub(crate) answers: Vec<Answer>,
    /// Bytes of the host in all.
    pub(crate) total: u64,
    /// From the first to the last byte of image data, in the host's bytes; requests and headers in between included.
    pub(crate) image: Range<u64>,
}

/// Something that a modem says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// When it has taken so many bytes since the port was opened.
    pub(crate) after: u64,
    /// What it says.
    pub(crate) bytes: Vec<u8>,
}

/// Writes at least so large are image data: requests are shorter than 1 KiB (trace.rs of modem-world).
const IMAGE_DATA: u64 = 4096;

impl Script {
    /// Flashes `file` in memory to a modem of this model that takes no time, and writes down what it said.
    pub(crate) fn record(model: &str, file: &Path) -> Result<Self> {
        let profile = Profile::named(model).with_context(|| format!("no profile {model}"))?;
        let mut setup = Setup::of(profile);
        setup.timings = Timings::INSTANT;
        setup.keep = Keep::Sums;
        let mut world = SimulatedWorld::new(setup);
        // As on a pseudo-terminal: no USB device says which protocol to expect.
        world.hide_device(0);
        let spool = SpoolPolicy::default();
        let gathered = gather(&[file], &Options { spool })?;
        let set = FirmwareSet::choose(inspect(gathered, &mut |_| {}), &Wanted::default())?;
        let request = Request {
            select: Selector::Port(SimulatedWorld::LINK.into()),
            // Nothing says that this port is a modem's.
            force: true,
            confirmed: true,
            ..Request::default()
        };
        let mut trace = Vec::new();
        let mut recorder = Recorder::new(&mut world, &mut trace, |_| {});
        let outcome = update(&mut recorder, &request, &Firmware::from(set), &mut |_| {});
        recorder.finish();
        outcome.context("the flash in memory failed")?;
        Ok(Self::from_trace(&Trace::parse(&String::from_utf8(trace)?)?))
    }

    fn from_trace(trace: &Trace) -> Self {
        let mut script = Self::default();
        let mut begin = None;
        for entry in &trace.entries {
            match &entry.event {
                Event::Written { data, .. } => {
                    let start = script.total;
                    script.total = start.saturating_add(data.length());
                    if data.length() >= IMAGE_DATA {
                        let begin = *begin.get_or_insert(start);
                        script.image = begin..script.total;
                    }
                }
                Event::Read { bytes, .. } => script.answers.push(Answer {
                    after: script.total,
                    bytes: bytes.clone(),
                }),
                _ => {}
            }
        }
        script
    }

    /// A modem that takes so many bytes and says nothing.
    pub(crate) fn silent(total: u64) -> Self {
        Self {
            answers: Vec::new(),
            total,
            image: 0..total,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use firmware_image::Family;
    use firmware_image::generate::sets::{Wishes, usual_files};

    fn script(family: &Family, model: &str, size: u64) -> Script {
        let folder = tempfile::tempdir().unwrap();
        let wishes = Wishes {
            size: Some(size),
            ..Wishes::default()
        };
        let files = usual_files(family, wishes).unwrap();
        let path = crate::images::write_to(&files[0], folder.path()).unwrap();
        Script::record(model, &path).unwrap()
    }

    #[test]
    fn a_qdl_modem_answers_after_each_chunk() {
        let script = script(&Family::Swi9x30, "MC7455", 3_500_000);
        let span = script.image.end - script.image.start;
        // 400 bytes go with the open request; the rest goes in chunks of 1 MiB, each behind its header.
        assert!((3_499_600..3_500_400).contains(&span), "{span}");
        let inside = |answer: &&Answer| script.image.start < answer.after && answer.after <= script.image.end;
        assert_eq!(script.answers.iter().filter(inside).count(), 4);
        assert!(script.total > script.image.end, "done and reset follow");
    }

    #[test]
    fn a_sahara_modem_speaks_first() {
        let script = script(&Family::Swi9x50, "EM7565", 3_500_000);
        assert_eq!(script.answers[0].after, 0);
        let span = script.image.end - script.image.start;
        assert!(span >= 3_500_000, "{span}");
        assert!(
            script
                .answers
                .windows(2)
                .all(|pair| pair[0].after <= pair[1].after)
        );
    }
}
