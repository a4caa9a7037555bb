//! The virtual modem on the guest's bus.

use super::machine::{now, within};
use anyhow::{Context, anyhow, bail};
use std::fmt::Write as _;
use std::fs;
use std::io::{BufWriter, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::Duration;
use virtual_modem::profile::Timings;
use virtual_modem::usbip::vhci::{self, Happening, VhciError};
use virtual_modem::{ImageState, Keep, Profile, Setup, VirtualModem};

/// A modem on the bus, served by a thread.
#[derive(Debug)]
pub(crate) struct Bench {
    stop: UnixStream,
    thread: JoinHandle<(VirtualModem, Result<(), VhciError>)>,
    /// A message for each time the modem leaves the bus.
    left: Receiver<()>,
}

/// What a modem has at the end.
#[derive(Debug)]
pub(crate) struct FlashedModem {
    /// What was written, oldest first.
    pub(crate) images: Vec<Stored>,
    /// What the host did wrong, in words.
    pub(crate) violations: Vec<String>,
    /// Why the front end ended, when it did so by itself.
    failure: Option<String>,
}

/// An image in a modem.
#[derive(Debug)]
pub(crate) struct Stored {
    /// The whole file as the modem has it.
    pub(crate) bytes: Vec<u8>,
    /// Whether the modem has accepted it.
    pub(crate) accepted: bool,
}

impl Bench {
    /// Puts a modem of this model on the bus, in download mode; what happens to it goes to `log`.
    pub(crate) fn start(model: &str, log: &Path) -> anyhow::Result<Self> {
        let profile = Profile::named(model).with_context(|| format!("no profile {model}"))?;
        let mut setup = Setup::of(profile);
        setup.keep = Keep::Bytes { up_to: 64 << 20 };
        setup.timings = Timings {
            booting: BOOTING,
            greeting: GREETING,
            ..profile.timings
        };
        let mut modem = VirtualModem::new(setup);
        let mut log = BufWriter::new(fs::File::create(log)?);
        let (stop, stopped) = UnixStream::pair()?;
        let (sender, left) = channel();
        let thread = std::thread::spawn(move || {
            let mut report = |moment: modem_world::Instant, happening: &Happening<'_>| {
                if *happening == Happening::Detached {
                    // Nobody may be waiting for it.
                    let _ = sender.send(());
                }
                // A log that can't be written is no reason to end a flash.
                let _ = writeln!(log, "{:10.3} {happening}", moment.since_start().as_secs_f64());
            };
            let result = vhci::run(
                &mut modem,
                &vhci::Options::default(),
                stopped.as_fd(),
                &mut report,
            );
            let _ = log.flush();
            (modem, result)
        });
        Ok(Self { stop, thread, left })
    }

    /// Waits until the modem has left the bus by itself, as it does after a reset request.
    pub(crate) fn wait_for_restart(&self, timeout: Duration) -> anyhow::Result<()> {
        let left = within(timeout).saturating_duration_since(now());
        let seconds = timeout.as_secs();
        self.left
            .recv_timeout(left)
            .with_context(|| format!("the modem was not restarted within {seconds} s"))
    }

    /// Takes the modem off the bus.
    pub(crate) fn stop(self) -> anyhow::Result<FlashedModem> {
        drop(self.stop);
        let Ok((modem, result)) = self.thread.join() else {
            bail!("the virtual modem has panicked")
        };
        let images = modem.images().iter().map(|image| Stored {
            bytes: image.bytes.clone().unwrap_or_default(),
            accepted: image.state == ImageState::Accepted,
        });
        let violations = modem.violations().iter().map(ToString::to_string);
        Ok(FlashedModem {
            images: images.collect(),
            violations: violations.collect(),
            failure: result.err().map(|error| error.to_string()),
        })
    }
}

impl FlashedModem {
    /// A failure, together with what the modem has to say about it.
    pub(crate) fn explain(&self, error: anyhow::Error) -> anyhow::Error {
        let mut text = format!("{error:#}");
        if let Some(failure) = &self.failure {
            // Writing to a string can't fail.
            let _ = write!(text, "; virtual modem: {failure}");
        }
        if !self.violations.is_empty() {
            let _ = write!(text, "; violations: {}", self.violations.join("; "));
        }
        anyhow!(text)
    }
}

/// The lab is not about waiting for a modem to boot.
const BOOTING: Duration = Duration::from_secs(2);
/// From `confirmed` to the first log line. Programs read `confirmed` alone from a real modem; a guest under
/// software emulation on a busy host needs more time for that.
const GREETING: Duration = Duration::from_millis(500);
