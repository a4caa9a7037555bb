//! The layouts of real files at full size (images.md §8), as the inspector reads them.

use modemflash_firmware_image::{
    CrcVerdict, DownloadProtocol, Family, Finding, Inspector, Report,
    generate::{Generated, models},
};

fn inspect(file: &Generated) -> Report {
    let mut inspector = Inspector::new(file.name(), file.size());
    let mut reader = file.reader();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match reader.fill(&mut buffer) {
            0 => break,
            count => inspector.push(&buffer[..count]).unwrap(),
        }
    }
    let report = inspector.finish().unwrap();
    assert!(
        report
            .images
            .iter()
            .all(|image| image.verdict() == CrcVerdict::Right && image.uncovered == 0)
    );
    assert_eq!(report.summed_bytes, file.size());
    report
}

/// The tree in the notation of images.md §8: `start-end`, children in brackets.
fn notation(report: &Report, parent: Option<usize>) -> String {
    let children = report
        .images
        .iter()
        .enumerate()
        .filter(|(_, image)| image.parent == parent);
    let texts = children.map(|(place, image)| {
        let inner = notation(report, Some(place));
        let brackets = if inner.is_empty() {
            inner
        } else {
            format!("({inner})")
        };
        format!("{}-{}{brackets}", image.start, image.end)
    });
    texts.collect::<Vec<_>>().join(" ")
}

#[test]
fn a_four_level_package_of_the_rc76_is_read_as_published() {
    let report = inspect(&models::rc76xx_release_9().unwrap());
    assert_eq!(
        notation(&report, None),
        "0-34879232(400-426084(800-7680 7680-426084) \
         426084-26178380(426484-433404 433404-672268 672268-26178380) \
         26178380-27381096(26178780-26185740 26185740-27121040 27121040-27223952 27223952-27381096) \
         27381096-27432883(27381496-27388776(27381896-27388776) 27388776-27431881(27389176-27431881) \
         27431881-27432883(27432281-27432883)) \
         27432883-34495475(27433283-27440203 27440203-34363963 34363963-34495475) \
         34495475-34879232(34495875-34503155(34496275-34503155) 34503155-34879232(34503555-34879232)))"
    );
    // The name has no version: it comes from the header.
    assert_eq!(report.versions.firmware.as_ref().unwrap().text, "00.08.24.02");
    assert_eq!(report.versions.config.as_ref().unwrap().text, "001.110_000");
    assert_eq!(report.versions.carrier.as_ref().unwrap().text, "GENERIC");
    assert_eq!(report.families, [Family::Swi9x07]);
}

#[test]
fn the_em7565_images_are_read_as_published() {
    let report = inspect(&models::em7565_01_14_02_00().unwrap());
    let tree = notation(&report, None);
    assert!(tree.starts_with("0-80241623(400-7360 7360-411416(7760-14640 14640-411416) 411416-39979141(411816-418776 418776-875492 "), "{tree}");
    assert_eq!(report.versions.firmware.unwrap().text, "01.14.02.00");
    assert_eq!(report.families, [Family::Swi9x50]);
    assert_eq!(
        report.families[0].download_protocol(),
        Some(DownloadProtocol::Sahara)
    );

    let report = inspect(&models::em7565_01_09_04_00().unwrap());
    let tree = notation(&report, None);
    assert!(tree.starts_with("0-79664946(400-7360 7360-407216(7760-14640 14640-407216) 407216-39478680(407616-414576 414576-871292 "), "{tree}");
}

#[test]
fn the_flat_image_of_the_em919x_is_read_as_published() {
    let report = inspect(&models::em919x_01_07_13_00().unwrap());
    assert_eq!(
        notation(&report, None),
        "0-89222543(400-788692 788692-45628404 45628404-86807092 86807092-89222543)"
    );
    assert_eq!(report.versions.firmware.unwrap().text, "01.07.13.00");
    assert_eq!(report.families, [Family::Sdx55]);
}

#[test]
fn the_carrier_settings_of_the_9x30_have_the_published_sizes_and_buffer_checksum() {
    let report = inspect(&models::carrier_settings().unwrap());
    let rows: Vec<_> = report
        .images
        .iter()
        .map(|image| {
            (
                image.header.image_type.to_string(),
                image.header.body_size,
                image.header.product_buffer_crc,
            )
        })
        .collect();
    assert_eq!(
        rows,
        [
            ("SPKG".into(), 11_072, 0x82D9_2888),
            ("FILE".into(), 10_672, 0xF269_7AA7),
            ("FILE".into(), 10_272, 0xF269_7AA7),
            ("NVUP".into(), 9_872, 0xF269_7AA7),
        ]
    );
    let settings = report.settings.unwrap();
    assert_eq!((settings.items_declared, settings.items_read), (4, 4));
    assert!(
        report
            .findings
            .iter()
            .all(|finding| matches!(finding, Finding::SettingsChange { .. }))
    );
}

#[test]
fn a_small_set_can_be_made_for_every_family() {
    let families = [
        Family::Swi9200,
        Family::Swi9x15,
        Family::Swi9x30,
        Family::Swi9x50,
        Family::Swi9x07,
        Family::Swi9x06,
        Family::Sdx55,
        Family::Sdx65,
    ];
    for family in families {
        let release = models::Release {
            family: family.clone(),
            firmware: "01.02.03.04",
            config: "005.006_007",
            carrier: "GENERIC",
            seed: 9,
        };
        let items = models::CARRIER_ITEMS;
        let files = [
            release.system(20_000).build(release.system_name()).unwrap(),
            release.settings(items).build(release.settings_name()).unwrap(),
            release
                .combined(30_000, items)
                .build(release.combined_name())
                .unwrap(),
        ];
        assert_eq!((files[0].size(), files[2].size()), (20_000, 30_000));
        let reports: Vec<Report> = files.iter().map(inspect).collect();
        for report in &reports {
            assert_eq!(
                report.families.as_slice(),
                core::slice::from_ref(&family),
                "{}",
                report.name
            );
            assert_eq!(report.versions.firmware.as_ref().unwrap().text, "01.02.03.04");
        }
        assert_eq!(reports[0].versions.config, None);
        assert_eq!(reports[1].versions.config.as_ref().unwrap().text, "005.006_007");
        let set = modemflash_firmware_image::combine(&[&reports[1], &reports[0]]);
        assert_eq!((set.order, set.findings), (vec![1, 0], vec![]));
        assert_eq!(set.families, [family]);
    }
}
