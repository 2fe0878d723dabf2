//! The tables of a log. Whoever looks with `sqlite3` finds everything but the records' own bytes.

use backlot_storage::{Migration, Migrations};

/// The schema of a store that holds a log, and nothing else.
pub const MIGRATIONS: Migrations = &[LOG, DEAD, TRIALS];

const LOG: Migration = Migration::new(
    1,
    "log",
    "CREATE TABLE topic (
         id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, partitions INTEGER NOT NULL,
         retention_ms INTEGER, retention_bytes INTEGER, dedupe_ms INTEGER NOT NULL,
         incarnation INTEGER NOT NULL, created INTEGER NOT NULL) STRICT;
     CREATE TABLE part (
         topic INTEGER NOT NULL, part INTEGER NOT NULL, first INTEGER NOT NULL, head INTEGER NOT NULL,
         bytes INTEGER NOT NULL, last_at INTEGER NOT NULL,
         PRIMARY KEY (topic, part)) STRICT, WITHOUT ROWID;
     CREATE TABLE batch (
         id INTEGER PRIMARY KEY, topic INTEGER NOT NULL, part INTEGER NOT NULL, base INTEGER NOT NULL,
         cnt INTEGER NOT NULL, at INTEGER NOT NULL, size INTEGER NOT NULL, crc INTEGER NOT NULL,
         data BLOB NOT NULL) STRICT;
     CREATE UNIQUE INDEX batch_base ON batch (topic, part, base);
     CREATE TABLE grp (
         id INTEGER PRIMARY KEY, topic INTEGER NOT NULL, name TEXT NOT NULL, paused INTEGER NOT NULL,
         created INTEGER NOT NULL, UNIQUE (topic, name)) STRICT;
     CREATE TABLE cursor (
         grp INTEGER NOT NULL, part INTEGER NOT NULL, acked INTEGER NOT NULL, ahead BLOB NOT NULL,
         ahead_cnt INTEGER NOT NULL, epoch INTEGER NOT NULL, owner TEXT NOT NULL, clean INTEGER NOT NULL,
         span INTEGER NOT NULL, incarnation INTEGER NOT NULL,
         PRIMARY KEY (grp, part)) STRICT, WITHOUT ROWID;
     CREATE TABLE pending (
         grp INTEGER NOT NULL, part INTEGER NOT NULL, off INTEGER NOT NULL, starts INTEGER NOT NULL,
         attempts INTEGER NOT NULL, not_before INTEGER NOT NULL, failures TEXT NOT NULL,
         PRIMARY KEY (grp, part, off)) STRICT, WITHOUT ROWID;
     CREATE TABLE timer (
         id INTEGER PRIMARY KEY, due INTEGER NOT NULL, topic INTEGER NOT NULL, part INTEGER NOT NULL,
         size INTEGER NOT NULL, crc INTEGER NOT NULL, data BLOB NOT NULL) STRICT;
     CREATE INDEX timer_due ON timer (due, id);
     CREATE TABLE seen (
         topic INTEGER NOT NULL, msg TEXT NOT NULL, until INTEGER NOT NULL,
         PRIMARY KEY (topic, msg)) STRICT, WITHOUT ROWID;
     CREATE INDEX seen_until ON seen (until);
     CREATE TABLE quarantine (
         id INTEGER PRIMARY KEY, topic INTEGER NOT NULL, part INTEGER NOT NULL, base INTEGER NOT NULL,
         cnt INTEGER NOT NULL, at INTEGER NOT NULL, crc INTEGER NOT NULL, data BLOB NOT NULL,
         found_at INTEGER NOT NULL) STRICT;
     CREATE INDEX quarantine_base ON quarantine (topic, part, base);",
);

/// Dead letters, and groups that are no longer than their members. Counts are kept by triggers, in
/// the commits that change them.
const DEAD: Migration = Migration::new(
    2,
    "dead letters",
    "CREATE TABLE dead_group (
         id INTEGER PRIMARY KEY, queue INTEGER NOT NULL, topic TEXT NOT NULL, grp TEXT NOT NULL,
         UNIQUE (queue, topic, grp)) STRICT;
     CREATE TABLE dead (
         id INTEGER PRIMARY KEY, queue INTEGER NOT NULL, part INTEGER NOT NULL, off INTEGER NOT NULL,
         grp INTEGER NOT NULL, class TEXT NOT NULL, msg_key TEXT, msg TEXT NOT NULL, kind TEXT NOT NULL,
         at INTEGER NOT NULL, status INTEGER NOT NULL, redrives INTEGER NOT NULL, edits INTEGER NOT NULL,
         error TEXT NOT NULL, redriven_at INTEGER) STRICT;
     CREATE UNIQUE INDEX dead_place ON dead (queue, part, off);
     CREATE INDEX dead_time ON dead (grp, status, at);
     CREATE INDEX dead_class ON dead (grp, status, class, at);
     CREATE INDEX dead_key ON dead (grp, status, msg_key, at) WHERE msg_key IS NOT NULL;
     CREATE TABLE dead_count (
         grp INTEGER NOT NULL, status INTEGER NOT NULL, class TEXT NOT NULL, cnt INTEGER NOT NULL,
         PRIMARY KEY (grp, status, class)) STRICT, WITHOUT ROWID;
     CREATE TABLE dead_edit (
         letter INTEGER NOT NULL, edit INTEGER NOT NULL, at INTEGER NOT NULL, by TEXT NOT NULL,
         payload BLOB NOT NULL, PRIMARY KEY (letter, edit)) STRICT;
     CREATE TRIGGER dead_in AFTER INSERT ON dead BEGIN
         INSERT INTO dead_count (grp, status, class, cnt) VALUES (new.grp, new.status, new.class, 1)
             ON CONFLICT (grp, status, class) DO UPDATE SET cnt = cnt + 1;
     END;
     CREATE TRIGGER dead_out AFTER DELETE ON dead BEGIN
         UPDATE dead_count SET cnt = cnt - 1 WHERE grp = old.grp AND status = old.status AND class = old.class;
         DELETE FROM dead_edit WHERE letter = old.id;
     END;
     CREATE TRIGGER dead_moved AFTER UPDATE OF status ON dead WHEN new.status <> old.status BEGIN
         UPDATE dead_count SET cnt = cnt - 1 WHERE grp = old.grp AND status = old.status AND class = old.class;
         INSERT INTO dead_count (grp, status, class, cnt) VALUES (new.grp, new.status, new.class, 1)
             ON CONFLICT (grp, status, class) DO UPDATE SET cnt = cnt + 1;
     END;
     ALTER TABLE grp ADD COLUMN ephemeral INTEGER NOT NULL DEFAULT 0;
     ALTER TABLE grp ADD COLUMN lease_ms INTEGER NOT NULL DEFAULT 0;
     ALTER TABLE grp ADD COLUMN alive_at INTEGER NOT NULL DEFAULT 0;
     CREATE INDEX grp_ephemeral ON grp (id) WHERE ephemeral = 1;",
);

/// What may be what killed a process: below `suspects`, and below `trial` when it was on trial. 0
/// where nothing is said.
const TRIALS: Migration = Migration::new(
    3,
    "trials",
    "ALTER TABLE cursor ADD COLUMN suspects INTEGER NOT NULL DEFAULT 0;
     ALTER TABLE cursor ADD COLUMN trial INTEGER NOT NULL DEFAULT 0;",
);
