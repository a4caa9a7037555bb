//! The modem's identity: ATI, AT+CGMR, AT+CGSN, AT!PRIID? and AT!BSINFO.

use alloc::string::String;
use alloc::vec::Vec;

use super::{text, value};

/// Answer to ATI. A field that the modem doesn't report is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// `Sierra Wireless, Incorporated`
    pub manufacturer: Option<String>,
    /// `MC7455`
    pub model: Option<String>,
    /// `SWI9X30C_02.33.03.00 r8209 CARMD-EV-FRMWR2 2019/08/28 20:59:30`
    pub revision: Option<String>,
    /// Equipment id of CDMA models.
    pub meid: Option<String>,
    /// 15 digits.
    pub imei: Option<String>,
    /// Software version number of the IMEI.
    pub imei_sv: Option<String>,
    /// The maker's serial number.
    pub fsn: Option<String>,
}

/// Reads the answer to ATI.
pub fn ati(lines: &[String]) -> Option<Identity> {
    let mut found = Identity::default();
    for line in lines {
        let fields = [
            ("Manufacturer", &mut found.manufacturer),
            ("Model", &mut found.model),
            ("Revision", &mut found.revision),
            ("MEID", &mut found.meid),
            ("IMEI", &mut found.imei),
            ("IMEI SV", &mut found.imei_sv),
            ("FSN", &mut found.fsn),
        ];
        for (key, field) in fields {
            if let Some(value) = value(line, key) {
                *field = text(value);
            }
        }
    }
    (found != Identity::default()).then_some(found)
}

/// Reads the answer to AT+CGMR: the same revision as in ATI.
pub fn cgmr(lines: &[String]) -> Option<String> {
    lines
        .iter()
        .map(|line| {
            value(line, "+CGMR")
                .or_else(|| value(line, "Revision"))
                .unwrap_or(line)
                .trim()
        })
        .find(|line| line.contains('.') && line.starts_with(|first: char| first.is_ascii_alphanumeric()))
        .map(String::from)
}

/// Reads the answer to AT+CGSN: the IMEI, 14 to 16 digits.
pub fn cgsn(lines: &[String]) -> Option<String> {
    lines
        .iter()
        .map(|line| {
            let value = value(line, "+CGSN").or_else(|| value(line, "IMEI"));
            value.unwrap_or(line).trim().trim_matches('"')
        })
        .find(|line| (14..=16).contains(&line.len()) && line.bytes().all(|byte| byte.is_ascii_digit()))
        .map(String::from)
}

/// Answer to AT!PRIID?: the OEM's configuration and the carrier's. A modem that has lost them answers "Unknown" and
/// "None"; these become `None` here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pri {
    /// `9907763`
    pub part_number: Option<String>,
    /// `002.072`
    pub revision: Option<String>,
    /// `GENERIC`, `Dell`, `Lenovo-Laptop`
    pub customer: Option<String>,
    /// `9999999_9904609_SWI9X30C_02.24.05.06_00_GENERIC_002.026_000`. A modem with the settings of several carriers
    /// reports each in a line of its own.
    pub carriers: Vec<String>,
}

/// Reads the answer to AT!PRIID?.
pub fn priid(lines: &[String]) -> Option<Pri> {
    let mut found = Pri::default();
    let mut is_answer = false;
    for line in lines {
        let fields = [
            ("PRI Part Number", "Unknown", &mut found.part_number),
            ("Revision", "Unknown", &mut found.revision),
            ("Customer", "Unknown", &mut found.customer),
        ];
        for (key, lost, field) in fields {
            if let Some(value) = value(line, key) {
                *field = text(value).filter(|value| value != lost);
                is_answer = true;
            }
        }
        if let Some(value) = value(line, "Carrier PRI") {
            found.carriers.extend(text(value).filter(|value| value != "None"));
            is_answer = true;
        }
    }
    is_answer.then_some(found)
}

/// Answer to AT!BSINFO.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Board {
    /// `FX30S(WP7611-1)`
    pub product: Option<String>,
    /// `40`
    pub revision: Option<String>,
    /// `MDM9207 (000)`
    pub main: Option<String>,
    /// `WTR2965`
    pub radio: Option<String>,
    /// `PMD9607 (002)`
    pub power: Option<String>,
    /// `H27S4G8F2EKPB4 512MB x8 (173/0/0) (2048 blocks of 64 pages/block 4096B page size)`
    pub flash: Option<String>,
}

impl Board {
    /// The name of the flash chip. The modem refuses firmware that is too old for its chip (field-reports.md C14).
    pub fn flash_chip(&self) -> Option<&str> {
        self.flash.as_deref()?.split_whitespace().next()
    }

    /// The three counts of bad blocks.
    pub fn bad_blocks(&self) -> Option<[u32; 3]> {
        self.flash.as_deref()?.split(['(', ')']).find_map(|part| {
            let mut counts = part.split('/').map(|count| count.parse().ok());
            let found = [counts.next()??, counts.next()??, counts.next()??];
            counts.next().is_none().then_some(found)
        })
    }
}

/// Reads the answer to AT!BSINFO.
pub fn bsinfo(lines: &[String]) -> Option<Board> {
    let mut found = Board::default();
    for line in lines {
        let fields = [
            ("Product", &mut found.product),
            ("Revision", &mut found.revision),
            ("Main", &mut found.main),
            ("Radio", &mut found.radio),
            ("Power", &mut found.power),
            ("Flash", &mut found.flash),
        ];
        for (key, field) in fields {
            if let Some(value) = value(line, key) {
                *field = text(value);
            }
        }
    }
    (found != Board::default()).then_some(found)
}
