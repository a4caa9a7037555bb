//! Broken frames and generated ones: what was written is read again, and any bytes are read or refused.

use super::vector;
use crate::common::hex;
use modemflash_modem_protocol::ParseError;
use modemflash_modem_protocol::qmi::dms::{
    BootVersion, FirmwarePreference, Ids, ImageReference, ImageType, OfflineReason, OperatingState,
    PriVersion, StoredImage, StoredImageInfo, StoredImageList, StoredImages, SwiStoredImages, UniqueId,
    UsbComposition,
};
use modemflash_modem_protocol::qmi::{Frame, Framer, Kind, Tlvs, ctl, dms};
use proptest::prelude::*;

/// A wrong length in front makes the framer wait for the 12 bytes of a header, so three frames are enough.
const LONGEST_DAMAGE: usize = 3;

#[test]
fn every_check_of_a_frame_names_what_is_wrong() {
    let field = |bytes: &[u8]| match Frame::parse(bytes) {
        Err(ParseError::Value { field, .. } | ParseError::Truncated { field, .. }) => field,
        other => panic!("{other:?}"),
    };
    for (at, value, name) in [
        (0, 2, "marker"),
        (1, 0x14, "frame length"),
        (3, 1, "frame flags"),
        (6, 1, "message flags"),
        (6, 0, "frame flags"),
        (11, 8, "length of the fields"),
        (14, 5, "TLV value"),
    ] {
        let mut bytes = vector("12b");
        bytes[at] = value;
        assert_eq!(field(&bytes), name, "byte {at}");
    }
}

#[test]
fn rubbish_before_and_between_frames_is_reported_once_and_passed_over() {
    let mut framer = Framer::default();
    let frame = vector("22b");
    // The second stretch begins like a frame; its lengths don't agree.
    framer.push(
        &[
            hex("AA 01 BB"),
            frame.clone(),
            hex("01 0C 00 80 02"),
            frame.clone(),
        ]
        .concat(),
    );
    let results: Vec<_> = std::iter::from_fn(|| framer.next_frame()).collect();
    let frames: Vec<_> = results.iter().flatten().collect();
    assert_eq!(frames, [&Frame::parse(&frame).unwrap(); 2]);
    assert_eq!(results.iter().filter(|result| result.is_err()).count(), 2);
}

#[test]
fn a_frame_whose_fields_are_broken_is_passed_over_as_a_whole() {
    let mut broken = vector("12b");
    broken[14] = 5;
    let mut framer = Framer::default();
    framer.push(&[broken, vector("13b")].concat());
    assert!(framer.next_frame().unwrap().is_err());
    assert_eq!(framer.next_frame().unwrap().unwrap().transaction, 7);
    assert_eq!(framer.next_frame(), None);
}

fn all_vectors() -> Vec<Vec<u8>> {
    include_str!("../../vectors/qmi.txt")
        .lines()
        .filter(|line| !line.starts_with('#') && !line.starts_with("19b"))
        .map(|line| hex(line.split_once(' ').unwrap().1))
        .collect()
}

fn any_text() -> impl Strategy<Value = String> {
    "[ -~ä]{0,120}"
}

fn any_image() -> impl Strategy<Value = ImageReference> {
    (any::<u8>(), any::<[u8; 16]>(), any_text()).prop_map(|(image_type, id, build_id)| ImageReference {
        image_type: image_type.into(),
        unique_id: UniqueId(id),
        build_id,
    })
}

fn any_stored_images() -> impl Strategy<Value = StoredImages> {
    let index = || prop::option::of(0..255_u8);
    let image = (index(), index(), any::<[u8; 16]>(), any_text()).prop_map(
        |(storage_index, failure_count, id, build_id)| StoredImage {
            storage_index,
            failure_count,
            unique_id: UniqueId(id),
            build_id,
        },
    );
    let list = (
        any::<u8>(),
        any::<u8>(),
        index(),
        prop::collection::vec(image, 0..5),
    )
        .prop_map(|(image_type, maximum, running, images)| StoredImageList {
            image_type: image_type.into(),
            maximum,
            running,
            images,
        });
    prop::collection::vec(list, 0..4).prop_map(StoredImages)
}

fn any_dms_response() -> impl Strategy<Value = dms::Response> {
    use dms::Response as R;
    let text = || prop::option::of(any_text());
    let images = || prop::collection::vec(any_image(), 0..4).prop_map(FirmwarePreference);
    prop_oneof![
        any_text().prop_map(R::Manufacturer),
        any_text().prop_map(R::Revision),
        (text(), prop::option::of("[0-9]{0,15}"), text(), text()).prop_map(
            |(esn, imei, meid, imei_software_version)| R::Ids(Ids {
                esn,
                imei,
                meid,
                imei_software_version
            })
        ),
        (
            any::<u8>(),
            prop::option::of(any::<u16>()),
            prop::option::of(any::<bool>())
        )
            .prop_map(
                |(mode, reason, is_hardware_restricted)| R::OperatingMode(OperatingState {
                    mode: mode.into(),
                    offline_reason: reason.map(OfflineReason),
                    is_hardware_restricted
                })
            ),
        images().prop_map(R::FirmwarePreference),
        images().prop_map(R::SwiFirmwareCurrent),
        prop::option::of(prop::collection::vec(any::<u8>().prop_map(ImageType::from), 0..9))
            .prop_map(R::FirmwarePreferenceSet),
        any_stored_images().prop_map(R::StoredImages),
        any_stored_images().prop_map(|images| {
            let states = images.iter().map(|_| [1, 2, 3, 4]).collect();
            R::SwiStoredImages(SwiStoredImages::Read { images, states })
        }),
        (
            prop::option::of((any::<u16>(), any::<u16>())),
            prop::option::of((any::<u32>(), "[!-~]{0,32}")),
            prop::option::of(any::<u32>())
        )
            .prop_map(|(boot, pri, oem_lock)| R::StoredImageInfo(StoredImageInfo {
                boot_version: boot.map(|(major, minor)| BootVersion { major, minor }),
                pri_version: pri.map(|(number, text)| PriVersion { number, text }),
                oem_lock,
            })),
        (
            prop::option::of(any::<u8>()),
            prop::option::of(prop::collection::vec(any::<u8>(), 0..30))
        )
            .prop_map(|(current, supported)| R::SwiUsbComposition {
                current: current.map(UsbComposition),
                supported: supported.map(|values| values.into_iter().map(UsbComposition).collect()),
            }),
        (0x6000_u16.., prop::collection::vec(any::<u8>(), 0..40)).prop_map(|(message, value)| R::Other {
            message,
            tlvs: Tlvs::new().with(0x33, value)
        }),
    ]
}

fn any_frame() -> impl Strategy<Value = Frame> {
    (
        any::<u8>(),
        any::<u8>(),
        prop_oneof![Just(Kind::Request), Just(Kind::Response), Just(Kind::Indication)],
        any::<u16>(),
        any::<u16>(),
        prop::collection::vec((any::<u8>(), prop::collection::vec(any::<u8>(), 0..60)), 0..6),
    )
        .prop_map(|(service, client, kind, transaction, message, tlvs)| Frame {
            service: service.into(),
            client,
            kind,
            transaction: if service == 0 {
                transaction & 0xFF
            } else {
                transaction
            },
            message,
            tlvs: tlvs
                .into_iter()
                .fold(Tlvs::new(), |tlvs, (kind, value)| tlvs.with(kind, value)),
        })
}

proptest! {
    #[test]
    fn what_was_written_is_read(frame in any_frame()) {
        prop_assert_eq!(Frame::parse(&frame.encode()), Ok(frame));
    }

    #[test]
    fn responses_come_back_as_they_were_written(response in any_dms_response()) {
        let frame = response.to_frame(1, 1);
        prop_assert_eq!(dms::Response::parse(frame.message, &frame.tlvs), Ok(Ok(response)));
    }

    #[test]
    fn requests_come_back_as_they_were_written(
        images in prop::collection::vec(any_image(), 0..4),
        download_override: bool,
        storage_index: Option<u8>,
    ) {
        let request = dms::Request::SetFirmwarePreference {
            preference: FirmwarePreference(images),
            download_override,
            storage_index,
        };
        let tlvs = request.encode();
        prop_assert_eq!(dms::Request::parse(0x48, &tlvs), Ok(request));
    }

    #[test]
    fn frames_come_out_of_any_split(frames in prop::collection::vec(any_frame(), 1..5), sizes in prop::collection::vec(1..40_usize, 1..8)) {
        let bytes: Vec<u8> = frames.iter().flat_map(Frame::encode).collect();
        let mut framer = Framer::default();
        let mut found = vec![];
        let (mut rest, mut sizes) = (&bytes[..], sizes.into_iter().cycle());
        while !rest.is_empty() {
            let (piece, next) = rest.split_at(sizes.next().unwrap().min(rest.len()));
            framer.push(piece);
            found.extend(std::iter::from_fn(|| framer.next_frame()).map(Result::unwrap));
            rest = next;
        }
        prop_assert_eq!(found, frames);
    }

    #[test]
    fn a_damaged_byte_costs_its_own_frame_at_most(
        vector in prop::sample::select(all_vectors()),
        at: prop::sample::Index,
        flip in 1..=255_u8,
    ) {
        let mut damaged = vector;
        let at = at.index(damaged.len());
        damaged[at] ^= flip;
        if let Ok(frame) = Frame::parse(&damaged) {
            // Whoever reads it gets an answer or an error.
            let _ = ctl::Request::parse(frame.message, &frame.tlvs);
            let _ = ctl::Response::parse(frame.message, &frame.tlvs);
            let _ = dms::Request::parse(frame.message, &frame.tlvs);
            let _ = dms::Response::parse(frame.message, &frame.tlvs);
        }
        let good = hex("01 13 00 80 02 05 02 07 00 2E 00 07 00 02 04 00 00 00 00 00");
        let mut framer = Framer::default();
        framer.push(&damaged);
        framer.push(&good);
        // Two more, in case the damaged length swallows the first.
        for _ in 0..LONGEST_DAMAGE {
            framer.push(&good);
        }
        let last = std::iter::from_fn(|| framer.next_frame()).flatten().last();
        prop_assert_eq!(last, Some(Frame::parse(&good).unwrap()));
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes: Vec<u8>, message: u16) {
        let _ = Frame::parse(&bytes);
        if let Ok(tlvs) = Tlvs::parse(&bytes) {
            let _ = dms::Request::parse(message, &tlvs);
            let _ = dms::Response::parse(message, &tlvs);
        }
    }
}
