//! Modems with a USB id that no driver has, and what was done about it before `modemflash` is asked.

use crate::scenario::{Bus, Files, Modem, Scenario, Task, When, scenario};
use virtual_modem::ControlProtocol::{self, Mbim, Qmi};
use virtual_modem::Setup;

/// The USB id of an EM7565 that Debian's kernel 6.1 has in no driver, and the id of its boot loader (devices.md).
pub(crate) const PRODUCT: u16 = 0x90b1;
const BOOT_PRODUCT: u16 = 0x90b0;
/// The composition of type 1, "MBIM USBIF", and the usual one (at.md §3).
const WITH_MBIM: u8 = 1;

/// What was done with the modem's drivers at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// Nothing: no driver has the id, and the drivers that have other modems aren't loaded.
    Nothing,
    /// Somebody has told `option` about the id without a class, so that it has QMI's or MBIM's interface too. It was loaded before
    /// `cdc_mbim` and `qmi_wwan`.
    OptionHasAll,
    /// Somebody has told `qcserial` about the id, so that it has QMI's interface too, but not interface 0.
    QcserialHasSome,
    /// Somebody has told `qmi_wwan` about the id, so that it has all interfaces with three endpoints.
    QmiWwanHasMost,
    /// Nobody has told a driver about the id, but `option` was loaded before `cdc_mbim`: the kernel lets it look at each new interface
    /// first.
    OptionIsOlder,
}

/// The commands that `modemflash list` prints are run for each of them.
pub(crate) fn scenarios() -> Vec<Scenario> {
    let begins = |start, control, bus| {
        let plain = scenario(Task::Advised(start), "EM7565", Some(control), Files::Sent(&[]));
        let end = match start {
            Start::Nothing => "no-driver",
            Start::OptionHasAll => "option",
            Start::QcserialHasSome => "qcserial",
            Start::QmiWwanHasMost => "qmi-wwan",
            Start::OptionIsOlder => "option-older",
        };
        Scenario {
            name: format!("{}-{end}", plain.name),
            modem: Modem { bus, ..plain.modem },
            ..plain
        }
    };
    let only_in_all = |scenario| Scenario {
        when: When::All,
        ..scenario
    };
    vec![
        begins(Start::Nothing, Qmi, Bus::High),
        begins(Start::OptionHasAll, Qmi, Bus::Super),
        begins(Start::OptionIsOlder, Mbim, Bus::High),
        begins(Start::OptionHasAll, Mbim, Bus::High),
        only_in_all(begins(Start::Nothing, Mbim, Bus::High)),
        only_in_all(begins(Start::QcserialHasSome, Qmi, Bus::High)),
        // On USB 3: qmi_wwan was told the id alone, and then sets DTR there only.
        only_in_all(begins(Start::QmiWwanHasMost, Qmi, Bus::Super)),
    ]
}

/// Gives the modem the id that no driver has.
pub(crate) fn without_driver(setup: &mut Setup) {
    let usb = &mut setup.storage.usb;
    (usb.application, usb.boot) = (PRODUCT, BOOT_PRODUCT);
    if setup.control == ControlProtocol::Mbim {
        usb.kind = WITH_MBIM;
    }
}
