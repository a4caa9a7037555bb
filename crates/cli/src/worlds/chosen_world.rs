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
    /// A bus with virtual modems, without waiting.
    #[cfg(feature = "rehearse")]
    Virtual(Box<virtual_modem::simulated::SimulatedWorld>),
}

impl ChosenWorld {
    /// The world that the command line asks for; signals stop what is done in it.
    pub(crate) fn of(arguments: &Arguments) -> Result<Self, VerbFailure> {
        #[cfg(feature = "rehearse")]
        let models = arguments.models.as_slice();
        #[cfg(not(feature = "rehearse"))]
        let models = &[];
        Self::with(models, arguments.verbose)
    }

    /// A bus with virtual modems of these models; this host where there are none.
    pub(crate) fn with(models: &[String], verbose: u8) -> Result<Self, VerbFailure> {
        let kind = match models {
            #[cfg(feature = "rehearse")]
            [_, ..] => WorldKind::Virtual(Box::new(virtual_bus::bus(models)?)),
            _ => WorldKind::Linux(Box::new(linux_world::with_signals()?)),
        };
        // After the world: so no signal is lost between the two.
        let asker = Asker::new()?;
        Ok(Self { kind, verbose, asker })
    }

    /// The world itself.
    pub(crate) fn world(&mut self) -> &mut dyn World {
        self.parts().0
    }

    /// Who asks the user.
    pub(crate) fn asker(&self) -> &Asker {
        &self.asker
    }

    /// Both.
    pub(crate) fn parts(&mut self) -> (&mut dyn World, &Asker) {
        let world: &mut dyn World = match &mut self.kind {
            WorldKind::Linux(world) => world.as_mut(),
            #[cfg(feature = "rehearse")]
            WorldKind::Virtual(world) => world.as_mut(),
        };
        (world, &self.asker)
    }

    /// Talks to a modem in this world; with `-vvv` the bytes are told.
    pub(crate) fn talk<T>(&mut self, job: impl FnOnce(&mut dyn World) -> T) -> T {
        let verbose = self.verbose;
        overheard(self.world(), verbose, job)
    }

    /// Whether its clock is virtual, so that waiting for nothing would never end.
    pub(crate) fn is_virtual(&self) -> bool {
        !matches!(self.kind, WorldKind::Linux(_))
    }

    /// Puts back what was changed on the host; what can't be put back is said.
    pub(crate) fn finish(self) {
        match self.kind {
            WorldKind::Linux(world) => linux_world::finish(*world),
            #[cfg(feature = "rehearse")]
            WorldKind::Virtual(world) => virtual_bus::complaints(&world),
        }
    }
}

/// Does something in a world; with `-vvv` all that passes the ports goes to standard error, as a trace has it (docs/trace-format.md).
pub(crate) fn overheard<T>(world: &mut dyn World, verbose: u8, job: impl FnOnce(&mut dyn World) -> T) -> T {
    if verbose < 3 {
        return job(world);
    }
    // Nobody may be reading any more: that must not end a flash.
    let mut recorder = Recorder::new(world, std::io::stderr(), |_| ());
    let result = job(&mut recorder);
    recorder.finish();
    result
}

/// The worlds of several workers.
pub(crate) struct WorkerWorlds {
    /// One for each. A signal reaches all of them.
    pub(crate) worlds: Vec<Box<dyn World + Send>>,
    /// The virtual bus that they share.
    #[cfg(feature = "rehearse")]
    shared: Option<virtual_modem::simulated::Shared>,
}

impl ChosenWorld {
    /// Worlds for so many workers, instead of this one; and who has heard each signal up to now and later.
    pub(crate) fn into_workers(self, count: usize) -> Result<(WorkerWorlds, Asker), VerbFailure> {
        let crew = match self.kind {
            WorldKind::Linux(world) => {
                let mut worlds: Vec<Box<dyn World + Send>> = Vec::new();
                for _ in 0..count {
                    worlds.push(Box::new(linux_world::with_signals()?));
                }
                // Only now, so that a signal always reaches somebody.
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
    /// When all workers are done: what a virtual modem complains about is said.
    pub(crate) fn finish(self) {
        #[cfg(feature = "rehearse")]
        if let Some(world) = self.shared.and_then(virtual_modem::simulated::Shared::into_world) {
            virtual_bus::complaints(&world);
        }
    }
}
