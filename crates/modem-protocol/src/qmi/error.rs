//! The result of a QMI request (qmi.md §3).

use core::fmt;

use super::tlv::Tlvs;
use crate::ParseError;
use crate::bytes::{Reader, Writer};
use crate::numbers::numbers;

/// The type of the TLV with the result, which every response has.
pub const RESULT: u8 = 0x02;

numbers! {
    /// Why a modem refuses a request.
    QmiError: u16 {
        None = 0, "no error given";
        Malformed = 1, "malformed message";
        Internal = 3, "internal error";
        Aborted = 4, "aborted";
        ClientIdsExhausted = 5, "client ids exhausted";
        InvalidClientId = 7, "invalid client id";
        InvalidHandle = 9, "invalid handle";
        InvalidProfile = 10, "invalid profile";
        MissingArgument = 17, "missing argument";
        DeviceUnsupported = 25, "device unsupported";
        NoEffect = 26, "no effect";
        General = 46, "general error";
        Unknown = 47, "unknown error";
        InvalidArgument = 48, "invalid argument";
        InvalidIndex = 49, "invalid index";
        NoEntry = 50, "no entry";
        StorageFull = 51, "device storage full";
        NotReady = 52, "device not ready";
        InvalidTransition = 60, "invalid transition";
        InvalidOperation = 70, "invalid operation";
        InvalidCommand = 71, "invalid QMI command";
        InformationUnavailable = 74, "information unavailable";
        ExtendedInternal = 81, "extended internal error";
        AccessDenied = 82, "access denied";
        HardwareRestricted = 83, "hardware restricted";
        IncompatibleState = 90, "incompatible state";
        NotSupported = 94, "not supported";
    }
}

impl QmiError {
    /// Whether the modem doesn't have the requested feature: errors 71, 94, 25 and 17 (qmi.md §3).
    pub const fn is_absent(self) -> bool {
        matches!(
            self,
            Self::InvalidCommand | Self::NotSupported | Self::DeviceUnsupported | Self::MissingArgument
        )
    }

    /// Whether the modem is still booting: error 52.
    pub const fn is_not_ready(self) -> bool {
        matches!(self, Self::NotReady)
    }

    /// Whether this is one of the firmware write, read and file errors, 388 to 402.
    pub const fn is_about_a_firmware_file(self) -> bool {
        matches!(self, Self::Other(388..=402))
    }

    /// The fields of a refusal: only the result.
    pub fn to_tlvs(self) -> Tlvs {
        result(1, self.code())
    }
}

impl fmt::Display for QmiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.word() {
            Some(word) => word,
            None if self.is_about_a_firmware_file() => "firmware file error",
            None => "QMI error",
        };
        write!(f, "{word} ({})", self.code())
    }
}

/// The result with which a positive response begins.
pub(super) fn success() -> Tlvs {
    result(0, 0)
}

fn result(status: u16, error: u16) -> Tlvs {
    let mut value = alloc::vec![];
    value.put_u16_le(status);
    value.put_u16_le(error);
    Tlvs::new().with(RESULT, value)
}

/// Reads the result of a response. A status other than 0 is a failure, whatever the error number is.
///
/// # Errors
/// The result is missing or too short.
pub fn outcome(tlvs: &Tlvs) -> Result<Result<(), QmiError>, ParseError> {
    let mut reader = Reader::new(tlvs.require(RESULT, "result")?);
    let status = reader.u16_le("result status")?;
    let error = reader.u16_le("result error")?;
    Ok(match status {
        0 => Ok(()),
        _ => Err(QmiError::from(error)),
    })
}
