//! Decodes the settings inside an NVUP image while they stream by, to show the changes that a user would notice.
//!
//! All numbers are little endian. A head of 10 bytes (version u16, number of items u16, u16, u32) is followed by
//! items. An item is its length u32 (which counts itself), two u16, then records of kind u16, length u32 and data.
//! Kind 1 is a name (a flag byte, then text), kind 2 a value; other kinds are NV items (cwe.md §6, images.md §6).
//! Values that [`NvChange`] doesn't name are counted, not kept.

use alloc::{string::String, vec::Vec};
use core::fmt;

/// Bytes kept of a name; real names have about 60.
const NAME_LIMIT: usize = 128;
/// Bytes kept of a value; the longest decoded value has 32.
const VALUE_LIMIT: usize = 64;
/// Changes kept of one file; real files have a handful.
const CHANGE_LIMIT: usize = 64;

/// What the settings in a file do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct NvReport {
    /// Items that the heads announce.
    pub items_declared: u32,
    /// Items that were understood.
    pub items_read: u32,
    /// How many of `items_read` have a name. All names were looked at, but values only if [`changes`](Self::changes)
    /// shows them.
    pub items_named: u32,
    /// How many of `items_read` contain NV items by number, which were not looked at.
    pub items_numbered: u32,
    /// What a user would notice, in file order, at most 64.
    pub changes: Vec<NvChange>,
}

/// A setting that a user would notice.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(tag = "change", rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum NvChange {
    /// `USB_COMP`: which interfaces the modem shows.
    UsbComposition {
        /// The configuration's number.
        index: u32,
        /// The interfaces, as in `AT!USBCOMP=1,…,100D`.
        interfaces: u32,
    },
    /// A USB vendor or product id, recognised by the item's name.
    UsbId {
        /// The item's name.
        name: String,
        /// The value.
        value: NvValue,
    },
    /// `CARRIERID`.
    Carrier {
        /// The number.
        id: u32,
    },
    /// `PRODUCT_SKU`.
    Sku {
        /// The value.
        value: NvValue,
    },
    /// `PRI_CARRIER_REV`, `NVPRIID` and other names of the settings themselves.
    Pri {
        /// The item's name.
        name: String,
        /// The value.
        value: NvValue,
    },
}

/// A value as far as it can be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum NvValue {
    /// Printable text.
    Text(String),
    /// Other bytes.
    Bytes {
        /// The first 64 at most.
        begin: Vec<u8>,
        /// How many bytes the value has in the file.
        length: u32,
    },
}

impl NvValue {
    fn of(begin: &[u8], length: u32) -> Self {
        let text = begin.split(|&byte| byte == 0).next().unwrap_or_default();
        let padding = begin.get(text.len()..).unwrap_or_default();
        let is_text =
            text.iter().all(|byte| (0x20..=0x7E).contains(byte)) && padding.iter().all(|&byte| byte == 0);
        let is_whole = u32::try_from(begin.len()).is_ok_and(|kept| kept == length);
        match core::str::from_utf8(text) {
            Ok(text) if is_text && is_whole && !text.is_empty() => Self::Text(text.into()),
            _ => Self::Bytes {
                begin: begin.to_vec(),
                length,
            },
        }
    }
}

impl fmt::Display for NvValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => fmt::Display::fmt(text, f),
            Self::Bytes { begin, length } => {
                for byte in begin {
                    write!(f, "{byte:02x}")?;
                }
                if u32::try_from(begin.len()).is_ok_and(|kept| kept < *length) {
                    write!(f, "… ({length} bytes)")?;
                }
                Ok(())
            }
        }
    }
}

impl NvChange {
    /// Whether the modem may come back with other ports or another USB id.
    pub const fn moves_ports(&self) -> bool {
        matches!(self, Self::UsbComposition { .. } | Self::UsbId { .. })
    }

    /// Decodes a named item; `None` when a user wouldn't notice it.
    fn of(name: &str, begin: &[u8], length: u32) -> Option<Self> {
        // If the name is a file's path, its last part is the item's name.
        let item = name.rsplit('/').next().unwrap_or(name);
        let upper = item.to_ascii_uppercase();
        let value = || NvValue::of(begin, length);
        let name = || item.into();
        match upper.as_str() {
            "USB_COMP" => {
                let index = begin.first_chunk::<4>();
                let interfaces = begin.get(4..).and_then(|rest| rest.first_chunk::<4>());
                match (index, interfaces) {
                    (Some(index), Some(interfaces)) => Some(Self::UsbComposition {
                        index: u32::from_le_bytes(*index),
                        interfaces: u32::from_le_bytes(*interfaces),
                    }),
                    _ => Some(Self::UsbId {
                        name: name(),
                        value: value(),
                    }),
                }
            }
            "CARRIERID" => {
                let mut bytes = [0; 4];
                for (place, byte) in bytes.iter_mut().zip(begin) {
                    *place = *byte;
                }
                Some(Self::Carrier {
                    id: u32::from_le_bytes(bytes),
                })
            }
            "PRODUCT_SKU" => Some(Self::Sku { value: value() }),
            "NVPRIID" => Some(Self::Pri {
                name: name(),
                value: value(),
            }),
            other if other.starts_with("PRI_") => Some(Self::Pri {
                name: name(),
                value: value(),
            }),
            other if other.starts_with("USB") => {
                let is_id = ["COMP", "PID", "VID", "PRODUCT", "VENDOR", "CONFIG"];
                is_id
                    .iter()
                    .any(|part| other.contains(part))
                    .then(|| Self::UsbId {
                        name: name(),
                        value: value(),
                    })
            }
            _ => None,
        }
    }
}

impl fmt::Display for NvChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UsbComposition { index, interfaces } => write!(
                f,
                "the settings change the USB composition (configuration {index}, interfaces {interfaces:X}): \
                 the modem may come back with other ports"
            ),
            Self::UsbId { name, value } => {
                write!(f, "the settings change the USB identity ({name} = ")?;
                match value {
                    // Two bytes are an id, little endian like all numbers in settings (images.md §6).
                    NvValue::Bytes { begin, length: 2 } => {
                        begin.iter().rev().try_for_each(|byte| write!(f, "{byte:02x}"))?;
                    }
                    _ => fmt::Display::fmt(value, f)?,
                }
                write!(f, "): the modem may come back under another id")
            }
            Self::Carrier { id } => write!(f, "the settings are for carrier id {id}"),
            Self::Sku { value } => write!(f, "the settings change the product SKU to {value}"),
            Self::Pri { name, value } => write!(f, "the settings set {name} to {value}"),
        }
    }
}

/// Decodes settings from a stream that arrives in pieces of any size.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    report: NvReport,
    state: NvupState,
    /// The bytes of the present fixed-size part that have come so far.
    fixed: Fixed,
    /// How many of the coming bytes still belong to the present item.
    item_left: u32,
    items_left: u32,
    has_number: bool,
    name: Vec<u8>,
    value: Vec<u8>,
    value_length: Option<u32>,
    /// Bytes of the body that were understood.
    understood: u64,
}

#[derive(Debug, Default)]
struct Fixed {
    bytes: [u8; 10],
    filled: usize,
}

impl Fixed {
    /// Takes bytes until there are `wanted`, then returns them; `None` before that.
    fn take(&mut self, bytes: &mut &[u8], wanted: usize) -> Option<[u8; 10]> {
        while self.filled < wanted {
            let (byte, rest) = bytes.split_first()?;
            *bytes = rest;
            *self.bytes.get_mut(self.filled)? = *byte;
            self.filled += 1;
        }
        self.filled = 0;
        Some(core::mem::take(&mut self.bytes))
    }
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum NvupState {
    /// 10 bytes at the beginning.
    #[default]
    Head,
    /// 8 bytes in front of each item.
    Item,
    /// 6 bytes in front of each record.
    Record,
    /// Data of a record; `left` more bytes belong to it.
    Data { what: Data, left: u32 },
    /// All announced items were read.
    Done,
    /// The layout isn't the known one; the rest is ignored.
    Lost,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Data {
    Name,
    Value,
    Number,
}

impl Decoder {
    /// Starts the next settings image of the file; the counts continue.
    pub(crate) fn start(&mut self) {
        self.state = NvupState::Head;
        self.fixed = Fixed::default();
        self.understood = 0;
    }

    /// Takes the next bytes of the body.
    pub(crate) fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            match self.state {
                NvupState::Done | NvupState::Lost => return,
                NvupState::Head => {
                    let Some([v0, v1, c0, c1, ..]) = self.fixed.take(&mut bytes, 10) else {
                        return;
                    };
                    let items = u32::from(u16::from_le_bytes([c0, c1]));
                    self.report.items_declared = self.report.items_declared.saturating_add(items);
                    self.items_left = items;
                    let is_known = u16::from_le_bytes([v0, v1]) == 1;
                    self.state = if is_known {
                        self.next_item()
                    } else {
                        NvupState::Lost
                    };
                    if is_known {
                        self.understood = 10;
                    }
                }
                NvupState::Item => {
                    let Some([l0, l1, l2, l3, ..]) = self.fixed.take(&mut bytes, 8) else {
                        return;
                    };
                    let length = u32::from_le_bytes([l0, l1, l2, l3]);
                    self.name.clear();
                    self.value.clear();
                    self.value_length = None;
                    self.has_number = false;
                    self.understood = self.understood.saturating_add(u64::from(length));
                    match length.checked_sub(8) {
                        Some(left) => self.after_data(left),
                        None => self.lose(length),
                    }
                }
                NvupState::Record => {
                    let Some([k0, k1, l0, l1, l2, l3, ..]) = self.fixed.take(&mut bytes, 6) else {
                        return;
                    };
                    let length = u32::from_le_bytes([l0, l1, l2, l3]);
                    let what = match u16::from_le_bytes([k0, k1]) {
                        1 => Data::Name,
                        2 => Data::Value,
                        _ => Data::Number,
                    };
                    let left = self
                        .item_left
                        .checked_sub(6)
                        .and_then(|left| left.checked_sub(length));
                    match left {
                        Some(left) => {
                            self.item_left = left;
                            match what {
                                Data::Name => self.name.clear(),
                                Data::Value => {
                                    self.value.clear();
                                    self.value_length = Some(length);
                                }
                                Data::Number => self.has_number = true,
                            }
                            self.state = NvupState::Data { what, left: length };
                            if length == 0 {
                                self.after_data(self.item_left);
                            }
                        }
                        None => self.lose(self.item_left),
                    }
                }
                NvupState::Data { what, left } => {
                    let count = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                    let (data, rest) = bytes.split_at_checked(count).unwrap_or((bytes, &[]));
                    bytes = rest;
                    let (kept, limit) = match what {
                        Data::Name => (&mut self.name, NAME_LIMIT),
                        Data::Value => (&mut self.value, VALUE_LIMIT),
                        Data::Number => (&mut self.value, 0),
                    };
                    let room = limit.saturating_sub(kept.len());
                    kept.extend(data.iter().take(room));
                    let left = left.saturating_sub(u32::try_from(data.len()).unwrap_or(left));
                    if left == 0 {
                        self.after_data(self.item_left);
                    } else {
                        self.state = NvupState::Data { what, left };
                    }
                }
            }
        }
    }

    /// Ends the image. If some of its `size` bytes were not understood, returns how many were.
    pub(crate) fn end(&mut self, size: u64) -> Option<u64> {
        let is_done = self.state == NvupState::Done;
        if !is_done && !matches!(self.state, NvupState::Lost | NvupState::Head | NvupState::Item) {
            // The body ended inside an item: don't count the records of that item that never came.
            self.understood = self.understood.saturating_sub(u64::from(self.item_left));
        }
        (!is_done || self.understood < size).then_some(self.understood.min(size))
    }

    pub(crate) fn into_report(self) -> NvReport {
        self.report
    }

    pub(crate) fn items_read(&self) -> u32 {
        self.report.items_read
    }

    /// From here on the layout isn't the known one. Takes back `bytes` that were already counted as understood.
    fn lose(&mut self, bytes: u32) {
        self.understood = self.understood.saturating_sub(u64::from(bytes));
        self.state = NvupState::Lost;
    }

    fn next_item(&self) -> NvupState {
        if self.items_left == 0 {
            NvupState::Done
        } else {
            NvupState::Item
        }
    }

    /// Continues after a record, or after an item's head: with the item's next record if `left` bytes remain, else
    /// with the next item.
    fn after_data(&mut self, left: u32) {
        self.item_left = left;
        if left > 0 {
            self.state = NvupState::Record;
            return;
        }
        self.report.items_read = self.report.items_read.saturating_add(1);
        self.items_left = self.items_left.saturating_sub(1);
        self.state = self.next_item();
        if self.has_number {
            self.report.items_numbered = self.report.items_numbered.saturating_add(1);
        }
        // The first byte of a name is a flag: 0 or 1 file, 8 variable (images.md §6).
        let Some((_, name)) = self.name.split_first() else {
            return;
        };
        self.report.items_named = self.report.items_named.saturating_add(1);
        let length = self.value_length.unwrap_or(0);
        let name = name.split(|&byte| byte == 0).next().unwrap_or_default();
        // Real names are ASCII (images.md §6); other bytes must not reach a terminal.
        let name: String = name
            .iter()
            .map(|&byte| {
                let is_visible = (0x20..=0x7E).contains(&byte);
                if is_visible { char::from(byte) } else { '\u{fffd}' }
            })
            .collect();
        if let Some(change) = NvChange::of(&name, &self.value, length) {
            let is_new = !self.report.changes.contains(&change);
            if is_new && self.report.changes.len() < CHANGE_LIMIT {
                self.report.changes.push(change);
            }
        }
    }
}

/// Makes a settings body of named variables: the layout that [`NvReport`] describes.
pub fn encode_named(items: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    body.extend_from_slice(&1u16.to_le_bytes());
    body.extend_from_slice(&u16::try_from(items.len()).unwrap_or(u16::MAX).to_le_bytes());
    // The meaning of the head's last two fields is unknown; the values are those of cwe.md vector 2.
    body.extend_from_slice(&[5, 0, 1, 0, 0, 0]);
    for (name, value) in items.iter().take(usize::from(u16::MAX)) {
        let name_length = u32::try_from(name.len()).unwrap_or(u32::MAX).saturating_add(1);
        let value_length = u32::try_from(value.len()).unwrap_or(u32::MAX);
        let length = name_length.saturating_add(value_length).saturating_add(20);
        body.extend_from_slice(&length.to_le_bytes());
        body.extend_from_slice(&[1, 0, 0, 0, 1, 0]);
        body.extend_from_slice(&name_length.to_le_bytes());
        body.push(8);
        body.extend_from_slice(name.as_bytes());
        body.extend_from_slice(&[2, 0]);
        body.extend_from_slice(&value_length.to_le_bytes());
        body.extend_from_slice(value);
    }
    body
}
