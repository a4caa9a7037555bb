//! The modem, and what front ends see of it.

use std::time::Duration;

use modem_world::Instant;

use crate::board::{Board, LOADER, Planned};
use crate::fault::{Fault, FaultScript};
use crate::layout::{Appearance, ControlProtocol, Layout};
use crate::loader::Loader;
use crate::memory::{Keep, StoredImage};
use crate::profile::{Profile, Protocol, Timings};
use crate::quirk::{Mode, Quirks};
use crate::storage::Storage;
use crate::violation::Violation;

/// What the modem does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Appears on the bus.
    Attach(Appearance),
    /// Leaves the bus; all bytes in flight are lost.
    Detach,
    /// Sends bytes to the host: one USB transfer on a serial interface, one whole message on a QMI or MBIM interface.
    Send {
        /// `bInterfaceNumber`.
        interface: u8,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// Does nothing until bytes come, the port is opened or closed, or this moment is reached.
    Wait(Instant),
}

/// Everything that makes up a modem. [`Setup::of`] makes one that keeps to the specification and takes its
/// real times; the caller may then change the fields.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The model.
    pub profile: &'static Profile,
    /// What is behind the port at the start.
    pub mode: Mode,
    /// Whether the modem has firmware that can run before anything is written.
    pub firmware: Firmware,
    /// The control protocol of the firmware. The composition in `storage` follows this.
    pub control: ControlProtocol,
    /// What the modem remembers.
    pub storage: Storage,
    /// The beginnings of AT commands that the user has asked for: `AT!USBCOMP=1,1`. Any other command that
    /// changes something is recorded as a violation (at.md §3, policy).
    pub allowed_commands: Vec<String>,
    /// The modem's habits.
    pub quirks: Quirks,
    /// The faults that will happen.
    pub faults: FaultScript,
    /// How long things take.
    pub timings: Timings,
    /// How much of the images is kept.
    pub keep: Keep,
    /// Seed for everything that is left to chance, such as which byte is corrupted.
    pub seed: u64,
}

impl Setup {
    /// A modem of this model in download mode, without firmware that could run.
    pub fn of(profile: &'static Profile) -> Self {
        let noise = match profile.protocol {
            Protocol::Sahara(traits) => traits.noise,
            Protocol::Qdl(_) => None,
        };
        Self {
            profile,
            mode: Mode::Download,
            firmware: Firmware::Missing,
            control: profile.control(),
            storage: Storage::factory(profile).emptied(),
            allowed_commands: Vec::new(),
            quirks: Quirks {
                noise,
                ignored_messages: profile.capabilities.ignored_messages,
                ..Quirks::default()
            },
            faults: FaultScript::default(),
            timings: profile.timings,
            keep: Keep::default(),
            seed: 0,
        }
    }

    /// A modem of this model with its firmware running.
    pub fn running(profile: &'static Profile) -> Self {
        Self {
            mode: Mode::Normal,
            firmware: Firmware::Sound,
            storage: Storage::factory(profile),
            ..Self::of(profile)
        }
    }
}

/// How many bytes an interface of running firmware takes at once: as many as a pipe of the kernel holds.
const PIPE: usize = 64 * 1024;

/// Whether the modem has firmware that can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Firmware {
    /// A restart leads to normal mode, as long as nothing is written over the firmware.
    Sound,
    /// A restart leads to download mode until an image is accepted.
    Missing,
}

/// A modem.
///
/// A front end polls until [`Output::Wait`], waits, hands in what happened, and polls again. At first the
/// modem is off the bus; the first poll attaches it.
#[derive(Debug)]
pub struct VirtualModem {
    board: Board,
    loader: Loader,
    /// The modem's interfaces since it came onto the bus.
    layout: Layout,
}

impl VirtualModem {
    /// A modem that is about to appear on the bus.
    pub fn new(setup: Setup) -> Self {
        Self {
            board: Board::new(setup),
            loader: Loader::Off,
            layout: Layout::default(),
        }
    }

    /// What the modem does next.
    pub fn poll(&mut self, now: Instant) -> Output {
        loop {
            match self.board.next_due(now) {
                Some(Planned::Send { interface, bytes } | Planned::SendLate { interface, bytes }) => {
                    return Output::Send { interface, bytes };
                }
                Some(Planned::Detach { after, mode }) => {
                    self.loader.left(&mut self.board);
                    self.loader = Loader::Off;
                    self.board.left(now, after, mode);
                    return Output::Detach;
                }
                Some(Planned::Attach(mode)) => {
                    let appearance = self.board.attached(now, mode);
                    self.layout = appearance.layout.clone();
                    self.loader = Loader::new(mode, &self.layout, &self.board, now);
                    self.loader.attached(&mut self.board, now);
                    return Output::Attach(appearance);
                }
                None => {}
            }
            let timer = self.loader.timer(&self.board);
            let given_up = if self.is_on_bus() && !self.loader.in_data() {
                self.board.gives_up_at()
            } else {
                Instant::FAR
            };
            if timer > now && given_up > now {
                return Output::Wait(timer.min(given_up).min(self.board.next_moment(now)));
            }
            if given_up <= now {
                self.board.give_up(now);
            } else {
                self.loader.tick(&mut self.board, now);
            }
        }
    }

    /// How many bytes the modem takes from the host now on this interface. Zero while the modem is busy with
    /// its flash: the host's writes then wait. The room grows again by itself, and `poll` says when. A QMI or
    /// MBIM interface takes a whole message or nothing.
    pub fn room(&mut self, interface: u8, now: Instant) -> usize {
        if matches!(self.loader, Loader::Off) || self.board.is_leaving() {
            return 0;
        }
        if self.loader.is_running() || interface != LOADER {
            return PIPE;
        }
        let in_data = self.loader.in_data();
        self.board.room(in_data, now)
    }

    /// Takes bytes from the host, at most as many as [`VirtualModem::room`] allows. On a QMI or MBIM
    /// interface the bytes are one whole message.
    pub fn receive(&mut self, interface: u8, bytes: &[u8], now: Instant) {
        self.board.active_at = now;
        if !self.board.is_leaving() {
            self.loader.receive(interface, bytes, &mut self.board, now);
        }
    }

    /// The host has opened the port of this interface and reads from now on. A front end that can't see this
    /// makes this call when the host first asks for bytes.
    pub fn port_opened(&mut self, interface: u8, now: Instant) {
        self.board.active_at = now;
        if interface == LOADER {
            self.board.opened = true;
        }
        self.loader.opened(interface, &mut self.board, now);
    }

    /// The host has closed the port of this interface.
    pub fn port_closed(&mut self, interface: u8, now: Instant) {
        if interface == LOADER {
            self.board.opened = false;
        }
        self.loader.closed(interface, &mut self.board, now);
    }

    /// The host raises or drops DTR on this interface. Most firmwares answer QMI only while DTR is set
    /// (qmi.md §2); the kernel's driver sets it when it binds.
    pub fn terminal_ready(&mut self, interface: u8, is_ready: bool, now: Instant) {
        let _ = now;
        self.loader.terminal_ready(interface, is_ready);
    }

    /// The host has removed the device's configuration and set it again, as `authorized` in sysfs does. The
    /// device stays on the bus with its number. Its interfaces start anew, and so does the session of its
    /// boot loader.
    pub fn configured_again(&mut self, now: Instant) {
        if matches!(self.loader, Loader::Off) || self.board.is_leaving() {
            return;
        }
        if self.board.setup.quirks.leaves_when_configured {
            return self.re_enumerate(now);
        }
        if self.loader.is_running() {
            return;
        }
        self.loader.left(&mut self.board);
        self.board.configured_again();
        if self.board.setup.quirks.keeps_firehose && self.loader.speaks_firehose() {
            return;
        }
        self.loader = Loader::new(self.board.mode, &self.layout, &self.board, now);
        self.loader.attached(&mut self.board, now);
    }

    /// Makes the modem leave the bus and enumerate again, as after a fault of the hub.
    pub fn re_enumerate(&mut self, now: Instant) {
        if matches!(self.loader, Loader::Off) {
            return;
        }
        // Own choice: as long as a hub needs to notice it, but without a restart of the boot loader.
        self.board
            .leave_now(now, Duration::from_millis(200), self.board.mode);
    }

    /// The faults of the script that have not happened so far.
    pub fn unused_faults(&self) -> impl Iterator<Item = &Fault> {
        self.board.unused_faults()
    }

    /// What the host did wrong so far.
    pub fn violations(&self) -> &[Violation] {
        &self.board.violations
    }

    /// The images that were written to the modem, oldest first. An image that is being written is not among
    /// them.
    pub fn images(&self) -> &[StoredImage] {
        &self.board.images
    }

    /// Whether a restart leads to running firmware: nothing is half written, and there is firmware to run.
    pub fn is_bootable(&self) -> bool {
        self.board.bootable
    }

    /// What is behind the port, or will be when the modem is back on the bus.
    pub fn mode(&self) -> Mode {
        self.board.mode
    }

    /// Whether the modem is on the bus.
    pub fn is_on_bus(&self) -> bool {
        !matches!(self.loader, Loader::Off)
    }

    /// The modem's interfaces, or those that it had before it left the bus.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// What the modem remembers.
    pub fn storage(&self) -> &Storage {
        &self.board.storage
    }

    /// Whether the modem's radio is on: the firmware runs, and nothing keeps it in low power.
    pub fn is_online(&self) -> bool {
        match &self.loader {
            Loader::Running(running) => running.core().is_online(),
            _ => false,
        }
    }

    /// Image bytes taken so far, of all images together.
    pub fn image_bytes(&self) -> u64 {
        self.board.image_bytes
    }

    /// The modem's setup.
    pub fn setup(&self) -> &Setup {
        &self.board.setup
    }
}
