//! The first seconds at the port of a boot loader (sahara-firehose.md §6): when the host writes for the first time, and how
//! soon the flash begins.

use std::time::Duration;

use modem_world::{Instant, PortError, PortHandle, World};
use modemflash_update_engine::modem::Mode as Seen;
use modemflash_update_engine::{Event, EventKind, Outcome, Request, Step, UpdateError, update};
use virtual_modem::profile::Profile;
use virtual_modem::quirk::{HelloHabit, Provoked, STARTS_OF_9X07};
use virtual_modem::simulated::SimulatedWorld;
use virtual_modem::{Setup, Wrong};

use crate::support::normal::{release, running, wish};
use crate::support::through::{Habit, Through};
use crate::support::{Memory, assert_stored, called, cwe, firmware, images_for, noise, request};

/// The modems that may say hello only after the host's first bytes.
const ASKED: [&str; 2] = ["RC7620", "WP7607"];

/// Notes when the host writes, and what.
#[derive(Default)]
struct Writes(Vec<(f64, Vec<u8>)>);

impl Habit for Writes {
    fn try_write(
        &mut self,
        world: &mut SimulatedWorld,
        port: PortHandle,
        bytes: &[u8],
    ) -> Result<usize, PortError> {
        let count = world.try_write(port, bytes)?;
        let at = world.now().since_start().as_secs_f64();
        self.0.push((at, bytes[..count].to_vec()));
        Ok(count)
    }
}

/// A finished run, and what the host wrote in it.
struct Timed {
    world: SimulatedWorld,
    writes: Vec<(f64, Vec<u8>)>,
    events: Vec<Event>,
    result: Result<Outcome, UpdateError>,
}

impl Timed {
    fn run(world: SimulatedWorld, request: &Request, images: &[Memory]) -> Self {
        let begin = world.now().since_start().as_secs_f64();
        let habit = Writes::default();
        let mut through = Through { world, habit };
        let mut events = Vec::new();
        let result = update(&mut through, request, &firmware(images), &mut |event| {
            let t = event.t - begin;
            events.push(Event { t, ..event.clone() });
        });
        Self {
            world: through.world,
            writes: through
                .habit
                .0
                .into_iter()
                .map(|(at, bytes)| (at - begin, bytes))
                .collect(),
            events,
            result,
        }
    }

    fn log(&self) -> String {
        let line = |event: &Event| format!("{:8.3} {:.120}\n", event.t, format!("{:?}", event.kind));
        let events: Vec<String> = self.events.iter().map(line).collect();
        let violations = self.world.modem(0).unwrap().violations();
        format!("{}{:#?}\n{violations:#?}", events.concat(), self.result)
    }

    fn assert_flashed(&self, images: &[Memory]) {
        assert!(self.result.is_ok(), "{}", self.log());
        assert_stored(self.world.modem(0).unwrap(), images).unwrap_or_else(|why| {
            panic!("{why}\n{}", self.log());
        });
    }

    /// The images are in the modem, and the host did nothing that a real modem would refuse.
    fn assert_clean(&self, images: &[Memory]) {
        self.assert_flashed(images);
        let violations = self.world.modem(0).unwrap().violations();
        assert!(violations.is_empty(), "{}", self.log());
    }

    /// When the port of the boot loader appeared: at the start of the run if the modem was found in download mode.
    fn port_at(&self) -> f64 {
        let download = |event: &&Event| {
            matches!(
                event.kind,
                EventKind::Appeared {
                    mode: Seen::Download,
                    ..
                }
            )
        };
        let detects = |event: &&Event| {
            matches!(
                event.kind,
                EventKind::StepStarted {
                    step: Step::Detect,
                    ..
                }
            )
        };
        let before = self.events.iter().take_while(|event| !detects(event));
        before.filter(download).last().map_or(0.0, |event| event.t)
    }

    /// When the first byte was written after the port appeared.
    fn first_write(&self) -> f64 {
        let port = self.port_at();
        let later = self.writes.iter().find(|(at, _)| *at >= port);
        later.map_or(f64::INFINITY, |(at, _)| at - port)
    }

    /// How long after the port's appearance the first image was announced to the modem.
    fn first_program(&self) -> f64 {
        let begins = |event: &&Event| {
            matches!(
                event.kind,
                EventKind::StepStarted {
                    step: Step::Write { .. },
                    ..
                }
            )
        };
        let begin = self.events.iter().find(begins);
        begin.map_or(f64::INFINITY, |event| event.t) - self.port_at()
    }
}

fn with(mut setup: Setup, hello: HelloHabit, provoked: Provoked) -> Setup {
    (setup.quirks.hello, setup.quirks.provoked) = (hello, provoked);
    setup
}

fn of(model: &str) -> &'static Profile {
    Profile::named(model).unwrap()
}

#[test]
fn a_9x07_modem_found_in_download_mode_is_flashed_within_8_s_of_its_first_word() {
    for model in ASKED {
        for (words, hello, provoked) in STARTS_OF_9X07 {
            let images = images_for(of(model), 3, &[70_000]);
            let world = SimulatedWorld::new(with(Setup::of(of(model)), hello, provoked));
            let run = Timed::run(world, &request(), &images);
            run.assert_clean(&images);
            let first = run.first_write();
            assert!(
                (5.0..5.2).contains(&first),
                "{model} {words}: {first}\n{}",
                run.log()
            );
            let limit = match provoked {
                Provoked::RefusedUntilRestart => 90.0,
                _ => 8.0,
            };
            let program = run.first_program();
            assert!(program < limit, "{model} {words}: {program}\n{}", run.log());
        }
    }
}

#[test]
fn a_9x07_modem_that_is_updated_from_its_firmware_is_flashed_within_8_s_of_its_port() {
    for model in ASKED {
        for (words, hello, provoked) in STARTS_OF_9X07 {
            let world = SimulatedWorld::new(with(running(model), hello, provoked));
            let images = release(of(model));
            let run = Timed::run(world, &wish(), &images);
            run.assert_clean(&images);
            let (first, program) = (run.first_write(), run.first_program());
            assert!(
                (5.0..5.2).contains(&first),
                "{model} {words}: {first}\n{}",
                run.log()
            );
            // The restart that helps against the refusal leads into the firmware, and the modem goes into download mode again.
            let limit = match provoked {
                Provoked::RefusedUntilRestart => 150.0,
                _ => 8.0,
            };
            assert!(program < limit, "{model} {words}: {program}\n{}", run.log());
        }
    }
}

/// A hello that is provoked is refused, each time. The host can't have the modem enumerate again, and the reset leads into
/// firmware that runs. The second time nothing is written before the hello.
#[test]
fn a_refusal_that_only_a_restart_into_the_firmware_ends_is_followed_by_a_flash() {
    for model in ASKED {
        for setup in [Setup::of(of(model)), running(model)] {
            let setup = Setup {
                firmware: virtual_modem::Firmware::Sound,
                ..setup
            };
            let late = HelloHabit::Late(Duration::from_secs(19));
            let mut world = SimulatedWorld::new(with(setup, late, Provoked::Refused));
            world.set_can_re_enumerate(false);
            let images = release(of(model));
            let run = Timed::run(world, &wish(), &images);
            run.assert_flashed(&images);
            let violations = run.world.modem(0).unwrap().violations();
            assert_eq!(violations.len(), 1, "{}", run.log());
        }
    }
}

/// The kind of the modem is known from its product string, from the images alone, or from what it said while its firmware ran.
#[test]
fn whatever_tells_the_kind_the_modem_gets_its_first_word_after_5_s() {
    let silent = |setup| with(setup, HelloHabit::AfterBytes, Provoked::WorksIfPatient);
    let images = images_for(of("WP7607"), 3, &[70_000]);
    // The boot loader has no name: its id belongs to modems of both protocols, and the images name the platform.
    let nameless = SimulatedWorld::new(silent(called("WP7607", "QDLoader")));
    // The boot loader has a name, and the images say nothing.
    let named = SimulatedWorld::new(silent(Setup::of(of("WP7607"))));
    let unmarked = vec![Memory {
        name: "image.spk".to_owned(),
        bytes: cwe("APPS", "ZZZZ", "", &noise(5, 70_000)),
    }];
    // Only the firmware says what the modem is.
    let mut profile = of("WP7607").clone();
    profile.download.product_name = "QDLoader";
    profile.normal.product_name = "Modem";
    let told = SimulatedWorld::new(silent(Setup::running(Box::leak(Box::new(profile)))));
    let cases = [
        ("images", nameless, request(), images),
        ("string", named, request(), unmarked),
        ("firmware", told, wish(), release(of("WP7607"))),
    ];
    for (what, world, request, images) in cases {
        let run = Timed::run(world, &request, &images);
        run.assert_clean(&images);
        let (first, program) = (run.first_write(), run.first_program());
        assert!((5.0..5.2).contains(&first), "{what}: {first}\n{}", run.log());
        assert!(program < 8.0, "{what}: {program}\n{}", run.log());
    }
}

#[test]
fn a_9x07_modem_whose_hello_comes_by_itself_is_answered_at_once() {
    for model in ASKED {
        for late in [0, 1, 4] {
            let hello = HelloHabit::Late(Duration::from_secs(late));
            let world = SimulatedWorld::new(with(Setup::of(of(model)), hello, Provoked::WorksIfPatient));
            let images = images_for(of(model), 3, &[70_000]);
            let run = Timed::run(world, &request(), &images);
            run.assert_clean(&images);
            let late = f64::from(u32::try_from(late).unwrap());
            assert!((late..late + 2.0).contains(&run.first_program()), "{}", run.log());
        }
    }
}

/// The probe comes before such a hello and spoils the session. The modem is made to start anew, and then nothing is written.
#[test]
fn a_9x07_modem_whose_hello_comes_after_the_probe_is_flashed_all_the_same() {
    for model in ASKED {
        for late in [6, 12, 19] {
            for can_re_enumerate in [true, false] {
                let hello = HelloHabit::Late(Duration::from_secs(late));
                let setup = with(Setup::of(of(model)), hello, Provoked::WorksIfPatient);
                let mut world = SimulatedWorld::new(setup);
                world.set_can_re_enumerate(can_re_enumerate);
                let images = images_for(of(model), 3, &[70_000]);
                let run = Timed::run(world, &request(), &images);
                run.assert_flashed(&images);
                let violations = run.world.modem(0).unwrap().violations();
                let is_probe = |what: &Wrong| matches!(what, Wrong::WroteBeforeHello { count: 7 });
                assert_eq!(violations.len(), 1, "{}", run.log());
                assert!(is_probe(&violations[0].what), "{}", run.log());
                assert!(run.first_program() < 60.0, "{}", run.log());
            }
        }
    }
}

#[test]
fn other_sahara_modems_get_no_byte_within_20_s_before_their_hello() {
    for model in ["EM7565", "EM7511", "EM9191", "EM9291"] {
        for late in [6, 12, 19] {
            let hello = HelloHabit::Late(Duration::from_secs(late));
            for setup in [Setup::of(of(model)), running(model)] {
                let is_running = setup.mode != virtual_modem::Mode::Download;
                let world = SimulatedWorld::new(with(setup, hello, Provoked::WorksIfPatient));
                let (request, images) = if is_running {
                    (wish(), release(of(model)))
                } else {
                    (request(), images_for(of(model), 3, &[70_000]))
                };
                let run = Timed::run(world, &request, &images);
                run.assert_clean(&images);
                let wait = f64::from(u32::try_from(late).unwrap());
                assert!(run.first_write() >= wait, "{model}: {}", run.log());
            }
        }
        // A hello that doesn't come: the host waits for 20 s before it tries anything.
        let setup = with(running(model), HelloHabit::AfterBytes, Provoked::WorksIfPatient);
        let images = release(of(model));
        let run = Timed::run(SimulatedWorld::new(setup), &wish(), &images);
        run.assert_clean(&images);
        assert!(run.first_write() >= 20.0, "{model}: {}", run.log());
    }
}

/// A modem in download mode that speaks Firehose already: an earlier run was stopped after the switch, before it sent an image.
fn left_in_firehose(mut setup: Setup, keeps: bool) -> SimulatedWorld {
    setup.quirks.keeps_firehose = keeps;
    let images = images_for(setup.profile, 3, &[70_000]);
    let whole = Timed::run(SimulatedWorld::new(setup.clone()), &request(), &images);
    let switched = |event: &&Event| matches!(event.kind, EventKind::Connected { .. });
    let switched = whole
        .events
        .iter()
        .find(switched)
        .expect("it switches to Firehose");
    let mut world = SimulatedWorld::new(setup);
    world.cancel_at(Instant::from_start(Duration::from_secs_f64(switched.t + 0.2)));
    let run = Timed::run(world, &request(), &images);
    assert!(run.result.is_err(), "{}", run.log());
    let mut world = run.world;
    assert_eq!(world.modem(0).unwrap().image_bytes(), 0);
    // Nobody hears the rest of the answers.
    let _ = world.wait(&[], Instant::from_start(Duration::from_secs(10)));
    world
}

/// How long the run took until it knew what is behind the port, as told.
fn detected(run: &Timed) -> f64 {
    let detected = |event: &&Event| matches!(event.kind, EventKind::Detected { .. });
    let found = run.events.iter().find(detected);
    found.map_or(f64::INFINITY, |event| event.t)
}

#[test]
fn a_boot_loader_that_speaks_firehose_already_is_known_within_10_s() {
    for model in ["EM7565", "EM9191", "RC7620", "WP7607"] {
        for keeps in [true, false] {
            for can_re_enumerate in [true, false] {
                let mut world = left_in_firehose(Setup::of(of(model)), keeps);
                world.set_can_re_enumerate(can_re_enumerate);
                world.set_time_on_bus(0, Some(Duration::from_secs(60)));
                let images = images_for(of(model), 3, &[70_000]);
                let run = Timed::run(world, &request(), &images);
                run.assert_flashed(&images);
                let took = detected(&run);
                assert!(
                    took < 10.0,
                    "{model} {keeps} {can_re_enumerate}: {took}\n{}",
                    run.log()
                );
            }
        }
    }
}

/// The same modem, but a hello could still come: it came onto the bus 10 s ago, or nobody knows when it did.
#[test]
fn a_boot_loader_that_speaks_firehose_and_may_have_come_just_now_gets_20_s_for_its_hello() {
    for (time, rest) in [(None, 20.0), (Some(Duration::ZERO), 10.0)] {
        let mut world = left_in_firehose(Setup::of(of("EM7565")), true);
        world.set_time_on_bus(0, time);
        let images = images_for(of("EM7565"), 3, &[70_000]);
        let run = Timed::run(world, &request(), &images);
        run.assert_flashed(&images);
        assert!((rest..rest + 5.0).contains(&detected(&run)), "{}", run.log());
        assert!(run.first_write() >= rest, "{}", run.log());
    }
}

/// A Sahara boot loader that has been on the bus for long and whose hello is lost: whatever comes of the hello that the NOP
/// provokes, the run ends in a flash within a minute.
#[test]
fn a_lost_hello_of_a_modem_that_has_waited_for_long_ends_in_a_flash() {
    let hellos = [
        HelloHabit::AfterEnumeration(Duration::ZERO),
        HelloHabit::AfterEnumeration(Duration::from_secs(3)),
        HelloHabit::AtReopen,
        HelloHabit::AtOpen,
    ];
    for model in ["EM7565", "EM9191"] {
        for hello in hellos {
            for provoked in [Provoked::WorksIfPatient, Provoked::Refused] {
                // A hello that is lost each time, and refused each time it is provoked, can't be helped.
                if hello == hellos[0] && provoked == Provoked::Refused {
                    continue;
                }
                let mut setup = with(Setup::of(of(model)), hello, provoked);
                setup.firmware = virtual_modem::Firmware::Missing;
                let mut world = SimulatedWorld::new(setup);
                world.set_time_on_bus(0, Some(Duration::from_secs(3600)));
                // The hello after the enumeration has gone by.
                let _ = world.wait(&[], Instant::from_start(Duration::from_secs(5)));
                let images = images_for(of(model), 3, &[70_000]);
                let run = Timed::run(world, &request(), &images);
                run.assert_clean(&images);
                let took = run.first_program();
                assert!(
                    took < 60.0,
                    "{model} {hello:?} {provoked:?}: {took}\n{}",
                    run.log()
                );
            }
        }
    }
}
