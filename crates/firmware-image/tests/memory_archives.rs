//! Images in archives are checked and read again in flat memory (routers have 64 MB).

#![cfg(all(feature = "zip", feature = "sevenz"))]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, unsafe_code)]

#[path = "it/builder/mod.rs"]
mod builder;

use std::alloc::{GlobalAlloc, Layout, System};
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use modemflash_firmware_image::crc::Sum;
use modemflash_firmware_image::source::{FirmwareSet, Options, SpoolPolicy, Wanted, gather, inspect};

struct Counting;
static USED: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
/// The counters are shared: one measurement at a time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

// SAFETY: every call goes to the system's allocator unchanged; the counters don't touch the memory.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let used = USED.fetch_add(layout.size(), Ordering::SeqCst) + layout.size();
        PEAK.fetch_max(used, Ordering::SeqCst);
        // SAFETY: as promised by the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        USED.fetch_sub(layout.size(), Ordering::SeqCst);
        // SAFETY: as promised by the caller.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

const MIB: usize = 1 << 20;
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
fn measure(path: &Path, options: &Options) -> usize {
    let before = USED.load(Ordering::SeqCst);
    PEAK.store(before, Ordering::SeqCst);
    let checked = inspect(gather(&[path], options).unwrap(), &mut |_| {});
    let set = FirmwareSet::choose(checked, &Wanted::default()).unwrap();
    assert_eq!(set.files[0].report().findings, [], "a whole image");
    let read = io::copy(&mut set.files[0].open().unwrap().by_ref(), &mut io::sink()).unwrap();
    assert_eq!(read, u64::from(BODY) + 400);
    drop(set);
    PEAK.load(Ordering::SeqCst) - before
}

#[test]
fn an_image_of_100_mb_in_a_zip_or_by_itself_takes_less_than_4_mib() {
    let _alone = ONE_AT_A_TIME.lock();
    let folder = tempfile::tempdir().unwrap();
    let plain = folder.path().join(NAME);
    write_image(&mut File::create(&plain).unwrap());
    let peak = measure(&plain, &Options::default());
    assert!(peak < 4 * MIB, "plain: {peak} bytes");

    let packed = folder.path().join("fw.zip");
    let mut writer = zip::ZipWriter::new(File::create(&packed).unwrap());
    let options = zip::write::SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::DEFLATE)
        .compression_level(Some(1));
    writer.start_file(NAME, options).unwrap();
    write_image(&mut writer);
    writer.finish().unwrap();
    let peak = measure(&packed, &Options::default());
    assert!(peak < 4 * MIB, "zip: {peak} bytes");
}

#[test]
fn an_image_of_100_mb_in_a_7z_takes_its_dictionary_and_less_than_4_mib() {
    let _alone = ONE_AT_A_TIME.lock();
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
        let peak = measure(&packed, &options);
        assert!(
            peak < dictionary + 4 * MIB,
            "{options:?}: {peak} bytes, dictionary {dictionary}"
        );
    }
}
