//! What an engine counts. Topics and groups are few; partitions are at most 1,024 of each.

use backlot_service::telemetry::{
    Count, Counter, Distribution, Gauge, Histogram, LATENCY_BOUNDS, Level, Metrics,
};

/// Messages stored, by topic.
pub const PUBLISHED: Counter<1> = Counter::new(
    "backlot_messaging_published_total",
    "messages stored, by topic",
    ["topic"],
);
/// Messages that were duplicates of one published lately, by topic.
pub const DUPLICATES: Counter<1> = Counter::new(
    "backlot_messaging_duplicates_total",
    "messages not stored because their id was published lately, by topic",
    ["topic"],
);
/// Messages delivered, again or for the first time, by topic and group.
pub const DELIVERED: Counter<2> = Counter::new(
    "backlot_messaging_delivered_total",
    "deliveries, by topic and group",
    ["topic", "group"],
);
/// Messages settled, by topic, group and outcome: `done`, `retry`, `later`,
/// `failed` (and still out), `dead`, `stale`.
pub const SETTLED: Counter<3> = Counter::new(
    "backlot_messaging_settled_total",
    "messages settled, by topic, group and outcome",
    ["topic", "group", "outcome"],
);
/// Messages a group will never get, by topic, group and cause: `retention`, `damaged`.
pub const SKIPPED: Counter<3> = Counter::new(
    "backlot_messaging_skipped_total",
    "messages that a group never gets, by topic, group and cause",
    ["topic", "group", "cause"],
);
/// Partitions that changed hands, by topic, group and cause: `assigned`, `rebalance`, `expired`,
/// `moved`.
pub const REBALANCES: Counter<3> = Counter::new(
    "backlot_messaging_rebalances_total",
    "partitions that were given or taken, by topic, group and cause",
    ["topic", "group", "cause"],
);
/// Batches put aside because they were damaged, by topic.
pub const QUARANTINED: Counter<1> = Counter::new(
    "backlot_messaging_quarantined_total",
    "damaged batches put aside, by topic",
    ["topic"],
);
/// Messages of one commit.
pub const COMMIT_MESSAGES: Histogram<0> = Histogram::new(
    "backlot_messaging_commit_messages",
    "messages that one commit stored",
    [],
    &[1.0, 2.0, 4.0, 16.0, 64.0, 256.0, 1024.0, 4096.0, 16384.0],
);
/// Time from the begin of a commit to its answer, in seconds.
pub const COMMIT_DURATION: Histogram<0> = Histogram::new(
    "backlot_messaging_commit_duration_seconds",
    "time from the begin of a commit of messages to its answer",
    [],
    LATENCY_BOUNDS,
);
/// Messages waiting to be stored.
pub const QUEUED: Gauge<0> = Gauge::new(
    "backlot_messaging_queued_messages",
    "messages waiting to be stored",
    [],
);
/// Messages a topic holds, by topic: of dead letters, how many there are.
pub const STORED: Gauge<1> = Gauge::new(
    "backlot_messaging_stored_messages",
    "messages that a topic holds, by topic",
    ["topic"],
);
/// Messages that are not settled, by topic, group and partition.
pub const LAG: Gauge<3> = Gauge::new(
    "backlot_messaging_lag_messages",
    "messages that are not settled, by topic, group and partition",
    ["topic", "group", "partition"],
);
/// Age of the oldest message that is not settled, by topic, group and partition: how far the group
/// is behind in time.
pub const OLDEST: Gauge<3> = Gauge::new(
    "backlot_messaging_oldest_unsettled_seconds",
    "age of the oldest message that is not settled, by topic, group and partition",
    ["topic", "group", "partition"],
);
/// Messages that failed and come again, or whose delivery is counted, by topic and group.
pub const RETRYING: Gauge<2> = Gauge::new(
    "backlot_messaging_retrying_messages",
    "messages that come again, by topic and group",
    ["topic", "group"],
);

/// Dead letters that wait, by topic they came from, group and class.
pub const DEAD: Gauge<3> = Gauge::new(
    "backlot_messaging_dead_letters",
    "dead letters that wait, by topic, group and class",
    ["topic", "group", "class"],
);
/// Dead letters sent again, by topic they came from and group.
pub const REDRIVEN: Counter<2> = Counter::new(
    "backlot_messaging_redriven_total",
    "dead letters sent again, by topic and group",
    ["topic", "group"],
);
/// Dead letters removed by people, by topic they came from and group.
pub const PURGED: Counter<2> = Counter::new(
    "backlot_messaging_purged_total",
    "dead letters removed by people, by topic and group",
    ["topic", "group"],
);
/// Leases by topic, group and what became of them: `given` when they begin, then `done`, `failed`,
/// `returned`, `rejected`, `expired` or `exhausted` (with the last attempt); `extended` and `late`
/// (an answer after the end) besides.
pub const LEASES: Counter<3> = Counter::new(
    "backlot_messaging_leases_total",
    "leases of queues, by topic, group and what became of them",
    ["topic", "group", "outcome"],
);
/// Messages that are with workers, by topic and group.
pub const LEASED: Gauge<2> = Gauge::new(
    "backlot_messaging_leased_messages",
    "messages that are with workers, by topic and group",
    ["topic", "group"],
);
/// Workers that wait for messages, by topic and group.
pub const WAITING: Gauge<2> = Gauge::new(
    "backlot_messaging_waiting_workers",
    "workers that wait for messages, by topic and group",
    ["topic", "group"],
);

/// What groups that are no longer than their members are counted as, all together.
pub(crate) const EPHEMERAL: &str = "ephemeral";

/// Messages that followers were told of, by topic, name of the follower and outcome: `told`,
/// `undecodable`.
pub const FOLLOWED: Counter<3> = Counter::new(
    "backlot_messaging_followed_total",
    "messages that followers were told of, by topic, follower and outcome",
    ["topic", "follower", "outcome"],
);
/// Messages in the outbox of a store.
pub const OUTBOX_WAITING: Gauge<0> = Gauge::new(
    "backlot_messaging_outbox_messages",
    "messages that wait in the outbox, at most",
    [],
);
/// Age of the oldest message in the outbox, in seconds.
pub const OUTBOX_OLDEST: Gauge<0> = Gauge::new(
    "backlot_messaging_outbox_oldest_seconds",
    "age of the oldest message that waits in the outbox",
    [],
);
/// Messages that the relay of an outbox has sent.
pub const OUTBOX_SENT: Counter<0> = Counter::new(
    "backlot_messaging_outbox_sent_total",
    "messages of the outbox that were sent",
    [],
);
/// Whether this instance's relay is the one that sends.
pub const OUTBOX_LEADING: Gauge<0> = Gauge::new(
    "backlot_messaging_outbox_leading",
    "1 while this instance's relay is the one that sends",
    [],
);
/// Attempts in a row in which the relay could not send.
pub const OUTBOX_FAILURES: Gauge<0> = Gauge::new(
    "backlot_messaging_outbox_failures",
    "attempts in a row in which the relay could not send",
    [],
);

/// What the way in counts.
#[derive(Debug)]
pub(crate) struct Publishing {
    pub(crate) commit_messages: Distribution,
    pub(crate) commit_duration: Distribution,
    pub(crate) queued: Level,
}

impl Publishing {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        Publishing {
            commit_messages: metrics.histogram(&COMMIT_MESSAGES, []),
            commit_duration: metrics.histogram(&COMMIT_DURATION, []),
            queued: metrics.gauge(&QUEUED, []),
        }
    }
}

/// What a topic counts.
#[derive(Debug)]
pub(crate) struct OfTopic {
    pub(crate) published: Count,
    pub(crate) duplicates: Count,
    pub(crate) quarantined: Count,
    pub(crate) stored: Level,
}

impl OfTopic {
    pub(crate) fn new(metrics: &Metrics, topic: &str) -> Self {
        OfTopic {
            published: metrics.counter(&PUBLISHED, [topic]),
            duplicates: metrics.counter(&DUPLICATES, [topic]),
            quarantined: metrics.counter(&QUARANTINED, [topic]),
            stored: metrics.gauge(&STORED, [topic]),
        }
    }
}

/// What a group counts.
#[derive(Debug)]
pub(crate) struct OfGroup {
    pub(crate) delivered: Count,
    pub(crate) done: Count,
    pub(crate) retry: Count,
    pub(crate) later: Count,
    pub(crate) failed: Count,
    pub(crate) dead: Count,
    pub(crate) stale: Count,
    pub(crate) retention: Count,
    pub(crate) damaged: Count,
    pub(crate) assigned: Count,
    pub(crate) rebalance: Count,
    pub(crate) expired: Count,
    pub(crate) moved: Count,
}

impl OfGroup {
    pub(crate) fn new(metrics: &Metrics, topic: &str, group: &str) -> Self {
        let settled = |outcome| metrics.counter(&SETTLED, [topic, group, outcome]);
        let skipped = |cause| metrics.counter(&SKIPPED, [topic, group, cause]);
        let rebalances = |cause| metrics.counter(&REBALANCES, [topic, group, cause]);
        OfGroup {
            delivered: metrics.counter(&DELIVERED, [topic, group]),
            done: settled("done"),
            retry: settled("retry"),
            later: settled("later"),
            failed: settled("failed"),
            dead: settled("dead"),
            stale: settled("stale"),
            retention: skipped("retention"),
            damaged: skipped("damaged"),
            assigned: rebalances("assigned"),
            rebalance: rebalances("rebalance"),
            expired: rebalances("expired"),
            moved: rebalances("moved"),
        }
    }
}

/// Messages handled, by topic, group and outcome: `done`, `before` (its effect was made already),
/// `failed`, `later`, `away` (the store cannot serve).
pub const HANDLED: Counter<3> = Counter::new(
    "backlot_messaging_handled_total",
    "messages handled, by topic, group and outcome",
    ["topic", "group", "outcome"],
);
/// Attempts that failed, by topic, group and class.
pub const FAILED_ATTEMPTS: Counter<3> = Counter::new(
    "backlot_messaging_failed_attempts_total",
    "attempts at messages that failed, by topic, group and class",
    ["topic", "group", "class"],
);
/// Messages that went to the dead letters, by topic, group and class.
pub const GIVEN_UP: Counter<3> = Counter::new(
    "backlot_messaging_dead_total",
    "messages that were given up, by topic, group and class",
    ["topic", "group", "class"],
);
/// Settled messages that were not a consumer's any more, by topic and group.
pub const STALE: Counter<2> = Counter::new(
    "backlot_messaging_stale_total",
    "messages that were handled and had gone to another member, by topic and group",
    ["topic", "group"],
);
/// How long a message or a batch took, in seconds, by topic and group.
pub const HANDLER_DURATION: Histogram<2> = Histogram::new(
    "backlot_messaging_handler_duration_seconds",
    "how long a message or a batch of them took, by topic and group",
    ["topic", "group"],
    LATENCY_BOUNDS,
);
/// Messages or batches that are being handled, by topic and group.
pub const HANDLING: Gauge<2> = Gauge::new(
    "backlot_messaging_handling",
    "messages or batches that are being handled, by topic and group",
    ["topic", "group"],
);
/// Keys, or partitions, that wait for another attempt at their first message, by topic and group.
pub const HELD_KEYS: Gauge<2> = Gauge::new(
    "backlot_messaging_held_keys",
    "keys that wait for another attempt at a message, by topic and group",
    ["topic", "group"],
);
/// Messages that wait for another of their key, by topic and group.
pub const HELD_MESSAGES: Gauge<2> = Gauge::new(
    "backlot_messaging_held_messages",
    "messages that wait for another of their key, by topic and group",
    ["topic", "group"],
);

/// What a consumer counts.
#[derive(Debug)]
pub(crate) struct OfConsumer {
    metrics: Metrics,
    topic: String,
    group: String,
    pub(crate) done: Count,
    pub(crate) before: Count,
    failed: Count,
    later: Count,
    away: Count,
    pub(crate) stale: Count,
    pub(crate) duration: Distribution,
    running: Level,
    held: Level,
    waiting: Level,
}

impl OfConsumer {
    pub(crate) fn new(metrics: &Metrics, topic: &str, group: &str) -> Self {
        let handled = |outcome| metrics.counter(&HANDLED, [topic, group, outcome]);
        OfConsumer {
            done: handled("done"),
            before: handled("before"),
            failed: handled("failed"),
            later: handled("later"),
            away: handled("away"),
            stale: metrics.counter(&STALE, [topic, group]),
            duration: metrics.histogram(&HANDLER_DURATION, [topic, group]),
            running: metrics.gauge(&HANDLING, [topic, group]),
            held: metrics.gauge(&HELD_KEYS, [topic, group]),
            waiting: metrics.gauge(&HELD_MESSAGES, [topic, group]),
            metrics: metrics.clone(),
            topic: topic.to_owned(),
            group: group.to_owned(),
        }
    }

    /// An attempt failed: of this class, unless it used none up.
    pub(crate) fn failed(&self, class: &str) {
        self.failed.inc();
        let labels = [&*self.topic, &*self.group, class];
        self.metrics.counter(&FAILED_ATTEMPTS, labels).inc();
    }

    pub(crate) fn later(&self) {
        self.later.inc();
    }

    pub(crate) fn away(&self) {
        self.away.inc();
    }

    pub(crate) fn dead(&self, class: &str) {
        let labels = [&*self.topic, &*self.group, class];
        self.metrics.counter(&GIVEN_UP, labels).inc();
    }

    /// How many run, how many keys are held, how many messages wait for them.
    pub(crate) fn depth(&self, running: usize, held: usize, waiting: usize) {
        self.running.set(level(running));
        self.held.set(level(held));
        self.waiting.set(level(waiting));
    }
}

fn level(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
