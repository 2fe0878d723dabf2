//! Migrations where every change of a schema is a commit of its own: MySQL.
//!
//! A migration is run statement by statement, and how many are done is kept beside. Whoever comes
//! after a crash goes on there. The statement that was under way may be done or not, because its
//! own commit and the note of it are two: it is tried again, and if it says that what it makes is
//! there, or that what it drops is gone, it was done. One that changes rows alone shares a commit
//! with its note, and is done once.

use super::{Migration, checksum};
use crate::scan::statements;
use crate::{Refusal, Sql, StoreError, Tx, params, sql};
use backlot_core::error::chain;

pub(super) const CREATE: Sql = sql!(
    "CREATE TABLE IF NOT EXISTS backlot_schema_progress (
         space VARCHAR(16) NOT NULL, version BIGINT NOT NULL, done BIGINT NOT NULL,
         checksum VARCHAR(16) NOT NULL, PRIMARY KEY (space, version))"
);
const SELECT: Sql =
    sql!("SELECT done, checksum FROM backlot_schema_progress WHERE space = ? AND version = ?");
const BEGIN: Sql = sql!(
    "INSERT INTO backlot_schema_progress (space, version, done, checksum) VALUES (?, ?, 0, ?)"
);
const NOTE: Sql = sql!(
    "UPDATE backlot_schema_progress SET done = ?, checksum = ? WHERE space = ? AND version = ?"
);
const END: Sql = sql!("DELETE FROM backlot_schema_progress WHERE space = ? AND version = ?");

/// Runs the next statement of a migration; answers whether all are done, and forgets how many then.
pub(super) async fn advance(
    tx: &mut Tx,
    space: &str,
    migration: &Migration,
) -> Result<bool, StoreError> {
    let Migration { version, name, sql } = migration;
    let script: &'static str = sql.text(tx.dialect());
    let all = statements(script, tx.dialect());
    let Some(row) = tx.query_opt(SELECT, params![space, *version]).await? else {
        // Noted before the first statement: from here on it may be under way.
        tx.execute(BEGIN, params![space, *version, &prefix(&[])])
            .await?;
        return Ok(false);
    };
    let (done, known) = (row.get::<u32>(0)? as usize, row.get::<String>(1)?);
    if done > all.len() || prefix(&all[..done.min(all.len())]) != known {
        return Err(Refusal::HalfDone.because(format!(
            "the first {done} statements of {space} migration {version} ({name}) are done, and their text was \
             changed since: put it back as it was; what follows may be corrected"
        )));
    }
    let Some(next) = all.get(done) else {
        tx.execute(END, params![space, *version]).await?;
        return Ok(true);
    };
    match tx.execute(Sql::new(next), params![]).await {
        Ok(_) => {}
        Err(error) if is_done_already(&error) => {
            tx.take_failure();
        }
        Err(conflict @ StoreError::Conflict { .. }) => return Err(conflict),
        Err(error) => {
            return Err(Refusal::MigrationFailed.because(format!(
                "statement {} of {space} migration {version} ({name}) failed: {}; the {done} before it are done: \
                 correct it and start again, the rest follows",
                done + 1,
                chain(&error)
            )));
        }
    }
    let note =
        params![done as i64 + 1, &prefix(&all[..=done]), space, *version].map(crate::Value::from);
    tx.execute(
        NOTE,
        note.iter().map(crate::Param::from).collect::<Vec<_>>(),
    )
    .await?;
    Ok(false)
}

/// The checksum of the statements that are done.
fn prefix(done: &[&str]) -> String {
    checksum(&done.join(";"))
}

/// What MySQL says of a change that is there: table, column and index exist; table, column and
/// index are gone. The adapter begins every cause with the number.
fn is_done_already(error: &StoreError) -> bool {
    const DONE: [&str; 7] = [
        "1050 ", "1060 ", "1061 ", "1051 ", "1091 ", "1826 ", "3822 ",
    ];
    match error {
        StoreError::Sql { cause } => {
            let text = cause.to_string();
            DONE.iter().any(|number| text.starts_with(number))
        }
        _ => false,
    }
}
