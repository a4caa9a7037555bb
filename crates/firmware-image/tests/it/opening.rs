//! What is no stored file, and links in folders: nothing waits, and nothing outside a folder is taken silently.

#![cfg(all(feature = "zip", feature = "sevenz", target_os = "linux"))]

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::mpsc::channel;
use std::time::Duration;

use crate::fixtures::{CWE, NVU, data};
use modemflash_firmware_image::source::{Gathered, Options, SourceError, gather};

/// Fails instead of waiting for ever.
fn open(path: &Path) -> Result<Gathered, SourceError> {
    let (done, outcome) = channel();
    let path = path.to_path_buf();
    std::thread::spawn(move || done.send(gather(&[path], &Options::default())));
    outcome
        .recv_timeout(Duration::from_secs(60))
        .expect("gathering hangs")
}

fn names(gathered: &Gathered) -> Vec<&str> {
    let name = |path: &str| path.rfind('/').map_or(0, |slash| slash + 1);
    gathered
        .candidates
        .iter()
        .map(|c| c.source().name())
        .map(|path| &path[name(path)..])
        .collect()
}

fn make_pipe(path: &Path) {
    let status = std::process::Command::new("mkfifo").arg(path).status().unwrap();
    assert!(status.success());
}

#[test]
fn a_pipe_a_socket_a_device_and_a_file_of_the_kernel_end_with_a_word_named_or_linked() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    make_pipe(&at("pipe.cwe"));
    let _listener = UnixListener::bind(at("socket.cwe")).unwrap();
    for (number, path) in [
        at("pipe.cwe"),
        at("socket.cwe"),
        "/dev/zero".into(),
        "/dev/tty".into(),
        "/proc/kmsg".into(),
        "/proc/self/mem".into(),
        "/dev/stdin".into(),
    ]
    .iter()
    .enumerate()
    {
        if fs::metadata(path).is_ok_and(|found| found.is_file() && !path.starts_with("/proc")) {
            continue;
        }
        let link = at(&format!("link{number}.cwe"));
        symlink(path, &link).unwrap();
        for path in [path, &link] {
            let error = open(path).unwrap_err();
            assert_eq!(error.code(), "E-SRC-NOT-A-FILE", "{}: {error}", path.display());
        }
    }
}

#[test]
fn in_a_folder_a_pipe_named_like_an_image_is_an_error_and_another_one_is_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(data(CWE), folder.path().join(CWE)).unwrap();
    make_pipe(&folder.path().join("control"));
    symlink("/proc/kmsg", folder.path().join("log")).unwrap();
    let gathered = open(folder.path()).unwrap();
    assert_eq!(names(&gathered), [CWE]);
    assert_eq!(gathered.notes.len(), 2, "{:?}", gathered.notes);
    make_pipe(&folder.path().join("b.nvu"));
    assert_eq!(open(folder.path()).unwrap_err().code(), "E-SRC-NOT-A-FILE");
}

#[test]
fn a_link_out_of_the_folder_is_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::copy(data(CWE), at(CWE)).unwrap();
    symlink(data("readme.txt"), at("readme.txt")).unwrap();
    symlink(data("info-zip.zip"), at("old.zip")).unwrap();
    let gathered = open(folder.path()).unwrap();
    assert_eq!(names(&gathered), [CWE]);
    let notes: Vec<String> = gathered.notes.iter().map(ToString::to_string).collect();
    assert_eq!(notes.len(), 2, "{notes:?}");
    assert!(
        notes.iter().all(|note| note.contains("not in the folder")),
        "{notes:?}"
    );

    // Named like an image: without it another set could be chosen.
    symlink(data(NVU), at("settings.nvu")).unwrap();
    let error = open(folder.path()).unwrap_err();
    assert_eq!(error.code(), "E-SRC-LINK-OUT", "{error}");
    assert!(error.to_string().contains(NVU), "{error}");
    assert!(error.hint().unwrap().contains(NVU), "{error}");
}

#[test]
fn a_folder_with_nothing_but_a_link_out_of_it_says_where_the_link_leads() {
    let folder = tempfile::tempdir().unwrap();
    symlink(data("info-zip.zip"), folder.path().join("fw.zip")).unwrap();
    let error = open(folder.path()).unwrap_err();
    assert_eq!(error.code(), "E-SRC-LINK-OUT", "{error}");
}

#[test]
fn links_inside_the_folder_and_links_that_the_user_names_are_followed() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir_all(at("fw/store")).unwrap();
    fs::copy(data(CWE), at("fw/store/1")).unwrap();
    fs::copy(data(NVU), at("fw/store/2")).unwrap();
    symlink("store/1", at("fw").join(CWE)).unwrap();
    symlink(at("fw/store/2"), at("fw").join(NVU)).unwrap();
    symlink("fw", at("by-relative-link")).unwrap();
    symlink(at("fw"), at("by-absolute-link")).unwrap();
    for name in ["fw", "fw/", "fw/../fw", "by-relative-link", "by-absolute-link"] {
        let gathered = open(&at(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(names(&gathered), [CWE, NVU], "{name}");
        assert!(gathered.notes.is_empty(), "{name}: {:?}", gathered.notes);
    }
    // A link to a single file or archive anywhere, if the user names it.
    for target in [CWE, "info-zip.zip", "solid.7z"] {
        let link = at(&format!("link-to-{target}"));
        symlink(data(target), &link).unwrap();
        assert!(!open(&link).unwrap().candidates.is_empty(), "{target}");
    }
}
