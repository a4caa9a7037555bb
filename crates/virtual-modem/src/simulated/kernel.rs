//! Which driver of the kernel binds to which interface and when, which ports that makes (linux.md §2,
//! lab-facts.md §2), and which names and numbers they get.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use modem_world::{Binding, PortId, PortKind, UsbDevice};

use crate::layout::{Function, FunctionKind, Layout};
use crate::random::Random;

/// The highest number of a device on a bus (USB 2.0 §9.4.6).
const LAST_NUMBER: u32 = 127;
/// The number of the first device on a bus; the root hub has number 1.
const FIRST_NUMBER: u32 = 2;
/// The time in which all drivers of a device bind that needn't be loaded first, in ms: the first number, and
/// up to the second one more. Own choice: 0.3 to 1 s under emulation (kernel lab), less on real machines.
const BOUND_WITHIN: (u64, u64) = (5, 495);
/// How much later at most a driver binds that has to be loaded first, in ms; own choice.
const LOADED_WITHIN: u64 = 1000;

/// What the kernel keeps for all devices together.
#[derive(Debug, Default)]
pub(super) struct Kernel {
    pub(super) names: Names,
    /// Ids that no driver knows.
    pub(super) unknown_ids: Vec<(u16, u16)>,
    /// Decides how long drivers take to bind; without it they take no time.
    pub(super) slow_drivers: Option<Random>,
    /// Ports echo until they are raw.
    pub(super) echoes: bool,
    /// The program may use USB interfaces without their drivers.
    pub(super) lends_interfaces: bool,
    /// The host has no table of the ids that its drivers know.
    pub(super) has_no_tables: bool,
}

/// Ids of modems in normal and in download mode that no driver of a mainline kernel knows (devices.md,
/// "Kernel driver knowledge"). In normal mode, interfaces whose driver binds by class have their driver
/// nevertheless.
pub(super) const NOT_IN_MAINLINE: [(u16, u16); 11] = [
    (0x1199, 0x90b0),
    (0x1199, 0x90b1),
    (0x1199, 0x90c0),
    (0x1199, 0x90c1),
    (0x1199, 0x90c2),
    (0x1199, 0x90c3),
    (0x1199, 0x90d8),
    (0x1199, 0x90d9),
    (0x1199, 0x90e0),
    (0x1199, 0x90e1),
    (0x1199, 0x90e2),
];

impl Kernel {
    /// Whether a driver will take a boot loader with this id.
    pub(super) fn will_bind(&self, id: (u16, u16)) -> Binding {
        if self.has_no_tables {
            let why = "this host has no table of its drivers".to_owned();
            return Binding::Unknown { why };
        }
        let loader = Layout::single(FunctionKind::Download);
        let mut functions = loader.interfaces.iter();
        if functions.any(|function| driver(id, function, &self.unknown_ids).is_some()) {
            Binding::Binds
        } else {
            Binding::WontBind
        }
    }

    /// How long after its device each interface gets its driver, sorted by time.
    pub(super) fn bindings(&mut self, device: &UsbDevice, layout: &Layout) -> Vec<(Duration, Function)> {
        let functions = layout.interfaces.iter().copied();
        let id = (device.vendor, device.product);
        let Some(random) = &mut self.slow_drivers else {
            return functions.map(|function| (Duration::ZERO, function)).collect();
        };
        let count = u64::try_from(layout.interfaces.len()).unwrap_or(1).max(1);
        let whole = BOUND_WITHIN.0 + random.below(BOUND_WITHIN.1);
        let each = whole * 1000 / count;
        let late = random.once_in(8).then(|| {
            let function = random.pick(&layout.interfaces);
            let driver = function.and_then(|function| driver(id, function, &self.unknown_ids));
            (driver, Duration::from_millis(random.below(LOADED_WITHIN)))
        });
        // The drivers bind one after the other, each at a random time in its own span.
        let mut before = Duration::ZERO;
        let mut bindings: Vec<(Duration, Function)> = functions
            .map(|function| {
                let at = before + Duration::from_micros(random.below(each));
                before += Duration::from_micros(each);
                let loaded = late.filter(|(late, _)| *late == driver(id, &function, &self.unknown_ids));
                (at + loaded.map_or(Duration::ZERO, |(_, after)| after), function)
            })
            .collect();
        bindings.sort_by_key(|(at, _)| *at);
        bindings
    }
}

/// The names and numbers that are in use.
///
/// As on Linux, the lowest free name goes to the next port that appears, on whichever device. Numbers of
/// devices count up on each bus separately.
#[derive(Debug, Default)]
pub(super) struct Names {
    ports: BTreeSet<PortId>,
    buses: BTreeMap<String, BusNumbers>,
}

/// The numbers of one bus.
#[derive(Debug, Default)]
struct BusNumbers {
    last: Option<u32>,
    taken: BTreeSet<u32>,
}

impl Names {
    /// Gives a name to a port that appears.
    pub(super) fn port(&mut self, kind: PortKind) -> PortId {
        let name = match kind {
            PortKind::Wdm => "cdc-wdm",
            _ => "ttyUSB",
        };
        let mut number = 0_u32;
        loop {
            let id = PortId::new(format!("/dev/{name}{number}"));
            if self.ports.insert(id.clone()) {
                return id;
            }
            number += 1;
        }
    }

    /// Frees the name of a port that has gone.
    pub(super) fn free_port(&mut self, port: &PortId) {
        self.ports.remove(port);
    }

    /// Gives a number to a device that appears. Its place must be known already.
    pub(super) fn device(&mut self, device: &UsbDevice) -> u32 {
        let bus = self.buses.entry(bus_of(device).to_owned()).or_default();
        let next = bus.last.map_or(FIRST_NUMBER, |last| last + 1);
        let is_free = |number: &u32| !bus.taken.contains(number);
        // After the last number it begins again from the first (usb/core/hub.c, choose_devnum).
        let free = (next..=LAST_NUMBER)
            .chain(FIRST_NUMBER..=LAST_NUMBER)
            .find(is_free);
        let number = free.unwrap_or(LAST_NUMBER);
        bus.taken.insert(number);
        bus.last = Some(number);
        number
    }

    /// Frees the number of a device that has left.
    pub(super) fn free_device(&mut self, device: &UsbDevice) {
        if let Some(bus) = self.buses.get_mut(bus_of(device)) {
            bus.taken.remove(&device.number);
        }
    }
}

/// The bus of a device: `1` for `1-1.4`.
fn bus_of(device: &UsbDevice) -> &str {
    let path = device.path.as_str();
    path.split_once('-').map_or(path, |(bus, _)| bus)
}

/// The driver of an interface. A driver that binds by id doesn't take a device whose id is in `unknown_ids`.
pub(super) fn driver(
    id: (u16, u16),
    function: &Function,
    unknown_ids: &[(u16, u16)],
) -> Option<&'static str> {
    let class = function.class;
    let by_id = match function.kind {
        // These bind by class, whatever the id.
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
    let is_unknown = unknown_ids.contains(&id);
    (!is_unknown).then_some(by_id)
}

/// The kind of port that a driver makes of an interface.
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

/// Whether a port's name stays in use while someone has the port open, although its device has left. That is
/// so with usb-serial, which frees the minor number when the tty is closed for the last time. The name of a
/// control port is free at once (usb_deregister_dev).
pub(super) const fn is_kept_open(kind: PortKind) -> bool {
    matches!(kind, PortKind::Serial)
}

#[cfg(test)]
mod tests {
    use modem_world::UsbPath;

    use super::*;

    fn device(path: &str) -> UsbDevice {
        UsbDevice {
            path: UsbPath::new(path),
            peer: None,
            number: 0,
            vendor: 0x1199,
            product: 0x9071,
            interfaces: Some(1),
            speed: None,
            manufacturer: None,
            product_name: None,
            serial: None,
        }
    }

    #[test]
    fn the_lowest_free_name_of_its_kind_is_given() {
        let mut names = Names::default();
        let first = names.port(PortKind::Serial);
        assert_eq!(first.as_str(), "/dev/ttyUSB0");
        assert_eq!(names.port(PortKind::Wdm).as_str(), "/dev/cdc-wdm0");
        assert_eq!(names.port(PortKind::Serial).as_str(), "/dev/ttyUSB1");
        assert_eq!(names.port(PortKind::Serial).as_str(), "/dev/ttyUSB2");
        names.free_port(&first);
        names.free_port(&PortId::new("/dev/ttyUSB1"));
        assert_eq!(names.port(PortKind::Serial), first);
        assert_eq!(names.port(PortKind::Serial).as_str(), "/dev/ttyUSB1");
        assert_eq!(names.port(PortKind::Serial).as_str(), "/dev/ttyUSB3");
    }

    #[test]
    fn numbers_of_devices_count_on_each_bus_and_begin_again_after_127() {
        let mut names = Names::default();
        let mut stays = device("1-1");
        stays.number = names.device(&stays);
        assert_eq!(stays.number, 2);
        assert_eq!(names.device(&device("2-1")), 2);
        let mut comes = device("1-2.4");
        for number in (3..=127).chain(3..6) {
            comes.number = names.device(&comes);
            assert_eq!(comes.number, number);
            names.free_device(&comes);
        }
    }
}
