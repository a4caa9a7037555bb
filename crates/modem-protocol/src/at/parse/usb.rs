//! How the modem appears on USB: AT!USBCOMP?, AT!USBPID?, AT!USBINFO? and AT!USBSPEED?.

use alloc::string::String;
use alloc::vec::Vec;

use super::{hex16, text, value};

/// Answer to AT!USBCOMP?. The same numbers mean different things on different families (at.md §3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Composition {
    /// Configuration, 1.
    pub index: u32,
    /// Type.
    pub kind: u32,
    /// The modem's word for the type: `Generic`.
    pub kind_name: Option<String>,
    /// Interfaces as bits: 0x1 DIAG, 0x4 NMEA, 0x8 AT, 0x100 QMI, 0x1000 MBIM.
    pub mask: u32,
    /// The modem's words for the bits: `diag`, `nmea`, `modem`, `mbim`.
    pub interfaces: Vec<String>,
}

/// Reads the answer to AT!USBCOMP?.
pub fn usbcomp(lines: &[String]) -> Option<Composition> {
    let (mut index, mut kind, mut mask) = (None, None, None);
    for line in lines {
        if let Some(number) = value(line, "Config Index") {
            index = number.parse().ok();
        } else if let Some(words) = value(line, "Config Type") {
            let (number, name) = with_words(words);
            kind = number.parse().ok().map(|number| (number, text(name)));
        } else if let Some(words) = value(line, "Interface bitmask") {
            let (number, names) = with_words(words);
            let names = names.split(',').filter_map(|name| text(name.trim())).collect();
            mask = u32::from_str_radix(number, 16).ok().map(|number| (number, names));
        }
    }
    let (kind, kind_name) = kind?;
    let (mask, interfaces) = mask?;
    Some(Composition {
        index: index?,
        kind,
        kind_name,
        mask,
        interfaces,
    })
}

/// A number, and the words in brackets after it.
fn with_words(value: &str) -> (&str, &str) {
    let (number, words) = value.split_once('(').unwrap_or((value, ""));
    (number.trim(), words.split(')').next().unwrap_or_default().trim())
}

/// Answer to AT!USBPID?.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsbPids {
    /// With running firmware.
    pub application: u16,
    /// In the boot loader.
    pub boot: Option<u16>,
}

/// Reads the answer to AT!USBPID?.
pub fn usbpid(lines: &[String]) -> Option<UsbPids> {
    let pid = |key| lines.iter().find_map(|line| value(line, key).and_then(hex16));
    Some(UsbPids {
        application: pid("APP")?,
        boot: pid("BOOT"),
    })
}

/// Answer to AT!USBINFO?.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsbIdentity {
    /// 0x1199 or an OEM's.
    pub vendor: u16,
    /// With running firmware.
    pub application: u16,
    /// In the boot loader.
    pub boot: Option<u16>,
    /// The text of the descriptor.
    pub manufacturer: Option<String>,
    /// The text of the descriptor.
    pub product: Option<String>,
}

/// Reads the answer to AT!USBINFO?.
pub fn usbinfo(lines: &[String]) -> Option<UsbIdentity> {
    let of = |key| lines.iter().find_map(|line| value(line, key));
    Some(UsbIdentity {
        vendor: of("VID").and_then(hex16)?,
        application: of("APP PID").and_then(hex16)?,
        boot: of("BOOT PID").and_then(hex16),
        manufacturer: of("Manufacturer").and_then(text),
        product: of("Product").and_then(text),
    })
}

/// Answer to AT!USBSPEED?.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsbSpeeds {
    /// The highest speed that the modem supports.
    pub supported: Option<Speed>,
    /// The present speed.
    pub current: Speed,
}

/// A USB speed in the modem's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Speed {
    /// `Super-Speed`: USB 3.
    Super,
    /// `High-Speed`: USB 2.
    High,
    /// Another word.
    Other(String),
}

impl Speed {
    /// The modem's word.
    pub fn word(&self) -> &str {
        match self {
            Self::Super => "Super-Speed",
            Self::High => "High-Speed",
            Self::Other(word) => word,
        }
    }

    fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "" => return None,
            "Super-Speed" => Self::Super,
            "High-Speed" => Self::High,
            other => Self::Other(other.into()),
        })
    }
}

/// Reads the answer to AT!USBSPEED?.
pub fn usbspeed(lines: &[String]) -> Option<UsbSpeeds> {
    let speed = |key| {
        lines
            .iter()
            .find_map(|line| value(line, key).and_then(Speed::parse))
    };
    Some(UsbSpeeds {
        supported: speed("SUPPORTED"),
        current: speed("CURRENT")?,
    })
}
