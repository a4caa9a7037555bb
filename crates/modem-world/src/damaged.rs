//! A world that damages the traffic as real ports do on bad days. A correct engine survives all of this
//! damage.

use std::collections::HashMap;
use std::time::Duration;

use crate::{
    Attached, DiscoveryError, Host, Instant, Interest, PortError, PortHandle, PortId, PortInfo, Wake, World,
};

/// Which damage happens how often. All chances are in percent; 100 or more means always.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damage {
    /// A read returns only a part of what is there.
    pub short_reads: u8,
    /// A write takes only a part of the bytes.
    pub short_writes: u8,
    /// A read returns nothing although something is there, as after a signal. Never twice in a row.
    pub empty_reads: u8,
    /// A write takes nothing although the port is writable, as after a signal. Never twice in a row.
    pub empty_writes: u8,
    /// A wait reports something that didn't happen. Never twice in a row.
    pub false_wakes: u8,
    /// Bytes arrive late.
    pub delays: u8,
    /// The longest delay of late bytes.
    pub longest_delay: Duration,
}

impl Damage {
    /// Everything, often.
    pub const WILD: Self = Self {
        short_reads: 60,
        short_writes: 60,
        empty_reads: 30,
        empty_writes: 30,
        false_wakes: 30,
        delays: 20,
        longest_delay: Duration::from_millis(200),
    };
    /// All reads and writes are shortened, most of them to a few bytes; no other damage.
    pub const SPLIT: Self = Self {
        short_reads: 100,
        short_writes: 100,
        empty_reads: 0,
        empty_writes: 0,
        false_wakes: 0,
        delays: 0,
        longest_delay: Duration::ZERO,
    };
}

/// Damages the traffic of another world. The same seed and the same calls give the same damage.
#[derive(Debug)]
pub struct Damaged<W> {
    world: W,
    damage: Damage,
    dice: Dice,
    /// Ports whose bytes are held back, each with the time at which they are released.
    held: HashMap<PortHandle, Instant>,
    /// Whether the next read may come back empty. Like the next two fields, this keeps a damage from
    /// happening twice in a row.
    may_read_nothing: bool,
    may_write_nothing: bool,
    may_wake_falsely: bool,
}

impl<W: World> Damaged<W> {
    /// Damages `world`.
    pub fn new(world: W, damage: Damage, seed: u64) -> Self {
        Self {
            world,
            damage,
            dice: Dice(seed),
            held: HashMap::new(),
            may_read_nothing: true,
            may_write_nothing: true,
            may_wake_falsely: true,
        }
    }

    /// Gives the world back.
    pub fn into_inner(self) -> W {
        self.world
    }

    /// A shorter length, at least 1, if the dice decide so; otherwise `length`.
    fn shortened(&mut self, length: usize, chance: u8) -> usize {
        if length < 2 || !self.dice.falls(chance) {
            return length;
        }
        // Mostly a few bytes, because cuts inside headers and frames are the interesting ones.
        let most = if self.dice.falls(75) {
            length.min(16)
        } else {
            length
        };
        let below = u64::try_from(most).unwrap_or(u64::MAX);
        usize::try_from(self.dice.below(below)).unwrap_or(0).max(1)
    }

    fn is_held(&self, port: PortHandle) -> bool {
        self.held
            .get(&port)
            .is_some_and(|&until| self.world.now() < until)
    }
}

impl<W: World> World for Damaged<W> {
    fn now(&self) -> Instant {
        self.world.now()
    }

    fn wait(&mut self, interests: &[Interest], deadline: Instant) -> Wake {
        let is_false = self.may_wake_falsely && self.dice.falls(self.damage.false_wakes);
        self.may_wake_falsely = !is_false;
        let false_wake = interests.first().map(|interest| match interest {
            Interest::Readable(port) => Wake::Readable(*port),
            Interest::Writable(port) => Wake::Writable(*port),
            Interest::Bus => Wake::BusChanged,
        });
        if let (true, Some(wake)) = (is_false, false_wake) {
            return wake;
        }
        let is_held =
            |interest: &Interest| matches!(interest, Interest::Readable(port) if self.is_held(*port));
        let (held, free): (Vec<Interest>, Vec<Interest>) = interests.iter().copied().partition(is_held);
        let released = held.iter().filter_map(|interest| match interest {
            Interest::Readable(port) => self.held.get(port).map(|&until| (until, *port)),
            _ => None,
        });
        match released.min().filter(|(until, _)| *until < deadline) {
            None => self.world.wait(&free, deadline),
            Some((until, port)) => match self.world.wait(&free, until) {
                // The held-back bytes are released now, if there were any.
                Wake::Deadline => Wake::Readable(port),
                wake => wake,
            },
        }
    }

    fn open(&mut self, port: &PortId) -> Result<PortHandle, PortError> {
        self.world.open(port)
    }

    fn open_loader(&mut self, port: &PortInfo) -> Result<PortHandle, PortError> {
        self.world.open_loader(port)
    }

    fn try_read(&mut self, port: PortHandle, buffer: &mut [u8]) -> Result<usize, PortError> {
        if self.is_held(port) {
            return Ok(0);
        }
        // Bytes are held back only once.
        let was_held = self.held.remove(&port).is_some();
        if !was_held && self.damage.longest_delay > Duration::ZERO && self.dice.falls(self.damage.delays) {
            let longest = u64::try_from(self.damage.longest_delay.as_micros()).unwrap_or(u64::MAX);
            let delay = Duration::from_micros(self.dice.below(longest).saturating_add(1));
            self.held.insert(port, self.world.now() + delay);
            return Ok(0);
        }
        let is_empty = self.may_read_nothing && self.dice.falls(self.damage.empty_reads);
        self.may_read_nothing = !is_empty;
        if is_empty {
            return Ok(0);
        }
        let length = self.shortened(buffer.len(), self.damage.short_reads);
        match buffer.get_mut(..length) {
            Some(part) => self.world.try_read(port, part),
            None => self.world.try_read(port, buffer),
        }
    }

    fn try_write(&mut self, port: PortHandle, bytes: &[u8]) -> Result<usize, PortError> {
        let is_empty = self.may_write_nothing && self.dice.falls(self.damage.empty_writes);
        self.may_write_nothing = !is_empty;
        if is_empty {
            return Ok(0);
        }
        // On a control port a write is a message, and the kernel doesn't cut messages.
        if self.world.largest_write(port) != usize::MAX {
            return self.world.try_write(port, bytes);
        }
        let length = self.shortened(bytes.len(), self.damage.short_writes);
        self.world.try_write(port, bytes.get(..length).unwrap_or(bytes))
    }

    fn largest_write(&mut self, port: PortHandle) -> usize {
        self.world.largest_write(port)
    }

    fn close(&mut self, port: PortHandle) {
        self.held.remove(&port);
        self.world.close(port);
    }

    fn find(&mut self, name: &str) -> Result<PortInfo, DiscoveryError> {
        self.world.find(name)
    }

    fn devices(&mut self) -> Result<Vec<Attached>, DiscoveryError> {
        self.world.devices()
    }

    fn host(&mut self) -> &mut dyn Host {
        self.world.host()
    }
}

/// Random numbers from a seed (SplitMix64, public domain).
#[derive(Debug)]
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`; 0 for limit 0.
    fn below(&mut self, limit: u64) -> u64 {
        self.next().checked_rem(limit).unwrap_or(0)
    }

    fn falls(&mut self, percent: u8) -> bool {
        self.below(100) < u64::from(percent)
    }
}
