//! Interfaces of a modem without a driver, or with a wrong one, and the commands that mend that.
//!
//! Facts about the kernel (linux.md §2): `new_id` makes a driver try every interface with the id that has no driver. So qmi_wwan goes
//! first, because `option` would take QMI's interface as well; and because qmi_wwan takes every vendor-specific interface with three
//! endpoints then, the AT and NMEA interfaces are taken from it again before `option` gets them.

use std::fmt;

use modem_world::{UsbDevice, UsbInterface};

use super::ids;
use super::mode::Mode;
use super::roles::{Role, Roles};

/// The driver that makes the right port of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RightDriver {
    /// `qmi_wwan`, for QMI.
    QmiWwan,
    /// `cdc_mbim`, for MBIM.
    CdcMbim,
    /// `option`, for serial ports.
    Option,
}

/// Interfaces that lack the same driver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lack {
    /// The driver that makes the right port of them.
    pub driver: RightDriver,
    /// The interfaces, by number, with what they are for.
    pub interfaces: Vec<(u8, Role)>,
    /// The driver that has them now, which makes no port of use there.
    pub holder: Option<String>,
    /// The commands with which root mends it, in their order.
    pub commands: Vec<String>,
}

impl Lack {
    /// Whether one of the interfaces is for this.
    pub fn is_about(&self, role: Role) -> bool {
        self.interfaces.iter().any(|(_, of)| *of == role)
    }

    /// The interfaces in words: `interfaces 0 (DIAG) and 3 (AT)`.
    pub fn words(&self) -> String {
        let each: Vec<String> = self
            .interfaces
            .iter()
            .map(|(number, role)| format!("{number} ({})", role.words()))
            .collect();
        match each.split_last() {
            Some((last, [])) => format!("interface {last}"),
            Some((last, others)) => format!("interfaces {} and {last}", others.join(", ")),
            None => "no interface".to_owned(),
        }
    }
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.holder {
            Some(holder) => write!(
                f,
                "{holder} has {}, where modemflash needs {}",
                self.words(),
                self.driver.name()
            )?,
            None => write!(f, "no driver has {}", self.words())?,
        }
        write!(f, ". As root, run {}", ids::one_after_the_other(&self.commands))
    }
}

impl RightDriver {
    const fn name(self) -> &'static str {
        match self {
            Self::QmiWwan => "qmi_wwan",
            Self::CdcMbim => "cdc_mbim",
            Self::Option => "option",
        }
    }

    const fn of(role: Role) -> Option<Self> {
        match role {
            Role::Qmi => Some(Self::QmiWwan),
            Role::Mbim => Some(Self::CdcMbim),
            Role::Diag | Role::Nmea | Role::At | Role::Download | Role::Unknown => Some(Self::Option),
            Role::Other => None,
        }
    }

    /// Whether the driver that has an interface leaves it without the port that it should have.
    fn is_missing(self, holder: Option<&str>) -> bool {
        match (self, holder) {
            (_, None) => true,
            (Self::QmiWwan, Some(holder)) => !matches!(holder, "qmi_wwan" | "usbfs"),
            (Self::Option, Some(holder)) => holder == "qmi_wwan",
            (Self::CdcMbim, Some(_)) => false,
        }
    }
}

/// What a modem lacks, in the order in which it is mended.
pub(super) fn of(device: &UsbDevice, mode: Mode, interfaces: &[UsbInterface]) -> Vec<Lack> {
    if matches!(mode, Mode::Emergency | Mode::NotConfigured) {
        return Vec::new();
    }
    let roles = Roles::of(device, interfaces);
    let role = |interface: &UsbInterface| match mode {
        Mode::Download => Role::Download,
        _ => roles.role(Some(interface.number)),
    };
    let mut lacks: Vec<Lack> = Vec::new();
    for interface in interfaces {
        let role = role(interface);
        let holder = interface.driver.as_deref();
        let Some(driver) = RightDriver::of(role).filter(|driver| driver.is_missing(holder)) else {
            continue;
        };
        let same = |lack: &&mut Lack| lack.driver == driver && lack.holder.as_deref() == holder;
        match lacks.iter_mut().find(same) {
            Some(lack) => lack.interfaces.push((interface.number, role)),
            None => lacks.push(Lack {
                driver,
                interfaces: vec![(interface.number, role)],
                holder: holder.map(str::to_owned),
                commands: Vec::new(),
            }),
        }
    }
    lacks.sort_by_key(|lack| lack.driver);
    let has_qmi = lacks.iter().any(|lack| lack.driver == RightDriver::QmiWwan);
    for lack in &mut lacks {
        lack.commands = commands(device, interfaces, lack, has_qmi);
    }
    lacks
}

/// Whether this is one of the vendor's own drivers, GobiNet and GobiSerial.
fn is_vendors(driver: &str) -> bool {
    driver.starts_with("Gobi")
}

fn commands(
    device: &UsbDevice,
    interfaces: &[UsbInterface],
    lack: &Lack,
    is_qmi_mended: bool,
) -> Vec<String> {
    let id = format!("{:04x} {:04x}", device.vendor, device.product);
    let name = |number: u8| format!("{}:1.{number}", device.path);
    let unbind =
        |driver: &str, number: u8| format!("`echo {} > /sys/bus/usb/drivers/{driver}/unbind`", name(number));
    let numbers = || lack.interfaces.iter().map(|(number, _)| *number);
    let mut commands = Vec::new();
    match &lack.holder {
        // The vendor's drivers take every interface again as long as they are loaded.
        Some(holder) if is_vendors(holder) => {
            commands.push(format!(
                "`rmmod {holder}` (which stops every modem that {holder} has)"
            ));
        }
        Some(holder) => commands.extend(numbers().map(|number| unbind(holder, number))),
        None => {}
    }
    let driver = lack.driver.name();
    match lack.driver {
        RightDriver::CdcMbim => commands.push(format!("`modprobe {driver}`")),
        RightDriver::QmiWwan => {
            commands.push(format!("`modprobe {driver}`"));
            // qmi_wwan has the ids that the vendor's driver has.
            if !lack.holder.as_deref().is_some_and(is_vendors) {
                commands.push(format!("`echo {id} > /sys/bus/usb/drivers/{driver}/new_id`"));
            }
        }
        RightDriver::Option => {
            let is_taken = |number: u8| {
                let mut interfaces = interfaces.iter();
                let own = interfaces.find(|interface| interface.number == number);
                let endpoints = own.and_then(|interface| interface.endpoints);
                is_qmi_mended
                    && lack.holder.is_none()
                    && endpoints.is_none_or(|endpoints| endpoints.count == 3)
            };
            commands.extend(
                numbers()
                    .filter(|number| is_taken(*number))
                    .map(|number| unbind("qmi_wwan", number)),
            );
            commands.extend(ids::driver_commands(&[(device.vendor, device.product)]));
        }
    }
    commands
}
