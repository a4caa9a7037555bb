//! Whether a modem can be reached in download mode on this host: which USB ids the modem may have there, and
//! whether a driver takes those ids.
//!
//! If no driver knows the id of the boot loader, the modem has no port in download mode: modemflash can
//! neither flash it nor restart it, and the modem stays off the network. So modemflash checks this before it
//! switches a modem to download mode. A run is refused only if the answer is certain: the device table names
//! the id, and the host's tables were read completely and lack the id. In all other cases the user is asked.

use modem_world::{Binding, World};
use serde::{Deserialize, Serialize};

use crate::modem::{Modem, Quirk, Standing, ids};
use crate::request::Request;
use crate::run::Run;
use crate::told::RunWarning;
use crate::told::{Cause, Warning};

/// USB ids, `(vendor, product)`.
type Ids = Vec<(u16, u16)>;

/// The ids that a modem may have in download mode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootIds {
    /// The possible ids, `(vendor, product)`. The modem has one of them.
    pub ids: Ids,
    /// Whether the ids come from the device table. Otherwise they are a guess by the rule.
    pub is_known: bool,
}

/// The ids that a modem may have in download mode, from its id in normal mode (devices.md, linux.md §2).
///
/// The rule: the download id is the normal id minus one. The rule counts if the modem's row in the device
/// table has that download id. Otherwise the row's download ids of the same vendor count: one id for all
/// models (Gobi 2000), the same id as in normal mode (68c0), or the higher id (Dell 8218). Without such a row
/// the rule is only a guess, and so is a download id of another vendor: HP's EM7355 may keep Sierra's.
pub fn boot_ids(vendor: u16, product: u16) -> BootIds {
    let id = (vendor, product);
    let by_rule = (vendor, product.wrapping_sub(1));
    let (download, is_guess) = match Standing::of_id(vendor, product) {
        Standing::Known(row) => (row.download, row.has(Quirk::DownloadIdByRule)),
        _ => (&[][..], true),
    };
    let known = |ids| BootIds {
        ids,
        is_known: !is_guess,
    };
    if download.contains(&id) {
        return known(vec![id]);
    }
    if download.contains(&by_rule) {
        return known(vec![by_rule]);
    }
    let (own, others): (Ids, Ids) = download.iter().partition(|(maker, _)| *maker == vendor);
    if own.is_empty() {
        let mut ids = vec![by_rule];
        ids.extend(others);
        return BootIds { ids, is_known: false };
    }
    known(own)
}

/// What the user agreed to before anything was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Agreed {
    /// The user accepts that no driver creates a port for the modem in download mode.
    pub(crate) no_port: bool,
    /// The user accepts that modemflash can't tell whether a driver creates a port.
    pub(crate) doubt: bool,
}

impl Agreed {
    pub(crate) const NOTHING: Self = Self {
        no_port: false,
        doubt: false,
    };

    pub(crate) const fn by(request: &Request) -> Self {
        Self {
            no_port: request.force,
            doubt: request.force || request.confirmed,
        }
    }

    /// Adds that the user accepted a doubt, or that the modem itself has resolved it.
    pub(crate) const fn with_doubt(self, doubt: bool) -> Self {
        Self {
            no_port: self.no_port,
            doubt: self.doubt || doubt,
        }
    }
}

/// Whether a modem can be reached in download mode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// A driver on this host creates a port for the modem in download mode.
    Sure,
    /// modemflash can't tell, for the given reason.
    Open { ids: BootIds, why: String },
    /// No driver on this host knows the modem's id in download mode.
    Never { ids: Ids },
}

/// Whether a modem that runs its firmware can be reached in download mode on this host.
pub(crate) fn reach(world: &mut dyn World, modem: &Modem) -> Reach {
    let own = (modem.device.vendor, modem.device.product);
    let ids = boot_ids(own.0, own.1);
    // A modem that keeps its id keeps its drivers (68c0, 68a2). Its present ports and their drivers say
    // nothing about the port that it has in download mode: an MBIM modem has no serial port now, and cdc_acm
    // takes none of its interfaces.
    if ids.is_known && ids.ids == [own] {
        return Reach::Sure;
    }
    let mut open = None;
    for (vendor, product) in &ids.ids {
        match world.host().will_bind(*vendor, *product) {
            Binding::Binds => return Reach::Sure,
            Binding::Unknown { why } => open = open.or(Some(why)),
            Binding::WontBind => {}
        }
    }
    match open {
        Some(why) => Reach::Open { ids, why },
        None if ids.is_known => Reach::Never { ids: ids.ids },
        None => Reach::Open {
            ids,
            why: "no driver on this host knows that id".to_owned(),
        },
    }
}

impl Run<'_> {
    /// Checks whether the modem can be reached in download mode. A doubt becomes a warning that the user has
    /// to confirm.
    ///
    /// # Errors
    /// No driver would create a port for the modem in download mode, and the user didn't use `--force`.
    pub(crate) fn check_download_port(
        &mut self,
        is_forced: bool,
        warnings: &mut Vec<Warning>,
    ) -> Result<(), Cause> {
        match self.reach()? {
            Reach::Sure => {}
            Reach::Open { ids, why } => warnings.push(doubt(&ids, &why)),
            Reach::Never { ids } if is_forced => warnings.push(Warning {
                code: RunWarning::DownloadNoPort.into(),
                text: Cause::NoDownloadPort { ids }.to_string(),
                confirm: false,
            }),
            Reach::Never { ids } => return Err(Cause::NoDownloadPort { ids }),
        }
        Ok(())
    }

    fn reach(&mut self) -> Result<Reach, Cause> {
        let modem = self.whereabouts().modem()?.clone();
        Ok(reach(self.world(), &modem))
    }

    /// Checks the same during the run, when the user can no longer be asked: the modem may have another id
    /// than before, or goes to download mode unexpectedly.
    ///
    /// # Errors
    /// No driver would create a port for the modem in download mode, or modemflash can't tell, and the user
    /// has not agreed to that.
    pub(crate) fn refuse_unreachable(&mut self, agreed: Agreed) -> Result<(), Cause> {
        match self.reach()? {
            Reach::Never { ids } if !agreed.no_port => Err(Cause::NoDownloadPort { ids }),
            Reach::Open { ids, why } if !agreed.doubt => {
                let warning = doubt(&ids, &why);
                self.warn(warning.clone());
                Err(Cause::NotConfirmed {
                    warnings: vec![warning],
                })
            }
            other => {
                tracing::info!(?other, "download mode");
                Ok(())
            }
        }
    }
}

fn doubt(ids: &BootIds, why: &str) -> Warning {
    let likely = if ids.is_known { "has" } else { "probably has" };
    let text = format!(
        "in download mode the modem {likely} the USB id {}, and modemflash can't tell whether a driver on this host \
         creates a port for that id ({why}). Without a port the modem can't be reached in download mode until a \
         driver knows the id. To arrange that, run as root: {}",
        ids::words(&ids.ids),
        ids::commands(&ids.ids)
    );
    Warning {
        code: RunWarning::DownloadPortUnknown.into(),
        text,
        confirm: true,
    }
}
