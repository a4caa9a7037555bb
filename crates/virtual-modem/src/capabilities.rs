//! What the running firmware of a family can do, as data (devices.md, update-flow.md §2 and §4, at.md §3).

/// What differs between the firmwares of the families.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// The firmware version with which a rehearsal starts: an old one that was in the field.
    pub old_firmware: &'static str,
    /// The carrier settings that belong to that firmware.
    pub old_config: &'static str,
    /// The text after the version in the revision.
    pub build: &'static str,
    /// Whether the modem stores images in slots, and a preference chooses between them.
    pub preference: bool,
    /// How many modem images the modem stores.
    pub modem_slots: u8,
    /// How many PRI images the modem stores.
    pub pri_slots: u8,
    /// What DMS Set Firmware ID (0x003E) does.
    pub set_firmware_id: SetFirmwareId,
    /// Whether DMS Set Boot Image Download Mode (0x0050) works.
    pub boot_image_download_mode: bool,
    /// Whether the USB composition can be changed through DMS (0x555C).
    pub usb_composition_message: bool,
    /// The names of the AT command that shows and sets the preference, without the exclamation mark.
    pub preference_commands: &'static [&'static str],
    /// AT commands, with `?` or `=`, that need `AT!ENTERCND` first.
    pub locked: &'static [&'static str],
    /// The types that `AT!USBCOMP` offers.
    pub composition_kinds: &'static [(u8, &'static str)],
    /// The factory's type.
    pub composition_kind: u8,
    /// Whether `AT!PCINFO?` has the old layout with `GOBIIM` (MC73xx).
    pub old_power_layout: bool,
    /// Whether `AT!IMPREF?` shows a sub PRI index (02.33 and newer on 9x30).
    pub sub_pri_index: bool,
    /// Whether the modem answers QMI only after the host has set DTR (qmi.md §2).
    pub needs_terminal_ready: bool,
    /// How many QMI messages the modem ignores after the port was opened (field-reports.md A7).
    pub ignored_messages: u8,
}

/// What DMS Set Firmware ID does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetFirmwareId {
    /// The modem goes to boot & hold.
    Works,
    /// The modem refuses it with error 17 (EM7565, dms_boothold trace).
    MissingArgument,
    /// The modem doesn't know the message: error 71 (qmi.md vector 2).
    Unknown,
}

/// Many firmwares lock queries and changes of USB settings (at_em7455 trace).
const LOCKED_9X30: &[&str] = &[
    "IMPREF=",
    "IMAGE=",
    "USBCOMP?",
    "USBCOMP=",
    "USBPID?",
    "USBPID=",
    "USBVID?",
    "USBVID=",
    "USBPRODUCT?",
    "USBPRODUCT=",
    "USBSPEED?",
    "USBSPEED=",
    "PRIID=",
    "RMARESET=",
    "NVRESTORE=",
    "GOBIIMPREF=",
];

/// The locked commands of at.md §3: those that change something, and `AT!GOBIIMPREF` in both forms.
const LOCKED_OLD: &[&str] = &[
    "GOBIIMPREF?",
    "GOBIIMPREF=",
    "IMAGE=",
    "USBPID=",
    "USBVID=",
    "USBPRODUCT=",
    "UDPID=",
    "UDUSBCOMP=",
    "PRIID=",
    "RMARESET=",
    "NVRESTORE=",
    "RESET",
];

/// `AT!USBCOMP=?` of EM74xx.
const KINDS_9X30: &[(u8, &str)] = &[(1, "Generic"), (2, "USBIF-MBIM"), (3, "RNDIS")];
/// `AT!USBCOMP=?` of EM7565.
const KINDS_9X50: &[(u8, &str)] = &[
    (1, "MBIM USBIF"),
    (2, "PCIE USBIF"),
    (3, "Legacy-Generic"),
    (4, "RNDIS"),
];
const GENERIC: &[(u8, &str)] = &[(1, "Generic")];

impl Capabilities {
    /// SWI9200 and Gobi: no preference, one image with everything. DMS 0x003E works on them (devices.md).
    pub const SWI9200: Self = Self {
        // The version is that of the dms_boothold trace; the settings have the number of update-flow.md §5.2
        // vector 1.
        old_firmware: "03.00.08.02",
        old_config: "000.000_001",
        build: "R3715 CARMD-EN-10526 2011/11/14 18:34:41",
        preference: false,
        modem_slots: 1,
        pri_slots: 0,
        set_firmware_id: SetFirmwareId::Works,
        boot_image_download_mode: false,
        usb_composition_message: true,
        preference_commands: &[],
        locked: LOCKED_OLD,
        composition_kinds: GENERIC,
        composition_kind: 1,
        old_power_layout: true,
        sub_pri_index: false,
        needs_terminal_ready: false,
        ignored_messages: 0,
    };
    /// MC73xx and other 9x15: one pair of images.
    pub const SWI9X15: Self = Self {
        // Own choice of an older release.
        old_firmware: "05.05.16.02",
        old_config: "005.010_002",
        build: "r21040 carmd-fwbuild1 2014/03/17 23:49:48",
        preference: true,
        pri_slots: 1,
        preference_commands: &["GOBIIMPREF"],
        ..Self::SWI9200
    };
    /// MC74xx and EM74xx.
    pub const SWI9X30: Self = Self {
        old_firmware: "02.24.05.06",
        old_config: "002.026_000",
        build: "r7040 CARMD-EV-FRMWR2 2017/05/19 06:23:09",
        modem_slots: 4,
        pri_slots: 50,
        boot_image_download_mode: true,
        preference_commands: &["IMPREF", "GOBIIMPREF"],
        locked: LOCKED_9X30,
        composition_kinds: KINDS_9X30,
        old_power_layout: false,
        sub_pri_index: true,
        // MDM9x30 and later (linux.md §2): the kernel's driver sets DTR for the ids in its list.
        needs_terminal_ready: true,
        ..Self::SWI9X15
    };
    /// EM7565 and its family: they refuse DMS 0x003E and 0x0050 (dms_boothold trace).
    pub const SWI9X50: Self = Self {
        old_firmware: "01.07.02.00",
        old_config: "002.004_000",
        build: "f50f0a jenkins 2018/09/10 18:35:10",
        set_firmware_id: SetFirmwareId::MissingArgument,
        boot_image_download_mode: false,
        usb_composition_message: false,
        composition_kinds: KINDS_9X50,
        composition_kind: 3,
        sub_pri_index: false,
        ignored_messages: 1,
        ..Self::SWI9X30
    };
    /// WP76xx: one image with everything (devices.md).
    pub const SWI9X07: Self = Self {
        // C2 of field-reports.md updates to this version; the number of the settings is our own choice.
        old_firmware: "02.28.03.03",
        old_config: "002.075_000",
        build: "000000 jenkins 2019/05/21 03:33:04",
        modem_slots: 1,
        pri_slots: 1,
        composition_kinds: GENERIC,
        composition_kind: 1,
        ignored_messages: 0,
        ..Self::SWI9X50
    };
    /// RC76xx, versions of field-reports.md A10.
    pub const RC76XX: Self = Self {
        old_firmware: "00.08.07.00",
        old_config: "000.007_000",
        build: "d73df7 jenkins 2021/03/14 00:48:45",
        ..Self::SWI9X07
    };
    /// EM919x. That DMS 0x003E and 0x0050 behave as on 9x50 is our own choice.
    pub const SDX55: Self = Self {
        // A6 of field-reports.md updates to this version; the number of the settings is our own choice.
        old_firmware: "01.07.13.00",
        old_config: "001.016_000",
        build: "e16b0b jenkins 2021/08/05 04:16:54",
        composition_kinds: GENERIC,
        composition_kind: 1,
        ignored_messages: 0,
        ..Self::SWI9X50
    };
    /// EM929x: three slots (devices.md), version of field-reports.md A9.
    pub const SDX65: Self = Self {
        old_firmware: "02.13.08.00",
        old_config: "020.010_000",
        modem_slots: 3,
        ..Self::SDX55
    };
}
