//! What the modem is to run in the end: firmware, config and carrier (update-flow.md §5.4), and whether there
//! is a safe way to it.

use firmware_image::{VersionKind, Versions};

use crate::modem::{Facts, Given, Passage, Trio, VERSION_RULES, Version, is_pre_production};
use crate::told::{Cause, RunWarning, Warning};

/// The requested versions, from the files and the user together.
///
/// # Errors
/// The files and the user name different versions. With `ignore`, the user's version counts instead.
pub(crate) fn wanted(files: &Versions, given: &Given, ignore: bool) -> Result<Trio, Cause> {
    let one = |kind: VersionKind, what: &'static str, option: &'static str, given: &Option<String>| {
        let found = files.known(kind).map(|known| known.text.clone());
        match (given, found) {
            // Use the spelling of the files, because modems use that spelling too.
            (Some(given), Some(found)) if given.eq_ignore_ascii_case(&found) => Ok(Some(found)),
            (Some(given), Some(found)) if !ignore => Err(Cause::VersionsDiffer {
                what,
                option,
                given: given.clone(),
                found,
            }),
            (Some(given), _) => Ok(Some(given.clone())),
            (None, found) => Ok(found),
        }
    };
    Ok(Trio {
        firmware: one(
            VersionKind::Firmware,
            "firmware version",
            "--firmware",
            &given.firmware,
        )?,
        config: one(VersionKind::Config, "config version", "--config", &given.config)?,
        carrier: one(VersionKind::Carrier, "carrier", "--carrier", &given.carrier)?,
    })
}

/// Checks that all versions are known that the modem has to be told before it takes firmware.
pub(crate) fn check_complete(wanted: &Trio) -> Result<(), Cause> {
    let all = [
        ("firmware version", &wanted.firmware),
        ("config version", &wanted.config),
        ("carrier", &wanted.carrier),
    ];
    let missing: Vec<&'static str> = all
        .into_iter()
        .filter(|(_, known)| known.is_none())
        .map(|(what, _)| what)
        .collect();
    if missing.is_empty() {
        Ok(())
    } else {
        Err(Cause::VersionsMissing { missing })
    }
}

/// A version as numbers that can be compared; none unless the text has four groups of digits.
fn numbers(version: &str) -> Option<Version> {
    let mut groups = version.split('.').map(|group| group.parse::<u8>().ok());
    let numbers = [groups.next()??, groups.next()??, groups.next()??, groups.next()??];
    groups.next().is_none().then_some(numbers)
}

/// How an update between two versions has to be done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Way {
    /// The settings may only be sent once the new firmware runs: first the firmware alone, then both
    /// (field-reports.md F4).
    pub(crate) firmware_first: bool,
}

/// Checks whether a rule speaks against the update from what the modem runs to what is wanted.
///
/// # Errors
/// An intermediate firmware has to be installed first, or the modem runs pre-production firmware. `force`
/// turns these errors into warnings.
pub(crate) fn way(
    facts: &Facts,
    wanted: &Trio,
    force: bool,
    warnings: &mut Vec<Warning>,
) -> Result<Way, Cause> {
    let mut way = Way::default();
    let (Some(from), Some(to), Some(revision)) = (&facts.running.firmware, &wanted.firmware, &facts.revision)
    else {
        return Ok(way);
    };
    let mut warn = |code: RunWarning, text| {
        warnings.push(Warning {
            code: code.into(),
            text,
            confirm: true,
        });
    };
    // Pre-production firmware may follow on its like.
    if facts.runs_pre_production() && !is_pre_production(&facts.family(), to) {
        let why = format!(
            "the modem runs pre-production firmware ({from}) with another partition table; \
             updates from such firmware to released firmware have made modems unusable"
        );
        if !force {
            return Err(Cause::PreProduction { why });
        }
        warn(RunWarning::PreProduction, why);
    }
    let (Some(old), Some(new)) = (numbers(from), numbers(to)) else {
        return Ok(way);
    };
    for rule in VERSION_RULES
        .iter()
        .filter(|rule| rule.applies(revision, old, new))
    {
        match rule.passage {
            Passage::Through(between) => {
                let why = format!(
                    "the modem runs {from} and needs {between} before {to}: after a direct update the modem may \
                     never leave its boot loader again"
                );
                if !force {
                    return Err(Cause::HopNeeded { why });
                }
                warn(RunWarning::Hop, why);
            }
            Passage::NoWayBack => warn(
                RunWarning::Downgrade,
                format!("there is no safe way back from {from} to {to}"),
            ),
            Passage::FirmwareFirst => way.firmware_first = true,
        }
    }
    Ok(way)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::modem::AskedOver;
    use firmware_image::{Known, VersionSource};

    fn files(firmware: &str) -> Versions {
        Versions {
            firmware: Some(Known {
                text: firmware.into(),
                source: VersionSource::FileName,
            }),
            config: None,
            carrier: None,
        }
    }

    fn facts(revision: &str, firmware: &str) -> Facts {
        Facts {
            revision: Some(revision.into()),
            running: to(firmware),
            ..Facts::unknown(AskedOver::At)
        }
    }

    fn to(firmware: &str) -> Trio {
        Trio {
            firmware: Some(firmware.into()),
            ..Trio::default()
        }
    }

    // update-flow.md §9, row 21
    #[test]
    fn row_21_what_the_user_gives_fills_what_the_files_do_not_tell() {
        let given = Given {
            carrier: Some("GENERIC".into()),
            ..Given::default()
        };
        let wanted = wanted(&files("02.33.03.00"), &given, false).unwrap();
        assert_eq!(wanted.carrier.as_deref(), Some("GENERIC"));
        assert_eq!(wanted.firmware.as_deref(), Some("02.33.03.00"));
        assert!(matches!(
            check_complete(&wanted),
            Err(Cause::VersionsMissing { missing }) if missing == ["config version"]
        ));
    }

    // update-flow.md §9, row 22
    #[test]
    fn row_22_a_conflict_names_the_version_that_differs_and_both_values() {
        let given = Given {
            firmware: Some("02.30.01.01".into()),
            ..Given::default()
        };
        let cause = wanted(&files("02.33.03.00"), &given, false).unwrap_err();
        assert_eq!(
            cause.to_string(),
            "firmware version: 02.30.01.01 was requested, but the files are for 02.33.03.00"
        );
        let spelled = Given {
            carrier: Some("verizon".into()),
            ..Given::default()
        };
        let mut of_verizon = files("02.33.03.00");
        of_verizon.carrier = Some(Known {
            text: "Verizon".into(),
            source: VersionSource::FileName,
        });
        let carrier = wanted(&of_verizon, &spelled, false).unwrap().carrier;
        assert_eq!(carrier.as_deref(), Some("Verizon"));
        let ignoring = wanted(&files("02.33.03.00"), &given, true).unwrap();
        assert_eq!(ignoring.firmware.as_deref(), Some("02.30.01.01"));
    }

    #[test]
    fn an_old_em7565_needs_the_intermediate_release_first() {
        let mut warnings = Vec::new();
        let old = facts("SWI9X50C_01.00.02.00 dd2f", "01.00.02.00");
        assert!(matches!(
            way(&old, &to("01.14.13.00"), false, &mut warnings),
            Err(Cause::HopNeeded { .. })
        ));
        way(&old, &to("01.14.13.00"), true, &mut warnings).unwrap();
        assert!(warnings.iter().any(|warning| warning.confirm));
        let first = way(&old, &to("01.05.01.00"), false, &mut Vec::new()).unwrap();
        assert!(first.firmware_first);
    }

    #[test]
    fn pre_production_firmware_is_left_alone() {
        // field-reports.md E6, F6
        for (revision, to_version) in [
            ("SWI9X50C_00.06.02.00 x", "01.14.02.00"),
            ("SWI9X50C_00.03.05.00 x", "01.00.02.00"),
            ("SWI9X30C_00.08.02.00 x", "02.33.03.00"),
        ] {
            let (_, rest) = revision.split_once('_').unwrap();
            let from = rest.trim_end_matches(" x");
            let mut warnings = Vec::new();
            let refused = way(&facts(revision, from), &to(to_version), false, &mut warnings);
            assert!(matches!(refused, Err(Cause::PreProduction { .. })), "{revision}");
            way(&facts(revision, from), &to(to_version), true, &mut warnings).unwrap();
            let codes: Vec<_> = warnings.iter().map(|warning| warning.code.as_str()).collect();
            assert!(codes.contains(&"PRE-PRODUCTION"), "{codes:?}");
        }
        // Other families have releases with versions 00.xx, and pre-production firmware may be updated to
        // other pre-production firmware.
        let mut none = Vec::new();
        way(
            &facts("SWI9X07Y_00.04.00.00 x", "00.04.00.00"),
            &to("02.18.00.00"),
            false,
            &mut none,
        )
        .unwrap();
        way(
            &facts("SWI9X30C_00.08.02.00 x", "00.08.02.00"),
            &to("00.09.00.00"),
            false,
            &mut none,
        )
        .unwrap();
        assert_eq!(none, []);
    }

    #[test]
    fn a_downgrade_needs_a_confirmation_and_other_families_have_no_rules() {
        let mut warnings = Vec::new();
        way(
            &facts("SWI9X50C_01.14.13.00 x", "01.14.13.00"),
            &to("01.05.01.00"),
            false,
            &mut warnings,
        )
        .unwrap();
        assert_eq!(
            warnings.first().map(|warning| warning.code.as_str()),
            Some("DOWNGRADE")
        );
        let mut none = Vec::new();
        let other = facts("SWI9X30C_02.08.02.00 r", "02.08.02.00");
        assert_eq!(
            way(&other, &to("02.33.03.00"), false, &mut none).unwrap(),
            Way::default()
        );
        assert!(none.is_empty());
    }
}
