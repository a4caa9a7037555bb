//! A world that records everything that passes through it.

use std::collections::HashSet;
use std::io;
use std::time::Duration;

use crate::mask::{Mask, Which, may_go_on};
use crate::trace::{self, Event, Written};
use crate::{
    Attached, Binding, ClaimError, DiscoveryError, Host, HostError, Inhibition, Instant, Interest,
    LockHolder, PciModem, PortError, PortHandle, PortId, PortInfo, Spot, UsbDevice, UsbPath, Wake, World,
};

/// Writes a trace (`docs/trace-format.md`) of another world.
///
/// Each line is flushed as soon as it is complete, so that a killed program leaves a trace that ends in the
/// middle but can be read. Writes that follow each other within [`Recorder::JOIN`] become one line. A long
/// write is recorded as its length, its checksum, and its first and last bytes. A message to a control port
/// has a line of its own and is recorded whole.
///
/// Serial numbers of devices, which may be an IMEI, are replaced by `(1)`, `(2)` … in the order in which they
/// appear. Numbers that identify a modem or a SIM are replaced by digits of the same length wherever the
/// modem says them.
///
/// A sink that fails (a full disk, for instance) never fails the run: the error is reported once, and
/// recording ends.
pub struct Recorder<'a, W> {
    world: W,
    sink: Option<Box<dyn io::Write + 'a>>,
    complain: Option<Box<dyn FnOnce(io::Error) + 'a>>,
    /// Free text that waits for the next event, because the serial numbers in the text are known only then.
    comments: Vec<String>,
    run: Option<Run>,
    heard: Option<Heard>,
    control_ports: HashSet<PortHandle>,
    serials: Vec<String>,
    mask: Mask,
}

/// Reads from one port that may have torn a number, each with its time.
struct Heard {
    port: PortHandle,
    reads: Vec<(Instant, Vec<u8>)>,
}

/// Writes that will become one line.
struct Run {
    port: PortHandle,
    started: Instant,
    latest: Instant,
    length: u64,
    crc32: crc32fast::Hasher,
    /// The first bytes, up to [`trace::WHOLE`].
    first: Vec<u8>,
    /// The last bytes, up to [`trace::LAST`].
    last: Vec<u8>,
}

impl<'a, W: World> Recorder<'a, W> {
    /// Writes with a longer pause between them get a line each, so that the trace shows back-pressure.
    pub const JOIN: std::time::Duration = std::time::Duration::from_millis(250);

    /// The most bytes that are held back while a number may be torn.
    const HELD: usize = 64 * 1024;

    /// Records `world` into `sink`. `complain` is called at most once, with the first error of the sink.
    pub fn new(world: W, sink: impl io::Write + 'a, complain: impl FnOnce(io::Error) + 'a) -> Self {
        let (sink, complain) = (Some(Box::new(sink) as Box<_>), Some(Box::new(complain) as Box<_>));
        let mut recorder = Self {
            world,
            sink,
            complain,
            comments: Vec::new(),
            run: None,
            heard: None,
            control_ports: HashSet::new(),
            serials: Vec::new(),
            mask: Mask::default(),
        };
        recorder.put(trace::TITLE.to_owned());
        recorder
    }

    /// Adds lines of free text.
    pub fn comment(&mut self, text: &str) {
        self.comments.extend(text.lines().map(|line| format!("# {line}")));
    }

    /// Ends the trace in order and gives the world back.
    pub fn finish(mut self) -> W {
        self.note(Event::End);
        self.world
    }

    fn note(&mut self, event: Event) {
        if self.sink.is_some() {
            self.end_reads();
            self.end_run();
            self.put_comments();
            let line = event.line(self.world.now());
            self.put(line);
        }
    }

    fn put_comments(&mut self) {
        for line in std::mem::take(&mut self.comments) {
            // The header of an image has digits too, but they are nobody's secret.
            let line = if line.starts_with("# image ") {
                line
            } else {
                self.masked_name(&line)
            };
            self.put(line);
        }
    }

    fn put(&mut self, mut line: String) {
        line.push('\n');
        let Some(sink) = &mut self.sink else { return };
        if let Err(error) = sink.write_all(line.as_bytes()).and_then(|()| sink.flush()) {
            self.sink = None;
            if let Some(complain) = self.complain.take() {
                complain(error);
            }
        }
    }

    fn written(&mut self, port: PortHandle, bytes: &[u8]) {
        if self.sink.is_none() {
            return;
        }
        self.end_reads();
        self.put_comments();
        let now = self.world.now();
        if self.control_ports.contains(&port) {
            self.end_run();
            let mut bytes = bytes.to_vec();
            self.mask.hide(&mut bytes, Which::Known);
            let data = Written::Whole(bytes);
            self.put(Event::Written { port, data }.line(now));
            return;
        }
        if self
            .run
            .as_ref()
            .is_some_and(|run| run.port != port || now.since(run.latest) > Self::JOIN)
        {
            self.end_run();
        }
        let run = self.run.get_or_insert_with(|| Run {
            port,
            started: now,
            latest: now,
            length: 0,
            crc32: crc32fast::Hasher::new(),
            first: Vec::new(),
            last: Vec::new(),
        });
        run.latest = now;
        run.length = run
            .length
            .saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        run.crc32.update(bytes);
        let room = trace::WHOLE.saturating_sub(run.first.len()).min(bytes.len());
        run.first.extend(bytes.iter().take(room));
        run.last
            .extend(bytes.iter().skip(bytes.len().saturating_sub(trace::LAST)));
        run.last.drain(..run.last.len().saturating_sub(trace::LAST));
    }

    fn end_run(&mut self) {
        let Some(mut run) = self.run.take() else { return };
        let is_whole = u64::try_from(run.first.len()) == Ok(run.length);
        let data = if is_whole {
            self.mask.hide(&mut run.first, Which::Known);
            Written::Whole(run.first)
        } else {
            run.first.truncate(trace::FIRST);
            Written::Digest {
                length: run.length,
                crc32: run.crc32.finalize(),
                first: run.first,
                last: run.last,
            }
        };
        let line = Event::Written { port: run.port, data }.line(run.started);
        self.put(line);
    }

    fn read(&mut self, port: PortHandle, bytes: &[u8]) {
        if self.sink.is_none() {
            return;
        }
        self.end_run();
        self.put_comments();
        if self.heard.as_ref().is_some_and(|heard| heard.port != port) {
            self.end_reads();
        }
        let now = self.world.now();
        let heard = self.heard.get_or_insert_with(|| Heard {
            port,
            reads: Vec::new(),
        });
        heard.reads.push((now, bytes.to_vec()));
        let held: usize = heard.reads.iter().map(|(_, bytes)| bytes.len()).sum();
        if !may_go_on(bytes) || held > Self::HELD {
            self.end_reads();
        }
    }

    /// Writes the reads that were held back: the numbers in them are complete now, or something else
    /// happened.
    fn end_reads(&mut self) {
        let Some(Heard { port, reads }) = self.heard.take() else {
            return;
        };
        let mut all: Vec<u8> = reads.iter().flat_map(|(_, bytes)| bytes).copied().collect();
        self.mask.hide(&mut all, Which::All);
        let mut all = all.into_iter();
        for (at, bytes) in reads {
            let bytes = all.by_ref().take(bytes.len()).collect();
            self.put(Event::Read { port, bytes }.line(at));
        }
    }

    /// The port without its serial number.
    fn masked(&mut self, mut port: PortInfo) -> PortInfo {
        if let Some(device) = &mut port.device {
            self.mask(device);
        }
        port
    }

    fn mask(&mut self, device: &mut UsbDevice) {
        if let Some(serial) = &mut device.serial {
            let known = self.serials.iter().position(|known| known == serial);
            let place = known.unwrap_or_else(|| {
                self.serials.push(serial.clone());
                self.serials.len() - 1
            });
            *serial = format!("({})", place + 1);
        }
    }

    /// A name without serial numbers; names in `/dev/serial/by-id` contain them.
    fn masked_name(&mut self, name: &str) -> String {
        // Shorter serials aren't secrets, and replacing them would tear other words apart.
        let serials = self
            .serials
            .iter()
            .enumerate()
            .filter(|(_, serial)| serial.len() >= 6);
        let name = serials.fold(name.to_owned(), |name, (place, serial)| {
            name.replace(serial, &format!("({})", place + 1))
        });
        self.mask.hide_text(&name, Which::All)
    }

    fn failed<T>(&mut self, port: PortHandle, result: Result<T, PortError>) -> Result<T, PortError> {
        if let Err(error) = &result {
            self.note(Event::Failed {
                port,
                kind: error.kind.clone(),
            });
        }
        result
    }
}

impl<W: World> Recorder<'_, W> {
    /// Notes how a port was opened.
    fn opened(
        &mut self,
        port: &PortId,
        result: Result<PortHandle, PortError>,
    ) -> Result<PortHandle, PortError> {
        let noted = result.as_ref().copied().map_err(|error| error.kind.clone());
        let largest_write = result
            .as_ref()
            .ok()
            .map(|&handle| self.world.largest_write(handle))
            .filter(|&bytes| bytes != usize::MAX);
        if let Ok(handle) = result {
            self.control_ports.remove(&handle);
            if largest_write.is_some() {
                self.control_ports.insert(handle);
            }
        }
        self.note(Event::Open {
            port: port.clone(),
            result: noted,
            largest_write,
        });
        result
    }
}

impl<W: World> World for Recorder<'_, W> {
    fn now(&self) -> Instant {
        self.world.now()
    }

    fn wait(&mut self, interests: &[Interest], deadline: Instant) -> Wake {
        let wake = self.world.wait(interests, deadline);
        match wake {
            // The read or write that follows is recorded.
            Wake::Readable(_) | Wake::Writable(_) => {}
            Wake::BusChanged => self.note(Event::BusChanged),
            Wake::Cancelled => self.note(Event::Cancelled),
            Wake::Deadline => self.note(Event::Deadline),
        }
        wake
    }

    fn open(&mut self, port: &PortId) -> Result<PortHandle, PortError> {
        let result = self.world.open(port);
        self.opened(port, result)
    }

    fn open_loader(&mut self, port: &PortInfo) -> Result<PortHandle, PortError> {
        let result = self.world.open_loader(port);
        self.opened(&port.id, result)
    }

    fn try_read(&mut self, port: PortHandle, buffer: &mut [u8]) -> Result<usize, PortError> {
        let result = self.world.try_read(port, buffer);
        if let Some(bytes) = result.as_ref().ok().and_then(|&count| buffer.get(..count)) {
            if !bytes.is_empty() {
                self.read(port, bytes);
            }
        }
        self.failed(port, result)
    }

    fn try_write(&mut self, port: PortHandle, bytes: &[u8]) -> Result<usize, PortError> {
        let result = self.world.try_write(port, bytes);
        if let Some(taken) = result.as_ref().ok().and_then(|&count| bytes.get(..count)) {
            if !taken.is_empty() {
                self.written(port, taken);
            }
        }
        self.failed(port, result)
    }

    fn largest_write(&mut self, port: PortHandle) -> usize {
        self.world.largest_write(port)
    }

    fn close(&mut self, port: PortHandle) {
        self.world.close(port);
        self.note(Event::Close(port));
    }

    fn find(&mut self, name: &str) -> Result<PortInfo, DiscoveryError> {
        let result = self.world.find(name);
        let answer = result.clone().map(|port| self.masked(port));
        let name = self.masked_name(name);
        self.note(Event::Find { name, answer });
        result
    }

    fn devices(&mut self) -> Result<Vec<Attached>, DiscoveryError> {
        let result = self.world.devices();
        let mut answer = result.clone();
        for attached in answer.iter_mut().flatten() {
            self.mask(&mut attached.device);
            let ports = attached.ports.iter_mut();
            ports
                .filter_map(|port| port.device.as_mut())
                .for_each(|device| self.mask(device));
        }
        self.note(Event::Devices(answer));
        result
    }

    fn host(&mut self) -> &mut dyn Host {
        self
    }
}

impl<W: World> Host for Recorder<'_, W> {
    fn claim(&mut self, spot: &Spot, verb: &str) -> Result<(), ClaimError> {
        let result = self.world.host().claim(spot, verb);
        if let Err(ClaimError::Held(holder)) = &result {
            let spot = self.masked_name(&spot.to_string());
            let holder = holder.clone();
            self.note(Event::Locked { spot, holder });
        }
        result
    }

    fn unclaim(&mut self, spot: &Spot) {
        self.world.host().unclaim(spot);
    }

    fn holder_of(&mut self, spot: &Spot) -> Option<LockHolder> {
        self.world.host().holder_of(spot)
    }

    fn re_enumerate(&mut self, device: &UsbPath) -> Result<(), HostError> {
        let result = self.world.host().re_enumerate(device);
        self.note(Event::ReEnumerate {
            device: device.clone(),
            result: result.clone(),
        });
        result
    }

    fn time_on_bus(&mut self, device: &UsbPath) -> Option<Duration> {
        let answer = self.world.host().time_on_bus(device);
        self.note(Event::OnBus {
            device: device.clone(),
            answer,
        });
        answer
    }

    fn keep_awake(&mut self, device: &UsbPath) -> Result<(), HostError> {
        let result = self.world.host().keep_awake(device);
        self.note(Event::KeepAwake {
            device: device.clone(),
            result: result.clone(),
        });
        result
    }

    fn inhibit(&mut self, device: &UsbPath) -> Inhibition {
        let answer = self.world.host().inhibit(device);
        self.note(Event::Inhibit {
            device: device.clone(),
            answer: answer.clone(),
        });
        answer
    }

    fn release(&mut self, device: &UsbPath) {
        self.world.host().release(device);
        self.note(Event::Release(device.clone()));
    }

    fn stay_awake(&mut self, why: &str) -> Result<(), HostError> {
        let result = self.world.host().stay_awake(why);
        self.note(Event::StayAwake(result.clone()));
        result
    }

    fn will_bind(&mut self, vendor: u16, product: u16) -> Binding {
        let answer = self.world.host().will_bind(vendor, product);
        self.note(Event::WillBind {
            vendor,
            product,
            answer: answer.clone(),
        });
        answer
    }

    fn pci_modems(&mut self) -> Result<Vec<PciModem>, DiscoveryError> {
        let answer = self.world.host().pci_modems();
        self.note(Event::PciModems(answer.clone()));
        answer
    }
}
