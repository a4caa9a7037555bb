//! What a modem has at the end, against what it should have.

use super::images;
use super::modem::FlashedModem;
use anyhow::{Context, ensure};
use virtual_modem::{ImageState, Profile, Storage};

/// Everything was stored and accepted, nothing else was, and the program did nothing that a modem wouldn't take.
pub(crate) fn compare(modem: &FlashedModem, files: &[images::File]) -> anyhow::Result<()> {
    ensure!(
        modem.violations.is_empty(),
        "violations: {}",
        modem.violations.join("; ")
    );
    // What a fault has cut off doesn't count: the flash was done again.
    let images: Vec<_> = modem
        .images
        .iter()
        .filter(|image| image.state != ImageState::Partial)
        .collect();
    let lengths: Vec<u64> = images.iter().map(|image| image.length).collect();
    ensure!(
        images.len() == files.len(),
        "{} files, but the modem has images of {lengths:?} bytes",
        files.len()
    );
    for file in files {
        let name = file.path.file_name().unwrap_or_default().to_string_lossy();
        let same = images
            .iter()
            .find(|image| image.bytes.as_ref() == Some(&file.content));
        let image = same.with_context(|| format!("{name}: not in the modem, which has {lengths:?} bytes"))?;
        ensure!(
            image.state == ImageState::Accepted,
            "{name}: stored, but {:?}",
            image.state
        );
    }
    Ok(())
}

/// The modem runs what the files say.
pub(crate) fn is_updated(modem: &FlashedModem, profile: &Profile) -> anyhow::Result<()> {
    let current = &modem.storage.current;
    let wanted = images::target();
    let is_it = if profile.capabilities.preference {
        *current == wanted
    } else {
        // Gobi files say nothing about themselves.
        profile.image_names.is_empty() || current.firmware == wanted.firmware
    };
    ensure!(is_it, "it runs {current}, not {wanted}");
    Ok(())
}

/// The modem prefers, runs and has stored what it had when it came from the factory.
pub(crate) fn is_as_before(modem: &FlashedModem, profile: &Profile) -> anyhow::Result<()> {
    let (now, then) = (&modem.storage, Storage::factory(profile));
    ensure!(now.current == then.current, "it runs {}", now.current);
    ensure!(now.preferred == then.preferred, "it prefers {:?}", now.preferred);
    let firmware = |storage: &Storage| -> Vec<Option<String>> {
        let slots = storage.modem_images.iter();
        slots.map(|slot| Some(slot.as_ref()?.firmware.clone())).collect()
    };
    let (has, had) = (firmware(now), firmware(&then));
    ensure!(has == had, "its slots have {has:?}, not {had:?}");
    ensure!(
        now.pri_images == then.pri_images,
        "it has the settings {:?}",
        now.pri_images
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use virtual_modem::{StoredImage, Violation, Wrong};

    fn stored(bytes: &[u8], state: ImageState) -> StoredImage {
        StoredImage {
            image_type: 0x80,
            length: bytes.len() as u64,
            crc: 0,
            bytes: Some(bytes.to_vec()),
            state,
            version: String::new(),
            contents: virtual_modem::Contents::default(),
        }
    }

    fn modem(images: Vec<StoredImage>) -> FlashedModem {
        FlashedModem {
            images,
            storage: Storage::factory(Profile::named("MC7455").unwrap()),
            violations: Vec::new(),
            failure: None,
        }
    }

    fn files() -> Vec<images::File> {
        let file = |name: &str, content: &[u8]| images::File {
            path: name.into(),
            content: content.to_vec(),
        };
        vec![file("a.cwe", b"aaaa"), file("b.nvu", b"bb")]
    }

    #[test]
    fn the_same_images_in_another_order_are_as_they_should_be() {
        let images = vec![
            stored(b"bb", ImageState::Accepted),
            stored(b"aaaa", ImageState::Accepted),
        ];
        compare(&modem(images), &files()).unwrap();
    }

    #[test]
    fn a_wrong_byte_a_missing_or_refused_image_and_a_violation_are_found() {
        let accepted = |bytes: &[u8]| stored(bytes, ImageState::Accepted);
        let said = |modem: FlashedModem| compare(&modem, &files()).unwrap_err().to_string();
        assert_eq!(
            said(modem(vec![accepted(b"aaab"), accepted(b"bb")])),
            "a.cwe: not in the modem, which has [4, 2] bytes"
        );
        assert_eq!(
            said(modem(vec![accepted(b"aaaa")])),
            "2 files, but the modem has images of [4] bytes"
        );
        assert_eq!(
            said(modem(vec![
                accepted(b"aaaa"),
                stored(b"bb", ImageState::Rejected)
            ])),
            "b.nvu: stored, but Rejected"
        );
        let mut violated = modem(vec![accepted(b"aaaa"), accepted(b"bb")]);
        let violation = Violation {
            at: modem_world::Instant::START,
            what: Wrong::FrameChecksum,
        };
        violated.violations.push(violation.to_string());
        assert_eq!(said(violated), "violations: 0 s: frame with a wrong checksum");
    }

    #[test]
    fn an_image_too_much_or_another_preference_is_found() {
        let profile = Profile::named("MC7455").unwrap();
        let said = |change: fn(&mut Storage)| {
            let mut modem = modem(Vec::new());
            change(&mut modem.storage);
            is_as_before(&modem, profile).map_err(|error| error.to_string())
        };
        assert_eq!(said(|_| ()), Ok(()));
        for change in [
            |storage: &mut Storage| storage.current = images::target(),
            |storage: &mut Storage| storage.preferred = None,
            |storage: &mut Storage| storage.modem_images.swap(0, 1),
            |storage: &mut Storage| storage.pri_images.push(images::target().pri()),
        ] {
            assert!(said(change).is_err());
        }
    }
}
