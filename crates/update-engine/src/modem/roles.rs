//! What each USB interface of a modem is for.
//!
//! Codes of the interface come first, because they name a function (devices.md). Where they don't, the numbers of the
//! interfaces do, in one of the known layouts (linux.md §2). The USB id is only a hint which layout to try first: 90b1 was
//! seen with two different ones (field-reports.md I4). A layout counts only if every vendor-specific interface has a place in
//! it and the endpoints don't contradict. An interface that no layout explains is unknown: it may be the AT port, and is tried.

use firmware_image::Family;
use modem_world::{UsbDevice, UsbInterface};

use super::devices::Takes;
use super::standing;

/// What an interface is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Diagnostics, binary.
    Diag,
    /// Position sentences.
    Nmea,
    /// AT commands.
    At,
    /// QMI, with the network data that belongs to it.
    Qmi,
    /// MBIM messages.
    Mbim,
    /// The boot loader.
    Download,
    /// Something that modemflash has no use for: network data, the Android debug bridge, storage, sound.
    Other,
    /// Nothing tells; it may be the AT port.
    Unknown,
}

impl Role {
    /// The role as users know it.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Diag => "DIAG",
            Self::Nmea => "NMEA",
            Self::At => "AT",
            Self::Qmi => "QMI",
            Self::Mbim => "MBIM",
            Self::Download => "download",
            Self::Other => "of no use here",
            Self::Unknown => "perhaps AT",
        }
    }
}

/// A known layout: the numbers of the vendor-specific interfaces.
struct Layout {
    diag: &'static [u8],
    nmea: &'static [u8],
    at: &'static [u8],
    qmi: &'static [u8],
    /// Interfaces that modemflash has no use for: the Android debug bridge, network data.
    other: &'static [u8],
    /// Serial ports of which nothing tells what they are for.
    unknown: &'static [u8],
}

/// No interfaces, for the fields that a layout leaves out.
#[rustfmt::skip]
const NONE: Layout = Layout { diag: &[], nmea: &[], at: &[], qmi: &[], other: &[], unknown: &[] };

/// Sierra's usual layout.
#[rustfmt::skip]
const SWI: Layout = Layout { diag: &[0], nmea: &[2], at: &[3], qmi: &[8, 10, 11, 19], other: &[1], ..NONE };
/// 9x50 with the composition "MBIM USBIF"; MBIM is on 0 and 1.
#[rustfmt::skip]
const MBIM_9X50: Layout = Layout { diag: &[4], nmea: &[3], at: &[2], other: &[7], ..NONE };
/// 9x50 with the composition "PCIE USBIF".
#[rustfmt::skip]
const PCIE_9X50: Layout = Layout { diag: &[2], nmea: &[1], at: &[0], other: &[5], ..NONE };
/// SDX55 and SDX65 with MBIM on 0 and 1.
#[rustfmt::skip]
const MBIM_SDX: Layout = Layout { diag: &[4], at: &[3], other: &[2, 5], ..NONE };
/// SDX55 with rmnet.
#[rustfmt::skip]
const RMNET_SDX: Layout = Layout { diag: &[2], at: &[1], qmi: &[0], ..NONE };
/// Gobi 1000, which has no port of its own for position sentences.
#[rustfmt::skip]
const GOBI_1000: Layout = Layout { diag: &[0], at: &[2], qmi: &[3], ..NONE };
/// Gobi 2000 and 3000. The kernel uses this layout for the MC7770 too.
#[rustfmt::skip]
const GOBI: Layout = Layout { diag: &[1], nmea: &[3], at: &[2], qmi: &[0], ..NONE };
/// MC77xx with DirectIP: the driver `sierra` makes serial ports of 0 to 4, `sierra_net` has the network (devices.md).
#[rustfmt::skip]
const DIRECT_IP: Layout = Layout { unknown: &[0, 1, 2, 3, 4], other: &[7, 10, 11], ..NONE };

/// The layouts to try for an id that no table has.
const ALL: [&Layout; 3] = [&SWI, &MBIM_SDX, &MBIM_9X50];

impl Layout {
    fn role(&self, number: u8) -> Option<Role> {
        let lists = [
            (self.diag, Role::Diag),
            (self.nmea, Role::Nmea),
            (self.at, Role::At),
            (self.qmi, Role::Qmi),
            (self.other, Role::Other),
            (self.unknown, Role::Unknown),
        ];
        lists
            .into_iter()
            .find(|(numbers, _)| numbers.contains(&number))
            .map(|(_, role)| role)
    }

    /// Whether these interfaces, whose codes tell nothing, can be in this layout. A DIAG port has no third endpoint, and an AT port
    /// and QMI do.
    fn fits<'i>(&self, mut unnamed: impl Iterator<Item = &'i UsbInterface>) -> bool {
        unnamed.all(|interface| {
            let count = interface.endpoints.map(|endpoints| endpoints.count);
            match self.role(interface.number) {
                Some(Role::Diag) => count.is_none_or(|count| count == 2),
                Some(Role::At | Role::Qmi) => count.is_none_or(|count| count == 3),
                Some(_) => true,
                // Without a pair of endpoints nothing can be sent there, whatever it is.
                None => count.is_some_and(|count| count < 2),
            }
        })
    }
}

/// The layouts that modems with this id were seen with, the usual one first.
fn hints(device: &UsbDevice) -> &'static [&'static Layout] {
    match (device.vendor, device.product) {
        (0x1199, 0x901b) => &[&GOBI, &SWI],
        (0x1199 | 0x0f3d, 0x68a3) => &[&DIRECT_IP],
        (0x1199, 0x90b1) => &[&MBIM_9X50, &SWI],
        (0x1199, 0x90c1 | 0x90c3) => &[&PCIE_9X50, &SWI],
        (0x1199, 0x90d9) => &[&RMNET_SDX, &MBIM_SDX],
        (0x1199, 0x90d3 | 0x90e1 | 0x90e3) => &[&MBIM_SDX],
        _ => match standing::lookup(device).map(|row| row.takes) {
            Some(Takes::Gobi([Family::Gobi1000])) => &[&GOBI_1000],
            Some(Takes::Gobi(_)) => &[&GOBI],
            Some(_) => &[&SWI, &MBIM_SDX],
            None => &ALL,
        },
    }
}

/// The role that the codes of an interface name.
fn by_codes(interface: &UsbInterface) -> Option<Role> {
    match (interface.class, interface.subclass, interface.protocol) {
        (0x02, 0x0e, _) => Some(Role::Mbim),
        (0xff, 0xff, 0x30) => Some(Role::Diag),
        (0xff, 0xff, 0x40) => Some(Role::At),
        (0xff, 0xff, 0x60) => Some(Role::Nmea),
        (0xff, 0x42, 0x01) => Some(Role::Other),
        (0xff, ..) => None,
        _ => Some(Role::Other),
    }
}

/// The roles of a running modem's interfaces.
#[derive(Clone, Debug, Default)]
pub(super) struct Roles {
    of: Vec<(u8, Role)>,
    /// Whether a layout that was only guessed, because no table has the id, tells some of them.
    is_guessed: bool,
}

impl Roles {
    /// The roles of these interfaces. Without interfaces, because the host doesn't show them, the id alone decides.
    pub(super) fn of(device: &UsbDevice, interfaces: &[UsbInterface]) -> Self {
        let hints = hints(device);
        let is_guessed = standing::lookup(device).is_none();
        if interfaces.is_empty() {
            let first = hints.first().filter(|_| !is_guessed);
            let role = |number| Some((number, first?.role(number)?));
            let of = (0..=u8::MAX).filter_map(role).collect();
            return Self { of, is_guessed };
        }
        let unnamed = || {
            interfaces
                .iter()
                .filter(|interface| by_codes(interface).is_none())
        };
        let layout = hints.iter().find(|layout| layout.fits(unnamed()));
        let role = |interface: &UsbInterface| {
            let in_layout = || layout.and_then(|layout| layout.role(interface.number));
            let count = interface.endpoints.map(|endpoints| endpoints.count);
            let unnamed = match (interface.number, count) {
                (_, Some(0 | 1)) => Role::Other,
                // Where QMI is in all modems whose interfaces have no other layout.
                (8, None | Some(3)) => Role::Qmi,
                _ => Role::Unknown,
            };
            let role = by_codes(interface).or_else(in_layout).unwrap_or(unnamed);
            (interface.number, role)
        };
        let of = interfaces.iter().map(role).collect();
        Self { of, is_guessed }
    }

    /// The role of the interface with this number.
    pub(super) fn role(&self, number: Option<u8>) -> Role {
        let of = |number| self.of.iter().find(|(known, _)| *known == number);
        number.and_then(of).map_or(Role::Unknown, |(_, role)| *role)
    }

    /// Whether a serial port of this role may answer AT commands after all, because the role is a guess.
    pub(super) fn may_be_at(&self, role: Role) -> bool {
        self.is_guessed && matches!(role, Role::Diag | Role::Nmea)
    }

    /// The number of the AT port, if it is known.
    pub(super) fn at(&self) -> Option<u8> {
        self.of
            .iter()
            .find(|(_, role)| *role == Role::At)
            .map(|(number, _)| *number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use modem_world::{Endpoints, UsbPath};

    fn roles(id: (u16, u16), interfaces: &[(u8, u8, u8)]) -> Vec<(u8, Role)> {
        let device = UsbDevice {
            path: UsbPath::new("1-2"),
            peer: None,
            number: 7,
            vendor: id.0,
            product: id.1,
            interfaces: u8::try_from(interfaces.len()).ok(),
            speed: Some(480),
            manufacturer: None,
            product_name: None,
            serial: None,
        };
        let interfaces: Vec<UsbInterface> = interfaces
            .iter()
            .map(|&(number, protocol, count)| UsbInterface {
                number,
                class: 0xff,
                subclass: 0xff,
                protocol,
                endpoints: Some(Endpoints { count, bulk: None }),
                driver: None,
            })
            .collect();
        Roles::of(&device, &interfaces).of
    }

    #[test]
    fn the_layout_that_fits_counts_and_not_the_one_of_the_id() {
        // field-reports.md I4: 90b1 with the usual layout; the id's own has MBIM on 0 and 1, AT on 2 and DIAG on 4.
        assert_eq!(
            roles(
                (0x1199, 0x90b1),
                &[(0, 0xff, 2), (2, 0xff, 3), (3, 0xff, 3), (8, 0xff, 3)]
            ),
            [(0, Role::Diag), (2, Role::Nmea), (3, Role::At), (8, Role::Qmi)]
        );
        assert_eq!(
            roles((0x1199, 0x90b1), &[(2, 0xff, 3), (4, 0xff, 2)]),
            [(2, Role::At), (4, Role::Diag)]
        );
    }

    #[test]
    fn codes_count_more_than_numbers() {
        assert_eq!(
            roles((0x1199, 0x9071), &[(0, 0x40, 3), (3, 0x30, 2)]),
            [(0, Role::At), (3, Role::Diag)]
        );
    }

    #[test]
    fn interfaces_that_no_layout_explains_are_tried_but_qmi_keeps_its_place() {
        assert_eq!(
            roles(
                (0x1199, 0x68a2),
                &[
                    (0, 0xff, 2),
                    (3, 0xff, 3),
                    (6, 0xff, 3),
                    (7, 0xff, 1),
                    (8, 0xff, 3)
                ]
            ),
            [
                (0, Role::Unknown),
                (3, Role::Unknown),
                (6, Role::Unknown),
                (7, Role::Other),
                (8, Role::Qmi)
            ]
        );
    }
}
