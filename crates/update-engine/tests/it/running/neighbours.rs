//! Port names and device numbers that pass from one modem to another: modemflash never writes to a port
//! unless it knows that the port belongs to the chosen modem (linux.md §4).

use std::str::FromStr;
use std::time::Duration;

use modem_world::{Instant, PortError, PortHandle, PortId, UsbDevice, UsbPath, Wake, World};
use modemflash_update_engine::{Event, Outcome, Request, Selector, UpdateError, update};
use virtual_modem::profile::Profile;
use virtual_modem::simulated::{SimulatedWorld, SocketKind};
use virtual_modem::{FaultScript, Mode, Setup};

use crate::support::normal::{at_only, newer, release, running, wish};
use crate::support::through::{Habit, Through};
use crate::support::truth::is_true;
use crate::support::{assert_stored, firmware};

/// Called before each port is opened, with the number of ports opened so far. The function may let time pass,
/// because a program may be delayed between reading the bus and opening a port.
type Meddle<'m> = &'m mut dyn FnMut(&mut SimulatedWorld, usize);

struct Meddled<'m> {
    opened: usize,
    meddle: Meddle<'m>,
}

impl Habit for Meddled<'_> {
    fn open(&mut self, world: &mut SimulatedWorld, port: &PortId) -> Result<PortHandle, PortError> {
        (self.meddle)(world, self.opened);
        self.opened += 1;
        world.open(port)
    }
}

/// The modem that is to be updated, and its neighbour.
const CHOSEN: usize = 0;
const NEIGHBOUR: usize = 1;

struct Done {
    world: SimulatedWorld,
    result: Result<Outcome, UpdateError>,
    events: Vec<Event>,
    opened: usize,
}

/// Updates the first of two modems.
fn update_beside(setup: &Setup, neighbour: &Setup, meddle: Meddle<'_>) -> Done {
    let mut world = SimulatedWorld::new(setup.clone());
    let mut neighbour = neighbour.clone();
    neighbour.storage.imei = "987654321098765".to_owned();
    world.plug_into(SocketKind::Usb3, neighbour);
    let request = Request {
        select: Selector::Place("1-1".to_owned()),
        ..wish()
    };
    let images = firmware(&release(setup.profile));
    let habit = Meddled { opened: 0, meddle };
    let mut meddled = Through { world, habit };
    let mut events = Vec::new();
    let result = update(&mut meddled, &request, &images, &mut |event| {
        events.push(event.clone());
    });
    Done {
        world: meddled.world,
        result,
        events,
        opened: meddled.habit.opened,
    }
}

impl Done {
    fn assert_neighbour_untouched(&self, what: &str) {
        assert_eq!(self.world.written(0, NEIGHBOUR), 0, "{what}: {:?}", self.result);
        let neighbour = self.world.modem(NEIGHBOUR).unwrap();
        assert_eq!(neighbour.violations(), [], "{what}");
        assert_eq!(neighbour.image_bytes(), 0, "{what}");
        assert_eq!(
            neighbour.storage().current,
            neighbour.setup().storage.current,
            "{what}"
        );
    }

    fn assert_updated(&self, what: &str) {
        assert!(
            matches!(&self.result, Ok(Outcome::Updated(updated)) if updated.proven),
            "{what}: {:?}",
            self.result
        );
        let modem = self.world.modem(CHOSEN).unwrap();
        let profile = modem.setup().profile;
        assert_eq!(modem.storage().current, newer(profile), "{what}");
        assert_stored(modem, &release(profile)).unwrap_or_else(|why| panic!("{what}: {why}"));
    }
}

fn names(world: &mut SimulatedWorld, place: &str) -> Vec<String> {
    let devices = world.devices().unwrap().into_iter();
    let of_place = devices.filter(|there| there.device.path == UsbPath::new(place));
    let mut names: Vec<String> = of_place
        .flat_map(|there| there.ports)
        .map(|port| port.id.to_string())
        .collect();
    names.sort();
    names
}

fn ms(time: u64) -> Duration {
    Duration::from_millis(time)
}

fn pass(world: &mut SimulatedWorld, time: Duration) {
    let until = world.now() + time;
    while world.wait(&[], until) != Wake::Deadline {}
}

/// The neighbour leaves the bus, then the chosen modem leaves. The neighbour comes back first and gets the
/// chosen modem's port names.
fn swap_names(world: &mut SimulatedWorld) {
    let now = world.now();
    world.re_enumerate_at(NEIGHBOUR, now);
    world.re_enumerate_at(CHOSEN, now + ms(100));
}

#[test]
fn a_neighbour_that_gets_the_names_while_the_modem_is_on_its_way_to_download_mode_is_left_alone() {
    for model in ["MC7455", "EM7565", "MC7710"] {
        let setup = running(model);
        let before = names(&mut SimulatedWorld::new(setup.clone()), "1-1");
        // The moment at which the modem has been off the bus for a second.
        let usual = update_beside(&setup, &setup, &mut |_, _| {});
        usual.assert_updated(model);
        let appeared = usual.events.iter().find_map(|event| {
            let json = serde_json::to_string(event).unwrap();
            json.contains("appeared").then_some(event.t)
        });
        let restart = Instant::from_start(
            Duration::from_secs_f64(appeared.unwrap()) - setup.timings.entering + ms(1000),
        );
        let mut during = Vec::new();
        let run = update_beside(&setup, &setup, &mut |world, count| {
            if count == 0 {
                world.re_enumerate_at(NEIGHBOUR, restart);
            }
            if during.is_empty() && world.modem(CHOSEN).unwrap().mode() == Mode::Download {
                during = names(world, "1-2");
            }
        });
        assert_eq!(during, before, "{model}: the neighbour has the names");
        run.assert_updated(model);
        run.assert_neighbour_untouched(model);
    }
}

// All port names may change hands between reading the bus and opening a port.
#[test]
fn names_that_change_hands_just_before_a_port_is_opened_lead_to_no_write() {
    let mut swapped = 0;
    for setup in [
        running("MC7455"),
        running("EM7565"),
        running("MC7710"),
        at_only("EM7565"),
    ] {
        let model = setup.profile.name;
        let usual = update_beside(&setup, &setup, &mut |_, _| {});
        // Without a control port the preference can't be set. The run ends in an error after many attempts to
        // ask the modem.
        let (is_updated, count) = (usual.result.is_ok(), usual.opened.min(12));
        assert!(count >= 3, "{model}: {count}");
        for chosen in 0..count {
            let mut was_download = false;
            let run = update_beside(&setup, &setup, &mut |world, number| {
                if number == chosen {
                    was_download = world.modem(CHOSEN).unwrap().mode() == Mode::Download;
                    let name = world.port(CHOSEN).map(|port| port.id.clone());
                    swap_names(world);
                    pass(world, ms(250));
                    let now = name.and_then(|name| world.find(name.as_str()).ok());
                    let path = now.and_then(|port| port.device).map(|device| device.path);
                    swapped += usize::from(path == Some(UsbPath::new("1-2")));
                }
            });
            let what = format!("{model}, port {chosen} of {count}");
            run.assert_neighbour_untouched(&what);
            match &run.result {
                Ok(_) => run.assert_updated(&what),
                // A run that has only asked the modem may fail if the modem leaves.
                Err(error) => {
                    assert!(!(was_download && is_updated), "{what}: {error}: {}", error.source);
                    is_true(run.world.modem(CHOSEN).unwrap(), 2, error)
                        .unwrap_or_else(|why| panic!("{what}: {error}: {}; {why}", error.source));
                }
            }
        }
    }
    assert!(swapped >= 12, "the names changed hands only {swapped} times");
}

// While the access rights of a port aren't set yet, modemflash tries to open the port again and again by its
// name.
#[test]
fn a_name_that_changes_hands_while_its_rights_are_waited_for_leads_to_no_write() {
    for model in ["MC7455", "EM7565"] {
        let setup = running(model);
        let mut is_done = false;
        let run = update_beside(&setup, &setup, &mut |world, _| {
            if !is_done && world.modem(CHOSEN).unwrap().mode() == Mode::Download {
                is_done = true;
                let now = world.now();
                world.deny(CHOSEN, now + ms(600));
                swap_names(world);
            }
        });
        assert!(is_done);
        run.assert_neighbour_untouched(model);
        run.assert_updated(model);
    }
}

#[test]
fn the_same_number_on_another_bus_is_not_the_device_that_left() {
    let on_second_bus = |mut setup: Setup| {
        setup.storage.usb.is_super_speed = true;
        setup
    };
    for (model, faults) in [("EM7565", "enter:other-bus"), ("EM7565", "return:other-bus")] {
        let mut setup = running(model);
        setup.faults = faults.parse::<FaultScript>().unwrap();
        for neighbour in [running(model), on_second_bus(running(model))] {
            let mut seen: Vec<(String, u32)> = Vec::new();
            let run = update_beside(&setup, &neighbour, &mut |world, _| {
                let devices = world.devices().unwrap().into_iter().map(|there| there.device);
                seen.extend(devices.map(|device| (device.path.to_string(), device.number)));
            });
            run.assert_updated(faults);
            run.assert_neighbour_untouched(faults);
            let of_number = |path: &str, number: u32| seen.contains(&(path.to_owned(), number));
            let both = (2..10).any(|number| {
                of_number("1-1", number) && (of_number("2-1", number) || of_number("2-2", number))
            });
            assert!(both, "{faults}: {seen:?}");
        }
    }
}

// The kernel creates the ports of a modem one after the other, so the first port is not the only one.
#[test]
fn a_modem_whose_ports_come_one_after_the_other_is_asked_when_all_are_there() {
    let unknown = FaultScript::from_str("return:id=1199:9999").unwrap();
    for model in ["Gobi2000", "MC7710"] {
        let profile = Profile::named(model).unwrap();
        for (seed, faults) in (0..40).map(|seed| (seed, if seed % 2 == 0 { None } else { Some(&unknown) })) {
            for mut setup in [Setup::of(profile), running(model), at_only(model)] {
                setup.faults = faults.cloned().unwrap_or_default();
                let what = format!("{model}, {:?}, {seed}, {faults:?}", setup.mode);
                let mut world = SimulatedWorld::new(setup).with_slow_drivers(seed);
                let result = update(&mut world, &wish(), &firmware(&release(profile)), &mut |_| {});
                assert!(result.is_ok(), "{what}: {result:?}");
                assert_eq!(world.modem(0).unwrap().violations(), [], "{what}");
            }
        }
    }
}

/// A kernel that knows peers only for these places, with modems that keep their serial string.
struct Peers(&'static [&'static str]);

impl Habit for Peers {
    fn known(&self, device: UsbDevice) -> UsbDevice {
        let is_known = self.0.contains(&device.path.as_str());
        UsbDevice {
            peer: device.peer.clone().filter(|_| is_known),
            serial: Some("LF53210001010".to_owned()),
            ..device
        }
    }
}

// linux.md §3
#[test]
fn a_modem_that_changes_its_bus_is_followed_where_the_kernel_does_not_know_the_peer() {
    for model in ["EM7455", "EM9191"] {
        // Either the other place names the peer, or modemflash has only the modem's serial string, which no
        // other device has.
        for (known, has_twin) in [(&["1-1"][..], true), (&[][..], false)] {
            let mut world = SimulatedWorld::new(running(model));
            if has_twin {
                world.plug(running(model));
            }
            let request = Request {
                select: Selector::Place("2-1".to_owned()),
                ..wish()
            };
            let images = release(Profile::named(model).unwrap());
            let habit = Peers(known);
            let mut world = Through { world, habit };
            let result = update(&mut world, &request, &firmware(&images), &mut |_| {});
            assert!(
                matches!(result, Ok(Outcome::Updated(_))),
                "{model} {known:?}: {result:?}"
            );
            assert_eq!(world.world.modem(0).unwrap().violations(), []);
            let twin = world.world.modem(1).map_or(0, |twin| twin.image_bytes());
            assert_eq!(twin, 0);
        }
    }
}
