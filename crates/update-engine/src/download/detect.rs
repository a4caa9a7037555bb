//! Detects what is behind a port, by the rule for an unknown download port (sahara-firehose.md §6).
//!
//! A modem that is known to speak QDL gets the probe at once. With any other modem, modemflash listens first,
//! because a byte that arrives before a Sahara boot loader has said hello can make it unusable until its next
//! restart. If nothing answers, modemflash tries the known ways to get a lost hello, from the harmless to the
//! drastic.

use std::time::Duration;

use modem_protocol::first_answer::{Classifier, FirstAnswer, PROBE};
use modem_protocol::qdl::message::Request;
use modem_protocol::sahara::switch::PROVOCATION;
use modem_world::{Instant, Interest};

use crate::modem::{Opening, Protocol};
use crate::run::{HOLDER_LIMIT, Heed, RETURN_LIMIT, Run};
use crate::told::{Cause, EventKind, ModemState};

/// How long a Sahara modem may take to say hello (sahara-firehose.md §6, rule (a)).
const HELLO_LIMIT: Duration = Duration::from_secs(20);
/// How long modemflash listens to an unknown modem before it sends the probe (sahara-firehose.md §6, rule
/// (b)).
const UNKNOWN_SILENCE: Duration = Duration::from_secs(5);
/// How long modemflash listens to a modem that has had all the time for its hello before it was listened to. A hello that waits
/// for a reader comes at once (estimate: with room for a slow host).
const LATE_SILENCE: Duration = Duration::from_secs(3);
/// How long an answer to the probe or another provocation may take (qdl.md §7, recommended for 0x70).
const PROBE_LIMIT: Duration = Duration::from_secs(5);
/// How long the port has to be silent before unrecognised bytes count as a foreign answer (sahara-firehose.md
/// §6.2: 300 ms of silence end a hello).
const REST_OF_ANSWER: Duration = Duration::from_millis(300);
/// How long to wait for the next bytes of an answer that has begun (estimate).
const MOMENT: Duration = Duration::from_millis(20);
/// What is behind the port.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// A QDL boot loader that has received the probe 0x70; `received` is what came since.
    Qdl { received: Vec<u8> },
    /// A Sahara boot loader that said hello; `received` begins with the hello.
    Sahara { received: Vec<u8>, provoked: bool },
    /// A Sahara boot loader that refused and needs a reset.
    Refused,
    /// Nothing has answered so far, but a boot loader may answer an unasked hello response. `tried` lists
    /// what was tried.
    Unasked { tried: String },
    /// A boot loader that already speaks Firehose.
    Firehose { received: Vec<u8> },
}

/// One thing to try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Try {
    /// Listen for this long without sending anything.
    Listen(Duration),
    /// Send 0x70, and wait this long for an answer.
    Probe(Duration),
    /// Close and open the port.
    Reopen,
    /// Have the host make the device enumerate again.
    ReEnumerate,
    /// Send the vendor's dummy packet.
    Dummy,
    /// Send a Firehose NOP: an interrupted run may have left the boot loader in Firehose.
    Ping,
    /// Send a streaming NOP: Qualcomm's boot loader refuses it in a recognisable way (mc7750_05c6-9008
    /// trace).
    Nop,
    /// Begin a Sahara session as if the boot loader had said hello. The session's first packet shows whether
    /// a boot loader is there.
    Unasked,
}

use Try::{Dummy, Listen, Nop, Ping, Probe, ReEnumerate, Reopen, Unasked};

/// How long each of two probes is waited for, so that the NOP after them is sent within 10 s. Boot loaders answer within milliseconds.
const TWICE: Duration = Duration::from_secs(2);
/// The probe with the usual time for its answer.
const PROBE_ONCE: Try = Probe(PROBE_LIMIT);
/// The order for a modem that should speak QDL.
const FOR_QDL: &[Try] = &[
    PROBE_ONCE,
    Reopen,
    PROBE_ONCE,
    ReEnumerate,
    PROBE_ONCE,
    Dummy,
    Nop,
];
/// What is tried at the end, when a boot loader that speaks Sahara has had all its chances to say hello.
const AT_LAST: &[Try] = &[Dummy, PROBE_ONCE, Nop, Ping, Unasked];
/// The order after a refused session and a new start: nothing is written to a Sahara modem. The probe at the end is for
/// ids that modems of both protocols share; after such a long silence it can't do a Sahara modem any harm.
const FOR_SAHARA_AGAIN: &[Try] = &[Listen(HELLO_LIMIT), Reopen, Listen(HELLO_LIMIT), PROBE_ONCE];
/// The same for a Sahara modem that may say hello only after the host's first bytes: after the silence, the probe is what such
/// a modem waits for.
const FOR_ASKED_AGAIN: &[Try] = &[Listen(HELLO_LIMIT), Reopen, Listen(UNKNOWN_SILENCE), PROBE_ONCE];

/// What is tried, in which order, with a modem of which this is known. This is the only place that decides it.
///
/// `waited` is how long the modem has been on the bus at least; `None` if this run saw it come. A modem that was seen to come
/// has just started its boot loader. A modem that was there before may have been left in Firehose by a run that was
/// interrupted: then it answers a Firehose NOP, and nothing else.
fn order(expect: Expect, waited: Option<Duration>) -> Vec<Try> {
    match (expect.opening, expect.is_again) {
        (Some(Opening::Qdl), _) => FOR_QDL.to_vec(),
        (Some(Opening::Sahara), false) => [&for_sahara(waited), AT_LAST].concat(),
        // A provoked hello that is refused couldn't be made good here, so a hello that may come by itself gets its 20 s.
        (Some(Opening::SaharaAsked), false) if expect.is_bare => [&for_sahara(waited), AT_LAST].concat(),
        (opening @ (Some(Opening::SaharaAsked) | None), false) => for_asked(waited, opening.is_none()),
        (Some(Opening::SaharaAsked), true) => FOR_ASKED_AGAIN.to_vec(),
        (Some(Opening::Sahara) | None, true) => FOR_SAHARA_AGAIN.to_vec(),
    }
}

/// The order for a modem that should speak Sahara (sahara-firehose.md §6.3), up to the last tries.
fn for_sahara(waited: Option<Duration>) -> Vec<Try> {
    match waited {
        None => vec![
            Listen(HELLO_LIMIT),
            Reopen,
            Listen(UNKNOWN_SILENCE),
            ReEnumerate,
            Listen(HELLO_LIMIT),
        ],
        // A hello comes within 20 s of enumeration or as soon as somebody reads (inferred: sahara-firehose.md §6 names 20 s, and
        // doesn't say since when). After that time a boot loader that stays silent has lost its hello or speaks Firehose, so
        // that the NOP spoils no hello that could still come. Firehose acknowledges the NOP. Sahara answers any bytes with a
        // hello; a session that is refused then costs a new enumeration, after which nothing is written. The NOP comes before the
        // new enumeration, because nobody knows whether Firehose outlives that one, and after that one a modem has its 20 s again.
        Some(waited) => vec![
            Listen(HELLO_LIMIT.saturating_sub(waited).max(LATE_SILENCE)),
            Reopen,
            Listen(LATE_SILENCE),
            Ping,
            ReEnumerate,
            Listen(HELLO_LIMIT),
        ],
    }
}

/// The order for a modem whose protocol is not known, and for a Sahara modem that may say hello only after the host's first
/// bytes (sahara-firehose.md §6, rule (b)).
fn for_asked(waited: Option<Duration>, may_speak_qdl: bool) -> Vec<Try> {
    let first: &[Try] = match waited {
        None => &[Listen(UNKNOWN_SILENCE), PROBE_ONCE],
        // A QDL boot loader whose answer was lost is asked once more, before it gets a NOP that is none of its language.
        Some(_) if may_speak_qdl => &[Listen(UNKNOWN_SILENCE), Probe(TWICE), Probe(TWICE), Ping],
        // After the probe, a NOP has nothing left to spoil. A boot loader that answers the probe later is still heard.
        Some(_) => &[Listen(UNKNOWN_SILENCE), Probe(LATE_SILENCE), Ping],
    };
    let then: &[Try] = &[
        Reopen,
        Listen(UNKNOWN_SILENCE),
        ReEnumerate,
        Listen(UNKNOWN_SILENCE),
        PROBE_ONCE,
        Dummy,
        Nop,
        Ping,
        Unasked,
    ];
    [first, then].concat()
}

/// What was last sent to the modem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LastSent {
    Nothing,
    /// The probe.
    Probe,
    /// Something other than the probe.
    Other,
}

/// The beginning of an answer in words: text in quotes, anything else in hex.
fn shown(bytes: &[u8]) -> String {
    let start = bytes.get(..40).unwrap_or(bytes);
    let is_text = |byte: &u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
    match std::str::from_utf8(start) {
        Ok(text) if start.iter().all(is_text) => format!("{text:?}"),
        _ => {
            let words: Vec<String> = start.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
            words.join(" ")
        }
    }
}

/// Adds to the list of what was tried, without repeating an entry.
fn note(tried: &mut Vec<&'static str>, word: &'static str) {
    if !tried.contains(&word) {
        tried.push(word);
    }
}

/// What is known about the modem before detection starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Expect {
    /// How to open a session with the modem; `None` if nothing tells it.
    pub(crate) opening: Option<Opening>,
    /// The modem has refused a Sahara session and has started anew since.
    pub(crate) is_again: bool,
    /// No USB device is known behind the port. A modem that refuses its session and restarts into its firmware can't be sent into
    /// download mode once more.
    pub(crate) is_bare: bool,
}

impl Run<'_> {
    /// Detects what is behind the open port.
    ///
    /// # Errors
    /// What is behind the port instead of a usable boot loader. The state of the modem has been recorded.
    pub(crate) fn detect(&mut self, expect: Expect) -> Result<Found, Cause> {
        let mut order = order(expect, self.waited_on_bus());
        let mut seen = Classifier::default();
        let mut tried: Vec<&'static str> = Vec::new();
        let mut asked = LastSent::Nothing;
        let mut lost = 0_u8;
        let mut place = 0;
        while let Some(&step) = order.get(place) {
            place += 1;
            if step == Unasked {
                self.touched();
                let tried = format!("{}, a Sahara hello response", tried.join(", "));
                return Ok(Found::Unasked { tried });
            }
            let heard = match self.attempt(step, &mut seen, &mut asked, &mut tried) {
                // The modem restarted by itself. Start detection again from the top, but not without limit.
                Err(Cause::Port(error)) if error.kind == modem_world::PortErrorKind::Gone && lost < 2 => {
                    lost += 1;
                    let attempt = lost.saturating_add(1);
                    self.retry(
                        "detection",
                        attempt,
                        "the modem left the bus, and modemflash waits for it to come back",
                    );
                    self.wait_return(RETURN_LIMIT)?;
                    (seen, asked, place) = (Classifier::default(), LastSent::Nothing, 0);
                    order = self::order(expect, self.waited_on_bus());
                    continue;
                }
                other => other?,
            };
            let Some(answer) = heard else { continue };
            if let Some(found) = self.conclude(answer, &seen, asked)? {
                return Ok(found);
            }
            // Before the probe, unrecognised bytes may be left over from another program. The probe will
            // show.
            let mut later = order.get(place..).unwrap_or_default().iter();
            if asked == LastSent::Nothing && later.any(|step| matches!(step, Probe(_))) {
                seen = Classifier::default();
                continue;
            }
            // The host can still make the device enumerate anew, which brings a clean hello.
            if step == Ping && order.get(place..).unwrap_or_default().contains(&ReEnumerate) {
                seen = Classifier::default();
                continue;
            }
            let answer = shown(seen.bytes());
            // A single unrecognised answer may be damaged. If the answer to a second probe isn't recognised
            // either, the device is foreign.
            seen = Classifier::default();
            if let Some(second) = self.attempt(PROBE_ONCE, &mut seen, &mut asked, &mut tried)? {
                if let Some(found) = self.conclude(second, &seen, asked)? {
                    return Ok(found);
                }
            }
            return Err(Cause::ForeignAnswer { answer });
        }
        Err(Cause::Mute {
            tried: tried.join(", "),
        })
    }

    /// What an answer means; none if the answer is not recognised.
    fn conclude(
        &mut self,
        answer: FirstAnswer,
        seen: &Classifier,
        asked: LastSent,
    ) -> Result<Option<Found>, Cause> {
        let from = |at: usize| seen.bytes().get(at..).unwrap_or_default().to_vec();
        let (found, protocol, how) = match answer {
            FirstAnswer::SaharaHello { at } => {
                let provoked = asked != LastSent::Nothing;
                let how = if provoked {
                    "it said hello after bytes were sent"
                } else {
                    "it said hello by itself"
                };
                (
                    Found::Sahara {
                        received: from(at),
                        provoked,
                    },
                    Protocol::SaharaFirehose,
                    how.to_owned(),
                )
            }
            FirstAnswer::SaharaPacket { .. } => {
                let how = "it is in another program's Sahara session, or refuses a session";
                (Found::Refused, Protocol::SaharaFirehose, how.to_owned())
            }
            FirstAnswer::Firehose { at } => {
                let how = "it already speaks Firehose".to_owned();
                (
                    Found::Firehose { received: from(at) },
                    Protocol::SaharaFirehose,
                    how,
                )
            }
            FirstAnswer::Qdl => (
                Found::Qdl { received: from(0) },
                Protocol::Qdl,
                "it switched to streaming download".to_owned(),
            ),
            FirstAnswer::QdlError { code } => {
                // Error 22, command not supported: the boot loader is already in streaming download (qdl.md
                // §4.1).
                let how = format!("it answered the download probe with error {code}");
                (Found::Qdl { received: from(0) }, Protocol::Qdl, how)
            }
            FirstAnswer::Diag => {
                self.set_modem(ModemState::RunsFirmware);
                let evidence = "the port answers the download probe as a DIAG port does (0x13, bad command)";
                return Err(Cause::RunsNormally {
                    evidence: evidence.to_owned(),
                });
            }
            FirstAnswer::Echo => {
                self.set_modem(ModemState::RunsFirmware);
                let evidence = "the port echoes what it is sent, as an AT port does";
                return Err(Cause::RunsNormally {
                    evidence: evidence.to_owned(),
                });
            }
            FirstAnswer::PrimaryBootLoader { reason } => {
                self.set_modem(ModemState::Emergency);
                let evidence = format!(
                    "a boot loader without streaming download refused (reason {reason}): \
                     this is Qualcomm's boot loader, and Sierra's is gone"
                );
                return Err(Cause::EmergencyMode { evidence });
            }
            _ => return Ok(None),
        };
        self.note_loader();
        self.tell(EventKind::Detected { protocol, how });
        Ok(Some(found))
    }

    /// Tries one thing and listens for the answer.
    fn attempt(
        &mut self,
        step: Try,
        seen: &mut Classifier,
        asked: &mut LastSent,
        tried: &mut Vec<&'static str>,
    ) -> Result<Option<FirstAnswer>, Cause> {
        tracing::debug!(?step, "detection");
        let (bytes, word) = match step {
            Listen(span) => {
                note(tried, "listening");
                self.silence(span, "a Sahara boot loader speaks first");
                return self.listen(seen, span, *asked);
            }
            Reopen => {
                self.retry(
                    "detection",
                    2,
                    "the modem's hello may have been lost, so modemflash reopens the port",
                );
                self.close();
                self.open_patiently(HOLDER_LIMIT)?;
                note(tried, "reopening the port");
                return Ok(None);
            }
            ReEnumerate => {
                if self.re_enumerate() {
                    self.retry("detection", 2, "the host makes the modem enumerate again");
                    self.follow_re_enumeration()?;
                    *seen = Classifier::default();
                    *asked = LastSent::Nothing;
                    note(tried, "re-enumeration");
                }
                return Ok(None);
            }
            Probe(_) => (PROBE.to_vec(), "the download probe"),
            Dummy => (PROVOCATION.to_vec(), "a dummy packet"),
            Nop => (Request::Nop.frame(), "a streaming NOP"),
            Ping => (PING.to_vec(), "a Firehose NOP"),
            Unasked => return Ok(None),
        };
        self.touched();
        self.write_all(&bytes)?;
        let patience;
        (*asked, patience) = match step {
            Probe(patience) => (LastSent::Probe, patience),
            _ => (LastSent::Other, PROBE_LIMIT),
        };
        note(tried, word);
        let answer = self.listen(seen, patience, *asked)?;
        match answer {
            Some(FirstAnswer::Firehose { at }) if step == Ping && self.echoes_ping(seen, at)? => {
                Ok(Some(FirstAnswer::Echo))
            }
            answer => Ok(answer),
        }
    }

    /// Reads until the bytes show what is behind the port, or nothing more comes.
    fn listen(
        &mut self,
        seen: &mut Classifier,
        span: Duration,
        asked: LastSent,
    ) -> Result<Option<FirstAnswer>, Cause> {
        let handle = self.handle()?;
        let mut until = self.now() + span;
        let mut buffer = [0; 1024];
        let mut strange = None;
        loop {
            let mut is_new = false;
            loop {
                let count = self
                    .world()
                    .try_read(handle, &mut buffer)
                    .map_err(|error| self.lost(error))?;
                seen.push(buffer.get(..count).unwrap_or_default());
                is_new |= count > 0;
                if count == 0 || seen.bytes().len() > Classifier::MOST_BYTES {
                    break;
                }
            }
            let now = self.now();
            match seen.verdict() {
                FirstAnswer::Incomplete => {}
                // Nothing was sent yet, so these bytes are left over from another program. The hello may
                // still come.
                FirstAnswer::Text(_) | FirstAnswer::Unknown if asked == LastSent::Nothing => {
                    tracing::debug!(bytes = ?seen.bytes(), "unrecognised bytes skipped");
                    strange = Some(seen.verdict().clone());
                    *seen = Classifier::default();
                }
                clear => return Ok(Some(clear.clone())),
            }
            // Once an answer has begun, wait only for the rest of that answer.
            if is_new && asked != LastSent::Nothing {
                until = until.min(now + REST_OF_ANSWER);
            }
            if now >= until {
                return Ok(seen.at_silence().or(strange));
            }
            self.wait_bytes(handle, until)?;
        }
    }

    /// Whether the document that begins at `at` is the NOP that was sent: an AT port echoes it, and it begins like an answer of
    /// Firehose. Waits for more bytes only as long as the document may still be the NOP.
    fn echoes_ping(&mut self, seen: &mut Classifier, at: usize) -> Result<bool, Cause> {
        let until = self.now() + REST_OF_ANSWER;
        loop {
            let document = seen.bytes().get(at..).unwrap_or_default();
            if document.len() >= PING.len() {
                return Ok(document.starts_with(PING));
            }
            if !PING.starts_with(document) || self.now() >= until {
                return Ok(false);
            }
            let mut more = Vec::new();
            let next = (self.now() + MOMENT).min(until);
            self.collect(&mut more, next)?;
            seen.push(&more);
        }
    }

    /// Collects the bytes that arrive until `until`.
    pub(crate) fn collect(&mut self, seen: &mut Vec<u8>, until: Instant) -> Result<(), Cause> {
        let handle = self.handle()?;
        let mut buffer = [0; 1024];
        loop {
            let count = self
                .world()
                .try_read(handle, &mut buffer)
                .map_err(|error| self.lost(error))?;
            let room = Classifier::MOST_BYTES.saturating_sub(seen.len()).min(count);
            seen.extend_from_slice(buffer.get(..room).unwrap_or_default());
            if self.now() >= until {
                return Ok(());
            }
            if count == 0 {
                self.wait_bytes(handle, until)?;
            }
        }
    }

    /// Writes a few bytes. If the port doesn't take them within the limit, detection goes on as if nothing
    /// had answered.
    pub(crate) fn write_all(&mut self, bytes: &[u8]) -> Result<(), Cause> {
        let handle = self.handle()?;
        let until = self.now() + PROBE_LIMIT;
        let mut left = bytes;
        while !left.is_empty() {
            let count = self
                .world()
                .try_write(handle, left)
                .map_err(|error| self.lost(error))?;
            left = left.get(count..).unwrap_or_default();
            if count == 0 {
                if self.now() >= until {
                    tracing::info!(left = left.len(), "port takes no bytes");
                    return Ok(());
                }
                self.wait(&[Interest::Writable(handle)], until, Heed::AtOnce)?;
            }
        }
        Ok(())
    }
}

/// A Firehose NOP (sahara-firehose.md §4, vector 11).
const PING: &[u8] =
    b"<?xml version=\"1.0\" encoding=\"UTF-8\" ?>\n<data>\n<NOP value=\"ping\" />\n</data>\n\n";
