//! Where messages go: a mail server, or the mailbox.

pub(crate) mod mailbox;
pub(crate) mod smtp;

use async_trait::async_trait;
use backlot::Context;
use backlot::messaging::consume::{Failure, Job, Work};
use mailbox::Mailbox;
use movies_api::events::MailDue;
use smtp::Smtp;

/// Sends messages.
pub(crate) enum Post {
    Mailbox(Mailbox),
    Smtp(Box<Smtp>),
}

#[async_trait]
impl Work<MailDue> for Post {
    async fn work(&self, cx: &Context, job: &Job<MailDue>) -> Result<(), Failure> {
        let mail = &job.event;
        match self {
            Post::Mailbox(mailbox) => mailbox.deliver(cx, mail).await?,
            Post::Smtp(smtp) => smtp.send(mail, job.attempt).await?,
        }
        tracing::info!(id = mail.id, "a message was sent");
        Ok(())
    }
}
