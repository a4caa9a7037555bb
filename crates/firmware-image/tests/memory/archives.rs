//! Images in archives are checked and read again in flat memory.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use modemflash_firmware_image::crc::Sum;
use modemflash_firmware_image::source::{FirmwareSet, Options, SpoolPolicy, Wanted, gather, inspect};
use test_support::Alone;

use crate::{HEAP, MIB, builder};

const BODY: u32 = 100 << 20;
const NAME: &str = "SWI9X50C_01.14.02.00.cwe";

/// Writes an image of 100 MB whose body is zeros.
fn write_image(to: &mut impl Write) {
    let zeros = vec![0; MIB];
    let mut sum = Sum::new();
    for _ in 0..BODY as usize / MIB {
        sum.update(&zeros);
    }
    to.write_all(&builder::header(
        "APPL",
        "9X50",
        "INTERNAL_?_SWI9X50C_01.14.02.00_?_?_?_?",
        BODY,
        sum.value(),
    ))
    .unwrap();
    for _ in 0..BODY as usize / MIB {
        to.write_all(&zeros).unwrap();
    }
}

/// Gathers, checks, chooses and reads again; gives the heap at its highest above what was used before.
fn measure(alone: &Alone<'_>, path: &Path, options: &Options) -> usize {
    let ((), peak) = alone.peak_of(|| {
        let checked = inspect(gather(&[path], options).unwrap(), &mut |_| {});
        let set = FirmwareSet::choose(checked, &Wanted::default()).unwrap();
        assert_eq!(set.files[0].report().findings, [], "a whole image");
        let read = io::copy(&mut set.files[0].open().unwrap().by_ref(), &mut io::sink()).unwrap();
        assert_eq!(read, u64::from(BODY) + 400);
    });
    peak
}

#[test]
fn an_image_of_100_mb_in_a_zip_or_by_itself_takes_less_than_4_mib() {
    let alone = HEAP.alone();
    let folder = tempfile::tempdir().unwrap();
    let plain = folder.path().join(NAME);
    write_image(&mut File::create(&plain).unwrap());
    let peak = measure(&alone, &plain, &Options::default());
    assert!(peak < 4 * MIB, "plain: {peak} bytes");

    let packed = folder.path().join("fw.zip");
    let mut writer = zip::ZipWriter::new(File::create(&packed).unwrap());
    let options = zip::write::SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::DEFLATE)
        .compression_level(Some(1));
    writer.start_file(NAME, options).unwrap();
    write_image(&mut writer);
    writer.finish().unwrap();
    let peak = measure(&alone, &packed, &Options::default());
    assert!(peak < 4 * MIB, "zip: {peak} bytes");
}

#[test]
fn an_image_of_100_mb_in_a_7z_takes_its_dictionary_and_less_than_4_mib() {
    let alone = HEAP.alone();
    let folder = tempfile::tempdir().unwrap();
    let plain = folder.path().join(NAME);
    write_image(&mut File::create(&plain).unwrap());
    let packed = folder.path().join("fw.7z");
    let mut writer = sevenz_rust2::ArchiveWriter::new(File::create(&packed).unwrap()).unwrap();
    let method = sevenz_rust2::encoder_options::Lzma2Options::from_level(1);
    writer.set_content_methods(vec![method.into()]);
    writer
        .push_archive_entry(
            sevenz_rust2::ArchiveEntry::new_file(NAME),
            Some(File::open(&plain).unwrap()),
        )
        .unwrap();
    writer.finish().unwrap();
    let spool = SpoolPolicy::SpoolTo(folder.path().to_path_buf());
    for options in [Options::default(), Options { spool }] {
        let gathered = gather(&[&packed], &options).unwrap();
        let dictionary = gathered.notes.iter().find_map(|note| match note {
            modemflash_firmware_image::source::Note::Unpacking { dictionary, .. } => Some(*dictionary),
            _ => None,
        });
        let dictionary = usize::try_from(dictionary.unwrap()).unwrap();
        assert!(dictionary <= 64 * MIB);
        drop(gathered);
        let peak = measure(&alone, &packed, &options);
        assert!(
            peak < dictionary + 4 * MIB,
            "{options:?}: {peak} bytes, dictionary {dictionary}"
        );
    }
}

/// Gathers and checks, or is refused; gives the heap at its highest, and how many images there are.
fn look(alone: &Alone<'_>, path: &Path) -> (usize, Option<usize>) {
    let (count, peak) = alone.peak_of(|| {
        let gathered = gather(&[path], &Options::default()).ok()?;
        let checked = inspect(gathered, &mut |_| {});
        assert!(checked.refused.is_empty());
        Some(checked.files.len())
    });
    (peak, count)
}

#[test]
fn archives_of_very_many_files_take_less_than_4_mib_whether_refused_or_not() {
    let alone = HEAP.alone();
    let folder = tempfile::tempdir().unwrap();
    let settings = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/archives/SWI9X50C_01.14.02.00_GENERIC_002.035_000.nvu");
    let settings = std::fs::read(settings).unwrap();
    let long = "x".repeat(190);
    let zip = |count: usize, name: &dyn Fn(usize) -> String, content: &[u8]| {
        let path = folder.path().join("a.zip");
        let mut writer = zip::ZipWriter::new(File::create(&path).unwrap());
        let options = zip::write::SimpleFileOptions::default();
        for number in 0..count {
            writer.start_file(name(number), options).unwrap();
            writer.write_all(content).unwrap();
        }
        writer.start_file("last.nvu", options).unwrap();
        writer.write_all(&settings).unwrap();
        writer.finish().unwrap();
        path
    };
    let check = |what: &str, path: &Path, images: Option<usize>| {
        let (peak, found) = look(&alone, path);
        assert_eq!(found, images, "{what}");
        assert!(peak < 4 * MIB, "{what}: {peak} bytes");
    };
    check("texts", &zip(20_000, &|n| format!("{n}.txt"), b"text"), None);
    check("images", &zip(20_000, &|n| format!("{n}.nvu"), &settings), None);
    let texts = zip(2_047, &|n| format!("{long}{n}.txt"), b"text");
    check("texts with long names", &texts, Some(1));
    check(
        "as many images as allowed",
        &zip(511, &|n| format!("{n}.nvu"), &settings),
        Some(512),
    );
    let path = folder.path().join("a.7z");
    for count in [2_000, 20_000] {
        let mut writer = sevenz_rust2::ArchiveWriter::new(File::create(&path).unwrap()).unwrap();
        for number in 0..count {
            let entry = sevenz_rust2::ArchiveEntry::new_file(&number.to_string());
            writer.push_archive_entry::<&[u8]>(entry, None).unwrap();
        }
        writer.finish().unwrap();
        let (peak, found) = look(&alone, &path);
        assert_eq!(found, None);
        // The writer packs the list with a dictionary of 8 MiB.
        assert!(peak < 12 * MIB, "{count} files in 7z: {peak} bytes");
    }
}
