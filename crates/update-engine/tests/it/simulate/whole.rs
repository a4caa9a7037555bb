//! Simulated whole updates, from any state of the modem until its versions are read back, with one modem or
//! several on one clock.

use std::time::Duration;

use modem_world::World;
use modemflash_update_engine::fleet::{Worker, update_all};
use modemflash_update_engine::{Event, Firmware, Outcome, Request, Selector, UpdateError, update};
use virtual_modem::profile::Profile;
use virtual_modem::quirk::{HelloHabit, Passing, Pieces};
use virtual_modem::random::Random;
use virtual_modem::simulated::{ModemManager, Shared, SimulatedWorld, SocketKind};
use virtual_modem::{ControlProtocol, FaultScript, Mode, Selection, Setup};

use super::faults::{self, Trouble};
use super::judge::{self, Judged};
use super::{Promise, Verdict};
use crate::support::normal::{
    at_only, firmware_of, is_single, newer, package_of, running, settings_of, speaking,
};
use crate::support::{Memory, firmware, images_for};

/// One run.
pub struct Case {
    pub seed: u64,
    /// The modems that are to be updated: the same model in different states.
    pub modems: Vec<Subject>,
    /// What the modems are to run; empty if the images don't say.
    pub wanted: Selection,
    pub images: Vec<Memory>,
    pub request: Request,
    socket: SocketKind,
    chop: Option<u64>,
    pub cancels: Vec<modem_world::Instant>,
    /// An id that no driver of the host knows.
    pub unknown_id: Option<(u16, u16)>,
    /// Another program holds the ports until then.
    pub held_until: Option<modem_world::Instant>,
    manager: Option<ModemManager>,
    neighbour: Option<Box<Setup>>,
    /// When the neighbour enumerates again by itself. It then takes the port names that are free.
    pub restarts: Vec<modem_world::Instant>,
    has_adapter: bool,
    /// The seed for drivers that bind one after the other.
    slow_drivers: Option<u64>,
}

/// One modem of a run.
pub struct Subject {
    pub start: &'static str,
    pub fault: &'static str,
    pub promise: Promise,
    pub setup: Setup,
    /// Whether ModemManager can't be kept away from the modem's download port: ModemManager knows no modem in
    /// download mode, and a modem that changes the bus is at another place (linux.md §6).
    pub is_exposed: bool,
}

impl Subject {
    /// Its row in the table.
    fn name(&self) -> &'static str {
        match self.fault {
            "none" if self.setup.quirks.passing.is_some() => "boot loader passes by",
            fault => fault,
        }
    }
}

impl Case {
    /// The run that belongs to this seed.
    pub fn of(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let profile = random.pick(Profile::ALL).expect("there are profiles");
        let count = if random.once_in(16) {
            2 + random.below(3)
        } else {
            1
        };
        let wanted = newer(profile);
        let mut case = Self {
            seed,
            modems: Vec::new(),
            images: images(profile, &wanted, &mut random),
            wanted,
            request: Request {
                confirmed: true,
                ..Request::default()
            },
            socket: if random.once_in(4) {
                SocketKind::Usb2
            } else {
                SocketKind::Usb3
            },
            chop: random.once_in(2).then(|| random.next_u64()),
            cancels: Vec::new(),
            unknown_id: None,
            held_until: None,
            manager: random.once_in(4).then(ModemManager::default),
            neighbour: None,
            restarts: Vec::new(),
            has_adapter: random.once_in(8),
            slow_drivers: None,
        };
        for number in 0..count {
            let mut subject = case.subject(profile, &mut random);
            subject.setup.storage.imei = format!("01234567{number:03}{:04}", random.below(10_000));
            let mut of_modem = random.fork();
            add_passing(&mut subject, seed, number);
            match random.below(8) {
                0 => {}
                1 => {
                    case.trouble(&mut subject, count, &mut of_modem);
                    case.trouble(&mut subject, count, &mut of_modem);
                }
                _ => case.trouble(&mut subject, count, &mut of_modem),
            }
            let other_bus =
                ["enter:other-bus", "return:other-bus"].map(|text| text.parse().expect("a fault"));
            subject.is_exposed = case.manager.is_some()
                && (subject.setup.mode == Mode::Download
                    || subject.setup.storage.usb.is_super_speed
                    || other_bus
                        .iter()
                        .any(|fault| subject.setup.faults.0.contains(fault)));
            if subject.is_exposed {
                subject.promise = Promise::Truth;
            }
            case.modems.push(subject);
        }
        case.add_company(&mut random);
        case.slow_drivers = random.once_in(2).then(|| random.next_u64());
        if random.once_in(2) {
            case.restarts = restarts(&mut random);
        }
        case
    }

    /// Whether ModemManager runs.
    pub const fn has_manager(&self) -> bool {
        self.manager.is_some()
    }

    /// What is tried, in a line.
    pub fn words(&self) -> String {
        let of = |subject: &Subject| {
            let Subject {
                start,
                promise,
                setup,
                ..
            } = subject;
            let fault = subject.name();
            format!("{} in {start}: {fault} ({promise:?})", setup.profile.name)
        };
        self.modems.iter().map(of).collect::<Vec<_>>().join("; ")
    }

    /// A modem in some state, with some habits.
    fn subject(&mut self, profile: &'static Profile, random: &mut Random) -> Subject {
        let control = *random
            .pick(&[ControlProtocol::Qmi, ControlProtocol::Mbim])
            .unwrap();
        let knows_preference = profile.capabilities.preference;
        let (start, promise, mut setup) = match random.below(16) {
            0 => {
                let promise = if knows_preference {
                    Promise::Truth
                } else {
                    Promise::Flash
                };
                ("AT only", promise, at_only(profile.name))
            }
            1 => ("download mode, read back", Promise::Flash, Setup::of(profile)),
            2 => {
                // The user had switched the modem to download mode, so it still prefers its old firmware.
                let setup = Setup {
                    storage: running(profile.name).storage,
                    ..Setup::of(profile)
                };
                ("download mode, told nothing", Promise::Flash, setup)
            }
            _ => match control {
                ControlProtocol::Qmi => ("QMI", Promise::Flash, speaking(profile.name, control)),
                ControlProtocol::Mbim => ("MBIM", Promise::Flash, speaking(profile.name, control)),
            },
        };
        if setup.mode == Mode::Normal && knows_preference {
            self.stored(&mut setup, random);
        }
        add_habits(&mut setup, random);
        setup.seed = random.next_u64();
        Subject {
            start,
            fault: "none",
            promise,
            setup,
            is_exposed: false,
        }
    }

    /// Decides what the modem already has stored.
    fn stored(&self, setup: &mut Setup, random: &mut Random) {
        let wanted = &self.wanted;
        let storage = &mut setup.storage;
        let store_firmware = |storage: &mut virtual_modem::Storage| {
            if let Some(slot) = storage.modem_images.iter_mut().find(|slot| slot.is_none()) {
                *slot = Some(virtual_modem::storage::ModemImage {
                    firmware: wanted.firmware.clone(),
                    failures: 0,
                    age: 2,
                });
            }
        };
        match random.below(16) {
            0 => store_firmware(storage),
            1 => storage.pri_images.push(wanted.pri()),
            2 => {
                store_firmware(storage);
                storage.pri_images.push(wanted.pri());
            }
            // The modem already runs the wanted release.
            3 => {
                store_firmware(storage);
                storage.pri_images.push(wanted.pri());
                storage.current = wanted.clone();
                storage.preferred = Some(wanted.clone());
            }
            // An update was never finished (field-reports.md D1).
            4 => storage.preferred = Some(wanted.clone()),
            5 => storage.preferred = Some(Selection::new("02.00.00.01", "NOBODY", "009.009_009")),
            6 => *storage = storage.clone().emptied(),
            _ => {}
        }
    }

    fn trouble(&mut self, subject: &mut Subject, count: u64, random: &mut Random) {
        let Trouble { name, promise, cause } = *faults::pick(subject, random);
        // A fault of the world would affect all modems.
        if count > 1 && faults::is_of_world(name) {
            return;
        }
        // The same fault twice can be more than the promise allows, because two delays add up.
        if subject.fault == name {
            return;
        }
        cause(self, subject, random);
        subject.fault = if subject.fault == "none" {
            name
        } else {
            "two of these"
        };
        if promise == Promise::Truth {
            subject.promise = Promise::Truth;
        }
    }

    /// Adds other devices to the bus, and decides how the modem is named.
    fn add_company(&mut self, random: &mut Random) {
        if self.modems.len() > 1 {
            return;
        }
        let profile = self.modems[0].setup.profile;
        if random.once_in(4) {
            let mut neighbour = running(profile.name);
            neighbour.storage.imei = "987654321098765".to_owned();
            self.neighbour = Some(Box::new(neighbour));
            self.request.select = Selector::Place("1-1".to_owned());
        } else if random.once_in(3) {
            self.request.select = Selector::Port(SimulatedWorld::LINK.to_owned());
        }
        if random.once_in(12) {
            self.request.download_override = true;
        }
    }
}

/// Lets the boot loaders of some modems pass by after a flash, which doesn't change how the run must end. This habit has
/// random numbers of its own, so that a seed means the same run with and without it.
fn add_passing(subject: &mut Subject, seed: u64, number: u64) {
    let mut random = Random::new(seed.wrapping_mul(31).wrapping_add(number) ^ 0x7061_7373);
    if !random.once_in(6) {
        return;
    }
    // All passages together take less than 20 s: the firmware's own 300 s must be enough for the slowest modem.
    let habit = if random.once_in(2) {
        Passing::new(1, Duration::from_millis(random.below(10_000)))
    } else {
        let times = 1 + u8::try_from(random.below(3)).unwrap();
        Passing::new(times, Duration::from_millis(random.below(3_000)))
    };
    let id = random.once_in(3).then_some((0x1199, 0x9999));
    subject.setup.quirks.passing = Some(Passing { id, ..habit });
}

/// Some moments, close together at times when the modem may be off the bus.
fn restarts(random: &mut Random) -> Vec<modem_world::Instant> {
    let mut at = Duration::from_millis(random.below(60_000));
    let mut moments = Vec::new();
    for _ in 0..random.portion(40) {
        moments.push(modem_world::Instant::from_start(at));
        let pause = if random.once_in(4) { 30_000 } else { 1_500 };
        at += Duration::from_millis(200 + random.below(pause));
    }
    moments
}

/// Images in their usual number, or in one file.
fn images(profile: &Profile, wanted: &Selection, random: &mut Random) -> Vec<Memory> {
    if profile.image_names.is_empty() {
        return images_for(profile, random.next_u64() >> 8, &[40_000, 9_000, 500]);
    }
    let size = 1000 + random.below(64 * 1024);
    let mut images = if is_single(profile) || random.once_in(6) {
        vec![package_of(profile, wanted, size)]
    } else {
        vec![firmware_of(profile, wanted, size), settings_of(profile, wanted)]
    };
    if random.once_in(2) {
        images.reverse();
    }
    images
}

/// Adds habits that don't change how the run must end.
fn add_habits(setup: &mut Setup, random: &mut Random) {
    let quirks = &mut setup.quirks;
    if random.once_in(4) {
        let at = random.portion(64);
        let pause = Duration::from_millis(random.below(100));
        quirks.pieces = *random.pick(&[Pieces::Joined, Pieces::Cut { at, pause }]).unwrap();
        // A message on a control port is never split (qmi.md §2). Only a modem in download mode sends in
        // pieces.
        if setup.mode == Mode::Normal && quirks.pieces != Pieces::Joined {
            quirks.pieces = Pieces::Whole;
        }
    }
    if random.once_in(6) {
        quirks.slow = Duration::from_millis(random.below(800));
    }
    if random.once_in(6) {
        quirks.ignored_messages = 1 + u8::try_from(random.below(2)).unwrap();
    }
    quirks.has_stale_clients = random.once_in(8);
    quirks.mbim_close_is_unanswered = random.once_in(8);
    quirks.prints_positions = random.once_in(4);
    if random.once_in(8) {
        quirks.running_index = Some(u8::try_from(random.below(256)).unwrap());
    }
    if !setup.profile.is_qdl() && random.once_in(6) {
        quirks.hello = HelloHabit::Late(Duration::from_millis(random.below(4_000)));
    }
    let spread = |random: &mut Random, time: Duration| time.mul_f64(0.3 + random.below(1000) as f64 / 800.0);
    let timings = &mut setup.timings;
    timings.leaving = spread(random, timings.leaving);
    timings.booting = spread(random, timings.booting);
    timings.entering = spread(random, timings.entering);
    timings.ready_after = if random.once_in(4) {
        Duration::from_secs(random.below(40))
    } else {
        spread(random, timings.ready_after)
    };
}

/// Brings the images to the only modem of a run; says whether the program ended in the middle, and another run went on.
pub type Flash<'f> = dyn FnMut(&mut SimulatedWorld, &Case, &mut dyn FnMut(&Event)) -> (Result<Outcome, UpdateError>, bool)
    + 'f;

/// Carries out the run.
pub fn run(case: &Case, sink: &mut (dyn FnMut(&Event) + Send)) -> Vec<Verdict> {
    run_by(case, sink, &mut |world, case, sink| {
        let result = update(world, &case.request, &firmware(&case.images), sink);
        (result, false)
    })
}

/// Carries out the run; `flash` does it where there is one modem.
pub fn run_by(case: &Case, sink: &mut (dyn FnMut(&Event) + Send), flash: &mut Flash<'_>) -> Vec<Verdict> {
    let mut setups = case.modems.iter().map(|subject| subject.setup.clone());
    // The first modem is in a USB 3 socket.
    let mut world = SimulatedWorld::new(setups.next().expect("a modem"));
    for setup in setups {
        world.plug_into(case.socket, setup);
    }
    let neighbour = case
        .neighbour
        .as_ref()
        .map(|setup| world.plug_into(case.socket, (**setup).clone()));
    if let Some(place) = neighbour {
        for at in &case.restarts {
            world.re_enumerate_at(place, *at);
        }
    }
    if case.has_adapter {
        world.plug_foreign();
    }
    // Modems that were plugged in earlier already have their ports.
    if let Some(seed) = case.slow_drivers {
        world = world.with_slow_drivers(seed);
    }
    if let Some(seed) = case.chop {
        world = world.choppy(seed);
    }
    if let Some(manager) = &case.manager {
        world.set_modem_manager(manager.clone());
    }
    if let Some((vendor, product)) = case.unknown_id {
        world.forget_id(vendor, product);
    }
    // If the host can't tell which ids its drivers know, the confirmed run goes on.
    if case.seed % 8 == 5 {
        world.hide_driver_tables();
    }
    if let Some(until) = case.held_until {
        world.hold(0, "minicom", until);
    }
    for at in &case.cancels {
        world.cancel_at(*at);
    }
    let mut is_cut = false;
    let mut judge = judge::Listener::new(case.modems.len());
    let (world, results) = if case.modems.len() == 1 {
        let mut world = world;
        let (result, was_cut) = flash(&mut world, case, &mut |event| {
            judge.hear(0, event);
            sink(event);
        });
        is_cut = was_cut;
        (world, vec![result])
    } else {
        let firmware = firmware(&case.images);
        update_several(world, case, &firmware, &mut |number, event| {
            judge.hear(number, event);
            sink(event);
        })
    };
    let modems = case.modems.iter().zip(results).enumerate();
    modems
        .map(|(place, (subject, result))| {
            let judged = Judged {
                world: &world,
                place,
                neighbour,
                case,
                subject,
                result: &result,
                is_cut,
            };
            let wrong = judge.verdict(place).and_then(|()| judged.verdict()).err();
            Verdict {
                start: subject.start,
                fault: subject.name(),
                promise: subject.promise,
                succeeded: result.is_ok(),
                stops: !case.cancels.is_empty(),
                end: super::end_of(&result),
                done_ms: super::done_ms(world.now()),
                standing: judged.standing(),
                wrong,
            }
        })
        .collect()
}

type Results = Vec<Result<Outcome, UpdateError>>;

fn update_several(
    mut world: SimulatedWorld,
    case: &Case,
    firmware: &Firmware,
    sink: &mut (dyn FnMut(usize, &Event) + Send),
) -> (SimulatedWorld, Results) {
    let count = case.modems.len();
    let places: Vec<String> = world
        .devices()
        .expect("a bus")
        .iter()
        .map(|there| there.device.path.to_string())
        .collect();
    let shared = Shared::new(world, count);
    let workers = places
        .into_iter()
        .take(count)
        .enumerate()
        .map(|(number, place)| Worker {
            world: Box::new(shared.worker(number).expect("a worker")),
            request: Request {
                select: Selector::Place(place),
                ..case.request.clone()
            },
        })
        .collect();
    let results = update_all(workers, firmware, sink);
    (shared.into_world().expect("all workers have ended"), results)
}

/// Adds faults from their text form.
pub fn script(setup: &mut Setup, text: &str) {
    let more: FaultScript = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
    setup.faults.0.extend(more.0);
}
