//! ModemManager, asked to let go of one modem (linux.md §6).
//!
//! Whatever is asked takes its time, so a thread of its own asks, and says by a descriptor for `poll` that there is an answer.
//! An inhibition ends with what holds it, a connection to the bus or a child process; both end with this process, however it
//! ends, so that no modem stays lost to the user.

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

/// How long the end may take: what holds the inhibitions is let go of, and a child process ends.
const END_PATIENCE: Duration = Duration::from_secs(1);

/// What a user can do where ModemManager can't be asked.
const STOP_IT: &str =
    "stop ModemManager during the update (`systemctl stop ModemManager`), and start it again afterwards";

/// How ModemManager is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Over D-Bus; at this address, or at that of the system bus.
    #[cfg(feature = "modem-manager")]
    Bus(Option<String>),
    /// By the program `mmcli`; at this address, or at that of the system bus.
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

/// Asks ModemManager, and keeps what it granted until the end.
#[derive(Debug)]
pub(crate) struct ModemManager {
    way: Way,
    worker: Option<Worker>,
    answers: Arc<Answers>,
}

#[derive(Debug)]
struct Worker {
    requests: Sender<Request>,
    /// Says something when it has ended.
    ended: Receiver<()>,
}

/// What was answered, and a descriptor that is readable when that is news.
#[derive(Debug)]
struct Answers {
    of_devices: Mutex<HashMap<UsbPath, State>>,
    news: OwnedFd,
}

#[derive(Debug, Default)]
struct State {
    answer: Option<Inhibition>,
    is_asked: bool,
}

#[derive(Debug)]
enum Request {
    Inhibit(UsbPath),
    Release(UsbPath),
}

/// A device as ModemManager may know it.
#[derive(Debug)]
struct Wanted {
    /// Its folder in sysfs.
    folder: String,
    /// Its ports: `ttyUSB2`, `cdc-wdm0`.
    ports: Vec<String>,
}

/// A modem as ModemManager has it.
#[derive(Debug, Default)]
struct Managed {
    /// The name under which it can be inhibited: the folder in sysfs, if no udev rule gave it another.
    uid: String,
    /// The folder in sysfs, told by newer versions.
    folder: Option<String>,
    ports: Vec<String>,
}

impl Managed {
    /// Its ports count only where the uid says nothing: the name of a port may have been another modem's a moment ago.
    fn is(&self, wanted: &Wanted) -> bool {
        let is_renamed = !self.uid.starts_with("/sys/");
        self.uid == wanted.folder
            || self.folder.as_ref() == Some(&wanted.folder)
            || (is_renamed
                && self.folder.is_none()
                && self.ports.iter().any(|port| wanted.ports.contains(port)))
    }
}

/// Somebody who asks. May take long.
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

    /// See [`modem_world::Host::inhibit`]. An answer that may change is given once, and asked for anew after that.
    pub(crate) fn inhibit(&mut self, sysfs: &Sysfs, device: &UsbPath) -> Inhibition {
        let mut states = self.answers.lock();
        let state = states.entry(device.clone()).or_default();
        match &state.answer {
            // Asked again all the same: ModemManager may have been started anew since, and has forgotten then.
            Some(Inhibition::Granted) => {}
            Some(_) => return state.answer.take().unwrap_or(Inhibition::Pending),
            None => {}
        }
        let answer = state.answer.clone().unwrap_or(Inhibition::Pending);
        if state.is_asked {
            return answer;
        }
        state.is_asked = true;
        drop(states);
        match self.request(sysfs, Request::Inhibit(device.clone())) {
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
        // Also while the answer is on its way: the requests are done in their order.
        if self.answers.lock().remove(device).is_some() {
            let _ = self.request(sysfs, Request::Release(device.clone()));
        }
    }

    /// Whether there was an answer since this was asked last.
    pub(crate) fn take_news(&self) -> bool {
        rustix::io::read(&self.answers.news, &mut [0; 8]).is_ok()
    }

    fn request(&mut self, sysfs: &Sysfs, request: Request) -> Result<(), String> {
        let worker = match self.worker.take() {
            Some(worker) => worker,
            None => start(self.way.clone(), sysfs.clone(), Arc::clone(&self.answers))
                .map_err(|error| format!("no thread for it: {error}"))?,
        };
        let sent = worker.requests.send(request);
        self.worker = Some(worker);
        sent.map_err(|_| "it was asked in vain".to_owned())
    }
}

impl Drop for ModemManager {
    fn drop(&mut self) {
        if let Some(worker) = self.worker.take() {
            drop(worker.requests);
            // One that waits for an answer ends with the process.
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
    fn lock(&self) -> MutexGuard<'_, HashMap<UsbPath, State>> {
        self.of_devices.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, device: &UsbPath, answer: Inhibition) {
        // Released meanwhile: nobody wants to know.
        if let Some(state) = self.lock().get_mut(device) {
            state.answer = Some(answer);
            state.is_asked = false;
        }
        // Can't fail but for an overflow, when there is news anyway.
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
                Way::Bus(address) => Box::new(bus::Bus::new(address, sysfs.clone())),
                Way::Mmcli(address) => Box::new(mmcli::Mmcli::new(address, sysfs.clone())),
            };
            for request in received {
                match request {
                    Request::Inhibit(device) => {
                        let answer = ask(asker.as_mut(), &sysfs, &device);
                        answers.put(&device, answer);
                    }
                    Request::Release(device) => asker.release(&device),
                }
            }
            drop(asker);
            let _ = end.send(());
        })?;
    Ok(Worker { requests, ended })
}

fn ask(asker: &mut dyn Asker, sysfs: &Sysfs, device: &UsbPath) -> Inhibition {
    // A device that is on its way to another mode isn't there, and stays inhibited.
    let wanted = Wanted {
        folder: sysfs.system_path(device).unwrap_or_default(),
        ports: sysfs.port_names(device),
    };
    asker.inhibit(device, &wanted)
}

/// Without a bus ModemManager can still run, on a host whose bus can't be reached from here.
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
