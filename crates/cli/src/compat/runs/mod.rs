//! Whole runs against virtual modems: what a script would see.

mod failures;
mod refusals;
mod scene;
mod updates;
