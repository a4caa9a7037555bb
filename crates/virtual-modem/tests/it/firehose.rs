//! The Firehose server against hosts that are right, and hosts that are wrong on purpose.

use std::time::Duration;

use crate::common::{Bench, answers, image_for, lines, quick, verdicts};
use modem_protocol::firehose::message::{Answer, Configure, FirehoseRequest, Power, Program, Verdict};
use modemflash_virtual_modem::quirk::{
    Noise, NoiseMoment, NoisyRequest, PayloadAnswer, Pieces, RefusedPrograms,
};
use modemflash_virtual_modem::{ImageState, Mode, Output, Profile, Setup, Wrong};

const NOISE: &str = "ERROR: XML not formed correctly. Expected a < character at loc 0";
const ACK: (Verdict, Option<bool>) = (Verdict::Ack, None);
const NAK: (Verdict, Option<bool>) = (Verdict::Nak, None);
const RAW: (Verdict, Option<bool>) = (Verdict::Ack, Some(true));
const DONE: (Verdict, Option<bool>) = (Verdict::Ack, Some(false));

/// An EM7565 behind configure, without noise unless given.
fn configured(noise: Option<Noise>) -> Bench {
    let mut setup = quick("EM7565");
    setup.quirks.noise = noise;
    let mut bench = Bench::opened(setup);
    bench.configured();
    bench
}

/// A file of this length.
fn file(length: usize) -> Vec<u8> {
    let body: Vec<u8> = (0..length - 400)
        .map(|place| u8::try_from(place % 251).unwrap())
        .collect();
    image_for("EM7565", &body)
}

/// What goes over the wire for a file: padded to sectors, and the zero block where the rule asks for it.
fn wire(file: &[u8]) -> Vec<u8> {
    let mut bytes = file.to_vec();
    bytes.resize(file.len().div_ceil(4096) * 4096, 0);
    if file.len() % 8192 != 0 {
        bytes.extend_from_slice(&[0; 512]);
    }
    bytes
}

fn sectors(file: &[u8]) -> u64 {
    file.len().div_ceil(4096) as u64
}

/// Configured, and `program` accepted for this file.
fn programmed(file: &[u8]) -> Bench {
    let mut bench = configured(None);
    assert_eq!(verdicts(&bench.program(sectors(file))), [RAW]);
    bench
}

#[test]
fn files_of_all_last_block_shapes_are_taken_byte_for_byte() {
    // sahara-firehose.md vectors 13, 14, 15, and a last block as in vector 12.
    for length in [81_920, 5044, 12_288, 8192 * 3 + 983, 4096, 8192, 401, 8191, 8193] {
        let file = file(length);
        let mut bench = programmed(&file);
        let answer = bench.raw(&wire(&file));
        assert_eq!(verdicts(&answer), [DONE], "{length} bytes");
        assert_eq!(lines(&answer), ["SWI CWE image processed OK"]);
        let image = &bench.modem.images()[0];
        assert_eq!(image.bytes.as_deref(), Some(&file[..]), "{length} bytes");
        assert_eq!(image.state, ImageState::Accepted);
        assert_eq!(bench.modem.violations(), []);
        let power = bench.reset();
        assert_eq!(verdicts(&power), [ACK]);
        assert_eq!(bench.seen.last(), Some(&("1199:9091".to_owned(), 4)));
    }
}

#[test]
fn a_trailer_belongs_to_the_file() {
    for trailer in [[0x77, 0x73, 0x57, 0x53], [0x53, 0x57, 0x73, 0x77]] {
        for length in [5000, 8188, 4094] {
            let mut file = file(length);
            file.extend_from_slice(&trailer);
            let mut bench = programmed(&file);
            assert_eq!(verdicts(&bench.raw(&wire(&file))), [DONE], "{length} bytes");
            assert_eq!(bench.modem.images()[0].bytes.as_deref(), Some(&file[..]));
            assert_eq!(bench.modem.violations(), []);
        }
    }
}

#[test]
fn every_sahara_model_takes_two_images_in_spite_of_its_noise() {
    for profile in Profile::ALL.iter().filter(|profile| !profile.is_qdl()) {
        let mut bench = Bench::opened(quick(profile.name));
        bench.configured();
        for body in [&[9; 20_000][..], b"settings"] {
            let file = image_for(profile.name, body);
            // As a patient host: NOP until an ACK comes.
            let silenced =
                (0..5).any(|_| verdicts(&bench.document(&FirehoseRequest::Ping)).last() == Some(&ACK));
            assert!(silenced, "{}", profile.name);
            assert_eq!(
                verdicts(&bench.program(sectors(&file))),
                [RAW],
                "{}",
                profile.name
            );
            let answer = bench.raw(&wire(&file));
            assert!(verdicts(&answer).contains(&DONE), "{}", profile.name);
            assert_eq!(
                bench.modem.images().last().unwrap().bytes.as_deref(),
                Some(&file[..])
            );
        }
        assert_eq!(bench.modem.violations(), []);
    }
}

#[test]
fn storage_information_comes_in_log_lines_or_not_at_all() {
    for (model, expected) in [
        ("EM7565", vec!["SECTOR_SIZE_IN_BYTES=4096", "PAGES_IN_BLOCK=64"]),
        ("EM9191", vec![]),
    ] {
        let mut bench = Bench::opened(quick(model));
        bench.firehose();
        let answer = bench.document(&FirehoseRequest::StorageInfo {
            physical_partition: 0,
        });
        assert_eq!(lines(&answer), expected, "{model}");
        assert_eq!(verdicts(&answer), [ACK]);
    }
}

#[test]
fn configure_is_answered_with_a_nak_and_the_real_limit_and_then_with_an_ack() {
    let mut bench = Bench::opened(quick("EM7565"));
    bench.firehose();
    for (wish, verdict) in [(1_048_576, Verdict::Nak), (8192, Verdict::Ack)] {
        let answer = bench.document(&FirehoseRequest::Configure(Configure::asking_for(wish)));
        let [Answer::Response(response)] = &answer[..] else {
            panic!("{answer:?}")
        };
        assert_eq!(
            (&response.verdict, response.max_payload_to_target_bytes),
            (&verdict, Some(8192))
        );
        assert_eq!(response.target_name.as_deref(), Some("9x55"));
    }
}

#[test]
fn every_answer_to_configure_can_be_had() {
    for (habit, verdict, number) in [
        (PayloadAnswer::Nak(0), Verdict::Nak, Some(0)),
        (PayloadAnswer::Nak(2048), Verdict::Nak, Some(2048)),
        (PayloadAnswer::Ack(10_000), Verdict::Ack, Some(10_000)),
        (PayloadAnswer::AckWithoutNumber, Verdict::Ack, None),
    ] {
        let mut setup = quick("EM7565");
        setup.quirks.payload = Some(habit);
        let mut bench = Bench::opened(setup);
        bench.firehose();
        let answer = bench.document(&FirehoseRequest::Configure(Configure::asking_for(1_048_576)));
        let [Answer::Response(response)] = &answer[..] else {
            panic!("{answer:?}")
        };
        assert_eq!(
            (&response.verdict, response.max_payload_to_target_bytes),
            (&verdict, number)
        );
    }
}

#[test]
fn a_payload_that_is_no_multiple_of_sectors_gives_blocks_of_whole_sectors() {
    // 10000 → blocks of 8192: a file of 16384 bytes has full blocks only, one of 12288 needs the zero block.
    for (length, zeros) in [(16_384, 0), (12_288, 512)] {
        let mut setup = quick("EM7565");
        setup.quirks.payload = Some(PayloadAnswer::Ack(10_000));
        let mut bench = Bench::opened(setup);
        bench.configured();
        let file = file(length);
        bench.program(sectors(&file));
        bench.send(&file);
        assert_eq!(verdicts(&answers(&bench.hear())).is_empty(), zeros > 0);
        assert_eq!(verdicts(&bench.raw(&vec![0; zeros])).is_empty(), zeros == 0);
        assert_eq!(bench.modem.images()[0].state, ImageState::Accepted);
    }
}

#[test]
fn without_a_number_the_size_asked_for_holds() {
    let mut setup = quick("EM7565");
    setup.quirks.payload = Some(PayloadAnswer::AckWithoutNumber);
    let mut bench = Bench::opened(setup);
    bench.configured();
    let file = file(8192);
    bench.program(2);
    // One short block of 1 MiB: the zero block is needed although 8192 is a multiple of 8192.
    assert_eq!(bench.ask(&file), b"");
    assert_eq!(verdicts(&bench.raw(&[0; 512])), [DONE]);
}

#[test]
fn the_verdict_takes_as_long_as_programming_the_flash() {
    let mut setup = Setup::of(Profile::named("EM7565").unwrap());
    setup.timings.programming_bytes_per_second = 1000;
    let mut bench = Bench::opened(setup);
    bench.configured();
    let file = file(8192);
    bench.program(2);
    bench.send(&file);
    assert_eq!(bench.hear_for(Duration::from_secs(8)), b"");
    assert_ne!(bench.hear_for(Duration::from_secs(1)), b"");
}

#[test]
fn endless_log_lines_go_on() {
    let mut setup = quick("EM7565");
    setup.quirks.endless_log = Some(Duration::from_millis(10));
    let mut bench = Bench::opened(setup);
    bench.firehose();
    assert_eq!(
        lines(&answers(&bench.hear_for(Duration::from_secs(10)))).len(),
        1000
    );
}

#[test]
fn documents_may_be_cut_at_any_place_or_joined() {
    let whole = {
        let mut bench = configured(None);
        bench.ask(
            &FirehoseRequest::StorageInfo {
                physical_partition: 0,
            }
            .to_bytes(),
        )
    };
    for at in 1..120 {
        let mut setup = quick("EM7565");
        setup.quirks.pieces = Pieces::Cut {
            at,
            pause: Duration::from_millis(3),
        };
        let mut bench = Bench::opened(setup);
        bench.configured();
        assert_eq!(
            bench.ask(
                &FirehoseRequest::StorageInfo {
                    physical_partition: 0
                }
                .to_bytes()
            ),
            whole
        );
    }
    let mut setup = quick("EM7565");
    setup.quirks.pieces = Pieces::Joined;
    let mut bench = Bench::opened(setup);
    bench.configured();
    bench.send(
        &FirehoseRequest::StorageInfo {
            physical_partition: 0,
        }
        .to_bytes(),
    );
    assert_eq!(
        bench.modem.poll(bench.now),
        Output::Send {
            interface: 0,
            bytes: whole
        },
        "two log lines and the response at once"
    );
}

#[test]
fn failure_lines_can_be_chosen() {
    let mut setup = quick("EM7565");
    setup.quirks.failure_lines = vec!["Package not compatible".to_owned()];
    setup.faults = "reject-image".parse().unwrap();
    let mut bench = Bench::opened(setup);
    bench.configured();
    let file = file(8192);
    bench.program(2);
    let answer = bench.raw(&file);
    assert_eq!(lines(&answer), ["Package not compatible"]);
    assert_eq!(verdicts(&answer), [NAK]);
    assert_eq!(bench.modem.violations(), []);
    assert!(!bench.modem.is_bootable());
}

// Refused requests

#[test]
fn program_may_be_refused_before_it_is_accepted_and_the_modem_stays_in_command_mode() {
    let file = file(5044);
    for (habit, refusals) in [(RefusedPrograms::First(2), 2), (RefusedPrograms::All, 5)] {
        let mut setup = quick("EM7565");
        setup.quirks.noise = None;
        setup.quirks.refused_programs = habit;
        let mut bench = Bench::opened(setup);
        bench.configured();
        for _ in 0..refusals {
            let answer = bench.program(2);
            assert_eq!(verdicts(&answer), [NAK]);
            assert_eq!(lines(&answer), ["ERROR: storage device is busy"]);
            assert_eq!(verdicts(&bench.document(&FirehoseRequest::Ping)), [ACK]);
        }
        if habit == RefusedPrograms::First(2) {
            assert_eq!(verdicts(&bench.program(2)), [RAW]);
            assert_eq!(verdicts(&bench.raw(&wire(&file))), [DONE]);
            // The same again for the next image.
            assert_eq!(verdicts(&bench.program(2)), [NAK]);
        }
        assert_eq!(bench.modem.violations(), []);
    }
}

// Noise

/// Writes one image that needs a zero block; returns what the modem said to it.
fn noisy(noise: Noise) -> (Bench, Vec<Answer>) {
    let file = file(5044);
    let mut bench = configured(Some(noise));
    bench.program(2);
    let answer = bench.raw(&wire(&file));
    (bench, answer)
}

#[test]
fn a_request_may_be_lost_with_the_noise() {
    let (mut bench, answer) = noisy(Noise::ONCE);
    assert_eq!(verdicts(&answer), [DONE]);
    let met = bench.program(2);
    assert_eq!((lines(&met), verdicts(&met)), (vec![NOISE], vec![NAK]));
    assert_eq!(verdicts(&bench.program(2)), [RAW]);
    assert_eq!(bench.modem.violations(), []);
}

#[test]
fn a_request_may_still_be_queued_behind_the_noise_and_then_a_second_one_spoils_the_flash() {
    let (mut bench, _) = noisy(Noise::QUEUED);
    assert_eq!(verdicts(&bench.program(2)), [NAK, RAW]);
    assert_eq!(bench.program(2), []);
    assert_eq!(bench.modem.violations()[0].what, Wrong::DocumentAsImageData);
    let file = file(5044);
    let answer = bench.raw(&wire(&file));
    assert_eq!(verdicts(&answer)[0], NAK);
    assert!(!bench.modem.is_bootable());
}

#[test]
fn the_noise_may_come_in_the_same_transfer_as_the_final_ack() {
    let (mut bench, answer) = noisy(Noise::JOINED);
    assert_eq!(verdicts(&answer), [DONE, NAK]);
    assert_eq!(lines(&answer), ["SWI CWE image processed OK", NOISE]);
    assert_eq!(verdicts(&bench.program(2)), [RAW]);
    assert_eq!(bench.modem.violations(), []);
}

#[test]
fn the_noise_may_come_many_times() {
    let (mut bench, _) = noisy(Noise::MANY);
    for _ in 0..2 {
        assert_eq!(verdicts(&bench.document(&FirehoseRequest::Ping)), vec![NAK; 20]);
    }
    assert_eq!(verdicts(&bench.document(&FirehoseRequest::Ping)), [ACK]);
}

#[test]
fn a_reset_may_meet_the_noise() {
    // sahara-firehose.md vector 23.
    let (mut bench, _) = noisy(Noise::ONCE);
    assert_eq!(verdicts(&bench.reset()), [NAK]);
    assert_eq!(bench.modem.mode(), Mode::Download);
    assert_eq!(verdicts(&bench.reset()), [ACK]);
    assert_eq!(bench.modem.mode(), Mode::Normal);
}

#[test]
fn the_answer_behind_the_noise_may_come_late() {
    let spacing = Duration::from_millis(300);
    let noise = Noise {
        moment: NoiseMoment::AtNextRequest,
        messages: 1,
        request: NoisyRequest::Queued,
        spacing,
    };
    let (mut bench, _) = noisy(noise);
    bench.send(&FirehoseRequest::Ping.to_bytes());
    assert_eq!(
        verdicts(&answers(&bench.hear_for(Duration::from_millis(299)))),
        [NAK]
    );
    assert_eq!(
        verdicts(&answers(&bench.hear_for(Duration::from_millis(1)))),
        [ACK]
    );
}

// Wrong hosts

#[test]
fn a_program_before_configure_is_caught() {
    let mut bench = Bench::opened(quick("EM7565"));
    bench.firehose();
    assert_eq!(verdicts(&bench.program(2)), [NAK]);
    assert_eq!(bench.kinds(), ["request out of order"]);
}

#[test]
fn wrong_values_in_a_program_are_caught() {
    type Change = fn(&mut Program);
    let changes: [(Change, &str); 6] = [
        (|program| program.sector_size_bytes = 512, "SECTOR_SIZE_IN_BYTES"),
        (|program| program.pages_per_block = 32, "PAGES_PER_BLOCK"),
        (|program| program.sectors = 0, "num_partition_sectors"),
        (
            |program| program.physical_partition = 1,
            "physical_partition_number",
        ),
        (|program| program.start_sector = 0, "start_sector"),
        (|program| program.filename = "boot.cwe".to_owned(), "filename"),
    ];
    for (change, wrong) in changes {
        let mut bench = configured(None);
        let mut program = Program::image(2, 4096, 64);
        change(&mut program);
        assert_eq!(
            verdicts(&bench.document(&FirehoseRequest::Program(program))),
            [NAK]
        );
        let what = &bench.modem.violations()[0].what;
        assert!(
            matches!(what, Wrong::Attribute { name, .. } if *name == wrong),
            "{what}"
        );
    }
}

#[test]
fn another_power_value_is_caught() {
    let mut bench = configured(None);
    let power = Power {
        value: "off".to_owned(),
        ..Power::reset()
    };
    assert_eq!(verdicts(&bench.document(&FirehoseRequest::Power(power))), [NAK]);
    assert_eq!(bench.kinds(), ["attribute"]);
}

#[test]
fn text_that_is_no_xml_or_no_request_is_caught() {
    for document in ["<data><NOP value=</data>", "<data><erase /></data>"] {
        let mut bench = configured(None);
        let answer = answers(&bench.ask(document.as_bytes()));
        assert_eq!(verdicts(&answer), [NAK], "{document}");
        assert_eq!(bench.kinds(), ["document"], "{document}");
    }
}

#[test]
fn a_document_without_end_is_caught() {
    let mut bench = configured(None);
    bench.ask(format!("<data>{}", "x".repeat(5000)).as_bytes());
    assert_eq!(bench.kinds(), ["document"]);
}

#[test]
fn bytes_between_documents_are_caught() {
    let mut bench = configured(None);
    let mut bytes = b"AT\r\n".to_vec();
    bytes.extend(FirehoseRequest::Ping.to_bytes());
    assert_eq!(verdicts(&answers(&bench.ask(&bytes))), [ACK]);
    assert_eq!(bench.modem.violations()[0].what, Wrong::OutsideOfDocument(4));
}

#[test]
fn a_second_program_is_caught_as_image_data() {
    let file = file(8192);
    let mut bench = programmed(&file);
    assert_eq!(bench.program(2), []);
    assert_eq!(bench.modem.violations()[0].what, Wrong::DocumentAsImageData);
    let answer = bench.raw(&file);
    assert_eq!(verdicts(&answer)[0], NAK);
}

#[test]
fn an_announced_size_that_is_not_that_of_the_header_is_caught() {
    for wrong in [1, 4] {
        let mut bench = configured(None);
        bench.program(wrong);
        let mut bytes = file(8192);
        bytes.resize(usize::try_from(wrong * 4096).unwrap(), 0);
        let mut answer = bench.raw(&bytes);
        answer.extend(bench.raw(&[0; 512]));
        assert_eq!(verdicts(&answer)[0], NAK);
        let expected = Wrong::Size {
            what: "num_partition_sectors",
            expected: 2,
            got: wrong,
        };
        assert_eq!(bench.modem.violations()[0].what, expected);
    }
}

#[test]
fn fewer_bytes_than_announced_are_caught_after_a_while() {
    let file = file(8192);
    let mut bench = programmed(&file);
    let answer = bench.raw(&file[..8000]);
    assert_eq!(verdicts(&answer), [NAK]);
    assert_eq!(
        bench.modem.violations()[0].what,
        Wrong::LessThanAnnounced { missing: 192 }
    );
    assert_eq!(bench.modem.images()[0].state, ImageState::Partial);
}

#[test]
fn missing_padding_is_caught() {
    // The zero block comes where the padding belongs: it isn't enough.
    let file = file(5044);
    let mut bench = programmed(&file);
    bench.send(&file);
    assert_eq!(verdicts(&bench.raw(&[0; 512])), [NAK]);
    assert_eq!(bench.kinds(), ["less than announced"]);
}

#[test]
fn a_document_before_the_verdict_is_caught() {
    let mut setup = Setup::of(Profile::named("EM7565").unwrap());
    setup.quirks.noise = None;
    let mut bench = Bench::opened(setup);
    bench.configured();
    bench.program(2);
    bench.send(&file(8192));
    assert_eq!(verdicts(&bench.reset()), [DONE, ACK]);
    assert_eq!(bench.kinds(), ["request out of order"]);
}

#[test]
fn padding_that_is_not_zero_is_caught() {
    for place in [5044, 5047, 5048, 8191] {
        let file = file(5044);
        let mut bench = programmed(&file);
        let mut bytes = wire(&file);
        bytes[place] = 0xff;
        assert_eq!(verdicts(&bench.raw(&bytes)), [NAK], "byte {place}");
        assert_eq!(bench.kinds(), ["padding"], "byte {place}");
    }
}

#[test]
fn a_missing_zero_block_is_caught() {
    let file = file(5044);
    let mut waiting = programmed(&file);
    assert_eq!(verdicts(&waiting.raw(&wire(&file)[..8192])), [NAK]);
    assert_eq!(waiting.kinds(), ["zero block"]);
    let mut impatient = programmed(&file);
    impatient.send(&wire(&file)[..8192]);
    assert_eq!(verdicts(&impatient.program(2))[0], NAK);
    assert_eq!(impatient.kinds()[0], "zero block");
}

#[test]
fn an_image_of_another_product_is_refused_in_the_middle_of_the_data() {
    let file = image_for("MC7455", &[1; 100_000]);
    let mut bench = configured(None);
    bench.program(sectors(&file));
    bench.send(&file[..8192]);
    let answer = answers(&bench.hear());
    assert_eq!(verdicts(&answer), [NAK]);
    assert_eq!(lines(&answer)[0], "Package not compatible");
    // What was on its way is passed over, and the server still answers.
    bench.send(&file[8192..20_000]);
    assert_eq!(verdicts(&bench.document(&FirehoseRequest::Ping)), [ACK]);
    assert_eq!(bench.kinds(), ["foreign image"]);
}

#[test]
fn a_damaged_image_is_caught_at_the_end() {
    for place in [0x101, 500, 8191] {
        let mut file = file(8192);
        file[place] ^= 4;
        let mut bench = programmed(&file);
        let answer = bench.raw(&file);
        assert_eq!(verdicts(&answer), [NAK], "byte {place}");
        assert!(lines(&answer)[0].starts_with("SWI Error Code"));
        assert_eq!(bench.kinds(), ["damaged image"], "byte {place}");
    }
}
