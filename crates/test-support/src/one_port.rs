//! A world with one port.

use std::ops::{Deref, DerefMut};
use std::time::Duration;

use modem_world::{
    Attached, Binding, ClaimError, DiscoveryError, Host, HostError, Inhibition, Instant, Interest,
    LockHolder, PortError, PortErrorKind, PortHandle, PortId, PortInfo, Spot, UsbPath, Wake, World,
};

/// The handle of the port.
pub const PORT: PortHandle = PortHandle(1);

/// What is behind the port of a [`OnePort`], and what of its world isn't as usual. The port can always be opened.
pub trait Behind {
    /// The port's name in errors.
    const ID: &'static str;

    /// [`World::now`].
    fn now(&self) -> Instant;

    /// [`World::wait`].
    fn wait(&mut self, interests: &[Interest], deadline: Instant) -> Wake;

    /// [`World::try_read`].
    ///
    /// # Errors
    /// What the test wants the port to say.
    fn try_read(&mut self, buffer: &mut [u8]) -> Result<usize, PortErrorKind>;

    /// [`World::try_write`].
    ///
    /// # Errors
    /// What the test wants the port to say.
    fn try_write(&mut self, bytes: &[u8]) -> Result<usize, PortErrorKind>;

    /// [`World::largest_write`]: usually as of a serial port.
    fn largest_write(&self) -> usize {
        usize::MAX
    }

    /// [`World::find`]: usually there is nothing of any name.
    ///
    /// # Errors
    /// There is nothing of this name.
    fn find(&self, name: &str) -> Result<PortInfo, DiscoveryError> {
        Err(DiscoveryError::NotFound {
            name: name.to_owned(),
        })
    }

    /// [`World::devices`]: usually none.
    fn devices(&self) -> Vec<Attached> {
        Vec::new()
    }

    /// [`Host::claim`]: usually every spot is free.
    ///
    /// # Errors
    /// Another run has it.
    fn claim(&mut self, _: &Spot) -> Result<(), ClaimError> {
        Ok(())
    }

    /// [`Host::inhibit`]: usually no ModemManager runs.
    fn inhibit(&mut self) -> Inhibition {
        Inhibition::NotNeeded
    }

    /// [`Host::stay_awake`]: usually the host can do it.
    ///
    /// # Errors
    /// The host can't do it.
    fn stay_awake(&mut self) -> Result<(), HostError> {
        Ok(())
    }
}

/// A world with one port and what is behind it. Its host can't enumerate a device anew, keeps everything awake, and has no driver
/// for a modem in download mode.
#[derive(Debug, Default)]
pub struct OnePort<B>(pub B);

impl<B> Deref for OnePort<B> {
    type Target = B;

    fn deref(&self) -> &B {
        &self.0
    }
}

impl<B> DerefMut for OnePort<B> {
    fn deref_mut(&mut self) -> &mut B {
        &mut self.0
    }
}

impl<B: Behind> World for OnePort<B> {
    fn now(&self) -> Instant {
        self.0.now()
    }
    fn wait(&mut self, interests: &[Interest], deadline: Instant) -> Wake {
        self.0.wait(interests, deadline)
    }
    fn open(&mut self, _: &PortId) -> Result<PortHandle, PortError> {
        Ok(PORT)
    }
    fn open_loader(&mut self, port: &PortInfo) -> Result<PortHandle, PortError> {
        self.open(&port.id)
    }
    fn try_read(&mut self, _: PortHandle, buffer: &mut [u8]) -> Result<usize, PortError> {
        self.0.try_read(buffer).map_err(error::<B>)
    }
    fn try_write(&mut self, _: PortHandle, bytes: &[u8]) -> Result<usize, PortError> {
        self.0.try_write(bytes).map_err(error::<B>)
    }
    fn largest_write(&mut self, _: PortHandle) -> usize {
        self.0.largest_write()
    }
    fn close(&mut self, _: PortHandle) {}
    fn find(&mut self, name: &str) -> Result<PortInfo, DiscoveryError> {
        self.0.find(name)
    }
    fn devices(&mut self) -> Result<Vec<Attached>, DiscoveryError> {
        Ok(self.0.devices())
    }
    fn host(&mut self) -> &mut dyn Host {
        self
    }
}

fn error<B: Behind>(kind: PortErrorKind) -> PortError {
    PortError {
        port: PortId::new(B::ID),
        kind,
    }
}

impl<B: Behind> Host for OnePort<B> {
    fn claim(&mut self, spot: &Spot, _: &str) -> Result<(), ClaimError> {
        self.0.claim(spot)
    }
    fn unclaim(&mut self, _: &Spot) {}
    fn holder_of(&mut self, _: &Spot) -> Option<LockHolder> {
        None
    }
    fn re_enumerate(&mut self, device: &UsbPath) -> Result<(), HostError> {
        Err(HostError::Unsupported {
            device: device.clone(),
        })
    }
    fn time_on_bus(&mut self, _: &UsbPath) -> Option<Duration> {
        None
    }
    fn keep_awake(&mut self, _: &UsbPath) -> Result<(), HostError> {
        Ok(())
    }
    fn inhibit(&mut self, _: &UsbPath) -> Inhibition {
        self.0.inhibit()
    }
    fn release(&mut self, _: &UsbPath) {}
    fn stay_awake(&mut self, _: &str) -> Result<(), HostError> {
        self.0.stay_awake()
    }
    fn will_bind(&mut self, _: u16, _: u16) -> Binding {
        Binding::WontBind
    }
}
