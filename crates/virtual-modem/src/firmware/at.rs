//! The AT port: characters in, echo and answers out (at.md §2 and §3).

use modem_protocol::at::parse::{GeneralStatus, Identity, Mode, PowerDetails, PowerState, Pri, Voter};
use modem_protocol::at::{Code, Final, Reply, reply};
use modem_protocol::qmi::dms::OperatingMode;
use modem_world::Instant;

use super::at_settings;
use super::core::Core;
use super::dms::{MANUFACTURER, revision};
use crate::board::Board;
use crate::quirk::BootHoldHabit;
use crate::violation::Wrong;

/// The longest line that is accepted; own choice.
const LONGEST_LINE: usize = 1024;
/// The factory's password (at.md §3).
const PASSWORD: &str = "A710";

/// One AT port.
#[derive(Debug)]
pub(super) struct AtPort {
    echoes: bool,
    /// The kind of errors: 0 for `ERROR`, 1 with a number, 2 with words.
    error_detail: u8,
    line: Vec<u8>,
    /// When the answer to the last command will have been sent.
    due: Instant,
}

impl Default for AtPort {
    fn default() -> Self {
        Self {
            echoes: true,
            error_detail: 0,
            line: Vec::new(),
            due: Instant::START,
        }
    }
}

/// The result of a command.
pub(super) struct Done {
    pub(super) reply: Reply,
    /// Whether the modem leaves the bus because of it.
    pub(super) restarts: bool,
}

impl From<Reply> for Done {
    fn from(reply: Reply) -> Self {
        Self {
            reply,
            restarts: false,
        }
    }
}

impl AtPort {
    /// The host has closed the port: half a line is forgotten, but settings stay.
    pub(super) fn closed(&mut self) {
        self.line.clear();
    }

    pub(super) fn receive(
        &mut self,
        interface: u8,
        bytes: &[u8],
        core: &mut Core,
        board: &mut Board,
        now: Instant,
    ) {
        let mut echo = Vec::new();
        for &byte in bytes {
            if self.echoes {
                echo.push(byte);
            }
            match byte {
                b'\r' => {
                    let _ = board.say_on(interface, std::mem::take(&mut echo), now);
                    let line = std::mem::take(&mut self.line);
                    self.command(interface, &line, core, board, now);
                }
                b'\n' => {}
                _ if self.line.len() < LONGEST_LINE => self.line.push(byte),
                _ => {}
            }
        }
        if !echo.is_empty() {
            let _ = board.say_on(interface, echo, now);
        }
    }

    fn command(&mut self, interface: u8, line: &[u8], core: &mut Core, board: &mut Board, now: Instant) {
        let text = String::from_utf8_lossy(line);
        // Text before the last "AT" isn't a command: a program that looks for the speed of the port sends
        // garbage.
        let Some(command) = command_of(text.trim()) else {
            return;
        };
        if self.due > now {
            board.wrong(Wrong::CommandWhileBusy(text.trim().to_owned()), now);
        }
        self.due = now + board.setup.timings.answer + board.setup.quirks.slow;
        let mut lines = Vec::new();
        let mut result = Final::Ok;
        let mut restarts = false;
        for part in parts(command) {
            let done = self.run(&part, core, board, now);
            lines.extend(done.reply.lines);
            restarts |= done.restarts;
            if done.reply.result != Final::Ok {
                result = self.detailed(done.reply.result);
                break;
            }
        }
        let reply = Reply { lines, result };
        let at = now + board.setup.timings.answer;
        let _ = board.say_on(interface, reply.to_bytes(None), at);
        if restarts {
            core.restart(core.owes_an_answer(now), board, now);
        }
    }

    fn detailed(&self, result: Final) -> Final {
        match (self.error_detail, result) {
            (0, Final::CmeError(_)) => Final::Error,
            (_, result) => result,
        }
    }

    /// Runs one command of a line, given without `AT`.
    fn run(&mut self, part: &str, core: &mut Core, board: &mut Board, now: Instant) -> Done {
        let upper = part.to_ascii_uppercase();
        match upper.as_str() {
            "E0" | "E" => self.echoes = false,
            "E1" => self.echoes = true,
            "I" | "I0" => return Reply::ok(identity(board)).into(),
            "+CMEE=0" => self.error_detail = 0,
            "+CMEE=1" => self.error_detail = 1,
            "+CMEE=2" => self.error_detail = 2,
            "+CMEE?" => return line(format!("+CMEE: {}", self.error_detail)),
            "Z" | "&F" | "&F0" => (self.echoes, self.error_detail) = (true, 0),
            _ if upper.starts_with('!') => return vendor(&upper, part, core, board, now),
            _ if upper.starts_with('+') => return standard(&upper, core, board),
            _ if is_basic(&upper) => {}
            _ => return Reply::error().into(),
        }
        Reply::ok(Vec::new()).into()
    }
}

fn line(text: String) -> Done {
    Reply::ok(vec![text]).into()
}

/// The text after `AT` or `at`.
fn command_of(line: &str) -> Option<&str> {
    let upper = line.to_ascii_uppercase();
    let place = upper.rfind("AT").filter(|place| {
        // Only text that can't be a command may stand before `AT`; otherwise `AT` is part of the command's
        // own text.
        !line.get(..*place).unwrap_or_default().contains(['!', '+', '"'])
    });
    let place = if upper.starts_with("AT") { Some(0) } else { place };
    line.get(place? + 2..)
}

/// The commands of a line: basic ones follow each other directly (`E0V1`), others are separated by
/// semicolons.
fn parts(line: &str) -> Vec<String> {
    let mut parts = Vec::new();
    let mut rest = line.trim();
    while let Some(first) = rest.chars().next() {
        let end = match first {
            ' ' | ';' => {
                rest = rest.get(1..).unwrap_or_default();
                continue;
            }
            '!' | '+' | '^' | '$' | '*' | '%' | '#' => end_of_extended(rest),
            'S' | 's' => rest.find([';', '!', '+']).unwrap_or(rest.len()),
            '&' => digits_from(rest, 2),
            _ => digits_from(rest, first.len_utf8()),
        };
        let (part, more) = rest.split_at_checked(end).unwrap_or((rest, ""));
        parts.push(part.trim().to_owned());
        rest = more;
    }
    parts
}

/// The position after the digits that begin at `from`.
fn digits_from(text: &str, from: usize) -> usize {
    let from = (from..=text.len())
        .find(|place| text.is_char_boundary(*place))
        .unwrap_or(text.len());
    let digits = text.get(from..).unwrap_or_default();
    from + digits.bytes().take_while(u8::is_ascii_digit).count()
}

/// The position of the semicolon that ends a command, outside of quotes.
fn end_of_extended(text: &str) -> usize {
    let mut is_quoted = false;
    for (place, byte) in text.bytes().enumerate() {
        match byte {
            b'"' => is_quoted = !is_quoted,
            b';' if !is_quoted => return place,
            _ => {}
        }
    }
    text.len()
}

/// Whether this is a basic command of V.250 that changes nothing here: formats, flow control, registers.
fn is_basic(part: &str) -> bool {
    let (letters, digits) = part.split_at(part.find(|c: char| c.is_ascii_digit()).unwrap_or(part.len()));
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    match letters {
        "V" | "Q" | "X" | "L" | "M" | "&C" | "&D" | "&K" | "&S" | "H" => is_number,
        "S" => true,
        _ => false,
    }
}

fn identity(board: &Board) -> Vec<String> {
    let storage = &board.storage;
    reply::ati(&Identity {
        manufacturer: Some(MANUFACTURER.to_owned()),
        model: Some(board.setup.profile.name.to_owned()),
        revision: Some(revision(board)),
        meid: storage.imei.get(..14).map(str::to_owned),
        imei: Some(storage.imei.clone()),
        imei_sv: Some("20".to_owned()),
        fsn: Some(storage.serial_number.clone()),
    })
}

/// Answers standard commands (3GPP TS 27.007) as a modem without a SIM does.
fn standard(command: &str, core: &mut Core, board: &Board) -> Done {
    let text = match command {
        "+CGMI" | "+GMI" => MANUFACTURER.to_owned(),
        "+CGMM" | "+GMM" => board.setup.profile.name.to_owned(),
        "+CGMR" | "+GMR" => revision(board),
        "+CGSN" | "+GSN" => board.storage.imei.clone(),
        "+GCAP" => "+GCAP: +CGSM".to_owned(),
        "+CFUN?" => format!("+CFUN: {}", u8::from(core.is_online())),
        "+CFUN=?" => "+CFUN: (0,1,4,5,6),(0-1)".to_owned(),
        "+CREG?" => "+CREG: 0,0".to_owned(),
        "+CGREG?" => "+CGREG: 0,0".to_owned(),
        "+CEREG?" => "+CEREG: 0,0".to_owned(),
        "+CSQ" => "+CSQ: 99,99".to_owned(),
        "+COPS?" => "+COPS: 0".to_owned(),
        "+WS46=?" => "+WS46: (12,22,25,28,29,31)".to_owned(),
        "+CSCS=?" => "+CSCS: (\"GSM\",\"IRA\",\"UCS2\")".to_owned(),
        "+IFC=?" => "+IFC: (0-2),(0-2)".to_owned(),
        "+CPIN?" | "+CIMI" | "+CCID" => return no_sim(),
        "+CFUN=1" => return radio(OperatingMode::Online, core),
        "+CFUN=0" | "+CFUN=4" => return radio(OperatingMode::LowPower, core),
        "+CREG=0" | "+CREG=1" | "+CREG=2" | "+IFC=0,0" | "+IFC=1,1" | "+IFC=2,2" => {
            return Reply::ok(Vec::new()).into();
        }
        _ => return Reply::error().into(),
    };
    line(text)
}

/// `+CME ERROR: 10`, "SIM not inserted" (3GPP TS 27.007 §9.2).
fn no_sim() -> Done {
    Reply {
        lines: Vec::new(),
        result: Final::CmeError(Code::Number(10)),
    }
    .into()
}

fn radio(mode: OperatingMode, core: &mut Core) -> Done {
    if core.is_mismatched && mode == OperatingMode::Online {
        return Reply::error().into();
    }
    core.mode = mode;
    Reply::ok(Vec::new()).into()
}

/// Runs Sierra's own commands. `part` is the command as it was written, `upper` the same in capitals.
fn vendor(upper: &str, part: &str, core: &mut Core, board: &mut Board, now: Instant) -> Done {
    let name = upper.get(1..).unwrap_or_default();
    note_forbidden(part, board, now);
    let capabilities = board.setup.profile.capabilities;
    if let Some(password) = name.strip_prefix("ENTERCND=") {
        if password.trim() != format!("\"{PASSWORD}\"") {
            return Reply::error().into();
        }
        core.is_unlocked = true;
        return Reply::ok(Vec::new()).into();
    }
    // `=?` asks for the form of a command, which is never locked (at.md §3).
    let is_locked = |locked: &&str| -> bool {
        let is_question = name.ends_with("=?");
        name == *locked || (locked.ends_with('=') && name.starts_with(locked) && !is_question)
    };
    if !core.is_unlocked && capabilities.locked.iter().any(is_locked) {
        return Reply::error().into();
    }
    match name {
        "BOOTHOLD" => boot_hold(core, board),
        "RESET" => Done {
            reply: Reply::ok(Vec::new()),
            restarts: true,
        },
        "PRIID?" => Reply::ok(reply::priid(&pri(board))).into(),
        "PCINFO?" => Reply::ok(reply::pcinfo(&power(core, board))).into(),
        "GSTATUS?" => Reply::ok(reply::gstatus(&status(core, board, now))).into(),
        "HWID?" => line("Revision: 1.0".to_owned()),
        "SELRAT?" => Reply::ok(vec!["!SELRAT:".to_owned(), "00, Automatic".to_owned()]).into(),
        _ => at_settings::run(name, part, board).into(),
    }
}

/// Records a violation if the command needs the user's consent and the user hasn't given it (at.md §3,
/// policy). Commands that change nothing, the unlock, boot & hold and the reset need none.
fn note_forbidden(part: &str, board: &mut Board, now: Instant) {
    let changes = part.contains('=') && !part.ends_with("=?");
    let is_free = part.to_ascii_uppercase().starts_with("!ENTERCND=");
    let command = format!("AT{part}");
    let allowed = &board.setup.allowed_commands;
    let is_allowed = || {
        allowed.iter().any(|allowed| {
            let begin = command.get(..allowed.len());
            begin.is_some_and(|begin| begin.eq_ignore_ascii_case(allowed))
        })
    };
    if changes && !is_free && !is_allowed() {
        board.wrong(Wrong::ForbiddenCommand(command), now);
    }
}

fn boot_hold(core: &Core, board: &mut Board) -> Done {
    let habit = board.setup.quirks.boot_hold;
    let restarts = match habit {
        BootHoldHabit::Unknown => return Reply::error().into(),
        BootHoldHabit::NotImplemented => return line("!BOOTHOLD: NOT IMPLEMENTED".to_owned()),
        BootHoldHabit::NeedsUnlock if !core.is_unlocked => return Reply::error().into(),
        BootHoldHabit::OnlySaysOk => false,
        BootHoldHabit::Works | BootHoldHabit::NeedsUnlock => true,
    };
    board.storage.holds |= restarts;
    Done {
        reply: Reply::ok(Vec::new()),
        restarts,
    }
}

fn pri(board: &Board) -> Pri {
    let (profile, storage) = (board.setup.profile, &board.storage);
    let current = &storage.current;
    Pri {
        part_number: Some(storage.oem.part_number.clone()),
        revision: Some(storage.oem.revision.clone()),
        customer: Some(storage.oem.customer.clone()),
        carriers: vec![format!(
            "9999999_9904609_{}_{}_00_{}_{}",
            profile.family, current.firmware, current.carrier, current.config
        )],
    }
}

/// The votes that the traces show, in both layouts.
fn power(core: &Core, board: &Board) -> PowerState {
    let mismatch = u32::from(core.is_mismatched);
    let user = u32::from(!core.is_online() && !core.is_mismatched);
    let (names, details): (&[&str], _) = if board.setup.profile.capabilities.old_power_layout {
        let details = PowerDetails::ForceFlags {
            w_disable: Some(0),
            power_off_mode: Some(0),
            persistent: Some(0),
        };
        (&["W_DISABLE", "User", "Temp", "Volt", "BIOS", "GOBIIM"], details)
    } else {
        let details = PowerDetails::Voters { persistence: None };
        (
            &[
                "Temp",
                "Volt",
                "User",
                "W_DISABLE",
                "IMSWITCH",
                "BIOS",
                "LWM2M",
                "OMADM",
                "FOTA",
            ],
            details,
        )
    };
    let voters = names.iter().map(|name| Voter {
        name: (*name).to_owned(),
        vote: match *name {
            "IMSWITCH" | "GOBIIM" => mismatch,
            "User" => user,
            _ => 0,
        },
    });
    PowerState {
        mode: if core.is_online() {
            Mode::Online
        } else {
            Mode::LowPower
        },
        voters: voters.collect(),
        details,
    }
}

fn status(core: &Core, board: &Board, now: Instant) -> GeneralStatus {
    GeneralStatus {
        seconds: u32::try_from(now.since(core.started).as_secs()).ok(),
        temperature: Some(29),
        resets: Some(board.storage.resets),
        mode: Some(if core.is_online() {
            Mode::Online
        } else {
            Mode::LowPower
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_cut_into_its_commands() {
        for (line, expected) in [
            ("E0V1", vec!["E0", "V1"]),
            ("&C1&D2", vec!["&C1", "&D2"]),
            ("E1 Q0;+CMEE=1;+GCAP", vec!["E1", "Q0", "+CMEE=1", "+GCAP"]),
            ("!IMPREF=\"a;b\"", vec!["!IMPREF=\"a;b\""]),
            ("S0=0", vec!["S0=0"]),
            ("", vec![]),
            ("ä", vec!["ä"]),
        ] {
            assert_eq!(parts(line), expected, "{line}");
        }
    }

    #[test]
    fn a_command_begins_behind_rubbish_but_not_inside_another() {
        assert_eq!(command_of("AT+CGMR"), Some("+CGMR"));
        assert_eq!(command_of("at!reset"), Some("!reset"));
        assert_eq!(command_of("xyATI"), Some("I"));
        assert_eq!(command_of("AT!PRIID=\"ATT\""), Some("!PRIID=\"ATT\""));
        assert_eq!(command_of("hello"), None);
        assert_eq!(command_of("!GSTATUS?"), None);
    }
}
