//! The heap of an update doesn't grow with the size of the images: one buffer is reused, and nothing is
//! mapped. This test is a program of its own, because its allocator counts for the whole process.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use firmware_image::Family;
use firmware_image::generate::models::Release;
use modemflash_update_engine::{Firmware, Request, Selector, update};
use test_support::{Alone, CountingAllocator};
use virtual_modem::profile::Profile;
use virtual_modem::simulated::SimulatedWorld;
use virtual_modem::{Keep, Setup};

#[global_allocator]
static HEAP: CountingAllocator = CountingAllocator::new();

const MIB: usize = 1024 * 1024;

/// Checks and flashes a system image of this size in bytes. Returns the peak size of the heap, including the
/// virtual modem's.
fn measure(alone: &Alone<'_>, model: &str, family: Family, size: u64) -> usize {
    let release = Release {
        family,
        firmware: "02.33.03.00",
        config: "002.072_000",
        carrier: "GENERIC",
        seed: 7,
    };
    let image = release.system(size).build(release.system_name()).unwrap();
    let mut setup = Setup::of(Profile::named(model).unwrap());
    setup.keep = Keep::Sums;
    let mut world = SimulatedWorld::new(setup);
    let ((), peak) = alone.peak_of(|| {
        let firmware = Firmware::check(vec![Box::new(image)]).unwrap();
        let request = Request {
            select: Selector::Port(SimulatedWorld::LINK.to_owned()),
            skip_read_back: true,
            confirmed: true,
            ..Request::default()
        };
        update(&mut world, &request, &firmware, &mut |_| {}).unwrap();
        assert_eq!(world.modem(0).unwrap().violations(), []);
    });
    peak
}

#[test]
fn eight_times_the_image_needs_no_more_memory() {
    let alone = HEAP.alone();
    for (model, family) in [("MC7455", Family::Swi9x30), ("EM7565", Family::Swi9x50)] {
        let small = measure(&alone, model, family.clone(), 4 << 20);
        let large = measure(&alone, model, family, 32 << 20);
        assert!(large < 4 * MIB, "{model}: {large} bytes");
        assert!(large < small + MIB / 4, "{model}: {small} and {large} bytes");
    }
}
