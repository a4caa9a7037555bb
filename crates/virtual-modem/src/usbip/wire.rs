//! The bytes between a USB/IP host and a device: commands in, replies out.
//!
//! Source: the kernel's `Documentation/usb/usbip_protocol.rst`, the part about a device that has been
//! imported. All numbers are big endian. Only what a modem needs is implemented: isochronous transfers are
//! refused.

/// Length of every header, in both directions.
const HEADER: usize = 48;
/// The longest transfer that is accepted. Drivers of serial ports use a few KiB, and usbfs at most 16 MiB by
/// default (`usbcore.usbfs_memory_mb`).
const LONGEST_TRANSFER: u32 = 16 << 20;

const CMD_SUBMIT: u32 = 1;
const CMD_UNLINK: u32 = 2;
const RET_SUBMIT: u32 = 3;
const RET_UNLINK: u32 = 4;

/// What the host asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// A transfer.
    Submit(Submit),
    /// The host takes a transfer back.
    Unlink {
        /// Number of this request.
        sequence: u32,
        /// Number of the transfer to take back.
        victim: u32,
    },
}

/// A transfer that the host wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submit {
    /// Number of this request; the reply carries it.
    pub sequence: u32,
    /// Number of the endpoint, 0–15, without the direction bit.
    pub endpoint: u8,
    /// The eight bytes of a control request; zero on other endpoints.
    pub setup: [u8; 8],
    /// The direction of the transfer, with its bytes or their number.
    pub transfer: Transfer,
}

/// The direction of a transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transfer {
    /// From the device, at most this many bytes.
    In {
        /// Size of the host's buffer in bytes.
        room: usize,
    },
    /// These bytes, to the device.
    Out {
        /// The bytes.
        data: Vec<u8>,
    },
}

/// How a transfer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// The transfer is done.
    Done,
    /// The endpoint is stalled, or the request isn't known (`-EPIPE`).
    Stalled,
    /// The host has taken the transfer back (`-ECONNRESET`).
    Unlinked,
}

impl Status {
    /// The kernel's error number.
    fn number(self) -> i32 {
        match self {
            Self::Done => 0,
            Self::Stalled => -32,
            Self::Unlinked => -104,
        }
    }
}

/// The host sent something that the protocol doesn't allow. The connection is useless from then on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// The command is neither a transfer nor a request to take one back.
    #[error("USB/IP command {0:#x} is not known")]
    UnknownCommand(u32),
    /// The direction is neither in nor out.
    #[error("USB/IP direction {0} is neither in nor out")]
    UnknownDirection(u32),
    /// There are sixteen endpoints.
    #[error("USB endpoint {0} is above 15")]
    UnknownEndpoint(u32),
    /// The transfer is longer than any driver asks for.
    #[error("USB transfer of {0} bytes is above 16 MiB")]
    TransferTooLong(u32),
    /// Modems have no such endpoints.
    #[error("isochronous USB transfer of {0} packets")]
    Isochronous(u32),
}

/// Cuts a stream of bytes into commands.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: Vec<u8>,
    /// Where the next command begins.
    start: usize,
}

impl Decoder {
    /// Takes bytes from the host.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.start.min(self.buffer.len()));
        self.start = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// The next complete command; `None` if bytes are missing.
    ///
    /// # Errors
    /// The bytes aren't a command. Every later call returns the same error.
    pub fn next_command(&mut self) -> Result<Option<Command>, WireError> {
        let rest = self.buffer.get(self.start..).unwrap_or_default();
        match parse(rest)? {
            Some((command, length)) => {
                self.start += length;
                Ok(Some(command))
            }
            None => Ok(None),
        }
    }
}

/// The command at the start of `bytes`, and its length including its data; `None` if bytes are missing.
fn parse(bytes: &[u8]) -> Result<Option<(Command, usize)>, WireError> {
    let Some(header) = bytes.first_chunk::<HEADER>() else {
        return Ok(None);
    };
    let word = |index: usize| {
        let at = index.saturating_mul(4);
        header
            .get(at..)
            .and_then(<[u8]>::first_chunk)
            .copied()
            .map_or(0, u32::from_be_bytes)
    };
    let sequence = word(1);
    match word(0) {
        CMD_SUBMIT => {}
        CMD_UNLINK => {
            return Ok(Some((
                Command::Unlink {
                    sequence,
                    victim: word(5),
                },
                HEADER,
            )));
        }
        other => return Err(WireError::UnknownCommand(other)),
    }
    let (direction, length, packets) = (word(3), word(6), word(8));
    let endpoint = match u8::try_from(word(4)) {
        Ok(number @ 0..=15) => number,
        _ => return Err(WireError::UnknownEndpoint(word(4))),
    };
    // A transfer that isn't isochronous has 0 or -1 here, depending on the kernel's version.
    if packets != 0 && packets != u32::MAX {
        return Err(WireError::Isochronous(packets));
    }
    let Some(size) = Some(length)
        .filter(|length| *length <= LONGEST_TRANSFER)
        .and_then(|it| usize::try_from(it).ok())
    else {
        return Err(WireError::TransferTooLong(length));
    };
    let setup = header.last_chunk().copied().unwrap_or_default();
    let (transfer, data) = match direction {
        0 => match bytes.get(HEADER..HEADER.saturating_add(size)) {
            Some(data) => (Transfer::Out { data: data.to_vec() }, size),
            None => return Ok(None),
        },
        1 => (Transfer::In { room: size }, 0),
        other => return Err(WireError::UnknownDirection(other)),
    };
    Ok(Some((
        Command::Submit(Submit {
            sequence,
            endpoint,
            setup,
            transfer,
        }),
        HEADER.saturating_add(data),
    )))
}

/// Appends the reply to a transfer from the device: its bytes, which must fit into the host's buffer.
pub fn reply_in(replies: &mut Vec<u8>, sequence: u32, status: Status, data: &[u8]) {
    reply(replies, RET_SUBMIT, sequence, status, data.len());
    replies.extend_from_slice(data);
}

/// Appends the reply to a transfer to the device, which took `taken` bytes of it.
pub fn reply_out(replies: &mut Vec<u8>, sequence: u32, status: Status, taken: usize) {
    reply(replies, RET_SUBMIT, sequence, status, taken);
}

/// Appends the reply to a request to take a transfer back: [`Status::Unlinked`] if the transfer was still
/// waiting, [`Status::Done`] if it had been answered before.
pub fn reply_unlink(replies: &mut Vec<u8>, sequence: u32, status: Status) {
    reply(replies, RET_UNLINK, sequence, status, 0);
}

fn reply(replies: &mut Vec<u8>, command: u32, sequence: u32, status: Status, length: usize) {
    // A transfer is at most `LONGEST_TRANSFER` long.
    let length = u32::try_from(length).unwrap_or(u32::MAX);
    // Device, direction and endpoint are zero in replies.
    for word in [command, sequence, 0, 0, 0] {
        replies.extend_from_slice(&word.to_be_bytes());
    }
    replies.extend_from_slice(&status.number().to_be_bytes());
    replies.extend_from_slice(&length.to_be_bytes());
    // First frame, number of packets, number of errors, and eight bytes of padding: for isochronous transfers.
    replies.extend_from_slice(&[0; 20]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// From the kernel's documentation, section "Example": a read of 64 bytes from endpoint 1, nothing in it yet.
    const DOCUMENTED_IN: &str = "00000001 00000d05 0001000f 00000001 00000001 00000200 00000040 ffffffff 00000000 \
                                 00000004 00000000 00000000";
    /// The same section: 64 bytes written to endpoint 1.
    const DOCUMENTED_OUT: &str = "00000001 00000d06 0001000f 00000000 00000001 00000000 00000040 ffffffff 00000000 \
                                  00000004 00000000 00000000 \
                                  ffffffff 860008a7 84ce5ae2 12376300 00000000 00000000 00000000 00000000 00000000 \
                                  00000000 00000000 00000000 00000000 00000000 00000000 00000000";
    /// The same section: the reply to that write.
    const DOCUMENTED_OUT_REPLY: &str = "00000003 00000d06 00000000 00000000 00000000 00000000 00000040 ffffffff \
                                        00000000 00000000 00000000 00000000";

    /// The same section: the reply to that read.
    const DOCUMENTED_IN_REPLY: &str = "00000003 00000d05 00000000 00000000 00000000 00000000 00000040 ffffffff \
                                       00000000 00000000 00000000 00000000 \
                                       ffffffff 860011a7 84ce5ae2 12376361 2891b102 01000004 00000000 00000000 \
                                       00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000";

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
        digits
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    }

    fn all(stream: &[u8]) -> Vec<Command> {
        let mut decoder = Decoder::default();
        decoder.push(stream);
        std::iter::from_fn(|| decoder.next_command().unwrap()).collect()
    }

    #[test]
    fn the_documented_read_is_understood() {
        let expected = Submit {
            sequence: 0xd05,
            endpoint: 1,
            setup: [0; 8],
            transfer: Transfer::In { room: 64 },
        };
        assert_eq!(all(&bytes(DOCUMENTED_IN)), [Command::Submit(expected)]);
    }

    #[test]
    fn the_documented_write_is_understood_with_its_data() {
        let data = bytes(DOCUMENTED_OUT).split_off(48);
        assert_eq!(data.len(), 64);
        let expected = Submit {
            sequence: 0xd06,
            endpoint: 1,
            setup: [0; 8],
            transfer: Transfer::Out { data },
        };
        assert_eq!(all(&bytes(DOCUMENTED_OUT)), [Command::Submit(expected)]);
    }

    #[test]
    fn the_documented_reply_to_a_write_is_made_but_for_the_unused_first_frame() {
        let mut replies = Vec::new();
        reply_out(&mut replies, 0xd06, Status::Done, 64);
        let mut documented = bytes(DOCUMENTED_OUT_REPLY);
        documented[28..32].fill(0);
        assert_eq!(replies, documented);
    }

    #[test]
    fn the_documented_reply_to_a_read_is_made_but_for_the_unused_first_frame() {
        let mut documented = bytes(DOCUMENTED_IN_REPLY);
        documented[28..32].fill(0);
        let mut replies = Vec::new();
        reply_in(&mut replies, 0xd05, Status::Done, &documented[48..]);
        assert_eq!(replies, documented);
    }

    #[test]
    fn a_taking_back_names_its_victim_and_is_answered_with_econnreset() {
        let mut request = bytes("00000002 00000d08 0001000f 00000001 00000001 00000d05");
        request.resize(HEADER, 0);
        assert_eq!(
            all(&request),
            [Command::Unlink {
                sequence: 0xd08,
                victim: 0xd05
            }]
        );
        let mut replies = Vec::new();
        reply_unlink(&mut replies, 0xd08, Status::Unlinked);
        let mut expected = bytes("00000004 00000d08 00000000 00000000 00000000 ffffff98");
        expected.resize(HEADER, 0);
        assert_eq!(replies, expected);
    }

    #[test]
    fn what_no_modem_has_is_refused_by_name() {
        let with = |word: usize, value: u32| {
            let mut request = bytes(DOCUMENTED_IN);
            request[word * 4..word * 4 + 4].copy_from_slice(&value.to_be_bytes());
            let mut decoder = Decoder::default();
            decoder.push(&request);
            decoder.next_command()
        };
        assert_eq!(with(0, 9), Err(WireError::UnknownCommand(9)));
        assert_eq!(with(3, 2), Err(WireError::UnknownDirection(2)));
        assert_eq!(with(4, 16), Err(WireError::UnknownEndpoint(16)));
        assert_eq!(with(6, u32::MAX), Err(WireError::TransferTooLong(u32::MAX)));
        assert_eq!(with(8, 3), Err(WireError::Isochronous(3)));
        assert!(with(8, u32::MAX).is_ok());
    }

    proptest! {
        #[test]
        fn any_split_of_the_stream_gives_the_same_commands(cuts in proptest::collection::vec(1usize..60, 1..40)) {
            let stream = [bytes(DOCUMENTED_OUT), bytes(DOCUMENTED_IN), bytes(DOCUMENTED_OUT)].concat();
            let mut decoder = Decoder::default();
            let mut commands = Vec::new();
            let mut rest = stream.as_slice();
            for cut in cuts.iter().cycle() {
                let (now, later) = rest.split_at((*cut).min(rest.len()));
                decoder.push(now);
                while let Some(command) = decoder.next_command().unwrap() {
                    commands.push(command);
                }
                rest = later;
                if rest.is_empty() {
                    break;
                }
            }
            prop_assert_eq!(commands, all(&stream));
        }

        #[test]
        fn no_bytes_make_the_decoder_panic_or_run_on(stream: Vec<u8>, head in 0u32..4) {
            let mut decoder = Decoder::default();
            decoder.push(&head.to_be_bytes());
            decoder.push(&stream);
            let mut commands = 0;
            while let Ok(Some(_)) = decoder.next_command() {
                commands += 1;
            }
            prop_assert!(commands <= (stream.len() + 4) / HEADER);
        }
    }
}
