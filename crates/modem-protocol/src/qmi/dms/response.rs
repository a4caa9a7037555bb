//! The modem's answers.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::super::error::{QmiError, outcome, success};
use super::super::frame::{Frame, Kind, Service};
use super::super::tlv::{Tlvs, readable};
use super::id;
use super::image::{DownloadList, FirmwarePreference, ImageType, StoredImages, SwiStoredImages, put_count};
use super::values::{
    BootImageDownloadMode, CurrentFirmware, Ids, OfflineReason, OperatingState, StoredImageInfo,
    UpdateResult, UpdateStatus, UsbComposition,
};
use crate::ParseError;
use crate::bytes::{Reader, Writer};

/// An answer that isn't a refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Response {
    /// 0x0021.
    Manufacturer(String),
    /// 0x0022.
    Model(String),
    /// 0x0023, such as `SWI9X30C_02.33.03.00 r8209 …`.
    Revision(String),
    /// 0x0025.
    Ids(Ids),
    /// 0x002D.
    OperatingMode(OperatingState),
    /// 0x002E.
    OperatingModeSet,
    /// 0x003E.
    FirmwareIdSet,
    /// 0x0047.
    FirmwarePreference(FirmwarePreference),
    /// 0x0048: what has to be downloaded.
    FirmwarePreferenceSet(DownloadList),
    /// 0x0049.
    StoredImages(StoredImages),
    /// 0x004A.
    StoredImageDeleted,
    /// 0x004C.
    StoredImageInfo(StoredImageInfo),
    /// 0x004F.
    BootImageDownloadMode(Option<BootImageDownloadMode>),
    /// 0x0050.
    BootImageDownloadModeSet,
    /// 0x5556.
    SwiCurrentFirmware(CurrentFirmware),
    /// 0x555A.
    SwiResettingToDownloadMode,
    /// 0x555B.
    SwiUsbComposition {
        /// The modem's present composition.
        current: Option<UsbComposition>,
        /// The compositions that the modem supports; `None` if it doesn't say.
        supported: Option<Vec<UsbComposition>>,
    },
    /// 0x555C; takes effect after a reset.
    SwiUsbCompositionSet,
    /// 0x5563: the images that run.
    SwiFirmwareCurrent(FirmwarePreference),
    /// 0x5564.
    SwiFirmwareUpdateStatus(UpdateStatus),
    /// 0x557A.
    SwiStoredImages(SwiStoredImages),
    /// Another message; `parse` returns it only for unknown messages.
    Other {
        /// Its number.
        message: u16,
        /// Its fields except for the result.
        tlvs: Tlvs,
    },
}

impl Response {
    /// The number of the message.
    pub const fn message_id(&self) -> u16 {
        match self {
            Self::Manufacturer(_) => id::GET_MANUFACTURER,
            Self::Model(_) => id::GET_MODEL,
            Self::Revision(_) => id::GET_REVISION,
            Self::Ids(_) => id::GET_IDS,
            Self::OperatingMode(_) => id::GET_OPERATING_MODE,
            Self::OperatingModeSet => id::SET_OPERATING_MODE,
            Self::FirmwareIdSet => id::SET_FIRMWARE_ID,
            Self::FirmwarePreference(_) => id::GET_FIRMWARE_PREFERENCE,
            Self::FirmwarePreferenceSet(_) => id::SET_FIRMWARE_PREFERENCE,
            Self::StoredImages(_) => id::LIST_STORED_IMAGES,
            Self::StoredImageDeleted => id::DELETE_STORED_IMAGE,
            Self::StoredImageInfo(_) => id::GET_STORED_IMAGE_INFO,
            Self::BootImageDownloadMode(_) => id::GET_BOOT_IMAGE_DOWNLOAD_MODE,
            Self::BootImageDownloadModeSet => id::SET_BOOT_IMAGE_DOWNLOAD_MODE,
            Self::SwiCurrentFirmware(_) => id::SWI_GET_CURRENT_FIRMWARE,
            Self::SwiResettingToDownloadMode => id::SWI_RESET_TO_DOWNLOAD_MODE,
            Self::SwiUsbComposition { .. } => id::SWI_GET_USB_COMPOSITION,
            Self::SwiUsbCompositionSet => id::SWI_SET_USB_COMPOSITION,
            Self::SwiFirmwareCurrent(_) => id::SWI_GET_FIRMWARE_CURRENT,
            Self::SwiFirmwareUpdateStatus(_) => id::SWI_GET_FIRMWARE_UPDATE_STATUS,
            Self::SwiStoredImages(_) => id::SWI_GET_STORED_IMAGES,
            Self::Other { message, .. } => *message,
        }
    }

    /// Reads the fields of a response. The inner result is the modem's answer or refusal.
    ///
    /// # Errors
    /// A field is missing or too short.
    pub fn parse(message: u16, tlvs: &Tlvs) -> Result<Result<Self, QmiError>, ParseError> {
        match outcome(tlvs)? {
            Ok(()) => Self::parse_granted(message, tlvs).map(Ok),
            Err(error) => Ok(Err(error)),
        }
    }

    fn parse_granted(message: u16, tlvs: &Tlvs) -> Result<Self, ParseError> {
        let text = |field| Ok(readable(tlvs.require(0x01, field)?));
        Ok(match message {
            id::GET_MANUFACTURER => Self::Manufacturer(text("manufacturer")?),
            id::GET_MODEL => Self::Model(text("model")?),
            id::GET_REVISION => Self::Revision(text("revision")?),
            id::GET_IDS => Self::Ids(Ids::parse(tlvs)),
            id::GET_OPERATING_MODE => Self::OperatingMode(OperatingState {
                mode: Reader::new(tlvs.require(0x01, "operating mode")?)
                    .u8("operating mode")?
                    .into(),
                offline_reason: optional(tlvs, 0x10, |reader| reader.u16_le("offline reason"))?
                    .map(OfflineReason),
                is_hardware_restricted: optional(tlvs, 0x11, |reader| reader.u8("hardware restricted"))?
                    .map(|value| value != 0),
            }),
            id::SET_OPERATING_MODE => Self::OperatingModeSet,
            id::SET_FIRMWARE_ID => Self::FirmwareIdSet,
            id::GET_FIRMWARE_PREFERENCE => Self::FirmwarePreference(FirmwarePreference::parse(
                tlvs.require(0x01, "firmware preference")?,
            )?),
            id::SET_FIRMWARE_PREFERENCE => Self::FirmwarePreferenceSet(
                optional(tlvs, 0x01, |reader| {
                    counted_bytes(reader, "list of images to download")
                })?
                .map(|types| types.iter().copied().map(ImageType::from).collect()),
            ),
            id::LIST_STORED_IMAGES => {
                Self::StoredImages(StoredImages::parse(tlvs.require(0x01, "list of stored images")?)?)
            }
            id::DELETE_STORED_IMAGE => Self::StoredImageDeleted,
            id::GET_STORED_IMAGE_INFO => Self::StoredImageInfo(StoredImageInfo::parse(tlvs)?),
            id::GET_BOOT_IMAGE_DOWNLOAD_MODE => Self::BootImageDownloadMode(
                optional(tlvs, 0x10, |reader| reader.u8("boot image download mode"))?.map(Into::into),
            ),
            id::SET_BOOT_IMAGE_DOWNLOAD_MODE => Self::BootImageDownloadModeSet,
            id::SWI_GET_CURRENT_FIRMWARE => Self::SwiCurrentFirmware(CurrentFirmware::parse(tlvs)),
            id::SWI_RESET_TO_DOWNLOAD_MODE => Self::SwiResettingToDownloadMode,
            id::SWI_GET_USB_COMPOSITION => Self::SwiUsbComposition {
                current: optional(tlvs, 0x10, |reader| reader.u8("USB composition"))?.map(UsbComposition),
                supported: optional(tlvs, 0x11, |reader| {
                    counted_bytes(reader, "list of USB compositions")
                })?
                .map(|values| values.iter().copied().map(UsbComposition).collect()),
            },
            id::SWI_SET_USB_COMPOSITION => Self::SwiUsbCompositionSet,
            id::SWI_GET_FIRMWARE_CURRENT => Self::SwiFirmwareCurrent(FirmwarePreference::parse(
                tlvs.require(0x01, "list of running images")?,
            )?),
            id::SWI_GET_FIRMWARE_UPDATE_STATUS => Self::SwiFirmwareUpdateStatus(update_status(tlvs)),
            id::SWI_GET_STORED_IMAGES => Self::SwiStoredImages(SwiStoredImages::parse(
                tlvs.require(0x01, "list of stored images")?,
            )),
            message => Self::Other {
                message,
                tlvs: tlvs.without_result(),
            },
        })
    }

    /// The fields of the response, including the result.
    pub fn encode(&self) -> Tlvs {
        let tlvs = success();
        match self {
            Self::Manufacturer(text) | Self::Model(text) | Self::Revision(text) => {
                tlvs.with(0x01, text.as_bytes())
            }
            Self::Ids(ids) => ids.encode(tlvs),
            Self::OperatingMode(state) => tlvs
                .with(0x01, [state.mode.code()])
                .with_some(0x10, state.offline_reason.map(|reason| reason.0.to_le_bytes()))
                .with_some(0x11, state.is_hardware_restricted.map(|is| [u8::from(is)])),
            Self::FirmwarePreference(images) | Self::SwiFirmwareCurrent(images) => {
                tlvs.with(0x01, images.to_bytes())
            }
            Self::FirmwarePreferenceSet(list) => tlvs.with_some(
                0x01,
                list.as_ref()
                    .map(|types| to_counted_bytes(types, |&image_type| image_type.into())),
            ),
            Self::StoredImages(images) => tlvs.with(0x01, images.to_bytes()),
            Self::StoredImageInfo(info) => info.encode(tlvs),
            Self::BootImageDownloadMode(mode) => tlvs.with_some(0x10, mode.map(|mode| [mode.code()])),
            Self::SwiCurrentFirmware(firmware) => firmware.encode(tlvs),
            Self::SwiUsbComposition { current, supported } => tlvs
                .with_some(0x10, current.map(|composition| [composition.0]))
                .with_some(
                    0x11,
                    supported
                        .as_ref()
                        .map(|values| to_counted_bytes(values, |composition| composition.0)),
                ),
            Self::SwiFirmwareUpdateStatus(UpdateStatus { result, details }) => tlvs
                .with_some(0x01, result.map(|result| result.0.to_le_bytes()))
                .and(details),
            Self::SwiStoredImages(images) => tlvs.with(0x01, images.to_bytes()),
            Self::Other { tlvs: others, .. } => tlvs.and(others),
            Self::OperatingModeSet
            | Self::FirmwareIdSet
            | Self::StoredImageDeleted
            | Self::BootImageDownloadModeSet
            | Self::SwiResettingToDownloadMode
            | Self::SwiUsbCompositionSet => tlvs,
        }
    }

    /// The whole message.
    pub fn to_frame(&self, client: u8, transaction: u16) -> Frame {
        response_frame(client, transaction, self.message_id(), self.encode())
    }
}

/// The refusal of a request.
pub fn refusal(message: u16, client: u8, transaction: u16, error: QmiError) -> Frame {
    response_frame(client, transaction, message, error.to_tlvs())
}

fn response_frame(client: u8, transaction: u16, message: u16, tlvs: Tlvs) -> Frame {
    Frame {
        service: Service::Dms,
        client,
        kind: Kind::Response,
        transaction,
        message,
        tlvs,
    }
}

/// Reads a field if it is there.
fn optional<T>(
    tlvs: &Tlvs,
    kind: u8,
    read: impl FnOnce(&mut Reader<'_>) -> Result<T, ParseError>,
) -> Result<Option<T>, ParseError> {
    tlvs.get(kind)
        .map(|value| read(&mut Reader::new(value)))
        .transpose()
}

fn counted_bytes(reader: &mut Reader<'_>, field: &'static str) -> Result<Vec<u8>, ParseError> {
    let count = reader.u8(field)?;
    Ok(reader.take(field, count.into())?.to_vec())
}

fn to_counted_bytes<T>(values: &[T], byte: impl Fn(&T) -> u8) -> Vec<u8> {
    let mut out = vec![];
    let count = put_count(&mut out, values.len());
    for value in values.iter().take(count) {
        out.put_u8(byte(value));
    }
    out
}

fn update_status(tlvs: &Tlvs) -> UpdateStatus {
    let code = tlvs.get(0x01).and_then(|value| <[u8; 4]>::try_from(value).ok());
    let mut details = tlvs.without_result();
    if code.is_some() {
        details = details.without(0x01);
    }
    UpdateStatus {
        result: code.map(|code| UpdateResult(u32::from_le_bytes(code))),
        details,
    }
}
