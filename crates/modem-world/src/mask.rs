//! Replaces numbers that identify a modem or a SIM, so that a trace can be shown to others.
//!
//! An IMEI has 15 digits, an ICCID 19 or 20, an IMSI at most 15, a MEID 14. Every number that looks like one
//! of these is replaced by a stand-in: digits that count from 1, of the same length. The same number always
//! gets the same stand-in, so a replay still understands the answers.

/// The shortest number that is replaced: an IMEI without its check digit.
const SHORTEST: usize = 14;

/// The delimiter of HDLC frames.
const FLAG: u8 = 0x7e;

/// The numbers that were replaced so far; the position of a number gives its stand-in.
#[derive(Debug, Default)]
pub(crate) struct Mask {
    numbers: Vec<Vec<u8>>,
}

/// Which numbers are replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    /// All numbers that are long enough.
    All,
    /// Only numbers that were replaced before. This is for what modemflash says: it knows no such numbers
    /// itself, but it may repeat one that the modem said.
    Known,
}

impl Mask {
    /// Replaces numbers in ASCII and in UTF-16, which MBIM uses. Numbers inside an HDLC frame stay, because
    /// the frame's checksum covers them and a boot loader doesn't know such numbers.
    pub(crate) fn hide(&mut self, bytes: &mut [u8], which: Which) {
        for width in [1, 2] {
            let mut start = 0;
            while start < bytes.len() {
                let digits = digits(bytes.get(start..).unwrap_or_default(), width);
                let end = start + digits.len() * width;
                if digits.len() >= SHORTEST && !is_framed(bytes, start, end) {
                    if let Some(stand_in) = self.stand_in(&digits, which) {
                        let places = bytes.get_mut(start..end).unwrap_or_default();
                        let places = places.iter_mut().step_by(width);
                        places.zip(stand_in).for_each(|(to, from)| *to = from);
                    }
                }
                start = end.max(start + 1);
            }
        }
    }

    /// Replaces numbers in text.
    pub(crate) fn hide_text(&mut self, text: &str, which: Which) -> String {
        let mut bytes = text.as_bytes().to_vec();
        self.hide(&mut bytes, which);
        // Only digits were replaced, and by digits: the text is still UTF-8.
        String::from_utf8(bytes).unwrap_or_default()
    }

    fn stand_in(&mut self, digits: &[u8], which: Which) -> Option<Vec<u8>> {
        let known = self.numbers.iter().position(|known| known == digits);
        let place = match (known, which) {
            (Some(place), _) => place,
            (None, Which::Known) => return None,
            (None, Which::All) => {
                self.numbers.push(digits.to_vec());
                self.numbers.len() - 1
            }
        };
        let width = digits.len();
        Some(format!("{:0width$}", place + 1).into_bytes())
    }
}

/// Whether the bytes may end in the middle of a number.
pub(crate) fn may_go_on(bytes: &[u8]) -> bool {
    match bytes {
        [.., digit, 0] | [.., digit] => digit.is_ascii_digit(),
        [] => false,
    }
}

/// The digits at the start of `bytes`, each `width` bytes wide.
fn digits(bytes: &[u8], width: usize) -> Vec<u8> {
    let is_digit = |unit: &&[u8]| match unit {
        [digit] | [digit, 0] => digit.is_ascii_digit(),
        _ => false,
    };
    bytes
        .chunks_exact(width)
        .take_while(is_digit)
        .filter_map(|unit| unit.first().copied())
        .collect()
}

fn is_framed(bytes: &[u8], start: usize, end: usize) -> bool {
    let has_flag = |part: Option<&[u8]>| part.is_some_and(|part| part.contains(&FLAG));
    has_flag(bytes.get(..start)) && has_flag(bytes.get(end..))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hidden(mask: &mut Mask, text: &str) -> String {
        mask.hide_text(text, Which::All)
    }

    #[test]
    fn numbers_get_stand_ins_of_their_length_in_the_order_in_which_they_appear() {
        let mut mask = Mask::default();
        assert_eq!(
            hidden(
                &mut mask,
                "IMEI: 359072061234567\r\nICCID: 89490200001234567890\r\n"
            ),
            "IMEI: 000000000000001\r\nICCID: 00000000000000000002\r\n"
        );
        assert_eq!(hidden(&mut mask, "x359072061234567"), "x000000000000001");
        assert_eq!(hidden(&mut mask, "35907206123456"), "00000000000003");
        assert_eq!(
            hidden(&mut mask, "3590720612345678901234567"),
            "0000000000000000000000004"
        );
    }

    #[test]
    fn shorter_numbers_and_versions_stay() {
        let mut mask = Mask::default();
        for text in ["1234567890123", "SWI9X30C_02.33.03.00", "2017/04/18 05:23:47", ""] {
            assert_eq!(hidden(&mut mask, text), text);
        }
    }

    #[test]
    fn what_is_said_by_us_is_replaced_only_when_it_was_heard() {
        let mut mask = Mask::default();
        let text = "AT+X=359072061234567";
        assert_eq!(mask.hide_text(text, Which::Known), text);
        hidden(&mut mask, text);
        assert_eq!(mask.hide_text(text, Which::Known), "AT+X=000000000000001");
    }

    #[test]
    fn numbers_in_utf_16_are_found_at_any_place() {
        let mut mask = Mask::default();
        for before in [&[7_u8][..], &[7, 7]] {
            let wide = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
            let mut bytes = [before, &wide("359072061234567"), &[9, 9]].concat();
            mask.hide(&mut bytes, Which::All);
            assert_eq!(bytes, [before, &wide("000000000000001"), &[9, 9]].concat());
        }
    }

    #[test]
    fn frames_with_a_checksum_stay_whole() {
        let mut mask = Mask::default();
        let text = "~35907206123456789~359072061234567";
        assert_eq!(hidden(&mut mask, text), "~35907206123456789~000000000000001");
    }

    #[test]
    fn a_torn_number_is_seen() {
        for bytes in [&b"35"[..], b"x1", b"3\0"] {
            assert!(may_go_on(bytes));
        }
        for bytes in [&b""[..], b"\0", b"1\r\n", b"x\0"] {
            assert!(!may_go_on(bytes));
        }
    }
}
