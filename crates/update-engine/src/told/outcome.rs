//! How a run can end well.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::advice::Advice;
use crate::modem::{Radio, Trio};

/// What a run has achieved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Outcome {
    /// The modem runs what was requested: the versions were read back from the modem.
    Updated(Updated),
    /// The modem already ran what was requested; nothing was done.
    Unchanged(Unchanged),
    /// The modem acknowledged every image, was told to reset and left the bus. What it runs after the restart
    /// was not read back, or the files name no version to compare with. So this outcome is never called
    /// "updated".
    Accepted(Accepted),
}

/// The modem runs what was requested.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Updated {
    /// Always true: the versions were read back.
    pub proven: bool,
    /// What the modem ran before; none if it was found in download mode.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Trio>,
    /// What the modem runs now.
    pub to: Trio,
    /// Number of images that the modem accepted; 0 if the modem had all of them stored.
    pub accepted: usize,
    /// Number of images that the modem said it doesn't need.
    pub not_required: usize,
    /// Bytes of the accepted images.
    pub bytes: u64,
    /// How often the update was carried out: 1, or 2 for a modem that needed it twice.
    pub passes: u8,
    /// Present if the radio is off for a reason that has nothing to do with the images, such as a switch or a
    /// lock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub radio: Option<Radio>,
}

/// The modem already ran what was requested.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unchanged {
    /// Always true: the versions were read.
    pub proven: bool,
    /// What the modem runs.
    pub runs: Trio,
    /// Present if the radio is off, as in [`Updated`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub radio: Option<Radio>,
}

/// What a download has written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Written {
    pub(crate) accepted: usize,
    pub(crate) not_required: usize,
    pub(crate) bytes: u64,
}

impl Written {
    /// The outcome if the versions are not read back.
    pub(crate) fn unproven(self) -> Outcome {
        Outcome::Accepted(Accepted {
            proven: false,
            accepted: self.accepted,
            not_required: self.not_required,
            bytes: self.bytes,
            runs: None,
            next: Advice::CheckVersions,
            hint: HINT.to_owned(),
        })
    }

    /// The outcome if the modem says what it runs, but the files don't say what it should run.
    pub(crate) fn incomparable(self, runs: Trio) -> Outcome {
        Outcome::Accepted(Accepted {
            proven: false,
            accepted: self.accepted,
            not_required: self.not_required,
            bytes: self.bytes,
            next: Advice::CheckVersions,
            hint: format!("check that {runs} is the version that you want"),
            runs: Some(runs),
        })
    }

    /// The sum of two downloads.
    pub(crate) fn and(&self, more: &Self) -> Self {
        Self {
            accepted: self.accepted.saturating_add(more.accepted),
            not_required: self.not_required.saturating_add(more.not_required),
            bytes: self.bytes.saturating_add(more.bytes),
        }
    }
}

/// What to do if the versions were not read back. Modems restart once or twice, which takes up to 70 s
/// (update-flow.md §3.1, field-reports.md D8).
const HINT: &str = "give the modem two minutes, because it may restart again, then check its firmware version (`modemflash list`, \
                    AT!PACKAGE? or ATI); if it is back in download mode, run the same command again";

/// The modem accepted all images, but what it runs is not known, or not known to be right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// Always false: nothing was read back, or there was nothing to compare it with.
    pub proven: bool,
    /// Number of images that the modem accepted.
    pub accepted: usize,
    /// Number of images that the modem said it doesn't need.
    pub not_required: usize,
    /// Bytes of the accepted images.
    pub bytes: u64,
    /// What the modem runs, if it was asked after its restart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runs: Option<Trio>,
    /// What to do next.
    pub next: Advice,
    /// What to do next, in words.
    pub hint: String,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Updated(updated) => updated.fmt(f),
            Self::Unchanged(Unchanged { runs, radio, .. }) => {
                write!(
                    f,
                    "nothing to do: the modem already runs {runs} (--override-download sends it anyway)"
                )?;
                radio.iter().try_for_each(|radio| write!(f, "; {radio}"))
            }
            Self::Accepted(accepted) => accepted.fmt(f),
        }
    }
}

impl fmt::Display for Accepted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.accepted, self.not_required) {
            (0, _) => write!(f, "nothing written: the modem needs none of the images")?,
            (_, 0) => write!(f, "all images accepted")?,
            (accepted, not_required) => write!(
                f,
                "{accepted} of {} images accepted, the modem doesn't need the others",
                accepted.saturating_add(not_required)
            )?,
        }
        match (&self.runs, self.accepted, self.not_required) {
            (Some(runs), ..) => write!(
                f,
                "; the modem runs {runs}, and the files name no firmware version to compare that with"
            ),
            (None, ..) => write!(
                f,
                "; the modem was restarted, and its versions were not read back"
            ),
        }
    }
}

impl fmt::Display for Updated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.from, self.accepted) {
            (None, _) => write!(f, "rescued: the modem runs {}", self.to)?,
            (_, 0) => write!(
                f,
                "switched to {}, which the modem had stored: nothing had to be downloaded",
                self.to
            )?,
            (Some(from), _) => write!(f, "updated from {from} to {}", self.to)?,
        }
        write!(f, "; read back from the modem")?;
        if self.passes > 1 {
            write!(f, "; the modem needed the update twice")?;
        }
        self.radio.iter().try_for_each(|radio| write!(f, "; {radio}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_accepted_flash_is_not_called_proven() {
        let outcome = Outcome::Accepted(Accepted {
            proven: false,
            accepted: 2,
            not_required: 0,
            bytes: 7,
            runs: None,
            next: Advice::CheckVersions,
            hint: "n".into(),
        });
        assert_eq!(
            outcome.to_string(),
            "all images accepted; the modem was restarted, and its versions were not read back"
        );
        assert_eq!(
            serde_json::to_string(&outcome).unwrap(),
            r#"{"outcome":"accepted","proven":false,"accepted":2,"not_required":0,"bytes":7,"next":"check_versions","hint":"n"}"#
        );
    }

    #[test]
    fn a_modem_that_was_asked_is_said_to_run_what_it_told() {
        let written = Written {
            accepted: 3,
            not_required: 0,
            bytes: 7,
        };
        let runs = Trio {
            firmware: Some("03.00.08.02".into()),
            ..Trio::default()
        };
        let outcome = written.incomparable(runs);
        assert_eq!(
            outcome.to_string(),
            "all images accepted; the modem runs 03.00.08.02, and the files name no firmware version to compare that with"
        );
        let json = serde_json::to_string(&outcome).unwrap();
        assert!(json.contains(r#""proven":false"#), "{json}");
        assert!(json.contains(r#""runs":{"firmware":"03.00.08.02""#), "{json}");
    }
}
