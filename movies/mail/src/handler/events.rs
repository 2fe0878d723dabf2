//! What people want.

use crate::controller::Controller;
use async_trait::async_trait;
use backlot::Context;
use backlot::messaging::consume::{Consume, Failure};
use backlot::storage::Tx;
use movies_api::events::{MailAnswered, MailWished};
use std::sync::Arc;

/// Who wants mail.
pub(crate) struct Wishes(pub(crate) Arc<Controller>);

#[async_trait]
impl Consume<MailWished> for Wishes {
    async fn consume(&self, _: &Context, tx: &mut Tx, event: MailWished) -> Result<(), Failure> {
        self.0.wished(tx, &event).await
    }
}

/// Who followed a link.
pub(crate) struct Answers(pub(crate) Arc<Controller>);

#[async_trait]
impl Consume<MailAnswered> for Answers {
    async fn consume(&self, _: &Context, tx: &mut Tx, event: MailAnswered) -> Result<(), Failure> {
        self.0.answered(tx, &event).await
    }
}
