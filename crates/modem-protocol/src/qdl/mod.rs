//! DLOAD and QDL, the streaming download protocol of Gobi 1000 to SWI9x30 (qdl.md).

pub mod message;
