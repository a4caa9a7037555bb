//! The program under the name of `qmi-firmware-update`, side by side with Debian's program of that name.
//!
//! Where that isn't installed, only ours is run and held to its golden files; with `CI=true` it has to be there
//! (`cargo xtask test` installs it).
#![allow(clippy::print_stderr)]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::common::{names, put_release, serve, setup};
use firmware_image::Family;
use firmware_image::generate::models::wrong_files;
use snapbox::Data;
use tempfile::TempDir;

/// Where Debian puts the original.
const ORIGINAL: &str = "/usr/bin/qmi-firmware-update";
/// The version whose behaviour is described and pinned.
const VERSION: &str = "qmi-firmware-update 1.32.2";

/// What a program did.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    exit: Option<i32>,
    out: String,
    err: String,
}

impl Seen {
    fn of(program: &Path, folder: &Path, locale: &str, words: &[&str]) -> Self {
        let output = Command::new(program)
            .args(words)
            .current_dir(folder)
            .env_clear()
            .env("LC_ALL", locale)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        Self {
            exit: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Without what only one of the two says (docs/compatibility.md): our reasons on lines that stand further in, and the
    /// byte that the original prints behind a full date.
    fn alike(mut self) -> Self {
        self.err = self
            .err
            .lines()
            .filter(|line| !line.starts_with("  ") && !line.starts_with("warning: "))
            .map(|line| format!("{line}\n"))
            .collect();
        self.out = self.out.replace('\u{1}', "");
        self
    }
}

/// A folder with the program under its other name, and files to look at.
struct Bench {
    folder: TempDir,
    ours: PathBuf,
    original: Option<PathBuf>,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bin = folder.path().join("bin");
        fs::create_dir(&bin).unwrap();
        let ours = bin.join("qmi-firmware-update");
        symlink(env!("CARGO_BIN_EXE_modemflash"), &ours).unwrap();
        Self {
            original: original(folder.path()),
            folder,
            ours,
        }
    }

    fn put(&self, name: &str, bytes: &[u8]) {
        fs::write(self.folder.path().join(name), bytes).unwrap();
    }

    fn ours(&self, words: &[&str]) -> Seen {
        self.ours_in("C.UTF-8", words)
    }

    fn ours_in(&self, locale: &str, words: &[&str]) -> Seen {
        Seen::of(&self.ours, self.folder.path(), locale, words)
    }

    /// Runs both; gives what ours did.
    #[track_caller]
    fn same(&self, locale: &str, words: &[&str]) -> Seen {
        let ours = self.ours_in(locale, words);
        if let Some(original) = &self.original {
            let theirs = Seen::of(original, self.folder.path(), locale, words);
            assert_eq!(ours.clone().alike(), theirs.alike(), "{words:?} in {locale}");
        }
        ours
    }
}

/// The original, when it is installed in the version that is described.
fn original(folder: &Path) -> Option<PathBuf> {
    let path = PathBuf::from(ORIGINAL);
    let is_there = path.exists() && Seen::of(&path, folder, "C", &["--version"]).out.contains(VERSION);
    if !is_there {
        let what = format!("{VERSION} is not installed: apt-get install libqmi-utils");
        assert!(
            std::env::var_os("CI").is_none_or(|value| value != "true"),
            "{what}"
        );
        eprintln!("SKIPPED: the comparison side by side, because {what}");
    }
    is_there.then_some(path)
}

/// Command lines that are refused, in the order in which things are checked.
const REFUSED: &[&[&str]] = &[
    &[],
    &["--bogus"],
    &["--bogus", "-d", "xyz"],
    &["-d", "xyz", "--bogus"],
    &["--up"],
    &["--firmware-versio", "x"],
    &["---"],
    &["-x"],
    &["-zx", "sound.cwe"],
    &["-zxV"],
    &["-1"],
    &["-\u{e9}"],
    &["-z=1", "sound.cwe"],
    &["-V=1"],
    &["-f"],
    &["-zf"],
    &["--firmware-version"],
    &["--modem-storage-index"],
    &["-b", "-d1199"],
    &["-b", "-d1199", "x"],
    &["-z", "-d=xyz"],
    &["-fd", "a", "b"],
    &["-bwt", "cdc-wdm7"],
    &["-fx", "sound.cwe"],
    &["-bd", "xyz"],
    &["-b", "-d", "1199:"],
    &["-b", "-d", ":9071"],
    &["-b", "-d", ":"],
    &["-b", "-d", "0"],
    &["-b", "-d", "0:0"],
    &["-b", "-d", "11990"],
    &["-b", "-d", "-1"],
    &["-b", "-d", "1199:zz"],
    &["-b", "-d", "1199:9071:1"],
    &["-b", "-d", "--"],
    &["-b", "-s", "x"],
    &["-b", "-s", "1:x"],
    &["-b", "-s", "x:1"],
    &["-b", "-s", "1:"],
    &["-b", "-s", ":1"],
    &["-b", "-s", "0x1"],
    &["-b", "-s", "0"],
    &["-b", "-s", "1:2:3"],
    &["-b", "-s", "99999999999"],
    &["--modem-storage-index=abc"],
    &["--modem-storage-index="],
    &["--modem-storage-index=5 "],
    &["--modem-storage-index", "3000000000"],
    &["--modem-storage-index=99999999999"],
    &["--modem-storage-index", "-1"],
    &["--modem-storage-index=0x10"],
    &["-v", "-S"],
    &["-L", "/nonexistent/log"],
    &["-"],
    &["--"],
    &["sound.cwe"],
    &["--firmware-version="],
    &["-bz", "sound.cwe"],
    &["-uU", "sound.cwe"],
    &["-u"],
    &["-U"],
    &["-z"],
    &["--", "-z"],
    &["-b"],
    &["-u", "sound.cwe"],
    &["-U", "sound.cwe"],
    &["-b", "-d", "1199", "-w", "cdc-wdm77"],
    &["-b", "-w", "cdc-wdm77", "-t", "ttyUSB77"],
    &["-b", "-d", "feed"],
    &["-b", "-d", "0xfeed"],
    &["-b", "-d", "feed:beef"],
    &["-b", "-d", "feed", "-d", "0xFEED:0XBEE"],
    &["-b", "-s", "001:999"],
    &["-b", "-s", "999"],
    &["-b", "-s", "70000:1"],
    &["-b", "-w", ""],
    &["-b", "-t", ""],
    &["-b", "-w", "/dev/cdc-wdm77"],
    &["-b", "-w", "cdc-wdm77"],
    &["-b", "-w", "/dev/cdc-wdm77/"],
    &["-b", "-t", "/dev/ttyUSB77"],
    &["-b", "-t", "ttyUSB77"],
    &["-b", "-t", "/dev/null"],
    &["-b", "-w", "sound.cwe"],
    &["-b", "-w", "/"],
    &["-b", "-w", "wwan77"],
    &["-b", "-t", "/dev/serial/by-id/nothing"],
    &["-b", "-t", "/dev/tty"],
    &["-u", "sound.cwe", "-w", "/dev/cdc-wdm77"],
    &["-u", "nothing.cwe", "-w", "/dev/cdc-wdm77"],
    &["-U", "-t", "/dev/ttyUSB77", "sound.cwe", "-v"],
    &[
        "-u",
        "--device-open-qmi",
        "--device-open-mbim",
        "-w",
        "cdc-wdm77",
        "sound.cwe",
    ],
    &["-u", "--modem-storage-index=300", "-w", "cdc-wdm77", "sound.cwe"],
    &["-z", "nothing.cwe"],
    &["-z", "nothing.cwe", "-v", "-S"],
];

#[test]
fn wrong_command_lines_get_the_same_answer_as_from_the_original() {
    let bench = Bench::new();
    bench.put("sound.cwe", b"not looked at");
    let mut transcript = String::new();
    for words in REFUSED {
        let seen = bench.same("C.UTF-8", words);
        assert_eq!(seen.exit, Some(1), "{words:?}");
        assert_eq!(seen.out, "", "{words:?}");
        // A host may have modems.
        let lines = seen.err.lines().filter(|line| !line.starts_with("  there is: "));
        let lines: String = lines.map(|line| format!("{line}\n")).collect();
        transcript.push_str(&format!("$ qmi-firmware-update {words:?}\n{lines}\n"));
    }
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/reference-refused.txt");
    snapbox::Assert::new()
        .action_env("SNAPSHOTS")
        .eq(Data::text(transcript).raw(), Data::read_from(&golden, None).raw());
}

#[test]
fn what_a_locale_cannot_spell_is_a_question_mark_as_in_the_original() {
    let bench = Bench::new();
    let seen = bench.same("C", &["--modem-storage-index=abc"]);
    assert!(seen.err.contains("?abc?"), "{}", seen.err);
}

#[test]
fn empty_ids_are_refused_where_the_original_crashes() {
    let bench = Bench::new();
    let seen = bench.ours(&["-b", "-d", ""]);
    assert_eq!(
        (seen.exit, seen.err.as_str()),
        (
            Some(1),
            "error: couldn't parse option context: invalid vendor id: \n"
        )
    );
    let seen = bench.ours(&["-b", "-s", ""]);
    assert_eq!(seen.exit, Some(1));
}

#[test]
fn sound_files_are_shown_as_by_the_original() {
    let bench = Bench::new();
    let folder = bench.folder.path();
    let mut files = Vec::new();
    for family in [Family::Swi9x15, Family::Swi9x30, Family::Swi9x50, Family::Sdx55] {
        files.extend(names(&put_release(folder, family, 3_000_000)));
    }
    for name in ["amss.mbn", "APPS.mbn", "uqcn.mbn"] {
        bench.put(name, &vec![7; 1024 * 1024 + 9]);
        files.push(name.to_owned());
    }
    let real = Path::new(env!("CARGO_MANIFEST_DIR")).join("../firmware-image/tests/data/cwe");
    for name in ["ls.cwe", "cp2ls.cwe", "cp_ubi.cwe", "keystore.cwe"] {
        fs::copy(real.join(name), folder.join(name)).unwrap();
        files.push(name.to_owned());
    }
    for file in &files {
        let seen = bench.same("C.UTF-8", &["-z", file]);
        assert_eq!(seen.exit, Some(0), "{file}: {}", seen.err);
    }
    let all: Vec<&str> = ["-z"]
        .into_iter()
        .chain(files.iter().map(String::as_str))
        .collect();
    let seen = bench.same("C.UTF-8", &all);
    assert_eq!(seen.out.matches("\nFirmware image:\n").count(), files.len());
}

#[test]
fn of_several_files_the_good_ones_are_shown_and_each_bad_one_is_an_error() {
    let bench = Bench::new();
    let files = names(&put_release(bench.folder.path(), Family::Swi9x50, 5000));
    bench.put("text", b"no image at all");
    bench.put("empty.cwe", b"");
    let seen = bench.same(
        "C.UTF-8",
        &["-z", &files[0], "text", "nothing", &files[1], "empty.cwe"],
    );
    assert_eq!(seen.exit, Some(1));
    assert_eq!(
        seen.err
            .matches("error: couldn't detect image type: unknown firmware image file\n")
            .count(),
        3
    );
    assert_eq!(seen.out.matches("\nFirmware image:\n").count(), 2);
}

#[test]
fn wrong_files_are_refused_as_by_the_original_and_damaged_ones_too() {
    let bench = Bench::new();
    let mut better = BTreeSet::new();
    for (number, wrong) in wrong_files().unwrap().into_iter().enumerate() {
        let name = format!("wrong-{number}.cwe");
        bench.put(&name, &wrong.bytes);
        let seen = bench.ours(&["-z", &name]);
        if seen.err.contains("damaged firmware image file") {
            // A checksum is wrong; the original doesn't look.
            assert_eq!(seen.exit, Some(1), "{}", wrong.wrong);
            assert!(seen.out.contains(" WRONG, header says "), "{}", seen.out);
            better.insert(wrong.wrong);
            if let Some(original) = &bench.original {
                let theirs = Seen::of(original, bench.folder.path(), "C.UTF-8", &["-z", &name]);
                assert_eq!(theirs.exit, Some(0), "{}", wrong.wrong);
            }
        } else {
            bench.same("C.UTF-8", &["-z", &name]);
        }
    }
    assert_eq!(better.len(), 1, "{better:?}");
}

#[test]
fn help_version_and_examples_win_over_everything_but_a_wrong_option() {
    let bench = Bench::new();
    for words in [
        &["-h"][..],
        &["--help=x"],
        &["-H"],
        &["-V"],
        &["-z", "-h", "nothing"],
        &["-uU", "-V"],
        &["-hz", "--bogus"],
    ] {
        let ours = bench.ours(words);
        let is_wrong = words.contains(&"--bogus");
        assert_eq!(ours.exit, Some(i32::from(is_wrong)), "{words:?}");
        assert_eq!(ours.out.is_empty(), is_wrong, "{words:?}");
        if let Some(original) = &bench.original {
            let theirs = Seen::of(original, bench.folder.path(), "C.UTF-8", words);
            assert_eq!((ours.exit, ours.err), (theirs.exit, theirs.err), "{words:?}");
        }
    }
    // The last word of the second line: what scripts take for the version.
    assert_eq!(bench.ours(&["-V", "-h"]).out.lines().nth(1), Some(VERSION));
    assert_eq!(bench.ours(&["-h", "-H"]).out.lines().next(), Some("Usage:"));
    assert_eq!(bench.ours(&["--help-all"]).exit, Some(0));
}

/// The options in a help text: `-s, --busnum-devnum=[BUS:]DEV`.
fn options(help: &str) -> BTreeSet<String> {
    help.lines()
        .filter(|line| line.starts_with("  -"))
        .map(|line| {
            let words = line.trim().split("  ").next().unwrap();
            words.to_owned()
        })
        .collect()
}

#[test]
fn the_help_lists_the_options_of_the_original() {
    let bench = Bench::new();
    let ours = options(&bench.ours(&["--help"]).out);
    assert_eq!(ours.len(), 26);
    if let Some(original) = &bench.original {
        let theirs = Seen::of(original, bench.folder.path(), "C.UTF-8", &["--help"]);
        assert_eq!(ours, options(&theirs.out));
    }
}

#[test]
fn the_first_word_does_what_the_name_does() {
    let bench = Bench::new();
    let files = names(&put_release(bench.folder.path(), Family::Swi9x50, 5000));
    let words = ["-z", files[0].as_str()];
    let by_name = bench.ours(&words);
    let program = Path::new(env!("CARGO_BIN_EXE_modemflash"));
    let by_word = Seen::of(
        program,
        bench.folder.path(),
        "C.UTF-8",
        &[&["qmi-firmware-update"], &words[..]].concat(),
    );
    assert_eq!(by_name, by_word);
}

#[test]
fn details_go_to_standard_output_or_into_a_file() {
    let bench = Bench::new();
    let log = bench.folder.path().join("log");
    bench.put("log", b"[Debug] an old line\n");
    let (served, port) = serve(setup("MC7455", 10 * 1024 * 1024));
    let files = names(&put_release(bench.folder.path(), Family::Swi9x30, 100_000));
    let seen = bench.ours(&["-U", "-t", &port, "-L", "log", &files[0], &files[1]]);
    assert_eq!(seen.exit, Some(0), "{}", seen.err);
    served.stop().unwrap();
    let text = fs::read_to_string(log).unwrap();
    assert!(
        !text.contains("an old line") && text.contains("[Debug] "),
        "{text}"
    );
    assert!(!seen.out.contains("[Debug] "));
}

#[test]
fn a_log_replaces_nothing_but_a_log() {
    let bench = Bench::new();
    let files = names(&put_release(bench.folder.path(), Family::Swi9x30, 100_000));
    let (system, settings) = (files[0].as_str(), files[1].as_str());
    let firmware = fs::read(bench.folder.path().join(system)).unwrap();
    bench.put("mine", b"a letter\n");
    bench.put("dated", b"[11 Jan 2024, 10:00:00] [Debug] an old line\n");
    let (served, port) = serve(setup("MC7455", 10 * 1024 * 1024));
    // The option took one of the files, or names one of them once more: the modem doesn't get the others alone.
    for words in [&["-L", system, settings][..], &["-L", settings, system, settings]] {
        let seen = bench.ours(&[&["-U", "-t", &port][..], words].concat());
        assert_eq!(seen.exit, Some(1), "{}", seen.err);
        assert!(
            seen.err.contains("cannot open verbose log file for writing: "),
            "{}",
            seen.err
        );
    }
    assert_eq!(fs::read(bench.folder.path().join(system)).unwrap(), firmware);
    let modem = served.stop().unwrap();
    assert!(modem.images().is_empty());
    assert_eq!(modem.violations(), []);
    // Otherwise that program goes on without a log.
    let seen = bench.ours(&["-z", system, "-L", "mine"]);
    assert_eq!(seen.exit, Some(0), "{}", seen.err);
    assert!(seen.err.contains("for writing: there is a text"), "{}", seen.err);
    assert_eq!(fs::read(bench.folder.path().join("mine")).unwrap(), b"a letter\n");
    let seen = bench.ours(&["-z", system, "-L", "dated"]);
    assert_eq!((seen.exit, seen.err.as_str()), (Some(0), ""));
    assert!(
        !fs::read_to_string(bench.folder.path().join("dated"))
            .unwrap()
            .contains("old")
    );
}

#[test]
fn a_modem_in_download_mode_is_flashed_under_the_old_name_of_the_option() {
    for (model, family, span) in [
        ("MC7455", Family::Swi9x30, "more than one minute"),
        ("EM7565", Family::Swi9x50, "several minutes"),
    ] {
        let bench = Bench::new();
        let (served, port) = serve(setup(model, 10 * 1024 * 1024));
        let files = names(&put_release(bench.folder.path(), family, 3 << 20));
        let seen = bench.ours(&["-t", &port, "--update-qdl", &files[1], &files[0]]);
        served.stop().unwrap();
        assert_eq!(
            (
                seen.exit,
                seen.err.lines().filter(|line| line.starts_with("error")).count()
            ),
            (Some(0), 0),
            "{}",
            seen.err
        );
        for words in [
            format!(
                "downloading cwe image: {} (3.1\u{a0}MB)...\n\x1b[2K\r(*-----) ",
                files[0]
            ),
            format!(
                "\x1b[2K\rfinalizing download... (may take {span}, be patient)\x1b[2K\rsuccessfully downloaded in "
            ),
            "\u{a0}MB/s)\n".to_owned(),
            "rebooting in normal mode...\n".to_owned(),
        ] {
            assert!(seen.out.contains(&words), "{words:?} in {}", seen.out);
        }
        assert!(
            seen.out
                .ends_with("\nfirmware update operation finished successfully\n"),
            "{}",
            seen.out
        );
    }
}

#[test]
fn a_whole_update_of_a_virtual_modem_prints_this() {
    let bench = Bench::new();
    let files = names(&put_release(bench.folder.path(), Family::Swi9x30, 100_000));
    let words = [
        "--virtual",
        "MC7455",
        "qmi-firmware-update",
        "-u",
        "-d",
        "1199:9071",
        &files[0],
        &files[1],
    ];
    let program = Path::new(env!("CARGO_BIN_EXE_modemflash"));
    let seen = Seen::of(program, bench.folder.path(), "C.UTF-8", &words);
    assert_eq!((seen.exit, seen.err.as_str()), (Some(0), ""));
    // What stands in the line of the bar is wiped.
    let wiped = |line: &str| {
        line.rsplit("\x1b[2K\r")
            .next()
            .unwrap_or(line)
            .replace('\u{a0}', " ")
    };
    let text: String = seen
        .out
        .lines()
        .map(|line| format!("{}\n", wiped(line)))
        .collect();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/reference-update.txt");
    snapbox::Assert::new()
        .action_env("SNAPSHOTS")
        .eq(Data::text(text).raw(), Data::read_from(&golden, None).raw());
}
