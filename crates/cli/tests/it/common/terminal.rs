//! The real binary on terminals: one that it reads from, which controls it as a shell's does, and one that it writes to.

use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags, open};
use rustix::io::{read, write};
use rustix::process::{Pid, Signal};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

use super::PATIENCE;

/// How every question ends.
pub const QUESTION: &str = "[y/N] ";

/// A program on terminals.
pub struct Terminal {
    child: Child,
    /// The user's side of the terminal that the program reads from.
    keyboard: Option<OwnedFd>,
    /// The user's side of the terminal that it writes to.
    screen: OwnedFd,
    shown: Vec<u8>,
}

/// A terminal: the user's side, and the program's. What is typed isn't shown: it would stand somewhere among the lines.
fn pair() -> (OwnedFd, OwnedFd) {
    let user = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&user).unwrap();
    unlockpt(&user).unwrap();
    let path = ptsname(&user, Vec::new()).unwrap();
    let mut modes = tcgetattr(&user).unwrap();
    modes.local_modes.remove(LocalModes::ECHO);
    tcsetattr(&user, OptionalActions::Now, &modes).unwrap();
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    (user, open(path, flags, Mode::empty()).unwrap())
}

impl Terminal {
    /// Starts a program that can be asked something.
    pub fn start(command: Command) -> Self {
        Self::with_keys(command, "")
    }

    /// The same; these keys were pressed before it began.
    pub fn with_keys(command: Command, keys: &str) -> Self {
        let (keyboard, input) = pair();
        write(&keyboard, keys.as_bytes()).unwrap();
        // In a session of its own whose terminal this is, so that Ctrl-C and a closed window are told to it.
        let mut own_session = Command::new("setsid");
        own_session.arg("--ctty").arg(command.get_program());
        own_session.args(command.get_args()).env_clear();
        for (name, value) in command.get_envs() {
            own_session.env(name, value.unwrap());
        }
        own_session.current_dir(command.get_current_dir().unwrap());
        Self::spawn(own_session, Some(keyboard), Stdio::from(input))
    }

    /// Starts a program that shows something on a terminal and has no input.
    pub fn without_keyboard(command: Command) -> Self {
        Self::spawn(command, None, Stdio::null())
    }

    fn spawn(mut command: Command, keyboard: Option<OwnedFd>, input: Stdio) -> Self {
        let (screen, output) = pair();
        let errors = Stdio::from(output.try_clone().unwrap());
        command.stdin(input).stdout(output).stderr(errors);
        let child = command.spawn().unwrap();
        Self {
            child,
            keyboard,
            screen,
            shown: Vec::new(),
        }
    }

    /// Takes what is shown next; whether there was something.
    fn look(&mut self) -> bool {
        let patience = Timespec::try_from(PATIENCE).unwrap();
        let mut descriptors = [PollFd::new(&self.screen, PollFlags::IN)];
        if poll(&mut descriptors, Some(&patience)).unwrap() == 0 {
            let _ = self.child.kill();
            panic!("nothing for {PATIENCE:?} after:\n{}", self.text());
        }
        let mut piece = [0; 4096];
        // Linux ends the reading with an error when nobody has the terminal any more.
        let count = read(&self.screen, &mut piece).unwrap_or(0);
        self.shown.extend_from_slice(&piece[..count]);
        count > 0
    }

    /// What was shown up to now.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.shown).replace('\r', "")
    }

    /// Waits until the words are shown; false when the program ends without.
    pub fn comes_to(&mut self, words: &str) -> bool {
        while !self.text().contains(words) {
            if !self.look() {
                return false;
            }
        }
        true
    }

    /// Waits until a question is shown.
    pub fn wait_for_question(&mut self) {
        assert!(self.comes_to(QUESTION), "no question:\n{}", self.text());
    }

    /// Presses keys.
    pub fn press(&mut self, keys: &str) {
        write(self.keyboard.as_ref().unwrap(), keys.as_bytes()).unwrap();
    }

    /// Closes the terminal that the program reads from.
    pub fn hang_up(&mut self) {
        self.keyboard = None;
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        rustix::process::kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for the end; the exit code and all that was shown.
    pub fn finish(mut self) -> (i32, String) {
        while self.look() {}
        let status = self.child.wait().unwrap();
        let text = self.text();
        let code = status.code().unwrap_or_else(|| panic!("{status}:\n{text}"));
        (code, text)
    }
}
