//! Reads the answers to the queries (at.md §3 and the AT traces).
//!
//! Each function takes the lines of an [`Answer`](super::Answer) and returns `None` if none of them answers the
//! query. Unknown lines are passed over, because the modem sends some lines unasked and every firmware adds its own.
//! A value that can't be read counts as absent. The functions that write such answers are in [`reply`](super::reply).

mod identity;
mod images;
mod preference;
mod state;
mod usb;

pub use identity::{Board, Identity, Pri, ati, bsinfo, cgmr, cgsn, priid};
pub use images::{ActiveSlot, ImageList, Status, StoredImage, image_list};
pub use preference::{ImagePreference, Mismatch, Selection, impref};
pub use state::{GeneralStatus, Mode, PowerDetails, PowerState, Voter, gstatus, pcinfo};
pub use usb::{Composition, Speed, UsbIdentity, UsbPids, UsbSpeeds, usbcomp, usbinfo, usbpid, usbspeed};

use alloc::string::String;

/// The value after `key` and a colon, if the line begins with them. Blanks around the key, the colon and the value
/// don't matter, nor does the case of the key.
fn value<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    let (name, value) = line.split_once(':')?;
    name.trim().eq_ignore_ascii_case(key).then(|| value.trim())
}

/// A text that isn't empty.
fn text(value: &str) -> Option<String> {
    (!value.is_empty()).then(|| value.into())
}

/// A hexadecimal number with or without `0x`.
fn hex16(value: &str) -> Option<u16> {
    let digits = value.strip_prefix("0x").or_else(|| value.strip_prefix("0X"));
    u16::from_str_radix(digits.unwrap_or(value), 16).ok()
}
