//! What the README shows of the program is what the program prints. `SNAPSHOTS=overwrite cargo test` writes it anew.

use std::fs;
use std::path::Path;

use crate::common::{names, on_terminal, put_release};
use firmware_image::Family;
use snapbox::Data;

/// A command of the README, with its name there.
struct Recording {
    name: &'static str,
    command: &'static str,
}

const RECORDINGS: [Recording; 3] = [
    Recording {
        name: "list",
        command: "modemflash --virtual MC7455,EM7565,EM7565@download list",
    },
    Recording {
        name: "update",
        command: "modemflash --virtual MC7455 update SWI9X30C_02.33.03.00.cwe SWI9X30C_02.33.03.00_GENERIC_002.072_000.nvu",
    },
    Recording {
        name: "failure",
        command: "modemflash rehearse --fast --as MC7455 --fault stall@10000000 SWI9X30C_02.33.03.00.cwe SWI9X30C_02.33.03.00_GENERIC_002.072_000.nvu",
    },
];

/// What a terminal of 80 columns shows, and the exit code, when it isn't 0.
fn record(folder: &Path, command: &str) -> String {
    let arguments: Vec<&str> = command.split(' ').skip(1).collect();
    let (code, text) = on_terminal(folder, "dumb", &arguments, "");
    match code {
        0 => text,
        code => format!("{text}$ echo $?\n{code}\n"),
    }
}

/// The command as it is shown: one that is too long goes on in the next line.
fn shown(command: &str) -> String {
    let mut text = String::from("$");
    let mut width = 1;
    for word in command.split(' ') {
        if width + 1 + word.len() > 77 {
            text.push_str(" \\\n   ");
            width = 3;
        }
        text.push(' ');
        text.push_str(word);
        width += 1 + word.len();
    }
    text
}

#[test]
fn the_readme_shows_what_the_program_prints() {
    let folder = tempfile::tempdir().unwrap();
    let files = names(&put_release(folder.path(), Family::Swi9x30, 15_000_000));
    assert!(RECORDINGS[1].command.ends_with(&files.join(" ")));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let mut readme = fs::read_to_string(&path).unwrap();
    for Recording { name, command } in RECORDINGS {
        let block = format!("{}\n{}", shown(command), record(folder.path(), command));
        let begin = format!("<!-- {name}: kept true by crates/cli/tests/it/readme.rs -->\n```console\n");
        let (before, rest) = readme
            .split_once(&begin)
            .unwrap_or_else(|| panic!("no block {name}"));
        let (_, after) = rest.split_once("```\n").unwrap();
        readme = format!("{before}{begin}{block}```\n{after}");
    }
    snapbox::Assert::new()
        .action_env("SNAPSHOTS")
        .eq(Data::text(readme).raw(), Data::read_from(&path, None).raw());
}
