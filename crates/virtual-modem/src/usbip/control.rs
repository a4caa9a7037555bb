//! Requests on endpoint 0.
//!
//! Source: USB 2.0 specification §9.4; USB CDC 1.2 / PSTN 1.2 for the class requests of serial ports.

use super::descriptors::Descriptors;
use std::collections::BTreeSet;

/// What a control request brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// These bytes; the host takes no more than it asked for.
    Data(Vec<u8>),
    /// Nothing to say, but done.
    Done,
    /// Not known, or not possible.
    Stall,
}

/// Something on endpoint 0 that the modem notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The host configures the device again, as after a reset or `authorized` 0 and 1.
    ConfiguredAgain,
}

/// What endpoint 0 remembers.
#[derive(Clone, Debug, Default)]
pub struct Control {
    configuration: u8,
    was_configured: bool,
    halted: BTreeSet<u8>,
}

impl Control {
    /// Whether the host has set the endpoint's halt feature, so that it stalls.
    pub fn is_halted(&self, endpoint: u8) -> bool {
        self.halted.contains(&endpoint)
    }

    /// Answers a request.
    ///
    /// `setup` is the eight bytes of the request: bmRequestType, bRequest, and wValue, wIndex, wLength in little
    /// endian.
    pub fn answer(&mut self, setup: [u8; 8], descriptors: &Descriptors) -> (Answer, Option<Change>) {
        let [kind, request, value_low, value_high, index, _, _, _] = setup;
        // Bits 5 and 6: standard, class, vendor.
        match kind >> 5 & 3 {
            0 => {}
            // Line coding, control lines, vendor's switches: nothing in a boot loader follows from them. What
            // would bring data isn't known here.
            1 | 2 if kind & 0x80 == 0 => return (Answer::Done, None),
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
            (0x02, 3) if descriptors.has_endpoint(index) => {
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
            // GET_INTERFACE, SET_INTERFACE: there is but one alternate setting.
            (0x81, 10) => Answer::Data(vec![0]),
            (0x01, 11) if value_low == 0 => Answer::Done,
            // SET_SEL, SET_ISOCH_DELAY of USB 3.
            (0x00, 48 | 49) => Answer::Done,
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
        (Answer::Done, again.then_some(Change::ConfiguredAgain))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use modem_world::{UsbDevice, UsbPath};

    fn descriptors() -> Descriptors {
        Descriptors::new(&UsbDevice {
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

    fn ask(control: &mut Control, setup: [u8; 8]) -> Answer {
        control.answer(setup, &descriptors()).0
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
        assert_eq!(control.answer(set(1), &descriptors()), (Answer::Done, None));
        assert_eq!(control.answer(set(0), &descriptors()), (Answer::Done, None));
        assert_eq!(
            control.answer(set(1), &descriptors()),
            (Answer::Done, Some(Change::ConfiguredAgain))
        );
        assert_eq!(control.answer(set(2), &descriptors()), (Answer::Stall, None));
        assert_eq!(
            ask(&mut control, [0x80, 8, 0, 0, 0, 0, 1, 0]),
            Answer::Data(vec![1])
        );
    }

    #[test]
    fn class_and_vendor_requests_are_acknowledged_out_and_stalled_in() {
        let mut control = Control::default();
        // SET_CONTROL_LINE_STATE, as qcserial and qmi_wwan send it.
        assert_eq!(ask(&mut control, [0x21, 0x22, 3, 0, 0, 0, 0, 0]), Answer::Done);
        assert_eq!(ask(&mut control, [0x40, 1, 0, 0, 0, 0, 0, 0]), Answer::Done);
        assert_eq!(ask(&mut control, [0xc0, 1, 0, 0, 0, 0, 4, 0]), Answer::Stall);
    }

    #[test]
    fn no_request_makes_it_panic() {
        let mut control = Control::default();
        for kind in 0..=u8::MAX {
            for request in 0..=u8::MAX {
                let _ = control.answer([kind, request, 0xff, 3, 0x81, 0xff, 0xff, 0xff], &descriptors());
                let (answer, _) = control.answer([kind, request, 0, 0, 0, 0, 0, 0], &descriptors());
                assert!(
                    kind & 0x80 != 0 || !matches!(answer, Answer::Data(_)),
                    "{kind:#x} {request:#x}"
                );
            }
        }
    }
}
