//! The mailbox of a system without a mail server: each message once, for whoever operates it.

use crate::model::Message;
use crate::repository::Messages;
use backlot::storage::Store;
use backlot::{Clock, Context, Error, Timestamp};
use movies_api::events::MailDue;
use std::time::Duration;

/// Keeps messages.
#[derive(Clone)]
pub(crate) struct Mailbox {
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    /// How long.
    pub(crate) keep: Duration,
}

impl Mailbox {
    /// Takes a message in, unless it is there.
    pub(crate) async fn deliver(&self, cx: &Context, mail: &MailDue) -> Result<(), Error> {
        let at = self.clock.wall();
        let message = Message {
            id: mail.id.clone(),
            at,
            to: mail.to.clone(),
            subject: mail.subject.clone(),
            text: mail.text.clone(),
            html: mail.html.clone(),
        };
        let then = at.minus(self.keep);
        let delivering = self.store.write(cx, move |tx| {
            let message = message.clone();
            Box::pin(
                async move { Ok::<_, Error>(Messages::in_tx(tx).deliver(&message, then).await?) },
            )
        });
        delivering.await
    }

    /// The latest messages after this one, without what they say.
    pub(crate) async fn latest(
        &self,
        cx: &Context,
        after: (Timestamp, String),
        limit: i64,
    ) -> Result<Vec<Message>, Error> {
        let reading = self.store.read(cx, move |tx| {
            let (at, id) = after.clone();
            Box::pin(
                async move { Ok::<_, Error>(Messages::in_tx(tx).latest((at, &id), limit).await?) },
            )
        });
        reading.await
    }

    /// A message.
    pub(crate) async fn get(&self, cx: &Context, id: &str) -> Result<Message, Error> {
        let name = id.to_owned();
        let reading = self.store.read(cx, move |tx| {
            let id = name.clone();
            Box::pin(async move { Ok::<_, Error>(Messages::in_tx(tx).get(&id).await?) })
        });
        let found = reading.await?;
        found.ok_or_else(|| Error::not_found(format!("no message {id:?}")))
    }
}
