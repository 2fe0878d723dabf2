//! The mailbox as a table on the operators' page.

use super::page;
use crate::model::masked;
use crate::post::mailbox::Mailbox;
use async_trait::async_trait;
use backlot::app::admin::{Panel, Show};
use backlot::{Context, Error, Timestamp};

/// How many messages the table shows.
const SHOWN: i64 = 10;

/// The latest messages, by whom they are to as far as others may know.
pub(crate) struct Latest {
    pub(crate) mailbox: Mailbox,
    /// Where the mailbox can be looked into, if it can.
    pub(crate) page: String,
}

#[async_trait]
impl Show for Latest {
    async fn show(&self, cx: &Context) -> Result<Panel, Error> {
        let first = (Timestamp(i64::MAX), String::new());
        let messages = self.mailbox.latest(cx, first, SHOWN).await?;
        let row = |message: &crate::model::Message| {
            vec![
                page::time(message.at),
                masked(&message.to),
                message.subject.clone(),
            ]
        };
        Ok(Panel {
            title: "Mailbox".to_owned(),
            page: self.page.clone(),
            empty: "No message was sent yet.".to_owned(),
            head: ["When", "To", "Subject"].map(str::to_owned).to_vec(),
            rows: messages.iter().map(row).collect(),
        })
    }
}
