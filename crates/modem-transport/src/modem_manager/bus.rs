//! Asks ModemManager over D-Bus.

use std::collections::HashMap;
use std::time::Duration;

use modem_discovery::Sysfs;
use modem_world::{Inhibition, UsbPath};
use zbus::blocking::{Connection, connection};
use zbus::zvariant::{OwnedObjectPath, OwnedValue};

use super::rule::Rule;
use super::{Asker, Managed, STOP_IT, Wanted, unreachable};

const NAME: &str = "org.freedesktop.ModemManager1";
const MODEM: &str = "org.freedesktop.ModemManager1.Modem";
const ROOT: &str = "/org/freedesktop/ModemManager1";

/// How long an answer may take. ModemManager shuts the modem's radio down before it lets go of the modem. This is
/// an estimate: ModemManager has been seen to give up on a modem after some 20 s.
const ANSWER_LIMIT: Duration = Duration::from_secs(60);

/// Objects with their interfaces and properties, as `GetManagedObjects` returns them.
type Objects = HashMap<OwnedObjectPath, HashMap<String, HashMap<String, OwnedValue>>>;

/// The connection to the bus. It is kept open because the inhibitions end with it.
pub(super) struct Dbus {
    address: Option<String>,
    sysfs: Sysfs,
    connection: Option<Connection>,
    granted: HashMap<UsbPath, Granted>,
}

/// An inhibition, and the ModemManager that granted it.
#[derive(Debug, PartialEq, Eq)]
struct Granted {
    uid: String,
    owner: String,
    /// Covers the modem's place on the other bus of its socket, which the inhibition doesn't cover.
    _rule: Option<Rule>,
}

/// Opens a connection to the bus at `address`, or to the system bus.
pub(crate) fn connect(address: Option<&str>, answer_limit: Duration) -> zbus::Result<Connection> {
    let builder = match address {
        Some(address) => connection::Builder::address(address)?,
        None => connection::Builder::system()?,
    };
    builder.method_timeout(answer_limit).build()
}

/// The program that owns a name on the bus. Asking doesn't start the program.
pub(crate) fn owner(connection: &Connection, name: &str) -> zbus::Result<Option<String>> {
    let reply = connection.call_method(
        Some("org.freedesktop.DBus"),
        "/org/freedesktop/DBus",
        Some("org.freedesktop.DBus"),
        "GetNameOwner",
        &(name,),
    );
    match reply {
        Ok(reply) => Ok(Some(reply.body().deserialize()?)),
        Err(error) if name_of(&error).ends_with(".NameHasNoOwner") => Ok(None),
        Err(error) => Err(error),
    }
}

/// The name of an error that came over the bus; empty for any other error.
pub(crate) fn name_of(error: &zbus::Error) -> &str {
    match error {
        zbus::Error::MethodError(name, _, _) => name.as_str(),
        _ => "",
    }
}

/// The text of an error, for the user.
pub(crate) fn words_of(error: &zbus::Error) -> String {
    match error {
        zbus::Error::MethodError(_, Some(words), _) => words.clone(),
        other => other.to_string(),
    }
}

impl Dbus {
    pub(super) fn new(address: Option<String>, sysfs: Sysfs) -> Self {
        Self {
            address,
            sysfs,
            connection: None,
            granted: HashMap::new(),
        }
    }

    fn connection(&mut self) -> zbus::Result<Connection> {
        match &self.connection {
            Some(connection) => Ok(connection.clone()),
            None => {
                let connection = connect(self.address.as_deref(), ANSWER_LIMIT)?;
                self.connection = Some(connection.clone());
                Ok(connection)
            }
        }
    }

    fn ask(&mut self, device: &UsbPath, wanted: &Wanted) -> zbus::Result<Inhibition> {
        let Ok(connection) = self.connection() else {
            let why = "it runs, but there is no D-Bus system bus to ask it over";
            return Ok(unreachable(&self.sysfs, why));
        };
        let Some(owner) = owner(&connection, NAME)? else {
            self.granted.clear();
            return Ok(Inhibition::NotNeeded);
        };
        // A ModemManager that has been restarted doesn't know what the previous one granted.
        if self
            .granted
            .get(device)
            .is_some_and(|granted| granted.owner == owner)
        {
            return Ok(Inhibition::Granted);
        }
        let known = managed(&connection, &owner)?
            .into_iter()
            .find(|modem| modem.is(wanted));
        // ModemManager may know the modem although it doesn't list it yet; if it doesn't know the modem, it
        // says so.
        let uid = known.map_or_else(|| wanted.folder.clone(), |modem| modem.uid);
        if uid.is_empty() {
            return Ok(Inhibition::Unknown);
        }
        inhibit_device(&connection, &owner, &uid, true)?;
        let peer = self.sysfs.device(device).and_then(|device| device.peer);
        let granted = Granted {
            uid,
            owner,
            _rule: peer.as_ref().and_then(Rule::make),
        };
        self.granted.insert(device.clone(), granted);
        Ok(Inhibition::Granted)
    }
}

impl Asker for Dbus {
    fn inhibit(&mut self, device: &UsbPath, wanted: &Wanted) -> Inhibition {
        let mut result = self.ask(device, wanted);
        if matches!(&result, Err(error) if name_of(error).is_empty()) {
            // The bus itself failed, for instance because it was restarted: all inhibitions over this
            // connection are lost.
            self.connection = None;
            self.granted.clear();
            result = self.ask(device, wanted);
        }
        result.unwrap_or_else(|error| refusal(&error))
    }

    fn release(&mut self, device: &UsbPath) {
        if let (Some(connection), Some(granted)) = (&self.connection, self.granted.remove(device)) {
            let released = inhibit_device(connection, &granted.owner, &granted.uid, false);
            if released.is_err() && self.granted.is_empty() {
                // The inhibitions end with the connection.
                self.connection = None;
            }
        }
    }
}

/// The modems that ModemManager lists.
fn managed(connection: &Connection, owner: &str) -> zbus::Result<Vec<Managed>> {
    let reply = connection.call_method(
        Some(owner),
        ROOT,
        Some("org.freedesktop.DBus.ObjectManager"),
        "GetManagedObjects",
        &(),
    )?;
    let objects: Objects = reply.body().deserialize()?;
    Ok(objects
        .into_values()
        .filter_map(|mut interfaces| interfaces.remove(MODEM))
        .filter_map(|mut properties| {
            let mut text = |name: &str| String::try_from(properties.remove(name)?).ok();
            let (uid, folder) = (text("Device")?, text("Physdev"));
            let ports: Option<Vec<(String, u32)>> =
                properties.remove("Ports").and_then(|ports| ports.try_into().ok());
            Some(Managed {
                uid,
                folder: folder.filter(|folder| !folder.is_empty()),
                ports: ports
                    .unwrap_or_default()
                    .into_iter()
                    .map(|(name, _)| name)
                    .collect(),
            })
        })
        .collect())
}

fn inhibit_device(connection: &Connection, owner: &str, uid: &str, inhibit: bool) -> zbus::Result<()> {
    connection.call_method(Some(owner), ROOT, Some(NAME), "InhibitDevice", &(uid, inhibit))?;
    Ok(())
}

/// What an error of the call means for the inhibition.
fn refusal(error: &zbus::Error) -> Inhibition {
    let impossible = |why: String, help: String| Inhibition::Impossible { why, help };
    let words = words_of(error);
    let name = name_of(error).rsplit('.').next().unwrap_or_default();
    match name {
        // The modem left between the two calls, or ModemManager did; asking again shows which.
        "NotFound" | "ServiceUnknown" | "NameHasNoOwner" => Inhibition::Unknown,
        // "Modem not exported in the bus": ModemManager is still probing the modem and can be asked again
        // (kernel lab).
        "WrongState" => Inhibition::Pending,
        "UnknownMethod" => impossible(
            "it is older than 1.10 and can't let go of a single modem".to_owned(),
            STOP_IT.to_owned(),
        ),
        "Unauthorized" | "AccessDenied" => impossible(
            format!("it doesn't let this user ask for that: {words}"),
            format!("run modemflash as root, or {STOP_IT}"),
        ),
        _ => impossible(words, STOP_IT.to_owned()),
    }
}
