//! The modem's side: writes whole answers as bytes, and the answers to the queries as in the traces (at.md §2 and
//! §3).

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use super::answer::Final;
use super::parse::{
    ActiveSlot, Board, Composition, GeneralStatus, Identity, ImageList, ImagePreference, Mode, PowerDetails,
    PowerState, Pri, Selection, StoredImage, UsbIdentity, UsbPids, UsbSpeeds,
};

/// What the modem says to one command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The lines before the final one; an empty one is an empty line.
    pub lines: Vec<String>,
    /// The final line.
    pub result: Final,
}

impl Reply {
    /// A reply with these lines, followed by OK.
    pub const fn ok(lines: Vec<String>) -> Self {
        Self {
            lines,
            result: Final::Ok,
        }
    }

    /// A refusal: ERROR.
    pub const fn error() -> Self {
        Self {
            lines: Vec::new(),
            result: Final::Error,
        }
    }

    /// The bytes on the wire, after the echo of the request if the modem sends one (at.md vectors 2 and 5).
    pub fn to_bytes(&self, echo: Option<&str>) -> Vec<u8> {
        let mut text = String::new();
        if let Some(request) = echo {
            text.push_str(request);
            text.push('\r');
        }
        text.push_str("\r\n");
        for line in &self.lines {
            text.push_str(line);
            text.push_str("\r\n");
        }
        if !self.lines.is_empty() {
            text.push_str("\r\n");
        }
        text.push_str(&self.result.to_string());
        text.push_str("\r\n");
        text.into_bytes()
    }
}

fn or_empty(value: Option<&String>) -> &str {
    value.map_or("", String::as_str)
}

/// Answer to ATI.
pub fn ati(identity: &Identity) -> Vec<String> {
    let fields = [
        ("Manufacturer", &identity.manufacturer),
        ("Model", &identity.model),
        ("Revision", &identity.revision),
        ("MEID", &identity.meid),
        ("IMEI", &identity.imei),
        ("IMEI SV", &identity.imei_sv),
        ("FSN", &identity.fsn),
    ];
    let said = fields
        .iter()
        .filter_map(|(key, value)| Some(format!("{key}: {}", value.as_ref()?)));
    said.chain(["+GCAP: +CGSM".into()]).collect()
}

/// Answer to AT!PRIID?.
pub fn priid(pri: &Pri) -> Vec<String> {
    let or = |value: &Option<String>, lost: &str| value.clone().unwrap_or_else(|| lost.into());
    let mut lines = vec![
        format!("PRI Part Number: {}", or(&pri.part_number, "Unknown")),
        format!("Revision: {}", or(&pri.revision, "Unknown")),
        format!("Customer: {}", or(&pri.customer, "Unknown")),
        String::new(),
    ];
    if pri.carriers.is_empty() {
        lines.push("Carrier PRI: None".into());
    }
    lines.extend(
        pri.carriers
            .iter()
            .map(|carrier| format!("Carrier PRI: {carrier}")),
    );
    lines
}

/// Answer to AT!BSINFO.
pub fn bsinfo(board: &Board) -> Vec<String> {
    [
        ("Product", &board.product),
        ("Revision", &board.revision),
        ("Main", &board.main),
        ("Radio", &board.radio),
        ("Power", &board.power),
        ("Flash", &board.flash),
    ]
    .iter()
    .filter_map(|(key, value)| Some(format!("{key}: {}", value.as_ref()?)))
    .collect()
}

/// Answer to AT!IMPREF? or AT!GOBIIMPREF?; `name` is the command's name with its exclamation mark.
pub fn impref(preference: &ImagePreference, name: &str) -> Vec<String> {
    let mut lines = vec![format!("{name}:")];
    for (which, selection) in [
        ("preferred", &preference.preferred),
        ("current", &preference.current),
    ] {
        lines.extend(self::selection(which, selection));
    }
    if !preference.mismatches.is_empty() {
        lines.push(String::new());
    }
    lines.extend(
        preference
            .mismatches
            .iter()
            .map(|mismatch| format!(" {mismatch}")),
    );
    lines
}

fn selection(which: &str, selection: &Selection) -> impl Iterator<Item = String> {
    let line = |what: &str, value: &str| format!(" {:<25}{value}", format!("{which} {what}:"));
    let sub_pri = selection.sub_pri.as_ref();
    [
        line("fw version", or_empty(selection.firmware.as_ref())),
        line("carrier name", or_empty(selection.carrier.as_ref())),
        line("config name", or_empty(selection.config.as_ref())),
    ]
    .into_iter()
    .chain(sub_pri.map(|index| line("subpri index", index)))
}

/// Answer to AT!IMAGE?.
pub fn image(list: &ImageList) -> Vec<String> {
    const HEAD: &str = "TYPE SLOT STATUS LRU FAILURES UNIQUE_ID   BUILD_ID";
    let mut lines = vec![HEAD.into()];
    lines.extend(list.firmware.iter().map(|image| row("FW", image)));
    lines.extend(list.most_firmware.map(|most| format!("Max FW images: {most}")));
    lines.extend(list.active.map(|active| {
        let slot = match active {
            ActiveSlot::Slot(slot) => slot,
            ActiveSlot::NotStored => u8::MAX,
        };
        format!("Active FW image is at slot {slot}")
    }));
    lines.extend([String::new(), HEAD.into()]);
    lines.extend(list.pri.iter().map(|image| row("PRI", image)));
    lines.extend(list.most_pri.map(|most| format!("Max PRI images: {most}")));
    lines
}

fn row(kind: &str, image: &StoredImage) -> String {
    let [first, second] = image.failures;
    let failures = format!("{first} {second}");
    let status = image.status.word();
    let start = format!("{kind:<4} {:<4X} {status:<6} {:<3} ", image.slot, image.lru);
    match &image.ids {
        Some((unique, build)) => format!("{start}{failures:<8} {unique:<11} {build}"),
        None => format!("{start}{failures}"),
    }
}

/// Answer to AT!PCINFO?.
pub fn pcinfo(power: &PowerState) -> Vec<String> {
    let votes: Vec<String> = power
        .voters
        .iter()
        .map(|voter| format!("{}:{}", voter.name, voter.vote))
        .collect();
    let votes = votes.join(", ");
    let state = |low_power: &str| match &power.mode {
        Mode::Online => "State: Online".into(),
        Mode::LowPower => format!("State: {low_power}"),
        Mode::Offline => "State: Offline".into(),
        Mode::Other(words) => format!("State: {words}"),
    };
    match &power.details {
        PowerDetails::Voters { persistence } => vec![
            state("Low Power Mode"),
            format!("LPM voters - {votes}"),
            format!("LPM persistence - {}", persistence.as_deref().unwrap_or("None")),
        ],
        PowerDetails::ForceFlags {
            w_disable,
            power_off_mode,
            persistent,
        } => {
            let numbers = [
                ("W_DISABLE", w_disable),
                ("Poweroff mode", power_off_mode),
                ("LPM Persistent", persistent),
            ];
            let numbers = numbers
                .iter()
                .filter_map(|(key, number)| number.map(|number| format!("{key}: {number}")));
            [state("LowPowerMode"), format!("LPM force flags - {votes}")]
                .into_iter()
                .chain(numbers)
                .collect()
        }
    }
}

/// Answer to AT!GSTATUS?: only its first lines, because no more of it is publicly known.
pub fn gstatus(status: &GeneralStatus) -> Vec<String> {
    let mode = status.mode.as_ref().map(|mode| match mode {
        Mode::Online => "ONLINE",
        Mode::LowPower => "LOW POWER MODE",
        Mode::Offline => "OFFLINE",
        Mode::Other(words) => words,
    });
    let time = status.seconds.map(|seconds| format!("Current Time:  {seconds}"));
    let temperature = status
        .temperature
        .map(|degrees| format!("Temperature: {degrees}"));
    let resets = status.resets.map(|count| format!("Reset Counter: {count}"));
    let mode = mode.map(|words| format!("Mode:        {words}"));
    let join = |cells: [Option<String>; 2], gap: &str| {
        let cells: Vec<String> = cells.into_iter().flatten().collect();
        cells.join(gap)
    };
    vec![
        "!GSTATUS:".into(),
        join([time, temperature], "  "),
        join([resets, mode], "   "),
    ]
}

/// Answer to AT!USBCOMP?.
pub fn usbcomp(composition: &Composition) -> Vec<String> {
    let in_brackets = |words: &str| match words {
        "" => String::new(),
        words => format!(" ({words})"),
    };
    vec![
        format!("Config Index: {}", composition.index),
        format!(
            "Config Type:  {}{}",
            composition.kind,
            in_brackets(or_empty(composition.kind_name.as_ref()))
        ),
        format!(
            "Interface bitmask: {:08X}{}",
            composition.mask,
            in_brackets(&composition.interfaces.join(","))
        ),
    ]
}

/// Answer to AT!USBPID?.
pub fn usbpid(pids: &UsbPids) -> Vec<String> {
    let boot = pids.boot.map(|boot| format!("BOOT: {boot:04X}"));
    ["!USBPID:".into(), format!("APP : {:04X}", pids.application)]
        .into_iter()
        .chain(boot)
        .collect()
}

/// Answer to AT!USBINFO?.
pub fn usbinfo(identity: &UsbIdentity) -> Vec<String> {
    let text = |key: &str, value: &Option<String>| value.as_ref().map(|value| format!("{key}: {value}"));
    [
        Some(format!("VID: 0x{:04X}", identity.vendor)),
        Some(format!("APP PID: 0x{:04X}", identity.application)),
        identity.boot.map(|boot| format!("BOOT PID: 0x{boot:04X}")),
        text("Manufacturer", &identity.manufacturer),
        text("Product", &identity.product),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Answer to AT!USBSPEED?.
pub fn usbspeed(speeds: &UsbSpeeds) -> Vec<String> {
    let supported = speeds.supported.as_ref();
    supported
        .map(|speed| format!("SUPPORTED:{}", speed.word()))
        .into_iter()
        .chain([format!("CURRENT  :{}", speeds.current.word())])
        .collect()
}
