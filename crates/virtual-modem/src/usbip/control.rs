//! Requests on endpoint 0.
//!
//! Source: USB 2.0 specification §9.4; USB CDC 1.2, PSTN 1.2, NCM 1.0 §6.2 and MBIM 1.0 §8 for the class requests.

use super::descriptors::{Descriptors, settings};
use crate::layout::FunctionKind;
use std::collections::{BTreeMap, BTreeSet};

/// The answer to a control request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// These bytes; the host takes no more than it asked for.
    Data(Vec<u8>),
    /// The request is done, without data.
    Done,
    /// The data of the request is a message to this interface.
    Message(u8),
    /// The next message from this interface, or nothing if there is none.
    NextMessage(u8),
    /// The request isn't known or isn't possible.
    Stall,
}

/// Something on endpoint 0 that concerns the modem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The host configures the device again, as after a reset or `authorized` 0 and 1.
    ConfiguredAgain,
    /// The host sets the control lines of an interface.
    Lines {
        /// Number of the interface.
        interface: u8,
        /// DTR: whether the host is there.
        is_terminal_ready: bool,
    },
}

/// What endpoint 0 remembers.
#[derive(Clone, Debug, Default)]
pub struct Control {
    configuration: u8,
    was_configured: bool,
    halted: BTreeSet<u8>,
    /// Alternate settings that are not 0, by interface.
    settings: BTreeMap<u8, u8>,
    /// Size of a block of network packets in bytes, if the host has set it.
    block_bytes: Option<u32>,
}

/// The largest block of network packets in bytes, in both directions. Own choice, as large as that of most
/// modems.
const BLOCK_BYTES: u32 = 16384;

impl Control {
    /// Whether the host has set the endpoint's halt feature, so that it stalls.
    pub fn is_halted(&self, endpoint: u8) -> bool {
        self.halted.contains(&endpoint)
    }

    /// Answers a request.
    ///
    /// `setup` is the eight bytes of the request: bmRequestType, bRequest, and wValue, wIndex, wLength in little
    /// endian. `data` is what the host sends with it.
    pub fn answer(
        &mut self,
        setup: [u8; 8],
        data: &[u8],
        descriptors: &Descriptors,
    ) -> (Answer, Option<Change>) {
        let [kind, request, value_low, value_high, index, _, _, _] = setup;
        // Bits 5 and 6: standard, class, vendor.
        match kind >> 5 & 3 {
            0 => {}
            1 => return self.class(setup, data, descriptors),
            // Requests of the vendor that set something have no effect here. Those that would return data
            // aren't known.
            2 if kind & 0x80 == 0 => return (Answer::Done, None),
            _ => return (Answer::Stall, None),
        }
        let answer = match (kind, request) {
            // GET_STATUS of device (bit 0: self-powered), interface, endpoint (bit 0: halted).
            (0x80 | 0x81, 0) => Answer::Data(vec![0, 0]),
            (0x82, 0) => Answer::Data(vec![u8::from(self.is_halted(index)), 0]),
            // CLEAR_FEATURE and SET_FEATURE; of an endpoint: halt is feature 0.
            (0x02, 1) => {
                self.halted.remove(&index);
                Answer::Done
            }
            (0x02, 3) if descriptors.endpoint(index).is_some() => {
                self.halted.insert(index);
                Answer::Done
            }
            // Remote wake-up, function suspend, U1 and U2.
            (0x00 | 0x01, 1 | 3) => Answer::Done,
            (0x80, 6) => descriptors
                .find(value_high, value_low)
                .map_or(Answer::Stall, Answer::Data),
            (0x80, 8) => Answer::Data(vec![self.configuration]),
            (0x00, 9) => return self.configure(value_low),
            // GET_INTERFACE, SET_INTERFACE.
            (0x81, 10) => Answer::Data(vec![self.settings.get(&index).copied().unwrap_or(0)]),
            (0x01, 11) => match descriptors.layout().kind(index) {
                Some(kind) if value_low < settings(kind) => {
                    self.settings.insert(index, value_low);
                    Answer::Done
                }
                _ => Answer::Stall,
            },
            // SET_SEL, SET_ISOCH_DELAY of USB 3.
            (0x00, 48 | 49) => Answer::Done,
            _ => Answer::Stall,
        };
        (answer, None)
    }

    /// Requests of the class "communication", to an interface.
    fn class(&mut self, setup: [u8; 8], data: &[u8], descriptors: &Descriptors) -> (Answer, Option<Change>) {
        let [kind, request, value, _, index, _, _, _] = setup;
        let interface = descriptors.layout().kind(index);
        let has_messages = interface.is_some_and(FunctionKind::is_message_port);
        let is_mbim = interface == Some(FunctionKind::MbimControl);
        let answer = match (kind, request) {
            // SEND_ENCAPSULATED_COMMAND, GET_ENCAPSULATED_RESPONSE.
            (0x21, 0x00) if has_messages => Answer::Message(index),
            (0xa1, 0x01) if has_messages => Answer::NextMessage(index),
            // GET_LINE_CODING: 115200 bits per second, one stop bit, no parity, eight bits.
            (0xa1, 0x21) => Answer::Data(vec![0x00, 0xc2, 0x01, 0x00, 0, 0, 8]),
            // SET_CONTROL_LINE_STATE: DTR is bit 0.
            (0x21, 0x22) => {
                let change = Change::Lines {
                    interface: index,
                    is_terminal_ready: value & 1 != 0,
                };
                return (Answer::Done, interface.map(|_| change));
            }
            (0xa1, 0x80) if is_mbim => Answer::Data(block_parameters()),
            // GET_NTB_FORMAT, GET_CRC_MODE: sizes of 2 bytes, no checksums.
            (0xa1, 0x83 | 0x89) if is_mbim => Answer::Data(vec![0, 0]),
            // GET_NTB_INPUT_SIZE, SET_NTB_INPUT_SIZE.
            (0xa1, 0x85) if is_mbim => {
                Answer::Data(self.block_bytes.unwrap_or(BLOCK_BYTES).to_le_bytes().to_vec())
            }
            (0x21, 0x86) if is_mbim => match data.first_chunk().copied().map(u32::from_le_bytes) {
                // No less than 2048 (NCM 1.0 §6.2.7).
                Some(size) if (2048..=BLOCK_BYTES).contains(&size) => {
                    self.block_bytes = Some(size);
                    Answer::Done
                }
                _ => Answer::Stall,
            },
            // GET_MAX_DATAGRAM_SIZE.
            (0xa1, 0x87) if is_mbim => Answer::Data(2048_u16.to_le_bytes().to_vec()),
            // SET_LINE_CODING, SEND_BREAK; RESET_FUNCTION, SET_NTB_FORMAT, SET_MAX_DATAGRAM_SIZE,
            // SET_CRC_MODE; and others. They have no effect here.
            _ if kind & 0x80 == 0 => Answer::Done,
            _ => Answer::Stall,
        };
        (answer, None)
    }

    fn configure(&mut self, value: u8) -> (Answer, Option<Change>) {
        if value > 1 {
            return (Answer::Stall, None);
        }
        let again = value == 1 && self.was_configured;
        self.configuration = value;
        self.was_configured |= value == 1;
        self.halted.clear();
        self.settings.clear();
        (Answer::Done, again.then_some(Change::ConfiguredAgain))
    }
}

/// The answer to GET_NTB_PARAMETERS (NCM 1.0 §6.2.1, table 6-3).
fn block_parameters() -> Vec<u8> {
    let mut bytes = Vec::new();
    // Length, and formats: with sizes of 2 bytes.
    bytes.extend([28, 0, 1, 0]);
    // First for blocks to the host, then for those from it: size, then divisor, remainder and alignment of
    // packets. The last field is reserved for the first, and the number of packets for the second.
    for last in [0_u16, 16] {
        bytes.extend(BLOCK_BYTES.to_le_bytes());
        bytes.extend([4, 0, 0, 0, 4, 0]);
        bytes.extend(last.to_le_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::{Appearance, Composition, Layout, Wiring};
    use modem_world::{UsbDevice, UsbPath};

    fn descriptors() -> Descriptors {
        let layout = Layout::running(Wiring::Sierra, Composition::WITH_MBIM);
        let device = UsbDevice {
            path: UsbPath::new("1-1"),
            peer: None,
            number: 0,
            vendor: 0x1199,
            product: 0x9071,
            interfaces: Some(layout.count()),
            speed: Some(480),
            manufacturer: None,
            product_name: None,
            serial: None,
        };
        Descriptors::new(&Appearance { device, layout })
    }

    fn ask(control: &mut Control, setup: [u8; 8]) -> Answer {
        control.answer(setup, &[], &descriptors()).0
    }

    #[test]
    fn descriptors_are_given_and_missing_ones_stall() {
        let mut control = Control::default();
        let device = descriptors().find(1, 0).unwrap();
        assert_eq!(
            ask(&mut control, [0x80, 6, 0, 1, 0, 0, 18, 0]),
            Answer::Data(device)
        );
        // The device qualifier.
        assert_eq!(ask(&mut control, [0x80, 6, 0, 6, 0, 0, 10, 0]), Answer::Stall);
    }

    #[test]
    fn a_halted_endpoint_says_so_until_the_halt_is_cleared() {
        let mut control = Control::default();
        assert_eq!(ask(&mut control, [0x02, 3, 0, 0, 0x81, 0, 0, 0]), Answer::Done);
        assert!(control.is_halted(0x81));
        assert_eq!(
            ask(&mut control, [0x82, 0, 0, 0, 0x81, 0, 2, 0]),
            Answer::Data(vec![1, 0])
        );
        assert_eq!(ask(&mut control, [0x02, 1, 0, 0, 0x81, 0, 0, 0]), Answer::Done);
        assert!(!control.is_halted(0x81));
    }

    #[test]
    fn the_second_configuring_is_noticed_and_not_the_first() {
        let mut control = Control::default();
        let set = |value| [0x00, 9, value, 0, 0, 0, 0, 0];
        assert_eq!(control.answer(set(1), &[], &descriptors()), (Answer::Done, None));
        assert_eq!(control.answer(set(0), &[], &descriptors()), (Answer::Done, None));
        assert_eq!(
            control.answer(set(1), &[], &descriptors()),
            (Answer::Done, Some(Change::ConfiguredAgain))
        );
        assert_eq!(control.answer(set(2), &[], &descriptors()), (Answer::Stall, None));
        assert_eq!(
            ask(&mut control, [0x80, 8, 0, 0, 0, 0, 1, 0]),
            Answer::Data(vec![1])
        );
    }

    #[test]
    fn other_class_and_vendor_requests_are_acknowledged_out_and_stalled_in() {
        let mut control = Control::default();
        // SET_LINE_CODING.
        assert_eq!(ask(&mut control, [0x21, 0x20, 0, 0, 3, 0, 7, 0]), Answer::Done);
        assert_eq!(ask(&mut control, [0x40, 1, 0, 0, 0, 0, 0, 0]), Answer::Done);
        assert_eq!(ask(&mut control, [0xa1, 0x42, 0, 0, 3, 0, 4, 0]), Answer::Stall);
        assert_eq!(ask(&mut control, [0xc0, 1, 0, 0, 0, 0, 4, 0]), Answer::Stall);
    }

    #[test]
    fn the_lines_are_told_of_interfaces_that_are_there() {
        let mut control = Control::default();
        let set = |value, interface| [0x21, 0x22, value, 0, interface, 0, 0, 0];
        let lines = |interface, is_terminal_ready| {
            Some(Change::Lines {
                interface,
                is_terminal_ready,
            })
        };
        // DTR and RTS as qcserial sets them; DTR alone as qmi_wwan sets it; none, as at the end.
        for (value, ready) in [(3, true), (1, true), (2, false), (0, false)] {
            assert_eq!(
                control.answer(set(value, 3), &[], &descriptors()),
                (Answer::Done, lines(3, ready))
            );
        }
        assert_eq!(
            control.answer(set(3, 7), &[], &descriptors()),
            (Answer::Done, None)
        );
    }

    #[test]
    fn messages_go_to_control_interfaces_only() {
        let mut control = Control::default();
        assert_eq!(
            ask(&mut control, [0x21, 0x00, 0, 0, 12, 0, 16, 0]),
            Answer::Message(12)
        );
        assert_eq!(
            ask(&mut control, [0xa1, 0x01, 0, 0, 12, 0, 0, 16]),
            Answer::NextMessage(12)
        );
        assert_eq!(ask(&mut control, [0xa1, 0x01, 0, 0, 3, 0, 0, 16]), Answer::Stall);
    }

    #[test]
    fn only_the_network_has_a_second_alternate_setting() {
        let mut control = Control::default();
        let set = |setting, interface| [0x01, 11, setting, 0, interface, 0, 0, 0];
        let get = |interface| [0x81, 10, 0, 0, interface, 0, 1, 0];
        assert_eq!(ask(&mut control, set(1, 13)), Answer::Done);
        assert_eq!(ask(&mut control, get(13)), Answer::Data(vec![1]));
        assert_eq!(ask(&mut control, set(2, 13)), Answer::Stall);
        assert_eq!(ask(&mut control, set(1, 12)), Answer::Stall);
        assert_eq!(ask(&mut control, get(12)), Answer::Data(vec![0]));
        // Configuring resets the alternate settings to the first.
        assert_eq!(ask(&mut control, [0x00, 9, 1, 0, 0, 0, 0, 0]), Answer::Done);
        assert_eq!(ask(&mut control, get(13)), Answer::Data(vec![0]));
    }

    #[test]
    fn the_sizes_of_network_blocks_are_told_and_taken() {
        let mut control = Control::default();
        let expected = [
            28, 0, 1, 0, 0, 0x40, 0, 0, 4, 0, 0, 0, 4, 0, 0, 0, 0, 0x40, 0, 0, 4, 0, 0, 0, 4, 0, 16, 0,
        ];
        assert_eq!(
            ask(&mut control, [0xa1, 0x80, 0, 0, 12, 0, 28, 0]),
            Answer::Data(expected.to_vec())
        );
        let set = [0x21, 0x86, 0, 0, 12, 0, 4, 0];
        let get = [0xa1, 0x85, 0, 0, 12, 0, 4, 0];
        for (size, answer) in [
            (4096_u32, Answer::Done),
            (16385, Answer::Stall),
            (0, Answer::Stall),
        ] {
            assert_eq!(control.answer(set, &size.to_le_bytes(), &descriptors()).0, answer);
            assert_eq!(ask(&mut control, get), Answer::Data(vec![0, 0x10, 0, 0]));
        }
    }

    #[test]
    fn no_request_makes_it_panic() {
        let mut control = Control::default();
        for kind in 0..=u8::MAX {
            for request in 0..=u8::MAX {
                let _ = control.answer(
                    [kind, request, 0xff, 3, 0x81, 0xff, 0xff, 0xff],
                    &[1],
                    &descriptors(),
                );
                for interface in [0, 3, 12, 13] {
                    let setup = [kind, request, 0, 0, interface, 0, 0, 0];
                    let (answer, _) = control.answer(setup, &[], &descriptors());
                    assert!(
                        kind & 0x80 != 0 || !matches!(answer, Answer::Data(_) | Answer::NextMessage(_)),
                        "{kind:#x} {request:#x}"
                    );
                }
            }
        }
    }
}
