//! The models that the virtual modem can play, as data.
//!
//! The facts are from devices.md, qdl.md, sahara-firehose.md, field-reports.md and the captured traces. A
//! value that no source gives is marked "own choice" and is kept harmless.

use std::time::Duration;

use crate::capabilities::Capabilities;
use crate::layout::{Composition, ControlProtocol, Wiring};
use crate::quirk::Noise;

/// One model of modem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Model name, as a user would write it: `EM7565`.
    pub name: &'static str,
    /// The name that its images carry: `SWI9X50C`.
    pub family: &'static str,
    /// The protocol of its boot loader.
    pub protocol: Protocol,
    /// How it appears on the bus in download mode.
    pub download: Identity,
    /// How it appears on the bus while its firmware runs.
    pub normal: Identity,
    /// Which interface has which number while the firmware runs.
    pub wiring: Wiring,
    /// The functions that it shows when it leaves the factory.
    pub composition: Composition,
    /// How the `SWI…` part in the version text of its images begins.
    pub image_names: &'static [&'static str],
    /// The product field of its images; compared without case.
    pub products: &'static [&'static str],
    /// What its firmware can do.
    pub capabilities: Capabilities,
    /// How long things take.
    pub timings: Timings,
}

/// The protocol of a boot loader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// DLOAD and QDL.
    Qdl(QdlTraits),
    /// Sahara, then Firehose.
    Sahara(SaharaTraits),
}

/// What differs between QDL boot loaders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QdlTraits {
    /// The hello version that it answers; it answers no other (qdl.md §7).
    pub version: u8,
    /// The boot loader starts in DLOAD and acknowledges the switch. Otherwise it is streaming from the start
    /// and answers the switch with error 0x16 (mc7455_qdl_session trace).
    pub starts_in_dload: bool,
    /// The image types that it takes (qdl.md §5).
    pub image_types: &'static [u8],
    /// Whether the hello response has ` tgt` and then `0` after its magic, as that of an EM7455 (qdl.md
    /// §4.3).
    pub says_target: bool,
}

/// What differs between Sahara boot loaders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SaharaTraits {
    /// Protocol version in the hello.
    pub version: u32,
    /// Mode in the hello; 2 in every capture, of healthy and of crashed modems.
    pub mode: u32,
    /// Bytes in a flash sector.
    pub sector_size_bytes: u32,
    /// Pages in a flash block.
    pub pages_per_block: u32,
    /// Largest payload of raw data in bytes.
    pub max_payload_bytes: u32,
    /// Whether the boot loader answers getStorageInfo with log lines about sectors; EM9191 sends none.
    pub tells_sectors: bool,
    /// `TargetName` of the configure response.
    pub target_name: &'static str,
    /// Log lines after `confirmed`.
    pub greeting: &'static [&'static str],
    /// What its zero block usually leads to.
    pub noise: Option<Noise>,
}

/// How a device appears on the bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// `idVendor`.
    pub vendor: u16,
    /// `idProduct`.
    pub product: u16,
    /// Speed in Mbit/s.
    pub speed: u32,
    /// Product string.
    pub product_name: &'static str,
    /// Serial string, if it has one.
    pub serial: Option<&'static str>,
}

/// How long things take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timings {
    /// From a request to its answer, if nothing has to be written.
    pub answer: Duration,
    /// Bytes per second that the modem takes from the bus into its memory.
    pub taking_bytes_per_second: u64,
    /// How many bytes the modem takes at once before it has to digest them.
    pub buffer_bytes: usize,
    /// How many bytes per second the modem checks and programs after the last byte of an image: this is the
    /// long silence.
    pub programming_bytes_per_second: u64,
    /// The shortest time for checking and programming an image.
    pub programming_floor: Duration,
    /// From the reset request until the modem leaves the bus.
    pub leaving: Duration,
    /// How long the modem is off the bus before its firmware appears.
    pub booting: Duration,
    /// How long the modem is off the bus before its boot loader appears again.
    pub restarting: Duration,
    /// How long a modem with running firmware is off the bus before its boot loader appears.
    pub entering: Duration,
    /// From the appearance of the firmware on the bus until it answers more than "not ready".
    pub ready_after: Duration,
    /// How long the modem stays in download mode if nothing happens and its firmware is sound.
    pub boot_hold: Duration,
    /// From the opening of the port to the Sahara hello.
    pub hello: Duration,
    /// From `confirmed` to the first log line of the Firehose server.
    pub greeting: Duration,
    /// After how long a silence in the middle of image data the boot loader gives the image up.
    pub patience: Duration,
}

impl Timings {
    /// The times of real modems.
    pub const REAL: Self = Self {
        // Own choice; "all others are quick" (mc7455_qdl_session trace).
        answer: Duration::from_millis(2),
        // 80 MB in about 8 s on USB 2: own choice, between the times of lab-facts.md §3.
        taking_bytes_per_second: 10_000_000,
        buffer_bytes: 256 * 1024,
        // The last acknowledgement of a 64 MB image took 50 s (mc7455_qdl_session trace); a Firehose verdict
        // on 80 MB takes 10 to 90 s (sahara-firehose.md §5.2).
        programming_bytes_per_second: 1_288_633,
        programming_floor: Duration::from_millis(300),
        // "the modem leaves the bus right away", "within a second or so" (qdl.md §4.10, sahara-firehose.md §5.4).
        leaving: Duration::from_millis(300),
        // Own choice for most models; 70 s on 9x30 after a change of images (field-reports.md D8).
        booting: Duration::from_secs(25),
        // Own choice.
        restarting: Duration::from_secs(4),
        // 5 to 25 s (linux.md §5).
        entering: Duration::from_secs(8),
        // Own choice.
        ready_after: Duration::from_secs(5),
        // "download mode times out by itself" (field-reports.md B9); no source says when.
        boot_hold: Duration::from_secs(15 * 60),
        // Own choice; the reference waits up to 5 s for it.
        hello: Duration::from_millis(150),
        // Own choice. The captures have `confirmed` alone in a transfer and in a read, and the reference, which
        // works with EM7565, refuses it together with anything else ("invalid confirmation data", kernel lab).
        greeting: Duration::from_millis(100),
        // Own choice; a boot loader knows "receive timeout" (qdl.md §4.4 code 0x19), no source says when.
        patience: Duration::from_secs(60),
    };

    /// No waiting, for tests that are not about time.
    pub const INSTANT: Self = Self {
        answer: Duration::ZERO,
        taking_bytes_per_second: 1_000_000_000_000,
        buffer_bytes: 16 * 1024 * 1024,
        programming_bytes_per_second: 1_000_000_000_000,
        programming_floor: Duration::ZERO,
        leaving: Duration::ZERO,
        booting: Duration::from_millis(1),
        restarting: Duration::from_millis(1),
        entering: Duration::from_millis(1),
        ready_after: Duration::ZERO,
        boot_hold: Duration::from_secs(15 * 60),
        hello: Duration::ZERO,
        greeting: Duration::ZERO,
        patience: Duration::from_secs(60),
    };

    /// How long checking and programming an image of `bytes` bytes takes.
    pub fn programming(&self, bytes: u64) -> Duration {
        time_for(bytes, self.programming_bytes_per_second).max(self.programming_floor)
    }

    /// How long taking `bytes` bytes from the bus takes.
    pub fn taking(&self, bytes: u64) -> Duration {
        time_for(bytes, self.taking_bytes_per_second)
    }
}

/// The time that `bytes` bytes take at `speed` bytes per second; nothing at a speed of 0.
fn time_for(bytes: u64, speed: u64) -> Duration {
    let nanoseconds = (u128::from(bytes) * 1_000_000_000)
        .checked_div(u128::from(speed))
        .unwrap_or(0);
    Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
}

impl Profile {
    /// All profiles.
    pub const ALL: &'static [Self] = &PROFILES;

    /// A profile for places where the model doesn't matter.
    pub(crate) const ANY: &'static Self = &PROFILES[0];

    /// The profile of a model, compared without case.
    pub fn named(name: &str) -> Option<&'static Self> {
        PROFILES
            .iter()
            .find(|profile| profile.name.eq_ignore_ascii_case(name))
    }

    /// Whether the boot loader speaks QDL.
    pub const fn is_qdl(&self) -> bool {
        matches!(self.protocol, Protocol::Qdl(_))
    }

    /// The control protocol of the factory composition.
    pub fn control(&self) -> ControlProtocol {
        self.composition.control().unwrap_or_default()
    }

    /// Which interface has which number with this control protocol.
    pub fn wiring(&self, control: ControlProtocol) -> Wiring {
        match (self.wiring, control) {
            (Wiring::Sdx, ControlProtocol::Qmi) => Wiring::SdxRmnet,
            (wiring, _) => wiring,
        }
    }

    /// The product that a CWE image with this version text and product field is for, if it is for another
    /// product than this.
    ///
    /// If the version text names a family (`SWI9X30C`), that decides. Otherwise the product field does, but
    /// only if it is known to belong to other models alone. An unknown product is accepted (images.md §4:
    /// never refuse on that).
    pub fn foreign(&self, version: &str, product: &str) -> Option<String> {
        let named = version.split('_').find(|piece| starts_with(piece, "SWI"));
        if let Some(piece) = named {
            let fits = self.image_names.iter().any(|name| starts_with(piece, name));
            return if fits { None } else { Some(piece.to_owned()) };
        }
        let belongs = |profile: &Self| {
            profile
                .products
                .iter()
                .any(|known| known.eq_ignore_ascii_case(product))
        };
        (!belongs(self) && PROFILES.iter().any(belongs)).then(|| product.to_owned())
    }
}

fn starts_with(text: &str, start: &str) -> bool {
    text.get(..start.len())
        .is_some_and(|begin| begin.eq_ignore_ascii_case(start))
}

const SIERRA: u16 = 0x1199;

const HIGH_SPEED: u32 = 480;
const SUPER_SPEED: u32 = 5000;

/// Download mode: one interface, high speed.
const fn loader(product: u16, product_name: &'static str, serial: Option<&'static str>) -> Identity {
    Identity {
        vendor: SIERRA,
        product,
        speed: HIGH_SPEED,
        product_name,
        serial,
    }
}

const fn firmware(product: u16, speed: u32, product_name: &'static str) -> Identity {
    Identity {
        vendor: SIERRA,
        product,
        speed,
        product_name,
        serial: None,
    }
}

/// Only CWE images (qdl.md §5).
const CWE: &[u8] = &[0x80];

/// SWI9200 to 9x30 answer hello version 6 (qdl.md §7). Captures show that 9x30 refuses the DLOAD switch. For
/// the two older families no capture shows the answer, so MC7710 plays the old behaviour and 9x15 the new
/// one.
const QDL_9X30: QdlTraits = QdlTraits {
    version: 6,
    starts_in_dload: false,
    image_types: CWE,
    says_target: true,
};

const SAHARA_9X50: SaharaTraits = SaharaTraits {
    version: 2,
    mode: 2,
    sector_size_bytes: 4096,
    pages_per_block: 64,
    max_payload_bytes: 8192,
    tells_sectors: true,
    target_name: "9x55",
    greeting: &[
        "Binary build date: Sep 29 2017 @ 10:11:12",
        "SWI supported functions: CWE",
    ],
    noise: Some(Noise::ONCE),
};

/// One image of 9x07 is an SPK of 35 MB, and WP76xx complain many times about the zero block
/// (sahara-firehose.md §5.3). No source says what else differs from 9x50.
const SAHARA_9X07: SaharaTraits = SaharaTraits {
    target_name: "9x07",
    greeting: &["SWI supported functions: CWE"],
    noise: Some(Noise::MANY),
    ..SAHARA_9X50
};

/// This boot loader sends no lines about sectors (sahara-firehose.md §5.1). Its largest payload is an open
/// question there.
const SAHARA_SDX55: SaharaTraits = SaharaTraits {
    tells_sectors: false,
    target_name: "SDX55",
    greeting: &["SWI supported functions: CWE"],
    ..SAHARA_9X50
};

/// 9x30 took up to 70 s to come back after a change of images (field-reports.md D8).
const REAL_9X30: Timings = Timings {
    booting: Duration::from_secs(70),
    ..Timings::REAL
};

/// A Firehose verdict takes 10 to 90 s (sahara-firehose.md §5.2): 45 s for the 80 MB of an EM7565.
const REAL_9X50: Timings = Timings {
    programming_bytes_per_second: 1_783_000,
    leaving: Duration::from_millis(800),
    booting: Duration::from_secs(35),
    ..Timings::REAL
};

const PROFILES: [Profile; 12] = [
    Profile {
        name: "Gobi2000",
        family: "Gobi 2000",
        protocol: Protocol::Qdl(QdlTraits {
            version: 5,
            starts_in_dload: true,
            image_types: &[0x05, 0x06, 0x0D],
            says_target: false,
        }),
        download: loader(0x9000, "QHSUSB__BULK", None),
        normal: firmware(0x9001, HIGH_SPEED, "Sierra Wireless MC8305"),
        wiring: Wiring::Gobi,
        composition: Composition::QMI,
        image_names: &[],
        products: &[],
        capabilities: Capabilities::SWI9200,
        timings: Timings::REAL,
    },
    Profile {
        name: "MC7710",
        family: "SWI9200X",
        protocol: Protocol::Qdl(QdlTraits {
            starts_in_dload: true,
            ..QDL_9X30
        }),
        download: loader(0x68a2, "MC7710", None),
        normal: firmware(0x68a2, HIGH_SPEED, "MC7710"),
        wiring: Wiring::Sierra,
        composition: Composition::QMI,
        image_names: &["SWI9200"],
        products: &["9200", "9X00"],
        capabilities: Capabilities::SWI9200,
        timings: Timings::REAL,
    },
    Profile {
        name: "MC7354",
        family: "SWI9X15C",
        protocol: Protocol::Qdl(QDL_9X30),
        download: loader(0x68c0, "MC7354", None),
        normal: firmware(0x68c0, HIGH_SPEED, "MC7354"),
        wiring: Wiring::Sierra,
        composition: Composition::QMI_TWICE,
        image_names: &["SWI9X15C"],
        products: &["9X15"],
        capabilities: Capabilities::SWI9X15,
        timings: Timings::REAL,
    },
    Profile {
        name: "MC7305",
        family: "SWI9X15C",
        protocol: Protocol::Qdl(QDL_9X30),
        download: loader(0x9040, "MC7305", None),
        normal: firmware(0x9041, HIGH_SPEED, "Sierra Wireless MC7305"),
        wiring: Wiring::Sierra,
        composition: Composition::QMI_TWICE,
        image_names: &["SWI9X15C"],
        products: &["9X15"],
        capabilities: Capabilities::SWI9X15,
        timings: Timings::REAL,
    },
    Profile {
        name: "MC7455",
        family: "SWI9X30C",
        protocol: Protocol::Qdl(QDL_9X30),
        download: loader(0x9070, "QDLoader", None),
        normal: firmware(
            0x9071,
            HIGH_SPEED,
            "Sierra Wireless MC7455 Qualcomm Snapdragon X7 LTE-A",
        ),
        wiring: Wiring::Sierra,
        composition: Composition::QMI_TWICE,
        image_names: &["SWI9X30C"],
        products: &["9X30"],
        capabilities: Capabilities::SWI9X30,
        timings: REAL_9X30,
    },
    Profile {
        name: "EM7455",
        family: "SWI9X30C",
        protocol: Protocol::Qdl(QDL_9X30),
        download: loader(0x9070, "QDLoader", None),
        // On the SuperSpeed bus in normal mode, on its peer in download mode (em7455_usb3-to-usb2 trace).
        normal: firmware(
            0x9071,
            SUPER_SPEED,
            "Sierra Wireless EM7455 Qualcomm Snapdragon X7 LTE-A",
        ),
        wiring: Wiring::Sierra,
        composition: Composition::QMI_TWICE,
        image_names: &["SWI9X30C"],
        products: &["9X30"],
        capabilities: Capabilities::SWI9X30,
        timings: REAL_9X30,
    },
    Profile {
        name: "EM7565",
        family: "SWI9X50C",
        protocol: Protocol::Sahara(SAHARA_9X50),
        download: loader(0x9090, "EM7565", Some("UF81234567890123")),
        normal: firmware(
            0x9091,
            HIGH_SPEED,
            "Sierra Wireless EM7565 Qualcomm Snapdragon X16 LTE-A",
        ),
        wiring: Wiring::Sierra,
        composition: Composition::QMI,
        image_names: &["SWI9X50C"],
        products: &["9X50"],
        capabilities: Capabilities::SWI9X50,
        timings: REAL_9X50,
    },
    Profile {
        name: "EM7511",
        family: "SWI9X50C",
        // The complaint comes in the same read as the final ACK (sahara-firehose.md §5.3).
        protocol: Protocol::Sahara(SaharaTraits {
            noise: Some(Noise::JOINED),
            ..SAHARA_9X50
        }),
        download: loader(0x9090, "EM7511", Some("UF81234567890124")),
        normal: firmware(
            0x9091,
            HIGH_SPEED,
            "Sierra Wireless EM7511 Qualcomm Snapdragon X16 LTE-A",
        ),
        wiring: Wiring::Sierra,
        composition: Composition::QMI,
        image_names: &["SWI9X50C"],
        products: &["9X50"],
        capabilities: Capabilities::SWI9X50,
        timings: REAL_9X50,
    },
    Profile {
        name: "WP7607",
        family: "SWI9X07Y",
        protocol: Protocol::Sahara(SAHARA_9X07),
        download: loader(0x68c0, "WP7607", None),
        normal: firmware(0x68c0, HIGH_SPEED, "Sierra Wireless WP7607"),
        wiring: Wiring::Sierra,
        composition: Composition::QMI,
        image_names: &["SWI9X07Y"],
        products: &["9X07", "Y921", "9X28"],
        capabilities: Capabilities::SWI9X07,
        timings: Timings::REAL,
    },
    Profile {
        name: "RC7620",
        family: "SWI9X07H",
        protocol: Protocol::Sahara(SAHARA_9X07),
        download: loader(0x68c0, "RC7620", None),
        normal: firmware(0x68c0, HIGH_SPEED, "RC7620"),
        wiring: Wiring::Sierra,
        composition: Composition::QMI,
        image_names: &["SWI9X07H"],
        products: &["9X07", "Y921", "9X28"],
        capabilities: Capabilities::RC76XX,
        timings: Timings::REAL,
    },
    Profile {
        name: "EM9191",
        family: "SWIX55C",
        protocol: Protocol::Sahara(SAHARA_SDX55),
        download: loader(0x90d2, "EM9191", Some("8W0123456789")),
        normal: firmware(0x90d3, SUPER_SPEED, "EM9191"),
        wiring: Wiring::Sdx,
        composition: Composition::WITH_MBIM,
        image_names: &["SWIX55C"],
        products: &["SX55", "X55"],
        capabilities: Capabilities::SDX55,
        timings: REAL_9X50,
    },
    Profile {
        name: "EM9291",
        family: "SWIX65C",
        // No difference from SDX55 is known.
        protocol: Protocol::Sahara(SaharaTraits {
            target_name: "SDX65",
            ..SAHARA_SDX55
        }),
        download: loader(0x90e2, "EM9291", Some("8W0123456790")),
        normal: firmware(0x90e3, SUPER_SPEED, "EM9291"),
        wiring: Wiring::Sdx,
        composition: Composition::WITH_MBIM,
        image_names: &["SWIX65C"],
        products: &["SX65", "X65", "9X65"],
        capabilities: Capabilities::SDX65,
        timings: REAL_9X50,
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::{FunctionKind, Layout};

    #[test]
    fn every_name_leads_to_its_profile_whatever_its_case() {
        for profile in Profile::ALL {
            assert_eq!(Profile::named(&profile.name.to_lowercase()), Some(profile));
        }
        assert_eq!(Profile::named("EM7345"), None);
    }

    #[test]
    fn a_running_modem_has_several_interfaces_and_an_at_port_in_both_protocols() {
        for profile in Profile::ALL {
            for control in [ControlProtocol::Qmi, ControlProtocol::Mbim] {
                let composition = profile.composition.speaking(control);
                let layout = Layout::running(profile.wiring(control), composition);
                assert!(layout.count() > 1, "{}", profile.name);
                assert!(layout.find(FunctionKind::At).is_some(), "{}", profile.name);
            }
        }
    }

    #[test]
    fn the_last_acknowledgement_of_the_captured_image_takes_fifty_seconds() {
        let mc7455 = Profile::named("MC7455").unwrap();
        assert_eq!(mc7455.timings.programming(64_431_653).as_secs(), 50);
        assert_eq!(mc7455.timings.programming(16), Duration::from_millis(300));
    }

    #[test]
    fn an_image_of_another_family_is_known_by_its_version_text() {
        let em7565 = Profile::named("EM7565").unwrap();
        let version = "INTERNAL_?_SWI9X30C_02.33.03.00_?_?_?_?";
        assert_eq!(em7565.foreign(version, "9X50"), Some("SWI9X30C".to_owned()));
        assert_eq!(Profile::named("mc7455").unwrap().foreign(version, "9x30"), None);
    }

    #[test]
    fn a_product_field_counts_only_when_it_is_known_and_the_version_text_is_silent() {
        let em7565 = Profile::named("EM7565").unwrap();
        assert_eq!(em7565.foreign("", "9x30"), Some("9x30".to_owned()));
        assert_eq!(em7565.foreign("", "9x50"), None);
        assert_eq!(em7565.foreign("", "QQQQ"), None);
        let wp7607 = Profile::named("WP7607").unwrap();
        assert_eq!(
            wp7607.foreign("9999999_9909667_SWI9X07H_00.08.24.02", "Y921"),
            Some("SWI9X07H".to_owned())
        );
    }
}
