//! Ready plans: the vectors of cwe.md, the layouts of real files, small sets for any family.

use super::{Body, Generated, Plan, PlanError};
use crate::{
    Family, Text,
    cwe::{
        CrcIndicator, Signature,
        descriptor::{Descriptor, DescriptorKind, ProductBuffer},
    },
    nvup,
};
use alloc::{format, string::String, vec, vec::Vec};

/// cwe.md vector 3: one FILE with 16 bytes; 416 bytes in all.
pub fn mini() -> Plan {
    let version = "9999999_9999999_SWI9X30C_02.33.03.00_00_GENERIC_002.072_000";
    Plan::new("FILE", "9X30", version, Body::Bytes((0..16).collect())).dated("08/28/19")
}

/// cwe.md vector 4: SPKG with BOOT (which contains SBL1) and APPL; 1618 bytes in all.
pub fn package() -> Plan {
    let version = "SWI9X30C_02.33.03.00";
    let boot_loader = Plan::new("SBL1", "9X30", version, Body::Bytes(b"ABCDEFGH".to_vec()));
    let boot = Plan::new("BOOT", "9X30", version, Body::Images(vec![boot_loader]));
    let application = Plan::new("APPL", "9X30", version, Body::Bytes(b"0123456789".to_vec()));
    let body = Body::Images(vec![boot, application]);
    Plan::new("SPKG", "9X30", "INTERNAL_?_SWI9X30C_02.33.03.00_?_?_?_?", body).dated("08/28/19")
}

/// A wrong file from the vectors of cwe.md §8, which a checker must refuse or report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrongFile {
    /// The number of the vector.
    pub vector: u8,
    /// What is wrong.
    pub wrong: &'static str,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// cwe.md vectors 5 to 11.
///
/// # Errors
/// None in practice: the plans are fixed.
pub fn wrong_files() -> Result<Vec<WrongFile>, PlanError> {
    let mini = mini().build("mini.cwe")?.to_vec();
    let package = package().build("package.cwe")?.to_vec();
    let change = |bytes: &[u8], place: usize, new: &[u8]| {
        let mut bytes = bytes.to_vec();
        for (byte, value) in bytes.iter_mut().skip(place).zip(new) {
            *byte = *value;
        }
        bytes
    };
    let mut longer = mini.clone();
    longer.push(0);
    let shortened = |size: usize| mini.iter().take(size).copied().collect();
    // BOOT begins at 400 and states a body of 408 bytes. From the start of that body at 800, SPKG has 818 bytes left.
    let inside = package.iter().skip(400).copied().collect::<Vec<u8>>();
    let body = Body::Bytes(change(&inside, 276, &819u32.to_be_bytes()));
    let boot_too_large = Plan {
        body,
        ..self::package()
    }
    .build("package.cwe")?
    .to_vec();
    Ok(vec![
        WrongFile {
            vector: 5,
            wrong: "the last byte is missing",
            bytes: shortened(415),
        },
        WrongFile {
            vector: 6,
            wrong: "one surplus byte",
            bytes: longer,
        },
        WrongFile {
            vector: 7,
            wrong: "a damaged body",
            bytes: change(&mini, 400, &[0xFF]),
        },
        WrongFile {
            vector: 8,
            wrong: "an image size of 0",
            bytes: change(&mini, 276, &[0; 4]),
        },
        WrongFile {
            vector: 9,
            wrong: "a type that isn't text",
            bytes: change(&mini, 268, &[0x80]),
        },
        WrongFile {
            vector: 10,
            wrong: "a child larger than its parent",
            bytes: boot_too_large,
        },
        WrongFile {
            vector: 11,
            wrong: "an incomplete header",
            bytes: shortened(399),
        },
    ])
}

/// What a small set for a family is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release<'t> {
    /// The family. It determines the product code and the platform token.
    pub family: Family,
    /// `02.33.03.00`.
    pub firmware: &'t str,
    /// `002.072_000`.
    pub config: &'t str,
    /// `GENERIC`.
    pub carrier: &'t str,
    /// Chooses the content.
    pub seed: u64,
}

impl Release<'_> {
    /// The platform token, as written in version texts (images.md §7).
    pub fn platform(&self) -> String {
        match &self.family {
            Family::Swi9200 => "SWI9200X".into(),
            Family::Swi9x15 => "SWI9X15C".into(),
            Family::Swi9x30 => "SWI9X30C".into(),
            Family::Swi9x40 => "SWI9X40C".into(),
            Family::Swi9x50 => "SWI9X50C".into(),
            Family::Swi9x07 => "SWI9X07Y".into(),
            Family::Swi9x06 => "SWI9X06Y".into(),
            Family::Sdx12 => "SWIX12C".into(),
            Family::Sdx55 => "SWIX55C".into(),
            Family::Sdx65 => "SWIX65C".into(),
            Family::Gobi1000 | Family::Gobi2000 | Family::Gobi3000 => "Gobi".into(),
            Family::Unknown(text) => text.clone(),
        }
    }

    /// The product code. Those of 9200, SDX12, SDX55 and SDX65 aren't confirmed by real files (images.md §4).
    pub const fn product(&self) -> &'static str {
        match &self.family {
            Family::Swi9200 => "9200",
            Family::Swi9x15 => "9X15",
            Family::Swi9x30 => "9X30",
            Family::Swi9x40 => "9X40",
            Family::Swi9x50 => "9X50",
            Family::Swi9x07 => "Y921",
            Family::Swi9x06 => "Y931",
            Family::Sdx12 => "9X12",
            Family::Sdx55 => "9X55",
            Family::Sdx65 => "9X65",
            Family::Gobi1000 | Family::Gobi2000 | Family::Gobi3000 => "GOBI",
            Family::Unknown(_) => "????",
        }
    }

    fn inner(&self, image_type: &str, body: Body) -> Plan {
        let version = format!("{}_{}", self.platform(), self.firmware);
        Plan::new(image_type, self.product(), &version, body)
    }

    fn long_version(&self) -> String {
        let (platform, firmware) = (self.platform(), self.firmware);
        format!(
            "9999999_9999999_{platform}_{firmware}_00_{}_{}",
            self.carrier, self.config
        )
    }

    /// A system image with `size` bytes in all (at least 2,403): boot loaders, modem, application.
    pub fn system(&self, size: u64) -> Plan {
        let version = format!("INTERNAL_?_{}_{}_?_?_?_?", self.platform(), self.firmware);
        Plan::new(
            "SPKG",
            self.product(),
            &version,
            Body::Images(self.system_images(size.saturating_sub(400))),
        )
        .dated("08/28/19")
    }

    /// The inner images of a system, `size` bytes in all: five headers, and content in the proportions of real files.
    fn system_images(&self, size: u64) -> Vec<Plan> {
        let content = size.saturating_sub(5 * 400).max(3);
        let boot_size = (content / 200).max(1);
        let application_size = (content / 2).max(1);
        let modem_size = content
            .saturating_sub(boot_size)
            .saturating_sub(application_size)
            .max(1);
        let noise = |step: u64, size: u64| Body::Noise {
            seed: self.seed.wrapping_add(step),
            size,
        };
        vec![
            self.inner(
                "BOOT",
                Body::Images(vec![self.inner("SBL1", noise(1, boot_size))]),
            ),
            self.inner(
                "MODM",
                Body::Images(vec![self.inner("DSP2", noise(2, modem_size))]),
            ),
            self.inner("APPL", noise(3, application_size)),
        ]
    }

    /// The carrier's settings, nested as in real files: SPKG > FILE > FILE > NVUP (cwe.md open question 4).
    pub fn settings(&self, items: &[(&str, &[u8])]) -> Plan {
        let nvup = self.nvup(items);
        let path = format!("/swir/nvdelta/NVUP_{}.010", self.carrier);
        let mut inner = Plan::new("FILE", self.product(), &path, Body::Images(vec![nvup]));
        inner.compatibility = 0x0100_0000;
        let outer = Plan::new("FILE", self.product(), "", Body::Images(vec![inner]));
        let body = Body::Images(vec![outer]);
        let mut package = Plan::new("SPKG", self.product(), &self.long_version(), body).dated("08/28/19");
        let size = u32::try_from(package.body_size()).unwrap_or(u32::MAX);
        package.product_buffer = ProductBuffer::with_descriptors(&[descriptor(size)]);
        package
    }

    fn nvup(&self, items: &[(&str, &[u8])]) -> Plan {
        let body = Body::Bytes(nvup::encode_named(items));
        let product = self.product().to_ascii_lowercase();
        let mut nvup = Plan::new("NVUP", &product, &self.long_version(), body);
        nvup.crc_indicator = CrcIndicator::Good;
        nvup.signature = Signature::SETTINGS;
        nvup
    }

    /// Firmware and settings in one file with about `size` bytes.
    pub fn combined(&self, size: u64, items: &[(&str, &[u8])]) -> Plan {
        let nvup = self.nvup(items);
        let settings_size = nvup.body_size().saturating_add(1200);
        let mut images = self.system_images(size.saturating_sub(settings_size));
        let file = Plan::new("FILE", self.product(), "", Body::Images(vec![nvup]));
        images.push(file);
        Plan::new("SPKG", self.product(), &self.long_version(), Body::Images(images)).dated("08/28/19")
    }

    /// `SWI9X30C_02.33.03.00.cwe`.
    pub fn system_name(&self) -> String {
        format!("{}_{}.cwe", self.platform(), self.firmware)
    }

    /// `SWI9X30C_02.33.03.00_GENERIC_002.072_000.nvu`.
    pub fn settings_name(&self) -> String {
        format!(
            "{}_{}_{}_{}.nvu",
            self.platform(),
            self.firmware,
            self.carrier,
            self.config
        )
    }

    /// `9999999_9999999_SWI9X30C_02.33.03.00_00_GENERIC_002.072_000.spk`.
    pub fn combined_name(&self) -> String {
        format!("{}.spk", self.long_version())
    }
}

/// Items as in carriers' settings. None of them changes the modem's ports (images.md §6).
pub const CARRIER_ITEMS: &[(&str, &[u8])] = &[
    ("CARRIERID", &[1, 0]),
    ("PRI_CARRIER_REV", b"0207"),
    (
        "PERMITTED_CARRIER_LTE_BC",
        &[0x0A, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    ),
];

/// Items as in makers' settings: they change the USB composition and the SKU (images.md §6).
pub const MAKER_ITEMS: &[(&str, &[u8])] = &[
    ("USB_COMP", &[1, 0, 0, 0, 0x0D, 0x10, 0, 0]),
    (
        "PRODUCT_SKU",
        b"1102662\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
    ),
    ("NVPRIID", b"9905046"),
];

fn descriptor(size: u32) -> Descriptor {
    Descriptor {
        kind: DescriptorKind::Product,
        flags: 0,
        reserved: 0,
        offset: 0x190,
        size,
        source_version: Text::new("FULL").unwrap_or(Text::EMPTY),
        reserved_end: 0,
    }
}

/// An image in a layout: where it begins and ends, its type, and its children.
type Stretch = (u64, u64, &'static str, &'static [Inner]);
/// The same one level down; here the children have no children of their own.
type Inner = (u64, u64, &'static str, &'static [(u64, u64, &'static str)]);

/// images.md §8: SWI9X50C_01.14.02.00.cwe, 80,241,623 bytes. The published list ends after the fifth image on the
/// second level; the rest of the file is filled with pseudo-random bytes.
///
/// # Errors
/// None in practice: the layout is fixed.
pub fn em7565_01_14_02_00() -> Result<Generated, PlanError> {
    const LAYOUT: &[Stretch] = &[
        (400, 7_360, "QPAR", &[]),
        (
            7_360,
            411_416,
            "BOOT",
            &[(7_760, 14_640, "QPAR", &[]), (14_640, 411_416, "SBL1", &[])],
        ),
        (
            411_416,
            39_979_141,
            "MODM",
            &[
                (411_816, 418_776, "QPAR", &[]),
                (418_776, 875_492, "TZON", &[]),
                (875_492, 39_979_141, "DSP2", &[]),
            ],
        ),
        (39_979_141, 80_241_623, "APPL", &[]),
    ];
    layout(
        "SWI9X50C_01.14.02.00",
        "9X50",
        "INTERNAL_?_SWI9X50C_01.14.02.00_?_?_?_?",
        LAYOUT,
    )
    .build("SWI9X50C_01.14.02.00.cwe")
}

/// images.md §8: SWI9X50C_01.09.04.00.cwe, 79,664,946 bytes; filled up in the same way as [`em7565_01_14_02_00`].
///
/// # Errors
/// None in practice: the layout is fixed.
pub fn em7565_01_09_04_00() -> Result<Generated, PlanError> {
    const LAYOUT: &[Stretch] = &[
        (400, 7_360, "QPAR", &[]),
        (
            7_360,
            407_216,
            "BOOT",
            &[(7_760, 14_640, "QPAR", &[]), (14_640, 407_216, "SBL1", &[])],
        ),
        (
            407_216,
            39_478_680,
            "MODM",
            &[
                (407_616, 414_576, "QPAR", &[]),
                (414_576, 871_292, "TZON", &[]),
                (871_292, 39_478_680, "DSP2", &[]),
            ],
        ),
        (39_478_680, 79_664_946, "APPL", &[]),
    ];
    layout(
        "SWI9X50C_01.09.04.00",
        "9X50",
        "INTERNAL_?_SWI9X50C_01.09.04.00_?_?_?_?",
        LAYOUT,
    )
    .build("SWI9X50C_01.09.04.00.cwe")
}

/// images.md §8: SWIX55C_01.07.13.00-005.cwe, 89,222,543 bytes, four images in a row.
///
/// # Errors
/// None in practice: the layout is fixed.
pub fn em919x_01_07_13_00() -> Result<Generated, PlanError> {
    const LAYOUT: &[Stretch] = &[
        (400, 788_692, "BOOT", &[]),
        (788_692, 45_628_404, "MODM", &[]),
        (45_628_404, 86_807_092, "SYST", &[]),
        (86_807_092, 89_222_543, "APPS", &[]),
    ];
    layout(
        "SWIX55C_01.07.13.00",
        "9X55",
        "INTERNAL_?_SWIX55C_01.07.13.00-005_?_?_?_?",
        LAYOUT,
    )
    .build("SWIX55C_01.07.13.00-005.cwe")
}

/// images.md §8: RC76xx_Release9_GENERIC_GCF_7620.spk, 34,879,232 bytes, four levels deep.
///
/// # Errors
/// None in practice: the layout is fixed.
pub fn rc76xx_release_9() -> Result<Generated, PlanError> {
    const LAYOUT: &[Stretch] = &[
        (
            400,
            426_084,
            "BOOT",
            &[(800, 7_680, "QPAR", &[]), (7_680, 426_084, "SBL1", &[])],
        ),
        (
            426_084,
            26_178_380,
            "MODM",
            &[
                (426_484, 433_404, "QPAR", &[]),
                (433_404, 672_268, "TZON", &[]),
                (672_268, 26_178_380, "DSP2", &[]),
            ],
        ),
        (
            26_178_380,
            27_381_096,
            "APPL",
            &[
                (26_178_780, 26_185_740, "QPAR", &[]),
                (26_185_740, 27_121_040, "APBL", &[]),
                (27_121_040, 27_223_952, "APPS", &[]),
                (27_223_952, 27_381_096, "USER", &[]),
            ],
        ),
        (
            27_381_096,
            27_432_883,
            "FILE",
            &[
                (
                    27_381_496,
                    27_388_776,
                    "FILE",
                    &[(27_381_896, 27_388_776, "QPAR")],
                ),
                (
                    27_388_776,
                    27_431_881,
                    "FILE",
                    &[(27_389_176, 27_431_881, "FILE")],
                ),
                (
                    27_431_881,
                    27_432_883,
                    "FILE",
                    &[(27_432_281, 27_432_883, "NVUP")],
                ),
            ],
        ),
        (
            27_432_883,
            34_495_475,
            "APPL",
            &[
                (27_433_283, 27_440_203, "QPAR", &[]),
                (27_440_203, 34_363_963, "SYST", &[]),
                (34_363_963, 34_495_475, "USER", &[]),
            ],
        ),
        (
            34_495_475,
            34_879_232,
            "FILE",
            &[
                (
                    34_495_875,
                    34_503_155,
                    "FILE",
                    &[(34_496_275, 34_503_155, "QPAR")],
                ),
                (
                    34_503_155,
                    34_879_232,
                    "FILE",
                    &[(34_503_555, 34_879_232, "CUSG")],
                ),
            ],
        ),
    ];
    let version = "9999999_9909667_SWI9X07H_00.08.24.02_00_GENERIC_001.110_000";
    layout("SWI9X07H_00.08.24.02", "Y921", version, LAYOUT).build("RC76xx_Release9_GENERIC_GCF_7620.spk")
}

/// images.md §8: a carrier's settings for the 9x30, 11,472 bytes: SPKG > FILE > FILE > NVUP with 9,872 bytes.
///
/// # Errors
/// None in practice: the layout is fixed.
pub fn carrier_settings() -> Result<Generated, PlanError> {
    let release = Release {
        family: Family::Swi9x30,
        firmware: "02.08.02.00",
        config: "000.012_000",
        carrier: "SPRINT",
        seed: 0,
    };
    let used = nvup::encode_named(CARRIER_ITEMS).len();
    // One more item fills up the body: 20 bytes of item and record heads, the name with its flag, the value.
    let filler = vec![0; 9_872usize.saturating_sub(used + 20 + 1 + "CARRIER_PLMN_LIST".len())];
    let mut items = CARRIER_ITEMS.to_vec();
    items.push(("CARRIER_PLMN_LIST", &filler));
    release
        .settings(&items)
        .dated("01/07/16")
        .build("carrier_pri.nvu")
}

/// A plan whose images begin and end where the layout says. Settings have real items, all other bodies are
/// pseudo-random.
fn layout(inner_version: &str, product: &str, version: &str, stretches: &[Stretch]) -> Plan {
    let opaque = |image_type: &str, start: u64, end: u64| {
        let size = end.saturating_sub(start).saturating_sub(400);
        let noise = Body::Noise { seed: start, size };
        let body = if image_type == "NVUP" {
            settings_of(size).unwrap_or(noise)
        } else {
            noise
        };
        Plan::new(image_type, product, inner_version, body)
    };
    let level_two = |inner: &Inner| {
        let (start, end, image_type, children) = *inner;
        if children.is_empty() {
            return opaque(image_type, start, end);
        }
        let images = children
            .iter()
            .map(|(start, end, image_type)| opaque(image_type, *start, *end))
            .collect();
        Plan::new(image_type, product, inner_version, Body::Images(images))
    };
    let level_one = |stretch: &Stretch| {
        let (start, end, image_type, children) = *stretch;
        if children.is_empty() {
            return opaque(image_type, start, end);
        }
        let images = children.iter().map(level_two).collect();
        Plan::new(image_type, product, inner_version, Body::Images(images))
    };
    Plan::new(
        "SPKG",
        product,
        version,
        Body::Images(stretches.iter().map(level_one).collect()),
    )
    .dated("08/28/19")
}

/// Settings with exactly `size` bytes; `None` if that is too few.
fn settings_of(size: u64) -> Option<Body> {
    let size = usize::try_from(size).ok()?;
    let name = "CARRIERID_LIST";
    let filler = vec![0; size.checked_sub(10 + 20 + 1 + name.len())?];
    Some(Body::Bytes(nvup::encode_named(&[(name, &filler)])))
}
