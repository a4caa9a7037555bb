//! Which modems `modemflash update --all` leaves out, and why.

use std::fmt;

use modem_world::World;

use super::survey::look;
use crate::decide::{Firmware, Nature, fit};
use crate::modem::{Mode, Modem};
use crate::request::{Request, Verb};
use crate::told::Cause;

/// Why a modem is left out.
#[derive(Clone, Debug, PartialEq)]
pub enum LeftOut {
    /// The modem is in Qualcomm's emergency mode.
    NoBootLoader,
    /// The host hasn't configured the USB device yet.
    NotConfigured,
    /// The modem's USB ids show that the images aren't for it; in words, what the images are for.
    ImagesFor(String),
    /// What the modem reports about itself shows that the images aren't for it.
    Unfit(Box<Cause>),
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoBootLoader => f.write_str("Sierra's boot loader is gone"),
            Self::NotConfigured => f.write_str("the host has not configured the USB device yet"),
            Self::ImagesFor(others) => write!(f, "the images are for {others}"),
            Self::Unfit(cause) => cause.fmt(f),
        }
    }
}

/// Why the images aren't for this modem; `None` if they are or may be. If the USB id leaves the family open, a running modem
/// is asked, and `asking` is called before that. If the modem's answer leaves the family open as well, the modem isn't left
/// out: then the modem's boot loader decides.
pub fn left_out(
    world: &mut dyn World,
    modem: &Modem,
    request: &Request,
    firmware: &Firmware,
    asking: &mut dyn FnMut(&Modem),
) -> Option<LeftOut> {
    match modem.mode {
        Mode::Emergency => return Some(LeftOut::NoBootLoader),
        Mode::NotConfigured => return Some(LeftOut::NotConfigured),
        Mode::Normal | Mode::Download => {}
    }
    let nature = Nature::of_modem(modem);
    let judge = |nature| fit::judge(nature, firmware, None);
    let Ok(fit) = judge(nature) else {
        return Some(LeftOut::ImagesFor(fit::words(firmware.combination())));
    };
    if modem.mode == Mode::Download || fit.doubt.is_none() {
        return None;
    }
    asking(modem);
    let facts = look(world, modem.clone(), request, Some(Verb::Update)).facts?;
    let refused = judge(nature.with_facts(&facts)).err()?;
    Some(LeftOut::Unfit(Box::new(refused)))
}
