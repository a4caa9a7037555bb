//! Keeps the host awake with an inhibitor lock of systemd-logind (linux.md §8). The lock ends when its
//! descriptor is closed.

use std::os::fd::OwnedFd;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use modem_world::HostError;

use crate::modem_manager::bus::{connect, name_of, owner, words_of};

/// The service, as errors name it.
pub(crate) const SERVICE: &str = "systemd-logind";

const NAME: &str = "org.freedesktop.login1";

/// How long the caller waits for the answer; a lock that arrives later is kept as well. Estimate: a working
/// logind answers within milliseconds.
const PATIENCE: Duration = Duration::from_millis(500);

/// How long logind may take to answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// A lock, once logind has granted it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lock(Arc<Mutex<Option<OwnedFd>>>);

impl Lock {
    /// Takes the lock from the logind on the bus at `address`, or on the system bus.
    pub(crate) fn take(&self, address: Option<String>, why: &str) -> Result<(), HostError> {
        let (lock, why) = (self.clone(), why.to_owned());
        let (answer, answered) = mpsc::channel();
        let spawned = thread::Builder::new().name("logind".to_owned()).spawn(move || {
            let taken = inhibit(address.as_deref(), &why).map(|descriptor| {
                let mut held = lock.0.lock().unwrap_or_else(PoisonError::into_inner);
                *held = Some(descriptor);
            });
            let _ = answer.send(taken);
        });
        let refused = |why: String| HostError::Refused {
            service: SERVICE.to_owned(),
            why,
        };
        spawned.map_err(|error| refused(error.to_string()))?;
        match answered.recv_timeout(PATIENCE) {
            Ok(taken) => taken,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                Err(refused("no answer so far".to_owned()))
            }
        }
    }
}

fn inhibit(address: Option<&str>, why: &str) -> Result<OwnedFd, HostError> {
    let absent = || HostError::NoService {
        service: SERVICE.to_owned(),
    };
    let refused = |error: zbus::Error| match name_of(&error).rsplit('.').next() {
        Some("ServiceUnknown" | "NameHasNoOwner") => absent(),
        _ => HostError::Refused {
            service: SERVICE.to_owned(),
            why: words_of(&error),
        },
    };
    let connection = connect(address, ANSWER_LIMIT).map_err(|_| absent())?;
    let owner = owner(&connection, NAME).map_err(refused)?.ok_or_else(absent)?;
    let reply = connection
        .call_method(
            Some(owner.as_str()),
            "/org/freedesktop/login1",
            Some("org.freedesktop.login1.Manager"),
            "Inhibit",
            &("sleep:shutdown", "modemflash", why, "block"),
        )
        .map_err(refused)?;
    let descriptor: zbus::zvariant::OwnedFd = reply.body().deserialize().map_err(refused)?;
    Ok(descriptor.into())
}
