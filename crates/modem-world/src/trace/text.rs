//! Writes and parses the lines of a trace. Strings are percent-encoded, so that a space always ends a word.

mod pci;

use std::fmt::Write as _;
use std::str::SplitWhitespace;
use std::time::Duration;

use super::{Event, Written};
use crate::{
    Attached, Binding, DiscoveryError, Endpoints, HostError, Inhibition, Instant, LockHolder, PortErrorKind,
    PortHandle, PortHolder, PortId, PortInfo, PortKind, UsbDevice, UsbInterface, UsbPath,
};

/// System calls that an error can name. A name read from a file can become a `&'static str` only by way of
/// this list.
const CALLS: [&str; 14] = [
    "open",
    "read",
    "write",
    "poll",
    "close",
    "ioctl",
    "tcgetattr",
    "tcsetattr",
    "flock",
    "stat",
    "readdir",
    "readlink",
    "canonicalize",
    "socket",
];

type Expected = &'static str;

pub(super) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 3);
    for byte in bytes {
        let space = if text.is_empty() { "" } else { " " };
        let _ = write!(text, "{space}{byte:02X}");
    }
    text
}

pub(super) fn line(event: &Event, at: Instant) -> String {
    let since = at.since_start();
    let mut line = format!("{}.{:06} ", since.as_secs(), since.subsec_micros());
    let what = match event {
        Event::Find { name, answer } => format!("find {} {}", quote(name), discovery(answer, port)),
        Event::Devices(answer) => {
            let all = |devices: &Vec<Attached>| devices.iter().map(attached).collect::<Vec<_>>().join(" ");
            format!("devices {}", discovery(answer, all))
        }
        Event::Open {
            port,
            result: Ok(handle),
            largest_write,
        } => {
            let largest = largest_write.map(|bytes| format!(" largest={bytes}"));
            let largest = largest.unwrap_or_default();
            format!("open {} = {}{largest}", quote(port.as_str()), handle.0)
        }
        Event::Open {
            port,
            result: Err(kind),
            ..
        } => {
            format!("open {} ! {}", quote(port.as_str()), port_error(kind))
        }
        Event::Close(port) => format!("close {}", port.0),
        Event::Written {
            port,
            data: Written::Whole(bytes),
        } => format!(">> {} {}", port.0, hex(bytes)),
        Event::Written {
            port,
            data:
                Written::Digest {
                    length,
                    crc32,
                    first,
                    last,
                },
        } => {
            let (first, last) = (hex(first).replace(' ', ""), hex(last).replace(' ', ""));
            format!(
                ">>> {} {length} crc32={crc32:08X} first={first} last={last}",
                port.0
            )
        }
        Event::Read { port, bytes } => format!("<< {} {}", port.0, hex(bytes)),
        Event::Failed { port, kind } => format!("fail {} {}", port.0, port_error(kind)),
        Event::BusChanged => "bus".to_owned(),
        Event::Cancelled => "cancelled".to_owned(),
        Event::Deadline => "deadline".to_owned(),
        Event::ReEnumerate { device, result } => {
            format!("re-enumerate {} {}", quote(device.as_str()), host(result))
        }
        Event::OnBus { device, answer } => match answer {
            Some(time) => format!("on-bus {} = {}", quote(device.as_str()), time.as_millis()),
            None => format!("on-bus {} ! unknown", quote(device.as_str())),
        },
        Event::KeepAwake { device, result } => {
            format!("keep-awake {} {}", quote(device.as_str()), host(result))
        }
        Event::Inhibit { device, answer } => {
            format!("inhibit {} {}", quote(device.as_str()), inhibition(answer))
        }
        Event::Release(device) => format!("release {}", quote(device.as_str())),
        Event::Locked { spot, holder } => format!("locked {} {}", quote(spot), lock_holder(holder)),
        Event::StayAwake(result) => format!("stay-awake {}", host(result)),
        Event::WillBind {
            vendor,
            product,
            answer,
        } => format!("will-bind {vendor:04x}:{product:04x} {}", binding(answer)),
        Event::PciModems(answer) => format!("pci-modems {}", discovery(answer, |modems| pci::line(modems))),
        Event::End => "end".to_owned(),
    };
    line.push_str(what.trim_end());
    line
}

pub(super) fn parse(line: &str) -> Result<(Instant, Event), Expected> {
    let mut words = Words(line.split_whitespace());
    let at = time(words.next("a time")?)?;
    let event = match words.next("an event")? {
        "find" => {
            let name = unquote(words.next("a name")?)?;
            let answer = if words.is_good()? {
                Ok(ports(&mut words)?.pop().ok_or("a port")?)
            } else {
                Err(words.discovery_error(&name)?)
            };
            Event::Find { name, answer }
        }
        "devices" => Event::Devices(if words.is_good()? {
            Ok(devices(&mut words)?)
        } else {
            Err(words.discovery_error("")?)
        }),
        // Traces of version 0.1 list ports instead of devices.
        "ports" => Event::Devices(if words.is_good()? {
            Ok(devices_of(ports(&mut words)?))
        } else {
            Err(words.discovery_error("")?)
        }),
        "open" => {
            let port = PortId::new(unquote(words.next("a port")?)?);
            let result = if words.is_good()? {
                Ok(words.handle()?)
            } else {
                Err(words.port_error()?)
            };
            let largest_write = match result {
                Ok(_) => words.0.next(),
                Err(_) => None,
            };
            let largest_write = largest_write
                .map(|word| word.strip_prefix("largest=").and_then(|bytes| bytes.parse().ok()))
                .map(|bytes| bytes.ok_or("largest= and a number"))
                .transpose()?;
            Event::Open {
                port,
                result,
                largest_write,
            }
        }
        "close" => Event::Close(words.handle()?),
        ">>" => Event::Written {
            port: words.handle()?,
            data: Written::Whole(words.bytes()?),
        },
        ">>>" => {
            let port = words.handle()?;
            let length = words.number("a length")?;
            let crc32 = words.value("crc32=")?;
            let crc32 = u32::from_str_radix(crc32, 16).map_err(|_| "crc32= and eight digits")?;
            let first = joined_hex(words.value("first=")?)?;
            let last = joined_hex(words.value("last=")?)?;
            if length < u64::try_from(first.len().max(last.len())).unwrap_or(u64::MAX) {
                return Err("a length that is not below the bytes shown");
            }
            Event::Written {
                port,
                data: Written::Digest {
                    length,
                    crc32,
                    first,
                    last,
                },
            }
        }
        "<<" => Event::Read {
            port: words.handle()?,
            bytes: words.bytes()?,
        },
        "fail" => Event::Failed {
            port: words.handle()?,
            kind: words.port_error()?,
        },
        "bus" => Event::BusChanged,
        "cancelled" => Event::Cancelled,
        "deadline" => Event::Deadline,
        "re-enumerate" => {
            let device = UsbPath::new(unquote(words.next("a device")?)?);
            let result = words.host(&device)?;
            Event::ReEnumerate { device, result }
        }
        "on-bus" => {
            let device = UsbPath::new(unquote(words.next("a device")?)?);
            let is_known = words.is_good()?;
            let word = words.next("milliseconds or unknown")?;
            let answer = match (is_known, word) {
                (true, count) => Some(Duration::from_millis(number(count)?)),
                (false, "unknown") => None,
                (false, _) => return Err("unknown"),
            };
            Event::OnBus { device, answer }
        }
        "keep-awake" => {
            let device = UsbPath::new(unquote(words.next("a device")?)?);
            let result = words.host(&device)?;
            Event::KeepAwake { device, result }
        }
        "inhibit" => {
            let device = UsbPath::new(unquote(words.next("a device")?)?);
            let answer = words.inhibition()?;
            Event::Inhibit { device, answer }
        }
        "release" => Event::Release(UsbPath::new(unquote(words.next("a device")?)?)),
        "locked" => {
            let spot = unquote(words.next("a place")?)?;
            let holder = words.lock_holder()?;
            Event::Locked { spot, holder }
        }
        "stay-awake" => Event::StayAwake(words.host(&UsbPath::new(""))?),
        "will-bind" => {
            let (vendor, product) = words.id()?;
            let answer = words.binding()?;
            Event::WillBind {
                vendor,
                product,
                answer,
            }
        }
        "pci-modems" => Event::PciModems(if words.is_good()? {
            Ok(pci::parse(&mut words)?)
        } else {
            Err(words.discovery_error("")?)
        }),
        "end" => Event::End,
        _ => return Err("a known event"),
    };
    match words.0.next() {
        Some(_) => Err("the end of the line"),
        None => Ok((at, event)),
    }
}

/// Percent-encodes everything but printable ASCII, and `%` itself. The empty string becomes `%`.
fn quote(text: &str) -> String {
    if text.is_empty() {
        return "%".to_owned();
    }
    let mut quoted = String::with_capacity(text.len());
    for &byte in text.as_bytes() {
        if byte.is_ascii_graphic() && byte != b'%' {
            quoted.push(char::from(byte));
        } else {
            let _ = write!(quoted, "%{byte:02X}");
        }
    }
    quoted
}

fn unquote(word: &str) -> Result<String, Expected> {
    const EXPECTED: Expected = "a word with %XX for other characters";
    if word == "%" {
        return Ok(String::new());
    }
    let mut parts = word.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2).ok_or(EXPECTED)?;
        bytes.push(u8::from_str_radix(digits, 16).map_err(|_| EXPECTED)?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(bytes).map_err(|_| EXPECTED)
}

fn port(port: &PortInfo) -> String {
    let mut text = format!("port={}", quote(port.id.as_str()));
    let kind = match port.kind {
        PortKind::Serial => None,
        PortKind::Wdm => Some("wdm"),
        PortKind::Proxy => Some("proxy"),
        PortKind::Interface => Some("interface"),
    };
    put(&mut text, "kind", kind.map(str::to_owned));
    put(
        &mut text,
        "interface",
        port.interface.map(|number| number.to_string()),
    );
    put(&mut text, "driver", port.driver.as_deref().map(quote));
    if let Some(known) = &port.device {
        text.push(' ');
        text.push_str(&device(known));
    }
    text
}

fn device(device: &UsbDevice) -> String {
    let mut text = format!("usb={}", quote(device.path.as_str()));
    let peer = device.peer.as_ref();
    put(&mut text, "peer", peer.map(|peer| quote(peer.as_str())));
    put(&mut text, "number", Some(device.number.to_string()));
    put(&mut text, "vendor", Some(format!("{:04x}", device.vendor)));
    put(&mut text, "product", Some(format!("{:04x}", device.product)));
    put(
        &mut text,
        "interfaces",
        device.interfaces.map(|count| count.to_string()),
    );
    put(&mut text, "speed", device.speed.map(|speed| speed.to_string()));
    put(
        &mut text,
        "manufacturer",
        device.manufacturer.as_deref().map(quote),
    );
    put(&mut text, "name", device.product_name.as_deref().map(quote));
    put(&mut text, "serial", device.serial.as_deref().map(quote));
    text
}

/// The device, its interfaces as `function=NUMBER/CLASS/SUBCLASS/PROTOCOL/DRIVER`, and its ports without the device.
fn attached(attached: &Attached) -> String {
    let mut text = device(&attached.device);
    for interface in &attached.interfaces {
        let UsbInterface {
            number,
            class,
            subclass,
            protocol,
            endpoints,
            driver,
        } = interface;
        let driver = driver.as_deref().map(|driver| format!("/{}", quote(driver)));
        let driver = driver.unwrap_or_default();
        let _ = write!(
            text,
            " function={number}/{class:02x}/{subclass:02x}/{protocol:02x}{driver}"
        );
        if let Some(Endpoints { count, bulk }) = endpoints {
            let bulk = bulk.map(|(inward, outward)| format!("/{inward}/{outward}"));
            let _ = write!(text, " endpoints={count}{}", bulk.unwrap_or_default());
        }
    }
    for known in &attached.ports {
        let alone = PortInfo {
            device: None,
            ..known.clone()
        };
        text.push(' ');
        text.push_str(&port(&alone));
    }
    text
}

fn put(text: &mut String, key: &str, value: Option<String>) {
    if let Some(value) = value {
        let _ = write!(text, " {key}={value}");
    }
}

fn number<N: std::str::FromStr>(value: &str) -> Result<N, Expected> {
    value.parse().map_err(|_| "a number")
}

/// Ports, each followed by the device behind it.
fn ports(words: &mut Words<'_>) -> Result<Vec<PortInfo>, Expected> {
    let mut ports: Vec<PortInfo> = Vec::new();
    for word in words.0.by_ref() {
        let (key, value) = word.split_once('=').ok_or("key=value")?;
        if key == "port" {
            ports.push(new_port(value)?);
            continue;
        }
        let port = ports.last_mut().ok_or("port= first")?;
        if key == "usb" {
            port.device = Some(new_device(value)?);
        } else if !port_field(port, key, value)? {
            const DEVICE: Expected = "usb= before what is known about the device";
            let is_known = match &mut port.device {
                Some(device) => device_field(device, key, value)?,
                None => device_field(&mut new_device("%")?, key, value)?,
            };
            if is_known && port.device.is_none() {
                return Err(DEVICE);
            }
        }
    }
    Ok(ports)
}

/// Devices, each followed by its interfaces and ports.
fn devices(words: &mut Words<'_>) -> Result<Vec<Attached>, Expected> {
    let mut devices: Vec<Attached> = Vec::new();
    for word in words.0.by_ref() {
        let (key, value) = word.split_once('=').ok_or("key=value")?;
        if key == "usb" {
            devices.push(Attached {
                device: new_device(value)?,
                interfaces: Vec::new(),
                ports: Vec::new(),
            });
            continue;
        }
        let attached = devices.last_mut().ok_or("usb= first")?;
        match (key, attached.ports.last_mut()) {
            ("port", _) => attached.ports.push(new_port(value)?),
            ("function", _) => attached.interfaces.push(function(value)?),
            ("endpoints", _) => {
                let interface = attached.interfaces.last_mut().ok_or("function= first")?;
                interface.endpoints = Some(endpoints(value)?);
            }
            (_, Some(port)) => _ = port_field(port, key, value)?,
            (_, None) => _ = device_field(&mut attached.device, key, value)?,
        }
    }
    for attached in &mut devices {
        for port in &mut attached.ports {
            port.device = Some(attached.device.clone());
        }
    }
    Ok(devices)
}

/// The devices behind these ports. Their interfaces stay empty, because a list of ports doesn't describe them.
fn devices_of(ports: Vec<PortInfo>) -> Vec<Attached> {
    let mut devices: Vec<Attached> = Vec::new();
    for port in ports {
        let Some(device) = port.device.clone() else {
            continue;
        };
        match devices.iter_mut().find(|known| known.device == device) {
            Some(known) => known.ports.push(port),
            None => devices.push(Attached {
                device,
                interfaces: Vec::new(),
                ports: vec![port],
            }),
        }
    }
    devices
}

fn new_port(id: &str) -> Result<PortInfo, Expected> {
    Ok(PortInfo {
        id: PortId::new(unquote(id)?),
        kind: PortKind::Serial,
        device: None,
        interface: None,
        driver: None,
    })
}

fn new_device(path: &str) -> Result<UsbDevice, Expected> {
    Ok(UsbDevice {
        path: UsbPath::new(unquote(path)?),
        peer: None,
        number: 0,
        vendor: 0,
        product: 0,
        interfaces: None,
        speed: None,
        manufacturer: None,
        product_name: None,
        serial: None,
    })
}

/// Sets the field if it belongs to a port, and says whether it does. Unknown fields are no error: later
/// versions may add some.
fn port_field(port: &mut PortInfo, key: &str, value: &str) -> Result<bool, Expected> {
    match key {
        "kind" => {
            port.kind = match value {
                "serial" => PortKind::Serial,
                "wdm" => PortKind::Wdm,
                "proxy" => PortKind::Proxy,
                "interface" => PortKind::Interface,
                _ => return Err("a known kind of port"),
            };
        }
        "interface" => port.interface = Some(number(value)?),
        "driver" => port.driver = Some(unquote(value)?),
        _ => return Ok(false),
    }
    Ok(true)
}

/// Sets the field if it belongs to a device, and says whether it does.
fn device_field(device: &mut UsbDevice, key: &str, value: &str) -> Result<bool, Expected> {
    let identifier = || u16::from_str_radix(value, 16).map_err(|_| "four digits");
    match key {
        "peer" => device.peer = Some(UsbPath::new(unquote(value)?)),
        "number" => device.number = number(value)?,
        "vendor" => device.vendor = identifier()?,
        "product" => device.product = identifier()?,
        "interfaces" => device.interfaces = Some(number(value)?),
        "speed" => device.speed = Some(number(value)?),
        "manufacturer" => device.manufacturer = Some(unquote(value)?),
        "name" => device.product_name = Some(unquote(value)?),
        "serial" => device.serial = Some(unquote(value)?),
        _ => return Ok(false),
    }
    Ok(true)
}

fn function(value: &str) -> Result<UsbInterface, Expected> {
    const EXPECTED: Expected = "an interface as number/class/subclass/protocol";
    let mut parts = value.splitn(5, '/');
    let mut part = || parts.next().ok_or(EXPECTED);
    let code = |digits| u8::from_str_radix(digits, 16).map_err(|_| EXPECTED);
    Ok(UsbInterface {
        number: number(part()?)?,
        class: code(part()?)?,
        subclass: code(part()?)?,
        protocol: code(part()?)?,
        endpoints: None,
        driver: part().ok().map(unquote).transpose()?,
    })
}

fn endpoints(value: &str) -> Result<Endpoints, Expected> {
    const EXPECTED: Expected = "endpoints as count or count/bulk in/bulk out";
    let parts: Vec<u8> = value
        .split('/')
        .map(|part| part.parse().map_err(|_| EXPECTED))
        .collect::<Result<_, _>>()?;
    let (count, bulk) = match parts.as_slice() {
        [count] => (*count, None),
        [count, inward, outward] => (*count, Some((*inward, *outward))),
        _ => return Err(EXPECTED),
    };
    Ok(Endpoints { count, bulk })
}

fn inhibition(answer: &Inhibition) -> String {
    match answer {
        Inhibition::NotNeeded => "= not-needed".to_owned(),
        Inhibition::Unknown => "= unknown".to_owned(),
        Inhibition::Pending => "= pending".to_owned(),
        Inhibition::Granted => "= granted".to_owned(),
        Inhibition::Impossible { why, help } => format!("! {} {}", quote(why), quote(help)),
    }
}

fn lock_holder(holder: &LockHolder) -> String {
    let mut text = String::new();
    put(
        &mut text,
        "pid",
        holder.process.map(|process| process.to_string()),
    );
    put(&mut text, "name", holder.name.as_deref().map(quote));
    put(&mut text, "verb", holder.verb.as_deref().map(quote));
    let held = holder.held_for.map(|held| held.as_secs().to_string());
    put(&mut text, "held", held);
    text.trim_start().to_owned()
}

fn binding(answer: &Binding) -> String {
    match answer {
        Binding::Binds => "= yes".to_owned(),
        Binding::WontBind => "= no".to_owned(),
        Binding::Unknown { why } => format!("! {}", quote(why)),
    }
}

fn discovery<T>(answer: &Result<T, DiscoveryError>, good: impl Fn(&T) -> String) -> String {
    match answer {
        Ok(found) => format!("= {}", good(found)),
        Err(DiscoveryError::NotFound { .. }) => "! not-found".to_owned(),
        Err(DiscoveryError::NotASerialPort { .. }) => "! not-a-serial-port".to_owned(),
        Err(DiscoveryError::Io { path, call, errno }) => {
            format!("! io {} {} {errno}", quote(path), quote(call))
        }
    }
}

fn port_error(kind: &PortErrorKind) -> String {
    match kind {
        PortErrorKind::NotFound => "not-found".to_owned(),
        PortErrorKind::PermissionDenied => "permission-denied".to_owned(),
        PortErrorKind::Busy { holder: None } => "busy".to_owned(),
        PortErrorKind::Busy { holder: Some(holder) } => format!("busy {}", quote(&holder.to_string())),
        PortErrorKind::NotASerialPort => "not-a-serial-port".to_owned(),
        PortErrorKind::Gone => "gone".to_owned(),
        PortErrorKind::DataLost => "data-lost".to_owned(),
        PortErrorKind::Io { call, errno } => format!("io {} {errno}", quote(call)),
    }
}

fn host(result: &Result<(), HostError>) -> String {
    match result {
        Ok(()) => "=".to_owned(),
        Err(HostError::Unsupported { .. }) => "! unsupported".to_owned(),
        Err(HostError::NoService { service }) => format!("! no-service {}", quote(service)),
        Err(HostError::Refused { service, why }) => format!("! refused {} {}", quote(service), quote(why)),
        Err(HostError::Io { path, errno }) => format!("! io {} {errno}", quote(path)),
    }
}

fn time(word: &str) -> Result<Instant, Expected> {
    const EXPECTED: Expected = "seconds with six decimals";
    let (seconds, micros) = word
        .split_once('.')
        .filter(|(_, micros)| micros.len() == 6)
        .ok_or(EXPECTED)?;
    let seconds: u64 = seconds.parse().map_err(|_| EXPECTED)?;
    let micros: u32 = micros.parse().map_err(|_| EXPECTED)?;
    let span = Duration::from_secs(seconds).saturating_add(Duration::from_micros(micros.into()));
    Ok(Instant::from_start(span))
}

fn byte(digits: &str) -> Result<u8, Expected> {
    // `from_str_radix` would also accept a sign.
    let is_hex = digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    u8::from_str_radix(digits, 16)
        .ok()
        .filter(|_| is_hex)
        .ok_or("bytes in hex")
}

fn joined_hex(word: &str) -> Result<Vec<u8>, Expected> {
    word.as_bytes()
        .chunks(2)
        .map(|pair| {
            std::str::from_utf8(pair)
                .map_err(|_| "bytes in hex")
                .and_then(byte)
        })
        .collect()
}

/// The words of a line.
struct Words<'a>(SplitWhitespace<'a>);

impl<'a> Words<'a> {
    fn next(&mut self, expected: Expected) -> Result<&'a str, Expected> {
        self.0.next().ok_or(expected)
    }

    /// `=` or `!`.
    fn is_good(&mut self) -> Result<bool, Expected> {
        match self.next("= or !")? {
            "=" => Ok(true),
            "!" => Ok(false),
            _ => Err("= or !"),
        }
    }

    fn number<N: std::str::FromStr>(&mut self, expected: Expected) -> Result<N, Expected> {
        self.next(expected)?.parse().map_err(|_| expected)
    }

    fn handle(&mut self) -> Result<PortHandle, Expected> {
        self.number("the number of an open port").map(PortHandle)
    }

    fn value(&mut self, key: &'static str) -> Result<&'a str, Expected> {
        self.next(key)?.strip_prefix(key).ok_or(key)
    }

    fn bytes(&mut self) -> Result<Vec<u8>, Expected> {
        let bytes: Vec<u8> = self.0.by_ref().map(byte).collect::<Result<_, _>>()?;
        if bytes.is_empty() {
            Err("bytes in hex")
        } else {
            Ok(bytes)
        }
    }

    fn call(&mut self) -> Result<&'static str, Expected> {
        let word = unquote(self.next("a system call")?)?;
        Ok(CALLS
            .into_iter()
            .find(|call| *call == word)
            .unwrap_or("system call"))
    }

    fn port_error(&mut self) -> Result<PortErrorKind, Expected> {
        Ok(match self.next("an error")? {
            "not-found" => PortErrorKind::NotFound,
            "permission-denied" => PortErrorKind::PermissionDenied,
            "busy" => PortErrorKind::Busy {
                holder: self
                    .0
                    .next()
                    .map(unquote)
                    .transpose()?
                    .map(|text| PortHolder::parse(&text)),
            },
            "not-a-serial-port" => PortErrorKind::NotASerialPort,
            "gone" => PortErrorKind::Gone,
            "data-lost" => PortErrorKind::DataLost,
            "io" => PortErrorKind::Io {
                call: self.call()?,
                errno: self.number("an errno")?,
            },
            _ => return Err("a known error"),
        })
    }

    fn discovery_error(&mut self, name: &str) -> Result<DiscoveryError, Expected> {
        let name = name.to_owned();
        Ok(match self.next("an error")? {
            "not-found" => DiscoveryError::NotFound { name },
            "not-a-serial-port" => DiscoveryError::NotASerialPort { name },
            "io" => {
                let path = unquote(self.next("a path")?)?;
                DiscoveryError::Io {
                    path,
                    call: self.call()?,
                    errno: self.number("an errno")?,
                }
            }
            _ => return Err("a known error"),
        })
    }

    fn inhibition(&mut self) -> Result<Inhibition, Expected> {
        if !self.is_good()? {
            return Ok(Inhibition::Impossible {
                why: unquote(self.next("a reason")?)?,
                help: unquote(self.next("what helps")?)?,
            });
        }
        Ok(match self.next("an answer")? {
            "not-needed" => Inhibition::NotNeeded,
            "unknown" => Inhibition::Unknown,
            "pending" => Inhibition::Pending,
            "granted" => Inhibition::Granted,
            _ => return Err("a known answer"),
        })
    }

    fn lock_holder(&mut self) -> Result<LockHolder, Expected> {
        let mut holder = LockHolder::default();
        for word in self.0.by_ref() {
            let (key, value) = word.split_once('=').ok_or("key=value")?;
            match key {
                "pid" => holder.process = Some(number(value)?),
                "name" => holder.name = Some(unquote(value)?),
                "verb" => holder.verb = Some(unquote(value)?),
                "held" => holder.held_for = Some(Duration::from_secs(number(value)?)),
                // Fields may be added to the format.
                _ => {}
            }
        }
        Ok(holder)
    }

    /// `1199:90b0`.
    fn id(&mut self) -> Result<(u16, u16), Expected> {
        const EXPECTED: Expected = "an id as vendor:product";
        let (vendor, product) = self.next(EXPECTED)?.split_once(':').ok_or(EXPECTED)?;
        let identifier = |digits| u16::from_str_radix(digits, 16).map_err(|_| EXPECTED);
        Ok((identifier(vendor)?, identifier(product)?))
    }

    fn binding(&mut self) -> Result<Binding, Expected> {
        if !self.is_good()? {
            let why = unquote(self.next("a reason")?)?;
            return Ok(Binding::Unknown { why });
        }
        Ok(match self.next("an answer")? {
            "yes" => Binding::Binds,
            "no" => Binding::WontBind,
            _ => return Err("a known answer"),
        })
    }

    fn host(&mut self, device: &UsbPath) -> Result<Result<(), HostError>, Expected> {
        if self.is_good()? {
            return Ok(Ok(()));
        }
        Ok(Err(match self.next("an error")? {
            "unsupported" => HostError::Unsupported {
                device: device.clone(),
            },
            "no-service" => HostError::NoService {
                service: unquote(self.next("a service")?)?,
            },
            "refused" => HostError::Refused {
                service: unquote(self.next("a service")?)?,
                why: unquote(self.next("a reason")?)?,
            },
            "io" => HostError::Io {
                path: unquote(self.next("a path")?)?,
                errno: self.number("an errno")?,
            },
            _ => return Err("a known error"),
        }))
    }
}
