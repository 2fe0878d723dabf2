use super::*;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio::sync::Semaphore;

/// Counts how often it is asked; answers when it is let.
#[derive(Default)]
struct Shelf {
    asked: AtomicU64,
    version: AtomicU64,
    fails: Mutex<Option<Code>>,
    closed: AtomicBool,
    passes: Option<Semaphore>,
}

#[derive(Clone)]
struct Books(Arc<Shelf>);

#[async_trait]
impl Source for Books {
    const NAME: &'static str = "books";
    type Key = u32;
    type Value = u64;

    async fn fetch(&self, _cx: &Context, _key: &u32) -> Result<u64, Error> {
        self.0.asked.fetch_add(1, Ordering::Relaxed);
        if let Some(passes) = &self.0.passes {
            passes.acquire().await.expect("it is open").forget();
        }
        if self.0.closed.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        if let Some(code) = *self.0.fails.lock() {
            return Err(Error::new(code, "as told").with_source("the cause"));
        }
        Ok(self.0.version.load(Ordering::Relaxed))
    }

    fn version(&self, value: &u64) -> u64 {
        *value
    }

    fn weigh(&self, _key: &u32, _value: &u64) -> usize {
        12
    }
}

struct World {
    shelf: Arc<Shelf>,
    books: Cache<Books>,
    tasks: Tasks,
}

fn world_with(shelf: Shelf) -> World {
    let env = Env {
        dice: Dice::seeded(1),
        ..Env::real()
    };
    let tasks = Tasks::new(&env);
    let setup = Setup {
        env,
        tasks: tasks.clone(),
        metrics: Metrics::new(),
        service: "library",
    };
    let shelf = Arc::new(shelf);
    World {
        books: Cache::new(&setup, Books(Arc::clone(&shelf)), Options::default()),
        shelf,
        tasks,
    }
}

fn world() -> World {
    world_with(Shelf::default())
}

impl World {
    async fn get(&self) -> Result<Found<u64>, Error> {
        self.books.get(&Context::background(), &1).await
    }

    fn fail(&self, code: Option<Code>) {
        *self.shelf.fails.lock() = code;
    }

    fn asked(&self) -> u64 {
        self.shelf.asked.load(Ordering::Relaxed)
    }
}

/// Lets what was begun in the background come to its end.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_who_miss_one_key_ask_the_source_once() {
    let world = world_with(Shelf {
        passes: Some(Semaphore::new(0)),
        ..Shelf::default()
    });
    let callers: Vec<_> = (0..10_000).map(|_| Box::pin(world.get())).collect();
    let all = futures(callers);
    let pass = async {
        settle().await;
        let passes = world.shelf.passes.as_ref();
        passes.expect("there are some").add_permits(10_000);
    };
    let (found, ()) = tokio::join!(all, pass);
    assert_eq!(found.len(), 10_000);
    assert!(found.iter().all(Result::is_ok));
    assert_eq!(world.asked(), 1);
    let report = world.books.report();
    assert_eq!((report.fetched, report.joined), (1, 9_999));
}

/// All of these, at once.
async fn futures<F: Future + Unpin>(mut all: Vec<F>) -> Vec<F::Output> {
    let mut done: Vec<Option<F::Output>> = all.iter().map(|_| None).collect();
    std::future::poll_fn(|cx| {
        let mut is_pending = false;
        for (future, done) in all.iter_mut().zip(&mut done) {
            if done.is_none() {
                match std::pin::Pin::new(future).poll(cx) {
                    std::task::Poll::Ready(output) => *done = Some(output),
                    std::task::Poll::Pending => is_pending = true,
                }
            }
        }
        match is_pending {
            true => std::task::Poll::Pending,
            false => std::task::Poll::Ready(()),
        }
    })
    .await;
    done.into_iter().flatten().collect()
}

#[tokio::test(start_paused = true)]
async fn those_who_leave_or_have_little_time_end_no_fetch_of_others() {
    let world = world_with(Shelf {
        passes: Some(Semaphore::new(0)),
        ..Shelf::default()
    });
    let hasty = Context::background().with_timeout(Duration::from_millis(10));
    let began = Instant::now();
    let late = world.books.get(&hasty, &1).await.unwrap_err();
    assert_eq!(late.code(), Code::DeadlineExceeded);
    assert_eq!(Instant::now() - began, Duration::from_millis(10));
    let pass = async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let passes = world.shelf.passes.as_ref();
        passes.expect("there are some").add_permits(1);
    };
    let (found, ()) = tokio::join!(world.get(), pass);
    assert_eq!(found.expect("it had the time").value, 0);
    assert_eq!(world.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_source_may_fail_for_a_day_and_nobody_waits_for_it() {
    let world = world();
    world.get().await.expect("it is there");
    world.fail(Some(Code::Unavailable));
    tokio::time::sleep(Duration::from_secs(60)).await;
    let found = world.get().await.expect("it is held");
    assert!(matches!(found.old, Some(Old::Refreshing)), "{found:?}");
    settle().await;
    let found = world.get().await.expect("it is held");
    let Some(Old::Failing(error)) = &found.old else {
        panic!("{found:?}");
    };
    assert_eq!(
        error.chain(),
        "UNAVAILABLE: as told",
        "the cause is the log's"
    );
    assert!(found.age >= Duration::from_secs(60));

    let asked = world.asked();
    for _ in 0..100 {
        world.get().await.expect("it is held");
    }
    assert_eq!(world.asked(), asked, "it is left alone");

    tokio::time::sleep(Duration::from_secs(24 * 3600)).await;
    assert_eq!(world.get().await.unwrap_err().code(), Code::Unavailable);
    world.fail(None);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(world.get().await.expect("it is back").old.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_change_is_seen_at_once_and_a_slow_source_costs_half_a_second() {
    let world = world();
    world.get().await.expect("it is there");
    world.shelf.version.store(1, Ordering::Relaxed);
    world.books.outdate(&1, None);
    let found = world.get().await.expect("it is there");
    assert_eq!((found.value, found.old.is_none()), (1, true));

    world.books.outdate(&1, None);
    world.shelf.closed.store(true, Ordering::Relaxed);
    let began = Instant::now();
    let found = world.get().await.expect("it is held");
    assert!(matches!(found.old, Some(Old::Slow)), "{found:?}");
    assert_eq!(Instant::now() - began, Duration::from_millis(500));
    let asked = world.asked();
    // Its deadline ends the fetch, which is one failure more.
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(world.asked(), asked);
    world.shelf.closed.store(false, Ordering::Relaxed);
    let found = world.get().await.expect("it is held");
    assert!(found.old.is_some());
    settle().await;
    assert!(world.get().await.expect("it is back").old.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_missing_one_is_asked_for_once_a_second() {
    let world = world();
    world.fail(Some(Code::NotFound));
    for _ in 0..10 {
        assert_eq!(world.get().await.unwrap_err().code(), Code::NotFound);
    }
    assert_eq!(world.asked(), 1);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(world.get().await.unwrap_err().code(), Code::NotFound);
    assert_eq!(world.asked(), 2);
    assert_eq!(world.books.report().failed, 11);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_never_answers_costs_each_who_asks_no_more_than_the_pause_allows() {
    let world = world();
    world.shelf.closed.store(true, Ordering::Relaxed);
    for _ in 0..3 {
        let late = world.get().await.unwrap_err();
        assert_eq!(late.code(), Code::DeadlineExceeded);
        tokio::time::sleep(Duration::from_millis(500)).await;
        let began = Instant::now();
        world.get().await.unwrap_err();
        assert_eq!(Instant::now(), began, "it failed just now");
        tokio::time::sleep(Duration::from_millis(600)).await;
    }
    assert_eq!(world.asked(), 3);
}

#[tokio::test(start_paused = true)]
async fn what_is_forgotten_serves_in_no_case() {
    let world = world();
    world.get().await.expect("it is there");
    world.fail(Some(Code::Unavailable));
    assert_eq!(world.books.forget(Some("7")), Forgot::Values(0));
    assert_eq!(world.books.forget(Some("seven")), Forgot::NoKey);
    assert_eq!(world.books.forget(Some("1")), Forgot::Values(1));
    assert_eq!(world.get().await.unwrap_err().code(), Code::Unavailable);
    let report = world.books.report();
    assert_eq!((report.values, report.bytes, report.forgotten), (0, 0, 1));
    assert_eq!((report.source_asked, report.source_failed), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_process_that_ends_fetches_nothing_more() {
    let world = world();
    world.get().await.expect("it is there");
    tokio::time::sleep(Duration::from_secs(60)).await;
    world.tasks.shutdown(Duration::ZERO).await;
    for _ in 0..2 {
        let found = world.get().await.expect("it is held");
        assert!(matches!(found.old, Some(Old::Refreshing)), "{found:?}");
    }
    let new = world.books.get(&Context::background(), &2).await;
    assert_eq!(new.unwrap_err().code(), Code::Unavailable);
    assert_eq!(world.asked(), 1);
}
