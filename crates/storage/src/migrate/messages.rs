//! The tables of outbox, inbox and positions.

use super::Migration;

pub(super) const MESSAGES: Migration = Migration::new(
    2,
    "messages",
    // A number is never given twice, though the rows go: AUTOINCREMENT.
    "CREATE TABLE backlot_outbox (
         id INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL, message_id TEXT NOT NULL, message_key TEXT,
         at INTEGER NOT NULL, size INTEGER NOT NULL, payload BLOB NOT NULL) STRICT;
     CREATE TABLE backlot_lease (
         name TEXT PRIMARY KEY, owner TEXT NOT NULL, fence INTEGER NOT NULL, held_until INTEGER NOT NULL) STRICT;
     INSERT INTO backlot_lease (name, owner, fence, held_until) VALUES ('outbox', '', 0, 0);
     CREATE TABLE backlot_inbox (
         consumer TEXT NOT NULL, message_id TEXT NOT NULL, expires INTEGER NOT NULL,
         PRIMARY KEY (consumer, message_id)) STRICT, WITHOUT ROWID;
     CREATE INDEX backlot_inbox_expires ON backlot_inbox (expires);
     CREATE TABLE backlot_position (
         consumer TEXT NOT NULL, topic TEXT NOT NULL, part INTEGER NOT NULL, log INTEGER NOT NULL,
         next_offset INTEGER NOT NULL, at INTEGER NOT NULL,
         PRIMARY KEY (consumer, topic, part)) STRICT, WITHOUT ROWID;",
)
.mysql(
    "CREATE TABLE backlot_outbox (
         id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, topic VARCHAR(255) NOT NULL, message_id VARCHAR(255) NOT NULL,
         message_key VARCHAR(512), at BIGINT NOT NULL, size BIGINT NOT NULL, payload LONGBLOB NOT NULL);
     CREATE TABLE backlot_lease (
         name VARCHAR(64) NOT NULL PRIMARY KEY, owner VARCHAR(255) NOT NULL, fence BIGINT NOT NULL,
         held_until BIGINT NOT NULL);
     INSERT INTO backlot_lease (name, owner, fence, held_until) VALUES ('outbox', '', 0, 0);
     CREATE TABLE backlot_inbox (
         consumer VARCHAR(128) NOT NULL, message_id VARCHAR(255) NOT NULL, expires BIGINT NOT NULL,
         PRIMARY KEY (consumer, message_id), INDEX (expires));
     CREATE TABLE backlot_position (
         consumer VARCHAR(128) NOT NULL, topic VARCHAR(255) NOT NULL, part BIGINT NOT NULL, log BIGINT NOT NULL,
         next_offset BIGINT NOT NULL, at BIGINT NOT NULL, PRIMARY KEY (consumer, topic, part));",
)
.postgres(
    "CREATE TABLE backlot_outbox (
         id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, topic TEXT COLLATE \"C\" NOT NULL,
         message_id TEXT COLLATE \"C\" NOT NULL, message_key TEXT COLLATE \"C\", at BIGINT NOT NULL,
         size BIGINT NOT NULL, payload BYTEA NOT NULL);
     CREATE TABLE backlot_lease (
         name TEXT COLLATE \"C\" PRIMARY KEY, owner TEXT COLLATE \"C\" NOT NULL, fence BIGINT NOT NULL,
         held_until BIGINT NOT NULL);
     INSERT INTO backlot_lease (name, owner, fence, held_until) VALUES ('outbox', '', 0, 0);
     CREATE TABLE backlot_inbox (
         consumer TEXT COLLATE \"C\" NOT NULL, message_id TEXT COLLATE \"C\" NOT NULL, expires BIGINT NOT NULL,
         PRIMARY KEY (consumer, message_id));
     CREATE INDEX backlot_inbox_expires ON backlot_inbox (expires);
     CREATE TABLE backlot_position (
         consumer TEXT COLLATE \"C\" NOT NULL, topic TEXT COLLATE \"C\" NOT NULL, part BIGINT NOT NULL,
         log BIGINT NOT NULL, next_offset BIGINT NOT NULL, at BIGINT NOT NULL,
         PRIMARY KEY (consumer, topic, part));",
);

/// What a consumer has done out of order, beside its position.
pub(super) const AHEAD: Migration = Migration::new(
    3,
    "ahead",
    "ALTER TABLE backlot_position ADD COLUMN ahead BLOB;",
)
.postgres("ALTER TABLE backlot_position ADD COLUMN ahead BYTEA;");
