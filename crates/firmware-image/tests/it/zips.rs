//! A zip archive is used only if all programs see the same files in it.

#![cfg(all(feature = "zip", feature = "sevenz"))]
#![allow(clippy::cast_possible_truncation)]

use std::fs;
use std::io::Read;
use std::path::Path;

use crate::fixtures::{CWE, NVU, bytes, data};
use modemflash_firmware_image::source::{Options, SourceError, gather};
use proptest::prelude::*;

/// Names in the archive and contents of all images.
fn images(path: &Path) -> Result<Vec<(String, Vec<u8>)>, SourceError> {
    let gathered = gather(&[path], &Options::default())?;
    let read = |c: &modemflash_firmware_image::source::Candidate| {
        let mut all = Vec::new();
        let source = c.source();
        let mut reader = source.open().map_err(|e| SourceError::from_io("x", e))?;
        reader
            .read_to_end(&mut all)
            .map_err(|e| SourceError::from_io("x", e))?;
        let name = source.name().strip_prefix(&*path.to_string_lossy()).unwrap();
        Ok((name.trim_start_matches('/').to_string(), all))
    };
    gathered.candidates.iter().map(read).collect()
}

fn of_archive(archive: &[u8]) -> Result<Vec<(String, Vec<u8>)>, SourceError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.zip");
    fs::write(&path, archive).unwrap();
    images(&path)
}

fn refusal(archive: &[u8]) -> SourceError {
    match of_archive(archive) {
        Err(e) => e,
        Ok(images) => panic!(
            "accepted: {:?}",
            images.iter().map(|(name, _)| name).collect::<Vec<_>>()
        ),
    }
}

fn unclear(archive: &[u8], words: &str) {
    let error = refusal(archive);
    assert_eq!(error.code(), "E-SRC-UNCLEAR", "{error}");
    assert!(error.to_string().contains(words), "{error}");
}

/// A file of a hand-made archive, stored as it is.
#[derive(Clone)]
struct Item {
    name: Vec<u8>,
    content: Vec<u8>,
    flags: u16,
    extra: Vec<u8>,
    own_name: Option<Vec<u8>>,
    own_size: Option<u32>,
    after: Vec<u8>,
}

fn item(name: &str, content: &[u8]) -> Item {
    Item {
        name: name.into(),
        content: content.into(),
        flags: 0,
        extra: Vec::new(),
        own_name: None,
        own_size: None,
        after: Vec::new(),
    }
}

fn put16(to: &mut Vec<u8>, numbers: &[u16]) {
    to.extend(numbers.iter().flat_map(|n| n.to_le_bytes()));
}

fn put32(to: &mut Vec<u8>, numbers: &[u32]) {
    to.extend(numbers.iter().flat_map(|n| n.to_le_bytes()));
}

impl Item {
    fn numbers(&self) -> [u32; 3] {
        let size = self.content.len() as u32;
        [crc32fast::hash(&self.content), size, size]
    }

    fn local(&self) -> Vec<u8> {
        let name = self.own_name.as_ref().unwrap_or(&self.name);
        let mut out = b"PK\x03\x04".to_vec();
        put16(&mut out, &[20, self.flags, 0, 0, 0x21]);
        let [crc, packed, size] = self.numbers();
        let told = if self.flags & 8 == 0 {
            [
                crc,
                self.own_size.unwrap_or(packed),
                self.own_size.unwrap_or(size),
            ]
        } else {
            [0; 3]
        };
        put32(&mut out, &told);
        put16(&mut out, &[name.len() as u16, self.extra.len() as u16]);
        out.extend(name);
        out.extend(&self.extra);
        out.extend(&self.content);
        out.extend(&self.after);
        out
    }

    fn listed(&self, offset: usize) -> Vec<u8> {
        let mut out = b"PK\x01\x02".to_vec();
        put16(&mut out, &[20, 20, self.flags, 0, 0, 0x21]);
        put32(&mut out, &self.numbers());
        put16(
            &mut out,
            &[self.name.len() as u16, self.extra.len() as u16, 0, 0, 0],
        );
        put32(&mut out, &[0, offset as u32]);
        out.extend(&self.name);
        out.extend(&self.extra);
        out
    }
}

fn end(count: usize, size: usize, offset: usize, comment: &[u8]) -> Vec<u8> {
    let mut out = b"PK\x05\x06\0\0\0\0".to_vec();
    put16(&mut out, &[count as u16, count as u16]);
    put32(&mut out, &[size as u32, offset as u32]);
    put16(&mut out, &[comment.len() as u16]);
    out.extend(comment);
    out
}

/// An archive of these bytes and this list.
fn archive(body: &[u8], listed: &[(&Item, usize)]) -> Vec<u8> {
    let list: Vec<u8> = listed.iter().flat_map(|(item, at)| item.listed(*at)).collect();
    let mut out = body.to_vec();
    out.extend(&list);
    out.extend(end(listed.len(), list.len(), body.len(), b""));
    out
}

/// An ordinary archive of these files.
fn ordinary(items: &[Item]) -> Vec<u8> {
    let mut body = Vec::new();
    let mut listed = Vec::new();
    for item in items {
        listed.push((item, body.len()));
        body.extend(item.local());
    }
    archive(&body, &listed)
}

fn pair() -> [Item; 2] {
    [item(CWE, &bytes(CWE)), item(NVU, &bytes(NVU))]
}

#[test]
fn archives_of_many_programs_are_read() {
    let both = vec![(CWE.to_string(), bytes(CWE)), (NVU.to_string(), bytes(NVU))];
    for name in [
        "info-zip.zip",
        "zip64.zip",
        "unicode.zip",
        "7-zip.zip",
        "libarchive.zip",
        "java.zip",
        "python.zip",
        "python-appended.zip",
        "python-streamed.zip",
        "python-zip64.zip",
        "perl-streamed-zip64.zip",
        "prefixed.exe",
        "adjusted.exe",
    ] {
        let images = images(&data(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(images == both, "{name}");
    }
    for name in ["streamed.zip", "streamed-zip64.zip"] {
        assert_eq!(
            images(&data(name)).unwrap(),
            [("-".to_string(), bytes(CWE))],
            "{name}"
        );
    }
    let folders = images(&data("folders.zip")).unwrap();
    assert_eq!(folders.len(), 2);
    assert!(folders.iter().all(|(name, _)| name.starts_with("sub/")));
}

#[test]
fn unusual_archives_that_mean_only_one_thing_are_read() {
    let [cwe, nvu] = pair();
    let expected = [(CWE.to_string(), bytes(CWE)), (NVU.to_string(), bytes(NVU))];
    let reads = |what: &str, archive: &[u8]| {
        let images = of_archive(archive).unwrap_or_else(|e| panic!("{what}: {e}"));
        let is_same = images.iter().all(|image| expected.contains(image));
        assert!(is_same && images.len() == 2, "{what}");
    };
    reads("ordinary", &ordinary(&pair()));

    let mut reversed_body = nvu.local();
    let second = reversed_body.len();
    reversed_body.extend(cwe.local());
    reads(
        "in another order than the list",
        &archive(&reversed_body, &[(&cwe, second), (&nvu, 0)]),
    );

    let mut padded = cwe.clone();
    padded.after = vec![0; 3000];
    reads("aligned with zeros", &ordinary(&[padded, nvu.clone()]));

    let mut marked = b"PK\x07\x08".to_vec();
    let second = 4 + cwe.local().len();
    marked.extend([cwe.local(), nvu.local()].concat());
    reads(
        "mark of a split archive",
        &archive(&marked, &[(&cwe, 4), (&nvu, second)]),
    );

    let mut trailing = ordinary(&pair());
    trailing.extend([0x30; 5000]);
    reads("bytes after the end", &trailing);

    let mut folder_twice = pair().to_vec();
    folder_twice.extend([item("doc/", b""), item("doc/", b"")]);
    reads("a folder twice", &ordinary(&folder_twice));

    // An archive in the archive, so near to the end that its end is seen too.
    let mut nested = pair().to_vec();
    nested.push(item("old.zip", &ordinary(&[item("old.cwe", &bytes(CWE))])));
    reads("another archive last in it", &ordinary(&nested));

    // A name in a Windows encoding, with the name in Unicode beside it.
    let mut named = item("", b"text");
    named.name = b"\x9aberblick.txt".to_vec();
    let mut field = vec![1];
    put32(&mut field, &[crc32fast::hash(&named.name)]);
    field.extend("Überblick.txt".as_bytes());
    put16(&mut named.extra, &[0x7075, field.len() as u16]);
    named.extra.extend(field);
    reads(
        "a name in two encodings",
        &ordinary(&[cwe.clone(), nvu.clone(), named]),
    );

    for mark in [&b"PK\x07\x08"[..], b""] {
        for is_64 in [false, true] {
            let streamed = pair().map(|mut item| {
                item.flags = 8;
                item.after.extend(mark);
                let [crc, packed, size] = item.numbers();
                put32(&mut item.after, &[crc]);
                for number in [packed, size] {
                    put32(&mut item.after, &[number]);
                    if is_64 {
                        put32(&mut item.after, &[0]);
                    }
                }
                item
            });
            reads("sizes behind the data", &ordinary(&streamed));
        }
    }
    // Flagged so, but with all sizes before the data and nothing behind it.
    let mut flagged = ordinary(&pair());
    let list = flagged.len() - 22 - cwe.listed(0).len() - nvu.listed(0).len();
    for place in [6, cwe.local().len() + 6, list + 8, list + cwe.listed(0).len() + 8] {
        flagged[place] |= 8;
    }
    reads("sizes before the data only", &flagged);
}

#[test]
fn a_program_may_know_the_marks_of_zip_archives_by_heart() {
    let mut program = b"MZ\x90\0 code PK\x03\x04\x14\0\0\0\0\0 PK\x01\x02 PK\x05\x06 code".to_vec();
    program.resize(100_000, 0xCC);
    program.extend(ordinary(&pair()));
    assert_eq!(of_archive(&program).unwrap().len(), 2);
}

#[test]
fn a_path_that_is_there_twice_is_refused() {
    let [cwe, nvu] = pair();
    for (one, other) in [
        ("a.cwe", "a.cwe"),
        ("x/a.cwe", "x\\a.cwe"),
        ("a.cwe", "./a.cwe"),
        ("a.cwe", "a.cwe/"),
    ] {
        let items = [
            item(one, &cwe.content),
            item(other, if other.ends_with('/') { b"" } else { &nvu.content }),
        ];
        unclear(&ordinary(&items), "is in it twice");
    }
    for name in ["A.cwe", "x/a.cwe", "a.cwe2"] {
        let items = [item("a.cwe", &cwe.content), item(name, &cwe.content)];
        assert!(of_archive(&ordinary(&items)).is_ok(), "{name}");
    }
}

#[test]
fn in_a_7z_archive_a_path_that_is_there_twice_is_refused_too() {
    let of = |names: [&str; 2]| {
        let mut writer = sevenz_rust2::ArchiveWriter::new(std::io::Cursor::new(Vec::new())).unwrap();
        for name in names {
            let content = bytes(CWE);
            let entry = sevenz_rust2::ArchiveEntry::new_file(name);
            writer
                .push_archive_entry(entry, Some(content.as_slice()))
                .unwrap();
        }
        writer.finish().unwrap().into_inner()
    };
    unclear(&of(["a.cwe", "a.cwe"]), "is in it twice");
    assert_eq!(of_archive(&of(["a.cwe", "b/a.cwe"])).unwrap().len(), 2);
}

#[test]
fn files_that_share_bytes_are_refused() {
    let [cwe, nvu] = pair();
    // The second file lies in the bytes of the first one.
    let mut outer = cwe.clone();
    let inner_at = outer.local().len();
    outer.content.extend(nvu.local());
    unclear(
        &archive(&outer.local(), &[(&outer, 0), (&nvu, inner_at)]),
        "share bytes",
    );
    // Both are the same bytes under two names: every header says the first name.
    let other = item(&CWE.replace("01.14", "01.15"), &cwe.content);
    let error = refusal(&archive(&cwe.local(), &[(&cwe, 0), (&other, 0)]));
    assert_eq!(error.code(), "E-SRC-UNCLEAR", "{error}");
    // The last file reaches into the list.
    let mut long = nvu.clone();
    let mut body = cwe.local();
    let at = body.len();
    long.content.truncate(100);
    body.extend(long.local());
    let list_at = body.len();
    let mut bytes = archive(&body, &[(&cwe, 0), (&long, at)]);
    let listed = list_at + cwe.listed(0).len();
    for place in [listed + 20, listed + 24, at + 18, at + 22] {
        bytes[place..place + 4].copy_from_slice(&110_u32.to_le_bytes());
    }
    unclear(&bytes, "reaches into its list");
}

#[test]
fn a_file_that_the_list_does_not_name_is_refused_wherever_it_lies() {
    let [cwe, nvu] = pair();
    let hidden = item("hidden.cwe", &cwe.content).local();
    let (first, second) = (cwe.local(), nvu.local());
    let before = [hidden.as_slice(), &first].concat();
    unclear(&archive(&before, &[(&cwe, hidden.len())]), "begins with bytes");
    let between = [first.as_slice(), &hidden, &second].concat();
    let at = first.len() + hidden.len();
    unclear(
        &archive(&between, &[(&cwe, 0), (&nvu, at)]),
        "a file that its list doesn't name",
    );
    let after = [first.as_slice(), &[0; 70_000], &hidden].concat();
    unclear(
        &archive(&after, &[(&cwe, 0)]),
        "a file that its list doesn't name",
    );
}

#[test]
fn a_list_and_headers_that_do_not_agree_are_refused() {
    let [cwe, nvu] = pair();
    let mut renamed = cwe.clone();
    renamed.own_name = Some(b"SWI9X50C_01.14.02.00.txt".to_vec());
    unclear(
        &ordinary(&[renamed, nvu.clone()]),
        "is called SWI9X50C_01.14.02.00.txt",
    );

    let mut resized = cwe.clone();
    resized.own_size = Some(400);
    unclear(&ordinary(&[resized, nvu.clone()]), "don't agree");

    let mut streamed = cwe.clone();
    streamed.flags = 8;
    streamed.after = vec![7; 16];
    unclear(&ordinary(&[streamed, nvu.clone()]), "the bytes after");

    // Other method, other sum, encrypted in one of both only.
    for (place, value) in [(8, 8), (14, 1), (6, 1)] {
        let mut archive = ordinary(&pair());
        archive[place] ^= value;
        unclear(&archive, "don't agree");
    }
    let mut zero = cwe;
    zero.name = b"a.cwe\0.txt".to_vec();
    unclear(&ordinary(&[zero, nvu]), "zero in it");
}

#[test]
fn a_name_in_two_encodings_that_means_two_files_is_refused() {
    let named = |plain: &[u8], unicode: &[u8]| {
        let mut named = item("", &bytes(CWE));
        named.name = plain.to_vec();
        let mut field = vec![1];
        put32(&mut field, &[crc32fast::hash(plain)]);
        field.extend(unicode);
        put16(&mut named.extra, &[0x7075, field.len() as u16]);
        named.extra.extend(field);
        ordinary(&[named])
    };
    for (plain, unicode) in [
        (&b"a.txt"[..], &b"a.cwe"[..]),
        (b"\x9a.txt", "Ü.cwe".as_bytes()),
        (b"\x9a.cwe", "x/Ü.cwe".as_bytes()),
    ] {
        unclear(&named(plain, unicode), "it names one file");
    }
    assert_eq!(
        of_archive(&named(b"\x9a.cwe", "Ü.cwe".as_bytes())).unwrap()[0].0,
        "Ü.cwe"
    );
}

#[test]
fn a_list_that_is_longer_or_shorter_than_its_end_says_is_refused() {
    let items = pair();
    let good = ordinary(&items);
    let count_at = good.len() - 22 + 8;
    for (count, words) in [(1, "more files"), (3, "fewer files")] {
        let mut archive = good.clone();
        for place in [count_at, count_at + 2] {
            archive[place] = count;
        }
        unclear(&archive, words);
    }
    // Other bytes between the list and its end, inside and outside of the stated size.
    let list = good.len() - 22 - items[0].listed(0).len() - items[1].listed(0).len();
    let mut longer = good[..good.len() - 22].to_vec();
    longer.extend([0; 10]);
    let size = longer.len() - list;
    longer.extend(end(2, size, list, b""));
    unclear(&longer, "other bytes");
    let mut moved = good[..good.len() - 22].to_vec();
    moved.extend([0; 10]);
    moved.extend(end(2, size - 10, list, b""));
    assert_eq!(refusal(&moved).code(), "E-SRC-DAMAGED-ARCHIVE");
}

#[test]
fn a_second_list_in_the_comment_is_refused() {
    let [cwe, nvu] = pair();
    let inner = ordinary(&[item("other.cwe", &nvu.content)]);
    let body = cwe.local();
    let list = cwe.listed(0);
    let mut archive = [body.as_slice(), &list].concat();
    archive.extend(end(1, list.len(), body.len(), &inner));
    unclear(&archive, "two lists");

    let mut commented = [body.as_slice(), &list].concat();
    commented.extend(end(
        1,
        list.len(),
        body.len(),
        b"PK\x01\x02 and PK\x03\x04 are fine",
    ));
    assert_eq!(of_archive(&commented).unwrap().len(), 1);
}

#[test]
fn packed_bytes_that_go_on_after_their_content_are_refused_when_they_are_read() {
    let mut archive = bytes("info-zip.zip");
    let of = |archive: &[u8], at: usize| u32::from_le_bytes(archive[at..at + 4].try_into().unwrap());
    // One more packed byte in the first file: everything after it moves, and all places say so.
    let packed = of(&archive, 18);
    let name_and_extra = 30 + archive[26] as usize + archive[28] as usize;
    archive.insert(name_and_extra + packed as usize, 0);
    let list = archive.windows(4).position(|w| w == b"PK\x01\x02").unwrap();
    let end = archive.len() - 22;
    for (place, value) in [(18, packed + 1), (list + 20, packed + 1), (end + 16, list as u32)] {
        archive[place..place + 4].copy_from_slice(&value.to_le_bytes());
    }
    let mut at = list;
    for number in 0..3 {
        let header = of(&archive, at + 42) + u32::from(number > 0);
        archive[at + 42..at + 46].copy_from_slice(&header.to_le_bytes());
        at += 46 + archive[at + 28] as usize + archive[at + 30] as usize;
    }
    let error = refusal(&archive);
    assert_eq!(error.code(), "E-SRC-DAMAGED-ENTRY", "{error}");
    assert!(error.to_string().contains("end later"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is changed in an archive: if it is used, its files are those that were put into it.
    #[test]
    fn damage_never_shows_other_contents(
        which in 0_usize..5,
        places in proptest::collection::vec((any::<prop::sample::Index>(), 1_u8..), 1..4),
    ) {
        let name = ["info-zip.zip", "zip64.zip", "java.zip", "python-zip64.zip", "unicode.zip"][which];
        let mut archive = bytes(name);
        for (place, flip) in places {
            let at = place.index(archive.len());
            archive[at] ^= flip;
        }
        if let Ok(images) = of_archive(&archive) {
            let (cwe, nvu) = (bytes(CWE), bytes(NVU));
            prop_assert!(images.iter().all(|(_, content)| *content == cwe || *content == nvu));
        }
    }
}
