//! Several modems at once, on one virtual clock.

use std::time::Duration;

use modem_world::World;
use modemflash_update_engine::fleet::{Worker, exit_code, update_all};
use modemflash_update_engine::modem::modems as bus;
use modemflash_update_engine::{Code, Event, Outcome, Request, Selector, UpdateError, Verb, survey};
use virtual_modem::profile::Profile;
use virtual_modem::simulated::{ModemManager, Shared, SimulatedWorld, SocketKind};
use virtual_modem::{FaultScript, Setup};

use crate::support::normal::{newer, release, running, wish};
use crate::support::{Memory, firmware};

type Results = Vec<Result<Outcome, UpdateError>>;

struct Fleet {
    world: SimulatedWorld,
    results: Results,
    events: Vec<(usize, Event)>,
}

impl Fleet {
    fn took(&self) -> Duration {
        // The last worker ends when the last modem's update is proven.
        let last = self.events.iter().map(|(_, event)| event.t).fold(0.0, f64::max);
        Duration::from_secs_f64(last)
    }
}

/// Updates these modems, each with its own worker; `manager`: ModemManager runs.
fn update_these(setups: Vec<Setup>, images: &[Memory], manager: bool) -> Fleet {
    update_in_sockets(SocketKind::default(), setups, images, manager)
}

/// Updates these modems; all but the first are in sockets of this kind.
fn update_in_sockets(socket: SocketKind, setups: Vec<Setup>, images: &[Memory], manager: bool) -> Fleet {
    let count = setups.len();
    let mut setups = setups.into_iter();
    let mut world = SimulatedWorld::new(setups.next().unwrap());
    for setup in setups {
        world.plug_into(socket, setup);
    }
    if manager {
        world.set_modem_manager(ModemManager::default());
    }
    let places: Vec<String> = world
        .devices()
        .unwrap()
        .iter()
        .map(|there| there.device.path.to_string())
        .collect();
    let shared = Shared::new(world, count);
    let workers = places
        .into_iter()
        .enumerate()
        .map(|(number, place)| Worker {
            world: Box::new(shared.worker(number).unwrap()),
            request: Request {
                select: Selector::Place(place),
                ..wish()
            },
        })
        .collect();
    let mut events = Vec::new();
    let results = update_all(workers, &firmware(images), &mut |number, event| {
        events.push((number, event.clone()));
    });
    Fleet {
        world: shared.into_world().unwrap(),
        results,
        events,
    }
}

fn modems(model: &str, count: usize) -> Vec<Setup> {
    (0..count)
        .map(|number| {
            let mut setup = running(model);
            setup.storage.imei = format!("01234567890{number:04}");
            setup.seed = number as u64;
            setup
        })
        .collect()
}

// design.md §4
#[test]
fn eight_modems_at_once_take_hardly_longer_than_one() {
    for model in ["MC7455", "EM7565"] {
        let profile = Profile::named(model).unwrap();
        let images = release(profile);
        let one = update_these(modems(model, 1), &images, false);
        let eight = update_these(modems(model, 8), &images, false);
        for (number, result) in eight.results.iter().enumerate() {
            assert!(matches!(result, Ok(Outcome::Updated(_))), "{number}: {result:?}");
            let modem = eight.world.modem(number).unwrap();
            assert_eq!(modem.storage().current, newer(profile));
            assert_eq!(modem.violations(), [], "{number}");
            let mut kept = modem.images().iter().map(|image| image.bytes.as_ref().unwrap());
            assert!(
                images.iter().all(|image| kept.next() == Some(&image.bytes)),
                "{number}"
            );
        }
        assert_eq!(exit_code(&eight.results), 0);
        let (one, eight) = (one.took(), eight.took());
        assert!(eight < one.mul_f64(1.15), "{model}: one {one:?}, eight {eight:?}");
    }
}

// If the kernel knows no peer, modemflash follows a modem by its serial string. Here all modems have the same
// serial string, and each is off the bus at a different time.
#[test]
fn modems_with_the_same_serial_are_not_taken_for_each_other_while_one_is_off_the_bus() {
    let profile = Profile::named("EM7565").unwrap();
    for step in [3, 9, 18] {
        let mut setups = modems("EM7565", 4);
        for (number, setup) in setups.iter_mut().enumerate() {
            setup.timings.ready_after = Duration::from_secs(step * number as u64);
        }
        let fleet = update_in_sockets(SocketKind::Usb2, setups, &release(profile), false);
        for (number, result) in fleet.results.iter().enumerate() {
            assert!(
                matches!(result, Ok(Outcome::Updated(_))),
                "{step} {number}: {result:?}"
            );
            assert_eq!(
                fleet.world.modem(number).unwrap().violations(),
                [],
                "{step} {number}"
            );
        }
    }
}

#[test]
fn a_single_failure_does_not_stop_the_other_modems() {
    let images = release(Profile::named("MC7455").unwrap());
    for (fault, code, exit) in [
        ("enter:never", Code::ResetNoReturn, 9),
        ("reject-image@1", Code::ImageRejected, 6),
        ("enter:normal", Code::DownloadNotEntered, 5),
        ("refuse@0x48:48", Code::ControlRefused, 5),
    ] {
        let mut setups = modems("MC7455", 4);
        setups[1].faults = fault.parse::<FaultScript>().unwrap();
        let fleet = update_these(setups, &images, false);
        for number in [0, 2, 3] {
            assert!(
                matches!(fleet.results[number], Ok(Outcome::Updated(_))),
                "{fault}: {:?}",
                fleet.results[number]
            );
            assert_eq!(fleet.world.modem(number).unwrap().violations(), [], "{fault}");
        }
        let error = fleet.results[1].as_ref().unwrap_err();
        assert_eq!(
            (error.code(), error.exit_code()),
            (code, exit),
            "{fault}: {}",
            error.source
        );
        assert_eq!(exit_code(&fleet.results), 8);
    }
}

#[test]
fn modems_that_all_fail_alike_lead_to_their_common_exit_code() {
    let images = release(Profile::named("MC7455").unwrap());
    let mut setups = modems("MC7455", 2);
    for setup in &mut setups {
        setup.faults = "enter:never".parse::<FaultScript>().unwrap();
    }
    let fleet = update_these(setups, &images, false);
    assert_eq!(exit_code(&fleet.results), 9);
    assert_eq!(exit_code(&[]), 0);
}

#[test]
fn events_name_their_modem_and_contain_no_imei() {
    let images = release(Profile::named("MC7455").unwrap());
    let fleet = update_these(modems("MC7455", 3), &images, false);
    for (number, event) in &fleet.events {
        let json = serde_json::to_string(event).unwrap();
        assert!(
            json.contains(&format!("\"path\":\"1-{}\"", number + 1)),
            "{number}: {json}"
        );
        assert!(!json.contains("01234567890"), "{json}");
    }
    for number in 0..3 {
        assert!(fleet.events.iter().any(|(of, _)| *of == number));
    }
}

#[test]
fn modem_manager_lets_go_of_each_and_gets_each_back() {
    let profile = Profile::named("EM7565").unwrap();
    let fleet = update_these(modems("EM7565", 3), &release(profile), true);
    for (number, result) in fleet.results.iter().enumerate() {
        assert!(matches!(result, Ok(Outcome::Updated(_))), "{number}: {result:?}");
        assert_eq!(fleet.world.modem(number).unwrap().violations(), [], "{number}");
    }
    assert_eq!(fleet.world.inhibited(), []);
}

#[test]
fn a_model_that_the_images_are_not_for_is_refused_and_the_others_are_updated() {
    let profile = Profile::named("MC7455").unwrap();
    let setups = vec![running("MC7455"), running("EM7565"), running("MC7455")];
    let fleet = update_these(setups, &release(profile), false);
    assert!(fleet.results[0].is_ok() && fleet.results[2].is_ok());
    let error = fleet.results[1].as_ref().unwrap_err();
    assert_eq!(error.code(), Code::ImageFamily, "{error}: {}", error.source);
    assert_eq!(fleet.world.modem(1).unwrap().image_bytes(), 0);
    assert_eq!(exit_code(&fleet.results), 8);
}

/// How long it takes to list these modems side by side, and how many of them were asked.
fn list_of(setups: Vec<Setup>) -> (Duration, usize) {
    let count = setups.len();
    let mut setups = setups.into_iter();
    let mut world = SimulatedWorld::new(setups.next().unwrap());
    for setup in setups {
        world.plug(setup);
    }
    let found = bus(&mut world).unwrap();
    let begun = world.now();
    let shared = Shared::new(world, count);
    let workers = found.into_iter().enumerate().map(|(number, modem)| {
        let world: Box<dyn World + Send> = Box::new(shared.worker(number).unwrap());
        (world, modem)
    });
    let listed = survey::side_by_side(workers.collect(), &wish(), Verb::List);
    let asked = listed.iter().filter(|modem| modem.facts.is_some()).count();
    let took = shared.into_world().unwrap().now().since(begun);
    (took, asked)
}

#[test]
fn a_list_of_many_modems_takes_as_long_as_that_of_the_slowest() {
    let slow = |count| {
        let mut setups = modems("MC7455", count);
        for setup in &mut setups {
            // Only AT answers, after the control port was given up.
            setup.quirks.is_control_silent = true;
        }
        setups
    };
    let (alone, asked) = list_of(slow(1));
    assert_eq!(asked, 1);
    assert!(alone > Duration::from_secs(3), "{alone:?} is no slow modem");
    let (together, asked) = list_of(slow(8));
    assert_eq!(asked, 8);
    assert!(
        together < alone + Duration::from_secs(2),
        "one: {alone:?}, eight: {together:?}"
    );
}
