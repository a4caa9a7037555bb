//! Finds out what is behind the port: the rule for an unknown download port (sahara-firehose.md §6).
//!
//! A modem that is known to speak QDL is asked at once. Any other is listened to first, because a byte that comes
//! before its hello can spoil a Sahara boot loader until its next restart. What doesn't answer is tried with the
//! known ways to a lost hello, from the harmless to the drastic.

use std::time::Duration;

use modem_protocol::qdl::message::Request;
use modem_world::Instant;

use crate::answer::{Answer, judge};
use crate::link::{LEAVE_LIMIT, RETURN_LIMIT};
use crate::run::Run;
use crate::{Cause, EventKind, ModemState, Protocol};

/// How long a Sahara modem may take for its hello (sahara-firehose.md §6, rule (a)).
const HELLO_LIMIT: Duration = Duration::from_secs(20);
/// How long an unknown modem is listened to before the probe (sahara-firehose.md §6, rule (b)).
const UNKNOWN_SILENCE: Duration = Duration::from_secs(5);
/// How long an answer to the probe or another provocation may take (qdl.md §7, recommended for 0x70).
const PROBE_LIMIT: Duration = Duration::from_secs(5);
/// How long the port has to be silent before bytes that say nothing are called foreign (sahara-firehose.md §6.2: 300 ms
/// of silence end a hello).
const REST_OF_ANSWER: Duration = Duration::from_millis(300);
/// Bytes that are kept while it is found out what is behind the port.
const LARGEST_ANSWER: usize = 4096;
/// What the vendor's SDK sends to get a lost hello again: any packet that isn't valid (sahara-firehose.md §6.3).
const DUMMY: [u8; 24] = *b"UTUVUTUVUTUVUTUVUTUVUTUV";

/// What is behind the port.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// A QDL boot loader that has got the probe 0x70; `received` is what came since.
    Qdl { received: Vec<u8> },
    /// A Sahara boot loader that said hello; `received` begins with it.
    Sahara { received: Vec<u8>, provoked: bool },
    /// A Sahara boot loader that refused: it needs a reset.
    Refused,
    /// Nobody answered; a hello response may be answered.
    Unasked,
    /// A boot loader that speaks Firehose already.
    Firehose { received: Vec<u8> },
}

/// One thing to try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Try {
    /// Send nothing for this long.
    Listen(Duration),
    /// Send 0x70.
    Probe,
    /// Close and open the port.
    Reopen,
    /// Have the host make the device enumerate again.
    ReEnumerate,
    /// Send the vendor's dummy packet.
    Dummy,
    /// Send a Firehose NOP: an interrupted run may have left it in Firehose.
    Ping,
    /// Begin a Sahara session as if a hello had come; its first packet shows whether somebody is there.
    Unasked,
}

use Try::{Dummy, Listen, Ping, Probe, ReEnumerate, Reopen, Unasked};

/// The order for a modem that should speak QDL.
const FOR_QDL: &[Try] = &[Probe, Reopen, Probe, ReEnumerate, Probe, Listen(UNKNOWN_SILENCE), Dummy];
/// The order for a modem that should speak Sahara (sahara-firehose.md §6.3).
const FOR_SAHARA: &[Try] = &[
    Listen(HELLO_LIMIT),
    Reopen,
    Listen(UNKNOWN_SILENCE),
    ReEnumerate,
    Listen(HELLO_LIMIT),
    Dummy,
    Probe,
    Ping,
    Unasked,
];
/// The order for a modem of which nothing is known (sahara-firehose.md §6, rule (b)).
const FOR_UNKNOWN: &[Try] = &[
    Listen(UNKNOWN_SILENCE),
    Probe,
    Reopen,
    Listen(UNKNOWN_SILENCE),
    ReEnumerate,
    Listen(UNKNOWN_SILENCE),
    Probe,
    Dummy,
    Ping,
    Unasked,
];
/// The order after a reset for a new start: nothing is written to a Sahara modem.
const FOR_SAHARA_AGAIN: &[Try] = &[Listen(HELLO_LIMIT), Reopen, Listen(HELLO_LIMIT)];

/// What is known about the modem before it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expect {
    /// Its protocol.
    Protocol(Protocol),
    /// Nothing.
    Unknown,
    /// It was reset after a Sahara session that went wrong; nothing may be written.
    SaharaAgain,
}

impl Run<'_> {
    /// Finds out what is behind the open port.
    ///
    /// # Errors
    /// What it is instead of a boot loader that can be helped; the state of the modem is noted.
    pub(crate) fn detect(&mut self, expect: Expect) -> Result<Found, Cause> {
        let order = match expect {
            Expect::Protocol(Protocol::Qdl) => FOR_QDL,
            Expect::Protocol(Protocol::SaharaFirehose) => FOR_SAHARA,
            Expect::Unknown => FOR_UNKNOWN,
            Expect::SaharaAgain => FOR_SAHARA_AGAIN,
        };
        let mut seen = Vec::new();
        let mut tried: Vec<&str> = Vec::new();
        let mut asked = false;
        let mut provoked = false;
        let mut lost = 0_u8;
        let mut place = 0;
        while let Some(step) = order.get(place) {
            place += 1;
            if *step == Unasked {
                self.touched();
                return Ok(Found::Unasked);
            }
            let heard = match self.attempt(*step, &mut seen, &mut asked, &mut provoked, &mut tried) {
                // It restarted by itself: listen to what it becomes, from the top, but not for ever.
                Err(Cause::Port(error)) if error.kind == modem_world::PortErrorKind::Gone && lost < 2 => {
                    lost += 1;
                    self.tell_retry("detection", lost.saturating_add(1), "the modem left the bus and is awaited");
                    self.wait_return(RETURN_LIMIT)?;
                    seen.clear();
                    (asked, provoked) = (false, false);
                    place = 0;
                    continue;
                }
                other => other?,
            };
            match heard {
                Answer::Nothing => {}
                Answer::Hello { at } => {
                    self.set_modem(ModemState::InDownloadMode);
                    seen.drain(..at.min(seen.len()));
                    let how = if provoked { "it said hello when bytes came" } else { "it said hello by itself" };
                    self.tell_found(Protocol::SaharaFirehose, how);
                    return Ok(Found::Sahara { received: seen, provoked });
                }
                Answer::SaharaRefusal => {
                    self.set_modem(ModemState::InDownloadMode);
                    self.tell_found(Protocol::SaharaFirehose, "it refuses in Sahara what it got");
                    return Ok(Found::Refused);
                }
                Answer::Firehose => {
                    self.set_modem(ModemState::InDownloadMode);
                    self.tell_found(Protocol::SaharaFirehose, "it speaks Firehose already");
                    return Ok(Found::Firehose { received: seen });
                }
                Answer::Qdl { said } => {
                    self.set_modem(ModemState::InDownloadMode);
                    self.tell_found(Protocol::Qdl, said);
                    return Ok(Found::Qdl { received: seen });
                }
                Answer::Diag => {
                    self.set_modem(ModemState::RunsFirmware);
                    let evidence = "it answers the download probe as a DIAG port does (0x13, bad command)";
                    return Err(Cause::RunsNormally { evidence: evidence.to_owned() });
                }
                Answer::Echo => {
                    self.set_modem(ModemState::RunsFirmware);
                    let evidence = "the port sends back what it gets (0x70), as an AT port does";
                    return Err(Cause::RunsNormally { evidence: evidence.to_owned() });
                }
                Answer::Emergency { reason } => {
                    self.set_modem(ModemState::Unknown);
                    let evidence = format!(
                        "a boot loader without streaming download refuses (reason {reason}): \
                         it is Qualcomm's own, Sierra's is gone"
                    );
                    return Err(Cause::EmergencyMode { evidence });
                }
                // Before the probe strange bytes may be remains of another program; the probe will tell.
                Answer::Unclear if !asked && order.get(place..).unwrap_or_default().contains(&Probe) => {}
                Answer::Unclear => {
                    let answer = seen.iter().take(16).map(|byte| format!("{byte:02x} ")).collect::<String>();
                    return Err(Cause::ForeignAnswer { answer: answer.trim_end().to_owned() });
                }
            }
        }
        Err(Cause::Mute { tried: tried.join(", ") })
    }

    /// Tries one thing and listens to what comes.
    fn attempt(
        &mut self,
        step: Try,
        seen: &mut Vec<u8>,
        asked: &mut bool,
        provoked: &mut bool,
        tried: &mut Vec<&'static str>,
    ) -> Result<Answer, Cause> {
        tracing::debug!(?step, "detection");
        let (bytes, word) = match step {
            Listen(span) => {
                tried.push("listening");
                self.tell_silence(span, "a boot loader of the newer kind speaks first");
                return self.listen(seen, span, *asked);
            }
            Reopen => {
                self.tell_retry("detection", 2, "the modem's hello may be lost; the port is opened anew");
                self.close();
                self.handle()?;
                tried.push("opening the port anew");
                return Ok(Answer::Nothing);
            }
            ReEnumerate => {
                if self.re_enumerate() {
                    self.tell_retry("detection", 2, "the host makes the modem enumerate again");
                    if self.wait_leave(LEAVE_LIMIT)? {
                        self.wait_return(RETURN_LIMIT)?;
                    }
                    seen.clear();
                    tried.push("re-enumeration");
                }
                return Ok(Answer::Nothing);
            }
            Probe => (Request::SwitchToStreaming { flags: 0 }.frame(), "the download probe"),
            Dummy => (DUMMY.to_vec(), "a dummy packet"),
            Ping => (PING.to_vec(), "a Firehose NOP"),
            Unasked => return Ok(Answer::Nothing),
        };
        self.touched();
        self.write_all(&bytes)?;
        *asked |= step == Probe;
        *provoked = true;
        tried.push(word);
        self.listen(seen, PROBE_LIMIT, *asked)
    }

    /// Reads until the bytes tell what is behind the port, or nothing more comes.
    fn listen(&mut self, seen: &mut Vec<u8>, span: Duration, asked: bool) -> Result<Answer, Cause> {
        let handle = self.handle()?;
        let mut until = self.world.now() + span;
        let mut buffer = [0; 1024];
        loop {
            let before = seen.len();
            loop {
                let count = self.world.try_read(handle, &mut buffer).map_err(|error| self.lost(error))?;
                let room = LARGEST_ANSWER.saturating_sub(seen.len()).min(count);
                seen.extend_from_slice(buffer.get(..room).unwrap_or_default());
                if count == 0 || room < count {
                    break;
                }
            }
            match judge(seen, asked) {
                Answer::Nothing | Answer::Unclear => {}
                clear => return Ok(clear),
            }
            let now = self.world.now();
            if seen.len() >= LARGEST_ANSWER {
                return Ok(Answer::Unclear);
            }
            // After strange bytes in answer to the probe only the rest of that answer is waited for.
            if seen.len() > before && asked {
                until = until.min(now + REST_OF_ANSWER);
            }
            if now >= until {
                return Ok(judge(seen, asked));
            }
            self.wait_bytes(handle, until)?;
        }
    }

    /// Collects what comes until `until`.
    pub(crate) fn collect(&mut self, seen: &mut Vec<u8>, until: Instant) -> Result<(), Cause> {
        let handle = self.handle()?;
        let mut buffer = [0; 1024];
        loop {
            let count = self.world.try_read(handle, &mut buffer).map_err(|error| self.lost(error))?;
            let room = LARGEST_ANSWER.saturating_sub(seen.len()).min(count);
            seen.extend_from_slice(buffer.get(..room).unwrap_or_default());
            if self.world.now() >= until {
                return Ok(());
            }
            if count == 0 {
                self.wait_bytes(handle, until)?;
            }
        }
    }

    /// Writes a few bytes; a port that doesn't take them within the limit is taken as mute.
    pub(crate) fn write_all(&mut self, bytes: &[u8]) -> Result<(), Cause> {
        let handle = self.handle()?;
        let until = self.world.now() + PROBE_LIMIT;
        let mut left = bytes;
        while !left.is_empty() {
            let count = self.world.try_write(handle, left).map_err(|error| self.lost(error))?;
            left = left.get(count..).unwrap_or_default();
            if count == 0 {
                if self.world.now() >= until {
                    tracing::info!(left = left.len(), "port takes no bytes");
                    return Ok(());
                }
                let wake = self.world.wait(&[modem_world::Interest::Writable(handle)], until);
                self.heed(wake)?;
            }
        }
        Ok(())
    }

    fn tell_found(&mut self, protocol: Protocol, how: &str) {
        let now = self.world.now();
        self.teller.tell(now, EventKind::Detected { protocol, how: how.to_owned() });
    }

    pub(crate) fn tell_silence(&mut self, span: Duration, why: &str) {
        self.teller.silence(self.world.now(), span, why);
    }

    pub(crate) fn tell_retry(&mut self, what: &str, attempt: u8, why: &str) {
        self.teller.retry(self.world.now(), what, attempt, why);
    }
}

/// Firehose NOP (sahara-firehose.md §4, vector 11).
const PING: &[u8] = b"<?xml version=\"1.0\" encoding=\"UTF-8\" ?>\n<data>\n<NOP value=\"ping\" />\n</data>\n\n";
