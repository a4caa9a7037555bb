//! Files, folders and archives as users give them: what is found, what is passed over, and what is said.

#![cfg(all(feature = "zip", feature = "sevenz"))]
#![allow(clippy::cast_possible_truncation)]

use std::fs;
use std::io::{Cursor, Read, Write};
use std::path::{Path, PathBuf};

use crate::fixtures::{CWE, NVU, bytes, data};
use modemflash_firmware_image::source::{
    self, Content, Gathered, Note, Options, SourceError, SpoolPolicy, gather,
};
use proptest::prelude::*;

fn open(path: impl AsRef<Path>) -> Result<Gathered, SourceError> {
    gather(&[path.as_ref()], &Options::default())
}

fn refusal(path: impl AsRef<Path>) -> SourceError {
    match open(path) {
        Err(e) => e,
        Ok(gathered) => panic!("accepted: {gathered:?}"),
    }
}

/// Base names and contents of all images, in order.
fn contents(gathered: &Gathered) -> Vec<(String, Vec<u8>)> {
    let read = |c: &source::Candidate| {
        let source = c.source();
        let mut all = Vec::new();
        source.open().unwrap().read_to_end(&mut all).unwrap();
        assert_eq!(all.len() as u64, source.size());
        (source.name().rsplit('/').next().unwrap().to_string(), all)
    };
    gathered.candidates.iter().map(read).collect()
}

fn both_images() -> Vec<(String, Vec<u8>)> {
    vec![(CWE.to_string(), bytes(CWE)), (NVU.to_string(), bytes(NVU))]
}

fn passed_over(gathered: &Gathered) -> Vec<String> {
    gathered
        .notes
        .iter()
        .filter(|n| matches!(n, Note::PassedOver { .. }))
        .map(ToString::to_string)
        .collect()
}

fn zip_of(entries: &[(&str, &[u8])], method: zip::CompressionMethod) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().compression_method(method);
    for (name, content) in entries {
        writer.start_file(*name, options).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn deflated(entries: &[(&str, &[u8])]) -> Vec<u8> {
    zip_of(entries, zip::CompressionMethod::DEFLATE)
}

fn seven_zip_of(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = sevenz_rust2::ArchiveWriter::new(Cursor::new(Vec::new())).unwrap();
    for (name, content) in entries {
        writer
            .push_archive_entry(sevenz_rust2::ArchiveEntry::new_file(name), Some(*content))
            .unwrap();
    }
    writer.finish().unwrap().into_inner()
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn put(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }
}

fn program_with(archive: &[u8]) -> Vec<u8> {
    let mut program = b"MZ\x90\0 unpacker, knows 7z\xBC\xAF\x27\x1C by heart".to_vec();
    program.resize(100_000, 0xCC);
    program.extend(archive);
    program
}

#[test]
fn named_files_are_all_taken_in_the_order_given() {
    let gathered = gather(&[data(NVU), data(CWE)], &Options::default()).unwrap();
    let mut expected = both_images();
    expected.reverse();
    assert_eq!(contents(&gathered), expected);
    assert!(
        gathered
            .candidates
            .iter()
            .all(|c| c.origin == source::Origin::Named)
    );
    assert_eq!(gathered.notes, []);
}

#[test]
fn a_folder_gives_its_images_and_a_word_on_every_other_file() {
    let folder = Folder::new();
    folder.put(CWE, &bytes(CWE));
    folder.put(&format!("carriers/{NVU}"), &bytes(NVU));
    folder.put(&format!("._{CWE}"), b"\0\x05\x16\x07");
    folder.put("notes.pdf", b"%PDF-1.7");
    folder.put("empty.nvu", b"");
    folder.put("old.zip", &bytes("info-zip.zip"));
    let gathered = open(folder.path()).unwrap();
    assert_eq!(contents(&gathered), both_images());
    let words = passed_over(&gathered);
    assert_eq!(words.len(), 4, "{words:#?}");
    for expected in [
        "operating system",
        "a PDF document",
        "an empty file",
        "name it to have it opened",
    ] {
        assert!(
            words.iter().any(|w| w.contains(expected)),
            "{expected} in {words:#?}"
        );
    }
}

#[test]
fn a_file_named_and_in_a_named_folder_counts_once_and_as_named() {
    let folder = Folder::new();
    let cwe = folder.put(CWE, &bytes(CWE));
    for order in [[folder.path(), &cwe], [&cwe, folder.path()]] {
        let gathered = gather(&order, &Options::default()).unwrap();
        assert_eq!(gathered.candidates.len(), 1);
        assert_eq!(gathered.candidates[0].origin, source::Origin::Named);
    }
}

#[test]
fn a_folder_with_one_archive_opens_it_and_with_two_names_them() {
    let folder = Folder::new();
    folder.put("a.zip", &bytes("info-zip.zip"));
    assert_eq!(contents(&open(folder.path()).unwrap()), both_images());
    folder.put("b.7z", &bytes("solid.7z"));
    let error = refusal(folder.path());
    assert!(
        matches!(error, SourceError::NoImages { archive: Some(_), .. }),
        "{error}"
    );
    assert!(error.hint().unwrap().contains("a.zip"), "{error}");
}

#[test]
fn a_folder_without_images_says_how_many_files_it_looked_at() {
    let folder = Folder::new();
    folder.put("a.txt", b"text");
    folder.put("b.txt", b"text");
    assert_eq!(
        refusal(folder.path()).to_string(),
        format!(
            "{}: no firmware image in it (2 other files)",
            folder.path().display()
        )
    );
}

#[test]
fn zip_archives_of_other_programs_are_read_in_place() {
    for name in ["info-zip.zip", "zip64.zip"] {
        assert_eq!(contents(&open(data(name)).unwrap()), both_images(), "{name}");
    }
    let streamed = open(data("streamed-zip64.zip")).unwrap();
    assert_eq!(contents(&streamed), [("-".to_string(), bytes(CWE))]);
}

#[test]
fn seven_zip_archives_of_other_programs_are_read_and_the_cost_is_said_first() {
    for name in [
        "plain.7z",
        "solid.7z",
        "plain-list.7z",
        "bcj2.7z",
        "arm-filter.7z",
    ] {
        let gathered = open(data(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(contents(&gathered), both_images(), "{name}");
        let told = gathered.notes.iter().find_map(|note| match note {
            Note::Unpacking {
                unpacked,
                dictionary,
                is_solid,
                ..
            } => Some((*unpacked, *dictionary > 0, *is_solid)),
            _ => None,
        });
        assert_eq!(told, Some((4458, true, name != "plain.7z")), "{name}");
    }
}

#[test]
fn what_cannot_be_unpacked_names_method_entry_and_the_way_out() {
    let cases = [
        ("deflate64.zip", "E-SRC-METHOD", "Deflate64"),
        ("ppmd.zip", "E-SRC-METHOD", "PPMd"),
        ("lzma.zip", "E-SRC-METHOD", "LZMA"),
        ("encrypted.zip", "E-SRC-ENCRYPTED", "encrypted"),
        ("encrypted-aes.zip", "E-SRC-ENCRYPTED", "encrypted"),
        ("encrypted-streamed.zip", "E-SRC-ENCRYPTED", "encrypted"),
        ("ppmd.7z", "E-SRC-METHOD", "PPMd"),
        ("deflate64.7z", "E-SRC-METHOD", "Deflate64"),
        ("encrypted.7z", "E-SRC-ENCRYPTED", "encrypted"),
    ];
    for (name, code, word) in cases {
        let error = refusal(data(name));
        let text = error.to_string();
        assert_eq!(error.code(), code, "{name}: {text}");
        assert!(text.contains(word) && text.contains(CWE), "{name}: {text}");
        assert!(error.hint().unwrap().contains("7z x"), "{name}");
    }
    let error = refusal(data("encrypted-list.7z"));
    assert_eq!(error.code(), "E-SRC-ENCRYPTED");
    assert!(error.to_string().contains("the list of files"), "{error}");
}

#[test]
fn a_self_extracting_program_is_opened_whichever_archive_it_carries() {
    let folder = Folder::new();
    for (name, archive) in [
        ("seven.exe", bytes("solid.7z")),
        ("zip.exe", bytes("info-zip.zip")),
    ] {
        let path = folder.put(name, &program_with(&archive));
        assert_eq!(contents(&open(&path).unwrap()), both_images(), "{name}");
    }
    let mut signed = program_with(&bytes("solid.7z"));
    signed.extend([0x30; 5000]);
    assert_eq!(
        contents(&open(folder.put("signed.exe", &signed)).unwrap()),
        both_images()
    );
    let mut linux = program_with(&bytes("solid.7z"));
    linux[..4].copy_from_slice(b"\x7fELF");
    assert_eq!(
        contents(&open(folder.put("linux", &linux)).unwrap()),
        both_images()
    );
}

#[test]
fn the_kind_of_archive_is_told_by_content_and_not_by_name() {
    let folder = Folder::new();
    let path = folder.put("firmware.cwe", &bytes("solid.7z"));
    assert_eq!(contents(&open(&path).unwrap()), both_images());
    let path = folder.put("firmware.exe", &bytes(CWE));
    assert_eq!(contents(&open(&path).unwrap())[0].1, bytes(CWE));
}

#[test]
fn an_elf_file_named_like_an_image_is_taken_as_one_and_not_as_a_program() {
    let folder = Folder::new();
    let mut elf = b"\x7fELF\x01\x01\x01\0".to_vec();
    elf.resize(5000, 0);
    let path = folder.put("apps.mbn", &elf);
    assert_eq!(contents(&open(&path).unwrap()).len(), 1);
    assert_eq!(contents(&open(folder.path()).unwrap()).len(), 1);
    let archive = folder.put("a.zip", &deflated(&[("apps.mbn", &elf)]));
    assert_eq!(contents(&open(archive).unwrap()).len(), 1);
}

#[test]
fn other_installers_are_named_with_the_program_that_opens_them() {
    let rar: &[u8] = b"Rar!\x1a\x07\x00\xcf\x90\x73\x00\x00\x0d\x00\x00\x00\x00\x00\x00\x00";
    let folder = Folder::new();
    for (mark, words, hint) in [
        (&b"\xEF\xBE\xAD\xDENullsoftInst"[..], "NSIS", "7-Zip (`7z x "),
        (rar, "a self-extracting RAR archive", "7-Zip (`7z x "),
        (b"Inno Setup Setup Data", "Inno Setup", "`innoextract "),
        (b"InstallShield", "InstallShield", "Windows computer"),
        (b"nothing", "a program, with neither", "name the .cwe"),
    ] {
        let path = folder.put("setup.exe", &program_with(mark));
        let error = refusal(&path);
        assert_eq!(error.code(), "E-SRC-INSTALLER");
        assert!(error.to_string().contains(words), "{error}");
        assert!(
            error.hint().unwrap().contains(hint),
            "{error}: {:?}",
            error.hint()
        );
    }
    // A zip archive that is stored in a RAR archive isn't taken for the whole.
    let mut bytes = rar.to_vec();
    bytes.extend(deflated(&[("a.cwe", &self::bytes(CWE))]));
    let error = refusal(folder.put("setup.exe", &program_with(&bytes)));
    assert!(error.to_string().contains("RAR"), "{error}");
}

#[test]
fn nobody_is_told_to_unpack_what_is_no_archive() {
    let system = Path::new("/bin/ls");
    let error = refusal(if system.exists() {
        system.into()
    } else {
        std::env::current_exe().unwrap()
    });
    assert_eq!(error.code(), "E-SRC-INSTALLER", "{error}");
    assert!(
        !error.hint().unwrap().contains("unpack"),
        "{error}: {:?}",
        error.hint()
    );
}

#[test]
fn files_that_are_something_else_say_what_they_are_and_what_to_do() {
    let folder = Folder::new();
    let mut tar = vec![0; 1024];
    tar[257..262].copy_from_slice(b"ustar");
    let gzip = |content: &[u8]| {
        let mut child = std::process::Command::new("gzip")
            .arg("-c")
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(content).unwrap();
        child.wait_with_output().unwrap().stdout
    };
    let (packed_tar, packed_cwe) = (gzip(&tar), gzip(&bytes(CWE)));
    let cases: [(&str, &[u8], Content, &str); 13] = [
        (
            "firmware.zip",
            b"<!DOCTYPE html><html><body>Please log in",
            Content::WebPage,
            "login",
        ),
        ("firmware.cwe", b"<html>", Content::WebPage, "login"),
        ("firmware.gz", b"\x1f\x8b\x08\0", Content::Gzip, "gunzip"),
        ("firmware.cwe.gz", &packed_cwe, Content::Gzip, "gunzip"),
        ("firmware.tgz", &packed_tar, Content::PackedTar, "tar xf"),
        ("firmware.download", &packed_tar, Content::PackedTar, "tar xf"),
        ("firmware.cwe.xz", b"\xFD7zXZ\0", Content::Xz, "unxz"),
        ("firmware.tar.xz", b"\xFD7zXZ\0", Content::PackedTar, "tar xf"),
        ("firmware.tbz2", b"BZh9", Content::PackedTar, "tar xf"),
        ("firmware.zst", b"\x28\xB5\x2F\xFD", Content::Zstandard, "unzstd"),
        ("firmware.tar", &tar, Content::Tar, "tar xf"),
        ("firmware.rar", b"Rar!\x1a\x07\x01\0", Content::Rar, "7z x"),
        ("readme.txt", b"Release notes", Content::Text, ".cwe"),
    ];
    for (name, content, expected, hint) in cases {
        let error = refusal(folder.put(name, content));
        assert!(
            matches!(error, SourceError::NotAnImage { content, .. } if content == expected),
            "{name}: {error}"
        );
        assert!(error.hint().unwrap().contains(hint), "{name}: {:?}", error.hint());
    }
    assert_eq!(refusal(folder.put("empty.zip", b"")).code(), "E-SRC-EMPTY");
    assert_eq!(refusal(folder.path().join("missing.cwe")).code(), "E-SRC-MISSING");
}

#[test]
fn entries_that_climb_out_of_the_archive_are_never_used() {
    let folder = Folder::new();
    let cwe = bytes(CWE);
    let evil: [(&str, &[u8]); 3] = [
        ("../../etc/evil.cwe", &cwe),
        ("/tmp/evil.cwe", &cwe),
        ("good.cwe", &cwe),
    ];
    for (name, archive) in [("a.zip", deflated(&evil)), ("a.7z", seven_zip_of(&evil))] {
        let gathered = open(folder.put(name, &archive)).unwrap();
        assert_eq!(
            contents(&gathered),
            [("good.cwe".to_string(), cwe.clone())],
            "{name}"
        );
        assert_eq!(
            passed_over(&gathered)
                .iter()
                .filter(|w| w.contains("outside"))
                .count(),
            2,
            "{name}"
        );
    }
}

#[test]
fn mac_files_in_archives_are_passed_over_with_a_word() {
    let folder = Folder::new();
    let cwe = bytes(CWE);
    let entries: [(&str, &[u8]); 3] = [
        ("__MACOSX/._a.cwe", b"\0\x05\x16\x07"),
        ("._a.cwe", b"\0\x05\x16\x07"),
        ("a.cwe", &cwe),
    ];
    for (name, archive) in [("a.zip", deflated(&entries)), ("a.7z", seven_zip_of(&entries))] {
        let gathered = open(folder.put(name, &archive)).unwrap();
        assert_eq!(gathered.candidates.len(), 1, "{name}");
        assert_eq!(passed_over(&gathered).len(), 2, "{name}");
    }
}

#[test]
fn an_archive_in_an_archive_is_opened_in_place_or_spooled_or_explained() {
    let folder = Folder::new();
    let program = program_with(&bytes("solid.7z"));
    let stored = folder.put(
        "stored.zip",
        &zip_of(&[("fw.exe", &program)], zip::CompressionMethod::Stored),
    );
    assert_eq!(contents(&open(&stored).unwrap()), both_images());

    let packed_zip = folder.put("packed.zip", &deflated(&[("sub/fw.exe", &program)]));
    let packed_7z = folder.put("packed.7z", &seven_zip_of(&[("fw.exe", &program)]));
    for path in [packed_zip, packed_7z] {
        let error = refusal(&path);
        assert_eq!(error.code(), "E-SRC-ARCHIVE-INSIDE", "{error}");
        assert!(error.to_string().contains("fw.exe"), "{error}");
        assert!(error.hint().unwrap().contains("--temp-dir"), "{error}");

        let temp = Folder::new();
        let options = Options {
            spool: SpoolPolicy::SpoolTo(temp.path().to_path_buf()),
        };
        let gathered = gather(&[&path], &options).unwrap();
        assert_eq!(contents(&gathered), both_images());
        assert!(
            gathered
                .notes
                .iter()
                .any(|n| matches!(n, Note::CopyingInner { .. }))
        );
        assert_eq!(
            fs::read_dir(temp.path()).unwrap().count(),
            0,
            "nothing is left behind"
        );
    }

    let twice = deflated(&[(
        "inner.zip",
        &zip_of(&[("fw.exe", &program)], zip::CompressionMethod::Stored),
    )]);
    let stored_thrice = zip_of(&[("outer.zip", &twice)], zip::CompressionMethod::Stored);
    assert_eq!(
        refusal(folder.put("thrice.zip", &stored_thrice)).code(),
        "E-SRC-NO-IMAGES"
    );
}

#[test]
fn an_archive_without_images_or_entries_says_so() {
    let folder = Folder::new();
    assert_eq!(
        refusal(folder.put("a.zip", &deflated(&[("a.txt", b"text")]))).code(),
        "E-SRC-NO-IMAGES"
    );
    assert_eq!(
        refusal(folder.put("b.zip", &deflated(&[]))).code(),
        "E-SRC-NO-IMAGES"
    );
}

#[test]
fn a_zip_entry_that_lies_about_its_size_is_refused_before_it_is_read() {
    let folder = Folder::new();
    let cwe = bytes(CWE);
    let mut archive = deflated(&[("a.cwe", &cwe)]);
    let directory = archive.windows(4).position(|w| w == b"PK\x01\x02").unwrap();
    for size_at in [directory + 24, 22] {
        archive[size_at..size_at + 4].copy_from_slice(&2_000_000_000_u32.to_le_bytes());
    }
    let error = refusal(folder.put("a.zip", &archive));
    assert!(
        matches!(error.code(), "E-SRC-BOMB" | "E-SRC-DAMAGED-ENTRY"),
        "{error}"
    );
}

#[test]
fn an_entry_that_cannot_be_an_image_for_its_size_is_refused() {
    let folder = Folder::new();
    // zip64: 5 GiB unpacked in the extra fields of the list and of the header.
    let mut archive = bytes("zip64.zip");
    let size = 2848_u64.to_le_bytes();
    while let Some(field) = archive.windows(8).position(|w| w == size) {
        archive[field..field + 8].copy_from_slice(&(5_u64 << 30).to_le_bytes());
    }
    let error = refusal(folder.put("a.zip", &archive));
    assert_eq!(error.code(), "E-SRC-TOO-BIG", "{error}");
}

/// Rewrites the LZMA2 dictionary property of an archive whose list isn't packed, with right sums.
fn with_dictionary(property: u8) -> Vec<u8> {
    let mut archive = bytes("plain-list.7z");
    let offset = u64::from_le_bytes(archive[12..20].try_into().unwrap()) as usize + 32;
    let place = offset
        + archive[offset..]
            .windows(2)
            .position(|w| w == [0x21, 0x21])
            .unwrap()
        + 3;
    archive[place] = property;
    let sum = crc32fast::hash(&archive[offset..]);
    archive[28..32].copy_from_slice(&sum.to_le_bytes());
    let sum = crc32fast::hash(&archive[12..32]);
    archive[8..12].copy_from_slice(&sum.to_le_bytes());
    archive
}

#[test]
fn a_7z_archive_that_asks_for_too_much_memory_is_refused() {
    let folder = Folder::new();
    assert_eq!(
        contents(&open(folder.put("a.7z", &with_dictionary(24))).unwrap()),
        both_images()
    );
    let error = refusal(folder.put("b.7z", &with_dictionary(36)));
    assert!(
        matches!(error, SourceError::Dictionary { size, .. } if size == 1 << 30),
        "{error}"
    );
}

fn zip_with(count: usize, extension: &str, content: &[u8]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for number in 0..count {
        writer
            .start_file(format!("{number}.{extension}"), options)
            .unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

#[test]
fn more_files_or_images_than_firmware_has_are_refused() {
    let folder = Folder::new();
    let nvu = bytes(NVU);
    for count in [2049, 20_000] {
        let error = refusal(folder.put("a.zip", &zip_with(count, "txt", b"")));
        assert_eq!(error.code(), "E-SRC-TOO-MANY-FILES", "{error}");
    }
    let gathered = open(folder.put("a.zip", &zip_with(512, "nvu", &nvu))).unwrap();
    assert_eq!(gathered.candidates.len(), 512);
    let error = refusal(folder.put("a.zip", &zip_with(513, "nvu", &nvu)));
    assert_eq!(error.code(), "E-SRC-TOO-MANY-IMAGES", "{error}");

    // Whatever lies between them, the images of all files and archives count together.
    let nested = folder.put("nested/a.zip", &zip_with(500, "nvu", &nvu));
    for number in 0..12 {
        folder.put(&format!("loose/{number}.nvu"), &nvu);
    }
    let loose = folder.path().join("loose");
    assert_eq!(
        gather(&[&nested, &loose], &Options::default())
            .unwrap()
            .candidates
            .len(),
        512
    );
    folder.put("loose/12.nvu", &nvu);
    let error = gather(&[&nested, &loose], &Options::default()).unwrap_err();
    assert_eq!(error.code(), "E-SRC-TOO-MANY-IMAGES", "{error}");

    // A few hundred other files, as an installer has, harm nothing.
    let mut entries: Vec<(String, &[u8])> = (0..2000).map(|n| (format!("doc/{n}.txt"), &b"x"[..])).collect();
    entries.push((CWE.to_string(), &nvu));
    let entries: Vec<(&str, &[u8])> = entries
        .iter()
        .map(|(name, content)| (name.as_str(), *content))
        .collect();
    assert_eq!(
        open(folder.put("a.zip", &deflated(&entries)))
            .unwrap()
            .candidates
            .len(),
        1
    );
}

#[test]
fn a_list_of_files_with_long_names_is_refused() {
    let folder = Folder::new();
    let long = "x".repeat(1000);
    let names: Vec<String> = (0..2000).map(|n| format!("{long}{n}")).collect();
    let entries: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b""[..])).collect();
    let error = refusal(folder.put("a.zip", &deflated(&entries)));
    assert_eq!(error.code(), "E-SRC-DIRECTORY-TOO-BIG", "{error}");
}

#[test]
fn a_replaced_file_keeps_its_bytes_and_a_cut_archive_is_an_error_when_read_again() {
    let folder = Folder::new();
    for name in [CWE, "info-zip.zip", "solid.7z"] {
        let path = folder.put(name, &bytes(name));
        let gathered = open(&path).unwrap();
        fs::remove_file(&path).unwrap();
        fs::write(&path, b"something else").unwrap();
        assert_eq!(contents(&gathered)[0].1, bytes(CWE), "{name}");

        let path = folder.put("cut", &bytes(name));
        let gathered = open(&path).unwrap();
        let cut = fs::OpenOptions::new().write(true).open(&path).unwrap();
        cut.set_len(400).unwrap();
        let source = gathered.candidates[0].source();
        let error = match source.open() {
            Err(e) => e,
            Ok(mut reader) => reader.read_to_end(&mut Vec::new()).unwrap_err(),
        };
        let error = SourceError::from_io("x", error);
        assert_eq!(error.code(), "E-SRC-CHANGED", "{name}: {error}");
    }
}

#[test]
fn a_reader_that_is_dropped_early_leaves_no_trouble() {
    let big: Vec<u8> = (0..4_000_000_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let folder = Folder::new();
    let path = folder.put("a.7z", &seven_zip_of(&[("a.cwe", &big), ("b.cwe", &big)]));
    let gathered = open(&path).unwrap();
    for candidate in &gathered.candidates {
        let mut start = [0; 1000];
        candidate.source().open().unwrap().read_exact(&mut start).unwrap();
        assert_eq!(start, big[..1000]);
    }
    assert!(contents(&gathered).iter().all(|(_, content)| *content == big));
}

fn read_whatever_is_there(path: &Path) -> usize {
    let mut errors = 0;
    match open(path) {
        Err(e) => {
            assert!(!e.to_string().is_empty());
            errors += 1;
        }
        Ok(gathered) => {
            for candidate in &gathered.candidates {
                let source = candidate.source();
                let outcome = source
                    .open()
                    .and_then(|reader| std::io::copy(&mut reader.take(1 << 24), &mut std::io::sink()));
                match outcome {
                    Err(_) => errors += 1,
                    Ok(read) => assert_eq!(read, source.size(), "every byte or an error"),
                }
            }
        }
    }
    errors
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_archives_give_errors_and_never_panic(
        which in 0_usize..6,
        places in proptest::collection::vec((any::<prop::sample::Index>(), 1_u8..), 1..6),
        cut in proptest::option::of(any::<prop::sample::Index>()),
    ) {
        let name = ["info-zip.zip", "zip64.zip", "solid.7z", "plain-list.7z", "bcj2.7z", "plain.7z"][which];
        let mut archive = bytes(name);
        for (place, flip) in places {
            let at = place.index(archive.len());
            archive[at] ^= flip;
        }
        if let Some(cut) = cut {
            archive.truncate(cut.index(archive.len()));
        }
        let folder = Folder::new();
        let errors = read_whatever_is_there(&folder.put("a", &archive));
        prop_assert!(errors <= 3);
    }

    /// Sums are put right again, so that the damage reaches the code behind them.
    #[test]
    fn a_hostile_list_of_files_gives_errors_and_never_panics(
        places in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut archive = with_dictionary(12);
        let offset = u64::from_le_bytes(archive[12..20].try_into().unwrap()) as usize + 32;
        for (place, value) in places {
            let at = offset + place.index(archive.len() - offset);
            archive[at] = value;
        }
        let sum = crc32fast::hash(&archive[offset..]);
        archive[28..32].copy_from_slice(&sum.to_le_bytes());
        let sum = crc32fast::hash(&archive[12..32]);
        archive[8..12].copy_from_slice(&sum.to_le_bytes());
        let folder = Folder::new();
        let errors = read_whatever_is_there(&folder.put("a", &archive));
        prop_assert!(errors <= 3);
    }

    #[test]
    fn any_bytes_behind_an_archives_mark_give_errors_and_never_panic(which in 0_usize..3, rest: Vec<u8>) {
        let mut archive = [&b"PK\x03\x04"[..], b"7z\xBC\xAF\x27\x1C", b"MZ"][which].to_vec();
        archive.extend(rest);
        let folder = Folder::new();
        prop_assert_eq!(read_whatever_is_there(&folder.put("a", &archive)), 1);
    }
}
