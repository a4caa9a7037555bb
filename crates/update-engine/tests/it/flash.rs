//! Whole flashes of virtual modems: every model, every habit.

use crate::support::{images_for, request, run, run_in};
use modemflash_update_engine::{EventKind, ModemState, Outcome};
use virtual_modem::Setup;
use virtual_modem::profile::Profile;
use virtual_modem::simulated::SimulatedWorld;

#[test]
fn every_model_is_flashed_byte_for_byte() {
    for profile in Profile::ALL {
        let (run, images) = run(Setup::of(profile));
        run.assert_flashed(&images);
        let Ok(Outcome::Accepted(accepted)) = &run.result else {
            panic!("{}", profile.name)
        };
        assert!(!accepted.proven, "{}", profile.name);
        assert_eq!(accepted.accepted, 2, "{}", profile.name);
        assert!(run.told(|kind| *kind
            == EventKind::ModemStateChanged {
                modem: ModemState::Restarting
            }));
    }
}

#[test]
fn a_large_image_crosses_the_chunk_borders() {
    for name in ["MC7455", "EM7565"] {
        let profile = Profile::named(name).unwrap();
        let images = images_for(profile, 1, &[2 * 1024 * 1024 + 1, 1024 * 1024, 1]);
        let run = run_in(SimulatedWorld::new(Setup::of(profile)), &request(), &images);
        run.assert_flashed(&images);
    }
}

#[test]
fn only_the_chosen_modem_is_touched() {
    let profile = Profile::named("EM7565").unwrap();
    let images = images_for(profile, 1, &[20_000]);
    let mut world = SimulatedWorld::new(Setup::of(profile));
    let neighbour = world.plug(Setup::of(profile));
    let run = run_in(world, &request(), &images);
    run.assert_flashed(&images);
    let neighbour = run.world.modem(neighbour).unwrap();
    assert_eq!(neighbour.image_bytes(), 0);
    assert_eq!(neighbour.violations(), []);
}
