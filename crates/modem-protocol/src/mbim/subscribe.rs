//! Basic connect, command 19: which indications the function should send to the host (mbim.md §4.2).

use alloc::vec;
use alloc::vec::Vec;

use super::message::{Body, CommandKind, Message, ServiceId};
use crate::ParseError;
use crate::bytes::{Reader, Writer};

/// The command's number.
pub const CID: u32 = 19;

/// Bytes of an entry in the table of contents: offset and size.
const PLACE: usize = 8;

/// Indications of one service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// The service.
    pub service: ServiceId,
    /// Its indications.
    pub cids: Vec<u32>,
}

/// The command with a list, which replaces the previous list.
pub fn command(transaction: u32, list: &[Subscription]) -> Message {
    Message {
        transaction,
        body: Body::Command {
            service: ServiceId::BASIC_CONNECT,
            cid: CID,
            kind: CommandKind::Set,
            information: encode(list),
        },
    }
}

/// The list as a command's data.
pub fn encode(list: &[Subscription]) -> Vec<u8> {
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let mut out = vec![];
    out.put_u32_le(number(list.len()));
    let mut offset = 4 + PLACE * list.len();
    for subscription in list {
        let size = 20 + 4 * subscription.cids.len();
        out.put_u32_le(number(offset));
        out.put_u32_le(number(size));
        offset += size;
    }
    for subscription in list {
        out.put(&subscription.service.0);
        out.put_u32_le(number(subscription.cids.len()));
        for cid in &subscription.cids {
            out.put_u32_le(*cid);
        }
    }
    out
}

/// Reads a command's data.
///
/// # Errors
/// An entry isn't inside the data, is shorter than it says, or overlaps another entry.
pub fn parse(information: &[u8]) -> Result<Vec<Subscription>, ParseError> {
    let mut places = Reader::new(information);
    let count = places.u32_le("number of services")?;
    let mut list = vec![];
    // Overlapping entries could make the list much larger than the data. So all entries together may not exceed it.
    let mut left = information.len();
    for _ in 0..count {
        let entry = super::proxy::pointed_at(information, &mut places, "entry")?;
        left = left.checked_sub(entry.len()).ok_or(ParseError::Surplus {
            message: "entry",
            surplus: entry.len().saturating_sub(left),
        })?;
        let mut reader = Reader::new(entry);
        let service = ServiceId(reader.array("service id")?);
        let cids = (0..reader.u32_le("number of indications")?)
            .map(|_| reader.u32_le("indication"))
            .collect::<Result<_, _>>()?;
        list.push(Subscription { service, cids });
    }
    Ok(list)
}
