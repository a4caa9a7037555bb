//! The estimate of a run against what the run takes, on every virtual modem with its ordinary times.
//!
//! The times of the virtual modems are those of the sources where there are any. For most models no source gives the time of
//! a boot, and for none the speed of the transfer (`virtual_modem::profile::Timings`).

use modemflash_update_engine::EventKind;
use virtual_modem::profile::Profile;
use virtual_modem::simulated::SimulatedWorld;
use virtual_modem::{Mode, Setup};

use crate::support::normal::{
    firmware_of, is_single, newer, package_of, release, running, settings_of, wish,
};
use crate::support::{Memory, run_in};

/// The files of the newer release, with about this many bytes.
fn sized(profile: &'static Profile, bytes: u64) -> Vec<Memory> {
    let to = newer(profile);
    if profile.image_names.is_empty() {
        return release(profile);
    }
    if is_single(profile) {
        return vec![package_of(profile, &to, bytes)];
    }
    vec![firmware_of(profile, &to, bytes), settings_of(profile, &to)]
}

#[test]
fn the_estimate_is_within_a_factor_of_two_of_what_the_run_takes() {
    let mut wrong = Vec::new();
    for profile in Profile::ALL {
        for bytes in [60_000, 30_000_000] {
            for mode in [Mode::Normal, Mode::Download] {
                // This modem starts in download mode, so nothing asks its firmware to go there.
                if profile.image_names.is_empty() && mode == Mode::Normal {
                    continue;
                }
                let setup = Setup {
                    mode,
                    ..running(profile.name)
                };
                let run = run_in(SimulatedWorld::new(setup), &wish(), &sized(profile, bytes));
                assert!(run.result.is_ok(), "{} {mode:?}\n{}", profile.name, run.log());
                let estimate = run.events.iter().find_map(|event| match &event.kind {
                    EventKind::Planned { plan } => Some(plan.estimate_s),
                    _ => None,
                });
                let estimate = u32::try_from(estimate.expect("there is a plan")).unwrap();
                let took = run.events.last().unwrap().t;
                let ratio = f64::from(estimate) / took;
                if !(0.5..=2.0).contains(&ratio) {
                    let name = profile.name;
                    wrong.push(format!("{name} {mode:?} {bytes}: {estimate} s for {took:.1} s"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
