//! The contract, for gRPC, REST and direct calls alike.

use crate::controller::Controller;
use crate::model::{Message, masked};
use crate::post::mailbox::Mailbox;
use async_trait::async_trait;
use backlot::broker::access::OPERATOR;
use backlot::{Context, Error, Permission, Rule, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use movies_api as api;
use movies_api::{
    GetMessageRequest, GetMessageResponse, GetSubscriptionRequest, GetSubscriptionResponse,
    ListMessagesRequest, ListMessagesResponse,
};
use std::sync::Arc;

/// How many messages a page has when the caller does not say.
const PAGE: usize = 50;

/// Reading everybody's mail.
struct Read;

impl Permission for Read {
    fn name(&self) -> &'static str {
        "read the mailbox"
    }

    fn rule(&self) -> Rule {
        Rule::Role(OPERATOR)
    }
}

pub(crate) struct Grpc {
    pub(crate) controller: Arc<Controller>,
    pub(crate) mailbox: Mailbox,
}

#[async_trait]
impl api::Mail for Grpc {
    async fn get_subscription(
        &self,
        cx: &Context,
        request: GetSubscriptionRequest,
    ) -> Result<GetSubscriptionResponse, Error> {
        let (user, addresses) = self.controller.subscription(cx, &request.user_id).await?;
        let of = |confirmed| {
            let found = addresses.iter().find(|known| known.confirmed == confirmed);
            found
                .map(|known| masked(&known.address))
                .unwrap_or_default()
        };
        Ok(GetSubscriptionResponse {
            address: of(true),
            asked: of(false),
            note: user.map(|user| user.note).unwrap_or_default(),
        })
    }

    async fn list_messages(
        &self,
        cx: &Context,
        request: ListMessagesRequest,
    ) -> Result<ListMessagesResponse, Error> {
        cx.allow(Read, "")?;
        let after = parse(&request.page_token)?;
        let size = match usize::try_from(request.page_size).unwrap_or_default() {
            0 => PAGE,
            size => size,
        };
        // One more than asked tells whether there is a next page.
        let mut messages = self.mailbox.latest(cx, after, size as i64 + 1).await?;
        let more = messages.len() > size;
        messages.truncate(size);
        let last = messages.last().filter(|_| more);
        Ok(ListMessagesResponse {
            next_page_token: last.map_or_else(String::new, token),
            messages: messages.into_iter().map(Into::into).collect(),
        })
    }

    async fn get_message(
        &self,
        cx: &Context,
        request: GetMessageRequest,
    ) -> Result<GetMessageResponse, Error> {
        cx.allow(Read, "")?;
        let message = self.mailbox.get(cx, &request.id).await?;
        Ok(GetMessageResponse {
            message: Some(message.into()),
        })
    }
}

fn token(last: &Message) -> String {
    URL_SAFE_NO_PAD.encode(format!("{} {}", last.at.0, last.id))
}

/// Where a page starts; the empty token is the first.
fn parse(token: &str) -> Result<(Timestamp, String), Error> {
    if token.is_empty() {
        return Ok((Timestamp(i64::MAX), String::new()));
    }
    let bytes = URL_SAFE_NO_PAD.decode(token).ok();
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    let parsed = text.as_deref().and_then(|text| {
        let (at, id) = text.split_once(' ')?;
        Some((Timestamp(at.parse().ok()?), id.to_owned()))
    });
    parsed.ok_or_else(|| {
        let rule = "is not a token of this list: pass back nextPageToken as it came, or nothing for the first page";
        Error::invalid_argument(format!("pageToken: {rule}")).with_violation("pageToken", rule)
    })
}

impl From<Message> for api::Message {
    fn from(message: Message) -> Self {
        let Message {
            id,
            at,
            to,
            subject,
            text,
            html,
        } = message;
        api::Message {
            id,
            to,
            subject,
            at: at.0,
            text,
            html,
        }
    }
}
