//! An image that a modem stores, and how a user names it.

use modem_protocol::qmi::dms::ImageType;
use serde::{Serialize, Serializer};

use super::versions::Trio;

/// An image that a modem stores.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Image {
    /// The kind of image. In JSON "modem" or "PRI".
    #[serde(serialize_with = "as_text")]
    pub kind: ImageType,
    /// The storage slot, if it has a number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slot: Option<u8>,
    /// The unique id: `?_?` for modem images, the config version for PRI images.
    pub unique_id: String,
    /// The build id, `02.33.03.00_?` or `02.33.03.00_GENERIC`.
    pub build_id: String,
    /// Whether the modem's preference names this image.
    pub is_preferred: bool,
    /// Whether the modem runs the versions of this image. The modem's own index of the running image isn't reliable
    /// (field-reports.md D9).
    pub is_running: bool,
    /// How often the image failed to boot, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failures: Option<u8>,
}

fn as_text<S: Serializer>(kind: &ImageType, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(kind)
}

impl Image {
    /// What the modem uses the image for, in words.
    pub fn uses(&self) -> impl Iterator<Item = &'static str> + use<> {
        let uses = [(self.is_running, "runs"), (self.is_preferred, "preferred")];
        uses.into_iter().filter(|(is, _)| *is).map(|(_, word)| word)
    }

    /// What the modem does with the image, as a clause: "the modem runs and prefers it". Nothing if the image is just stored.
    pub fn in_use(&self) -> Option<String> {
        let does = match (self.is_running, self.is_preferred) {
            (true, true) => "runs and prefers",
            (true, false) => "runs",
            (false, true) => "prefers",
            (false, false) => return None,
        };
        let what = if self.is_firmware() { "it" } else { "them" };
        Some(format!("the modem {does} {what}"))
    }

    /// Whether the image is firmware. Any other kind is settings.
    pub fn is_firmware(&self) -> bool {
        self.kind == ImageType::Modem
    }

    /// The version of the firmware that this image is or belongs to: the build id up to the first `_`.
    pub fn firmware(&self) -> &str {
        self.parts().0
    }

    /// The carrier of settings: the build id after the first `_`. In firmware this is often `?`.
    pub fn carrier(&self) -> Option<&str> {
        self.parts().1
    }

    fn parts(&self) -> (&str, Option<&str>) {
        match self.build_id.split_once('_') {
            Some((firmware, rest)) => (firmware, Some(rest)),
            None => (&self.build_id, None),
        }
    }

    /// Whether a user means this firmware: by slot, version or build id.
    pub fn is_firmware_called(&self, wish: &str) -> bool {
        let is_slot = wish.parse::<u8>().is_ok_and(|slot| self.slot == Some(slot));
        self.is_firmware() && (is_slot || self.build_id == wish || self.firmware() == wish)
    }

    /// Whether a user means these settings: by config version, carrier or build id.
    pub fn are_settings_called(&self, wish: &str) -> bool {
        let is_carrier = self
            .carrier()
            .is_some_and(|carrier| carrier.eq_ignore_ascii_case(wish));
        self.kind == ImageType::Pri && (is_carrier || self.has_id(wish))
    }

    /// Whether `id` is the image's unique id or build id.
    pub fn has_id(&self, id: &str) -> bool {
        self.unique_id == id || self.build_id == id
    }

    /// Whether the image has the versions of `trio`.
    pub(crate) fn fits(&self, trio: &Trio) -> bool {
        let (Some(firmware), (build, Some(rest))) = (trio.firmware.as_deref(), self.parts()) else {
            return false;
        };
        build == firmware
            && (self.kind != ImageType::Pri
                || (trio.config.as_deref() == Some(self.unique_id.as_str())
                    && trio.carrier.as_deref().is_none_or(|carrier| carrier == rest)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(kind: ImageType, slot: Option<u8>, unique_id: &str, build_id: &str) -> Image {
        Image {
            kind,
            slot,
            unique_id: unique_id.into(),
            build_id: build_id.into(),
            is_preferred: false,
            is_running: false,
            failures: None,
        }
    }

    #[test]
    fn firmware_is_meant_by_slot_version_or_build_id() {
        let firmware = image(ImageType::Modem, Some(2), "?_?", "02.33.03.00_?");
        for wish in ["2", "02.33.03.00", "02.33.03.00_?"] {
            assert!(firmware.is_firmware_called(wish), "{wish}");
            assert!(!firmware.are_settings_called(wish), "{wish}");
        }
        for wish in ["1", "02.33", "?_?", ""] {
            assert!(!firmware.is_firmware_called(wish), "{wish}");
        }
    }

    #[test]
    fn settings_are_meant_by_config_carrier_or_build_id() {
        let settings = image(ImageType::Pri, Some(2), "002.072_000", "02.33.03.00_GENERIC");
        for wish in ["002.072_000", "generic", "02.33.03.00_GENERIC"] {
            assert!(settings.are_settings_called(wish), "{wish}");
        }
        for wish in ["02.33.03.00", "2"] {
            assert!(!settings.are_settings_called(wish), "{wish}");
            assert!(!settings.is_firmware_called(wish), "{wish}");
        }
    }
}
