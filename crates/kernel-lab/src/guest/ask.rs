//! qmicli and mbimcli ask the virtual modem for all that they can ask a Sierra modem for. What they print must be
//! what the modem remembers.

use super::process::run;
use anyhow::{Context, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use virtual_modem::{ControlProtocol, Setup};

/// From the start of a question to its answer: a second under software emulation on an idle host.
const DEADLINE: Duration = Duration::from_secs(60);

/// Asks a modem through one port.
#[derive(Debug)]
pub(crate) struct Asker<'a> {
    /// The control port.
    pub(crate) port: PathBuf,
    /// What the modem was made of.
    pub(crate) setup: &'a Setup,
    /// What was said, all of it.
    pub(crate) log: PathBuf,
    /// What wasn't as it should be.
    pub(crate) wrong: Vec<String>,
    /// How many questions there were.
    pub(crate) asked: usize,
}

/// What must come of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted<'a> {
    /// An answer with all these texts in it.
    Says(&'a [&'a str]),
    /// A refusal with this text in it.
    Refuses(&'a str),
}

use Wanted::{Refuses, Says};

impl Asker<'_> {
    /// Asks everything that leaves the modem where it is.
    pub(crate) fn ask_all(&mut self) -> anyhow::Result<()> {
        self.ask_by_qmi()?;
        if self.setup.control == ControlProtocol::Mbim {
            self.ask_by_mbim()?;
        }
        Ok(())
    }

    fn ask_by_qmi(&mut self) -> anyhow::Result<()> {
        let setup = self.setup;
        let (storage, capabilities) = (&setup.storage, &setup.profile.capabilities);
        let current = storage.current.clone();
        let quoted = |text: &str| format!("'{text}'");
        self.dms("get-manufacturer", Says(&["'Sierra Wireless, Incorporated'"]))?;
        self.dms("get-model", Says(&[&quoted(setup.profile.name)]))?;
        self.dms("get-revision", Says(&[&current.firmware]))?;
        self.dms("get-ids", Says(&[&storage.imei]))?;
        self.dms("noop", Says(&[]))?;
        self.dms("get-operating-mode", Says(&["Mode: 'online'"]))?;
        self.dms("set-operating-mode=low-power", Says(&[]))?;
        self.dms("get-operating-mode", Says(&["Mode: 'low-power'"]))?;
        self.dms("set-operating-mode=online", Says(&[]))?;
        self.dms("get-operating-mode", Says(&["Mode: 'online'"]))?;
        let refused = Refuses("error");
        if capabilities.boot_image_download_mode {
            self.dms("get-boot-image-download-mode", Says(&["mode: normal"]))?;
            self.dms("set-boot-image-download-mode=boot-and-recovery", Says(&[]))?;
            self.dms("get-boot-image-download-mode", Says(&["mode: boot-and-recovery"]))?;
            self.dms("set-boot-image-download-mode=normal", Says(&[]))?;
        } else {
            self.dms("get-boot-image-download-mode", refused)?;
            self.dms("set-boot-image-download-mode=boot-and-recovery", refused)?;
        }
        if capabilities.usb_composition_message {
            self.dms("swi-get-usb-composition", Says(&["composition"]))?;
        }
        if !capabilities.preference {
            self.dms("get-firmware-preference", refused)?;
            self.dms("list-stored-images", refused)?;
            return Ok(());
        }
        let build = format!("{}_?", current.firmware);
        let pri = format!("{}_{}", current.firmware, current.carrier);
        let all = [
            quoted("?_?"),
            quoted(&build),
            quoted(&current.config),
            quoted(&pri),
        ];
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        self.dms("list-stored-images", Says(&all))?;
        self.dms("get-firmware-preference", Says(&all))?;
        self.dms(
            "swi-get-current-firmware",
            // It has no line for the carrier.
            Says(&[
                &format!("{}_{}", setup.profile.family, current.firmware),
                &format!("Config version: {}", current.config),
            ]),
        )?;
        self.dms("select-stored-image=modem0,pri0", Says(&[]))?;
        let preference = format!(
            "set-firmware-preference=firmware-version={},config-version={},carrier={}",
            current.firmware, current.config, current.carrier
        );
        self.dms(&preference, Says(&[]))?;
        self.dms("get-firmware-preference", Says(&all))
    }

    /// Asks for what basic connect tells, with a session for each question. What isn't supported is refused with a status.
    fn ask_by_mbim(&mut self) -> anyhow::Result<()> {
        let (on, off) = ("Software radio state: 'on'", "Software radio state: 'off'");
        self.mbimcli(&["--noop"], Says(&[]))?;
        self.device_caps(&[])?;
        self.mbimcli(&["--query-device-services"], Says(&["'basic-connect'", "'qmi'"]))?;
        self.mbimcli(
            &["--query-subscriber-ready-status"],
            Says(&["'sim-not-inserted'"]),
        )?;
        // The switch is the operating mode of DMS.
        self.mbimcli(&["--query-radio-state"], Says(&[on]))?;
        self.mbimcli(&["--set-radio-state=off"], Says(&[off]))?;
        self.dms("get-operating-mode", Says(&["Mode: 'low-power'"]))?;
        self.mbimcli(&["--query-radio-state"], Says(&[off]))?;
        self.mbimcli(&["--set-radio-state=on"], Says(&[on]))?;
        self.dms("get-operating-mode", Says(&["Mode: 'online'"]))?;
        let unsupported = Refuses("NoDeviceSupport");
        for question in ["pin-state", "home-provider", "signal-state", "registration-state"] {
            self.mbimcli(&[&format!("--query-{question}")], unsupported)?;
        }
        // Another service; its number isn't among those that the modem tells.
        self.mbimcli(&["--phonebook-query-configuration"], unsupported)?;
        // The session stays when the port is closed, until it is closed itself.
        self.mbimcli(&["--no-close", "--query-radio-state"], Says(&[on]))?;
        self.mbimcli(&["--no-open=20", "--query-radio-state"], Says(&[on]))?;
        self.mbimcli(&["--no-open=30", "--query-radio-state"], Refuses("NotOpened"))
    }

    /// Asks what the device is, in a session of its own.
    pub(crate) fn device_caps(&mut self, options: &[&str]) -> anyhow::Result<()> {
        let setup = self.setup;
        let (profile, storage) = (setup.profile, &setup.storage);
        let revision = format!(
            "{}_{} {}",
            profile.family, storage.current.firmware, profile.capabilities.build
        );
        let caps = [
            format!("Device ID: '{}'", storage.imei),
            format!("Firmware info: '{revision}'"),
            format!("Hardware info: 'Sierra Wireless {}'", profile.name),
        ];
        let caps: Vec<&str> = caps.iter().map(String::as_str).collect();
        self.mbimcli(&[options, &["--query-device-caps"]].concat(), Says(&caps))
    }

    /// Asks a few things through the proxies.
    pub(crate) fn ask_through_proxy(&mut self) -> anyhow::Result<()> {
        if self.setup.control == ControlProtocol::Mbim {
            self.device_caps(&["--device-open-proxy"])?;
        }
        let model = format!("'{}'", self.setup.profile.name);
        self.qmicli(&["--device-open-proxy", "--dms-get-model"], Says(&[&model]))?;
        self.qmicli(
            &["--device-open-proxy", "--dms-get-operating-mode"],
            Says(&["'online'"]),
        )
    }

    /// Restarts the modem, without waiting for it.
    pub(crate) fn restart(&mut self) -> anyhow::Result<()> {
        self.dms("set-operating-mode=offline", Says(&[]))?;
        self.dms("get-operating-mode", Says(&["Mode: 'offline'"]))?;
        self.dms("set-operating-mode=reset", Says(&[]))
    }

    /// How it went.
    pub(crate) fn verdict(self) -> anyhow::Result<String> {
        ensure!(self.wrong.is_empty(), "{}", self.wrong.join("; "));
        Ok(format!("{} questions", self.asked))
    }

    fn dms(&mut self, what: &str, wanted: Wanted<'_>) -> anyhow::Result<()> {
        self.qmicli(&[&format!("--dms-{what}")], wanted)
    }

    fn qmicli(&mut self, arguments: &[&str], wanted: Wanted<'_>) -> anyhow::Result<()> {
        let mut command = Command::new("qmicli");
        command.arg("-d").arg(&self.port).args(arguments);
        if self.setup.control == ControlProtocol::Mbim {
            command.arg("--device-open-mbim");
        } else if self.setup.quirks.ignored_messages > 0 {
            // What such a modem ignores is the sync, which is sent again.
            command.arg("--device-open-sync");
        }
        self.question(&mut command, arguments, wanted)
    }

    fn mbimcli(&mut self, arguments: &[&str], wanted: Wanted<'_>) -> anyhow::Result<()> {
        let mut command = Command::new("mbimcli");
        command.arg("-d").arg(&self.port).args(arguments);
        self.question(&mut command, arguments, wanted)
    }

    fn question(&mut self, command: &mut Command, words: &[&str], wanted: Wanted<'_>) -> anyhow::Result<()> {
        self.asked += 1;
        let answer = self.log.with_extension("answer");
        let status = run(command, &answer, DEADLINE)?;
        let said = fs::read_to_string(&answer)?;
        append(&self.log, &format!("# {}\n{said}", words.join(" ")))?;
        let is_right = match wanted {
            Says(texts) => status.success() && texts.iter().all(|text| said.contains(text)),
            Refuses(text) => !status.success() && said.contains(text),
        };
        if !is_right {
            let last = said.lines().last().unwrap_or_default().trim();
            self.wrong
                .push(format!("{}: wanted {wanted:?}, got {last:?}", words.join(" ")));
        }
        Ok(())
    }
}

/// Adds text to a log.
pub(crate) fn append(log: &Path, text: &str) -> anyhow::Result<()> {
    use std::io::Write;
    let mut file = fs::OpenOptions::new().create(true).append(true).open(log)?;
    file.write_all(text.as_bytes()).context("the log of questions")
}
