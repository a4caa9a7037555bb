//! Firehose documents: bytes to types and back, for both sides (sahara-firehose.md §4 and §5).
//!
//! [`FirehoseRequest`] is what the host sends, [`Answer`] what the modem sends. [`super::stream::Splitter`] cuts
//! documents out of a stream.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use super::failure::{self, KnownFailure};
use super::xml::{self, Element};
use crate::ParseError;

/// No zero-length packet follows a request, so its length must not be a multiple of this (sahara-firehose.md §5.1).
const USB_PACKET: usize = 512;

/// A request of the host. Each is sent as one document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FirehoseRequest {
    /// `NOP`: does nothing; the modem answers ACK.
    Ping,
    /// `configure`.
    Configure(Configure),
    /// `getStorageInfo`.
    StorageInfo {
        /// `physical_partition_number`.
        physical_partition: u32,
    },
    /// `program`: the start of an image.
    Program(Program),
    /// `power`.
    Power(Power),
    /// A request that isn't in the specification.
    Other {
        /// The element's name.
        name: String,
        /// Its attributes, in their order.
        attributes: Vec<(String, String)>,
    },
}

/// The request `configure`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configure {
    /// `MemoryName`.
    pub memory_name: String,
    /// `Verbose`, 0 or 1.
    pub verbose: u32,
    /// `AlwaysValidate`, 0 or 1.
    pub always_validate: u32,
    /// `MaxDigestTableSizeInBytes`.
    pub max_digest_table_size_bytes: u64,
    /// `MaxPayloadSizeToTargetInBytes`: how many bytes the host would like to send at once.
    pub max_payload_to_target_bytes: u64,
    /// `ZlpAwareHost`, 0 or 1: whether the host ends a transfer with a zero-length packet.
    pub zlp_aware_host: u32,
    /// `SkipStorageInit`, 0 or 1.
    pub skip_storage_init: u32,
    /// `TargetName`.
    pub target_name: String,
}

impl Configure {
    /// The payload that the host asks for. It is large on purpose, because the modem answers with its real limit
    /// (sahara-firehose.md §4).
    pub const WISH_BYTES: u64 = 1024 * 1024;

    /// The request that the vendor's tool sends, with the given payload (sahara-firehose.md §4).
    pub fn asking_for(max_payload_to_target_bytes: u64) -> Self {
        Self {
            memory_name: "eMMC".to_string(),
            verbose: 0,
            always_validate: 0,
            max_digest_table_size_bytes: 8192,
            max_payload_to_target_bytes,
            zlp_aware_host: 0,
            skip_storage_init: 0,
            target_name: "8960".to_string(),
        }
    }
}

/// The request `program`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// `PAGES_PER_BLOCK`.
    pub pages_per_block: u32,
    /// `SECTOR_SIZE_IN_BYTES`.
    pub sector_size_bytes: u32,
    /// `filename`, always `spkg.cwe`.
    pub filename: String,
    /// `num_partition_sectors`: size of the file in sectors, rounded up.
    pub sectors: u64,
    /// `physical_partition_number`.
    pub physical_partition: u32,
    /// `start_sector`; -1 lets the modem choose where the image belongs.
    pub start_sector: i64,
}

impl Program {
    /// The request to write an image of this many sectors (sahara-firehose.md §4).
    pub fn image(sectors: u64, sector_size_bytes: u32, pages_per_block: u32) -> Self {
        Self {
            pages_per_block,
            sector_size_bytes,
            filename: "spkg.cwe".to_string(),
            sectors,
            physical_partition: 0,
            start_sector: -1,
        }
    }
}

/// The request `power`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Power {
    /// `DelayInSeconds`.
    pub delay_s: u32,
    /// `value`: `reset`.
    pub value: String,
}

impl Power {
    /// The request to restart at once.
    pub fn reset() -> Self {
        Self {
            delay_s: 0,
            value: "reset".to_string(),
        }
    }
}

impl FirehoseRequest {
    /// All requests in a document; nearly always one. Attributes may come in any order. A missing attribute gets the
    /// value that the vendor's tool sends.
    ///
    /// # Errors
    /// The document isn't XML, an attribute that should be a number isn't, or a `program` lacks its sizes.
    pub fn parse(document: &[u8]) -> Result<Vec<Self>, ParseError> {
        xml::elements(document)?
            .into_iter()
            .map(Self::from_element)
            .collect()
    }

    fn from_element(mut element: Element) -> Result<Self, ParseError> {
        Ok(match element.name.as_str() {
            "NOP" => Self::Ping,
            "configure" => {
                let usual = Configure::asking_for(Configure::WISH_BYTES);
                Self::Configure(Configure {
                    memory_name: element.take("MemoryName").unwrap_or(usual.memory_name),
                    verbose: number(&mut element, "Verbose")?.unwrap_or(usual.verbose),
                    always_validate: number(&mut element, "AlwaysValidate")?.unwrap_or(usual.always_validate),
                    max_digest_table_size_bytes: number(&mut element, "MaxDigestTableSizeInBytes")?
                        .unwrap_or(usual.max_digest_table_size_bytes),
                    max_payload_to_target_bytes: number(&mut element, MAX_PAYLOAD_TO_TARGET)?
                        .unwrap_or(usual.max_payload_to_target_bytes),
                    zlp_aware_host: number(&mut element, "ZlpAwareHost")?.unwrap_or(usual.zlp_aware_host),
                    skip_storage_init: number(&mut element, "SkipStorageInit")?
                        .unwrap_or(usual.skip_storage_init),
                    target_name: element.take("TargetName").unwrap_or(usual.target_name),
                })
            }
            "getStorageInfo" => Self::StorageInfo {
                physical_partition: number(&mut element, "physical_partition_number")?.unwrap_or(0),
            },
            "program" => Self::Program(Program {
                pages_per_block: needed(&mut element, "PAGES_PER_BLOCK")?,
                sector_size_bytes: needed(&mut element, "SECTOR_SIZE_IN_BYTES")?,
                filename: element.take("filename").unwrap_or_default(),
                sectors: needed(&mut element, "num_partition_sectors")?,
                physical_partition: number(&mut element, "physical_partition_number")?.unwrap_or(0),
                start_sector: number(&mut element, "start_sector")?.unwrap_or(-1),
            }),
            "power" => Self::Power(Power {
                delay_s: number(&mut element, "DelayInSeconds")?.unwrap_or(0),
                value: element.take("value").unwrap_or_default(),
            }),
            _ => Self::Other {
                name: element.name,
                attributes: element.attributes,
            },
        })
    }

    fn to_element(&self) -> Element {
        match self {
            Self::Ping => Element::new("NOP").with("value", "ping"),
            Self::Configure(configure) => Element::new("configure")
                .with("MemoryName", &configure.memory_name)
                .with("Verbose", configure.verbose)
                .with("AlwaysValidate", configure.always_validate)
                .with("MaxDigestTableSizeInBytes", configure.max_digest_table_size_bytes)
                .with(MAX_PAYLOAD_TO_TARGET, configure.max_payload_to_target_bytes)
                .with("ZlpAwareHost", configure.zlp_aware_host)
                .with("SkipStorageInit", configure.skip_storage_init)
                .with("TargetName", &configure.target_name),
            Self::StorageInfo { physical_partition } => {
                Element::new("getStorageInfo").with("physical_partition_number", physical_partition)
            }
            Self::Program(program) => Element::new("program")
                .with("PAGES_PER_BLOCK", program.pages_per_block)
                .with("SECTOR_SIZE_IN_BYTES", program.sector_size_bytes)
                .with("filename", &program.filename)
                .with("num_partition_sectors", program.sectors)
                .with("physical_partition_number", program.physical_partition)
                .with("start_sector", program.start_sector),
            Self::Power(power) => Element::new("power")
                .with("DelayInSeconds", power.delay_s)
                .with("value", &power.value),
            Self::Other { name, attributes } => Element {
                name: name.clone(),
                attributes: attributes.clone(),
            },
        }
    }

    /// Appends the document, to be sent in one write. If its length would be a multiple of 512, one more LF is
    /// appended.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let start = out.len();
        self.to_element().encode_document(out);
        out.extend_from_slice(b"\n\n");
        if (out.len() - start) % USB_PACKET == 0 {
            out.push(b'\n');
        }
    }

    /// The document.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.encode(&mut bytes);
        bytes
    }
}

/// An element that the modem sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// `log`: information that may come at any time.
    Log(String),
    /// `response`.
    Response(Response),
    /// An element that isn't in the specification.
    Other {
        /// The element's name.
        name: String,
        /// Its attributes, in their order.
        attributes: Vec<(String, String)>,
    },
}

/// Whether the modem accepts a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// `ACK`.
    Ack,
    /// `NAK`.
    Nak,
    /// Anything else.
    Other(String),
}

impl Verdict {
    /// The attribute's value.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Ack => "ACK",
            Self::Nak => "NAK",
            Self::Other(other) => other,
        }
    }
}

/// A `response` of the modem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// `value`.
    pub verdict: Verdict,
    /// `rawmode`: whether the modem expects raw data from now on.
    pub raw_mode: Option<bool>,
    /// `MemoryName`.
    pub memory_name: Option<String>,
    /// `MaxPayloadSizeFromTargetInBytes`.
    pub max_payload_from_target_bytes: Option<u64>,
    /// `MaxPayloadSizeToTargetInBytes`: the limit that the host has to keep.
    pub max_payload_to_target_bytes: Option<u64>,
    /// `MaxPayloadSizeToTargetInBytesSupported`.
    pub max_payload_to_target_supported_bytes: Option<u64>,
    /// `TargetName`.
    pub target_name: Option<String>,
    /// All other attributes, in their order.
    pub others: Vec<(String, String)>,
}

impl Response {
    /// A response without any attribute but `value`.
    pub const fn plain(verdict: Verdict) -> Self {
        Self {
            verdict,
            raw_mode: None,
            memory_name: None,
            max_payload_from_target_bytes: None,
            max_payload_to_target_bytes: None,
            max_payload_to_target_supported_bytes: None,
            target_name: None,
            others: Vec::new(),
        }
    }

    /// `ACK` with `rawmode`.
    pub const fn ack_raw(raw_mode: bool) -> Self {
        let mut response = Self::plain(Verdict::Ack);
        response.raw_mode = Some(raw_mode);
        response
    }

    /// An answer to `configure` with a payload limit, as an EM75xx sends it; its verdict there is NAK (trace
    /// em7565_sahara-firehose).
    pub fn payload_limit(verdict: Verdict, max_payload_to_target_bytes: u64) -> Self {
        Self {
            memory_name: Some("NAND".to_string()),
            max_payload_from_target_bytes: Some(2048),
            max_payload_to_target_bytes: Some(max_payload_to_target_bytes),
            max_payload_to_target_supported_bytes: Some(max_payload_to_target_bytes),
            target_name: Some("9x55".to_string()),
            ..Self::plain(verdict)
        }
    }
}

impl fmt::Display for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.verdict.as_str())?;
        if let Some(raw_mode) = self.raw_mode {
            write!(f, " with rawmode {raw_mode}")?;
        }
        Ok(())
    }
}

impl Answer {
    /// All answers in a document, in order; nearly always one. Attributes are matched by their exact names, in any
    /// order, and may have either kind of quotes.
    ///
    /// # Errors
    /// The document isn't XML, a response has no `value`, `rawmode` is neither true nor false, or
    /// `MaxPayloadSizeToTargetInBytes` isn't a number. The other two numbers are only for the log, so if they can't
    /// be read that is no error: they are then among the `others`.
    pub fn parse(document: &[u8]) -> Result<Vec<Self>, ParseError> {
        xml::elements(document)?
            .into_iter()
            .map(Self::from_element)
            .collect()
    }

    fn from_element(mut element: Element) -> Result<Self, ParseError> {
        Ok(match element.name.as_str() {
            "log" => Self::Log(element.take("value").unwrap_or_default()),
            "response" => {
                let value = element.take("value").ok_or(ParseError::Text {
                    field: "response",
                    expected: "the attribute value",
                })?;
                Self::Response(Response {
                    verdict: match value.trim() {
                        "ACK" => Verdict::Ack,
                        "NAK" => Verdict::Nak,
                        _ => Verdict::Other(value),
                    },
                    raw_mode: match element.take("rawmode").as_deref().map(str::trim) {
                        None => None,
                        Some("true") => Some(true),
                        Some("false") => Some(false),
                        Some(_) => {
                            return Err(ParseError::Text {
                                field: "rawmode",
                                expected: "true or false",
                            });
                        }
                    },
                    memory_name: element.take("MemoryName"),
                    max_payload_from_target_bytes: readable(&mut element, MAX_PAYLOAD_FROM_TARGET),
                    max_payload_to_target_bytes: number(&mut element, MAX_PAYLOAD_TO_TARGET)?,
                    max_payload_to_target_supported_bytes: readable(&mut element, MAX_PAYLOAD_SUPPORTED),
                    target_name: element.take("TargetName"),
                    others: element.attributes,
                })
            }
            _ => Self::Other {
                name: element.name,
                attributes: element.attributes,
            },
        })
    }

    fn to_element(&self) -> Element {
        match self {
            Self::Log(text) => Element::new("log").with("value", text),
            Self::Response(response) => {
                let mut element = Element::new("response").with("value", response.verdict.as_str());
                let attributes = [
                    ("rawmode", response.raw_mode.map(|raw_mode| raw_mode.to_string())),
                    ("MemoryName", response.memory_name.clone()),
                    (
                        MAX_PAYLOAD_FROM_TARGET,
                        response.max_payload_from_target_bytes.map(|n| n.to_string()),
                    ),
                    (
                        MAX_PAYLOAD_TO_TARGET,
                        response.max_payload_to_target_bytes.map(|n| n.to_string()),
                    ),
                    (
                        MAX_PAYLOAD_SUPPORTED,
                        response
                            .max_payload_to_target_supported_bytes
                            .map(|n| n.to_string()),
                    ),
                    ("TargetName", response.target_name.clone()),
                ];
                for (name, value) in attributes {
                    if let Some(value) = value {
                        element = element.with(name, value);
                    }
                }
                element.attributes.extend(response.others.iter().cloned());
                element
            }
            Self::Other { name, attributes } => Element {
                name: name.clone(),
                attributes: attributes.clone(),
            },
        }
    }

    /// Appends the document, which ends with `</data>` (sahara-firehose.md vector 16).
    pub fn encode(&self, out: &mut Vec<u8>) {
        self.to_element().encode_document(out);
    }

    /// The document.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.encode(&mut bytes);
        bytes
    }
}

/// A NAK with the log lines that came before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nak {
    /// The last log lines before the NAK, oldest first, at most [`Nak::MOST_LINES`].
    pub log: Vec<String>,
}

impl Nak {
    /// How many log lines are kept.
    pub const MOST_LINES: usize = 16;

    /// Whether this NAK is the complaint about the zero block (sahara-firehose.md §5.3), which isn't about an image.
    pub fn is_noise(&self) -> bool {
        self.log
            .last()
            .is_some_and(|line| failure::is_zero_block_noise(line))
    }

    /// The known failures in the log lines, each once, the most specific first.
    pub fn known_failures(&self) -> Vec<&'static KnownFailure> {
        let known: Vec<_> = self
            .log
            .iter()
            .filter_map(|line| failure::explain(line))
            .collect();
        failure::KNOWN_FAILURES
            .iter()
            .filter(|failure| known.contains(failure))
            .collect()
    }
}

impl fmt::Display for Nak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NAK")?;
        self.log.iter().try_for_each(|line| write!(f, "; {line}"))?;
        match self.known_failures().first() {
            Some(failure) => write!(f, " ({})", failure.meaning),
            None => Ok(()),
        }
    }
}

const MAX_PAYLOAD_TO_TARGET: &str = "MaxPayloadSizeToTargetInBytes";
const MAX_PAYLOAD_SUPPORTED: &str = "MaxPayloadSizeToTargetInBytesSupported";
const MAX_PAYLOAD_FROM_TARGET: &str = "MaxPayloadSizeFromTargetInBytes";

/// The number in an attribute, if the attribute is there.
fn number<T: FromStr>(element: &mut Element, name: &'static str) -> Result<Option<T>, ParseError> {
    match element.take(name) {
        None => Ok(None),
        Some(text) => match text.trim().parse() {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(ParseError::Text {
                field: name,
                expected: "a number in range",
            }),
        },
    }
}

/// The number in an attribute that has to be there.
fn needed<T: FromStr>(element: &mut Element, name: &'static str) -> Result<T, ParseError> {
    number(element, name)?.ok_or(ParseError::Text {
        field: name,
        expected: "the attribute",
    })
}

/// The number in an attribute. If it can't be read, the attribute stays in the element.
fn readable(element: &mut Element, name: &'static str) -> Option<u64> {
    let number = element
        .attributes
        .iter()
        .find(|(present, _)| present == name)?
        .1
        .trim()
        .parse()
        .ok()?;
    element.take(name);
    Some(number)
}
