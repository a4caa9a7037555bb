//! Whether a modem can be reached in download mode on this host: which ids it may have there, and whether a driver takes
//! them.
//!
//! A modem whose boot loader has an id that no driver knows has no port there: it can't be flashed and not sent back, and
//! stays off the network. So this is looked at before anything sends it there. Only what is certain refuses: the device
//! table names the id, and the host's tables were read as a whole and lack it. Everything else is a question.

use modem_world::{Binding, World};
use serde::{Deserialize, Serialize};

use crate::modem::{Modem, Quirk, Standing, devices, ids};
use crate::request::Request;
use crate::run::Run;
use crate::told::RunWarning;
use crate::told::{Cause, Warning};

/// USB ids, `(vendor, product)`.
type Ids = Vec<(u16, u16)>;

/// The ids that a modem may have in download mode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootIds {
    /// `(vendor, product)`; one of them, where there are several.
    pub ids: Ids,
    /// Whether the device table tells them. Else they are a guess by the rule.
    pub is_known: bool,
}

/// The ids in download mode of a modem that has this id with its firmware running (devices.md, linux.md §2).
///
/// The rule is the normal id minus one. It counts where the modem's row of the device table has that id. Else the row's
/// download ids of the same vendor do: one id for all (Gobi 2000), the same id (68c0), the higher one (Dell 8218). Without
/// such a row the rule is only a guess, and so is a download id of another vendor: HP's EM7355 may keep Sierra's.
pub fn boot_ids(vendor: u16, product: u16) -> BootIds {
    let id = (vendor, product);
    let by_rule = (vendor, product.wrapping_sub(1));
    let (download, is_guess) = match devices::standing(vendor, product) {
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

/// What was agreed to before anything was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Agreed {
    /// That no driver makes a port of it in download mode.
    pub(crate) no_port: bool,
    /// That it can't be told whether one does.
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

    /// A doubt was agreed to, or has been answered by the modem itself.
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
    /// A driver of this host makes a port of it there.
    Sure,
    /// It can't be told, for this reason.
    Open { ids: BootIds, why: String },
    /// No driver of this host knows its id there.
    Never { ids: Ids },
}

/// Whether a modem that runs its firmware can be reached in download mode on this host.
pub(crate) fn reach(world: &mut dyn World, modem: &Modem) -> Reach {
    let own = (modem.device.vendor, modem.device.product);
    let ids = boot_ids(own.0, own.1);
    // A modem that keeps its id keeps its drivers (68c0, 68a2). Which of its ports are there now, and which driver made them,
    // says nothing about the one that it has then: an MBIM modem has none that is serial, and cdc_acm takes none of it.
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
            why: "no driver of this host knows that id".to_owned(),
        },
    }
}

impl Run<'_> {
    /// Looks whether the modem can be reached in download mode. A doubt becomes a warning to be confirmed.
    ///
    /// # Errors
    /// No driver would make a port of it there, and nobody insists.
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

    /// The same on the way, when the modem may have another id than before, or goes there unexpectedly, and nobody can be asked
    /// any more.
    ///
    /// # Errors
    /// No driver would make a port of it there, or that can't be told, and nobody has agreed to it.
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
    let likely = if ids.is_known { "" } else { "probably " };
    let text = format!(
        "in download mode the modem is {likely}{}, and it can't be told whether a driver of this host makes a port of that \
         ({why}); without a port it can't be reached there until a driver knows the id: {}",
        ids::words(&ids.ids),
        ids::commands(&ids.ids)
    );
    Warning {
        code: RunWarning::DownloadPortUnknown.into(),
        text,
        confirm: true,
    }
}
