//! Every fault of a script happens when it should, and only once.

use std::time::Duration;

use crate::common::{Bench, hex, image_for, lines, qdl_response, quick, verdicts, write_request};
use modem_protocol::Instant;
use modem_protocol::firehose::message::Verdict;
use modem_protocol::qdl::message::{DoneStatus, ErrorCode, Request, Response, WriteStatus};
use modemflash_virtual_modem::{ImageState, Mode, Setup};

const MIB: usize = 1024 * 1024;

fn faulty(model: &str, script: &str) -> Setup {
    let mut setup = quick(model);
    setup.faults = script.parse().unwrap();
    setup
}

fn body(length: usize) -> Vec<u8> {
    vec![0xA5; length]
}

/// An MC7455 with a fault that waits for the data of a file.
fn open(script: &str, file: &[u8]) -> Bench {
    let mut bench = Bench::opened(faulty("MC7455", script));
    bench.qdl_hello();
    assert!(matches!(bench.qdl_open(file), Response::Open(_)));
    bench
}

/// An EM7565 with a fault that waits for the data of a file.
fn programmed(script: &str, file: &[u8]) -> Bench {
    let mut bench = Bench::opened(faulty("EM7565", script));
    bench.configured();
    assert!(!bench.program(file.len().div_ceil(4096) as u64).is_empty());
    bench
}

#[test]
fn drop_leaves_the_bus_at_the_very_byte_and_comes_back_in_download_mode() {
    let file = image_for("MC7455", &body(5000));
    let mut bench = open("drop@3000", &file);
    bench.send(&write_request(0, &file[400..]));
    assert_eq!(bench.hear(), b"");
    assert_eq!(bench.modem.image_bytes(), 3000);
    assert_eq!((bench.detached, bench.modem.mode()), (1, Mode::Download));
    assert_eq!(bench.seen.last().unwrap().0, "1199:9070");
    assert_eq!(bench.modem.images()[0].state, ImageState::Partial);
    assert!(!bench.modem.is_bootable());
    // The second time it goes well.
    bench.modem.port_opened(0, bench.now);
    bench.qdl_hello();
    bench.qdl_open(&file);
    assert!(matches!(bench.qdl_write(0, &file[400..]), Response::Write(_)));
    assert_eq!(bench.modem.violations(), []);
}

#[test]
fn drop_works_in_firehose_data_and_leaves_a_partial_image() {
    let file = image_for("EM7565", &body(20_000));
    let mut bench = programmed("drop@10000", &file);
    bench.send(&file);
    bench.hear();
    assert_eq!((bench.detached, bench.modem.image_bytes()), (1, 10_000));
    assert_eq!(bench.modem.images()[0].state, ImageState::Partial);
    assert!(!bench.modem.is_bootable());
}

#[test]
fn stall_takes_nothing_more_for_its_time() {
    let file = image_for("MC7455", &body(5000));
    let mut bench = open("stall@3000:30s", &file);
    let begin = bench.now;
    bench.send(&write_request(0, &file[400..]));
    assert_eq!(bench.now.since(begin), Duration::from_secs(30));
    assert!(
        matches!(qdl_response(&bench.hear()), Response::Write(write) if write.status == WriteStatus::Success)
    );
    assert_eq!(bench.modem.violations(), []);
}

#[test]
fn stall_without_a_time_is_for_ever_and_no_fault_of_the_host() {
    let file = image_for("EM7565", &body(20_000));
    let mut bench = programmed("stall@8192", &file);
    bench.modem.receive(0, &file[..8192], bench.now);
    assert_eq!(bench.modem.room(0, bench.now), 0);
    assert_eq!(bench.hear_for(Duration::from_secs(1000)), b"");
    assert_eq!(bench.modem.room(0, bench.now), 0);
    assert_eq!(bench.modem.violations(), []);
}

#[test]
fn stall_at_zero_waits_for_the_first_image_byte() {
    let file = image_for("MC7455", &body(5000));
    let mut bench = open("stall@0", &file);
    assert_eq!(bench.modem.room(0, bench.now), 0);
    assert!(bench.modem.violations().is_empty());
}

#[test]
fn error_refuses_a_qdl_chunk_with_its_code() {
    let file = image_for("MC7455", &body(2 * MIB + 5));
    let mut bench = open("error:0x1a@chunk:1", &file);
    assert!(matches!(
        bench.qdl_write(0, &file[400..400 + MIB]),
        Response::Write(_)
    ));
    let Response::Error(report) = bench.qdl_write(1, &file[400 + MIB..400 + 2 * MIB]) else {
        panic!("no error report");
    };
    assert_eq!(report.code, ErrorCode::AuthenticationFailed);
    assert_eq!(bench.modem.violations(), []);
}

#[test]
fn error_stops_firehose_data_with_a_line_and_a_nak() {
    let file = image_for("EM7565", &body(3 * MIB));
    let mut bench = programmed("error:0x79@chunk:1", &file);
    bench.send(&file[..2 * MIB - 1]);
    assert_eq!(bench.hear(), b"");
    let answer = bench.raw(&file[2 * MIB - 1..2 * MIB + 5000]);
    assert_eq!(verdicts(&answer), [(Verdict::Nak, None)]);
    assert_eq!(lines(&answer)[0], "SWI Error Code 0x79");
    assert_eq!(bench.modem.violations(), []);
}

#[test]
fn error_at_the_last_chunk_of_a_small_firehose_image_comes_at_its_end() {
    let file = image_for("EM7565", &body(8192 - 400));
    let mut bench = programmed("error:1@chunk:0", &file);
    assert_eq!(verdicts(&bench.raw(&file)), [(Verdict::Nak, None)]);
}

#[test]
fn lose_corrupt_and_duplicate_hit_the_message_with_their_number() {
    let probe = hex("7E 70 00 00 14 46 7E");
    let answer = hex("7E 0D 16 00 00 00 00 88 4D 7E");
    let mut bench = Bench::opened(faulty("MC7455", "lose@1,corrupt@2,duplicate@3"));
    assert_eq!(bench.ask(&probe), b"");
    let corrupt = bench.ask(&probe);
    let changed: u32 = corrupt
        .iter()
        .zip(&answer)
        .map(|(got, right)| (got ^ right).count_ones())
        .sum();
    assert_eq!((corrupt.len(), changed), (answer.len(), 1));
    assert_eq!(bench.ask(&probe), [answer.clone(), answer.clone()].concat());
    assert_eq!(bench.ask(&probe), answer);
}

#[test]
fn without_a_number_the_first_message_behind_image_data_is_meant() {
    let file = image_for("MC7455", &body(100));
    let mut bench = open("lose", &file);
    bench.send(&write_request(0, &file[400..]));
    assert_eq!(bench.hear(), b"");
    assert!(matches!(bench.qdl_hello(), Response::Hello(_)));
}

#[test]
fn what_is_corrupted_depends_on_the_seed_only() {
    let corrupt = |seed| {
        let mut setup = faulty("MC7455", "corrupt@1");
        setup.seed = seed;
        Bench::opened(setup).ask(&hex("7E 70 00 00 14 46 7E"))
    };
    assert_eq!(corrupt(5), corrupt(5));
    assert!((0..20).any(|seed| corrupt(seed) != corrupt(5)));
}

#[test]
fn reject_image_fails_the_check_of_that_image() {
    let file = image_for("MC7455", &body(100));
    let mut bench = open("reject-image@2", &file);
    for status in [
        DoneStatus::Success,
        DoneStatus::AuthenticationFailed,
        DoneStatus::Success,
    ] {
        bench.qdl_write(0, &file[400..]);
        assert!(matches!(bench.qdl(&Request::Done), Response::Done(done) if done.status == status));
        assert_eq!(bench.modem.is_bootable(), status == DoneStatus::Success);
        bench.qdl_open(&file);
    }
    let states: Vec<_> = bench.modem.images().iter().map(|image| image.state).collect();
    assert_eq!(
        states,
        [ImageState::Accepted, ImageState::Rejected, ImageState::Accepted]
    );
}

/// Writes an image, resets, and returns what appears on the bus within ten minutes.
fn after_reset(script: &str) -> (Bench, Option<Instant>) {
    let file = image_for("MC7455", &body(100));
    let mut bench = open(script, &file);
    bench.qdl_write(0, &file[400..]);
    bench.qdl(&Request::Done);
    bench.send(&Request::Reset.frame());
    let begin = bench.now;
    for _ in 0..6000 {
        bench.hear_for(Duration::from_millis(100));
        if bench.seen.len() > 1 {
            let after = Instant::START + bench.now.since(begin);
            return (bench, Some(after));
        }
    }
    (bench, None)
}

#[test]
fn it_returns_in_download_mode_when_the_script_says_so() {
    let (bench, _) = after_reset("return:download");
    assert_eq!(bench.seen[1], ("1199:9070".to_owned(), 1));
    assert_eq!(bench.modem.mode(), Mode::Download);
    assert!(bench.modem.is_bootable());
}

#[test]
fn it_returns_with_another_id_when_the_script_says_so() {
    let (bench, _) = after_reset("return:id=1199:90b1");
    assert_eq!(
        bench.seen,
        [("1199:9070".to_owned(), 1), ("1199:90b1".to_owned(), 5)]
    );
}

#[test]
fn another_id_is_for_restarts_on_request_only() {
    let file = image_for("MC7455", &body(5000));
    let mut bench = open("drop@3000,return:id=1199:90b1", &file);
    bench.send(&write_request(0, &file[400..]));
    bench.hear();
    bench.modem.re_enumerate(bench.now);
    bench.hear();
    let ids: Vec<_> = bench.seen.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(ids, ["1199:9070"; 3]);
}

#[test]
fn a_hello_that_the_script_has_lost_may_be_provoked_without_harm() {
    for script in ["lose@1", "corrupt@1"] {
        let mut bench = Bench::opened(faulty("EM7565", script));
        bench.hear();
        let hello = bench.ask(&hex("7E 70 00 00 14 46 7E"));
        assert_eq!(hello[..8], hex("01 00 00 00 30 00 00 00"), "{script}");
        assert_eq!(bench.modem.violations(), [], "{script}");
    }
}

#[test]
fn a_new_enumeration_in_the_middle_leaves_a_partial_image() {
    let file = image_for("EM7565", &body(20_000));
    let mut bench = programmed("", &file);
    bench.send(&file[..9000]);
    bench.modem.re_enumerate(bench.now);
    bench.hear();
    assert_eq!(bench.modem.images()[0].state, ImageState::Partial);
    assert!(!bench.modem.is_bootable());
}

#[test]
fn it_returns_late_when_the_script_says_so() {
    let (_, usual) = after_reset("");
    let (_, late) = after_reset("return:late=200s");
    assert!(usual.unwrap() < Instant::START + Duration::from_secs(1));
    assert!(late.unwrap() >= Instant::START + Duration::from_secs(200));
}

#[test]
fn it_never_returns_when_the_script_says_so() {
    let (bench, returned) = after_reset("return:never");
    assert_eq!((returned, bench.detached), (None, 1));
    assert!(!bench.modem.is_on_bus());
}
