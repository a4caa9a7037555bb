//! A bench for modems: hands in bytes, lets time pass, and notes what comes.
#![allow(unreachable_pub)]

pub mod normal;

use std::time::Duration;

use modem_protocol::firehose::message::{Answer, Configure, FirehoseRequest, Power, Program, Verdict};
use modem_protocol::qdl::message::{HelloRequest, ImageType, OpenRequest, Request, Response, WriteHeader};
use modem_protocol::sahara::message::{ClientCommand, HelloResponse, Packet};
use modem_protocol::{Instant, hdlc};
use modemflash_virtual_modem::profile::Timings;
use modemflash_virtual_modem::{Appearance, Output, Profile, Setup, VirtualModem};

/// A modem on the bench.
pub struct Bench {
    pub modem: VirtualModem,
    pub now: Instant,
    /// Ids and numbers of interfaces with which it appeared on the bus.
    pub seen: Vec<(String, u8)>,
    pub detached: u32,
}

/// A model that needs no time, in download mode.
pub fn quick(model: &str) -> Setup {
    let mut setup = Setup::of(Profile::named(model).expect("a model"));
    setup.timings = Timings::INSTANT;
    setup
}

impl Bench {
    /// Puts the modem on the bus, port closed.
    pub fn closed(setup: Setup) -> Self {
        let mut bench = Self {
            modem: VirtualModem::new(setup),
            now: Instant::START,
            seen: Vec::new(),
            detached: 0,
        };
        bench.hear_for(Duration::ZERO);
        bench
    }

    /// Puts the modem on the bus and opens its port.
    pub fn opened(setup: Setup) -> Self {
        let mut bench = Self::closed(setup);
        bench.modem.port_opened(0, bench.now);
        bench
    }

    /// Hands in bytes as fast as the modem takes them.
    pub fn send(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let count = self.modem.room(0, self.now).min(bytes.len());
            self.modem.receive(0, &bytes[..count], self.now);
            bytes = &bytes[count..];
            if count == 0 {
                match self.modem.poll(self.now) {
                    Output::Wait(until) => {
                        assert!(until < Instant::FAR, "{} bytes are never taken", bytes.len());
                        self.now = self.now.max(until);
                    }
                    Output::Detach => return self.detached += 1,
                    other => panic!("{other:?} while {} bytes are to be sent", bytes.len()),
                }
            }
        }
    }

    /// What the modem says within this time.
    pub fn hear_for(&mut self, span: Duration) -> Vec<u8> {
        let end = self.now + span;
        let mut heard = Vec::new();
        loop {
            match self.modem.poll(self.now) {
                Output::Send { bytes, .. } => heard.extend(bytes),
                Output::Attach(Appearance { device, .. }) => {
                    self.seen.push((device.id(), device.interfaces.unwrap()))
                }
                Output::Detach => self.detached += 1,
                Output::Wait(until) if until > end => {
                    self.now = end;
                    return heard;
                }
                Output::Wait(until) => self.now = self.now.max(until),
            }
        }
    }

    /// What the modem says within 5 s.
    pub fn hear(&mut self) -> Vec<u8> {
        self.hear_for(Duration::from_secs(5))
    }

    pub fn ask(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.send(bytes);
        self.hear()
    }

    /// The kinds of the violations so far.
    pub fn kinds(&self) -> Vec<&'static str> {
        self.modem
            .violations()
            .iter()
            .map(|violation| violation.what.kind())
            .collect()
    }

    // QDL

    pub fn qdl(&mut self, request: &Request) -> Response {
        let answer = self.ask(&request.frame());
        qdl_response(&answer)
    }

    pub fn qdl_hello(&mut self) -> Response {
        self.qdl(&Request::Hello(HelloRequest::of_version(6)))
    }

    pub fn qdl_open(&mut self, file: &[u8]) -> Response {
        self.qdl(&Request::Open(open_request(file)))
    }

    pub fn qdl_write(&mut self, sequence: u16, data: &[u8]) -> Response {
        self.send(&write_request(sequence, data));
        let answer = self.hear_for(Duration::from_secs(100));
        qdl_response(&answer)
    }

    // Sahara and Firehose

    /// From the hello to Firehose; returns the greeting.
    pub fn firehose(&mut self) -> Vec<Answer> {
        let hello = self.hear();
        assert!(
            matches!(Packet::parse(&hello), Ok(Packet::Hello(_))),
            "{hello:02x?}"
        );
        let ready = self.ask(&Packet::HelloResponse(HelloResponse::COMMAND_MODE).to_bytes());
        assert_eq!(Packet::parse(&ready), Ok(Packet::CommandReady));
        let command = ClientCommand::SwitchToFirehose;
        let response = self.ask(&Packet::Execute { command }.to_bytes());
        assert_eq!(
            Packet::parse(&response),
            Ok(Packet::ExecuteResponse { command, length: 9 })
        );
        let greeting = self.ask(&Packet::ExecuteData { command }.to_bytes());
        answers(greeting.strip_prefix(b"confirmed").expect("a confirmation"))
    }

    pub fn document(&mut self, request: &FirehoseRequest) -> Vec<Answer> {
        let answer = self.ask(&request.to_bytes());
        answers(&answer)
    }

    /// From the hello to the answer of configure.
    pub fn configured(&mut self) {
        self.firehose();
        let wish = FirehoseRequest::Configure(Configure::asking_for(Configure::WISH_BYTES));
        assert!(!self.document(&wish).is_empty());
    }

    pub fn program(&mut self, sectors: u64) -> Vec<Answer> {
        self.document(&FirehoseRequest::Program(Program::image(sectors, 4096, 64)))
    }

    pub fn reset(&mut self) -> Vec<Answer> {
        self.document(&FirehoseRequest::Power(Power::reset()))
    }

    /// What the modem says to raw data, after up to 100 s.
    pub fn raw(&mut self, bytes: &[u8]) -> Vec<Answer> {
        self.send(bytes);
        let heard = self.hear_for(Duration::from_secs(100));
        answers(&heard)
    }
}

pub fn qdl_response(bytes: &[u8]) -> Response {
    let mut decoder = hdlc::Decoder::default();
    decoder.push(bytes);
    let payload = decoder.next_frame().expect("an answer").expect("a sound frame");
    assert!(decoder.next_frame().is_none(), "more than one answer");
    Response::parse(&payload).expect("an answer")
}

pub fn open_request(file: &[u8]) -> OpenRequest {
    OpenRequest {
        image_type: ImageType::Cwe,
        image_length: u32::try_from(file.len()).unwrap(),
        window: 1,
        data_length: u32::try_from(file.len() - 400).unwrap(),
        features: 0,
        header: file[..400].to_vec(),
    }
}

pub fn write_request(sequence: u16, data: &[u8]) -> Vec<u8> {
    let data_length = u32::try_from(data.len()).unwrap();
    let mut bytes = WriteHeader {
        sequence,
        address: 0,
        data_length,
    }
    .encode();
    bytes.extend_from_slice(data);
    bytes
}

/// The elements of all documents in `bytes`.
pub fn answers(bytes: &[u8]) -> Vec<Answer> {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    text.split_inclusive("</data>")
        .filter(|document| !document.trim().is_empty())
        .flat_map(|document| Answer::parse(document.trim().as_bytes()).expect(document))
        .collect()
}

/// The verdicts among the answers.
pub fn verdicts(answers: &[Answer]) -> Vec<(Verdict, Option<bool>)> {
    answers
        .iter()
        .filter_map(|answer| match answer {
            Answer::Response(response) => Some((response.verdict.clone(), response.raw_mode)),
            _ => None,
        })
        .collect()
}

/// The log lines among the answers.
pub fn lines(answers: &[Answer]) -> Vec<&str> {
    answers
        .iter()
        .filter_map(|answer| match answer {
            Answer::Log(line) => Some(line.as_str()),
            _ => None,
        })
        .collect()
}

/// A file for a model, with right sums.
pub fn image_for(model: &str, body: &[u8]) -> Vec<u8> {
    let profile = Profile::named(model).expect("a model");
    let version = format!("INTERNAL_?_{}_01.02.03.04_?_?_?_?", profile.family);
    cwe(&version, profile.products.first().expect("a product"), body)
}

/// A CWE file with right sums (cwe.md §2 and §3).
pub fn cwe(version: &str, product: &str, body: &[u8]) -> Vec<u8> {
    let mut file = vec![0; 400];
    let mut put = |at: usize, bytes: &[u8]| file[at..at + bytes.len()].copy_from_slice(bytes);
    put(0x100, &0xF269_7AA7_u32.to_be_bytes());
    put(0x104, &3_u32.to_be_bytes());
    put(0x108, &[0xff; 4]);
    put(0x10C, b"FILE");
    put(0x110, product.as_bytes());
    put(0x114, &u32::try_from(body.len()).unwrap().to_be_bytes());
    put(0x118, &(!crc32fast::hash(body)).to_be_bytes());
    put(0x11C, version.as_bytes());
    put(0x170, b"08/28/19");
    put(0x178, &1_u32.to_be_bytes());
    put(0x18C, &1_u32.to_be_bytes());
    file.extend_from_slice(body);
    file
}

/// The mini image of cwe.md vector 3.
pub fn mini() -> Vec<u8> {
    let version = "9999999_9999999_SWI9X30C_02.33.03.00_00_GENERIC_002.072_000";
    let body: Vec<u8> = (0..16).collect();
    cwe(version, "9X30", &body)
}

/// Bytes of a text in hexadecimal.
pub fn hex(text: &str) -> Vec<u8> {
    text.split_whitespace()
        .map(|byte| u8::from_str_radix(byte, 16).unwrap())
        .collect()
}
