//! Why no set was chosen: several files fit equally well, or no file fits. The error lists the files, so that the
//! user can say which one is meant.

use std::boxed::Box;
use std::fmt;
use std::path::Path;
use std::string::{String, ToString};
use std::vec::Vec;

use super::inspect::{FileError, FirmwareFile};
use crate::{Family, Platform};

/// What the user or the modem asks for. A field that is `None` accepts any value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The modem's family; [`Family::of_version_text`] finds it for a model's name.
    pub family: Option<Family>,
    /// The modem's platform, which tells the product lines of a family apart.
    pub platform: Option<Platform>,
    /// Firmware version, `02.33.03.00`.
    pub firmware: Option<String>,
    /// Config version, `002.072_000`.
    pub config: Option<String>,
    /// Carrier. Case, hyphens and underscores don't matter, and Verizon equals VZW.
    pub carrier: Option<String>,
}

/// A file that the user could mean.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Choice {
    /// The path, or `archive/entry`.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// Firmware version, if the file states one.
    pub firmware: Option<String>,
    /// Config version, if the file states one.
    pub config: Option<String>,
    /// Carrier, if the file states one.
    pub carrier: Option<String>,
    /// The families that the file may be for.
    pub families: Vec<Family>,
}

impl Choice {
    pub(crate) fn of(file: &FirmwareFile) -> Self {
        let report = file.report();
        let text = |known: &Option<crate::Known>| known.as_ref().map(|k| k.text.clone());
        Self {
            name: file.name().to_string(),
            size: report.size,
            firmware: text(&report.versions.firmware),
            config: text(&report.versions.config),
            carrier: text(&report.versions.carrier),
            families: report.families.clone(),
        }
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = [&self.firmware, &self.carrier, &self.config];
        let mut told = words.into_iter().flatten();
        write!(f, "{}", self.name)?;
        if let Some(first) = told.next() {
            write!(f, " ({first}")?;
            for word in told {
                write!(f, ", {word}")?;
            }
            write!(f, ")")?;
        }
        Ok(())
    }
}

/// What distinguishes the files that fit, and so what the user has to decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum Question {
    /// Firmware for several families of modems.
    Family,
    /// Several firmware versions.
    Firmware,
    /// Several carriers.
    Carrier,
    /// Several config versions for one carrier.
    Config,
    /// Several files that differ in none of these.
    File,
}

impl Question {
    /// One command-line option for each answer, as the user types it. Empty if no option tells the files apart.
    fn options(self, choices: &[Choice]) -> Vec<String> {
        let (option, told): (&str, fn(&Choice) -> Option<&String>) = match self {
            Self::Firmware => ("--firmware", |c| c.firmware.as_ref()),
            Self::Carrier => ("--carrier", |c| c.carrier.as_ref()),
            Self::Config => ("--config", |c| c.config.as_ref()),
            Self::Family | Self::File => return Vec::new(),
        };
        let mut options: Vec<String> = Vec::new();
        for value in choices.iter().filter_map(told) {
            let typed = std::format!("{option} {}", super::names::quoted(Path::new(value)));
            if !options.contains(&typed) {
                options.push(typed);
            }
        }
        options
    }
}

/// Why no set was chosen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChoiceError {
    /// Several files fit: the user must say which is meant.
    #[error("{}", ambiguous(*question, choices))]
    Ambiguous {
        /// What distinguishes them.
        question: Question,
        /// The files that fit, in the order they were found.
        choices: Vec<Choice>,
    },
    /// No file fits.
    #[error("{}", no_fit(wanted, choices))]
    NoFit {
        /// What was asked for.
        wanted: Box<Wanted>,
        /// The files that there are.
        choices: Vec<Choice>,
    },
    /// A file that the user means, or could mean, is damaged or can't be read.
    #[error("{}: {error}", super::names::printable(name))]
    Refused {
        /// The path, or `archive/entry`.
        name: String,
        /// Why.
        error: FileError,
    },
}

impl ChoiceError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Ambiguous { .. } => "E-SET-AMBIGUOUS",
            Self::NoFit { .. } => "E-SET-NO-FIT",
            Self::Refused { error, .. } => error.code(),
        }
    }

    /// The files to choose from.
    #[must_use]
    pub fn choices(&self) -> &[Choice] {
        match self {
            Self::Ambiguous { choices, .. } | Self::NoFit { choices, .. } => choices,
            Self::Refused { .. } => &[],
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Ambiguous { question, choices } => {
                if *question == Question::Family {
                    return Some(
                        "start one run for each model: name only the files for that model, and say which modem (`update`: --port, `rehearse`: --as)".to_string(),
                    );
                }
                let options = question.options(choices);
                if options.is_empty() {
                    return Some("name only the files that are meant".to_string());
                }
                Some(std::format!(
                    "say which is meant with {}, or name only its files",
                    options.join(" or ")
                ))
            }
            Self::NoFit { .. } => Some("choose one of the files listed, or get the one for this modem".to_string()),
            Self::Refused { error: FileError::Source(error), .. } => error.hint(),
            Self::Refused { .. } => Some(
                "download it again and compare its size or checksum with the vendor's page; or name only the other files"
                    .to_string(),
            ),
        }
    }
}

/// The files, each on a line of its own.
fn listed(choices: &[Choice]) -> String {
    choices
        .iter()
        .map(|choice| std::format!("\n    {choice}"))
        .collect()
}

fn ambiguous(question: Question, choices: &[Choice]) -> String {
    let differ = match question {
        Question::Family => "are for different modems",
        Question::Firmware => "have different firmware versions",
        Question::Carrier => "have different carriers",
        Question::Config => "have different config versions",
        Question::File => "nothing in them shows which one is meant",
    };
    std::format!("{} files fit and {differ}:{}", choices.len(), listed(choices))
}

fn no_fit(wanted: &Wanted, choices: &[Choice]) -> String {
    let mut words: Vec<String> = Vec::new();
    words.extend(
        wanted
            .family
            .as_ref()
            .map(|family| std::format!("modem family {family}")),
    );
    words.extend(
        wanted
            .firmware
            .as_ref()
            .map(|version| std::format!("firmware {version}")),
    );
    words.extend(
        wanted
            .carrier
            .as_ref()
            .map(|carrier| std::format!("carrier {carrier}")),
    );
    words.extend(
        wanted
            .config
            .as_ref()
            .map(|version| std::format!("config {version}")),
    );
    let wanted = if words.is_empty() {
        "any modem".to_string()
    } else {
        words.join(", ")
    };
    if choices.is_empty() {
        return std::format!("no image for {wanted}");
    }
    std::format!("no image for {wanted}; there is:{}", listed(choices))
}
