//! What came of uploaded files.

use crate::controller::Controller;
use async_trait::async_trait;
use backlot::Context;
use backlot::messaging::consume::{Consume, Failure};
use backlot::storage::Tx;
use movies_api::events::PosterChecked;
use std::sync::Arc;

/// Takes posters in.
pub(crate) struct Posters(pub(crate) Arc<Controller>);

#[async_trait]
impl Consume<PosterChecked> for Posters {
    async fn consume(
        &self,
        _cx: &Context,
        tx: &mut Tx,
        event: PosterChecked,
    ) -> Result<(), Failure> {
        Controller::checked(tx, event, self.0.now()).await
    }
}
