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
    [2, 3, 4, 5, 6, 7]
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
    assert!(outcome.count("changes acknowledged") > 40);
    assert!(outcome.count("films looked at") > 10);
    assert!(outcome.count("calls published") > 20);
    assert!(outcome.count("changes told") > 40);
    assert!(outcome.count("errands over") > 20);
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
    let faults = vec![fault(2, 6_000, What::LoseAnswers)];
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
        vec![fault(2, 6_000, What::LoseAnswers)],
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

/// The rating service and the database fail again and again, and the log's answers are lost.
fn consumers_die() -> Vec<Fault> {
    let rating = |at| fault(at, 400, What::Crash("rating".into()));
    let broker = |at| fault(at, 400, What::Crash("broker".into()));
    let cut = |at| {
        let between = ["rating".to_owned(), "broker".to_owned()];
        fault(at, 900, What::Partition(between))
    };
    vec![
        rating(2),
        broker(3),
        cut(4),
        rating(5),
        broker(6),
        fault(7, 1_500, What::LoseAnswers),
    ]
}

/// The rating service dies while it cannot reach its database.
fn consumers_die_at_work() -> Vec<Fault> {
    let cut = |at| {
        let between = ["rating".to_owned(), "database".to_owned()];
        fault(at, 1_500, What::Partition(between))
    };
    let dies = |at| fault(at, 400, What::Crash("rating".into()));
    vec![cut(2), dies(3), cut(5), dies(6)]
}

/// What the oracle says of events that had no effect.
const LOST: [&str; 3] = [
    "was published last",
    "is shown with",
    "the dead letters are",
];

/// Whether one of the first seeds shows that this defence is missing, by words of the oracle.
#[track_caller]
fn assert_missed(without: Defence, faults: &[Fault], words: &[&str]) {
    let mut seen = Vec::new();
    for seed in 1..=4 {
        let plan = Plan {
            without: Some(without),
            faults: Faults::These(faults.to_vec()),
            ..Plan::of(seed)
        };
        let outcome = run(&plan);
        seen.extend(outcome.violations().map(|event| event.text.clone()));
        if seen
            .iter()
            .any(|text| words.iter().any(|words| text.contains(words)))
        {
            return;
        }
    }
    panic!("{without:?} is not missed: {seen:?}");
}

#[test]
fn consumers_and_a_log_that_die_lose_no_event_and_do_none_twice() {
    let outcome = run(&Plan {
        faults: Faults::These(consumers_die()),
        ..Plan::of(1)
    });
    assert_holds(&outcome);
    assert!(outcome.count("calls published again") > 0);
    assert!(outcome.count("times a watcher looked again") > 1);
}

#[test]
fn an_event_settled_before_its_effect_is_missed() {
    assert_missed(Defence::LateSettling, &consumers_die_at_work(), &LOST);
}

#[test]
fn an_event_passed_over_with_others_is_missed() {
    assert_missed(Defence::Repetition, &[], &LOST);
}

#[test]
fn an_event_published_under_two_ids_is_seen() {
    assert_missed(
        Defence::Deduplication,
        &consumers_die(),
        &["events are in the log"],
    );
}
