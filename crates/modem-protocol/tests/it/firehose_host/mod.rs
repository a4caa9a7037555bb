//! What the tests of the Firehose session share: the modem's words, and hosts that have come to a certain point.

use std::time::Duration;

use crate::common::{Ended, Host, document, image};
use modemflash_modem_protocol::conversation::{Refusal, Step};
use modemflash_modem_protocol::firehose::message::{Configure, FirehoseRequest, Nak, Power, Program};
use modemflash_modem_protocol::firehose::session::{Session, VERDICT};
use modemflash_modem_protocol::{Instant, ProtocolError, Report};

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const QUIET: Duration = Duration::from_millis(100);
pub(crate) const MIB: u64 = 1024 * 1024;

// What an EM75xx says (traces em7565_sahara-firehose_libqmi_rules and _vendor-sdk_2018).
pub(crate) const BUILD_DATE: &str = r#"<log value="Binary build date: Sep 29 2017 @ 10:00:00" />"#;
pub(crate) const FUNCTIONS: &str = r#"<log value="SWI supported functions: CWE"/>"#;
pub(crate) const ACK: &str = r#"<response value="ACK" />"#;
pub(crate) const NAK: &str = r#"<response value="NAK" />"#;
pub(crate) const ACK_RAW: &str = r#"<response value="ACK" rawmode="true" />"#;
pub(crate) const ACK_DONE: &str = r#"<response value="ACK" rawmode="false" />"#;
pub(crate) const LIMIT: &str = r#"<response value="NAK" MemoryName="NAND" MaxPayloadSizeFromTargetInBytes="2048" MaxPayloadSizeToTargetInBytes="8192" MaxPayloadSizeToTargetInBytesSupported="8192" TargetName="9x55" />"#;
pub(crate) const SECTOR: &str = r#"<log value="SECTOR_SIZE_IN_BYTES=4096" />"#;
pub(crate) const PAGES: &str = r#"<log value="PAGES_IN_BLOCK=64" />"#;
pub(crate) const PROCESSED: &str = r#"<log value="SWI CWE image processed OK" />"#;
pub(crate) const COMPLAINT: &str =
    r#"<log value="ERROR: XML not formed correctly. Expected a &lt; character at loc 0" />"#;

pub(crate) fn host(images: &[u64]) -> Host<Session> {
    Host::new(Session::new(images, b"", Instant::START))
}

/// The documents of these elements, one after the other.
pub(crate) fn documents(elements: &[&str]) -> Vec<u8> {
    elements.iter().flat_map(|element| document(element)).collect()
}

pub(crate) trait Talk {
    fn says(&mut self, elements: &[&str]) -> Ended;
    fn asks(&mut self, request: FirehoseRequest);
    fn asks_after_refusal(&mut self);
}

impl Talk for Host<Session> {
    /// The modem says this in one read.
    fn says(&mut self, elements: &[&str]) -> Ended {
        self.hear(&documents(elements))
    }

    /// After the line was silent, the host sends exactly this.
    fn asks(&mut self, request: FirehoseRequest) {
        let ended = self.pass(QUIET);
        let sent = self.sent();
        assert_eq!(
            String::from_utf8_lossy(&sent),
            String::from_utf8_lossy(&request.to_bytes()),
            "{ended:?}"
        );
    }

    /// After a refused `program`, the host waits, finds out with a NOP that the modem is in command mode, and asks again
    /// for its first image of 2 sectors.
    fn asks_after_refusal(&mut self) {
        self.pass(QUIET);
        assert_eq!(self.sent(), b"", "too early");
        self.pass(QUIET * 4);
        assert_eq!(self.sent(), FirehoseRequest::Ping.to_bytes());
        self.says(&[ACK]);
        self.asks(program(2));
    }
}

pub(crate) fn configure() -> FirehoseRequest {
    FirehoseRequest::Configure(Configure::asking_for(Configure::WISH_BYTES))
}

pub(crate) const STORAGE_INFO: FirehoseRequest = FirehoseRequest::StorageInfo {
    physical_partition: 0,
};

pub(crate) fn program(sectors: u64) -> FirehoseRequest {
    FirehoseRequest::Program(Program::image(sectors, 4096, 64))
}

pub(crate) fn power() -> FirehoseRequest {
    FirehoseRequest::Power(Power::reset())
}

/// A host that was told how large payload, sector and block are, and has asked for the first image.
pub(crate) fn programming(images: &[u64]) -> Host<Session> {
    let mut host = host(images);
    host.asks(FirehoseRequest::Ping);
    host.says(&[BUILD_DATE, FUNCTIONS, ACK]);
    host.asks(configure());
    host.says(&[LIMIT]);
    host.asks(STORAGE_INFO);
    host.says(&[SECTOR, PAGES, ACK]);
    host.asks(FirehoseRequest::Ping);
    host.says(&[ACK]);
    host.asks(program(images[0].div_ceil(4096)));
    host
}

/// A host that has sent all bytes of its only image and waits for the verdict.
pub(crate) fn finalising(size: u64) -> Host<Session> {
    let mut host = programming(&[size]);
    host.says(&[ACK_RAW]);
    assert_eq!(
        host.reports.last(),
        Some(&Report::Finalising {
            image: 0,
            up_to: VERDICT
        })
    );
    host.sent();
    host
}

/// A host that has asked for the reset.
pub(crate) fn resetting() -> Host<Session> {
    let mut host = finalising(8192);
    host.says(&[ACK_DONE]);
    host.asks(FirehoseRequest::Ping);
    host.says(&[ACK]);
    host.asks(power());
    host
}

pub(crate) fn failed_at<T: Into<Ended>>(ended: T) -> ProtocolError {
    match ended.into() {
        Ended::Failed(error) => error,
        other => panic!("{other:?} instead of a failure"),
    }
}

pub(crate) fn refused(step: Step, log: &[&str]) -> Ended {
    let nak = Nak {
        log: log.iter().map(|line| (*line).to_string()).collect(),
    };
    Ended::Failed(ProtocolError::Refused {
        step,
        refusal: Refusal::Firehose(nak),
    })
}

pub(crate) fn padded(number: usize, size: u64, zeros: usize) -> Vec<u8> {
    let mut bytes = image(number, size);
    bytes.resize(bytes.len() + zeros, 0);
    bytes
}
