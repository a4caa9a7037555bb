//! The heap stays small whatever size and shape a file has (routers have 64 MB). A program of its own: the allocator counts for
//! all of its process.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[cfg(all(feature = "zip", feature = "sevenz"))]
mod archives;
#[cfg(all(feature = "zip", feature = "sevenz"))]
#[path = "../it/builder/mod.rs"]
mod builder;
mod files;

use test_support::CountingAllocator;

#[global_allocator]
static HEAP: CountingAllocator = CountingAllocator::new();

const MIB: usize = 1024 * 1024;
