//! The files of an update, with the structure and size that are usual for a family, and the layouts of real files by
//! name.

use super::{Generated, PlanError, models};
use crate::{Family, GobiType};
use alloc::{vec, vec::Vec};
use models::{CARRIER_ITEMS, Release};

/// A file with the layout and full size of a real one; it is the same every time it is made.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// The layout's name: `rc76xx_release_9`.
    pub name: &'static str,
    /// What the file is, in a few words.
    pub what: &'static str,
    /// Makes the file.
    pub make: fn() -> Result<Generated, PlanError>,
}

/// The layouts of images.md §8, and the examples of cwe.md §8.
pub const LAYOUTS: &[Layout] = &[
    Layout {
        name: "em7565_01_14_02_00",
        what: "firmware of EM7565, 80 MB, three levels",
        make: models::em7565_01_14_02_00,
    },
    Layout {
        name: "em7565_01_09_04_00",
        what: "older firmware of EM7565, 80 MB, three levels",
        make: models::em7565_01_09_04_00,
    },
    Layout {
        name: "em919x_01_07_13_00",
        what: "firmware of EM919x, 89 MB, four images in a row",
        make: models::em919x_01_07_13_00,
    },
    Layout {
        name: "rc76xx_release_9",
        what: "firmware and settings of RC76xx in one file, 35 MB, four levels",
        make: models::rc76xx_release_9,
    },
    Layout {
        name: "carrier_settings",
        what: "a carrier's settings for 9x30, 11 KB, four levels",
        make: models::carrier_settings,
    },
    Layout {
        name: "mini",
        what: "one image with 16 bytes (cwe.md vector 3)",
        make: || models::mini().build("mini.cwe"),
    },
    Layout {
        name: "package",
        what: "a package with two levels, 1,618 bytes (cwe.md vector 4)",
        make: || models::package().build("package.cwe"),
    },
];

/// Changes to the usual files of a family.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wishes<'t> {
    /// Chooses the content.
    pub seed: u64,
    /// Bytes of the largest file; `None` for the usual size (images.md §7).
    pub size: Option<u64>,
    /// The carrier; `None` for `GENERIC`.
    pub carrier: Option<&'t str>,
}

/// The files that make up an update for this family, the largest first: firmware and settings in two files, or in one
/// file (SWI9200 and open modules, update-flow.md §3.1), or the three headerless files of a Gobi modem.
///
/// # Errors
/// A size that headers can't state.
pub fn usual_files(family: &Family, wishes: Wishes<'_>) -> Result<Vec<Generated>, PlanError> {
    let Wishes { seed, size, carrier } = wishes;
    if matches!(family, Family::Gobi1000 | Family::Gobi2000 | Family::Gobi3000) {
        let largest = size.unwrap_or(14 << 20);
        return Ok(vec![
            Generated::gobi(GobiType::Amss, seed, largest),
            Generated::gobi(GobiType::Apps, seed, (largest / 14 * 5).max(1)),
            Generated::gobi(GobiType::Uqcn, seed, (largest / 72).max(1)),
        ]);
    }
    let (firmware, config, usual_size) = match family {
        Family::Swi9200 => ("03.05.29.03", "000.000_001", 36 << 20),
        Family::Swi9x15 => ("05.05.58.01", "005.029_001", 34_800_000),
        Family::Swi9x30 => ("02.33.03.00", "002.072_000", 64_432_053),
        Family::Swi9x07 | Family::Swi9x06 => ("02.37.03.00", "002.095_000", 34_879_232),
        Family::Sdx12 => ("03.01.02.00", "004.016_000", 80_241_623),
        Family::Sdx55 | Family::Sdx65 => ("03.14.10.00", "030.089_000", 89_222_543),
        _ => ("01.14.13.00", "002.048_000", 80_241_623),
    };
    let release = Release {
        family: family.clone(),
        firmware,
        config,
        carrier: carrier.unwrap_or("GENERIC"),
        seed,
    };
    let size = size.unwrap_or(usual_size);
    if matches!(family, Family::Swi9200 | Family::Swi9x07 | Family::Swi9x06) {
        let file = release
            .combined(size, CARRIER_ITEMS)
            .build(release.combined_name())?;
        return Ok(vec![file]);
    }
    Ok(vec![
        release.system(size).build(release.system_name())?,
        release.settings(CARRIER_ITEMS).build(release.settings_name())?,
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Inspector, Severity};

    fn families() -> [Family; 12] {
        [
            Family::Gobi1000,
            Family::Gobi2000,
            Family::Gobi3000,
            Family::Swi9200,
            Family::Swi9x15,
            Family::Swi9x30,
            Family::Swi9x50,
            Family::Swi9x07,
            Family::Swi9x40,
            Family::Sdx12,
            Family::Sdx55,
            Family::Sdx65,
        ]
    }

    fn report(file: &Generated) -> crate::Report {
        let mut inspector = Inspector::new(file.name(), file.size());
        inspector.push(&file.to_vec()).unwrap();
        inspector.finish().unwrap()
    }

    #[test]
    fn the_usual_files_of_every_family_are_sound_and_fit_it() {
        for family in families() {
            let wishes = Wishes {
                size: Some(100_000),
                ..Wishes::default()
            };
            let files = usual_files(&family, wishes).unwrap();
            assert_eq!(files[0].size(), 100_000, "{family:?}");
            for file in &files {
                let report = report(file);
                assert_ne!(
                    report.worst(),
                    Some(Severity::Error),
                    "{family:?}: {}",
                    file.name()
                );
            }
        }
    }

    #[test]
    fn seed_and_carrier_change_content_and_names() {
        let make = |seed, carrier| {
            let wishes = Wishes {
                seed,
                size: Some(50_000),
                carrier: Some(carrier),
            };
            usual_files(&Family::Swi9x50, wishes).unwrap()
        };
        assert_eq!(make(1, "ATT"), make(1, "ATT"));
        assert_ne!(make(1, "ATT")[0], make(2, "ATT")[0]);
        assert_eq!(
            make(1, "ATT")[1].name(),
            "SWI9X50C_01.14.13.00_ATT_002.048_000.nvu"
        );
    }

    #[test]
    fn layouts_have_names_of_their_own() {
        for (place, layout) in LAYOUTS.iter().enumerate() {
            assert!(LAYOUTS[..place].iter().all(|other| other.name != layout.name));
        }
    }
}
