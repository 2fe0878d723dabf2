//! The doubles of the mail service, and of the log in which people's wishes are kept.

use super::House;
use backlot::{Context, Error};
use movies_api as api;
use movies_api::events::{MailAnswered, MailWished};
use movies_api::*;
use movies_web::Wishes;
use std::sync::atomic::Ordering;

#[async_trait::async_trait]
impl api::Mail for House {
    async fn get_subscription(
        &self,
        cx: &Context,
        request: GetSubscriptionRequest,
    ) -> Result<GetSubscriptionResponse, Error> {
        self.ratings_here()?;
        assert_eq!(cx.principal().subject(), Some(&*request.user_id));
        let subscribers = self.subscribers.lock().unwrap();
        Ok(subscribers
            .get(&request.user_id)
            .cloned()
            .unwrap_or_default())
    }

    async fn list_messages(
        &self,
        _: &Context,
        _: ListMessagesRequest,
    ) -> Result<ListMessagesResponse, Error> {
        Err(Error::unimplemented("the page does not ask for this"))
    }

    async fn get_message(
        &self,
        _: &Context,
        _: GetMessageRequest,
    ) -> Result<GetMessageResponse, Error> {
        Err(Error::unimplemented("the page does not ask for this"))
    }
}

impl House {
    fn keep(&self, wish: String) -> Result<(), Error> {
        if self.log_away.load(Ordering::SeqCst) {
            return Err(Error::unavailable("the log is away, as told"));
        }
        self.wishes.lock().unwrap().push(wish);
        Ok(())
    }
}

#[async_trait::async_trait]
impl Wishes for House {
    async fn wished(&self, _: &Context, wish: MailWished) -> Result<(), Error> {
        let address = wish.address.unwrap_or("none".to_owned());
        self.keep(format!("{}: {address}", wish.user_id))
    }

    async fn answered(&self, _: &Context, answer: MailAnswered) -> Result<(), Error> {
        self.keep(format!("{} {}", answer.token, answer.wanted))
    }
}
