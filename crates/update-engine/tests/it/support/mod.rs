//! Shared by the tests: small images with correct checksums, and a run on a virtual modem.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

pub mod normal;
pub mod through;
pub mod truth;

use std::io;

use firmware_image::crc::checksum;
use firmware_image::source::ImageSource;
use modemflash_update_engine::{Event, EventKind, Firmware, Outcome, Request, Selector, UpdateError, update};
use virtual_modem::profile::Profile;
use virtual_modem::random::Random;
use virtual_modem::simulated::SimulatedWorld;
use virtual_modem::{Setup, VirtualModem};

/// An image in memory.
#[derive(Clone)]
pub struct Memory {
    pub name: String,
    pub bytes: Vec<u8>,
}

impl ImageSource for Memory {
    fn name(&self) -> &str {
        &self.name
    }
    fn size(&self) -> u64 {
        self.bytes.len() as u64
    }
    fn open(&self) -> io::Result<Box<dyn io::Read + Send + '_>> {
        Ok(Box::new(self.bytes.as_slice()))
    }
}

/// A CWE image with correct checksums: header revision 3, opaque body (cwe.md §2).
pub fn cwe(image_type: &str, product: &str, version: &str, body: &[u8]) -> Vec<u8> {
    let mut header = vec![0; 400];
    let psb = checksum(&header[..256]);
    header[0x100..0x104].copy_from_slice(&psb.to_be_bytes());
    header[0x104..0x108].copy_from_slice(&3_u32.to_be_bytes());
    header[0x108..0x10c].copy_from_slice(b"GOOD");
    header[0x10c..0x110].copy_from_slice(image_type.as_bytes());
    header[0x110..0x110 + product.len()].copy_from_slice(product.as_bytes());
    header[0x114..0x118].copy_from_slice(&(body.len() as u32).to_be_bytes());
    header[0x118..0x11c].copy_from_slice(&checksum(body).to_be_bytes());
    header[0x11c..0x11c + version.len()].copy_from_slice(version.as_bytes());
    header[0x170..0x178].copy_from_slice(b"01/02/20");
    header[0x178..0x17c].copy_from_slice(&1_u32.to_be_bytes());
    header[0x18c..0x190].copy_from_slice(&1_u32.to_be_bytes());
    header.extend_from_slice(body);
    header
}

/// Random bytes that no reader takes for a known format.
pub fn noise(seed: u64, count: usize) -> Vec<u8> {
    let mut random = Random::new(seed);
    let mut bytes = Vec::with_capacity(count + 8);
    while bytes.len() < count {
        bytes.extend_from_slice(&random.next_u64().to_le_bytes());
    }
    bytes.truncate(count);
    bytes
}

/// Images that fit this profile, with bodies of these sizes in bytes.
pub fn images_for(profile: &Profile, seed: u64, sizes: &[usize]) -> Vec<Memory> {
    if profile.image_names.is_empty() {
        // The three files of a Gobi modem have no header.
        let names = ["amss.mbn", "apps.mbn", "uqcn.mbn"];
        return sizes
            .iter()
            .zip(names)
            .enumerate()
            .map(|(place, (size, name))| {
                let mut bytes = noise(seed + place as u64, (*size).max(16));
                // Random bytes may begin like a gzip file, so begin with two zeros.
                bytes[..2].fill(0);
                Memory {
                    name: name.to_owned(),
                    bytes,
                }
            })
            .collect();
    }
    let platform = profile.image_names[0];
    let product = profile.products.first().copied().unwrap_or("9X30");
    let version = format!("9999999_9901234_{platform}_01.02.03.04_00_GENERIC_001.002_000");
    sizes
        .iter()
        .enumerate()
        .map(|(place, size)| Memory {
            name: format!("{platform}_01.02.03.04_{place}.cwe"),
            bytes: cwe(
                "AMSS",
                product,
                &version,
                &noise(seed + place as u64, (*size).max(1)),
            ),
        })
        .collect()
}

/// A modem in download mode whose boot loader has this product string.
pub fn called(model: &str, product_name: &'static str) -> Setup {
    let mut profile = Profile::named(model).expect("there is such a model").clone();
    profile.download.product_name = product_name;
    Setup::of(Box::leak(Box::new(profile)))
}

/// The images, checked.
pub fn firmware(images: &[Memory]) -> Firmware {
    let sources = images
        .iter()
        .cloned()
        .map(|image| Box::new(image) as Box<dyn ImageSource>)
        .collect();
    Firmware::check(sources).expect("the images are right")
}

/// A request that asks no questions.
pub fn request() -> Request {
    Request {
        select: Selector::Port(SimulatedWorld::LINK.to_owned()),
        confirmed: true,
        skip_read_back: true,
        ..Request::default()
    }
}

/// A finished run: the world, the result and the events.
pub struct Run {
    pub world: SimulatedWorld,
    pub events: Vec<Event>,
    pub result: Result<Outcome, UpdateError>,
}

impl Run {
    pub fn modem(&self) -> &VirtualModem {
        self.world.modem(0).expect("there is a modem")
    }

    pub fn error(&self) -> &UpdateError {
        self.result.as_ref().expect_err("the run fails")
    }

    pub fn told(&self, is_it: impl Fn(&EventKind) -> bool) -> bool {
        self.events.iter().any(|event| is_it(&event.kind))
    }

    /// The run as text, for a failing test.
    pub fn log(&self) -> String {
        let mut log = String::new();
        for event in &self.events {
            log.push_str(&serde_json::to_string(event).unwrap());
            log.push('\n');
        }
        if let Err(error) = &self.result {
            log.push_str(&format!("{error}\n{}\n", error.source));
        }
        log.push_str(&format!("{:#?}", self.modem().violations()));
        log
    }

    /// Asserts that the modem holds exactly these images, accepted all of them, and saw no violation.
    pub fn assert_flashed(&self, images: &[Memory]) {
        assert!(self.result.is_ok(), "{}", self.log());
        assert_eq!(self.modem().violations(), [], "{}", self.log());
        assert_stored(self.modem(), images).unwrap_or_else(|why| panic!("{why}\n{}", self.log()));
    }
}

/// Compares what the modem accepted with the images, in the order in which they were sent.
pub fn assert_stored(modem: &VirtualModem, images: &[Memory]) -> Result<(), String> {
    use virtual_modem::ImageState;
    let mut wanted: Vec<&Memory> = images.iter().collect();
    wanted.sort_by_key(|image| std::cmp::Reverse(image.bytes.len()));
    let stored: Vec<_> = modem
        .images()
        .iter()
        .filter(|image| image.state == ImageState::Accepted)
        .collect();
    if stored.len() != wanted.len() {
        return Err(format!(
            "{} images accepted instead of {}",
            stored.len(),
            wanted.len()
        ));
    }
    for (stored, wanted) in stored.iter().zip(wanted) {
        // A Gobi amss.mbn is sent without its last 8 bytes (qdl.md §5).
        let is_amss = wanted.name == "amss.mbn";
        let bytes = &wanted.bytes[..wanted.bytes.len() - if is_amss { 8 } else { 0 }];
        if let Some(kept) = &stored.bytes {
            if kept != bytes {
                return Err(format!("{} differs", wanted.name));
            }
        } else if stored.length != bytes.len() as u64 {
            return Err(format!("{} has {} bytes", wanted.name, stored.length));
        }
    }
    Ok(())
}

/// Flashes images onto a modem in a simulated world.
pub fn run_in(mut world: SimulatedWorld, request: &Request, images: &[Memory]) -> Run {
    let firmware = firmware(images);
    let mut events = Vec::new();
    let result = update(&mut world, request, &firmware, &mut |event| {
        events.push(event.clone())
    });
    Run {
        world,
        events,
        result,
    }
}

/// Flashes two fitting images onto a modem with this setup.
pub fn run(setup: Setup) -> (Run, Vec<Memory>) {
    let images = images_for(setup.profile, 7, &[70_000, 5_000]);
    (run_in(SimulatedWorld::new(setup), &request(), &images), images)
}
