use super::*;
use std::sync::atomic::{AtomicU32, Ordering};

const QUICK: Backoff = Backoff {
    base: Duration::from_millis(10),
    cap: Duration::from_secs(1),
};

fn tasks() -> (Env, Metrics, Tasks) {
    let env = Env {
        dice: Dice::seeded(7),
        ..Env::real()
    };
    let metrics = Metrics::new();
    let tasks = Tasks::with_metrics(&env, &metrics);
    (env, metrics, tasks)
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_waits_for_what_ends_in_time() {
    let (_env, _metrics, tasks) = tasks();
    tasks.spawn("short", tokio::time::sleep(Duration::from_secs(1)));
    let began = Instant::now();
    assert_eq!(
        tasks.shutdown(Duration::from_secs(5)).await,
        Leftover::default()
    );
    assert_eq!(Instant::now() - began, Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_aborts_and_names_what_is_left() {
    let (_env, _metrics, tasks) = tasks();
    tasks.spawn("first", std::future::pending());
    tasks.spawn("second", tokio::time::sleep(Duration::from_secs(1)));
    tasks.spawn("third", std::future::pending());
    let leftover = tasks.shutdown(Duration::from_secs(2)).await;
    assert_eq!(leftover.aborted, ["first", "third"]);
    assert!(tasks.alive().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_task_started_after_the_end_is_dropped() {
    let (_env, _metrics, tasks) = tasks();
    tasks.shutdown(Duration::ZERO).await;
    let task = tasks.spawn("late", std::future::pending());
    assert!(task.has_ended());
    assert!(tasks.alive().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_counted_under_its_name_and_spares_the_others() {
    let (_env, metrics, tasks) = tasks();
    tasks.spawn("clumsy", async { panic!("dropped a cup") });
    tasks.spawn("careful", tokio::time::sleep(Duration::from_secs(1)));
    assert_eq!(
        tasks.shutdown(Duration::from_secs(5)).await,
        Leftover::default()
    );
    assert_eq!(tasks.panics(), 1);
    assert!(
        metrics
            .encode()
            .contains("backlot_task_panics_total{task=\"clumsy\"} 1"),
        "{}",
        metrics.encode()
    );
}

#[tokio::test(start_paused = true)]
async fn an_aborted_task_leaves_the_set() {
    let (_env, _metrics, tasks) = tasks();
    let task = tasks.spawn("doomed", std::future::pending());
    task.abort();
    assert_eq!(
        tasks.shutdown(Duration::from_secs(1)).await,
        Leftover::default()
    );
    assert!(task.has_ended());
}

#[tokio::test(start_paused = true)]
async fn a_supervised_task_is_started_again_whether_it_ends_or_panics() {
    let (_env, metrics, tasks) = tasks();
    let (runs, mut seen) = watch::channel(0u32);
    tasks.supervise("worker", QUICK, move || {
        let runs = runs.clone();
        async move {
            runs.send_modify(|count| *count += 1);
            assert!(
                !(*runs.borrow()).is_multiple_of(2),
                "every second run fails"
            );
        }
    });
    seen.wait_for(|runs| *runs >= 6).await.unwrap();
    assert_eq!(
        tasks.shutdown(Duration::from_secs(1)).await,
        Leftover::default()
    );
    assert!(tasks.panics() >= 2);
    assert!(
        metrics
            .encode()
            .contains("backlot_task_restarts_total{task=\"worker\"}")
    );
}

#[tokio::test(start_paused = true)]
async fn restarts_wait_longer_and_longer_up_to_the_cap() {
    let (_env, _metrics, tasks) = tasks();
    let runs = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&runs);
    tasks.supervise("worker", QUICK, move || {
        count.fetch_add(1, Ordering::Relaxed);
        async {}
    });
    tokio::time::sleep(Duration::from_secs(60)).await;
    // Half a second on average at the cap: about 120 runs in a minute, not thousands.
    let runs = runs.load(Ordering::Relaxed);
    assert!((60..400).contains(&runs), "{runs}");
    tasks.shutdown(Duration::from_secs(1)).await;
}

#[tokio::test(start_paused = true)]
async fn a_supervised_task_is_not_started_again_once_the_process_stops() {
    let (env, _metrics, tasks) = tasks();
    let shutdown = env.shutdown.clone();
    let runs = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&runs);
    tasks.supervise("worker", QUICK, move || {
        count.fetch_add(1, Ordering::Relaxed);
        let shutdown = shutdown.clone();
        async move { shutdown.reached(Phase::Draining).await }
    });
    tokio::task::yield_now().await;
    env.shutdown.advance(Phase::Stopped);
    assert_eq!(
        tasks.shutdown(Duration::from_secs(1)).await,
        Leftover::default()
    );
    assert_eq!(runs.load(Ordering::Relaxed), 1);
}
