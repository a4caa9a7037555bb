//! Faults on demand, as a script that people can write: `modemflash rehearse --fault stall@1048576:30s`.
//!
//! | text | what happens |
//! |---|---|
//! | `drop@N` | leaves the bus when it has taken N image bytes (all images together), and restarts |
//! | `stall@N` | takes nothing more after N image bytes |
//! | `stall@N:30s` | takes nothing for 30 s after N image bytes |
//! | `error:0x1a@chunk:K` | refuses with this code when it has got chunk K (from 0; 1 MiB each) of an image |
//! | `corrupt` / `corrupt@M` | one byte of a message of the modem is wrong |
//! | `lose` / `lose@M` | a message of the modem is lost |
//! | `duplicate` / `duplicate@M` | a message of the modem comes twice |
//! | `reject-image` / `reject-image@I` | the check at the end of image I (from 1; without number: the first) fails |
//! | `return:download` | comes back in download mode after the reset |
//! | `return:id=1199:90b1` | comes back with another USB id |
//! | `return:late=200s` | comes back later by this time |
//! | `return:never` | doesn't come back |
//!
//! Messages of the modem are counted from 1 since it is on the bus; without a number the first message after the
//! first image byte is meant. Each fault of a script happens once, but `return:…`, which holds for every
//! restart on request of the host. Several faults are separated by commas.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// All forms of a fault and their meanings, for a help text. A test holds them to what is understood.
pub const FORMS: &[(&str, &str)] = &[
    (
        "drop@BYTES",
        "leaves the bus after so many image bytes, and restarts in download mode",
    ),
    ("stall@BYTES", "takes nothing more after so many image bytes"),
    ("stall@BYTES:TIME", "takes nothing for this time (30s, 500ms, 2m)"),
    (
        "error:CODE@chunk:K",
        "refuses with this code when it has chunk K (from 0; 1 MiB each) of an image",
    ),
    (
        "corrupt[@M]",
        "one byte of message M is wrong; without M the first message behind image data",
    ),
    ("lose[@M]", "message M is lost"),
    ("duplicate[@M]", "message M comes twice"),
    (
        "reject-image[@I]",
        "the check at the end of image I (from 1) fails",
    ),
    ("return:download", "comes back in download mode after the reset"),
    ("return:id=VENDOR:PRODUCT", "comes back with another USB id"),
    ("return:late=TIME", "comes back later by this time"),
    ("return:never", "doesn't come back after the reset"),
];

/// Something that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Leaves the bus and restarts.
    Drop {
        /// After so many image bytes.
        byte: u64,
    },
    /// Takes no image bytes.
    Stall {
        /// After so many image bytes.
        byte: u64,
        /// For so long; for ever without.
        lasting: Option<Duration>,
    },
    /// Refuses the image in the middle.
    Error {
        /// QDL error code, or the number in the Firehose log line.
        code: u32,
        /// When this chunk of 1 MiB has come, from 0.
        chunk: u32,
    },
    /// One byte of a message is wrong.
    Corrupt(Message),
    /// A message is lost.
    Lose(Message),
    /// A message comes twice.
    Duplicate(Message),
    /// The check at the end of an image fails.
    RejectImage {
        /// Which image, from 1.
        number: u32,
    },
    /// Something is wrong with the return after the reset.
    Return(Return),
}

/// Which message of the modem a fault means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// The one with this number, from 1.
    Number(u32),
    /// The first after the first image byte.
    FirstAfterData,
}

/// What is wrong with the return after the reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Return {
    /// In download mode instead of normal mode.
    Download,
    /// With another USB id.
    Id {
        /// `idVendor`.
        vendor: u16,
        /// `idProduct`.
        product: u16,
    },
    /// Later than usual by this time.
    Late(Duration),
    /// Not at all.
    Never,
}

/// Faults for one run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FaultScript(pub Vec<Fault>);

/// A text that isn't a fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a fault: {why}")]
pub struct FaultError {
    /// The text.
    pub text: String,
    /// What is wrong with it.
    pub why: &'static str,
}

const KNOWN: &str = "known are drop@, stall@, error:, corrupt, lose, duplicate, reject-image and return:";
const RETURNS: &str = "known are return:download, return:id=, return:late= and return:never";

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
    let back = text.strip_prefix("return:").ok_or(KNOWN)?;
    match back.split_once('=') {
        None if back == "download" => Ok(Fault::Return(Return::Download)),
        None if back == "never" => Ok(Fault::Return(Return::Never)),
        Some(("late", lasting)) => Ok(Fault::Return(Return::Late(duration(lasting)?))),
        Some(("id", id)) => {
            let (vendor, product) = id.split_once(':').ok_or("an id is VENDOR:PRODUCT")?;
            let hex =
                |digits| u16::from_str_radix(digits, 16).map_err(|_| "an id has two hexadecimal numbers");
            Ok(Fault::Return(Return::Id {
                vendor: hex(vendor)?,
                product: hex(product)?,
            }))
        }
        _ => Err(RETURNS),
    }
}

/// A decimal or `0x` number that fits.
fn number<T: TryFrom<u64>>(text: &str) -> Result<T, &'static str> {
    let parsed = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    };
    parsed
        .map_err(|_| "not a number")
        .and_then(|number| T::try_from(number).map_err(|_| "number too large"))
}

/// `30s`, `200ms` or `2m`.
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
            Self::Return(Return::Never) => write!(f, "return:never"),
            Self::Return(Return::Late(lasting)) => write!(f, "return:late={}", Time(*lasting)),
            Self::Return(Return::Id { vendor, product }) => write!(f, "return:id={vendor:04x}:{product:04x}"),
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

/// A time in the script's form.
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
            ];
            let letters = [("chunk:K", "chunk:2"), ("@M", "@4"), ("@I", "@2")];
            let all = numbers.iter().chain(&letters);
            all.fold(form.to_owned(), |form, (name, value)| form.replace(name, value))
        };
        for (form, _) in FORMS {
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
        ] {
            let error = text.parse::<Fault>().unwrap_err();
            assert_eq!(error.why, why, "{text}");
            assert_eq!(error.text, text);
        }
    }
}
