//! The heap of an update stays flat whatever the size of the images: one reused buffer, nothing mapped.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    unsafe_code
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use firmware_image::Family;
use firmware_image::generate::models::Release;
use modemflash_update_engine::{Firmware, Request, Selector, update};
use virtual_modem::profile::Profile;
use virtual_modem::simulated::SimulatedWorld;
use virtual_modem::{Keep, Setup};

struct Counting;
static USED: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator unchanged; the counters don't touch the memory.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let used = USED.fetch_add(layout.size(), Ordering::SeqCst) + layout.size();
        PEAK.fetch_max(used, Ordering::SeqCst);
        // SAFETY: as promised by the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        USED.fetch_sub(layout.size(), Ordering::SeqCst);
        // SAFETY: as promised by the caller.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

const MIB: usize = 1024 * 1024;

/// Checks and flashes a system image of this size in bytes; gives the heap at its highest, the virtual modem's included.
fn measure(model: &str, family: Family, size: u64) -> usize {
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
    let before = USED.load(Ordering::SeqCst);
    PEAK.store(before, Ordering::SeqCst);
    let firmware = Firmware::check(vec![Box::new(image)]).unwrap();
    let request = Request {
        select: Selector::Port(SimulatedWorld::LINK.to_owned()),
        skip_read_back: true,
        confirmed: true,
        ..Request::default()
    };
    update(&mut world, &request, &firmware, &mut |_| {}).unwrap();
    assert_eq!(world.modem(0).unwrap().violations(), []);
    PEAK.load(Ordering::SeqCst) - before
}

/// One test: the counters are shared by all threads.
#[test]
fn eight_times_the_image_needs_no_more_memory() {
    for (model, family) in [("MC7455", Family::Swi9x30), ("EM7565", Family::Swi9x50)] {
        let small = measure(model, family.clone(), 4 << 20);
        let large = measure(model, family, 32 << 20);
        assert!(large < 4 * MIB, "{model}: {large} bytes");
        assert!(large < small + MIB / 4, "{model}: {small} and {large} bytes");
    }
}
