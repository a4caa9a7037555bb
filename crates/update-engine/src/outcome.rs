//! What a run can reach.

use std::fmt;

use serde::Serialize;

/// What a run has reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Outcome {
    /// Every image was acknowledged, the reset was sent, and the port was seen to go away. What the modem runs
    /// after its restart was not read back, so this is never called "updated".
    Accepted(Accepted),
}

/// All images accepted, modem restarting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Accepted {
    /// Always false: nothing was read back.
    pub proven: bool,
    /// Images that the modem accepted.
    pub accepted: usize,
    /// Images that the modem said it doesn't need.
    pub not_required: usize,
    /// Bytes of the accepted images.
    pub bytes: u64,
    /// What to check next, in words.
    pub next: String,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accepted(accepted) if accepted.accepted == 0 => write!(
                f,
                "nothing written: the modem needs none of the images; modem restarting; versions not read back"
            ),
            Self::Accepted(accepted) if accepted.not_required > 0 => write!(
                f,
                "{} of {} images accepted, the modem doesn't need the others; modem restarting; \
                 versions not read back",
                accepted.accepted,
                accepted.accepted.saturating_add(accepted.not_required)
            ),
            Self::Accepted(_) => {
                write!(f, "all images accepted, modem restarting; versions not read back")
            }
        }
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
            next: "n".into(),
        });
        assert_eq!(
            outcome.to_string(),
            "all images accepted, modem restarting; versions not read back"
        );
        assert_eq!(
            serde_json::to_string(&outcome).unwrap(),
            r#"{"outcome":"accepted","proven":false,"accepted":2,"not_required":0,"bytes":7,"next":"n"}"#
        );
    }
}
