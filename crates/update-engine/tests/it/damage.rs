//! An answer in download mode with one damaged bit. The modem has answered and says nothing more, so no limit for silence may
//! be waited out: each run takes seconds longer than one without damage, and ends flashed.

use virtual_modem::profile::Profile;
use virtual_modem::simulated::SimulatedWorld;
use virtual_modem::{FaultScript, ImageState, Setup};

use crate::support::{Memory, Run, images_for, request, run_in};

/// How much longer a run may take because of the damage: a fresh start restarts the modem, and the image goes out again.
const SECONDS: f64 = 45.0;

/// Flashes two images. Of the modem's messages, the one with this number is damaged; `seed` decides where.
fn run(model: &str, message: Option<u32>, seed: u64) -> (Run, Vec<Memory>) {
    // QDL sends chunks of 1 MiB.
    let sizes = if model == "EM7565" {
        [70_000, 20_000]
    } else {
        [(1 << 20) + 500, 20_000]
    };
    let mut setup = Setup::of(Profile::named(model).unwrap());
    setup.seed = seed;
    if let Some(message) = message {
        setup.faults = format!("corrupt@{message}").parse::<FaultScript>().unwrap();
    }
    let images = images_for(setup.profile, 5, &sizes);
    (run_in(SimulatedWorld::new(setup), &request(), &images), images)
}

fn took(run: &Run) -> f64 {
    run.events.last().unwrap().t
}

/// What is wrong with a run. The modem must have accepted these images byte for byte, in this order, each at least once:
/// after a damaged verdict the image is sent again.
fn complaint(run: &Run, images: &[Memory], undamaged: f64) -> Option<String> {
    let more = took(run) - undamaged;
    let last = run.events.last().map(|event| &event.kind);
    if more > SECONDS {
        return Some(format!("{more} s longer, {last:?}"));
    }
    if run.result.is_err() || !run.modem().violations().is_empty() {
        return Some(format!("{last:?}, {:?}", run.modem().violations()));
    }
    let accepted = run.modem().images().iter();
    let accepted = accepted.filter(|image| image.state == ImageState::Accepted);
    let mut accepted: Vec<&[u8]> = accepted.map(|image| image.bytes.as_deref().unwrap()).collect();
    accepted.dedup();
    let wanted: Vec<&[u8]> = images.iter().map(|image| image.bytes.as_slice()).collect();
    (accepted != wanted).then(|| format!("{} images", accepted.len()))
}

/// Damages each of the first messages in many ways.
fn assert_costs_seconds(model: &str, messages: u32) {
    let undamaged = took(&run(model, None, 0).0);
    let mut complaints = Vec::new();
    for message in 1..=messages {
        for seed in 0..12 {
            let (run, images) = run(model, Some(message), seed);
            let complaint = complaint(&run, &images, undamaged);
            complaints.extend(complaint.map(|what| format!("corrupt@{message}, seed {seed}: {what}")));
        }
    }
    assert!(complaints.is_empty(), "{model}\n{}", complaints.join("\n"));
}

#[test]
fn a_damaged_answer_of_a_qdl_boot_loader_costs_seconds() {
    assert_costs_seconds("MC7455", 14);
}

#[test]
fn a_damaged_answer_of_a_firehose_server_costs_seconds() {
    assert_costs_seconds("EM7565", 24);
}
