//! The options that select a modem, and those that choose the language to talk to it.

use std::path::Path;
use std::str::FromStr;

use clap::Args;
use update_engine::{ControlChoice, Request, Selector, on_pcie};

/// Which modem. Without any of these options, the only modem that is there.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Which modem (none of these: the only one)")]
pub(crate) struct SelectOptions {
    /// By its USB id: 1199:9071, or 1199 for every product
    #[arg(short = 'd', long = "vid-pid", value_name = "VID[:PID]")]
    ids: Vec<UsbId>,

    /// By its number on the bus, as lsusb prints it; good until the next restart
    #[arg(short = 's', long = "busnum-devnum", value_name = "[BUS:]DEV")]
    numbers: Vec<BusNumber>,

    /// By its control port, /dev/cdc-wdmN, or a link to it
    #[arg(short = 'w', long = "cdc-wdm", value_name = "PORT", value_parser = port)]
    control_ports: Vec<String>,

    /// By a serial port, /dev/ttyUSBN, or a link to it in /dev/serial/by-id
    #[arg(short = 't', long = "tty", value_name = "PORT", value_parser = port)]
    serial_ports: Vec<String>,

    /// By its place on the bus, such as 1-1.4, as `list` shows it; it stays the same after a restart
    #[arg(long = "port", value_name = "PLACE", value_parser = place)]
    places: Vec<String>,

    /// By its IMEI; running modems are asked for it
    #[arg(long = "imei", value_name = "NUMBER", value_parser = imei)]
    imeis: Vec<String>,
}

/// The language to talk to a running modem.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "How to talk to a running modem")]
#[group(multiple = false)]
pub(crate) struct ControlOptions {
    /// Speak QMI on the control port, whatever its driver is
    #[arg(long)]
    qmi: bool,

    /// Speak MBIM on the control port, whatever its driver is
    #[arg(long)]
    mbim: bool,

    /// Share the control port through a running qmi-proxy
    #[arg(long)]
    proxy: bool,
}

impl SelectOptions {
    /// All modems that were named.
    pub(crate) fn all(&self) -> Vec<Selector> {
        let ids = self.ids.iter().map(|id| Selector::Id {
            vendor: id.vendor,
            product: id.product,
        });
        let numbers = self.numbers.iter().map(|number| Selector::BusNumber {
            bus: number.bus,
            device: number.device,
        });
        let ports = self.control_ports.iter().chain(&self.serial_ports);
        let ports = ports.map(|port| Selector::Port(port.clone()));
        let places = self.places.iter().cloned().map(Selector::Place);
        let imeis = self.imeis.iter().cloned().map(Selector::Imei);
        ids.chain(numbers)
            .chain(ports)
            .chain(places)
            .chain(imeis)
            .collect()
    }

    /// The modem that was named; or if none was, the only modem that is there.
    pub(crate) fn one(&self) -> Selector {
        only(self.all())
    }
}

/// The modem that was named; or if none was, the only modem that is there. Several modems don't come here: reading the command line
/// refuses them ([`too_many`]).
pub(super) fn only(mut named: Vec<Selector>) -> Selector {
    named.pop().unwrap_or(Selector::Only)
}

/// Why a verb for one modem can't take these, if they are several.
pub(super) fn too_many(named: &[Selector]) -> Option<String> {
    let words: Vec<String> = named.iter().map(ToString::to_string).collect();
    (words.len() > 1).then(|| {
        format!(
            "this takes one modem, but several were named: {}",
            words.join(", ")
        )
    })
}

impl ControlOptions {
    /// The language that the options choose.
    pub(crate) fn choice(&self) -> ControlChoice {
        match (self.qmi, self.mbim, self.proxy) {
            (true, _, _) => ControlChoice::Qmi,
            (_, true, _) => ControlChoice::Mbim,
            (_, _, true) => ControlChoice::QmiProxy,
            _ => ControlChoice::Auto,
        }
    }
}

/// A request that only names the modem and the language.
pub(crate) fn request(select: &SelectOptions, control: &ControlOptions) -> Request {
    Request {
        select: select.one(),
        control: control.choice(),
        ..Request::default()
    }
}

/// The name of a port. A name without a slash means a port in /dev, as in the kernel's log; if there is none but the current folder
/// has such a file, it means that file. A name that begins with @ is the name of a socket.
fn port(name: &str) -> Result<String, &'static str> {
    if name.is_empty() {
        return Err("a port has a name, such as /dev/ttyUSB0");
    }
    let is_bare = !name.contains('/') && !name.starts_with('@');
    if !is_bare {
        return Ok(name.to_owned());
    }
    let in_dev = format!("/dev/{name}");
    let is_here = !Path::new(&in_dev).exists() && Path::new(name).exists();
    Ok(if is_here { format!("./{name}") } else { in_dev })
}

/// A USB id: `1199:9071`, or `1199` for all products.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UsbId {
    vendor: u16,
    product: Option<u16>,
}

impl FromStr for UsbId {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = |digits: &str| {
            let digits = digits.strip_prefix("0x").unwrap_or(digits);
            let is_hex = matches!(digits.len(), 1..=4) && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            let number = u16::from_str_radix(digits, 16).ok();
            number
                .filter(|_| is_hex)
                .ok_or("a USB id has up to four hex digits, such as 1199:9071")
        };
        let (vendor, product) = match text.split_once(':') {
            Some((vendor, product)) => (vendor, Some(number(product)?)),
            None => (text, None),
        };
        Ok(Self {
            vendor: number(vendor)?,
            product,
        })
    }
}

/// A number on the bus: `3:14`, or `14` without the bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BusNumber {
    bus: Option<u16>,
    device: u32,
}

impl FromStr for BusNumber {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "give the numbers as lsusb prints them: 003:014, or 14";
        let (bus, device) = match text.split_once(':') {
            Some((bus, device)) => (Some(bus.parse().map_err(|_| wrong)?), device),
            None => (None, text),
        };
        let device = device.parse().map_err(|_| wrong)?;
        Ok(Self { bus, device })
    }
}

/// A place on the bus: `1-1.4`, or `0000:01:00.0` on PCIe.
fn place(text: &str) -> Result<String, &'static str> {
    let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let is_place = text
        .split_once('-')
        .is_some_and(|(bus, ports)| is_number(bus) && ports.split('.').all(is_number));
    if is_place {
        Ok(text.to_owned())
    } else if on_pcie::is_address(text) {
        // The kernel writes addresses in small letters.
        Ok(text.to_ascii_lowercase())
    } else if text.starts_with('/') {
        Err("that is a port's name: give it with -t or -w; a place looks like 1-1.4")
    } else {
        Err(
            "a place on the bus looks like 1-1.4: bus, hyphen, port, and the ports of hubs behind dots; on PCIe like 0000:01:00.0",
        )
    }
}

/// An IMEI: fifteen digits. The last one is a checksum (3GPP TS 23.003, annex B).
fn imei(text: &str) -> Result<String, String> {
    let digits: Option<Vec<u32>> = text.chars().map(|digit| digit.to_digit(10)).collect();
    let Some(digits) = digits else {
        return Err("an IMEI has nothing but digits".to_owned());
    };
    if digits.len() != 15 {
        return Err(format!("an IMEI has 15 digits, this has {}", digits.len()));
    }
    let sum: u32 = digits
        .iter()
        .enumerate()
        .map(|(place, digit)| match (place % 2, digit * 2) {
            (0, _) => *digit,
            (_, double) => double / 10 + double % 10,
        })
        .sum();
    if sum % 10 == 0 {
        Ok(text.to_owned())
    } else {
        Err("a digit is wrong: the last one, a checksum, doesn't fit the others".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usb_ids_are_hex_with_or_without_a_product() {
        let id = |vendor, product| Ok(UsbId { vendor, product });
        assert_eq!("1199:9071".parse(), id(0x1199, Some(0x9071)));
        assert_eq!("0x1199:0x9071".parse(), id(0x1199, Some(0x9071)));
        assert_eq!("1199".parse(), id(0x1199, None));
        for wrong in [
            "",
            ":",
            "1199:",
            "11999",
            "1199:90711",
            "+199",
            "119g",
            "1199:9071:1",
        ] {
            assert!(wrong.parse::<UsbId>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn bus_numbers_are_read_as_lsusb_prints_them() {
        let number = |bus, device| Ok(BusNumber { bus, device });
        assert_eq!("003:014".parse(), number(Some(3), 14));
        assert_eq!("14".parse(), number(None, 14));
        for wrong in ["", "a", "1:", ":1", "1:2:3", "-1"] {
            assert!(wrong.parse::<BusNumber>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_place_is_no_port() {
        assert_eq!(place("0000:0A:00.0").as_deref(), Ok("0000:0a:00.0"));
        for right in ["1-1", "1-1.4", "12-3.4.5", "0000:01:00.0"] {
            assert_eq!(place(right).as_deref(), Ok(right));
        }
        for wrong in ["", "1", "usb1", "1-", "-1", "1-1.", "1-1:1.0", "/dev/ttyUSB0"] {
            assert!(place(wrong).is_err(), "{wrong}");
        }
        assert!(place("/dev/ttyUSB0").unwrap_err().contains("-t or -w"));
    }

    #[test]
    fn a_bare_name_is_a_port_in_dev() {
        for (given, meant) in [
            ("ttyUSB250", "/dev/ttyUSB250"),
            ("cdc-wdm250", "/dev/cdc-wdm250"),
            ("/dev/ttyUSB2", "/dev/ttyUSB2"),
            ("by-id/modem", "by-id/modem"),
            ("@qmi-proxy", "@qmi-proxy"),
            // Tests run in the crate's folder, which has this file.
            ("Cargo.toml", "./Cargo.toml"),
        ] {
            assert_eq!(port(given).as_deref(), Ok(meant));
        }
        assert!(port("").is_err());
    }

    #[test]
    fn an_imei_with_a_wrong_digit_is_told_before_any_modem_is_asked() {
        assert!(imei("490154203237518").is_ok());
        assert!(imei("490154203237519").is_err());
        assert!(imei("49015420323751").unwrap_err().contains("this has 14"));
        assert!(imei("4901542032375 8").is_err());
    }
}
