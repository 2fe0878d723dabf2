//! Mail to people: a welcome to an address that somebody wants mail at, and the chart every week to
//! those who said yes there.
//!
//! It is apart from all else: who wants mail says so in the log of events, and each message is one
//! in the log as well until a mail server has taken it. While this service or its server is away
//! nothing else waits, and mail goes out when they are back. A message may be sent twice, when its
//! sender dies before it could say that it was sent: under the same Message-ID.
//!
//! | module | what it holds |
//! |---|---|
//! | `letter` | what messages say |
//! | `post` | where they go: a mail server, or a mailbox to look into |
//! | `controller`, `handler`, `repository` | the rules; the ways in; all SQL |

mod config;
mod controller;
mod handler;
mod letter;
mod model;
mod post;
mod repository;

pub use config::{Config, SmtpConfig};
pub use post::smtp::Security;

use aws_lc_rs::hmac;
use backlot::messaging::caps::Durability;
use backlot::messaging::consume::{Group, Order};
use backlot::{Service, StartError, Startup, owners};
use movies_api as api;
use movies_api::events::MailDue;
use post::Post;
use post::mailbox::Mailbox;
use post::smtp::Smtp;
use std::sync::Arc;
use std::time::Duration;

/// What the links in messages are made with, in the data folder.
pub const KEY: &str = "mail.key";

/// Name, owner, configuration type and `start`: all that a composition needs to know.
#[must_use]
pub fn service() -> Service {
    Service::new("mail", owners!("mail-team"), start)
        .port(8088)
        .with_store()
}

async fn start(config: Config, cx: &mut Startup) -> Result<(), StartError> {
    let store = cx.store(&config.store, repository::MIGRATIONS).await?;
    let controller = Arc::new(controller::Controller {
        store: store.clone(),
        movies: Arc::new(cx.client::<api::MovieClient>()),
        clock: cx.clock().clone(),
        key: hmac::Key::new(hmac::HMAC_SHA256, &cx.secret(KEY)?),
        site: config.site.trim_end_matches('/').to_owned(),
        every: config.every,
    });
    let mailbox = Mailbox {
        store: store.clone(),
        clock: cx.clock().clone(),
        keep: config.keep,
    };
    let has_server = !config.smtp.server.is_empty();
    let connecting = config.smtp.timeout;
    let post = match has_server {
        false => Post::Mailbox(mailbox.clone()),
        true => Post::Smtp(Box::new(Smtp::new(config.smtp, &config.from, cx.env())?)),
    };
    let patience = connecting + post::smtp::SENDING + Duration::from_secs(10);
    cx.serve(api::mail(handler::Grpc {
        controller: Arc::clone(&controller),
        mailbox: mailbox.clone(),
    }));
    if !has_server {
        let mut page = String::new();
        if cx.is_local() {
            page = format!("http://{}/mailbox", cx.address());
            cx.routes(handler::router(mailbox.clone()));
        }
        cx.panel("mailbox", handler::Latest { mailbox, page });
    }
    cx.relay(&store, |carrier| carrier.topic::<MailDue>())?;
    let group = |name| Group::new(name).durability(Durability::Disk);
    let wishes = handler::Wishes(Arc::clone(&controller));
    cx.consume(group("mail-wishes"), &store, wishes)?;
    let answers = handler::Answers(Arc::clone(&controller));
    cx.consume(group("mail-answers"), &store, answers)?;
    let senders = group("mail-senders")
        .order(Order::None)
        .concurrency(config.senders)
        .attempts(30)
        .lease(Duration::from_secs(10))
        .deadline(patience);
    cx.work(senders, post)?;
    cx.own("charts", async move |stop| {
        tokio::select! {
            biased;
            () = stop => {}
            () = controller.send_charts() => {}
        }
    });
    Ok(())
}
