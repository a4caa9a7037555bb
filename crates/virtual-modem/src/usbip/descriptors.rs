//! What the modem reports about itself on the bus: device, configuration and string descriptors.
//!
//! Sources: USB 2.0 specification chapter 9, USB 3.2 specification chapter 9 (companion and BOS descriptors).
//! The interface layouts are those that the kernel's drivers expect (linux.md §2, devices.md).

use crate::layout::{Appearance, Function, FunctionKind, Layout};
use modem_world::UsbDevice;

/// How fast the device is on the bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speed {
    /// 480 Mbit/s.
    High,
    /// 5000 Mbit/s and above.
    Super,
}

impl Speed {
    /// The speed of a device. An unknown speed, or one below USB 2, counts as high speed.
    pub fn of(device: &UsbDevice) -> Self {
        if device.speed.is_some_and(|megabits| megabits >= 5000) {
            Self::Super
        } else {
            Self::High
        }
    }

    /// The kernel's number for this speed (`enum usb_device_speed`).
    pub fn number(self) -> u32 {
        match self {
            Self::High => 3,
            Self::Super => 5,
        }
    }

    /// The largest packet of a bulk endpoint, in bytes.
    fn bulk_packet(self) -> u16 {
        match self {
            Self::High => 512,
            Self::Super => 1024,
        }
    }
}

/// The descriptors of one appearance on the bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Descriptors {
    device: Vec<u8>,
    configuration: Vec<u8>,
    object_store: Option<Vec<u8>>,
    /// The texts of string descriptors 1, 2 and 3; an empty text has no descriptor.
    strings: [String; 3],
    layout: Layout,
    /// All endpoints except 0.
    endpoints: Vec<Endpoint>,
}

impl Descriptors {
    /// The descriptors of a device that appears like this.
    pub fn new(appearance: &Appearance) -> Self {
        let Appearance { device, layout } = appearance;
        let speed = Speed::of(device);
        let mut endpoints = Vec::new();
        let mut bytes = Vec::new();
        for function in &layout.interfaces {
            describe(*function, layout, speed, &mut bytes, &mut endpoints);
        }
        let strings = [&device.manufacturer, &device.product_name, &device.serial].map(|text| {
            text.as_deref()
                .unwrap_or_default()
                .chars()
                .take(126)
                .collect::<String>()
        });
        Self {
            device: device_descriptor(device, speed, &strings),
            configuration: configuration_descriptor(&bytes, layout.count(), speed),
            object_store: (speed == Speed::Super).then(object_store_descriptor),
            strings,
            layout: layout.clone(),
            endpoints,
        }
    }

    /// The descriptor with this type and index, as in `wValue` of GET_DESCRIPTOR; `None` if there isn't one.
    pub fn find(&self, kind: u8, index: u8) -> Option<Vec<u8>> {
        match (kind, index) {
            (1, 0) => Some(self.device.clone()),
            (2, 0) => Some(self.configuration.clone()),
            // US English is the only language.
            (3, 0) => Some(vec![4, 3, 0x09, 0x04]),
            (3, index) => {
                let text = self
                    .strings
                    .get(usize::from(index).checked_sub(1)?)
                    .filter(|text| !text.is_empty())?;
                Some(string_descriptor(text))
            }
            (15, 0) => self.object_store.clone(),
            // The device qualifier is missing too, because the kernel asks for it only at full speed.
            _ => None,
        }
    }

    /// The endpoint with this address, except endpoint 0.
    pub fn endpoint(&self, address: u8) -> Option<Endpoint> {
        self.endpoints
            .iter()
            .find(|endpoint| endpoint.address == address)
            .copied()
    }

    /// The interfaces.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }
}

/// An endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Number and direction: bit 7 is set for bytes to the host.
    pub address: u8,
    /// The interface that it belongs to.
    pub interface: u8,
    /// Whether it is an interrupt endpoint; otherwise it is a bulk endpoint.
    pub is_interrupt: bool,
}

/// Appends an interface's descriptors, with those of all its alternate settings.
fn describe(
    function: Function,
    layout: &Layout,
    speed: Speed,
    bytes: &mut Vec<u8>,
    endpoints: &mut Vec<Endpoint>,
) {
    let Function { number, kind, class } = function;
    let class = [class.class, class.subclass, class.protocol];
    let head = |setting, count| {
        let [class, subclass, protocol] = class;
        [
            9, 4, number, setting, count, class, subclass, protocol, /* name */ 0,
        ]
    };
    let bulk = speed.bulk_packet();
    let mut add = |bytes: &mut Vec<u8>, direction, is_interrupt| {
        let address = next(endpoints, direction);
        endpoints.push(Endpoint {
            address,
            interface: number,
            is_interrupt,
        });
        if is_interrupt {
            // Ten bytes, every 2^(9-1) micro frames = 32 ms, as seen on EM7455.
            endpoint(bytes, address, 3, 10, 9, speed);
        } else {
            endpoint(bytes, address, 2, bulk, 0, speed);
        }
    };
    match kind {
        FunctionKind::MbimControl => {
            let data = layout.find(FunctionKind::MbimData).unwrap_or(number);
            let [class, subclass, protocol] = class;
            // Interface association: the control and the data interface belong together.
            bytes.extend([8, 11, number, 2, class, subclass, protocol, 0]);
            bytes.extend(head(0, 1));
            // Header and union (CDC 1.2 §5.2.3).
            bytes.extend([5, 0x24, 0x00, 0x10, 0x01]);
            bytes.extend([5, 0x24, 0x06, number, data]);
            // MBIM (MBIM 1.0 §6.4): messages of 4096 bytes (mbim.md §3); 16 filters of 128 bytes, segments of 2048
            // bytes: own choice.
            bytes.extend([12, 0x24, 0x1b, 0, 1, 0x00, 0x10, 16, 128, 0x00, 0x08, 0]);
            // MBIM extended (§6.5): 64 commands at once, 1500 bytes in a packet: own choice.
            bytes.extend([8, 0x24, 0x1c, 0, 1, 64, 0xdc, 0x05]);
            add(bytes, 0x80, true);
        }
        FunctionKind::MbimData => {
            bytes.extend(head(0, 0));
            bytes.extend(head(1, 2));
            add(bytes, 0x80, false);
            add(bytes, 0, false);
        }
        _ => {
            let has_interrupt = kind.has_interrupt();
            bytes.extend(head(0, if has_interrupt { 3 } else { 2 }));
            if has_interrupt {
                add(bytes, 0x80, true);
            }
            // In before out, as qcserial wants it in download mode (linux.md §2).
            add(bytes, 0x80, false);
            add(bytes, 0, false);
        }
    }
}

/// How many alternate settings an interface has.
pub fn settings(kind: FunctionKind) -> u8 {
    // MBIM's data interface has no endpoints in setting 0 (MBIM 1.0 §6.6).
    if kind == FunctionKind::MbimData { 2 } else { 1 }
}

/// The first free endpoint address in a direction.
fn next(endpoints: &[Endpoint], direction: u8) -> u8 {
    (1..=15)
        .map(|number| number | direction)
        .find(|address| !endpoints.iter().any(|taken| taken.address == *address))
        .unwrap_or(15 | direction)
}

fn endpoint(bytes: &mut Vec<u8>, address: u8, kind: u8, packet: u16, interval: u8, speed: Speed) {
    let [low, high] = packet.to_le_bytes();
    bytes.extend([7, 5, address, kind, low, high, interval]);
    if speed == Speed::Super {
        // No bursts and no streams; bytes per interval for interrupt endpoints.
        let [low, high] = if kind == 3 { packet.to_le_bytes() } else { [0, 0] };
        bytes.extend([6, 48, 0, 0, low, high]);
    }
}

fn device_descriptor(device: &UsbDevice, speed: Speed, strings: &[String; 3]) -> Vec<u8> {
    let ([usb_low, usb_high], packet) = match speed {
        Speed::High => ([0x00, 0x02], 64),
        // Two to the power of 9.
        Speed::Super => ([0x00, 0x03], 9),
    };
    let [vendor_low, vendor_high] = device.vendor.to_le_bytes();
    let [product_low, product_high] = device.product.to_le_bytes();
    let mut bytes = vec![18, 1, usb_low, usb_high, 0, 0, 0, packet];
    // Release 0.06: `PRODUCT=1199/9090/6` in linux.md §4.
    bytes.extend([vendor_low, vendor_high, product_low, product_high, 0x06, 0x00]);
    bytes.extend(
        (1..=3)
            .zip(strings)
            .map(|(index, text)| if text.is_empty() { 0 } else { index }),
    );
    bytes.push(1);
    bytes
}

fn configuration_descriptor(interfaces: &[u8], count: u8, speed: Speed) -> Vec<u8> {
    let [low, high] = u16::try_from(interfaces.len().saturating_add(9))
        .unwrap_or(u16::MAX)
        .to_le_bytes();
    // In units of 2 mA at USB 2 and 8 mA at USB 3: 500 mA, 896 mA.
    let power = if speed == Speed::High { 250 } else { 112 };
    let mut bytes = vec![9, 2, low, high, count, 1, 0, 0xa0, power];
    bytes.extend(interfaces);
    bytes
}

/// The descriptor that a USB 3 device must have: a USB 2 extension, and the device's speeds.
fn object_store_descriptor() -> Vec<u8> {
    let mut bytes = vec![5, 15, 22, 0, 2];
    bytes.extend([7, 16, 2, 0, 0, 0, 0]);
    // High and super speed (bits 2 and 3); works from high speed on; no low power states.
    bytes.extend([10, 16, 3, 0, 0b1100, 0, 2, 0, 0, 0]);
    bytes
}

fn string_descriptor(text: &str) -> Vec<u8> {
    let mut bytes = vec![0, 3];
    // The length has only one byte, so at most 126 units fit.
    bytes.extend(text.encode_utf16().take(126).flat_map(u16::to_le_bytes));
    let length = u8::try_from(bytes.len()).unwrap_or(u8::MAX);
    if let Some(first) = bytes.first_mut() {
        *first = length;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::{Composition, Wiring};
    use modem_world::UsbPath;

    fn appearance(layout: Layout, speed: u32, product: u16) -> Appearance {
        let device = UsbDevice {
            path: UsbPath::new("1-1"),
            peer: None,
            number: 0,
            vendor: 0x1199,
            product,
            interfaces: Some(layout.count()),
            speed: Some(speed),
            manufacturer: Some("Sierra Wireless, Incorporated".into()),
            product_name: Some("Sierra Wireless EM7565 Qualcomm® Snapdragon™ X16 LTE-A".into()),
            serial: None,
        };
        Appearance { device, layout }
    }

    fn loader(speed: u32) -> Appearance {
        appearance(Layout::single(FunctionKind::Download), speed, 0x9090)
    }

    /// The descriptors in `bytes`, by their length bytes.
    fn pieces(mut bytes: &[u8]) -> Vec<&[u8]> {
        let mut pieces = Vec::new();
        while let Some(length) = bytes.first() {
            let (piece, rest) = bytes.split_at(usize::from(*length));
            pieces.push(piece);
            bytes = rest;
        }
        pieces
    }

    #[test]
    fn download_mode_is_one_interface_with_bulk_in_before_bulk_out() {
        let descriptors = Descriptors::new(&loader(480));
        let configuration = descriptors.find(2, 0).unwrap();
        let expected: [&[u8]; 4] = [
            &[9, 2, 32, 0, 1, 1, 0, 0xa0, 250],
            &[9, 4, 0, 0, 2, 0xff, 0xff, 0xff, 0],
            &[7, 5, 0x81, 2, 0, 2, 0],
            &[7, 5, 0x01, 2, 0, 2, 0],
        ];
        assert_eq!(pieces(&configuration), expected);
        for (address, is_there) in [(0x81, true), (0x01, true), (0x82, false)] {
            assert_eq!(descriptors.endpoint(address).is_some(), is_there);
        }
    }

    #[test]
    fn the_device_descriptor_has_the_ids_and_no_number_for_a_missing_string() {
        let descriptors = Descriptors::new(&loader(480));
        let expected = [18, 1, 0, 2, 0, 0, 0, 64, 0x99, 0x11, 0x90, 0x90, 6, 0, 1, 2, 0, 1];
        assert_eq!(descriptors.find(1, 0).unwrap(), expected);
        assert_eq!(descriptors.find(3, 3), None);
    }

    #[test]
    fn strings_are_utf_16_with_their_length_in_front() {
        let descriptors = Descriptors::new(&loader(480));
        let product = descriptors.find(3, 2).unwrap();
        assert_eq!(usize::from(product[0]), product.len());
        let units: Vec<u16> = product[2..]
            .chunks(2)
            .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
            .collect();
        assert_eq!(
            String::from_utf16(&units).unwrap(),
            "Sierra Wireless EM7565 Qualcomm® Snapdragon™ X16 LTE-A"
        );
        assert_eq!(descriptors.find(3, 0).unwrap(), [4, 3, 9, 4]);
    }

    #[test]
    fn super_speed_has_companions_larger_packets_and_an_object_store() {
        let descriptors = Descriptors::new(&loader(5000));
        let configuration = descriptors.find(2, 0).unwrap();
        let pieces = pieces(&configuration);
        assert_eq!(pieces.len(), 6);
        assert_eq!(pieces[2], [7, 5, 0x81, 2, 0, 4, 0]);
        assert_eq!(pieces[3], [6, 48, 0, 0, 0, 0]);
        assert_eq!(descriptors.find(1, 0).unwrap()[..8], [18, 1, 0, 3, 0, 0, 0, 9]);
        let store = descriptors.find(15, 0).unwrap();
        assert_eq!(usize::from(store[2]), store.len());
        assert_eq!(Descriptors::new(&loader(480)).find(15, 0), None);
    }

    #[test]
    fn every_interface_of_every_layout_has_endpoints_of_its_own() {
        for wiring in [
            Wiring::Gobi,
            Wiring::Sierra,
            Wiring::MbimUsbif,
            Wiring::PcieUsbif,
            Wiring::Sdx,
            Wiring::SdxRmnet,
        ] {
            for composition in [Composition::QMI_TWICE, Composition::WITH_MBIM] {
                let layout = Layout::running(wiring, composition);
                let descriptors = Descriptors::new(&appearance(layout.clone(), 5000, 0x9071));
                let configuration = descriptors.find(2, 0).unwrap();
                assert_eq!(
                    usize::from(u16::from_le_bytes([configuration[2], configuration[3]])),
                    configuration.len()
                );
                assert_eq!(configuration[4], layout.count());
                let pieces = pieces(&configuration);
                let first_setting = |piece: &&&[u8]| piece[1] == 4 && piece[3] == 0;
                let found: Vec<u8> = pieces
                    .iter()
                    .filter(first_setting)
                    .map(|piece| piece[2])
                    .collect();
                let expected: Vec<u8> = layout.interfaces.iter().map(|it| it.number).collect();
                assert_eq!(found, expected, "{wiring:?}");
                let endpoints = pieces.iter().filter(|piece| piece[1] == 5);
                let mut addresses: Vec<u8> = endpoints.map(|piece| piece[2]).collect();
                let count = addresses.len();
                addresses.sort_unstable();
                addresses.dedup();
                assert_eq!(addresses.len(), count, "an endpoint address twice in {wiring:?}");
                for address in addresses {
                    let interface = descriptors.endpoint(address).unwrap().interface;
                    assert!(layout.kind(interface).is_some());
                }
            }
        }
    }

    #[test]
    fn a_qmi_interface_has_its_interrupt_endpoint_first() {
        let layout = Layout::running(Wiring::Sierra, Composition::RMNET0);
        let descriptors = Descriptors::new(&appearance(layout, 480, 0x9091));
        let configuration = descriptors.find(2, 0).unwrap();
        let expected: [&[u8]; 4] = [
            &[9, 4, 8, 0, 3, 0xff, 0xff, 0xff, 0],
            &[7, 5, 0x81, 3, 10, 0, 9],
            &[7, 5, 0x82, 2, 0, 2, 0],
            &[7, 5, 0x01, 2, 0, 2, 0],
        ];
        assert_eq!(pieces(&configuration)[1..], expected);
    }

    #[test]
    fn mbim_names_its_data_interface_and_the_longest_message_where_programs_look_for_them() {
        let layout = Layout::running(Wiring::Sierra, Composition::MBIM);
        let descriptors = Descriptors::new(&appearance(layout, 480, 0x9071));
        let configuration = descriptors.find(2, 0).unwrap();
        let expected: [&[u8]; 11] = [
            &[8, 11, 12, 2, 2, 14, 0, 0],
            &[9, 4, 12, 0, 1, 2, 14, 0, 0],
            &[5, 0x24, 0, 0x10, 1],
            &[5, 0x24, 6, 12, 13],
            // mbim.md §3: 0C 24 1B, and the size at offset 5.
            &[0x0c, 0x24, 0x1b, 0, 1, 0x00, 0x10, 16, 128, 0, 8, 0],
            &[8, 0x24, 0x1c, 0, 1, 64, 0xdc, 5],
            &[7, 5, 0x81, 3, 10, 0, 9],
            &[9, 4, 13, 0, 0, 10, 0, 2, 0],
            &[9, 4, 13, 1, 2, 10, 0, 2, 0],
            &[7, 5, 0x82, 2, 0, 2, 0],
            &[7, 5, 0x01, 2, 0, 2, 0],
        ];
        assert_eq!(pieces(&configuration)[1..], expected);
    }
}
