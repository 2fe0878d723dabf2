//! The tables of a log. Whoever looks with `sqlite3` finds everything but the records' own bytes.

use backlot_storage::{Migration, Migrations};

/// The schema of a store that holds a log, and nothing else.
pub const MIGRATIONS: Migrations = &[Migration::new(
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
)];
