//! The integration tests of this crate, in one program: it is linked once.
#![allow(clippy::unwrap_used, clippy::panic)]

mod corpora;
