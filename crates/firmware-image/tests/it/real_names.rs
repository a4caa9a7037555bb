//! Names and version texts of real files, as images.md §7 lists them: versions and family of each.

use modemflash_firmware_image::{Family, parse_versions};

type Row = (&'static str, &'static str, &'static str, &'static str, Family);

/// Name, firmware, config, carrier (empty: none), family.
#[rustfmt::skip]
const ROWS: &[Row] = &[
    ("SWI9200M_3.5-Release13-SWI9200X_03.05.29.03.exe", "03.05.29.03", "", "", Family::Swi9200),
    ("SWI9200X_03.00.08.02", "03.00.08.02", "", "", Family::Swi9200),
    ("SWI9X15C_05.05.58.01.cwe", "05.05.58.01", "", "", Family::Swi9x15),
    ("SWI9X15C_05.05.58.01_Verizon_005.029_001.nvu", "05.05.58.01", "005.029_001", "Verizon", Family::Swi9x15),
    ("1102016_9903211_SWI9X15C_05.05.16.02_00_Generic_005.004_000", "05.05.16.02", "005.004_000", "Generic", Family::Swi9x15),
    ("1101798_9902617_SWI9X15C_01.08.16.02_00_Dell_001.005_000", "01.08.16.02", "001.005_000", "Dell", Family::Swi9x15),
    ("SWI9X15Y_07.13.07.00", "07.13.07.00", "", "", Family::Swi9x15),
    ("WPx5xx_Release14_GENERIC_SPK.spk", "", "", "", Family::Swi9x15),
    ("1102662_9905046_EM7455_02.05.07.00_00_Lenovo-Laptop_001.003_000.nvu", "02.05.07.00", "001.003_000", "Lenovo-Laptop", Family::Swi9x30),
    ("9999999_9904779_SWI9X30C_02.08.02.00_00_SPRINT_000.012_000", "02.08.02.00", "000.012_000", "SPRINT", Family::Swi9x30),
    ("INTERNAL_?_SWI9X30C_02.08.02.00_?_?_?_?", "02.08.02.00", "", "", Family::Swi9x30),
    ("SWI9X30C_02.08.02.00_Generic_002.007_000.nvu", "02.08.02.00", "002.007_000", "Generic", Family::Swi9x30),
    ("SWI9X30C_02.11.03.00_Generic_002.008_000.nvu", "02.11.03.00", "002.008_000", "Generic", Family::Swi9x30),
    ("SWI9X30C_02.14.03.00_TELUS_002.011_000.nvu", "02.14.03.00", "002.011_000", "TELUS", Family::Swi9x30),
    ("SWI9X30C_02.20.03.00_Generic_002.017_000.nvu", "02.20.03.00", "002.017_000", "Generic", Family::Swi9x30),
    ("SWI9X30C_02.24.05.06_GENERIC_002.026_000.nvu", "02.24.05.06", "002.026_000", "GENERIC", Family::Swi9x30),
    ("SWI9X30C_02.24.05.06_VERIZON_002.034_000.nvu", "02.24.05.06", "002.034_000", "VERIZON", Family::Swi9x30),
    ("SWI9X30C_02.24.05.06_ORANGE-EU_002.022_000.nvu", "02.24.05.06", "002.022_000", "ORANGE-EU", Family::Swi9x30),
    ("SWI9X30C_02.30.01.01_GENERIC_002.045_001.nvu", "02.30.01.01", "002.045_001", "GENERIC", Family::Swi9x30),
    ("9999999_9904609_SWI9X30C_02.32.11.00_00_GENERIC_002.064_000.exe", "02.32.11.00", "002.064_000", "GENERIC", Family::Swi9x30),
    ("SWI9X30C_02.33.03.00_GENERIC_002.072_001.nvu", "02.33.03.00", "002.072_001", "GENERIC", Family::Swi9x30),
    ("SWI9X30C_02.38.00.00_GENERIC_002.082_000.nvu", "02.38.00.00", "002.082_000", "GENERIC", Family::Swi9x30),
    ("9999999_9907259_SWI9X50C_00.06.02.00_00_GENERIC_001.004_000", "00.06.02.00", "001.004_000", "GENERIC", Family::Swi9x50),
    ("SWI9X50C_01.05.01.00_GENERIC_001.028_000.nvu", "01.05.01.00", "001.028_000", "GENERIC", Family::Swi9x50),
    ("SWI9X50C_01.14.02.00_TMO_002.003_003.nvu", "01.14.02.00", "002.003_003", "TMO", Family::Swi9x50),
    ("SWI9X50C_01.14.22.00_GENERIC_002.059_001.nvu", "01.14.22.00", "002.059_001", "GENERIC", Family::Swi9x50),
    ("SWIX55C_01.07.13.00-005.cwe", "01.07.13.00", "", "", Family::Sdx55),
    ("SWIX55C_01.07.13.00_ATT_012.007_002.nvu", "01.07.13.00", "012.007_002", "ATT", Family::Sdx55),
    ("SWIX55C_03.14.10.00-001.cwe", "03.14.10.00", "", "", Family::Sdx55),
    ("SWIX55C_03.14.10.00-001_VERIZON_030.089_000.nvu", "03.14.10.00", "030.089_000", "VERIZON", Family::Sdx55),
    ("SWIX65C_02.17.08.00.cwe", "02.17.08.00", "", "", Family::Sdx65),
    ("SWIX65C_02.17.08.00_ROGERS_030.033_001.nvu", "02.17.08.00", "030.033_001", "ROGERS", Family::Sdx65),
    ("WP76xx_Release13.1_GENERIC_GCF.spk", "", "", "", Family::Swi9x07),
    ("WP76xx_Release16.0.1_GENERIC.spk", "", "", "", Family::Swi9x07),
    ("9999999_9907152_SWI9X07Y_02.37.03.00_00_GENERIC_002.095_000.spk", "02.37.03.00", "002.095_000", "GENERIC", Family::Swi9x07),
    ("RC76xx_Release8_SIERRA_R2C_7620.spk", "", "", "", Family::Swi9x07),
    ("RC76xx_Release9_GENERIC_GCF_7620.spk", "", "", "", Family::Swi9x07),
];

#[test]
fn names_of_real_files_tell_versions_and_family_without_a_doubt() {
    for (name, firmware, config, carrier, family) in ROWS {
        let told = parse_versions(name);
        let value = |value: &Option<String>| value.clone().unwrap_or_default();
        assert_eq!(value(&told.firmware), *firmware, "firmware of {name}");
        assert_eq!(value(&told.config), *config, "config of {name}");
        assert_eq!(value(&told.carrier), *carrier, "carrier of {name}");
        assert_eq!(told.notes, [], "doubts about {name}");
        assert_eq!(
            Family::of_version_text(name).as_ref(),
            Some(family),
            "family of {name}"
        );
    }
}

/// Carriers of digits only have been seen (`202`, images.md §7): what isn't read as one is said.
#[test]
fn a_carrier_of_digits_is_never_read_wrong_in_silence() {
    for name in [
        "SWI9X30C_02.14.03.00_202_000.008_000.nvu",
        "9999999_9904609_SWI9X30C_02.14.03.00_00_202_000.008_000.nvu",
    ] {
        let told = parse_versions(name);
        assert_eq!(told.firmware.as_deref(), Some("02.14.03.00"));
        assert!(told.carrier.is_some() || !told.notes.is_empty(), "{name}");
        assert!(
            told.carrier.as_deref().is_none_or(|carrier| carrier == "202"),
            "{name}"
        );
    }
}
