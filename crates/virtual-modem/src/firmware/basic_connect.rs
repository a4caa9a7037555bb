//! MBIM's basic connect service, as far as programs need it to recognise a modem: identity, radio, no SIM
//! (MBIM 1.0 §10.5). Everything else isn't supported.

use modem_protocol::mbim::{CommandKind, ServiceId, Status, qmi, subscribe};
use modem_protocol::qmi::dms::OperatingMode;

use super::core::Core;
use super::dms;
use crate::board::Board;

const DEVICE_CAPS: u32 = 1;
const SUBSCRIBER_READY: u32 = 2;
const RADIO_STATE: u32 = 3;
const DEVICE_SERVICES: u32 = 16;

/// The information in the answer to a command.
pub(super) fn answer(
    cid: u32,
    kind: CommandKind,
    information: &[u8],
    core: &mut Core,
    board: &Board,
) -> Result<Vec<u8>, Status> {
    match (cid, kind) {
        (DEVICE_CAPS, CommandKind::Query) => Ok(device_caps(board)),
        (SUBSCRIBER_READY, CommandKind::Query) => Ok(subscriber_ready()),
        (RADIO_STATE, CommandKind::Query) => Ok(radio_state(core)),
        (RADIO_STATE, CommandKind::Set) => {
            set_radio_state(information, core)?;
            Ok(radio_state(core))
        }
        (DEVICE_SERVICES, CommandKind::Query) => Ok(device_services()),
        _ => Err(Status::NoDeviceSupport),
    }
}

/// MBIM_RADIO_STATE_INFO: the hardware switch is on, and the software switch shows the radio.
fn radio_state(core: &Core) -> Vec<u8> {
    numbers(&[1, u32::from(core.is_online())])
}

/// MBIM_SET_RADIO_STATE (MBIM 1.0 §10.5.3): the software switch, which is the operating mode of DMS. As with
/// DMS, only a reset leads out of offline, and a radio whose images don't match stays off.
fn set_radio_state(information: &[u8], core: &mut Core) -> Result<(), Status> {
    let wanted = information.try_into().map(u32::from_le_bytes);
    let mode = match wanted {
        Ok(0) => OperatingMode::LowPower,
        Ok(1) => OperatingMode::Online,
        _ => return Err(Status::InvalidParameters),
    };
    let is_kept_off = core.is_mismatched && mode == OperatingMode::Online;
    if is_kept_off || core.mode == OperatingMode::Offline {
        return Err(Status::OperationNotAllowed);
    }
    core.mode = mode;
    Ok(())
}

/// MBIM_DEVICE_CAPS_INFO: eight numbers, then four strings, each given by offset and length.
fn device_caps(board: &Board) -> Vec<u8> {
    // Embedded, GSM class, no voice, removable SIM, GPRS to LTE, no SMS, no control capabilities, eight sessions.
    let head = [1, 1, 1, 2, 0x3f, 0, 0, 8];
    let hardware = format!("Sierra Wireless {}", board.setup.profile.name);
    let texts = [
        String::new(),
        board.storage.imei.clone(),
        dms::revision(board),
        hardware,
    ];
    let mut information = numbers(&head);
    let mut strings = Vec::new();
    let behind_places = information.len() + 8 * texts.len();
    for text in &texts {
        let bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let offset = if bytes.is_empty() {
            0
        } else {
            behind_places + strings.len()
        };
        information.extend(numbers(&[number(offset), number(bytes.len())]));
        strings.extend(bytes);
        // Every field begins at a multiple of four.
        strings.resize(strings.len().next_multiple_of(4), 0);
    }
    information.extend(strings);
    information
}

/// MBIM_SUBSCRIBER_READY_INFO: no SIM.
fn subscriber_ready() -> Vec<u8> {
    numbers(&[2, 0, 0, 0, 0, 0, 0])
}

/// MBIM_DEVICE_SERVICES_INFO: basic connect and QMI.
fn device_services() -> Vec<u8> {
    let services = [
        (
            ServiceId::BASIC_CONNECT,
            vec![
                DEVICE_CAPS,
                SUBSCRIBER_READY,
                RADIO_STATE,
                DEVICE_SERVICES,
                subscribe::CID,
            ],
        ),
        (ServiceId::QMI, vec![qmi::CID]),
    ];
    let mut information = numbers(&[number(services.len()), 0]);
    let mut elements = Vec::new();
    let behind_places = information.len() + 8 * services.len();
    for (service, cids) in services {
        let mut element = service.0.to_vec();
        // No data streams.
        element.extend(numbers(&[0, 0, number(cids.len())]));
        element.extend(numbers(&cids));
        information.extend(numbers(&[
            number(behind_places + elements.len()),
            number(element.len()),
        ]));
        elements.extend(element);
    }
    information.extend(elements);
    information
}

fn numbers(values: &[u32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn number(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_services_are_where_their_places_say() {
        let information = device_services();
        let field = |at: usize| u32::from_le_bytes(*information[at..].first_chunk().unwrap()) as usize;
        assert_eq!(field(0), 2);
        let (offset, length) = (field(16), field(20));
        assert_eq!(information.len(), offset + length);
        assert_eq!(information[offset..offset + 16], ServiceId::QMI.0);
        assert_eq!(field(offset + 24), 1);
    }
}
