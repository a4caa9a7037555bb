//! Traces of a run (docs/trace-format.md): the file and its head.

pub(crate) mod file;
pub(crate) mod head;
