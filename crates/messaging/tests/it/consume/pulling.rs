//! Queues: messages leased to workers one by one.

use super::stage::{Counted, Stage, cx};
use backlot_messaging::consume::Group;
use backlot_messaging::pull::{self, Answer, Ask, Desk, Leased, Puller, Queues};
use backlot_messaging::{Engine, Error, Event, Record};
use backlot_service::{Metrics, Tasks};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

const MINUTE: Duration = Duration::from_secs(60);

fn desk(stage: &Stage) -> Desk {
    desk_with(stage, pull::Options::default())
}

fn desk_with(stage: &Stage, options: pull::Options) -> Desk {
    let tasks = Tasks::with_metrics(&stage.env, &Metrics::new());
    Desk::new(&stage.setup(), options, &tasks)
}

fn ask(worker: &str) -> Ask {
    Ask {
        wait: MINUTE,
        ..Ask::new(Counted::TOPIC, "g", worker)
    }
}

async fn pull(desk: &Desk, worker: &str, max: usize) -> Vec<Leased> {
    let ask = Ask { max, ..ask(worker) };
    desk.pull(&cx(), &ask).await.unwrap()
}

/// Answers for all of these; how many were over.
async fn answer(desk: &Desk, leased: &[Leased], answer: Answer) -> usize {
    let leases = leased.iter().map(|leased| leased.lease.clone());
    let answers = leases.map(|lease| (lease, answer.clone())).collect();
    desk.answer(&cx(), answers).await.unwrap().len()
}

fn failed(why: &str, after: Option<Duration>) -> Answer {
    Answer::Retry {
        after,
        failure: Some(why.to_owned()),
    }
}

fn numbers(leased: &[Leased]) -> Vec<u64> {
    let numbers = leased.iter().map(|leased| leased.record.id.parse());
    numbers.map(|number| number.unwrap()).collect()
}

#[tokio::test(start_paused = true)]
async fn each_message_is_with_one_worker_and_done_once() {
    let stage = Stage::new(1).await;
    stage.publish(0..100, |n| n % 7).await;
    let desk = desk(&stage);
    let mut seen = BTreeSet::new();
    while seen.len() < 100 {
        for worker in ["a", "b", "c"] {
            let leased = pull(&desk, worker, 9).await;
            for number in numbers(&leased) {
                assert!(seen.insert(number), "{number} came twice");
            }
            assert_eq!(answer(&desk, &leased, Answer::Done).await, 0);
            if seen.len() == 100 {
                break;
            }
        }
    }
    assert_eq!(stage.lag("g").await, Some(0));
}

#[tokio::test(start_paused = true)]
async fn whoever_asked_first_is_served_first() {
    let stage = Stage::new(1).await;
    stage.publish([100], |_| 0).await;
    let desk = desk(&stage);
    let first = pull(&desk, "a", 1).await;
    answer(&desk, &first, Answer::Done).await;
    let waiting = async {
        tokio::join!(
            pull(&desk, "a", 2),
            pull(&desk, "b", 2),
            pull(&desk, "c", 2)
        )
    };
    let publishing = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        stage.publish(0..5, |_| 0).await;
    };
    let ((a, b, c), ()) = tokio::join!(waiting, publishing);
    assert_eq!(
        (numbers(&a), numbers(&b), numbers(&c)),
        (vec![0, 1], vec![2, 3], vec![4])
    );
}

#[tokio::test(start_paused = true)]
async fn nobody_takes_all_while_others_ask_too() {
    let stage = Stage::new(1).await;
    stage.publish([100], |_| 0).await;
    let desk = desk(&stage);
    let first = pull(&desk, "z", 1).await;
    answer(&desk, &first, Answer::Done).await;
    let soon = async |worker| {
        let ask = Ask {
            wait: Duration::from_millis(10),
            ..ask(worker)
        };
        assert_eq!(desk.pull(&cx(), &ask).await.unwrap(), []);
    };
    for worker in ["a", "b", "c"] {
        soon(worker).await;
    }
    stage.publish(0..12, |_| 0).await;
    stage
        .until(async || desk.queues(&cx()).await.unwrap()[0].ready == 12)
        .await;
    // With z they are four.
    assert_eq!(pull(&desk, "a", 100).await.len(), 3);
    assert_eq!(pull(&desk, "b", 100).await.len(), 3);
    assert_eq!(pull(&desk, "b", 100).await.len(), 2);
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(pull(&desk, "a", 100).await.len(), 4, "the others have gone");
}

#[tokio::test(start_paused = true)]
async fn what_a_dead_worker_had_comes_to_another_when_its_lease_is_over() {
    let stage = Stage::new(1).await;
    stage.publish(0..2, |_| 0).await;
    let desk = desk(&stage);
    let began = Instant::now();
    let lost = pull(&desk, "dies", 2).await;
    assert_eq!(lost.len(), 2);
    let mut again = Vec::new();
    while again.len() < 2 {
        again.extend(pull(&desk, "lives", 2).await);
    }
    assert!(Instant::now() - began >= Duration::from_secs(30));
    assert_eq!(again[0].attempt, 2);
    let failure = &again[0].failures[0];
    assert!(
        failure.message.contains("worker dies did not answer"),
        "{failure:?}"
    );
    // The dead one was only slow.
    assert_eq!(answer(&desk, &lost, Answer::Done).await, 2);
    assert_eq!(answer(&desk, &again, Answer::Done).await, 0);
    assert_eq!(stage.lag("g").await, Some(0));
}

#[tokio::test(start_paused = true)]
async fn a_lease_goes_on_as_long_as_it_is_extended() {
    let stage = Stage::new(1).await;
    stage.publish([0], |_| 0).await;
    let desk = desk(&stage);
    let leased = pull(&desk, "slow", 1).await;
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_secs(20)).await;
        let more = Answer::Extend(Duration::from_secs(30));
        assert_eq!(answer(&desk, &leased, more).await, 0);
    }
    assert_eq!(answer(&desk, &leased, Answer::Done).await, 0);
    assert_eq!(stage.lag("g").await, Some(0));
    let ended = answer(&desk, &leased, Answer::Extend(MINUTE)).await;
    assert_eq!(ended, 1, "what is done is not extended");
}

#[tokio::test(start_paused = true)]
async fn the_last_attempt_that_fails_or_has_no_end_leads_to_the_dead_letters() {
    let stage = Stage::new(1).await;
    stage.publish(0..2, |_| 0).await;
    let desk = desk(&stage);
    let ask = Ask {
        attempts: 2,
        ..ask("w")
    };
    for attempt in 1..=2 {
        for _ in 0..2 {
            let leased = desk.pull(&cx(), &ask).await.unwrap();
            assert_eq!(leased[0].attempt, attempt);
            if numbers(&leased) == [0] {
                answer(&desk, &leased, failed("no room", None)).await;
            }
        }
    }
    stage.until(async || stage.lag("g").await == Some(0)).await;
    let letters = stage.letters("g").await;
    assert_eq!(letters.len(), 2);
    for letter in letters {
        assert_eq!(letter.headers.get("dlq-class"), Some("exhausted"));
        let errors = letter.headers.get("dlq-errors").unwrap();
        let said = if letter.id == "0" {
            "no room"
        } else {
            "worker w"
        };
        assert_eq!(errors.matches(said).count(), 2, "{errors}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_rejected_is_a_dead_letter_at_once() {
    let stage = Stage::new(1).await;
    stage.publish([0], |_| 0).await;
    let desk = desk(&stage);
    let leased = pull(&desk, "w", 1).await;
    let reject = Answer::Reject("it is no picture".to_owned());
    assert_eq!(answer(&desk, &leased, reject).await, 0);
    // It is there when the answer is.
    let letters = stage.letters("g").await;
    assert_eq!(letters[0].headers.get("dlq-class"), Some("permanent"));
    let errors = letters[0].headers.get("dlq-errors").unwrap();
    assert!(errors.contains("it is no picture"), "{errors}");
}

#[tokio::test(start_paused = true)]
async fn what_is_given_back_uses_no_attempt_and_what_failed_waits_as_long_as_was_said() {
    let stage = Stage::new(1).await;
    stage.publish([0], |_| 0).await;
    let desk = desk(&stage);
    let back = Answer::Retry {
        after: None,
        failure: None,
    };
    for _ in 0..20 {
        let leased = pull(&desk, "w", 1).await;
        assert_eq!(leased[0].attempt, 1);
        answer(&desk, &leased, back.clone()).await;
    }
    let leased = pull(&desk, "w", 1).await;
    let began = Instant::now();
    answer(&desk, &leased, failed("later", Some(MINUTE / 2))).await;
    let leased = pull(&desk, "w", 1).await;
    assert_eq!(leased[0].attempt, 2);
    let waited = Instant::now() - began;
    assert!(waited >= MINUTE / 2 && waited < MINUTE, "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn an_answer_may_be_given_again_but_not_another() {
    let stage = Stage::new(1).await;
    stage.publish(0..2, |_| 0).await;
    let desk = desk(&stage);
    let leased = pull(&desk, "w", 1).await;
    for _ in 0..3 {
        assert_eq!(answer(&desk, &leased, Answer::Done).await, 0);
    }
    assert_eq!(answer(&desk, &leased, failed("no", None)).await, 1);
    let made_up = pull::Lease("1.00ff".to_owned());
    for lease in [made_up, pull::Lease("?".to_owned())] {
        let answers = vec![(lease.clone(), Answer::Done)];
        assert_eq!(desk.answer(&cx(), answers).await.unwrap(), [lease]);
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_stops_waiting_takes_nothing_along() {
    let stage = Stage::new(1).await;
    stage.publish([100], |_| 0).await;
    let desk = desk(&stage);
    let first = pull(&desk, "a", 1).await;
    answer(&desk, &first, Answer::Done).await;
    for round in 0..20 {
        // The caller goes just when something comes.
        let gone = tokio::time::timeout(Duration::from_millis(round), pull(&desk, "gone", 5));
        let (gone, ()) = tokio::join!(gone, stage.publish([round], |_| 0));
        if let Ok(leased) = gone {
            answer(&desk, &leased, Answer::Done).await;
            continue;
        }
        let began = Instant::now();
        let leased = pull(&desk, "a", 5).await;
        assert_eq!(numbers(&leased), [round]);
        assert_eq!(leased[0].attempt, 1, "it was nobody's");
        assert!(Instant::now() - began < Duration::from_secs(5));
        answer(&desk, &leased, Answer::Done).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_done_is_done_when_the_answer_comes() {
    let mut stage = Stage::new(1).await;
    stage.publish(0..10, |_| 0).await;
    let desk_before = desk(&stage);
    let leased = pull(&desk_before, "w", 4).await;
    assert_eq!(leased.len(), 4);
    let done = answer(&desk_before, &leased[..2], Answer::Done).await;
    assert_eq!(done, 0);
    drop(desk_before);
    stage.die().await;
    let desk = desk(&stage);
    let mut seen = BTreeSet::new();
    while seen.len() < 8 {
        let again = pull(&desk, "w", 4).await;
        seen.extend(numbers(&again));
        answer(&desk, &again, Answer::Done).await;
    }
    for number in numbers(&leased[..2]) {
        assert!(!seen.contains(&number), "{number} was done");
    }
    assert_eq!(
        answer(&desk, &leased[2..], Answer::Done).await,
        leased.len() - 2
    );
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_nobody_uses_is_let_go_of_and_comes_back() {
    let stage = Stage::new(1).await;
    stage.publish([0], |_| 0).await;
    let desk = desk(&stage);
    let leased = pull(&desk, "w", 1).await;
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(desk.queues(&cx()).await.unwrap()[0].out[0].worker, "w");
    answer(&desk, &leased, Answer::Done).await;
    tokio::time::sleep(3 * MINUTE).await;
    assert_eq!(desk.queues(&cx()).await.unwrap(), []);
    let members = async || {
        let report = stage.engine();
        let report = report.inspect(&cx(), Counted::TOPIC, Some("g")).await;
        report.unwrap().groups[0].members.len()
    };
    assert_eq!(members().await, 0);
    stage.publish([1], |_| 0).await;
    assert_eq!(numbers(&pull(&desk, "w", 1).await), [1]);
    assert_eq!(members().await, 1);
}

#[tokio::test(start_paused = true)]
async fn what_was_sent_again_comes_to_workers_too() {
    let stage = Stage::new(1).await;
    stage.publish([0], |_| 0).await;
    let record = Stage::record(&Counted { n: 7, lane: 0 });
    stage.append("counts.g.retry", vec![record]).await;
    let desk = desk(&stage);
    let mut seen = Vec::new();
    while seen.len() < 2 {
        let leased = pull(&desk, "w", 5).await;
        seen.extend(numbers(&leased));
        // Both lie at the same place of their topics.
        assert_eq!(answer(&desk, &leased, Answer::Done).await, 0);
    }
    seen.sort_unstable();
    assert_eq!(seen, [0, 7]);
    assert_eq!(stage.lag("g").await, Some(0));
}

#[tokio::test(start_paused = true)]
async fn another_member_of_the_group_gets_what_no_worker_has() {
    let stage = Stage::new(1).await;
    stage.publish(0..60, |n| n).await;
    let desk = desk(&stage);
    let leased = pull(&desk, "w", 6).await;
    let done = answer(&desk, &leased, Answer::Done);
    let script = super::stage::script(|_, _| Ok(()));
    let consumer = stage.consumer(&Group::new("g"), &script);
    // Partitions that stay with the desk are pulled, the others consumed.
    let pulling = async {
        assert_eq!(done.await, 0);
        while stage.lag("g").await != Some(0) {
            let ask = Ask {
                max: 100,
                wait: Duration::from_secs(1),
                ..ask("w")
            };
            let leased = desk.pull(&cx(), &ask).await.unwrap();
            answer(&desk, &leased, Answer::Done).await;
        }
    };
    consumer.run(pulling).await;
    assert!(
        !stage.effects().await.is_empty(),
        "the consumer had its share"
    );
}

#[tokio::test(start_paused = true)]
async fn a_puller_gets_events_and_refuses_what_is_none() {
    let stage = Stage::new(1).await;
    stage.publish([0], |_| 0).await;
    let strange = Record::new("1", "Strange", "test", "{}");
    stage.append(Counted::TOPIC, vec![strange]).await;
    stage.publish([2], |_| 0).await;
    let queues: Arc<dyn Queues> = Arc::new(desk(&stage));
    let worker = Puller::<Counted>::new(queues, "g", "w").attempts(2);
    let mut seen = Vec::new();
    while seen.len() < 2 {
        for job in worker.next(&cx(), 10, MINUTE).await.unwrap() {
            seen.push(job.event.n);
            if job.event.n == 2 && job.attempt == 1 {
                seen.pop();
                assert!(job.retry(&cx(), "not yet", None).await.unwrap());
                continue;
            }
            assert!(job.done(&cx()).await.unwrap());
        }
    }
    seen.sort_unstable();
    assert_eq!(seen, [0, 2]);
    assert_eq!(stage.lag("g").await, Some(0));
    assert_eq!(stage.letters("g").await.len(), 1);
    let nothing = worker.next(&cx(), 10, Duration::from_secs(1)).await;
    assert!(nothing.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_asked_for_is_refused_with_its_name() {
    let stage = Stage::new(1).await;
    stage.publish([0], |_| 0).await;
    let options = pull::Options {
        queues: 1,
        waiting: 1,
        ..pull::Options::default()
    };
    let desk = desk_with(&stage, options);
    let refused = async |ask: Ask| desk.pull(&cx(), &ask).await.unwrap_err().to_string();
    let unknown = Ask::new("nothing", "g", "w");
    assert!(refused(unknown).await.contains("\"nothing\""));
    for (wrong, named) in [
        (Ask { max: 0, ..ask("w") }, "max"),
        (
            Ask {
                max: 1001,
                ..ask("w")
            },
            "max",
        ),
        (
            Ask {
                lease: Duration::ZERO,
                ..ask("w")
            },
            "lease",
        ),
        (
            Ask {
                attempts: 0,
                ..ask("w")
            },
            "attempts",
        ),
        (ask(""), "worker"),
        (ask("a\nb"), "worker"),
        (Ask::new(Counted::TOPIC, "a group", "w"), "group"),
    ] {
        let said = refused(wrong).await;
        assert!(said.starts_with(named), "{named}: {said}");
    }
    let leased = pull(&desk, "w", 1).await;
    let leases = vec![(leased[0].lease.clone(), Answer::Extend(Duration::ZERO))];
    let said = desk.answer(&cx(), leases).await.unwrap_err();
    assert!(matches!(
        said,
        Error::Invalid {
            field: "extend",
            ..
        }
    ));
    let crowded = async {
        let said = refused(ask("v")).await;
        assert!(said.contains("there are 1 workers"), "{said}");
        let said = refused(Ask::new(Counted::TOPIC, "h", "w")).await;
        assert!(said.contains("there are 1 queues"), "{said}");
    };
    let (waited, ()) = tokio::join!(pull(&desk, "u", 1), crowded);
    assert_eq!(waited[0].attempt, 2);
}
