//! How a modem appears on the bus: its interfaces, their numbers and their classes.
//!
//! A running modem shows the functions of its USB composition (the interface bits of `AT!USBCOMP`, at.md §3),
//! at the interface numbers of its wiring (linux.md §2). In download mode it has one interface. This module
//! doesn't decide which driver of the host binds to which interface.

use std::fmt;
use std::ops::{BitOr, Sub};

use modem_world::{Endpoints, UsbDevice};

/// A modem as it appears on the bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appearance {
    /// The device. The front end sets its path, peer and number.
    pub device: UsbDevice,
    /// Its interfaces.
    pub layout: Layout,
}

/// The interfaces of one appearance, in the order of their numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// The interfaces.
    pub interfaces: Vec<Function>,
}

/// One interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Function {
    /// `bInterfaceNumber`.
    pub number: u8,
    /// What answers there.
    pub kind: FunctionKind,
    /// Its class, as the drivers look for it.
    pub class: InterfaceClass,
}

/// `bInterfaceClass`, `bInterfaceSubClass`, `bInterfaceProtocol`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct InterfaceClass {
    /// Class.
    pub class: u8,
    /// Subclass.
    pub subclass: u8,
    /// Protocol.
    pub protocol: u8,
}

impl fmt::Display for InterfaceClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:02x}/{:02x}/{:02x}",
            self.class, self.subclass, self.protocol
        )
    }
}

/// What answers on an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FunctionKind {
    /// Diagnostics, binary.
    Diag,
    /// The Android debug bridge.
    Adb,
    /// Position reports of the satellite receiver.
    Nmea,
    /// AT commands.
    At,
    /// QMI messages, and the network data that belongs to them.
    Qmi,
    /// MBIM messages.
    MbimControl,
    /// The network data that belongs to MBIM.
    MbimData,
    /// The boot loader, or something that looks like it: the only interface of the device.
    Download,
    /// A network card.
    Network,
    /// The serial port of a device of another maker.
    Foreign,
}

impl FunctionKind {
    /// Whether the host speaks to this interface in whole messages: one call carries one message, in both
    /// directions.
    pub const fn is_message_port(self) -> bool {
        matches!(self, Self::Qmi | Self::MbimControl)
    }

    /// Whether the host sees a serial port here.
    pub const fn is_serial(self) -> bool {
        matches!(
            self,
            Self::Diag | Self::Nmea | Self::At | Self::Download | Self::Foreign
        )
    }

    /// Whether the interface has an interrupt endpoint next to its two bulk endpoints. MBIM's control
    /// interface has only the interrupt endpoint.
    pub const fn has_interrupt(self) -> bool {
        matches!(self, Self::Nmea | Self::At | Self::Qmi | Self::MbimControl)
    }

    /// The endpoints of the interface: a pair of bulk endpoints, or MBIM's control interface without any, and the interrupt
    /// endpoint.
    pub const fn endpoints(self) -> Endpoints {
        let pair = if matches!(self, Self::MbimControl) { 0 } else { 1 };
        let interrupt = if self.has_interrupt() { 1 } else { 0 };
        Endpoints {
            count: pair * 2 + interrupt,
            bulk: Some((pair, pair)),
        }
    }
}

/// The protocol that the control port of a running modem speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ControlProtocol {
    /// QMI messages as they are.
    #[default]
    Qmi,
    /// QMI inside MBIM.
    Mbim,
}

/// The functions that a running modem shows, as the interface bits of `AT!USBCOMP` (at.md §3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Composition(pub u32);

impl Composition {
    /// Diagnostics.
    pub const DIAG: Self = Self(0x1);
    /// Android debug bridge.
    pub const ADB: Self = Self(0x2);
    /// Position reports.
    pub const NMEA: Self = Self(0x4);
    /// The AT port.
    pub const AT: Self = Self(0x8);
    /// The first QMI function.
    pub const RMNET0: Self = Self(0x100);
    /// The second QMI function.
    pub const RMNET1: Self = Self(0x400);
    /// MBIM.
    pub const MBIM: Self = Self(0x1000);
    /// `0000010D`: diag, nmea, modem, rmnet0.
    pub const QMI: Self = Self(0x10D);
    /// `0000050D`, the composition of an EM7455: two QMI functions.
    pub const QMI_TWICE: Self = Self(0x50D);
    /// `0000100D`: diag, nmea, modem, mbim.
    pub const WITH_MBIM: Self = Self(0x100D);

    /// Whether the composition has all of these functions.
    pub const fn has(self, functions: Self) -> bool {
        self.0 & functions.0 == functions.0
    }

    /// The same composition with this control protocol.
    #[must_use]
    pub fn speaking(self, control: ControlProtocol) -> Self {
        match control {
            ControlProtocol::Mbim => (self - Self::RMNET0 - Self::RMNET1) | Self::MBIM,
            ControlProtocol::Qmi if self.has(Self::RMNET0) => self - Self::MBIM,
            ControlProtocol::Qmi => (self - Self::MBIM) | Self::RMNET0,
        }
    }

    /// The control protocol of this composition; `None` if it has no control port.
    pub const fn control(self) -> Option<ControlProtocol> {
        if self.has(Self::MBIM) {
            Some(ControlProtocol::Mbim)
        } else if self.has(Self::RMNET0) || self.has(Self::RMNET1) {
            Some(ControlProtocol::Qmi)
        } else {
            None
        }
    }
}

impl BitOr for Composition {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl Sub for Composition {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

/// Which function has which interface number (linux.md §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wiring {
    /// Gobi 2000 and 3000: QMI 0, DIAG 1, AT 2, NMEA 3.
    Gobi,
    /// SWI9200 to 9x50: DIAG 0, ADB 1, NMEA 2, AT 3, QMI 8 and 10, MBIM 12 and 13.
    Sierra,
    /// 9x50 with `AT!USBCOMP` type 1, "MBIM USBIF" (1199:90b1): MBIM 0 and 1, AT 2, NMEA 3, DIAG 4, ADB 7.
    MbimUsbif,
    /// 9x50 with type 2, "PCIE USBIF" (1199:90c3): AT 0, NMEA 1, DIAG 2, ADB 5.
    PcieUsbif,
    /// SDX55 and SDX65 with MBIM (1199:90d3, 90e3): MBIM 0 and 1, AT 3, DIAG 4.
    Sdx,
    /// SDX55 with QMI (1199:90d9): AT 1, DIAG 2. Number 0 for QMI is our own choice.
    SdxRmnet,
}

/// Vendor specific. qcserial and qmi_wwan take every interface of a known device with this class.
const PLAIN: InterfaceClass = vendor(0xff, 0xff);
/// The class of NMEA and AT ports in Sierra's layouts.
const WITH_INTERRUPT: InterfaceClass = vendor(0x00, 0x00);
const ADB: InterfaceClass = vendor(0x42, 0x01);
/// The driver `option` looks for these two at SDX55 and SDX65 (lab-facts.md §2).
const SDX_DIAG: InterfaceClass = vendor(0xff, 0x30);
const SDX_AT: InterfaceClass = vendor(0xff, 0x40);
/// MBIM 1.0 §6.3 and §6.4: communications class, MBIM; data class, network transfer blocks.
const MBIM_CONTROL: InterfaceClass = InterfaceClass {
    class: 0x02,
    subclass: 0x0e,
    protocol: 0x00,
};
const MBIM_DATA: InterfaceClass = InterfaceClass {
    class: 0x0a,
    subclass: 0x00,
    protocol: 0x02,
};

const fn vendor(subclass: u8, protocol: u8) -> InterfaceClass {
    InterfaceClass {
        class: 0xff,
        subclass,
        protocol,
    }
}

type Row = (Composition, u8, FunctionKind, InterfaceClass);

impl Wiring {
    const fn rows(self) -> &'static [Row] {
        use FunctionKind::{Adb, At, Diag, MbimControl, MbimData, Nmea, Qmi};
        match self {
            Self::Gobi => &[
                (Composition::RMNET0, 0, Qmi, PLAIN),
                (Composition::DIAG, 1, Diag, PLAIN),
                (Composition::AT, 2, At, PLAIN),
                (Composition::NMEA, 3, Nmea, PLAIN),
            ],
            Self::Sierra => &[
                (Composition::DIAG, 0, Diag, PLAIN),
                (Composition::ADB, 1, Adb, ADB),
                (Composition::NMEA, 2, Nmea, WITH_INTERRUPT),
                (Composition::AT, 3, At, WITH_INTERRUPT),
                (Composition::RMNET0, 8, Qmi, PLAIN),
                (Composition::RMNET1, 10, Qmi, PLAIN),
                (Composition::MBIM, 12, MbimControl, MBIM_CONTROL),
                (Composition::MBIM, 13, MbimData, MBIM_DATA),
            ],
            Self::MbimUsbif => &[
                (Composition::MBIM, 0, MbimControl, MBIM_CONTROL),
                (Composition::MBIM, 1, MbimData, MBIM_DATA),
                (Composition::AT, 2, At, WITH_INTERRUPT),
                (Composition::NMEA, 3, Nmea, WITH_INTERRUPT),
                (Composition::DIAG, 4, Diag, PLAIN),
                (Composition::ADB, 7, Adb, ADB),
            ],
            Self::PcieUsbif => &[
                (Composition::AT, 0, At, WITH_INTERRUPT),
                (Composition::NMEA, 1, Nmea, WITH_INTERRUPT),
                (Composition::DIAG, 2, Diag, PLAIN),
                (Composition::ADB, 5, Adb, ADB),
            ],
            Self::Sdx => &[
                (Composition::MBIM, 0, MbimControl, MBIM_CONTROL),
                (Composition::MBIM, 1, MbimData, MBIM_DATA),
                (Composition::AT, 3, At, SDX_AT),
                (Composition::DIAG, 4, Diag, SDX_DIAG),
            ],
            Self::SdxRmnet => &[
                (Composition::RMNET0, 0, Qmi, PLAIN),
                (Composition::AT, 1, At, SDX_AT),
                (Composition::DIAG, 2, Diag, SDX_DIAG),
            ],
        }
    }
}

impl Layout {
    /// The layout of a running modem with this wiring and composition. Functions that have no place in the
    /// wiring are left out.
    pub fn running(wiring: Wiring, composition: Composition) -> Self {
        let rows = wiring.rows().iter();
        let interfaces = rows
            .filter(|(function, ..)| composition.has(*function))
            .map(|&(_, number, kind, class)| Function { number, kind, class })
            .collect();
        Self { interfaces }
    }

    /// The layout of a device with one interface, number 0.
    pub fn single(kind: FunctionKind) -> Self {
        Self {
            interfaces: vec![Function {
                number: 0,
                kind,
                class: PLAIN,
            }],
        }
    }

    /// The kind of the interface with this number.
    pub fn kind(&self, number: u8) -> Option<FunctionKind> {
        self.interfaces
            .iter()
            .find(|function| function.number == number)
            .map(|function| function.kind)
    }

    /// The number of the first interface of this kind.
    pub fn find(&self, kind: FunctionKind) -> Option<u8> {
        self.interfaces
            .iter()
            .find(|function| function.kind == kind)
            .map(|function| function.number)
    }

    /// The numbers of the interfaces on which the host sees serial ports.
    pub fn serial_ports(&self) -> Vec<u8> {
        let serial = self
            .interfaces
            .iter()
            .filter(|function| function.kind.is_serial());
        serial.map(|function| function.number).collect()
    }

    /// `bNumInterfaces`.
    pub fn count(&self) -> u8 {
        u8::try_from(self.interfaces.len()).unwrap_or(u8::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(wiring: Wiring, composition: Composition) -> Vec<(u8, FunctionKind)> {
        let layout = Layout::running(wiring, composition);
        let functions = layout.interfaces.iter();
        functions
            .map(|function| (function.number, function.kind))
            .collect()
    }

    #[test]
    fn every_wiring_has_the_numbers_of_the_specification() {
        use FunctionKind::{At, Diag, MbimControl, MbimData, Nmea, Qmi};
        for (wiring, composition, expected) in [
            (
                Wiring::Gobi,
                Composition::QMI,
                vec![(0, Qmi), (1, Diag), (2, At), (3, Nmea)],
            ),
            (
                Wiring::Sierra,
                Composition::QMI_TWICE,
                vec![(0, Diag), (2, Nmea), (3, At), (8, Qmi), (10, Qmi)],
            ),
            (
                Wiring::Sierra,
                Composition::WITH_MBIM,
                vec![(0, Diag), (2, Nmea), (3, At), (12, MbimControl), (13, MbimData)],
            ),
            (
                Wiring::MbimUsbif,
                Composition::WITH_MBIM,
                vec![(0, MbimControl), (1, MbimData), (2, At), (3, Nmea), (4, Diag)],
            ),
            (
                Wiring::PcieUsbif,
                Composition::WITH_MBIM,
                vec![(0, At), (1, Nmea), (2, Diag)],
            ),
            (
                Wiring::Sdx,
                Composition::WITH_MBIM,
                vec![(0, MbimControl), (1, MbimData), (3, At), (4, Diag)],
            ),
        ] {
            assert_eq!(numbers(wiring, composition), expected, "{wiring:?}");
        }
    }

    #[test]
    fn a_composition_without_ports_is_mbim_alone() {
        let kinds = [(12, FunctionKind::MbimControl), (13, FunctionKind::MbimData)];
        assert_eq!(numbers(Wiring::Sierra, Composition::MBIM), kinds);
    }

    #[test]
    fn qmi_and_mbim_exclude_each_other() {
        let qmi = Composition::QMI_TWICE;
        assert_eq!(qmi.speaking(ControlProtocol::Mbim), Composition::WITH_MBIM);
        assert_eq!(
            Composition::WITH_MBIM.speaking(ControlProtocol::Qmi),
            Composition::QMI
        );
        assert_eq!(qmi.speaking(ControlProtocol::Qmi), qmi);
        assert_eq!(qmi.control(), Some(ControlProtocol::Qmi));
        assert_eq!(Composition::DIAG.control(), None);
    }
}
