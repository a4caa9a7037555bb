//! What every part of a run shares: the world, the sink for events, where the modem is, and what is true of it.

use modem_world::{Instant, PortHandle, PortInfo, UsbDevice, Wake, World};

use crate::driver::Buffers;
use crate::event::seconds;
use crate::{Cause, DeviceId, Event, EventKind, ModemState, Step, UpdateError};

/// A run on one modem.
pub(crate) struct Run<'r> {
    pub(crate) world: &'r mut dyn World,
    sink: &'r mut dyn FnMut(&Event),
    /// The name under which the user knows the port.
    pub(crate) port_name: String,
    /// The port as it is now.
    pub(crate) port: PortInfo,
    /// The device as it was found at the start: where it comes back to.
    pub(crate) home: Option<UsbDevice>,
    /// The open port.
    pub(crate) handle: Option<PortHandle>,
    pub(crate) device: DeviceId,
    pub(crate) buffers: Buffers,
    /// How often the user has asked to stop.
    pub(crate) stops: u32,
    /// When the modem was seen to come onto the bus in this run.
    pub(crate) came: Option<Instant>,
    step: Step,
    step_since: Instant,
    modem: ModemState,
    progress: f64,
}

impl<'r> Run<'r> {
    pub(crate) fn new(
        world: &'r mut dyn World,
        sink: &'r mut dyn FnMut(&Event),
        port_name: &str,
        port: PortInfo,
        device: DeviceId,
    ) -> Self {
        let step_since = world.now();
        Self {
            world,
            sink,
            port_name: port_name.to_owned(),
            home: port.device.clone(),
            port,
            handle: None,
            device,
            buffers: Buffers::default(),
            stops: 0,
            came: None,
            step: Step::CheckDevice,
            step_since,
            modem: ModemState::Untouched,
            progress: 0.0,
        }
    }

    /// Tells an event.
    pub(crate) fn tell(&mut self, kind: EventKind) {
        let event = Event::new(self.world.now(), &self.device, kind);
        (self.sink)(&event);
    }

    /// Begins a step.
    pub(crate) fn begin(&mut self, step: Step) {
        tracing::info!(device = %self.device, ?step, "step");
        self.step_since = self.world.now();
        self.step = step.clone();
        let progress = self.progress;
        self.tell(EventKind::StepStarted { step, progress });
    }

    /// Ends the present step; the whole run has come this far.
    pub(crate) fn finish(&mut self, progress: f64) {
        let progress = self.advance(progress);
        let took_s = seconds(self.world.now().since(self.step_since));
        let step = self.step.clone();
        self.tell(EventKind::StepFinished { step, took_s, progress });
    }

    /// Notes how far the run has come; never backwards.
    pub(crate) fn advance(&mut self, progress: f64) -> f64 {
        self.progress = self.progress.max(progress.clamp(0.0, 1.0));
        self.progress
    }

    /// The present step.
    pub(crate) fn step(&self) -> &Step {
        &self.step
    }

    /// What is true of the modem.
    pub(crate) fn modem(&self) -> ModemState {
        self.modem
    }

    /// Notes what is true of the modem now.
    pub(crate) fn set_modem(&mut self, modem: ModemState) {
        if self.modem != modem {
            self.modem = modem;
            self.tell(EventKind::ModemStateChanged { modem });
        }
    }

    /// Notes that bytes go to the modem for the first time.
    pub(crate) fn touched(&mut self) {
        if self.modem == ModemState::Untouched {
            self.set_modem(ModemState::Unknown);
        }
    }

    /// An error in the present step and state.
    pub(crate) fn error(&self, cause: Cause) -> UpdateError {
        UpdateError::new(&self.device, self.step.clone(), self.modem, cause)
    }

    /// Looks whether a wake-up is a wish to stop.
    pub(crate) fn heed(&mut self, wake: Wake) -> Result<(), Cause> {
        if wake == Wake::Cancelled {
            self.stops = self.stops.saturating_add(1);
            return Err(Cause::Stopped { how: "stopped at once; nothing of an image was under way" });
        }
        Ok(())
    }
}
