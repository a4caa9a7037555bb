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
fn the_same_seed_gives_the_same_run() {
    // The last one has several modems.
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
