//! All stable codes of this crate with their meaning. `docs/errors.md` is generated from this list.
//!
//! The error types return the codes ([`crate::ImageError::code`], [`crate::Finding::code`] and those of `source`); a
//! test checks that this list matches them. A code is never renamed and never reused for something else.

/// A stable code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    /// `E-IMAGE-EMPTY`.
    pub code: &'static str,
    /// What it means, in one line.
    pub meaning: &'static str,
    /// What to do, in one line.
    pub advice: &'static str,
}

const fn code(code: &'static str, meaning: &'static str, advice: &'static str) -> Code {
    Code {
        code,
        meaning,
        advice,
    }
}

/// Codes of errors: a file, folder, archive or choice that can't be used.
pub const ALL_CODES: &[Code] = &[
    code("E-IMAGE-EMPTY", "the file has no bytes", AGAIN),
    code(
        "E-IMAGE-HEADER-INCOMPLETE",
        "the file ends inside the header of the image",
        AGAIN,
    ),
    code(
        "E-IMAGE-FOREIGN",
        "the file isn't an image, or isn't one where a header should be",
        WHICH,
    ),
    code(
        "E-IMAGE-NO-BODY",
        "the header says that nothing follows it",
        AGAIN,
    ),
    code(
        "E-IMAGE-TRUNCATED",
        "the file is shorter than its header says",
        AGAIN,
    ),
    code("E-IMAGE-SURPLUS", "the file continues after the image", AGAIN),
    code(
        "E-IMAGE-TOO-DEEP",
        "images are nested deeper than in any genuine file",
        AGAIN,
    ),
    code(
        "E-IMAGE-TOO-MANY",
        "more inner images than in any genuine file",
        AGAIN,
    ),
    code(
        "E-IMAGE-ENDED-EARLY",
        "reading ended before the size of the file was reached",
        COPY,
    ),
    code("E-IMAGE-GREW", "the file grew while it was read", FINISH),
    code(
        "E-IMAGE-TOO-LARGE",
        "the file is larger than can be sent to a modem",
        WHICH,
    ),
    code(
        "E-IMAGE-TOO-SMALL",
        "the file is too small for what its name says",
        AGAIN,
    ),
    code(
        "E-SRC-MISSING",
        "nothing exists at this path",
        "check the spelling, and that the stick or network drive is mounted",
    ),
    code(
        "E-SRC-PERMISSION",
        "the file may not be read",
        "make it readable for this user, or run as the user it belongs to",
    ),
    code(
        "E-SRC-UNREADABLE",
        "reading the file failed",
        "check the stick, disk or network mount it is on, then run again",
    ),
    code(
        "E-SRC-NOT-A-FILE",
        "the path leads to a pipe, a socket, a device or a file of the kernel",
        "save the firmware as an ordinary file first",
    ),
    code(
        "E-SRC-LINK-OUT",
        "a link in a folder leads to a file outside of the folder",
        "name that file if it is meant, else remove the link",
    ),
    code("E-SRC-EMPTY", "the file is empty", AGAIN),
    code(
        "E-SRC-CHANGED",
        "the file changed its length while it was in use",
        FINISH,
    ),
    code(
        "E-SRC-NOT-AN-IMAGE",
        "the file is neither an image nor an archive of images",
        WHICH,
    ),
    code("E-SRC-NO-IMAGES", "the folder or archive holds no image", WHICH),
    code(
        "E-SRC-TOO-MANY-FILES",
        "the folder or archive holds more files than firmware has",
        "name the folder the firmware itself lies in, or the files; unpack an archive first",
    ),
    code(
        "E-SRC-TOO-MANY-IMAGES",
        "there are more images than one run checks",
        "name only the files that are meant",
    ),
    code(
        "E-SRC-INSTALLER",
        "a program in which neither a 7z nor a zip archive was found",
        "do as the message says, by the kind of program; name the files that come out of it",
    ),
    code(
        "E-SRC-NOT-BUILT-IN",
        "this build of modemflash can't open such archives",
        UNPACK,
    ),
    code("E-SRC-ENCRYPTED", "the archive needs a password", UNPACK),
    code(
        "E-SRC-METHOD",
        "the archive is compressed in a way that isn't supported",
        UNPACK,
    ),
    code("E-SRC-DAMAGED-ARCHIVE", "the archive is damaged", AGAIN),
    code(
        "E-SRC-UNCLEAR",
        "the archive can be read in two ways: a path is in it twice, files share bytes, or its list and its headers don't agree",
        "get it from the vendor's page; else unpack it, look at the files, and name them",
    ),
    code("E-SRC-DAMAGED-ENTRY", "a file in the archive is damaged", AGAIN),
    code(
        "E-SRC-TOO-BIG",
        "a file in the archive is larger than any image",
        VENDOR,
    ),
    code(
        "E-SRC-BOMB",
        "the archive unpacks to far more than firmware has",
        VENDOR,
    ),
    code(
        "E-SRC-DIRECTORY-TOO-BIG",
        "the list of files in the archive is larger than firmware needs",
        VENDOR,
    ),
    code(
        "E-SRC-DICTIONARY",
        "unpacking the 7z archive would need too much memory",
        UNPACK,
    ),
    code(
        "E-SRC-NO-MEMORY",
        "there is not enough memory for unpacking the archive",
        "unpack it on a larger computer and copy the images here",
    ),
    code(
        "E-SRC-ARCHIVE-INSIDE",
        "a 7z archive inside another archive",
        "unpack the outer archive, or give a folder with --temp-dir",
    ),
    code(
        "E-SRC-SPOOL",
        "the folder for unpacked files can't be used",
        "choose another folder with --temp-dir, or leave it out to unpack twice instead",
    ),
    code(
        "E-SRC-THREAD",
        "the system can't start a thread for unpacking",
        "close other programs, or unpack the archive first",
    ),
    code(
        "E-SET-AMBIGUOUS",
        "the files hold more than one firmware, carrier or config",
        "say which with --firmware, --carrier or --config, or name the files",
    ),
    code(
        "E-SET-NO-FIT",
        "no file fits what was asked for",
        "choose one of those listed, or get the one for this modem",
    ),
];

/// Codes of findings in images that can be read. Only a finding of severity `Error` makes the program refuse a file.
pub const ALL_FINDINGS: &[Code] = &[
    code("IMAGE-DAMAGED", "a checksum in the image is wrong", AGAIN),
    code(
        "IMAGE-SUSPICIOUS",
        "a checksum is wrong that the header marks as not valid; in genuine files it is right even so",
        AGAIN,
    ),
    code(
        "IMAGE-HEADER-DAMAGED",
        "the first header's own checksum is wrong",
        AGAIN,
    ),
    code("IMAGE-REVISION", "a header of an unknown revision", WHICH),
    code("IMAGE-TYPE-UNKNOWN", "an inner image of an unknown type", NOTHING),
    code(
        "IMAGE-UNCOVERED",
        "bytes at the end of an image that belong to no inner image",
        NOTHING,
    ),
    code(
        "IMAGE-DELTA",
        "the image is a delta: it contains only the differences from an older image",
        "use it only for a modem with exactly that version",
    ),
    code("IMAGE-TRAILER", "four bytes of trailer follow the image", NOTHING),
    code(
        "IMAGE-UNCHECKABLE",
        "files of this kind carry no checksum",
        "compare the file with the vendor's checksum",
    ),
    code("IMAGE-TWICE", "two files hold the same image", "leave one out"),
    code(
        "VERSION-DOUBT",
        "a version text can be read in more than one way",
        NOTHING,
    ),
    code(
        "VERSION-DISAGREES",
        "two places in one file state different versions",
        "check that it is the file you meant",
    ),
    code(
        "VERSION-CONFLICT",
        "two files state different versions",
        "give the files of one package",
    ),
    code(
        "VERSION-MIXED",
        "one firmware, and settings for a version that differs in its last number only; needs a confirmation",
        "go on if both are from one package of the vendor; else give files of one version",
    ),
    code(
        "VERSION-MISSING",
        "no file states the firmware version, the config version or the carrier",
        "give the version with --firmware, --config or --carrier if the update asks for it",
    ),
    code(
        "FAMILY-DOUBT",
        "by its name, the file is for other modems than its headers say",
        "nothing: the headers count, not the name",
    ),
    code(
        "FAMILY-CONTRADICTION",
        "headers of one file are for different modems: version text against product code, or an inner image against the one around it",
        "get the file again from the vendor; if modemflash is mistaken, `update --as-platform`",
    ),
    code(
        "FAMILY-CONFLICT",
        "two files are for different families",
        "give the files of one package",
    ),
    code(
        "PLATFORM-CONFLICT",
        "two files are for different platforms, such as SWI9X07Y and SWI9X07H",
        "give the files of one package",
    ),
    code(
        "SETTINGS-CHANGE",
        "the settings change something a user notices, such as USB composition or ids",
        "be prepared: ports may have other names afterwards",
    ),
    code(
        "SETTINGS-NOT-READ",
        "only a part of the settings could be read",
        NOTHING,
    ),
    code(
        "BOOT-WITHOUT-PACKAGE",
        "a boot loader on its own, without the package it belongs to",
        "give the whole package",
    ),
    code(
        "FIRMWARE-WITHOUT-CONFIG",
        "firmware without the carrier's settings",
        "add the .nvu of the same package",
    ),
    code(
        "CONFIG-WITHOUT-FIRMWARE",
        "settings without firmware",
        "add the .cwe of the same package, unless the modem has it",
    ),
    code("MORE", "there are more findings than are listed", NOTHING),
];

const AGAIN: &str = "download it again and compare its size or checksum with the vendor's page";
const COPY: &str = "copy the file to a local disk and run again";
const FINISH: &str = "wait until the download or copy is finished, then run again";
const WHICH: &str = "name the .cwe, .spk, .nvu or .mbn files, or the folder or archive they are in";
const UNPACK: &str = "unpack it with 7-Zip and name the files that come out";
const VENDOR: &str = "no vendor ships such an archive: get it from the vendor's page";
const NOTHING: &str = "nothing; this is for information only";

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    /// The quoted texts in source code that begin with `begin` and look like a code.
    fn literals(source: &'static str, begin: &str) -> Vec<&'static str> {
        let code = |text: &&str| {
            text.bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'-')
        };
        let mut found: Vec<_> = source
            .split('"')
            .filter(|text| text.starts_with(begin))
            .filter(code)
            .collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    fn sorted(codes: &[Code]) -> Vec<&'static str> {
        let mut all: Vec<_> = codes.iter().map(|code| code.code).collect();
        all.sort_unstable();
        all
    }

    #[test]
    fn the_list_has_every_error_code_of_this_crate_once() {
        let mut used = Vec::new();
        for source in [
            include_str!("error.rs"),
            include_str!("source/error.rs"),
            include_str!("source/choice.rs"),
            include_str!("source/inspect.rs"),
        ] {
            used.extend(literals(source, "E-"));
        }
        used.sort_unstable();
        assert_eq!(sorted(ALL_CODES), used);
    }

    #[test]
    fn the_list_has_every_code_of_a_finding_once() {
        let source = include_str!("finding.rs");
        let begin = source.find("pub const fn code").expect("the function");
        let length = source[begin..].find("\n    }\n").expect("its end");
        assert_eq!(
            sorted(ALL_FINDINGS),
            literals(&source[begin..begin + length], "")
                .into_iter()
                .filter(|text| !text.is_empty())
                .collect::<Vec<_>>()
        );
    }
}
