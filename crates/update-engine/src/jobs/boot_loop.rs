//! Finds modems whose firmware crashes during its start: they appear on the bus again and again (field-reports.md E5).

use std::collections::BTreeMap;
use std::time::Duration;

use modem_world::{Instant, UsbPath};

use super::survey::Remark;
use crate::modem::Modem;
use crate::told::RemarkCode;

/// How often a modem has to appear within [`LOOP_WITHIN`] to count as being in a boot loop. A modem whose firmware crashes
/// during its start comes back every 10 to 15 s (field-reports.md E5).
const LOOP_TIMES: usize = 3;
const LOOP_WITHIN: Duration = Duration::from_secs(60);

/// The times at which modems appeared on the bus in normal mode.
#[derive(Debug, Default)]
pub struct BootLoops {
    times: BTreeMap<UsbPath, Vec<Instant>>,
}

impl BootLoops {
    /// Notes that a modem has appeared in normal mode. Returns a remark if the modem appears too often. The two buses of one
    /// socket (one for each speed) count as one place. After a remark, counting starts again.
    pub fn appeared(&mut self, modem: &Modem, now: Instant) -> Option<Remark> {
        let path = modem.path();
        let place = modem.device.peer.as_ref().map_or(path, |peer| peer.min(path));
        let seen = self.times.entry(place.clone()).or_default();
        seen.retain(|then| now.since(*then) <= LOOP_WITHIN);
        seen.push(now);
        if seen.len() < LOOP_TIMES {
            return None;
        }
        seen.clear();
        Some(boot_loop(modem))
    }
}

/// The remark about firmware that crashes during its start (field-reports.md E5).
fn boot_loop(modem: &Modem) -> Remark {
    Remark {
        code: RemarkCode::BootLoop,
        text: format!(
            "the modem appeared {LOOP_TIMES} times within {} s: a boot loop, as after an interrupted update. Run `modemflash \
             update --port {} FILE…` while the modem is on the bus. If the modem leaves too soon, hold its force-download pin \
             (TP1, pin 47 on RC76xx) low while you switch its power on, then run the command",
            LOOP_WITHIN.as_secs(),
            modem.path()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use modem_world::{Attached, UsbDevice};

    fn modem() -> Modem {
        Modem::insisted(Attached {
            device: UsbDevice {
                path: UsbPath::new("1-2"),
                peer: Some(UsbPath::new("2-2")),
                number: 1,
                vendor: 0x1199,
                product: 0x68c0,
                interfaces: Some(5),
                speed: Some(480),
                manufacturer: None,
                product_name: None,
                serial: None,
            },
            interfaces: Vec::new(),
            ports: Vec::new(),
        })
    }

    #[test]
    fn three_appearances_within_a_minute_are_a_boot_loop() {
        let mut loops = BootLoops::default();
        let mut at = |seconds| {
            let now = Instant::from_start(Duration::from_secs(seconds));
            loops.appeared(&modem(), now).is_some()
        };
        assert_eq!([at(0), at(15), at(30)], [false, false, true]);
        // After the remark, counting starts again.
        assert_eq!([at(45), at(100), at(160)], [false, false, false]);
    }
}
