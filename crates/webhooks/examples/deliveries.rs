//! Measures deliveries to an endpoint on this machine, by how many run at once: every message is read from
//! the log on the disk, signed, posted, answered, and settled.
//!
//! ```text
//! cargo run --release -p backlot-webhooks --example deliveries
//! ```

use backlot_app::cli::{Configuration, Options, Product};
use backlot_app::embedded::Embedded;
use backlot_app::process;
use backlot_cluster::Memory;
use backlot_core::net::{Listener, Network, Tcp};
use backlot_core::principal::{Token, User};
use backlot_core::{Context, Env, Principal};
use backlot_messaging::Record;
use backlot_messaging::engine::{Engine, Outgoing, TopicSpec};
use backlot_rpc::{Binding, Client};
use backlot_webhooks::contract::webhooks::v1 as proto;
use backlot_webhooks::contract::{WEBHOOK_SERVICE, WebhookClient};
use bytes::Bytes;
use http::Response;
use http_body_util::{BodyExt, Full};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

const TOPIC: &str = "orders";
const COUNT: u64 = 5_000;

fn cx() -> Context {
    let operator = User {
        subject: "olga".into(),
        roles: ["operator".to_owned()].into(),
        audience: ["webhooks".to_owned()].into(),
        expires: Env::real().clock.wall().plus(Duration::from_secs(600)),
        token: Token::new("t"),
    };
    Context::background()
        .with_timeout(Duration::from_secs(60))
        .with_principal(Principal::User(Arc::new(operator)))
}

/// Takes whatever comes, and counts it.
async fn endpoint(mut listener: Box<dyn Listener>, taken: Arc<AtomicU64>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let taken = Arc::clone(&taken);
        let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
            let taken = Arc::clone(&taken);
            async move {
                request.into_body().collect().await?;
                taken.fetch_add(1, Ordering::Relaxed);
                Ok::<_, hyper::Error>(Response::new(Full::<Bytes>::default()))
            }
        });
        connections.spawn(async move {
            // It ends with whoever opened it.
            drop(
                http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .await,
            );
        });
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let taken = Arc::new(AtomicU64::new(0));
    let listener = Tcp.bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    let mut serving = JoinSet::new();
    serving.spawn(endpoint(listener, Arc::clone(&taken)));

    let (folder, env) = (tempfile::tempdir_in(".")?, Env::real());
    let product = Product {
        name: "deliveries",
        variables: "DELIVERIES",
        data: "data",
        services: || vec![backlot_app::broker::service(), backlot_webhooks::service()],
    };
    let options = Options {
        data: Some(folder.path().to_owned()),
        set: vec![
            "identity.issuer=".to_owned(),
            "webhooks.plain=true".to_owned(),
            "webhooks.allow=[\"127.0.0.0/8\"]".to_owned(),
            format!("webhooks.ports=[{port}]"),
        ],
        ..Options::default()
    };
    let configuration = Configuration::load(&product, &options, &env)?;
    let services: Vec<_> = configuration
        .services
        .iter()
        .map(|service| service.clone().listening("127.0.0.1:0", "127.0.0.1:0"))
        .collect();
    let world = process::world(&configuration.platform, &env, Arc::new(Memory::new()));
    let running = Embedded::start(&services, world).await?;
    let log = running.broker().clone();
    log.ensure(&cx(), &TopicSpec::new(TOPIC, 4)).await?;
    let binding = running.local().binding(&WEBHOOK_SERVICE, env.dice.split());
    let webhooks = WebhookClient::bind(Binding::Direct(binding));

    println!("{:>8} {:>18}", "at once", "deliveries/s");
    for concurrency in [1, 8, 64, 256] {
        let name = format!("shop-{concurrency}");
        let request = proto::PutWebhookRequest {
            name: name.clone(),
            topic: TOPIC.to_owned(),
            url: format!("http://127.0.0.1:{port}/hook"),
            concurrency,
            ..proto::PutWebhookRequest::default()
        };
        webhooks.put_webhook(&cx(), request).await?;
        let records = (0..COUNT).map(|number| {
            let body = format!("{{\"order\":{number:0>189}}}");
            Outgoing::new(
                TOPIC,
                Record::new(number.to_string(), "OrderPlaced", "shop", body),
            )
        });
        taken.store(0, Ordering::Relaxed);
        let began = Instant::now();
        log.append(&cx(), records.collect()).await?;
        while taken.load(Ordering::Relaxed) < COUNT {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let took = Instant::now() - began;
        println!(
            "{concurrency:>8} {:>18.0}",
            COUNT as f64 / took.as_secs_f64()
        );
        webhooks
            .delete_webhook(&cx(), proto::DeleteWebhookRequest { name })
            .await?;
    }
    running.stop().await;
    Ok(())
}
