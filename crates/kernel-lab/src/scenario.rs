//! What is tried in the guest: which modem, which program, which files, and what else is there.

use super::advice::{self, Start};
use super::at_once;
use super::matrix;
use std::time::Duration;
use virtual_modem::quirk::HelloHabit;
use virtual_modem::{ControlProtocol, Quirks};

/// One thing that is tried.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    /// Short name: what is done, and the model.
    pub(crate) name: String,
    /// The modem.
    pub(crate) modem: Modem,
    /// What is done with it.
    pub(crate) task: Task,
    /// The files.
    pub(crate) files: Files,
    /// What else is there.
    pub(crate) company: Company,
    /// When it is tried.
    pub(crate) when: When,
    /// From the start of the program to its end. The reference needs 7–9 s for a flash and 20 s for an update under
    /// software emulation on an idle host, and the update while ModemManager probes 52 s; other guests and compilers may run beside
    /// it.
    pub(crate) deadline: Duration,
    /// What the program says when it must fail; none when it must succeed.
    pub(crate) failure: Option<&'static str>,
}

/// The modem of a scenario.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Modem {
    /// Name of the virtual modem's profile.
    pub(crate) model: &'static str,
    /// The control protocol of its firmware; none: as it comes from the factory.
    pub(crate) control: Option<ControlProtocol>,
    /// Its bus with the firmware running.
    pub(crate) bus: Bus,
    /// What is special about it.
    pub(crate) habit: fn(&mut Quirks),
    /// What makes it leave the bus in the middle, in the words of `rehearse --fault`; or nothing. The program must
    /// cope with it.
    pub(crate) fault: &'static str,
}

/// Where a running modem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bus {
    /// Where its profile has it.
    Usual,
    /// On the USB 2 bus.
    High,
    /// On the SuperSpeed bus; in download mode it is on its peer.
    Super,
}

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// Nothing: the drivers bind to the running modem.
    Bind,
    /// qmicli or mbimcli ask the running modem for all that they can ask for.
    Ask,
    /// A program flashes the modem, which is in download mode.
    Flash(Program),
    /// A program updates the running modem.
    Update(Program),
    /// A program sends the running modem to download mode, ours also back.
    Reset(Program),
    /// `modemflash` is used for all but an update: it asks the running modem, changes what it prefers and has stored, and
    /// restarts it.
    Verbs,
    /// `modemflash` sends the running modem to download mode and back, so many times.
    ToAndFro(u16),
    /// `modemflash` is killed when the boot loader has answered, and started once more.
    Killed,
    /// Two `modemflash` start on the running modem at the same moment: 49 times to ask it, once to update it.
    Rivals,
    /// `modemflash` is stopped twice in the middle of a question over MBIM; then mbimcli asks, and `modemflash` once more.
    Stopped,
    /// Root runs the commands that `modemflash list` prints for a modem whose interfaces lack their drivers.
    Advised(Start),
}

/// A program that flashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    /// `qmi-firmware-update`.
    Reference,
    /// `modemflash`.
    Ours,
}

/// What else is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Company {
    /// Nobody manages devices: no udevd.
    pub(crate) without_udev: bool,
    /// A serial port of another maker.
    pub(crate) foreign_port: bool,
    /// A second, running modem of the same model.
    pub(crate) second_modem: bool,
    /// ModemManager.
    pub(crate) modem_manager: bool,
    /// ModemManager is still probing when the program starts; otherwise it has the modem by then.
    pub(crate) still_probing: bool,
    /// The processor has other work, so that a program is interrupted in the middle of what it does.
    pub(crate) busy: bool,
}

/// When a scenario is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// In every run.
    Always,
    /// With `--all`.
    All,
}

/// The files of the command line, in their order.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Files {
    /// The modem has them at the end.
    Sent(&'static [Image]),
    /// The modem has what is in them before, and none is sent.
    Stored(&'static [Image]),
}

/// A generated file.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Image {
    /// The firmware, with so many bytes behind its header.
    Firmware(u64),
    /// The settings of a carrier.
    Carrier,
    /// Firmware and settings in one, with so many bytes behind its header.
    Package(u64),
}

impl Task {
    /// Whose work it is.
    pub(crate) fn program(self) -> &'static str {
        match self {
            Self::Bind => "drivers",
            Self::Ask => "qmicli/mbimcli",
            Self::Flash(program) | Self::Update(program) | Self::Reset(program) => program.name(),
            Self::Verbs
            | Self::ToAndFro(_)
            | Self::Killed
            | Self::Rivals
            | Self::Stopped
            | Self::Advised(_) => Program::Ours.name(),
        }
    }

    /// Whether the modem is running at first.
    pub(crate) fn begins_running(self) -> bool {
        !matches!(self, Self::Flash(_) | Self::Killed)
    }
}

impl Program {
    /// What it is called.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Reference => "qmi-firmware-update",
            Self::Ours => "modemflash",
        }
    }
}

/// More than two chunks of QDL (1 MiB), no multiple of a sector or a USB packet, and with the two bytes in it that
/// a frame must escape: 0x287D7E.
pub(crate) const FIRMWARE: Image = Image::Firmware(2_653_566);
pub(crate) const NONE: &[Image] = &[];
const ONE: &[Image] = &[FIRMWARE];
pub(crate) const PAIR: &[Image] = &[FIRMWARE, Image::Carrier];
pub(crate) const PACKAGE: &[Image] = &[Image::Package(2_653_566)];

const DEADLINE: Duration = Duration::from_secs(240);

use ControlProtocol::{Mbim, Qmi};
use Program::{Ours, Reference};

/// Everything that is tried, in this order.
pub(crate) fn all() -> Vec<Scenario> {
    let mut all = Vec::new();
    all.extend(bindings());
    all.extend(flashes());
    all.extend(judged());
    all.extend(verbs());
    all.extend(advice::scenarios());
    all.extend(at_once::scenarios());
    all.extend(matrix::updates());
    all.push(matrix::while_probing());
    all
}

/// The judge of the virtual modem: programs that we did not write ask it, and update it from its running firmware.
fn judged() -> Vec<Scenario> {
    let ask = |model, control| scenario(Task::Ask, model, Some(control), Files::Sent(NONE));
    let update =
        |model, control, images| scenario(Task::Update(Reference), model, Some(control), Files::Sent(images));
    let reset = |model, control| scenario(Task::Reset(Reference), model, Some(control), Files::Sent(NONE));
    let only_in_all = |scenario| Scenario {
        when: When::All,
        ..scenario
    };
    vec![
        ask("MC7710", Qmi),
        ask("MC7455", Qmi),
        ask("EM7565", Mbim),
        only_in_all(ask("Gobi2000", Qmi)),
        only_in_all(ask("MC7354", Qmi)),
        only_in_all(ask("MC7305", Mbim)),
        only_in_all(ask("MC7455", Mbim)),
        only_in_all(ask("EM7565", Qmi)),
        only_in_all(ask("WP7607", Qmi)),
        only_in_all(ask("RC7620", Qmi)),
        only_in_all(ask("EM9191", Mbim)),
        update("MC7710", Qmi, ONE),
        update("MC7455", Mbim, PAIR),
        update("EM7565", Qmi, PAIR),
        only_in_all(update("Gobi2000", Qmi, ONE)),
        only_in_all(update("MC7354", Qmi, PACKAGE)),
        only_in_all(update("MC7305", Mbim, PAIR)),
        only_in_all(update("MC7455", Qmi, PAIR)),
        only_in_all(update("EM7455", Qmi, PAIR)),
        only_in_all(update("EM7455", Mbim, PAIR)),
        only_in_all(update("EM7565", Mbim, PAIR)),
        only_in_all(update("EM7511", Qmi, PAIR)),
        only_in_all(update("WP7607", Qmi, PACKAGE)),
        only_in_all(update("RC7620", Qmi, PACKAGE)),
        only_in_all(update("EM9191", Mbim, PAIR)),
        // Nothing is asked for: the modem only restarts.
        Scenario {
            files: Files::Stored(PAIR),
            name: "reference-update-mc7455-qmi-stored".into(),
            ..only_in_all(update("MC7455", Qmi, PAIR))
        },
        Scenario {
            name: "reference-update-em7455-qmi-usb2".into(),
            modem: Modem {
                bus: Bus::High,
                ..update("EM7455", Qmi, PAIR).modem
            },
            ..only_in_all(update("EM7455", Qmi, PAIR))
        },
        // rc7620_tp1_failed trace.
        Scenario {
            failure: Some("unsupported download protocol"),
            ..silent(update("RC7620", Qmi, PACKAGE))
        },
        only_in_all(reset("MC7710", Qmi)),
        only_in_all(reset("MC7455", Mbim)),
        // By AT!BOOTHOLD (dms_boothold trace).
        only_in_all(reset("EM7565", Qmi)),
    ]
}

/// Our program on a running modem, for all but an update.
fn verbs() -> Vec<Scenario> {
    let verbs = |model, control, files| scenario(Task::Verbs, model, Some(control), files);
    // A second pair of images to choose, where there is room for it.
    let (one, two) = (Files::Sent(NONE), Files::Stored(PAIR));
    let reset = |model, control| scenario(Task::Reset(Ours), model, Some(control), Files::Sent(NONE));
    let only_in_all = |scenario| Scenario {
        when: When::All,
        ..scenario
    };
    // It gets the modem back, and probes it, after each verb that changes something.
    let with_manager = |scenario: Scenario| Scenario {
        name: format!("{}-mm", scenario.name),
        company: Company {
            modem_manager: true,
            ..Company::default()
        },
        deadline: Duration::from_secs(600),
        ..only_in_all(scenario)
    };
    vec![
        verbs("MC7455", Qmi, two),
        verbs("EM7565", Mbim, two),
        only_in_all(verbs("MC7710", Qmi, one)),
        only_in_all(verbs("MC7354", Qmi, one)),
        only_in_all(verbs("MC7305", Mbim, one)),
        only_in_all(verbs("EM9191", Mbim, two)),
        only_in_all(verbs("RC7620", Qmi, one)),
        only_in_all(verbs("WP7607", Qmi, one)),
        with_manager(verbs("MC7455", Mbim, two)),
        with_manager(verbs("EM7565", Qmi, two)),
        scenario(Task::Rivals, "MC7455", Some(Qmi), Files::Sent(PAIR)),
        // The answer to "get revision" is lost, so that the program waits; a session that stays open keeps the next one out.
        Scenario {
            modem: Modem {
                fault: "lose-answer@0x23",
                habit: |quirks| quirks.mbim_is_deaf_while_open = true,
                ..scenario(Task::Stopped, "EM7565", Some(Mbim), one).modem
            },
            ..scenario(Task::Stopped, "EM7565", Some(Mbim), one)
        },
        // By AT!BOOTHOLD, when both ways over QMI are refused (dms_boothold trace).
        reset("EM7565", Qmi),
        // By DMS 0x003E, by AT!BOOTHOLD over MBIM, and to the peer port.
        only_in_all(reset("MC7710", Qmi)),
        only_in_all(reset("MC7354", Qmi)),
        only_in_all(reset("EM7455", Mbim)),
        only_in_all(reset("EM9191", Mbim)),
        only_in_all(reset("WP7607", Qmi)),
    ]
}

/// Each layout of a running modem finds its drivers.
fn bindings() -> Vec<Scenario> {
    let bind = |model, control| scenario(Task::Bind, model, Some(control), Files::Sent(NONE));
    let mut list = vec![
        bind("Gobi2000", Qmi),
        bind("MC7710", Qmi),
        bind("MC7354", Qmi),
        bind("MC7305", Mbim),
        bind("EM7455", Qmi),
        bind("EM7565", Mbim),
        bind("EM9191", Mbim),
    ];
    // The kernel knows no driver for its serial ports and its QMI port.
    list.push(Scenario {
        when: When::All,
        ..bind("EM9191", Qmi)
    });
    list.push(Scenario {
        name: "bind-mc7455-mbim-usb3".into(),
        modem: Modem {
            bus: Bus::Super,
            ..bind("MC7455", Mbim).modem
        },
        ..bind("MC7455", Mbim)
    });
    list.push(Scenario {
        name: "bind-with-company".into(),
        company: Company {
            foreign_port: true,
            second_modem: true,
            ..Company::default()
        },
        ..bind("MC7455", Qmi)
    });
    list.push(Scenario {
        name: "bind-without-udev".into(),
        company: Company {
            without_udev: true,
            ..Company::default()
        },
        ..bind("MC7455", Mbim)
    });
    list
}

/// Flashes of modems in download mode.
fn flashes() -> Vec<Scenario> {
    let reference = |model, images| scenario(Task::Flash(Reference), model, None, Files::Sent(images));
    let ours = |model, images| scenario(Task::Flash(Ours), model, None, Files::Sent(images));
    let only_in_all = |scenario| Scenario {
        when: When::All,
        ..scenario
    };
    let dropped = |scenario: Scenario| Scenario {
        name: format!("{}-dropped", scenario.name),
        modem: Modem {
            fault: "drop@1500000",
            ..scenario.modem
        },
        ..scenario
    };
    vec![
        reference("MC7455", PAIR),
        reference("MC7354", ONE),
        reference("EM7565", PAIR),
        // The noise of the zero block comes in the read of the final answer.
        only_in_all(reference("EM7511", PAIR)),
        only_in_all(reference("Gobi2000", ONE)),
        only_in_all(reference("MC7710", ONE)),
        only_in_all(reference("MC7305", PAIR)),
        only_in_all(reference("EM7455", PAIR)),
        only_in_all(reference("WP7607", ONE)),
        only_in_all(reference("RC7620", ONE)),
        // Super speed in normal mode, and the driver `option`.
        only_in_all(reference("EM9191", PAIR)),
        ours("Gobi2000", ONE),
        ours("MC7710", ONE),
        ours("MC7354", PAIR),
        ours("MC7305", PAIR),
        ours("MC7455", PAIR),
        ours("EM7455", PAIR),
        ours("EM7565", PAIR),
        ours("EM7511", PAIR),
        ours("WP7607", ONE),
        ours("RC7620", ONE),
        ours("EM9191", PAIR),
        // Leaves the bus in the middle of the second chunk and comes back: the flash begins anew.
        dropped(ours("MC7455", PAIR)),
        only_in_all(dropped(ours("EM7565", PAIR))),
        // Silent until the first bytes: the reference gives up on it (rc7620_tp1_failed trace). Ours listens for 5 s
        // before it speaks.
        silent(ours("RC7620", ONE)),
    ]
}

fn silent(scenario: Scenario) -> Scenario {
    Scenario {
        name: format!("{}-silent", scenario.name),
        modem: Modem {
            habit: |quirks| quirks.hello = HelloHabit::AfterBytes,
            ..scenario.modem
        },
        when: When::All,
        deadline: Duration::from_secs(180),
        ..scenario
    }
}

/// A scenario with nothing special about it.
pub(crate) fn scenario(
    task: Task,
    model: &'static str,
    control: Option<ControlProtocol>,
    files: Files,
) -> Scenario {
    let work = match task {
        Task::Bind => "bind",
        Task::Ask => "ask",
        Task::Flash(Reference) => "reference-flash",
        Task::Flash(Ours) => "ours-flash",
        Task::Update(Reference) => "reference-update",
        Task::Update(Ours) => "ours-update",
        Task::Reset(Reference) => "reference-reset",
        Task::Reset(Ours) => "ours-reset",
        Task::Verbs => "ours-verbs",
        Task::ToAndFro(_) => "ours-to-and-fro",
        Task::Killed => "ours-killed",
        Task::Rivals => "ours-rivals",
        Task::Stopped => "ours-stopped",
        Task::Advised(_) => "ours-advised",
    };
    let control_name = match control {
        Some(Qmi) => "-qmi",
        Some(Mbim) => "-mbim",
        None => "",
    };
    Scenario {
        name: format!("{work}-{}{control_name}", model.to_lowercase()),
        modem: Modem {
            model,
            control,
            bus: Bus::Usual,
            habit: |_| (),
            fault: "",
        },
        task,
        files,
        company: Company::default(),
        when: When::Always,
        deadline: DEADLINE,
        failure: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use virtual_modem::Profile;

    #[test]
    fn names_are_distinct_and_models_known() {
        let all = all();
        let names: BTreeSet<&str> = all.iter().map(|scenario| scenario.name.as_str()).collect();
        assert_eq!(names.len(), all.len());
        for scenario in &all {
            assert!(
                Profile::named(scenario.modem.model).is_some(),
                "{}",
                scenario.name
            );
        }
    }
}
