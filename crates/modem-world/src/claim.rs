//! Keeping other runs of this program away from a modem.

use std::fmt;
use std::time::Duration;

use crate::{PortId, PortInfo, UsbDevice, UsbPath};

/// The place that only one run at a time may work on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Spot {
    /// A USB socket. The modem in it may appear on either bus, so both places belong to it.
    Socket {
        /// The place on the bus.
        place: UsbPath,
        /// The same socket on the bus of the other speed, when the kernel knows it.
        peer: Option<UsbPath>,
    },
    /// A port without a USB device behind it, by its canonical name: two links to one port are one spot.
    Port(PortId),
}

impl Spot {
    /// The socket that a device is in.
    pub fn of_device(device: &UsbDevice) -> Self {
        Self::Socket {
            place: device.path.clone(),
            peer: device.peer.clone(),
        }
    }

    /// The socket behind a port, or the port itself.
    pub fn of_port(port: &PortInfo) -> Self {
        match &port.device {
            Some(device) => Self::of_device(device),
            None => Self::Port(port.id.clone()),
        }
    }

    /// The names of all places that belong to the spot, in the order in which every run locks them. Because
    /// the order is fixed, exactly one of two runs that start at the same moment gets all of them.
    pub fn names(&self) -> Vec<&str> {
        let mut names = match self {
            Self::Socket { place, peer } => {
                let peer = peer.iter().map(UsbPath::as_str);
                std::iter::once(place.as_str()).chain(peer).collect()
            }
            Self::Port(port) => vec![port.as_str()],
        };
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Whether the two spots have a place in common.
    pub fn meets(&self, other: &Self) -> bool {
        let others = other.names();
        self.names().iter().any(|name| others.contains(name))
    }
}

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket { place, .. } => place.fmt(f),
            Self::Port(port) => port.fmt(f),
        }
    }
}

/// Why a spot couldn't be claimed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimError {
    /// Another run has the spot.
    Held(LockHolder),
    /// The host can't lock a place. As far as this run knows nobody has the place, but nobody is kept away
    /// from it either.
    Io {
        /// The system call.
        call: &'static str,
        /// Its error number.
        errno: i32,
    },
}

/// What is known about the run that has a spot. It is meant for messages: all that the engine decides by it is
/// whether to wait for the lock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LockHolder {
    /// The holder's process, as the kernel reports it; none if the process can't be seen from here, as in
    /// another container.
    pub process: Option<u32>,
    /// The process's name, as the kernel has it.
    pub name: Option<String>,
    /// What the holder is doing: `update`. Known only if the holder is this program.
    pub verb: Option<String>,
    /// How long the holder has had the spot.
    pub held_for: Option<Duration>,
}

impl fmt::Display for LockHolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.verb, &self.name) {
            (Some(verb), _) => write!(f, "`modemflash {verb}`")?,
            (None, Some(name)) => f.write_str(name)?,
            (None, None) => f.write_str("another program")?,
        }
        if let Some(process) = self.process {
            write!(f, " (pid {process})")?;
        }
        match self.held_for.map(|held| held.as_secs()) {
            Some(seconds) if seconds >= 120 => {
                write!(f, " has been using the modem for {} min", seconds / 60)
            }
            Some(seconds) => write!(f, " has been using the modem for {seconds} s"),
            None => f.write_str(" is using the modem"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn socket(place: &str, peer: Option<&str>) -> Spot {
        Spot::Socket {
            place: UsbPath::new(place),
            peer: peer.map(UsbPath::new),
        }
    }

    #[test]
    fn both_places_of_a_socket_are_locked_in_the_same_order_from_either_side() {
        let fast = socket("2-4", Some("1-4"));
        let slow = socket("1-4", Some("2-4"));
        assert_eq!(fast.names(), ["1-4", "2-4"]);
        assert_eq!(slow.names(), fast.names());
        assert!(fast.meets(&socket("1-4", None)));
        assert!(!fast.meets(&socket("1-4.1", None)));
        assert!(!fast.meets(&Spot::Port(PortId::new("/dev/ttyS0"))));
    }

    #[test]
    fn a_holder_is_told_with_what_is_known_of_it() {
        let mut holder = LockHolder::default();
        assert_eq!(holder.to_string(), "another program is using the modem");
        holder.process = Some(812);
        holder.name = Some("modemflash".to_owned());
        assert_eq!(holder.to_string(), "modemflash (pid 812) is using the modem");
        holder.verb = Some("update".to_owned());
        holder.held_for = Some(Duration::from_secs(12));
        assert_eq!(
            holder.to_string(),
            "`modemflash update` (pid 812) has been using the modem for 12 s"
        );
        holder.held_for = Some(Duration::from_secs(620));
        assert!(holder.to_string().ends_with("for 10 min"));
    }
}
