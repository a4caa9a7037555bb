//! QMI frames in MBIM messages (mbim.md §4.3).

use super::message::{Body, CommandKind, Message, ServiceId, Status};
use crate::ParseError;
use crate::qmi::Frame;

/// The only command and the only indication of the service.
pub const CID: u32 = 1;

/// A request in a COMMAND.
pub fn command(transaction: u32, request: &Frame) -> Message {
    Message {
        transaction,
        body: Body::Command {
            service: ServiceId::QMI,
            cid: CID,
            kind: CommandKind::Set,
            information: request.encode(),
        },
    }
}

/// A response in a COMMAND_DONE.
pub fn command_done(transaction: u32, response: &Frame) -> Message {
    done(transaction, Status::Success, response.encode())
}

/// A COMMAND_DONE that refuses to carry QMI, as a modem without the service does with
/// [`Status::NoDeviceSupport`].
pub fn refusal(transaction: u32, status: Status) -> Message {
    done(transaction, status, alloc::vec![])
}

fn done(transaction: u32, status: Status, information: alloc::vec::Vec<u8>) -> Message {
    Message {
        transaction,
        body: Body::CommandDone {
            service: ServiceId::QMI,
            cid: CID,
            status,
            information,
        },
    }
}

/// An indication in an INDICATE_STATUS.
pub fn indication(indication: &Frame) -> Message {
    Message {
        transaction: 0,
        body: Body::IndicateStatus {
            service: ServiceId::QMI,
            cid: CID,
            information: indication.encode(),
        },
    }
}

/// What an MBIM message contains of QMI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A request, a response or an indication.
    Frame(Frame),
    /// The function refuses to carry the request.
    Refused(Status),
    /// The message isn't about QMI.
    Foreign,
}

/// Takes the QMI frame out of a message of either direction.
///
/// # Errors
/// The message is about QMI, but its data isn't exactly one frame.
pub fn content(message: &Message) -> Result<Content, ParseError> {
    let information = match &message.body {
        Body::Command {
            service: ServiceId::QMI,
            cid: CID,
            information,
            ..
        }
        | Body::IndicateStatus {
            service: ServiceId::QMI,
            cid: CID,
            information,
        } => information,
        Body::CommandDone {
            service: ServiceId::QMI,
            cid: CID,
            status,
            information,
        } => match status {
            Status::Success => information,
            refused => return Ok(Content::Refused(*refused)),
        },
        _ => return Ok(Content::Foreign),
    };
    Frame::parse(information).map(Content::Frame)
}
