//! The lines of a trace, there and back. Strings are percent-encoded, so that a space always ends a word.

use std::fmt::Write as _;
use std::str::SplitWhitespace;
use std::time::Duration;

use super::{Event, Written};
use crate::{
    DiscoveryError, HostError, Instant, PortErrorKind, PortHandle, PortId, PortInfo, UsbDevice, UsbPath,
};

/// System calls that an error can name; a name from a file can't become `&'static str` in another way.
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
        Event::Ports(answer) => {
            let all = |ports: &Vec<PortInfo>| ports.iter().map(port).collect::<Vec<_>>().join(" ");
            format!("ports {}", discovery(answer, all))
        }
        Event::Open {
            port,
            result: Ok(handle),
        } => format!("open {} = {}", quote(port.as_str()), handle.0),
        Event::Open {
            port,
            result: Err(kind),
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
        Event::KeepAwake { device, result } => {
            format!("keep-awake {} {}", quote(device.as_str()), host(result))
        }
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
        "ports" => Event::Ports(if words.is_good()? {
            Ok(ports(&mut words)?)
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
            Event::Open { port, result }
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
        "keep-awake" => {
            let device = UsbPath::new(unquote(words.next("a device")?)?);
            let result = words.host(&device)?;
            Event::KeepAwake { device, result }
        }
        "end" => Event::End,
        _ => return Err("a known event"),
    };
    match words.0.next() {
        Some(_) => Err("the end of the line"),
        None => Ok((at, event)),
    }
}

/// Percent-encoding of everything but printable ASCII, of `%` and of the empty string (`%`).
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
    let mut put = |key: &str, value: Option<String>| {
        if let Some(value) = value {
            let _ = write!(text, " {key}={value}");
        }
    };
    put("interface", port.interface.map(|number| number.to_string()));
    put("driver", port.driver.as_deref().map(quote));
    if let Some(device) = &port.device {
        put("usb", Some(quote(device.path.as_str())));
        put("peer", device.peer.as_ref().map(|peer| quote(peer.as_str())));
        put("number", Some(device.number.to_string()));
        put("vendor", Some(format!("{:04x}", device.vendor)));
        put("product", Some(format!("{:04x}", device.product)));
        put("interfaces", device.interfaces.map(|count| count.to_string()));
        put("speed", device.speed.map(|speed| speed.to_string()));
        put("manufacturer", device.manufacturer.as_deref().map(quote));
        put("name", device.product_name.as_deref().map(quote));
        put("serial", device.serial.as_deref().map(quote));
    }
    text
}

fn ports(words: &mut Words<'_>) -> Result<Vec<PortInfo>, Expected> {
    const DEVICE: Expected = "usb= before what is known about the device";
    fn device(port: &mut PortInfo) -> Result<&mut UsbDevice, Expected> {
        port.device.as_mut().ok_or(DEVICE)
    }
    fn number<N: std::str::FromStr>(value: &str) -> Result<N, Expected> {
        value.parse().map_err(|_| "a number")
    }
    let mut ports: Vec<PortInfo> = Vec::new();
    for word in words.0.by_ref() {
        let (key, value) = word.split_once('=').ok_or("key=value")?;
        if key == "port" {
            let id = PortId::new(unquote(value)?);
            ports.push(PortInfo {
                id,
                device: None,
                interface: None,
                driver: None,
            });
            continue;
        }
        let port = ports.last_mut().ok_or("port= first")?;
        match key {
            "interface" => port.interface = Some(number(value)?),
            "driver" => port.driver = Some(unquote(value)?),
            "usb" => {
                port.device = Some(UsbDevice {
                    path: UsbPath::new(unquote(value)?),
                    peer: None,
                    number: 0,
                    vendor: 0,
                    product: 0,
                    interfaces: None,
                    speed: None,
                    manufacturer: None,
                    product_name: None,
                    serial: None,
                });
            }
            "peer" => device(port)?.peer = Some(UsbPath::new(unquote(value)?)),
            "number" => device(port)?.number = number(value)?,
            "vendor" => device(port)?.vendor = u16::from_str_radix(value, 16).map_err(|_| "four digits")?,
            "product" => device(port)?.product = u16::from_str_radix(value, 16).map_err(|_| "four digits")?,
            "interfaces" => device(port)?.interfaces = Some(number(value)?),
            "speed" => device(port)?.speed = Some(number(value)?),
            "manufacturer" => device(port)?.manufacturer = Some(unquote(value)?),
            "name" => device(port)?.product_name = Some(unquote(value)?),
            "serial" => device(port)?.serial = Some(unquote(value)?),
            // Fields may be added to the format.
            _ => {}
        }
    }
    Ok(ports)
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
        PortErrorKind::Busy { holder: Some(holder) } => format!("busy {}", quote(holder)),
        PortErrorKind::NotASerialPort => "not-a-serial-port".to_owned(),
        PortErrorKind::Gone => "gone".to_owned(),
        PortErrorKind::Io { call, errno } => format!("io {} {errno}", quote(call)),
    }
}

fn host(result: &Result<(), HostError>) -> String {
    match result {
        Ok(()) => "=".to_owned(),
        Err(HostError::Unsupported { .. }) => "! unsupported".to_owned(),
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
    // from_str_radix takes a sign.
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
                holder: self.0.next().map(unquote).transpose()?,
            },
            "not-a-serial-port" => PortErrorKind::NotASerialPort,
            "gone" => PortErrorKind::Gone,
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

    fn host(&mut self, device: &UsbPath) -> Result<Result<(), HostError>, Expected> {
        if self.is_good()? {
            return Ok(Ok(()));
        }
        Ok(Err(match self.next("an error")? {
            "unsupported" => HostError::Unsupported {
                device: device.clone(),
            },
            "io" => HostError::Io {
                path: unquote(self.next("a path")?)?,
                errno: self.number("an errno")?,
            },
            _ => return Err("a known error"),
        }))
    }
}
