//! Hands out messages of an engine's groups.

use super::handing::Handing;
use super::pool::{Heard, Pool, Refusal, Side};
use super::telemetry::OfQueue;
use super::{Answer, Ask, Lease, Leased, MAX_LEASE, QueueReport, Queues, check_lease};
use crate::Error;
use crate::consume::letter;
use crate::consume::run::Run;
use crate::consume::{Consumer, Group, Order, Setup};
use crate::engine::check_name;
use async_trait::async_trait;
use backlot_core::Context;
use backlot_core::env::Phase;
use backlot_service::Tasks;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long messages of a partition that goes to another member of the group may be answered for.
const DRAIN: Duration = Duration::from_secs(30);
/// How long a message may go on failing: its attempts are counted, whatever they take.
const AGE: Duration = Duration::from_secs(10 * 365 * 24 * 3600);
/// How many deaths of the broker's process, with a message alone, are laid to the message: its worker may
/// be in the same process.
const STARTS: u32 = 8;

/// What a desk may hold.
#[derive(Clone, Debug)]
pub struct Options {
    /// The most queues that are in use at a time. Default: 1,024.
    pub queues: usize,
    /// The most messages of a queue that are out or at hand, up to 32,768. Default: 1,024.
    pub out: u32,
    /// The most workers that wait for one queue. Default: 1,024.
    pub waiting: usize,
    /// How long a queue that nobody uses is kept at hand. Default: a minute.
    pub idle: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            queues: 1024,
            out: 1024,
            waiting: 1024,
            idle: Duration::from_secs(60),
        }
    }
}

/// Hands out messages of an engine's groups to workers: above any engine, and beside others of its
/// kind in other processes, as far as the engine shares its partitions among members. Cheap to
/// clone.
#[derive(Clone)]
pub struct Desk(Arc<Inner>);

struct Inner {
    setup: Setup,
    options: Options,
    tasks: Tasks,
    table: Mutex<Table>,
}

/// The queues in use.
#[derive(Default)]
struct Table {
    last: u64,
    by_name: BTreeMap<(String, String), Arc<Queue>>,
    by_number: BTreeMap<u64, Arc<Queue>>,
}

struct Queue {
    number: u64,
    name: (String, String),
    pool: Arc<Pool>,
}

impl Desk {
    /// A desk for the engine of `setup`. Its queues are tasks of `tasks`, and end when the shutdown
    /// of the environment drains.
    #[must_use]
    pub fn new(setup: &Setup, options: Options, tasks: &Tasks) -> Self {
        Desk(Arc::new(Inner {
            setup: setup.clone(),
            options,
            tasks: tasks.clone(),
            table: Mutex::default(),
        }))
    }

    /// The queue of a group, opened when it is not.
    async fn queue(&self, cx: &Context, ask: &Ask) -> Result<Arc<Queue>, Error> {
        let name = (ask.topic.clone(), ask.group.clone());
        let known = || {
            let table = self.0.table.lock();
            let known = table.by_name.get(&name).cloned();
            known.filter(|queue| !queue.pool.is_closed())
        };
        if let Some(queue) = known() {
            return Ok(queue);
        }
        // Whoever attaches later answers nobody: what cannot be is found out now.
        let engine = &self.0.setup.engine;
        let partitions = match engine.inspect(cx, &ask.topic, Some(&ask.group)).await {
            Ok(report) => report.partitions.len(),
            Err(Error::UnknownGroup { .. }) => {
                let report = engine.inspect(cx, &ask.topic, None).await?;
                check_name("group", &ask.group)?;
                // Its other topics have both names in theirs.
                check_name("topic and group", &letter::retry(&ask.topic, &ask.group))?;
                report.partitions.len()
            }
            Err(error) => return Err(error),
        };
        let group = Group::new(&ask.group)
            .order(Order::None)
            .attempts(u32::MAX)
            .drain(DRAIN)
            .give_up_after(AGE)
            .starts(STARTS)
            .prompt()
            .concurrency(self.0.options.out as usize)
            .in_flight(self.0.options.out);
        let mut table = self.0.table.lock();
        if let Some(queue) = table.by_name.get(&name)
            && !queue.pool.is_closed()
        {
            return Ok(Arc::clone(queue));
        }
        if table.by_number.len() >= self.0.options.queues {
            return Err(Error::Crowded {
                what: "queues in use",
                most: self.0.options.queues,
            });
        }
        table.last += 1;
        let number = table.last;
        let pool = Arc::new(Pool::new(
            number,
            (&ask.topic, &ask.group),
            self.0.options.waiting,
            (
                self.0.setup.env.clock.clone(),
                self.0.setup.env.dice.split(),
            ),
            OfQueue::new(&self.0.setup.metrics, &ask.topic, &ask.group),
        ));
        let runs = [Side::Topic, Side::Again].map(|side| {
            let pool = Arc::clone(&pool);
            Arc::new(Handing { side, pool }) as Arc<dyn Run>
        });
        let partitions = u32::try_from(partitions).unwrap_or(1);
        let consumer = Consumer::new(&self.0.setup, &group, (&ask.topic, partitions), runs)?;
        let queue = Arc::new(Queue { number, name, pool });
        table.by_name.insert(queue.name.clone(), Arc::clone(&queue));
        table.by_number.insert(number, Arc::clone(&queue));
        drop(table);
        self.0.tasks.spawn(
            "queue",
            run(Arc::clone(&self.0), Arc::clone(&queue), consumer),
        );
        Ok(queue)
    }
}

/// Serves a queue to its end.
async fn run(inner: Arc<Inner>, queue: Arc<Queue>, consumer: Consumer) {
    /// Takes it out of the table, however it ended.
    struct Listed(Arc<Inner>, Arc<Queue>);
    impl Drop for Listed {
        fn drop(&mut self) {
            let Listed(inner, queue) = self;
            queue.pool.end();
            let mut table = inner.table.lock();
            table.by_number.remove(&queue.number);
            let named = table.by_name.get(&queue.name);
            if named.is_some_and(|named| Arc::ptr_eq(named, queue)) {
                table.by_name.remove(&queue.name);
            }
        }
    }
    let listed = Listed(Arc::clone(&inner), Arc::clone(&queue));
    let shutdown = inner.setup.env.shutdown.clone();
    consumer
        .run(async {
            tokio::select! {
                () = queue.pool.tend(inner.options.idle) => {}
                () = shutdown.reached(Phase::Draining) => queue.pool.close(),
            }
        })
        .await;
    drop(listed);
}

#[async_trait]
impl Queues for Desk {
    async fn pull(&self, cx: &Context, ask: &Ask) -> Result<Vec<Leased>, Error> {
        ask.check()?;
        let end = (Instant::now() + ask.wait.min(MAX_LEASE)).min(cx.deadline().instant());
        loop {
            let queue = self.queue(cx, ask).await?;
            match queue.pool.wait(ask) {
                Ok(place) => return Ok(place.until(end).await),
                // It was not used for long, and another takes its place.
                Err(Refusal::Closed) if self.0.setup.env.shutdown.phase() < Phase::Draining => {}
                Err(Refusal::Closed) => return Err(Error::Closed),
                Err(Refusal::Crowded(most)) => {
                    return Err(Error::Crowded {
                        what: "workers that wait for this queue",
                        most,
                    });
                }
            }
        }
    }

    async fn answer(
        &self,
        cx: &Context,
        answers: Vec<(Lease, Answer)>,
    ) -> Result<Vec<Lease>, Error> {
        for (_, answer) in &answers {
            if let Answer::Extend(by) = answer {
                check_lease("extend", *by)?;
            }
        }
        let (mut over, mut telling) = (Vec::new(), Vec::new());
        for (lease, answer) in answers {
            let heard = lease.number().and_then(|(number, nonce)| {
                let queue = self.0.table.lock().by_number.get(&number).cloned()?;
                Some(queue.pool.answer(nonce, &answer))
            });
            match heard {
                Some(Heard::Noted) => {}
                Some(Heard::Telling(told)) => telling.push((lease, told)),
                Some(Heard::Over) | None => over.push(lease),
            }
        }
        let telling = async {
            for (lease, told) in telling {
                match told.await {
                    Ok(true) => {}
                    Ok(false) => over.push(lease),
                    Err(_dropped) => return Err(Error::Unknown { source: None }),
                }
            }
            Ok(over)
        };
        match tokio::time::timeout_at(cx.deadline().instant(), telling).await {
            Ok(told) => told,
            Err(_elapsed) => Err(Error::Unknown { source: None }),
        }
    }

    async fn queues(&self, _cx: &Context) -> Result<Vec<QueueReport>, Error> {
        let queues: Vec<_> = self.0.table.lock().by_name.values().cloned().collect();
        Ok(queues.iter().map(|queue| queue.pool.report()).collect())
    }
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk")
            .field("engine", &self.0.setup.engine)
            .field("options", &self.0.options)
            .finish_non_exhaustive()
    }
}
