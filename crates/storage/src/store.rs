//! The store: reads, writes and writes done once, each one transaction.

use crate::backend::{Backend, Call, Job, Mode};
use crate::carried::Signals;
use crate::job::{Plain, Reply, reply};
use crate::once::{self, Claim, Once};
use crate::origin::{Setting, Speaker};
use crate::remote::{Over, Remote};
use crate::{Dialect, Migrations, StoreError, Tx, inbox, migrate, outbox};
use backlot_core::{BoxFuture, Clock, Context, Deadline, Dice, Idempotency};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::future::poll_fn;
use std::panic::Location;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::Poll;
use tokio::runtime::Handle;
use tokio::time::Sleep;

/// A database behind one seam. Clones share it; it is closed by [`close`](Store::close) or when
/// the last clone is dropped.
///
/// A closure runs inside one transaction and is repeatable: it is `Fn`, because a database may ask
/// for another attempt after a conflict. It awaits nothing but its `tx`, clones what it captures,
/// and leaves the rest to before or after.
///
/// # Panics
/// Calls that have to wait need tokio's timer: they panic in a runtime without one.
#[derive(Clone, Debug)]
pub struct Store {
    backend: Arc<dyn Backend>,
    clock: Clock,
    /// Whose events leave with its commits.
    speaker: Option<Speaker>,
    /// When old idempotency keys are removed next, in milliseconds.
    remove_at: Arc<AtomicI64>,
    /// When old ids of the inbox are removed next, however few came.
    tidy_at: Arc<AtomicI64>,
    /// What commits left.
    signals: Arc<Signals>,
}

impl Store {
    /// A store over this backend; `clock` dates idempotency keys and migrations.
    #[must_use]
    pub fn over(backend: Arc<dyn Backend>, clock: Clock) -> Self {
        Store {
            backend,
            clock,
            speaker: None,
            remove_at: Arc::default(),
            tidy_at: Arc::default(),
            signals: Arc::default(),
        }
    }

    /// A store over a database on the other side of a wire. Call [`migrate`](Store::migrate)
    /// before the first use.
    #[must_use]
    pub fn remote(remote: Arc<dyn Remote>, clock: Clock) -> Self {
        Store::over(Arc::new(Over::new(remote)), clock)
    }

    /// The same store, whose transactions name what they say: by `source`, with ids from `dice`.
    #[must_use]
    pub fn originating(mut self, source: &str, dice: Dice) -> Self {
        let source = source.into();
        self.speaker = Some(Speaker { source, dice });
        self
    }

    fn setting(&self, cx: &Context) -> Setting {
        Setting {
            clock: self.clock.clone(),
            speaker: self.speaker.clone(),
            trace: cx.trace(),
        }
    }

    /// Which SQL the database speaks.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.backend.dialect()
    }

    /// Runs `work` on one snapshot; it changes nothing and never waits for a write.
    ///
    /// # Errors
    /// What `work` returns; or a [`StoreError`]: [`Late`](StoreError::Late) and
    /// [`TimedOut`](StoreError::TimedOut) by the context's deadline, [`Full`](StoreError::Full)
    /// when too many wait, and what the database says.
    #[track_caller]
    pub fn read<T, E, F>(
        &self,
        cx: &Context,
        work: F,
    ) -> impl Future<Output = Result<T, E>> + Send + use<T, E, F>
    where
        F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.plain(Mode::Read, cx, Location::caller(), work)
    }

    /// Runs `work` in one transaction: committed when it returns `Ok`, rolled back when it returns
    /// `Err`, panics, or awaits anything but its transaction. The answer comes after the commit
    /// is durable. Whoever stops waiting does not undo a write that began.
    ///
    /// # Errors
    /// What `work` returns; or a [`StoreError`], which says for each kind whether the write can
    /// have happened.
    #[track_caller]
    pub fn write<T, E, F>(
        &self,
        cx: &Context,
        work: F,
    ) -> impl Future<Output = Result<T, E>> + Send + use<T, E, F>
    where
        F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let tidying = self.tidying(cx);
        let writing = self.plain(Mode::Write, cx, Location::caller(), work);
        async move {
            if let Some(tidying) = tidying {
                tidying.await;
            }
            writing.await
        }
    }

    /// Like [`write`](Store::write), but under a key: the second call of the same principal and
    /// method with the same key and payload does nothing and gets the first one's answer, which
    /// was stored in the same commit. A failed write leaves no trace of its key. Keys are kept for
    /// 24 hours. Without a key this is `write`.
    ///
    /// # Errors
    /// As `write`; and [`KeyReused`](StoreError::KeyReused) when the key came with another
    /// payload, [`Answer`](StoreError::Answer) when the answer cannot be stored as JSON or read
    /// back.
    #[track_caller]
    pub fn write_once<T, E, F>(
        &self,
        cx: &Context,
        key: Option<&Arc<Idempotency>>,
        work: F,
    ) -> impl Future<Output = Result<T, E>> + Send + use<T, E, F>
    where
        F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
        T: Serialize + DeserializeOwned + Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let claim = key.map(|key| Claim {
            subject: cx.principal().subject().unwrap_or_default().to_owned(),
            key: Arc::clone(key),
            clock: self.clock.clone(),
        });
        let removing = claim.as_ref().and_then(|_| self.removing(cx));
        let tidying = self.tidying(cx);
        let setting = self.setting(cx);
        let writing = self.run(Mode::Write, cx, Location::caller(), |reply| match claim {
            Some(claim) => Box::new(Once {
                work,
                reply,
                claim,
                setting,
            }) as Box<dyn Job>,
            None => Box::new(Plain {
                work,
                reply,
                setting,
            }),
        });
        async move {
            for old in removing.into_iter().chain(tidying) {
                old.await;
            }
            writing.await
        }
    }

    /// What [`write_once`](Store::write_once) answered under this key, if it did: so that work whose
    /// last step that is need not be done again.
    ///
    /// # Errors
    /// As [`read`](Store::read); and [`KeyReused`](StoreError::KeyReused),
    /// [`Answer`](StoreError::Answer) as `write_once`.
    #[track_caller]
    pub fn answered<T, E>(
        &self,
        cx: &Context,
        key: &Arc<Idempotency>,
    ) -> impl Future<Output = Result<Option<T>, E>> + Send + use<T, E>
    where
        T: DeserializeOwned + Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let claim = Arc::new(Claim {
            subject: cx.principal().subject().unwrap_or_default().to_owned(),
            key: Arc::clone(key),
            clock: self.clock.clone(),
        });
        let looking = self.plain(Mode::Read, cx, Location::caller(), {
            let claim = Arc::clone(&claim);
            move |tx| {
                let claim = Arc::clone(&claim);
                Box::pin(async move { claim.peek(tx).await })
            }
        });
        async move {
            let stored: Option<Vec<u8>> = looking.await?;
            let read = |stored: Vec<u8>| serde_json::from_slice(&stored);
            let answer = stored.map(read).transpose();
            answer.map_err(|error| E::from(claim.unfit(&error)))
        }
    }

    /// Removes keys that are too old, if it is time for that.
    fn removing(&self, cx: &Context) -> Option<BoxFuture<'static, ()>> {
        let now = self.clock.wall();
        let is_due = |next: i64| (now.0 >= next).then(|| now.plus(once::BETWEEN).0);
        let order = Ordering::Relaxed;
        let due = once::is_shared(self.dialect())
            && self.remove_at.fetch_update(order, order, is_due).is_ok();
        due.then(|| {
            let removed = self.plain(Mode::Write, cx, Location::caller(), move |tx| {
                Box::pin(once::remove_expired(tx, now))
            });
            let remove_at = Arc::clone(&self.remove_at);
            Box::pin(async move {
                match removed.await {
                    // There are more: the next write goes on, so that they go as fast as they come.
                    Ok(once::SLICE..) => remove_at.store(0, order),
                    Ok(_) => {}
                    Err(error) => {
                        // The next one removes them.
                        tracing::debug!(%error, "old idempotency keys were not removed");
                    }
                }
            }) as BoxFuture<'static, ()>
        })
    }

    /// Removes ids of the inbox that are too old, if enough others came or it is time for that.
    fn tidying(&self, cx: &Context) -> Option<BoxFuture<'static, ()>> {
        let order = Ordering::Relaxed;
        let entered = self.signals.entered.load(order);
        if entered == 0 || !once::is_shared(self.dialect()) {
            return None;
        }
        let now = self.clock.wall();
        if entered < inbox::BETWEEN && now.0 < self.tidy_at.load(order) {
            return None;
        }
        // Whoever sets it back does the work.
        let mine = self
            .signals
            .entered
            .compare_exchange(entered, 0, order, order);
        mine.is_ok().then(|| {
            self.tidy_at.store(now.plus(once::BETWEEN).0, order);
            let removed = self.plain(Mode::Write, cx, Location::caller(), move |tx| {
                Box::pin(inbox::remove_expired(tx, now))
            });
            Box::pin(async move {
                if let Err(error) = removed.await {
                    // The next one removes them.
                    tracing::debug!(%error, "old ids of the inbox were not removed");
                }
            }) as BoxFuture<'static, ()>
        })
    }

    /// The messages that wait to be sent, as a relay sees them; [`outbox`] says how.
    #[must_use]
    pub fn outbox(&self) -> outbox::Queue {
        outbox::Queue::of(self)
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    pub(crate) fn signals(&self) -> &Signals {
        &self.signals
    }

    /// Brings the schema up to date: ours, then the service's. Each migration has a transaction
    /// of its own; on MySQL, which commits at every change of a schema, each statement has, and one
    /// that was interrupted goes on where it stood. `sqlite::open` and its like have done so already.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when the database is newer than this program, its history differs,
    /// or a migration fails; and what the database says.
    pub async fn migrate(&self, cx: &Context, migrations: Migrations) -> Result<(), StoreError> {
        // Programs that start at once on one database wait for each other here.
        let _lock = match until(cx.deadline(), self.backend.lock_schema(cx.deadline())).await {
            Some(locked) => locked?,
            None => return Err(StoreError::TimedOut { mode: Mode::Write }),
        };
        self.write(cx, |tx| Box::pin(migrate::prepare(tx))).await?;
        for (space, migrations) in migrate::spaces(migrations) {
            migrate::check(migrations)?;
            let clock = self.clock.clone();
            while self
                .write(cx, {
                    let clock = clock.clone();
                    move |tx| Box::pin(migrate::step(tx, space, migrations, clock.wall()))
                })
                .await?
            {}
        }
        Ok(())
    }

    /// Finishes what was accepted, refuses the rest, writes everything into its place and lets go
    /// of the database.
    ///
    /// # Errors
    /// What the database says; it is closed all the same.
    pub async fn close(&self) -> Result<(), StoreError> {
        self.backend.close().await
    }

    fn plain<T, E, F>(
        &self,
        mode: Mode,
        cx: &Context,
        site: &'static Location<'static>,
        work: F,
    ) -> impl Future<Output = Result<T, E>> + Send + use<T, E, F>
    where
        F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let setting = self.setting(cx);
        self.run(mode, cx, site, |reply| {
            Box::new(Plain {
                work,
                reply,
                setting,
            })
        })
    }

    fn run<T, E, J>(
        &self,
        mode: Mode,
        cx: &Context,
        site: &'static Location<'static>,
        job: J,
    ) -> impl Future<Output = Result<T, E>> + Send + use<T, E, J>
    where
        J: FnOnce(Reply<T, E>) -> Box<dyn Job> + Send,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let backend = Arc::clone(&self.backend);
        let signals = Arc::clone(&self.signals);
        let call = Call {
            mode,
            deadline: cx.deadline(),
            site,
        };
        async move {
            let (reply, answer) = reply(signals);
            let job = job(reply);
            if call.deadline.has_passed() {
                return Err(call.late().into());
            }
            let working = async {
                backend.run(call, job).await;
                answer.await
            };
            match until(call.deadline, working).await {
                Some(Ok(Ok(result))) => result,
                Some(Ok(Err(error))) => Err(error.into()),
                Some(Err(_dropped)) => Err(call.lost().into()),
                None => Err(call.timed_out().into()),
            }
        }
    }
}

/// What `work` gives before the deadline. What is there at once costs no timer; and outside a
/// runtime (a call made on a store's own thread, by a closure that must not) there is none.
async fn until<T>(deadline: Deadline, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    let mut timer = pin!(None::<Sleep>);
    poll_fn(|cx| {
        if let Poll::Ready(done) = work.as_mut().poll(cx) {
            return Poll::Ready(Some(done));
        }
        if timer.is_none() && Handle::try_current().is_ok() {
            timer.set(Some(tokio::time::sleep_until(deadline.instant())));
        }
        match timer.as_mut().as_pin_mut() {
            Some(timer) => timer.poll(cx).map(|()| None),
            None => Poll::Pending,
        }
    })
    .await
}
