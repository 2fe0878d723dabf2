//! A data folder with a log in it, and a place for a broker.

use backlot_core::{Context, Env};
use backlot_messaging::dead::{header, queue_of};
use backlot_messaging::embedded::Options;
use backlot_messaging::engine::{Outgoing, Subscription, TopicSpec};
use backlot_messaging::{Embedded, Engine, Record};
use backlot_service::{Metrics, Tasks};
use backlot_testkit::{Ports, Process, Program};
use serde_json::Value;
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;

pub(crate) const TOPIC: &str = "orders";
pub(crate) const GROUP: &str = "billing";

pub(crate) struct Site {
    folder: TempDir,
    ports: Ports,
}

impl Site {
    pub(crate) fn new() -> Site {
        Site {
            folder: backlot_testkit::folder(),
            ports: Ports::claim(3),
        }
    }

    /// A log with so many dead letters of the group, of two classes in turn.
    pub(crate) async fn with_letters(count: u32) -> Site {
        Site::with((0..count).map(letter).collect()).await
    }

    /// A log with so many orders, of which the group has done none.
    pub(crate) async fn with_orders(count: u32) -> Site {
        let order = |id: u32| {
            let record = Record::new(id.to_string(), "OrderPlaced", "shop", "{}");
            Outgoing::new(TOPIC, record)
        };
        Site::with((0..count).map(order).collect()).await
    }

    async fn with(messages: Vec<Outgoing>) -> Site {
        let site = Site::new();
        let (env, metrics) = (Env::real(), Metrics::new());
        let tasks = Tasks::with_metrics(&env, &metrics);
        let file = site.file("broker.db");
        let log = Embedded::file(&file, Options::default(), &env, &tasks, &metrics);
        let log = log.await.unwrap();
        let cx = Context::background().with_timeout(Duration::from_secs(20));
        for topic in [TOPIC.to_owned(), queue_of(TOPIC, GROUP)] {
            log.ensure(&cx, &TopicSpec::new(topic, 1)).await.unwrap();
        }
        let reader = log.attach(&cx, &Subscription::new(TOPIC, GROUP)).await;
        reader.unwrap().close().await.unwrap();
        log.append(&cx, messages).await.unwrap();
        log.close().await.unwrap();
        drop(log);
        tasks.shutdown(Duration::from_secs(1)).await;
        site
    }

    pub(crate) fn backlot(&self, arguments: &[&str]) -> Program {
        Program::new(env!("CARGO_BIN_EXE_backlot"))
            .args(arguments)
            .arg("--data")
            .arg(self.folder.path())
            .args([
                "--set",
                &format!("broker.server.listen={}", self.ports.address(0)),
            ])
            .args([
                "--set",
                &format!("broker.server.admin={}", self.ports.address(1)),
            ])
            .args([
                "--set",
                &format!("registry.address={}", self.ports.address(2)),
            ])
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Where its broker takes calls.
    pub(crate) fn address(&self) -> String {
        self.ports.address(0)
    }

    /// A broker that serves the log.
    pub(crate) async fn broker(&self) -> Process {
        let mut broker = self.backlot(&["broker"]).start();
        broker
            .wait_for_line("the broker serves", |line| line.contains("broker serves"))
            .await;
        broker
    }

    /// What a command answers that succeeds.
    pub(crate) async fn answer(&self, arguments: &[&str]) -> String {
        let ended = self.backlot(arguments).run().await;
        assert!(
            ended.status.success(),
            "{arguments:?}: {}{}",
            ended.out,
            ended.err
        );
        ended.out
    }

    pub(crate) async fn json(&self, arguments: &[&str]) -> Value {
        let mut all = arguments.to_vec();
        all.push("--json");
        serde_json::from_str(&self.answer(&all).await).unwrap()
    }

    /// What a command says that is refused.
    pub(crate) async fn refusal(&self, arguments: &[&str]) -> String {
        let ended = self.backlot(arguments).run().await;
        assert!(
            !ended.status.success(),
            "{arguments:?}: {}{}",
            ended.out,
            ended.err
        );
        assert!(!ended.err.contains("panicked"), "{}", ended.err);
        ended.err
    }
}

fn letter(number: u32) -> Outgoing {
    let payload = format!(r#"{{"order":{number}}}"#);
    let class = ["permanent", "exhausted"][number as usize % 2];
    let letter = Record::new(format!("m{number}"), "OrderPlaced", "shop", payload)
        .with_key(format!("customer-{number}"))
        .with_header("traceparent", "00-1")
        .with_header(header::CLASS, class)
        .with_header(header::TOPIC, TOPIC)
        .with_header(header::GROUP, GROUP)
        .with_header(
            header::ERRORS,
            r#"[{"at":1700000000001,"class":"transient","code":"UNAVAILABLE","message":"first"},
                {"at":1700000000002,"class":"transient","code":"UNAVAILABLE","message":"last"}]"#,
        );
    Outgoing::new(queue_of(TOPIC, GROUP), letter)
}
