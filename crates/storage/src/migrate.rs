//! The versions of a schema, and how a database gets from one to the next.
//!
//! Each migration runs in a transaction of its own, together with the row that says so. What was
//! applied never changes: its checksum is compared at every start.

mod messages;
mod piecewise;

use crate::{Dialect, Refusal, Sql, StoreError, Tx, params, sql};
use backlot_core::{Timestamp, error::chain, idempotency::fingerprint};
use std::collections::BTreeMap;

/// All migrations of a service, in order.
pub type Migrations = &'static [Migration];

/// One step of a schema. What was released never changes; a change is a new migration.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// Counted from 1, rising.
    pub version: u32,
    /// What it is about, for messages.
    pub name: &'static str,
    /// Its statements, separated by semicolons; no transaction statements.
    pub sql: Sql,
}

impl Migration {
    /// A migration in one text for all dialects.
    ///
    /// ```
    /// use backlot_storage::{Migration, Migrations};
    ///
    /// const MIGRATIONS: Migrations = &[
    ///     Migration::new(1, "films", "CREATE TABLE film (id TEXT PRIMARY KEY) STRICT;"),
    ///     Migration::new(2, "years", "ALTER TABLE film ADD COLUMN year INTEGER;"),
    /// ];
    /// ```
    #[must_use]
    pub const fn new(version: u32, name: &'static str, sql: &'static str) -> Self {
        Migration {
            version,
            name,
            sql: Sql::new(sql),
        }
    }

    /// The text for MySQL and MariaDB.
    #[must_use]
    pub const fn mysql(mut self, text: &'static str) -> Self {
        self.sql = self.sql.mysql(text);
        self
    }

    /// The text for PostgreSQL.
    #[must_use]
    pub const fn postgres(mut self, text: &'static str) -> Self {
        self.sql = self.sql.postgres(text);
        self
    }

    /// Of the text that `tx` runs; line ends do not count.
    fn checksum(&self, tx: &Tx) -> String {
        checksum(self.sql.text(tx.dialect()))
    }
}

/// Of a text whose line ends do not count.
fn checksum(text: &str) -> String {
    format!(
        "{:016x}",
        fingerprint(text.replace("\r\n", "\n").as_bytes())
    )
}

/// What every store has, whatever its service.
const BUILT_IN: Migrations = &[IDEMPOTENCY, messages::MESSAGES, messages::AHEAD];

const IDEMPOTENCY: Migration = Migration::new(
    1,
    "idempotency",
    "CREATE TABLE backlot_idempotency (
         subject TEXT NOT NULL, method TEXT NOT NULL, request_key TEXT NOT NULL,
         fingerprint INTEGER NOT NULL, answer BLOB NOT NULL, at INTEGER NOT NULL,
         PRIMARY KEY (subject, method, request_key)) STRICT;
     CREATE INDEX backlot_idempotency_at ON backlot_idempotency (at);",
)
.mysql(
    "CREATE TABLE backlot_idempotency (
         subject VARCHAR(255) NOT NULL, method VARCHAR(255) NOT NULL, request_key VARCHAR(128) NOT NULL,
         fingerprint BIGINT NOT NULL, answer LONGBLOB NOT NULL, at BIGINT NOT NULL,
         PRIMARY KEY (subject, method, request_key), INDEX (at));",
)
.postgres(
    "CREATE TABLE backlot_idempotency (
         subject TEXT COLLATE \"C\" NOT NULL, method TEXT COLLATE \"C\" NOT NULL,
         request_key TEXT COLLATE \"C\" NOT NULL, fingerprint BIGINT NOT NULL, answer BYTEA NOT NULL, at BIGINT NOT NULL,
         PRIMARY KEY (subject, method, request_key));
     CREATE INDEX backlot_idempotency_at ON backlot_idempotency (at);",
);

const CREATE: Sql = sql! {
    default: "CREATE TABLE IF NOT EXISTS backlot_schema (
                  space TEXT NOT NULL, version INTEGER NOT NULL, name TEXT NOT NULL, checksum TEXT NOT NULL,
                  applied_at INTEGER NOT NULL, PRIMARY KEY (space, version)) STRICT",
    mysql: "CREATE TABLE IF NOT EXISTS backlot_schema (
                space VARCHAR(16) NOT NULL, version BIGINT NOT NULL, name TEXT NOT NULL, checksum TEXT NOT NULL,
                applied_at BIGINT NOT NULL, PRIMARY KEY (space, version))",
    postgres: "CREATE TABLE IF NOT EXISTS backlot_schema (
                   space TEXT COLLATE \"C\" NOT NULL, version BIGINT NOT NULL, name TEXT COLLATE \"C\" NOT NULL,
                   checksum TEXT COLLATE \"C\" NOT NULL, applied_at BIGINT NOT NULL, PRIMARY KEY (space, version))",
};
const APPLIED: Sql =
    sql!("SELECT version, name, checksum FROM backlot_schema WHERE space = ? ORDER BY version");
const INSERT: Sql = sql!(
    "INSERT INTO backlot_schema (space, version, name, checksum, applied_at) VALUES (?, ?, ?, ?, ?)"
);

/// Ours and the service's: two series of versions that know nothing of each other.
pub(crate) fn spaces(service: Migrations) -> [(&'static str, Migrations); 2] {
    [("backlot", BUILT_IN), ("service", service)]
}

/// Checks the list itself.
pub(crate) fn check(migrations: Migrations) -> Result<(), StoreError> {
    let mut last = 0;
    for migration in migrations {
        let Migration { version, name, sql } = migration;
        if *version <= last {
            return Err(Refusal::MigrationFailed.because(format!(
                "migration {version} ({name}) stands after {last}; number them 1, 2, 3 and so on"
            )));
        }
        if let Some(word) = sql.impure_word() {
            return Err(Refusal::MigrationFailed.because(format!(
                "migration {version} ({name}) uses {word:?}, which reads the database's clock or dice; write the value instead"
            )));
        }
        last = *version;
    }
    Ok(())
}

pub(crate) async fn prepare(tx: &mut Tx) -> Result<(), StoreError> {
    if tx.dialect() == Dialect::Mysql {
        tx.execute(piecewise::CREATE, params![]).await?;
    }
    tx.execute(CREATE, params![]).await.map(drop)
}

/// Applies the next migration, or the next statement of it; answers whether there was one.
pub(crate) async fn step(
    tx: &mut Tx,
    space: &'static str,
    migrations: Migrations,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let Some(next) = next(tx, space, migrations).await? else {
        return Ok(false);
    };
    let Migration { version, name, .. } = next;
    if tx.dialect() == Dialect::Mysql && !piecewise::advance(tx, space, next).await? {
        return Ok(true);
    }
    if tx.dialect() != Dialect::Mysql {
        apply(tx, next).await?;
    }
    tx.execute(
        INSERT,
        params![space, *version, *name, &next.checksum(tx), now],
    )
    .await?;
    Ok(true)
}

/// Runs all of a migration in this transaction.
async fn apply(
    tx: &mut Tx,
    Migration { version, name, sql }: &Migration,
) -> Result<(), StoreError> {
    tx.batch(sql).await.map_err(|error| match error {
        conflict @ StoreError::Conflict { .. } => conflict,
        error => Refusal::MigrationFailed.because(format!(
            "migration {version} ({name}) failed and was undone: {}; correct it and start again",
            chain(&error)
        )),
    })
}

/// The first migration that the database does not have, after a look at those that it has.
async fn next(
    tx: &mut Tx,
    space: &str,
    migrations: Migrations,
) -> Result<Option<&'static Migration>, StoreError> {
    let ours: BTreeMap<u32, &Migration> = migrations
        .iter()
        .map(|migration| (migration.version, migration))
        .collect();
    let newest = ours.keys().next_back().copied().unwrap_or(0);
    let mut highest = 0;
    let applied = tx.query(APPLIED, params![space]).await?;
    for row in &applied {
        let (version, name, checksum) =
            (row.get::<u32>(0)?, row.get::<&str>(1)?, row.get::<&str>(2)?);
        if version > newest {
            return Err(Refusal::Newer.because(format!(
                "the store has the {space} schema version {version} ({name}), this program knows up to {newest}: \
                 start the newer program, or restore a copy from before it"
            )));
        }
        match ours.get(&version) {
            Some(migration) if migration.checksum(tx) == checksum => {}
            Some(migration) => {
                return Err(Refusal::HistoryDiffers.because(format!(
                    "{space} migration {version} ({}) was changed after it had been applied: \
                     put its text back as it was, and make the change in a new migration",
                    migration.name
                )));
            }
            None => {
                return Err(Refusal::HistoryDiffers.because(format!(
                    "the store has {space} migration {version} ({name}), which this program lacks: put it back"
                )));
            }
        }
        highest = version;
    }
    if ours.range(..=highest).count() != applied.len() {
        return Err(Refusal::HistoryDiffers.because(format!(
            "this program has a {space} migration below version {highest} that the store skipped: \
             give it a version above {highest}"
        )));
    }
    Ok(ours
        .range(highest + 1..)
        .next()
        .map(|(_, migration)| *migration))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_released_is_as_it_was() {
        // A text that changes here would refuse every database that has it.
        let released = [
            (
                &IDEMPOTENCY,
                ["e0a67145637f8404", "d6dce021326d7baa", "c17b965c5740974c"],
            ),
            (
                &messages::MESSAGES,
                ["6f7da72920342c42", "ec44d1293793df1d", "de5d0d996b5325ce"],
            ),
        ];
        for (migration, sums) in released {
            let dialects = [Dialect::Sqlite, Dialect::Mysql, Dialect::Postgres];
            let now = dialects.map(|dialect| checksum(migration.sql.text(dialect)));
            assert_eq!(now, sums, "{}", migration.name);
        }
    }

    #[test]
    fn our_own_list_holds() {
        assert_eq!(check(BUILT_IN), Ok(()));
    }
}
