//! The device management service: the messages that a firmware tool needs, for both sides (qmi.md §5).
//!
//! Vendor messages (0x5555 and up) have the meaning that they have in Sierra Wireless modems.

mod image;
mod request;
mod response;
mod values;

pub use image::{
    DownloadList, FirmwarePreference, ImageReference, ImageType, StoredImage, StoredImageList, StoredImages,
    SwiStoredImages, UniqueId, UnsendablePreference,
};
pub use request::Request;
pub use response::{Response, refusal};
pub use values::{
    BootImageDownloadMode, BootVersion, CurrentFirmware, Ids, OfflineReason, OperatingMode, OperatingState,
    PriVersion, StoredImageInfo, UpdateResult, UpdateStatus, UsbComposition,
};

/// Numbers of the messages.
mod id {
    pub(super) const GET_MANUFACTURER: u16 = 0x0021;
    pub(super) const GET_MODEL: u16 = 0x0022;
    pub(super) const GET_REVISION: u16 = 0x0023;
    pub(super) const GET_IDS: u16 = 0x0025;
    pub(super) const GET_OPERATING_MODE: u16 = 0x002D;
    pub(super) const SET_OPERATING_MODE: u16 = 0x002E;
    pub(super) const SET_FIRMWARE_ID: u16 = 0x003E;
    pub(super) const GET_FIRMWARE_PREFERENCE: u16 = 0x0047;
    pub(super) const SET_FIRMWARE_PREFERENCE: u16 = 0x0048;
    pub(super) const LIST_STORED_IMAGES: u16 = 0x0049;
    pub(super) const DELETE_STORED_IMAGE: u16 = 0x004A;
    pub(super) const GET_STORED_IMAGE_INFO: u16 = 0x004C;
    pub(super) const GET_BOOT_IMAGE_DOWNLOAD_MODE: u16 = 0x004F;
    pub(super) const SET_BOOT_IMAGE_DOWNLOAD_MODE: u16 = 0x0050;
    pub(super) const SWI_GET_CURRENT_FIRMWARE: u16 = 0x5556;
    pub(super) const SWI_RESET_TO_DOWNLOAD_MODE: u16 = 0x555A;
    pub(super) const SWI_GET_USB_COMPOSITION: u16 = 0x555B;
    pub(super) const SWI_SET_USB_COMPOSITION: u16 = 0x555C;
    pub(super) const SWI_GET_FIRMWARE_CURRENT: u16 = 0x5563;
    pub(super) const SWI_GET_FIRMWARE_UPDATE_STATUS: u16 = 0x5564;
    pub(super) const SWI_GET_STORED_IMAGES: u16 = 0x557A;
}
