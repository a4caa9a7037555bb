//! What is tried in the guest: which modem, which program, which files.

use std::time::Duration;

/// One flash.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scenario {
    /// Short name: program and model.
    pub(crate) name: &'static str,
    /// Name of the virtual modem's profile.
    pub(crate) model: &'static str,
    /// The program that flashes.
    pub(crate) flasher: Flasher,
    /// Data bytes of the images, in the order of the command line.
    pub(crate) images: &'static [Image],
    /// From the start of the program to its end. The reference needs 7–9 s under software emulation on an idle
    /// host; others may be compiling.
    pub(crate) deadline: Duration,
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
    /// The firmware, with so many bytes of data.
    Firmware(usize),
    /// The settings of a carrier, with so many bytes of data.
    Carrier(usize),
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
    ours("ours-gobi2000", "Gobi2000", ONE),
    ours("ours-mc7710", "MC7710", ONE),
    ours("ours-mc7354", "MC7354", PAIR),
    ours("ours-mc7455", "MC7455", PAIR),
    ours("ours-em7565", "EM7565", PAIR),
    ours("ours-rc7620", "RC7620", PAIR),
    ours("ours-em9191", "EM9191", PAIR),
];

/// More than one chunk of QDL (1 MiB), and neither a multiple of a sector nor of a USB packet.
const FIRMWARE: Image = Image::Firmware((5 << 19) + 4321);
const ONE: &[Image] = &[FIRMWARE];
/// About the size of a real `.nvu`.
const PAIR: &[Image] = &[FIRMWARE, Image::Carrier(12_345)];

const DEADLINE: Duration = Duration::from_secs(60);

const fn reference(name: &'static str, model: &'static str, images: &'static [Image]) -> Scenario {
    Scenario {
        name,
        model,
        flasher: Flasher::Reference,
        images,
        deadline: DEADLINE,
    }
}

const fn ours(name: &'static str, model: &'static str, images: &'static [Image]) -> Scenario {
    Scenario {
        name,
        model,
        flasher: Flasher::Ours,
        images,
        deadline: DEADLINE,
    }
}
