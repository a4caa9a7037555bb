//! The real binary under test: how it is started, watched and judged.
#![allow(unreachable_pub)]

pub mod terminal;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use firmware_image::Family;
use firmware_image::generate::models::{CARRIER_ITEMS, Release};
use rustix::process::{Pid, Signal};
use serde_json::Value;
use snapbox::Data;
use virtual_modem::profile::Timings;
use virtual_modem::pty::PtyModem;
use virtual_modem::{Keep, Profile, Setup, VirtualModem};

use self::terminal::Terminal;

/// How long anything may take on a loaded machine before a test gives up.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// The program with an environment that doesn't depend on who runs the tests.
pub fn modemflash(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_modemflash"));
    command
        .current_dir(folder)
        .env_clear()
        .env("COLUMNS", "80")
        .stdin(Stdio::null());
    command
}

/// What a finished run printed, as a transcript: command, standard output, standard error, exit code.
pub fn transcript(folder: &Path, arguments: &[&str]) -> String {
    let output = modemflash(folder).args(arguments).output().unwrap();
    let mut text = format!("$ modemflash {}\n", arguments.join(" "));
    for (name, bytes) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
        if !bytes.is_empty() {
            text.push_str(&format!("--- {name}\n{}", String::from_utf8_lossy(bytes)));
        }
    }
    text.push_str(&format!("--- exit {}\n", output.status.code().unwrap()));
    text
}

/// Runs the program on a terminal of this kind, types a line when it asks, and gives the exit code and what the terminal shows.
/// Without such a line it has no input.
pub fn on_terminal(folder: &Path, kind: &str, arguments: &[&str], typed: &str) -> (i32, String) {
    let mut command = modemflash(folder);
    command.env("TERM", kind).args(arguments);
    if typed.is_empty() {
        return Terminal::without_keyboard(command).finish();
    }
    let mut terminal = Terminal::start(command);
    if terminal.comes_to(terminal::QUESTION) {
        terminal.press(typed);
    }
    terminal.finish()
}

/// Compares the transcript of a run in `folder` with `golden/NAME.txt`.
pub fn golden(folder: &Path, name: &str, arguments: &[&str]) {
    same(name, transcript(folder, arguments));
}

pub fn same(name: &str, text: String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{name}.txt"));
    // Raw: brackets in messages are no patterns.
    let expected = Data::read_from(&path, None).raw();
    snapbox::Assert::new()
        .action_env("SNAPSHOTS")
        .eq(Data::text(text).raw(), expected);
}

/// A small release: a system image with `size` bytes and the carrier's settings, as files in the folder.
pub fn put_release(folder: &Path, family: Family, size: u64) -> Vec<PathBuf> {
    let (firmware, config) = match family {
        Family::Swi9x30 => ("02.33.03.00", "002.072_000"),
        Family::Swi9x15 => ("05.05.58.01", "005.029_001"),
        Family::Sdx55 => ("03.14.10.00", "030.089_000"),
        _ => ("01.14.13.00", "002.048_000"),
    };
    let release = Release {
        family,
        firmware,
        config,
        carrier: "GENERIC",
        seed: 7,
    };
    let plans = [
        (release.system_name(), release.system(size)),
        (release.settings_name(), release.settings(CARRIER_ITEMS)),
    ];
    plans
        .into_iter()
        .map(|(name, plan)| {
            let path = folder.join(&name);
            let image = plan.build(name).unwrap();
            write_stream(&path, &image);
            path
        })
        .collect()
}

fn write_stream(path: &Path, image: &firmware_image::generate::Generated) {
    use firmware_image::source::ImageSource;
    let mut reader = image.open().unwrap();
    std::io::copy(&mut reader, &mut std::fs::File::create(path).unwrap()).unwrap();
}

/// Names without the folder, for command lines run in it.
pub fn names(files: &[PathBuf]) -> Vec<String> {
    files
        .iter()
        .map(|file| file.file_name().unwrap().to_str().unwrap().to_owned())
        .collect()
}

/// A model in download mode that takes `per_second` bytes per second and wastes no other time; it stays away for an hour
/// after the flash.
pub fn setup(model: &str, per_second: u64) -> Setup {
    let mut setup = Setup::of(Profile::named(model).unwrap());
    setup.timings = Timings {
        taking_bytes_per_second: per_second,
        buffer_bytes: 64 * 1024,
        booting: Duration::from_secs(3600),
        restarting: Duration::from_secs(3600),
        hello: Duration::from_millis(20),
        greeting: Duration::from_millis(20),
        ..Timings::INSTANT
    };
    setup.keep = Keep::Bytes { up_to: 64 << 20 };
    setup
}

/// Serves the modem; gives also its port.
pub fn serve(setup: Setup) -> (PtyModem, String) {
    let served = PtyModem::start(VirtualModem::new(setup), None).unwrap();
    let port = served.path().unwrap().to_str().unwrap().to_owned();
    (served, port)
}

/// A running program whose lines are waited for.
pub struct Run {
    pub child: Child,
    lines: Receiver<(bool, String)>,
    /// All lines so far, standard error marked with `! `.
    pub seen: String,
}

impl Run {
    pub fn start(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, lines) = mpsc::channel();
        let out = sender.clone();
        if let Some(stream) = child.stdout.take() {
            std::thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    let _ = out.send((true, line));
                }
            });
        }
        if let Some(stream) = child.stderr.take() {
            std::thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    let _ = sender.send((false, line));
                }
            });
        }
        Self {
            child,
            lines,
            seen: String::new(),
        }
    }

    fn next(&mut self) -> Option<(bool, String)> {
        match self.lines.recv_timeout(PATIENCE) {
            Ok((is_out, line)) => {
                let mark = if is_out { "" } else { "! " };
                self.seen.push_str(&format!("{mark}{line}\n"));
                Some((is_out, line))
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => None,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                let _ = self.child.kill();
                panic!("nothing for {PATIENCE:?} after:\n{}", self.seen);
            }
        }
    }

    /// Waits for an event with these words that `is_it` accepts.
    pub fn wait_for(&mut self, mut is_it: impl FnMut(&Value) -> bool) -> Value {
        while let Some((is_out, line)) = self.next() {
            if is_out {
                let event: Value = serde_json::from_str(&line).expect("a line of JSON");
                if is_it(&event) {
                    return event;
                }
            }
        }
        panic!("it ended without that event:\n{}", self.seen);
    }

    /// Waits until so many bytes of an image are out.
    pub fn wait_for_bytes(&mut self, bytes: u64) {
        self.wait_for(|event| event["event"] == "advanced" && event["sent_bytes"].as_u64() >= Some(bytes));
    }

    /// Waits for a line that contains the words.
    pub fn wait_for_words(&mut self, words: &str) -> String {
        while let Some((_, line)) = self.next() {
            if line.contains(words) {
                return line;
            }
        }
        panic!("it ended without {words:?}:\n{}", self.seen);
    }

    pub fn signal(&self, signal: Signal) {
        rustix::process::kill_process(self.pid(), signal).unwrap();
    }

    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Waits for the end; the exit code and everything that was printed.
    pub fn finish(mut self) -> (i32, String) {
        while self.next().is_some() {}
        let status = self.child.wait().unwrap();
        let code = status
            .code()
            .unwrap_or_else(|| panic!("{status}:\n{}", self.seen));
        (code, self.seen)
    }
}

/// The last event of a transcript of `--json`.
pub fn last_event(seen: &str) -> Value {
    let line = seen
        .lines()
        .rfind(|line| line.starts_with('{'))
        .expect("an event");
    serde_json::from_str(line).unwrap()
}
