//! Client ids of the QMI services.

/// How many clients a service has. Own choice, because no source says.
const MOST: usize = 8;

/// An allocated client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Client {
    service: u8,
    id: u8,
    /// The interface on which it was allocated.
    interface: u8,
}

/// The allocated clients.
#[derive(Clone, Debug, Default)]
pub(crate) struct Clients {
    allocated: Vec<Client>,
    /// All ids are taken by programs that have gone, until a host sends sync.
    are_stale: bool,
    /// Clients that became void when the modem announced its start. Their hosts may not know that yet.
    void: Vec<Client>,
    last: u8,
}

impl Clients {
    pub(crate) const fn new(are_stale: bool) -> Self {
        Self {
            allocated: Vec::new(),
            are_stale,
            void: Vec::new(),
            last: 0,
        }
    }

    /// Allocates a new client of this service; `None` if no id is free.
    pub(crate) fn allocate(&mut self, service: u8, interface: u8) -> Option<u8> {
        let taken = self
            .allocated
            .iter()
            .filter(|client| client.service == service)
            .count();
        if self.are_stale || taken >= MOST {
            return None;
        }
        // 0 belongs to the control service, 255 means everybody.
        let candidates = (1..=254_u8).map(|step| (u16::from(self.last) + u16::from(step) - 1) % 254 + 1);
        let free = candidates
            .filter_map(|id| u8::try_from(id).ok())
            .find(|id| !self.has(service, *id))?;
        self.last = free;
        self.allocated.push(Client {
            service,
            id: free,
            interface,
        });
        Some(free)
    }

    /// Releases a client; returns whether it was allocated.
    pub(crate) fn release(&mut self, service: u8, id: u8) -> bool {
        let before = self.allocated.len();
        self.allocated
            .retain(|client| (client.service, client.id) != (service, id));
        self.allocated.len() < before
    }

    pub(crate) fn has(&self, service: u8, id: u8) -> bool {
        self.allocated
            .iter()
            .any(|client| (client.service, client.id) == (service, id))
    }

    /// Forgets all clients.
    pub(crate) fn sync(&mut self) {
        self.allocated.clear();
        self.are_stale = false;
    }

    /// The modem has announced its start, so all earlier clients are void (qmi.md §4).
    pub(crate) fn announced(&mut self) {
        self.void = std::mem::take(&mut self.allocated);
    }

    /// Whether the client became void when the modem announced its start.
    pub(crate) fn is_void(&self, service: u8, id: u8) -> bool {
        self.void
            .iter()
            .any(|client| (client.service, client.id) == (service, id))
    }

    /// How many clients were allocated on this interface.
    pub(crate) fn count(&self, interface: u8) -> usize {
        let here = self
            .allocated
            .iter()
            .filter(|client| client.interface == interface);
        here.count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_limited_and_come_back() {
        let mut clients = Clients::default();
        let ids: Vec<_> = (0..MOST).map(|_| clients.allocate(2, 8)).collect();
        assert!(ids.iter().all(Option::is_some));
        assert_eq!(clients.allocate(2, 8), None);
        assert!(clients.allocate(3, 8).is_some());
        assert!(clients.release(2, 1));
        assert!(!clients.release(2, 1));
        assert!(clients.allocate(2, 8).is_some());
    }

    #[test]
    fn stale_clients_are_gone_after_a_sync() {
        let mut clients = Clients::new(true);
        assert_eq!(clients.allocate(2, 8), None);
        clients.sync();
        assert_eq!(clients.allocate(2, 8), Some(1));
    }
}
