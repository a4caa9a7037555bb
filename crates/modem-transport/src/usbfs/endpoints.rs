//! Which endpoints an interface has (USB 2.0 specification, §9.5 and §9.6).

/// The bulk endpoints of an interface (USB 2.0 specification, §9.6.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bulk {
    pub(super) input: u8,
    pub(super) output: u8,
    /// The largest packet of `input`, in bytes.
    pub(super) packet: usize,
}

/// The bulk endpoints of an interface, if it has exactly one for each direction. An interface with several settings gives none: a
/// driver may use another setting than the first.
pub(super) fn bulk_of(descriptors: &[u8], interface: u8) -> Option<Bulk> {
    let (mut inputs, mut outputs) = (Vec::new(), Vec::new());
    let mut is_meant = false;
    let mut rest = descriptors;
    // Each descriptor starts with its length.
    while let Some((descriptor, behind)) = rest
        .first()
        .and_then(|&length| rest.split_at_checked(usize::from(length).max(2)))
    {
        match *descriptor {
            [_, 0x04, number, setting, ..] => {
                is_meant = number == interface;
                if is_meant && setting != 0 {
                    return None;
                }
            }
            [_, 0x05, address, attributes, low, high, ..] if is_meant && attributes & 3 == 2 => {
                let packet = usize::from(u16::from_le_bytes([low, high]) & 0x7ff);
                let of_direction = if address & 0x80 == 0 {
                    &mut outputs
                } else {
                    &mut inputs
                };
                of_direction.push((address, packet));
            }
            _ => {}
        }
        rest = behind;
    }
    match (inputs.as_slice(), outputs.as_slice()) {
        (&[(input, packet)], &[(output, _)]) if packet > 0 => Some(Bulk {
            input,
            output,
            packet,
        }),
        _ => None,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A device descriptor, a configuration, and an interface 0 with these endpoints: address, attributes, packet.
    pub(in crate::usbfs) fn device(endpoints: &[(u8, u8, u16)]) -> Vec<u8> {
        let mut bytes = vec![18, 1];
        bytes.resize(18, 0);
        bytes.extend([9, 2, 0, 0, 1, 1, 0, 0x80, 50]);
        bytes.extend([9, 4, 0, 0, 2, 0xff, 0xff, 0xff, 0]);
        for &(address, attributes, packet) in endpoints {
            let [low, high] = packet.to_le_bytes();
            bytes.extend([7, 5, address, attributes, low, high, 0]);
        }
        bytes
    }

    #[test]
    fn the_endpoints_of_a_boot_loader_are_found() {
        let bulk = |input, output, packet| {
            Some(Bulk {
                input,
                output,
                packet,
            })
        };
        let loader = device(&[(0x81, 2, 512), (0x01, 2, 512)]);
        assert_eq!(bulk_of(&loader, 0), bulk(0x81, 1, 512));
        assert_eq!(bulk_of(&loader, 1), None);
        // Another order, SuperSpeed with its companions, and an interrupt endpoint.
        let mut other = device(&[(0x02, 2, 1024), (0x82, 2, 1024)]);
        other.extend([6, 0x30, 0, 0, 0, 0, 7, 5, 0x83, 3, 16, 0, 9]);
        assert_eq!(bulk_of(&other, 0), bulk(0x82, 2, 1024));
    }

    #[test]
    fn what_is_no_boot_loader_is_not_taken() {
        let endpoints: [&[(u8, u8, u16)]; 4] = [
            &[(0x81, 2, 512)],
            &[(0x81, 2, 512), (0x82, 2, 512), (0x01, 2, 512)],
            &[(0x81, 3, 64), (0x01, 3, 64)],
            &[(0x81, 2, 0), (0x01, 2, 512)],
        ];
        for endpoints in endpoints {
            assert_eq!(bulk_of(&device(endpoints), 0), None, "{endpoints:?}");
        }
        let whole = device(&[(0x81, 2, 512), (0x01, 2, 512)]);
        let mut with_two_settings = whole.clone();
        with_two_settings.extend([9, 4, 0, 1, 0, 0xff, 0xff, 0xff, 0]);
        assert_eq!(bulk_of(&with_two_settings, 0), None);
        for length in 0..whole.len() {
            assert_eq!(bulk_of(&whole[..length], 0), None, "{length}");
        }
        assert_eq!(bulk_of(&[0; 64], 0), None);
    }
}
