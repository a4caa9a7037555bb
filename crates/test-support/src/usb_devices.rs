//! Reads reports in the format of the program `usb-devices`, and builds a tree of `sys` and `dev` from them, as the kernel would show
//! these devices.
//!
//! A report has lines with a letter and fields: `T:` place and speed, `D:` class, `P:` ids, `S:` strings, `C:` number of interfaces,
//! `I:` one interface with its number, endpoints, codes and driver. Interfaces with a serial driver get a tty, those of `qmi_wwan` and
//! `cdc_mbim` a control port. Several reports make a bus.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// The USB bus below which all devices lie.
const BUSES: &str = "sys/devices/pci0000:00/0000:00:14.0";

/// A tree that is being built.
struct Tree<'r> {
    root: &'r Path,
    ttys: u32,
    control_ports: u32,
}

/// Builds below `root` what the kernel would show of the devices in these reports.
///
/// # Errors
/// A file can't be written; a report has no line `T:` or `P:`, or a field that can't be read.
pub fn build_tree(root: &Path, reports: &[&str]) -> io::Result<()> {
    for folder in [
        "sys/class/tty",
        "sys/class/usbmisc",
        "sys/bus/usb/devices",
        "sys/bus/usb/drivers",
        "dev",
        "proc",
    ] {
        fs::create_dir_all(root.join(folder))?;
    }
    let mut tree = Tree {
        root,
        ttys: 0,
        control_ports: 0,
    };
    reports.iter().try_for_each(|report| tree.add(report))
}

impl Tree<'_> {
    fn add(&mut self, report: &str) -> io::Result<()> {
        let lines = |letter: char| {
            report
                .lines()
                .filter(move |line| line.starts_with(&format!("{letter}:")))
        };
        let line = |letter| {
            lines(letter)
                .next()
                .ok_or_else(|| bad(&format!("no line {letter}:")))
        };
        let place = line('T')?;
        let ids = line('P')?;
        let name = format!("{}-{}", number(place, "Bus")?, port_chain(place)?);
        let bus = number(place, "Bus")?;
        let folder = format!("{BUSES}/usb{bus}/{name}");
        let write = |file: &str, text: &str| self.write(&format!("{folder}/{file}"), text);
        write("idVendor", field(ids, "Vendor").ok_or_else(|| bad("no vendor"))?)?;
        write(
            "idProduct",
            field(ids, "ProdID").ok_or_else(|| bad("no product"))?,
        )?;
        write("devnum", &number(place, "Dev#")?.to_string())?;
        write("speed", field(place, "Spd").ok_or_else(|| bad("no speed"))?)?;
        write(
            "bDeviceClass",
            line('D')
                .ok()
                .and_then(|line| field(line, "Cls"))
                .map_or("00", |class| class.get(..2).unwrap_or("00")),
        )?;
        write("bNumInterfaces", &format!("{:2}", number(line('C')?, "#Ifs")?))?;
        for text in lines('S') {
            for (key, file) in [
                ("Manufacturer=", "manufacturer"),
                ("Product=", "product"),
                ("SerialNumber=", "serial"),
            ] {
                if let Some((_, value)) = text.split_once(key) {
                    write(file, value)?;
                }
            }
        }
        self.link(&format!("sys/bus/usb/devices/{name}"), &folder)?;
        lines('I').try_for_each(|line| self.add_interface(&folder, &name, line))
    }

    fn add_interface(&mut self, device: &str, name: &str, line: &str) -> io::Result<()> {
        let interface = number(line, "If#")?;
        let folder = format!("{device}/{name}:1.{interface}");
        let code = |key| {
            field(line, key)
                .and_then(|text| text.get(..2))
                .ok_or_else(|| bad(key))
        };
        self.write(&format!("{folder}/bInterfaceNumber"), &format!("{interface:02x}"))?;
        self.write(&format!("{folder}/bInterfaceClass"), code("Cls")?)?;
        self.write(&format!("{folder}/bInterfaceSubClass"), code("Sub")?)?;
        self.write(&format!("{folder}/bInterfaceProtocol"), code("Prot")?)?;
        self.write(
            &format!("{folder}/bNumEndpoints"),
            &format!("{:02x}", number(line, "#EPs")?),
        )?;
        let driver = field(line, "Driver").filter(|driver| *driver != "(none)");
        let Some(driver) = driver else { return Ok(()) };
        self.write(&format!("sys/bus/usb/drivers/{driver}/uevent"), "")?;
        self.link(
            &format!("{folder}/driver"),
            &format!("sys/bus/usb/drivers/{driver}"),
        )?;
        let is_mbim_data = code("Cls")? == "0a";
        match driver {
            "option" | "qcserial" | "sierra" | "usbserial" | "GobiSerial" => {
                let name = format!("ttyUSB{}", self.ttys);
                self.ttys += 1;
                self.add_port(&format!("{folder}/{name}/tty/{name}"), "tty", &name)
            }
            "qmi_wwan" | "cdc_mbim" if !is_mbim_data => {
                let name = format!("cdc-wdm{}", self.control_ports);
                self.control_ports += 1;
                self.add_port(&format!("{folder}/usbmisc/{name}"), "usbmisc", &name)
            }
            _ => Ok(()),
        }
    }

    fn add_port(&self, folder: &str, class: &str, name: &str) -> io::Result<()> {
        self.write(&format!("{folder}/uevent"), &format!("DEVNAME={name}"))?;
        self.link(&format!("{folder}/subsystem"), &format!("sys/class/{class}"))?;
        self.link(&format!("sys/class/{class}/{name}"), folder)?;
        self.write(&format!("dev/{name}"), "")
    }

    fn write(&self, path: &str, text: &str) -> io::Result<()> {
        let path = self.make_room(path)?;
        fs::write(path, format!("{text}\n"))
    }

    /// A relative link, as the kernel's are, so that it stays inside the tree.
    fn link(&self, path: &str, target: &str) -> io::Result<()> {
        let up = "../".repeat(Path::new(path).components().count().saturating_sub(1));
        let path = self.make_room(path)?;
        symlink(format!("{up}{target}"), path)
    }

    fn make_room(&self, path: &str) -> io::Result<PathBuf> {
        let path = self.root.join(path);
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        Ok(path)
    }
}

/// The ports from the root hub to the device: the report names only the last one, so further hubs count as port 1.
fn port_chain(place: &str) -> io::Result<String> {
    let level = number(place, "Lev")?.max(1);
    let port = number(place, "Port")? + 1;
    let hubs = "1.".repeat(usize::from(level) - 1);
    Ok(format!("{hubs}{port}"))
}

/// The value of a field: `Bus=01`, `Dev#=  4`, `If#=0x3`, `Cls=ff(vend.)`.
fn field<'l>(line: &'l str, key: &str) -> Option<&'l str> {
    let mut rest = line;
    loop {
        let (before, after) = rest.split_once(key)?;
        let begins_word = before.ends_with([' ', ':', '*']);
        if let Some(value) = after.strip_prefix('=').filter(|_| begins_word) {
            return value.trim_start().split(' ').next();
        }
        rest = after;
    }
}

fn number(line: &str, key: &str) -> io::Result<u16> {
    let text = field(line, key).ok_or_else(|| bad(key))?;
    let parsed = match text.strip_prefix("0x") {
        Some(digits) => u16::from_str_radix(digits, 16),
        None => text.parse(),
    };
    parsed.map_err(|_| bad(key))
}

fn bad(what: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("{what} in a report of usb-devices"),
    )
}
