//! What the answers mean, with the lines of the AT traces, and the way back.

use modemflash_modem_protocol::at::parse::{self, *};
use modemflash_modem_protocol::at::{Collector, Reply, reply};
use proptest::prelude::*;

fn lines(text: &str) -> Vec<String> {
    text.lines().map(Into::into).collect()
}

/// What a host gets of these lines of a modem.
fn over_the_wire(lines: Vec<String>) -> Vec<String> {
    let bytes = Reply::ok(lines).to_bytes(Some("AT!X?"));
    Collector::new("AT!X?").push(&bytes).unwrap().lines
}

fn some(text: &str) -> Option<String> {
    Some(text.into())
}

/// at.md §3 with the values of vector 5's modem.
const ATI: &str = "Manufacturer: Sierra Wireless, Incorporated
Model: MC7455
Revision: SWI9X30C_02.33.03.00 r8209 CARMD-EV-FRMWR2 2019/08/28 20:59:30
MEID: 35926008011077
IMEI: 359260080110775
IMEI SV: 20
FSN: LQ650551500310
+GCAP: +CGSM";

#[test]
fn ati_tells_everything_and_imei_is_not_imei_sv() {
    let found = ati(&lines(ATI)).unwrap();
    assert_eq!(found.manufacturer, some("Sierra Wireless, Incorporated"));
    assert_eq!(found.model, some("MC7455"));
    assert_eq!(
        found.revision,
        some("SWI9X30C_02.33.03.00 r8209 CARMD-EV-FRMWR2 2019/08/28 20:59:30")
    );
    assert_eq!(found.meid, some("35926008011077"));
    assert_eq!(found.imei, some("359260080110775"));
    assert_eq!(found.imei_sv, some("20"));
    assert_eq!(found.fsn, some("LQ650551500310"));
    assert_eq!(reply::ati(&found), lines(ATI));
    assert_eq!(ati(&lines("+CREG: 1\nRING")), None);
}

#[test]
fn revision_and_imei_are_found_between_unasked_lines() {
    let revision = "SWI9X50C_00.06.02.00 f50f0a jenkins 2017/08/25 05:33:58";
    assert_eq!(
        cgmr(&lines(&format!("+CREG: 1\nRING\n{revision}"))),
        some(revision)
    );
    assert_eq!(cgmr(&lines("+CGMR: 1.2.3")), some("1.2.3"));
    assert_eq!(cgmr(&lines("RING")), None);
    assert_eq!(cgsn(&lines("+CREG: 1\n359260080110775")), some("359260080110775"));
    assert_eq!(
        cgsn(&lines("+CGSN: \"359260080110775\"")),
        some("359260080110775")
    );
    assert_eq!(cgsn(&lines("3592600801107\nIMEI")), None);
}

#[test]
fn customer_configuration_may_be_lost() {
    // at_em7455_mc7455_dell, 4IceG
    let dell = "PRI Part Number: 9904336\nRevision: 001.007\nCustomer: Dell\n\n\
                Carrier PRI: 9999999_9904597_SWI9X30C_02.24.05.06_00_ORANGE-EU_002.022_000";
    let found = priid(&lines(dell)).unwrap();
    assert_eq!(found.part_number, some("9904336"));
    assert_eq!(found.revision, some("001.007"));
    assert_eq!(found.customer, some("Dell"));
    assert_eq!(
        found.carriers,
        ["9999999_9904597_SWI9X30C_02.24.05.06_00_ORANGE-EU_002.022_000"]
    );
    assert_eq!(reply::priid(&found), lines(dell));
    // at_em7455_mc7455_dell, issue 48
    let lost = "PRI Part Number: Unknown\nRevision: Unknown\nCustomer: Unknown\n\nCarrier PRI: None";
    assert_eq!(priid(&lines(lost)), Some(Pri::default()));
    assert_eq!(reply::priid(&Pri::default()), lines(lost));
    assert_eq!(priid(&lines("RING")), None);
}

#[test]
fn board_names_its_flash_chip_and_bad_blocks() {
    // at_misc_wp_rc_em9, FX30
    let text = "Product: FX30S(WP7611-1)\nRevision: 40\nMain: MDM9207 (000)\nRadio: WTR2965\nPower: PMD9607 (002)\n\
                Flash: H27S4G8F2EKPB4 512MB x8 (173/0/0) (2048 blocks of 64 pages/block 4096B page size)";
    let found = bsinfo(&lines(text)).unwrap();
    assert_eq!(found.product, some("FX30S(WP7611-1)"));
    assert_eq!(found.flash_chip(), Some("H27S4G8F2EKPB4"));
    assert_eq!(found.bad_blocks(), Some([173, 0, 0]));
    assert_eq!(reply::bsinfo(&found), lines(text));
    let counts = |flash: &str| {
        let board = Board {
            flash: some(flash),
            ..Board::default()
        };
        board.bad_blocks()
    };
    assert_eq!(counts("CHIP (1/2) (1/2/3/4) (a/b/c)"), None);
    assert_eq!(counts("CHIP (7/8/9)"), Some([7, 8, 9]));
}

/// at.md vector 5 without echo and final line.
const MISMATCH: &str = "!IMPREF:
 preferred fw version:    02.33.03.00
 preferred carrier name:  GENERIC
 preferred config name:   GENERIC_002.072_000
 preferred subpri index:  000
 current fw version:      02.33.03.00
 current carrier name:    GENERIC
 current config name:     GENERIC_002.026_000
 current subpri index:    000

 config name mismatch";

#[test]
fn preference_and_what_differs() {
    let found = impref(&lines(MISMATCH)).unwrap();
    let preferred = Selection {
        firmware: some("02.33.03.00"),
        carrier: some("GENERIC"),
        config: some("GENERIC_002.072_000"),
        sub_pri: some("000"),
    };
    assert_eq!(preferred.config_version(), Some("002.072_000"));
    let current = Selection {
        config: some("GENERIC_002.026_000"),
        ..preferred.clone()
    };
    assert_eq!(
        found,
        ImagePreference {
            preferred,
            current,
            mismatches: vec![Mismatch::Config],
        }
    );
    assert_eq!(reply::impref(&found, "!IMPREF"), lines(MISMATCH));
}

#[test]
fn a_reply_about_the_preference_is_vector_5_byte_for_byte() {
    let reply = Reply::ok(reply::impref(&impref(&lines(MISMATCH)).unwrap(), "!IMPREF"));
    let bytes = "AT!IMPREF?\r\r\n".to_owned() + &MISMATCH.replace('\n', "\r\n") + "\r\n\r\nOK\r\n";
    assert_eq!(reply.to_bytes(Some("AT!IMPREF?")), bytes.as_bytes());
}

#[test]
fn preference_of_other_units() {
    // at_em7565_images-and-mismatch: without a head
    let em7565 = "
 preferred fw version:    01.00.02.00
 preferred carrier name:  GENERIC
 preferred config name:   GENERIC_001.012_000
 current fw version:      01.05.01.00
 current carrier name:    GENERIC
 current config name:     GENERIC_001.012_000
 
 fw version mismatch
 fw mismatch
 carrier name mismatch
 roaming table mismatch";
    let found = impref(&lines(em7565)).unwrap();
    assert_eq!(found.preferred.firmware, some("01.00.02.00"));
    assert_eq!(found.current.firmware, some("01.05.01.00"));
    assert_eq!(found.current.sub_pri, None);
    assert_eq!(
        found.mismatches,
        [
            Mismatch::Firmware,
            Mismatch::Firmware,
            Mismatch::Carrier,
            Mismatch::Other("roaming table".into())
        ]
    );
    // at_em7565_lenovo_geerling_2022: nothing but a firmware version; old name of the command
    let lenovo = "!GOBIIMPREF:
 preferred fw version:    00.06.02.00
 preferred carrier name:  
 preferred config name:   
 current fw version:      00.06.02.00
 current carrier name:    
 current config name:     ";
    let found = impref(&lines(lenovo)).unwrap();
    assert_eq!(found.current.firmware, some("00.06.02.00"));
    assert_eq!((&found.current.carrier, &found.current.config), (&None, &None));
    assert!(found.mismatches.is_empty());
    assert_eq!(reply::impref(&found, "!GOBIIMPREF"), lines(lenovo));
    assert_eq!(impref(&lines("!IMPREF:\n config name mismatch")), None);
}

#[test]
fn the_version_of_a_config_is_found_behind_any_carrier() {
    let version = |config: &str| {
        let selection = Selection {
            config: some(config),
            ..Selection::default()
        };
        selection.config_version().map(String::from)
    };
    assert_eq!(version("ORANGE-EU_002.022_000"), some("002.022_000"));
    assert_eq!(version("AT_T_002.022_000"), some("002.022_000"));
    assert_eq!(version("002.022_000"), some("002.022_000"));
    assert_eq!(version("GENERIC"), None);
}

/// at.md vector 7.
const IMAGES: &str = "TYPE SLOT STATUS LRU FAILURES UNIQUE_ID   BUILD_ID
FW   1    EMPTY  0   0 0
FW   2    GOOD   6   0 0      ?_?         01.14.02.00_?
FW   3    EMPTY  0   0 0
FW   4    EMPTY  0   0 0
Max FW images: 4
Active FW image is at slot 2

TYPE SLOT STATUS LRU FAILURES UNIQUE_ID   BUILD_ID
PRI  FF   GOOD   0   0 0      002.035_003 01.14.02.00_GENERIC
Max PRI images: 50";

#[test]
fn vector_7_the_list_of_images() {
    let found = image_list(&lines(IMAGES)).unwrap();
    assert_eq!(found.firmware.len(), 4);
    let used = StoredImage {
        slot: 2,
        status: Status::Good,
        lru: 6,
        failures: [0, 0],
        ids: Some(("?_?".into(), "01.14.02.00_?".into())),
    };
    assert_eq!(found.firmware[1], used);
    let is_empty = |image: &&StoredImage| image.status == Status::Empty && image.ids.is_none();
    assert_eq!(found.firmware.iter().filter(is_empty).count(), 3);
    assert_eq!(found.most_firmware, Some(4));
    assert_eq!(found.active, Some(ActiveSlot::Slot(2)));
    let pri = StoredImage {
        slot: 0xFF,
        status: Status::Good,
        lru: 0,
        failures: [0, 0],
        ids: Some(("002.035_003".into(), "01.14.02.00_GENERIC".into())),
    };
    assert_eq!(found.pri, [pri]);
    assert_eq!(found.most_pri, Some(50));
    assert_eq!(reply::image(&found), lines(IMAGES));
}

#[test]
fn lists_of_images_of_other_units() {
    // at_em7565_images-and-mismatch: a three-digit LRU
    let row = "FW   3    GOOD   127 0 0      ?_?         01.05.01.00_?";
    let found = image_list(&lines(row)).unwrap();
    assert_eq!(found.firmware[0].lru, 127);
    assert_eq!(reply::image(&found)[1], row);
    // at_misc_wp_rc_em9, EM9293
    let empty = image_list(&lines(
        "FW 1 EMPTY 0 0 0\nFW 2 EMPTY 0 0 0\nFW 3 EMPTY 0 0 0\nMax FW images: 3\n\
         Active FW image is at slot 255\nMax PRI images: 50",
    ))
    .unwrap();
    assert_eq!(empty.firmware.len(), 3);
    assert_eq!(empty.active, Some(ActiveSlot::NotStored));
    // at_em7565_lenovo_geerling_2022: cut; and rows that can't be read
    let cut = image_list(&lines(
        "FW 4 BAD 0 3 1\nFW 5 WORN 0 0 0\nFW x\nFW 1 GOOD many 0 0\nActive FW image is at ...\nXYZ 1 GOOD",
    ))
    .unwrap();
    assert_eq!(cut.firmware.len(), 2);
    assert_eq!(
        (&cut.firmware[0].status, cut.firmware[0].failures),
        (&Status::Bad, [3, 1])
    );
    assert_eq!(cut.firmware[1].status, Status::Other("WORN".into()));
    assert_eq!(cut.active, None);
    assert_eq!(image_list(&lines("RING")), None);
}

#[test]
fn the_reason_of_a_silent_radio_in_the_newer_layout() {
    // at_em7455_mc7455_dell, issue 48
    let text = "State: Low Power Mode
LPM voters - Temp:0, Volt:0, User:0, W_DISABLE:0, IMSWITCH:1, BIOS:0, LWM2M:0, OMADM:0, FOTA:0
LPM persistence - None";
    let found = pcinfo(&lines(text)).unwrap();
    assert_eq!(found.mode, Mode::LowPower);
    assert_eq!(found.voters.len(), 9);
    assert!(found.is_image_mismatch());
    assert_eq!(found.other_voters().count(), 0);
    assert_eq!(reply::pcinfo(&found), lines(text));
    // at_em7455_mc7455_dell, 4IceG: cut
    let online = pcinfo(&lines(
        "State: Online\nLPM voters - Temp:0, Volt:0, User:1, W_DISABLE:2, IMSWITCH:0, BIOS:x, OMADM:0, FOTA...",
    ))
    .unwrap();
    assert_eq!(online.mode, Mode::Online);
    assert!(!online.is_image_mismatch());
    assert_eq!(online.other_voters().collect::<Vec<_>>(), ["User", "W_DISABLE"]);
}

#[test]
fn the_reason_of_a_silent_radio_in_the_older_layout() {
    // at_em7455_mc7455_dell, MC7304
    let text = "State: LowPowerMode
LPM force flags - W_DISABLE:0, User:0, Temp:0, Volt:0, BIOS:0, GOBIIM:1
W_DISABLE: 0
Poweroff mode: 0
LPM Persistent: 1";
    let found = pcinfo(&lines(text)).unwrap();
    assert_eq!(found.mode, Mode::LowPower);
    assert!(found.is_image_mismatch());
    assert_eq!(
        found.details,
        PowerDetails::ForceFlags {
            w_disable: Some(0),
            power_off_mode: Some(0),
            persistent: Some(1),
        }
    );
    assert_eq!(reply::pcinfo(&found), lines(text));
    assert_eq!(pcinfo(&lines("LPM voters - Temp:0")), None);
}

#[test]
fn operating_mode_is_not_the_system_mode() {
    // at_em7455_mc7455_dell, forum
    let text = "!GSTATUS:
Current Time:  434  Temperature: 29
Reset Counter: 3   Mode:        LOW POWER MODE";
    let found = gstatus(&lines(text)).unwrap();
    assert_eq!(
        found,
        GeneralStatus {
            seconds: Some(434),
            temperature: Some(29),
            resets: Some(3),
            mode: Some(Mode::LowPower),
        }
    );
    assert_eq!(reply::gstatus(&found), lines(text));
    let tabs = gstatus(&lines(
        "Current Time:  21\t\tTemperature: -3\nReset Counter: 1\t\tMode:        ONLINE\n\
         System mode:   LTE        \tPS state:    \nPS state:\tMode: ONLINE",
    ))
    .unwrap();
    assert_eq!((tabs.mode, tabs.temperature), (Some(Mode::Online), Some(-3)));
    assert_eq!(gstatus(&lines("System mode:   LTE")), None);
}

#[test]
fn usb_composition() {
    // at_usbcomp_usbpid_em74xx_em75xx_wp76
    let text = "Config Index: 1\nConfig Type:  1 (Generic)\nInterface bitmask: 0000050D (diag,nmea,modem,rmnet0,rmnet1)";
    let found = usbcomp(&lines(text)).unwrap();
    assert_eq!((found.index, found.kind, found.mask), (1, 1, 0x50D));
    assert_eq!(found.kind_name, some("Generic"));
    assert_eq!(found.interfaces, ["diag", "nmea", "modem", "rmnet0", "rmnet1"]);
    assert_eq!(reply::usbcomp(&found), lines(text));
    let bare = usbcomp(&lines("Config Index: 1\nConfig Type: 3\nInterface bitmask: 10D")).unwrap();
    assert_eq!((bare.kind, bare.kind_name, bare.mask), (3, None, 0x10D));
    assert_eq!(usbcomp(&lines("Config Index: 1\nConfig Type: 3")), None);
}

#[test]
fn usb_ids() {
    // at_em7565_lenovo_geerling_2022
    let text = "!USBPID:\nAPP : 90B1\nBOOT: 90B0";
    let found = usbpid(&lines(text)).unwrap();
    assert_eq!((found.application, found.boot), (0x90B1, Some(0x90B0)));
    assert_eq!(reply::usbpid(&found), lines(text));
    // at_usbcomp_usbpid_em74xx_em75xx_wp76
    let text = "VID: 0x413C\nAPP PID: 0x81B6\nBOOT PID: 0x81B5\nManufacturer: Sierra Wireless, Incorporated\n\
                Product: DW5811e Snapdragon X7 LTE";
    let found = usbinfo(&lines(text)).unwrap();
    assert_eq!(
        (found.vendor, found.application, found.boot),
        (0x413C, 0x81B6, Some(0x81B5))
    );
    assert_eq!(found.product, some("DW5811e Snapdragon X7 LTE"));
    assert_eq!(reply::usbinfo(&found), lines(text));
    assert_eq!(usbpid(&lines("APP : 90B1x")), None);
    assert_eq!(usbinfo(&lines("VID: 0x413C")), None);
}

#[test]
fn usb_speeds() {
    // at_usbcomp_usbpid_em74xx_em75xx_wp76
    let text = "SUPPORTED:Super-Speed\nCURRENT  :High-Speed";
    let found = usbspeed(&lines(text)).unwrap();
    assert_eq!(
        (&found.supported, &found.current),
        (&Some(Speed::Super), &Speed::High)
    );
    assert_eq!(reply::usbspeed(&found), lines(text));
    assert_eq!(usbspeed(&lines("SUPPORTED:Super-Speed")), None);
}

/// A value as it can stand behind a colon.
fn word() -> impl Strategy<Value = String> {
    "[!-~]([ -~]{0,30}[!-~])?"
}

fn maybe(value: impl Strategy<Value = String>) -> impl Strategy<Value = Option<String>> {
    prop::option::of(value)
}

prop_compose! {
    fn any_selection()(
        firmware in maybe(word()), carrier in maybe(word()), config in maybe(word()), sub_pri in maybe("[0-9]{3}"),
    ) -> Selection {
        Selection { firmware, carrier, config, sub_pri }
    }
}

prop_compose! {
    fn any_image(kind: u8)(
        slot in if kind == 0 { 1_u8..=20 } else { 0xFF..=0xFF },
        status in prop::sample::select(vec![Status::Good, Status::Empty, Status::Bad, Status::Other("WORN".into())]),
        lru: u32, failures: [u32; 2], ids in prop::option::of(("[!-~]{1,20}", "[!-~]{1,30}")),
    ) -> StoredImage {
        StoredImage { slot, status, lru, failures, ids }
    }
}

fn any_mode() -> impl Strategy<Value = Mode> {
    prop::sample::select(vec![
        Mode::Online,
        Mode::LowPower,
        Mode::Offline,
        Mode::Other("RESETTING".into()),
    ])
}

prop_compose! {
    fn any_power()(
        mode in any_mode(),
        voters in prop::collection::vec(("[A-Z_]{1,10}", any::<u32>()), 0..12),
        old: bool, persistence in maybe("[a-z]([ -~]{0,9}[a-z])?"), numbers: [Option<u32>; 3],
    ) -> PowerState {
        let voters = voters.into_iter().map(|(name, vote)| Voter { name, vote }).collect();
        let [w_disable, power_off_mode, persistent] = numbers;
        let details = if old {
            PowerDetails::ForceFlags { w_disable, power_off_mode, persistent }
        } else {
            PowerDetails::Voters { persistence }
        };
        PowerState { mode, voters, details }
    }
}

proptest! {
    #[test]
    fn an_identity_survives_the_wire(fields in prop::array::uniform7(word())) {
        let [manufacturer, model, revision, meid, imei, imei_sv, fsn] = fields.map(Some);
        let sent = Identity { manufacturer, model, revision, meid, imei, imei_sv, fsn };
        prop_assert_eq!(ati(&over_the_wire(reply::ati(&sent))), Some(sent));
    }

    #[test]
    fn a_customer_configuration_survives_the_wire(
        fields in prop::array::uniform3(maybe(word())), carriers in prop::collection::vec(word(), 0..4),
    ) {
        let [part_number, revision, customer] = fields;
        let sent = Pri { part_number, revision, customer, carriers };
        prop_assert_eq!(priid(&over_the_wire(reply::priid(&sent))), Some(sent));
    }

    #[test]
    fn a_preference_survives_the_wire(
        preferred in any_selection(), current in any_selection(),
        mismatches in prop::sample::subsequence(
            vec![Mismatch::Firmware, Mismatch::Carrier, Mismatch::Config, Mismatch::Other("subpri index".into())], 0..4),
    ) {
        let sent = ImagePreference { preferred, current, mismatches };
        prop_assert_eq!(impref(&over_the_wire(reply::impref(&sent, "!IMPREF"))), Some(sent));
    }

    #[test]
    fn a_list_of_images_survives_the_wire(
        firmware in prop::collection::vec(any_image(0), 0..5), most_firmware: Option<u32>, slot: Option<u8>,
        pri in prop::collection::vec(any_image(1), 0..50), most_pri: Option<u32>,
    ) {
        let active = slot.map(|slot| if slot == 255 { ActiveSlot::NotStored } else { ActiveSlot::Slot(slot) });
        let sent = ImageList { firmware, most_firmware, active, pri, most_pri };
        prop_assert_eq!(image_list(&over_the_wire(reply::image(&sent))), Some(sent));
    }

    #[test]
    fn a_power_state_survives_the_wire(sent in any_power()) {
        prop_assert_eq!(pcinfo(&over_the_wire(reply::pcinfo(&sent))), Some(sent));
    }

    #[test]
    fn a_general_status_survives_the_wire(
        seconds: Option<u32>, temperature: Option<i32>, resets: Option<u32>, mode in any_mode(),
    ) {
        let sent = GeneralStatus { seconds, temperature, resets, mode: Some(mode) };
        prop_assert_eq!(gstatus(&over_the_wire(reply::gstatus(&sent))), Some(sent));
    }

    #[test]
    fn usb_answers_survive_the_wire(
        index: u32, kind: u32, kind_name in maybe("[A-Za-z]{1,12}"), mask: u32,
        interfaces in prop::collection::vec("[a-z0-9]{1,8}", 0..8),
        vendor: u16, application: u16, boot: Option<u16>, manufacturer in maybe(word()), product in maybe(word()),
        supported in prop::option::of(prop::sample::select(vec![Speed::Super, Speed::High])), other in "[A-Z][a-z]{1,9}",
    ) {
        let sent = Composition { index, kind, kind_name, mask, interfaces };
        prop_assert_eq!(usbcomp(&over_the_wire(reply::usbcomp(&sent))), Some(sent));
        let sent = UsbPids { application, boot };
        prop_assert_eq!(usbpid(&over_the_wire(reply::usbpid(&sent))), Some(sent));
        let sent = UsbIdentity { vendor, application, boot, manufacturer, product };
        prop_assert_eq!(usbinfo(&over_the_wire(reply::usbinfo(&sent))), Some(sent));
        let sent = UsbSpeeds { supported, current: Speed::Other(other) };
        prop_assert_eq!(usbspeed(&over_the_wire(reply::usbspeed(&sent))), Some(sent));
    }

    #[test]
    fn no_line_makes_a_parser_panic(
        lines in prop::collection::vec("(FW |PRI |State|Mode|APP| preferred |Flash)?[ :,/()=_0-9A-Fa-f-]{0,20}\\PC{0,10}", 0..6),
    ) {
        let lines: &[String] = &lines;
        let _ = (parse::ati(lines), parse::cgmr(lines), parse::cgsn(lines), parse::priid(lines));
        let _ = (parse::impref(lines), parse::image_list(lines), parse::pcinfo(lines), parse::gstatus(lines));
        let _ = (parse::usbcomp(lines), parse::usbpid(lines), parse::usbinfo(lines), parse::usbspeed(lines));
        let _ = parse::bsinfo(lines).map(|board| board.bad_blocks());
        let _ = parse::impref(lines).map(|found| found.preferred.config_version().map(str::len));
    }
}
