//! Work that is pulled: whoever is free takes the next message.

use super::stage::{Counted, Stage, Worker, cx};
use backlot_core::Code;
use backlot_messaging::Event;
use backlot_messaging::consume::{Failure, Group, Order, Work};
use backlot_messaging::engine::{Engine, TopicSpec};
use backlot_messaging::pull::{self, Desk, Queues};
use backlot_service::{Metrics, Tasks};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn desk(stage: &Stage) -> Arc<dyn Queues> {
    let tasks = Tasks::with_metrics(&stage.env, &Metrics::new());
    Arc::new(Desk::new(&stage.setup(), pull::Options::default(), &tasks))
}

fn group() -> Group {
    Group::new("g")
        .order(Order::None)
        .concurrency(2)
        .lease(Duration::from_secs(3))
}

fn worker<W: Work<Counted>>(
    stage: &Stage,
    desk: &Arc<dyn Queues>,
    work: W,
) -> pull::Worker<Counted, W> {
    pull::Worker::new(&stage.setup(), Arc::clone(desk), group(), work).unwrap()
}

#[tokio::test(start_paused = true)]
async fn whoever_is_free_takes_the_next_message_of_one_partition() {
    let stage = Stage::new(1).await;
    stage.publish(0..60, |_| 0).await;
    let (desk, done) = (desk(&stage), Arc::new(Mutex::new(BTreeMap::new())));
    let workers = [1, 1, 5].map(|seconds| {
        let done = Arc::clone(&done);
        let work = Worker(move |n, _| {
            *done.lock().entry((seconds, n)).or_insert(0) += 1;
            async move {
                tokio::time::sleep(SECOND * seconds).await;
                Ok(())
            }
        });
        worker(&stage, &desk, work).run(stage.settled("g"))
    });
    let [one, two, slow] = workers;
    tokio::join!(one, two, slow);
    let done = done.lock();
    assert_eq!(done.len(), 60, "each with one worker");
    assert!(done.values().all(|times| *times == 1), "each once");
    let slow = done.keys().filter(|(seconds, _)| *seconds == 5).count();
    assert!((3..=8).contains(&slow), "the slow one had {slow} of 60");
}

#[tokio::test(start_paused = true)]
async fn a_failure_asks_of_a_queue_what_it_asks_of_a_log() {
    let stage = Stage::new(2).await;
    stage.publish(0..5, |n| n).await;
    let calls = Arc::new(Mutex::new(Vec::new()));
    let work = {
        let calls = Arc::clone(&calls);
        Worker(move |n, attempt| {
            let mut calls = calls.lock();
            calls.push((n, attempt));
            let times = calls.iter().filter(|(of, _)| *of == n).count();
            let failure = || Failure::new(Code::Unavailable, "not now");
            let outcome = match (n, times) {
                (0, 1 | 2) => Err(failure()),
                (1, 1 | 2) => Err(failure().later(SECOND * 60)),
                (2, _) => Err(Failure::new(Code::InvalidArgument, "no picture").permanent()),
                (3, _) => Err(failure()),
                _ => Ok(()),
            };
            async move {
                assert!(n != 4 || times > 1, "it breaks");
                outcome
            }
        })
    };
    let work = pull::Worker::new(&stage.setup(), desk(&stage), group().attempts(3), work);
    work.unwrap().run(stage.settled("g")).await;
    let mut attempts: BTreeMap<u64, Vec<u32>> = BTreeMap::new();
    for (n, attempt) in calls.lock().iter() {
        attempts.entry(*n).or_default().push(*attempt);
    }
    let expected = [
        (0, vec![1, 2, 3]),
        (1, vec![1, 1, 1]),
        (2, vec![1]),
        (3, vec![1, 2, 3]),
        (4, vec![1, 2]),
    ];
    assert_eq!(attempts, BTreeMap::from(expected));
    let letters = stage.letters("g").await;
    let mut said: Vec<_> = letters
        .iter()
        .map(|letter| {
            let header = |name: &str| letter.headers.get(name).unwrap_or_default().to_owned();
            (letter.id.to_string(), header("dlq-class"))
        })
        .collect();
    said.sort();
    assert_eq!(
        said,
        [
            ("2".to_owned(), "permanent".to_owned()),
            ("3".to_owned(), "exhausted".to_owned())
        ]
    );
    let errors = letters.iter().filter_map(|it| it.headers.get("dlq-errors"));
    assert!(errors.clone().any(|errors| errors.contains("no picture")));
}

#[tokio::test(start_paused = true)]
async fn a_lease_is_renewed_for_as_long_as_the_work_goes_on() {
    let stage = Stage::new(3).await;
    stage.publish(0..2, |n| n).await;
    let calls = Arc::new(AtomicU32::new(0));
    let desk = desk(&stage);
    let worker = || {
        let calls = Arc::clone(&calls);
        let work = Worker(move |_, attempt| {
            calls.fetch_add(1, Ordering::SeqCst);
            async move {
                assert_eq!(attempt, 1);
                tokio::time::sleep(SECOND * 25).await;
                Ok(())
            }
        });
        worker(&stage, &desk, work).run(stage.settled("g"))
    };
    tokio::join!(worker(), worker());
    assert_eq!(calls.load(Ordering::SeqCst), 2, "none came again");
}

#[tokio::test(start_paused = true)]
async fn what_takes_longer_than_it_may_comes_again() {
    let stage = Stage::new(4).await;
    stage.publish(0..1, |n| n).await;
    let (calls, group) = (Arc::new(AtomicU32::new(0)), group().deadline(SECOND * 10));
    let work = {
        let calls = Arc::clone(&calls);
        Worker(move |_, attempt| {
            calls.fetch_add(1, Ordering::SeqCst);
            async move {
                if attempt == 1 {
                    std::future::pending::<()>().await;
                }
                Ok(())
            }
        })
    };
    let worker = pull::Worker::new(&stage.setup(), desk(&stage), group, work).unwrap();
    worker.run(stage.settled("g")).await;
    assert_eq!(calls.load(Ordering::SeqCst), 2);
    assert!(stage.letters("g").await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_is_told_to_stop_finishes_what_it_has_or_gives_it_back() {
    let stage = Stage::new(5).await;
    stage.publish(0..3, |n| n).await;
    let (desk, begun) = (desk(&stage), Arc::new(Mutex::new(Vec::new())));
    let done = Arc::new(Mutex::new(Vec::new()));
    let work = || {
        let (begun, done) = (Arc::clone(&begun), Arc::clone(&done));
        Worker(move |n, attempt| {
            begun.lock().push((n, attempt));
            let (seconds, done) = (if n == 1 { 100 } else { 2 }, Arc::clone(&done));
            async move {
                tokio::time::sleep(SECOND * seconds).await;
                done.lock().push(n);
                Ok(())
            }
        })
    };
    let stop = stage.until(async || begun.lock().len() == 2);
    worker(&stage, &desk, work()).run(stop).await;
    assert_eq!(*done.lock(), [0]);
    // The other was not tried as far as anybody knows: at once, with the same attempt.
    let stop = stage.until(async || begun.lock().len() == 4);
    worker(&stage, &desk, work()).run(stop).await;
    let mut begun = begun.lock().clone();
    begun.sort_unstable();
    assert_eq!(begun, [(0, 1), (1, 1), (1, 1), (2, 1)]);
}

#[tokio::test(start_paused = true)]
async fn a_worker_makes_its_topic_when_it_is_not_there() {
    let stage = Stage::new(6).await;
    let (desk, calls) = (desk(&stage), Arc::new(AtomicU32::new(0)));
    let work = {
        let calls = Arc::clone(&calls);
        Worker(move |_, _| {
            calls.fetch_add(1, Ordering::SeqCst);
            async { Ok(()) }
        })
    };
    let publishing = async {
        stage
            .until(async || {
                let spec = TopicSpec::new(Counted::TOPIC, Counted::PARTITIONS);
                let report = stage.engine().inspect(&cx(), &spec.name, None).await;
                report.is_ok()
            })
            .await;
        stage.publish(0..1, |n| n).await;
        stage
            .until(async || calls.load(Ordering::SeqCst) == 1)
            .await;
    };
    worker(&stage, &desk, work).run(publishing).await;
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}
