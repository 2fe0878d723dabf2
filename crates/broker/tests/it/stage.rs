//! A broker that listens, and the way to it.

use backlot_broker::contract::{
    BROKER_SERVICE, BrokerClient, QUEUE_SERVICE, QueueClient, broker, queue,
};
use backlot_broker::{Access, Options, QueueServer, Remote, Server};
use backlot_core::discovery::{Instance, InstanceSet};
use backlot_core::env::{Phase, Shutdown};
use backlot_core::{Clock, Context, Env};
use backlot_messaging::consume::Setup;
use backlot_messaging::engine::{
    Delivery, Input, Outgoing, Settle, Source, Subscription, Token, TopicSpec,
};
use backlot_messaging::pull::{self, Desk, Queues};
use backlot_messaging::{Embedded, Engine, Record, embedded};
use backlot_rpc::{Binding, Client, Edge};
use backlot_service::health::Health;
use backlot_service::{Metrics, Tasks};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

pub(crate) const SECRET: [u8; 32] = [7; 32];
pub(crate) const TOPIC: &str = "events";

pub(crate) fn env(clock: Clock) -> Env {
    Env {
        clock,
        shutdown: Shutdown::new(),
        ..Env::real()
    }
}

pub(crate) fn cx() -> Context {
    Context::background().with_timeout(Duration::from_secs(20))
}

/// A process with a broker, and nothing else.
pub(crate) struct Process {
    pub(crate) log: Embedded,
    pub(crate) desk: Arc<dyn Queues>,
    pub(crate) server: Server,
    pub(crate) address: String,
    env: Env,
    tasks: Tasks,
}

impl Process {
    /// Serves the log in this file, at this address or a free one.
    pub(crate) async fn start(
        file: &Path,
        address: &str,
        clock: Clock,
        options: Options,
    ) -> Process {
        let (env, metrics) = (env(clock), Metrics::new());
        let tasks = Tasks::with_metrics(&env, &metrics);
        let kept = embedded::Options {
            tend: Duration::from_millis(50),
            ..embedded::Options::default()
        };
        let opening = async {
            loop {
                match Embedded::file(file, kept.clone(), &env, &tasks, &metrics).await {
                    Ok(log) => return log,
                    // The process before lets go of it in a moment.
                    Err(_in_use) => tokio::time::sleep(Duration::from_millis(5)).await,
                }
            }
        };
        let log = tokio::time::timeout(Duration::from_secs(30), opening);
        let log = log.await.expect("the last process lets go of the file");
        let access = Access::new(SECRET);
        let engine: Arc<dyn Engine> = Arc::new(log.clone());
        let setup = Setup {
            engine: Arc::clone(&engine),
            service: "broker",
            member: "broker-1".to_owned(),
            env: env.clone(),
            metrics: metrics.clone(),
        };
        let desk = Desk::new(&setup, pull::Options::default(), &tasks);
        let desk: Arc<dyn Queues> = Arc::new(desk);
        let queues = Arc::clone(&desk);
        let queues = QueueServer::new(Arc::clone(&engine), queues, access.clone(), &env);
        let server = Server::new(engine, access, options, &env, &tasks);
        let listener = env.net.bind(address).await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let serving = backlot_rpc::Server::new(Edge::anonymous(), Health::new())
            .mount(broker(server.clone()))
            .mount(queue(queues))
            .prepare()
            .unwrap();
        tasks.spawn("server", {
            let env = env.clone();
            async move {
                serving.run(listener, &env).await;
            }
        });
        Process {
            log,
            desk,
            server,
            address,
            env,
            tasks,
        }
    }

    /// Ends properly.
    pub(crate) async fn stop(&self) {
        self.env.shutdown.advance(Phase::Draining);
        self.log.close().await.unwrap();
        self.kill().await;
    }

    /// Ends as if it had died.
    pub(crate) async fn kill(&self) {
        self.env.shutdown.advance(Phase::Stopped);
        self.tasks.shutdown(Duration::ZERO).await;
    }
}

/// Another process, which knows where the broker is.
pub(crate) struct Caller {
    pub(crate) remote: Remote,
    pub(crate) client: BrokerClient,
    pub(crate) queues: QueueClient,
    tasks: Tasks,
    _instances: watch::Sender<InstanceSet>,
}

impl Caller {
    pub(crate) fn of(address: &str) -> Caller {
        Caller::with(address, SECRET)
    }

    pub(crate) fn with(address: &str, secret: [u8; 32]) -> Caller {
        let (env, metrics) = (env(Clock::real()), Metrics::new());
        let tasks = Tasks::with_metrics(&env, &metrics);
        let instance = Instance {
            id: address.to_owned(),
            service: "broker".to_owned(),
            address: address.to_owned(),
            version: String::new(),
            metadata: BTreeMap::new(),
        };
        let (instances, watched) = watch::channel(InstanceSet::new(vec![instance]));
        let caller = backlot_rpc::Caller::new(&metrics, &env, &tasks);
        let way = |contract| {
            let watched = watched.clone();
            let way = backlot_rpc::Remote::new(contract, "broker", watched, &caller);
            Binding::Remote(way)
        };
        let client = BrokerClient::bind(way(&BROKER_SERVICE));
        let queues = QueueClient::bind(way(&QUEUE_SERVICE));
        Caller {
            remote: Remote::new(client.clone(), secret, &env, &tasks).with_queues(queues.clone()),
            client,
            queues,
            tasks,
            _instances: instances,
        }
    }

    /// The process dies: nobody says goodbye.
    pub(crate) async fn kill(self) {
        self.tasks.shutdown(Duration::ZERO).await;
    }

    pub(crate) async fn topic(&self, partitions: u32) {
        let spec = TopicSpec::new(TOPIC, partitions);
        self.remote.ensure(&cx(), &spec).await.unwrap();
    }

    pub(crate) async fn publish(&self, ids: impl IntoIterator<Item = u64>) {
        let messages = ids.into_iter().map(message);
        self.remote.append(&cx(), messages.collect()).await.unwrap();
    }

    pub(crate) async fn reader(&self, lease: Duration) -> Box<dyn Source> {
        let subscription = Subscription {
            lease,
            ..Subscription::new(TOPIC, "g")
        };
        self.remote.attach(&cx(), &subscription).await.unwrap()
    }
}

pub(crate) fn message(id: u64) -> Outgoing {
    Outgoing::new(
        TOPIC,
        Record::new(id.to_string(), "Counted", "test", id.to_string()),
    )
}

pub(crate) fn ids(deliveries: &[Delivery]) -> Vec<String> {
    let ids = deliveries.iter().map(|delivery| delivery.record.id.clone());
    ids.collect()
}

pub(crate) fn done(deliveries: &[Delivery]) -> Vec<(Token, Settle)> {
    let done = deliveries
        .iter()
        .map(|delivery| (delivery.token, Settle::Done));
    done.collect()
}

/// So many messages, whatever else is told.
pub(crate) async fn take(source: &mut dyn Source, count: usize) -> Vec<Delivery> {
    let mut taken = Vec::new();
    let taking = async {
        while taken.len() < count {
            if let Input::Deliveries(some) = source.next(count - taken.len()).await.unwrap() {
                taken.extend(some);
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), taking)
        .await
        .expect("messages come");
    taken
}
