//! Mail: who wants some, what comes, and who may see it.

use super::events::publish;
use crate::Clients;
use backlot::broker::contract::broker::v1 as broker;
use backlot::messaging::Event;
use backlot::{Code, Error};
use movies_api::events::{MailAnswered, MailWished};
use movies_api::{
    GetMessageRequest, GetSubscriptionRequest, GetSubscriptionResponse, ListMessagesRequest,
    Message,
};

/// Publishes an event as somebody in another language would.
async fn say<E: Event>(world: &Clients, id: &str, key: &str, body: String) {
    let record = broker::Record {
        id: id.to_owned(),
        kind: E::NAME.to_owned(),
        version: E::VERSION,
        source: "a scenario".to_owned(),
        key: Some(key.to_owned()),
        payload: body.into_bytes(),
        ..broker::Record::default()
    };
    publish::<E>(world, record).await;
}

/// A user wants mail at an address.
pub(super) async fn wish(world: &Clients, id: &str, user: &str, address: &str) {
    let body = format!(r#"{{"userId":"{user}","address":"{address}"}}"#);
    say::<MailWished>(world, id, user, body).await;
}

async fn subscription(world: &Clients, user: &str) -> Result<GetSubscriptionResponse, Error> {
    let request = GetSubscriptionRequest {
        user_id: user.to_owned(),
    };
    world
        .mail
        .get_subscription(&world.user(user), request)
        .await
}

/// The messages that an address has.
async fn messages(world: &Clients, address: &str) -> Result<Vec<Message>, Error> {
    let request = ListMessagesRequest {
        page_size: 200,
        ..ListMessagesRequest::default()
    };
    let mut listed = world
        .mail
        .list_messages(&world.operator(), request)
        .await?
        .messages;
    listed.retain(|message| message.to == address);
    Ok(listed)
}

/// Waits for the one message that an address gets.
pub(super) async fn welcome(world: &Clients, address: &str) -> Message {
    let found = async || match &mut messages(world, address).await?[..] {
        [one] => Ok(std::mem::take(one)),
        other => Err(Error::unavailable(format!("{} messages", other.len()))),
    };
    world.eventually("the welcome comes", found).await
}

pub(super) async fn a_user_who_wants_mail_gets_one_welcome_and_says_yes_by_its_link(
    world: &Clients,
) {
    wish(world, "wish-1", "mae", "mae@example.com").await;
    let message = welcome(world, "mae@example.com").await;
    world
        .transcript
        .add("the welcome", &(&message.id, &message.subject));
    // Wanted again, and published again.
    wish(world, "wish-1", "mae", "mae@example.com").await;
    wish(world, "wish-2", "mae", "mae@EXAMPLE.com").await;
    let known = world.answered("before", subscription(world, "mae").await);
    assert_eq!((&*known.address, &*known.asked), ("", "m…@e….com"));
    let request = GetMessageRequest { id: message.id };
    let got = world.mail.get_message(&world.operator(), request).await;
    let message = world.some("the message", world.worked("it", got).message);
    let link = message.text.split("/mail/confirm/").nth(1);
    let token: String = world.some("the link", link).chars().take(32).collect();
    let body = format!(r#"{{"token":"{token}","wanted":true}}"#);
    say::<MailAnswered>(world, "answer-1", &token, body).await;
    let confirmed = async || match subscription(world, "mae").await? {
        known if !known.address.is_empty() => Ok(known),
        known => Err(Error::unavailable(format!("{known:?}"))),
    };
    let known = world.eventually("the yes is heard", confirmed).await;
    world.transcript.add("after", &known);
    let all = world.worked("all", messages(world, "mae@example.com").await);
    assert_eq!(all.len(), 1, "{all:?}");
}

pub(super) async fn the_mailbox_is_for_operators_and_a_subscription_for_its_user(world: &Clients) {
    let request = ListMessagesRequest::default();
    let by_a_user = world.mail.list_messages(&world.user("ann"), request).await;
    world.refused("the mailbox", by_a_user, Code::PermissionDenied);
    let request = GetMessageRequest { id: "x".to_owned() };
    let by_a_user = world.mail.get_message(&world.user("ann"), request).await;
    world.refused("a message", by_a_user, Code::PermissionDenied);
    let request = GetMessageRequest { id: "x".to_owned() };
    let unknown = world.mail.get_message(&world.operator(), request).await;
    world.refused("no message", unknown, Code::NotFound);
    let of_another = GetSubscriptionRequest {
        user_id: "bob".to_owned(),
    };
    let refused = world
        .mail
        .get_subscription(&world.user("ann"), of_another)
        .await;
    world.refused("of another", refused, Code::PermissionDenied);
    let nobody = GetSubscriptionRequest {
        user_id: "bob".to_owned(),
    };
    let refused = world.mail.get_subscription(&world.nobody(), nobody).await;
    world.refused("by nobody", refused, Code::Unauthenticated);
    let wrong = ListMessagesRequest {
        page_token: "x".to_owned(),
        ..Default::default()
    };
    let refused = world.mail.list_messages(&world.operator(), wrong).await;
    world.refused("no token", refused, Code::InvalidArgument);
}
