//! What the first bytes of a port say about what is behind it (traces, first-answer table).

use modem_protocol::hdlc;
use modem_protocol::qdl::download::SAHARA_HELLO;
use modem_protocol::qdl::message::{ErrorCode, Response};

/// What is behind a port, judged by what it sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Nothing came.
    Nothing,
    /// Too little to tell, or nothing known.
    Unclear,
    /// A Sahara hello, or the beginning of one, at this offset.
    Hello { at: usize },
    /// A Sahara boot loader that doesn't start a session: refusal or memory dump.
    SaharaRefusal,
    /// A QDL boot loader; in words what it said.
    Qdl { said: &'static str },
    /// A Firehose server: the boot loader is past Sahara already.
    Firehose,
    /// The DIAG port of a modem in normal mode.
    Diag,
    /// Our own bytes.
    Echo,
    /// A boot loader without streaming download: Qualcomm's own.
    Emergency { reason: u16 },
}

/// Heads of the packets "end of image transfer" and "memory debug" of 32 and 64 bits (sahara-firehose.md §3).
const REFUSALS: [[u8; 8]; 3] =
    [[0x04, 0, 0, 0, 0x10, 0, 0, 0], [0x09, 0, 0, 0, 0x10, 0, 0, 0], [0x10, 0, 0, 0, 0x18, 0, 0, 0]];

/// Judges received bytes. `asked` says whether the download probe was sent before.
pub(crate) fn judge(bytes: &[u8], asked: bool) -> Answer {
    if bytes.is_empty() {
        return Answer::Nothing;
    }
    // No flag and no text has these eight bytes, so they are looked for everywhere (sahara-firehose.md §6.4).
    if let Some(at) = bytes.windows(SAHARA_HELLO.len()).position(|window| window == SAHARA_HELLO) {
        return Answer::Hello { at };
    }
    if bytes.windows(8).any(|window| REFUSALS.iter().any(|refusal| refusal == window)) {
        return Answer::SaharaRefusal;
    }
    if bytes.windows(5).any(|window| window == b"<?xml" || window == b"<data") {
        return Answer::Firehose;
    }
    if !asked {
        return Answer::Unclear;
    }
    let mut decoder = hdlc::Decoder::default();
    decoder.push(bytes);
    while let Some(frame) = decoder.next_frame() {
        let Ok(payload) = frame else { continue };
        match Response::parse(&payload) {
            Ok(Response::DloadAck) => return Answer::Qdl { said: "it switched to streaming download" },
            Ok(Response::Error(report)) if report.code == ErrorCode::NotSupported => {
                return Answer::Qdl { said: "it is in streaming download already (error 0x16)" };
            }
            Ok(Response::Error(_)) => return Answer::Qdl { said: "it answered with an error report" },
            Ok(Response::Hello(_)) => return Answer::Qdl { said: "it answered with a QDL hello" },
            Ok(Response::DloadNak { reason }) => return Answer::Emergency { reason },
            Ok(Response::DiagBadCommand { .. }) => return Answer::Diag,
            Ok(Response::Echo { .. }) => return Answer::Echo,
            _ => {}
        }
    }
    Answer::Unclear
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The answers of traces/README.md, the table of first answers.
    #[test]
    fn the_captured_first_answers_are_told_apart() {
        let hello = [0x01, 0, 0, 0, 0x30, 0, 0, 0, 2, 0, 0, 0];
        let cases: [(&[u8], Answer); 7] = [
            (&[], Answer::Nothing),
            (&hello, Answer::Hello { at: 0 }),
            (
                &[0x7e, 0x0d, 0x16, 0, 0, 0, 0, 0x88, 0x4d, 0x7e],
                Answer::Qdl { said: "it is in streaming download already (error 0x16)" },
            ),
            (&[0x7e, 0x02, 0x6a, 0xd3, 0x7e], Answer::Qdl { said: "it switched to streaming download" }),
            (&[0x13, 0x70, 0, 0, 0x6a, 0x9a, 0x7e], Answer::Diag),
            (&[0x7e, 0x70, 0, 0, 0x14, 0x46, 0x7e], Answer::Echo),
            (&[0x7e, 0x03, 0x00, 0x06, 0x9e, 0x4c, 0x7e], Answer::Emergency { reason: 6 }),
        ];
        for (bytes, expected) in cases {
            assert_eq!(judge(bytes, true), expected, "{bytes:02x?}");
        }
    }

    #[test]
    fn a_hello_is_found_behind_other_bytes_and_half_of_one_is_not_judged() {
        let mut bytes = vec![0x7e, 0, 0];
        bytes.extend_from_slice(&SAHARA_HELLO);
        assert_eq!(judge(&bytes, false), Answer::Hello { at: 3 });
        assert_eq!(judge(&SAHARA_HELLO[..7], true), Answer::Unclear);
    }

    #[test]
    fn a_refusal_to_unasked_bytes_is_known() {
        // traces/em7565_missed-hello_fwdwl-lite_2022: 16 bytes of end of image transfer.
        let end = [0x04, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0, 0, 0x1f, 0, 0, 0];
        assert_eq!(judge(&end, true), Answer::SaharaRefusal);
    }

    #[test]
    fn frames_count_only_as_answers() {
        assert_eq!(judge(&[0x7e, 0x02, 0x6a, 0xd3, 0x7e], false), Answer::Unclear);
    }
}
