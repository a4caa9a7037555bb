//! Faults on demand, written as a script: `modemflash rehearse --fault stall@1048576:30s`.
//!
//! | text | what happens |
//! |---|---|
//! | `drop@N` | leaves the bus after N image bytes (of all images together), and restarts |
//! | `stall@N` | takes nothing more after N image bytes |
//! | `stall@N:30s` | takes nothing for 30 s after N image bytes |
//! | `error:0x1a@chunk:K` | refuses with this code after chunk K (from 0; 1 MiB each) of an image |
//! | `corrupt` / `corrupt@M` | one byte of a message of the modem is wrong |
//! | `lose` / `lose@M` | a message of the modem is lost |
//! | `duplicate` / `duplicate@M` | a message of the modem comes twice |
//! | `reject-image` / `reject-image@I` | the check at the end of image I (from 1; by default the first) fails |
//! | `return:download` | comes back in download mode after the reset |
//! | `return:download-once` | comes back in download mode after the first reset, and starts its firmware after the next one |
//! | `return:id=1199:90b1` | comes back with another USB id |
//! | `return:late=200s` | comes back this much later |
//! | `return:never` | doesn't come back |
//! | `return:again=2s` | leaves the bus once more, this long after coming back |
//! | `return:crashes=3s` | leaves the bus this long after coming back from a flash, again and again, 12 s each time |
//! | `return:other-bus` | comes back on the bus of the other speed |
//! | `return:not-ready=60s` | answers "device not ready" for this long |
//! | `return:old-firmware` | comes back with the firmware from before the flash |
//! | `return:mismatch` | comes back in low power: its settings don't fit |
//! | `return:pri-lags` | the first flash doesn't apply the settings, a second one does |
//! | `return:other-modem` | another modem comes back: its IMEI is different |
//! | `enter:normal` | comes back in normal mode instead of download mode |
//! | `enter:id=1199:90b0` / `enter:late=30s` / `enter:never` / `enter:other-bus` | as with `return:`, on the way into download mode |
//! | `lose-answer@0x48` | the answer to this DMS message is lost; `@ctl:0x22` means a message of the control service |
//! | `late-answer@0x48:12s` | the answer comes this much later |
//! | `repeat-answer@0x48` | the answer comes twice |
//! | `refuse@0x48:52` | the message is refused with this error |
//!
//! Messages of the modem are counted from 1 since the modem came onto the bus. Without a number, the first
//! message after the first image byte is meant. Each fault of a script happens once, with two exceptions:
//! `return:…` holds for every restart into normal mode that the host asks for, and `enter:…` for every way
//! into download mode. `return:download-once` and `return:pri-lags` happen only once. Several faults are separated by commas.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// The faults of a modem in download mode and their meanings, for a help text. A test checks that each form
/// can be parsed.
pub const FORMS: &[(&str, &str)] = &[
    (
        "drop@BYTES",
        "leaves the bus after this many image bytes, and restarts in download mode",
    ),
    ("stall@BYTES", "takes nothing more after this many image bytes"),
    (
        "stall@BYTES:TIME",
        "then takes nothing for this long (30s, 500ms, 2m)",
    ),
    (
        "error:CODE@chunk:K",
        "refuses with this code after chunk K (from 0; 1 MiB each) of an image",
    ),
    (
        "corrupt[@M]",
        "one byte of message M is wrong; without M the first message after image data",
    ),
    ("lose[@M]", "message M is lost"),
    ("duplicate[@M]", "message M comes twice"),
    (
        "reject-image[@I]",
        "the check at the end of image I (from 1) fails",
    ),
    ("return:download", "comes back in download mode after the reset"),
    ("return:id=VENDOR:PRODUCT", "comes back with another USB id"),
    ("return:late=TIME", "comes back this much later"),
    ("return:never", "doesn't come back after the reset"),
    (
        "return:download-once",
        "comes back in download mode after the first reset only",
    ),
];

/// The faults of running firmware: on the way into download mode, on the way back, and on the control port.
pub const NORMAL_FORMS: &[(&str, &str)] = &[
    (
        "return:again=TIME",
        "leaves the bus once more, this long after coming back",
    ),
    (
        "return:crashes=TIME",
        "leaves the bus this long after coming back, again and again",
    ),
    ("return:other-bus", "comes back on the bus of the other USB speed"),
    ("return:not-ready=TIME", "answers \"not ready\" for this long"),
    (
        "return:old-firmware",
        "comes back with the firmware from before the flash",
    ),
    (
        "return:mismatch",
        "comes back in low power: its settings don't fit",
    ),
    (
        "return:pri-lags",
        "the first flash doesn't apply the settings, a second one does",
    ),
    (
        "return:other-modem",
        "another modem comes back: its IMEI is different",
    ),
    (
        "enter:normal",
        "comes back in normal mode although it was sent to download mode",
    ),
    ("enter:id=VENDOR:PRODUCT", "has another USB id in download mode"),
    ("enter:late=TIME", "enters download mode this much later"),
    ("enter:never", "doesn't come back in download mode"),
    (
        "enter:other-bus",
        "is on the bus of the other USB speed in download mode",
    ),
    (
        "lose-answer@MESSAGE",
        "the answer to this QMI message is lost: 0x48 of DMS, ctl:0x22 of the control service",
    ),
    ("late-answer@MESSAGE:TIME", "the answer comes this much later"),
    ("repeat-answer@MESSAGE", "the answer comes twice"),
    (
        "refuse@MESSAGE:ERROR",
        "the message is refused with this QMI error",
    ),
];

/// Something that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The modem leaves the bus and restarts.
    Drop {
        /// After this many image bytes.
        byte: u64,
    },
    /// The modem takes no image bytes.
    Stall {
        /// After this many image bytes.
        byte: u64,
        /// For this long; for ever if there is no time.
        lasting: Option<Duration>,
    },
    /// The modem refuses the image in the middle.
    Error {
        /// QDL error code, or the number in the Firehose log line.
        code: u32,
        /// After this chunk of 1 MiB, from 0.
        chunk: u32,
    },
    /// One byte of a message of the modem is wrong.
    Corrupt(Message),
    /// A message of the modem is lost.
    Lose(Message),
    /// A message of the modem comes twice.
    Duplicate(Message),
    /// The check at the end of an image fails.
    RejectImage {
        /// Which image, from 1.
        number: u32,
    },
    /// Something is wrong with the return after the reset.
    Return(Return),
    /// Something is wrong with the way into download mode.
    Enter(Enter),
    /// Something is wrong with an answer of the control port.
    Answer(Answer, AnswerFault),
}

/// The answer to a QMI message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// To a message of the control service.
    Ctl(u16),
    /// To a message of device management.
    Dms(u16),
}

/// What is wrong with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerFault {
    /// The answer is lost, but the modem does what was asked for.
    Lost,
    /// The answer comes this much later.
    Late(Duration),
    /// The answer comes twice.
    Twice,
    /// The modem refuses the message with this error and does nothing.
    Refused(u16),
}

/// What is wrong with the way into download mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enter {
    /// The modem comes back in normal mode (field-reports.md B1: a pin of the M.2 socket).
    Normal,
    /// The modem has another USB id.
    Id {
        /// `idVendor`.
        vendor: u16,
        /// `idProduct`.
        product: u16,
    },
    /// The modem comes this much later than usual.
    Late(Duration),
    /// The modem doesn't come back.
    Never,
    /// The modem is on the bus of the other speed.
    OtherBus,
}

/// Which message of the modem a fault means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// The message with this number, from 1.
    Number(u32),
    /// The first message after the first image byte.
    FirstAfterData,
}

/// What is wrong with the return after the reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Return {
    /// The modem comes back in download mode instead of normal mode.
    Download,
    /// The same, but only after the first reset.
    DownloadOnce,
    /// The modem has another USB id.
    Id {
        /// `idVendor`.
        vendor: u16,
        /// `idProduct`.
        product: u16,
    },
    /// The modem comes back this much later than usual.
    Late(Duration),
    /// The modem doesn't come back.
    Never,
    /// The modem leaves the bus once more, this long after coming back.
    Again(Duration),
    /// The firmware crashes this long after coming back, again and again: a boot loop (field-reports.md E5).
    Crashes(Duration),
    /// The modem is on the bus of the other speed.
    OtherBus,
    /// The modem isn't ready for this long.
    NotReady(Duration),
    /// The modem has the firmware from before the flash (field-reports.md D10).
    OldFirmware,
    /// The modem is in low power because its settings don't fit (D4).
    Mismatch,
    /// The first flash doesn't apply the settings (D5, D11, F3).
    PriLags,
    /// The modem has another IMEI.
    OtherModem,
}

/// The faults of one run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FaultScript(pub Vec<Fault>);

/// Why a text isn't a fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a fault: {why}")]
pub struct FaultError {
    /// The text.
    pub text: String,
    /// What is wrong with it.
    pub why: &'static str,
}

const KNOWN: &str = "known are drop@, stall@, error:, corrupt, lose, duplicate, reject-image, return:, enter:, \
    lose-answer@, late-answer@, repeat-answer@ and refuse@";
const RETURNS: &str = "known are return:download, download-once, id=, late=, never, again=, crashes=, other-bus, not-ready=, old-firmware, mismatch, \
    pri-lags and other-modem";
const ENTERS: &str = "known are enter:normal, id=, late=, never and other-bus";

impl FromStr for FaultScript {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        let pieces = text.split(',').map(str::trim).filter(|piece| !piece.is_empty());
        pieces.map(str::parse).collect::<Result<_, _>>().map(Self)
    }
}

impl fmt::Display for FaultScript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().enumerate().try_for_each(|(place, fault)| {
            let comma = if place == 0 { "" } else { "," };
            write!(f, "{comma}{fault}")
        })
    }
}

impl FromStr for Fault {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        parse(text.trim()).map_err(|why| FaultError {
            text: text.to_owned(),
            why,
        })
    }
}

fn parse(text: &str) -> Result<Fault, &'static str> {
    let (name, place) = text
        .split_once('@')
        .map_or((text, None), |(name, place)| (name, Some(place)));
    let message = || match place {
        None => Ok(Message::FirstAfterData),
        Some(place) => match number(place)? {
            0 => Err("messages are counted from 1"),
            place => Ok(Message::Number(place)),
        },
    };
    match name {
        "corrupt" => return Ok(Fault::Corrupt(message()?)),
        "lose" => return Ok(Fault::Lose(message()?)),
        "duplicate" => return Ok(Fault::Duplicate(message()?)),
        "reject-image" => {
            return match place.map(number).transpose()? {
                Some(0) => Err("images are counted from 1"),
                place => Ok(Fault::RejectImage {
                    number: place.unwrap_or(1),
                }),
            };
        }
        "drop" => {
            let place = place.ok_or("it needs a place: drop@BYTES")?;
            return Ok(Fault::Drop { byte: number(place)? });
        }
        "stall" => {
            let place = place.ok_or("it needs a place: stall@BYTES or stall@BYTES:SECONDSs")?;
            let (byte, lasting) = place
                .split_once(':')
                .map_or((place, None), |(byte, lasting)| (byte, Some(lasting)));
            return Ok(Fault::Stall {
                byte: number(byte)?,
                lasting: lasting.map(duration).transpose()?,
            });
        }
        _ => {}
    }
    if let Some(code) = name.strip_prefix("error:") {
        let chunk = place.and_then(|place| place.strip_prefix("chunk:"));
        let chunk = number(chunk.ok_or("it needs a place: error:CODE@chunk:K")?)?;
        return Ok(Fault::Error {
            code: number(code)?,
            chunk,
        });
    }
    if let Some(fault) = answer(name, place)? {
        return Ok(fault);
    }
    if let Some(on_the_way) = text.strip_prefix("enter:") {
        return Ok(Fault::Enter(match on_the_way.split_once('=') {
            None if on_the_way == "normal" => Enter::Normal,
            None if on_the_way == "never" => Enter::Never,
            None if on_the_way == "other-bus" => Enter::OtherBus,
            Some(("late", lasting)) => Enter::Late(duration(lasting)?),
            Some(("id", id)) => {
                let (vendor, product) = self::id(id)?;
                Enter::Id { vendor, product }
            }
            _ => return Err(ENTERS),
        }));
    }
    let back = text.strip_prefix("return:").ok_or(KNOWN)?;
    Ok(Fault::Return(match back.split_once('=') {
        None if back == "download" => Return::Download,
        None if back == "download-once" => Return::DownloadOnce,
        None if back == "never" => Return::Never,
        None if back == "other-bus" => Return::OtherBus,
        None if back == "old-firmware" => Return::OldFirmware,
        None if back == "mismatch" => Return::Mismatch,
        None if back == "pri-lags" => Return::PriLags,
        None if back == "other-modem" => Return::OtherModem,
        Some(("late", lasting)) => Return::Late(duration(lasting)?),
        Some(("again", after)) => Return::Again(duration(after)?),
        Some(("crashes", after)) => Return::Crashes(duration(after)?),
        Some(("not-ready", lasting)) => Return::NotReady(duration(lasting)?),
        Some(("id", id)) => {
            let (vendor, product) = self::id(id)?;
            Return::Id { vendor, product }
        }
        _ => return Err(RETURNS),
    }))
}

/// Parses faults of the control port's answers: `late-answer@0x48:12s`.
fn answer(name: &str, place: Option<&str>) -> Result<Option<Fault>, &'static str> {
    if !matches!(name, "lose-answer" | "late-answer" | "repeat-answer" | "refuse") {
        return Ok(None);
    }
    let place = place.ok_or("it needs a message: @0x48 of DMS or @ctl:0x22")?;
    let (is_ctl, place) = place
        .strip_prefix("ctl:")
        .map_or((false, place), |message| (true, message));
    let (message, more) = place
        .split_once(':')
        .map_or((place, None), |(message, more)| (message, Some(more)));
    let message = number(message)?;
    let which = if is_ctl {
        Answer::Ctl(message)
    } else {
        Answer::Dms(message)
    };
    let what = match (name, more) {
        ("lose-answer", None) => AnswerFault::Lost,
        ("repeat-answer", None) => AnswerFault::Twice,
        ("late-answer", Some(lasting)) => AnswerFault::Late(duration(lasting)?),
        ("refuse", Some(error)) => AnswerFault::Refused(number(error)?),
        ("late-answer", None) => return Err("it needs a time: late-answer@0x48:12s"),
        ("refuse", None) => return Err("it needs an error: refuse@0x48:52"),
        _ => return Err("nothing may follow the message"),
    };
    Ok(Some(Fault::Answer(which, what)))
}

fn id(id: &str) -> Result<(u16, u16), &'static str> {
    let (vendor, product) = id.split_once(':').ok_or("an id is VENDOR:PRODUCT")?;
    let hex = |digits| u16::from_str_radix(digits, 16).map_err(|_| "an id has two hexadecimal numbers");
    Ok((hex(vendor)?, hex(product)?))
}

/// A decimal or `0x` number that fits into `T`.
fn number<T: TryFrom<u64>>(text: &str) -> Result<T, &'static str> {
    let parsed = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    };
    parsed
        .map_err(|_| "not a number")
        .and_then(|number| T::try_from(number).map_err(|_| "number too large"))
}

/// Parses `30s`, `200ms` or `2m`.
fn duration(text: &str) -> Result<Duration, &'static str> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let count: u32 = number(digits)?;
    match text.get(digits.len()..).unwrap_or_default() {
        "ms" => Ok(Duration::from_millis(count.into())),
        "s" => Ok(Duration::from_secs(count.into())),
        "m" => Ok(Duration::from_secs(u64::from(count) * 60)),
        _ => Err("a time is a number with ms, s or m"),
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Drop { byte } => write!(f, "drop@{byte}"),
            Self::Stall { byte, lasting: None } => write!(f, "stall@{byte}"),
            Self::Stall {
                byte,
                lasting: Some(lasting),
            } => write!(f, "stall@{byte}:{}", Time(*lasting)),
            Self::Error { code, chunk } => write!(f, "error:{code:#04x}@chunk:{chunk}"),
            Self::Corrupt(message) => write!(f, "corrupt{message}"),
            Self::Lose(message) => write!(f, "lose{message}"),
            Self::Duplicate(message) => write!(f, "duplicate{message}"),
            Self::RejectImage { number } => write!(f, "reject-image@{number}"),
            Self::Return(Return::Download) => write!(f, "return:download"),
            Self::Return(Return::DownloadOnce) => write!(f, "return:download-once"),
            Self::Return(Return::Never) => write!(f, "return:never"),
            Self::Return(Return::Late(lasting)) => write!(f, "return:late={}", Time(*lasting)),
            Self::Return(Return::Id { vendor, product }) => write!(f, "return:id={vendor:04x}:{product:04x}"),
            Self::Return(Return::Again(after)) => write!(f, "return:again={}", Time(*after)),
            Self::Return(Return::Crashes(after)) => write!(f, "return:crashes={}", Time(*after)),
            Self::Return(Return::OtherBus) => write!(f, "return:other-bus"),
            Self::Return(Return::NotReady(lasting)) => write!(f, "return:not-ready={}", Time(*lasting)),
            Self::Return(Return::OldFirmware) => write!(f, "return:old-firmware"),
            Self::Return(Return::Mismatch) => write!(f, "return:mismatch"),
            Self::Return(Return::PriLags) => write!(f, "return:pri-lags"),
            Self::Return(Return::OtherModem) => write!(f, "return:other-modem"),
            Self::Enter(Enter::Normal) => write!(f, "enter:normal"),
            Self::Enter(Enter::Never) => write!(f, "enter:never"),
            Self::Enter(Enter::OtherBus) => write!(f, "enter:other-bus"),
            Self::Enter(Enter::Late(lasting)) => write!(f, "enter:late={}", Time(*lasting)),
            Self::Enter(Enter::Id { vendor, product }) => write!(f, "enter:id={vendor:04x}:{product:04x}"),
            Self::Answer(which, AnswerFault::Lost) => write!(f, "lose-answer{which}"),
            Self::Answer(which, AnswerFault::Twice) => write!(f, "repeat-answer{which}"),
            Self::Answer(which, AnswerFault::Late(lasting)) => {
                write!(f, "late-answer{which}:{}", Time(*lasting))
            }
            Self::Answer(which, AnswerFault::Refused(error)) => write!(f, "refuse{which}:{error}"),
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ctl(message) => write!(f, "@ctl:{message:#x}"),
            Self::Dms(message) => write!(f, "@{message:#x}"),
        }
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "@{number}"),
            Self::FirstAfterData => Ok(()),
        }
    }
}

/// A time as the script writes it.
struct Time(Duration);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.subsec_millis() == 0 {
            write!(f, "{}s", self.0.as_secs())
        } else {
            write!(f, "{}ms", self.0.as_millis())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_understood_and_written_back() {
        let forms = [
            ("drop@1048576", Fault::Drop { byte: 1_048_576 }),
            (
                "stall@0",
                Fault::Stall {
                    byte: 0,
                    lasting: None,
                },
            ),
            (
                "stall@70000:30s",
                Fault::Stall {
                    byte: 70_000,
                    lasting: Some(Duration::from_secs(30)),
                },
            ),
            (
                "stall@7:250ms",
                Fault::Stall {
                    byte: 7,
                    lasting: Some(Duration::from_millis(250)),
                },
            ),
            ("error:0x1a@chunk:3", Fault::Error { code: 0x1a, chunk: 3 }),
            ("corrupt", Fault::Corrupt(Message::FirstAfterData)),
            ("corrupt@4", Fault::Corrupt(Message::Number(4))),
            ("lose@1", Fault::Lose(Message::Number(1))),
            ("duplicate", Fault::Duplicate(Message::FirstAfterData)),
            ("reject-image@2", Fault::RejectImage { number: 2 }),
            ("return:download", Fault::Return(Return::Download)),
            ("return:download-once", Fault::Return(Return::DownloadOnce)),
            (
                "return:id=1199:90b1",
                Fault::Return(Return::Id {
                    vendor: 0x1199,
                    product: 0x90b1,
                }),
            ),
            (
                "return:late=200s",
                Fault::Return(Return::Late(Duration::from_secs(200))),
            ),
            ("return:never", Fault::Return(Return::Never)),
            (
                "return:again=2s",
                Fault::Return(Return::Again(Duration::from_secs(2))),
            ),
            (
                "return:crashes=3s",
                Fault::Return(Return::Crashes(Duration::from_secs(3))),
            ),
            ("return:other-bus", Fault::Return(Return::OtherBus)),
            (
                "return:not-ready=60s",
                Fault::Return(Return::NotReady(Duration::from_secs(60))),
            ),
            ("return:old-firmware", Fault::Return(Return::OldFirmware)),
            ("return:mismatch", Fault::Return(Return::Mismatch)),
            ("return:pri-lags", Fault::Return(Return::PriLags)),
            ("return:other-modem", Fault::Return(Return::OtherModem)),
            ("enter:normal", Fault::Enter(Enter::Normal)),
            ("enter:never", Fault::Enter(Enter::Never)),
            ("enter:other-bus", Fault::Enter(Enter::OtherBus)),
            (
                "enter:late=30s",
                Fault::Enter(Enter::Late(Duration::from_secs(30))),
            ),
            (
                "enter:id=1199:90b0",
                Fault::Enter(Enter::Id {
                    vendor: 0x1199,
                    product: 0x90b0,
                }),
            ),
            (
                "lose-answer@0x3e",
                Fault::Answer(Answer::Dms(0x3e), AnswerFault::Lost),
            ),
            (
                "repeat-answer@ctl:0x22",
                Fault::Answer(Answer::Ctl(0x22), AnswerFault::Twice),
            ),
            (
                "late-answer@0x48:12s",
                Fault::Answer(Answer::Dms(0x48), AnswerFault::Late(Duration::from_secs(12))),
            ),
            (
                "refuse@0x48:52",
                Fault::Answer(Answer::Dms(0x48), AnswerFault::Refused(52)),
            ),
        ];
        for (text, fault) in forms {
            assert_eq!(text.parse(), Ok(fault));
            assert_eq!(fault.to_string(), text);
        }
    }

    #[test]
    fn every_form_of_the_help_text_is_understood_with_and_without_its_number() {
        let filled = |form: &str| {
            let numbers = [
                ("VENDOR:PRODUCT", "1199:90b1"),
                ("BYTES", "7"),
                ("TIME", "3s"),
                ("CODE", "0x1a"),
                ("MESSAGE", "0x48"),
                ("ERROR", "52"),
            ];
            let letters = [("chunk:K", "chunk:2"), ("@M", "@4"), ("@I", "@2")];
            let all = numbers.iter().chain(&letters);
            all.fold(form.to_owned(), |form, (name, value)| form.replace(name, value))
        };
        for (form, _) in FORMS.iter().chain(NORMAL_FORMS) {
            let whole = filled(&form.replace(['[', ']'], ""));
            assert!(whole.parse::<Fault>().is_ok(), "{whole}");
            if let Some((short, _)) = form.split_once('[') {
                assert!(short.parse::<Fault>().is_ok(), "{short}");
            }
        }
    }

    #[test]
    fn short_forms_mean_the_first() {
        assert_eq!("reject-image".parse(), Ok(Fault::RejectImage { number: 1 }));
        assert_eq!(
            "error:26@chunk:0x2".parse(),
            Ok(Fault::Error { code: 26, chunk: 2 })
        );
        assert_eq!(
            "stall@5:2m".parse(),
            Ok(Fault::Stall {
                byte: 5,
                lasting: Some(Duration::from_secs(120))
            })
        );
    }

    #[test]
    fn a_script_is_a_list_with_commas() {
        let script: FaultScript = "duplicate@2, return:never".parse().unwrap();
        assert_eq!(script.0.len(), 2);
        assert_eq!(script.to_string(), "duplicate@2,return:never");
        assert_eq!("".parse(), Ok(FaultScript::default()));
    }

    #[test]
    fn what_is_wrong_with_a_text_is_said() {
        for (text, why) in [
            ("explode", KNOWN),
            ("drop", "it needs a place: drop@BYTES"),
            ("drop@x", "not a number"),
            ("corrupt@0", "messages are counted from 1"),
            ("corrupt@99999999999", "number too large"),
            ("error:1", "it needs a place: error:CODE@chunk:K"),
            ("stall@1:5", "a time is a number with ms, s or m"),
            ("return:sometimes", RETURNS),
            ("return:id=1199", "an id is VENDOR:PRODUCT"),
            ("enter:sometimes", ENTERS),
            ("lose-answer", "it needs a message: @0x48 of DMS or @ctl:0x22"),
            ("late-answer@0x48", "it needs a time: late-answer@0x48:12s"),
            ("refuse@0x48", "it needs an error: refuse@0x48:52"),
            ("lose-answer@0x48:1", "nothing may follow the message"),
        ] {
            let error = text.parse::<Fault>().unwrap_err();
            assert_eq!(error.why, why, "{text}");
            assert_eq!(error.text, text);
        }
    }
}
