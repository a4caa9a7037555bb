//! The faults of the simulated whole updates.

use std::time::Duration;

use modem_world::Instant;
use virtual_modem::Mode;
use virtual_modem::quirk::BootHoldHabit;
use virtual_modem::random::Random;

use super::Promise::{self, Flash, Truth};
use super::whole::{Case, Subject, script};

/// A fault.
pub struct Trouble {
    pub name: &'static str,
    pub promise: Promise,
    pub cause: fn(&mut Case, &mut Subject, &mut Random),
}

const fn trouble(
    name: &'static str,
    promise: Promise,
    cause: fn(&mut Case, &mut Subject, &mut Random),
) -> Trouble {
    Trouble { name, promise, cause }
}

/// Picks a fault for this modem.
pub fn pick(subject: &Subject, random: &mut Random) -> &'static Trouble {
    let list = if subject.setup.mode == Mode::Download {
        // The modem is already in download mode, so only later faults make sense.
        if random.once_in(2) { BACK } else { DOWNLOAD }
    } else {
        match random.below(4) {
            0 => CONTROL,
            1 => ENTRY,
            2 => BACK,
            _ => DOWNLOAD,
        }
    };
    random.pick(list).expect("there are faults")
}

/// Whether the fault is about the world and not about one modem.
pub fn is_of_world(name: &str) -> bool {
    // What comes late arrives while the other modems are still being updated.
    name.contains("late")
        || name.starts_with("stopped")
        || name.starts_with("no driver")
        || name.starts_with("ports held")
}

/// Messages by which the engine asks the modem for something.
const ASKED: &[&str] = &[
    "0x21", "0x22", "0x23", "0x25", "0x2d", "0x47", "0x49", "0x5556", "ctl:0x22",
];
/// All messages that the engine may send.
const ALL: &[&str] = &[
    "0x21", "0x22", "0x23", "0x25", "0x2d", "0x2e", "0x3e", "0x47", "0x48", "0x49", "0x50", "0x5556",
    "ctl:0x22", "ctl:0x23", "ctl:0x27",
];

const CONTROL: &[Trouble] = &[
    trouble("an answer lost", Flash, |_, subject, random| {
        script(
            &mut subject.setup,
            &format!("lose-answer@{}", random.pick(ASKED).unwrap()),
        );
    }),
    trouble("an answer late", Flash, |_, subject, random| {
        let late = 1 + random.below(8000);
        script(
            &mut subject.setup,
            &format!("late-answer@{}:{late}ms", random.pick(ASKED).unwrap()),
        );
    }),
    trouble("an answer twice", Flash, |_, subject, random| {
        script(
            &mut subject.setup,
            &format!("repeat-answer@{}", random.pick(ALL).unwrap()),
        );
    }),
    trouble("not ready in the middle", Flash, |_, subject, random| {
        script(
            &mut subject.setup,
            &format!("refuse@{}:52", random.pick(ASKED).unwrap()),
        );
    }),
    trouble("an answer very late", Truth, |_, subject, random| {
        let late = 8 + random.below(30);
        script(
            &mut subject.setup,
            &format!("late-answer@{}:{late}s", random.pick(ALL).unwrap()),
        );
    }),
    trouble("any answers lost", Truth, |_, subject, random| {
        for _ in 0..1 + random.below(3) {
            script(
                &mut subject.setup,
                &format!("lose-answer@{}", random.pick(ALL).unwrap()),
            );
        }
    }),
    trouble("requests refused", Truth, |_, subject, random| {
        let error = *random
            .pick(&[3, 5, 7, 17, 46, 48, 52, 60, 71, 82, 94, 390])
            .unwrap();
        let message = *random.pick(ALL).unwrap();
        for _ in 0..1 + random.below(4) {
            script(&mut subject.setup, &format!("refuse@{message}:{error}"));
        }
    }),
    trouble("control port silent", Truth, |_, subject, _| {
        subject.setup.quirks.is_control_silent = true;
    }),
    trouble("not ready for minutes", Truth, |_, subject, random| {
        subject.setup.timings.ready_after = Duration::from_secs(60 + random.below(400));
    }),
    trouble("ports held by another program", Truth, |case, _, random| {
        case.held_until = Some(Instant::from_start(Duration::from_millis(random.below(100_000))));
    }),
];

const ENTRY: &[Trouble] = &[
    trouble("late into download mode", Flash, |_, subject, random| {
        script(&mut subject.setup, &format!("enter:late={}s", random.below(95)));
    }),
    trouble("another id in download mode", Flash, |_, subject, random| {
        let id = random.pick(&["1199:9999", "1199:90ff"]).unwrap();
        script(&mut subject.setup, &format!("enter:id={id}"));
    }),
    trouble("the other bus in download mode", Flash, |_, subject, _| {
        script(&mut subject.setup, "enter:other-bus");
    }),
    trouble("back in normal mode", Truth, |_, subject, _| {
        script(&mut subject.setup, "enter:normal")
    }),
    trouble("never in download mode", Truth, |_, subject, _| {
        script(&mut subject.setup, "enter:never")
    }),
    trouble("very late into download mode", Truth, |_, subject, random| {
        script(&mut subject.setup, &format!("enter:late={}s", random.below(300)));
    }),
    trouble("AT!BOOTHOLD of another kind", Truth, |_, subject, random| {
        let habits = [
            BootHoldHabit::NeedsUnlock,
            BootHoldHabit::OnlySaysOk,
            BootHoldHabit::Unknown,
        ];
        subject.setup.quirks.boot_hold = *random.pick(&habits).unwrap();
        if random.once_in(2) {
            script(&mut subject.setup, "refuse@0x3e:71,refuse@0x50:94");
        }
    }),
    trouble("leaves late after the reset", Truth, |_, subject, random| {
        subject.setup.timings.leaving = Duration::from_secs(random.below(90));
    }),
    trouble("no driver in download mode", Truth, |case, subject, _| {
        let usb = &subject.setup.storage.usb;
        case.unknown_id = Some((usb.vendor, usb.boot));
    }),
    trouble("stopped on the way", Truth, |case, _, random| {
        cancel(case, random, 20_000)
    }),
];

const DOWNLOAD: &[Trouble] = &[
    trouble("takes no data for up to 60 s", Flash, |case, subject, random| {
        let byte = random.below(case.total());
        let lasting = 1 + random.below(60);
        script(&mut subject.setup, &format!("stall@{byte}:{lasting}s"));
    }),
    trouble("leaves in the middle", Truth, |case, subject, random| {
        let byte = random.below(case.total());
        script(&mut subject.setup, &format!("drop@{byte}"));
    }),
    trouble("stalls for ever", Truth, |case, subject, random| {
        let byte = random.below(case.total());
        script(&mut subject.setup, &format!("stall@{byte}"));
    }),
    trouble("image rejected", Truth, |_, subject, random| {
        script(
            &mut subject.setup,
            &format!("reject-image@{}", 1 + random.below(2)),
        );
    }),
    trouble("error in the middle", Truth, |_, subject, random| {
        let code = random.pick(&["0x07", "0x0a", "0x12", "0x1a", "0x80"]).unwrap();
        script(&mut subject.setup, &format!("error:{code}@chunk:0"));
    }),
    trouble("message lost, damaged or twice", Truth, |_, subject, random| {
        let fault = random.pick(&["lose", "corrupt", "duplicate"]).unwrap();
        // USB's own checksums leave no message damaged. Damage in download mode is noticed there.
        let place = if random.once_in(2) || *fault == "corrupt" {
            String::new()
        } else {
            format!("@{}", 1 + random.below(40))
        };
        script(&mut subject.setup, &format!("{fault}{place}"));
    }),
    trouble("stopped", Truth, |case, _, random| cancel(case, random, 150_000)),
];

const BACK: &[Trouble] = &[
    trouble("late back", Flash, |_, subject, random| {
        script(&mut subject.setup, &format!("return:late={}s", random.below(150)));
    }),
    trouble("restarts once more", Flash, |_, subject, random| {
        script(
            &mut subject.setup,
            &format!("return:again={}ms", random.below(20_000)),
        );
    }),
    trouble("not ready after the flash", Flash, |_, subject, random| {
        script(
            &mut subject.setup,
            &format!("return:not-ready={}s", random.below(150)),
        );
    }),
    trouble("back on the other bus", Flash, |_, subject, _| {
        script(&mut subject.setup, "return:other-bus")
    }),
    trouble("back with another id", Flash, |_, subject, random| {
        let id = random.pick(&["1199:9999", "1199:90ff"]).unwrap();
        script(&mut subject.setup, &format!("return:id={id}"));
    }),
    trouble("settings lag one flash", Truth, |_, subject, _| {
        script(&mut subject.setup, "return:pri-lags")
    }),
    trouble("never back", Truth, |_, subject, _| {
        script(&mut subject.setup, "return:never")
    }),
    trouble("very late back", Truth, |_, subject, random| {
        script(&mut subject.setup, &format!("return:late={}s", random.below(600)));
    }),
    trouble("back in download mode", Truth, |_, subject, _| {
        script(&mut subject.setup, "return:download")
    }),
    trouble("back with the old firmware", Truth, |_, subject, _| {
        script(&mut subject.setup, "return:old-firmware");
    }),
    trouble("back with a mismatch", Truth, |_, subject, _| {
        script(&mut subject.setup, "return:mismatch")
    }),
    trouble("another modem comes back", Truth, |_, subject, _| {
        script(&mut subject.setup, "return:other-modem");
    }),
    trouble("no driver after the flash", Truth, |case, subject, _| {
        script(&mut subject.setup, "return:id=1199:90fe");
        case.unknown_id = Some((0x1199, 0x90fe));
    }),
    trouble("stopped behind the flash", Truth, |case, _, random| {
        cancel(case, random, 200_000)
    }),
];

/// One or two wishes to stop.
fn cancel(case: &mut Case, random: &mut Random, within_ms: u64) {
    let first = random.below(within_ms);
    let wishes = if random.once_in(3) {
        vec![first, first + random.below(3000)]
    } else {
        vec![first]
    };
    for wish in wishes {
        case.cancels
            .push(Instant::from_start(Duration::from_millis(wish)));
    }
}

impl Case {
    fn total(&self) -> u64 {
        self.images.iter().map(|image| image.bytes.len() as u64).sum()
    }
}
