//! Whole updates by our program: which combinations of modem, control protocol, files, and company exist, and which of
//! them are tried in every run.

use super::pairwise::{all_cells, cover};
use super::scenario::{Bus, Company, Files, Modem, PACKAGE, PAIR, Program, Scenario, Task, When, scenario};
use virtual_modem::ControlProtocol::{self, Mbim, Qmi};

/// What exists of a model: files that it is updated from, control protocols, buses of its running firmware.
struct Model {
    name: &'static str,
    files: &'static [Files],
    controls: &'static [ControlProtocol],
    buses: &'static [Bus],
}

/// Firmware and settings in two files or in one; and what the modem has already.
const TWO: &[Files] = &[Files::Sent(PAIR), Files::Stored(PAIR)];
const ONE: &[Files] = &[Files::Sent(PACKAGE), Files::Stored(PACKAGE)];
const BOTH: &[ControlProtocol] = &[Qmi, Mbim];
const USB_2: &[Bus] = &[Bus::High];
/// Those that have USB 3 move to the peer port for the download.
const USB_2_AND_3: &[Bus] = &[Bus::High, Bus::Super];

/// The models, one for each way in which families differ (devices.md). The kernel has no drivers for an SDX55 with QMI.
const MODELS: &[Model] = &[
    Model {
        name: "MC7710",
        files: &[Files::Sent(PACKAGE)],
        controls: &[Qmi],
        buses: USB_2,
    },
    Model {
        name: "MC7354",
        files: &[Files::Sent(PAIR), Files::Sent(PACKAGE), Files::Stored(PAIR)],
        controls: BOTH,
        buses: USB_2,
    },
    Model {
        name: "MC7305",
        files: &[Files::Sent(PAIR)],
        controls: BOTH,
        buses: USB_2,
    },
    Model {
        name: "EM7455",
        files: TWO,
        controls: BOTH,
        buses: USB_2_AND_3,
    },
    Model {
        name: "EM7565",
        files: TWO,
        controls: BOTH,
        buses: USB_2_AND_3,
    },
    Model {
        name: "WP7607",
        files: ONE,
        controls: BOTH,
        buses: USB_2,
    },
    Model {
        name: "RC7620",
        files: ONE,
        controls: &[Qmi],
        buses: USB_2,
    },
    Model {
        name: "EM9191",
        files: TWO,
        controls: &[Mbim],
        buses: USB_2_AND_3,
    },
];

/// The number of values in each dimension: models, files, control protocols, buses; udevd or none, ModemManager or
/// none, alone or not.
const SIZES: [usize; 7] = [MODELS.len(), FILES.len(), 2, 2, 2, 2, 2];
const FILES: [&str; 3] = ["two", "one", "stored"];

/// An update that begins while ModemManager probes the modem.
pub(crate) fn while_probing() -> Scenario {
    let plain = scenario(
        Task::Update(Program::Ours),
        "MC7305",
        Some(Mbim),
        Files::Sent(PAIR),
    );
    Scenario {
        name: "ours-update-while-probing".into(),
        company: Company {
            modem_manager: true,
            still_probing: true,
            ..Company::default()
        },
        ..plain
    }
}

/// All whole updates by our program. Those of the pairwise set are tried in every run.
pub(crate) fn updates() -> Vec<Scenario> {
    let cells = all_cells(&SIZES, |cell| update(cell).is_some());
    let always = cover(&cells);
    let in_every_run = |cell: &&Vec<usize>| always.contains(cell);
    cells
        .iter()
        .filter_map(|cell| {
            let when = if in_every_run(&cell) {
                When::Always
            } else {
                When::All
            };
            Some(Scenario {
                when,
                ..update(cell)?
            })
        })
        .collect()
}

/// The update of a cell; none when there is no such cell.
fn update(cell: &[usize]) -> Option<Scenario> {
    let [model, kind, control, bus, udev, manager, company] = *cell else {
        return None;
    };
    let model = MODELS.get(model)?;
    let kind = *FILES.get(kind)?;
    let files = model.files.iter().copied().find(|files| name(*files) == kind)?;
    let control = *BOTH.get(control)?;
    let bus = *USB_2_AND_3.get(bus)?;
    // ModemManager needs udevd.
    if !model.controls.contains(&control) || !model.buses.contains(&bus) || (udev == 1 && manager == 1) {
        return None;
    }
    let company = Company {
        without_udev: udev == 1,
        modem_manager: manager == 1,
        still_probing: false,
        busy: false,
        foreign_port: company == 1,
        second_modem: company == 1,
    };
    let plain = scenario(Task::Update(Program::Ours), model.name, Some(control), files);
    let words = [
        plain.name.as_str(),
        kind,
        if bus == Bus::Super { "usb3" } else { "usb2" },
        match (company.without_udev, company.modem_manager) {
            (true, _) => "no-udev",
            (false, true) => "mm",
            (false, false) => "udev",
        },
        if company.second_modem { "company" } else { "alone" },
    ];
    Some(Scenario {
        name: words.join("-"),
        modem: Modem { bus, ..plain.modem },
        company,
        ..plain
    })
}

fn name(files: Files) -> &'static str {
    match files {
        Files::Sent(images) if images.len() == 1 => "one",
        Files::Sent(_) => "two",
        Files::Stored(_) => "stored",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// All pairs of values of different dimensions in a cell, as text.
    fn pairs(cell: &[usize]) -> Vec<String> {
        let mut pairs = Vec::new();
        for first in 0..cell.len() {
            for second in first + 1..cell.len() {
                pairs.push(format!("{first}={} {second}={}", cell[first], cell[second]));
            }
        }
        pairs
    }

    #[test]
    fn every_pair_of_every_cell_that_exists_is_tried_in_at_most_twenty_updates() {
        let cells = all_cells(&SIZES, |cell| update(cell).is_some());
        let chosen = cover(&cells);
        assert!(chosen.len() <= 20, "{}", chosen.len());
        let wanted: BTreeSet<String> = cells.iter().flat_map(|cell| pairs(cell)).collect();
        let covered: BTreeSet<String> = chosen.iter().flat_map(|cell| pairs(cell)).collect();
        assert_eq!(wanted, covered);
        let always = updates().into_iter().filter(|it| it.when == When::Always);
        assert_eq!(always.count(), chosen.len());
    }
}
