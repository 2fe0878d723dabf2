//! The embedded engine: a durable log in one SQLite database, owned by one process.
//!
//! Whatever is published waits in a bounded queue; one task takes what waits and commits it, so
//! that many callers share one sync of the disk. Readers are woken after the commit. What a group
//! has settled lies in the same database. An open log is one process's own.
//!
//! | state | where |
//! |---|---|
//! | messages, in batches with a checksum | `batch`; damaged ones in `quarantine` |
//! | where a group stands | `cursor`: everything below one offset, and runs beyond; what may have killed a process |
//! | messages that failed, or that were alone when their process died | `pending` |
//! | what is published later; ids published lately | `timer`, `seen` |
//! | dead letters: of each a row beside its message; what people made of it | `dead`, `dead_edit` |
//!
//! It logs, at `error`: messages that could not be stored, damaged batches and bookmarks (a group
//! whose bookmark is damaged begins anew, so that nothing is passed over); at `warn`: members and
//! messages whose lease ended, and messages that were passed over. Its metrics are in
//! [`telemetry`](crate::telemetry).

mod append;
mod codec;
mod dead;
mod ephemeral;
mod group;
mod inner;
mod keeper;
mod moving;
mod part;
mod publisher;
mod queue;
mod report;
mod repository;
mod schema;
mod source;
mod tail;
mod topic;
mod trials;

pub use schema::MIGRATIONS;

use crate::caps::Durability;
use crate::dead::DeadLetters;
use crate::engine::{
    Engine, Outgoing, Receipt, Report, Seek, Source, Subscription, TopicReport, TopicSpec,
    check_name,
};
use crate::telemetry::{EPHEMERAL, OfGroup, Publishing};
use crate::{Caps, Error};
use append::Item;
use async_trait::async_trait;
use backlot_core::{Context, Env};
use backlot_service::{Metrics, Tasks};
use backlot_storage::{Dialect, Store, StoreError, sqlite};
use group::Group;
use inner::Inner;
use keeper::Alarm;
use parking_lot::Mutex;
use queue::{CALL_BYTES, COMMIT_MESSAGES, Queue};
use repository::{cursors, ephemeral as stored_ephemeral};
use source::Member;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use tokio::sync::watch;
use trials::Trials;

/// How the log is kept. The defaults suit every system we know.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many messages may wait to be published; one larger than a KiB counts as several.
    /// Default: 65,536.
    pub queue: u32,
    /// How often old messages and ids are removed and the state of groups is measured. Default:
    /// 5 s.
    pub tend: Duration,
    /// The longest that the store may take. Default: 30 s.
    pub patience: Duration,
    /// How long dead letters are kept, and those sent again, of topics that say nothing else.
    /// Default: 30 days.
    pub letters: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            queue: 65_536,
            tend: Duration::from_secs(5),
            patience: Duration::from_secs(30),
            letters: Duration::from_secs(30 * 24 * 3600),
        }
    }
}

/// A durable log in one database. Clones share it; it ends with [`close`](Engine::close), or with
/// the last clone.
#[derive(Clone, Debug)]
pub struct Embedded(Arc<Handle>);

#[derive(Debug)]
struct Handle(Arc<Inner>);

const CAPS: Caps = Caps {
    name: "embedded",
    durability: Durability::Disk,
    order: true,
    single_acks: true,
    retry_at: true,
    delay: true,
    dedupe: true,
    atomic_dead: true,
    seek_offset: true,
    seek_time: true,
    starts: true,
};

impl Embedded {
    /// A log in this file, which is made if it is not there. This waits for the disk; it is for
    /// the start of a program.
    ///
    /// # Errors
    /// [`Error::Failed`] with the store's refusal.
    pub async fn file(
        path: impl AsRef<Path>,
        options: Options,
        env: &Env,
        tasks: &Tasks,
        metrics: &Metrics,
    ) -> Result<Self, Error> {
        let store = sqlite::open(
            path,
            sqlite::Options::default(),
            MIGRATIONS,
            env.clock.clone(),
        );
        let store = store.map_err(|source| Error::Failed { source })?;
        Embedded::over(store, Durability::Disk, options, env, tasks, metrics).await
    }

    /// An empty log in memory: for tests, and wherever time is simulated.
    ///
    /// # Errors
    /// [`Error::Failed`] with the store's refusal.
    pub async fn memory(
        options: Options,
        env: &Env,
        tasks: &Tasks,
        metrics: &Metrics,
    ) -> Result<Self, Error> {
        let store = sqlite::memory(MIGRATIONS, env.clock.clone());
        let store = store.map_err(|source| Error::Failed { source })?;
        Embedded::over(store, Durability::Memory, options, env, tasks, metrics).await
    }

    /// A log in a store that has [`MIGRATIONS`] and nobody else: as durable as it is said to be.
    ///
    /// # Errors
    /// [`Error::Lacking`] for a store that is not SQLite; what the store says.
    pub async fn over(
        store: Store,
        durability: Durability,
        options: Options,
        env: &Env,
        tasks: &Tasks,
        metrics: &Metrics,
    ) -> Result<Self, Error> {
        if store.dialect() != Dialect::Sqlite {
            return Err(Error::Lacking {
                engine: CAPS.name,
                promise: "a log in this database".to_owned(),
                cure: "give it a SQLite store of its own",
            });
        }
        let inner = Arc::new(Inner {
            store,
            clock: env.clock.clone(),
            dice: env.dice.branch("broker"),
            caps: Caps { durability, ..CAPS },
            metrics: metrics.clone(),
            tasks: tasks.clone(),
            telemetry: Publishing::new(metrics),
            queue: Queue::new(options.queue),
            options,
            topics: Mutex::default(),
            groups: Mutex::default(),
            trials: Trials::default(),
            membership: tokio::sync::RwLock::default(),
            #[cfg(feature = "testing")]
            redrives_to_source: AtomicBool::new(false),
            alarm: Alarm::default(),
            is_doubted: AtomicBool::new(false),
            closed: watch::Sender::new(false),
            running: watch::Sender::new(2),
        });
        inner.read_topics().await?;
        let publishing = publisher::run(Arc::clone(&inner));
        tasks.spawn("broker-publisher", counted(Arc::clone(&inner), publishing));
        let keeping = keeper::run(Arc::clone(&inner));
        tasks.spawn("broker-keeper", counted(Arc::clone(&inner), keeping));
        Ok(Embedded(Arc::new(Handle(inner))))
    }

    /// Removes what is too old or too much, and measures, now instead of when it is time.
    ///
    /// # Errors
    /// What the store says.
    pub async fn tend(&self) -> Result<(), Error> {
        keeper::tend(&self.0.0).await
    }

    /// Empties a topic: the log begins anew at offset 0, and every group with it, in one commit.
    ///
    /// # Errors
    /// [`Error::UnknownTopic`]; what the store says.
    pub async fn purge(&self, topic: &str) -> Result<(), Error> {
        let (inner, topic) = (Arc::clone(&self.0.0), topic.to_owned());
        let purging = async move { moving::purge(&inner, &topic).await };
        self.0.0.finish("broker-purge", purging).await
    }

    /// From now on dead letters are sent again to the topic they came from, where every other
    /// group gets them a second time: for a test that shows that this would be noticed.
    #[cfg(feature = "testing")]
    pub fn sabotage_redrives(&self) {
        let switch = &self.0.0.redrives_to_source;
        switch.store(true, std::sync::atomic::Ordering::SeqCst);
    }

    async fn publish(
        &self,
        cx: &Context,
        outgoing: Vec<Outgoing>,
        may_wait: bool,
    ) -> Result<Vec<Receipt>, Error> {
        let inner = &self.0.0;
        if outgoing.is_empty() {
            return Ok(Vec::new());
        }
        let count = outgoing.len();
        let mut last = None;
        let mut items = Vec::with_capacity(count);
        for outgoing in outgoing {
            // Most go where the one before went.
            let topic = match last.take() {
                Some((name, topic)) if Arc::ptr_eq(&name, &outgoing.topic) => topic,
                _ => inner.topic(&outgoing.topic)?,
            };
            last = Some((Arc::clone(&outgoing.topic), Arc::clone(&topic)));
            items.push(Item::new(topic, outgoing)?);
        }
        let bytes = items.iter().map(Item::size).sum();
        if count > COMMIT_MESSAGES || bytes > CALL_BYTES {
            return Err(Error::TooMany {
                count,
                bytes,
                most: COMMIT_MESSAGES,
                most_bytes: CALL_BYTES,
            });
        }
        inner.queue.call(items, cx.deadline(), may_wait).await
    }
}

/// Says when a task has ended, however it did, also when it never ran.
fn counted(inner: Arc<Inner>, task: impl Future<Output = ()>) -> impl Future<Output = ()> {
    struct Ended(Arc<Inner>);
    impl Drop for Ended {
        fn drop(&mut self) {
            self.0.running.send_modify(|running| *running -= 1);
        }
    }
    let ended = Ended(inner);
    async move {
        let _ended = ended;
        task.await;
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.shut();
    }
}

#[async_trait]
impl Engine for Embedded {
    fn caps(&self) -> Caps {
        self.0.0.caps
    }

    async fn ensure(&self, _cx: &Context, spec: &TopicSpec) -> Result<(), Error> {
        self.0.0.ensure(spec).await
    }

    async fn append(&self, cx: &Context, outgoing: Vec<Outgoing>) -> Result<Vec<Receipt>, Error> {
        self.publish(cx, outgoing, true).await
    }

    async fn try_append(
        &self,
        cx: &Context,
        outgoing: Vec<Outgoing>,
    ) -> Result<Vec<Receipt>, Error> {
        self.publish(cx, outgoing, false).await
    }

    async fn attach(
        &self,
        _cx: &Context,
        subscription: &Subscription,
    ) -> Result<Box<dyn Source>, Error> {
        let inner = &self.0.0;
        inner.caps.check(&subscription.needs)?;
        check_name("group", &subscription.group)?;
        if *inner.closed.borrow() {
            return Err(Error::Closed);
        }
        let _nobody_forgets = inner.membership.read().await;
        let topic = inner.topic(&subscription.topic)?;
        let name = subscription.group.clone();
        let (begin, now) = (subscription.from, inner.clock.wall());
        let place = (topic.id, topic.settings().incarnation);
        let lease = subscription.ephemeral.then_some(subscription.lease);
        let writing = inner.write({
            let name = name.clone();
            move |tx| {
                let name = name.clone();
                Box::pin(async move {
                    let stored = cursors::ensure(tx, place, &name, begin, now, lease).await?;
                    if let Some(lease) = lease.filter(|_| stored.is_ephemeral) {
                        stored_ephemeral::attached(tx, stored.id, lease, now).await?;
                    }
                    Ok::<_, StoreError>(stored)
                })
            }
        });
        let stored = writing.await.map_err(Error::of_write)?;
        if stored.is_ephemeral != subscription.ephemeral {
            return Err(Error::Invalid {
                field: "ephemeral",
                value: subscription.ephemeral.to_string(),
                cure: "a group stays what its first member made it: ask for the same, or take another name",
            });
        }
        let group = {
            let mut groups = inner.groups.lock();
            let new = || {
                // They come and go: each would leave its numbers behind for ever.
                let label = if stored.is_ephemeral {
                    EPHEMERAL
                } else {
                    &name
                };
                let telemetry = OfGroup::new(&inner.metrics, &topic.name, label);
                Arc::new(Group::new(stored, Arc::clone(&topic), telemetry))
            };
            Arc::clone(groups.entry((topic.id, name.clone())).or_insert_with(new))
        };
        let member = Member::join(Arc::clone(inner), group, subscription.clone());
        Ok(Box::new(member))
    }

    async fn inspect(
        &self,
        _cx: &Context,
        topic: &str,
        group: Option<&str>,
    ) -> Result<Report, Error> {
        report::inspect(&self.0.0, topic, group).await
    }

    async fn seek(&self, _cx: &Context, topic: &str, group: &str, to: Seek) -> Result<(), Error> {
        let inner = Arc::clone(&self.0.0);
        let (topic, group) = (topic.to_owned(), group.to_owned());
        let seeking = async move { moving::seek(&inner, &topic, &group, to).await };
        self.0.0.finish("broker-seek", seeking).await
    }

    async fn pause(
        &self,
        _cx: &Context,
        topic: &str,
        group: &str,
        paused: bool,
    ) -> Result<(), Error> {
        let inner = Arc::clone(&self.0.0);
        let (topic, group) = (topic.to_owned(), group.to_owned());
        let pausing = async move { moving::pause(&inner, &topic, &group, paused).await };
        self.0.0.finish("broker-pause", pausing).await
    }

    async fn topics(&self, _cx: &Context) -> Result<Vec<TopicReport>, Error> {
        report::topics(&self.0.0).await
    }

    async fn forget(&self, _cx: &Context, topic: &str, group: &str) -> Result<(), Error> {
        let inner = Arc::clone(&self.0.0);
        let (topic, group) = (topic.to_owned(), group.to_owned());
        let forgetting = async move { ephemeral::forget(&inner, &topic, &group).await };
        self.0.0.finish("broker-forget", forgetting).await
    }

    fn dead_letters(&self) -> Option<Arc<dyn DeadLetters>> {
        Some(Arc::new(dead::Index(Arc::clone(&self.0.0))))
    }

    async fn close(&self) -> Result<(), Error> {
        let inner = &self.0.0;
        inner.shut();
        // They end when what was accepted is stored; the store gives each of its commits a limit.
        let mut running = inner.running.subscribe();
        let ended = running.wait_for(|running| *running == 0);
        if tokio::time::timeout(inner.options.patience, ended)
            .await
            .is_err()
        {
            tracing::error!("what was accepted could not be finished in time");
        }
        let groups: Vec<Arc<Group>> = inner.groups.lock().values().map(Arc::clone).collect();
        let mut failed = Ok(());
        for group in groups {
            let said = inner.say_left(group.id, group.disperse()).await;
            if said.is_err() && !matches!(said, Err(Error::Closed)) {
                failed = said;
            }
        }
        inner.store.close().await.map_err(Error::of_write)?;
        failed
    }
}
