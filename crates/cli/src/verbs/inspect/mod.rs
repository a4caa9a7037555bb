//! `modemflash inspect`: shows what is in firmware files and whether they are sound.

mod tree;

use std::path::PathBuf;

use firmware_image::source::{Choice, ChoiceError, FirmwareSet, Inspected, LeftOut, SourceError, Wanted};
use firmware_image::{Combination, CrcVerdict, Report, Severity};
use serde::Serialize;
use update_engine::exit::Class;
use update_engine::{Firmware, Request, UpdateError, checks};

use crate::arguments::Inspect;
use crate::failure::{Verdict, untouched};
use crate::images;
use crate::output::stdout;
use crate::text::amounts;
use crate::text::terminal;

/// Version of the schema in docs/inspect-json.md.
const SCHEMA_VERSION: u16 = 1;

/// Exit code if all files are sound.
const SOUND: u8 = 0;
/// Exit code if an image is refused (docs/errors.md).
const REFUSED: u8 = untouched(Class::Image);

/// Shows what the files contain. The exit code is 3 if anything is damaged.
pub(crate) fn run(arguments: &Inspect) -> Verdict {
    let (gathered, unusable) = images::find_usable(&arguments.files, arguments.temp_dir.as_deref())?;
    let inspected = images::check(gathered);
    let sound = inspected.files.iter().all(|file| is_sound(file.report())) && inspected.refused.is_empty();
    let text = if arguments.json {
        json(inspected, &unusable)
    } else {
        for (_, error) in &unusable {
            images::unusable(error).print();
        }
        self::text(inspected, &unusable)
    };
    stdout::print_as_is(&text)?;
    Ok(match unusable.first() {
        // The same exit code as `update` would give.
        Some((_, error)) => images::unusable(error).exit(),
        None if sound => SOUND,
        None => REFUSED,
    })
}

/// Paths that can't be used, and why.
type UnusablePaths = [(PathBuf, SourceError)];

/// Whether nothing is damaged. Every checksum has to be right, even if its header doesn't claim that it is valid.
fn is_sound(report: &Report) -> bool {
    report.worst() != Some(Severity::Error)
        && report
            .images
            .iter()
            .all(|image| image.verdict() == CrcVerdict::Right)
}

fn text(inspected: Inspected, unusable: &UnusablePaths) -> String {
    let mut text = String::new();
    if inspected.files.is_empty() && inspected.refused.is_empty() && !unusable.is_empty() {
        // There is nothing to show but the errors, which are printed already.
        return text;
    }
    for file in &inspected.files {
        text.push_str(&tree::describe(file.report()));
        text.push('\n');
    }
    for refused in &inspected.refused {
        text.push_str(&format!(
            "{}: REFUSED [{}]: {}\n\n",
            refused.name,
            refused.error.code(),
            refused.error
        ));
    }
    text.push_str(&together(inspected, unusable));
    text
}

/// Why `update` would refuse the files.
struct UpdateRefusal {
    code: &'static str,
    error: String,
    hint: Option<String>,
    choices: Vec<Choice>,
}

impl From<&SourceError> for UpdateRefusal {
    fn from(error: &SourceError) -> Self {
        Self {
            code: error.code(),
            error: error.to_string(),
            hint: error.hint(),
            choices: Vec::new(),
        }
    }
}

impl From<ChoiceError> for UpdateRefusal {
    fn from(error: ChoiceError) -> Self {
        Self {
            code: error.code(),
            error: error.to_string(),
            hint: error.hint(),
            choices: error.choices().to_vec(),
        }
    }
}

impl From<UpdateError> for UpdateRefusal {
    fn from(error: UpdateError) -> Self {
        Self {
            code: error.code().as_str(),
            error: error.source.to_string(),
            hint: Some(error.hint()),
            choices: Vec::new(),
        }
    }
}

/// What `update` would send.
struct WouldSend {
    /// Names and sizes, in the order of sending.
    files: Vec<(String, u64)>,
    /// Whether `update` would ask for a confirmation first.
    confirm: bool,
    left_out: Vec<LeftOut>,
    combination: Combination,
}

/// What `update` would send.
fn choose(inspected: Inspected, unusable: &UnusablePaths) -> Result<WouldSend, UpdateRefusal> {
    if let Some((_, error)) = unusable.first() {
        return Err(error.into());
    }
    let set = FirmwareSet::choose(inspected, &Wanted::default())?;
    let of_files = set.files.iter().flat_map(|file| &file.report().findings);
    let mut findings = of_files.chain(&set.combination.findings);
    let sent = WouldSend {
        confirm: findings.any(|finding| finding.severity() == Severity::StrongWarning),
        files: set
            .files
            .iter()
            .map(|file| (file.name().to_owned(), file.report().size))
            .collect(),
        left_out: set.left_out.clone(),
        combination: set.combination.clone(),
    };
    checks::check_images(&Request::default(), &Firmware::from(set))?;
    Ok(sent)
}

/// What `update` would do with the files, in words.
fn together(inspected: Inspected, unusable: &UnusablePaths) -> String {
    match choose(inspected, unusable) {
        Ok(sent) => {
            let does = if sent.confirm {
                "update would ask for a confirmation (in scripts: --yes), then send, in this order"
            } else {
                "update would send, in this order"
            };
            let mut text = format!("{does}:\n");
            for (name, size) in &sent.files {
                text.push_str(&format!("  {name} ({})\n", amounts::bytes(*size)));
            }
            for left in &sent.left_out {
                text.push_str(&format!("not used: {} ({})\n", left.name, left.why));
            }
            tree::findings(&mut text, &sent.combination.findings, "  ");
            text
        }
        Err(refusal) => {
            let mut text = format!(
                "update would refuse these files together [{}]: {}\n",
                refusal.code, refusal.error
            );
            if let Some(hint) = refusal.hint {
                terminal::wrap(&mut text, "", &format!("hint: {hint}"));
            }
            text
        }
    }
}

/// One line of `--json`.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum InspectLine<'a> {
    /// A file that is an image.
    Image { v: u16, sound: bool, report: &'a Report },
    /// A file that isn't an image, or can't be read.
    Refused {
        v: u16,
        name: String,
        code: &'a str,
        error: String,
    },
    /// What `update` would send, and findings about the files together.
    Set {
        v: u16,
        order: Vec<&'a str>,
        confirm: bool,
        left_out: Vec<String>,
        combination: &'a Combination,
    },
    /// Why `update` would send nothing.
    NoSet {
        v: u16,
        code: &'a str,
        error: String,
        hint: Option<String>,
        choices: Vec<Choice>,
    },
}

fn json(inspected: Inspected, unusable: &UnusablePaths) -> String {
    let mut text = String::new();
    let mut put = |line: &InspectLine<'_>| {
        // Writing can't fail: all keys are strings, and JSON can hold all numbers.
        text.push_str(&serde_json::to_string(line).unwrap_or_else(|_| "{}".into()));
        text.push('\n');
    };
    let v = SCHEMA_VERSION;
    for file in &inspected.files {
        let report = file.report();
        put(&InspectLine::Image {
            v,
            sound: is_sound(report),
            report,
        });
    }
    for refused in &inspected.refused {
        put(&InspectLine::Refused {
            v,
            name: refused.name.clone(),
            code: refused.error.code(),
            error: refused.error.to_string(),
        });
    }
    for (path, error) in unusable {
        put(&InspectLine::Refused {
            v,
            name: path.display().to_string(),
            code: error.code(),
            error: error.to_string(),
        });
    }
    match choose(inspected, unusable) {
        Ok(sent) => put(&InspectLine::Set {
            v,
            order: sent.files.iter().map(|(name, _)| name.as_str()).collect(),
            confirm: sent.confirm,
            left_out: sent.left_out.iter().map(|left| left.name.clone()).collect(),
            combination: &sent.combination,
        }),
        Err(refusal) => put(&InspectLine::NoSet {
            v,
            code: refusal.code,
            error: refusal.error,
            hint: refusal.hint,
            choices: refusal.choices,
        }),
    }
    text
}
