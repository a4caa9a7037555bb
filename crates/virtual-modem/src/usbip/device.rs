//! The modem as a USB device, without IO: commands of the host come in, replies go out.

use super::control::{Answer, Change, Control};
use super::descriptors::Descriptors;
use super::port::{Port, Taken, TakenBack};
use super::wire::{self, Command, Status, Submit, Transfer};
use crate::layout::Appearance;
use std::collections::VecDeque;

/// How many transfers a host may have waiting; the drivers of serial ports have eight for each.
const MOST_WAITING: usize = 1024;
/// How many answered requests are remembered, for a host that takes a request back while the answer is on its
/// way.
const MOST_ANSWERED: usize = 256;

/// What the modem learns from the bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortEvent {
    /// The host begins to ask for bytes of this interface.
    Opened(u8),
    /// The host has taken back all its requests for bytes of this interface.
    Closed(u8),
    /// The host sets the control lines of an interface.
    Lines {
        /// Number of the interface.
        interface: u8,
        /// DTR: whether the host is there.
        is_terminal_ready: bool,
    },
    /// The host has configured the device anew.
    ReEnumerated,
}

/// One appearance on the bus.
#[derive(Debug)]
pub struct Device {
    descriptors: Descriptors,
    control: Control,
    ports: Vec<Port>,
    /// The host's latest requests for bytes with their interfaces, newest last.
    requests: VecDeque<(u32, u8)>,
    events: VecDeque<PortEvent>,
    replies: Vec<u8>,
}

/// The host has more transfers waiting than any driver would.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more than {MOST_WAITING} USB transfers are waiting")]
pub struct TooManyTransfers;

impl Device {
    /// A device that appears like this.
    pub fn new(appearance: &Appearance) -> Self {
        Self {
            descriptors: Descriptors::new(appearance),
            control: Control::default(),
            ports: appearance
                .layout
                .interfaces
                .iter()
                .map(|it| Port::new(*it))
                .collect(),
            requests: VecDeque::new(),
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

    /// The modem sends these bytes on an interface, as one transfer or one message. If there is no such
    /// interface, they are lost.
    pub fn send(&mut self, interface: u8, bytes: Vec<u8>) {
        if let Some(port) = find(&mut self.ports, interface) {
            port.send(bytes, &mut self.replies);
        }
    }

    /// All interfaces with bytes from the host that the modem hasn't taken: the number, whether one call must
    /// take a whole message, and the oldest bytes or message.
    pub fn offers(&self) -> impl Iterator<Item = (u8, bool, &[u8])> {
        self.ports
            .iter()
            .map(|port| (port.number(), port.has_messages(), port.offered()))
            .filter(|(_, _, bytes)| !bytes.is_empty())
    }

    /// The modem has taken the first `count` bytes of those offered on an interface.
    pub fn took(&mut self, interface: u8, count: usize) {
        if let Some(port) = find(&mut self.ports, interface) {
            port.took(count, &mut self.replies);
        }
    }

    /// The next thing that the modem has to know about.
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
        if self.ports.iter().map(Port::waiting).sum::<usize>() >= MOST_WAITING {
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
        let known = self.descriptors.endpoint(address);
        let known = known.filter(|_| !self.control.is_halted(address));
        let found = known.and_then(|it| Some((it, find(&mut self.ports, it.interface)?)));
        let Some((endpoint, port)) = found else {
            self.refuse(sequence, &transfer);
            return Ok(());
        };
        match transfer {
            Transfer::In { room } => {
                if port.ask(sequence, room, endpoint.is_interrupt, &mut self.replies) {
                    self.events.push_back(PortEvent::Opened(endpoint.interface));
                }
                self.requests.push_back((sequence, endpoint.interface));
                if self.requests.len() > MOST_ANSWERED {
                    self.requests.pop_front();
                }
            }
            Transfer::Out { data } => port.write(sequence, data, &mut self.replies),
        }
        Ok(())
    }

    fn control(&mut self, sequence: u32, setup: [u8; 8], transfer: &Transfer) {
        let data = match transfer {
            Transfer::Out { data } => data.as_slice(),
            Transfer::In { .. } => &[],
        };
        let (answer, change) = self.control.answer(setup, data, &self.descriptors);
        match change {
            Some(Change::ConfiguredAgain) => self.events.push_back(PortEvent::ReEnumerated),
            Some(Change::Lines {
                interface,
                is_terminal_ready,
            }) => self.events.push_back(PortEvent::Lines {
                interface,
                is_terminal_ready,
            }),
            None => {}
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
            (Answer::Message(interface), Transfer::Out { data }) => {
                match find(&mut self.ports, interface).map(|port| port.command(data)) {
                    Some(Taken::Queued) => {
                        wire::reply_out(&mut self.replies, sequence, Status::Done, data.len());
                    }
                    Some(Taken::Refused) | None => self.refuse(sequence, transfer),
                }
            }
            (Answer::NextMessage(interface), Transfer::In { room }) => {
                let port = find(&mut self.ports, interface);
                let message = port.map(|port| port.response(*room, &mut self.replies));
                wire::reply_in(
                    &mut self.replies,
                    sequence,
                    Status::Done,
                    &message.unwrap_or_default(),
                );
            }
            (Answer::Stall | Answer::Data(_) | Answer::Message(_) | Answer::NextMessage(_), _) => {
                self.refuse(sequence, transfer);
            }
        }
    }

    fn refuse(&mut self, sequence: u32, transfer: &Transfer) {
        match transfer {
            Transfer::In { .. } => wire::reply_in(&mut self.replies, sequence, Status::Stalled, &[]),
            Transfer::Out { .. } => wire::reply_out(&mut self.replies, sequence, Status::Stalled, 0),
        }
    }

    fn unlink(&mut self, sequence: u32, victim: u32) {
        let taken_back = self
            .ports
            .iter_mut()
            .find_map(|port| Some((port.number(), port.take_back(victim)?)));
        let (status, interface) = match taken_back {
            Some((interface, TakenBack::Request)) => (Status::Unlinked, Some(interface)),
            Some((_, TakenBack::Other)) => (Status::Unlinked, None),
            // The request may have been answered while the host was taking it back.
            None => {
                let asked = self.requests.iter().rev().find(|(asked, _)| *asked == victim);
                (Status::Done, asked.map(|(_, interface)| *interface))
            }
        };
        wire::reply_unlink(&mut self.replies, sequence, status);
        let port = interface.and_then(|number| find(&mut self.ports, number));
        if let Some(port) = port {
            if port.has_closed() {
                self.events.push_back(PortEvent::Closed(port.number()));
            }
        }
    }
}

fn find(ports: &mut [Port], interface: u8) -> Option<&mut Port> {
    ports.iter_mut().find(|port| port.number() == interface)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::{Composition, FunctionKind, Layout, Wiring};
    use modem_world::{UsbDevice, UsbPath};
    use proptest::prelude::*;

    fn appearing(layout: Layout) -> Device {
        let device = UsbDevice {
            path: UsbPath::new("1-1"),
            peer: None,
            number: 0,
            vendor: 0x1199,
            product: 0x9070,
            interfaces: Some(layout.count()),
            speed: Some(480),
            manufacturer: None,
            product_name: None,
            serial: None,
        };
        Device::new(&Appearance { device, layout })
    }

    fn device() -> Device {
        appearing(Layout::single(FunctionKind::Download))
    }

    fn running(composition: Composition) -> Device {
        appearing(Layout::running(Wiring::Sierra, composition))
    }

    fn offered(device: &Device, interface: u8) -> Vec<u8> {
        let found = device.offers().find(|(number, ..)| *number == interface);
        found.map(|(_, _, bytes)| bytes.to_vec()).unwrap_or_default()
    }

    fn events(device: &mut Device) -> Vec<PortEvent> {
        std::iter::from_fn(|| device.next_event()).collect()
    }

    fn unlink(sequence: u32, victim: u32) -> Command {
        Command::Unlink { sequence, victim }
    }

    fn submit(sequence: u32, endpoint: u8, setup: [u8; 8], transfer: Transfer) -> Command {
        Command::Submit(Submit {
            sequence,
            endpoint,
            setup,
            transfer,
        })
    }

    /// SEND_ENCAPSULATED_COMMAND.
    fn command(sequence: u32, interface: u8, data: &[u8]) -> Command {
        let [low, high] = u16::try_from(data.len()).unwrap().to_le_bytes();
        let setup = [0x21, 0x00, 0, 0, interface, 0, low, high];
        submit(sequence, 0, setup, Transfer::Out { data: data.to_vec() })
    }

    /// GET_ENCAPSULATED_RESPONSE.
    fn response(sequence: u32, interface: u8, room: usize) -> Command {
        let setup = [0xa1, 0x01, 0, 0, interface, 0, 0, 16];
        submit(sequence, 0, setup, Transfer::In { room })
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

    /// Sequence number, status and data of the replies so far. The sequence numbers of reads are below 1000
    /// here.
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
        device.send(0, b"hello".to_vec());
        assert_eq!(replies(&mut device), [(1, 0, b"hello".to_vec())]);
    }

    #[test]
    fn a_long_message_fills_one_request_after_the_other_and_the_next_begins_its_own() {
        let mut device = device();
        device.send(0, b"0123456789".to_vec());
        device.send(0, b"next".to_vec());
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
        assert_eq!(offered(&device, 0), b"abcdef");
        device.took(0, 4);
        assert_eq!(offered(&device, 0), b"ef");
        assert_eq!(replies(&mut device), []);
        device.took(0, 2);
        assert_eq!(replies(&mut device), [(1001, 0, vec![])]);
        assert_eq!(offered(&device, 0), b"gh");
    }

    #[test]
    fn the_port_opens_with_the_first_request_and_closes_when_all_are_taken_back() {
        let mut device = device();
        device.handle(ask(1, 64)).unwrap();
        device.handle(ask(2, 64)).unwrap();
        assert_eq!(events(&mut device), [PortEvent::Opened(0)]);
        device.send(0, b"x".to_vec());
        device.handle(ask(3, 64)).unwrap();
        device
            .handle(Command::Unlink {
                sequence: 10,
                victim: 2,
            })
            .unwrap();
        assert_eq!(events(&mut device), []);
        // This request was answered before, so there is nothing to take back.
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
        assert_eq!(events(&mut device), [PortEvent::Closed(0)]);
        let statuses: Vec<_> = replies(&mut device)
            .into_iter()
            .map(|(sequence, status, _)| (sequence, status))
            .collect();
        assert_eq!(statuses, [(1, 0), (10, -104), (11, 0), (12, -104)]);
        device.handle(ask(4, 64)).unwrap();
        assert_eq!(events(&mut device), [PortEvent::Opened(0)]);
    }

    #[test]
    fn a_write_that_is_taken_back_is_offered_no_longer_and_closes_nothing() {
        let mut device = device();
        device.handle(write(1001, b"abc")).unwrap();
        device.took(0, 1);
        device
            .handle(Command::Unlink {
                sequence: 10,
                victim: 1001,
            })
            .unwrap();
        assert_eq!(offered(&device, 0), b"");
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

    #[test]
    fn each_serial_interface_is_a_stream_of_its_own() {
        let mut device = running(Composition::QMI);
        // DIAG has endpoint 1; NMEA 2 (interrupt) and 3; AT 4 (interrupt) and 5; out 1, 2, 3.
        device
            .handle(submit(1, 1, [0; 8], Transfer::In { room: 64 }))
            .unwrap();
        device
            .handle(submit(2, 5, [0; 8], Transfer::In { room: 64 }))
            .unwrap();
        assert_eq!(events(&mut device), [PortEvent::Opened(0), PortEvent::Opened(3)]);
        // The AT port's interrupt endpoint stays silent.
        device
            .handle(submit(3, 4, [0; 8], Transfer::In { room: 10 }))
            .unwrap();
        let text = Transfer::Out {
            data: b"AT\r".to_vec(),
        };
        device.handle(submit(1001, 3, [0; 8], text)).unwrap();
        let frame = Transfer::Out { data: b"~".to_vec() };
        device.handle(submit(1002, 1, [0; 8], frame)).unwrap();
        assert_eq!(offered(&device, 3), b"AT\r");
        assert_eq!(offered(&device, 0), b"~");
        // One interface that takes nothing doesn't hold up the other.
        device.took(3, 3);
        device.send(3, b"OK".to_vec());
        assert_eq!(replies(&mut device), [(1001, 0, vec![]), (2, 0, b"OK".to_vec())]);
        device.handle(unlink(10, 1)).unwrap();
        assert_eq!(events(&mut device), [PortEvent::Closed(0)]);
    }

    #[test]
    fn a_message_is_announced_once_and_fetched_on_endpoint_0() {
        let mut device = running(Composition::RMNET0);
        device
            .handle(submit(1, 1, [0; 8], Transfer::In { room: 10 }))
            .unwrap();
        assert_eq!(events(&mut device), [PortEvent::Opened(8)]);
        device.handle(command(1001, 8, b"question")).unwrap();
        let offers: Vec<_> = device.offers().collect();
        assert_eq!(offers, [(8, true, &b"question"[..])]);
        device.took(8, 8);
        assert_eq!(device.offers().count(), 0);
        device.send(8, b"answer".to_vec());
        device.send(8, b"indication".to_vec());
        let notice = vec![0xa1, 1, 0, 0, 8, 0, 0, 0];
        assert_eq!(replies(&mut device), [(1001, 0, vec![]), (1, 0, notice.clone())]);
        device.handle(response(2, 8, 4096)).unwrap();
        assert_eq!(replies(&mut device), [(2, 0, b"answer".to_vec())]);
        // The second message waits until the host listens again.
        device
            .handle(submit(3, 1, [0; 8], Transfer::In { room: 10 }))
            .unwrap();
        assert_eq!(replies(&mut device), [(3, 0, notice)]);
        device.handle(response(4, 8, 4096)).unwrap();
        device.handle(response(5, 8, 4096)).unwrap();
        assert_eq!(
            replies(&mut device),
            [(4, 0, b"indication".to_vec()), (5, 0, vec![])]
        );
    }

    #[test]
    fn a_message_that_is_too_long_comes_in_parts_each_announced() {
        let mut device = running(Composition::MBIM);
        for sequence in [1, 2] {
            device
                .handle(submit(sequence, 1, [0; 8], Transfer::In { room: 10 }))
                .unwrap();
        }
        device.send(12, b"0123456789".to_vec());
        device.handle(response(3, 12, 6)).unwrap();
        device.handle(response(4, 12, 6)).unwrap();
        let notice = vec![0xa1, 1, 0, 0, 12, 0, 0, 0];
        assert_eq!(
            replies(&mut device),
            [
                (1, 0, notice.clone()),
                (2, 0, notice),
                (3, 0, b"012345".to_vec()),
                (4, 0, b"6789".to_vec())
            ]
        );
    }

    #[test]
    fn the_network_of_a_control_interface_is_mute_and_takes_everything() {
        let mut device = running(Composition::RMNET0);
        device
            .handle(submit(1, 2, [0; 8], Transfer::In { room: 2048 }))
            .unwrap();
        let packet = Transfer::Out { data: vec![0; 60] };
        device.handle(submit(1001, 1, [0; 8], packet)).unwrap();
        device.send(8, b"message".to_vec());
        assert_eq!(replies(&mut device), [(1001, 0, vec![])]);
        assert_eq!(events(&mut device), []);
        device.handle(unlink(10, 1)).unwrap();
        assert_eq!(replies(&mut device), [(10, -104, vec![])]);
        assert_eq!(events(&mut device), []);
    }

    #[test]
    fn the_terminal_ready_line_of_a_control_interface_is_told() {
        let mut device = running(Composition::RMNET0);
        let setup = [0x21, 0x22, 1, 0, 8, 0, 0, 0];
        device
            .handle(submit(1001, 0, setup, Transfer::Out { data: Vec::new() }))
            .unwrap();
        let lines = PortEvent::Lines {
            interface: 8,
            is_terminal_ready: true,
        };
        assert_eq!(events(&mut device), [lines]);
    }

    #[test]
    fn commands_that_nobody_takes_are_refused_in_the_end() {
        let mut device = running(Composition::RMNET0);
        for sequence in 1001..1066 {
            device.handle(command(sequence, 8, b"x")).unwrap();
        }
        let statuses: Vec<i32> = replies(&mut device)
            .iter()
            .map(|(_, status, _)| *status)
            .collect();
        assert_eq!(statuses.iter().filter(|status| **status == 0).count(), 64);
        assert_eq!(statuses.last(), Some(&-32));
    }

    #[test]
    fn a_foreign_port_has_two_bytes_in_front_of_each_packet() {
        let mut device = appearing(Layout::single(FunctionKind::Foreign));
        device.send(0, b"login: ".to_vec());
        device.handle(ask(1, 512)).unwrap();
        assert_eq!(replies(&mut device), [(1, 0, b"\x01\x60login: ".to_vec())]);
    }

    proptest! {
        #[test]
        fn no_stream_of_commands_makes_it_panic_and_every_reply_is_whole(
            commands in proptest::collection::vec((1u32..=2, 0u32..4, 0u32..=1, 0u32..7, 0u32..20, any::<[u8; 8]>()), 1..50),
            // SEND_ENCAPSULATED_COMMAND and GET_ENCAPSULATED_RESPONSE are rare by chance.
            requests in proptest::collection::vec(proptest::option::of((0u8..2, 0u8..14)), 50),
            taken in 0usize..10,
            composition in proptest::sample::select(vec![Composition::QMI_TWICE, Composition::WITH_MBIM]),
        ) {
            let mut stream = Vec::new();
            for ((command, sequence, direction, endpoint, length, mut setup), request) in commands.into_iter().zip(requests) {
                if let Some((request, interface)) = request {
                    setup = [0x21 | request << 7, request, 0, 0, interface, 0, 8, 0];
                }
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
            let mut device = running(composition);
            let mut handled = 0;
            while let Some(command) = decoder.next_command().unwrap() {
                device.handle(command).unwrap();
                for interface in [0, 3, 8, 12, 13, 99] {
                    device.send(interface, vec![1, 2, 3]);
                    device.took(interface, taken);
                }
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
                device.send(0, message.clone());
                device.handle(write(sequence, message)).unwrap();
            }
            let mut taken = Vec::new();
            for bite in bites.iter().cycle() {
                let offered = offered(&device, 0);
                if offered.is_empty() {
                    break;
                }
                let count = offered.len().min(*bite);
                taken.extend_from_slice(&offered[..count]);
                device.took(0, count);
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
