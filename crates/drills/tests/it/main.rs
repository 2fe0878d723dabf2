//! Each drill comes to what was written down, and to less without its defence.

#![expect(
    clippy::unwrap_used,
    reason = "a test that meets an error has failed; clippy allows this in test functions only, not in what they share"
)]

use backlot_drills::drill::Without;
use backlot_drills::{DRILLS, Drill, baseline, run};

const SEED: u64 = 1;

fn of(name: &str) -> &'static Drill {
    DRILLS.iter().find(|drill| drill.name == name).unwrap()
}

/// The drill holds to the baseline, nothing is lost or doubled, and without its defence it does not
/// hold.
fn check(name: &str) {
    let drill = of(name);
    let known = baseline::of(name).unwrap();
    let with = run(drill, SEED, true).unwrap();
    let line = baseline::line(name, &with);
    assert!(
        with.holds_to(&known),
        "{line}\nis worse than\n{}",
        baseline::line(name, &known)
    );
    assert_eq!((with.lost, with.doubled), (0, 0), "{line}");
    if matches!(drill.without, Without::Nothing) {
        return;
    }
    let without = run(drill, SEED, false).unwrap();
    let line = baseline::line(name, &without);
    assert!(
        !without.holds_to(&known),
        "without {}: {line}",
        drill.defences
    );
}

macro_rules! drills {
    ($($test:ident: $name:literal,)*) => {
        $(#[test]
        fn $test() {
            check($name);
        })*

        #[test]
        fn every_drill_has_its_test_and_its_line() {
            let tested = [$($name),*];
            let drills: Vec<_> = DRILLS.iter().map(|drill| drill.name).collect();
            assert_eq!(tested[..], drills[..]);
            let lines: Vec<_> = baseline::LINES.lines().collect();
            assert_eq!(lines.len(), drills.len());
            assert!(drills.iter().all(|name| baseline::of(name).is_some()));
        }
    };
}

drills! {
    an_instance_that_dies_again_and_again: "kill",
    an_instance_that_hears_nothing: "partition one way",
    an_instance_that_is_cut_off: "partition",
    an_instance_that_is_slow: "slow",
    an_instance_that_fails_fast: "fails fast",
    two_instances_that_fail_half_of_their_calls: "half sick",
    a_service_that_fails_every_call: "all fail",
    a_registry_that_is_dead_for_an_hour: "no registry",
    a_registry_that_dies_and_comes_back_empty: "registry flaps",
    a_registry_that_believes_all_dead: "forgotten",
    a_rolling_restart: "rolling restart",
}

#[test]
fn the_same_seed_gives_the_same_figures_and_another_others() {
    let drill = of("half sick");
    let first = run(drill, 5, true).unwrap();
    assert_eq!(run(drill, 5, true).unwrap(), first);
    assert_ne!(run(drill, 6, true).unwrap(), first);
}
