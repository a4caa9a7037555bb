//! The world that a verb works in: this host, or virtual modems.

use modem_transport::LinuxWorld;
use modem_world::{Recorder, World};

use crate::arguments::Arguments;
use crate::ask::Asker;
use crate::failure::VerbFailure;
use crate::worlds::linux_world;
#[cfg(feature = "rehearse")]
use crate::worlds::virtual_bus;

/// The world that a verb works in.
pub(crate) struct ChosenWorld {
    kind: WorldKind,
    verbose: u8,
    asker: Asker,
}

enum WorldKind {
    /// This host.
    Linux(Box<LinuxWorld>),
    /// A bus with virtual modems. Its clock jumps, so nothing waits.
    #[cfg(feature = "rehearse")]
    Virtual(Box<virtual_modem::simulated::SimulatedWorld>),
}

impl ChosenWorld {
    /// The world that the command line asks for. Signals stop what a verb does in this world.
    pub(crate) fn of(arguments: &Arguments) -> Result<Self, VerbFailure> {
        #[cfg(feature = "rehearse")]
        let models = arguments.models.as_slice();
        #[cfg(not(feature = "rehearse"))]
        let models = &[];
        Self::with(models, arguments.verbose)
    }

    /// A bus with virtual modems of these models, or this host if the list is empty.
    pub(crate) fn with(models: &[String], verbose: u8) -> Result<Self, VerbFailure> {
        let kind = match models {
            #[cfg(feature = "rehearse")]
            [_, ..] => WorldKind::Virtual(Box::new(virtual_bus::bus(models)?)),
            _ => WorldKind::Linux(Box::new(linux_world::with_signals()?)),
        };
        // Make the asker after the world, so that no signal is lost between the two.
        let asker = Asker::new()?;
        Ok(Self { kind, verbose, asker })
    }

    /// The world.
    pub(crate) fn world(&mut self) -> &mut dyn World {
        self.parts().0
    }

    /// What asks the user.
    pub(crate) fn asker(&self) -> &Asker {
        &self.asker
    }

    /// The world, and what asks the user.
    pub(crate) fn parts(&mut self) -> (&mut dyn World, &Asker) {
        let world: &mut dyn World = match &mut self.kind {
            WorldKind::Linux(world) => world.as_mut(),
            #[cfg(feature = "rehearse")]
            WorldKind::Virtual(world) => world.as_mut(),
        };
        (world, &self.asker)
    }

    /// Talks to a modem in this world. With `-vvv` the bytes on the wire are printed.
    pub(crate) fn talk<T>(&mut self, job: impl FnOnce(&mut dyn World) -> T) -> T {
        let verbose = self.verbose;
        overheard(self.world(), verbose, job)
    }

    /// Whether the clock of this world is virtual. Such a clock jumps to the next deadline, so code that waits again and again
    /// would loop for ever.
    pub(crate) fn is_virtual(&self) -> bool {
        !matches!(self.kind, WorldKind::Linux(_))
    }

    /// Puts back the settings of the host that were changed, and warns if that fails. On a virtual bus, prints what the modems
    /// complain about.
    pub(crate) fn finish(self) {
        match self.kind {
            WorldKind::Linux(world) => linux_world::finish(*world),
            #[cfg(feature = "rehearse")]
            WorldKind::Virtual(world) => virtual_bus::complaints(&world),
        }
    }
}

/// Does a job in a world. With `-vvv`, everything that passes the ports is printed on standard error in the format of a trace
/// (docs/trace-format.md).
pub(crate) fn overheard<T>(world: &mut dyn World, verbose: u8, job: impl FnOnce(&mut dyn World) -> T) -> T {
    if verbose < 3 {
        return job(world);
    }
    // Ignore errors: if the reader of standard error went away, the update must go on.
    let mut recorder = Recorder::new(world, std::io::stderr(), |_| ());
    let result = job(&mut recorder);
    recorder.finish();
    result
}

/// The worlds of several workers.
pub(crate) struct WorkerWorlds {
    /// One world for each worker. A signal reaches all of them.
    pub(crate) worlds: Vec<Box<dyn World + Send>>,
    /// The virtual bus that the workers share.
    #[cfg(feature = "rehearse")]
    shared: Option<virtual_modem::simulated::Shared>,
}

impl ChosenWorld {
    /// Replaces this world by worlds for this many workers. The asker that is returned knows of every signal since it was made.
    pub(crate) fn into_workers(self, count: usize) -> Result<(WorkerWorlds, Asker), VerbFailure> {
        let crew = match self.kind {
            WorldKind::Linux(world) => {
                let mut worlds: Vec<Box<dyn World + Send>> = Vec::new();
                for _ in 0..count {
                    worlds.push(Box::new(linux_world::with_signals()?));
                }
                // End this world only now, so that a signal always reaches at least one world.
                linux_world::finish(*world);
                WorkerWorlds {
                    worlds,
                    #[cfg(feature = "rehearse")]
                    shared: None,
                }
            }
            #[cfg(feature = "rehearse")]
            WorldKind::Virtual(world) => {
                let shared = virtual_modem::simulated::Shared::new(*world, count);
                let workers = (0..count).filter_map(|number| shared.worker(number));
                WorkerWorlds {
                    worlds: workers
                        .map(|worker| Box::new(worker) as Box<dyn World + Send>)
                        .collect(),
                    shared: Some(shared),
                }
            }
        };
        Ok((crew, self.asker))
    }
}

impl WorkerWorlds {
    /// Call this when all workers are done: on a virtual bus, prints what the modems complain about.
    pub(crate) fn finish(self) {
        #[cfg(feature = "rehearse")]
        if let Some(world) = self.shared.and_then(virtual_modem::simulated::Shared::into_world) {
            virtual_bus::complaints(&world);
        }
    }
}
