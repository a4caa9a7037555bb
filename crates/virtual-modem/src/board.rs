//! What all protocols of the modem share: its plans, its speed, its memory, and the faults of the script.

use std::collections::VecDeque;
use std::time::Duration;

use modem_world::{Instant, UsbDevice, UsbPath};

use crate::fault::{Answer, AnswerFault, Enter, Fault, Message, Return};
use crate::layout::{Appearance, FunctionKind, Layout};
use crate::memory::{ImageState, StoredImage, Writing};
use crate::modem::{Firmware, Setup};
use crate::profile::Identity;
use crate::quirk::{Mode, Pieces};
use crate::random::Random;
use crate::storage::{Storage, Written};
use crate::violation::{Violation, Wrong};

/// A host that asks again sooner than this gives up too early.
const IMPATIENT: Duration = Duration::from_secs(120);

/// The interface of a device that has only one.
pub(crate) const LOADER: u8 = 0;

/// Something that the modem is going to do.
#[derive(Debug)]
pub(crate) enum Planned {
    /// Send bytes to the host on this interface.
    Send { interface: u8, bytes: Vec<u8> },
    /// The same, but later messages on this interface may overtake them.
    SendLate { interface: u8, bytes: Vec<u8> },
    /// Leave the bus, and come back `after` this time or never.
    Detach { after: Option<Duration>, mode: Mode },
    /// Appear on the bus.
    Attach(Mode),
}

/// The state that outlives a session of a protocol.
#[derive(Debug)]
pub(crate) struct Board {
    pub(crate) setup: Setup,
    pub(crate) violations: Vec<Violation>,
    pub(crate) images: Vec<StoredImage>,
    pub(crate) bootable: bool,
    pub(crate) mode: Mode,
    /// Image bytes taken, of all images together.
    pub(crate) image_bytes: u64,
    /// How many images were begun.
    pub(crate) images_begun: u32,
    pub(crate) opened: bool,
    pub(crate) attached_at: Instant,
    /// When the host last did something, or the modem came onto the bus.
    pub(crate) active_at: Instant,
    /// Before this moment the firmware answers "not ready" to everything.
    pub(crate) ready_at: Instant,
    /// What outlives a restart.
    pub(crate) storage: Storage,
    /// The plans, in the order in which they happen.
    plans: VecDeque<(Instant, Planned)>,
    /// Faults that have not happened yet, and the faults of restarts, which happen each time.
    faults: Vec<Fault>,
    /// Whether a request of the host has made the modem restart into download mode, and whether the modem has
    /// restarted towards its firmware. The first uses up `enter:` faults, the second `return:` faults.
    restarted: (bool, bool),
    /// Messages sent since the modem came onto the bus.
    messages: u32,
    /// When all bytes taken so far will be digested.
    digested_at: Instant,
    /// The modem takes nothing before this moment.
    stalled_until: Instant,
    /// The host was told that there is no room.
    full: bool,
    leaving: bool,
    /// The host has asked for a restart, and the modem is about to leave or off the bus.
    restarting: Option<Restart>,
    /// Since when and until when an image is checked and programmed.
    programming: (Instant, Instant),
    /// Whether an image was accepted since the modem came onto the bus.
    is_flashed: bool,
    /// The boot loader only passes by, on the way to the firmware.
    passing: Option<Passage>,
    /// The firmware crashes this long after each of its starts.
    crashes_after: Option<Duration>,
    random: Random,
}

/// Where a restart begins and where it leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Restart {
    /// From the boot loader.
    FromLoader,
    /// From the firmware into the boot loader.
    FromFirmware,
    /// From the firmware, to start again.
    Plain,
}

/// The rest of the way from a flash to the firmware.
#[derive(Clone, Copy, Debug)]
struct Passage {
    /// How often the boot loader still appears.
    times: u8,
    /// How long the firmware takes to appear after that; never without a time.
    booting: Option<Duration>,
}

/// What happened to a message on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// The message goes out unchanged.
    Sound,
    /// The script has lost or damaged the message, or the modem is about to leave.
    Spoiled,
}

impl Board {
    pub(crate) fn new(setup: Setup) -> Self {
        let mut storage = setup.storage.clone();
        storage.usb.speak(setup.control, setup.profile);
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
            active_at: Instant::START,
            ready_at: Instant::START,
            storage,
            plans,
            faults: setup.faults.0.clone(),
            restarted: (false, false),
            messages: 0,
            digested_at: Instant::START,
            stalled_until: Instant::START,
            full: false,
            leaving: false,
            restarting: None,
            programming: (Instant::START, Instant::START),
            is_flashed: false,
            passing: None,
            crashes_after: None,
            random: Random::new(setup.seed),
            setup,
        }
    }

    // Plans

    /// The next plan that is due. Transfers are joined if that is the modem's habit.
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

    /// When the next thing happens by itself: a plan is due, or there is room again.
    pub(crate) fn next_moment(&self, now: Instant) -> Instant {
        let planned = self.plans.front().map_or(Instant::FAR, |(due, _)| *due);
        if !self.full {
            return planned;
        }
        let free = self.free_at().max(self.stalled_until);
        if free > now { planned.min(free) } else { planned }
    }

    /// Adds a plan. Messages on one interface keep their order; leaving and returning come after everything
    /// else.
    fn plan(&mut self, at: Instant, planned: Planned) {
        if let Planned::SendLate { .. } = planned {
            let place = self.plans.partition_point(|(due, _)| *due <= at);
            return self.plans.insert(place, (at, planned));
        }
        let interface_of = |planned: &Planned| match planned {
            Planned::Send { interface, .. } => Some(*interface),
            _ => None,
        };
        let interface = interface_of(&planned);
        let before = self.plans.iter().rev();
        let last = before
            .filter(|(_, other)| interface.is_none() || interface_of(other) == interface)
            .map(|(due, _)| *due)
            .next();
        let at = last.map_or(at, |last| at.max(last));
        let place = self.plans.partition_point(|(due, _)| *due <= at);
        self.plans.insert(place, (at, planned));
    }

    /// Sends bytes after the usual time for an answer.
    pub(crate) fn answer(&mut self, bytes: Vec<u8>, now: Instant) {
        let _ = self.say(bytes, now + self.setup.timings.answer);
    }

    /// Sends bytes on the only interface at this moment. They go out later if the modem is slow by habit, or
    /// if an earlier message is still waiting.
    pub(crate) fn say(&mut self, bytes: Vec<u8>, at: Instant) -> Delivery {
        self.say_on(LOADER, bytes, at)
    }

    /// Sends bytes on this interface.
    pub(crate) fn say_on(&mut self, interface: u8, mut bytes: Vec<u8>, at: Instant) -> Delivery {
        if bytes.is_empty() || self.leaving {
            return Delivery::Spoiled;
        }
        let mut said = Delivery::Sound;
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
                return Delivery::Spoiled;
            }
            if self.happens(|fault| matches!(fault, Fault::Corrupt(m) if meant(*m, messages, image_bytes))) {
                self.corrupt(&mut bytes);
                said = Delivery::Spoiled;
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

    /// Sends bytes on this interface at this moment, and lets other messages overtake them in the meantime.
    pub(crate) fn say_late(&mut self, interface: u8, bytes: Vec<u8>, at: Instant) {
        self.plan(at, Planned::SendLate { interface, bytes });
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

    /// Whether the script has such a fault left. If so, the fault is used up.
    fn happens(&mut self, fault: impl Fn(&Fault) -> bool) -> bool {
        match self.faults.iter().position(fault) {
            Some(place) => {
                self.faults.remove(place);
                true
            }
            None => false,
        }
    }

    /// The code with which the script refuses this chunk, if it does. The fault is used up.
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

    /// What the script does to the answer to this message of the control port. The fault is used up.
    pub(crate) fn answer_fault(&mut self, answer: Answer) -> Option<AnswerFault> {
        let is_it = |fault: &Fault| matches!(fault, Fault::Answer(which, _) if *which == answer);
        let place = self.faults.iter().position(is_it)?;
        match self.faults.remove(place) {
            Fault::Answer(_, what) => Some(what),
            _ => None,
        }
    }

    /// Whether the script rejects the image that was begun last.
    pub(crate) fn rejects_image(&mut self) -> bool {
        let begun = self.images_begun;
        self.happens(|fault| matches!(fault, Fault::RejectImage { number } if *number == begun))
    }

    /// The next place in the image data at which the script has a fault.
    fn next_place(&self) -> Option<u64> {
        let places = self.faults.iter().filter_map(|fault| match fault {
            Fault::Drop { byte } | Fault::Stall { byte, .. } => Some(*byte),
            _ => None,
        });
        places.min()
    }

    // Speed

    /// How many bytes the modem takes now. `in_data` is true while image bytes are due.
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

    /// Notes that image bytes were taken, and lets the script act.
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

    /// Whether the script makes the modem stall.
    pub(crate) fn is_stalled(&self, now: Instant) -> bool {
        now < self.stalled_until
    }

    /// Notes that an image is being checked and programmed until then.
    pub(crate) fn programs(&mut self, now: Instant, until: Instant) {
        self.programming = (now, until);
    }

    /// Whether a request comes while an image is being programmed, and sooner than any host may give up: the
    /// reference waits 120 s (qdl.md §7).
    pub(crate) fn is_interrupted(&self, now: Instant) -> bool {
        let (since, until) = self.programming;
        now < until && now < since + IMPATIENT
    }

    /// When all bytes taken so far will be digested; never before now.
    pub(crate) fn digested(&self, now: Instant) -> Instant {
        self.digested_at.max(now)
    }

    // Images

    /// An image begins.
    pub(crate) fn begin_image(&mut self, image_type: u8, announced: u64) -> Writing {
        self.images_begun = self.images_begun.saturating_add(1);
        Writing::new(image_type, announced, self.setup.keep)
    }

    /// An image has ended in this state. Once a byte of an image was written, the modem can boot only if the image
    /// was accepted.
    pub(crate) fn end_image(&mut self, writing: Writing, state: ImageState) {
        if writing.length() > 0 {
            self.bootable = state == ImageState::Accepted;
            let image = writing.finish(state);
            if state == ImageState::Accepted {
                self.is_flashed = true;
                self.storage.write(&image.contents, self.setup.profile);
            }
            self.images.push(image);
        }
    }

    /// The session has ended: images that arrived whole are accepted.
    pub(crate) fn accept_complete_images(&mut self) {
        for image in self
            .images
            .iter_mut()
            .filter(|image| image.state == ImageState::Complete)
        {
            image.state = ImageState::Accepted;
            self.is_flashed = true;
            self.storage.write(&image.contents, self.setup.profile);
            self.bootable = true;
        }
    }

    pub(crate) fn wrong(&mut self, what: Wrong, now: Instant) {
        self.violations.push(Violation { at: now, what });
    }

    // The bus

    /// The boot loader leaves the bus because the host asked for it, and comes back in the way that its
    /// firmware and the script decide.
    pub(crate) fn restart(&mut self, now: Instant) {
        let timings = self.setup.timings;
        let mut after = Some(timings.booting);
        let mut mode = Mode::Normal;
        if !self.bootable {
            (after, mode) = (Some(timings.restarting), self.mode_of_loader());
        }
        if self.faults.contains(&Fault::Return(Return::Download))
            || self.happens(|fault| *fault == Fault::Return(Return::DownloadOnce))
        {
            mode = self.mode_of_loader();
        }
        after = self.returning(after);
        self.passing = None;
        if let Some(habit) = self.setup.quirks.passing {
            if self.is_flashed && mode == Mode::Normal && habit.times > 0 {
                self.passing = Some(Passage {
                    times: habit.times,
                    booting: after,
                });
                (after, mode) = (Some(timings.restarting), self.mode_of_loader());
            }
        }
        self.leave_for(now, after, mode, Restart::FromLoader);
    }

    /// Whether the boot loader or the firmware has restarted the modem towards its firmware.
    pub(crate) const fn has_restarted(&self) -> bool {
        self.restarted.1
    }

    /// How long the modem stays off the bus before it returns, including the script's faults.
    fn returning(&self, mut after: Option<Duration>) -> Option<Duration> {
        for fault in &self.faults {
            match fault {
                Fault::Return(Return::Late(late)) => after = after.map(|after| after.saturating_add(*late)),
                Fault::Return(Return::Never) => after = None,
                _ => {}
            }
        }
        after
    }

    /// The firmware leaves the bus because the host asked for it: into download mode if images are expected
    /// or boot & hold was asked for, otherwise to start again.
    pub(crate) fn restart_firmware(&mut self, now: Instant) {
        let timings = self.setup.timings;
        if !self.storage.awaits_download && !self.storage.holds {
            let after = self.returning(Some(timings.booting));
            return self.leave_for(now, after, Mode::Normal, Restart::Plain);
        }
        let mut after = Some(timings.entering);
        let mut mode = Mode::Download;
        for fault in &self.faults {
            match fault {
                Fault::Enter(Enter::Normal) => mode = Mode::Normal,
                Fault::Enter(Enter::Late(late)) => after = after.map(|after| after.saturating_add(*late)),
                Fault::Enter(Enter::Never) => after = None,
                _ => {}
            }
        }
        self.leave_for(now, after, mode, Restart::FromFirmware);
    }

    /// When the modem leaves download mode by itself: it has waited for a host long enough, and its firmware
    /// is sound (field-reports.md B9).
    pub(crate) fn gives_up_at(&self) -> Instant {
        if self.mode == Mode::Download && self.bootable && !self.leaving {
            self.active_at + self.setup.timings.boot_hold
        } else {
            Instant::FAR
        }
    }

    /// Leaves download mode and starts the firmware.
    pub(crate) fn give_up(&mut self, now: Instant) {
        let booting = self.setup.timings.booting;
        self.leave_for(now, Some(booting), Mode::Normal, Restart::Plain);
        // The host hasn't asked for this restart.
        self.restarting = None;
    }

    fn leave_for(&mut self, now: Instant, after: Option<Duration>, mode: Mode, restart: Restart) {
        self.plan(now + self.setup.timings.leaving, Planned::Detach { after, mode });
        self.leaving = true;
        self.crashes_after = None;
        self.restarting = Some(restart);
        match restart {
            Restart::FromFirmware => self.restarted.0 = true,
            Restart::FromLoader | Restart::Plain => self.restarted.1 = true,
        }
    }

    /// The faults of the script that have not happened.
    pub(crate) fn unused_faults(&self) -> impl Iterator<Item = &Fault> {
        self.faults.iter().filter(|fault| match fault {
            Fault::Return(Return::PriLags) => true,
            Fault::Return(_) => !self.restarted.1,
            Fault::Enter(_) => !self.restarted.0,
            _ => true,
        })
    }

    /// Leaves the bus at once, and drops all plans.
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

    /// The interfaces start anew: no port is open, and nothing is on its way.
    pub(crate) fn configured_again(&mut self) {
        self.plans.clear();
        self.opened = false;
    }

    /// The mode of the boot loader after a restart or a crash. A memory dump ends there; a mode from which a
    /// restart doesn't help stays.
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
        self.active_at = now;
        self.digested_at = now;
        self.stalled_until = Instant::START;
        self.full = false;
        self.programming = (now, now);
        self.is_flashed = false;
        let id_in_passing = self.pass_by(now, mode);
        // The restart ends when the firmware starts, not while its boot loader passes by.
        let restart = match id_in_passing {
            Some(_) => None,
            None => self.restarting.take(),
        };
        self.ready_at = now + self.setup.timings.ready_after;
        if mode == Mode::Normal {
            self.boot(restart, now);
            if let Some(after) = self.crashes_after {
                let planned = Planned::Detach {
                    after: Some(CRASHED),
                    mode,
                };
                self.plan(now + after, planned);
            }
        }
        let layout = self.layout(mode);
        let mut device = self.device(mode, &layout);
        if let Some(Some(id)) = id_in_passing {
            (device.vendor, device.product) = id;
        }
        for fault in &self.faults {
            match (restart, fault) {
                (
                    Some(Restart::FromLoader | Restart::Plain),
                    Fault::Return(Return::Id { vendor, product }),
                )
                | (Some(Restart::FromFirmware), Fault::Enter(Enter::Id { vendor, product })) => {
                    (device.vendor, device.product) = (*vendor, *product);
                    if !MAKERS.contains(vendor) {
                        // Another device was plugged in instead.
                        device.manufacturer = Some("FTDI".to_owned());
                        device.product_name = Some("USB device of another maker".to_owned());
                    }
                }
                (Some(Restart::FromLoader | Restart::Plain), Fault::Return(Return::OtherBus))
                | (Some(Restart::FromFirmware), Fault::Enter(Enter::OtherBus)) => {
                    let is_super = device.speed.is_some_and(|speed| speed >= SUPER_SPEED);
                    device.speed = Some(if is_super { HIGH_SPEED } else { SUPER_SPEED });
                }
                _ => {}
            }
        }
        Appearance { device, layout }
    }

    /// If the boot loader only passes by, plans its leaving. Gives the id that it has then; the inner `None` is its usual one.
    fn pass_by(&mut self, now: Instant, mode: Mode) -> Option<Option<(u16, u16)>> {
        let (passage, habit) = (self.passing.take()?, self.setup.quirks.passing?);
        if mode == Mode::Normal || passage.times == 0 {
            return None;
        }
        let times = passage.times - 1;
        self.passing = (times > 0).then_some(Passage { times, ..passage });
        let (after, mode) = match times {
            0 => (passage.booting, Mode::Normal),
            _ => (Some(self.setup.timings.restarting), mode),
        };
        let planned = Planned::Detach { after, mode };
        self.plans.push_back((now + habit.lasting, planned));
        Some(habit.id)
    }

    /// The firmware starts: decides what runs, and lets the script change that.
    fn boot(&mut self, restart: Option<Restart>, now: Instant) {
        let profile = self.setup.profile;
        let comes_back = matches!(restart, Some(Restart::FromLoader | Restart::Plain));
        if !comes_back {
            return self.storage.boot(profile);
        }
        let was_written = self.storage.written != Written::default();
        let lags = was_written && self.happens(|fault| *fault == Fault::Return(Return::PriLags));
        if lags {
            // The settings are not taken over, and the preference stays the old one until a second flash
            // (field-reports.md D5, D11).
            if let Some(pri) = self.storage.written.pri.take() {
                self.storage.pri_images.retain(|stored| *stored != pri);
            }
            self.storage.preferred = Some(self.storage.current.clone());
        }
        self.storage.boot(profile);
        if lags {
            if let Some(written) = &self.storage.last_firmware {
                self.storage.current.firmware.clone_from(written);
            }
        }
        for fault in self.faults.clone() {
            match fault {
                Fault::Return(Return::OldFirmware) if was_written => {
                    self.storage.current = self.storage.before.clone();
                    self.storage.preferred = Some(self.storage.current.clone());
                }
                Fault::Return(Return::Mismatch) if was_written => {
                    let old = self.storage.before.config.clone();
                    self.storage.current.config = old;
                }
                // Another number with a valid check digit.
                Fault::Return(Return::OtherModem) => "359260080110775".clone_into(&mut self.storage.imei),
                Fault::Return(Return::NotReady(lasting)) => self.ready_at = now + lasting,
                Fault::Return(Return::Crashes(after)) if was_written => self.crashes_after = Some(after),
                Fault::Return(Return::Again(after)) => {
                    let back = self.setup.timings.booting;
                    self.plan(
                        now + after,
                        Planned::Detach {
                            after: Some(back),
                            mode: Mode::Normal,
                        },
                    );
                }
                _ => {}
            }
        }
    }

    fn layout(&self, mode: Mode) -> Layout {
        let usb = &self.storage.usb;
        match mode {
            Mode::Normal => Layout::running(usb.wiring(self.setup.profile), usb.composition),
            Mode::Foreign => Layout::single(FunctionKind::Foreign),
            _ => Layout::single(FunctionKind::Download),
        }
    }

    fn device(&self, mode: Mode, layout: &Layout) -> UsbDevice {
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
            Mode::Normal => (self.normal_identity(), SIERRA),
            _ => (self.loader_identity(), SIERRA),
        };
        let product_name = match mode {
            Mode::Normal => self.storage.usb.product.as_str(),
            _ => identity.product_name,
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
            product_name: Some(product_name.to_owned()),
            serial: identity.serial.map(str::to_owned),
        }
    }

    fn normal_identity(&self) -> Identity {
        let (profile, usb) = (self.setup.profile, &self.storage.usb);
        Identity {
            vendor: usb.vendor,
            product: usb.application,
            speed: if usb.is_super_speed {
                SUPER_SPEED
            } else {
                HIGH_SPEED
            },
            // The serial number is the same in both modes (linux.md §3).
            serial: profile.download.serial,
            ..profile.normal
        }
    }

    fn loader_identity(&self) -> Identity {
        let (profile, usb) = (self.setup.profile, &self.storage.usb);
        Identity {
            vendor: usb.vendor,
            product: usb.boot,
            ..profile.download
        }
    }
}

/// Vendor numbers under which Sierra's modems are sold: Sierra, AirPrime, Wavecom, Dell, HP; and Qualcomm's, which is left when Sierra's boot
/// loader is gone.
const MAKERS: [u16; 6] = [0x1199, 0x0f3d, 0x114f, 0x413c, 0x03f0, 0x05c6];
/// How long a modem stays off the bus whose firmware crashed during its start: 10 to 15 s (field-reports.md E5).
const CRASHED: Duration = Duration::from_secs(12);

const SIERRA: &str = "Sierra Wireless, Incorporated";
/// Mbit/s.
const SUPER_SPEED: u32 = 5000;
const HIGH_SPEED: u32 = 480;
