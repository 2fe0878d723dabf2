//! All SQL of the mail service.

use crate::model::{Message, Subscriber};
use backlot::Timestamp;
use backlot::storage::{Migration, Migrations, Row, Sql, StoreError, Tx, params, sql};

pub(crate) const MIGRATIONS: Migrations =
    &[
        Migration::new(1, "mail", include_str!("../migrations/1_mail.sql"))
            .mysql(include_str!("../migrations/1_mail.mysql.sql"))
            .postgres(include_str!("../migrations/1_mail.postgres.sql")),
    ];

const OF_USER: Sql = sql!(
    "SELECT user_id, address, token, confirmed, last_chart, tried_on, tried, note FROM subscribers
     WHERE user_id = ?"
);
const OF_TOKEN: Sql = sql!(
    "SELECT user_id, address, token, confirmed, last_chart, tried_on, tried, note FROM subscribers
     WHERE token = ?"
);
const WAITING: Sql = sql!(
    "SELECT user_id, address, token, confirmed, last_chart, tried_on, tried, note FROM subscribers
     WHERE confirmed = 1 AND last_chart < ? ORDER BY last_chart, user_id LIMIT ?"
);
const DELETE: Sql = sql!("DELETE FROM subscribers WHERE user_id = ?");
const INSERT: Sql = sql!(
    "INSERT INTO subscribers (user_id, address, token, confirmed, last_chart, tried_on, tried, note)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
);
const SENT: Sql = sql!("UPDATE subscribers SET last_chart = ? WHERE user_id = ?");
const WELCOME: Sql = sql! {
    default: "INSERT INTO welcomed (id) VALUES (?) ON CONFLICT (id) DO NOTHING",
    mysql: "INSERT IGNORE INTO welcomed (id) VALUES (?)",
};
const DELIVER: Sql = sql! {
    default: "INSERT INTO messages (id, at, recipient, subject, plain, html)
              VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
    mysql: "INSERT IGNORE INTO messages (id, at, recipient, subject, plain, html)
            VALUES (?, ?, ?, ?, ?, ?)",
};
/// A few at a time, so that nobody pays for all that were left.
const OLD: Sql = sql!("SELECT id FROM messages WHERE at < ? ORDER BY at, id LIMIT 20");
const FORGET: Sql = sql!("DELETE FROM messages WHERE id = ?");
const LATEST: Sql = sql!(
    "SELECT id, at, recipient, subject, '', '' FROM messages
     WHERE at < ? OR (at = ? AND id < ?) ORDER BY at DESC, id DESC LIMIT ?"
);
const MESSAGE: Sql =
    sql!("SELECT id, at, recipient, subject, plain, html FROM messages WHERE id = ?");

/// Subscribers within one transaction.
pub(crate) struct Subscribers<'t>(&'t mut Tx);

impl Subscribers<'_> {
    pub(crate) fn in_tx(tx: &mut Tx) -> Subscribers<'_> {
        Subscribers(tx)
    }

    pub(crate) async fn of_user(&mut self, user: &str) -> Result<Option<Subscriber>, StoreError> {
        let row = self.0.query_opt(OF_USER, params![user]).await?;
        row.as_ref().map(read_subscriber).transpose()
    }

    pub(crate) async fn of_token(&mut self, token: &str) -> Result<Option<Subscriber>, StoreError> {
        let row = self.0.query_opt(OF_TOKEN, params![token]).await?;
        row.as_ref().map(read_subscriber).transpose()
    }

    /// Some of those who have no chart of this period yet.
    pub(crate) async fn waiting(
        &mut self,
        period: i64,
        limit: i64,
    ) -> Result<Vec<Subscriber>, StoreError> {
        let rows = self.0.query(WAITING, params![period, limit]).await?;
        rows.iter().map(read_subscriber).collect()
    }

    /// As it is to be, whatever it was.
    pub(crate) async fn put(&mut self, subscriber: &Subscriber) -> Result<(), StoreError> {
        let Subscriber {
            user,
            address,
            token,
            confirmed,
            period,
            day,
            tried,
            note,
        } = subscriber;
        self.0.execute(DELETE, params![user]).await?;
        let confirmed = i64::from(*confirmed);
        let row = params![user, address, token, confirmed, *period, *day, *tried, note];
        self.0.execute(INSERT, row).await.map(drop)
    }

    pub(crate) async fn sent(&mut self, user: &str, period: i64) -> Result<(), StoreError> {
        self.0.execute(SENT, params![period, user]).await.map(drop)
    }

    /// Whether this welcome is the first.
    pub(crate) async fn welcome(&mut self, id: &str) -> Result<bool, StoreError> {
        Ok(self.0.execute(WELCOME, params![id]).await? > 0)
    }
}

/// The mailbox within one transaction.
pub(crate) struct Messages<'t>(&'t mut Tx);

impl Messages<'_> {
    pub(crate) fn in_tx(tx: &mut Tx) -> Messages<'_> {
        Messages(tx)
    }

    /// Takes a message in, once; and lets go of some that are older than `then`.
    pub(crate) async fn deliver(
        &mut self,
        message: &Message,
        then: Timestamp,
    ) -> Result<(), StoreError> {
        for row in self.0.query(OLD, params![then]).await? {
            let id: String = row.get(0)?;
            self.0.execute(FORGET, params![&id]).await?;
        }
        let Message {
            id,
            at,
            to,
            subject,
            text,
            html,
        } = message;
        let row = params![id, *at, to, subject, text, html];
        self.0.execute(DELIVER, row).await.map(drop)
    }

    /// The latest that come after this one, without what they say.
    pub(crate) async fn latest(
        &mut self,
        (at, id): (Timestamp, &str),
        limit: i64,
    ) -> Result<Vec<Message>, StoreError> {
        let rows = self.0.query(LATEST, params![at, at, id, limit]).await?;
        rows.iter().map(read_message).collect()
    }

    pub(crate) async fn get(&mut self, id: &str) -> Result<Option<Message>, StoreError> {
        let row = self.0.query_opt(MESSAGE, params![id]).await?;
        row.as_ref().map(read_message).transpose()
    }
}

fn read_subscriber(row: &Row) -> Result<Subscriber, StoreError> {
    Ok(Subscriber {
        user: row.get(0)?,
        address: row.get(1)?,
        token: row.get(2)?,
        confirmed: row.get::<i64>(3)? != 0,
        period: row.get(4)?,
        day: row.get(5)?,
        tried: row.get(6)?,
        note: row.get(7)?,
    })
}

fn read_message(row: &Row) -> Result<Message, StoreError> {
    Ok(Message {
        id: row.get(0)?,
        at: Timestamp(row.get(1)?),
        to: row.get(2)?,
        subject: row.get(3)?,
        text: row.get(4)?,
        html: row.get(5)?,
    })
}
