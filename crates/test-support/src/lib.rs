//! What tests of several crates need. A dev-dependency only: nothing of it is in a released program.
#![deny(unsafe_code)]

mod heap;

pub use heap::{Alone, CountingAllocator};
