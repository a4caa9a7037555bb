//! What is tried in the guest: which modem, which program, which files.

use std::time::Duration;
use virtual_modem::Quirks;
use virtual_modem::quirk::HelloHabit;

/// One flash.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scenario {
    /// Short name: program and model.
    pub(crate) name: &'static str,
    /// Name of the virtual modem's profile.
    pub(crate) model: &'static str,
    /// What is special about this modem.
    pub(crate) habit: fn(&mut Quirks),
    /// What makes the modem leave the bus in the middle, in the words of `rehearse --fault`; or nothing. The program
    /// must cope with it.
    pub(crate) fault: &'static str,
    /// When it is tried.
    pub(crate) when: When,
    /// The program that flashes.
    pub(crate) flasher: Flasher,
    /// Data bytes of the images, in the order of the command line.
    pub(crate) images: &'static [Image],
    /// From the start of the program to its end. The reference needs 7–9 s under software emulation on an idle
    /// host; others may be compiling.
    pub(crate) deadline: Duration,
}

/// When a scenario is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// In every run.
    Always,
    /// With `--wide`: most of the time is waiting.
    Wide,
}

/// A program that flashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flasher {
    /// `qmi-firmware-update --update-download`.
    Reference,
    /// `modemflash update`.
    Ours,
}

/// A generated file.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Image {
    /// The firmware, with so many bytes behind its header.
    Firmware(u64),
    /// The settings of a carrier.
    Carrier,
}

impl Flasher {
    /// What the program is called.
    pub(crate) fn program(self) -> &'static str {
        match self {
            Self::Reference => "qmi-firmware-update",
            Self::Ours => "modemflash",
        }
    }
}

/// Everything that is tried, in this order.
pub(crate) const ALL: &[Scenario] = &[
    reference("reference-mc7455", "MC7455", PAIR),
    reference("reference-mc7354", "MC7354", ONE),
    reference("reference-em7565", "EM7565", PAIR),
    // The noise of the zero block comes in the read of the final answer.
    wide("reference-em7511", "EM7511", PAIR),
    wide("reference-gobi2000", "Gobi2000", ONE),
    wide("reference-mc7710", "MC7710", ONE),
    wide("reference-mc7305", "MC7305", PAIR),
    wide("reference-em7455", "EM7455", PAIR),
    wide("reference-wp7607", "WP7607", ONE),
    wide("reference-rc7620", "RC7620", ONE),
    // Super speed in normal mode, and the driver `option`.
    wide("reference-em9191", "EM9191", PAIR),
    ours("ours-gobi2000", "Gobi2000", ONE),
    ours("ours-mc7710", "MC7710", ONE),
    ours("ours-mc7354", "MC7354", PAIR),
    ours("ours-mc7305", "MC7305", PAIR),
    ours("ours-mc7455", "MC7455", PAIR),
    ours("ours-em7455", "EM7455", PAIR),
    ours("ours-em7565", "EM7565", PAIR),
    ours("ours-em7511", "EM7511", PAIR),
    ours("ours-wp7607", "WP7607", ONE),
    ours("ours-rc7620", "RC7620", ONE),
    // Leaves the bus in the middle of the second chunk and comes back: the flash begins anew.
    Scenario {
        fault: "drop@1500000",
        ..ours("ours-mc7455-dropped", "MC7455", PAIR)
    },
    Scenario {
        fault: "drop@1500000",
        when: When::Wide,
        ..ours("ours-em7565-dropped", "EM7565", PAIR)
    },
    // Silent until the first bytes: the reference gives up on it (rc7620_tp1_failed trace). Ours listens for 45 s
    // before it speaks.
    Scenario {
        habit: |quirks| quirks.hello = HelloHabit::AfterBytes,
        when: When::Wide,
        deadline: Duration::from_secs(180),
        ..ours("ours-rc7620-silent", "RC7620", ONE)
    },
    ours("ours-em9191", "EM9191", PAIR),
];

/// More than two chunks of QDL (1 MiB), no multiple of a sector or a USB packet, and with the two bytes in it that
/// a frame must escape: 0x287D7E.
pub(crate) const FIRMWARE: Image = Image::Firmware(2_653_566);
const ONE: &[Image] = &[FIRMWARE];
const PAIR: &[Image] = &[FIRMWARE, Image::Carrier];

const DEADLINE: Duration = Duration::from_secs(120);

const fn reference(name: &'static str, model: &'static str, images: &'static [Image]) -> Scenario {
    Scenario {
        name,
        model,
        habit: |_| (),
        fault: "",
        when: When::Always,
        flasher: Flasher::Reference,
        images,
        deadline: DEADLINE,
    }
}

const fn ours(name: &'static str, model: &'static str, images: &'static [Image]) -> Scenario {
    Scenario {
        flasher: Flasher::Ours,
        ..reference(name, model, images)
    }
}

const fn wide(name: &'static str, model: &'static str, images: &'static [Image]) -> Scenario {
    Scenario {
        when: When::Wide,
        ..reference(name, model, images)
    }
}
