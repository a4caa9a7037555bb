//! The modems on PCIe: what the bus shows, and what can be done with them today.

use modem_world::{DiscoveryError, PciModem, World};

use super::survey::Remark;
pub use crate::modem::on_pcie::is_address;
use crate::modem::{Selector, on_pcie};
use crate::told::RemarkCode;

/// A modem on PCIe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnPcie {
    /// What the bus shows.
    pub modem: PciModem,
    /// The modem's name.
    pub name: String,
    /// What the user should know about the modem, in words.
    pub warnings: Vec<Remark>,
}

/// All Sierra Wireless modems on PCIe. Nothing is asked of them, and no port is opened.
///
/// # Errors
/// The bus can't be read.
pub fn all(world: &mut dyn World) -> Result<Vec<OnPcie>, DiscoveryError> {
    let modems = world.host().pci_modems()?;
    Ok(modems.into_iter().map(OnPcie::of).collect())
}

/// The modem on PCIe whose place the user named; `None` if the user named no place, or another one.
pub fn named(world: &mut dyn World, select: &Selector) -> Option<OnPcie> {
    let Selector::Place(place) = select else {
        return None;
    };
    if !is_address(place) {
        return None;
    }
    let modems = world.host().pci_modems().ok()?;
    let modem = modems.into_iter().find(|modem| modem.place == *place)?;
    Some(OnPcie::of(modem))
}

impl OnPcie {
    fn of(modem: PciModem) -> Self {
        let name = on_pcie::name(&modem);
        let mut warnings = vec![Remark {
            code: RemarkCode::Pcie,
            text: format!(
                "modemflash can't ask or update this modem over PCIe yet. An update needs USB lines in the modem's slot: \
                 in download mode the modem's boot loader then appears on USB as {}",
                on_pcie::loader(&modem)
            ),
        }];
        if modem.driver.is_none() {
            warnings.push(Remark {
                code: RemarkCode::NoDriver,
                text: format!(
                    "no driver has the PCI device {}; the kernel's driver for it is mhi-pci-generic",
                    modem.id()
                ),
            });
        } else if modem.ports.is_empty() {
            warnings.push(Remark {
                code: RemarkCode::NoDriver,
                text: "the driver created no port for the modem: the modem may still be starting, or its firmware doesn't \
                       start"
                    .to_owned(),
            });
        }
        Self {
            modem,
            name,
            warnings,
        }
    }
}
