//! Traces of runs (docs/trace-format.md): their file and their head.

pub(crate) mod file;
pub(crate) mod head;
