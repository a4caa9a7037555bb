//! A small simulation as an ordinary test; `cargo xtask simulate` does the large one.

use crate::simulate;

#[test]
fn random_faults_end_in_a_flash_or_in_the_truth() {
    let table = simulate::run_all(0, 3000, &mut drop);
    assert!(table.runs() >= 3000);
    assert!(
        table.wrong.is_empty(),
        "{}\n{}",
        table.complaints(),
        table.markdown()
    );
}

#[test]
fn an_update_that_is_cut_between_two_stages_goes_on_as_if_nothing_had_been() {
    let cuts = simulate::cuts::cut_all(0, 1500);
    assert!(cuts.worse.is_empty(), "{}", cuts.worse.join("\n"));
    assert!(cuts.cuts >= 3000, "{} cuts", cuts.cuts);
    // Every stage is there, and nearly all runs end to the letter as the uncut one.
    for stage in [
        "tell",
        "restart",
        "return",
        "enter",
        "enter_again",
        "send",
        "send_again",
        "start",
        "read_back",
        "end",
    ] {
        assert!(
            cuts.by_stage.contains_key(stage),
            "no cut before {stage}: {:?}",
            cuts.by_stage
        );
    }
    assert!(
        cuts.equal * 100 >= cuts.cuts * 95,
        "{} of {}",
        cuts.equal,
        cuts.cuts
    );
}

#[test]
fn the_same_seed_gives_the_same_run() {
    // The last run has several modems.
    let several = (1..)
        .step_by(2)
        .find(|seed| simulate::Case::of(*seed).words().contains(';'));
    for seed in [1, 42, 4711, several.unwrap()] {
        let events = || {
            let mut lines = Vec::new();
            simulate::run(simulate::Case::of(seed), &mut |event| {
                lines.push(serde_json::to_string(event).unwrap());
            });
            lines
        };
        assert_eq!(events(), events(), "seed {seed}");
    }
}
