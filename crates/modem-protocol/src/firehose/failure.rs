//! Explains failure lines that modems and vendor tools log: what they mean and what to do.

/// A known failure line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownFailure {
    /// The line contains this text; case doesn't matter.
    pub pattern: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// What to do.
    pub advice: &'static str,
    /// Whether the cause may be in the module itself. Then even the right package may fail, and the advice covers
    /// that too.
    pub is_about_module: bool,
    /// Where it was seen.
    pub source: &'static str,
}

/// All known failure lines, the most specific first.
pub const KNOWN_FAILURES: &[KnownFailure] = &[
    KnownFailure {
        pattern: "Package not compatible",
        meaning: "this firmware doesn't fit the module's hardware: it is for another model, or too old for a newer flash chip",
        advice: "check that the package is for exactly this model; if it is, use the newest: older versions don't know newer flash chips",
        is_about_module: true,
        source: "field-reports.md C14",
    },
    KnownFailure {
        pattern: "could not get FOTA partition name",
        meaning: "the module has the partition table of pre-production firmware (00.xx)",
        advice: "release firmware can't be loaded on this partition table; ask the seller for a replacement",
        is_about_module: true,
        source: "field-reports.md E6",
    },
    KnownFailure {
        pattern: "Invalid image type",
        meaning: "the boot loader doesn't take images of this type",
        advice: "check that the file is firmware for exactly this model",
        is_about_module: false,
        source: "qdl.md §4.9, sahara-firehose.md §3.2",
    },
    KnownFailure {
        pattern: "Bootloader failed",
        meaning: "the package was made for another flash chip or board",
        advice: "use the package of this module's product and flash type",
        is_about_module: true,
        source: "field-reports.md C15",
    },
    KnownFailure {
        pattern: "authentication",
        meaning: "the image's signature or sum isn't accepted",
        advice: "check the file's sums and that it is an official release for this model; then try again",
        is_about_module: false,
        source: "sahara-firehose.md §3.2",
    },
    KnownFailure {
        pattern: "HANDLE_PROGRAM_FAILURE",
        meaning: "the boot loader failed to write the image to its flash",
        advice: "try again; if it fails again, power-cycle the module and check that the file is for this model",
        is_about_module: false,
        source: "sahara-firehose.md §5.2",
    },
    KnownFailure {
        pattern: "SWI Error Code",
        meaning: "the boot loader refused the image with a vendor-specific code",
        advice: "get the package for exactly this model and carrier, then run the same command again; the vendor knows the code",
        is_about_module: false,
        source: "sahara-firehose.md §5.2, field-reports.md C7",
    },
    KnownFailure {
        pattern: "Error in download",
        meaning: "the update inside the module broke off",
        advice: "send the complete package again",
        is_about_module: false,
        source: "field-reports.md C16",
    },
];

/// The known failure that this log line reports.
pub fn explain(line: &str) -> Option<&'static KnownFailure> {
    KNOWN_FAILURES.iter().find(|known| contains(line, known.pattern))
}

/// Whether this log line announces that the image on its way has failed.
///
/// Only the words that the vendor's own tools look for count (sahara-firehose.md §5.2, field-reports.md C14), and an
/// error code of zero doesn't. Other failure lines explain a NAK, but don't fail the image by themselves.
pub fn is_failure(line: &str) -> bool {
    let is_announced = [
        "HANDLE_PROGRAM_FAILURE",
        "SWI Error Code",
        "Package not compatible",
    ]
    .iter()
    .any(|word| contains(line, word));
    is_announced && !is_code_zero(line)
}

/// Whether the line contains "SWI Error Code" followed by zero.
fn is_code_zero(line: &str) -> bool {
    const WORDS: &str = "swi error code";
    let lower = line.to_ascii_lowercase();
    let Some((_, code)) = lower.split_once(WORDS) else {
        return false;
    };
    let code = code.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
    let code = code.strip_prefix("0x").unwrap_or(code);
    let digits = code
        .split(|c: char| !c.is_ascii_hexdigit())
        .next()
        .unwrap_or_default();
    !digits.is_empty() && digits.bytes().all(|digit| digit == b'0')
}

/// Whether this log line is the complaint about the zero block (sahara-firehose.md §5.3).
pub fn is_zero_block_noise(line: &str) -> bool {
    contains(line, "XML not formed correctly")
}

fn contains(line: &str, word: &str) -> bool {
    line.as_bytes()
        .windows(word.len())
        .any(|window| window.eq_ignore_ascii_case(word.as_bytes()))
}
