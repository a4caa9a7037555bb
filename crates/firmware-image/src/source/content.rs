//! Recognises what a file is, by its first bytes and never by its name.

use std::fmt;

/// How many bytes [`Content::of`] needs: enough for a CWE header and for tar's mark at offset 257.
pub const HEAD_SIZE: usize = 512;

/// What a file is, according to its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Content {
    /// A CWE image: the checksum of the header's first part is right, or its fixed fields are as in every known file.
    Image,
    /// A zip archive.
    Zip,
    /// A 7z archive.
    SevenZip,
    /// A Windows program (`MZ`), perhaps self-extracting.
    WindowsProgram,
    /// A Linux program (`\x7fELF`), perhaps self-extracting.
    LinuxProgram,
    /// A gzip file with something else than a tar archive in it.
    Gzip,
    /// An xz file.
    Xz,
    /// A bzip2 file.
    Bzip2,
    /// A Zstandard file.
    Zstandard,
    /// A RAR archive.
    Rar,
    /// A tar archive.
    Tar,
    /// A tar archive, packed: `.tar.gz` and the like. Its first bytes alone don't tell it from another packed file.
    PackedTar,
    /// A Microsoft cabinet.
    Cabinet,
    /// An InstallShield cabinet.
    InstallShieldCabinet,
    /// A Microsoft Installer package or other OLE document.
    Msi,
    /// A web page, most often a login page that was saved under the firmware's name.
    WebPage,
    /// A PDF document.
    Pdf,
    /// Text.
    Text,
    /// No bytes at all.
    Empty,
    /// None of these.
    Unknown,
}

impl Content {
    /// Recognises a file by `head`, its first [`HEAD_SIZE`] bytes (fewer if the file is shorter).
    #[must_use]
    pub fn of(head: &[u8]) -> Self {
        const MARKS: [(&[u8], Content); 16] = [
            (b"PK\x03\x04", Content::Zip),
            (b"PK\x05\x06", Content::Zip),
            (b"PK\x07\x08", Content::Zip),
            (b"7z\xBC\xAF\x27\x1C", Content::SevenZip),
            (b"MZ", Content::WindowsProgram),
            (b"\x7fELF", Content::LinuxProgram),
            (b"\x1f\x8b", Content::Gzip),
            (b"\xFD7zXZ\0", Content::Xz),
            (b"BZh", Content::Bzip2),
            (b"\x28\xB5\x2F\xFD", Content::Zstandard),
            (b"Rar!\x1a\x07", Content::Rar),
            (b"MSCF\0\0\0\0", Content::Cabinet),
            (b"ISc(", Content::InstallShieldCabinet),
            (b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1", Content::Msi),
            (b"%PDF-", Content::Pdf),
            (b"\xEF\xBB\xBF%PDF-", Content::Pdf),
        ];
        if head.is_empty() {
            return Self::Empty;
        }
        // Look for a header first, because the two-byte marks below match by chance much more easily.
        if is_image(head) {
            return Self::Image;
        }
        if let Some((_, content)) = MARKS.iter().find(|(mark, _)| head.starts_with(mark)) {
            return *content;
        }
        if head.get(257..262) == Some(b"ustar") {
            return Self::Tar;
        }
        if is_web_page(head) {
            return Self::WebPage;
        }
        if is_text(head) {
            return Self::Text;
        }
        Self::Unknown
    }

    /// Advice for a user who named such a file as firmware.
    #[must_use]
    pub fn hint(self) -> &'static str {
        match self {
            Self::WebPage => {
                "the download needs a login or a consent: fetch it again in a browser and look at what was saved"
            }
            Self::Tar | Self::PackedTar => "unpack it first (`tar xf FILE`) and name what comes out",
            Self::Gzip => "unpack it first (`gunzip FILE`) and name what comes out",
            Self::Xz => "unpack it first (`unxz FILE`) and name what comes out",
            Self::Bzip2 => "unpack it first (`bunzip2 FILE`) and name what comes out",
            Self::Zstandard => "unpack it first (`unzstd FILE`) and name what comes out",
            Self::Rar | Self::Cabinet | Self::Msi => {
                "unpack it first with 7-Zip (`7z x FILE`) and name what comes out"
            }
            Self::InstallShieldCabinet => "unpack it first (`unshield x FILE`) and name what comes out",
            Self::Empty => "download it again: an empty file is what a broken download leaves",
            _ => "name the .cwe, .spk, .nvu or .mbn files, or the archive or folder they are in",
        }
    }

    /// Corrects the result by the file's name: Gobi and other `.mbn` files may be ELF files, but are not programs to
    /// unpack.
    #[must_use]
    pub(crate) fn under_name(self, name: &str) -> Self {
        if self == Self::LinuxProgram && super::names::is_image_name(name) {
            Self::Unknown
        } else {
            self
        }
    }

    /// Whether this program looks for images inside such a file.
    #[must_use]
    pub fn is_archive(self) -> bool {
        matches!(
            self,
            Self::Zip | Self::SevenZip | Self::WindowsProgram | Self::LinuxProgram
        )
    }
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Image => "a firmware image",
            Self::Zip => "a zip archive",
            Self::SevenZip => "a 7z archive",
            Self::WindowsProgram => "a Windows program",
            Self::LinuxProgram => "a Linux program",
            Self::Gzip => "a gzip file",
            Self::Xz => "an xz file",
            Self::Bzip2 => "a bzip2 file",
            Self::Zstandard => "a zstd file",
            Self::Rar => "a RAR archive",
            Self::Tar => "a tar archive",
            Self::PackedTar => "a packed tar archive",
            Self::Cabinet => "a cabinet file",
            Self::InstallShieldCabinet => "an InstallShield cabinet",
            Self::Msi => "a Windows Installer package",
            Self::WebPage => "a web page",
            Self::Pdf => "a PDF document",
            Self::Text => "a text",
            Self::Empty => "an empty file",
            Self::Unknown => "data of no known kind",
        })
    }
}

/// Whether the file begins with a CWE header: the type at 0x10C is four capital letters or digits, and the field at
/// 0x100 has the checksum of the first 256 bytes (JAMCRC, big endian; images.md §1). If that checksum is wrong but
/// the revision is 3, the file counts as a damaged image.
fn is_image(head: &[u8]) -> bool {
    let (Some(psb), Some(sum), Some(revision), Some(kind)) = (
        head.get(..0x100),
        head.get(0x100..0x104),
        head.get(0x104..0x108),
        head.get(0x10C..0x110),
    ) else {
        return false;
    };
    let has_type = kind.iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    let sum_is_right = (!crc32fast::hash(psb)).to_be_bytes() == *sum;
    has_type && head.len() >= 400 && (sum_is_right || revision == [0, 0, 0, 3])
}

fn is_web_page(head: &[u8]) -> bool {
    let text = head
        .strip_prefix(b"\xEF\xBB\xBF")
        .unwrap_or(head)
        .trim_ascii_start();
    [
        &b"<!doctype"[..],
        b"<html",
        b"<head",
        b"<script",
        b"<?xml",
        b"<!--",
    ]
    .iter()
    .any(|start| {
        text.get(..start.len())
            .is_some_and(|t| t.eq_ignore_ascii_case(start))
    })
}

fn is_text(head: &[u8]) -> bool {
    head.iter()
        .all(|b| (b' '..=b'~').contains(b) || matches!(b, b'\t' | b'\r' | b'\n') || *b >= 0x80)
        && std::str::from_utf8(head).map_or_else(|e| e.error_len().is_none(), |_| true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;
    use std::vec::Vec;

    fn header() -> Vec<u8> {
        let mut head = vec![0; HEAD_SIZE];
        head[0x100..0x104].copy_from_slice(&0xF269_7AA7_u32.to_be_bytes());
        head[0x107] = 3;
        head[0x10C..0x110].copy_from_slice(b"SPKG");
        head
    }

    #[test]
    fn each_kind_of_file_is_told_by_its_first_bytes() {
        let mut tar = vec![0; 512];
        tar[257..262].copy_from_slice(b"ustar");
        let cases: [(&[u8], Content); 14] = [
            (b"PK\x03\x04abc", Content::Zip),
            (b"7z\xBC\xAF\x27\x1C\0\x04", Content::SevenZip),
            (b"MZ\x90\0", Content::WindowsProgram),
            (b"\x7fELF\x02", Content::LinuxProgram),
            (b"\x1f\x8b\x08", Content::Gzip),
            (b"Rar!\x1a\x07\x01\0", Content::Rar),
            (&tar, Content::Tar),
            (b"\n <!DOCTYPE html><html>", Content::WebPage),
            (b"\xEF\xBB\xBF<HTML>", Content::WebPage),
            (b"Release notes\r\n", Content::Text),
            ("Grüße".as_bytes(), Content::Text),
            (b"%PDF-1.7", Content::Pdf),
            (b"", Content::Empty),
            (b"\0\x01\x02\x03", Content::Unknown),
        ];
        for (bytes, expected) in cases {
            assert_eq!(Content::of(bytes), expected, "{bytes:02x?}");
        }
    }

    #[test]
    fn a_header_is_an_image_even_when_its_first_bytes_look_like_a_program() {
        let mut head = header();
        assert_eq!(Content::of(&head), Content::Image);
        head[..2].copy_from_slice(b"MZ");
        assert_eq!(
            Content::of(&head),
            Content::Image,
            "revision and type still say so"
        );
        assert_ne!(Content::of(&head[..399]), Content::Image, "cut short");
    }

    #[test]
    fn any_prefix_of_anything_is_told_without_panic() {
        let head = header();
        for end in 0..head.len() {
            let _kind: Content = Content::of(&head[..end]);
            assert_eq!(Content::of(&head[..end]) == Content::Image, end >= 400);
        }
    }
}
