//! A call means the same over the simulated network as within one process.

use movies_sim::scenarios::play;
use movies_system_tests::scenarios;
use std::fmt::Write as _;

#[test]
fn every_scenario_is_seen_the_same_simulated_and_direct() {
    let plays = play(1);
    let mut broken = String::new();
    for event in plays.outcome.violations() {
        let _written = writeln!(broken, "{}: {}", event.host, event.text);
    }
    assert!(broken.is_empty(), "{broken}");
    assert_eq!(plays.direct.len(), scenarios::all().len());
    assert_eq!(plays.simulated.len(), plays.direct.len());
    for (simulated, direct) in plays.simulated.iter().zip(&plays.direct) {
        assert_eq!(simulated, direct);
    }
}
