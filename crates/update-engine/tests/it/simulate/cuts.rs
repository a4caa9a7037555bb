//! Updates that are cut between two stages: the engine is gone, and a new one goes on with nothing but what was written down, the
//! images and the bus.

use std::time::Duration;

use modem_world::World;
use modemflash_update_engine::update::{Advanced, Checkpoint, Updating};
use modemflash_update_engine::{Event, Outcome, UpdateError};
use virtual_modem::random::Random;
use virtual_modem::simulated::SimulatedWorld;

use super::Verdict;
use super::whole::{self, Case};
use crate::support::firmware;

/// What came of cutting many runs.
#[derive(Default)]
pub struct Cuts {
    /// Runs that were cut, one cut each.
    pub cuts: u64,
    /// How many of them were cut before each stage.
    pub by_stage: std::collections::BTreeMap<String, u64>,
    /// Runs that ended as the uncut one, by what they say.
    pub equal: u64,
    /// Runs that ended otherwise, and well.
    pub other: u64,
    /// Cut runs that ended worse than the uncut ones, and why.
    pub worse: Vec<String>,
}

impl Cuts {
    /// Both.
    pub fn join(&mut self, more: Self) {
        self.cuts += more.cuts;
        for (stage, count) in more.by_stage {
            *self.by_stage.entry(stage).or_default() += count;
        }
        self.equal += more.equal;
        self.other += more.other;
        self.worse.extend(more.worse);
    }
}

/// Carries out the run of each seed of `from..from + count` that has one modem, once as it is, and once for each stage but the last,
/// cut before that stage.
pub fn cut_all(from: u64, count: u64) -> Cuts {
    let mut cuts = Cuts::default();
    for seed in (from..from.saturating_add(count)).filter(|seed| seed % 2 == 1) {
        let case = case_of(seed);
        if case.modems.len() == 1 {
            cut_one(seed, &case, &mut cuts);
        }
    }
    cuts
}

/// The run of this seed, cut before stage number `place`. `each` gets the events of both engines.
pub fn replay(seed: u64, place: usize, each: &mut (dyn FnMut(&Event) + Send)) -> Verdict {
    let case = case_of(seed);
    let pause = pauses(seed).nth(place).unwrap_or_default();
    run_cut(&case, Some((place, pause)), each).0
}

fn case_of(seed: u64) -> Case {
    let mut case = Case::of(seed);
    // A wish to stop comes at a moment of the clock, and a cut run is elsewhere then.
    case.cancels.clear();
    case
}

/// How long nobody cares about the modem after a cut before each stage.
fn pauses(seed: u64) -> impl Iterator<Item = Duration> {
    let mut random = Random::new(seed ^ 0x5eed_c075);
    let pause = move || {
        let milliseconds = random.pick(&[0, 300, 5_000, 40_000, 200_000])?;
        Some(Duration::from_millis(*milliseconds))
    };
    std::iter::from_fn(pause)
}

fn cut_one(seed: u64, case: &Case, cuts: &mut Cuts) {
    let (uncut, stages) = run_cut(case, None, &mut |_| {});
    for ((place, stage), pause) in stages.iter().enumerate().zip(pauses(seed)) {
        let (cut, _) = run_cut(case, Some((place, pause)), &mut |_| {});
        cuts.cuts += 1;
        *cuts.by_stage.entry(stage.clone()).or_default() += 1;
        if cut.end == uncut.end {
            cuts.equal += 1;
        } else {
            cuts.other += 1;
        }
        if let Some(why) = worse(&uncut, &cut) {
            cuts.worse.push(format!(
                "seed {seed}, cut before stage {place} ({stage}), {pause:?}: {why}\n  {}\n  uncut: {}, {:?}\n  cut: {}, {:?}",
                case.words(),
                uncut.end,
                uncut.standing,
                cut.end,
                cut.standing,
            ));
        }
    }
}

/// Why the cut run has ended worse than the uncut one.
fn worse(uncut: &Verdict, cut: &Verdict) -> Option<String> {
    if uncut.wrong.is_some() {
        return None;
    }
    if let Some(why) = &cut.wrong {
        return Some(why.clone());
    }
    if uncut.succeeded && !cut.succeeded {
        return Some("it failed".to_owned());
    }
    (cut.standing < uncut.standing).then(|| "the modem is worse".to_owned())
}

/// The only verdict of a run, and the stages that it went through; `cut`: before which one it is cut, and for how long nobody cares
/// about the modem then.
fn run_cut(
    case: &Case,
    cut: Option<(usize, Duration)>,
    each: &mut (dyn FnMut(&Event) + Send),
) -> (Verdict, Vec<String>) {
    let mut stages = Vec::new();
    let verdicts = whole::run_by(case, each, &mut |world, case, sink| {
        let json = match begin(world, case, cut.map(|(place, _)| place), &mut stages, sink) {
            Ok(Begun::Cut(json)) => json,
            Ok(Begun::Ended(outcome)) => return (Ok(*outcome), false),
            Err(error) => return (Err(error), false),
        };
        world.end_program();
        let pause = cut.map_or(Duration::ZERO, |(_, pause)| pause);
        world.wait(&[], world.now() + pause);
        let checkpoint: Checkpoint = serde_json::from_str(&json).expect("a checkpoint can be read again");
        let firmware = firmware(&case.images);
        let resumed = Updating::resume(world, checkpoint, &firmware, sink);
        (resumed.and_then(Updating::finish), true)
    });
    let verdict = verdicts.into_iter().next().expect("one modem");
    (verdict, stages)
}

enum Begun {
    Ended(Box<Outcome>),
    Cut(String),
}

/// The first engine; it ends with what it has written down before stage number `cut`.
fn begin(
    world: &mut SimulatedWorld,
    case: &Case,
    cut: Option<usize>,
    stages: &mut Vec<String>,
    sink: &mut dyn FnMut(&Event),
) -> Result<Begun, UpdateError> {
    let firmware = firmware(&case.images);
    let mut updating = Updating::begin(world, &case.request, &firmware, sink, &mut |_| false)?;
    loop {
        let json = serde_json::to_string(&updating.checkpoint()).expect("a checkpoint can be written");
        let place = stages.len();
        let value: serde_json::Value = serde_json::from_str(&json).expect("a checkpoint is JSON");
        stages.push(value["stage"].as_str().expect("a stage has a name").to_owned());
        if cut == Some(place) {
            // A program that is killed closes nothing.
            std::mem::forget(updating);
            return Ok(Begun::Cut(json));
        }
        match updating.advance()? {
            Advanced::Stage(next) => updating = *next,
            Advanced::Ended(outcome) => return Ok(Begun::Ended(Box::new(outcome))),
        }
    }
}
