//! Writes done once: the answer is stored under the caller's key in the same commit.

use crate::backend::{Job, Outcome};
use crate::carried::Left;
use crate::error::{Cause, Constraint};
use crate::job::{Reply, worked};
use crate::origin::Setting;
use crate::{Dialect, Row, Sql, StoreError, Tx, params, sql};
use backlot_core::{BoxFuture, Clock, Idempotency, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::time::Duration;

/// How long a key is remembered.
pub(crate) const KEPT: Duration = Duration::from_secs(24 * 3600);

const SELECT: Sql = sql!(
    "SELECT fingerprint, answer, at FROM backlot_idempotency WHERE subject = ? AND method = ? AND request_key = ?"
);
const INSERT: Sql = sql!(
    "INSERT INTO backlot_idempotency (subject, method, request_key, fingerprint, answer, at) VALUES (?, ?, ?, ?, ?, ?)"
);
const DELETE: Sql =
    sql!("DELETE FROM backlot_idempotency WHERE subject = ? AND method = ? AND request_key = ?");
/// Takes the key before the work, where others may be at it at the same time: whoever comes second
/// waits for the first, and nobody's read of a key that is not there stands in another's way.
const TAKE: Sql = sql! {
    default: "INSERT INTO backlot_idempotency (subject, method, request_key, fingerprint, answer, at) VALUES (?, ?, ?, ?, ?, ?)
              ON CONFLICT DO NOTHING",
    mysql: "INSERT INTO backlot_idempotency (subject, method, request_key, fingerprint, answer, at) VALUES (?, ?, ?, ?, ?, ?)",
};
const FILL: Sql = sql!(
    "UPDATE backlot_idempotency SET answer = ? WHERE subject = ? AND method = ? AND request_key = ?"
);
/// A small slice at a time, so that no write pays for a day's worth of others.
const DELETE_EXPIRED: Sql = sql! {
    default: "DELETE FROM backlot_idempotency WHERE (subject, method, request_key) IN
              (SELECT subject, method, request_key FROM backlot_idempotency WHERE at < ? ORDER BY at LIMIT 10)",
    mysql: "DELETE FROM backlot_idempotency WHERE at < ? ORDER BY at LIMIT 10",
};
/// Where removing stands in others' way, it is a transaction of its own, now and then.
const DELETE_MANY: Sql = sql! {
    default: "DELETE FROM backlot_idempotency WHERE (subject, method, request_key) IN
              (SELECT subject, method, request_key FROM backlot_idempotency WHERE at < ? ORDER BY at LIMIT ?)",
    mysql: "DELETE FROM backlot_idempotency WHERE at < ? ORDER BY at LIMIT ?",
};
/// So many at once; when there were as many, the next write goes on.
pub(crate) const SLICE: u64 = 1000;
/// How often that is.
pub(crate) const BETWEEN: Duration = Duration::from_secs(60);

/// Whether others may be in the same tables at the same time.
pub(crate) fn is_shared(dialect: Dialect) -> bool {
    dialect != Dialect::Sqlite
}

/// Removes keys that are too old.
pub(crate) async fn remove_expired(tx: &mut Tx, now: Timestamp) -> Result<u64, StoreError> {
    let slice = SLICE.cast_signed();
    tx.execute(DELETE_MANY, params![now.minus(KEPT), slice])
        .await
}

/// A key of a principal, for one method.
pub(crate) struct Claim {
    pub(crate) subject: String,
    pub(crate) key: Arc<Idempotency>,
    pub(crate) clock: Clock,
}

impl Claim {
    fn fingerprint(&self) -> i64 {
        self.key.fingerprint.cast_signed()
    }

    /// The stored answer, if this very request was answered before; the key is taken otherwise.
    async fn begin(&self, tx: &mut Tx, now: Timestamp) -> Result<Option<Vec<u8>>, StoreError> {
        if !is_shared(tx.dialect()) {
            return self.find(tx, now).await;
        }
        if self.take(tx, now).await? {
            return Ok(None);
        }
        let found = self.look(tx, now).await?;
        if found.is_none() && !self.take(tx, now).await? {
            // It was there, too old, and was removed: somebody else took it again just now.
            let conflict = StoreError::Conflict {
                cause: Cause::new("the idempotency key is being used"),
            };
            tx.spoil(conflict.clone());
            return Err(conflict);
        }
        Ok(found)
    }

    /// Whether the key was free.
    async fn take(&self, tx: &mut Tx, now: Timestamp) -> Result<bool, StoreError> {
        let row = params![
            &self.subject,
            self.key.method,
            &self.key.key,
            self.fingerprint(),
            b"",
            now
        ];
        tx.insert_new(TAKE, row).await
    }

    async fn find(&self, tx: &mut Tx, now: Timestamp) -> Result<Option<Vec<u8>>, StoreError> {
        let oldest = now.minus(KEPT);
        tx.execute(DELETE_EXPIRED, params![oldest]).await?;
        self.look(tx, now).await
    }

    async fn look(&self, tx: &mut Tx, now: Timestamp) -> Result<Option<Vec<u8>>, StoreError> {
        let name = params![&self.subject, self.key.method, &self.key.key];
        let Some(row) = tx.query_opt(SELECT, &name).await? else {
            return Ok(None);
        };
        let found = self.valid(&row, now)?;
        if found.is_none() {
            tx.execute(DELETE, &name).await?;
        }
        Ok(found)
    }

    /// The stored answer, if there is one, with nothing changed.
    pub(crate) async fn peek(&self, tx: &mut Tx) -> Result<Option<Vec<u8>>, StoreError> {
        let name = params![&self.subject, self.key.method, &self.key.key];
        match tx.query_opt(SELECT, &name).await? {
            Some(row) => self.valid(&row, self.clock.wall()),
            None => Ok(None),
        }
    }

    /// What a row answers, unless it is too old.
    fn valid(&self, row: &Row, now: Timestamp) -> Result<Option<Vec<u8>>, StoreError> {
        if row.get::<Timestamp>(2)? < now.minus(KEPT) {
            return Ok(None);
        }
        if row.get::<i64>(0)? != self.fingerprint() {
            return Err(StoreError::KeyReused {
                key: self.key.key.clone(),
            });
        }
        answer(row).map(Some)
    }

    async fn keep(&self, tx: &mut Tx, now: Timestamp, answer: &[u8]) -> Result<(), StoreError> {
        if is_shared(tx.dialect()) {
            let row = params![answer, &self.subject, self.key.method, &self.key.key];
            return tx.execute(FILL, row).await.map(drop);
        }
        let row = params![
            &self.subject,
            self.key.method,
            &self.key.key,
            self.fingerprint(),
            answer,
            now
        ];
        match tx.execute(INSERT, row).await {
            Err(StoreError::Constraint {
                constraint: Constraint::Unique,
                cause,
            }) => {
                // The same request runs twice at once and the other was first: begin again, and
                // find its answer.
                let conflict = StoreError::Conflict { cause };
                tx.spoil(conflict.clone());
                Err(conflict)
            }
            done => done.map(drop),
        }
    }

    pub(crate) fn unfit(&self, error: &serde_json::Error) -> StoreError {
        StoreError::Answer {
            key: self.key.key.clone(),
            cause: Cause::of(error),
        }
    }
}

fn answer(row: &Row) -> Result<Vec<u8>, StoreError> {
    row.get(1)
}

/// A write under a key.
pub(crate) struct Once<T, E, F> {
    pub(crate) work: F,
    pub(crate) reply: Reply<T, E>,
    pub(crate) claim: Claim,
    pub(crate) setting: Setting,
}

impl<T, E, F> Job for Once<T, E, F>
where
    F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send,
    T: Serialize + DeserializeOwned + Send,
    E: From<StoreError> + Send,
{
    fn attempt<'t>(&'t mut self, tx: &'t mut Tx) -> BoxFuture<'t, Outcome> {
        Box::pin(async move {
            let now = self.claim.clock.wall();
            match self.claim.begin(tx, now).await {
                Err(error) => return self.reply.keep(Ok(Err(error.into())), Left::default()),
                Ok(Some(stored)) => {
                    let read = serde_json::from_slice(&stored)
                        .map_err(|error| self.claim.unfit(&error).into());
                    return self.reply.keep(Ok(read), Left::default());
                }
                Ok(None) => {}
            }
            let result = match worked(tx, &self.setting, &mut self.work).await {
                Ok(Ok(value)) => {
                    match serde_json::to_vec(&value).map_err(|error| self.claim.unfit(&error)) {
                        Ok(bytes) => self
                            .claim
                            .keep(tx, now, &bytes)
                            .await
                            .map(|()| value)
                            .map_err(E::from),
                        Err(error) => Err(error.into()),
                    }
                }
                Ok(Err(error)) => Err(error),
                Err(words) => return self.reply.keep(Err(words), Left::default()),
            };
            self.reply.keep(Ok(result), tx.left())
        })
    }

    fn is_abandoned(&self) -> bool {
        self.reply.is_abandoned()
    }

    fn answer(self: Box<Self>, settled: Result<(), StoreError>) {
        self.reply.send(settled);
    }
}
