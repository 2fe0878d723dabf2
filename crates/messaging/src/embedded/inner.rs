//! What everything of an engine shares: the store, what is known of it, and the ways to it.

use super::Options;
use super::group::Group;
use super::keeper::Alarm;
use super::part::Left;
use super::queue::Queue;
use super::repository::cursors::{self, Marks};
use super::repository::topics;
use super::topic::Topic;
use super::trials::Trials;
use crate::engine::{TopicSpec, check_name};
use crate::telemetry::{OfTopic, Publishing};
use crate::{Caps, Error};
use backlot_core::{BoxFuture, Clock, Context, Dice};
use backlot_service::{Metrics, Tasks};
use backlot_storage::{Store, StoreError, Tx};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::watch;

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) store: Store,
    pub(super) clock: Clock,
    pub(super) dice: Dice,
    pub(super) options: Options,
    pub(super) caps: Caps,
    pub(super) metrics: Metrics,
    pub(super) tasks: Tasks,
    pub(super) telemetry: Publishing,
    pub(super) queue: Queue,
    pub(super) topics: Mutex<BTreeMap<String, Arc<Topic>>>,
    pub(super) groups: Mutex<BTreeMap<(i64, String), Arc<Group>>>,
    pub(super) trials: Trials,
    /// Held by those who attach, and alone by those who remove a group.
    pub(super) membership: tokio::sync::RwLock<()>,
    /// For tests that show that the mistake would be noticed.
    #[cfg(feature = "testing")]
    pub(super) redrives_to_source: AtomicBool,
    pub(super) alarm: Alarm,
    /// Whether a write of unknown end may have made the log longer than is known here.
    pub(super) is_doubted: AtomicBool,
    pub(super) closed: watch::Sender<bool>,
    /// Tasks that run still.
    pub(super) running: watch::Sender<usize>,
}

impl Inner {
    /// Takes nothing new; what was taken is finished.
    pub(super) fn shut(&self) {
        self.queue.close();
        self.closed.send_replace(true);
    }

    /// The number of a log that begins now: above that of the one before, also when that was in
    /// another database, as far as the clock goes forward.
    pub(super) fn incarnation(&self, before: i64) -> i64 {
        // Of 63 bits, as databases count: milliseconds, and dice for those who begin at once.
        let millis = self.clock.wall().0.clamp(0, (1 << 43) - 1);
        let drawn = self.dice.below(1 << 20).cast_signed();
        (millis << 20 | drawn).max(before.saturating_add(1))
    }

    /// A context of our own.
    pub(super) fn cx(&self) -> Context {
        Context::system("broker").with_timeout(self.options.patience)
    }

    pub(super) fn read<T, E, F>(
        &self,
        work: F,
    ) -> impl Future<Output = Result<T, E>> + Send + use<T, E, F>
    where
        F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.store.read(&self.cx(), work)
    }

    pub(super) fn write<T, E, F>(
        &self,
        work: F,
    ) -> impl Future<Output = Result<T, E>> + Send + use<T, E, F>
    where
        F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.store.write(&self.cx(), work)
    }

    pub(super) fn topic(&self, name: &str) -> Result<Arc<Topic>, Error> {
        let topics = self.topics.lock();
        let found = topics.get(name).map(Arc::clone);
        found.ok_or_else(|| Error::UnknownTopic {
            topic: name.to_owned(),
        })
    }

    /// The topics known here, in order of their names.
    pub(super) fn all_topics(&self) -> Vec<Arc<Topic>> {
        self.topics.lock().values().map(Arc::clone).collect()
    }

    /// The group, if it has or had members in this process.
    pub(super) fn known_group(&self, topic: &Topic, name: &str) -> Option<Arc<Group>> {
        let groups = self.groups.lock();
        groups.get(&(topic.id, name.to_owned())).map(Arc::clone)
    }

    pub(super) fn add_topic(&self, stored: topics::Stored, ranges: &[topics::Range]) {
        let telemetry = OfTopic::new(&self.metrics, &stored.spec.name);
        let name = stored.spec.name.clone();
        let mut topics = self.topics.lock();
        topics
            .entry(name)
            .or_insert_with(|| Arc::new(Topic::new(stored, ranges, telemetry)));
    }

    /// Makes a topic, or gives one that is there what may change.
    pub(super) async fn ensure(&self, spec: &TopicSpec) -> Result<(), Error> {
        check_name("topic", &spec.name)?;
        if !(1..=1024).contains(&spec.partitions) {
            return Err(Error::Invalid {
                field: "partitions",
                value: spec.partitions.to_string(),
                cure: "take 1 to 1,024",
            });
        }
        let (wanted, now) = (spec.clone(), self.clock.wall());
        let incarnation = self.incarnation(0);
        let writing = self.write(move |tx| {
            let wanted = wanted.clone();
            Box::pin(async move {
                let stored = topics::ensure(tx, &wanted, incarnation, now).await?;
                let ranges = topics::ranges(tx, stored.id).await?;
                Ok::<_, StoreError>((stored, ranges))
            })
        });
        let (stored, ranges) = writing.await.map_err(Error::of_write)?;
        let has = stored.spec.partitions;
        if has == spec.partitions {
            self.add_topic(stored, &ranges);
            self.topic(&spec.name)?.set_spec(spec.clone());
            return Ok(());
        }
        self.add_topic(stored, &ranges);
        Err(Error::Partitions {
            topic: spec.name.clone(),
            has,
            wanted: spec.partitions,
        })
    }

    pub(super) async fn read_topics(&self) -> Result<(), Error> {
        let reading = self.read(|tx| {
            Box::pin(async move {
                let mut all = Vec::new();
                for stored in topics::all(tx).await? {
                    let ranges = topics::ranges(tx, stored.id).await?;
                    all.push((stored, ranges));
                }
                Ok::<_, StoreError>(all)
            })
        });
        for (stored, ranges) in reading.await.map_err(Error::of_read)? {
            self.add_topic(stored, &ranges);
        }
        Ok(())
    }

    /// Finishes what changes the store and then what is known of it here, also when its caller
    /// stops waiting in between.
    pub(super) async fn finish<T: Send + 'static>(
        &self,
        name: &'static str,
        work: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, Error> {
        let (reply, answer) = tokio::sync::oneshot::channel();
        self.tasks.spawn(name, async move {
            // Nobody may listen any more.
            drop(reply.send(work.await));
        });
        answer.await.unwrap_or(Err(Error::Closed))
    }

    /// A write of unknown end may have made the log longer: the keeper looks.
    pub(super) fn doubt(&self) {
        self.is_doubted.store(true, Ordering::SeqCst);
        self.alarm.ring();
    }

    /// Says that nothing died in these epochs: what was on trial is not what kills.
    pub(super) async fn say_left(&self, group: i64, parts: Vec<Left>) -> Result<(), Error> {
        if parts.is_empty() {
            return Ok(());
        }
        let writing = self.write(move |tx| {
            let parts = parts.clone();
            Box::pin(async move {
                for left in parts {
                    let Left {
                        part,
                        epoch,
                        marks,
                        start,
                    } = left;
                    let is_same = match marks == Marks::default() {
                        true => cursors::say_clean(tx, group, part, epoch).await?,
                        false => cursors::mark(tx, group, part, epoch, marks).await?,
                    };
                    if is_same && let Some((offset, starts)) = start {
                        cursors::restart(tx, group, part, offset, starts).await?;
                    }
                }
                Ok::<_, StoreError>(())
            })
        });
        writing.await.map_err(Error::of_write)
    }
}
