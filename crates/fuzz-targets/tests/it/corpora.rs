//! Every file of every corpus goes through its target, and no target is without a corpus and a fuzzer.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use fuzz_targets::TARGETS;

fn fuzz(path: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz")).join(path)
}

fn names(folder: &str) -> BTreeSet<String> {
    fs::read_dir(fuzz(folder))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

#[test]
fn every_file_of_every_corpus_is_taken() {
    for (name, target) in TARGETS {
        let folder = format!("corpus/{name}");
        let files = names(&folder);
        assert!(!files.is_empty(), "{folder} is empty");
        for file in files {
            let path = fuzz(&format!("{folder}/{file}"));
            let bytes = fs::read(&path).unwrap();
            // The name of the file is what a developer needs when the target panics.
            std::panic::catch_unwind(|| target(&bytes)).unwrap_or_else(|_| panic!("{}", path.display()));
        }
    }
}

#[test]
fn every_target_has_a_corpus_and_a_fuzzer() {
    let targets: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names("corpus"), targets);
    assert_eq!(
        names("fuzz_targets"),
        targets.iter().map(|name| format!("{name}.rs")).collect()
    );
    let manifest = fs::read_to_string(fuzz("Cargo.toml")).unwrap();
    for name in &targets {
        assert!(
            manifest.contains(&format!("name = \"{name}\"\npath = \"fuzz_targets/{name}.rs\"")),
            "no [[bin]] for {name}"
        );
        let source = fs::read_to_string(fuzz(&format!("fuzz_targets/{name}.rs"))).unwrap();
        assert!(
            source.contains(&format!("fuzz_targets::run(\"{name}\", bytes)")),
            "{name}.rs runs something else"
        );
    }
}

#[test]
fn nothing_at_all_is_taken_by_every_target() {
    for (_, target) in TARGETS {
        target(b"");
        target(&[0; 4096]);
        target(&[0xFF; 4096]);
        target(&[b'<'; 4096]);
    }
}
