//! Values in the messages of the device management service (qmi.md §5).

use alloc::string::String;
use core::fmt;

use super::super::tlv::Tlvs;
use crate::ParseError;
use crate::bytes::{Reader, Writer};
use crate::numbers::numbers;

numbers! {
    /// The modem's operating mode: whether its radio is on. Setting it is also the way to restart the modem.
    OperatingMode: u8 {
        Online = 0, "online";
        LowPower = 1, "low power";
        FactoryTest = 2, "factory test";
        Offline = 3, "offline";
        Reset = 4, "reset";
        ShuttingDown = 5, "shutting down";
        PersistentLowPower = 6, "persistent low power";
        ModeOnlyLowPower = 7, "mode-only low power";
    }
}

impl fmt::Display for OperatingMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.word() {
            Some(word) => f.write_str(word),
            None => write!(f, "operating mode {}", self.code()),
        }
    }
}

/// Why a modem is offline or in low power, as a set of bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct OfflineReason(pub u16);

impl OfflineReason {
    /// The host's image is wrongly configured.
    pub const HOST_IMAGE_MISCONFIGURED: Self = Self(1);
    /// The PRI image is wrongly configured.
    pub const PRI_IMAGE_MISCONFIGURED: Self = Self(1 << 1);
    /// Firmware and PRI don't belong together.
    pub const PRI_VERSION_INCOMPATIBLE: Self = Self(1 << 2);
    /// The device memory is full, so the PRI can't be copied.
    pub const MEMORY_FULL: Self = Self(1 << 3);

    const WORDS: [(Self, &'static str); 4] = [
        (Self::HOST_IMAGE_MISCONFIGURED, "host image misconfiguration"),
        (Self::PRI_IMAGE_MISCONFIGURED, "PRI image misconfiguration"),
        (Self::PRI_VERSION_INCOMPATIBLE, "PRI version incompatible"),
        (Self::MEMORY_FULL, "device memory full"),
    ];

    /// Whether all bits of `other` are set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl fmt::Display for OfflineReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut unnamed = self.0;
        let mut separator = "";
        for (reason, word) in Self::WORDS {
            if self.contains(reason) {
                write!(f, "{separator}{word}")?;
                separator = ", ";
                unnamed &= !reason.0;
            }
        }
        if unnamed != 0 || self.0 == 0 {
            write!(f, "{separator}reason {unnamed:#x}")?;
        }
        Ok(())
    }
}

/// The answer to Get Operating Mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OperatingState {
    /// The mode.
    pub mode: OperatingMode,
    /// Why the modem is offline or in low power; missing in other modes.
    pub offline_reason: Option<OfflineReason>,
    /// Whether a switch or a pin keeps the radio off.
    pub is_hardware_restricted: Option<bool>,
}

numbers! {
    /// What the boot loader does at the next start.
    BootImageDownloadMode: u8 {
        Normal = 0, "normal";
        BootAndRecovery = 1, "boot and recovery";
    }
}

impl fmt::Display for BootImageDownloadMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.word() {
            Some(word) => f.write_str(word),
            None => write!(f, "boot image download mode {}", self.code()),
        }
    }
}

/// The answer to Get IDs.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Ids {
    /// Electronic serial number.
    pub esn: Option<String>,
    /// The IMEI: the first 15 characters of the modem's field.
    pub imei: Option<String>,
    /// Mobile equipment identifier.
    pub meid: Option<String>,
    /// Version of the IMEI's software.
    pub imei_software_version: Option<String>,
}

/// Leaves the numbers out, because they are personal data and would get into logs.
impl fmt::Debug for Ids {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = |number: &Option<String>| number.as_ref().map(|_| "told");
        f.debug_struct("Ids")
            .field("esn", &told(&self.esn))
            .field("imei", &told(&self.imei))
            .field("meid", &told(&self.meid))
            .field("imei_software_version", &self.imei_software_version)
            .finish()
    }
}

impl Ids {
    pub(super) fn parse(tlvs: &Tlvs) -> Self {
        Self {
            esn: tlvs.text(0x10),
            imei: tlvs.text(0x11).map(|text| text.chars().take(15).collect()),
            meid: tlvs.text(0x12),
            imei_software_version: tlvs.text(0x13),
        }
    }

    pub(super) fn encode(&self, tlvs: Tlvs) -> Tlvs {
        tlvs.with_some(0x10, self.esn.as_deref())
            .with_some(0x11, self.imei.as_deref())
            .with_some(0x12, self.meid.as_deref())
            .with_some(0x13, self.imei_software_version.as_deref())
    }
}

/// The answer to Swi Get Current Firmware, 0x5556. Old modems report only the first three fields (trace
/// dms_boothold_mc7710_em7565).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CurrentFirmware {
    /// Model.
    pub model: Option<String>,
    /// Version of the boot loader.
    pub boot_version: Option<String>,
    /// Version of the firmware, with the platform's name before it.
    pub amss_version: Option<String>,
    /// Stock keeping unit.
    pub sku_id: Option<String>,
    /// Package id.
    pub package_id: Option<String>,
    /// Carrier, as a number.
    pub carrier_id: Option<String>,
    /// Version of the PRI.
    pub pri_version: Option<String>,
    /// Carrier, as a name.
    pub carrier: Option<String>,
    /// Version of the configuration.
    pub config_version: Option<String>,
}

impl CurrentFirmware {
    pub(super) fn parse(tlvs: &Tlvs) -> Self {
        Self {
            model: tlvs.text(0x10),
            boot_version: tlvs.text(0x11),
            amss_version: tlvs.text(0x12),
            sku_id: tlvs.text(0x13),
            package_id: tlvs.text(0x14),
            carrier_id: tlvs.text(0x15),
            pri_version: tlvs.text(0x16),
            carrier: tlvs.text(0x17),
            config_version: tlvs.text(0x18),
        }
    }

    pub(super) fn encode(&self, tlvs: Tlvs) -> Tlvs {
        tlvs.with_some(0x10, self.model.as_deref())
            .with_some(0x11, self.boot_version.as_deref())
            .with_some(0x12, self.amss_version.as_deref())
            .with_some(0x13, self.sku_id.as_deref())
            .with_some(0x14, self.package_id.as_deref())
            .with_some(0x15, self.carrier_id.as_deref())
            .with_some(0x16, self.pri_version.as_deref())
            .with_some(0x17, self.carrier.as_deref())
            .with_some(0x18, self.config_version.as_deref())
    }
}

/// The answer to Get Stored Image Info.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredImageInfo {
    /// Version of the boot loader in a modem image.
    pub boot_version: Option<BootVersion>,
    /// Version of a PRI image.
    pub pri_version: Option<PriVersion>,
    /// The customer to whom the image is locked; 0 for none.
    pub oem_lock: Option<u32>,
}

/// Version of a boot loader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BootVersion {
    /// Before the dot.
    pub major: u16,
    /// After the dot.
    pub minor: u16,
}

/// Version of a PRI image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriVersion {
    /// As a number.
    pub number: u32,
    /// As a text of at most 32 bytes; a longer one is cut when it is written.
    pub text: String,
}

impl StoredImageInfo {
    pub(super) fn parse(tlvs: &Tlvs) -> Result<Self, ParseError> {
        let mut info = Self::default();
        if let Some(value) = tlvs.get(0x10) {
            let mut reader = Reader::new(value);
            info.boot_version = Some(BootVersion {
                major: reader.u16_le("boot version, major")?,
                minor: reader.u16_le("boot version, minor")?,
            });
        }
        if let Some(value) = tlvs.get(0x11) {
            let mut reader = Reader::new(value);
            info.pri_version = Some(PriVersion {
                number: reader.u32_le("PRI version")?,
                text: super::super::tlv::readable(reader.take("PRI version text", 32)?),
            });
        }
        if let Some(value) = tlvs.get(0x12) {
            info.oem_lock = Some(Reader::new(value).u32_le("OEM lock id")?);
        }
        Ok(info)
    }

    pub(super) fn encode(&self, tlvs: Tlvs) -> Tlvs {
        let boot = self.boot_version.map(|version| {
            let mut value = alloc::vec![];
            value.put_u16_le(version.major);
            value.put_u16_le(version.minor);
            value
        });
        let pri = self.pri_version.as_ref().map(|version| {
            let mut value = alloc::vec![];
            value.put_u32_le(version.number);
            value.extend(version.text.bytes().chain(core::iter::repeat(0)).take(32));
            value
        });
        tlvs.with_some(0x10, boot)
            .with_some(0x11, pri)
            .with_some(0x12, self.oem_lock.map(u32::to_le_bytes))
    }
}

/// Which USB functions the modem has. 9x50 and later have AT!USBCOMP instead and may refuse this message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UsbComposition(pub u8);

impl fmt::Display for UsbComposition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mbim = |number| match number {
            0 => "DM+NMEA+AT+MBIM",
            1 => "MBIM",
            2 => "NMEA+MBIM",
            3 => "DM+MBIM",
            _ => "DM+NMEA+MBIM",
        };
        let (qmi, three) = ("DM+NMEA+AT+QMI", "DM+NMEA+AT+3xQMI");
        match self.0 {
            number @ 0..=5 => write!(f, "{number} (reserved or direct IP)"),
            6 => write!(f, "6 ({qmi})"),
            7 => write!(f, "7 ({three})"),
            number @ 8..=12 => write!(f, "{number} ({})", mbim(number - 8)),
            number @ 13..=17 => {
                write!(f, "{number} ({qmi}, with an MBIM host {})", mbim(number - 13))
            }
            number @ 18..=22 => {
                write!(f, "{number} ({three}, with an MBIM host {})", mbim(number - 18))
            }
            number => write!(f, "{number}"),
        }
    }
}

/// The answer to Swi Get Firmware Update Status, 0x5564. The numbers of its fields aren't certain (qmi.md, open
/// question 1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UpdateStatus {
    /// How the last update ended: field 0x01, if it has four bytes.
    pub result: Option<UpdateResult>,
    /// Every other field except for the result of the request.
    pub details: Tlvs,
}

/// How the last update ended (qmi.md §5.4). It survives warm resets only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UpdateResult(pub u32);

impl UpdateResult {
    /// The update succeeded.
    pub const SUCCESS: Self = Self(1);
    /// The result isn't known, for example after the modem had no power.
    pub const UNKNOWN: Self = Self(u32::MAX);
}

impl fmt::Display for UpdateResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match *self {
            Self::SUCCESS => "success",
            Self::UNKNOWN => "unknown",
            Self(code) => match code >> 28 {
                0x1 => "update file error",
                0x2 => "NVUP error",
                0x4 => "FOTA agent error",
                0x8 => "download protocol error",
                _ => "unknown result",
            },
        };
        write!(f, "{word} ({:#010x})", self.0)
    }
}
