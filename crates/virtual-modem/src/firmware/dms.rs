//! Device management: identity, operating mode, stored images and the preference between them (qmi.md §5).

use modem_protocol::qmi::dms::{
    BootImageDownloadMode, BootVersion, CurrentFirmware, FirmwarePreference, Ids, ImageReference, ImageType,
    OperatingMode, PriVersion, Request, Response, StoredImage, StoredImageInfo, StoredImageList,
    StoredImages, SwiStoredImages, UniqueId, UpdateResult, UpdateStatus, UsbComposition, refusal,
};
use modem_protocol::qmi::{Frame, QmiError, Tlvs};
use modem_world::Instant;

use super::core::Core;
use super::qmi::unreadable;
use crate::board::Board;
use crate::capabilities::SetFirmwareId;
use crate::layout::Composition;
use crate::storage::{ImageKind, PriImage, Selection, Storage};
use crate::violation::Wrong;

/// The manufacturer that ATI and DMS report for every Sierra modem.
pub(super) const MANUFACTURER: &str = "Sierra Wireless, Incorporated";

type DmsAnswer = Result<Response, QmiError>;

/// Acts on a request of an allocated client. Returns the answer, and whether the modem restarts because of
/// it.
pub(super) fn handle(frame: &Frame, core: &mut Core, board: &mut Board, now: Instant) -> (Frame, bool) {
    let mut restarts = false;
    let answer = if now < board.ready_at {
        Err(QmiError::NotReady)
    } else {
        match Request::parse(frame.message, &frame.tlvs) {
            Ok(request) => {
                let answer = answer(request.clone(), core, board, now);
                restarts = answer.is_ok() && is_restart(&request);
                answer
            }
            Err(error) => Err(unreadable(&error)),
        }
    };
    let answer = match answer {
        Ok(response) => response.to_frame(frame.client, frame.transaction),
        Err(error) => refusal(frame.message, frame.client, frame.transaction, error),
    };
    (answer, restarts)
}

/// Whether the modem leaves the bus if it grants this request.
const fn is_restart(request: &Request) -> bool {
    matches!(
        request,
        Request::SetOperatingMode(OperatingMode::Reset) | Request::SetFirmwareId
    )
}

fn answer(request: Request, core: &mut Core, board: &mut Board, now: Instant) -> DmsAnswer {
    let capabilities = board.setup.profile.capabilities;
    let preference = || {
        if capabilities.preference {
            Ok(())
        } else {
            Err(QmiError::NotSupported)
        }
    };
    match request {
        Request::GetManufacturer => Ok(Response::Manufacturer(MANUFACTURER.to_owned())),
        Request::GetModel => Ok(Response::Model(board.setup.profile.name.to_owned())),
        Request::GetRevision => Ok(Response::Revision(revision(board))),
        Request::GetIds => Ok(Response::Ids(Ids {
            esn: Some("0".to_owned()),
            imei: Some(board.storage.imei.clone()),
            meid: board.storage.imei.get(..14).map(str::to_owned),
            imei_software_version: Some("20".to_owned()),
        })),
        Request::GetOperatingMode => Ok(Response::OperatingMode(core.operating_state())),
        Request::SetOperatingMode(mode) => set_operating_mode(mode, core, board, now),
        Request::SetFirmwareId => match capabilities.set_firmware_id {
            SetFirmwareId::Works => {
                board.storage.holds = true;
                Ok(Response::FirmwareIdSet)
            }
            SetFirmwareId::MissingArgument => Err(QmiError::MissingArgument),
            SetFirmwareId::Unknown => Err(QmiError::InvalidCommand),
        },
        Request::GetFirmwarePreference => {
            preference()?;
            let preferred = board.storage.preferred.as_ref();
            let list = preferred.map(list_of).transpose()?.unwrap_or_default();
            Ok(Response::FirmwarePreference(list))
        }
        Request::SetFirmwarePreference {
            preference: wanted,
            download_override,
            storage_index,
        } => {
            preference()?;
            set_preference(&wanted, download_override, storage_index, board, now)
        }
        Request::ListStoredImages => {
            preference()?;
            Ok(Response::StoredImages(stored_images(board)?))
        }
        Request::DeleteStoredImage(image) => {
            preference()?;
            delete(&image, &mut board.storage)
        }
        Request::GetStoredImageInfo(image) => {
            preference()?;
            info(&image, &board.storage)
        }
        Request::GetBootImageDownloadMode if capabilities.boot_image_download_mode => {
            let mode = if core.boots_to_recovery {
                BootImageDownloadMode::BootAndRecovery
            } else {
                BootImageDownloadMode::Normal
            };
            Ok(Response::BootImageDownloadMode(Some(mode)))
        }
        Request::SetBootImageDownloadMode(mode) if capabilities.boot_image_download_mode => {
            core.boots_to_recovery = match mode {
                BootImageDownloadMode::Normal => false,
                BootImageDownloadMode::BootAndRecovery => true,
                _ => return Err(QmiError::InvalidArgument),
            };
            Ok(Response::BootImageDownloadModeSet)
        }
        Request::SwiGetCurrentFirmware => Ok(Response::SwiCurrentFirmware(current_firmware(board))),
        Request::SwiGetUsbComposition if capabilities.usb_composition_message => {
            Ok(Response::SwiUsbComposition {
                current: Some(UsbComposition(number_of(board.storage.usb.composition))),
                supported: Some(
                    COMPOSITIONS
                        .iter()
                        .map(|(number, _)| UsbComposition(*number))
                        .collect(),
                ),
            })
        }
        Request::SwiSetUsbComposition(wanted) if capabilities.usb_composition_message => {
            let known = COMPOSITIONS.iter().find(|(number, _)| *number == wanted.0);
            let (_, composition) = known.ok_or(QmiError::InvalidArgument)?;
            board.storage.usb.composition = *composition;
            Ok(Response::SwiUsbCompositionSet)
        }
        Request::SwiGetFirmwareCurrent => {
            preference()?;
            Ok(Response::SwiFirmwareCurrent(list_of(&board.storage.current)?))
        }
        Request::SwiGetFirmwareUpdateStatus => {
            preference()?;
            Ok(Response::SwiFirmwareUpdateStatus(UpdateStatus {
                result: Some(UpdateResult(board.storage.update_result)),
                details: Tlvs::new(),
            }))
        }
        // Seen on 9x50 only (qmi.md §5.3). Those modems refuse the composition message, so its absence tells
        // them apart.
        Request::SwiGetStoredImages if capabilities.preference && !capabilities.usb_composition_message => {
            let images = stored_images(board)?;
            let states = images.iter().map(|_| [3, 0, 0, 0]).collect();
            Ok(Response::SwiStoredImages(SwiStoredImages::Read {
                images,
                states,
            }))
        }
        _ => Err(QmiError::NotSupported),
    }
}

fn set_operating_mode(mode: OperatingMode, core: &mut Core, board: &mut Board, now: Instant) -> DmsAnswer {
    let is_offline = core.mode == OperatingMode::Offline;
    match mode {
        OperatingMode::Offline => core.mode = mode,
        OperatingMode::Reset if is_offline => {}
        OperatingMode::Reset => {
            board.wrong(Wrong::ResetWithoutOffline, now);
            return Err(QmiError::InvalidTransition);
        }
        // Only a reset leads out of offline, and nothing switches the radio on while the images don't match.
        _ if is_offline => return Err(QmiError::InvalidTransition),
        OperatingMode::Online if core.is_mismatched => return Err(QmiError::InvalidTransition),
        OperatingMode::Online
        | OperatingMode::LowPower
        | OperatingMode::PersistentLowPower
        | OperatingMode::ModeOnlyLowPower => core.mode = mode,
        OperatingMode::FactoryTest | OperatingMode::ShuttingDown => return Err(QmiError::InvalidTransition),
        _ => return Err(QmiError::InvalidArgument),
    }
    Ok(Response::OperatingModeSet)
}

/// The answer names the images that aren't stored; the choice holds from the next restart on (qmi.md §5.1).
fn set_preference(
    wanted: &FirmwarePreference,
    download_override: bool,
    storage_index: Option<u8>,
    board: &mut Board,
    now: Instant,
) -> DmsAnswer {
    let modem = wanted
        .of_type(ImageType::Modem)
        .ok_or(QmiError::MissingArgument)?;
    let pri = wanted.of_type(ImageType::Pri).ok_or(QmiError::MissingArgument)?;
    let slots = board.storage.modem_images.len();
    let chosen_slot = match storage_index.map(usize::from) {
        None => None,
        Some(index) if (1..=slots).contains(&index) => Some(index - 1),
        Some(_) => return Err(QmiError::InvalidArgument),
    };
    let firmware = before_underscore(&modem.build_id);
    let (of_pri, carrier) = pri.build_id.split_once('_').ok_or(QmiError::InvalidArgument)?;
    let config = pri.unique_id.text().ok_or(QmiError::InvalidArgument)?;
    // A DW5570 came with settings for a version that differs in its last number (field-reports.md I9).
    if before_last_dot(firmware) != before_last_dot(of_pri) {
        let wrong = Wrong::PreferencePair {
            modem: modem.build_id.clone(),
            pri: pri.build_id.clone(),
        };
        board.wrong(wrong, now);
    }
    let wanted = Selection::new(firmware, carrier, config).with_settings_for(of_pri);
    let wants_all = download_override || board.setup.quirks.asks_for_stored;
    let storage = &mut board.storage;
    let missing = if wants_all {
        vec![ImageKind::Modem, ImageKind::Pri]
    } else {
        storage.missing(&wanted)
    };
    storage.awaits_download = !missing.is_empty();
    storage.chosen_slot = chosen_slot;
    storage.prefer(wanted);
    let missing = missing.iter().map(|kind| match kind {
        ImageKind::Modem => ImageType::Modem,
        ImageKind::Pri => ImageType::Pri,
    });
    Ok(Response::FirmwarePreferenceSet(Some(missing.collect())))
}

fn before_last_dot(version: &str) -> &str {
    version.rsplit_once('.').map_or(version, |(before, _)| before)
}

fn list_of(selection: &Selection) -> Result<FirmwarePreference, QmiError> {
    let firmware = &selection.firmware;
    let made_for = selection.settings_for.as_ref().unwrap_or(firmware);
    FirmwarePreference::of_pair(firmware, made_for, &selection.config, &selection.carrier)
        .map_err(|_| QmiError::Internal)
}

fn stored_images(board: &Board) -> Result<StoredImages, QmiError> {
    let storage = &board.storage;
    let mut modem = Vec::new();
    let mut running = None;
    for (place, image) in storage.modem_images.iter().enumerate() {
        let Some(image) = image else { continue };
        if image.firmware == storage.current.firmware {
            running = u8::try_from(modem.len()).ok();
        }
        modem.push(StoredImage {
            storage_index: u8::try_from(place + 1).ok(),
            failure_count: Some(image.failures),
            unique_id: UniqueId::WILDCARD,
            build_id: format!("{}_?", image.firmware),
        });
    }
    let mut pri = Vec::new();
    for image in &storage.pri_images {
        pri.push(StoredImage {
            storage_index: None,
            failure_count: Some(0),
            unique_id: UniqueId::from_text(&image.config).ok_or(QmiError::Internal)?,
            build_id: image.build.clone(),
        });
    }
    let running_pri = storage
        .pri_images
        .iter()
        .position(|image| *image == storage.current.pri());
    let capabilities = &board.setup.profile.capabilities;
    Ok(StoredImages(vec![
        StoredImageList {
            image_type: ImageType::Modem,
            maximum: capabilities.modem_slots,
            running: board.setup.quirks.running_index.or(running),
            images: modem,
        },
        StoredImageList {
            image_type: ImageType::Pri,
            maximum: capabilities.pri_slots,
            running: running_pri.and_then(|place| u8::try_from(place).ok()),
            images: pri,
        },
    ]))
}

fn pri_of(image: &ImageReference) -> Option<PriImage> {
    Some(PriImage {
        config: image.unique_id.text()?.to_owned(),
        build: image.build_id.clone(),
    })
}

fn delete(image: &ImageReference, storage: &mut Storage) -> DmsAnswer {
    match image.image_type {
        ImageType::Modem => {
            let slot = storage.slot_of(before_underscore(&image.build_id));
            let slot = slot.and_then(|slot| storage.modem_images.get_mut(slot));
            *slot.ok_or(QmiError::NoEntry)? = None;
        }
        ImageType::Pri => {
            let pri = pri_of(image).ok_or(QmiError::NoEntry)?;
            let place = storage.pri_images.iter().position(|stored| *stored == pri);
            storage.pri_images.remove(place.ok_or(QmiError::NoEntry)?);
        }
        _ => return Err(QmiError::InvalidArgument),
    }
    Ok(Response::StoredImageDeleted)
}

fn info(image: &ImageReference, storage: &Storage) -> DmsAnswer {
    let firmware = before_underscore(&image.build_id);
    let mut groups = firmware.split('.').map(|group| group.parse().unwrap_or(0));
    let boot_version = Some(BootVersion {
        major: groups.next().unwrap_or(0),
        minor: groups.next().unwrap_or(0),
    });
    let pri_version = match image.image_type {
        ImageType::Modem if storage.has_modem(firmware) => None,
        ImageType::Pri => {
            let pri = pri_of(image).filter(|pri| storage.has_pri(pri));
            let pri = pri.ok_or(QmiError::NoEntry)?;
            let text = before_underscore(&pri.config).to_owned();
            let number = text.split('.').next().and_then(|group| group.parse().ok());
            Some(PriVersion {
                number: number.unwrap_or(0),
                text,
            })
        }
        ImageType::Modem => return Err(QmiError::NoEntry),
        _ => return Err(QmiError::InvalidArgument),
    };
    Ok(Response::StoredImageInfo(StoredImageInfo {
        boot_version,
        pri_version,
        oem_lock: Some(0),
    }))
}

/// What the modem reports about its current firmware. Old modems report only three texts (dms_boothold
/// trace).
fn current_firmware(board: &Board) -> CurrentFirmware {
    let (profile, storage) = (board.setup.profile, &board.storage);
    let current = &storage.current;
    let with_family = |firmware: &str| Some(format!("{}_{firmware}", profile.family));
    let mut said = CurrentFirmware {
        model: Some(profile.name.to_owned()),
        boot_version: with_family(&storage.boot_firmware),
        amss_version: with_family(&current.firmware),
        ..CurrentFirmware::default()
    };
    if profile.capabilities.preference {
        said.sku_id = Some("1102476".to_owned());
        said.package_id = Some("unknown".to_owned());
        said.carrier_id = Some("1".to_owned());
        said.pri_version = Some(before_underscore(&current.config).to_owned());
        said.carrier = Some(current.carrier.clone());
        said.config_version = Some(current.config.clone());
    }
    said
}

/// The revision: `SWI9X30C_02.33.03.00 r8209 …`.
pub(super) fn revision(board: &Board) -> String {
    let profile = board.setup.profile;
    format!(
        "{}_{} {}",
        profile.family, board.storage.current.firmware, profile.capabilities.build
    )
}

/// The compositions that a host can choose by number (qmi.md §5).
const COMPOSITIONS: [(u8, Composition); 3] = [
    (6, Composition::QMI),
    (8, Composition::WITH_MBIM),
    (9, Composition::MBIM),
];

fn number_of(composition: Composition) -> u8 {
    let exactly = COMPOSITIONS.iter().find(|(_, known)| *known == composition);
    match exactly {
        Some((number, _)) => *number,
        None if composition.has(Composition::MBIM) => 8,
        None => 6,
    }
}

fn before_underscore(text: &str) -> &str {
    text.split_once('_').map_or(text, |(before, _)| before)
}
