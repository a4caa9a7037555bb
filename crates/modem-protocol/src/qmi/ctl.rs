//! The control service: client ids, and qmi-proxy's first message (qmi.md §4 and §6).

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::error::{QmiError, outcome, success};
use super::frame::{Frame, Kind, Service};
use super::tlv::{Tlvs, readable};
use crate::ParseError;
use crate::bytes::{Reader, Writer};

const VERSION_INFO: u16 = 0x0021;
const ALLOCATE: u16 = 0x0022;
const RELEASE: u16 = 0x0023;
const SYNC: u16 = 0x0027;
const PROXY_OPEN: u16 = 0xFF00;

/// A request of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Request {
    /// 0x0021: asks for the services that the modem has.
    VersionInfo,
    /// 0x0022: asks for a client id.
    Allocate {
        /// For which service.
        service: Service,
    },
    /// 0x0023: gives a client id back.
    Release {
        /// For which service.
        service: Service,
        /// The client id.
        client: u8,
    },
    /// 0x0027: asks the modem to forget all clients.
    Sync,
    /// 0xFF00, to qmi-proxy only: asks it to open this port.
    ProxyOpen {
        /// Path of the port.
        device: String,
    },
    /// Another message; `parse` returns it only for unknown messages.
    Other {
        /// Its number.
        message: u16,
        /// Its fields.
        tlvs: Tlvs,
    },
}

impl Request {
    /// The number of the message.
    pub const fn message_id(&self) -> u16 {
        match self {
            Self::VersionInfo => VERSION_INFO,
            Self::Allocate { .. } => ALLOCATE,
            Self::Release { .. } => RELEASE,
            Self::Sync => SYNC,
            Self::ProxyOpen { .. } => PROXY_OPEN,
            Self::Other { message, .. } => *message,
        }
    }

    /// Reads the fields of a request.
    ///
    /// # Errors
    /// A field is missing or too short.
    pub fn parse(message: u16, tlvs: &Tlvs) -> Result<Self, ParseError> {
        Ok(match message {
            VERSION_INFO => Self::VersionInfo,
            ALLOCATE => {
                let mut reader = Reader::new(tlvs.require(0x01, "service")?);
                Self::Allocate {
                    service: reader.u8("service")?.into(),
                }
            }
            RELEASE => {
                let (service, client) = service_and_client(tlvs)?;
                Self::Release { service, client }
            }
            SYNC => Self::Sync,
            PROXY_OPEN => Self::ProxyOpen {
                device: readable(tlvs.require(0x01, "device path")?),
            },
            message => Self::Other {
                message,
                tlvs: tlvs.clone(),
            },
        })
    }

    /// The fields of the request.
    pub fn encode(&self) -> Tlvs {
        match self {
            Self::VersionInfo | Self::Sync => Tlvs::new(),
            Self::Allocate { service } => Tlvs::new().with(0x01, [u8::from(*service)]),
            Self::Release { service, client } => Tlvs::new().with(0x01, [u8::from(*service), *client]),
            Self::ProxyOpen { device } => Tlvs::new().with(0x01, device.as_bytes()),
            Self::Other { tlvs, .. } => tlvs.clone(),
        }
    }

    /// The whole message.
    pub fn to_frame(&self, transaction: u8) -> Frame {
        Frame {
            service: Service::Ctl,
            client: 0,
            kind: Kind::Request,
            transaction: transaction.into(),
            message: self.message_id(),
            tlvs: self.encode(),
        }
    }
}

/// A service that the modem has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServiceVersion {
    /// Which.
    pub service: Service,
    /// The version number before the dot.
    pub major: u16,
    /// The version number after the dot.
    pub minor: u16,
}

/// The modem's answer, if it doesn't refuse.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Response {
    /// 0x0021.
    VersionInfo(Vec<ServiceVersion>),
    /// 0x0022.
    Allocated {
        /// For which service.
        service: Service,
        /// The client id.
        client: u8,
    },
    /// 0x0023.
    Released {
        /// For which service.
        service: Service,
        /// The client id.
        client: u8,
    },
    /// 0x0027.
    Synced,
    /// 0xFF00, from qmi-proxy.
    ProxyOpened,
    /// Another message; `parse` returns it only for unknown messages.
    Other {
        /// Its number.
        message: u16,
        /// Its fields except for the result.
        tlvs: Tlvs,
    },
}

impl Response {
    /// The number of the message.
    pub const fn message_id(&self) -> u16 {
        match self {
            Self::VersionInfo(_) => VERSION_INFO,
            Self::Allocated { .. } => ALLOCATE,
            Self::Released { .. } => RELEASE,
            Self::Synced => SYNC,
            Self::ProxyOpened => PROXY_OPEN,
            Self::Other { message, .. } => *message,
        }
    }

    /// Reads the fields of a response. The inner result is the modem's answer or refusal.
    ///
    /// # Errors
    /// A field is missing or too short.
    pub fn parse(message: u16, tlvs: &Tlvs) -> Result<Result<Self, QmiError>, ParseError> {
        if let Err(error) = outcome(tlvs)? {
            return Ok(Err(error));
        }
        Ok(Ok(match message {
            VERSION_INFO => {
                let mut reader = Reader::new(tlvs.require(0x01, "list of services")?);
                let count = reader.u8("number of services")?;
                let mut versions = vec![];
                for _ in 0..count {
                    versions.push(ServiceVersion {
                        service: reader.u8("service")?.into(),
                        major: reader.u16_le("major version")?,
                        minor: reader.u16_le("minor version")?,
                    });
                }
                Self::VersionInfo(versions)
            }
            ALLOCATE => {
                let (service, client) = service_and_client(tlvs)?;
                Self::Allocated { service, client }
            }
            RELEASE => {
                let (service, client) = service_and_client(tlvs)?;
                Self::Released { service, client }
            }
            SYNC => Self::Synced,
            PROXY_OPEN => Self::ProxyOpened,
            message => Self::Other {
                message,
                tlvs: tlvs.without_result(),
            },
        }))
    }

    /// The fields of the response, including the result. A list of services has at most 255 entries.
    pub fn encode(&self) -> Tlvs {
        match self {
            Self::VersionInfo(versions) => {
                let count = u8::try_from(versions.len()).unwrap_or(u8::MAX);
                let mut value = vec![count];
                for version in versions.iter().take(count.into()) {
                    value.put_u8(version.service.into());
                    value.put_u16_le(version.major);
                    value.put_u16_le(version.minor);
                }
                success().with(0x01, value)
            }
            Self::Allocated { service, client } | Self::Released { service, client } => {
                success().with(0x01, [u8::from(*service), *client])
            }
            Self::Synced | Self::ProxyOpened => success(),
            Self::Other { tlvs, .. } => success().and(tlvs),
        }
    }

    /// The whole message.
    pub fn to_frame(&self, transaction: u8) -> Frame {
        response_frame(transaction, self.message_id(), self.encode())
    }
}

/// The refusal of a request to the control service.
pub fn refusal(message: u16, transaction: u8, error: QmiError) -> Frame {
    response_frame(transaction, message, error.to_tlvs())
}

fn response_frame(transaction: u8, message: u16, tlvs: Tlvs) -> Frame {
    Frame {
        service: Service::Ctl,
        client: 0,
        kind: Kind::Response,
        transaction: transaction.into(),
        message,
        tlvs,
    }
}

/// A message that the modem sends unasked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Indication {
    /// 0x0027: the modem has started, or some program has synced; no client id is valid any more.
    Sync,
    /// Another message; `from_message` returns it only for unknown messages.
    Other {
        /// Its number.
        message: u16,
    },
}

impl Indication {
    /// The indication with this number. Its fields aren't needed.
    pub const fn from_message(message: u16) -> Self {
        match message {
            SYNC => Self::Sync,
            message => Self::Other { message },
        }
    }

    /// The whole message, as in qmi.md vector 3.
    pub fn to_frame(self) -> Frame {
        let message = match self {
            Self::Sync => SYNC,
            Self::Other { message } => message,
        };
        Frame {
            service: Service::Ctl,
            client: 0,
            kind: Kind::Indication,
            transaction: 0,
            message,
            tlvs: Tlvs::new(),
        }
    }
}

fn service_and_client(tlvs: &Tlvs) -> Result<(Service, u8), ParseError> {
    let mut reader = Reader::new(tlvs.require(0x01, "service and client id")?);
    Ok((reader.u8("service")?.into(), reader.u8("client id")?))
}
