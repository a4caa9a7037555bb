//! How people read text: numbers, tables, and lines that fit a terminal.

pub(crate) mod amounts;
pub(crate) mod table;
pub(crate) mod terminal;
