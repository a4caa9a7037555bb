//! The virtual modem on the guest's bus.

use super::machine::{now, within};
use anyhow::{Context, anyhow, bail};
use std::fmt::Write as _;
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::Duration;
use virtual_modem::profile::Timings;
use virtual_modem::usbip::vhci::{self, Happening, VhciError};
use virtual_modem::{Keep, Profile, Setup, StoredImage, VirtualModem};

/// A modem on the bus, served by a thread.
#[derive(Debug)]
pub(crate) struct Bench {
    stop: UnixStream,
    thread: Served,
    /// A message for each time the modem leaves the bus.
    left: Receiver<()>,
}

type Served = JoinHandle<(VirtualModem, Result<(), VhciError>)>;

/// What a modem has at the end.
#[derive(Debug)]
pub(crate) struct FlashedModem {
    /// What was written, oldest first.
    pub(crate) images: Vec<StoredImage>,
    /// What the host did wrong, in words.
    pub(crate) violations: Vec<String>,
    /// Why the front end ended, when it did so by itself.
    pub(crate) failure: Option<String>,
}

impl Bench {
    /// Puts a modem on the bus, at this port of the host controller; what happens to it goes to `log`.
    pub(crate) fn start(
        setup: Setup,
        port: u32,
        mut log: impl Write + Send + 'static,
    ) -> anyhow::Result<Self> {
        let mut modem = VirtualModem::new(setup);
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
            let options = vhci::Options {
                port,
                ..vhci::Options::default()
            };
            let result = vhci::run(&mut modem, &options, stopped.as_fd(), &mut report);
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
        let Self { stop, thread, .. } = self;
        drop(stop);
        Self::joined(thread)
    }

    /// Takes the modem off the bus when `end` returns, or finds out that it has left for good before.
    pub(crate) fn stop_after(self, end: impl FnOnce() + Send + 'static) -> anyhow::Result<FlashedModem> {
        let Self { stop, thread, .. } = self;
        std::thread::spawn(move || {
            end();
            drop(stop);
        });
        Self::joined(thread)
    }

    fn joined(thread: Served) -> anyhow::Result<FlashedModem> {
        let Ok((modem, result)) = thread.join() else {
            bail!("the virtual modem has panicked")
        };
        let violations = modem.violations().iter().map(ToString::to_string);
        Ok(FlashedModem {
            images: modem.images().to_vec(),
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

/// A modem of this model in download mode, with the lab's times: the guest is slow, and booting is not what it is
/// about.
pub(crate) fn setup(profile: &'static Profile) -> Setup {
    let mut setup = Setup::of(profile);
    setup.keep = Keep::Bytes { up_to: 64 << 20 };
    setup.timings = Timings {
        booting: Duration::from_millis(500),
        restarting: Duration::from_millis(500),
        // Programs read `confirmed` alone from a real modem; under software emulation they need more time for that.
        greeting: Duration::from_millis(500),
        ..profile.timings
    };
    setup
}
