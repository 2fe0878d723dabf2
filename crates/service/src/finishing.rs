//! Work that comes to its end once it has begun, whoever still waits for it.
//!
//! A call is given up at its deadline, and its handler dropped: in the middle of what it does. What
//! must not stop half way runs in a task of its own. Whoever repeats the call under its idempotency
//! key meanwhile waits for the same work and gets its outcome. Later its outcome is where the work
//! put it: in the store, under the same key.
//!
//! ```
//! # use backlot_core::{Context, Env, Error};
//! # use backlot_service::{Finishing, Tasks};
//! # async fn charge(_cx: &Context) -> Result<u64, Error> { Ok(7) }
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let payments = Finishing::<u64>::new("payment", &Tasks::new(&Env::real()));
//! let cx = Context::background();
//! // In a handler: charges once, however often the call is repeated, and never half.
//! let receipt = payments.run(&cx, |cx| async move { charge(&cx).await }).await;
//! assert_eq!(receipt.unwrap(), 7);
//! # });
//! ```

use crate::tasks::Tasks;
use backlot_core::{Context, Error, Idempotency};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How long work may take unless it is said.
const LONGEST: Duration = Duration::from_secs(60);
/// So much may be under way at once.
const MOST: usize = 1000;
/// When somebody who finds it full may come again.
const LATER: Duration = Duration::from_millis(100);

/// Work of one kind, with what comes of it. Clones share it.
#[derive(Debug)]
pub struct Finishing<T>(Arc<Inner<T>>);

#[derive(Debug)]
struct Inner<T> {
    name: &'static str,
    tasks: Tasks,
    longest: Duration,
    under_way: Mutex<BTreeMap<Name, Running<T>>>,
    /// How much is under way.
    count: watch::Sender<usize>,
}

type Outcome<T> = Result<T, Arc<Error>>;

/// Whose work it is: of a principal, a method and a key; of nobody else where there is no key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Name {
    Of(String, &'static str, String),
    Own(u64),
}

#[derive(Debug)]
struct Running<T> {
    fingerprint: u64,
    outcome: watch::Receiver<Option<Outcome<T>>>,
}

impl<T> Clone for Finishing<T> {
    fn clone(&self) -> Self {
        Finishing(Arc::clone(&self.0))
    }
}

impl<T: Clone + Send + Sync + 'static> Finishing<T> {
    /// Work that is done in these tasks.
    #[must_use]
    pub fn new(name: &'static str, tasks: &Tasks) -> Self {
        Finishing(Arc::new(Inner {
            name,
            tasks: tasks.clone(),
            longest: LONGEST,
            under_way: Mutex::default(),
            count: watch::Sender::new(0),
        }))
    }

    /// Begins work, or finds it begun under the context's idempotency key, and waits for its outcome
    /// until the context's deadline. The work has a context of its own, with a minute, and comes to
    /// its end also when nobody waits any more.
    ///
    /// # Errors
    /// Those of the work. `DeadlineExceeded` when it was not done in time, and goes on.
    /// `FailedPrecondition` when the key came with another payload. `ResourceExhausted` when too
    /// much is under way. `Unavailable` when the work was cut off: it panicked, or the service ends.
    pub async fn run<W, F>(&self, cx: &Context, work: W) -> Result<T, Error>
    where
        W: FnOnce(Context) -> F,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let mut outcome = self.begin(cx, work)?;
        cx.deadline()
            .run(async {
                let done = outcome.wait_for(Option::is_some).await;
                let done = done.map_err(|_cut| {
                    Error::unavailable(format!("the {} was cut off", self.0.name))
                })?;
                match done.as_ref() {
                    Some(Ok(value)) => Ok(value.clone()),
                    Some(Err(error)) => Err(error.told().with_source(error.chain())),
                    None => Err(Error::internal("what was waited for is not there")),
                }
            })
            .await
    }

    /// Waits until nothing is under way.
    pub async fn idle(&self) {
        // The sender is held here.
        drop(self.0.count.subscribe().wait_for(|count| *count == 0).await);
    }

    fn begin<W, F>(
        &self,
        cx: &Context,
        work: W,
    ) -> Result<watch::Receiver<Option<Outcome<T>>>, Error>
    where
        W: FnOnce(Context) -> F,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let mut under_way = self.0.under_way.lock();
        let (name, fingerprint) = match cx.idempotency().map(Arc::as_ref) {
            Some(Idempotency {
                key,
                method,
                fingerprint,
            }) => {
                let subject = cx.principal().subject().unwrap_or_default();
                let name = Name::Of(subject.to_owned(), method, key.clone());
                (name, *fingerprint)
            }
            // Nobody can come for it again.
            None => (Name::Own(next_own(&under_way)), 0),
        };
        if let Some(running) = under_way.get(&name) {
            if running.fingerprint != fingerprint {
                return Err(Error::failed_precondition(
                    "the idempotency key was used for another request: use a new one",
                ));
            }
            return Ok(running.outcome.clone());
        }
        if under_way.len() >= MOST {
            let error = Error::resource_exhausted(format!(
                "{MOST} of the kind {:?} are under way already",
                self.0.name
            ));
            return Err(error.with_pushback(LATER));
        }
        let (done, outcome) = watch::channel(None);
        let running = Running {
            fingerprint,
            outcome: outcome.clone(),
        };
        under_way.insert(name.clone(), running);
        self.0.count.send_replace(under_way.len());
        drop(under_way);
        // However it ends, also when it is dropped before it began.
        let ended = Ended {
            inner: Arc::clone(&self.0),
            name,
        };
        let working = work(cx.clone().with_timeout(self.0.longest));
        self.0.tasks.spawn(self.0.name, async move {
            let outcome = working.await.map_err(Arc::new);
            // Whoever comes after it is gone from the list finds it where the work put it.
            done.send_replace(Some(outcome));
            drop(ended);
        });
        Ok(outcome)
    }
}

/// A number that nothing of its own has.
fn next_own<T>(under_way: &BTreeMap<Name, Running<T>>) -> u64 {
    match under_way.last_key_value() {
        Some((Name::Own(last), _)) => last + 1,
        _ => 0,
    }
}

struct Ended<T> {
    inner: Arc<Inner<T>>,
    name: Name,
}

impl<T> Drop for Ended<T> {
    fn drop(&mut self) {
        let mut under_way = self.inner.under_way.lock();
        under_way.remove(&self.name);
        self.inner.count.send_replace(under_way.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use backlot_core::{Code, Env};
    use std::sync::atomic::{AtomicU32, Ordering};
    use tokio::sync::Notify;

    const KEY: &str = "5bd3e7b2-6c6e-4a4e-9f0c-0d7f3c1a9e11";

    fn keyed(fingerprint: u64) -> Context {
        let key = Idempotency {
            fingerprint,
            ..Idempotency::parse(KEY).unwrap()
        };
        Context::background().with_idempotency(Some(Arc::new(key)))
    }

    /// Work that waits until it may end, and counts how often it did.
    #[derive(Clone, Default)]
    struct Slow {
        may_end: Arc<Notify>,
        done: Arc<AtomicU32>,
    }

    impl Slow {
        async fn work(self) -> Result<u32, Error> {
            self.may_end.notified().await;
            Ok(self.done.fetch_add(1, Ordering::SeqCst) + 1)
        }
    }

    fn finishing() -> Finishing<u32> {
        Finishing::new("test", &Tasks::new(&Env::real()))
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_given_up_comes_to_its_end_and_its_repetition_gets_that() {
        let (finishing, slow) = (finishing(), Slow::default());
        let short = keyed(1).with_timeout(Duration::from_millis(50));
        let first = finishing.run(&short, |_| slow.clone().work()).await;
        assert_eq!(first.unwrap_err().code(), Code::DeadlineExceeded);
        let long = keyed(1);
        let again = finishing.run(&long, |_| slow.clone().work());
        let (again, ()) = tokio::join!(again, async {
            tokio::task::yield_now().await;
            slow.may_end.notify_one();
        });
        assert_eq!(again.unwrap(), 1);
        finishing.idle().await;
        assert_eq!(slow.done.load(Ordering::SeqCst), 1, "done once");
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_is_for_one_payload() {
        let (finishing, slow) = (finishing(), Slow::default());
        let first = keyed(1);
        let running = finishing.run(&first, |_| slow.clone().work());
        let second = async {
            tokio::task::yield_now().await;
            let other = finishing.run(&keyed(2), |_| slow.clone().work()).await;
            slow.may_end.notify_one();
            other
        };
        let (first, second) = tokio::join!(running, second);
        assert_eq!(first.unwrap(), 1);
        assert_eq!(second.unwrap_err().code(), Code::FailedPrecondition);
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_key_each_is_its_own() {
        let (finishing, slow) = (finishing(), Slow::default());
        let cx = Context::background();
        let both = [(); 2].map(|()| finishing.run(&cx, |_| slow.clone().work()));
        let waking = async {
            for _ in 0..2 {
                tokio::task::yield_now().await;
                slow.may_end.notify_one();
            }
        };
        let (both, ()) = tokio::join!(futures_util::future::join_all(both), waking);
        let mut done: Vec<_> = both.into_iter().map(Result::unwrap).collect();
        done.sort_unstable();
        assert_eq!(done, [1, 2]);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_is_told_of_a_failure_and_of_work_that_was_cut_off() {
        let finishing = finishing();
        let cx = Context::background();
        let failed = finishing.run(&cx, |_| async { Err(Error::not_found("gone")) });
        assert_eq!(failed.await.unwrap_err().code(), Code::NotFound);
        let cut = finishing.run(&cx, |_| async { panic!("in the middle") });
        assert_eq!(cut.await.unwrap_err().code(), Code::Unavailable);
        finishing.idle().await;
    }

    #[tokio::test(start_paused = true)]
    async fn so_much_is_under_way_and_no_more() {
        let (finishing, slow) = (finishing(), Slow::default());
        let short = Context::background().with_timeout(Duration::from_millis(1));
        for _ in 0..MOST {
            finishing
                .run(&short, |_| slow.clone().work())
                .await
                .unwrap_err();
        }
        let full = finishing
            .run(&Context::background(), |_| slow.clone().work())
            .await;
        assert_eq!(full.unwrap_err().code(), Code::ResourceExhausted);
    }
}
