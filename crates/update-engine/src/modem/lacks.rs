//! Interfaces of a modem without a driver, or with a wrong one, and the commands that mend that.
//!
//! Facts about the kernel (linux.md §2): `new_id` makes a driver try every interface with the id that has no driver. So qmi_wwan goes
//! first, because `option` would take QMI's interface as well; and because qmi_wwan takes every vendor-specific interface with three
//! endpoints then, the AT and NMEA interfaces are taken from it again before `option` gets them. So the commands of one lack count on
//! those of the lacks before it.
//!
//! A driver keeps the id until the driver is unloaded. When the modem restarts, the driver that was loaded first takes what it can:
//! qmi_wwan the AT and NMEA interfaces, or `option` QMI's. The same commands mend that again. The kernel lab tries all of this.

use std::fmt;

use modem_world::{UsbDevice, UsbInterface};

use super::devices::Takes;
use super::ids::{self, VENDOR_SPECIFIC};
use super::mode::Mode;
use super::roles::{Role, Roles};
use super::standing;

/// Drivers of serial ports. Told about an id without a class, they take every interface with a bulk or an interrupt endpoint.
const SERIAL: [&str; 3] = ["option", "qcserial", "usbserial_generic"];
/// The class of the interface that carries MBIM's network data.
const NETWORK_DATA: u8 = 0x0a;

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
    /// Whether the drivers may share the interfaces in another way when the modem restarts.
    pub is_for_now: bool,
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
        write!(f, ". As root, run {}", ids::one_after_the_other(&self.commands))?;
        if self.is_for_now {
            f.write_str(". When the modem restarts, this may be needed again")?;
        }
        Ok(())
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
            (Self::CdcMbim, Some(holder)) => SERIAL.contains(&holder),
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
                is_for_now: false,
            }),
        }
    }
    lacks.sort_by_key(|lack| lack.driver);
    let is_about_vendors = lacks
        .iter()
        .all(|lack| lack.holder.as_deref().is_some_and(is_vendors));
    let has_qmi = lacks.iter().any(is_told_to_qmi_wwan);
    for lack in &mut lacks {
        lack.commands = commands(device, interfaces, lack, has_qmi);
    }
    let is_shared = interfaces.iter().any(|interface| role(interface) == Role::Qmi);
    if let Some(last) = lacks.last_mut() {
        last.is_for_now = is_shared && !is_about_vendors;
    }
    lacks
}

/// Whether the commands for this lack tell qmi_wwan about the id, so that qmi_wwan takes other interfaces too. Where the vendor's driver
/// is unloaded, qmi_wwan has the id already, for QMI's interface alone.
fn is_told_to_qmi_wwan(lack: &Lack) -> bool {
    lack.driver == RightDriver::QmiWwan && !lack.holder.as_deref().is_some_and(is_vendors)
}

/// What `new_id` of qmi_wwan gets.
///
/// Modems since 9x15 give no answer over QMI unless the driver sets DTR (qmi.md §2), and qmi_wwan doesn't set it for an id that it
/// is told, unless another id is named whose modem needs DTR too: that of MC7455 and EM7455.
fn id_for_qmi_wwan(device: &UsbDevice, id: &str) -> String {
    let is_older = match standing::lookup(device).map(|row| row.takes) {
        Some(Takes::Gobi(_)) => true,
        Some(Takes::Platforms(platforms)) => platforms.iter().all(|name| name.starts_with("SWI9200")),
        Some(Takes::Unknown) | None => false,
    };
    if is_older {
        format!("{id} {VENDOR_SPECIFIC}")
    } else {
        format!("{id} {VENDOR_SPECIFIC} 1199 9071")
    }
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
        Some(holder) => {
            // cdc_mbim takes the control interface and the one with the network data together.
            let data = interfaces.iter().filter(|interface| {
                lack.driver == RightDriver::CdcMbim
                    && interface.class == NETWORK_DATA
                    && interface.driver.as_ref() == Some(holder)
            });
            let numbers = numbers().chain(data.map(|interface| interface.number));
            commands.extend(numbers.map(|number| unbind(holder, number)));
        }
        None => {}
    }
    let driver = lack.driver.name();
    match lack.driver {
        RightDriver::CdcMbim => {
            // The driver knows MBIM by its class, and looks for it when it is loaded. It doesn't look again when another driver gives an
            // interface up, so it is loaded first and told then.
            commands.insert(0, format!("`modprobe {driver}`"));
            if lack.holder.is_some() {
                let bind = |number| format!("`echo {} > /sys/bus/usb/drivers/{driver}/bind`", name(number));
                commands.extend(numbers().map(bind));
            }
        }
        RightDriver::QmiWwan => {
            commands.push(format!("`modprobe {driver}`"));
            // qmi_wwan has the ids that the vendor's driver has.
            if is_told_to_qmi_wwan(lack) {
                let id = id_for_qmi_wwan(device, &id);
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

#[cfg(test)]
mod tests {
    use super::*;
    use modem_world::{Endpoints, UsbPath};

    fn modem(product: u16, count: usize) -> UsbDevice {
        UsbDevice {
            path: UsbPath::new("1-2"),
            peer: None,
            number: 7,
            vendor: 0x1199,
            product,
            interfaces: u8::try_from(count).ok(),
            speed: Some(480),
            manufacturer: None,
            product_name: None,
            serial: None,
        }
    }

    /// The commands for a modem whose interfaces have these numbers, classes, endpoints and drivers, without their quotes.
    fn advised(product: u16, interfaces: &[(u8, u8, u8, Option<&str>)]) -> Vec<String> {
        let device = modem(product, interfaces.len());
        let interfaces: Vec<UsbInterface> = interfaces
            .iter()
            .map(|&(number, class, count, driver)| UsbInterface {
                number,
                class,
                subclass: if class == 0x02 { 0x0e } else { 0xff },
                protocol: 0xff,
                endpoints: Some(Endpoints { count, bulk: None }),
                driver: driver.map(str::to_owned),
            })
            .collect();
        let lacks = of(&device, Mode::Normal, &interfaces);
        let commands = lacks.into_iter().flat_map(|lack| lack.commands);
        commands.map(|command| command.replace('`', "")).collect()
    }

    const ID_FOR_OPTION: &str = "echo 1199 90b1 ff > /sys/bus/usb-serial/drivers/option1/new_id";
    const ID_FOR_QMI: &str = "echo 1199 90b1 ff 1199 9071 > /sys/bus/usb/drivers/qmi_wwan/new_id";

    // The kernel lab runs these commands (ours-advised-…).
    #[test]
    fn qmi_wwan_comes_first_and_gives_back_what_is_not_qmi() {
        let none = [
            (0, 0xff, 2, None),
            (2, 0xff, 3, None),
            (3, 0xff, 3, None),
            (8, 0xff, 3, None),
        ];
        assert_eq!(
            advised(0x90b1, &none),
            [
                "modprobe qmi_wwan",
                ID_FOR_QMI,
                "echo 1-2:1.2 > /sys/bus/usb/drivers/qmi_wwan/unbind",
                "echo 1-2:1.3 > /sys/bus/usb/drivers/qmi_wwan/unbind",
                "modprobe option",
                ID_FOR_OPTION,
            ]
        );
    }

    #[test]
    fn after_a_restart_each_driver_gives_back_what_the_other_needs() {
        let option = Some("option");
        let option_first = [
            (0, 0xff, 2, option),
            (2, 0xff, 3, option),
            (3, 0xff, 3, option),
            (8, 0xff, 3, option),
        ];
        assert_eq!(
            advised(0x90b1, &option_first),
            [
                "echo 1-2:1.8 > /sys/bus/usb/drivers/option/unbind",
                "modprobe qmi_wwan",
                ID_FOR_QMI
            ]
        );
        let qmi_wwan = Some("qmi_wwan");
        let qmi_first = [
            (0, 0xff, 2, option),
            (2, 0xff, 3, qmi_wwan),
            (3, 0xff, 3, qmi_wwan),
            (8, 0xff, 3, qmi_wwan),
        ];
        assert_eq!(
            advised(0x90b1, &qmi_first),
            [
                "echo 1-2:1.2 > /sys/bus/usb/drivers/qmi_wwan/unbind",
                "echo 1-2:1.3 > /sys/bus/usb/drivers/qmi_wwan/unbind",
                "modprobe option",
                ID_FOR_OPTION,
            ]
        );
    }

    #[test]
    fn mbim_is_given_back_by_a_serial_driver_as_a_whole() {
        let option = Some("option");
        let taken = [
            (0, 0x02, 1, option),
            (1, 0x0a, 2, option),
            (2, 0xff, 3, option),
            (4, 0xff, 2, option),
        ];
        assert_eq!(
            advised(0x90b1, &taken),
            [
                "modprobe cdc_mbim",
                "echo 1-2:1.0 > /sys/bus/usb/drivers/option/unbind",
                "echo 1-2:1.1 > /sys/bus/usb/drivers/option/unbind",
                "echo 1-2:1.0 > /sys/bus/usb/drivers/cdc_mbim/bind",
            ]
        );
        // The drivers that make a control port of it, or are about to, keep it.
        for driver in ["cdc_mbim", "qmi_wwan", "usbfs"] {
            let held = [
                (0, 0x02, 1, Some(driver)),
                (1, 0x0a, 2, Some(driver)),
                (2, 0xff, 3, option),
                (4, 0xff, 2, option),
            ];
            assert_eq!(advised(0x90b1, &held), [""; 0], "{driver}");
        }
    }

    #[test]
    fn a_modem_that_has_its_drivers_lacks_nothing() {
        for serial in ["option", "qcserial", "sierra"] {
            for qmi in ["qmi_wwan", "usbfs"] {
                let interfaces = [
                    (0, 0xff, 2, Some(serial)),
                    (2, 0xff, 3, Some(serial)),
                    (3, 0xff, 3, Some(serial)),
                    (8, 0xff, 3, Some(qmi)),
                ];
                assert_eq!(advised(0x90b1, &interfaces), [""; 0], "{serial} {qmi}");
            }
        }
    }

    // A driver that is told the id of a 9200 or a Gobi needn't set DTR.
    #[test]
    fn dtr_is_asked_for_where_modems_need_it() {
        let told = |product, number| {
            let commands = advised(product, &[(number, 0xff, 3, None), (15, 0x08, 2, None)]);
            commands
                .into_iter()
                .find(|command| command.contains("qmi_wwan/new_id"))
        };
        for (product, number, ids) in [
            (0x68a2, 8, "1199 68a2 ff"),
            (0x9001, 0, "1199 9001 ff"),
            (0x68c0, 8, "1199 68c0 ff 1199 9071"),
            (0x9075, 8, "1199 9075 ff 1199 9071"),
            // In no table: such a modem is more likely new than old.
            (0xabcd, 8, "1199 abcd ff 1199 9071"),
        ] {
            let wanted = format!("echo {ids} > /sys/bus/usb/drivers/qmi_wwan/new_id");
            assert_eq!(told(product, number), Some(wanted), "{product:04x}");
        }
    }

    // Unloaded, GobiNet leaves QMI's interface to qmi_wwan, which has that id for that interface alone.
    #[test]
    fn beside_the_vendors_driver_nothing_is_taken_from_qmi_wwan() {
        let interfaces = [
            (0, 0xff, 2, None),
            (2, 0xff, 3, None),
            (3, 0xff, 3, None),
            (8, 0xff, 3, Some("GobiNet")),
        ];
        assert_eq!(
            advised(0x68c0, &interfaces),
            [
                "rmmod GobiNet (which stops every modem that GobiNet has)",
                "modprobe qmi_wwan",
                "modprobe option",
                "echo 1199 68c0 ff > /sys/bus/usb-serial/drivers/option1/new_id",
            ]
        );
    }

    #[test]
    fn what_a_restart_may_undo_is_said_once() {
        let said = |interfaces: &[(u8, u8, Option<&str>)]| {
            let interfaces: Vec<UsbInterface> = interfaces
                .iter()
                .map(|&(number, count, driver)| UsbInterface {
                    number,
                    class: 0xff,
                    subclass: 0xff,
                    protocol: 0xff,
                    endpoints: Some(Endpoints { count, bulk: None }),
                    driver: driver.map(str::to_owned),
                })
                .collect();
            let lacks = of(&modem(0x90b1, interfaces.len()), Mode::Normal, &interfaces);
            let texts: Vec<String> = lacks.iter().map(ToString::to_string).collect();
            texts
                .iter()
                .map(|text| text.ends_with("this may be needed again"))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            said(&[(0, 2, None), (2, 3, None), (3, 3, None), (8, 3, None)]),
            [false, true]
        );
        assert_eq!(
            said(&[
                (0, 2, Some("option")),
                (3, 3, Some("option")),
                (8, 3, Some("option"))
            ]),
            [true]
        );
        // Nothing but serial ports: option takes them again.
        assert_eq!(said(&[(2, 3, None), (4, 2, None)]), [false]);
        // The vendor's driver has gone then.
        assert_eq!(
            said(&[
                (0, 2, Some("GobiSerial")),
                (3, 3, Some("GobiSerial")),
                (8, 3, Some("GobiNet"))
            ]),
            [false]
        );
    }
}
