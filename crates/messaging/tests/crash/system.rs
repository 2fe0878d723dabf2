//! An engine, a store of a service, and everything between them.

use crate::journal::Journal;
use crate::traffic::{DEAD, IN, OUT, TALLY, WORK};
use crate::{publisher, tally, worker};
use backlot_core::{Context, Env};
use backlot_messaging::caps::Durability;
use backlot_messaging::embedded::{self, Embedded};
use backlot_messaging::engine::{Engine, Input, Outgoing, Source, Subscription, TopicSpec};
use backlot_messaging::{Error, Record};
use backlot_service::{Metrics, Tasks};
use backlot_storage::outbox::{Batch, Forward, Options, Relay};
use backlot_storage::{Migration, Migrations, Sql, Store, StoreError, params, sql, sqlite};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;

const MIGRATIONS: Migrations = &[Migration::new(
    1,
    "effects",
    "CREATE TABLE effect (id INTEGER PRIMARY KEY, grp TEXT NOT NULL, msg TEXT NOT NULL) STRICT;",
)];
pub(crate) const EFFECT: Sql = sql!("INSERT INTO effect (grp, msg) VALUES (?, ?)");
const EFFECTS: Sql = sql!("SELECT grp, msg FROM effect ORDER BY id");
const TIMERS: Sql = sql!("SELECT COUNT(*) FROM timer");

/// The topics with their partitions.
pub(crate) const TOPICS: [(&str, u32); 3] = [(IN, 3), (OUT, 2), (DEAD, 1)];
/// How many messages of a partition are out at once: after a kill so many come one by one.
const IN_FLIGHT: u32 = 16;
/// The size of the write-ahead log, in pages, from which it is moved: small, so that it is moved
/// often.
pub(crate) const LOG_PAGES: u32 = 40;
/// How many messages publishers may be ahead of the worker, which is slower.
const AHEAD: usize = 16;
/// How long draining may go on without coming further.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a child does wrong on purpose, for the checker to find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Break {
    /// The publisher says that a message is kept before it is.
    AcknowledgeEarly,
    /// The worker does not look into its inbox.
    SkipInbox,
    /// The worker settles a batch before all of it is done.
    SettlePastHole,
}

impl Break {
    pub(crate) const ALL: [(&'static str, Break); 3] = [
        ("early", Break::AcknowledgeEarly),
        ("inbox", Break::SkipInbox),
        ("hole", Break::SettlePastHole),
    ];
}

/// Everything a part of the system works with.
#[derive(Clone, Debug)]
pub(crate) struct Parts {
    pub(crate) engine: Embedded,
    /// The engine's own store, to look into.
    pub(crate) log: Store,
    pub(crate) state: Store,
    pub(crate) env: Env,
    pub(crate) journal: Journal,
    pub(crate) broken: Option<Break>,
    /// How far publishers may be ahead of the worker.
    pub(crate) ahead: Arc<Semaphore>,
}

pub(crate) fn cx() -> Context {
    Context::background().with_timeout(Duration::from_secs(30))
}

fn store(
    path: &Path,
    log_pages: u32,
    migrations: Migrations,
    env: &Env,
) -> Result<Store, StoreError> {
    let options = sqlite::Options {
        readers: 1,
        log_pages,
        ..sqlite::Options::default()
    };
    sqlite::open(path, options, migrations, env.clock.clone())
}

impl Parts {
    pub(crate) async fn open(
        folder: &Path,
        log_pages: u32,
        journal: Journal,
        broken: Option<Break>,
    ) -> Result<Self, Error> {
        let env = Env::real();
        let failed = |source| Error::Failed { source };
        let log = store(
            &folder.join("broker.db"),
            log_pages,
            embedded::MIGRATIONS,
            &env,
        )
        .map_err(failed)?;
        let state = store(&folder.join("state.db"), log_pages, MIGRATIONS, &env).map_err(failed)?;
        let metrics = Metrics::new();
        let tasks = Tasks::with_metrics(&env, &metrics);
        let options = embedded::Options::default();
        let engine = Embedded::over(
            log.clone(),
            Durability::Disk,
            options,
            &env,
            &tasks,
            &metrics,
        );
        let engine = engine.await?;
        for (topic, partitions) in TOPICS {
            let spec = TopicSpec::new(topic, partitions);
            // A disk that is full now may have space later.
            let mut made = engine.ensure(&cx(), &spec).await;
            for _ in 0..3 {
                if made.is_ok() {
                    break;
                }
                made = engine.ensure(&cx(), &spec).await;
            }
            made?;
        }
        Ok(Parts {
            engine,
            log,
            state,
            env,
            journal,
            broken,
            ahead: Arc::new(Semaphore::new(AHEAD)),
        })
    }

    /// Lets go of the files.
    pub(crate) async fn close(self) {
        // What fails here has failed before, and was said.
        drop(self.engine.close().await);
        drop(self.state.close().await);
    }

    pub(crate) async fn source(&self, topic: &str, group: &str) -> Result<Box<dyn Source>, Error> {
        let subscription = Subscription {
            in_flight: IN_FLIGHT,
            ..Subscription::new(topic, group)
        };
        self.engine.attach(&cx(), &subscription).await
    }

    /// The parts that go on until they are dropped: the two groups, and the relay.
    fn consume(&self, running: &mut JoinSet<()>) {
        running.spawn(worker::work(self.clone()));
        running.spawn(tally::tally(self.clone()));
        let parts = self.clone();
        running.spawn(async move {
            let options = Options {
                poll: Duration::from_millis(20),
                backoff: backlot_core::backoff::Backoff {
                    base: Duration::from_millis(2),
                    cap: Duration::from_millis(50),
                },
                ..Options::default()
            };
            let (state, dice) = (parts.state.clone(), parts.env.dice.clone());
            let relay = Relay::new(&state, Carry(parts), "relay", dice, options);
            relay.run(std::future::pending()).await;
        });
    }

    /// Publishes so many messages by each publisher while everything else runs, and then finishes
    /// what is there.
    pub(crate) async fn run(&self, run: u64, count: u64) -> Result<(), String> {
        let mut running = JoinSet::new();
        self.consume(&mut running);
        let mut publishing = JoinSet::new();
        for publisher in 0..publisher::PUBLISHERS {
            publishing.spawn(publisher::publish(self.clone(), run, publisher, count));
        }
        while let Some(ended) = publishing.join_next().await {
            ended.map_err(|error| error.to_string())?;
        }
        self.finish(running).await
    }

    /// Finishes what is there, and says what was found.
    pub(crate) async fn drain(&self) -> Result<(), String> {
        let mut running = JoinSet::new();
        self.consume(&mut running);
        self.finish(running).await?;
        self.audit().await
    }

    async fn finish(&self, mut running: JoinSet<()>) -> Result<(), String> {
        // A thousand kills leave more to be done than a hundred: what counts is that it goes on.
        let (mut least, mut until) = (u64::MAX, Instant::now() + PATIENCE);
        let (left, is_finished) = loop {
            let left = self.left().await;
            match &left {
                Ok(0) => break (left, true),
                Ok(some) if *some < least => (least, until) = (*some, Instant::now() + PATIENCE),
                _ if Instant::now() >= until => break (left, false),
                _ => {}
            }
            tokio::time::sleep(Duration::from_millis(8)).await;
        };
        running.shutdown().await;
        let mut reports = Vec::new();
        for (topic, group) in [(IN, WORK), (OUT, TALLY)] {
            let report = self.engine.inspect(&cx(), topic, Some(group)).await;
            reports.push(report.map(|report| report.groups));
        }
        match is_finished {
            true => Ok(()),
            false => Err(format!("it does not come to an end: {left:?} {reports:#?}")),
        }
    }

    /// How much is still to be done.
    async fn left(&self) -> Result<u64, Error> {
        let of_store = |source| Error::Failed { source };
        let timers = self.log.read(&cx(), |tx| {
            Box::pin(async move { tx.query_one(TIMERS, params![]).await?.get::<u64>(0) })
        });
        let mut left = timers.await.map_err(of_store)?;
        let waiting = self.state.outbox().depth(&cx()).await;
        left += waiting.map_err(of_store)?.waiting;
        for (topic, group) in [(IN, WORK), (OUT, TALLY)] {
            let report = self.engine.inspect(&cx(), topic, Some(group)).await?;
            let parts = report.groups.iter().flat_map(|group| &group.partitions);
            left += parts.map(|part| part.lag).sum::<u64>();
        }
        Ok(left)
    }

    /// Says everything that is in the log and in the effects.
    pub(crate) async fn audit(&self) -> Result<(), String> {
        self.read_log().await.map_err(|error| {
            let error = backlot_core::error::chain(&error);
            format!("the log cannot be read: {error}")
        })?;
        let effects: Result<Vec<(String, String)>, StoreError> = self
            .state
            .read(&cx(), |tx| {
                Box::pin(async move {
                    let rows = tx.query(EFFECTS, params![]).await?;
                    rows.iter()
                        .map(|row| Ok((row.get(0)?, row.get(1)?)))
                        .collect()
                })
            })
            .await;
        for (group, message) in effects.map_err(|error| error.to_string())? {
            self.journal.line(&format!("effect {group} {message}"));
        }
        Ok(())
    }

    /// Says what a new group gets.
    pub(crate) async fn read_log(&self) -> Result<(), Error> {
        let group = format!("audit-{}", self.env.clock.wall().0);
        for (topic, _) in TOPICS {
            let report = self.engine.inspect(&cx(), topic, None).await?;
            let count = report.partitions.iter().map(|part| part.head - part.start);
            let mut left: u64 = count.sum();
            let mut source = self.source(topic, &group).await?;
            while left > 0 {
                match source.next(100).await? {
                    Input::Deliveries(deliveries) => {
                        for delivery in &deliveries {
                            let (at, id) = (delivery.token, &delivery.record.id);
                            if !crate::traffic::is_right(delivery) {
                                self.journal
                                    .line(&format!("wrong {topic} {at:?} is not {id}"));
                            }
                            self.journal.line(&match topic {
                                DEAD => format!("dead {WORK} {id}"),
                                _ => format!("stored {topic} {} {} {id}", at.partition, at.offset),
                            });
                        }
                        left = left.saturating_sub(deliveries.len() as u64);
                        let done = deliveries.iter();
                        let done = done.map(|delivery| {
                            (delivery.token, backlot_messaging::engine::Settle::Done)
                        });
                        source.settle(done.collect()).await?;
                    }
                    Input::Skipped {
                        partition,
                        first,
                        end,
                        cause,
                    } => {
                        left = left.saturating_sub(end - first);
                        let line =
                            format!("skip audit {topic} {partition} {first} {end} {cause:?}");
                        self.journal.line(&line);
                    }
                    Input::Assigned(_) | Input::Revoked { .. } => {}
                }
            }
            source.close().await?;
        }
        Ok(())
    }
}

/// Carries messages of the outbox into the log.
struct Carry(Parts);

impl Forward for Carry {
    async fn forward(&self, cx: &Context, batch: Batch) -> Result<(), backlot_core::Error> {
        let outgoing = batch.messages.into_iter().map(|message| {
            let key = message.key.unwrap_or_else(|| "-".to_owned());
            let record: Record = crate::traffic::record(&message.id, &key);
            Outgoing::new(message.topic, record).deduplicated()
        });
        self.0.engine.append(cx, outgoing.collect()).await?;
        self.0.journal.step("confirm");
        Ok(())
    }
}
