//! The file of `--trace`: nothing but an older trace is replaced, and nothing is done where it can't be written.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;

use crate::common::{Run, modemflash, names, put_release, serve, setup, transcript};
use firmware_image::Family;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use virtual_modem::pty::PtyModem;

const OLDER: &str = "modemflash-trace 1\n# an older run\n0.000000 end\n";

/// A folder with firmware, and a modem that waits for it.
struct Bench {
    folder: tempfile::TempDir,
    files: Vec<String>,
    served: PtyModem,
    port: String,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let files = names(&put_release(folder.path(), Family::Swi9x30, 100_000));
        let (served, port) = serve(setup("MC7455", 10 << 20));
        Self {
            folder,
            files,
            served,
            port,
        }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// An update with these words behind the port; the transcript.
    fn update(&self, words: &[&str]) -> String {
        transcript(self.path(), &[&["update", "-t", &self.port][..], words].concat())
    }

    /// The same for an update that is refused.
    fn refused(&self, words: &[&str]) -> String {
        let text = self.update(words);
        assert!(text.contains("error[E-TRACE-WRITE]: the trace "), "{text}");
        assert!(text.ends_with("--- exit 2\n"), "{text}");
        text
    }

    /// Ends it: the modem has got no image, and no byte that it complains of.
    fn end_untouched(self) {
        let modem = self.served.stop().unwrap();
        assert!(modem.images().is_empty());
        assert_eq!(modem.violations(), []);
    }
}

#[test]
fn firmware_survives_whatever_way_the_trace_is_named_like_it() {
    let bench = Bench::new();
    let (system, settings) = (bench.files[0].as_str(), bench.files[1].as_str());
    let before = fs::read(bench.path().join(system)).unwrap();
    // As after `--trace *.cwe *.nvu`.
    let text = bench.refused(&["--trace", system, settings]);
    assert!(text.contains("there is a firmware image\n"), "{text}");
    let hint = format!(
        "hint: --trace takes the name of a file to write, and has taken this one: give both, as in `--trace run.trace {system}`\n"
    );
    assert!(text.contains(&hint), "{text}");
    fs::hard_link(bench.path().join(system), bench.path().join("hard")).unwrap();
    symlink(system, bench.path().join("soft")).unwrap();
    fs::create_dir(bench.path().join("sub")).unwrap();
    fs::copy(bench.path().join(system), bench.path().join("sub/system.cwe")).unwrap();
    for name in [system, "hard", "soft", "sub/system.cwe", "sub/../hard"] {
        for given in [&[system, settings][..], &["."], &["soft", settings], &["sub"]] {
            let text = bench.refused(&[&["--trace", name][..], given].concat());
            assert!(!text.contains("is passed over"), "{text}");
            assert_eq!(fs::read(bench.path().join(system)).unwrap(), before, "{text}");
            assert_eq!(
                fs::read(bench.path().join("sub/system.cwe")).unwrap(),
                before,
                "{text}"
            );
            assert!(bench.path().join("soft").is_symlink());
        }
    }
    // An archive is one of the files to be read, whatever it holds.
    fs::write(bench.path().join("all.zip"), OLDER).unwrap();
    let text = bench.refused(&["--trace", "all.zip", "all.zip"]);
    assert!(text.contains("it is one of the files to be read\n"), "{text}");
    assert_eq!(fs::read_to_string(bench.path().join("all.zip")).unwrap(), OLDER);
    bench.end_untouched();
}

// A broken download can be empty.
#[test]
fn an_empty_or_missing_firmware_file_is_no_trace() {
    let bench = Bench::new();
    let settings = bench.files[1].as_str();
    fs::write(bench.path().join("system.CWE"), "").unwrap();
    for name in ["system.CWE", "missing.cwe", "missing.zip"] {
        let text = bench.refused(&["--trace", name, settings]);
        assert!(
            text.contains("its name is that of firmware or an archive\n"),
            "{text}"
        );
        assert!(
            text.contains("hint: --trace takes the name of a file to write, and has taken this one"),
            "{text}"
        );
        assert!(!bench.path().join("missing.cwe").exists());
    }
    assert_eq!(fs::read(bench.path().join("system.CWE")).unwrap(), b"");
    bench.end_untouched();
}

#[test]
fn a_second_run_of_the_same_command_leaves_the_trace_of_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let files = names(&put_release(folder.path(), Family::Swi9x30, 8_000_000));
    let (served, port) = serve(setup("MC7455", 4 << 20));
    let update = || {
        let mut command = modemflash(folder.path());
        command.args(["update", "--json", "-t", &port, "--trace", "run.trace"]);
        command.args(&files);
        command
    };
    let mut first = Run::start(update());
    first.wait_for_bytes(1);
    let output = update().output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(
        text.contains("error[E-TRACE-WRITE]: the trace run.trace can't be written: another run writes it\n"),
        "{text}"
    );
    let (code, seen) = first.finish();
    assert_eq!(code, 0, "{seen}");
    let trace = fs::read_to_string(folder.path().join("run.trace")).unwrap();
    assert!(
        trace.starts_with("modemflash-trace 1\n# modemflash "),
        "{trace:.300}"
    );
    assert!(trace.ends_with(" end\n"));
    assert_eq!(served.stop().unwrap().violations(), []);
    // What ended is an older trace.
    let text = transcript(
        folder.path(),
        &[
            &["rehearse", "--fast", "--trace", "run.trace"][..],
            &[&files[0], &files[1]],
        ]
        .concat(),
    );
    assert!(text.ends_with("--- exit 0\n"), "{text}");
}

#[test]
fn a_rehearsal_destroys_nothing_either() {
    let bench = Bench::new();
    let system = bench.path().join(&bench.files[0]);
    let before = fs::read(&system).unwrap();
    let [system_name, settings] = [&bench.files[0], &bench.files[1]];
    let text = transcript(
        bench.path(),
        &["rehearse", "--fast", "--trace", system_name, settings],
    );
    assert!(text.contains("error[E-TRACE-WRITE]: the trace "), "{text}");
    assert!(text.ends_with("--- exit 2\n"), "{text}");
    assert_eq!(fs::read(&system).unwrap(), before);
    bench.end_untouched();
}

#[test]
fn what_is_no_trace_is_left_as_it_is() {
    let bench = Bench::new();
    let at = |name: &str| bench.path().join(name);
    let texts = [
        ("letter", "a letter\n"),
        ("newer", "modemflash-trace one\n"),
        ("half", "modemflash-trace 1"),
        ("quoted", "> modemflash-trace 1\n"),
        ("blank", "\n"),
    ];
    for (name, text) in texts {
        fs::write(at(name), text).unwrap();
    }
    symlink("nowhere", at("dangling")).unwrap();
    fs::write(at("older"), OLDER).unwrap();
    symlink("older", at("to-older")).unwrap();
    fs::create_dir(at("folder")).unwrap();
    let mode = Mode::RUSR | Mode::WUSR;
    mknodat(CWD, at("pipe"), FileType::Fifo, mode, 0).unwrap();
    let _socket = UnixListener::bind(at("socket")).unwrap();
    let cases = [
        ("letter", "there is a text"),
        ("newer", "there is a text"),
        ("half", "there is a text"),
        ("quoted", "there is a text"),
        ("blank", "there is "),
        ("dangling", "there is a symbolic link"),
        ("to-older", "there is a symbolic link"),
        ("folder", "there is a folder"),
        ("folder/", "there is a folder"),
        // No other end is waited for.
        ("pipe", "there is a pipe"),
        ("socket", "there is a socket"),
        ("/dev/null", "there is a device"),
        ("/dev/stderr", "there is a symbolic link"),
        ("/dev/stdout", "there is a symbolic link"),
        ("-", "it isn't written to standard output"),
        ("letter/below", "Not a directory"),
    ];
    let files: Vec<&str> = bench.files.iter().map(String::as_str).collect();
    for (name, why) in cases {
        let option = format!("--trace={name}");
        let text = bench.refused(&[&[option.as_str()][..], &files].concat());
        assert!(text.contains(&format!("can't be written: {why}")), "{text}");
    }
    for (name, text) in texts {
        assert_eq!(fs::read_to_string(at(name)).unwrap(), text);
    }
    assert_eq!(fs::read_to_string(at("older")).unwrap(), OLDER);
    assert!(!at("nowhere").exists() && !at("-").exists());
    bench.end_untouched();
}

#[test]
fn a_new_trace_is_private_and_an_older_one_or_an_empty_file_keeps_its_mode() {
    let bench = Bench::new();
    let at = |name: &str| bench.path().join(name);
    fs::write(at("older"), OLDER.repeat(10_000)).unwrap();
    fs::write(at("old-version"), "modemflash-trace 0\r\n").unwrap();
    fs::write(at("empty"), "").unwrap();
    for name in ["older", "old-version", "empty"] {
        fs::set_permissions(at(name), Permissions::from_mode(0o640)).unwrap();
    }
    for (name, mode) in [
        ("new", 0o600),
        ("older", 0o640),
        ("old-version", 0o640),
        ("empty", 0o640),
    ] {
        let program = modemflash(bench.path());
        // The umask is for the whole process: a shell sets it for the program alone.
        let output = std::process::Command::new("sh")
            .current_dir(bench.path())
            .args(["-c", "umask 0; exec \"$@\"", "sh"])
            .arg(program.get_program())
            .args(["rehearse", "--fast", "--trace", name])
            .args(&bench.files)
            .output()
            .unwrap();
        let words = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{words}");
        let text = fs::read_to_string(at(name)).unwrap();
        assert!(text.starts_with("modemflash-trace 1\n# modemflash "), "{name}");
        assert!(text.ends_with(" end\n"), "{name}");
        assert!(!text.contains("an older run"), "{name}");
        let is = fs::metadata(at(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!(is, mode, "{name}: {is:o}");
    }
    // It lies in the folder that the firmware is in, and is no hindrance there.
    let text = transcript(bench.path(), &["rehearse", "--fast", "--trace", "new", "."]);
    assert!(text.ends_with("--- exit 0\n"), "{text}");
    bench.end_untouched();
}
