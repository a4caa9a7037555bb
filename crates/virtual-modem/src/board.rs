//! What all protocols of the modem share: its plans, its speed, its memory, and the faults of the script.

use std::collections::VecDeque;
use std::time::Duration;

use modem_world::{Instant, UsbDevice, UsbPath};

use crate::fault::{Fault, Message, Return};
use crate::layout::{Appearance, FunctionKind, Layout};
use crate::memory::{ImageState, StoredImage, Writing};
use crate::modem::{Firmware, Setup};
use crate::profile::Identity;
use crate::quirk::{Mode, Pieces};
use crate::random::Random;
use crate::violation::{Violation, Wrong};

/// A host that asks again sooner than this is too impatient.
const IMPATIENT: Duration = Duration::from_secs(120);

/// The interface of a device that has only one.
pub(crate) const LOADER: u8 = 0;

/// Something that is going to happen.
#[derive(Debug)]
pub(crate) enum Planned {
    /// Bytes go to the host on this interface.
    Send { interface: u8, bytes: Vec<u8> },
    /// It leaves the bus and comes back `after` this time, or never.
    Detach { after: Option<Duration>, mode: Mode },
    /// It appears on the bus.
    Attach(Mode),
}

/// The state that outlives a protocol's session.
#[derive(Debug)]
pub(crate) struct Board {
    pub(crate) setup: Setup,
    pub(crate) violations: Vec<Violation>,
    pub(crate) images: Vec<StoredImage>,
    pub(crate) bootable: bool,
    pub(crate) mode: Mode,
    /// Image bytes taken, all images together.
    pub(crate) image_bytes: u64,
    /// Images begun.
    pub(crate) images_begun: u32,
    pub(crate) opened: bool,
    pub(crate) attached_at: Instant,
    /// In the order in which it happens; moments never decrease.
    plans: VecDeque<(Instant, Planned)>,
    /// Faults that have not happened yet.
    faults: Vec<Fault>,
    /// Messages sent since it is on the bus.
    messages: u32,
    /// When everything taken so far is digested.
    digested_at: Instant,
    /// Takes nothing before this moment.
    stalled_until: Instant,
    /// The host was told that there is no room.
    full: bool,
    leaving: bool,
    /// It leaves on request of the host.
    asked_to_restart: bool,
    /// Checks and programs an image, from and until.
    programming: (Instant, Instant),
    random: Random,
}

/// What became of a message on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// It goes out as it is.
    Sound,
    /// The script has lost or damaged it, or the modem is about to leave.
    Spoiled,
}

impl Board {
    pub(crate) fn new(setup: Setup) -> Self {
        let mut plans = VecDeque::new();
        plans.push_back((Instant::START, Planned::Attach(setup.mode)));
        Self {
            violations: Vec::new(),
            images: Vec::new(),
            bootable: setup.firmware == Firmware::Sound,
            mode: setup.mode,
            image_bytes: 0,
            images_begun: 0,
            opened: false,
            attached_at: Instant::START,
            plans,
            faults: setup.faults.0.clone(),
            messages: 0,
            digested_at: Instant::START,
            stalled_until: Instant::START,
            full: false,
            leaving: false,
            asked_to_restart: false,
            programming: (Instant::START, Instant::START),
            random: Random::new(setup.seed),
            setup,
        }
    }

    // Plans

    /// The next plan that is due, with transfers joined when that is the modem's habit.
    pub(crate) fn next_due(&mut self, now: Instant) -> Option<Planned> {
        if self.plans.front().is_none_or(|(due, _)| *due > now) {
            return None;
        }
        let (_, mut planned) = self.plans.pop_front()?;
        if self.setup.quirks.pieces == Pieces::Joined {
            if let Planned::Send { interface, bytes } = &mut planned {
                while let Some((
                    due,
                    Planned::Send {
                        interface: on,
                        bytes: more,
                    },
                )) = self.plans.front()
                {
                    if *due > now || on != interface {
                        break;
                    }
                    bytes.extend_from_slice(more);
                    self.plans.pop_front();
                }
            }
        }
        Some(planned)
    }

    /// When something happens by itself next: a plan is due, or there is room again.
    pub(crate) fn next_moment(&self, now: Instant) -> Instant {
        let planned = self.plans.front().map_or(Instant::FAR, |(due, _)| *due);
        if !self.full {
            return planned;
        }
        let free = self.free_at().max(self.stalled_until);
        if free > now { planned.min(free) } else { planned }
    }

    fn plan(&mut self, at: Instant, planned: Planned) {
        let last = self.plans.back().map_or(Instant::START, |(due, _)| *due);
        self.plans.push_back((at.max(last), planned));
    }

    /// Says something after the usual time for an answer.
    pub(crate) fn answer(&mut self, bytes: Vec<u8>, now: Instant) {
        let _ = self.say(bytes, now + self.setup.timings.answer);
    }

    /// Says something on its only interface at this moment, later when the habit is to be slow or when it said
    /// something later before.
    pub(crate) fn say(&mut self, bytes: Vec<u8>, at: Instant) -> Said {
        self.say_on(LOADER, bytes, at)
    }

    /// Says something on this interface.
    pub(crate) fn say_on(&mut self, interface: u8, mut bytes: Vec<u8>, at: Instant) -> Said {
        if bytes.is_empty() || self.leaving {
            return Said::Spoiled;
        }
        let mut said = Said::Sound;
        self.messages = self.messages.saturating_add(1);
        let at = at + self.setup.quirks.slow;
        let mut copies = 1;
        if !self.faults.is_empty() {
            let meant = |message: Message, messages: u32, image_bytes: u64| match message {
                Message::Number(number) => number == messages,
                Message::FirstAfterData => image_bytes > 0,
            };
            let (messages, image_bytes) = (self.messages, self.image_bytes);
            if self.happens(|fault| matches!(fault, Fault::Lose(m) if meant(*m, messages, image_bytes))) {
                return Said::Spoiled;
            }
            if self.happens(|fault| matches!(fault, Fault::Corrupt(m) if meant(*m, messages, image_bytes))) {
                self.corrupt(&mut bytes);
                said = Said::Spoiled;
            }
            if self.happens(|fault| matches!(fault, Fault::Duplicate(m) if meant(*m, messages, image_bytes)))
            {
                copies = 2;
            }
        }
        for _ in 1..copies {
            self.send(interface, bytes.clone(), at);
        }
        self.send(interface, bytes, at);
        said
    }

    fn send(&mut self, interface: u8, mut bytes: Vec<u8>, at: Instant) {
        if let Pieces::Cut { at: place, pause } = self.setup.quirks.pieces {
            let cut = place.checked_rem(bytes.len()).unwrap_or(0);
            if cut > 0 {
                let rest = bytes.split_off(cut);
                self.plan(at, Planned::Send { interface, bytes });
                self.plan(
                    at + pause,
                    Planned::Send {
                        interface,
                        bytes: rest,
                    },
                );
                return;
            }
        }
        self.plan(at, Planned::Send { interface, bytes });
    }

    fn corrupt(&mut self, bytes: &mut [u8]) {
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let place = usize::try_from(self.random.below(length)).unwrap_or(0);
        let bit = u32::try_from(self.random.below(8)).unwrap_or(0);
        if let Some(byte) = bytes.get_mut(place) {
            *byte ^= 1_u8.rotate_left(bit);
        }
    }

    // Faults

    /// Whether the script has such a fault left; it is then used up.
    fn happens(&mut self, fault: impl Fn(&Fault) -> bool) -> bool {
        match self.faults.iter().position(fault) {
            Some(place) => {
                self.faults.remove(place);
                true
            }
            None => false,
        }
    }

    /// The code with which the script refuses this chunk.
    pub(crate) fn error_at(&mut self, chunk: u64) -> Option<u32> {
        let (place, code) = self
            .faults
            .iter()
            .enumerate()
            .find_map(|(place, fault)| match fault {
                Fault::Error { code, chunk: at } if u64::from(*at) == chunk => Some((place, *code)),
                _ => None,
            })?;
        self.faults.remove(place);
        Some(code)
    }

    /// Whether the script rejects the image that was begun last.
    pub(crate) fn rejects_image(&mut self) -> bool {
        let begun = self.images_begun;
        self.happens(|fault| matches!(fault, Fault::RejectImage { number } if *number == begun))
    }

    /// The next place in the image data at which the script wants something.
    fn next_place(&self) -> Option<u64> {
        let places = self.faults.iter().filter_map(|fault| match fault {
            Fault::Drop { byte } | Fault::Stall { byte, .. } => Some(*byte),
            _ => None,
        });
        places.min()
    }

    // Speed

    /// Bytes that are taken now; `in_data` while image bytes are due.
    pub(crate) fn room(&mut self, in_data: bool, now: Instant) -> usize {
        if in_data && !self.faults.is_empty() {
            self.stall_or_drop(now);
        }
        let timings = &self.setup.timings;
        let free = if now < self.stalled_until || self.leaving || now < self.free_at() {
            0
        } else {
            let backlog = self.digested_at.since(now).as_nanos()
                * u128::from(timings.taking_bytes_per_second)
                / 1_000_000_000;
            timings
                .buffer_bytes
                .saturating_sub(usize::try_from(backlog).unwrap_or(usize::MAX))
                .max(1)
        };
        let mut room = free;
        if in_data {
            if let Some(place) = self.next_place() {
                let left = place.saturating_sub(self.image_bytes);
                room = room.min(usize::try_from(left).unwrap_or(usize::MAX).max(1));
            }
        }
        self.full = free == 0;
        room
    }

    /// The moment from which a quarter of the buffer is free.
    fn free_at(&self) -> Instant {
        let timings = &self.setup.timings;
        let kept = u64::try_from(timings.buffer_bytes).unwrap_or(u64::MAX) / 4 * 3;
        Instant::START
            + self
                .digested_at
                .since_start()
                .saturating_sub(timings.taking(kept))
    }

    /// Notes that image bytes were taken, and lets the script act on it.
    pub(crate) fn took(&mut self, count: usize, now: Instant) {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        self.image_bytes = self.image_bytes.saturating_add(count);
        self.digested_at = self.digested_at.max(now) + self.setup.timings.taking(count);
        if !self.faults.is_empty() {
            self.stall_or_drop(now);
        }
    }

    fn stall_or_drop(&mut self, now: Instant) {
        let reached = self.image_bytes;
        let Some(place) = self.faults.iter().position(
            |fault| matches!(fault, Fault::Drop { byte } | Fault::Stall { byte, .. } if *byte <= reached),
        ) else {
            return;
        };
        match self.faults.remove(place) {
            Fault::Stall { lasting, .. } => {
                self.stalled_until = lasting.map_or(Instant::FAR, |lasting| now + lasting);
            }
            _ => self.leave_now(now, self.setup.timings.restarting, self.mode_of_loader()),
        }
    }

    /// Whether the script holds it still.
    pub(crate) fn is_stalled(&self, now: Instant) -> bool {
        now < self.stalled_until
    }

    /// Notes that an image is checked and programmed until then.
    pub(crate) fn programs(&mut self, now: Instant, until: Instant) {
        self.programming = (now, until);
    }

    /// Whether a request comes while an image is being programmed, and sooner than any host may give up: the
    /// reference waits 120 s (qdl.md §7).
    pub(crate) fn is_interrupted(&self, now: Instant) -> bool {
        let (since, until) = self.programming;
        now < until && now < since + IMPATIENT
    }

    /// When everything taken so far is digested, at the earliest now.
    pub(crate) fn digested(&self, now: Instant) -> Instant {
        self.digested_at.max(now)
    }

    // Images

    /// An image begins; whatever ran before doesn't any more.
    pub(crate) fn begin_image(&mut self, image_type: u8, announced: u64) -> Writing {
        self.images_begun = self.images_begun.saturating_add(1);
        Writing::new(image_type, announced, self.setup.keep)
    }

    /// An image is over, one way or the other.
    pub(crate) fn end_image(&mut self, writing: Writing, state: ImageState) {
        if writing.length() > 0 {
            self.bootable = state == ImageState::Accepted;
            self.images.push(writing.finish(state));
        }
    }

    /// The session is ended: images that came whole are accepted.
    pub(crate) fn accept_complete_images(&mut self) {
        for image in self
            .images
            .iter_mut()
            .filter(|image| image.state == ImageState::Complete)
        {
            image.state = ImageState::Accepted;
            self.bootable = true;
        }
    }

    pub(crate) fn wrong(&mut self, what: Wrong, now: Instant) {
        self.violations.push(Violation { at: now, what });
    }

    // The bus

    /// Leaves the bus on request of the host, and comes back as the firmware and the script want it.
    pub(crate) fn restart(&mut self, now: Instant) {
        let timings = self.setup.timings;
        let mut after = Some(timings.booting);
        let mut mode = Mode::Normal;
        if !self.bootable {
            (after, mode) = (Some(timings.restarting), self.mode_of_loader());
        }
        for fault in &self.faults {
            match fault {
                Fault::Return(Return::Download) => mode = self.mode_of_loader(),
                Fault::Return(Return::Late(late)) => after = after.map(|after| after.saturating_add(*late)),
                Fault::Return(Return::Never) => after = None,
                _ => {}
            }
        }
        self.plan(now + timings.leaving, Planned::Detach { after, mode });
        self.leaving = true;
        self.asked_to_restart = true;
    }

    /// Leaves the bus at once; nothing that was planned happens.
    pub(crate) fn leave_now(&mut self, now: Instant, after: Duration, mode: Mode) {
        self.plans.clear();
        self.plans.push_back((
            now,
            Planned::Detach {
                after: Some(after),
                mode,
            },
        ));
        self.leaving = true;
    }

    /// A crash or a restart leads from a memory dump to the boot loader, and nowhere else from where nothing helps.
    fn mode_of_loader(&self) -> Mode {
        match self.mode {
            Mode::Download | Mode::RamDump(_) | Mode::Normal => Mode::Download,
            other => other,
        }
    }

    pub(crate) const fn is_leaving(&self) -> bool {
        self.leaving
    }

    pub(crate) fn left(&mut self, now: Instant, after: Option<Duration>, mode: Mode) {
        self.plans.clear();
        self.opened = false;
        self.mode = mode;
        if let Some(after) = after {
            self.plans.push_back((now + after, Planned::Attach(mode)));
        }
    }

    pub(crate) fn attached(&mut self, now: Instant, mode: Mode) -> Appearance {
        self.leaving = false;
        self.mode = mode;
        self.messages = 0;
        self.attached_at = now;
        self.digested_at = now;
        self.stalled_until = Instant::START;
        self.full = false;
        self.programming = (now, now);
        let layout = self.layout(mode);
        let mut device = self.device(mode, &layout);
        if std::mem::take(&mut self.asked_to_restart) {
            for fault in &self.faults {
                if let Fault::Return(Return::Id { vendor, product }) = fault {
                    (device.vendor, device.product) = (*vendor, *product);
                }
            }
        }
        Appearance { device, layout }
    }

    fn layout(&self, mode: Mode) -> Layout {
        let setup = &self.setup;
        match mode {
            Mode::Normal => Layout::running(
                setup.profile.wiring(setup.control),
                setup.profile.composition.speaking(setup.control),
            ),
            Mode::Foreign => Layout::single(FunctionKind::Foreign),
            _ => Layout::single(FunctionKind::Download),
        }
    }

    fn device(&self, mode: Mode, layout: &Layout) -> UsbDevice {
        let profile = self.setup.profile;
        let foreign = Identity {
            vendor: 0x0403,
            product: 0x6001,
            speed: 12,
            product_name: "FT232R USB UART",
            serial: Some("A9VKZ4GE"),
        };
        let pbl = Identity {
            vendor: 0x05c6,
            product: 0x9008,
            speed: 480,
            product_name: "QHSUSB__BULK",
            serial: None,
        };
        let (identity, manufacturer) = match mode {
            Mode::Foreign => (foreign, "FTDI"),
            Mode::Pbl => (pbl, "Qualcomm CDMA Technologies MSM"),
            Mode::Normal => (
                profile.running(self.setup.control),
                "Sierra Wireless, Incorporated",
            ),
            _ => (
                profile.loader(self.setup.control),
                "Sierra Wireless, Incorporated",
            ),
        };
        UsbDevice {
            path: UsbPath::new(""),
            peer: None,
            number: 0,
            vendor: identity.vendor,
            product: identity.product,
            interfaces: Some(layout.count()),
            speed: Some(identity.speed),
            manufacturer: Some(manufacturer.to_owned()),
            product_name: Some(identity.product_name.to_owned()),
            serial: identity.serial.map(str::to_owned),
        }
    }
}
