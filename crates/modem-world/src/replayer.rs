//! A world made from a trace: the clock is virtual, the modem's bytes come at their recorded times, and the engine's
//! bytes are compared with the recorded ones.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use crate::trace::{Entry, Event, Trace, Written, hex};
use crate::{
    Attached, Binding, ClaimError, DiscoveryError, Host, HostError, Inhibition, Instant, Interest,
    LockHolder, PciModem, PortError, PortErrorKind, PortHandle, PortId, PortInfo, Spot, UsbPath, Wake, World,
};

/// Replays a trace.
///
/// What the engine does to the world (open, write, re-enumerate, close) has to come in the recorded order;
/// how the engine cuts its bytes into calls doesn't matter. What the engine asks (find, devices, keep awake,
/// inhibit, release, stay awake, will bind, PCI modems) is answered with the latest recorded answer, and may be asked
/// more or less often than recorded. After the first [`Difference`] every port fails, so that the engine soon
/// ends.
///
/// A replay needs neither a serial port nor a modem. Of long writes, which carry image data, the trace has
/// only length, checksum, and first and last bytes. They need the same image files again, unless
/// [`Replayer::without_images`] limits the comparison to the length.
pub struct Replayer {
    entries: Vec<Entry>,
    /// Index of the next entry.
    place: usize,
    clock: Instant,
    /// How many bytes of the next entry went through so far; `crc32` is the checksum of these bytes.
    done: usize,
    crc32: crc32fast::Hasher,
    /// The errors of ports that failed.
    dead: HashMap<PortHandle, PortErrorKind>,
    names: HashMap<PortHandle, PortId>,
    largest_writes: HashMap<PortHandle, usize>,
    is_complete: bool,
    /// A bus change that no call of `wait` has reported yet.
    has_bus_changed: bool,
    found: HashMap<String, Result<PortInfo, DiscoveryError>>,
    listed: Option<Result<Vec<Attached>, DiscoveryError>>,
    kept_awake: HashMap<UsbPath, Result<(), HostError>>,
    inhibited: HashMap<UsbPath, Inhibition>,
    locked: HashMap<String, LockHolder>,
    stays_awake: Option<Result<(), HostError>>,
    bindings: HashMap<(u16, u16), Binding>,
    on_bus: HashMap<UsbPath, Option<Duration>>,
    on_pci: Option<Result<Vec<PciModem>, DiscoveryError>>,
    long_writes: LongWrites,
    difference: Option<Difference>,
}

/// What is compared of a long write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LongWrites {
    /// Everything that the trace knows: length, checksum, first and last bytes.
    Content,
    /// Only the length, because the image files aren't at hand.
    Length,
}

/// The first thing that the engine does differently from the recording.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}at {}.{:06} s: recorded {recorded}; now {now}", Line(*line), at.since_start().as_secs(), at.since_start().subsec_micros())]
pub struct Difference {
    /// Line of the trace; none after its end.
    pub line: Option<usize>,
    /// When.
    pub at: Instant,
    /// What the trace has; bytes in hex.
    pub recorded: String,
    /// What the engine does; bytes in hex.
    pub now: String,
}

struct Line(Option<usize>);

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |line| write!(f, "line {line} "))
    }
}

/// How much earlier than recorded the engine may ask a question: in a replay the engine itself takes no time.
const GRACE: std::time::Duration = std::time::Duration::from_millis(250);
/// How many bytes of each side a difference shows.
const SHOWN: usize = 32;

impl Replayer {
    /// A world from `trace`, at the start of time.
    pub fn new(trace: Trace) -> Self {
        Self {
            is_complete: trace.is_complete(),
            entries: trace.entries,
            place: 0,
            clock: Instant::START,
            done: 0,
            crc32: crc32fast::Hasher::new(),
            dead: HashMap::new(),
            names: HashMap::new(),
            largest_writes: HashMap::new(),
            has_bus_changed: false,
            found: HashMap::new(),
            listed: None,
            kept_awake: HashMap::new(),
            inhibited: HashMap::new(),
            locked: HashMap::new(),
            stays_awake: None,
            bindings: HashMap::new(),
            on_bus: HashMap::new(),
            on_pci: None,
            long_writes: LongWrites::Content,
            difference: None,
        }
    }

    /// Compares only the length of long writes, for a replay without the image files.
    #[must_use]
    pub fn without_images(mut self) -> Self {
        self.long_writes = LongWrites::Length;
        self
    }

    /// The first difference so far.
    pub const fn difference(&self) -> Option<&Difference> {
        self.difference.as_ref()
    }

    /// Whether the engine did everything that the trace has, and nothing else.
    ///
    /// # Errors
    /// The first difference, or something that the engine did in the trace but didn't do now. The end of a
    /// trace that was cut off isn't a difference.
    pub fn finish(mut self) -> Result<(), Difference> {
        if let (None, Some(place)) = (&self.difference, self.next_deed()) {
            self.place = place;
            self.differ("the end of the run".to_owned());
        }
        self.difference.map_or(Ok(()), Err)
    }

    fn next(&self) -> Option<&Entry> {
        self.entries.get(self.place)
    }

    fn advance(&mut self) {
        self.place += 1;
        self.done = 0;
        self.crc32 = crc32fast::Hasher::new();
    }

    /// Index of the next entry, from here on, that is something the engine does.
    fn next_deed(&self) -> Option<usize> {
        let ahead = self.entries.iter().enumerate().skip(self.place);
        ahead
            .into_iter()
            .find(|(_, entry)| is_deed(&entry.event))
            .map(|(place, _)| place)
    }

    /// If the next thing that the engine does in the trace is the wanted one, goes there and returns its
    /// entry.
    fn deed(&mut self, is_wanted: impl Fn(&Event) -> bool) -> Option<Entry> {
        let place = self.next_deed()?;
        let entry = self
            .entries
            .get(place)
            .filter(|entry| is_wanted(&entry.event))
            .cloned()?;
        if self.difference.is_some() {
            return None;
        }
        let passed = self.entries.get(self.place..place).unwrap_or_default();
        self.has_bus_changed |= passed.iter().any(|entry| entry.event == Event::BusChanged);
        self.skip_answers(Instant::FAR);
        self.place = place;
        self.advance();
        self.clock = self.clock.max(entry.at);
        Some(entry)
    }

    /// Whether the trace was cut off and everything in it was replayed: the trace doesn't say what came next.
    fn is_cut_off(&self) -> bool {
        !self.is_complete && self.next_deed().is_none()
    }

    /// Remembers the answer that comes next in the trace, if its question was asked at about this time.
    fn next_answer(&mut self) {
        let soon = self.clock + GRACE;
        if self
            .next()
            .is_some_and(|entry| entry.at <= soon && is_answer(&entry.event))
        {
            let only = self.next().map_or(soon, |entry| entry.at);
            self.clock = self.clock.max(only);
            self.remember();
        }
    }

    /// Remembers and skips all answers up to a moment.
    fn skip_answers(&mut self, until: Instant) {
        while self
            .next()
            .is_some_and(|entry| entry.at <= until && is_answer(&entry.event))
        {
            self.remember();
        }
    }

    fn remember(&mut self) {
        if let Some(entry) = self.entries.get(self.place) {
            match &entry.event {
                Event::Find { name, answer } => {
                    self.found.insert(name.clone(), answer.clone());
                }
                Event::Devices(answer) => self.listed = Some(answer.clone()),
                Event::KeepAwake { device, result } => {
                    self.kept_awake.insert(device.clone(), result.clone());
                }
                Event::Inhibit { device, answer } => {
                    self.inhibited.insert(device.clone(), answer.clone());
                }
                Event::Locked { spot, holder } => {
                    self.locked.insert(spot.clone(), holder.clone());
                }
                Event::OnBus { device, answer } => {
                    self.on_bus.insert(device.clone(), *answer);
                }
                Event::PciModems(answer) => self.on_pci = Some(answer.clone()),
                Event::StayAwake(result) => self.stays_awake = Some(result.clone()),
                Event::WillBind {
                    vendor,
                    product,
                    answer,
                } => {
                    self.bindings.insert((*vendor, *product), answer.clone());
                }
                _ => {}
            }
            self.advance();
        }
    }

    fn differ(&mut self, now: String) {
        if self.difference.is_some() {
            return;
        }
        let recorded = self
            .next()
            .map_or("the end of the trace".to_owned(), |entry| words(&entry.event));
        let line = self.next().map(|entry| entry.line);
        self.difference = Some(Difference {
            line,
            at: self.clock,
            recorded,
            now,
        });
    }

    fn differ_in_bytes(&mut self, offset: usize, recorded: &[u8], now: &[u8]) {
        let show = |bytes: &[u8]| hex(bytes.get(..SHOWN).unwrap_or(bytes));
        if self.difference.is_none() {
            self.difference = Some(Difference {
                line: self.next().map(|entry| entry.line),
                at: self.clock,
                recorded: format!("{} at byte {offset} of a write", show(recorded)),
                now: show(now),
            });
        }
    }

    fn error(&self, port: PortHandle, kind: PortErrorKind) -> PortError {
        let unknown = || PortId::new(format!("port {}", port.0));
        PortError {
            port: self.names.get(&port).cloned().unwrap_or_else(unknown),
            kind,
        }
    }

    /// Why the port can't be used, if it can't. If the next entry is a failure of this port, the port fails
    /// from now on.
    fn failure(&mut self, port: PortHandle) -> Option<PortError> {
        if self.difference.is_some() {
            return Some(self.error(port, PortErrorKind::Gone));
        }
        let clock = self.clock;
        self.skip_answers(clock);
        let failed = self
            .next()
            .filter(|entry| entry.at <= clock)
            .and_then(|entry| match &entry.event {
                Event::Failed { port: failed, kind } if *failed == port => Some(kind.clone()),
                _ => None,
            });
        if let Some(kind) = failed {
            self.advance();
            // A control port takes the next message even after one that failed.
            if self.largest_writes.contains_key(&port) && kind != PortErrorKind::Gone {
                return Some(self.error(port, kind));
            }
            self.dead.insert(port, kind);
        }
        self.dead.get(&port).cloned().map(|kind| self.error(port, kind))
    }

    /// Whether the bytes are the whole recorded message, where the port is a control port: a message can't be
    /// cut there.
    fn is_whole(&mut self, port: PortHandle, data: &Written, bytes: &[u8]) -> bool {
        if !self.largest_writes.contains_key(&port) || u64::try_from(bytes.len()) == Ok(data.length()) {
            return true;
        }
        let shown = bytes.get(..SHOWN).unwrap_or(bytes);
        self.differ(format!(">> {} {} ({} bytes)", port.0, hex(shown), bytes.len()));
        false
    }

    /// Compares bytes with the recorded write, and returns how many of them belong to it.
    fn compare(&mut self, data: &Written, bytes: &[u8]) -> Option<usize> {
        let left = data
            .length()
            .saturating_sub(u64::try_from(self.done).unwrap_or(u64::MAX));
        let count = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        let bytes = bytes.get(..count)?;
        let start = self.done;
        let end = start.saturating_add(count);
        let (head, tail) = match data {
            Written::Digest { .. } if self.long_writes == LongWrites::Length => {
                ([].as_slice(), [].as_slice())
            }
            Written::Whole(bytes) => (bytes.as_slice(), [].as_slice()),
            Written::Digest { first, last, .. } => (first.as_slice(), last.as_slice()),
        };
        let length = usize::try_from(data.length()).unwrap_or(usize::MAX);
        for (known, from) in [(head, 0), (tail, length.saturating_sub(tail.len()))] {
            // The part that is both recorded and written now.
            let (low, high) = (start.max(from), end.min(from.saturating_add(known.len())));
            if low >= high {
                continue;
            }
            let recorded = known.get(low - from..high - from)?;
            let now = bytes.get(low - start..high - start)?;
            if let Some(place) = recorded
                .iter()
                .zip(now)
                .position(|(recorded, now)| recorded != now)
            {
                let known = known.get(low - from + place..).unwrap_or_default().to_vec();
                let now = bytes.get(low - start + place..).unwrap_or_default().to_vec();
                self.differ_in_bytes(low + place, &known, &now);
                return None;
            }
        }
        self.crc32.update(bytes);
        self.done = end;
        if self.done == length {
            let computed = self.crc32.clone().finalize();
            if let Written::Digest { crc32, .. } = data {
                if *crc32 != computed && self.long_writes == LongWrites::Content {
                    self.differ(format!("{length} bytes with CRC-32 {computed:08X}"));
                    return None;
                }
            }
            self.advance();
        }
        Some(count)
    }
}

impl World for Replayer {
    fn now(&self) -> Instant {
        self.clock
    }

    fn wait(&mut self, interests: &[Interest], deadline: Instant) -> Wake {
        let writable = interests.iter().find_map(|interest| match interest {
            Interest::Writable(port) => Some(Wake::Writable(*port)),
            _ => None,
        });
        let dead = interests.iter().find_map(|interest| match interest {
            Interest::Readable(port) if self.is_dead(*port) => Some(Wake::Readable(*port)),
            Interest::Writable(port) if self.is_dead(*port) => Some(Wake::Writable(*port)),
            _ => None,
        });
        if let Some(wake) = dead {
            return wake;
        }
        // Each round passes over one entry or returns.
        loop {
            self.skip_answers(deadline);
            if self.has_bus_changed && interests.contains(&Interest::Bus) {
                self.has_bus_changed = false;
                return Wake::BusChanged;
            }
            let Some(entry) = self.next().filter(|entry| entry.at <= deadline) else {
                break;
            };
            let at = entry.at;
            let wake = match &entry.event {
                Event::Cancelled => Wake::Cancelled,
                Event::BusChanged => {
                    self.clock = self.clock.max(at);
                    self.has_bus_changed = true;
                    self.advance();
                    continue;
                }
                Event::Read { port, .. } if interests.contains(&Interest::Readable(*port)) => {
                    Wake::Readable(*port)
                }
                Event::Failed { port, .. } if interests.contains(&Interest::Readable(*port)) => {
                    Wake::Readable(*port)
                }
                Event::Failed { port, .. } | Event::Written { port, .. }
                    if interests.contains(&Interest::Writable(*port)) =>
                {
                    Wake::Writable(*port)
                }
                // The engine doesn't listen to what the modem says, so time passes.
                Event::Read { .. } | Event::Failed { .. } => break,
                // The engine did something else at this point: let the engine write, so that the difference
                // shows. If its own deadline comes first, it may have given up waiting for the port.
                _ => match writable {
                    Some(wake) if at < deadline => wake,
                    _ => break,
                },
            };
            self.clock = self.clock.max(at);
            if wake == Wake::Cancelled {
                self.advance();
            }
            return wake;
        }
        if let (None, Some(wake), false) = (self.next(), writable, self.is_cut_off()) {
            return wake;
        }
        if deadline == Instant::FAR {
            self.differ("a wait without end".to_owned());
        } else {
            self.clock = self.clock.max(deadline);
        }
        Wake::Deadline
    }

    fn open(&mut self, port: &PortId) -> Result<PortHandle, PortError> {
        let wanted = |event: &Event| matches!(event, Event::Open { port: recorded, .. } if recorded == port);
        let Some(Entry {
            event:
                Event::Open {
                    result,
                    largest_write,
                    ..
                },
            ..
        }) = self.deed(wanted)
        else {
            if !self.is_cut_off() {
                self.differ(format!("open {port}"));
            }
            return Err(PortError {
                port: port.clone(),
                kind: PortErrorKind::NotFound,
            });
        };
        if let Ok(handle) = result {
            self.dead.remove(&handle);
            self.names.insert(handle, port.clone());
            match largest_write {
                Some(bytes) => self.largest_writes.insert(handle, bytes),
                None => self.largest_writes.remove(&handle),
            };
        }
        result.map_err(|kind| PortError {
            port: port.clone(),
            kind,
        })
    }

    fn open_loader(&mut self, port: &PortInfo) -> Result<PortHandle, PortError> {
        // A trace doesn't tell through which driver a port was opened, because nothing that follows depends on it.
        self.open(&port.id)
    }

    fn try_read(&mut self, port: PortHandle, buffer: &mut [u8]) -> Result<usize, PortError> {
        if let Some(error) = self.failure(port) {
            return Err(error);
        }
        let (done, clock) = (self.done, self.clock);
        let bytes = match self.next() {
            Some(Entry {
                at,
                event: Event::Read { port: of, bytes },
                ..
            }) if *of == port && *at <= clock => bytes.get(done..).unwrap_or_default(),
            _ => return Ok(0),
        };
        let count = bytes.len().min(buffer.len());
        buffer.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        if count == bytes.len() {
            self.advance();
        } else {
            self.done += count;
        }
        Ok(count)
    }

    fn try_write(&mut self, port: PortHandle, bytes: &[u8]) -> Result<usize, PortError> {
        if let Some(error) = self.failure(port) {
            return Err(error);
        }
        if bytes.is_empty() {
            return Ok(0);
        }
        self.skip_answers(Instant::FAR);
        if self.is_cut_off() {
            return Err(self.error(port, PortErrorKind::Gone));
        }
        match self.next().cloned() {
            Some(Entry {
                at,
                event: Event::Written { port: of, data },
                ..
            }) if of == port => {
                self.clock = self.clock.max(at);
                let is_whole = self.is_whole(port, &data, bytes);
                let count = is_whole.then(|| self.compare(&data, bytes)).flatten();
                count.ok_or_else(|| self.error(port, PortErrorKind::Gone))
            }
            // In the trace the modem says something before the port takes more.
            Some(Entry {
                event: Event::Read { port: of, .. } | Event::Failed { port: of, .. },
                ..
            }) if of == port => Ok(0),
            Some(Entry {
                event: Event::BusChanged | Event::Cancelled,
                ..
            }) => Ok(0),
            // In the trace the port took nothing more until then: the modem stood still, and the engine
            // waited.
            Some(entry) if entry.at > self.clock => Ok(0),
            _ => {
                let shown = bytes.get(..SHOWN).unwrap_or(bytes);
                self.differ(format!(">> {} {} ({} bytes)", port.0, hex(shown), bytes.len()));
                Err(self.error(port, PortErrorKind::Gone))
            }
        }
    }

    fn largest_write(&mut self, port: PortHandle) -> usize {
        self.largest_writes.get(&port).copied().unwrap_or(usize::MAX)
    }

    fn close(&mut self, port: PortHandle) {
        let is_done = self.deed(|event| *event == Event::Close(port)).is_some();
        if !is_done && !self.is_cut_off() {
            self.place = self.next_deed().unwrap_or(self.entries.len());
            self.differ(format!("close {}", port.0));
        }
    }

    fn find(&mut self, name: &str) -> Result<PortInfo, DiscoveryError> {
        self.next_answer();
        let recorded = |entry: &Entry| match &entry.event {
            Event::Find { name: asked, answer } if asked == name => Some(answer.clone()),
            _ => None,
        };
        let later = || self.entries.iter().skip(self.place).find_map(recorded);
        let unknown = || {
            Err(DiscoveryError::NotFound {
                name: name.to_owned(),
            })
        };
        self.found
            .get(name)
            .cloned()
            .or_else(later)
            .unwrap_or_else(unknown)
    }

    fn devices(&mut self) -> Result<Vec<Attached>, DiscoveryError> {
        self.next_answer();
        self.listed.clone().unwrap_or_else(|| Ok(Vec::new()))
    }

    fn host(&mut self) -> &mut dyn Host {
        self
    }
}

impl Replayer {
    fn is_dead(&self, port: PortHandle) -> bool {
        self.difference.is_some() || self.dead.contains_key(&port)
    }
}

impl Host for Replayer {
    fn claim(&mut self, spot: &Spot, _: &str) -> Result<(), ClaimError> {
        // A trace has a line only for a refused claim. Answers to other questions in between are remembered
        // for those questions.
        let name = spot.to_string();
        let ahead = self.entries.iter().skip(self.place);
        let refused = ahead
            .take_while(|entry| is_answer(&entry.event))
            .position(|entry| matches!(&entry.event, Event::Locked { spot, .. } if *spot == name));
        for _ in 0..refused.map_or(0, |place| place + 1) {
            self.remember();
        }
        match self.locked.remove(&name) {
            Some(holder) => Err(ClaimError::Held(holder)),
            None => Ok(()),
        }
    }

    fn unclaim(&mut self, _: &Spot) {}

    fn holder_of(&mut self, _: &Spot) -> Option<LockHolder> {
        None
    }

    fn re_enumerate(&mut self, device: &UsbPath) -> Result<(), HostError> {
        let wanted = |event: &Event| matches!(event, Event::ReEnumerate { device: recorded, .. } if recorded == device);
        let Some(Entry {
            event: Event::ReEnumerate { result, .. },
            ..
        }) = self.deed(wanted)
        else {
            if !self.is_cut_off() {
                self.differ(format!("re-enumerate {device}"));
            }
            return Err(HostError::Unsupported {
                device: device.clone(),
            });
        };
        result
    }

    fn time_on_bus(&mut self, device: &UsbPath) -> Option<Duration> {
        self.next_answer();
        // The first traces don't have this answer.
        self.on_bus.get(device).copied().flatten()
    }

    fn keep_awake(&mut self, device: &UsbPath) -> Result<(), HostError> {
        self.next_answer();
        self.kept_awake.get(device).cloned().unwrap_or(Ok(()))
    }

    fn inhibit(&mut self, device: &UsbPath) -> Inhibition {
        self.next_answer();
        let recorded = self.inhibited.get(device).cloned();
        recorded.unwrap_or(Inhibition::NotNeeded)
    }

    fn release(&mut self, _: &UsbPath) {
        self.next_answer();
    }

    fn stay_awake(&mut self, _: &str) -> Result<(), HostError> {
        self.next_answer();
        self.stays_awake.clone().unwrap_or(Ok(()))
    }

    fn will_bind(&mut self, vendor: u16, product: u16) -> Binding {
        self.next_answer();
        // The first traces don't have this answer. The runs that they record went on, so a driver must have
        // taken the modem.
        let recorded = self.bindings.get(&(vendor, product)).cloned();
        recorded.unwrap_or(Binding::Binds)
    }

    fn pci_modems(&mut self) -> Result<Vec<PciModem>, DiscoveryError> {
        self.next_answer();
        // Traces of earlier versions don't have this answer.
        self.on_pci.clone().unwrap_or_else(|| Ok(Vec::new()))
    }
}

/// Whether this is something that the engine does to the world.
const fn is_deed(event: &Event) -> bool {
    matches!(
        event,
        Event::Open { .. } | Event::Close(_) | Event::Written { .. } | Event::ReEnumerate { .. }
    )
}

/// Whether this answers a question of the engine, or is only there for the reader.
const fn is_answer(event: &Event) -> bool {
    matches!(
        event,
        Event::Find { .. }
            | Event::Devices(_)
            | Event::KeepAwake { .. }
            | Event::Inhibit { .. }
            | Event::Release(_)
            | Event::Locked { .. }
            | Event::StayAwake(_)
            | Event::OnBus { .. }
            | Event::WillBind { .. }
            | Event::PciModems(_)
            | Event::Deadline
            | Event::End
    )
}

/// The event as the trace has it, shortened.
fn words(event: &Event) -> String {
    match event {
        Event::Written {
            port,
            data: Written::Whole(bytes),
        } => {
            let shown = bytes.get(..SHOWN).unwrap_or(bytes);
            format!(">> {} {} ({} bytes)", port.0, hex(shown), bytes.len())
        }
        Event::Written {
            port,
            data: Written::Digest {
                length, crc32, first, ..
            },
        } => {
            let shown = first.get(..SHOWN).unwrap_or(first);
            format!(
                ">> {} {} ({length} bytes with CRC-32 {crc32:08X})",
                port.0,
                hex(shown)
            )
        }
        Event::Read { port, bytes } => {
            let shown = bytes.get(..SHOWN).unwrap_or(bytes);
            format!("<< {} {} ({} bytes)", port.0, hex(shown), bytes.len())
        }
        other => {
            let line = other.line(Instant::START);
            line.split_once(' ')
                .map_or(line.clone(), |(_, what)| what.to_owned())
        }
    }
}
