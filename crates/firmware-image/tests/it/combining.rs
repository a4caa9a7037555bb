//! Several files together: each contradiction its own word (update-flow.md §5.3, §5.4, §6).

use modemflash_firmware_image::{
    Family, FamilySource, Finding, GobiType, Inspector, NameNote, Report, Severity, VersionKind,
    VersionSource, combine,
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

// field-reports.md I9
#[test]
fn settings_that_differ_in_the_last_number_only_are_a_question() {
    let system = system();
    let of = |firmware| settings(&Release { firmware, ..RELEASE });
    for files in [[&system, &of("02.33.03.01")], [&of("02.33.03.01"), &system]] {
        let set = combine(&files);
        let findings: Vec<_> = set.findings.iter().map(Finding::code).collect();
        assert_eq!(findings, ["VERSION-MIXED"]);
        assert_eq!(set.findings[0].severity(), Severity::StrongWarning);
        assert_eq!(
            set.findings[0].to_string(),
            "SWI9X30C_02.33.03.00.cwe is firmware version 02.33.03.00, \
             but SWI9X30C_02.33.03.01_GENERIC_002.072_000.nvu holds settings for 02.33.03.01; \
             some vendors ship such pairs, but a modem may refuse them"
        );
        assert_eq!(set.versions.firmware.unwrap().text, "02.33.03.00");
        assert_eq!(set.versions.config.unwrap().text, "002.072_000");
    }
    let codes = |files: &[&Report]| -> Vec<&'static str> {
        combine(files).findings.iter().map(Finding::code).collect()
    };
    for firmware in ["02.33.02.00", "02.32.03.00", "01.33.03.00"] {
        assert_eq!(
            codes(&[&system, &of(firmware)]),
            ["VERSION-CONFLICT"],
            "{firmware}"
        );
    }
    assert_eq!(codes(&[&system, &of("02.33.03.00")]), [""; 0]);
    // Two firmwares, or several settings, are no pair.
    let other = inspect(
        &Release {
            firmware: "02.33.03.01",
            seed: 2,
            ..RELEASE
        }
        .system(40_000)
        .build("SWI9X30C_02.33.03.01.cwe")
        .unwrap(),
    );
    assert!(codes(&[&system, &other]).contains(&"VERSION-CONFLICT"));
    let three = codes(&[&system, &of("02.33.03.01"), &of("02.33.03.02")]);
    assert!(!three.contains(&"VERSION-MIXED"), "{three:?}");
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
    assert!(matches!(&set.findings[0], Finding::PlatformConflict { .. }));
    assert_eq!(set.families, []);
    assert!(set.findings[0].to_string().contains("is for SWI9X30C, but"));
    // Where no version text tells a platform, the product codes do.
    let bare = |product: &str, size: usize| {
        let plan = Plan::new("SPKG", product, "", Body::Bytes(vec![1; size]));
        inspect(&plan.build("x.cwe").unwrap())
    };
    let set = combine(&[&bare("9X30", 20), &bare("9X50", 10)]);
    assert!(matches!(&set.findings[0], Finding::FamilyConflict { .. }));
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

/// A file with this product code and version text, and within it one image with these.
fn nested(outer: (&str, &str), inner: (&str, &str)) -> Report {
    let child = Plan::new("APPL", inner.0, inner.1, Body::Bytes(vec![1; 10]));
    let plan = Plan::new("SPKG", outer.0, outer.1, Body::Images(vec![child]));
    inspect(&plan.build("x.cwe").unwrap())
}

fn contradictions(report: &Report) -> Vec<String> {
    report
        .findings
        .iter()
        .filter(|finding| matches!(finding, Finding::FamilyContradiction { .. }))
        .map(ToString::to_string)
        .collect()
}

#[test]
fn headers_that_are_for_different_modems_contradict_each_other() {
    let cases = [
        // Within one header.
        (
            ("9X50", "SWI9X30C_02.33.03.00"),
            ("9X30", "SWI9X30C_02.33.03.00"),
            1,
        ),
        // A 9X50 package around a 9X30 application.
        (("9X50", "SWI9X50C_01.14.13.00"), ("9X30", ""), 1),
        (("9X50", ""), ("9X30", ""), 1),
        // Listed or not, and the lines of one family.
        (
            ("9X07", "SWI9X07Y_02.37.03.00"),
            ("9X07", "SWI9X07H_00.08.24.02"),
            1,
        ),
        (
            ("????", "SWI1234Q_01.00.00.00"),
            ("????", "SWI5678Q_01.00.00.00"),
            1,
        ),
        (
            ("9X50", "SWIX12C_03.01.02.00"),
            ("9X50", "SWI9X50C_01.14.13.00"),
            2,
        ),
    ];
    for (outer, inner, at_least) in cases {
        let report = nested(outer, inner);
        let said = contradictions(&report);
        assert!(
            said.len() >= at_least,
            "{outer:?} {inner:?}: {:?}",
            report.findings
        );
        assert_eq!(report.worst(), Some(Severity::Error), "{outer:?} {inner:?}");
    }
}

// The code of the package around them isn't known from real files for 9X50 and newer ones (images.md §4).
#[test]
fn brothers_contradict_each_other_as_parents_and_children_do() {
    let inner = |kind, product: &str| Plan::new(kind, product, "", Body::Bytes(vec![1; 10]));
    let images = Body::Images(vec![inner("BOOT", "9X30"), inner("APPL", "9X50")]);
    let report = inspect(&Plan::new("SPKG", "????", "", images).build("x.cwe").unwrap());
    let said = contradictions(&report);
    assert_eq!(said.len(), 1, "{:?}", report.findings);
    assert!(
        said[0].contains("image 0.1 is for 9x50 (product code 9X50), but image 0.0"),
        "{said:?}"
    );
}

#[test]
fn a_file_that_contradicts_itself_a_thousand_times_is_told_a_few_times() {
    let inner = |place: usize| {
        let product = if place % 2 == 0 { "9X30" } else { "9X50" };
        Plan::new("APPL", product, "", Body::Bytes(vec![1; 10]))
    };
    let images = Body::Images((0..1000).map(inner).collect());
    let report = inspect(&Plan::new("SPKG", "????", "", images).build("x.cwe").unwrap());
    assert_eq!(contradictions(&report).len(), 8);
    assert!(
        !report
            .findings
            .iter()
            .any(|finding| matches!(finding, Finding::More { .. }))
    );
}

#[test]
fn codes_that_are_shared_or_unknown_contradict_nothing() {
    let cases = [
        // images.md §4, devices.md: real pairs.
        (("Y921", ""), ("9X28", "")),
        (("Y931", ""), ("9X28", "")),
        (("Y912", ""), ("9X15", "SWI9X15Y_07.13.07.00")),
        (("9X30", ""), ("9x30", "/swir/nvdelta/NVUP_SPRINT.010")),
        // An unknown code or platform.
        (("QQQQ", "SWI9X30C_02.33.03.00"), ("9X30", "")),
        (("QQQQ", "SWI1234Q_01.00.00.00"), ("9X30", "")),
        (
            ("SX55", "SWIX55C_01.07.13.00"),
            ("SX55", "Wed Sep 19 15:42:13 UTC 2018"),
        ),
        // The two names of one platform, and a carrier that begins like one.
        (("9200", "SWI9200M_03.05.29.03"), ("9200", "SWI9200X_03.05.29.03")),
        (
            (
                "9X50",
                "9999999_9999999_SWI9X50C_01.14.13.00_00_SWISSCOM_002.048_000",
            ),
            ("9X50", ""),
        ),
    ];
    for (outer, inner) in cases {
        let report = nested(outer, inner);
        assert_eq!(contradictions(&report), [""; 0], "{outer:?} {inner:?}");
    }
}

#[test]
fn the_name_of_a_file_contradicts_nothing_and_is_asked_only_when_the_headers_are_silent() {
    let plan = |product: &str, version: &str| Plan::new("SPKG", product, version, Body::Bytes(vec![1; 10]));
    let renamed = inspect(
        &plan("9X30", "SWI9X30C_02.33.03.00")
            .build("EM7565_SWI9X50C.cwe")
            .unwrap(),
    );
    assert_eq!(renamed.families, [Family::Swi9x30]);
    assert_eq!(renamed.families_from, FamilySource::Header);
    assert_eq!(
        renamed.findings,
        [Finding::FamilyDoubt {
            families: vec![Family::Swi9x30],
            named: Family::Swi9x50
        }]
    );
    assert_eq!(renamed.worst(), Some(Severity::Warning));
    // images.md §7: one real name with two platforms.
    let name = "SWI9200M_3.5-Release13-SWI9200X_03.05.29.03.cwe";
    let real = inspect(
        &plan(
            "9200",
            "9999999_9999999_9200_03.05.29.03_00_generic_000.000_001_SPKG_MC",
        )
        .build(name)
        .unwrap(),
    );
    assert_eq!(
        (real.families.as_slice(), real.findings.as_slice()),
        ([Family::Swi9200].as_slice(), [].as_slice())
    );
    let silent = inspect(
        &plan("QQQQ", "")
            .build("WP76xx_Release16.0.1_GENERIC.spk")
            .unwrap(),
    );
    assert_eq!(silent.families, [Family::Swi9x07]);
    assert_eq!(silent.families_from, FamilySource::FileName);
}

#[test]
fn files_for_two_platforms_contradict_each_other_listed_or_not() {
    let file = |name: &str, version: &str| {
        inspect(
            &Plan::new("SPKG", "????", version, Body::Bytes(vec![1; 10]))
                .build(name)
                .unwrap(),
        )
    };
    for (one, other) in [
        ("SWIX12C_03.01.02.00", "SWI9X50C_01.14.13.00"),
        ("SWI9X07Y_02.37.03.00", "SWI9X07H_00.08.24.02"),
        ("SWI1234Q_01.00.00.00", "SWI1235Q_01.00.00.00"),
    ] {
        let set = combine(&[&file("a.cwe", one), &file("b.nvu", other)]);
        let is_conflict = |finding: &Finding| matches!(finding, Finding::PlatformConflict { .. });
        assert!(set.findings.iter().any(is_conflict), "{one} {other}");
        assert_eq!(set.families, []);
    }
    // A settings file that names a model instead of a platform is for the same modems.
    let oem = "1102662_9905046_EM7455_02.05.07.00_00_Lenovo-Laptop_001.003_000";
    let set = combine(&[&file("a.cwe", "SWI9X30C_02.05.07.00"), &file("b.nvu", oem)]);
    assert_eq!(set.families, [Family::Swi9x30]);
    assert!(
        set.findings
            .iter()
            .all(|finding| finding.severity() != Severity::Error),
        "{:?}",
        set.findings
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
