//! How many of the guest's two processors work.
//!
//! The guest boots with one. Where every instruction is emulated, a second one makes the same work cost the host half as much
//! again (135 s instead of 88 s of its processors for six scenarios), and no scenario but two programs at once is quicker for it.

use anyhow::Context;
use std::fs;
use std::path::Path;

/// For `-append`: only so many are started while the guest boots.
pub(crate) const AT_BOOT: &str = "maxcpus=1";
/// For `-smp`.
pub(crate) const ALL: &str = "2";

const SECOND: &str = "/sys/devices/system/cpu/cpu1/online";

/// Switches the second one on or off.
pub(crate) fn use_second(is_wanted: bool) -> anyhow::Result<()> {
    let wanted = if is_wanted { "1" } else { "0" };
    let is_so = fs::read_to_string(SECOND).is_ok_and(|now| now.trim() == wanted);
    if is_so {
        return Ok(());
    }
    fs::write(Path::new(SECOND), wanted).context("the guest's second processor")
}
