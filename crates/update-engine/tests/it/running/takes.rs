//! Which device takes which package, judged by what the bus shows: real product strings, real version texts,
//! and cases that stay open.

use firmware_image::Platform;
use modem_world::{UsbDevice, UsbPath};
use modemflash_update_engine::checks::judge_images;
use modemflash_update_engine::fit::{self, Fit, Nature};
use modemflash_update_engine::{Code, Firmware, Request};

use super::whose::package;
use crate::support::{Memory, firmware};

/// A device in download mode with this id and product string.
fn on_the_bus(vendor: u16, product: u16, name: &str) -> UsbDevice {
    UsbDevice {
        path: UsbPath::new("1-1"),
        peer: None,
        number: 5,
        vendor,
        product,
        interfaces: Some(1),
        speed: Some(480),
        manufacturer: Some("Sierra Wireless, Incorporated".into()),
        product_name: Some(name.into()).filter(|name: &String| !name.is_empty()),
        serial: None,
    }
}

/// Whether a device gets a package: without a question, after a question, or not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Goes,
    Asks,
    Refused,
}

// The strings come from real devices, the version texts from real packages (images.md §7, devices.md).
#[test]
fn real_devices_take_real_packages() {
    use Verdict::{Asks, Goes, Refused};
    let devices = [
        (
            0x1199,
            0x9090,
            "Sierra Wireless EM7421 Qualcomm® Snapdragonâ\u{84}¢",
            "SWI9X50C",
        ),
        (0x1199, 0x9090, "QUSB__BULK", "SWI9X50C"),
        (0x1199, 0x90d2, "Sierra Wireless EM9191", "SWIX55C"),
        (0x1199, 0x90e2, "EM92xx", "SWIX65C"),
        (0x1199, 0xc080, "Sierra Wireless EM7590", "SWIX12C"),
        (0x1199, 0xc082, "Sierra Wireless EM7590", "SWIX12C"),
        (0x1199, 0x68c0, "MC7304", "SWI9X15C"),
        (0x1199, 0x68c0, "Sierra Wireless RC7620", "SWI9X07H"),
        (0x1199, 0x68c0, "Sierra Wireless WP7607", "SWI9X07Y"),
        (0x1199, 0x68c0, "Sierra Wireless WP7702", "SWI9X06Y"),
        (0x1199, 0x68c0, "WP8548", "SWI9X15Y"),
        (0x1199, 0x68a2, "MC7710", "SWI9200X"),
        (0x1199, 0x9040, "MC7305", "SWI9X15C"),
        (0x1199, 0x9062, "EM7305", "SWI9X15C"),
        (0x1199, 0x9070, "QDLoader", "SWI9X30C"),
        (0x1199, 0x9078, "EM7455", "SWI9X30C"),
        (0x413c, 0x81a6, "", "SWI9X15C"),
        (0x413c, 0x81b5, "", "SWI9X30C"),
        (0x413c, 0x9070, "QDLoader", "SWI9X30C"),
    ];
    let packages = [
        (
            "9999999_9999999_9200_03.05.29.03_00_generic_000.000_001_SPKG_MC",
            "9200",
            "SWI9200X",
        ),
        ("SWI9200M_03.05.29.03", "9200", "SWI9200X"),
        (
            "1102016_9903211_SWI9X15C_05.05.16.02_00_Generic_005.004_000",
            "9X15",
            "SWI9X15C",
        ),
        (
            "1101798_9902617_SWI9X15C_01.08.16.02_00_Dell_001.005_000",
            "9X15",
            "SWI9X15C",
        ),
        ("SWI9X15Y_07.13.07.00", "Y912", "SWI9X15Y"),
        (
            "1102662_9905046_EM7455_02.05.07.00_00_Lenovo-Laptop_001.003_000",
            "9X30",
            "SWI9X30C",
        ),
        ("INTERNAL_?_SWI9X30C_02.08.02.00_?_?_?_?", "9X30", "SWI9X30C"),
        (
            "9999999_9907259_SWI9X50C_00.06.02.00_00_GENERIC_001.004_000",
            "9X50",
            "SWI9X50C",
        ),
        (
            "9999999_9907152_SWI9X07Y_02.37.03.00_00_GENERIC_002.095_000",
            "Y921",
            "SWI9X07Y",
        ),
        (
            "9999999_9909667_SWI9X07H_00.08.24.02_00_GENERIC_001.110_000",
            "Y921",
            "SWI9X07H",
        ),
        ("SWI9X06Y_02.32.02.00", "Y931", "SWI9X06Y"),
        ("SWIX55C_03.14.10.00", "", "SWIX55C"),
        ("SWIX65C_02.17.08.00", "", "SWIX65C"),
        ("SWIX12C_03.01.02.00", "", "SWIX12C"),
    ];
    for (version, product, platform) in packages {
        let firmware = firmware(&[package(version, product)]);
        for (vendor, id, name, takes) in devices {
            let device = on_the_bus(vendor, id, name);
            let verdict = verdict(&device, &firmware);
            let expected = if takes == platform { Goes } else { Refused };
            assert_eq!(verdict, expected, "{version} for {name} {vendor:04x}:{id:04x}");
        }
        // Cases that stay open: shared ids with a string that says little, and models for which no package
        // was seen.
        let open = [
            (
                0x1199,
                0x68c0,
                "QUSB__BULK",
                ["SWI9X15C", "SWI9X15Y", "SWI9X07Y", "SWI9X07H", "SWI9X06Y"].as_slice(),
            ),
            (0x1199, 0x90d2, "EM92xx", &["SWIX55C", "SWIX65C"]),
        ];
        for (vendor, id, name, may_take) in open {
            let verdict = verdict(&on_the_bus(vendor, id, name), &firmware);
            let expected = if may_take.contains(&platform) {
                Asks
            } else {
                Refused
            };
            assert_eq!(verdict, expected, "{version} for {name}");
        }
        for (vendor, id, name) in [
            (0x1199, 0x90e4, "Semtech EM8695 Mobile Broadband Adapter"),
            (0x413c, 0x81cb, ""),
            (0x1199, 0xabcd, ""),
        ] {
            assert_eq!(
                verdict(&on_the_bus(vendor, id, name), &firmware),
                Asks,
                "{version} for {name}"
            );
        }
    }
}

fn verdict(device: &UsbDevice, firmware: &Firmware) -> Verdict {
    match fit::judge(Nature::of_device(device), firmware, None) {
        Ok(Fit { doubt: None, .. }) => Verdict::Goes,
        Ok(_) => Verdict::Asks,
        Err(_) => Verdict::Refused,
    }
}

// The version text of the application level names only the chip: 9x07 or 9x06.
#[test]
fn the_real_files_are_for_open_modules_and_for_nothing_else() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../firmware-image/tests/data/cwe");
    for name in ["ls.cwe", "cp_ubi.cwe", "cp2ls.cwe", "keystore.cwe"] {
        let bytes = std::fs::read(format!("{folder}/{name}")).unwrap();
        let firmware = firmware(&[Memory {
            name: name.into(),
            bytes,
        }]);
        // 9x07 has two product lines, and nothing in these files says which line they are for.
        for (own, expected) in [
            ("Sierra Wireless WP7607", Verdict::Asks),
            ("Sierra Wireless RC7620", Verdict::Asks),
            ("Sierra Wireless WP7702", Verdict::Goes),
        ] {
            let verdict = verdict(&on_the_bus(0x1199, 0x68c0, own), &firmware);
            assert_eq!(verdict, expected, "{name} for {own}");
        }
        for (id, other) in [(0x68c0, "MC7304"), (0x9090, "EM7565"), (0x9070, "QDLoader")] {
            let verdict = verdict(&on_the_bus(0x1199, id, other), &firmware);
            assert_eq!(verdict, Verdict::Refused, "{name} for {other}");
        }
    }
}

/// The verdict on these packages for a device in download mode.
fn verdict_of(vendor: u16, id: u16, name: &str, packages: &[Memory]) -> Verdict {
    verdict(&on_the_bus(vendor, id, name), &firmware(packages))
}

#[test]
fn a_product_line_that_nothing_names_leads_to_a_question() {
    use Verdict::{Asks, Goes, Refused};
    let token = |text: &str| [package(text, "????")];
    // Here the images, the id or the model name only the family.
    for (name, product) in [
        ("RC7620", "Y921"),
        ("WP7607", "9X28"),
        ("MC7304", "9X15"),
        ("WP8548", "Y912"),
    ] {
        assert_eq!(
            verdict_of(0x1199, 0x68c0, name, &[package("", product)]),
            Asks,
            "{name} {product}"
        );
    }
    for platform in [
        "SWI9X15C_05.05.58.01",
        "SWI9X15Y_07.13.07.00",
        "SWI9X15_01.00.00.00",
    ] {
        assert_eq!(
            verdict_of(0x1199, 0x9060, "", &token(platform)),
            Asks,
            "{platform}"
        );
        assert_eq!(
            verdict_of(0x1199, 0x68c0, "AR7554", &token(platform)),
            Asks,
            "{platform}"
        );
    }
    assert_eq!(
        verdict_of(0x1199, 0x68c0, "MC7304", &token("SWI9X15_01.00.00.00")),
        Asks
    );
    assert_eq!(
        verdict_of(0x1199, 0x9062, "EM7305", &token("SWI9X15C_05.05.58.01")),
        Goes
    );
    // A model name in a header names the product line.
    let model = [package(
        "1102662_9905046_RC7620_00.08.24.02_00_GENERIC_001.110_000",
        "Y921",
    )];
    assert_eq!(verdict_of(0x1199, 0x68c0, "WP7607", &model), Refused);
    assert_eq!(verdict_of(0x1199, 0x68c0, "RC7620", &model), Goes);
    // A file name that contradicts the modem leads only to a question if the headers leave the line open.
    let named = Memory {
        name: "RC76xx_Release9_GENERIC_GCF_7620.spk".into(),
        ..package("", "Y921")
    };
    assert_eq!(verdict_of(0x1199, 0x68c0, "WP7607", &[named]), Asks);
}

#[test]
fn an_id_of_one_model_with_a_string_that_names_another_leads_to_a_question() {
    let (em7565, mc7455) = ("SWI9X50C_01.14.13.00", "SWI9X30C_02.33.03.00");
    for version in [em7565, mc7455] {
        assert_eq!(
            verdict_of(0x1199, 0x9090, "MC7455", &[package(version, "????")]),
            Verdict::Asks
        );
    }
    let third = [package("SWIX55C_03.14.10.00", "????")];
    assert_eq!(verdict_of(0x1199, 0x9090, "MC7455", &third), Verdict::Refused);
    // devices.md: no package for EM7595 was seen, whatever its id.
    let em7590 = [package("SWIX12C_03.01.02.00", "????")];
    assert_eq!(
        verdict_of(0x1199, 0xc080, "Sierra Wireless EM7595", &em7590),
        Verdict::Asks
    );
    // No protocol is assumed for such a device, so modemflash sends it nothing before it has detected the
    // protocol.
    let device = on_the_bus(0x1199, 0x9090, "MC7455");
    assert_eq!(Nature::of_device(&device).protocol(), None);
}

#[test]
fn a_file_that_says_nothing_leads_to_a_question_even_beside_one_that_does() {
    let telling = package("SWI9X30C_02.33.03.00", "9X30");
    let silent = Memory {
        name: "other.nvu".into(),
        ..package("", "????")
    };
    assert_eq!(
        verdict_of(0x1199, 0x9070, "QDLoader", std::slice::from_ref(&telling)),
        Verdict::Goes
    );
    assert_eq!(
        verdict_of(0x1199, 0x9070, "QDLoader", &[telling, silent]),
        Verdict::Asks
    );
}

#[test]
fn what_the_user_vouches_for_is_one_product_line_and_no_other_file() {
    let judge = |name: &str, platform: &str, packages: &[Memory]| {
        let device = on_the_bus(0x1199, 0x68c0, name);
        let platform = Platform::parse(platform);
        fit::judge(Nature::of_device(&device), &firmware(packages), platform.as_ref())
    };
    // Without its letter the platform names no product line, so the user vouches for nothing.
    let wp76 = [package("SWI9X07Y_02.37.03.00", "Y921")];
    assert!(judge("RC7620", "SWI9X07", &wp76).is_err());
    assert!(judge("RC7620", "SWI9X07H", &wp76).is_err());
    let fit = judge("RC7620", "SWI9X07Y", &wp76).unwrap();
    assert_eq!(fit.doubt.unwrap().code.as_str(), "AS-PLATFORM");
    // Two files for two platforms stay a contradiction. A single file that contradicts itself is accepted on
    // the user's word, with two confirmations.
    let request = Request {
        as_platform: Platform::parse("SWI9X30C"),
        ..Request::default()
    };
    let two = [package("SWI9X30C_02.33.03.00", "9X30"), {
        let other = package("SWI9X50C_01.14.13.00", "9X50");
        Memory {
            name: "other.cwe".into(),
            ..other
        }
    }];
    let refused = judge_images(&request, &firmware(&two)).unwrap_err();
    assert_eq!(refused.code(), Code::ImageConflict);
    let one = [package("SWI9X30C_02.33.03.00", "9X50")];
    let warnings = judge_images(&request, &firmware(&one)).unwrap();
    assert!(
        warnings
            .iter()
            .any(|warning| warning.code.as_str() == "AS-PLATFORM" && warning.confirm)
    );
}
