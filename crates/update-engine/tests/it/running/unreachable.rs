//! Modems that no driver of the host would know in download mode: modemflash doesn't switch them to download
//! mode.

use modem_world::trace::{Event as Traced, Trace, Written};
use modem_world::{PortKind, Recorder, Replayer};
use modemflash_update_engine::errand::{at_command, enter_download_mode, enter_download_mode_asking};
use modemflash_update_engine::survey::survey;
use modemflash_update_engine::{
    Advice, Code, Event, EventKind, ModemState, Outcome, Request, UpdateError, prepare, update, update_asking,
};
use virtual_modem::layout::Composition;
use virtual_modem::profile::Profile;
use virtual_modem::simulated::SimulatedWorld;
use virtual_modem::storage::ModemImage;
use virtual_modem::{ControlProtocol, Mode, Selection, Setup};

use super::failures::{assert_as_before, assert_fails, assert_newer, in_download_mode};
use super::whole::em7565_with;
use crate::support::normal::{at_only, newer, release, release_of, running, speaking, update_in, wish};
use crate::support::{Memory, Run, firmware, run_in};

const CONTROLS: [ControlProtocol; 2] = [ControlProtocol::Qmi, ControlProtocol::Mbim];
const BIND: &str = "`modprobe option`, then `echo 1199 90b0 ff > /sys/bus/usb-serial/drivers/option1/new_id`";

/// An EM7565 after `AT!USBCOMP=1,1,100D`: 1199:90b1 with MBIM in normal mode, 1199:90b0 in download mode.
fn em7565_as_90b1() -> Setup {
    let mut setup = speaking("EM7565", ControlProtocol::Mbim);
    let usb = &mut setup.storage.usb;
    (usb.kind, usb.application, usb.boot) = (1, 0x90b1, 0x90b0);
    usb.composition = Composition::WITH_MBIM;
    setup
}

fn on_mainline(setup: Setup) -> SimulatedWorld {
    SimulatedWorld::new(setup).with_mainline_drivers()
}

fn images_of(world: &SimulatedWorld) -> Vec<Memory> {
    release(world.modem(0).unwrap().setup().profile)
}

/// Runs an update and records what is written.
fn recorded(world: SimulatedWorld, request: &Request) -> (Run, Trace) {
    let images = images_of(&world);
    let (mut text, mut events) = (Vec::new(), Vec::new());
    let mut recorder = Recorder::new(world, &mut text, |error| panic!("{error}"));
    let result = update(&mut recorder, request, &firmware(&images), &mut |event| {
        events.push(event.clone());
    });
    let world = recorder.finish();
    let trace = Trace::parse(&String::from_utf8(text).unwrap()).unwrap();
    let run = Run {
        world,
        events,
        result,
    };
    (run, trace)
}

/// How many of the written messages contain the number of this QMI request.
fn written(trace: &Trace, request: u8) -> usize {
    let writes = trace.entries.iter().filter_map(|entry| match &entry.event {
        Traced::Written {
            data: Written::Whole(bytes),
            ..
        } => Some(bytes),
        _ => None,
    });
    writes
        .filter(|bytes| bytes.windows(2).any(|pair| pair == [request, 0]))
        .count()
}

/// "Set firmware preference" and "set operating mode" (qmi.md §5).
const SETS: [u8; 2] = [0x48, 0x2e];

fn warnings(run: &Run) -> Vec<&'static str> {
    let told = run.events.iter().filter_map(|event| match &event.kind {
        EventKind::Warning { warning } => Some(warning.code.as_str()),
        _ => None,
    });
    told.collect()
}

// linux.md §2: 90b0 is in no mainline driver.
#[test]
fn a_modem_that_no_driver_would_know_in_download_mode_is_not_sent_there() {
    let (run, trace) = recorded(on_mainline(em7565_as_90b1()), &wish());
    assert_fails(&run, Code::DownloadNoPort, 4, ModemState::RunsFirmware);
    assert_as_before(&run);
    let modem = run.modem();
    assert_eq!(
        modem.storage().resets,
        modem.setup().storage.resets + 1,
        "at its start only"
    );
    for set in SETS {
        assert_eq!(written(&trace, set), 0, "{set:02x}");
    }
    let error = run.error();
    assert!(error.source.to_string().contains("1199:90b0"), "{}", run.log());
    assert!(error.hint().contains(BIND), "{}", error.hint());
    assert_eq!(error.next, Advice::BindDriver);

    // A replay of the trace ends in the same refusal.
    let mut replayer = Replayer::new(trace);
    let images = images_of(&run.world);
    let again = update(&mut replayer, &wish(), &firmware(&images), &mut |_| {});
    assert_eq!(again.unwrap_err().code(), Code::DownloadNoPort);
    replayer.finish().unwrap();
}

#[test]
fn the_same_command_goes_through_when_a_driver_was_given_the_id() {
    let mut world = on_mainline(em7565_as_90b1());
    world.teach_id(0x1199, 0x90b0);
    let (run, trace) = recorded(world, &wish());
    assert_newer(&run, &images_of(&run.world));
    assert_eq!(warnings(&run), [] as [&str; 0]);
    // This shows that the check above would have noticed such messages.
    for set in SETS {
        assert!(written(&trace, set) > 0, "{set:02x}");
    }
}

#[test]
fn whatever_the_way_into_download_mode_would_be_it_is_not_tried() {
    let setups = [
        (speaking("MC7455", ControlProtocol::Qmi), 0x9070),
        (speaking("MC7455", ControlProtocol::Mbim), 0x9070),
        (at_only("MC7455"), 0x9070),
        // A modem without preferences.
        (speaking("Gobi2000", ControlProtocol::Qmi), 0x9000),
        (running("EM9191"), 0x90d2),
    ];
    for (setup, boot) in setups {
        let name = setup.profile.name;
        let mut world = SimulatedWorld::new(setup);
        world.forget_id(0x1199, boot);
        let (run, _) = update_in(world, &wish());
        assert_fails(&run, Code::DownloadNoPort, 4, ModemState::RunsFirmware);
        assert_eq!(run.ways(), [] as [String; 0], "{name}");
        assert_as_before(&run);
        let error = prepare_in(run.world, &wish()).unwrap_err();
        assert_eq!(
            (error.code(), error.exit_code()),
            (Code::DownloadNoPort, 4),
            "{name}"
        );
    }
}

fn prepare_in(
    mut world: SimulatedWorld,
    request: &Request,
) -> Result<modemflash_update_engine::Plan, UpdateError> {
    let images = images_of(&world);
    prepare(&mut world, request, &firmware(&images))
}

#[test]
fn what_a_host_can_not_tell_is_asked_and_goes_on_with_a_yes() {
    for control in CONTROLS {
        let world = || {
            let mut world = SimulatedWorld::new(speaking("MC7455", control));
            world.hide_driver_tables();
            world
        };
        let unconfirmed = Request::default();
        let (run, trace) = recorded(world(), &unconfirmed);
        assert_fails(&run, Code::NotConfirmed, 2, ModemState::RunsFirmware);
        assert_as_before(&run);
        for set in SETS {
            assert_eq!(written(&trace, set), 0, "{set:02x}");
        }
        assert_eq!(warnings(&run), ["DOWNLOAD-PORT-UNKNOWN"]);
        let why = run.error().source.to_string();
        assert!(
            why.contains("in download mode the modem has the USB id 1199:9070,")
                && why.contains("no table of its drivers"),
            "{why}"
        );
        assert!(why.contains("echo 1199 9070 ff > "), "{why}");

        let (run, images) = update_in(world(), &wish());
        assert_newer(&run, &images);
        // The user is asked at a terminal.
        let mut world = world();
        let mut asked = 0;
        let result = update_asking(
            &mut world,
            &unconfirmed,
            &firmware(&images),
            &mut |_| {},
            &mut |plan| {
                asked += plan.to_confirm().count();
                true
            },
        );
        assert!(matches!(result, Ok(Outcome::Updated(_))), "{result:?}");
        assert_eq!(asked, 1);
    }
}

#[test]
fn a_modem_that_keeps_its_id_is_never_asked_about() {
    for model in ["MC7710", "MC7354", "WP7607", "RC7620"] {
        for setup in [running(model), at_only(model)] {
            let mut world = SimulatedWorld::new(setup);
            world.hide_driver_tables();
            let (run, _) = update_in(world, &Request::default());
            assert!(
                !warnings(&run).contains(&"DOWNLOAD-PORT-UNKNOWN"),
                "{model}: {}",
                run.log()
            );
            let is_sent = run.told(|kind| matches!(kind, EventKind::Appeared { .. }));
            // With AT commands alone, another warning ends the run.
            assert!(
                is_sent || warnings(&run).contains(&"NO-CONTROL-PORT"),
                "{model}: {}",
                run.log()
            );
        }
    }
}

#[test]
fn a_modem_that_keeps_its_id_passes_without_a_serial_port_too() {
    let mut setup = speaking("WP7607", ControlProtocol::Mbim);
    setup.storage.usb.composition = Composition::MBIM;
    let mut world = SimulatedWorld::new(setup);
    world.hide_driver_tables();
    let (run, _) = update_in(world, &Request::default());
    assert_eq!(warnings(&run), [] as [&str; 0], "{}", run.log());
    assert!(
        run.told(|kind| matches!(kind, EventKind::Appeared { .. })),
        "{}",
        run.log()
    );
}

#[test]
fn a_modem_that_waits_in_download_mode_has_its_port_already() {
    for model in ["MC7455", "EM7565"] {
        let mut world = SimulatedWorld::new(in_download_mode(model));
        world.hide_driver_tables();
        let images = images_of(&world);
        let mut events = Vec::new();
        let result = update(
            &mut world,
            &Request::default(),
            &firmware(&images),
            &mut |event: &Event| {
                events.push(event.clone());
            },
        );
        let run = Run {
            world,
            events,
            result,
        };
        assert_newer(&run, &images);
    }
}

// devices.md: 1199:9075 is Fujitsu's EM7455; its id in download mode is not known.
#[test]
fn a_guessed_id_asks_and_never_refuses() {
    let world = |is_known: bool| {
        let mut setup = running("MC7455");
        let usb = &mut setup.storage.usb;
        (usb.application, usb.boot) = (0x9075, 0x9074);
        let mut world = SimulatedWorld::new(setup);
        if !is_known {
            world.forget_id(0x1199, 0x9074);
        }
        world
    };
    let (run, _) = update_in(world(false), &Request::default());
    assert_fails(&run, Code::NotConfirmed, 2, ModemState::RunsFirmware);
    let why = run.error().source.to_string();
    assert!(why.contains("probably has the USB id 1199:9074"), "{why}");
    assert!(why.contains("no driver on this host knows that id"), "{why}");
    let (run, images) = update_in(world(true), &Request::default());
    assert_newer(&run, &images);
    assert_eq!(warnings(&run), [] as [&str; 0]);
}

#[test]
fn a_modem_that_has_everything_stored_only_chooses_it_and_is_not_refused() {
    for control in CONTROLS {
        let mut setup = speaking("MC7455", control);
        let to = newer(setup.profile);
        setup.storage.modem_images[1] = Some(ModemImage {
            firmware: to.firmware.clone(),
            failures: 0,
            age: 2,
        });
        setup.storage.pri_images.push(to.pri());
        let mut world = SimulatedWorld::new(setup);
        world.forget_id(0x1199, 0x9070);
        let request = Request::default();
        let (run, _) = update_in(world, &request);
        assert!(run.updated().proven);
        run.assert_runs(&to);
        run.assert_clean();
        assert_eq!(run.modem().image_bytes(), 0);
        // Sending the images anyway needs download mode.
        let mut world = run.world;
        let images = images_of(&world);
        let request = Request {
            download_override: true,
            ..wish()
        };
        let error = update(&mut world, &request, &firmware(&images), &mut |_| {}).unwrap_err();
        assert_eq!(error.code(), Code::DownloadNoPort);
    }
}

#[test]
fn a_modem_that_asks_for_images_it_has_is_not_switched_to_download_mode_in_doubt() {
    for control in CONTROLS {
        let world = || {
            let mut setup = speaking("MC7455", control);
            let to = newer(setup.profile);
            setup.storage.modem_images[1] = Some(ModemImage {
                firmware: to.firmware.clone(),
                failures: 0,
                age: 2,
            });
            setup.storage.pri_images.push(to.pri());
            setup.quirks.asks_for_stored = true;
            SimulatedWorld::new(setup)
        };
        let mut unsure = world();
        unsure.hide_driver_tables();
        let (run, _) = update_in(unsure, &Request::default());
        assert_fails(&run, Code::NotConfirmed, 2, ModemState::RunsFirmware);
        assert_as_before(&run);
        assert_eq!(warnings(&run), ["DOWNLOAD-PORT-UNKNOWN"]);
        assert!(
            run.error().source.to_string().contains("1199:9070"),
            "{}",
            run.log()
        );
        let mut never = world();
        never.forget_id(0x1199, 0x9070);
        let (run, _) = update_in(never, &wish());
        assert_fails(&run, Code::DownloadNoPort, 4, ModemState::RunsFirmware);
        assert_as_before(&run);
        // The run goes on if the user has confirmed the doubt, and if there is no doubt.
        let mut unsure = world();
        unsure.hide_driver_tables();
        let (run, images) = update_in(unsure, &wish());
        assert_newer(&run, &images);
        let (run, images) = update_in(world(), &Request::default());
        assert_newer(&run, &images);
    }
}

#[test]
fn a_modem_that_comes_back_under_another_id_is_looked_at_again_before_the_next_way() {
    let world = || {
        let mut setup = running("MC7455");
        setup.faults = "enter:normal,enter:id=1199:90b1".parse().unwrap();
        SimulatedWorld::new(setup)
    };
    let mut world_without = world();
    world_without.forget_id(0x1199, 0x90b0);
    let error = enter_download_mode(&mut world_without, &wish(), &mut |_| {}).unwrap_err();
    assert_eq!(error.code(), Code::DownloadNoPort, "{error}");
    assert_eq!(error.modem, ModemState::RunsFirmware);
    // If a driver knows that id, modemflash tries all ways.
    let error = enter_download_mode(&mut world(), &wish(), &mut |_| {}).unwrap_err();
    assert_eq!(error.code(), Code::DownloadNotEntered, "{error}");
}

// The firmware goes first and alone (field-reports.md F4), and settings may change the id (devices.md, EM7565).
#[test]
fn a_modem_with_another_id_is_not_switched_to_download_mode_for_the_second_pass() {
    let world = || {
        let mut setup = em7565_with("01.00.02.00", "000.001_000");
        setup.faults = "return:id=1199:90b1".parse().unwrap();
        SimulatedWorld::new(setup)
    };
    let between = Selection::new("01.05.01.00", "GENERIC", "001.028_000");
    let images = release_of(Profile::named("EM7565").unwrap(), &between);
    let run = run_in(world(), &wish(), &images);
    assert_eq!(run.updated().passes, 2, "{}", run.log());
    let mut world = world();
    world.forget_id(0x1199, 0x90b0);
    let run = run_in(world, &wish(), &images);
    // The modem has the firmware of the first pass, but lacks the settings.
    assert_fails(&run, Code::DownloadNoPort, 7, ModemState::RunsOther);
    assert_eq!(run.modem().mode(), Mode::Normal);
    assert_eq!(run.modem().storage().current.firmware, between.firmware);
}

#[test]
fn force_turns_the_refusal_into_a_warning() {
    let mut world = SimulatedWorld::new(running("MC7455"));
    world.forget_id(0x1199, 0x9070);
    let request = Request {
        force: true,
        ..wish()
    };
    let (run, _) = update_in(world, &request);
    assert!(warnings(&run).contains(&"DOWNLOAD-NO-PORT"), "{}", run.log());
    assert_eq!(run.error().code(), Code::ModemNoPort, "{}", run.log());
    assert_eq!(run.error().exit_code(), 6, "{}", run.log());
}

#[test]
fn a_restart_into_download_mode_is_refused_or_asked_in_the_same_way() {
    for control in CONTROLS {
        let mut world = SimulatedWorld::new(speaking("EM7565", control));
        world.forget_id(0x1199, 0x9090);
        let (mut text, mut recorder_says) = (Vec::new(), 0);
        let mut recorder = Recorder::new(world, &mut text, |_| recorder_says += 1);
        let error = enter_download_mode(&mut recorder, &wish(), &mut |_| {}).unwrap_err();
        let mut world = recorder.finish();
        assert_eq!((error.code(), error.exit_code()), (Code::DownloadNoPort, 4));
        assert_eq!(error.modem, ModemState::Untouched);
        assert!(error.hint().contains("echo 1199 9090 ff > "), "{}", error.hint());
        let trace = Trace::parse(&String::from_utf8(text).unwrap()).unwrap();
        let opened = trace
            .entries
            .iter()
            .any(|entry| matches!(entry.event, Traced::Open { .. }));
        assert!(!opened, "nothing was opened");
        world.teach_id(0x1199, 0x9090);
        enter_download_mode(&mut world, &Request::default(), &mut |_| {}).unwrap();
        assert_eq!(world.modem(0).unwrap().mode(), Mode::Download);
    }
    let unsure = || {
        let mut world = SimulatedWorld::new(running("EM7565"));
        world.hide_driver_tables();
        world
    };
    let mut world = unsure();
    let mut told = Vec::new();
    let error = enter_download_mode(&mut world, &Request::default(), &mut |event: &Event| {
        if let EventKind::Warning { warning } = &event.kind {
            told.push(warning.code.as_str());
        }
    })
    .unwrap_err();
    assert_eq!((error.code(), error.exit_code()), (Code::NotConfirmed, 2));
    assert_eq!(told, ["DOWNLOAD-PORT-UNKNOWN"]);
    assert_eq!(world.modem(0).unwrap().mode(), Mode::Normal);
    let yes = &mut |warnings: &[_]| warnings.len() == 1;
    enter_download_mode_asking(&mut world, &Request::default(), &mut |_| {}, yes).unwrap();
    // The modem is already in download mode, so there is nothing to ask.
    enter_download_mode(&mut world, &Request::default(), &mut |_| {}).unwrap();
    let mut world = unsure();
    enter_download_mode(&mut world, &wish(), &mut |_| {}).unwrap();
    assert_eq!(world.modem(0).unwrap().mode(), Mode::Download);
    let mut world = SimulatedWorld::new(running("EM7565"));
    world.forget_id(0x1199, 0x9090);
    let force = Request {
        force: true,
        ..wish()
    };
    enter_download_mode(&mut world, &force, &mut |_| {}).unwrap();
    let port = world.port(0).unwrap();
    assert_eq!((port.kind, port.id.as_str()), (PortKind::Interface, "1-1:1.0"));
}

#[test]
fn an_at_command_that_leads_into_download_mode_is_refused_in_the_same_way() {
    let hold = |world: &mut SimulatedWorld, command: &str| {
        let mut told = Vec::new();
        let answer = at_command(world, &Request::default(), command, &mut |event: &Event| {
            if let EventKind::Warning { warning } = &event.kind {
                told.push(warning.code.as_str());
            }
        });
        (answer.map_err(|error| (error.code(), error.exit_code())), told)
    };
    let unknown = || {
        let mut world = SimulatedWorld::new(running("EM7565"));
        world.forget_id(0x1199, 0x9090);
        world
    };
    for command in ["AT!BOOTHOLD", "ATE0!boothold"] {
        let mut world = unknown();
        let (answer, told) = hold(&mut world, command);
        assert_eq!(answer, Err((Code::DownloadNoPort, 4)), "{command}");
        assert_eq!(told, [] as [&str; 0]);
        assert_eq!(world.modem(0).unwrap().mode(), Mode::Normal);
    }
    // Other commands are sent.
    let mut world = unknown();
    hold(&mut world, "ATI").0.unwrap();
    hold(&mut world, "AT!RESET").0.unwrap();
    // The user has already been asked whether the command is meant, so a doubt is only a warning.
    let mut world = SimulatedWorld::new(running("EM7565"));
    world.hide_driver_tables();
    let (answer, told) = hold(&mut world, "AT!BOOTHOLD");
    answer.unwrap();
    assert_eq!(told, ["DOWNLOAD-PORT-UNKNOWN"]);
    // modemflash sends the command without a warning if the host knows the id, or if the modem keeps its id.
    for model in ["EM7565", "MC7354"] {
        let mut world = SimulatedWorld::new(running(model));
        let (answer, told) = hold(&mut world, "AT!BOOTHOLD");
        answer.unwrap();
        assert_eq!(told, [] as [&str; 0], "{model}");
    }
}

#[test]
fn a_list_of_modems_says_which_an_update_could_not_reach() {
    let mut world = on_mainline(em7565_as_90b1());
    world.plug(running("MC7455"));
    let listed = survey(&mut world, &Request::default(), None).unwrap();
    let codes =
        |place: usize| -> Vec<_> { listed[place].warnings.iter().map(|it| it.code.as_str()).collect() };
    assert!(codes(0).contains(&"DOWNLOAD-NO-PORT"), "{:?}", codes(0));
    assert_eq!(codes(1), [] as [&str; 0]);
    let remark = listed[0]
        .warnings
        .iter()
        .find(|it| it.code.as_str() == "DOWNLOAD-NO-PORT")
        .unwrap();
    assert!(
        remark.text.contains("1199:90b0") && remark.text.contains(BIND),
        "{}",
        remark.text
    );
    // An uncertain answer leads to no warning in the list, only later in an update.
    world.hide_driver_tables();
    let listed = survey(&mut world, &Request::default(), None).unwrap();
    assert_eq!(listed[1].warnings, []);
}

#[test]
fn every_profile_on_a_mainline_kernel_is_updated_or_left_alone() {
    for profile in Profile::ALL {
        let (run, _) = update_in(on_mainline(running(profile.name)), &wish());
        if profile.name == "EM9291" {
            assert_fails(&run, Code::DownloadNoPort, 4, ModemState::RunsFirmware);
            assert_as_before(&run);
        } else {
            assert!(run.result.is_ok(), "{}: {}", profile.name, run.log());
        }
    }
}
