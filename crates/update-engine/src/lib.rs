//! Decides what to do with a modem and in which order, does it, and reports on it.
//!
//! [`prepare()`] looks at the modem and the images and makes a [`Plan`]. [`update()`] makes the same plan and carries it out.
//! Both work on a [`modem_world::World`] and know neither Linux nor the simulation. Facts about the run go to the caller as
//! [`Event`]s. A run ends with an [`Outcome`] or an [`UpdateError`], which says what is true of the modem and what to do.
//!
//! This crate never prints, never reads arguments or the environment, and waits only in
//! [`World::wait`](modem_world::World::wait).
//!
//! # Example
//!
//! A modem gets a release and proves it. The modem is a virtual one, on a clock that costs no time; a program for real modems makes
//! a `LinuxWorld` of `modem-transport` instead.
//!
//! ```
//! use firmware_image::{Family, generate::models::Release};
//! use modemflash_update_engine::{Firmware, Outcome, Request, update};
//! use virtual_modem::{Profile, Setup, simulated::SimulatedWorld};
//!
//! let (firmware, config, carrier) = ("02.33.03.00", "002.072_000", "GENERIC");
//! let release = Release { family: Family::Swi9x30, firmware, config, carrier, seed: 1 };
//! let package = release.combined(40_000, &[]).build(release.combined_name())?;
//! let package = Firmware::check(vec![Box::new(package)])?;
//!
//! let modem = Setup::running(Profile::named("MC7455").expect("a known model"));
//! let mut world = SimulatedWorld::new(modem);
//! let outcome = update(&mut world, &Request::default(), &package, &mut |event| println!("{event:?}"))?;
//! let Outcome::Updated(updated) = outcome else { panic!("{outcome}") };
//! assert!(updated.proven && updated.to.firmware.as_deref() == Some(firmware));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

pub mod decide;
mod download;
pub mod jobs;
pub mod modem;
pub mod request;
mod run;
mod talk;
pub mod told;
pub mod update;

pub use decide::{BootIds, Firmware, boot_ids, checks, fit};
pub use jobs::{LeftOut, boot_loop, errand, left_out, on_pcie, survey};
pub use modem::{
    AskedOver, DeviceId, Facts, Given, Image, ImageType, Modem, Protocol, Radio, Selector, Trio, devices,
    selector,
};
pub use request::{ControlChoice, Request, Verb};
pub use talk::find_one;
pub use told::{
    ALL_CODES, ALL_REMARKS, Accepted, Advice, Cause, Code, Event, EventKind, Failure, Layer, ModemState,
    Outcome, Plan, PlannedImage, PlannedStep, RUN_WARNINGS, RemarkCode, RunWarning, SCHEMA_VERSION, Step,
    Unchanged, UpdateError, Updated, Warning, WarningCode, codes, exit,
};
pub use update::{fleet, prepare, update, update_asking};
