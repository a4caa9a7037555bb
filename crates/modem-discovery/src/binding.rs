//! Whether a driver of this host will make a serial port of a modem in download mode (linux.md §2 and its last section).
//!
//! The engine asks before it sends the modem into download mode. A wrong *no* keeps a modem from its update,
//! and a wrong *yes* leaves the modem without a port. So the answer is *no* only if everything that could say
//! otherwise was read.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, PoisonError};

use modem_world::Binding;

use crate::module_tables::{Tables, fits, is_same_module};
use crate::sysfs::{Sysfs, link_name, list};

/// Drivers that make a serial port of a download interface: by module, by their name as USB drivers, and by
/// their name on the bus of serial converters. `usbserial` is the generic driver, which takes only the ids
/// that the user has given it.
const SERIAL: [&str; 8] = [
    "qcserial",
    "option",
    "option1",
    "sierra",
    "usbserial",
    "usbserial_generic",
    "generic",
    "ipw",
];
/// Drivers that are known not to make a serial port.
const NOT_SERIAL: [&str; 6] = [
    "qmi_wwan",
    "sierra_net",
    "GobiNet",
    "cdc_mbim",
    "cdc_wdm",
    "usb_storage",
];
/// Drivers in mainline that know modems. If this kernel has one of them, some table must say which devices it
/// takes.
const OF_MODEMS: [&str; 2] = ["qcserial", "option"];
/// The generic driver is in no table: it takes only the ids that it was given.
const WITHOUT_TABLE: &str = "usbserial";

/// The single interface of a modem in download mode, as it was seen. Its class is always ff; subclass and
/// protocol are ff on most modems, and ff and 10 on EM7590, EM8695, EM919x and EM929x.
const PROTOCOLS: [&str; 2] = ["FF", "10"];
/// `bcdDevice`: 0.00 where it was seen. The other value is that of an EM7565 in normal mode. If a driver
/// takes only one of the two, the answer is in doubt.
const REVISIONS: [&str; 2] = ["0000", "0006"];
/// Each protocol with each revision.
const FORMS: usize = PROTOCOLS.len() * REVISIONS.len();
/// The largest attribute of sysfs is a page; a list that fills it may have been cut.
const PAGE: u64 = 4096;
/// Estimate: no host has more drivers.
const DRIVERS: usize = 1024;

impl Sysfs {
    /// Whether a driver of this host will make a serial port of a modem that comes in download mode with this id.
    pub fn will_bind(&self, vendor: u16, product: u16) -> Binding {
        let mut takers = Takers::of(vendor, product);
        let mut doubts = Vec::new();
        self.ask_dynamic_ids((vendor, product), &mut takers, &mut doubts);
        if takers.are_enough() {
            return Binding::Binds;
        }
        let drivers = self.loaded_serial_drivers();
        let is_loaded = |module: &str| {
            drivers.iter().any(|driver| driver == module)
                || self.root().join("sys/module").join(module).is_dir()
        };
        let bars = OnceCell::new();
        let bar = |driver: &str, is_built_in: bool| {
            if is_built_in || is_loaded(driver) {
                return None;
            }
            bars.get_or_init(|| self.bars()).against(driver, is_loaded)
        };
        let in_tables = self.look_into_tables((vendor, product), &mut takers, &bar);
        if takers.are_enough() {
            return Binding::Binds;
        }
        doubts.extend(in_tables.tables.doubts.iter().cloned());
        let of_modems = OF_MODEMS.iter().copied();
        for driver in of_modems.chain(drivers.iter().map(String::as_str)) {
            let is_here = is_loaded(driver) || in_tables.tables.has.iter().any(|known| known == driver);
            if is_here && !in_tables.has_lines_of(driver) && driver != WITHOUT_TABLE {
                doubts.push(format!("no table says which devices the driver {driver} takes"));
            }
        }
        if let Some(doubt) = takers.doubt() {
            doubts.insert(0, doubt);
        }
        if let Some(rule) = self.rule_for(vendor, product) {
            doubts.insert(
                0,
                format!("{rule} may give the modem to a driver when it appears"),
            );
        }
        match doubts.into_iter().next() {
            Some(why) => Binding::Unknown { why },
            None => Binding::WontBind,
        }
    }

    /// Adds the modules that take the id according to the tables. What the tables say is kept if they are
    /// whole, because they change only when somebody installs modules. Which modules are loaded, and what
    /// keeps the others away, is checked each time.
    fn look_into_tables(
        &self,
        id: (u16, u16),
        takers: &mut Takers,
        bar: &dyn Fn(&str, bool) -> Option<String>,
    ) -> Arc<InTables> {
        let kept = || self.in_tables.lock().unwrap_or_else(PoisonError::into_inner);
        let known = kept().get(&id).cloned();
        if let Some(known) = known {
            for taker in &known.takers {
                takers.add(&taker.module, taker.forms, |driver| {
                    bar(driver, taker.is_built_in)
                });
            }
            if takers.are_enough() || !known.tables.is_partial {
                return known;
            }
        }
        let mut read = InTables::default();
        read.tables = self.read_module_tables(&OF_MODEMS, |alias| {
            if !read.modules.contains(alias.module) {
                read.modules.insert(alias.module.to_vec());
            }
            let forms = takers.forms_that_fit(alias.pattern);
            if !forms.contains(&true) {
                return ControlFlow::Continue(());
            }
            takers.add(alias.module, forms, |driver| bar(driver, alias.is_built_in));
            read.takers.push(Taker {
                module: alias.module.to_vec(),
                is_built_in: alias.is_built_in,
                forms,
            });
            if takers.are_enough() {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        let read = Arc::new(read);
        if read.tables.doubts.is_empty() {
            kept().insert(id, Arc::clone(&read));
        }
        read
    }

    /// Adds drivers that were given this id at run time. Such a list of ids belongs to a driver on the bus of
    /// serial converters; if the same driver is also a USB driver, its list there is the same.
    fn ask_dynamic_ids(&self, id: (u16, u16), takers: &mut Takers, doubts: &mut Vec<String>) {
        for bus in ["usb-serial", "usb"] {
            let folder = format!("/sys/bus/{bus}/drivers");
            let names = match list(&self.below_root(&folder)) {
                Ok(names) => names,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => {
                    doubts.push(format!("{folder} can't be read: {error}"));
                    continue;
                }
            };
            for driver in names.into_iter().take(DRIVERS) {
                let path = format!("{folder}/{driver}/new_id");
                let text = match page(&self.below_root(&path)) {
                    Ok(text) => text,
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    // Before Linux 3.4 this file could be written but not read.
                    Err(error) => {
                        if SERIAL.contains(&driver.as_str()) {
                            doubts.push(format!("{path} can't be read: {error}"));
                        }
                        continue;
                    }
                };
                if u64::try_from(text.len() + 1).unwrap_or(u64::MAX) >= PAGE {
                    doubts.push(format!("{path} is too long to be read as a whole"));
                }
                if text.lines().any(|line| is_given(line, id)) {
                    // The driver is loaded: otherwise nobody could have given it an id.
                    takers.add(driver.as_bytes(), [true; FORMS], |_| None);
                }
            }
        }
    }

    /// The modules of all drivers on the bus of serial converters.
    fn loaded_serial_drivers(&self) -> Vec<String> {
        let folder = self.root().join("sys/bus/usb-serial/drivers");
        let names = list(&folder).unwrap_or_default().into_iter().take(DRIVERS);
        let module = |name: String| {
            // A driver that is built into the kernel has no such link.
            let module = link_name(&folder.join(&name).join("module"));
            module.unwrap_or_else(|| match name.as_str() {
                "option1" => "option".to_owned(),
                "generic" => WITHOUT_TABLE.to_owned(),
                _ => name,
            })
        };
        names.map(module).collect()
    }
}

/// One flag for each form that the interface may have.
type Forms = [bool; FORMS];

/// What the tables say about one id.
#[derive(Debug, Default)]
pub(crate) struct InTables {
    /// The modules that take the id, in the order of the tables.
    takers: Vec<Taker>,
    /// All modules that have lines for USB devices.
    modules: BTreeSet<Vec<u8>>,
    tables: Tables,
}

/// What the tables say about each id that was asked for.
pub(crate) type ById = BTreeMap<(u16, u16), Arc<InTables>>;

/// A module that takes the id.
#[derive(Debug)]
struct Taker {
    module: Vec<u8>,
    is_built_in: bool,
    forms: Forms,
}

impl InTables {
    fn has_lines_of(&self, driver: &str) -> bool {
        let mut modules = self.modules.iter();
        modules.any(|module| is_same_module(module, driver.as_bytes()))
    }
}

/// The drivers that take the modem's interface, for each form that the interface may have.
struct Takers {
    ports: Vec<Port>,
    stranger: Option<String>,
    /// Why a driver that would take the modem may not be available.
    barred: Option<String>,
}

/// One form of the interface, as modprobe looks for it.
struct Port {
    modalias: String,
    is_taken: bool,
}

impl Takers {
    fn of(vendor: u16, product: u16) -> Self {
        let forms = PROTOCOLS
            .iter()
            .flat_map(|protocol| REVISIONS.iter().map(move |revision| (protocol, revision)));
        let port = |(protocol, revision)| Port {
            modalias: format!(
                "usb:v{vendor:04X}p{product:04X}d{revision}dc00dsc00dp00icFFiscFFip{protocol}in00"
            ),
            is_taken: false,
        };
        Self {
            ports: forms.map(port).collect(),
            stranger: None,
            barred: None,
        }
    }

    fn forms_that_fit(&self, pattern: &[u8]) -> Forms {
        let mut forms = Forms::default();
        for (form, port) in forms.iter_mut().zip(&self.ports) {
            *form = fits(pattern, port.modalias.as_bytes());
        }
        forms
    }

    /// Notes that this driver takes the interface in these forms, unless the driver can't be loaded. `bar`
    /// returns the reason for that, if there is one.
    fn add(&mut self, driver: &[u8], forms: Forms, bar: impl Fn(&str) -> Option<String>) {
        let name_in = |names: &[&'static str]| {
            let mut names = names.iter().copied();
            names.find(|name| is_same_module(driver, name.as_bytes()))
        };
        if name_in(&NOT_SERIAL).is_some() {
            return;
        }
        let serial = name_in(&SERIAL);
        for (port, is_fit) in self.ports.iter_mut().zip(forms) {
            if port.is_taken || !is_fit {
                continue;
            }
            match serial.map(&bar) {
                Some(None) => port.is_taken = true,
                Some(Some(why)) => self.barred = self.barred.take().or(Some(why)),
                None if self.stranger.is_none() => {
                    self.stranger = Some(crate::sysfs::printable(&String::from_utf8_lossy(driver)));
                }
                None => {}
            }
        }
    }

    /// Whether a driver makes a serial port of the modem, whichever form its interface has.
    fn are_enough(&self) -> bool {
        self.ports.iter().all(|port| port.is_taken)
    }

    /// Why it isn't certain that no driver takes the modem, if so.
    fn doubt(&self) -> Option<String> {
        match &self.stranger {
            _ if self.barred.is_some() => self.barred.clone(),
            Some(driver) => Some(format!(
                "the driver {driver} takes the modem, but may not make a serial port of it"
            )),
            None if self.ports.iter().any(|port| port.is_taken) => {
                Some("a driver takes only some devices with this id".to_owned())
            }
            None => None,
        }
    }
}

/// Whether a line of `new_id` has this id: `1199 90b0`, followed by a class if one was given (usb_show_dynids
/// in the kernel's `drivers/usb/core/driver.c`).
fn is_given(line: &str, (vendor, product): (u16, u16)) -> bool {
    let mut words = line.split_whitespace();
    let mut number = || u32::from_str_radix(words.next()?, 16).ok();
    let is_id = number() == Some(u32::from(vendor)) && number() == Some(u32::from(product));
    // A class of 0 counts as none.
    is_id && matches!(number(), None | Some(0 | 0xff))
}

/// Reads an attribute in sysfs.
fn page(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(PAGE).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
