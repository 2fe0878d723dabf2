//! Where the page says who wants mail: in the log of events, so that it is kept while mail is away.

use async_trait::async_trait;
use backlot::messaging::Bus;
use backlot::{Context, Error};
use movies_api::events::{MailAnswered, MailWished};

/// Takes in what people want.
#[async_trait]
pub trait Wishes: Send + Sync {
    /// A user wants mail, or none.
    ///
    /// # Errors
    /// When it is not kept.
    async fn wished(&self, cx: &Context, wish: MailWished) -> Result<(), Error>;

    /// Somebody followed a link in a message.
    ///
    /// # Errors
    /// When it is not kept.
    async fn answered(&self, cx: &Context, answer: MailAnswered) -> Result<(), Error>;
}

#[async_trait]
impl Wishes for Bus {
    async fn wished(&self, cx: &Context, wish: MailWished) -> Result<(), Error> {
        self.publish(cx, &wish).await?;
        Ok(())
    }

    async fn answered(&self, cx: &Context, answer: MailAnswered) -> Result<(), Error> {
        self.publish(cx, &answer).await?;
        Ok(())
    }
}
