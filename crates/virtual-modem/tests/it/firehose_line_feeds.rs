//! The line feeds behind a `program` request are not image data, whichever way the request is cut. Found by
//! qmi-firmware-update in the kernel lab.

use modem_world::Instant;
use modemflash_virtual_modem::profile::Timings;
use modemflash_virtual_modem::{ImageState, Output, Profile, Setup, VirtualModem};
use std::time::Duration;

const NOW: Instant = Instant::START;
/// When everything is written.
const LATER: Instant = Instant::from_start(Duration::from_secs(1));

/// Lets the modem say everything that it has to say.
fn listen(modem: &mut VirtualModem, now: Instant) -> String {
    let mut said = Vec::new();
    loop {
        match modem.poll(now) {
            Output::Send { bytes, .. } => said.extend(bytes),
            Output::Wait(_) => return String::from_utf8_lossy(&said).into_owned(),
            Output::Attach(_) | Output::Detach => {}
        }
    }
}

fn tell(modem: &mut VirtualModem, bytes: &[u8]) -> String {
    assert!(modem.room(0, NOW) >= bytes.len());
    modem.receive(0, bytes, NOW);
    listen(modem, NOW)
}

fn document(element: &str) -> String {
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\" ?>\n<data>\n<{element} />\n</data>\n\n")
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// An image of 500 bytes (cwe.md §2).
fn image() -> Vec<u8> {
    let data = [0x5a; 100];
    let mut image = vec![0; 400];
    let mut put = |at: usize, bytes: &[u8]| image[at..at + bytes.len()].copy_from_slice(bytes);
    put(0x100, &0xf269_7aa7_u32.to_be_bytes());
    put(0x104, &3_u32.to_be_bytes());
    put(0x10c, b"SPKG9X50");
    put(0x114, &100_u32.to_be_bytes());
    put(0x118, &(!crc32fast::hash(&data)).to_be_bytes());
    put(0x11c, b"SWI9X50C_01.14.13.00");
    image.extend(data);
    image
}

#[test]
fn the_line_feeds_behind_a_program_request_are_not_image_data() {
    let program = document(
        "program PAGES_PER_BLOCK=\"64\" SECTOR_SIZE_IN_BYTES=\"4096\" filename=\"spkg.cwe\" \
         num_partition_sectors=\"1\" physical_partition_number=\"0\" start_sector=\"-1\"",
    );
    for cut in program.len() - 12..=program.len() {
        let mut setup = Setup::of(Profile::named("EM7565").unwrap());
        setup.timings = Timings::INSTANT;
        let mut modem = VirtualModem::new(setup);
        listen(&mut modem, NOW);
        modem.port_opened(0, NOW);
        listen(&mut modem, NOW);
        tell(&mut modem, &words(&[2, 48, 2, 2, 0, 3, 0, 0, 0, 0, 0, 0]));
        tell(&mut modem, &words(&[0x0d, 12, 0xff00]));
        assert!(tell(&mut modem, &words(&[0x0f, 12, 0xff00])).starts_with("confirmed"));
        tell(
            &mut modem,
            document("configure MaxPayloadSizeToTargetInBytes=\"8192\"").as_bytes(),
        );

        let (first, second) = program.split_at(cut);
        let mut answer = tell(&mut modem, first.as_bytes());
        answer += &tell(&mut modem, second.as_bytes());
        assert!(answer.contains("rawmode=\"true\""), "{answer}");
        let mut data = image();
        data.resize(4096, 0);
        // The block of zeros behind a short last block.
        data.resize(4096 + 512, 0);
        let verdict = tell(&mut modem, &data) + &listen(&mut modem, LATER);
        assert!(verdict.contains("rawmode=\"false\""), "cut at {cut}: {verdict}");
        assert_eq!(modem.violations(), []);
        assert_eq!(modem.images()[0].state, ImageState::Accepted);
        assert_eq!(modem.images()[0].bytes.as_deref(), Some(image().as_slice()));
    }
}
