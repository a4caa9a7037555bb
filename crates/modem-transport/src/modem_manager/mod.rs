//! Asks ModemManager to let go of one modem (linux.md §6).
//!
//! Every question takes time, so a thread of its own asks, and makes a descriptor readable when there is an
//! answer. An inhibition ends with what holds it, either a connection to the bus or a child process. Both end
//! with this process, however it ends, so that ModemManager gets every modem back.

#[cfg(feature = "modem-manager")]
pub(crate) mod bus;
mod mmcli;
#[cfg(feature = "modem-manager")]
mod rule;

use std::collections::HashMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use modem_discovery::Sysfs;
use modem_world::{Inhibition, UsbPath};
use rustix::event::{EventfdFlags, eventfd};

/// How long to wait at the end until the inhibitions are given back and the child processes have ended.
const END_PATIENCE: Duration = Duration::from_secs(1);

/// What a user can do if ModemManager can't be asked.
const STOP_IT: &str =
    "stop ModemManager during the update (`systemctl stop ModemManager`), and start it again afterwards";

/// How ModemManager is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Over D-Bus, at this address or at that of the system bus.
    #[cfg(feature = "modem-manager")]
    Bus(Option<String>),
    /// By the program `mmcli`, which uses the bus at this address or the system bus.
    Mmcli(Option<String>),
}

impl Default for Way {
    #[cfg(feature = "modem-manager")]
    fn default() -> Self {
        Self::Bus(None)
    }
    #[cfg(not(feature = "modem-manager"))]
    fn default() -> Self {
        Self::Mmcli(None)
    }
}

/// Asks ModemManager, and keeps the inhibitions that it granted until the end.
#[derive(Debug)]
pub(crate) struct ModemManager {
    way: Way,
    worker: Option<Worker>,
    answers: Arc<Answers>,
}

#[derive(Debug)]
struct Worker {
    requests: Sender<ManagerRequest>,
    /// Delivers something when the thread has ended.
    ended: Receiver<()>,
}

/// The answers so far, and a descriptor that is readable while there is a new one.
#[derive(Debug)]
struct Answers {
    of_devices: Mutex<HashMap<UsbPath, Inquiry>>,
    news: OwnedFd,
}

#[derive(Debug, Default)]
struct Inquiry {
    answer: Option<Inhibition>,
    is_asked: bool,
}

#[derive(Debug)]
enum ManagerRequest {
    Inhibit(UsbPath),
    Release(UsbPath),
}

/// The device to inhibit, as ModemManager may know it.
#[derive(Debug)]
struct Wanted {
    /// The device's folder in sysfs.
    folder: String,
    /// The device's ports: `ttyUSB2`, `cdc-wdm0`.
    ports: Vec<String>,
}

/// A modem as ModemManager lists it.
#[derive(Debug, Default)]
struct Managed {
    /// The name by which the modem can be inhibited: its folder in sysfs, unless a udev rule gave it another
    /// name.
    uid: String,
    /// The modem's folder in sysfs; only newer versions report it.
    folder: Option<String>,
    ports: Vec<String>,
}

impl Managed {
    /// Whether this is the wanted device. The ports count only if the uid isn't a folder, because the name of
    /// a port may have belonged to another modem a moment ago.
    fn is(&self, wanted: &Wanted) -> bool {
        let is_renamed = !self.uid.starts_with("/sys/");
        self.uid == wanted.folder
            || self.folder.as_ref() == Some(&wanted.folder)
            || (is_renamed
                && self.folder.is_none()
                && self.ports.iter().any(|port| wanted.ports.contains(port)))
    }
}

/// A way to ask ModemManager. Its calls may take long.
trait Asker {
    fn inhibit(&mut self, device: &UsbPath, wanted: &Wanted) -> Inhibition;
    fn release(&mut self, device: &UsbPath);
}

impl ModemManager {
    pub(crate) fn new() -> std::io::Result<Self> {
        Ok(Self {
            way: Way::default(),
            worker: None,
            answers: Arc::new(Answers {
                of_devices: Mutex::default(),
                news: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
            }),
        })
    }

    pub(crate) fn set_way(&mut self, way: Way) {
        self.way = way;
    }

    /// See [`modem_world::Host::inhibit`]. An answer that may change is returned once; the next call asks
    /// again.
    pub(crate) fn inhibit(&mut self, sysfs: &Sysfs, device: &UsbPath) -> Inhibition {
        let mut inquiries = self.answers.lock();
        let inquiry = inquiries.entry(device.clone()).or_default();
        match &inquiry.answer {
            // Ask again even so: ModemManager may have been restarted and have forgotten the inhibition.
            Some(Inhibition::Granted) => {}
            Some(_) => return inquiry.answer.take().unwrap_or(Inhibition::Pending),
            None => {}
        }
        let answer = inquiry.answer.clone().unwrap_or(Inhibition::Pending);
        if inquiry.is_asked {
            return answer;
        }
        inquiry.is_asked = true;
        drop(inquiries);
        match self.request(sysfs, ManagerRequest::Inhibit(device.clone())) {
            Ok(()) => answer,
            Err(why) => {
                self.answers.lock().remove(device);
                let help = STOP_IT.to_owned();
                Inhibition::Impossible { why, help }
            }
        }
    }

    /// See [`modem_world::Host::release`].
    pub(crate) fn release(&mut self, sysfs: &Sysfs, device: &UsbPath) {
        // This also works while the answer is on its way, because the thread handles requests in their order.
        if self.answers.lock().remove(device).is_some() {
            let _ = self.request(sysfs, ManagerRequest::Release(device.clone()));
        }
    }

    /// Whether an answer has come since the last call.
    pub(crate) fn take_news(&self) -> bool {
        rustix::io::read(&self.answers.news, &mut [0; 8]).is_ok()
    }

    fn request(&mut self, sysfs: &Sysfs, request: ManagerRequest) -> Result<(), String> {
        let worker = match self.worker.take() {
            Some(worker) => worker,
            None => start(self.way.clone(), sysfs.clone(), Arc::clone(&self.answers))
                .map_err(|error| format!("no thread could be started to ask it: {error}"))?,
        };
        let sent = worker.requests.send(request);
        self.worker = Some(worker);
        sent.map_err(|_| "the thread that asks it has ended".to_owned())
    }
}

impl Drop for ModemManager {
    fn drop(&mut self) {
        if let Some(worker) = self.worker.take() {
            drop(worker.requests);
            // If the thread still waits for an answer, it ends with the process.
            let _ = worker.ended.recv_timeout(END_PATIENCE);
        }
    }
}

impl AsFd for ModemManager {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.answers.news.as_fd()
    }
}

impl Answers {
    fn lock(&self) -> MutexGuard<'_, HashMap<UsbPath, Inquiry>> {
        self.of_devices.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, device: &UsbPath, answer: Inhibition) {
        // If the device was released in the meantime, the answer isn't needed.
        if let Some(inquiry) = self.lock().get_mut(device) {
            inquiry.answer = Some(answer);
            inquiry.is_asked = false;
        }
        // This can only fail by an overflow, and then the descriptor is readable anyway.
        let _ = rustix::io::write(&self.news, &1_u64.to_ne_bytes());
    }
}

fn start(way: Way, sysfs: Sysfs, answers: Arc<Answers>) -> std::io::Result<Worker> {
    let (requests, received) = mpsc::channel();
    let (end, ended) = mpsc::channel();
    thread::Builder::new()
        .name("modem-manager".to_owned())
        .spawn(move || {
            let mut asker: Box<dyn Asker> = match way {
                #[cfg(feature = "modem-manager")]
                Way::Bus(address) => Box::new(bus::Dbus::new(address, sysfs.clone())),
                Way::Mmcli(address) => Box::new(mmcli::Mmcli::new(address, sysfs.clone())),
            };
            for request in received {
                match request {
                    ManagerRequest::Inhibit(device) => {
                        let answer = ask(asker.as_mut(), &sysfs, &device);
                        answers.put(&device, answer);
                    }
                    ManagerRequest::Release(device) => asker.release(&device),
                }
            }
            drop(asker);
            let _ = end.send(());
        })?;
    Ok(Worker { requests, ended })
}

fn ask(asker: &mut dyn Asker, sysfs: &Sysfs, device: &UsbPath) -> Inhibition {
    // A device that is changing its mode isn't on the bus for a while, but stays inhibited.
    let wanted = Wanted {
        folder: sysfs.system_path(device).unwrap_or_default(),
        ports: sysfs.port_names(device),
    };
    asker.inhibit(device, &wanted)
}

/// Without a bus connection ModemManager may still run, on a bus that can't be reached from here.
fn unreachable(sysfs: &Sysfs, why: &str) -> Inhibition {
    match sysfs.process("ModemManager") {
        None => Inhibition::NotNeeded,
        Some(_) => Inhibition::Impossible {
            why: why.to_owned(),
            help: STOP_IT.to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_modem_is_known_by_its_folder_and_by_its_ports_only_if_it_was_renamed() {
        let wanted = Wanted {
            folder: "/sys/devices/usb1/1-2".into(),
            ports: vec!["ttyUSB2".into(), "cdc-wdm0".into()],
        };
        let managed = |uid: &str, folder: Option<&str>, port: &str| Managed {
            uid: uid.into(),
            folder: folder.map(str::to_owned),
            ports: vec![port.into()],
        };
        assert!(managed("/sys/devices/usb1/1-2", None, "wwan0").is(&wanted));
        assert!(managed("slot 4", Some("/sys/devices/usb1/1-2"), "wwan0").is(&wanted));
        assert!(managed("slot 4", None, "cdc-wdm0").is(&wanted));
        assert!(!managed("slot 4", None, "cdc-wdm1").is(&wanted));
        assert!(!managed("slot 4", Some("/sys/devices/usb1/1-3"), "cdc-wdm0").is(&wanted));
        assert!(!managed("/sys/devices/usb1/1-3", None, "cdc-wdm0").is(&wanted));
    }
}
