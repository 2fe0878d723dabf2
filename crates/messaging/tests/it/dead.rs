//! Dead letters: a redrive that is interrupted anywhere loses nothing and sends nothing twice, and
//! a list costs the same wherever it is looked at.

use crate::far::{Far, Fault};
use crate::stage::{Stage, TOPIC, cx, messages};
use backlot_core::{BoxFuture, Clock, Context, Dice};
use backlot_messaging::dead::{Class, Filter, Letters, Page, Redrive, Report, Status, header};
use backlot_messaging::embedded::{MIGRATIONS, Options};
use backlot_messaging::engine::{Engine, Input, Outgoing, Subscription, TopicSpec};
use backlot_messaging::telemetry::{DEAD, LAG, PURGED, REDRIVEN};
use backlot_messaging::{Error, Record};
use backlot_storage::{Store, sqlite};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Duration;

const QUEUE: &str = "events.g.dlq";
const RETRY: &str = "events.g.retry";
const ALL: u64 = 24;

fn letter(id: u64, class: Class) -> Outgoing {
    let record = Record::new(id.to_string(), "Counted", "test", id.to_string())
        .with_key(format!("key-{}", id % 1000))
        .with_header(header::CLASS, class.name())
        .with_header(header::TOPIC, TOPIC)
        .with_header(header::GROUP, "g");
    Outgoing::new(QUEUE, record)
}

async fn prepare(stage: &Stage, letters: u64) {
    let queue = TopicSpec::new(QUEUE, 1);
    stage.engine.ensure(&cx(), &queue).await.unwrap();
    stage.reader("g").await.close().await.unwrap();
    let all: Vec<Outgoing> = (0..letters)
        .map(|id| letter(id, Class::Permanent))
        .collect();
    for some in all.chunks(10_000) {
        stage.publish(some.to_vec()).await.unwrap();
    }
}

async fn over_far() -> (Stage, Far, Store) {
    let (store, far) = Far::open().await;
    let options = Options {
        // Its writes are not what the faults are for.
        tend: Duration::from_secs(1_000_000),
        ..Options::default()
    };
    let stage = Stage::over(store.clone(), options).await;
    tokio::time::sleep(Duration::from_millis(1)).await;
    prepare(&stage, ALL).await;
    (stage, far, store)
}

fn on(_: &Report) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// Of four a slice.
fn slices() -> Redrive {
    Redrive {
        per_second: Some(16),
        ..Redrive::default()
    }
}

async fn redrive(letters: &Letters, options: &Redrive) -> Result<Report, Error> {
    letters.redrive(&cx(), Filter::default(), options, on).await
}

/// A service answers from a task of its own.
#[expect(dead_code, reason = "it need only compile")]
fn a_redrive_may_run_in_any_task(letters: Letters) -> BoxFuture<'static, ()> {
    Box::pin(async move {
        redrive(&letters, &slices()).await.unwrap();
        letters
            .purge(&cx(), Filter::default(), false)
            .await
            .unwrap();
    })
}

/// How often each letter is in the retry topic, and how often it says that it was sent.
async fn sent(stage: &Stage) -> BTreeMap<String, (u32, String)> {
    let mut sent: BTreeMap<String, (u32, String)> = BTreeMap::new();
    let Ok(report) = stage.engine.inspect(&cx(), RETRY, None).await else {
        return sent;
    };
    let there: u64 = report.partitions.iter().map(|part| part.head).sum();
    let subscription = Subscription::new(RETRY, "checker").ephemeral();
    let mut reader = stage.engine.attach(&cx(), &subscription).await.unwrap();
    let mut came = 0;
    while came < there {
        for delivery in messages(&mut *reader).await {
            let count = delivery.record.headers.get(header::REDRIVES);
            let count = count.unwrap_or_default().to_owned();
            sent.entry(delivery.record.id).or_insert((0, count)).0 += 1;
            came += 1;
        }
    }
    reader.close().await.unwrap();
    sent
}

/// Every letter is either where it was or was sent, and no letter was sent twice.
async fn check(stage: &Stage, when: &str) -> usize {
    let letters = Letters::of(&stage.engine).unwrap();
    let all = letters
        .list(&cx(), &Filter::default(), &Page::first(1000))
        .await;
    let listed = all.unwrap().entries;
    assert_eq!(listed.len() as u64, ALL, "a letter is lost {when}");
    let sent = sent(stage).await;
    for entry in &listed {
        let is_sent = sent.get(&entry.message).cloned();
        match entry.status {
            Status::Waiting => assert_eq!(is_sent, None, "{} {when}", entry.id),
            Status::Redriven => {
                assert_eq!(is_sent, Some((1, "1".to_owned())), "{} {when}", entry.id);
            }
        }
    }
    sent.len()
}

#[tokio::test(start_paused = true)]
async fn a_redrive_whose_commits_fail_loses_nothing_and_sends_nothing_twice() {
    // The retry topic, and six slices.
    for commit in 0..7 {
        for fault in [Fault::Undone, Fault::Unheard, Fault::Conflict] {
            let (stage, far, _) = over_far().await;
            let letters = Letters::of(&stage.engine).unwrap();
            far.fail(std::iter::repeat_n(None, commit).chain([Some(fault)]));
            let first = redrive(&letters, &slices()).await;
            let when = format!("after {fault:?} of commit {commit}");
            match fault {
                Fault::Conflict => assert_eq!(first.unwrap().moved, ALL, "{when}"),
                _ => assert!(first.unwrap_err().may_have_happened(), "{when}"),
            }
            let done = check(&stage, &when).await;
            let again = redrive(&letters, &slices()).await;
            assert_eq!(again.unwrap().moved, ALL - done as u64, "{when}");
            assert_eq!(check(&stage, &when).await as u64, ALL, "{when}");
        }
    }
}

/// Time goes on when everybody waits; whatever runs in it ends with it, wherever it is then.
fn process() -> tokio::runtime::Runtime {
    let mut process = tokio::runtime::Builder::new_current_thread();
    process.enable_all().start_paused(true).build().unwrap()
}

#[test]
fn a_redrive_that_dies_anywhere_loses_nothing_and_sends_nothing_twice() {
    let (mut is_dead, mut left) = (true, 0);
    while is_dead {
        let first = process();
        let (far, store) = first.block_on(async {
            let (stage, far, store) = over_far().await;
            let letters = Letters::of(&stage.engine).unwrap();
            let options = slices();
            far.dies_after(Some(left));
            tokio::select! {
                biased;
                () = far.died() => {}
                done = redrive(&letters, &options) => {
                    done.unwrap();
                    is_dead = false;
                }
            }
            // Nothing of it is finished any more: not by its engine, either.
            std::mem::forget(stage);
            (far, store)
        });
        drop(first);
        far.dies_after(None);
        process().block_on(async {
            let stage = Stage::over(store, Options::default()).await;
            let when = format!("after {left} statements");
            check(&stage, &when).await;
            let letters = Letters::of(&stage.engine).unwrap();
            redrive(&letters, &Redrive::default()).await.unwrap();
            assert_eq!(check(&stage, &when).await as u64, ALL, "{when}");
        });
        left += 1;
    }
    assert!(
        left > 60,
        "it died at every statement of six slices: {left}"
    );
}

#[tokio::test(start_paused = true)]
async fn under_random_faults_redrives_edits_and_purges_keep_every_letter() {
    for seed in 0..20 {
        let (stage, far, _) = over_far().await;
        let dice = Dice::seeded(seed);
        let letters = Letters::of(&stage.engine).unwrap();
        far.fail((0..200).map(|_| match dice.below(6) {
            0 => Some(Fault::Undone),
            1 => Some(Fault::Unheard),
            2 => Some(Fault::Conflict),
            _ => None,
        }));
        // Two people at once, who know nothing of each other.
        let person = async || {
            loop {
                let done = redrive(&letters, &slices()).await;
                match done {
                    Ok(_) => return,
                    Err(error) => assert!(error.may_have_happened(), "{error}, seed {seed}"),
                }
            }
        };
        let both = async { tokio::join!(person(), person()) };
        tokio::time::timeout(Duration::from_secs(3600), both)
            .await
            .unwrap_or_else(|_| panic!("seed {seed} hangs"));
        far.faults.lock().unwrap().clear();
        assert_eq!(check(&stage, &format!("seed {seed}")).await as u64, ALL);
    }
}

#[tokio::test(start_paused = true)]
async fn a_page_of_100_000_letters_costs_the_same_at_the_end_as_at_the_start() {
    const MANY: u64 = 100_000;
    let (store, far) = Far::open().await;
    let stage = Stage::over(store, Options::default()).await;
    prepare(&stage, MANY).await;
    let last = letter(MANY, Class::Panic);
    stage.publish(vec![last]).await.unwrap();
    let letters = Letters::of(&stage.engine).unwrap();
    let costs = async |filter: &Filter, page: &Page| {
        let before = far.cost();
        let listed = letters.list(&cx(), filter, page).await.unwrap();
        (listed, far.cost() - before)
    };
    let by_class = Filter::of_group("g").of_class(Class::Permanent);
    for filter in [Filter::default(), by_class] {
        let first = Page::first(50);
        let (listed, at_the_start) = costs(&filter, &first).await;
        assert_eq!(listed.entries.len(), 50);
        let second = first.after(&listed).unwrap();
        let (_, after_the_start) = costs(&filter, &second).await;
        let mut far_on = Page::first(1000);
        for _ in 0..99 {
            let (listed, _) = costs(&filter, &far_on).await;
            far_on = far_on.after(&listed).unwrap();
        }
        far_on.size = 50;
        let (listed, at_the_end) = costs(&filter, &far_on).await;
        assert_eq!(listed.entries.len(), 50);
        assert_eq!(at_the_end, after_the_start, "{filter:?}");
        // No more than a page from each of the two statuses, and the letters themselves.
        let most = at_the_end.rows.max(at_the_start.rows);
        assert!(
            most <= 2 * 51 + 50 + 5,
            "{filter:?}: {at_the_start:?} {at_the_end:?}"
        );
    }
    // What is rare is found without a look at what is not.
    let rare = Filter::default().of_class(Class::Panic);
    let (listed, cost) = costs(&rare, &Page::first(50)).await;
    assert_eq!(listed.entries.len(), 1);
    assert!(cost.rows < 10, "{cost:?}");
    let keyed = Filter {
        key: Some("key-7".into()),
        ..Filter::default()
    };
    let (listed, cost) = costs(&keyed, &Page::first(1000)).await;
    assert_eq!(listed.entries.len(), 100);
    assert!(cost.rows < 250, "{cost:?}");
    // Counters tell how many there are.
    let before = far.cost();
    assert_eq!(
        letters.count(&cx(), &Filter::default()).await.unwrap(),
        MANY + 1
    );
    let groups = letters.groups(&cx()).await.unwrap();
    assert_eq!(groups[0].waiting.get(&Class::Permanent), Some(&MANY));
    assert!((far.cost() - before).rows < 20);
    let since = Filter {
        since: Some(backlot_core::Timestamp(0)),
        ..Filter::default()
    };
    assert_eq!(letters.count(&cx(), &since).await.unwrap(), MANY + 1);
    let purged = letters
        .purge(&cx(), Filter::default(), false)
        .await
        .unwrap();
    assert_eq!(purged.moved, MANY + 1);
    assert_eq!(letters.count(&cx(), &Filter::default()).await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn letters_are_measured_by_group_and_class() {
    let store = sqlite::memory(MIGRATIONS, Clock::real()).unwrap();
    let stage = Stage::over(store, Options::default()).await;
    prepare(&stage, 10).await;
    let dead = |class: Class| stage.metrics.gauge(&DEAD, [TOPIC, "g", class.name()]).get();
    stage.engine.tend().await.unwrap();
    assert_eq!((dead(Class::Permanent), dead(Class::Panic)), (10, 0));
    let letters = Letters::of(&stage.engine).unwrap();
    let three = Redrive {
        limit: Some(3),
        ..Redrive::default()
    };
    redrive(&letters, &three).await.unwrap();
    let waiting = Filter {
        status: Some(Status::Waiting),
        ..Filter::default()
    };
    letters.purge(&cx(), waiting, false).await.unwrap();
    stage.engine.tend().await.unwrap();
    assert_eq!(dead(Class::Permanent), 0);
    assert_eq!(stage.metrics.counter(&REDRIVEN, [TOPIC, "g"]).get(), 3);
    assert_eq!(stage.metrics.counter(&PURGED, [TOPIC, "g"]).get(), 7);
}

#[tokio::test(start_paused = true)]
async fn letters_are_kept_for_as_long_as_the_log_says() {
    let store = sqlite::memory(MIGRATIONS, Clock::real()).unwrap();
    let options = Options {
        letters: Duration::ZERO,
        ..Options::default()
    };
    let stage = Stage::over(store, options).await;
    prepare(&stage, 10).await;
    let letters = Letters::of(&stage.engine).unwrap();
    let gone = async {
        while letters.count(&cx(), &Filter::default()).await.unwrap() > 0 {
            stage.engine.tend().await.unwrap();
        }
    };
    tokio::time::timeout(Duration::from_secs(30), gone)
        .await
        .unwrap();
    // Other topics keep everything.
    stage.publish(vec![crate::stage::out(1)]).await.unwrap();
    stage.engine.tend().await.unwrap();
    assert_eq!(stage.lag("g").await, 1);
}

#[tokio::test(start_paused = true)]
async fn an_emptied_topic_has_no_letters() {
    let store = sqlite::memory(MIGRATIONS, Clock::real()).unwrap();
    let stage = Stage::over(store, Options::default()).await;
    prepare(&stage, 10).await;
    stage.engine.purge(QUEUE).await.unwrap();
    let letters = Letters::of(&stage.engine).unwrap();
    assert_eq!(letters.count(&cx(), &Filter::default()).await.unwrap(), 0);
    stage.publish(vec![letter(1, Class::Panic)]).await.unwrap();
    assert_eq!(letters.count(&cx(), &Filter::default()).await.unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_scheduled_letter_is_in_the_index_when_it_is_due() {
    let store = sqlite::memory(MIGRATIONS, Clock::real()).unwrap();
    let stage = Stage::over(store, Options::default()).await;
    prepare(&stage, 0).await;
    let soon = Clock::real().wall().plus(Duration::from_millis(50));
    stage
        .publish(vec![letter(1, Class::Expired).at(soon)])
        .await
        .unwrap();
    let letters = Letters::of(&stage.engine).unwrap();
    let came = async {
        while letters.count(&cx(), &Filter::default()).await.unwrap() == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(3600), came)
        .await
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_member_that_is_left_of_a_forgotten_group_is_told() {
    let store = sqlite::memory(MIGRATIONS, Clock::real()).unwrap();
    let stage = Stage::over(store, Options::default()).await;
    let subscription = Subscription {
        lease: Duration::from_millis(10),
        ..Subscription::new(TOPIC, "g")
    };
    // One that was silent for longer than its lease is none, once another has looked.
    let mut silent = stage.engine.attach(&cx(), &subscription).await.unwrap();
    assert!(matches!(silent.next(1).await, Ok(Input::Assigned(_))));
    tokio::time::sleep(Duration::from_millis(20)).await;
    let mut other = stage.engine.attach(&cx(), &subscription).await.unwrap();
    assert!(matches!(other.next(1).await, Ok(Input::Assigned(_))));
    other.close().await.unwrap();
    stage.engine.forget(&cx(), TOPIC, "g").await.unwrap();
    let told = silent.next(1).await;
    assert!(matches!(told, Err(Error::UnknownGroup { .. })), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn ephemeral_groups_leave_no_numbers_behind() {
    let store = sqlite::memory(MIGRATIONS, Clock::real()).unwrap();
    let stage = Stage::over(store, Options::default()).await;
    stage.publish(vec![crate::stage::out(1)]).await.unwrap();
    for instance in 0..5 {
        let name = format!("live-{instance}");
        let subscription = Subscription::new(TOPIC, name).ephemeral();
        let mut reader = stage.engine.attach(&cx(), &subscription).await.unwrap();
        messages(&mut *reader).await;
        stage.engine.tend().await.unwrap();
        reader.close().await.unwrap();
    }
    let text = stage.metrics.encode();
    assert!(!text.contains("live-"), "{text}");
    assert_eq!(stage.metrics.gauge(&LAG, [TOPIC, "live-1", "0"]).get(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_damaged_letter_is_passed_over_and_stays() {
    let store = sqlite::memory(MIGRATIONS, Clock::real()).unwrap();
    let stage = Stage::over(store.clone(), Options::default()).await;
    prepare(&stage, 1).await;
    stage.publish(vec![letter(1, Class::Panic)]).await.unwrap();
    let breaking = store.write(&Context::background(), |tx| {
        Box::pin(async move {
            const BREAK: backlot_storage::Sql = backlot_storage::sql!(
                "UPDATE batch SET data = x'00' WHERE base = 0 AND topic = (SELECT id FROM topic WHERE name = ?)"
            );
            tx.execute(BREAK, backlot_storage::params![QUEUE]).await
        })
    });
    assert_eq!(breaking.await.unwrap(), 1);
    let letters = Letters::of(&stage.engine).unwrap();
    let report = redrive(&letters, &Redrive::default()).await;
    let report = report.unwrap();
    assert_eq!((report.matching, report.moved, report.passed), (2, 1, 1));
    let listed = letters
        .list(&cx(), &Filter::default(), &Page::first(10))
        .await
        .unwrap();
    let status = |message: &str| {
        let found = listed.entries.iter().find(|entry| entry.message == message);
        found.map(|entry| (entry.id.clone(), entry.status)).unwrap()
    };
    let (broken, waits) = status("0");
    assert_eq!((waits, status("1").1), (Status::Waiting, Status::Redriven));
    let shown = letters.show(&cx(), &broken).await;
    assert!(matches!(shown, Err(Error::Damaged { .. })), "{shown:?}");
}
