//! A boot loader that speaks as soon as somebody reads, on a kernel whose ttys echo until they are raw (linux.md, "The tty's echo
//! at the first open").

use std::time::Duration;

use virtual_modem::profile::Profile;
use virtual_modem::quirk::HelloHabit;
use virtual_modem::simulated::SimulatedWorld;
use virtual_modem::{Setup, Wrong};

use crate::support::normal::{newer, release, running, wish};
use crate::support::{assert_stored, images_for, request, run_in};

/// The models that speak Sahara.
const SAHARA: [&str; 4] = ["EM7565", "RC7620", "WP7607", "EM9191"];

fn at_once(mut setup: Setup) -> Setup {
    setup.quirks.hello = HelloHabit::Late(Duration::ZERO);
    setup
}

#[test]
fn a_modem_never_gets_its_hello_back_where_the_host_lends_its_interfaces() {
    for model in SAHARA {
        let profile = Profile::named(model).unwrap();
        let images = release(profile);
        let world = SimulatedWorld::new(at_once(running(model))).with_echo(true);
        let run = run_in(world, &wish(), &images);
        run.assert_updated(&newer(profile), &images);
        run.assert_clean();

        let images = images_for(profile, 3, &[90_000]);
        let world = SimulatedWorld::new(at_once(Setup::of(profile))).with_echo(true);
        let run = run_in(world, &request(), &images);
        run.assert_flashed(&images);
        run.assert_clean();
    }
}

/// Through a tty the hello comes back, and the boot loader refuses the session. A new start, or a new enumeration, is no help
/// against the next echo, so this depends on luck on a real host. Here each enumeration brings a tty that was never raw.
#[test]
fn through_a_tty_the_echo_is_the_kernels_and_nothing_else_is_wrong() {
    for model in SAHARA {
        let profile = Profile::named(model).unwrap();
        let images = images_for(profile, 3, &[90_000]);
        let world = SimulatedWorld::new(at_once(Setup::of(profile))).with_echo(false);
        let run = run_in(world, &request(), &images);
        assert!(!run.modem().violations().is_empty(), "{model}\n{}", run.log());
        for violation in run.modem().violations() {
            let is_echo = matches!(&violation.what, Wrong::Malformed { why, .. } if why.contains("0x5e"));
            assert!(is_echo, "{model}: {violation}\n{}", run.log());
        }
        assert!(
            run.result.is_err() || assert_stored(run.modem(), &images).is_ok(),
            "{model}\n{}",
            run.log()
        );
    }
}

/// A hello that comes later than the raw mode isn't echoed.
#[test]
fn a_later_hello_is_safe_on_a_tty() {
    let profile = Profile::named("EM7565").unwrap();
    let images = images_for(profile, 3, &[90_000]);
    let world = SimulatedWorld::new(Setup::of(profile)).with_echo(false);
    let run = run_in(world, &request(), &images);
    run.assert_flashed(&images);
    run.assert_clean();
}

/// A run that was killed while it had the interface leaves the boot loader without a driver.
#[test]
fn a_boot_loader_without_a_driver_is_flashed_where_the_host_lends_its_interface() {
    // Models that have another id in download mode than with their firmware, which the host knows.
    for model in ["EM7565", "EM9191", "MC7455", "MC7305"] {
        let profile = Profile::named(model).unwrap();
        let images = images_for(profile, 3, &[90_000]);
        let mut world = SimulatedWorld::new(Setup::of(profile));
        world.lend_interfaces();
        let device = world.port(0).and_then(|port| port.device.clone()).unwrap();
        world.forget_id(device.vendor, device.product);
        let run = run_in(world, &request(), &images);
        run.assert_flashed(&images);
        run.assert_clean();
    }
}
