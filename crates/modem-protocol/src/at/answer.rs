//! Collects the bytes of an AT port into whole answers (at.md §2).

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

/// What a modem said to one command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The lines before the final one, without blank lines and without blanks at their ends. They may include lines
    /// that the modem sent unasked: only the caller can tell these apart. Bytes that aren't UTF-8 are replaced.
    pub lines: Vec<String>,
    /// The final line.
    pub result: Final,
    /// How many lines were left out because the answer is longer than any known answer.
    pub left_out: u32,
}

/// The ends of a line with which a modem says that it doesn't do what the command asks for. "NOT IMPLEMENTED": an
/// EM7455's answer to AT!BOOTHOLD (tests/data/at). "NOT SUPPORT" is also known as a final line (at.md §2).
const REFUSALS: [&str; 3] = ["NOT IMPLEMENTED", "NOT SUPPORT", "NOT SUPPORTED"];

impl Answer {
    /// How the modem refused `command`, in the modem's words; `None` if the modem accepted it.
    ///
    /// Some firmware refuses in a line of the answer and still ends the answer with OK. Such a line has no heading, or
    /// the command's own name as its heading: `!BOOTHOLD: NOT IMPLEMENTED`. Other headings belong to values, which may
    /// say that something else isn't supported.
    pub fn refusal(&self, command: &str) -> Option<String> {
        if !self.result.is_ok() {
            return Some(self.result.to_string());
        }
        let command = command.to_ascii_uppercase();
        let refuses = |line: &str| {
            let line = line.to_ascii_uppercase();
            let words = match line.split_once(':') {
                Some((heading, words)) if command.contains(heading.trim()) => words,
                Some(_) => return false,
                None => line.as_str(),
            };
            let words = words.trim_end_matches(['.', '!']).trim();
            REFUSALS.iter().any(|refusal| {
                let rest = words.strip_suffix(refusal);
                rest.is_some_and(|rest| rest.is_empty() || rest.ends_with(' '))
            })
        };
        let line = self.lines.iter().find(|line| refuses(line))?;
        Some(trim(line).into())
    }
}

/// The line that ends an answer (at.md §2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Final {
    /// `OK`
    Ok,
    /// `ERROR`
    Error,
    /// `+CME ERROR: …`
    CmeError(Code),
    /// `+CMS ERROR: …`
    CmsError(Code),
    /// `NO CARRIER`
    NoCarrier,
    /// `COMMAND NOT SUPPORT`
    NotSupported,
}

/// What follows `+CME ERROR:` and `+CMS ERROR:`: a number or words, depending on the setting of AT+CMEE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Code {
    /// A number.
    Number(u32),
    /// Words.
    Text(String),
}

impl Code {
    fn parse(text: &str) -> Self {
        let text = text.trim();
        text.parse()
            .map_or_else(|_| Self::Text(text.into()), Self::Number)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => write!(f, "{text}"),
        }
    }
}

impl Final {
    /// The meaning of a line that ends an answer; `None` for other lines. The whole line has to match: a value that
    /// contains "OK" doesn't end an answer.
    pub fn parse(line: &str) -> Option<Self> {
        let line = trim(line);
        match line {
            "OK" => Some(Self::Ok),
            "ERROR" => Some(Self::Error),
            "NO CARRIER" => Some(Self::NoCarrier),
            "COMMAND NOT SUPPORT" | "COMMAND NOT SUPPORTED" => Some(Self::NotSupported),
            _ => {
                let cme = line.strip_prefix("+CME ERROR:").map(Code::parse);
                let cms = || line.strip_prefix("+CMS ERROR:").map(Code::parse);
                cme.map(Self::CmeError).or_else(|| cms().map(Self::CmsError))
            }
        }
    }

    /// Whether the command was carried out.
    pub const fn is_ok(&self) -> bool {
        matches!(self, Self::Ok)
    }
}

/// The line as the modem writes it.
impl fmt::Display for Final {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ok => write!(f, "OK"),
            Self::Error => write!(f, "ERROR"),
            Self::CmeError(code) => write!(f, "+CME ERROR: {code}"),
            Self::CmsError(code) => write!(f, "+CMS ERROR: {code}"),
            Self::NoCarrier => write!(f, "NO CARRIER"),
            Self::NotSupported => write!(f, "COMMAND NOT SUPPORT"),
        }
    }
}

/// Collects the bytes that follow one command until its answer is complete.
///
/// The bytes may be split anywhere. The echo of the command, in capitals or not, is removed once, even if it isn't the
/// first line, because the modem may send an unasked line before it. Memory is limited by [`Collector::MOST_BYTES`] and
/// [`Collector::LONGEST_LINE`].
///
/// ```
/// use modemflash_modem_protocol::at::{Collector, Final};
/// let mut collector = Collector::new("AT!BOOTHOLD");
/// assert_eq!(collector.push(b"AT!BOOT"), None);
/// assert_eq!(collector.push(b"HOLD\r\r\n"), None);
/// assert_eq!(collector.push(b"OK\r\n").unwrap().result, Final::Ok);
/// ```
#[derive(Clone, Debug)]
pub struct Collector {
    /// The command whose echo hasn't come yet.
    echo: Option<String>,
    line: Vec<u8>,
    lines: Vec<String>,
    bytes: usize,
    left_out: u32,
}

impl Collector {
    /// How many bytes of a line are kept. The longest known line, in the answer to AT!BSINFO, has about 100.
    pub const LONGEST_LINE: usize = 1024;
    /// How many bytes of an answer are kept: many times as many as a list of 50 images, which has about 3000.
    pub const MOST_BYTES: usize = 64 * 1024;

    /// Waits for the answer to this command, given without its CR.
    pub fn new(command: &str) -> Self {
        Self {
            echo: Some(command.trim().to_string()),
            line: Vec::new(),
            lines: Vec::new(),
            bytes: 0,
            left_out: 0,
        }
    }

    /// Takes bytes in the order in which they came, and returns the answer once it is complete. Bytes after the
    /// answer in the same call are dropped, because the modem sent them unasked. Bytes of later calls begin another
    /// answer, without echo.
    pub fn push(&mut self, bytes: &[u8]) -> Option<Answer> {
        for &byte in bytes {
            if !matches!(byte, b'\r' | b'\n') {
                if self.line.len() < Self::LONGEST_LINE {
                    self.line.push(byte);
                }
                continue;
            }
            let line = core::mem::take(&mut self.line);
            if let Some(result) = self.take_line(&String::from_utf8_lossy(&line)) {
                self.bytes = 0;
                self.echo = None;
                return Some(Answer {
                    lines: core::mem::take(&mut self.lines),
                    result,
                    left_out: core::mem::take(&mut self.left_out),
                });
            }
        }
        None
    }

    /// The lines that came so far, including the unfinished one, to report an answer that never ended.
    pub fn heard(&self) -> Vec<String> {
        let unfinished = String::from_utf8_lossy(&self.line);
        let unfinished = trim(&unfinished);
        let last = (!unfinished.is_empty()).then(|| unfinished.into());
        self.lines.iter().cloned().chain(last).collect()
    }

    /// Keeps a line. If the line ends the answer, returns its meaning.
    fn take_line(&mut self, line: &str) -> Option<Final> {
        if trim(line).is_empty() {
            return None;
        }
        let is_echo = |echo: &str| echo.eq_ignore_ascii_case(trim(line));
        if self.echo.as_deref().is_some_and(is_echo) {
            self.echo = None;
            return None;
        }
        let result = Final::parse(line);
        if result.is_none() {
            let line = line.trim_end_matches(is_blank);
            self.bytes = self.bytes.saturating_add(line.len());
            if self.bytes > Self::MOST_BYTES {
                self.left_out = self.left_out.saturating_add(1);
            } else {
                self.lines.push(line.into());
            }
        }
        result
    }
}

/// Whether to ignore this character at the ends of a line. A NUL counts too: it may precede the first answer after
/// power-on.
fn is_blank(character: char) -> bool {
    character.is_whitespace() || character == '\0'
}

fn trim(line: &str) -> &str {
    line.trim_matches(is_blank)
}
