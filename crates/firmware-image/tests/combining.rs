//! Several files together: each contradiction its own word (update-flow.md §5.3, §5.4, §6).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use modemflash_firmware_image::{
    Family, Finding, GobiType, Inspector, NameNote, Report, Severity, VersionKind, VersionSource, combine,
    generate::{
        Body, Generated, Plan,
        models::{CARRIER_ITEMS, Release},
    },
};

fn inspect(file: &Generated) -> Report {
    let mut inspector = Inspector::new(file.name(), file.size());
    inspector.push(&file.to_vec()).unwrap();
    inspector.finish().unwrap()
}

const RELEASE: Release<'static> = Release {
    family: Family::Swi9x30,
    firmware: "02.33.03.00",
    config: "002.072_000",
    carrier: "GENERIC",
    seed: 1,
};

fn system() -> Report {
    inspect(&RELEASE.system(50_000).build(RELEASE.system_name()).unwrap())
}

fn settings(release: &Release<'_>) -> Report {
    inspect(
        &release
            .settings(CARRIER_ITEMS)
            .build(release.settings_name())
            .unwrap(),
    )
}

#[test]
fn a_fitting_pair_is_ordered_by_size_and_has_all_versions() {
    let set = combine(&[&settings(&RELEASE), &system()]);
    assert_eq!(set.order, [1, 0]);
    assert_eq!(set.findings, []);
    assert_eq!(set.versions.firmware.unwrap().text, "02.33.03.00");
    assert_eq!(set.versions.config.unwrap().text, "002.072_000");
    assert_eq!(set.versions.carrier.unwrap().text, "GENERIC");
    assert_eq!(set.families, [Family::Swi9x30]);
}

#[test]
fn files_of_one_size_keep_their_order() {
    let file = |seed| {
        inspect(
            &Release { seed, ..RELEASE }
                .system(5_000)
                .build("same.cwe")
                .unwrap(),
        )
    };
    let set = combine(&[&file(1), &settings(&RELEASE), &file(2), &file(3)]);
    assert_eq!(set.order, [0, 2, 3, 1]);
}

#[test]
fn settings_of_another_firmware_are_an_error_and_the_larger_file_wins() {
    let other = Release {
        firmware: "02.30.01.01",
        ..RELEASE
    };
    let set = combine(&[&settings(&other), &system()]);
    assert_eq!(
        set.findings,
        [Finding::VersionConflict {
            kind: VersionKind::Firmware,
            first_file: "SWI9X30C_02.33.03.00.cwe".into(),
            first: "02.33.03.00".into(),
            other_file: "SWI9X30C_02.30.01.01_GENERIC_002.072_000.nvu".into(),
            other: "02.30.01.01".into(),
        }]
    );
    assert_eq!(set.findings[0].severity(), Severity::Error);
    assert_eq!(
        set.findings[0].to_string(),
        "SWI9X30C_02.33.03.00.cwe is firmware version 02.33.03.00, \
         but SWI9X30C_02.30.01.01_GENERIC_002.072_000.nvu is firmware version 02.30.01.01"
    );
    assert_eq!(set.versions.firmware.unwrap().text, "02.33.03.00");
}

#[test]
fn two_carriers_are_an_error_for_carrier_and_config() {
    let verizon = Release {
        carrier: "VERIZON",
        config: "002.034_000",
        ..RELEASE
    };
    let set = combine(&[&system(), &settings(&RELEASE), &settings(&verizon)]);
    let kinds: Vec<_> = set
        .findings
        .iter()
        .filter_map(|finding| match finding {
            Finding::VersionConflict { kind, .. } => Some(*kind),
            _ => None,
        })
        .collect();
    assert_eq!(kinds, [VersionKind::Config, VersionKind::Carrier]);
}

#[test]
fn firmware_without_settings_is_said_with_the_missing_versions() {
    let set = combine(&[&system()]);
    assert_eq!(
        set.findings,
        [
            Finding::FirmwareWithoutConfig {
                file: "SWI9X30C_02.33.03.00.cwe".into()
            },
            Finding::VersionMissing {
                kind: VersionKind::Config
            },
            Finding::VersionMissing {
                kind: VersionKind::Carrier
            },
        ]
    );
}

#[test]
fn settings_without_firmware_are_said() {
    let set = combine(&[&settings(&RELEASE)]);
    let file = RELEASE.settings_name();
    assert_eq!(set.findings, [Finding::ConfigWithoutFirmware { file }]);
}

#[test]
fn one_file_with_both_needs_no_other() {
    let both = inspect(&RELEASE.combined(30_000, CARRIER_ITEMS).build("both.spk").unwrap());
    assert_eq!(combine(&[&both]).findings, []);
}

#[test]
fn the_same_image_under_two_names_is_said() {
    let twin = inspect(&RELEASE.system(50_000).build("copy (1).cwe").unwrap());
    let set = combine(&[&system(), &twin, &settings(&RELEASE)]);
    assert_eq!(
        set.findings,
        [Finding::SameImageTwice {
            first_file: "SWI9X30C_02.33.03.00.cwe".into(),
            other_file: "copy (1).cwe".into()
        }]
    );
}

#[test]
fn a_boot_loader_without_its_package_is_a_strong_warning() {
    let boot = Plan::new("BOOT", "9X30", "SWI9X30C_02.33.03.00", Body::Bytes(vec![1; 2000]));
    let boot = inspect(&boot.build("boot.cwe").unwrap());
    let set = combine(&[&boot]);
    assert_eq!(
        set.findings[0],
        Finding::BootWithoutPackage {
            file: "boot.cwe".into()
        }
    );
    assert_eq!(set.findings[0].severity(), Severity::StrongWarning);
    let with_package = combine(&[&boot, &system(), &settings(&RELEASE)]);
    assert_eq!(with_package.findings, []);
}

#[test]
fn files_for_different_families_are_an_error() {
    let other = Release {
        family: Family::Swi9x50,
        ..RELEASE
    };
    let set = combine(&[&system(), &settings(&other)]);
    assert!(matches!(&set.findings[0], Finding::FamilyConflict { .. }));
    assert_eq!(set.families, []);
    assert!(set.findings[0].to_string().contains("is for 9x30, but"));
}

#[test]
fn gobi_files_go_in_the_order_of_their_size_and_need_no_versions() {
    let amss = inspect(&Generated::gobi(GobiType::Amss, 1, 9000));
    let apps = inspect(&Generated::gobi(GobiType::Apps, 2, 3000));
    let uqcn = inspect(&Generated::gobi(GobiType::Uqcn, 3, 500));
    let set = combine(&[&uqcn, &amss, &apps]);
    assert_eq!((set.order, set.findings), (vec![1, 2, 0], vec![]));
    assert_eq!(set.families, [Family::Gobi2000, Family::Gobi3000]);
}

fn one_image(name: &str, version: &str) -> Report {
    let plan = Plan::new("SPKG", "9X30", version, Body::Bytes(vec![1; 10]));
    inspect(&plan.build(name).unwrap())
}

#[test]
fn the_header_goes_before_the_file_name_and_their_difference_is_said() {
    let report = one_image(
        "dir/SWI9X30C_02.24.05.06_VERIZON_002.034_000.nvu",
        "SWI9X30C_02.33.03.00",
    );
    let firmware = report.versions.firmware.as_ref().unwrap();
    assert_eq!(
        (firmware.text.as_str(), &firmware.source),
        ("02.33.03.00", &VersionSource::RootHeader)
    );
    let carrier = report.versions.carrier.as_ref().unwrap();
    assert_eq!(
        (carrier.text.as_str(), &carrier.source),
        ("VERIZON", &VersionSource::FileName)
    );
    assert_eq!(
        report.findings[0].to_string(),
        "the header says firmware version 02.33.03.00, the file name says 02.24.05.06; 02.33.03.00 is used"
    );
    assert_eq!(report.findings[0].severity(), Severity::Warning);
}

#[test]
fn a_boot_loader_of_another_version_inside_is_a_note_only() {
    let boot = Plan::new("BOOT", "9X30", "SWI9X30C_02.30.01.01", Body::Bytes(vec![1; 30]));
    let plan = Plan::new("SPKG", "9X30", "SWI9X30C_02.33.03.00", Body::Images(vec![boot]));
    let report = inspect(&plan.build("x.cwe").unwrap());
    assert_eq!(report.versions.firmware.as_ref().unwrap().text, "02.33.03.00");
    assert_eq!(report.worst(), Some(Severity::Note));
    assert!(matches!(&report.findings[0], Finding::VersionsDisagree { other, .. } if other == "02.30.01.01"));
}

#[test]
fn a_doubtful_name_is_a_warning_of_the_report() {
    let report = one_image("9999999_1_SWI9X30C_02.33.03.00_00_AT_T_002.072_000.nvu", "");
    assert_eq!(report.versions.carrier.as_ref().unwrap().text, "AT_T");
    assert!(report.findings.iter().any(|finding| matches!(
        finding,
        Finding::VersionDoubt {
            source: VersionSource::FileName,
            note: NameNote::UnusualCarrier { .. },
            ..
        }
    )));
}

#[test]
fn inner_boot_images_tell_the_firmware_only_and_inner_settings_all() {
    let long = "9999999_9999999_SWI9X30C_02.33.03.00_00_GENERIC_002.072_000";
    let inside = |kind| {
        let inner = Plan::new(kind, "9X30", long, Body::Bytes(vec![1; 30]));
        inspect(
            &Plan::new("SPKG", "9X30", "", Body::Images(vec![inner]))
                .build("x.cwe")
                .unwrap(),
        )
        .versions
    };
    let boot = inside("BOOT");
    let source = VersionSource::InnerImage { image: "0.0".into() };
    assert_eq!(boot.firmware.unwrap().source, source);
    assert_eq!((boot.config, boot.carrier), (None, None));
    let nvup = inside("NVUP");
    assert_eq!(nvup.config.unwrap().text, "002.072_000");
    assert_eq!(nvup.carrier.unwrap().source, source);
    assert_eq!(inside("APPL").firmware, None);
}

#[test]
fn a_product_that_contradicts_the_version_text_is_doubted() {
    let plan = Plan::new("SPKG", "9X50", "SWI9X30C_02.33.03.00", Body::Bytes(vec![1; 10]));
    let report = inspect(&plan.build("x.cwe").unwrap());
    assert_eq!(
        report.findings,
        [Finding::FamilyDoubt {
            families: vec![Family::Swi9x30, Family::Swi9x50]
        }]
    );
}

#[cfg(feature = "serde")]
#[test]
fn a_report_is_written_as_json() {
    let json = serde_json::to_value(settings(&RELEASE)).unwrap();
    assert_eq!(json["kind"], "cwe");
    assert_eq!(json["images"][3]["header"]["image_type"], "NVUP");
    assert_eq!(json["images"][3]["header"]["crc_indicator"], "good");
    assert_eq!(
        json["images"][0]["header"]["product_buffer"]["descriptors"][0]["kind"],
        "product"
    );
    assert_eq!(json["versions"]["carrier"]["text"], "GENERIC");
    assert_eq!(json["versions"]["carrier"]["source"]["place"], "root_header");
    assert_eq!(
        (&json["images"][3]["path"], &json["images"][3]["verdict"]),
        (&"0.0.0.0".into(), &"right".into())
    );
    assert_eq!(json["protocols"][0], "qdl");
    assert_eq!(json["findings"][0]["severity"], "note");
    assert_eq!(
        json["findings"][0]["message"],
        "the settings are for carrier id 1"
    );
    assert_eq!(json["families"][0], "swi9x30");
    assert_eq!(json["settings"]["changes"][0]["change"], "carrier");
    assert_eq!(json["findings"][0]["finding"], "settings_change");
    let set = serde_json::to_value(combine(&[&system()])).unwrap();
    assert_eq!(set["findings"][0]["finding"], "firmware_without_config");
}
