//! The modem as a USB device, without IO: commands of the host in, replies out, transfers in between.

use super::control::{Answer, Change, Control};
use super::descriptors::{BULK_IN, BULK_OUT, Descriptors};
use super::wire::{self, Command, Status, Submit, Transfer};
use modem_world::UsbDevice;
use std::collections::VecDeque;

/// How many transfers a host may have waiting; the drivers of serial ports have eight.
const MOST_WAITING: usize = 1024;

/// What the modem's port learns from the bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortEvent {
    /// The host asks for bytes, and didn't before.
    Opened,
    /// The host has taken back all its requests for bytes.
    Closed,
    /// The host has configured the device anew.
    ReEnumerated,
}

/// One appearance on the bus.
///
/// Requests for bytes wait until there are some. Bytes from the host wait until they are taken, and their
/// transfer is answered only then: this is the back-pressure that the host's driver feels.
#[derive(Debug)]
pub struct Device {
    descriptors: Descriptors,
    control: Control,
    /// Whether the host has asked for bytes of the data port, and not taken all requests back.
    is_open: bool,
    /// Requests for bytes of the data port, oldest first.
    asked: VecDeque<Asked>,
    /// Requests for bytes of all other endpoints; they wait for ever.
    asked_elsewhere: Vec<u32>,
    /// What the modem has sent and the host hasn't got, one entry per transfer.
    to_host: VecDeque<Vec<u8>>,
    /// What the host has sent and the modem hasn't taken.
    from_host: VecDeque<Sent>,
    events: VecDeque<PortEvent>,
    replies: Vec<u8>,
}

#[derive(Debug)]
struct Asked {
    sequence: u32,
    room: usize,
}

#[derive(Debug)]
struct Sent {
    sequence: u32,
    data: Vec<u8>,
    taken: usize,
}

/// The host has more transfers waiting than any driver would.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more than {MOST_WAITING} USB transfers are waiting")]
pub struct TooManyTransfers;

impl Device {
    /// The device appears with these descriptors.
    pub fn new(device: &UsbDevice) -> Self {
        Self {
            descriptors: Descriptors::new(device),
            control: Control::default(),
            is_open: false,
            asked: VecDeque::new(),
            asked_elsewhere: Vec::new(),
            to_host: VecDeque::new(),
            from_host: VecDeque::new(),
            events: VecDeque::new(),
            replies: Vec::new(),
        }
    }

    /// Takes a command of the host.
    ///
    /// # Errors
    /// The host has too many transfers waiting.
    pub fn handle(&mut self, command: Command) -> Result<(), TooManyTransfers> {
        match command {
            Command::Submit(submit) => self.submit(submit),
            Command::Unlink { sequence, victim } => {
                self.unlink(sequence, victim);
                Ok(())
            }
        }
    }

    /// The modem sends these bytes as one transfer.
    pub fn send(&mut self, bytes: Vec<u8>) {
        self.to_host.push_back(bytes);
        self.match_up();
    }

    /// The oldest bytes from the host that the modem hasn't taken; empty when there are none.
    pub fn offered(&self) -> &[u8] {
        self.from_host
            .front()
            .and_then(|sent| sent.data.get(sent.taken..))
            .unwrap_or_default()
    }

    /// The modem has taken the first `count` bytes of what was offered.
    pub fn took(&mut self, count: usize) {
        let Some(first) = self.from_host.front_mut() else {
            return;
        };
        first.taken = first.taken.saturating_add(count).min(first.data.len());
        self.complete_taken();
    }

    /// What the port has learned since the last call, one thing at a time.
    pub fn next_event(&mut self) -> Option<PortEvent> {
        self.events.pop_front()
    }

    /// Bytes for the host; the caller removes what it has sent.
    pub fn replies(&mut self) -> &mut Vec<u8> {
        &mut self.replies
    }

    fn submit(&mut self, submit: Submit) -> Result<(), TooManyTransfers> {
        let Submit {
            sequence,
            endpoint,
            setup,
            transfer,
        } = submit;
        if self.waiting() >= MOST_WAITING {
            return Err(TooManyTransfers);
        }
        if endpoint == 0 {
            self.control(sequence, setup, &transfer);
            return Ok(());
        }
        let address = if matches!(transfer, Transfer::In { .. }) {
            endpoint | 0x80
        } else {
            endpoint
        };
        if !self.descriptors.has_endpoint(address) || self.control.is_halted(address) {
            self.refuse(sequence, &transfer);
            return Ok(());
        }
        match transfer {
            Transfer::In { room } if address == BULK_IN => {
                if !self.is_open {
                    self.is_open = true;
                    self.events.push_back(PortEvent::Opened);
                }
                self.asked.push_back(Asked { sequence, room });
                self.match_up();
            }
            Transfer::In { .. } => self.asked_elsewhere.push(sequence),
            Transfer::Out { data } if address == BULK_OUT => {
                self.from_host.push_back(Sent {
                    sequence,
                    data,
                    taken: 0,
                });
                self.complete_taken();
            }
            // Nothing listens on the other ports, but nothing blocks them either.
            Transfer::Out { data } => wire::reply_out(&mut self.replies, sequence, Status::Done, data.len()),
        }
        Ok(())
    }

    fn control(&mut self, sequence: u32, setup: [u8; 8], transfer: &Transfer) {
        let (answer, change) = self.control.answer(setup, &self.descriptors);
        if change == Some(Change::ConfiguredAgain) {
            self.events.push_back(PortEvent::ReEnumerated);
        }
        match (answer, transfer) {
            (Answer::Data(bytes), Transfer::In { room }) => {
                let bytes = bytes.get(..*room).unwrap_or(&bytes);
                wire::reply_in(&mut self.replies, sequence, Status::Done, bytes);
            }
            (Answer::Done, Transfer::In { .. }) => {
                wire::reply_in(&mut self.replies, sequence, Status::Done, &[])
            }
            (Answer::Done, Transfer::Out { data }) => {
                wire::reply_out(&mut self.replies, sequence, Status::Done, data.len());
            }
            (Answer::Stall, _) | (Answer::Data(_), Transfer::Out { .. }) => self.refuse(sequence, transfer),
        }
    }

    fn refuse(&mut self, sequence: u32, transfer: &Transfer) {
        match transfer {
            Transfer::In { .. } => wire::reply_in(&mut self.replies, sequence, Status::Stalled, &[]),
            Transfer::Out { .. } => wire::reply_out(&mut self.replies, sequence, Status::Stalled, 0),
        }
    }

    fn unlink(&mut self, sequence: u32, victim: u32) {
        let is_write = self.from_host.iter().any(|sent| sent.sequence == victim);
        let before = self.waiting();
        self.asked.retain(|asked| asked.sequence != victim);
        self.asked_elsewhere.retain(|waiting| *waiting != victim);
        self.from_host.retain(|sent| sent.sequence != victim);
        let status = if self.waiting() < before {
            Status::Unlinked
        } else {
            Status::Done
        };
        wire::reply_unlink(&mut self.replies, sequence, status);
        // The last request may have been answered while it was being taken back: then there is no victim.
        if self.is_open && self.asked.is_empty() && !is_write {
            self.is_open = false;
            self.events.push_back(PortEvent::Closed);
        }
    }

    /// How many transfers of the host wait for an answer.
    fn waiting(&self) -> usize {
        self.asked.len() + self.asked_elsewhere.len() + self.from_host.len()
    }

    /// Gives what the modem has sent to those who asked for it.
    fn match_up(&mut self) {
        while let (Some(asked), Some(bytes)) = (self.asked.front(), self.to_host.front_mut()) {
            let rest = bytes.split_off(asked.room.min(bytes.len()));
            wire::reply_in(&mut self.replies, asked.sequence, Status::Done, bytes);
            self.asked.pop_front();
            if rest.is_empty() {
                self.to_host.pop_front();
            } else {
                *bytes = rest;
            }
        }
    }

    /// Answers the transfers of which every byte is taken.
    fn complete_taken(&mut self) {
        while let Some(sent) = self.from_host.front() {
            if sent.taken < sent.data.len() {
                break;
            }
            wire::reply_out(&mut self.replies, sent.sequence, Status::Done, sent.taken);
            self.from_host.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use modem_world::UsbPath;
    use proptest::prelude::*;

    fn device() -> Device {
        Device::new(&UsbDevice {
            path: UsbPath::new("1-1"),
            peer: None,
            number: 0,
            vendor: 0x1199,
            product: 0x9070,
            interfaces: Some(1),
            speed: Some(480),
            manufacturer: None,
            product_name: None,
            serial: None,
        })
    }

    fn ask(sequence: u32, room: usize) -> Command {
        Command::Submit(Submit {
            sequence,
            endpoint: 1,
            setup: [0; 8],
            transfer: Transfer::In { room },
        })
    }

    fn write(sequence: u32, data: &[u8]) -> Command {
        let transfer = Transfer::Out { data: data.to_vec() };
        Command::Submit(Submit {
            sequence,
            endpoint: 1,
            setup: [0; 8],
            transfer,
        })
    }

    /// Sequence number, status, length and data of the replies so far. Every write is shorter than 1000 here.
    fn replies(device: &mut Device) -> Vec<(u32, i32, Vec<u8>)> {
        let bytes = std::mem::take(device.replies());
        let mut rest = bytes.as_slice();
        let mut replies = Vec::new();
        while let Some((header, after)) = rest.split_first_chunk::<48>() {
            let word = |index: usize| u32::from_be_bytes(*header[index * 4..].first_chunk().unwrap());
            let is_read = word(0) == 3 && word(1) < 1000;
            let (data, later) = after.split_at(if is_read { word(6) as usize } else { 0 });
            replies.push((word(1), i32::from_be_bytes(word(5).to_be_bytes()), data.to_vec()));
            rest = later;
        }
        assert!(rest.is_empty());
        replies
    }

    #[test]
    fn a_request_for_bytes_waits_until_the_modem_sends_some() {
        let mut device = device();
        device.handle(ask(1, 64)).unwrap();
        device.handle(ask(2, 64)).unwrap();
        assert_eq!(replies(&mut device), []);
        device.send(b"hello".to_vec());
        assert_eq!(replies(&mut device), [(1, 0, b"hello".to_vec())]);
    }

    #[test]
    fn a_long_message_fills_one_request_after_the_other_and_the_next_begins_its_own() {
        let mut device = device();
        device.send(b"0123456789".to_vec());
        device.send(b"next".to_vec());
        for sequence in 1..=4 {
            device.handle(ask(sequence, 4)).unwrap();
        }
        let given: Vec<_> = replies(&mut device)
            .into_iter()
            .map(|(_, _, data)| data)
            .collect();
        assert_eq!(given, [&b"0123"[..], b"4567", b"89", b"next"]);
    }

    #[test]
    fn a_write_is_answered_when_its_last_byte_is_taken() {
        let mut device = device();
        device.handle(write(1001, b"abcdef")).unwrap();
        device.handle(write(1002, b"gh")).unwrap();
        assert_eq!(device.offered(), b"abcdef");
        device.took(4);
        assert_eq!(device.offered(), b"ef");
        assert_eq!(replies(&mut device), []);
        device.took(2);
        assert_eq!(replies(&mut device), [(1001, 0, vec![])]);
        assert_eq!(device.offered(), b"gh");
    }

    #[test]
    fn the_port_opens_with_the_first_request_and_closes_when_all_are_taken_back() {
        let mut device = device();
        let events = |device: &mut Device| std::iter::from_fn(|| device.next_event()).collect::<Vec<_>>();
        device.handle(ask(1, 64)).unwrap();
        device.handle(ask(2, 64)).unwrap();
        assert_eq!(events(&mut device), [PortEvent::Opened]);
        device.send(b"x".to_vec());
        device.handle(ask(3, 64)).unwrap();
        device
            .handle(Command::Unlink {
                sequence: 10,
                victim: 2,
            })
            .unwrap();
        assert_eq!(events(&mut device), []);
        // Answered before: nothing to take back.
        device
            .handle(Command::Unlink {
                sequence: 11,
                victim: 1,
            })
            .unwrap();
        device
            .handle(Command::Unlink {
                sequence: 12,
                victim: 3,
            })
            .unwrap();
        assert_eq!(events(&mut device), [PortEvent::Closed]);
        let statuses: Vec<_> = replies(&mut device)
            .into_iter()
            .map(|(sequence, status, _)| (sequence, status))
            .collect();
        assert_eq!(statuses, [(1, 0), (10, -104), (11, 0), (12, -104)]);
        device.handle(ask(4, 64)).unwrap();
        assert_eq!(events(&mut device), [PortEvent::Opened]);
    }

    #[test]
    fn a_write_that_is_taken_back_is_offered_no_longer_and_closes_nothing() {
        let mut device = device();
        device.handle(write(1001, b"abc")).unwrap();
        device.took(1);
        device
            .handle(Command::Unlink {
                sequence: 10,
                victim: 1001,
            })
            .unwrap();
        assert_eq!(device.offered(), b"");
        assert_eq!(replies(&mut device), [(10, -104, vec![])]);
        assert_eq!(device.next_event(), None);
    }

    #[test]
    fn an_endpoint_that_is_not_there_stalls() {
        let mut device = device();
        let submit = Submit {
            sequence: 5,
            endpoint: 2,
            setup: [0; 8],
            transfer: Transfer::In { room: 8 },
        };
        device.handle(Command::Submit(submit)).unwrap();
        assert_eq!(replies(&mut device), [(5, -32, vec![])]);
    }

    #[test]
    fn a_control_answer_is_no_longer_than_asked_for() {
        let mut device = device();
        let setup = [0x80, 6, 0, 1, 0, 0, 8, 0];
        let submit = Submit {
            sequence: 5,
            endpoint: 0,
            setup,
            transfer: Transfer::In { room: 8 },
        };
        device.handle(Command::Submit(submit)).unwrap();
        assert_eq!(replies(&mut device), [(5, 0, vec![18, 1, 0, 2, 0, 0, 0, 64])]);
    }

    #[test]
    fn a_host_that_asks_without_end_is_stopped() {
        let mut device = device();
        let outcome = (0..).find_map(|sequence| {
            device
                .handle(ask(sequence, 64))
                .err()
                .map(|error| (sequence, error))
        });
        assert_eq!(outcome, Some((1024, TooManyTransfers)));
    }

    proptest! {
        #[test]
        fn no_stream_of_commands_makes_it_panic_and_every_reply_is_whole(
            commands in proptest::collection::vec((1u32..=2, 0u32..4, 0u32..=1, 0u32..3, 0u32..20, any::<[u8; 8]>()), 1..50),
            taken in 0usize..10,
        ) {
            let mut stream = Vec::new();
            for (command, sequence, direction, endpoint, length, setup) in commands {
                let victim_or_flags = sequence;
                for word in [command, sequence, 0x1_0002, direction, endpoint, victim_or_flags, length, 0, 0, 0] {
                    stream.extend(word.to_be_bytes());
                }
                stream.extend(setup);
                if command == 1 && direction == 0 {
                    stream.resize(stream.len() + length as usize, 0x7e);
                }
            }
            let mut decoder = wire::Decoder::default();
            decoder.push(&stream);
            let mut device = device();
            let mut handled = 0;
            while let Some(command) = decoder.next_command().unwrap() {
                device.handle(command).unwrap();
                device.send(vec![1, 2, 3]);
                device.took(taken);
                handled += 1;
            }
            prop_assert!(handled > 0);
            prop_assert!(device.replies().is_empty() || device.replies().len() >= 48);
            while device.next_event().is_some() {}
        }

        #[test]
        fn bytes_pass_unchanged_in_both_directions_whatever_the_sizes(
            messages in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..200), 1..20),
            room in 1usize..100,
            bites in proptest::collection::vec(1usize..50, 1..10),
        ) {
            let mut device = device();
            let sent = messages.concat();
            for (message, sequence) in messages.iter().zip(1001..) {
                device.send(message.clone());
                device.handle(write(sequence, message)).unwrap();
            }
            let mut taken = Vec::new();
            for bite in bites.iter().cycle() {
                let offered = device.offered();
                if offered.is_empty() {
                    break;
                }
                let count = offered.len().min(*bite);
                taken.extend_from_slice(&offered[..count]);
                device.took(count);
            }
            prop_assert_eq!(&taken, &sent);
            prop_assert_eq!(replies(&mut device).len(), messages.len());
            let mut given = Vec::new();
            let mut sequence = 0;
            while given.len() < sent.len() {
                sequence = sequence % 999 + 1;
                device.handle(ask(sequence, room)).unwrap();
                let answers = replies(&mut device);
                prop_assert_eq!(answers.len(), 1);
                given.extend(answers.into_iter().flat_map(|(_, _, data)| data));
            }
            prop_assert_eq!(given, sent);
        }
    }
}
