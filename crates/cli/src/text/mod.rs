//! Text for people: numbers with units, tables, and lines that fit a terminal.

pub(crate) mod amounts;
pub(crate) mod table;
pub(crate) mod terminal;
