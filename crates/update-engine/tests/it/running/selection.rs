//! Choosing a modem, and listing all modems.

use std::time::Duration;

use modem_world::{Instant, Interest, Wake, World};
use modemflash_update_engine::modem::Mode as Seen;
use modemflash_update_engine::{Cause, Code, EventKind, Request, Selector, Verb, errand, survey};
use virtual_modem::profile::Profile;
use virtual_modem::simulated::SimulatedWorld;
use virtual_modem::{Mode, Setup};

use crate::support::normal::{newer, release, running, update_in, wish};
use crate::support::run_in;
use crate::support::through::{Habit, Through};

/// An MC7455 at 1-1, an EM7565 in download mode at 1-2, an EM9191 at 2-3, another MC7455 at 1-4, an adapter at 1-5.
fn world() -> SimulatedWorld {
    let mut first = running("MC7455");
    first.storage.imei = "012345678901111".into();
    let mut world = SimulatedWorld::new(first);
    world.plug(Setup::of(Profile::named("EM7565").unwrap()));
    world.plug(running("EM9191"));
    let mut last = running("MC7455");
    last.storage.imei = "012345678904444".into();
    world.plug(last);
    world.plug_foreign();
    world
}

fn chosen(select: &Selector) -> Vec<String> {
    let mut world = world();
    let found = select.candidates(&mut world).unwrap();
    found.iter().map(|modem| modem.path().to_string()).collect()
}

#[test]
fn every_form_of_a_selector_names_the_modems_that_fit() {
    let mut world = world();
    let numbers: Vec<u32> = world
        .devices()
        .unwrap()
        .iter()
        .map(|there| there.device.number)
        .collect();
    let ports: Vec<String> = world
        .devices()
        .unwrap()
        .iter()
        .map(|there| there.ports.last().unwrap().id.to_string())
        .collect();
    let id = |vendor, product| Selector::Id { vendor, product };
    let number = |bus, device| Selector::BusNumber { bus, device };
    for (select, paths) in [
        (Selector::Only, vec!["1-1", "1-2", "2-3", "1-4"]),
        (Selector::Place("1-4".into()), vec!["1-4"]),
        // The place of the same socket on the other bus.
        (Selector::Place("1-3".into()), vec!["2-3"]),
        (Selector::Place("2-1".into()), vec!["1-1"]),
        // What the user names is never filtered away.
        (Selector::Place("1-5".into()), vec!["1-5"]),
        (id(0x0403, Some(0x6001)), vec!["1-5"]),
        (id(0x1199, None), vec!["1-1", "1-2", "2-3", "1-4"]),
        (id(0x1199, Some(0x9071)), vec!["1-1", "1-4"]),
        (id(0x1199, Some(0x90d3)), vec!["2-3"]),
        (id(0x413c, None), vec![]),
        (number(None, numbers[3]), vec!["1-4"]),
        (number(Some(2), numbers[2]), vec!["2-3"]),
        // Each bus has its own numbers: the first devices of both buses have the same number.
        (number(Some(1), numbers[2]), vec!["1-1"]),
        (number(None, numbers[2]), vec!["1-1", "2-3"]),
        (number(Some(2), numbers[3]), vec![]),
        (Selector::Port(ports[0].clone()), vec!["1-1"]),
        (Selector::Port(ports[1].clone()), vec!["1-2"]),
        (Selector::Port(SimulatedWorld::LINK.into()), vec!["1-1"]),
    ] {
        assert_eq!(chosen(&select), paths, "{select}");
    }
    assert!(
        Selector::Port("/dev/ttyUSB99".into())
            .candidates(&mut world)
            .is_err()
    );
}

#[test]
fn an_update_by_any_form_reaches_that_modem_and_no_other() {
    for select in [
        Selector::Place("1-4".into()),
        Selector::Imei("012345678904444".into()),
        Selector::Port("/dev/cdc-wdm3".into()),
    ] {
        let request = Request { select, ..wish() };
        let profile = Profile::named("MC7455").unwrap();
        let run = run_in(world(), &request, &release(profile));
        assert!(run.result.is_ok(), "{}", run.log());
        let state = |place: usize| {
            let modem = run.world.modem(place).unwrap();
            (
                modem.storage().current.clone(),
                modem.image_bytes() > 0,
                modem.violations().len(),
            )
        };
        assert_eq!(state(3), (newer(profile), true, 0), "{}", request.select);
        for place in [0, 1, 2] {
            let modem = run.world.modem(place).unwrap();
            assert_eq!(
                state(place),
                (modem.setup().storage.current.clone(), false, 0),
                "{}",
                request.select
            );
        }
        let json: String = run
            .events
            .iter()
            .map(|event| serde_json::to_string(event).unwrap())
            .collect();
        assert!(!json.contains("01234567890"), "an IMEI is told");
    }
}

#[test]
fn several_matching_modems_are_listed_with_the_way_to_choose_one() {
    let mut world = world();
    for select in [
        Selector::Only,
        Selector::Id {
            vendor: 0x1199,
            product: Some(0x9071),
        },
    ] {
        let request = Request {
            select,
            ..Request::default()
        };
        let error = errand::info(&mut world, &request, &mut |_| {}).unwrap_err();
        assert_eq!((error.code(), error.exit_code()), (Code::ModemSeveral, 4));
        let Cause::SeveralModems { found, .. } = &*error.source else {
            panic!("{error}")
        };
        assert!(
            found.iter().any(|line| line.starts_with("--port 1-1 (")),
            "{found:?}"
        );
        assert!(
            found.iter().any(|line| line.starts_with("--port 1-4 (")),
            "{found:?}"
        );
        assert!(found.iter().all(|line| line.contains("mode")), "{found:?}");
    }
}

#[test]
fn an_error_without_a_matching_modem_lists_the_modems_on_the_bus() {
    let mut world = world();
    for select in [
        Selector::Place("9-9".into()),
        Selector::Id {
            vendor: 0x413c,
            product: None,
        },
        Selector::Imei("999999999999999".into()),
    ] {
        let request = Request {
            select,
            ..Request::default()
        };
        let error = errand::info(&mut world, &request, &mut |_| {}).unwrap_err();
        assert_eq!((error.code(), error.exit_code()), (Code::ModemNone, 4));
        let Cause::NoModem { others, wanted, .. } = &*error.source else {
            panic!("{error}")
        };
        assert_eq!(others.len(), 4, "{others:?}");
        assert!(!wanted.to_string().contains("99999999"), "{wanted}");
    }
    assert_eq!(
        world.modem(1).unwrap().violations(),
        [],
        "a boot loader was asked for its IMEI"
    );
}

#[test]
fn the_only_modem_is_chosen_by_default_whatever_else_is_plugged_in() {
    let mut world = SimulatedWorld::new(running("MC7455"));
    world.plug_foreign();
    let (run, images) = update_in(world, &wish());
    run.assert_updated(&newer(run.modem().setup().profile), &images);
}

#[test]
fn a_survey_lists_every_modem_and_asks_those_that_run() {
    let mut world = world();
    // The modems have just been plugged in.
    let later = world.now() + std::time::Duration::from_secs(10);
    let _ = world.wait(&[], later);
    let found = survey::survey(&mut world, &Request::default(), Some(Verb::List)).unwrap();
    let lines: Vec<_> = found
        .iter()
        .map(|there| {
            let facts = there.facts.as_ref();
            (
                there.modem.path().to_string(),
                there.modem.mode,
                facts.and_then(|facts| facts.model.clone()),
                facts.and_then(|facts| facts.imei.clone()),
            )
        })
        .collect();
    let model = |name: &str| Some(name.to_owned());
    assert_eq!(
        lines,
        [
            (
                "1-1".into(),
                Seen::Normal,
                model("MC7455"),
                model("012345678901111")
            ),
            ("1-2".into(), Seen::Download, None, None),
            (
                "2-3".into(),
                Seen::Normal,
                model("EM9191"),
                model("012345678901237")
            ),
            (
                "1-4".into(),
                Seen::Normal,
                model("MC7455"),
                model("012345678904444")
            ),
        ]
    );
    let codes: Vec<Vec<&str>> = found
        .iter()
        .map(|there| there.warnings.iter().map(|remark| remark.code.as_str()).collect())
        .collect();
    assert_eq!(codes[1], ["DOWNLOAD-MODE"]);
    assert!(codes[0].is_empty(), "{codes:?}");
    for place in 0..4 {
        assert_eq!(world.modem(place).unwrap().violations(), [], "{place}");
    }
}

#[test]
fn a_survey_without_questions_opens_nothing_and_one_of_a_booting_modem_does_not_wait() {
    let mut world = world();
    let before = world.now();
    let found = survey::survey(&mut world, &Request::default(), None).unwrap();
    assert!(
        found
            .iter()
            .all(|there| there.facts.is_none() && there.problem.is_none())
    );
    assert_eq!(world.now(), before);
}

#[test]
fn a_survey_says_what_keeps_a_modem_off_the_air() {
    // An update was never finished: the modem's preference names firmware that it doesn't have.
    let mut setup = running("MC7455");
    setup.storage.preferred = Some(newer(setup.profile));
    let mut world = SimulatedWorld::new(setup);
    let later = world.now() + std::time::Duration::from_secs(10);
    let _ = world.wait(&[], later);
    let found = survey::survey(&mut world, &Request::default(), Some(Verb::List)).unwrap();
    let remark = &found[0].warnings[0];
    assert_eq!(remark.code.as_str(), "IMAGE-MISMATCH");
    assert!(
        remark.text.contains("02.33.03.00 GENERIC 002.072_000"),
        "{}",
        remark.text
    );
}

#[test]
fn an_emergency_modem_is_listed_but_never_touched() {
    let mut setup = Setup::of(Profile::named("MC7455").unwrap());
    setup.mode = Mode::Pbl;
    let mut world = SimulatedWorld::new(setup);
    let found = survey::survey(&mut world, &Request::default(), Some(Verb::List)).unwrap();
    assert_eq!(found[0].modem.mode, Seen::Emergency);
    assert_eq!(found[0].warnings[0].code.as_str(), "EMERGENCY");
    let run = run_in(world, &wish(), &release(Profile::named("MC7455").unwrap()));
    assert_eq!(run.error().code(), Code::ModeEmergency);
    assert_eq!(run.modem().violations(), []);
}

/// A modem that restarts, and comes to place 1-2 at this time.
struct Comes {
    at: Instant,
    setup: Option<Setup>,
}

impl Habit for Comes {
    fn wait(&mut self, world: &mut SimulatedWorld, interests: &[Interest], deadline: Instant) -> Wake {
        if self.setup.is_some() && deadline >= self.at {
            let wake = world.wait(interests, self.at);
            if world.now() >= self.at {
                world.plug(self.setup.take().unwrap());
            }
            return wake;
        }
        world.wait(interests, deadline)
    }
}

/// Asks for the modem at 1-2, which comes after this many seconds. Also: what was said while it was waited for.
fn ask_for_one_that_comes(after: u64) -> (Result<String, (Code, u64)>, Vec<String>) {
    let world = SimulatedWorld::new(running("MC7455"));
    let mut world = Through {
        habit: Comes {
            at: world.now() + Duration::from_secs(after),
            setup: Some(running("EM7565")),
        },
        world,
    };
    let begun = world.now();
    let request = Request {
        select: Selector::Place("1-2".into()),
        ..wish()
    };
    let mut said = Vec::new();
    let result = errand::info(&mut world, &request, &mut |event| {
        if let EventKind::Warning { warning } = &event.kind {
            said.push(warning.code.as_str().to_owned());
        }
    });
    let waited = world.now().since(begun).as_secs();
    let result = result.map(|(_, facts)| facts.model.unwrap());
    (result.map_err(|error| (error.code(), waited)), said)
}

#[test]
fn a_place_that_is_empty_for_a_while_is_waited_for_and_not_without_end() {
    assert_eq!(
        ask_for_one_that_comes(12),
        (Ok("EM7565".to_owned()), vec!["PLACE-EMPTY".to_owned()])
    );
    let (gone, said) = ask_for_one_that_comes(1000);
    assert_eq!(gone, Err((Code::ModemNone, 30)));
    assert_eq!(said, ["PLACE-EMPTY"]);
}

#[test]
fn what_the_user_does_not_name_by_its_place_is_not_waited_for() {
    let mut world = SimulatedWorld::new(running("MC7455"));
    let request = Request {
        select: Selector::Id {
            vendor: 0x1199,
            product: Some(0x9091),
        },
        ..wish()
    };
    let begun = world.now();
    let error = errand::info(&mut world, &request, &mut |_| {}).unwrap_err();
    assert_eq!(error.code(), Code::ModemNone);
    assert_eq!(world.now(), begun);
}

#[test]
fn a_device_of_another_maker_is_found_when_named_but_not_changed() {
    let mut world = world();
    let named = |select| Request { select, ..wish() };
    for select in [
        Selector::Place("1-5".into()),
        Selector::Id {
            vendor: 0x0403,
            product: Some(0x6001),
        },
    ] {
        let error = errand::reset(&mut world, &named(select.clone()), &mut |_| {}).unwrap_err();
        assert_eq!(
            (error.code(), error.exit_code()),
            (Code::DeviceForeign, 4),
            "{select}"
        );
        let run = run_in(
            world,
            &named(select.clone()),
            &release(Profile::named("EM7565").unwrap()),
        );
        assert_eq!(run.error().code(), Code::DeviceForeign, "{select}");
        world = run.world;
        assert_eq!(world.written(0, 4), 0);
    }
}

#[test]
fn information_on_a_named_device_of_another_maker_says_what_it_is() {
    let mut world = world();
    let request = Request {
        select: Selector::Place("1-5".into()),
        ..wish()
    };
    let seen = match survey::one(&mut world, &request, &mut |_| {}) {
        Ok(seen) => seen.warnings,
        Err(unasked) => unasked.seen.map(|seen| seen.warnings).unwrap_or_default(),
    };
    let said: Vec<&str> = seen.iter().map(|remark| remark.text.as_str()).collect();
    assert!(
        said.iter()
            .any(|text| text.contains("0403:6001 is not a Sierra Wireless modem")),
        "{said:?}"
    );
    assert!(
        !said
            .iter()
            .any(|text| text.contains("waiting for firmware") || text.contains("new_id")),
        "{said:?}"
    );
}
