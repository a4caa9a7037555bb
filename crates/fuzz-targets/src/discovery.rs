//! Messages of the kernel.

use modem_discovery::Uevent;

/// Parses a uevent message.
pub(crate) fn uevent(bytes: &[u8]) {
    if let Ok(event) = Uevent::parse(bytes) {
        assert!(event.device_path.starts_with('/'));
        if let (Some(device), Some(directory)) = (event.usb_device(), event.usb_device_directory()) {
            assert!(directory.starts_with("/sys/") && directory.ends_with(device.as_str()));
        }
        event.interface();
        event.concerns_ports();
    }
}
