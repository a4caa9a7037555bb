//! Firehose documents against the numbered vectors and the table of sahara-firehose.md.

use crate::common::{document, vector};
use modemflash_modem_protocol::ParseError;
use modemflash_modem_protocol::firehose::failure;
use modemflash_modem_protocol::firehose::message::{
    Answer, Configure, FirehoseRequest, Nak, Power, Program, Response, Verdict,
};
use modemflash_modem_protocol::firehose::stream::{LARGEST_DOCUMENT, Splitter};
use proptest::prelude::*;

fn requests() -> Vec<(FirehoseRequest, usize, &'static str)> {
    // sahara-firehose.md §4: request, length of the document, element
    vec![
        (FirehoseRequest::Ping, 77, r#"<NOP value="ping" />"#),
        (
            FirehoseRequest::Configure(Configure::asking_for(Configure::WISH_BYTES)),
            247,
            r#"<configure MemoryName="eMMC" Verbose="0" AlwaysValidate="0" MaxDigestTableSizeInBytes="8192" MaxPayloadSizeToTargetInBytes="1048576" ZlpAwareHost="0" SkipStorageInit="0" TargetName="8960" />"#,
        ),
        (
            FirehoseRequest::StorageInfo {
                physical_partition: 0,
            },
            105,
            r#"<getStorageInfo physical_partition_number="0" />"#,
        ),
        (
            FirehoseRequest::Program(Program::image(19591, 4096, 64)),
            215,
            r#"<program PAGES_PER_BLOCK="64" SECTOR_SIZE_IN_BYTES="4096" filename="spkg.cwe" num_partition_sectors="19591" physical_partition_number="0" start_sector="-1" />"#,
        ),
        (
            FirehoseRequest::Power(Power::reset()),
            99,
            r#"<power DelayInSeconds="0" value="reset" />"#,
        ),
    ]
}

#[test]
fn requests_have_exactly_the_bytes_of_the_table() {
    for (request, length, element) in requests() {
        let bytes = request.to_bytes();
        assert_eq!(bytes.len(), length, "{element}");
        let whole = format!("<?xml version=\"1.0\" encoding=\"UTF-8\" ?>\n<data>\n{element}\n</data>\n\n");
        assert_eq!(String::from_utf8(bytes).unwrap(), whole);
    }
}

#[test]
fn vector_11_ping_is_these_bytes() {
    assert_eq!(FirehoseRequest::Ping.to_bytes(), vector("ping"));
}

#[test]
fn requests_are_read_back() {
    for (request, ..) in requests() {
        assert_eq!(FirehoseRequest::parse(&request.to_bytes()), Ok(vec![request]));
    }
}

#[test]
fn the_vendor_tools_order_of_program_attributes_is_read() {
    // trace em7565_sahara-firehose_vendor-sdk_2018, line 12
    let bytes = document(
        r#"<program PAGES_PER_BLOCK="64" SECTOR_SIZE_IN_BYTES="4096" num_partition_sectors="7" filename="spkg.cwe" physical_partition_number="0" start_sector="-1" />"#,
    );
    assert_eq!(
        FirehoseRequest::parse(&bytes),
        Ok(vec![FirehoseRequest::Program(Program::image(7, 4096, 64))])
    );
}

#[test]
fn a_request_of_a_multiple_of_512_bytes_gets_one_more_line_feed() {
    let with_name = |length| {
        let filename = "x".repeat(length);
        FirehoseRequest::Program(Program {
            filename,
            ..Program::image(1, 4096, 64)
        })
        .to_bytes()
    };
    let empty = with_name(0).len();
    assert_eq!(with_name(511 - empty).len(), 511);
    let padded = with_name(512 - empty);
    assert_eq!(padded.len(), 513);
    assert!(padded.ends_with(b"</data>\n\n\n"));
    assert_eq!(with_name(513 - empty).len(), 513);
    assert_eq!(with_name(1024 - empty).len(), 1025);
}

fn answers(element: &str) -> Vec<Answer> {
    Answer::parse(&document(element)).unwrap()
}

#[test]
fn vectors_16_and_17_an_ack_without_and_with_raw_mode() {
    let plain = b"<?xml version=\"1.0\" encoding=\"UTF-8\" ?>\n<data>\n<response value=\"ACK\" />\n</data>";
    let raw = b"<?xml version=\"1.0\" encoding=\"UTF-8\" ?>\n<data>\n<response value=\"ACK\" rawmode=\"true\" />\n</data>";
    assert_eq!(
        Answer::parse(plain),
        Ok(vec![Answer::Response(Response::plain(Verdict::Ack))])
    );
    assert_eq!(
        Answer::parse(raw),
        Ok(vec![Answer::Response(Response::ack_raw(true))])
    );
    assert_eq!(Answer::Response(Response::plain(Verdict::Ack)).to_bytes(), plain);
    assert_eq!(Answer::Response(Response::ack_raw(true)).to_bytes(), raw);
}

const VECTOR_18: &str = r#"<response value="NAK" MemoryName="NAND" MaxPayloadSizeFromTargetInBytes="2048" MaxPayloadSizeToTargetInBytes="8192" MaxPayloadSizeToTargetInBytesSupported="8192" TargetName="9x55" />"#;

#[test]
fn vector_18_the_payload_is_neither_the_supported_nor_the_from_target_number() {
    assert_eq!(
        answers(VECTOR_18),
        [Answer::Response(Response::payload_limit(Verdict::Nak, 8192))]
    );
    assert_eq!(
        Answer::Response(Response::payload_limit(Verdict::Nak, 8192)).to_bytes(),
        document(VECTOR_18)
    );
    let only_strangers = r#"<response value="NAK" MaxPayloadSizeFromTargetInBytes="2048" MaxPayloadSizeToTargetInBytesSupported="16384" />"#;
    let [Answer::Response(response)] = &answers(only_strangers)[..] else {
        unreachable!()
    };
    assert_eq!(response.max_payload_to_target_bytes, None);
    assert_eq!(response.max_payload_to_target_supported_bytes, Some(16384));
}

#[test]
fn vector_19_a_log_without_blank_before_the_slash() {
    assert_eq!(
        answers(r#"<log value="SWI supported functions: CWE"/>"#),
        [Answer::Log("SWI supported functions: CWE".into())]
    );
}

#[test]
fn quotes_order_extra_attributes_and_entities_do_not_matter() {
    let expected = Response {
        others: vec![("x".into(), "<y>".into())],
        ..Response::ack_raw(false)
    };
    assert_eq!(
        answers("<response x='&lt;y&gt;' rawmode='false' value='ACK'></response>"),
        [Answer::Response(expected)]
    );
    let noise = "ERROR: XML not formed correctly. Expected a < character at loc 0";
    assert_eq!(
        answers(r#"<log value="ERROR: XML not formed correctly. Expected a &lt; character at loc 0" />"#),
        [Answer::Log(noise.into())]
    );
    assert!(failure::is_zero_block_noise(noise));
}

#[test]
fn a_payload_that_is_no_number_is_an_error_not_a_missing_one() {
    for value in ["", "-1", "8k", "99999999999999999999"] {
        let element = format!(r#"<response value="ACK" MaxPayloadSizeToTargetInBytes="{value}" />"#);
        let error = ParseError::Text {
            field: "MaxPayloadSizeToTargetInBytes",
            expected: "a number in range",
        };
        assert_eq!(Answer::parse(&document(&element)), Err(error));
    }
}

#[test]
fn bytes_that_xml_forbids_do_not_cost_the_log_line() {
    assert_eq!(
        Answer::parse(b"<data><log value=\"a\x00b\xFFc\"/></data>"),
        Ok(vec![Answer::Log("a\u{FFFD}b\u{FFFD}c".into())])
    );
}

#[test]
fn several_elements_in_one_document_come_in_their_order() {
    assert_eq!(
        answers(r#"<log value="a"/><response value="ACK"/><patch/>"#),
        [
            Answer::Log("a".into()),
            Answer::Response(Response::plain(Verdict::Ack)),
            Answer::Other {
                name: "patch".into(),
                attributes: vec![]
            },
        ]
    );
}

#[test]
fn an_attribute_with_a_prefix_does_not_stand_for_the_one_without() {
    assert_eq!(
        answers(r#"<response xml:value="NAK" value="ACK" xml:rawmode="true" x="1" xml:x="2"/>"#),
        [Answer::Response(Response {
            others: vec![("x".into(), "1".into())],
            ..Response::plain(Verdict::Ack)
        })]
    );
}

#[test]
fn deep_nesting_and_entity_bombs_are_errors() {
    let deep = format!("<data>{}", "<a>".repeat(LARGEST_DOCUMENT / 3));
    assert!(Answer::parse(deep.as_bytes()).is_err());
    let closed = format!("<data>{}{}</data>", "<a>".repeat(2000), "</a>".repeat(2000));
    assert!(matches!(
        Answer::parse(closed.as_bytes()),
        Ok(_) | Err(ParseError::Text { .. })
    ));
    let bomb = b"<!DOCTYPE d [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><data><log value=\"&b;\"/></data>";
    assert!(Answer::parse(bomb).is_err());
}

fn split(stream: &[u8], pieces: usize) -> (Vec<Vec<u8>>, u64) {
    let mut splitter = Splitter::default();
    let mut documents = vec![];
    for piece in stream.chunks(pieces.max(1)) {
        splitter.push(piece);
        documents.extend(std::iter::from_fn(|| splitter.next_document()));
    }
    (documents, splitter.skipped())
}

#[test]
fn vector_20_three_documents_in_one_read_are_three_answers_in_order() {
    let stream = [
        document(r#"<log value="SECTOR_SIZE_IN_BYTES=4096" />"#),
        document(r#"<log value="PAGES_IN_BLOCK=64" />"#),
        document(r#"<response value="ACK" />"#),
    ];
    let (documents, skipped) = split(&stream.concat(), usize::MAX);
    assert_eq!(documents, stream);
    assert_eq!(skipped, 0);
}

#[test]
fn vector_21_a_document_cut_anywhere_is_the_same_document() {
    let bytes = document(r#"<response value="ACK" rawmode="true" />"#);
    for cut in 0..=bytes.len() {
        let mut splitter = Splitter::default();
        splitter.push(&bytes[..cut]);
        let early = splitter.next_document();
        assert_eq!(early.is_some(), cut == bytes.len());
        splitter.push(&bytes[cut..]);
        assert_eq!(early.or_else(|| splitter.next_document()), Some(bytes.clone()));
    }
}

#[test]
fn anything_between_documents_is_passed_over_and_counted() {
    let a = document(r#"<log value="a" />"#);
    let b = b"<data ><log value='b'/></data >".to_vec();
    let mut stream = b"\0\0\r\n<dat<?xm ".to_vec();
    stream.extend(&a);
    stream.extend(b"\n\n\0<datum/>");
    stream.extend(&b);
    stream.extend(b"<data />\0");
    for pieces in 1..stream.len() {
        let (documents, skipped) = split(&stream, pieces);
        assert_eq!(
            documents,
            [a.clone(), b.clone(), b"<data />".to_vec()],
            "pieces of {pieces}"
        );
        assert_eq!(skipped, 13 + 11 + 1, "pieces of {pieces}");
    }
}

#[test]
fn a_document_cut_short_by_the_next_one_does_not_swallow_it() {
    let whole = document(r#"<response value="ACK" />"#);
    let mut stream = whole[..60].to_vec();
    stream.extend(&whole);
    assert_eq!(split(&stream, 7), (vec![whole], 60));
}

#[test]
fn a_document_that_never_ends_is_dropped_and_the_next_one_is_found() {
    let whole = document(r#"<response value="ACK" />"#);
    let mut stream = b"<data>".to_vec();
    stream.resize(2 * LARGEST_DOCUMENT, b'x');
    stream.extend(&whole);
    for pieces in [1, 1000, usize::MAX] {
        let (documents, skipped) = split(&stream, pieces);
        assert_eq!(documents, std::slice::from_ref(&whole));
        assert_eq!(skipped, 2 * u64::try_from(LARGEST_DOCUMENT).unwrap());
    }
}

#[test]
fn raw_data_and_documents_share_a_stream() {
    let mut splitter = Splitter::default();
    splitter.push(&FirehoseRequest::Ping.to_bytes());
    splitter.push(b"12345<dat");
    assert!(splitter.next_document().is_some());
    assert_eq!(splitter.take_raw(2).as_deref(), Some(&b"\n\n"[..]));
    assert_eq!(splitter.take_raw(5).as_deref(), Some(&b"12345"[..]));
    assert_eq!(splitter.take_raw(5), None);
    assert_eq!(splitter.into_rest(), b"<dat");
}

#[test]
fn failure_lines_are_explained_in_words() {
    // field-reports.md C7, C14, E6
    let nak = Nak {
        log: [
            "Package not compatible",
            "swi error code 0x17",
            "SWI Error Code 0x17",
        ]
        .map(String::from)
        .to_vec(),
    };
    let known = nak.known_failures();
    assert_eq!(
        known.iter().map(|known| known.pattern).collect::<Vec<_>>(),
        ["Package not compatible", "SWI Error Code"]
    );
    assert!(
        nak.to_string()
            .starts_with("NAK; Package not compatible; swi error code 0x17; ")
    );
    assert!(
        nak.to_string()
            .contains("this firmware doesn't fit the module's hardware")
    );
    assert!(failure::explain("could not get FOTA partition name").is_some());
    assert!(failure::explain("ERROR: Invalid image type").is_some());
    assert!(failure::explain("HANDLE_PROGRAM_FAILURE").is_some());
    assert_eq!(failure::explain("Binary build date: Sep 29 2017"), None);
    assert!(
        failure::KNOWN_FAILURES
            .iter()
            .all(|known| !known.advice.is_empty())
    );
}

fn text() -> impl Strategy<Value = String> {
    // Everything an attribute can hold.
    "[\t\n\r -~äß€😀]{0,40}"
}

proptest! {
    #[test]
    fn any_log_text_survives(text in text()) {
        let log = Answer::Log(text);
        prop_assert_eq!(Answer::parse(&log.to_bytes()), Ok(vec![log]));
    }

    #[test]
    fn any_response_survives(
        verdict in prop_oneof![Just(Verdict::Ack), Just(Verdict::Nak)],
        raw_mode: Option<bool>,
        to_target: Option<u64>,
        from_target: Option<u64>,
        target_name in prop::option::of(text()),
    ) {
        let response = Response {
            raw_mode,
            max_payload_to_target_bytes: to_target,
            max_payload_from_target_bytes: from_target,
            target_name,
            ..Response::plain(verdict)
        };
        let answer = Answer::Response(response);
        prop_assert_eq!(Answer::parse(&answer.to_bytes()), Ok(vec![answer]));
    }

    #[test]
    fn any_program_survives(pages: u32, sector: u32, sectors: u64, filename in text(), partition: u32, start: i64) {
        let request = FirehoseRequest::Program(Program {
            pages_per_block: pages,
            sector_size_bytes: sector,
            filename,
            sectors,
            physical_partition: partition,
            start_sector: start,
        });
        prop_assert_eq!(FirehoseRequest::parse(&request.to_bytes()), Ok(vec![request]));
    }

    #[test]
    fn a_damaged_document_never_panics(at: prop::sample::Index, byte: u8) {
        let mut bytes = document(VECTOR_18);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(answers) = Answer::parse(&bytes) {
            prop_assert!(answers.len() <= 1);
        }
    }

    #[test]
    fn the_way_a_stream_is_split_does_not_change_its_documents(
        parts in prop::collection::vec(prop::sample::select(vec![
            "<?xml version='1.0'?>", "<data>", "</data>", "<data/>", "</data", "<?xm", ">", " ", "\0",
            "<log value='x'/>", "                    ",
        ]), 0..40),
        pieces in 1_usize..30,
    ) {
        let stream = parts.concat().into_bytes();
        let whole = split(&stream, usize::MAX);
        prop_assert_eq!(split(&stream, pieces).0, whole.0);
    }
}
