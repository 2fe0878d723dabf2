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
