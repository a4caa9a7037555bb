//! The commands that the tool itself sends, and what the user's commands can do (at.md §3).

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

/// How long the answer to a query may take (at.md §2).
pub const QUERY: Duration = Duration::from_secs(5);
/// How long the answer to AT!BOOTHOLD, AT!RESET and AT!IMPREF= may take (at.md §2).
pub const CHANGE: Duration = Duration::from_secs(10);
/// How long the answer to AT!RMARESET and AT!IMAGE=0 may take (at.md §2).
pub const WIPE: Duration = Duration::from_secs(30);
/// How long the answer to AT may take on a port that may not be an AT port (at.md §1).
pub const SYNC: Duration = Duration::from_secs(2);

/// The longest command that is accepted from a user. The longest forms of AT!IMAGE= and AT!PRIID= are shorter.
const LONGEST: usize = 256;

/// Commands that restart the modem into its boot loader (at.md §3).
const INTO_DOWNLOAD_MODE: &[&str] = &["!BOOTHOLD"];

/// One AT command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    text: Cow<'static, str>,
    patience: Duration,
    effect: Effect,
}

/// What a command does to the port through which it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The port stays.
    Stays,
    /// The modem restarts. If the port disappears before an answer comes, the modem has taken the command (at.md §2).
    Restarts,
}

impl Command {
    /// Asks for nothing but an OK: does anything answer on the port?
    pub const SYNC: Self = Self::fixed("AT", SYNC, Effect::Stays);
    /// Everything about the modem at once.
    pub const IDENTITY: Self = Self::query("ATI");
    /// The firmware's revision.
    pub const REVISION: Self = Self::query("AT+CGMR");
    /// The IMEI.
    pub const IMEI: Self = Self::query("AT+CGSN");
    /// The OEM's and the carrier's configuration.
    pub const PRI: Self = Self::query("AT!PRIID?");
    /// Operating mode.
    pub const STATUS: Self = Self::query("AT!GSTATUS?");
    /// Why the radio is off.
    pub const POWER: Self = Self::query("AT!PCINFO?");
    /// Which firmware and carrier the modem prefers and which it runs.
    pub const PREFERENCE: Self = Self::query("AT!IMPREF?");
    /// The only name of [`Command::PREFERENCE`] that MC73xx know.
    pub const OLD_PREFERENCE: Self = Self::query("AT!GOBIIMPREF?");
    /// Stored images.
    pub const IMAGES: Self = Self::query("AT!IMAGE?");
    /// USB composition. Locked on many firmwares.
    pub const USB_COMPOSITION: Self = Self::query("AT!USBCOMP?");
    /// USB product ids. Often locked.
    pub const USB_PIDS: Self = Self::query("AT!USBPID?");
    /// USB vendor id. Often locked.
    pub const USB_VENDOR: Self = Self::query("AT!USBVID?");
    /// USB product string. Often locked.
    pub const USB_PRODUCT: Self = Self::query("AT!USBPRODUCT?");
    /// USB ids and strings, never locked.
    pub const USB_INFO: Self = Self::query("AT!USBINFO?");
    /// USB speeds. Often locked.
    pub const USB_SPEED: Self = Self::query("AT!USBSPEED?");
    /// Board and flash chip.
    pub const BOARD: Self = Self::query("AT!BSINFO");
    /// Unlocks the protected commands with the factory password until the next reset. If the modem refuses it, the
    /// tool tries no other password.
    pub const UNLOCK: Self = Self::query("AT!ENTERCND=\"A710\"");
    /// Restart into the boot loader.
    pub const BOOT_HOLD: Self = Self::fixed("AT!BOOTHOLD", CHANGE, Effect::Restarts);
    /// Normal restart.
    pub const RESET: Self = Self::fixed("AT!RESET", CHANGE, Effect::Restarts);

    /// The commands whose answers are recorded before an update, so that the modem can be repaired by hand (at.md §3,
    /// policy).
    pub const BEFORE_UPDATE: [Self; 9] = [
        Self::IDENTITY,
        Self::PRI,
        Self::PREFERENCE,
        Self::IMAGES,
        Self::USB_COMPOSITION,
        Self::USB_PIDS,
        Self::USB_VENDOR,
        Self::USB_PRODUCT,
        Self::POWER,
    ];

    const fn fixed(text: &'static str, patience: Duration, effect: Effect) -> Self {
        Self {
            text: Cow::Borrowed(text),
            patience,
            effect,
        }
    }

    const fn query(text: &'static str) -> Self {
        Self::fixed(text, QUERY, Effect::Stays)
    }

    /// A command that the user gave; `None` unless [`is_valid_text`]. Whether the command is dangerous isn't checked
    /// here, see [`danger`].
    pub fn given(text: &str) -> Option<Self> {
        let text = text.trim();
        if !is_valid_text(text) {
            return None;
        }
        let bare = bare(text);
        let has = |names: &[&str]| names.iter().any(|name| bare.contains(name));
        let patience = if has(&["!RMARESET", "!NVRESTORE", "!IMAGE=0"]) {
            WIPE
        } else if has(&["!BOOTHOLD", "!RESET", "IMPREF=", "+CFUN="]) {
            CHANGE
        } else {
            QUERY
        };
        let restarts = has(&["!BOOTHOLD", "!RESET", "!RMARESET", "+CFUN=1,1"]);
        Some(Self {
            text: Cow::Owned(String::from(text)),
            patience,
            effect: if restarts { Effect::Restarts } else { Effect::Stays },
        })
    }

    /// The same command with another limit for its answer.
    #[must_use]
    pub const fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// The command without CR.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// How long the answer may take.
    pub const fn patience(&self) -> Duration {
        self.patience
    }

    /// What the command does to the port.
    pub const fn effect(&self) -> Effect {
        self.effect
    }

    /// Whether the command, or another command in the same line, changes something: it restarts the modem, or isn't
    /// known to be harmless.
    pub fn changes_something(&self) -> bool {
        self.effect == Effect::Restarts || danger(&self.text).is_some()
    }

    /// Whether the command, or another command in the same line, sends the modem into download mode.
    pub fn leads_into_download_mode(&self) -> bool {
        let line = super::line::unquoted(&self.text);
        INTO_DOWNLOAD_MODE.iter().any(|name| {
            line.match_indices(name).any(|(at, _)| {
                let rest = line.get(at + name.len()..).unwrap_or_default();
                // The query and test forms change nothing.
                !rest.starts_with('?') && !rest.starts_with("=?")
            })
        })
    }

    /// The bytes to be written in one write: the text and a CR (at.md §2).
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.text.as_bytes().to_vec();
        bytes.push(b'\r');
        bytes
    }
}

/// Whether a text can be sent to a modem as one command. It has to begin with AT, be no longer than any known
/// command, and consist of printable ASCII, so that no second command can hide after a CR.
pub fn is_valid_text(text: &str) -> bool {
    let begins = text
        .get(..2)
        .is_some_and(|start| start.eq_ignore_ascii_case("AT"));
    begins && text.len() <= LONGEST && text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

/// A dangerous effect of a user's command, about which the program asks the user first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Danger {
    /// What the command does, as the end of a sentence that begins with the command.
    pub words: &'static str,
    /// What the user has to say before the command is sent.
    pub consent: Consent,
}

/// The consent that at.md §3 (policy) requires before a command is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Consent {
    /// A confirmation.
    Confirmation,
    /// An option with which the user says that they know what will be lost.
    Knowledge,
}

/// The dangerous commands: name, required consent, words. If a name ends in `=`, its query and test forms are
/// harmless.
const DANGERS: &[(&str, Consent, &str)] = &[
    (
        "!RMARESET=",
        Consent::Knowledge,
        "restores the maker's settings: USB ids, composition, image preference; custom settings are lost",
    ),
    (
        "!NVRESTORE=",
        Consent::Knowledge,
        "restores settings from a backup; the USB id changes at the next reset, and the ports may be gone then",
    ),
    (
        "!IMAGE=",
        Consent::Confirmation,
        "deletes stored firmware and carrier images",
    ),
    (
        "IMPREF=",
        Consent::Confirmation,
        "changes which firmware and carrier the modem wants; without a stored image that fits, the radio stays off",
    ),
    (
        "USBCOMP=",
        Consent::Confirmation,
        "changes the USB interfaces at the next reset; the control and AT ports may be gone then, and the USB id may change",
    ),
    (
        "!USBPID=",
        Consent::Confirmation,
        "changes the USB product id at the next reset; with an id that no driver knows, there are no ports",
    ),
    (
        "!UDPID=",
        Consent::Confirmation,
        "changes the USB product id at the next reset; with an id that no driver knows, there are no ports",
    ),
    (
        "!USBVID=",
        Consent::Confirmation,
        "changes the USB vendor id at the next reset; with an id that no driver knows, there are no ports",
    ),
    (
        "!USBPRODUCT=",
        Consent::Confirmation,
        "changes the product name that the modem shows on USB",
    ),
    (
        "!USBSPEED=",
        Consent::Confirmation,
        "changes the USB speed at the next reset; in a slot that supports only the other speed, the modem then disappears",
    ),
    (
        "!PRIID=",
        Consent::Confirmation,
        "overwrites the maker's identity in the modem; carrier approval and laptops' lists of allowed modems depend on it",
    ),
    (
        "!SETCND=",
        Consent::Confirmation,
        "changes the password of the protected commands",
    ),
    (
        "+CFUN=",
        Consent::Confirmation,
        "switches the radio, or restarts the modem; the connection is lost",
    ),
    ("+CMGD=", Consent::Confirmation, "deletes text messages"),
    (
        "!BOOTHOLD",
        Consent::Confirmation,
        "restarts the modem into its boot loader; the connection is lost until the next restart",
    ),
    (
        "!RESET",
        Consent::Confirmation,
        "restarts the modem; the connection is lost",
    ),
];

/// The danger of a user's command; `None` if it is harmless. A line with several commands gets the most serious of
/// their dangers. No list of dangers is complete, so a command that sets something counts as dangerous unless it is
/// known to be harmless.
pub fn danger(text: &str) -> Option<Danger> {
    known_danger(&bare(text)).or_else(|| {
        let words = super::line::unknown_change(text)?;
        let consent = Consent::Confirmation;
        Some(Danger { words, consent })
    })
}

fn known_danger(bare: &str) -> Option<Danger> {
    DANGERS
        .iter()
        .filter(|&&(name, _, _)| {
            bare.match_indices(name).any(|(at, _)| {
                let rest = bare.get(at + name.len()..).unwrap_or_default();
                match name {
                    // Operations 1 and 2 only list images (trace at_em7565_images-and-mismatch).
                    "!IMAGE=" => !rest.starts_with(['?', '1', '2']),
                    name if name.ends_with('=') => !rest.starts_with('?'),
                    _ => true,
                }
            })
        })
        .max_by_key(|(_, consent, _)| *consent)
        .map(|&(_, consent, words)| Danger { words, consent })
}

/// The words of [`danger`].
pub fn is_dangerous(text: &str) -> Option<&'static str> {
    danger(text).map(|danger| danger.words)
}

/// The command in capitals and without blanks. Quoted text is kept: a command name inside it can at worst cause a
/// needless question.
fn bare(text: &str) -> String {
    text.chars()
        .filter(|character| !character.is_whitespace())
        .map(|character| character.to_ascii_uppercase())
        .collect()
}
