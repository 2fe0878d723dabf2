//! The promises are kept while things go wrong; and with a defence switched off the oracle sees it.

use backlot_sim::{Fault, Outcome, What};
use movies_sim::{Defence, Faults, Plan, report, run};
use std::time::Duration;

#[track_caller]
fn assert_holds(outcome: &Outcome) {
    assert!(
        outcome.holds(),
        "{}{}",
        report::timeline(outcome, false),
        report::verdict(outcome)
    );
}

/// What the oracle says of a run without this defence, in which these things go wrong.
fn violations(without: Defence, faults: Vec<Fault>) -> Vec<String> {
    let plan = Plan {
        without: Some(without),
        faults: Faults::These(faults),
        ..Plan::of(1)
    };
    run(&plan)
        .violations()
        .map(|event| event.text.clone())
        .collect()
}

fn fault(at: u64, millis: u64, what: What) -> Fault {
    Fault {
        at: Duration::from_secs(at),
        lasts: Duration::from_millis(millis),
        what,
    }
}

fn database_crashes() -> Vec<Fault> {
    [4, 7, 10]
        .map(|at| fault(at, 500, What::Crash("database".into())))
        .into()
}

#[test]
fn a_calm_world_keeps_every_promise_without_a_failure() {
    let outcome = run(&Plan {
        faults: Faults::These(Vec::new()),
        ..Plan::of(1)
    });
    assert_holds(&outcome);
    assert_eq!(outcome.count("changes repeated"), 0);
    assert!(outcome.count("changes acknowledged") > 50);
    assert!(outcome.count("films looked at") > 20);
}

#[test]
fn fixed_seeds_keep_every_promise() {
    for seed in [1, 7, 42] {
        let outcome = run(&Plan::of(seed));
        assert_holds(&outcome);
        assert!(!outcome.faults.is_empty());
    }
}

#[test]
fn a_database_that_crashes_loses_nothing_acknowledged() {
    let outcome = run(&Plan {
        faults: Faults::These(database_crashes()),
        ..Plan::of(1)
    });
    assert_holds(&outcome);
    assert!(outcome.count("changes repeated") > 0);
}

#[test]
fn answers_lost_after_the_commit_count_nothing_twice() {
    let faults = vec![fault(2, 8_000, What::LoseAnswers)];
    let outcome = run(&Plan {
        faults: Faults::These(faults),
        ..Plan::of(1)
    });
    assert_holds(&outcome);
    assert!(outcome.count("answers lost after a commit") > 10);
}

#[test]
fn a_commit_acknowledged_before_it_is_durable_is_missed() {
    assert!(!violations(Defence::Durability, database_crashes()).is_empty());
}

#[test]
fn an_aggregate_outside_of_its_ratings_transaction_is_seen() {
    let seen = violations(Defence::Transactions, Vec::new());
    assert!(
        seen.iter().any(|text| text.contains("aggregate")),
        "{seen:?}"
    );
}

#[test]
fn a_repetition_that_is_done_again_is_seen() {
    let seen = violations(
        Defence::Idempotency,
        vec![fault(2, 8_000, What::LoseAnswers)],
    );
    assert!(
        seen.iter()
            .any(|text| text.contains("was told deleted=false")),
        "{seen:?}"
    );
}

#[test]
fn a_call_that_outlives_its_deadline_is_seen() {
    let seen = violations(Defence::Deadlines, vec![fault(3, 3_000, What::Stall)]);
    assert!(
        seen.iter().any(|text| text.contains("ms to go")),
        "{seen:?}"
    );
}
