//! The worlds that verbs work in: this host, or buses with virtual modems.

pub(crate) mod chosen_world;
pub(crate) mod linux_world;
#[cfg(feature = "rehearse")]
pub(crate) mod virtual_bus;
