//! Which images the modem has stored: AT!IMAGE?.

use alloc::string::String;
use alloc::vec::Vec;

/// Answer to AT!IMAGE?.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageList {
    /// Firmware slots, used or empty.
    pub firmware: Vec<StoredImage>,
    /// How many firmware images the modem can store.
    pub most_firmware: Option<u32>,
    /// Where the running firmware is stored.
    pub active: Option<ActiveSlot>,
    /// Carrier settings.
    pub pri: Vec<StoredImage>,
    /// How many carrier settings the modem can store.
    pub most_pri: Option<u32>,
}

/// A row of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredImage {
    /// Slot; 0xFF for carrier settings.
    pub slot: u8,
    /// State.
    pub status: Status,
    /// How recently it was used.
    pub lru: u32,
    /// Two counts of failures.
    pub failures: [u32; 2],
    /// Unique id, `?_?` for firmware, and build id, `01.14.02.00_?`. Both are missing in an empty slot.
    pub ids: Option<(String, String)>,
}

/// State of a stored image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// Usable.
    Good,
    /// Nothing is stored here.
    Empty,
    /// Damaged.
    Bad,
    /// Another word.
    Other(String),
}

impl Status {
    /// The modem's word.
    pub fn word(&self) -> &str {
        match self {
            Self::Good => "GOOD",
            Self::Empty => "EMPTY",
            Self::Bad => "BAD",
            Self::Other(word) => word,
        }
    }

    fn parse(word: &str) -> Self {
        match word {
            "GOOD" => Self::Good,
            "EMPTY" => Self::Empty,
            "BAD" => Self::Bad,
            other => Self::Other(other.into()),
        }
    }
}

/// Where the running firmware is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActiveSlot {
    /// In this slot. The slot may still be empty, because a factory image is stored outside the slots (trace
    /// at_em7455_mc7455_dell).
    Slot(u8),
    /// The modem reports 255: the image of the running firmware is no longer stored.
    NotStored,
}

/// Reads the answer to AT!IMAGE?. A row that can't be read is passed over.
pub fn image_list(lines: &[String]) -> Option<ImageList> {
    let mut found = ImageList::default();
    let mut is_answer = false;
    for line in lines {
        let line = line.trim();
        if line.starts_with("TYPE") {
            is_answer = true;
        } else if let Some(count) = line.strip_prefix("Max FW images:") {
            found.most_firmware = count.trim().parse().ok();
        } else if let Some(count) = line.strip_prefix("Max PRI images:") {
            found.most_pri = count.trim().parse().ok();
        } else if let Some(slot) = line.strip_prefix("Active FW image is at slot") {
            found.active = slot.trim().parse().ok().map(|slot| match slot {
                u8::MAX => ActiveSlot::NotStored,
                slot => ActiveSlot::Slot(slot),
            });
        } else if let Some(row) = line.strip_prefix("FW ") {
            found.firmware.extend(self::row(row));
        } else if let Some(row) = line.strip_prefix("PRI ") {
            found.pri.extend(self::row(row));
        }
    }
    (is_answer || found != ImageList::default()).then_some(found)
}

/// Reads the columns of a row after its type.
fn row(columns: &str) -> Option<StoredImage> {
    let mut columns = columns.split_whitespace();
    Some(StoredImage {
        slot: u8::from_str_radix(columns.next()?, 16).ok()?,
        status: Status::parse(columns.next()?),
        lru: columns.next()?.parse().ok()?,
        failures: [columns.next()?.parse().ok()?, columns.next()?.parse().ok()?],
        ids: columns
            .next()
            .zip(columns.next())
            .map(|(unique, build)| (unique.into(), build.into())),
    })
}
