//! The kernel lab: virtual modems behind the kernel's real USB stack and real drivers, flashed by programs that
//! we did not write, and by ours. A reading of the protocol that both our sides share and that is wrong is found
//! here.
//!
//! A few guests side by side, each a boot of Debian's kernel in QEMU, without disk and network: the host's root is the guest's
//! (read-only, with a writable layer), and a second share carries the results back. The program `lab-guest` of this crate runs in
//! the guest.

#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod advice;
mod at_once;
mod cases;
mod clock;
mod guest;
mod host;
mod matrix;
mod pairwise;
mod proc_files;
mod scenario;
mod serve;
mod share;

pub use cases::MEGABYTES;
pub use guest::Guest;
pub use host::report::{FAILED, SKIPPED};
pub use host::{Lab, Measuring, measure_updates};
pub use proc_files::{peak, ticks};
pub use serve::Serve;
