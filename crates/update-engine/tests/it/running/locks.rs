//! One modem, one run: modemflash leaves a modem alone that another run has locked, and no other run gets a
//! modem that this run has locked.

use std::time::Duration;

use modem_world::{ClaimError, Host, LockHolder, PortError, PortHandle, PortId, Spot, UsbPath, World};
use modemflash_update_engine::survey::survey;
use modemflash_update_engine::{
    Code, EventKind, Image, ImageType, ModemState, Outcome, Request, Selector, UpdateError, Verb, errand,
    prepare, update,
};
use virtual_modem::profile::Profile;
use virtual_modem::simulated::{Shared, SimulatedWorld, SocketKind};
use virtual_modem::{Mode, Setup};

use crate::support::firmware;
use crate::support::normal::{release, running, wish};
use crate::support::through::{Habit, Through};

fn socket(place: &str, peer: Option<&str>) -> Spot {
    Spot::Socket {
        place: UsbPath::new(place),
        peer: peer.map(UsbPath::new),
    }
}

fn other_run() -> LockHolder {
    LockHolder {
        process: Some(812),
        name: Some("modemflash".to_owned()),
        verb: Some("update".to_owned()),
        held_for: Some(Duration::from_secs(12)),
    }
}

fn images(setup: &Setup) -> modemflash_update_engine::Firmware {
    firmware(&release(setup.profile))
}

/// A run of one verb.
type RunOf = fn(&mut dyn World, &Setup) -> Result<(), UpdateError>;

fn image(kind: ImageType) -> Image {
    Image {
        kind,
        slot: Some(1),
        unique_id: "002.072_000".to_owned(),
        build_id: "02.33.03.00_GENERIC".to_owned(),
        is_preferred: false,
        is_running: false,
        failures: None,
    }
}

const VERBS: [(&str, RunOf); 8] = [
    ("update", |world, setup| {
        update(world, &wish(), &images(setup), &mut |_| {}).map(|_| ())
    }),
    ("plan", |world, setup| {
        prepare(world, &wish(), &images(setup)).map(|_| ())
    }),
    ("info", |world, _| {
        errand::info(world, &Request::default(), &mut |_| {}).map(|_| ())
    }),
    ("reset", |world, _| {
        errand::reset(world, &Request::default(), &mut |_| {}).map(|_| ())
    }),
    ("reset into download mode", |world, _| {
        errand::enter_download_mode(world, &Request::default(), &mut |_| {}).map(|_| ())
    }),
    ("slots select", |world, _| {
        errand::select_images(
            world,
            &Request::default(),
            &image(ImageType::Modem),
            &image(ImageType::Pri),
            &mut |_| {},
        )
    }),
    ("slots delete", |world, _| {
        errand::delete_image(
            world,
            &Request::default(),
            &image(ImageType::Modem),
            false,
            &mut |_| {},
        )
    }),
    ("at", |world, _| {
        errand::at_command(world, &Request::default(), "ATI", &mut |_| {}).map(|_| ())
    }),
];

fn setups() -> [Setup; 3] {
    let waiting = |model| Setup::of(Profile::named(model).unwrap());
    [running("MC7455"), running("EM7565"), waiting("MC7455")]
}

#[test]
fn a_modem_that_another_run_has_gets_no_byte_from_any_verb() {
    for setup in setups() {
        for (verb, run) in VERBS {
            let what = format!("{verb}, {}, {:?}", setup.profile.name, setup.mode);
            let mut world = SimulatedWorld::new(setup.clone());
            world.lock(socket("1-1", Some("2-1")), other_run());
            let error = run(&mut world, &setup).unwrap_err();
            assert_eq!(error.code(), Code::ModemLocked, "{what}: {error}");
            assert_eq!(error.exit_code(), 4, "{what}");
            assert_eq!(error.modem, ModemState::Untouched, "{what}");
            assert_eq!(
                error.source.to_string(),
                "`modemflash update` (pid 812) has been using the modem for 12 s",
                "{what}"
            );
            assert_eq!(error.device.path(), Some("1-1"), "{what}: it is said which modem");
            assert_eq!(world.written(0, 0), 0, "{what}");
            assert_eq!(world.opened_unclaimed(), [], "{what}");
            assert_eq!(
                world.now(),
                modem_world::Instant::START,
                "{what}: it doesn't wait"
            );
        }
    }
}

/// A habit: another run holds the modem until this time, and says at every attempt to claim the modem that it
/// only asks.
struct AsksUntil {
    until: Duration,
    verbs: Vec<String>,
}

impl Habit for AsksUntil {
    fn claim(&mut self, world: &mut SimulatedWorld, spot: &Spot, verb: &str) -> Result<(), ClaimError> {
        self.verbs.push(verb.to_owned());
        let now = world.now().since_start();
        if now >= self.until {
            return world.claim(spot, verb);
        }
        Err(ClaimError::Held(LockHolder {
            verb: Some("list".to_owned()),
            held_for: Some(now.min(Duration::from_secs(9))),
            ..other_run()
        }))
    }
}

fn asked_until(setup: &Setup, seconds: u64) -> Through<AsksUntil> {
    let habit = AsksUntil {
        until: Duration::from_secs(seconds),
        verbs: Vec::new(),
    };
    let world = SimulatedWorld::new(setup.clone());
    Through { world, habit }
}

#[test]
fn every_verb_waits_for_a_run_that_has_the_modem_for_a_moment() {
    for setup in setups() {
        for (verb, run) in VERBS {
            let what = format!("{verb}, {}, {:?}", setup.profile.name, setup.mode);
            let mut world = asked_until(&setup, 3);
            if let Err(error) = run(&mut world, &setup) {
                assert_ne!(error.code(), Code::ModemLocked, "{what}: {error}");
            }
            assert!(world.now().since_start() >= Duration::from_secs(3), "{what}");
            assert_eq!(world.world.opened_unclaimed(), [], "{what}");

            // The run doesn't wait for ever, and stops waiting when the user wants to stop.
            let mut world = asked_until(&setup, 3600);
            let error = run(&mut world, &setup).unwrap_err();
            assert_eq!(
                (error.code(), error.exit_code()),
                (Code::ModemLocked, 4),
                "{what}"
            );
            assert_eq!(world.now().since_start(), Duration::from_secs(10), "{what}");
            let mut world = asked_until(&setup, 3600);
            world
                .world
                .cancel_at(modem_world::Instant::from_start(Duration::from_secs(2)));
            let error = run(&mut world, &setup).unwrap_err();
            assert_eq!((error.code(), error.exit_code()), (Code::Stopped, 130), "{what}");
            assert_eq!(world.now().since_start(), Duration::from_secs(2), "{what}");
            assert_eq!(world.world.written(0, 0), 0, "{what}");
        }
    }
}

/// The warnings of an update.
fn warned(world: &mut dyn World, request: &Request, setup: &Setup) -> Vec<(&'static str, String)> {
    let mut warned = Vec::new();
    let result = update(world, request, &images(setup), &mut |event| {
        if let EventKind::Warning { warning } = &event.kind {
            warned.push((warning.code.as_str(), warning.text.clone()));
        }
    });
    assert!(matches!(result, Ok(Outcome::Updated(_))), "{result:?}");
    warned
}

#[test]
fn a_waiting_run_says_once_that_it_waits_and_for_whom() {
    let setup = running("MC7455");
    let warned = warned(&mut asked_until(&setup, 3), &wish(), &setup);
    let waits: Vec<_> = warned.iter().filter(|(code, _)| *code == "LOCK-WAIT").collect();
    let text = "waits up to 10 s for the modem: `modemflash list` (pid 812) has been using the modem for 0 s";
    assert_eq!(waits, [&("LOCK-WAIT", text.to_owned())]);
}

#[test]
fn a_host_without_locks_leads_to_one_warning_and_an_update() {
    struct NoLock;
    impl Habit for NoLock {
        fn claim(&mut self, _: &mut SimulatedWorld, _: &Spot, _: &str) -> Result<(), ClaimError> {
            let (call, errno) = ("flock", 13);
            Err(ClaimError::Io { call, errno })
        }
    }
    for setup in setups() {
        let world = SimulatedWorld::new(setup.clone());
        let warned = warned(&mut Through { world, habit: NoLock }, &wish(), &setup);
        let codes: Vec<_> = warned.iter().map(|(code, _)| *code).collect();
        assert_eq!(
            codes.iter().filter(|code| **code == "LOCK-UNKNOWN").count(),
            1,
            "{warned:?}"
        );
    }
}

const OTHER_IMEI: &str = "987654321098765";

/// Two modems, the second with another IMEI.
fn two_modems() -> SimulatedWorld {
    let mut world = SimulatedWorld::new(running("EM7565"));
    let mut second = running("MC7455");
    second.storage.imei = OTHER_IMEI.to_owned();
    world.plug_into(SocketKind::Usb3, second);
    world
}

fn with_imei(imei: &str) -> Request {
    Request {
        select: Selector::Imei(imei.to_owned()),
        ..wish()
    }
}

#[test]
fn two_runs_that_look_for_an_imei_at_the_same_moment_both_find_their_modem() {
    let first = running("EM7565").storage.imei;
    for imeis in [[first.as_str(), OTHER_IMEI], [OTHER_IMEI, first.as_str()]] {
        let shared = Shared::new(two_modems(), 2);
        let workers: Vec<_> = (0..2).map(|number| shared.worker(number).unwrap()).collect();
        std::thread::scope(|scope| {
            for (mut world, imei) in workers.into_iter().zip(imeis) {
                scope.spawn(move || {
                    let found = errand::info(&mut world, &with_imei(imei), &mut |_| {});
                    assert_eq!(found.unwrap().1.imei.as_deref(), Some(imei));
                });
            }
        });
        let world = shared.into_world().unwrap();
        assert_eq!((world.opened_unclaimed(), world.claimed()), (&[][..], vec![]));
    }
}

#[test]
fn a_lock_held_while_looking_for_an_imei_names_the_runs_own_verb() {
    let setup = running("MC7455");
    let mut world = asked_until(&setup, 0);
    let _ = update(
        &mut world,
        &with_imei(&setup.storage.imei),
        &images(&setup),
        &mut |_| {},
    );
    assert!(world.habit.verbs.len() >= 2);
    assert!(
        world.habit.verbs.iter().all(|verb| verb == "update"),
        "{:?}",
        world.habit.verbs
    );
}

#[test]
fn no_verb_opens_a_port_before_it_has_the_lock_and_none_keeps_the_lock() {
    for setup in setups() {
        for (verb, run) in VERBS {
            let what = format!("{verb}, {}, {:?}", setup.profile.name, setup.mode);
            let mut world = SimulatedWorld::new(setup.clone());
            let _ = run(&mut world, &setup);
            assert_eq!(world.opened_unclaimed(), [], "{what}");
            assert_eq!(world.claimed(), [], "{what}");
            // A run has released the lock, so the next run of the same process gets it.
            let next = run(&mut world, &setup);
            assert!(
                !matches!(&next, Err(error) if error.code() == Code::ModemLocked),
                "{what}: {next:?}"
            );
        }
        let mut world = SimulatedWorld::new(setup);
        survey(&mut world, &Request::default(), Some(Verb::List)).unwrap();
        assert_eq!((world.opened_unclaimed(), world.claimed()), (&[][..], vec![]));
    }
}

#[test]
fn a_port_without_a_device_behind_it_is_locked_too() {
    let setup = Setup::of(Profile::named("MC7455").unwrap());
    let request = Request {
        select: Selector::Port(SimulatedWorld::LINK.to_owned()),
        force: true,
        ..wish()
    };
    let mut world = SimulatedWorld::new(setup.clone());
    world.hide_device(0);
    // The lock has the port's own name, whichever link the user named.
    let port = world.port(0).unwrap().id.clone();
    world.lock(Spot::Port(port.clone()), other_run());
    let error = update(&mut world, &request, &images(&setup), &mut |_| {}).unwrap_err();
    assert_eq!((error.code(), error.exit_code()), (Code::ModemLocked, 4));
    assert_eq!(world.written(0, 0), 0);
    world.unlock(&Spot::Port(port));
    let result = update(&mut world, &request, &images(&setup), &mut |_| {});
    assert!(result.is_ok(), "{result:?}");
    assert_eq!((world.opened_unclaimed(), world.claimed()), (&[][..], vec![]));
}

/// If two workers start at the same moment, exactly one gets the modem.
#[test]
fn two_runs_on_one_modem_lead_to_one_update_and_one_error_that_names_the_holder() {
    for setup in [
        running("EM7565"),
        running("MC7455"),
        Setup::of(Profile::named("EM7565").unwrap()),
    ] {
        let images = images(&setup);
        let shared = Shared::new(SimulatedWorld::new(setup.clone()), 2);
        let workers: Vec<_> = (0..2).map(|number| shared.worker(number).unwrap()).collect();
        let results: Vec<Result<Outcome, UpdateError>> = std::thread::scope(|scope| {
            let images = &images;
            let threads: Vec<_> = workers
                .into_iter()
                .map(|mut world| scope.spawn(move || update(&mut world, &wish(), images, &mut |_| {})))
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let won = results.iter().position(Result::is_ok).unwrap();
        let error = results[1 - won].as_ref().unwrap_err();
        assert_eq!(
            (error.code(), error.exit_code()),
            (Code::ModemLocked, 4),
            "{error}"
        );
        assert!(
            error.source.to_string().starts_with("`modemflash update` has"),
            "{}",
            error.source
        );
        let world = shared.into_world().unwrap();
        assert_eq!(world.written(1 - won, 0), 0);
        assert_eq!(world.opened_unclaimed(), []);
        assert_eq!(world.modem(0).unwrap().violations(), []);
        assert_eq!(world.claimed(), []);
    }
}

/// A habit: each time a port is opened, another run tries to claim the modem at each of the modem's places.
struct Rival {
    tries: usize,
    got: Vec<String>,
    places: Vec<String>,
}

impl Habit for Rival {
    fn open(&mut self, world: &mut SimulatedWorld, port: &PortId) -> Result<PortHandle, PortError> {
        let mut claimed = world.claimed();
        claimed.dedup();
        for place in &self.places {
            self.tries += 1;
            let rival = socket(place, None);
            if !claimed.iter().any(|spot| spot.meets(&rival)) {
                self.got.push(format!("{place} at {port}"));
            }
        }
        world.open(port)
    }
}

#[test]
fn the_lock_holds_over_every_enumeration_and_for_both_places_of_a_socket() {
    for (model, places) in [("EM7565", ["1-1", "2-1"]), ("MC7455", ["1-1", "2-1"])] {
        let setup = running(model);
        let habit = Rival {
            tries: 0,
            got: Vec::new(),
            places: places.map(str::to_owned).to_vec(),
        };
        let world = SimulatedWorld::new(setup.clone());
        let mut world = Through { world, habit };
        let result = update(&mut world, &wish(), &images(&setup), &mut |_| {});
        assert!(matches!(result, Ok(Outcome::Updated(_))), "{model}: {result:?}");
        assert!(world.habit.tries >= 6, "{model}: {}", world.habit.tries);
        assert_eq!(world.habit.got, Vec::<String>::new(), "{model}");
    }
}

#[test]
fn a_modem_that_comes_back_at_a_place_that_another_run_has_is_left_to_that_run() {
    // The kernel doesn't know the peer, and the modem moves to the bus of the other speed.
    struct NoPeer;
    impl Habit for NoPeer {
        fn known(&self, device: modem_world::UsbDevice) -> modem_world::UsbDevice {
            modem_world::UsbDevice {
                peer: None,
                serial: Some("LF53210001010".to_owned()),
                ..device
            }
        }
    }
    let setup = running("EM7455");
    for is_locked in [false, true] {
        let mut world = SimulatedWorld::new(setup.clone());
        if is_locked {
            world.lock(socket("1-1", None), other_run());
        }
        let mut world = Through { world, habit: NoPeer };
        let request = Request {
            select: Selector::Place("2-1".to_owned()),
            ..wish()
        };
        let result = update(&mut world, &request, &images(&setup), &mut |_| {});
        match result {
            Ok(_) => assert!(!is_locked),
            Err(error) => {
                assert!(is_locked, "{error}: {}", error.source);
                assert_eq!(error.code(), Code::ModemLocked, "{error}: {}", error.source);
                assert_ne!(error.exit_code(), 4, "the modem was told something before");
            }
        }
        assert_eq!(world.world.opened_unclaimed(), []);
        assert_eq!(world.world.claimed(), []);
    }
}

#[test]
fn an_update_waits_for_a_list_that_claims_the_modem_when_it_comes_back() {
    /// A habit: each time the modem appears at a new place, another run holds it for five seconds.
    struct Lists {
        met: Vec<(modem_world::UsbDevice, modem_world::Instant)>,
    }
    impl Habit for Lists {
        fn claim(&mut self, world: &mut SimulatedWorld, spot: &Spot, verb: &str) -> Result<(), ClaimError> {
            let now = world.now();
            let device = world.devices().unwrap().remove(0).device;
            if !self.met.iter().any(|(met, _)| met.number == device.number) {
                self.met.push((device, now));
            }
            let (_, since) = self.met.last().unwrap();
            if now.since(*since) >= Duration::from_secs(5) {
                return world.claim(spot, verb);
            }
            Err(ClaimError::Held(LockHolder {
                verb: Some("list".to_owned()),
                ..LockHolder::default()
            }))
        }
    }
    for setup in setups() {
        let mut world = Through {
            world: SimulatedWorld::new(setup.clone()),
            habit: Lists { met: Vec::new() },
        };
        let result = update(&mut world, &wish(), &images(&setup), &mut |_| {});
        assert!(matches!(result, Ok(Outcome::Updated(_))), "{result:?}");
        assert!(world.habit.met.len() >= 2, "{}", world.habit.met.len());
        assert_eq!(world.world.opened_unclaimed(), []);
    }
}

#[test]
fn a_modem_that_is_off_the_bus_in_another_run_is_called_locked_and_not_missing() {
    let setup = running("MC7455");
    let mut world = SimulatedWorld::new(setup.clone());
    let place = socket("1-7", None);
    let request = Request {
        select: Selector::Place("1-7".to_owned()),
        ..wish()
    };
    world.lock(place.clone(), other_run());
    let error = update(&mut world, &request, &images(&setup), &mut |_| {}).unwrap_err();
    assert_eq!(error.code(), Code::ModemLocked);
    world.unlock(&place);
    let error = update(&mut world, &request, &images(&setup), &mut |_| {}).unwrap_err();
    assert_eq!(error.code(), Code::ModemNone);
}

#[test]
fn a_survey_asks_the_other_modems_and_names_who_has_this_one() {
    let mut world = two_modems();
    world.lock(socket("1-1", Some("2-1")), other_run());
    for ask in [Some(Verb::List), None] {
        let found = survey(&mut world, &Request::default(), ask).unwrap();
        assert_eq!(found[0].lock, Some(other_run()));
        assert_eq!((&found[0].facts, &found[0].problem), (&None, &None));
        let codes: Vec<_> = found[0]
            .warnings
            .iter()
            .map(|warning| warning.code.as_str())
            .collect();
        assert!(codes.contains(&"LOCKED"), "{codes:?}");
        assert_eq!(found[1].lock, None);
        assert_eq!(found[1].facts.is_some(), ask.is_some());
    }
    assert_eq!(world.written(0, 0), 0);
    // The IMEI of the locked modem can't be read. If no other modem has the wanted IMEI, the locked modem may
    // be the one.
    let own = running("EM7565").storage.imei;
    let error = errand::info(&mut world, &with_imei(&own), &mut |_| {}).unwrap_err();
    assert_eq!((error.code(), error.exit_code()), (Code::ModemLocked, 4));
    let said = error.source.to_string();
    assert!(
        said.contains(
            "(pid 812) has been using the modem for 12 s; that is the modem 1-1, which wasn't asked"
        ),
        "{said}"
    );
    let (modem, _) = errand::info(&mut world, &with_imei(OTHER_IMEI), &mut |_| {}).unwrap();
    assert_ne!(modem.path().as_str(), "1-1");
    assert_eq!(world.written(0, 0), 0);
}

#[test]
fn the_bus_is_read_again_once_the_lock_is_held() {
    /// A habit: the run that held the modem has just restarted and released it, so the modem has another
    /// number on the bus.
    struct JustLeft;
    impl Habit for JustLeft {
        fn claim(
            &mut self,
            world: &mut SimulatedWorld,
            spot: &Spot,
            verb: &str,
        ) -> Result<(), modem_world::ClaimError> {
            if world.now() == modem_world::Instant::START {
                let now = world.now();
                world.re_enumerate_at(0, now);
                let until = now + Duration::from_secs(20);
                while world.wait(&[], until) != modem_world::Wake::Deadline {}
            }
            world.claim(spot, verb)
        }
    }
    let setup = running("MC7455");
    let mut world = Through {
        world: SimulatedWorld::new(setup.clone()),
        habit: JustLeft,
    };
    let (modem, _) = errand::info(&mut world, &Request::default(), &mut |_| {}).unwrap();
    let now = world.world.devices().unwrap().remove(0).device;
    assert_eq!(modem.device, now);
    assert!(now.number > 2, "{}", now.number);
    assert_eq!(world.world.modem(0).unwrap().mode(), Mode::Normal);
}
