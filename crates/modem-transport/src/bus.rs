//! What this world knows about changes on the bus: from uevents, and from looking at the bus itself (linux.md
//! §4).

use std::time::Duration;

use modem_discovery::Snapshot;
use modem_world::Instant;

/// How often to look at the bus while the uevent socket is open but has proven nothing: some containers never
/// deliver uevents.
const UNPROVEN: Duration = Duration::from_millis(500);

/// How often to look while uevents are being delivered. If one gets lost, the socket reports an overrun.
const PROVEN: Duration = Duration::from_secs(5);

/// How often to look without a uevent socket.
const WITHOUT: Duration = Duration::from_millis(250);

/// What this world knows about changes on the bus.
#[derive(Debug)]
pub(crate) struct Bus {
    /// Something may have changed that `wait` hasn't reported yet.
    pub(crate) changed: bool,
    /// Whether uevents of USB devices and their ports are delivered, as far as this world can know.
    is_proven: bool,
    /// Whether such a uevent was heard since the last look.
    is_told: bool,
    seen: Snapshot,
    pub(crate) next_look: Instant,
}

impl Bus {
    pub(crate) fn new(seen: Snapshot) -> Self {
        Self {
            changed: false,
            is_proven: false,
            is_told: false,
            seen,
            next_look: Instant::START,
        }
    }

    /// Notes a uevent of a USB device or a port. Other uevents prove nothing: in some containers those of
    /// network devices are the only ones that arrive.
    pub(crate) fn heard(&mut self) {
        (self.changed, self.is_told, self.is_proven) = (true, true, true);
    }

    /// Notes that no more uevents can be heard.
    pub(crate) fn is_deaf_from(&mut self, now: Instant) {
        self.is_proven = false;
        self.next_look = self.next_look.min(now);
    }

    /// Notes what a look at the bus has shown. A change that no uevent announced shows that not all uevents
    /// are delivered: a container may get those of some devices only.
    pub(crate) fn looked(&mut self, seen: Snapshot, can_hear: bool, now: Instant) {
        if seen != self.seen {
            self.seen = seen;
            self.changed = true;
            self.is_proven &= self.is_told;
        }
        self.is_told = false;
        let period = match (can_hear, self.is_proven) {
            (false, _) => WITHOUT,
            (true, false) => UNPROVEN,
            (true, true) => PROVEN,
        };
        self.next_look = now + period;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use modem_discovery::Sysfs;
    use std::fs;

    const NOW: Instant = Instant::START;

    fn snapshot(devices: &[&str]) -> Snapshot {
        let root = tempfile::tempdir().unwrap();
        for device in devices {
            fs::create_dir_all(root.path().join("sys/bus/usb/devices").join(device)).unwrap();
        }
        Sysfs::new(root.path()).snapshot()
    }

    #[test]
    fn the_bus_is_looked_at_seldom_only_while_uevents_tell_of_its_changes() {
        let mut bus = Bus::new(snapshot(&[]));
        bus.looked(snapshot(&[]), true, NOW);
        assert_eq!((bus.next_look, bus.changed), (NOW + UNPROVEN, false));
        bus.heard();
        assert!(std::mem::take(&mut bus.changed));
        bus.looked(snapshot(&["1-1"]), true, NOW);
        assert_eq!(bus.next_look, NOW + PROVEN);
        bus.looked(snapshot(&["1-1"]), true, NOW);
        assert_eq!(bus.next_look, NOW + PROVEN);
        // A device left, and no uevent announced it.
        bus.changed = false;
        bus.looked(snapshot(&[]), true, NOW);
        assert_eq!((bus.next_look, bus.changed), (NOW + UNPROVEN, true));
    }

    #[test]
    fn a_socket_that_breaks_is_made_up_for_at_once() {
        let mut bus = Bus::new(snapshot(&[]));
        bus.heard();
        bus.looked(snapshot(&[]), true, NOW);
        let later = NOW + Duration::from_secs(1);
        bus.is_deaf_from(later);
        assert_eq!(bus.next_look, later);
        bus.looked(snapshot(&[]), false, later);
        assert_eq!(bus.next_look, later + WITHOUT);
    }
}
