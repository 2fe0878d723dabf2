//! The promise: a call means the same however it is bound. Every scenario holds in every world, and
//! what was seen is the same, word for word.

use crate::worlds::{Running, Ways};
use movies_system_tests::scenarios::{self, Scenario};

/// Plays one scenario in one world; what was seen.
async fn play(scenario: Scenario, ways: Ways) -> Vec<String> {
    // Read after a failure only: it tells in which world.
    println!("{ways:?}: {}", scenario.name);
    let running = Running::start(ways).await;
    (scenario.run)(&running.clients).await;
    let seen = running.clients.transcript.lines();
    running.stop().await;
    seen
}

async fn is_the_same_everywhere(name: &str) {
    let scenario = scenarios::all()
        .into_iter()
        .find(|scenario| scenario.name == name)
        .unwrap();
    let direct = play(scenario, Ways::Direct).await;
    for ways in [Ways::Remote, Ways::Mixed] {
        let other = play(scenario, ways).await;
        let differ: Vec<_> = direct
            .iter()
            .zip(&other)
            .filter(|(direct, other)| direct != other)
            .collect();
        assert!(
            differ.is_empty(),
            "seen directly, and {ways:?}:\n{differ:#?}"
        );
        assert_eq!(
            direct.len(),
            other.len(),
            "{ways:?} saw more, or less:\n{direct:#?}\n{other:#?}"
        );
    }
}

macro_rules! tests {
    ($($name:ident)*) => {
        $(
            #[tokio::test]
            async fn $name() {
                is_the_same_everywhere(stringify!($name)).await;
            }
        )*
    };
}

movies_system_tests::for_each_scenario!(tests);

#[tokio::test]
async fn all_scenarios_hold_one_after_the_other_in_one_world() {
    for ways in [Ways::Direct, Ways::Remote] {
        let running = Running::start(ways).await;
        for scenario in scenarios::all() {
            println!("{ways:?}: {}", scenario.name);
            (scenario.run)(&running.clients).await;
        }
        running.stop().await;
    }
}
