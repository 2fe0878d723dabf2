//! All SQL of the mail service.

use crate::model::{Address, Message, User};
use backlot::Timestamp;
use backlot::storage::{Migration, Migrations, Row, Sql, StoreError, Tx, params, sql};

pub(crate) const MIGRATIONS: Migrations =
    &[
        Migration::new(1, "mail", include_str!("../migrations/1_mail.sql"))
            .mysql(include_str!("../migrations/1_mail.mysql.sql"))
            .postgres(include_str!("../migrations/1_mail.postgres.sql")),
    ];

const USER: Sql = sql!("SELECT user_id, tried_on, tried, note FROM users WHERE user_id = ?");
const PUT_USER: Sql = sql! {
    default: "INSERT INTO users (user_id, tried_on, tried, note) VALUES (?, ?, ?, ?)
              ON CONFLICT (user_id) DO UPDATE SET tried_on = excluded.tried_on,
              tried = excluded.tried, note = excluded.note",
    mysql: "INSERT INTO users (user_id, tried_on, tried, note) VALUES (?, ?, ?, ?)
            ON DUPLICATE KEY UPDATE tried_on = VALUES(tried_on), tried = VALUES(tried),
            note = VALUES(note)",
};
const OF_USER: Sql = sql!(
    "SELECT token, user_id, address, confirmed, last_chart FROM addresses WHERE user_id = ?
     ORDER BY token"
);
const OF_TOKEN: Sql =
    sql!("SELECT token, user_id, address, confirmed, last_chart FROM addresses WHERE token = ?");
const WAITING: Sql = sql!(
    "SELECT token, user_id, address, confirmed, last_chart FROM addresses
     WHERE confirmed = 1 AND last_chart < ? ORDER BY last_chart, token LIMIT ?"
);
const DELETE: Sql = sql!("DELETE FROM addresses WHERE token = ?");
const INSERT: Sql = sql!(
    "INSERT INTO addresses (token, user_id, address, confirmed, last_chart)
     VALUES (?, ?, ?, ?, ?)"
);
const SENT: Sql = sql!("UPDATE addresses SET last_chart = ? WHERE token = ?");
const WELCOMES: Sql = sql!("SELECT month, sent FROM welcomes WHERE id = ?");
const PUT_WELCOMES: Sql = sql! {
    default: "INSERT INTO welcomes (id, month, sent) VALUES (?, ?, ?)
              ON CONFLICT (id) DO UPDATE SET month = excluded.month, sent = excluded.sent",
    mysql: "INSERT INTO welcomes (id, month, sent) VALUES (?, ?, ?)
            ON DUPLICATE KEY UPDATE month = VALUES(month), sent = VALUES(sent)",
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

/// Users and their addresses within one transaction.
pub(crate) struct Subscribers<'t>(&'t mut Tx);

impl Subscribers<'_> {
    pub(crate) fn in_tx(tx: &mut Tx) -> Subscribers<'_> {
        Subscribers(tx)
    }

    pub(crate) async fn user(&mut self, name: &str) -> Result<Option<User>, StoreError> {
        let row = self.0.query_opt(USER, params![name]).await?;
        let user = row.as_ref().map(|row| {
            Ok(User {
                name: row.get(0)?,
                tried_on: row.get(1)?,
                tried: row.get(2)?,
                note: row.get(3)?,
            })
        });
        user.transpose()
    }

    pub(crate) async fn put_user(&mut self, user: &User) -> Result<(), StoreError> {
        let row = params![&user.name, user.tried_on, user.tried, &user.note];
        self.0.execute(PUT_USER, row).await.map(drop)
    }

    /// The addresses of a user.
    pub(crate) async fn of_user(&mut self, user: &str) -> Result<Vec<Address>, StoreError> {
        let rows = self.0.query(OF_USER, params![user]).await?;
        rows.iter().map(read_address).collect()
    }

    pub(crate) async fn of_token(&mut self, token: &str) -> Result<Option<Address>, StoreError> {
        let row = self.0.query_opt(OF_TOKEN, params![token]).await?;
        row.as_ref().map(read_address).transpose()
    }

    /// Some of those who have no chart of the period that began then.
    pub(crate) async fn waiting(
        &mut self,
        period: Timestamp,
        limit: i64,
    ) -> Result<Vec<Address>, StoreError> {
        let rows = self.0.query(WAITING, params![period, limit]).await?;
        rows.iter().map(read_address).collect()
    }

    /// As it is to be, whatever it was.
    pub(crate) async fn put(&mut self, address: &Address) -> Result<(), StoreError> {
        let Address {
            token,
            user,
            address,
            confirmed,
            last_chart,
        } = address;
        self.delete(token).await?;
        let row = params![token, user, address, i64::from(*confirmed), *last_chart];
        self.0.execute(INSERT, row).await.map(drop)
    }

    pub(crate) async fn delete(&mut self, token: &str) -> Result<(), StoreError> {
        self.0.execute(DELETE, params![token]).await.map(drop)
    }

    pub(crate) async fn sent(&mut self, token: &str, period: Timestamp) -> Result<(), StoreError> {
        self.0.execute(SENT, params![period, token]).await.map(drop)
    }

    /// How often an address was written to in this month, or is not to be.
    pub(crate) async fn welcomes(&mut self, id: &str, month: i64) -> Result<i64, StoreError> {
        let Some(row) = self.0.query_opt(WELCOMES, params![id]).await? else {
            return Ok(0);
        };
        // A month to come is until when nothing is to be sent.
        Ok(if row.get::<i64>(0)? >= month {
            row.get(1)?
        } else {
            0
        })
    }

    pub(crate) async fn put_welcomes(
        &mut self,
        id: &str,
        month: i64,
        sent: i64,
    ) -> Result<(), StoreError> {
        self.0
            .execute(PUT_WELCOMES, params![id, month, sent])
            .await
            .map(drop)
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

fn read_address(row: &Row) -> Result<Address, StoreError> {
    Ok(Address {
        token: row.get(0)?,
        user: row.get(1)?,
        address: row.get(2)?,
        confirmed: row.get::<i64>(3)? != 0,
        last_chart: Timestamp(row.get(4)?),
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
