//! What the modem says about itself on the bus: device, configuration and string descriptors.
//!
//! Sources: USB 2.0 specification chapter 9, USB 3.2 specification chapter 9 (companion and BOS descriptors);
//! the interface layouts are those that the kernel's drivers expect (linux.md §2, devices.md).

use modem_world::UsbDevice;

/// The data port of a modem in download mode, and of the first serial interface otherwise.
pub const BULK_IN: u8 = 0x81;
/// Its other direction.
pub const BULK_OUT: u8 = 0x01;

/// Device class and interface class "vendor specific".
const VENDOR_SPECIFIC: u8 = 0xff;

/// How fast the device is on the bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speed {
    /// 480 Mbit/s.
    High,
    /// 5000 Mbit/s and above.
    Super,
}

impl Speed {
    /// The speed of a device. Unknown or slower than USB 2's is taken for high speed.
    pub fn of(device: &UsbDevice) -> Self {
        if device.speed.is_some_and(|megabits| megabits >= 5000) {
            Self::Super
        } else {
            Self::High
        }
    }

    /// The kernel's number for it (`enum usb_device_speed`).
    pub fn number(self) -> u32 {
        match self {
            Self::High => 3,
            Self::Super => 5,
        }
    }

    /// Largest packet of a bulk endpoint in bytes.
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
    /// Text of string descriptors 1, 2, 3; an empty one isn't there.
    strings: [String; 3],
    /// Addresses of all endpoints but 0, with the direction bit.
    endpoints: Vec<u8>,
}

impl Descriptors {
    /// The descriptors of this device: one interface with two bulk endpoints, in the order in and out as
    /// qcserial wants it, when `interfaces` is 1 or unknown; otherwise the serial interfaces of a modem in normal
    /// mode, as many as asked for.
    pub fn new(device: &UsbDevice) -> Self {
        let speed = Speed::of(device);
        let layout = layout(device);
        let mut endpoints = Vec::new();
        let mut interfaces = Vec::new();
        for interface in &layout {
            interfaces.extend(interface.descriptors(speed, &mut endpoints));
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
            configuration: configuration_descriptor(&interfaces, layout.len(), speed),
            object_store: (speed == Speed::Super).then(object_store_descriptor),
            strings,
            endpoints,
        }
    }

    /// The descriptor with this type and index, as in `wValue` of GET_DESCRIPTOR; none when there is no such one.
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
            // Also the device qualifier: the kernel asks for it at full speed only.
            _ => None,
        }
    }

    /// Whether there is an endpoint with this address; endpoint 0 not counted.
    pub fn has_endpoint(&self, address: u8) -> bool {
        self.endpoints.contains(&address)
    }
}

/// One interface.
#[derive(Clone, Copy, Debug)]
struct Interface {
    number: u8,
    subclass: u8,
    protocol: u8,
    /// Whether an interrupt endpoint comes first (AT, NMEA, QMI).
    has_interrupt: bool,
}

impl Interface {
    fn descriptors(self, speed: Speed, endpoints: &mut Vec<u8>) -> Vec<u8> {
        let count = if self.has_interrupt { 3 } else { 2 };
        let mut bytes = vec![
            9,
            4,
            self.number,
            0,
            count,
            VENDOR_SPECIFIC,
            self.subclass,
            self.protocol,
            /* name */ 0,
        ];
        if self.has_interrupt {
            // Ten bytes, every 2^(9-1) micro frames = 32 ms, as seen on EM7455.
            endpoint(&mut bytes, next(endpoints, 0x80), 3, 10, 9, speed, endpoints);
        }
        endpoint(
            &mut bytes,
            next(endpoints, 0x80),
            2,
            speed.bulk_packet(),
            0,
            speed,
            endpoints,
        );
        endpoint(
            &mut bytes,
            next(endpoints, 0),
            2,
            speed.bulk_packet(),
            0,
            speed,
            endpoints,
        );
        bytes
    }
}

/// The first free endpoint address of a direction.
fn next(endpoints: &[u8], direction: u8) -> u8 {
    (1..=15)
        .map(|number| number | direction)
        .find(|address| !endpoints.contains(address))
        .unwrap_or(15 | direction)
}

fn endpoint(
    bytes: &mut Vec<u8>,
    address: u8,
    kind: u8,
    packet: u16,
    interval: u8,
    speed: Speed,
    endpoints: &mut Vec<u8>,
) {
    let [low, high] = packet.to_le_bytes();
    bytes.extend([7, 5, address, kind, low, high, interval]);
    if speed == Speed::Super {
        // No bursts, no streams; bytes per interval for interrupt endpoints.
        let [low, high] = if kind == 3 { packet.to_le_bytes() } else { [0, 0] };
        bytes.extend([6, 48, 0, 0, low, high]);
    }
    endpoints.push(address);
}

/// The interfaces of this device.
fn layout(device: &UsbDevice) -> Vec<Interface> {
    let plain = |number| Interface {
        number,
        subclass: 0xff,
        protocol: 0xff,
        has_interrupt: false,
    };
    let with_interrupt = |number| Interface {
        number,
        subclass: 0,
        protocol: 0,
        has_interrupt: true,
    };
    let count = match device.interfaces {
        None | Some(0 | 1) => return vec![plain(0)],
        Some(count) => usize::from(count),
    };
    let all = match device.product {
        // Gobi 2000 and 3000: QMI, DIAG, AT, NMEA.
        0x68a5 | 0x68a9 | 0x9001..=0x901b => vec![with_interrupt(0), plain(1), plain(2), plain(3)],
        // EM919x and EM929x: the driver `option` looks for ff/ff/40 (AT) and ff/ff/30 (DIAG).
        0x90d3 | 0x90d9 | 0x90e1 | 0x90e3 => vec![
            Interface {
                number: 3,
                subclass: 0xff,
                protocol: 0x40,
                has_interrupt: true,
            },
            Interface {
                number: 4,
                subclass: 0xff,
                protocol: 0x30,
                has_interrupt: false,
            },
        ],
        // DIAG, NMEA, AT, QMI, second QMI.
        _ => vec![
            plain(0),
            with_interrupt(2),
            with_interrupt(3),
            with_interrupt(8),
            with_interrupt(10),
        ],
    };
    all.into_iter().take(count).collect()
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

fn configuration_descriptor(interfaces: &[u8], count: usize, speed: Speed) -> Vec<u8> {
    let [low, high] = u16::try_from(interfaces.len().saturating_add(9))
        .unwrap_or(u16::MAX)
        .to_le_bytes();
    // In units of 2 mA at USB 2 and 8 mA at USB 3: 500 mA, 896 mA.
    let power = if speed == Speed::High { 250 } else { 112 };
    let mut bytes = vec![
        9,
        2,
        low,
        high,
        u8::try_from(count).unwrap_or(u8::MAX),
        1,
        0,
        0xa0,
        power,
    ];
    bytes.extend(interfaces);
    bytes
}

/// What a USB 3 device must have: a USB 2 extension, and its speeds.
fn object_store_descriptor() -> Vec<u8> {
    let mut bytes = vec![5, 15, 22, 0, 2];
    bytes.extend([7, 16, 2, 0, 0, 0, 0]);
    // High and super speed (bits 2 and 3), works from high speed on, no low power states.
    bytes.extend([10, 16, 3, 0, 0b1100, 0, 2, 0, 0, 0]);
    bytes
}

fn string_descriptor(text: &str) -> Vec<u8> {
    let mut bytes = vec![0, 3];
    // One length byte: at most 126 units.
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
    use modem_world::UsbPath;

    fn device(interfaces: u8, speed: u32, product: u16) -> UsbDevice {
        UsbDevice {
            path: UsbPath::new("1-1"),
            peer: None,
            number: 0,
            vendor: 0x1199,
            product,
            interfaces: Some(interfaces),
            speed: Some(speed),
            manufacturer: Some("Sierra Wireless, Incorporated".into()),
            product_name: Some("Sierra Wireless EM7565 Qualcomm® Snapdragon™ X16 LTE-A".into()),
            serial: None,
        }
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
        let descriptors = Descriptors::new(&device(1, 480, 0x9090));
        let configuration = descriptors.find(2, 0).unwrap();
        let expected: [&[u8]; 4] = [
            &[9, 2, 32, 0, 1, 1, 0, 0xa0, 250],
            &[9, 4, 0, 0, 2, 0xff, 0xff, 0xff, 0],
            &[7, 5, BULK_IN, 2, 0, 2, 0],
            &[7, 5, BULK_OUT, 2, 0, 2, 0],
        ];
        assert_eq!(pieces(&configuration), expected);
        assert!(descriptors.has_endpoint(BULK_IN) && descriptors.has_endpoint(BULK_OUT));
        assert!(!descriptors.has_endpoint(0x82));
    }

    #[test]
    fn the_device_descriptor_has_the_ids_and_no_number_for_a_missing_string() {
        let descriptors = Descriptors::new(&device(1, 480, 0x9090));
        let expected = [18, 1, 0, 2, 0, 0, 0, 64, 0x99, 0x11, 0x90, 0x90, 6, 0, 1, 2, 0, 1];
        assert_eq!(descriptors.find(1, 0).unwrap(), expected);
        assert_eq!(descriptors.find(3, 3), None);
    }

    #[test]
    fn strings_are_utf_16_with_their_length_in_front() {
        let descriptors = Descriptors::new(&device(1, 480, 0x9090));
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
        let descriptors = Descriptors::new(&device(1, 5000, 0x9090));
        let configuration = descriptors.find(2, 0).unwrap();
        let pieces = pieces(&configuration);
        assert_eq!(pieces.len(), 6);
        assert_eq!(pieces[2], [7, 5, BULK_IN, 2, 0, 4, 0]);
        assert_eq!(pieces[3], [6, 48, 0, 0, 0, 0]);
        assert_eq!(descriptors.find(1, 0).unwrap()[..8], [18, 1, 0, 3, 0, 0, 0, 9]);
        let store = descriptors.find(15, 0).unwrap();
        assert_eq!(usize::from(store[2]), store.len());
        assert_eq!(Descriptors::new(&device(1, 480, 0x9090)).find(15, 0), None);
    }

    #[test]
    fn normal_mode_has_the_serial_interfaces_where_the_drivers_look_for_them() {
        for (product, interfaces, numbers) in [
            (0x9091, 4, vec![0, 2, 3, 8]),
            (0x9011, 4, vec![0, 1, 2, 3]),
            (0x90d3, 4, vec![3, 4]),
        ] {
            let descriptors = Descriptors::new(&device(interfaces, 480, product));
            let configuration = descriptors.find(2, 0).unwrap();
            assert_eq!(
                usize::from(u16::from_le_bytes([configuration[2], configuration[3]])),
                configuration.len()
            );
            let found: Vec<u8> = pieces(&configuration)
                .iter()
                .filter(|piece| piece[1] == 4)
                .map(|piece| piece[2])
                .collect();
            assert_eq!(found, numbers, "{product:04x}");
            let mut addresses: Vec<u8> = pieces(&configuration)
                .iter()
                .filter(|piece| piece[1] == 5)
                .map(|piece| piece[2])
                .collect();
            let count = addresses.len();
            addresses.sort_unstable();
            addresses.dedup();
            assert_eq!(
                addresses.len(),
                count,
                "an endpoint address twice in {product:04x}"
            );
        }
    }
}
