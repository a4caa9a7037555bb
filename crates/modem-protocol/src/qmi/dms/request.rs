//! The host's requests to the device management service.

use super::super::frame::{Frame, Kind, Service};
use super::super::tlv::Tlvs;
use super::id;
use super::image::{FirmwarePreference, ImageReference};
use super::values::{BootImageDownloadMode, OperatingMode, UsbComposition};
use crate::ParseError;
use crate::bytes::Reader;

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Request {
    /// 0x0021.
    GetManufacturer,
    /// 0x0022.
    GetModel,
    /// 0x0023.
    GetRevision,
    /// 0x0025.
    GetIds,
    /// 0x002D.
    GetOperatingMode,
    /// 0x002E. To power-cycle the modem, set the mode offline and then reset.
    SetOperatingMode(OperatingMode),
    /// 0x003E, without fields: boot and hold, on SWI9200 and Gobi 3000.
    SetFirmwareId,
    /// 0x0047.
    GetFirmwarePreference,
    /// 0x0048.
    SetFirmwarePreference {
        /// Which images to run.
        preference: FirmwarePreference,
        /// Makes the modem ask for all images, even if it has them stored. The field is written only if this is true.
        download_override: bool,
        /// The slot for the modem image, from 1.
        storage_index: Option<u8>,
    },
    /// 0x0049.
    ListStoredImages,
    /// 0x004A.
    DeleteStoredImage(ImageReference),
    /// 0x004C.
    GetStoredImageInfo(ImageReference),
    /// 0x004F.
    GetBootImageDownloadMode,
    /// 0x0050.
    SetBootImageDownloadMode(BootImageDownloadMode),
    /// 0x5556.
    SwiGetCurrentFirmware,
    /// 0x555A; whether it needs fields isn't known (qmi.md, open question 1).
    SwiResetToDownloadMode,
    /// 0x555B.
    SwiGetUsbComposition,
    /// 0x555C.
    SwiSetUsbComposition(UsbComposition),
    /// 0x5563.
    SwiGetFirmwareCurrent,
    /// 0x5564.
    SwiGetFirmwareUpdateStatus,
    /// 0x557A.
    SwiGetStoredImages,
    /// Another message; `parse` returns it only for unknown messages.
    Other {
        /// Its number.
        message: u16,
        /// Its fields.
        tlvs: Tlvs,
    },
}

impl Request {
    /// The number of the message.
    pub const fn message_id(&self) -> u16 {
        match self {
            Self::GetManufacturer => id::GET_MANUFACTURER,
            Self::GetModel => id::GET_MODEL,
            Self::GetRevision => id::GET_REVISION,
            Self::GetIds => id::GET_IDS,
            Self::GetOperatingMode => id::GET_OPERATING_MODE,
            Self::SetOperatingMode(_) => id::SET_OPERATING_MODE,
            Self::SetFirmwareId => id::SET_FIRMWARE_ID,
            Self::GetFirmwarePreference => id::GET_FIRMWARE_PREFERENCE,
            Self::SetFirmwarePreference { .. } => id::SET_FIRMWARE_PREFERENCE,
            Self::ListStoredImages => id::LIST_STORED_IMAGES,
            Self::DeleteStoredImage(_) => id::DELETE_STORED_IMAGE,
            Self::GetStoredImageInfo(_) => id::GET_STORED_IMAGE_INFO,
            Self::GetBootImageDownloadMode => id::GET_BOOT_IMAGE_DOWNLOAD_MODE,
            Self::SetBootImageDownloadMode(_) => id::SET_BOOT_IMAGE_DOWNLOAD_MODE,
            Self::SwiGetCurrentFirmware => id::SWI_GET_CURRENT_FIRMWARE,
            Self::SwiResetToDownloadMode => id::SWI_RESET_TO_DOWNLOAD_MODE,
            Self::SwiGetUsbComposition => id::SWI_GET_USB_COMPOSITION,
            Self::SwiSetUsbComposition(_) => id::SWI_SET_USB_COMPOSITION,
            Self::SwiGetFirmwareCurrent => id::SWI_GET_FIRMWARE_CURRENT,
            Self::SwiGetFirmwareUpdateStatus => id::SWI_GET_FIRMWARE_UPDATE_STATUS,
            Self::SwiGetStoredImages => id::SWI_GET_STORED_IMAGES,
            Self::Other { message, .. } => *message,
        }
    }

    /// The request in words.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::GetManufacturer => "get manufacturer",
            Self::GetModel => "get model",
            Self::GetRevision => "get revision",
            Self::GetIds => "get IDs",
            Self::GetOperatingMode => "get operating mode",
            Self::SetOperatingMode(OperatingMode::Offline) => "set operating mode offline",
            Self::SetOperatingMode(OperatingMode::Reset) => "set operating mode reset",
            Self::SetOperatingMode(_) => "set operating mode",
            Self::SetFirmwareId => "set firmware id",
            Self::GetFirmwarePreference => "get firmware preference",
            Self::SetFirmwarePreference { .. } => "set firmware preference",
            Self::ListStoredImages => "list stored images",
            Self::DeleteStoredImage(_) => "delete stored image",
            Self::GetStoredImageInfo(_) => "get stored image info",
            Self::GetBootImageDownloadMode => "get boot image download mode",
            Self::SetBootImageDownloadMode(_) => "set boot image download mode",
            Self::SwiGetCurrentFirmware => "get current firmware",
            Self::SwiResetToDownloadMode => "reset to download mode",
            Self::SwiGetUsbComposition => "get USB composition",
            Self::SwiSetUsbComposition(_) => "set USB composition",
            Self::SwiGetFirmwareCurrent => "get running images",
            Self::SwiGetFirmwareUpdateStatus => "get firmware update status",
            Self::SwiGetStoredImages => "get stored images",
            Self::Other { .. } => "unknown request",
        }
    }

    /// Reads the fields of a request.
    ///
    /// # Errors
    /// A field is missing or too short.
    pub fn parse(message: u16, tlvs: &Tlvs) -> Result<Self, ParseError> {
        let byte = |kind, field| Reader::new(tlvs.require(kind, field)?).u8(field);
        let image = || ImageReference::parse(&mut Reader::new(tlvs.require(0x01, "image")?));
        Ok(match message {
            id::GET_MANUFACTURER => Self::GetManufacturer,
            id::GET_MODEL => Self::GetModel,
            id::GET_REVISION => Self::GetRevision,
            id::GET_IDS => Self::GetIds,
            id::GET_OPERATING_MODE => Self::GetOperatingMode,
            id::SET_OPERATING_MODE => Self::SetOperatingMode(byte(0x01, "operating mode")?.into()),
            id::SET_FIRMWARE_ID => Self::SetFirmwareId,
            id::GET_FIRMWARE_PREFERENCE => Self::GetFirmwarePreference,
            id::SET_FIRMWARE_PREFERENCE => Self::SetFirmwarePreference {
                preference: FirmwarePreference::parse(tlvs.require(0x01, "firmware preference")?)?,
                download_override: match tlvs.get(0x10) {
                    Some(_) => byte(0x10, "download override")? != 0,
                    None => false,
                },
                storage_index: match tlvs.get(0x11) {
                    Some(_) => Some(byte(0x11, "storage index")?),
                    None => None,
                },
            },
            id::LIST_STORED_IMAGES => Self::ListStoredImages,
            id::DELETE_STORED_IMAGE => Self::DeleteStoredImage(image()?),
            id::GET_STORED_IMAGE_INFO => Self::GetStoredImageInfo(image()?),
            id::GET_BOOT_IMAGE_DOWNLOAD_MODE => Self::GetBootImageDownloadMode,
            id::SET_BOOT_IMAGE_DOWNLOAD_MODE => {
                Self::SetBootImageDownloadMode(byte(0x01, "boot image download mode")?.into())
            }
            id::SWI_GET_CURRENT_FIRMWARE => Self::SwiGetCurrentFirmware,
            id::SWI_RESET_TO_DOWNLOAD_MODE => Self::SwiResetToDownloadMode,
            id::SWI_GET_USB_COMPOSITION => Self::SwiGetUsbComposition,
            id::SWI_SET_USB_COMPOSITION => {
                Self::SwiSetUsbComposition(UsbComposition(byte(0x01, "USB composition")?))
            }
            id::SWI_GET_FIRMWARE_CURRENT => Self::SwiGetFirmwareCurrent,
            id::SWI_GET_FIRMWARE_UPDATE_STATUS => Self::SwiGetFirmwareUpdateStatus,
            id::SWI_GET_STORED_IMAGES => Self::SwiGetStoredImages,
            message => Self::Other {
                message,
                tlvs: tlvs.clone(),
            },
        })
    }

    /// The fields of the request.
    pub fn encode(&self) -> Tlvs {
        let tlvs = Tlvs::new();
        match self {
            Self::SetOperatingMode(mode) => tlvs.with(0x01, [mode.code()]),
            Self::SetFirmwarePreference {
                preference,
                download_override,
                storage_index,
            } => tlvs
                .with(0x01, preference.to_bytes())
                .with_some(0x10, download_override.then_some([1]))
                .with_some(0x11, storage_index.map(|index| [index])),
            Self::DeleteStoredImage(image) | Self::GetStoredImageInfo(image) => {
                tlvs.with(0x01, image.to_bytes())
            }
            Self::SetBootImageDownloadMode(mode) => tlvs.with(0x01, [mode.code()]),
            Self::SwiSetUsbComposition(composition) => tlvs.with(0x01, [composition.0]),
            Self::Other { tlvs, .. } => tlvs.clone(),
            Self::GetManufacturer
            | Self::GetModel
            | Self::GetRevision
            | Self::GetIds
            | Self::GetOperatingMode
            | Self::SetFirmwareId
            | Self::GetFirmwarePreference
            | Self::ListStoredImages
            | Self::GetBootImageDownloadMode
            | Self::SwiGetCurrentFirmware
            | Self::SwiResetToDownloadMode
            | Self::SwiGetUsbComposition
            | Self::SwiGetFirmwareCurrent
            | Self::SwiGetFirmwareUpdateStatus
            | Self::SwiGetStoredImages => tlvs,
        }
    }

    /// The whole message.
    pub fn to_frame(&self, client: u8, transaction: u16) -> Frame {
        Frame {
            service: Service::Dms,
            client,
            kind: Kind::Request,
            transaction,
            message: self.message_id(),
            tlvs: self.encode(),
        }
    }
}
