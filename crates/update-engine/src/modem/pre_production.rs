//! Pre-production firmware: firmware from before the first release of a family, with another partition table. Updates between
//! such firmware and releases have made modems unusable (field-reports.md E6, F6; I13 for a Dell DW5811e).
//!
//! This is the only place that decides whether firmware is pre-production. It is used when judging the way from the running
//! to the requested firmware, the images to send, and the remarks about a modem.

use firmware_image::Family;

/// Whether firmware with this version is pre-production firmware, if it belongs to one of these families.
pub(crate) fn is_pre_production<'f>(families: impl IntoIterator<Item = &'f Family>, version: &str) -> bool {
    let first = version
        .split('.')
        .next()
        .and_then(|group| group.parse::<u8>().ok());
    first == Some(0) && families.into_iter().any(begins_with_release_1)
}

/// Whether the releases of a family begin with 01.00.00.00, so that 00.xx is pre-production. In other families releases have
/// versions 00.xx, too (catalogue.md: RC76xx 00.08.24.02), or nothing is known.
const fn begins_with_release_1(family: &Family) -> bool {
    match family {
        Family::Swi9x30 | Family::Swi9x50 => true,
        Family::Gobi1000
        | Family::Gobi2000
        | Family::Gobi3000
        | Family::Swi9200
        | Family::Swi9x15
        | Family::Swi9x40
        | Family::Swi9x07
        | Family::Swi9x06
        | Family::Sdx12
        | Family::Sdx55
        | Family::Sdx65
        | Family::Unknown(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // field-reports.md E6, F6; images.md §7 and catalogue.md for the versions.
    #[test]
    fn firmware_before_release_1_is_pre_production_in_two_families_only() {
        let of_9x50 = ["00.03.02.00", "00.03.05.00", "00.06.02.00"];
        for version in of_9x50 {
            assert!(is_pre_production([&Family::Swi9x50], version), "{version}");
        }
        assert!(is_pre_production([&Family::Swi9x30], "00.08.02.00"));
        for release in ["01.00.02.00", "01.14.13.00", "02.33.03.00", "10.00.00.00"] {
            assert!(
                !is_pre_production([&Family::Swi9x50, &Family::Swi9x30], release),
                "{release}"
            );
        }
        // A release of the RC76xx.
        assert!(!is_pre_production([&Family::Swi9x07], "00.08.24.02"));
        assert!(!is_pre_production([], "00.06.02.00"));
    }

    #[test]
    fn a_text_without_a_number_in_front_is_no_version() {
        for text in ["", ".", "unknown", "SWI9X50C_00.06.02.00"] {
            assert!(!is_pre_production([&Family::Swi9x50], text), "{text}");
        }
    }
}
