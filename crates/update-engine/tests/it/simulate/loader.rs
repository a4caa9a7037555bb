//! Simulated flashes of modems in download mode: all habits of the boot loaders, with images of any size.
//!
//! These images have no settings and match no preference, so nothing is read back. [`super::whole`] has the
//! modems that are rescued from download mode and read back.

use std::time::Duration;

use modem_world::{Instant, World};
use modemflash_update_engine::{Event, Outcome, Request, Selector, UpdateError, update};
use virtual_modem::fault::{Fault, FaultScript, Message, Return};
use virtual_modem::profile::Profile;
use virtual_modem::quirk::{ExecuteAnswer, HelloHabit, Noise, PayloadAnswer, Pieces, Provoked, RamDump};
use virtual_modem::random::Random;
use virtual_modem::simulated::SimulatedWorld;
use virtual_modem::{Firmware, ImageState, Mode, Setup, VirtualModem, Wrong};

use super::{Promise, Standing, Verdict};
use crate::support::truth::is_true;
use crate::support::{Memory, assert_stored, cwe, firmware, images_for};

/// One run, decided by a seed.
pub struct Case {
    pub seed: u64,
    pub fault: &'static str,
    pub promise: Promise,
    setup: Setup,
    images: Vec<Memory>,
    chop: Option<u64>,
    cancels: Vec<Instant>,
    can_re_enumerate: bool,
    is_hidden: bool,
}

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

impl Case {
    /// The run that belongs to this seed.
    pub fn of(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let profile = random.pick(Profile::ALL).expect("there are profiles");
        let count = 1 + random.portion(if profile.image_names.is_empty() { 3 } else { 2 });
        let mut sizes = Vec::new();
        for _ in 0..count {
            sizes.push(usize::try_from(random.below(64 * KIB)).unwrap());
        }
        if random.once_in(1000) {
            // Sizes around the borders of chunks, blocks and stretches.
            let borders = [
                2 * MIB,
                2 * MIB + 1,
                3 * MIB,
                3 * MIB - 400,
                3 * MIB - 401,
                2 * MIB + 8192,
            ];
            sizes[0] = usize::try_from(*random.pick(&borders).unwrap() + random.below(3)).unwrap();
        }
        let images = images_for(profile, random.next_u64() >> 8, &sizes);
        let mut case = Self {
            seed,
            fault: "none",
            promise: Promise::Flash,
            setup: Setup {
                seed: random.next_u64(),
                ..Setup::of(profile)
            },
            images,
            chop: random.once_in(2).then(|| random.next_u64()),
            cancels: Vec::new(),
            can_re_enumerate: !random.once_in(4),
            is_hidden: false,
        };
        if random.once_in(2) {
            case.setup.firmware = Firmware::Sound;
        }
        case.choose_fault(&mut random);
        case.add_habits(&mut random);
        // This comes last, so that older seeds lead to the same runs as before.
        case.setup.quirks.leaves_when_configured = random.once_in(3);
        case
    }

    /// Adds habits that don't change how the run must end.
    fn add_habits(&mut self, random: &mut Random) {
        if random.once_in(4) && self.setup.quirks.pieces == Pieces::Whole {
            let at = random.portion(64);
            let pause = Duration::from_millis(random.below(100));
            self.setup.quirks.pieces = *random.pick(&[Pieces::Joined, Pieces::Cut { at, pause }]).unwrap();
        }
        if random.once_in(8) && self.setup.mode == Mode::Download {
            self.is_hidden = true;
        }
        // Neither the names nor the contents of the images name the family, so only the modem itself shows
        // its protocol.
        if random.once_in(8)
            && !self.setup.profile.image_names.is_empty()
            && self.setup.mode == Mode::Download
        {
            // The rule gives an unknown modem 5 s to say hello. The probe spoils a later hello, and the reset
            // that helps would start the firmware if it can run (sahara-firehose.md §6). Then there is no
            // flash.
            self.setup.firmware = Firmware::Missing;
            for (place, image) in self.images.iter_mut().enumerate() {
                let body = image.bytes.split_off(400);
                *image = Memory {
                    name: format!("image_{place}.cwe"),
                    bytes: cwe("AMSS", "ZZZZ", "", &body),
                };
            }
        }
    }

    fn total(&self) -> u64 {
        self.images.iter().map(|image| image.bytes.len() as u64).sum()
    }

    fn choose_fault(&mut self, random: &mut Random) {
        let kinds: &[fn(&mut Self, &mut Random)] = if self.setup.profile.is_qdl() { QDL } else { SAHARA };
        if random.once_in(8) {
            return;
        }
        let choose = if random.once_in(3) {
            random.pick(kinds)
        } else {
            random.pick(COMMON)
        };
        if let Some(choose) = choose {
            choose(self, random);
        }
    }

    fn is(&mut self, fault: &'static str, promise: Promise) -> &mut Setup {
        self.fault = fault;
        self.promise = promise;
        &mut self.setup
    }

    fn script(&mut self, name: &'static str, promise: Promise, fault: Fault) {
        self.is(name, promise).faults = FaultScript(vec![fault]);
    }

    fn message(random: &mut Random) -> Message {
        if random.once_in(2) {
            Message::FirstAfterData
        } else {
            Message::Number(1 + u32::try_from(random.below(24)).unwrap())
        }
    }
}

use Promise::{Flash, Truth};

/// Faults of both protocols.
const COMMON: &[fn(&mut Case, &mut Random)] = &[
    |case, random| {
        let at = random.portion(64);
        let pause = Duration::from_millis(random.below(250));
        case.is("messages in two pieces", Flash).quirks.pieces = Pieces::Cut { at, pause };
    },
    |case, _| case.is("messages joined", Flash).quirks.pieces = Pieces::Joined,
    |case, random| {
        case.is("slow answers", Flash).quirks.slow = Duration::from_millis(random.below(1500));
    },
    |case, random| {
        let fault = Fault::Stall {
            byte: random.below(case.total()),
            lasting: Some(Duration::from_secs(1 + random.below(60))),
        };
        case.script("takes no data for up to 60 s", Flash, fault);
    },
    |case, _| case.script("returns in download mode", Truth, Fault::Return(Return::Download)),
    |case, _| case.script("never returns", Truth, Fault::Return(Return::Never)),
    |case, random| {
        let late = Duration::from_secs(random.below(600));
        case.script("returns late", Truth, Fault::Return(Return::Late(late)));
    },
    |case, _| {
        let id = Return::Id {
            vendor: 0x1199,
            product: 0x90b1,
        };
        case.script("returns with another id", Flash, Fault::Return(id));
    },
    |case, random| {
        let byte = random.below(case.total());
        case.script("leaves the bus in the middle", Truth, Fault::Drop { byte });
    },
    |case, random| {
        let byte = random.below(case.total());
        case.script("stalls for ever", Truth, Fault::Stall { byte, lasting: None });
    },
    |case, random| {
        let code = *random.pick(&[0x07, 0x0a, 0x12, 0x1a, 0x80]).unwrap();
        case.script("error code in the middle", Truth, Fault::Error { code, chunk: 0 });
    },
    |case, random| {
        let message = Case::message(random);
        case.script("message corrupted", Truth, Fault::Corrupt(message));
    },
    |case, random| {
        let message = Case::message(random);
        case.script("message lost", Truth, Fault::Lose(message));
    },
    |case, random| {
        let message = Case::message(random);
        case.script("message twice", Truth, Fault::Duplicate(message));
    },
    |case, random| {
        let number = 1 + u32::try_from(random.below(2)).unwrap();
        case.script("image rejected at its end", Truth, Fault::RejectImage { number });
    },
    |case, random| {
        let wishes = 1 + random.below(2);
        for _ in 0..wishes {
            let at = Instant::from_start(Duration::from_millis(random.below(3000)));
            case.cancels.push(at);
        }
        case.is("stopped by the user", Truth);
    },
    |case, _| case.is("normal mode", Truth).mode = Mode::Normal,
    |case, _| case.is("normal mode, DIAG port", Truth).mode = Mode::Diag,
    |case, _| case.is("normal mode, port with echo", Truth).mode = Mode::Echo,
    |case, _| case.is("foreign device", Truth).mode = Mode::Foreign,
    |case, _| case.is("Qualcomm's boot loader", Truth).mode = Mode::Pbl,
    |case, _| case.is("dead", Truth).mode = Mode::Dead,
];

/// Faults of QDL modems.
const QDL: &[fn(&mut Case, &mut Random)] = &[
    |case, random| {
        let size = 1 + u32::try_from(random.below(70_000)).unwrap();
        // Chunk numbers have 16 bits; the conversation refuses images with too many chunks.
        case.is("smaller chunks wanted", Flash).quirks.chunk_size = Some(size.max(1024));
    },
    |case, random| {
        let number = 1 + u32::try_from(random.below(2)).unwrap();
        case.is("image not required", Truth).quirks.not_required = Some(number);
    },
    |case, random| {
        let texts = ["", "Auth", "a text that is longer than one byte"];
        let text = (*random.pick(&texts).unwrap()).to_owned();
        case.script(
            "image rejected with a text",
            Truth,
            Fault::RejectImage { number: 1 },
        );
        case.setup.quirks.error_text = Some(text);
    },
    |case, random| {
        let dumps = [RamDump::Offers, RamDump::RefusesExecute];
        let dump = *random.pick(&dumps).unwrap();
        case.is("memory dump", Truth).mode = Mode::RamDump(dump);
    },
];

/// Faults of Sahara modems.
const SAHARA: &[fn(&mut Case, &mut Random)] = &[
    |case, random| {
        let late = Duration::from_millis(random.below(19_000));
        case.is("hello late", Flash).quirks.hello = HelloHabit::Late(late);
    },
    |case, _| case.is("hello twice", Flash).quirks.hello_twice = true,
    |case, random| {
        let count = 1 + u8::try_from(random.below(4)).unwrap();
        case.is("hello again and again", Flash).quirks.repeated_hellos = count;
    },
    |case, _| {
        case.is("hello lost", Flash).quirks.hello = HelloHabit::AfterEnumeration(Duration::ZERO);
    },
    |case, _| case.is("hello at reopening", Flash).quirks.hello = HelloHabit::AtReopen,
    |case, _| case.is("hello after bytes", Flash).quirks.hello = HelloHabit::AfterBytes,
    |case, random| {
        let hello = *random
            .pick(&[HelloHabit::AtReopen, HelloHabit::Late(Duration::from_secs(19))])
            .unwrap();
        let setup = case.is("provoked hello refused", Flash);
        (setup.quirks.hello, setup.quirks.provoked) = (hello, Provoked::Refused);
    },
    |case, random| {
        let span = Duration::from_millis(500 + random.below(1500));
        let setup = case.is("deaf after enumeration", Flash);
        setup.quirks.deaf_after_enumeration = Some(span);
        // A new enumeration helps. If the host can't cause one, the engine resets the modem, and the reset
        // must not lead to normal mode.
        setup.firmware = Firmware::Missing;
    },
    |case, random| {
        let noises = [Noise::ONCE, Noise::QUEUED, Noise::JOINED, Noise::MANY];
        let noise = *random.pick(&noises).unwrap();
        case.is("complaints about the zero block", Flash).quirks.noise = Some(noise);
    },
    |case, random| {
        let answers = [
            PayloadAnswer::Nak(4096),
            PayloadAnswer::Nak(10_000),
            PayloadAnswer::Nak(65_536),
            PayloadAnswer::Ack(16_384),
            PayloadAnswer::AckWithoutNumber,
        ];
        let answer = *random.pick(&answers).unwrap();
        case.is("other payload size", Flash).quirks.payload = Some(answer);
    },
    |case, _| case.is("no payload at all", Truth).quirks.payload = Some(PayloadAnswer::Nak(0)),
    |case, _| case.is("payload below a sector", Truth).quirks.payload = Some(PayloadAnswer::Nak(2048)),
    |case, _| case.is("execute answer without data", Flash).quirks.execute = ExecuteAnswer::Empty,
    |case, random| {
        let count = *random.pick(&[9, 1024, 70_000, u32::MAX]).unwrap();
        case.is("execute answer with data that don't come", Truth)
            .quirks
            .execute = ExecuteAnswer::Announces(count);
    },
    |case, random| {
        let compatible = 3 + u32::try_from(random.below(3)).unwrap();
        case.is("hello of a newer protocol", Truth)
            .quirks
            .hello_compatible = Some(compatible);
    },
    |case, _| case.is("hello six times", Truth).quirks.repeated_hellos = 6,
    |case, random| {
        let period = Duration::from_millis(20 + random.below(2000));
        case.is("log lines without an end", Truth).quirks.endless_log = Some(period);
    },
    |case, _| {
        let setup = case.is("provoked hello always refused", Truth);
        (setup.quirks.hello, setup.quirks.provoked) = (HelloHabit::AfterBytes, Provoked::Refused);
    },
    |case, _| case.is("never a hello", Truth).quirks.hello = HelloHabit::Never,
    |case, random| {
        let dumps = [RamDump::Offers, RamDump::RefusesExecute];
        let dump = *random.pick(&dumps).unwrap();
        case.is("memory dump", Truth).mode = Mode::RamDump(dump);
    },
    |case, _| {
        case.script(
            "image rejected with the vendor's words",
            Truth,
            Fault::RejectImage { number: 1 },
        );
        case.setup.quirks.failure_lines = vec!["SWI Error Code 121".into(), "HANDLE_PROGRAM_FAILURE".into()];
    },
];

/// Carries out one run. `sink` gets the events.
pub fn run(case: Case, sink: &mut dyn FnMut(&Event)) -> Verdict {
    let Case {
        fault,
        promise,
        setup,
        images,
        chop,
        cancels,
        can_re_enumerate,
        is_hidden,
        ..
    } = case;
    let mut world = SimulatedWorld::new(setup);
    if let Some(seed) = chop {
        world = world.choppy(seed);
    }
    world.set_can_re_enumerate(can_re_enumerate);
    if is_hidden {
        world.hide_device(0);
    }
    for at in &cancels {
        world.cancel_at(*at);
    }
    let request = Request {
        select: Selector::Port(SimulatedWorld::LINK.to_owned()),
        skip_read_back: true,
        confirmed: true,
        force: is_hidden,
        ..Request::default()
    };
    let firmware = firmware(&images);
    let result = update(&mut world, &request, &firmware, sink);
    let wrong = judge(&world, promise, &images, &result).err();
    Verdict {
        start: super::table::LOADER,
        fault,
        promise,
        succeeded: result.is_ok(),
        stops: !cancels.is_empty(),
        end: super::end_of(&result),
        done_ms: super::done_ms(world.now()),
        standing: standing(&world),
        wrong,
    }
}

/// How well the modem is. Nothing is stored in it that could be wanted.
fn standing(world: &SimulatedWorld) -> Standing {
    match world.modem(0).map(|modem| modem.mode()) {
        Some(Mode::Normal) => Standing::Runs,
        Some(Mode::Download) => Standing::Waits,
        _ => Standing::Lost,
    }
}

/// Holds what the engine says against the modem's memory.
fn judge(
    world: &SimulatedWorld,
    promise: Promise,
    images: &[Memory],
    result: &Result<Outcome, UpdateError>,
) -> Result<(), String> {
    let modem = world.modem(0).expect("there is a modem");
    // Each step has a deadline, so every run ends. The longest deadlines are 300 s for a verdict and 120 s
    // for a return.
    if world.now().since_start() > Duration::from_secs(3600) {
        return Err(format!("it took {:?}", world.now().since_start()));
    }
    match result {
        Ok(Outcome::Accepted(accepted)) => {
            if accepted.proven {
                return Err("nothing was read back, but it is called proven".to_owned());
            }
            if accepted.accepted + accepted.not_required != images.len() {
                return Err(format!("{accepted:?} of {} images", images.len()));
            }
            if accepted.not_required == 0 {
                last_accepted(modem, images)?;
            }
            if let Some(wrong) = modem
                .violations()
                .iter()
                .find(|violation| !is_excused(&violation.what))
            {
                return Err(format!("flashed, but the host did wrong: {wrong}"));
            }
            if modem.mode() == Mode::Download && modem.is_on_bus() && modem.images().is_empty() {
                return Err("accepted without an image".to_owned());
            }
            Ok(())
        }
        Ok(other) => Err(format!("outcome {other:?}")),
        Err(error) if promise == Promise::Flash => Err(format!(
            "{error}: {} ({}); modem {}",
            error.source,
            error.code(),
            error.modem
        )),
        Err(error) => is_true(modem, images.len(), error)
            .map_err(|why| format!("{error}: {} ({}); {why}", error.source, error.code())),
    }
}

/// Compares the last accepted images: after a second session, the modem's memory still has the images of the
/// first.
fn last_accepted(modem: &VirtualModem, images: &[Memory]) -> Result<(), String> {
    let accepted = modem
        .images()
        .iter()
        .filter(|image| image.state == ImageState::Accepted)
        .count();
    if accepted == images.len() {
        return assert_stored(modem, images);
    }
    let lengths: Vec<u64> = modem
        .images()
        .iter()
        .filter(|image| image.state == ImageState::Accepted)
        .skip(accepted.saturating_sub(images.len()))
        .map(|image| image.length)
        .collect();
    let mut wanted: Vec<u64> = images.iter().map(|image| image.bytes.len() as u64).collect();
    wanted.sort_unstable_by(|one, other| other.cmp(one));
    if accepted > images.len() && lengths.len() == wanted.len() {
        return Ok(());
    }
    Err(format!("{accepted} images accepted instead of {}", images.len()))
}

/// Violations that the rule for an unknown port causes on purpose (sahara-firehose.md §6).
pub(super) fn is_excused(wrong: &Wrong) -> bool {
    matches!(wrong, Wrong::WroteBeforeHello { .. })
        // The dummy packet that makes the modem repeat a lost hello.
        || matches!(wrong, Wrong::Malformed { request: "Sahara packet", why } if why == "first byte 0x55")
}
