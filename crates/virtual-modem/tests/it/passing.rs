//! A boot loader that passes by, on the way from a flash to the new firmware.

use std::time::Duration;

use modem_protocol::qdl::message::Request;
use modemflash_virtual_modem::quirk::Passing;
use modemflash_virtual_modem::{Firmware, Mode};

use crate::common::{Bench, image_for, quick};

/// The ids with their numbers of interfaces that the modem shows after a flash and a reset.
fn seen_after_a_flash(model: &str, passing: Passing, script: &str) -> Bench {
    // Without a short last block, no zero block follows (sahara-firehose.md §5.3).
    let file = image_for(model, &[0xA5; 8192 - 400]);
    let mut setup = quick(model);
    setup.quirks.passing = Some(passing);
    setup.faults = script.parse().unwrap();
    // The bench listens for 5 s after a request.
    setup.timings.leaving = Duration::from_secs(6);
    setup.timings.restarting = Duration::from_secs(1);
    setup.timings.booting = Duration::from_secs(1);
    let mut bench = Bench::opened(setup);
    if bench.modem.setup().profile.is_qdl() {
        bench.qdl_hello();
        bench.qdl_open(&file);
        bench.qdl_write(0, &file[400..]);
        bench.qdl(&Request::Done);
        bench.ask(&Request::Reset.frame());
    } else {
        bench.configured();
        bench.program(2);
        bench.raw(&file);
        bench.reset();
    }
    bench.seen.clear();
    bench
}

#[test]
fn after_a_flash_the_boot_loader_appears_as_often_and_as_long_as_the_habit_says() {
    for model in ["MC7455", "EM7565"] {
        for times in [1, 3] {
            let passing = Passing::new(times, Duration::from_secs(2));
            let mut bench = seen_after_a_flash(model, passing, "");
            let mut loader = Duration::ZERO;
            for _ in 0..150 {
                bench.hear_for(Duration::from_millis(100));
                let is_back = !bench.seen.is_empty() && bench.modem.is_on_bus();
                if is_back && bench.modem.mode() == Mode::Download {
                    loader += Duration::from_millis(100);
                }
            }
            let interfaces: Vec<u8> = bench.seen.iter().map(|(_, count)| *count).collect();
            let (last, passages) = interfaces.split_last().unwrap();
            assert_eq!(passages, vec![1; times.into()], "{model}: {:?}", bench.seen);
            assert!(*last > 1, "{model}: {:?}", bench.seen);
            assert_eq!(bench.modem.mode(), Mode::Normal);
            let meant = Duration::from_secs(2) * u32::from(times);
            assert!(
                loader.abs_diff(meant) <= Duration::from_millis(300),
                "{model}: {loader:?}"
            );
        }
    }
}

#[test]
fn while_it_passes_by_it_may_have_an_id_of_its_own_and_the_script_holds_for_the_firmware() {
    let passing = Passing {
        id: Some((0x1199, 0x9999)),
        ..Passing::new(2, Duration::from_secs(1))
    };
    let mut bench = seen_after_a_flash("MC7455", passing, "return:id=1199:90b1,return:late=5s");
    // It leaves after 1 s more, and both passages with what is between them take 4 s.
    bench.hear_for(Duration::from_secs(8));
    assert_eq!(bench.seen.len(), 2, "{:?}", bench.seen);
    bench.hear_for(Duration::from_secs(20));
    let ids: Vec<&str> = bench.seen.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(ids, ["1199:9999", "1199:9999", "1199:90b1"]);
}

#[test]
fn a_host_that_flashes_the_passing_boot_loader_loses_it_in_the_middle() {
    let passing = Passing::new(1, Duration::from_secs(2));
    let mut bench = seen_after_a_flash("MC7455", passing, "");
    bench.hear_for(Duration::from_millis(2500));
    assert_eq!(bench.modem.mode(), Mode::Download);
    bench.modem.port_opened(0, bench.now);
    let detached = bench.detached;
    bench.qdl_hello();
    assert_eq!(bench.detached, detached + 1);
    assert_eq!(bench.modem.mode(), Mode::Normal);
}

#[test]
fn without_a_flash_nothing_passes_by() {
    let mut setup = quick("MC7455");
    setup.quirks.passing = Some(Passing::new(2, Duration::from_secs(2)));
    setup.firmware = Firmware::Sound;
    let mut bench = Bench::opened(setup);
    bench.qdl_hello();
    bench.send(&Request::Reset.frame());
    bench.hear_for(Duration::from_secs(10));
    let interfaces: Vec<u8> = bench.seen.iter().map(|(_, count)| *count).collect();
    assert_eq!(interfaces.len(), 2, "{:?}", bench.seen);
    assert_eq!(bench.modem.mode(), Mode::Normal);
}

#[test]
fn a_modem_that_comes_back_in_download_mode_once_starts_after_the_next_reset() {
    let mut bench = seen_after_a_flash("MC7455", Passing::new(0, Duration::ZERO), "return:download-once");
    bench.hear_for(Duration::from_secs(60));
    assert_eq!(bench.modem.mode(), Mode::Download);
    bench.modem.port_opened(0, bench.now);
    bench.qdl_hello();
    bench.send(&Request::Reset.frame());
    bench.hear_for(Duration::from_secs(10));
    assert_eq!(bench.modem.mode(), Mode::Normal);
}
