//! Reads values of options. Errors have the words of `qmi-firmware-update`.

/// A USB id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct VidPid {
    pub(crate) vendor: u16,
    pub(crate) product: Option<u16>,
}

/// A number on the bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BusNumber {
    pub(crate) bus: Option<u32>,
    pub(crate) device: u32,
}

/// Reads `1199` or `0x1199:0x9071`: hexadecimal numbers that may not be 0.
///
/// # Errors
/// What is wrong, in words.
pub(crate) fn vid_pid(text: &str) -> Result<VidPid, String> {
    let (first, second) = fields(text, "vid-pid")?;
    let number = |field: &str, what: &str| {
        let digits = plain(field);
        let digits = digits
            .strip_prefix("0x")
            .or_else(|| digits.strip_prefix("0X"))
            .unwrap_or(digits);
        match u16::from_str_radix(digits, 16) {
            Ok(number) if number > 0 && digits.starts_with(|first: char| first.is_ascii_hexdigit()) => {
                Ok(number)
            }
            _ => Err(format!("invalid {what} id: {field}")),
        }
    };
    let product = second.map(|field| number(field, "product")).transpose()?;
    let vendor = number(first, "vendor")?;
    Ok(VidPid { vendor, product })
}

/// Reads `7` or `001:007`: decimal numbers that may not be 0.
///
/// # Errors
/// What is wrong, in words.
pub(crate) fn bus_number(text: &str) -> Result<BusNumber, String> {
    let (first, second) = fields(text, "busnum-devnum")?;
    let number = |field: &str, what: &str| {
        let digits = plain(field);
        match digits.parse::<u32>() {
            Ok(number) if number > 0 && digits.starts_with(|first: char| first.is_ascii_digit()) => {
                Ok(number)
            }
            _ => Err(format!("invalid {what} number: {field}")),
        }
    };
    let (bus, device) = match second {
        None => (None, first),
        Some(second) => (Some(first), second),
    };
    let device = number(device, "dev")?;
    let bus = bus.map(|field| number(field, "bus")).transpose()?;
    Ok(BusNumber { bus, device })
}

/// The number without spaces around it and without a plus sign.
fn plain(field: &str) -> &str {
    let digits = field.trim();
    digits.strip_prefix('+').unwrap_or(digits)
}

fn fields<'t>(text: &'t str, what: &str) -> Result<(&'t str, Option<&'t str>), String> {
    match text.split_once(':') {
        None => Ok((text, None)),
        Some((_, rest)) if rest.contains(':') => Err(format!("invalid {what} string: too many fields")),
        Some((first, second)) => Ok((first, Some(second))),
    }
}

/// Reads an integer as C does: decimal, with `0x` hexadecimal, with `0` octal.
///
/// # Errors
/// The text is no integer, or the integer has more than 32 bits. `option` is the option's name as the user typed it.
pub(crate) fn integer(text: &str, option: &str) -> Result<i32, String> {
    let digits = text.trim_start();
    let (is_negative, digits) = match digits.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, digits.strip_prefix('+').unwrap_or(digits)),
    };
    let hexadecimal = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X"));
    let (digits, radix) = match hexadecimal {
        Some(digits) => (digits, 16),
        None if digits.len() > 1 && digits.starts_with('0') => (digits, 8),
        None => (digits, 10),
    };
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
        return Err(format!("Cannot parse integer value “{text}” for {option}"));
    }
    i64::from_str_radix(digits, radix)
        .ok()
        .map(|number| if is_negative { -number } else { number })
        .and_then(|number| i32::try_from(number).ok())
        .ok_or_else(|| format!("Integer value “{text}” for {option} out of range"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_hexadecimal_with_or_without_0x() {
        let id = |vendor, product| Ok(VidPid { vendor, product });
        assert_eq!(vid_pid("1199"), id(0x1199, None));
        assert_eq!(vid_pid("0x1199:0X9071"), id(0x1199, Some(0x9071)));
        assert_eq!(vid_pid(" +1199: 9071 "), id(0x1199, Some(0x9071)));
        assert_eq!(vid_pid("00001199"), id(0x1199, None));
    }

    #[test]
    fn numbers_on_the_bus_are_decimal() {
        let number = |bus, device| Ok(BusNumber { bus, device });
        assert_eq!(bus_number("7"), number(None, 7));
        assert_eq!(bus_number("001:007"), number(Some(1), 7));
        assert_eq!(bus_number("1:999"), number(Some(1), 999));
    }

    #[test]
    fn integers_are_read_as_c_reads_them() {
        for (text, number) in [("16", 16), ("0x10", 16), ("010", 8), (" -1", -1), ("0", 0)] {
            assert_eq!(integer(text, "-x"), Ok(number), "{text}");
        }
    }
}
