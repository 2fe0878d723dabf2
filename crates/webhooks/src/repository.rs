//! All SQL of the webhooks service.

use crate::model::{Endpoint, Target};
use crate::signature::Secret;
use backlot_core::Timestamp;
use backlot_storage::{Migration, Migrations, Row, Sql, StoreError, Tx, params, sql};
use std::time::Duration;

pub(crate) const MIGRATIONS: Migrations = &[Migration::new(
    1,
    "endpoints",
    include_str!("../migrations/1_endpoints.sql"),
)
.mysql(include_str!("../migrations/1_endpoints.mysql.sql"))
.postgres(include_str!("../migrations/1_endpoints.postgres.sql"))];

const SELECT: Sql = sql!(
    "SELECT name, topic, url, concurrency, attempts, timeout_ms, ordered, secret, old_secret,
            old_secret_until, disabled, disabled_at, revision
     FROM endpoints WHERE name = ?"
);
const SELECT_ALL: Sql = sql!(
    "SELECT name, topic, url, concurrency, attempts, timeout_ms, ordered, secret, old_secret,
            old_secret_until, disabled, disabled_at, revision
     FROM endpoints ORDER BY name"
);
const COUNT: Sql = sql!("SELECT COUNT(*) FROM endpoints");
const DELETE: Sql = sql!("DELETE FROM endpoints WHERE name = ?");
const INSERT: Sql = sql!(
    "INSERT INTO endpoints (name, topic, url, concurrency, attempts, timeout_ms, ordered, secret,
                            old_secret, old_secret_until, disabled, disabled_at, revision)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
);

/// Endpoints as one transaction sees them.
pub(crate) struct Endpoints<'t>(&'t mut Tx);

impl Endpoints<'_> {
    pub(crate) fn in_tx(tx: &mut Tx) -> Endpoints<'_> {
        Endpoints(tx)
    }

    pub(crate) async fn get(&mut self, name: &str) -> Result<Option<Endpoint>, StoreError> {
        let row = self.0.query_opt(SELECT, params![name]).await?;
        row.as_ref().map(read).transpose()
    }

    pub(crate) async fn all(&mut self) -> Result<Vec<Endpoint>, StoreError> {
        let rows = self.0.query(SELECT_ALL, params![]).await?;
        rows.iter().map(read).collect()
    }

    pub(crate) async fn count(&mut self) -> Result<i64, StoreError> {
        self.0.query_one(COUNT, params![]).await?.get(0)
    }

    pub(crate) async fn delete(&mut self, name: &str) -> Result<bool, StoreError> {
        Ok(self.0.execute(DELETE, params![name]).await? > 0)
    }

    /// As it is to be, whatever it was.
    pub(crate) async fn put(&mut self, endpoint: &Endpoint) -> Result<(), StoreError> {
        let Endpoint {
            name,
            target,
            secret,
            old,
            disabled,
            revision,
        } = endpoint;
        self.delete(name).await?;
        let (old, old_until) = old
            .as_ref()
            .map(|(old, until)| (old.expose(), until.0))
            .unzip();
        let (why, since) = disabled
            .as_ref()
            .map(|(why, at)| (why.as_str(), at.0))
            .unzip();
        let millis = i64::try_from(target.timeout.as_millis()).unwrap_or(i64::MAX);
        let row = params![
            name.as_str(),
            target.topic.as_str(),
            target.url.as_str(),
            target.concurrency,
            target.attempts,
            millis,
            i64::from(target.ordered),
            secret.expose(),
            old,
            old_until,
            why,
            since,
            *revision
        ];
        self.0.execute(INSERT, row).await?;
        Ok(())
    }
}

fn read(row: &Row) -> Result<Endpoint, StoreError> {
    let old: Option<String> = row.get(8)?;
    let old_until: Option<i64> = row.get(9)?;
    let why: Option<String> = row.get(10)?;
    let since: Option<i64> = row.get(11)?;
    Ok(Endpoint {
        name: row.get(0)?,
        target: Target {
            topic: row.get(1)?,
            url: row.get(2)?,
            concurrency: row.get(3)?,
            attempts: row.get(4)?,
            timeout: Duration::from_millis(row.get::<i64>(5)?.unsigned_abs()),
            ordered: row.get::<i64>(6)? != 0,
        },
        secret: Secret::kept(row.get::<String>(7)?),
        old: old.map(Secret::kept).zip(old_until.map(Timestamp)),
        disabled: why.zip(since.map(Timestamp)),
        revision: row.get(12)?,
    })
}
