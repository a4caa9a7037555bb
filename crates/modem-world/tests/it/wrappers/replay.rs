//! What is recorded, and the same run fed from the recording.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;

use super::{Fake, data, gone_after, holder, milliseconds, record, replay, run};
use modemflash_modem_world::trace::{Event, Trace, Written};
use modemflash_modem_world::*;

#[test]
fn a_recorded_run_is_replayed_with_the_same_result_at_the_same_times() {
    let data = data(5000);
    let (text, result) = record(Fake::default(), &data);
    assert_eq!(result.as_ref().unwrap().len(), 50);
    assert_eq!(replay(&text, &data), (result, Ok(())));
    let trace = Trace::parse(&text).unwrap();
    assert!(trace.is_complete());
    assert_eq!(trace.comments, ["a test"]);
    let mut replayer = Replayer::new(trace.clone());
    run(&mut replayer, &data).unwrap();
    assert_eq!(replayer.now(), trace.entries[trace.entries.len() - 2].at);
}

#[test]
fn a_lock_that_another_run_has_is_replayed_and_one_that_was_given_leaves_no_line() {
    let spot = |place| Spot::Socket {
        place: UsbPath::new(place),
        peer: None,
    };
    let mut text = vec![];
    let mut recorder = Recorder::new(Fake::default(), &mut text, |error| panic!("{error}"));
    recorder.devices().unwrap();
    assert_eq!(recorder.claim(&spot("1-1.4"), "at"), Ok(()));
    recorder.devices().unwrap();
    assert_eq!(
        recorder.claim(&spot("1-2"), "at"),
        Err(ClaimError::Held(holder()))
    );
    recorder.finish();
    let text = String::from_utf8(text).unwrap();
    assert!(
        text.ends_with(
            "\n0.000000 locked 1-2 pid=812 name=modem%20flash verb=update held=12\n0.000000 end\n"
        ),
        "{text}"
    );
    assert_eq!(text.lines().count(), 5, "{text}");

    let mut replayer = Replayer::new(Trace::parse(&text).unwrap());
    assert_eq!(replayer.claim(&spot("1-1.4"), "at"), Ok(()));
    assert_eq!(
        replayer.claim(&spot("1-2"), "at"),
        Err(ClaimError::Held(holder()))
    );
    assert_eq!(replayer.claim(&spot("1-2"), "at"), Ok(()));
}

#[test]
fn a_port_that_went_is_replayed() {
    let (text, result) = record(gone_after(milliseconds(25)), &data(300));
    assert_eq!(result, Err("/dev/ttyUSB0: has gone".into()));
    assert_eq!(replay(&text, &data(300)), (result, Ok(())));
}

const SILENCE: &str = "modemflash-trace 1\n\
    0.000000 find /dev/serial/by-id/usb-Sierra_(1)-if00 = port=/dev/ttyUSB0\n\
    0.000000 ports = port=/dev/ttyUSB0 usb=1-1.4\n0.000000 open /dev/ttyUSB0 = 1\n";

#[test]
fn silence_is_replayed_without_waiting() {
    let bytes = " AA".repeat(100);
    let text = format!("{SILENCE}0.100000 >> 1{bytes}\n5.100000 deadline\n5.100000 end\n");
    assert_eq!(replay(&text, &[0xaa; 100]), (Err("silent".into()), Ok(())));
}

#[test]
fn a_request_to_stop_is_replayed() {
    let text = format!("{SILENCE}0.100000 >> 1 AA\n0.200000 cancelled\n0.200000 end\n");
    assert_eq!(replay(&text, &[0xaa; 100]), (Err("cancelled".into()), Ok(())));
}

#[test]
fn the_first_other_byte_is_shown_with_both_sides_in_hex() {
    let mut data = data(500);
    let (text, _) = record(Fake::default(), &data);
    data[70] = 0xee;
    let (result, difference) = replay(&text, &data);
    assert_eq!(result, Err("/dev/ttyUSB0: has gone".into()));
    let difference = difference.unwrap_err();
    assert!(difference.now.starts_with("EE 47 48"), "{difference}");
    assert!(difference.recorded.starts_with("46 47 48"), "{difference}");
    assert!(
        difference.to_string().starts_with("line 7 at 0.0"),
        "{difference}"
    );
}

#[test]
fn a_long_write_is_recorded_short_and_still_checked() {
    let bytes = data(3000);
    let mut text = vec![];
    let mut fake = Fake::default();
    let mut recorder = Recorder::new(&mut fake, &mut text, |error| panic!("{error}"));
    let port = recorder.open(&PortId::new("/dev/ttyUSB0")).unwrap();
    let mut written = 0;
    while written < bytes.len() {
        recorder.wait(&[Interest::Writable(port)], Instant::FAR);
        written += recorder.try_write(port, &bytes[written..]).unwrap();
    }
    recorder.close(port);
    recorder.finish();
    let text = String::from_utf8(text).unwrap();
    assert!(text.len() < 400, "{text}");
    let trace = Trace::parse(&text).unwrap();
    let Event::Written {
        data:
            Written::Digest {
                length,
                crc32,
                first,
                last,
            },
        ..
    } = &trace.entries[1].event
    else {
        panic!("{text}");
    };
    assert_eq!((*length, *crc32), (3000, crc32fast::hash(&bytes)));
    assert_eq!(
        (first.as_slice(), last.as_slice()),
        (&bytes[..64], &bytes[2984..])
    );
    let cases = [
        (None, ""),
        (Some(10), "at byte 10"),
        (Some(63), "at byte 63"),
        (Some(64), "CRC-32"),
        (Some(1500), "CRC-32"),
        (Some(2990), "at byte 2990"),
    ];
    for (changed, expected) in cases {
        let mut bytes = bytes.clone();
        if let Some(place) = changed {
            let place: usize = place;
            bytes[place] ^= 1;
        }
        let mut replayer = Replayer::new(trace.clone());
        let port = replayer.open(&PortId::new("/dev/ttyUSB0")).unwrap();
        let mut written = 0;
        while written < bytes.len() {
            match replayer.try_write(port, &bytes[written..bytes.len().min(written + 700)]) {
                Ok(count) => written += count,
                Err(_) => break,
            }
        }
        assert_eq!(written == bytes.len(), changed.is_none());
        replayer.close(port);
        let message = replayer
            .finish()
            .err()
            .map(|difference| difference.to_string())
            .unwrap_or_default();
        assert_eq!(message.is_empty(), changed.is_none());
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn what_the_engine_leaves_out_or_adds_is_a_difference() {
    let long = data(500);
    let (text, _) = record(Fake::default(), &long);
    let (_, less) = replay(&text, &long[..300]);
    let less = less.unwrap_err();
    assert_eq!(less.now, "the end of the run");
    assert!(less.recorded.starts_with(">> 1 "), "{less}");
    let (_, more) = replay(&text, &data(700));
    assert_eq!(more.unwrap_err().recorded, "close 1");
    let untouched = Replayer::new(Trace::parse(&text).unwrap()).finish().unwrap_err();
    assert_eq!(untouched.now, "the end of the run");
    assert!(untouched.recorded.starts_with("open /dev/ttyUSB0"));
}

#[test]
fn a_wait_without_end_is_a_difference() {
    let mut replayer = Replayer::new(Trace::parse(&format!("{SILENCE}1.000000 end\n")).unwrap());
    let port = replayer.open(&PortId::new("/dev/ttyUSB0")).unwrap();
    assert_eq!(
        replayer.wait(&[Interest::Readable(port)], Instant::FAR),
        Wake::Deadline
    );
    assert_eq!(replayer.difference().unwrap().now, "a wait without end");
    assert_eq!(
        replayer.wait(&[Interest::Readable(port)], Instant::FAR),
        Wake::Readable(port)
    );
    assert!(replayer.try_read(port, &mut [0]).is_err());
}

#[test]
fn a_trace_that_was_cut_off_is_replayed_up_to_there() {
    let data = data(2000);
    let (text, _) = record(Fake::default(), &data);
    let mut replayed = 0;
    for cut in (0..text.len() - 5).step_by(7) {
        let cut = &text[..cut];
        let Ok(trace) = Trace::parse(cut) else {
            assert!(cut.len() < 20, "{cut}");
            continue;
        };
        assert!(!trace.is_complete());
        if trace.entries.len() < 4 {
            continue;
        }
        let mut replayer = Replayer::new(trace);
        let result = run(&mut replayer, &data);
        assert_eq!(replayer.finish(), Ok(()));
        // Only the close may be missing when the engine got to its end.
        assert!(
            result.as_ref().map_or(true, |answers| answers.len() == 20),
            "{result:?}"
        );
        replayed += usize::from(result.is_err());
    }
    assert!(replayed > 100);
}

#[test]
fn a_full_disk_is_said_once_and_never_fails_the_run() {
    struct Full(usize);
    impl io::Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.0 < bytes.len() {
                return Err(io::Error::from(io::ErrorKind::StorageFull));
            }
            self.0 -= bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    for room in [0, 10, 100, 1000] {
        let complaints = Rc::new(RefCell::new(vec![]));
        let seen = Rc::clone(&complaints);
        let mut fake = Fake::default();
        let mut recorder = Recorder::new(&mut fake, Full(room), move |error| {
            seen.borrow_mut().push(error.kind())
        });
        assert_eq!(run(&mut recorder, &data(1000)).unwrap().len(), 10);
        recorder.finish();
        assert_eq!(*complaints.borrow(), [io::ErrorKind::StorageFull]);
    }
}

#[test]
fn a_number_that_is_torn_over_many_reads_and_one_that_never_ends_are_hidden() {
    let mut fake = Fake::default();
    for (place, byte) in b"+CGSN: 359072061234567\r\n359072061234567".iter().enumerate() {
        let at = Instant::START + milliseconds(u64::try_from(place).unwrap());
        fake.coming.push((at, *byte));
    }
    let mut text = Vec::new();
    let mut recorder = Recorder::new(&mut fake, &mut text, |error| panic!("{error}"));
    let port = recorder.open(&PortId::new("/dev/ttyUSB0")).unwrap();
    let mut heard = Vec::new();
    while heard.len() < 39 {
        recorder.wait(&[Interest::Readable(port)], Instant::FAR);
        let mut buffer = [0; 1];
        recorder.try_read(port, &mut buffer).unwrap();
        heard.push(buffer[0]);
    }
    recorder.finish();
    assert!(heard.starts_with(b"+CGSN: 359072061234567\r\n"));
    let trace = Trace::parse(std::str::from_utf8(&text).unwrap()).unwrap();
    let reads: Vec<(Instant, Vec<u8>)> = trace
        .entries
        .iter()
        .filter_map(|entry| match &entry.event {
            Event::Read { bytes, .. } => Some((entry.at, bytes.clone())),
            _ => None,
        })
        .collect();
    assert_eq!(reads.len(), 39);
    assert_eq!(reads[38].0, Instant::START + milliseconds(38));
    let all: Vec<u8> = reads.into_iter().flat_map(|(_, bytes)| bytes).collect();
    assert_eq!(all, b"+CGSN: 000000000000001\r\n000000000000001");
}
