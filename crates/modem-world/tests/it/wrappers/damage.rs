//! Damage: the same for the same seed, and no byte is lost or changed by it.

use super::{Fake, data, record, replay, run};
use modemflash_modem_world::*;
use proptest::prelude::*;

#[test]
fn damage_is_the_same_for_the_same_seed() {
    let run = |seed| record(Damaged::new(Fake::default(), Damage::WILD, seed), &data(1000)).0;
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

#[test]
fn split_damage_cuts_writes_into_small_pieces() {
    let mut damaged = Damaged::new(Fake::default(), Damage::SPLIT, 3);
    let port = damaged.open(&PortId::new("/dev/ttyUSB0")).unwrap();
    assert!((1..60).contains(&damaged.try_write(port, &data(60)).unwrap()));
    assert_eq!(damaged.into_inner().0.taken[0], 0);
}

#[test]
fn no_damage_changes_nothing() {
    let none = Damage {
        short_reads: 0,
        short_writes: 0,
        ..Damage::SPLIT
    };
    let plain = record(Fake::default(), &data(1000));
    assert_eq!(record(Damaged::new(Fake::default(), none, 5), &data(1000)), plain);
}

proptest! {
    #[test]
    fn damage_loses_and_changes_no_byte(seed: u64, length in 0usize..2000) {
        let data = data(length);
        let mut damaged = Damaged::new(Fake::default(), Damage::WILD, seed);
        let answers = run(&mut damaged, &data).unwrap();
        prop_assert_eq!(answers, run(&mut Fake::default(), &data).unwrap());
        prop_assert_eq!(damaged.into_inner().0.taken, data);
    }

    #[test]
    fn a_recorded_run_with_damage_is_replayed(seed: u64, length in 1usize..2000) {
        let data = data(length);
        let (text, result) = record(Damaged::new(Fake::default(), Damage::WILD, seed), &data);
        prop_assert_eq!(replay(&text, &data), (result, Ok(())));
    }
}
