//! From a pile of files the right set for a modem is chosen, or the ambiguity is listed.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::builder::image;
use modemflash_firmware_image::source::{
    ChoiceError, FirmwareSet, Inspected, Options, Question, SourceError, Wanted, Why, gather, inspect,
};
use modemflash_firmware_image::{Family, Finding};

/// Firmware of a 9x50 with a body of its own, so that no two are the same.
fn cwe(version: &str) -> Vec<u8> {
    let text = format!("INTERNAL_?_SWI9X50C_{version}_?_?_?_?");
    let inner = image("APPL", "9X50", &text, version.repeat(100).as_bytes());
    image("SPKG", "9X50", &text, &inner)
}

/// Settings for it; the body is NVUP's head without items (images.md §6).
fn nvu(version: &str, carrier: &str, config: &str) -> Vec<u8> {
    let text = format!("9999999_9907259_SWI9X50C_{version}_00_{carrier}_{config}");
    let nvup = image("NVUP", "9x50", &text, &[1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    image("SPKG", "9X50", &text, &image("FILE", "9X50", "", &nvup))
}

fn spk(platform: &str, version: &str, carrier: &str) -> Vec<u8> {
    let text = format!("9999999_9907152_{platform}_{version}_00_{carrier}_002.095_000");
    let mut inner = image("APPL", "9X28", &text, carrier.repeat(50).as_bytes());
    inner.extend(image(
        "FILE",
        "9X28",
        "",
        &image("NVUP", "9X28", &text, &[1, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
    ));
    image("SPKG", "9X28", &text, &inner)
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn with(files: &[(&str, Vec<u8>)]) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        for (name, content) in files {
            folder.put(name, content);
        }
        folder
    }

    fn put(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

fn inspected<P: AsRef<Path>>(paths: &[P]) -> Inspected {
    inspect(gather(paths, &Options::default()).unwrap(), &mut |_| {})
}

fn choose<P: AsRef<Path>>(paths: &[P], wanted: &Wanted) -> Result<Vec<String>, ChoiceError> {
    FirmwareSet::choose(inspected(paths), wanted).map(|set| names(&set))
}

fn names(set: &FirmwareSet) -> Vec<String> {
    set.files
        .iter()
        .map(|f| f.name().rsplit('/').next().unwrap().to_string())
        .collect()
}

fn carrier(name: &str) -> Wanted {
    Wanted {
        carrier: Some(name.to_string()),
        ..Wanted::default()
    }
}

fn version(firmware: &str) -> Wanted {
    Wanted {
        firmware: Some(firmware.to_string()),
        ..Wanted::default()
    }
}

const V1: &str = "01.14.02.00";
const V2: &str = "01.14.22.00";

fn one_version() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        (
            "SWI9X50C_01.14.02.00_GENERIC_002.035_000.nvu",
            nvu(V1, "GENERIC", "002.035_000"),
        ),
        ("SWI9X50C_01.14.02.00.cwe", cwe(V1)),
    ]
}

fn two_carriers() -> Vec<(&'static str, Vec<u8>)> {
    let mut files = one_version();
    files.push((
        "SWI9X50C_01.14.02.00_VERIZON_002.046_000.nvu",
        nvu(V1, "VERIZON", "002.046_000"),
    ));
    files
}

#[test]
fn a_folder_with_one_firmware_and_its_settings_is_a_set_largest_first() {
    let folder = Folder::with(&one_version());
    let set = FirmwareSet::choose(inspected(&[folder.path()]), &Wanted::default()).unwrap();
    assert_eq!(
        names(&set),
        [
            "SWI9X50C_01.14.02.00.cwe",
            "SWI9X50C_01.14.02.00_GENERIC_002.035_000.nvu"
        ]
    );
    assert_eq!(set.combination.versions.carrier.as_ref().unwrap().text, "GENERIC");
    assert_eq!(
        set.combination.versions.config.as_ref().unwrap().text,
        "002.035_000"
    );
    assert_eq!(set.combination.families, [Family::Swi9x50]);
    assert_eq!(set.contradictions().count(), 0, "{:?}", set.combination.findings);
    assert_eq!(set.left_out, []);
}

#[test]
fn two_carriers_are_listed_and_one_is_taken_when_it_is_asked_for() {
    let folder = Folder::with(&two_carriers());
    match choose(&[folder.path()], &Wanted::default()) {
        Err(
            e @ ChoiceError::Ambiguous {
                question: Question::Carrier,
                ..
            },
        ) => {
            let text = e.to_string();
            assert!(
                text.contains("GENERIC") && text.contains("VERIZON") && text.contains("002.046_000"),
                "{text}"
            );
            assert!(e.hint().unwrap().contains("--carrier GENERIC"), "{:?}", e.hint());
        }
        other => panic!("{other:?}"),
    }
    for asked in ["VERIZON", "verizon", "VZW"] {
        let set = FirmwareSet::choose(inspected(&[folder.path()]), &carrier(asked)).unwrap();
        assert_eq!(names(&set)[1], "SWI9X50C_01.14.02.00_VERIZON_002.046_000.nvu");
        assert_eq!(set.left_out[0].why, Why::OtherCarrier);
    }
}

#[test]
fn a_carrier_that_is_not_there_is_an_error_that_lists_what_there_is() {
    let folder = Folder::with(&two_carriers());
    match choose(&[folder.path()], &carrier("TMO")) {
        Err(e @ ChoiceError::NoFit { .. }) => {
            let text = e.to_string();
            assert!(
                text.contains("carrier TMO") && text.contains("GENERIC") && text.contains("VERIZON"),
                "{text}"
            );
        }
        other => panic!("{other:?}"),
    }
}

// update-flow.md §9, row 21
#[test]
fn where_there_are_no_settings_a_carrier_that_is_asked_for_refuses_nothing() {
    let folder = Folder::with(&[("SWI9X50C_01.14.13.00.cwe", cwe(V1))]);
    let named = folder.path().join("SWI9X50C_01.14.13.00.cwe");
    for path in [folder.path(), &named] {
        let chosen = choose(&[path], &carrier("TMO")).unwrap();
        assert_eq!(chosen, ["SWI9X50C_01.14.13.00.cwe"]);
    }
}

#[test]
fn two_firmware_versions_are_listed_and_never_the_newest_is_guessed() {
    let mut files = one_version();
    files.push(("SWI9X50C_01.14.22.00.cwe", cwe(V2)));
    files.push((
        "SWI9X50C_01.14.22.00_GENERIC_002.057_000.nvu",
        nvu(V2, "GENERIC", "002.057_000"),
    ));
    let folder = Folder::with(&files);
    match choose(&[folder.path()], &Wanted::default()) {
        Err(ChoiceError::Ambiguous {
            question: Question::Firmware,
            choices,
        }) => assert_eq!(choices.len(), 2),
        other => panic!("{other:?}"),
    }
    for (wanted, config) in [(V1, "GENERIC_002.035_000.nvu"), (V2, "GENERIC_002.057_000.nvu")] {
        let chosen = choose(&[folder.path()], &version(wanted)).unwrap();
        assert_eq!(chosen[0], format!("SWI9X50C_{wanted}.cwe"));
        assert!(chosen[1].ends_with(config), "{chosen:?}");
        assert_eq!(chosen.len(), 2);
    }
    assert!(matches!(
        choose(&[folder.path()], &version("01.01.01.01")),
        Err(ChoiceError::NoFit { .. })
    ));
}

#[test]
fn two_config_versions_of_one_carrier_are_a_question_of_config() {
    let mut files = one_version();
    files.push((
        "SWI9X50C_01.14.02.00_GENERIC_002.035_003.nvu",
        nvu(V1, "GENERIC", "002.035_003"),
    ));
    let folder = Folder::with(&files);
    match choose(&[folder.path()], &Wanted::default()) {
        Err(ChoiceError::Ambiguous {
            question: Question::Config,
            ..
        }) => {}
        other => panic!("{other:?}"),
    }
    let wanted = Wanted {
        config: Some("002.035_003".to_string()),
        ..Wanted::default()
    };
    assert!(choose(&[folder.path()], &wanted).unwrap()[1].ends_with("_003.nvu"));
}

#[test]
fn settings_of_another_version_are_not_taken_along() {
    let folder = Folder::with(&[
        ("SWI9X50C_01.14.02.00.cwe", cwe(V1)),
        (
            "SWI9X50C_01.14.22.00_GENERIC_002.057_000.nvu",
            nvu(V2, "GENERIC", "002.057_000"),
        ),
    ]);
    let set = FirmwareSet::choose(inspected(&[folder.path()]), &Wanted::default()).unwrap();
    assert_eq!(names(&set), ["SWI9X50C_01.14.02.00.cwe"]);
    assert_eq!(set.left_out[0].why, Why::OtherFirmware);
    let has_word = set
        .combination
        .findings
        .iter()
        .any(|f| matches!(f, Finding::FirmwareWithoutConfig { .. }));
    assert!(has_word, "{:?}", set.combination.findings);
}

// field-reports.md I9
#[test]
fn settings_of_almost_the_same_version_are_a_pair_with_a_question() {
    let codes = |set: &FirmwareSet| -> Vec<&'static str> {
        set.combination.findings.iter().map(Finding::code).collect()
    };
    let near = ("carrier_pri.nvu", nvu("01.14.02.01", "DELL", "001.005_000"));
    let folder = Folder::with(&[("spkgz.cwe", cwe(V1)), near.clone()]);
    let [system, settings] = ["spkgz.cwe", "carrier_pri.nvu"].map(|name| folder.path().join(name));
    let paths: [&[&Path]; 3] = [&[folder.path()], &[&system, &settings], &[&system, folder.path()]];
    for (number, paths) in paths.iter().enumerate() {
        let set = FirmwareSet::choose(inspected(paths), &Wanted::default()).unwrap();
        assert_eq!(names(&set), ["spkgz.cwe", "carrier_pri.nvu"], "{number}");
        assert_eq!(codes(&set), ["VERSION-MIXED"], "{number}");
        assert_eq!(set.contradictions().count(), 0);
    }
    assert!(choose(&[folder.path()], &version(V1)).unwrap().len() == 2);

    // Settings of the firmware's own version go before.
    folder.put("own.nvu", &nvu(V1, "GENERIC", "002.035_000"));
    let set = FirmwareSet::choose(inspected(&[folder.path()]), &Wanted::default()).unwrap();
    assert_eq!(names(&set), ["spkgz.cwe", "own.nvu"]);
    assert_eq!(codes(&set), [""; 0]);
    assert_eq!(set.left_out[0].why, Why::OtherFirmware);

    // Of several carriers the user chooses one.
    let folder = Folder::with(&[
        ("spkgz.cwe", cwe(V1)),
        near,
        ("other.nvu", nvu("01.14.02.01", "ATT", "001.006_000")),
    ]);
    assert_eq!(
        choose(&[folder.path()], &Wanted::default()).unwrap_err().code(),
        "E-SET-AMBIGUOUS"
    );
    assert_eq!(
        choose(&[folder.path()], &carrier("dell")).unwrap(),
        ["spkgz.cwe", "carrier_pri.nvu"]
    );

    // Settings for other modems are none.
    let other = "9999999_9907152_SWI9X07Y_01.14.02.01_00_DELL_001.005_000";
    let nvup = image("NVUP", "9X28", other, &[1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    let foreign = image("SPKG", "9X28", other, &image("FILE", "9X28", "", &nvup));
    let folder = Folder::with(&[("spkgz.cwe", cwe(V1)), ("carrier_pri.nvu", foreign)]);
    assert_eq!(
        choose(&[folder.path()], &Wanted::default()).unwrap(),
        ["spkgz.cwe"]
    );
}

#[test]
fn a_family_leaves_out_what_is_for_other_modems() {
    let mut files = one_version();
    files.push((
        "SWI9X07Y_02.37.03.00.spk",
        spk("SWI9X07Y", "02.37.03.00", "GENERIC"),
    ));
    let folder = Folder::with(&files);
    match choose(&[folder.path()], &Wanted::default()) {
        Err(ChoiceError::Ambiguous {
            question: Question::Family,
            choices,
        }) => assert_eq!(choices.len(), 2),
        other => panic!("{other:?}"),
    }
    let wanted = |family| Wanted {
        family: Some(family),
        ..Wanted::default()
    };
    assert_eq!(
        choose(&[folder.path()], &wanted(Family::Swi9x07)).unwrap(),
        ["SWI9X07Y_02.37.03.00.spk"]
    );
    assert_eq!(
        choose(&[folder.path()], &wanted(Family::Swi9x50)).unwrap().len(),
        2
    );
    assert!(matches!(
        choose(&[folder.path()], &wanted(Family::Sdx55)),
        Err(ChoiceError::NoFit { .. })
    ));
}

#[test]
fn an_spk_brings_its_settings_and_two_of_them_are_a_question() {
    let folder = Folder::with(&[(
        "WP76xx_Release17_GENERIC.spk",
        spk("SWI9X07Y", "02.37.03.00", "GENERIC"),
    )]);
    assert_eq!(choose(&[folder.path()], &Wanted::default()).unwrap().len(), 1);
    folder.put(
        "WP76xx_Release17_SIERRA.spk",
        &spk("SWI9X07Y", "02.37.03.00", "SIERRA"),
    );
    match choose(&[folder.path()], &Wanted::default()) {
        Err(ChoiceError::Ambiguous {
            question: Question::Carrier,
            choices,
        }) => assert_eq!(choices.len(), 2),
        other => panic!("{other:?}"),
    }
    assert_eq!(
        choose(&[folder.path()], &carrier("sierra")).unwrap(),
        ["WP76xx_Release17_SIERRA.spk"]
    );
}

#[test]
fn named_files_are_all_meant_and_their_contradictions_are_findings() {
    let folder = Folder::with(&[]);
    let system = folder.put("SWI9X50C_01.14.02.00.cwe", &cwe(V1));
    let settings = folder.put(
        "SWI9X50C_01.14.22.00_GENERIC_002.057_000.nvu",
        &nvu(V2, "GENERIC", "002.057_000"),
    );
    let set = FirmwareSet::choose(inspected(&[&settings, &system]), &Wanted::default()).unwrap();
    assert_eq!(set.files.len(), 2);
    assert!(
        set.contradictions()
            .any(|f| matches!(f, Finding::VersionConflict { .. }))
    );
}

/// What a shell makes of `*.cwe *.nvu` in the unpacked package of the vendor.
#[test]
fn of_several_named_settings_an_option_takes_one_and_without_it_the_options_are_listed() {
    let folder = Folder::with(&[]);
    let paths: Vec<PathBuf> = two_carriers()
        .iter()
        .map(|(name, content)| folder.put(name, content))
        .collect();
    let error = choose(&paths, &Wanted::default()).unwrap_err();
    assert_eq!(error.code(), "E-SET-AMBIGUOUS");
    let hint = error.hint().unwrap();
    assert!(hint.contains("--carrier GENERIC or --carrier VERIZON"), "{hint}");
    assert_eq!(
        choose(&paths, &carrier("verizon")).unwrap(),
        choose(&[folder.path()], &carrier("verizon")).unwrap()
    );
}

#[test]
fn named_packages_of_two_versions_are_a_question_of_version() {
    let folder = Folder::with(&[]);
    let paths = [
        folder.put("SWI9X50C_01.14.02.00.cwe", &cwe(V1)),
        folder.put("SWI9X50C_01.14.22.00.cwe", &cwe(V2)),
    ];
    let error = choose(&paths, &Wanted::default()).unwrap_err();
    let hint = error.hint().unwrap();
    assert!(
        hint.contains("--firmware 01.14.02.00 or --firmware 01.14.22.00"),
        "{hint}"
    );
    assert_eq!(
        choose(&paths, &version(V2)).unwrap(),
        ["SWI9X50C_01.14.22.00.cwe"]
    );
}

#[test]
fn the_only_named_file_of_its_kind_stays_though_it_is_not_what_was_asked_for() {
    // Whoever sends it tells both versions; one of several is left out.
    let folder = Folder::with(&[]);
    let system = folder.put("SWI9X50C_01.14.02.00.cwe", &cwe(V1));
    assert_eq!(
        choose(&[&system], &version(V2)).unwrap(),
        ["SWI9X50C_01.14.02.00.cwe"]
    );
    let other = folder.put("SWI9X50C_01.14.13.00.cwe", &cwe("01.14.13.00"));
    let error = choose(&[&system, &other], &version(V2)).unwrap_err();
    assert_eq!(error.code(), "E-SET-NO-FIT");
    assert!(error.to_string().contains("01.14.02.00.cwe"), "{error}");
}

#[test]
fn names_with_control_characters_are_shown_without_them() {
    let folder = Folder::with(&[("a\x1b[2J_01.14.02.00.cwe", cwe(V1))]);
    assert_eq!(
        choose(&[folder.path()], &Wanted::default()).unwrap(),
        ["a\u{fffd}[2J_01.14.02.00.cwe"]
    );
}

#[test]
fn a_named_file_settles_what_is_found_beside_it() {
    let mut files = two_carriers();
    files.push(("SWI9X50C_01.14.22.00.cwe", cwe(V2)));
    let folder = Folder::with(&files);
    let settings = folder.path().join("SWI9X50C_01.14.02.00_VERIZON_002.046_000.nvu");
    let chosen = choose(&[folder.path(), &settings], &Wanted::default()).unwrap();
    assert_eq!(
        chosen,
        [
            "SWI9X50C_01.14.02.00.cwe",
            "SWI9X50C_01.14.02.00_VERIZON_002.046_000.nvu"
        ]
    );
    let system = folder.path().join("SWI9X50C_01.14.02.00.cwe");
    let chosen = choose(&[folder.path(), &system], &carrier("generic")).unwrap();
    assert_eq!(
        chosen,
        [
            "SWI9X50C_01.14.02.00.cwe",
            "SWI9X50C_01.14.02.00_GENERIC_002.035_000.nvu"
        ]
    );
}

#[test]
fn the_same_image_under_two_names_is_sent_once() {
    let folder = Folder::with(&one_version());
    let copy = folder.put("copy/SWI9X50C_01.14.02.00.cwe", &cwe(V1));
    let set = FirmwareSet::choose(inspected(&[folder.path()]), &Wanted::default()).unwrap();
    assert_eq!(set.files.len(), 2);
    assert_eq!(set.left_out[0].why, Why::Same);
    let named = folder.path().join("SWI9X50C_01.14.02.00.cwe");
    let set = FirmwareSet::choose(inspected(&[&named, &copy]), &Wanted::default()).unwrap();
    assert_eq!(set.files.len(), 1);
    assert!(
        set.combination
            .findings
            .iter()
            .any(|f| matches!(f, Finding::SameImageTwice { .. }))
    );
}

#[test]
fn gobi_files_make_a_set_and_two_carriers_of_them_are_a_question() {
    let folder = Folder::with(&[
        ("UMTS/amss.mbn", vec![1; 900]),
        ("UMTS/apps.mbn", vec![2; 500]),
        ("6/UQCN.mbn", vec![3; 100]),
    ]);
    assert_eq!(
        choose(&[folder.path()], &Wanted::default()).unwrap(),
        ["amss.mbn", "apps.mbn", "UQCN.mbn"]
    );
    folder.put("7/UQCN.mbn", &[4; 100]);
    match choose(&[folder.path()], &Wanted::default()) {
        Err(ChoiceError::Ambiguous {
            question: Question::File,
            choices,
        }) => assert_eq!(choices.len(), 2),
        other => panic!("{other:?}"),
    }
}

#[test]
fn equal_sizes_keep_the_order_given() {
    let folder = Folder::with(&[]);
    let a = folder.put("b.cwe", &image("APPL", "9X28", "", &[1; 50]));
    let b = folder.put("a.cwe", &image("APPL", "9X28", "", &[2; 50]));
    let c = folder.put("c.cwe", &image("APPL", "9X28", "", &[3; 60]));
    assert_eq!(
        choose(&[&a, &b, &c], &Wanted::default()).unwrap(),
        ["c.cwe", "b.cwe", "a.cwe"]
    );
}

#[test]
fn a_damaged_file_stops_the_choice_unless_its_name_tells_another_version() {
    let folder = Folder::with(&one_version());
    let mut cut = cwe(V2);
    cut.truncate(700);
    folder.put("SWI9X50C_01.14.22.00.cwe", &cut);
    let set = FirmwareSet::choose(inspected(&[folder.path()]), &Wanted::default()).unwrap();
    assert_eq!(set.files.len(), 2);
    assert_eq!(set.left_out[0].why, Why::Refused);

    let named = folder.path().join("SWI9X50C_01.14.22.00.cwe");
    let error = choose(&[folder.path(), &named], &Wanted::default()).unwrap_err();
    assert_eq!(error.code(), "E-IMAGE-TRUNCATED", "{error}");

    folder.put("SWI9X50C_01.14.02.00_VERIZON_002.046_000.nvu", &cut);
    let error = choose(&[folder.path()], &Wanted::default()).unwrap_err();
    assert!(error.to_string().contains("VERIZON"), "{error}");
}

#[test]
fn a_file_that_changes_after_the_check_stops_the_second_reading() {
    let folder = Folder::with(&one_version());
    let set = FirmwareSet::choose(inspected(&[folder.path()]), &Wanted::default()).unwrap();
    let mut all = Vec::new();
    set.files[0].open().unwrap().read_to_end(&mut all).unwrap();
    assert_eq!(all, cwe(V1));
    let path = folder.path().join("SWI9X50C_01.14.02.00.cwe");
    let mut changed = cwe(V1);
    changed[600] ^= 1;
    fs::write(&path, &changed).unwrap();
    assert!(set.files[0].open().unwrap().read_to_end(&mut Vec::new()).is_err());
    fs::write(&path, b"short").unwrap();
    let error = set.files[0]
        .open()
        .err()
        .map(|e| SourceError::from_io("x", e))
        .unwrap();
    assert_eq!(error.code(), "E-SRC-CHANGED");
}

#[cfg(all(feature = "zip", feature = "sevenz"))]
mod archives {
    use super::*;
    use modemflash_firmware_image::source::{Note, SpoolPolicy};
    use std::io::Cursor;

    fn seven_zip(entries: &[(&str, Vec<u8>)], is_solid: bool) -> Vec<u8> {
        let mut writer = sevenz_rust2::ArchiveWriter::new(Cursor::new(Vec::new())).unwrap();
        let files = entries
            .iter()
            .map(|(name, _)| sevenz_rust2::ArchiveEntry::new_file(name));
        if is_solid {
            let readers = entries
                .iter()
                .map(|(_, content)| Cursor::new(content.clone()).into())
                .collect();
            writer.push_archive_entries(files.collect(), readers).unwrap();
        } else {
            for (file, (_, content)) in files.zip(entries) {
                writer.push_archive_entry(file, Some(content.as_slice())).unwrap();
            }
        }
        writer.finish().unwrap().into_inner()
    }

    fn fixture(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/data/archives")
            .join(name)
    }

    #[test]
    fn every_kind_of_archive_gives_the_same_set() {
        for name in [
            "info-zip.zip",
            "zip64.zip",
            "plain.7z",
            "solid.7z",
            "bcj2.7z",
            "arm-filter.7z",
        ] {
            let set = FirmwareSet::choose(inspected(&[fixture(name)]), &Wanted::default()).unwrap();
            let expected = [
                "SWI9X50C_01.14.02.00.cwe",
                "SWI9X50C_01.14.02.00_GENERIC_002.035_000.nvu",
            ];
            assert_eq!(names(&set), expected, "{name}");
            assert_eq!(set.contradictions().count(), 0, "{name}");
            for (file, name) in set.files.iter().zip(expected) {
                let mut all = Vec::new();
                file.open().unwrap().read_to_end(&mut all).unwrap();
                assert_eq!(all, fs::read(fixture(name)).unwrap());
            }
        }
    }

    #[test]
    fn a_solid_archive_is_read_again_by_unpacking_or_from_the_spool() {
        // Larger than what is kept in memory.
        let body: Vec<u8> = (0..700_000_u32)
            .flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes())
            .collect();
        let text = "INTERNAL_?_SWI9X50C_01.14.02.00_?_?_?_?";
        let system = image("SPKG", "9X50", text, &image("APPL", "9X50", text, &body));
        let files = [
            (
                "SWI9X50C_01.14.02.00_GENERIC_002.035_000.nvu",
                nvu(V1, "GENERIC", "002.035_000"),
            ),
            ("SWI9X50C_01.14.02.00.cwe", system.clone()),
            ("notes.txt", b"text".to_vec()),
        ];
        let folder = Folder::with(&[("fw.7z", seven_zip(&files, true))]);
        let path = folder.path().join("fw.7z");
        let temp = Folder::with(&[]);
        for spool in [
            SpoolPolicy::UnpackEachTime,
            SpoolPolicy::SpoolTo(temp.path().to_path_buf()),
        ] {
            let gathered = gather(&[&path], &Options { spool: spool.clone() }).unwrap();
            let words: Vec<String> = gathered.notes.iter().map(ToString::to_string).collect();
            let said = words
                .iter()
                .find(|w| w.contains("2.6 MiB"))
                .unwrap_or_else(|| panic!("{words:?}"));
            let expected = if spool == SpoolPolicy::UnpackEachTime {
                "twice"
            } else {
                "unpacked into"
            };
            assert!(said.contains(expected), "{said}");
            let mut last = (String::new(), 0);
            let checked = inspect(gathered, &mut |p| last = (p.name.to_string(), p.done));
            assert_eq!(
                last.1,
                system.len() as u64,
                "progress ends with the size of {}",
                last.0
            );
            let set = FirmwareSet::choose(checked, &Wanted::default()).unwrap();
            assert_eq!(
                fs::read_dir(temp.path()).unwrap().count(),
                0,
                "no name is left in the folder"
            );
            for _ in 0..2 {
                let mut all = Vec::new();
                set.files[0].open().unwrap().read_to_end(&mut all).unwrap();
                assert!(all == system, "{spool:?}");
            }
        }
    }

    #[test]
    fn a_damaged_entry_of_a_7z_archive_is_refused_and_the_others_are_read() {
        let files = [
            ("SWI9X50C_01.14.02.00.cwe", cwe(V1)),
            ("SWI9X50C_01.14.22.00.cwe", cwe(V2)),
        ];
        let mut archive = seven_zip(&files, false);
        archive[40] ^= 0x55;
        let folder = Folder::with(&[("fw.7z", archive)]);
        let checked = inspected(&[folder.path().join("fw.7z")]);
        assert_eq!(checked.files.len(), 1, "{:?}", checked.refused);
        assert_eq!(checked.refused.len(), 1);
        assert!(
            checked.refused[0].name.ends_with(V1.to_string().as_str())
                || checked.refused[0].name.contains(V1)
        );
    }

    #[test]
    fn in_a_7z_archive_without_telling_names_content_decides() {
        let files = [("firmware.bin", cwe(V1)), ("other.bin", vec![9; 3000])];
        let folder = Folder::with(&[("fw.7z", seven_zip(&files, false))]);
        let checked = inspected(&[folder.path().join("fw.7z")]);
        assert_eq!(checked.files.len(), 1);
        assert!(matches!(&checked.notes[..], [Note::PassedOver { name, .. }] if name.ends_with("other.bin")));
    }
}
