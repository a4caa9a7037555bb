//! What established updaters do badly (update-flow.md §9): one test for each row of that table, named after
//! the row.
//!
//! Rows without a complete test here:
//! * 12, resuming by a journal: nothing is kept on disk yet. `running/stops.rs` tests that the same command
//!   finishes a stopped update.
//! * 14, as far as the preference has to survive a crash of the program: the run that set the preference puts
//!   it back; a durable copy will come with the journal.
//! * 17, ports for ids that no driver knows (`new_id`, usbfs): the error names the id and the commands that
//!   help, see `running/failures.rs`; modemflash itself binds nothing yet.
//!
//! Rows 21 and 22 have a second test next to the code, in `src/decide/target.rs`.
#![allow(clippy::cast_possible_truncation)]

use std::collections::VecDeque;
use std::time::Duration;

use crate::support::normal::{
    after, faulty, firmware_of, newer, release, running, settings_of, update_in, update_one, wish,
};
use crate::support::through::{Habit, Through};
use crate::support::{self, Run, firmware, images_for, run_in};
use modem_protocol::qmi::{Frame, Service, ctl};
use modem_world::{Instant, Interest, PortError, PortHandle, PortId, PortKind, Wake, World};
use modemflash_update_engine::modem::Mode as Seen;
use modemflash_update_engine::{
    Advice, Cause, Code, ControlChoice, EventKind, Given, ModemState, Outcome, Request, Selector, Step,
    errand, update,
};
use virtual_modem::profile::Profile;
use virtual_modem::quirk::{HelloHabit, Pieces};
use virtual_modem::simulated::{ModemManager, SimulatedWorld};
use virtual_modem::{ControlProtocol, Mode, Selection, Setup};

fn in_download_mode(model: &str) -> Setup {
    Setup::of(Profile::named(model).unwrap())
}

fn assert_newer(run: &Run, images: &[support::Memory]) {
    run.assert_updated(&newer(run.modem().setup().profile), images);
}

fn at(run: &Run, is_it: impl Fn(&EventKind) -> bool) -> f64 {
    let mut found = run.events.iter().filter(|event| is_it(&event.kind));
    found
        .next()
        .unwrap_or_else(|| panic!("not told\n{}", run.log()))
        .t
}

#[test]
fn row_01_the_sahara_start_waits_for_the_hello_and_not_for_a_clock() {
    for hello in [1, 150, 900] {
        let mut setup = in_download_mode("EM9191");
        setup.timings.hello = Duration::from_millis(hello);
        let (run, images) = update_one(setup);
        assert_newer(&run, &images);
        let detected = at(&run, |kind| matches!(kind, EventKind::Detected { .. }));
        let hello = hello as f64 / 1000.0;
        assert!(
            (hello..hello + 0.02).contains(&detected),
            "hello {hello} s, detected {detected} s"
        );
    }
}

#[test]
fn row_02_a_hello_after_many_seconds_is_heard_and_no_qdl_byte_spoils_it() {
    for late in [4, 10, 18] {
        let mut setup = running("EM9191");
        setup.quirks.hello = HelloHabit::Late(Duration::from_secs(late));
        let (run, images) = update_one(setup);
        assert_newer(&run, &images);
    }
}

#[test]
fn row_03_a_hello_that_comes_only_after_bytes_is_known_for_what_it_is() {
    let mut setup = running("EM9191");
    setup.quirks.hello = HelloHabit::AfterBytes;
    let (run, _) = update_one(setup);
    assert!(run.updated().proven);
    run.assert_runs(&newer(run.modem().setup().profile));
}

#[test]
fn row_04_the_boot_is_polled_and_what_it_reports_is_compared() {
    for ready in [0, 7, 31] {
        let (run, images) = update_one(faulty("MC7455", &format!("return:not-ready={ready}s")));
        assert_newer(&run, &images);
        let appeared = at(&run, |kind| {
            matches!(
                kind,
                EventKind::Appeared {
                    mode: Seen::Normal,
                    ..
                }
            )
        });
        let proven = run.events.last().unwrap().t;
        // The modem must have been on the bus for 6 s; modemflash asks it about every second.
        let took = proven - appeared - f64::from(ready.max(6));
        assert!((0.0..2.0).contains(&took), "{took} s behind its readiness");
    }
    let request = Request {
        force: true,
        ..wish()
    };
    let (run, _) = update_in(
        SimulatedWorld::new(faulty("MC7455", "return:old-firmware")),
        &request,
    );
    assert_eq!(run.error().exit_code(), 7, "{}", run.log());
}

#[test]
fn row_05_a_modem_that_writes_its_flash_for_minutes_is_waited_for_and_the_wait_is_told() {
    let (run, images) = update_one(faulty("MC7455", "return:late=180s"));
    assert_newer(&run, &images);
    let boot = run.begun(|step| *step == Step::Boot);
    let told = run.events.iter().find_map(|event| match &event.kind {
        EventKind::SilenceExpected { up_to_s, why } if event.t >= boot => Some((*up_to_s, why.clone())),
        _ => None,
    });
    let (limit, why) = told.unwrap();
    assert!(limit >= 250.0 && why.contains("starts"), "{limit}: {why}");
}

#[test]
fn row_06_a_return_is_seen_at_once_and_the_old_port_is_never_taken() {
    // Nothing has to be downloaded, so the mode doesn't change, and the old port stays for another 6 s.
    let (first, _) = update_one(running("MC7455"));
    let mut setup = running("MC7455");
    let old = setup.storage.current.clone();
    setup.storage = first.modem().storage().clone();
    (setup.storage.current, setup.storage.preferred) = (old.clone(), Some(old));
    setup.timings.leaving = Duration::from_secs(6);
    let (run, _) = update_one(setup);
    assert_eq!(run.updated().accepted, 0);
    run.assert_runs(&newer(run.modem().setup().profile));
    run.assert_clean();
    // The modem takes 6 s to leave and 70 s to boot; its appearance is told at the same moment.
    let boot = run.begun(|step| *step == Step::Boot);
    let appeared = at(&run, |kind| matches!(kind, EventKind::Appeared { .. }));
    assert!((appeared - boot - 76.0).abs() < 0.05, "{boot} {appeared}");
}

#[test]
fn row_07_nothing_of_the_host_is_linked() {
    let lock = concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.lock");
    let lock = std::fs::read_to_string(lock).unwrap();
    let names: Vec<&str> = lock
        .lines()
        .filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'))
        .collect();
    assert!(names.contains(&"modemflash-update-engine"));
    let linked = [
        "glib", "gio", "udev", "libusb", "dbus-sys", "qmi-sys", "mbim", "openssl", "libz-sys", "lzma-sys",
    ];
    let found: Vec<_> = names
        .iter()
        .filter(|name| linked.iter().any(|word| name.contains(word)))
        .collect();
    assert_eq!(found, Vec::<&&str>::new());
}

#[test]
fn row_08_frames_come_in_any_pieces_and_several_at_once() {
    for model in ["MC7455", "EM7565"] {
        for pieces in [
            Pieces::Joined,
            Pieces::Cut {
                at: 1,
                pause: Duration::from_millis(40),
            },
            Pieces::Cut {
                at: 7,
                pause: Duration::ZERO,
            },
        ] {
            let mut setup = in_download_mode(model);
            setup.quirks.pieces = pieces;
            let world = SimulatedWorld::new(setup).choppy(8);
            let (run, images) = update_in(world, &wish());
            assert_newer(&run, &images);
        }
    }
}

#[test]
fn row_09_a_short_write_is_continued() {
    // A choppy world accepts only a part of every fourth write.
    for (model, seed) in [("MC7455", 1), ("EM7565", 2), ("MC7710", 3), ("EM9191", 4)] {
        let (run, images) = update_in(SimulatedWorld::new(running(model)).choppy(seed), &wish());
        assert_newer(&run, &images);
    }
}

#[test]
fn row_10_a_damaged_file_is_refused_before_the_modem_is_touched() {
    for model in ["MC7455", "EM7565", "MC7710"] {
        let profile = Profile::named(model).unwrap();
        let mut images = release(profile);
        let middle = images[0].bytes.len() / 2;
        images[0].bytes[middle] ^= 0x10;
        // One header declares its checksum valid, the other doesn't. The second image may be sent with
        // --force and a confirmation.
        for (indicator, confirmed, force, code, exit) in [
            (Some(b"GOOD"), true, true, Code::ImageDamaged, 3),
            (None, true, false, Code::ImageDamaged, 3),
            (None, false, true, Code::NotConfirmed, 2),
        ] {
            if let Some(indicator) = indicator {
                images[0].bytes[0x108..0x10c].copy_from_slice(indicator);
            } else {
                images[0].bytes[0x108..0x10c].fill(0xff);
            }
            let request = Request {
                confirmed,
                force,
                ..wish()
            };
            let run = run_in(SimulatedWorld::new(running(model)), &request, &images);
            assert_eq!(run.error().code(), code, "{}", run.log());
            assert_eq!(run.error().exit_code(), exit);
            assert_eq!(
                run.modem().storage().preferred,
                run.modem().setup().storage.preferred
            );
            assert_eq!(run.modem().storage().resets, 1);
            assert_eq!(run.modem().image_bytes(), 0);
            run.assert_clean();
        }
    }
}

#[test]
fn row_11_an_image_for_another_product_is_refused() {
    for (model, other) in [
        ("MC7455", "EM7565"),
        ("EM7565", "EM9191"),
        ("EM9291", "EM9191"),
        ("MC7354", "WP7607"),
    ] {
        let images = release(Profile::named(other).unwrap());
        let run = run_in(SimulatedWorld::new(running(model)), &wish(), &images);
        assert_eq!(
            run.error().code(),
            Code::ImageFamily,
            "{model} {other}: {}",
            run.log()
        );
        assert_eq!(run.error().exit_code(), 3);
        assert_eq!(
            run.modem().storage().preferred,
            run.modem().setup().storage.preferred
        );
        assert_eq!(run.modem().image_bytes(), 0);
    }
}

#[test]
fn row_13_a_failed_download_is_tried_again_and_then_says_how_to_recover() {
    for model in ["MC7455", "EM7565"] {
        let (run, _) = update_one(faulty(model, "drop@30000"));
        assert!(run.updated().proven);
        let (mut run, _) = update_one(faulty(model, "drop@30000,drop@50000"));
        assert_eq!(run.error().exit_code(), 6, "{}", run.log());
        assert!(run.told(|kind| matches!(kind, EventKind::Retrying { what, .. } if what == "the download")));
        assert_eq!(run.error().next, Advice::CheckConnection);
        assert!(run.error().hint().contains("run again"), "{}", run.error().hint());
        // The modem has not disappeared, and its port is free for the next run.
        let port = run.world.port(0).unwrap().id.clone();
        assert!(run.world.open(&port).is_ok());
    }
}

#[test]
fn row_14_the_old_preference_is_back_when_the_download_never_began() {
    for model in ["MC7455", "EM7565", "EM9191", "WP7607"] {
        let (run, _) = update_one(faulty(model, "enter:normal"));
        assert_eq!(run.error().exit_code(), 5, "{}", run.log());
        assert_eq!(run.error().modem, ModemState::RunsFirmware, "{}", run.log());
        assert_eq!(
            run.modem().storage().preferred,
            run.modem().setup().storage.preferred
        );
        run.assert_clean();
        // The radio is on after the next start.
        let mut world = run.world;
        errand::reset(&mut world, &Request::default(), &mut |_| {}).unwrap();
        let later = world.now() + Duration::from_secs(30);
        let _ = world.wait(&[], later);
        assert!(world.modem(0).unwrap().is_online(), "{model}");
    }
}

#[test]
fn row_15_modem_manager_lets_go_of_this_modem_and_works_on_with_the_others() {
    let mut world = SimulatedWorld::new(running("EM7565"));
    let neighbour = world.plug(running("EM7565"));
    world.set_modem_manager(ModemManager::default());
    let request = Request {
        select: Selector::Place("1-1".into()),
        ..wish()
    };
    let images = release(Profile::named("EM7565").unwrap());
    let habit = Watching::default();
    let mut watched = Through { world, habit };
    let result = update(&mut watched, &request, &firmware(&images), &mut |_| {});
    assert!(matches!(result, Ok(Outcome::Updated(_))), "{result:?}");
    let (world, inhibited) = (&watched.world, &watched.habit.inhibited);
    assert_eq!(world.inhibited(), [], "not given back");
    assert_eq!(world.modem(0).unwrap().violations(), []);
    let of_neighbour = world.modem(neighbour).unwrap();
    assert_eq!(of_neighbour.violations(), []);
    assert!(inhibited.iter().all(|path| path == "1-1"), "{inhibited:?}");
    assert!(!inhibited.is_empty());
}

#[test]
fn row_16_a_port_of_the_driver_option_is_as_good_as_any() {
    for model in ["EM9191", "EM9291"] {
        let mut world = SimulatedWorld::new(running(model));
        let drivers: Vec<String> = world.devices().unwrap()[0]
            .ports
            .iter()
            .filter(|port| port.kind == PortKind::Serial)
            .filter_map(|port| port.driver.clone())
            .collect();
        assert!(drivers.iter().all(|driver| driver == "option"), "{drivers:?}");
        let mut ways = Vec::new();
        let reached = errand::enter_download_mode(&mut world, &Request::default(), &mut |event| {
            if let EventKind::Tried { way, .. } = &event.kind {
                ways.push(way.clone());
            }
        });
        assert_eq!(reached.unwrap().mode, Seen::Download, "{ways:?}");
        assert!(ways.last().unwrap().starts_with("AT!BOOTHOLD"), "{ways:?}");
    }
}

#[test]
fn row_18_a_modem_found_in_download_mode_is_read_back_too() {
    for model in ["MC7455", "EM7565", "MC7710"] {
        let (run, images) = update_one(in_download_mode(model));
        assert_newer(&run, &images);
        // The run never reports success after the modem has rejected an image.
        let mut setup = in_download_mode(model);
        setup.faults = "return:download".parse().unwrap();
        let (run, _) = update_one(setup);
        assert_eq!(run.error().code(), Code::DownloadModeAgain, "{}", run.log());
    }
}

#[test]
fn row_19_a_reset_is_done_when_download_mode_is_there() {
    for (model, late) in [("MC7455", "40s"), ("EM7565", "90s")] {
        let mut world = SimulatedWorld::new(faulty(model, &format!("enter:late={late}")));
        let reached = errand::enter_download_mode(&mut world, &Request::default(), &mut |_| {}).unwrap();
        assert_eq!(reached.mode, Seen::Download);
        let modem = world.modem(0).unwrap();
        assert!(modem.is_on_bus() && modem.mode() == Mode::Download);
        assert!(world.now() > after(40.0));
    }
    let mut world = SimulatedWorld::new(faulty("MC7455", "enter:never"));
    let error = errand::enter_download_mode(&mut world, &Request::default(), &mut |_| {}).unwrap_err();
    assert_eq!(error.exit_code(), 9, "{error}: {}", error.source);
}

#[test]
fn row_20_more_chunks_than_can_be_counted_are_an_error_and_no_abort() {
    let mut setup = in_download_mode("MC7455");
    setup.quirks.chunk_size = Some(1);
    let images = images_for(setup.profile, 5, &[70_000]);
    let run = run_in(SimulatedWorld::new(setup), &wish(), &images);
    assert_ne!(run.error().code(), Code::Bug, "{}", run.log());
    assert_eq!(run.modem().image_bytes(), 0, "{}", run.log());
}

#[test]
fn row_21_a_version_that_the_user_gives_fills_a_gap() {
    let profile = Profile::named("EM7565").unwrap();
    let newer = newer(profile);
    let images = vec![firmware_of(profile, &newer, 50_000)];
    let mut setup = running("EM7565");
    setup.storage.pri_images.push(newer.pri());
    let request = Request {
        given: Given {
            firmware: None,
            config: Some(newer.config.clone()),
            carrier: Some("GENERIC".into()),
        },
        ..wish()
    };
    let run = run_in(SimulatedWorld::new(setup), &request, &images);
    run.assert_updated(&newer, &images);
}

#[test]
fn row_22_a_difference_is_named_after_what_differs() {
    for (given, what) in [
        (
            Given {
                config: Some("001.001_001".into()),
                ..Given::default()
            },
            "config version",
        ),
        (
            Given {
                carrier: Some("SPRINT".into()),
                ..Given::default()
            },
            "carrier",
        ),
        (
            Given {
                firmware: Some("01.08.04.00".into()),
                ..Given::default()
            },
            "firmware version",
        ),
    ] {
        let request = Request { given, ..wish() };
        let (run, _) = update_in(SimulatedWorld::new(running("EM7565")), &request);
        let Cause::VersionsDiffer { what: named, .. } = &*run.error().source else {
            panic!("{}", run.log())
        };
        assert_eq!(*named, what);
        // The same holds for files whose versions differ from each other.
        let profile = run.modem().setup().profile;
        let newer = newer(profile);
        let other = Selection::new(&newer.firmware, "SPRINT", "001.002_003");
        let images = [release(profile), vec![settings_of(profile, &other)]].concat();
        let run = run_in(SimulatedWorld::new(running("EM7565")), &wish(), &images);
        let why = run.error().source.to_string();
        assert!(
            why.contains("config") && why.contains("001.002_003") || why.contains("SPRINT"),
            "{why}"
        );
    }
}

#[test]
fn row_23_neither_the_modem_nor_the_host_falls_asleep() {
    for model in ["MC7455", "EM7455"] {
        let (run, _) = update_one(running(model));
        // The host keeps the modem awake before the start, and again in download mode, where the modem may be
        // on another bus.
        let kept: Vec<String> = run.world.kept_awake().iter().map(ToString::to_string).collect();
        assert!(kept.len() >= 2, "{kept:?}");
        assert_eq!(kept.last().map(String::as_str), Some("1-1"));
        assert_eq!(run.world.awake_reasons().len(), 1);
        assert!(run.world.awake_reasons()[0].contains("firmware"));
    }
}

#[test]
fn row_24_silence_is_told_before_it_begins_and_the_modem_s_log_is_shown() {
    for model in ["MC7455", "EM7565"] {
        let (run, _) = update_one(running(model));
        let told = at(
            &run,
            |kind| matches!(kind, EventKind::SilenceExpected { why, .. } if why.contains("writing it to flash")),
        );
        let accepted = at(&run, |kind| matches!(kind, EventKind::ImageAccepted { .. }));
        assert!(told < accepted, "{told} {accepted}");
        // Every longer gap without events follows the announcement of a silence or the start of a step.
        for pair in run.events.windows(2) {
            if pair[1].t - pair[0].t > 5.5 {
                let announced = run.events.iter().any(|event| {
                    matches!(event.kind, EventKind::SilenceExpected { .. })
                        && event.t <= pair[0].t
                        && event.t + 300.0 >= pair[1].t
                });
                assert!(announced, "{:?} {:?}", pair[0], pair[1]);
            }
        }
        let is_logged = run.told(|kind| matches!(kind, EventKind::ModemLog { .. }));
        assert_eq!(is_logged, model == "EM7565", "{}", run.log());
    }
}

#[test]
fn row_25_every_kind_of_end_has_its_own_exit_code() {
    let exit = |run: &Run| run.result.as_ref().map_or_else(|error| error.exit_code(), |_| 0);
    let of = |setup: Setup| exit(&update_one(setup).0);
    let (first, _) = update_one(running("MC7455"));
    let mut same = running("MC7455");
    same.storage = first.modem().storage().clone();
    let (unchanged, _) = update_one(same);
    assert!(matches!(unchanged.result, Ok(Outcome::Unchanged(_))));
    let mut world = SimulatedWorld::new(running("MC7455"));
    world.plug(running("MC7455"));
    let force = Request {
        force: true,
        ..wish()
    };
    let old = update_in(
        SimulatedWorld::new(faulty("MC7455", "return:old-firmware")),
        &force,
    )
    .0;
    let foreign = run_in(
        SimulatedWorld::new(running("MC7455")),
        &wish(),
        &release(Profile::named("EM7565").unwrap()),
    );
    let slot = Request {
        slot: Some(9),
        ..wish()
    };
    let codes = [
        exit(&unchanged),
        exit(&update_in(SimulatedWorld::new(running("MC7455")), &slot).0),
        exit(&foreign),
        exit(&update_in(world, &wish()).0),
        of(faulty("MC7455", "refuse@0x48:48")),
        of(faulty("MC7455", "reject-image@1")),
        exit(&old),
        of(faulty("MC7455", "enter:never")),
    ];
    assert_eq!(codes, [0, 2, 3, 4, 5, 6, 7, 9]);
}

#[test]
fn row_26_two_modems_with_the_same_ids_are_listed_and_can_be_chosen() {
    let world = || {
        let mut world = SimulatedWorld::new(running("EM7565"));
        let mut second = running("EM7565");
        second.storage.imei = "012345678909999".into();
        world.plug(second);
        world
    };
    let (run, images) = update_in(world(), &wish());
    let Cause::SeveralModems { found, .. } = &*run.error().source else {
        panic!("{}", run.log())
    };
    assert_eq!(found.len(), 2);
    for select in [
        Selector::Place("1-2".into()),
        Selector::Imei("012345678909999".into()),
    ] {
        let request = Request { select, ..wish() };
        let run = run_in(world(), &request, &images);
        assert!(run.result.is_ok(), "{}", run.log());
        assert_eq!(run.world.modem(0).unwrap().image_bytes(), 0);
        assert!(run.world.modem(1).unwrap().image_bytes() > 0);
    }
}

#[test]
fn row_27_no_sync_goes_through_a_shared_proxy() {
    let request = Request {
        control: ControlChoice::QmiProxy,
        ..wish()
    };
    let images = release(Profile::named("MC7455").unwrap());
    let go = |setup: Setup, request: &Request| {
        let mut world = Through {
            world: SimulatedWorld::new(setup),
            habit: Proxy::default(),
        };
        let result = update(&mut world, request, &firmware(&images), &mut |_| {});
        (world, result)
    };
    let (world, result) = go(running("MC7455"), &request);
    assert!(matches!(result, Ok(Outcome::Updated(_))), "{result:?}");
    assert!(world.habit.opened > 0);
    assert_eq!(world.habit.syncs, 0);
    assert_eq!(world.world.modem(0).unwrap().violations(), []);
    // That holds even if only a sync would free a client id.
    let mut setup = running("MC7455");
    setup.quirks.has_stale_clients = true;
    let (world, result) = go(setup.clone(), &request);
    assert_eq!(world.habit.syncs, 0);
    assert!(world.habit.opened > 0);
    assert_ne!(
        result.map(|outcome| matches!(outcome, Outcome::Updated(_))),
        Ok(true)
    );
    // Without a proxy, the sync helps.
    let (world, result) = go(setup, &wish());
    assert!(matches!(result, Ok(Outcome::Updated(_))), "{result:?}");
    assert!(world.habit.syncs > 0);
}

#[test]
fn row_28_a_modem_that_is_still_in_normal_mode_is_said_to_be() {
    // The modem came back in normal mode.
    let (run, _) = update_one(faulty("EM7565", "enter:normal"));
    assert_eq!(run.error().code(), Code::DownloadNotEntered);
    assert!(
        run.error()
            .source
            .to_string()
            .contains("came back in normal mode"),
        "{}",
        run.log()
    );
    // The user mistook the DIAG port of the running firmware for the download port; it answers 0x13.
    let mut setup = in_download_mode("EM7565");
    setup.mode = Mode::Diag;
    let request = Request {
        select: Selector::Port(SimulatedWorld::LINK.into()),
        force: true,
        ..wish()
    };
    let mut world = SimulatedWorld::new(setup);
    world.hide_device(0);
    let images = release(Profile::named("EM7565").unwrap());
    let run = run_in(world, &request, &images);
    assert_eq!(run.error().code(), Code::ModeNormal, "{}", run.log());
    assert!(run.error().source.to_string().contains("DIAG"), "{}", run.log());
    // The modem never comes back, and the run doesn't wait for ever.
    let (run, _) = update_one(faulty("EM7565", "enter:never"));
    assert_eq!(run.error().code(), Code::ResetNoReturn);
    assert!(run.events.last().unwrap().t < 200.0);
}

#[test]
fn every_row_has_its_test_or_its_reason() {
    let here = include_str!("improvements.rs");
    let head: String = here.lines().take_while(|line| line.starts_with("//!")).collect();
    for row in 1..=28 {
        let is_tested = here.contains(&format!("fn row_{row:02}_"));
        let is_explained = head.contains(&format!("* {row},"));
        assert!(is_tested || is_explained, "row {row}");
    }
    assert_eq!(ControlProtocol::default(), ControlProtocol::Qmi);
}

/// Records, at each wait, which modems ModemManager keeps away from.
#[derive(Default)]
struct Watching {
    inhibited: Vec<String>,
}

impl Habit for Watching {
    fn wait(&mut self, world: &mut SimulatedWorld, interests: &[Interest], deadline: Instant) -> Wake {
        let now = world.inhibited().into_iter().map(|path| path.to_string());
        self.inhibited.extend(now);
        world.wait(interests, deadline)
    }
}

/// The qmi-proxy, as its clients see it (qmi.md §6).
#[derive(Default)]
struct Proxy {
    /// The connections to the proxy: the handle given out, the control port behind it once the client has
    /// named one, and the proxy's own answers.
    connections: Vec<(PortHandle, Option<PortHandle>, VecDeque<Vec<u8>>)>,
    opened: usize,
    syncs: usize,
}

impl Proxy {
    fn place(&self, port: PortHandle) -> Option<usize> {
        self.connections.iter().position(|(handle, ..)| *handle == port)
    }
}

impl Habit for Proxy {
    fn wait(&mut self, world: &mut SimulatedWorld, interests: &[Interest], deadline: Instant) -> Wake {
        for interest in interests {
            if let Interest::Readable(port) = interest {
                if self
                    .place(*port)
                    .is_some_and(|place| !self.connections[place].2.is_empty())
                {
                    return Wake::Readable(*port);
                }
            }
        }
        let behind: Vec<Interest> = interests
            .iter()
            .map(|interest| match interest {
                Interest::Readable(port) => Interest::Readable(self.behind(*port)),
                Interest::Writable(port) => Interest::Writable(self.behind(*port)),
                other => *other,
            })
            .collect();
        let wake = world.wait(&behind, deadline);
        let place = behind.iter().position(|interest| match (interest, wake) {
            (Interest::Readable(port), Wake::Readable(woken)) => *port == woken,
            (Interest::Writable(port), Wake::Writable(woken)) => *port == woken,
            _ => false,
        });
        match place.map(|place| interests[place]) {
            Some(Interest::Readable(port)) => Wake::Readable(port),
            Some(Interest::Writable(port)) => Wake::Writable(port),
            _ => wake,
        }
    }
    fn open(&mut self, world: &mut SimulatedWorld, port: &PortId) -> Result<PortHandle, PortError> {
        if port.as_str() != "@qmi-proxy" {
            return world.open(port);
        }
        let handle = PortHandle(1_000_000 + self.opened as u32);
        self.opened += 1;
        self.connections.push((handle, None, VecDeque::new()));
        Ok(handle)
    }
    fn try_read(
        &mut self,
        world: &mut SimulatedWorld,
        port: PortHandle,
        buffer: &mut [u8],
    ) -> Result<usize, PortError> {
        if let Some(place) = self.place(port) {
            if let Some(said) = self.connections[place].2.pop_front() {
                buffer[..said.len()].copy_from_slice(&said);
                return Ok(said.len());
            }
            if self.connections[place].1.is_none() {
                return Ok(0);
            }
        }
        world.try_read(self.behind(port), buffer)
    }
    fn try_write(
        &mut self,
        world: &mut SimulatedWorld,
        port: PortHandle,
        bytes: &[u8],
    ) -> Result<usize, PortError> {
        let frame = Frame::parse(bytes).ok();
        let is_ctl = |message: u16| {
            frame
                .as_ref()
                .is_some_and(|frame| frame.service == Service::Ctl && frame.message == message)
        };
        if let (Some(place), true) = (self.place(port), is_ctl(0xFF00)) {
            let frame = frame.unwrap();
            let device = String::from_utf8(frame.tlvs.get(1).unwrap().to_vec()).unwrap();
            let behind = world.open(&PortId::new(device))?;
            self.connections[place].1 = Some(behind);
            let mut answer = ctl::Response::Synced.to_frame(frame.transaction.to_le_bytes()[0]);
            answer.message = 0xFF00;
            self.connections[place].2.push_back(answer.encode());
            return Ok(bytes.len());
        }
        self.syncs += usize::from(is_ctl(0x0027));
        world.try_write(self.behind(port), bytes)
    }
    /// The control port behind a connection, or the port itself.
    fn behind(&self, port: PortHandle) -> PortHandle {
        self.place(port)
            .and_then(|place| self.connections[place].1)
            .unwrap_or(port)
    }
}
