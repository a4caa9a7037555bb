//! Which driver of the kernel binds to which interface, and which ports that makes (linux.md §2, lab-facts.md §2).

use modem_world::{PortKind, UsbDevice};

use crate::layout::{Function, FunctionKind};

/// The numbers that the kernel gives out. None comes twice: a port has another name after each enumeration, which is
/// harsher than Linux is.
#[derive(Debug, Default)]
pub(super) struct Names {
    pub(super) next_tty: u32,
    pub(super) next_wdm: u32,
    pub(super) next_device: u32,
}

impl Names {
    pub(super) fn port(&mut self, kind: PortKind) -> String {
        let (number, name) = match kind {
            PortKind::Wdm => (&mut self.next_wdm, "cdc-wdm"),
            _ => (&mut self.next_tty, "ttyUSB"),
        };
        let text = format!("/dev/{name}{number}");
        *number += 1;
        text
    }
}

/// The driver that has an interface. Those that go by the device's id don't bind to one of `unknown_ids`.
pub(super) fn driver(
    device: &UsbDevice,
    function: &Function,
    unknown_ids: &[(u16, u16)],
) -> Option<&'static str> {
    let class = function.class;
    let by_id = match function.kind {
        // By class, whatever the id.
        FunctionKind::MbimControl | FunctionKind::MbimData => return Some("cdc_mbim"),
        FunctionKind::Foreign => "ftdi_sio",
        FunctionKind::Qmi => "qmi_wwan",
        FunctionKind::At | FunctionKind::Diag
            if matches!((class.subclass, class.protocol), (0xff, 0x30 | 0x40)) =>
        {
            "option"
        }
        FunctionKind::At | FunctionKind::Diag | FunctionKind::Nmea | FunctionKind::Download => "qcserial",
        FunctionKind::Adb | FunctionKind::Network => return None,
    };
    let is_unknown = unknown_ids.contains(&(device.vendor, device.product));
    (!is_unknown).then_some(by_id)
}

/// The port that a driver makes of an interface.
pub(super) const fn port_kind(kind: FunctionKind) -> Option<PortKind> {
    match kind {
        FunctionKind::Qmi | FunctionKind::MbimControl => Some(PortKind::Wdm),
        FunctionKind::At
        | FunctionKind::Diag
        | FunctionKind::Nmea
        | FunctionKind::Download
        | FunctionKind::Foreign => Some(PortKind::Serial),
        FunctionKind::MbimData | FunctionKind::Adb | FunctionKind::Network => None,
    }
}
