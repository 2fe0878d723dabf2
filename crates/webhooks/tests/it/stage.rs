//! A broker and the webhooks service in one process.

use backlot_app::cli::{Configuration, Options, Product};
use backlot_app::embedded::Embedded;
use backlot_app::service::Prepared;
use backlot_app::{Service, World, process};
use backlot_cluster::Memory;
use backlot_core::principal::{Token, User};
use backlot_core::{Context, Env, Principal};
use backlot_messaging::dead::{Entry, Filter, Letters, Page};
use backlot_messaging::engine::{Outgoing, TopicSpec};
use backlot_messaging::{Engine, Record};
use backlot_rpc::{Binding, Client};
use backlot_webhooks::contract::webhooks::v1 as proto;
use backlot_webhooks::contract::{WEBHOOK_SERVICE, WebhookClient};
use std::sync::Arc;
use std::time::Duration;

pub(crate) const TOPIC: &str = "orders";

/// An operator's call.
pub(crate) fn cx() -> Context {
    let operator = User {
        subject: "olga".into(),
        roles: ["operator".to_owned()].into(),
        audience: ["webhooks".to_owned()].into(),
        expires: Env::real().clock.wall().plus(Duration::from_secs(600)),
        token: Token::new("t"),
    };
    Context::background()
        .with_timeout(Duration::from_secs(20))
        .with_principal(Principal::User(Arc::new(operator)))
}

fn services() -> Vec<Service> {
    vec![backlot_app::broker::service(), backlot_webhooks::service()]
}

pub(crate) struct Stage {
    _folder: tempfile::TempDir,
    pub(crate) client: WebhookClient,
    world: World,
    services: Vec<Prepared>,
    running: Embedded,
}

impl Stage {
    /// With what is set, and a topic.
    pub(crate) async fn start(set: &[String]) -> Stage {
        let (folder, env) = (tempfile::tempdir().unwrap(), Env::real());
        let product = Product {
            name: "test",
            variables: "TEST",
            data: "data",
            services,
        };
        let options = Options {
            data: Some(folder.path().to_owned()),
            set: [&["identity.issuer=".to_owned()], set].concat(),
            ..Options::default()
        };
        let configuration = Configuration::load(&product, &options, &env).unwrap();
        let services = configuration.services.iter().cloned();
        let services = services.map(|service| service.listening("127.0.0.1:0", "127.0.0.1:0"));
        let services: Vec<Prepared> = services.collect();
        let world = process::world(&configuration.platform, &env, Arc::new(Memory::new()));
        let running = Embedded::start(&services, world.clone()).await.unwrap();
        let binding = running.local().binding(&WEBHOOK_SERVICE, env.dice.split());
        let stage = Stage {
            _folder: folder,
            client: WebhookClient::bind(Binding::Direct(binding)),
            world,
            services,
            running,
        };
        let spec = TopicSpec::new(TOPIC, 2);
        stage.log().ensure(&cx(), &spec).await.unwrap();
        stage
    }

    /// Where http to this port of this machine is allowed.
    pub(crate) async fn allowing(port: u16) -> Stage {
        Stage::start(&[
            "webhooks.plain=true".to_owned(),
            "webhooks.allow=[\"127.0.0.0/8\"]".to_owned(),
            format!("webhooks.ports=[{port}, 443]"),
        ])
        .await
    }

    pub(crate) fn log(&self) -> Arc<dyn Engine> {
        Arc::new(self.running.broker().clone())
    }

    pub(crate) async fn put(&self, name: &str, url: &str) -> proto::PutWebhookResponse {
        self.put_with(name, url, |_| {}).await
    }

    pub(crate) async fn put_with(
        &self,
        name: &str,
        url: &str,
        change: impl FnOnce(&mut proto::PutWebhookRequest),
    ) -> proto::PutWebhookResponse {
        let mut request = asking(name, url);
        change(&mut request);
        self.client.put_webhook(&cx(), request).await.unwrap()
    }

    pub(crate) async fn get(&self, name: &str) -> proto::Webhook {
        let request = proto::GetWebhookRequest {
            name: name.to_owned(),
        };
        let found = self.client.get_webhook(&cx(), request).await.unwrap();
        found.webhook.unwrap()
    }

    /// Publishes orders of these numbers, each with a key of its own.
    pub(crate) async fn publish(&self, numbers: impl IntoIterator<Item = u32>) {
        let records = numbers.into_iter().map(|number| {
            let body = format!("{{\"order\":{number}}}");
            let record = Record::new(format!("order-{number}"), "OrderPlaced", "shop", body);
            Outgoing::new(TOPIC, record.with_key(number.to_string()))
        });
        self.log().append(&cx(), records.collect()).await.unwrap();
    }

    /// Dead letters of an endpoint.
    pub(crate) async fn letters(&self, name: &str) -> Vec<Entry> {
        let letters = Letters::of(&*self.log()).unwrap();
        let filter = Filter::of_group(format!("webhook.{name}"));
        let listed = letters.list(&cx(), &filter, &Page::first(100)).await;
        listed.map(|listed| listed.entries).unwrap_or_default()
    }

    pub(crate) async fn letter(&self, name: &str) -> Entry {
        backlot_testkit::wait_until("it is given up", async || {
            let letters = self.letters(name).await;
            letters.into_iter().next().ok_or("none".to_owned())
        })
        .await
    }

    /// The service ends, and is started again.
    pub(crate) async fn restart(&mut self) {
        assert!(self.running.stop_one("webhooks").await);
        let started = self
            .running
            .start_one(&self.services[1], self.world.clone());
        started.await.unwrap();
    }

    pub(crate) async fn stop(self) {
        let ended = self.running.stop().await;
        assert_eq!((ended.cut, ended.aborted), (0, 0));
    }
}

pub(crate) fn asking(name: &str, url: &str) -> proto::PutWebhookRequest {
    proto::PutWebhookRequest {
        name: name.to_owned(),
        topic: TOPIC.to_owned(),
        url: url.to_owned(),
        ..proto::PutWebhookRequest::default()
    }
}
