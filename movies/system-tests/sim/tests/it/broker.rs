//! The log of events on a host of its own: what was acknowledged outlives its crashes, those of its
//! database, and orders to restart; readers and writers come over the simulated network.

use backlot::Context;
use backlot::app::broker::KEY;
use backlot::app::cli::Product;
use backlot::broker::Remote;
use backlot::broker::contract::BrokerClient;
use backlot::messaging::engine::{Input, Outgoing, Settle, Subscription, TopicSpec};
use backlot::messaging::{Engine, Error, Record};
use backlot::service::tasks::Tasks;
use backlot_sim::{Event, Fault, Host, Options, Outcome, Program, What, World, simulate};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::timeout;

const ALONE: Product = Product {
    name: "log",
    variables: "LOG",
    data: "data",
    services: || vec![backlot::broker_service()],
};
const TOPIC: &str = "orders";
const MESSAGES: u64 = 150;

fn cx() -> Context {
    Context::system("test").with_timeout(Duration::from_secs(2))
}

/// The log as this host reaches it.
fn log(host: &Host, secret: [u8; 32]) -> Remote {
    let client: BrokerClient = host.caller().client();
    Remote::new(client, secret, host.env(), &Tasks::new(host.env()))
}

async fn pause() {
    tokio::time::sleep(Duration::from_millis(60)).await;
}

/// Publishes one after the other, each until it is acknowledged.
async fn write(log: Remote) {
    while log.ensure(&cx(), &TopicSpec::new(TOPIC, 3)).await.is_err() {
        pause().await;
    }
    for id in 0..MESSAGES {
        let record = Record::new(id.to_string(), "OrderPlaced", "test", "{}");
        let message = Outgoing::new(TOPIC, record.with_key((id % 7).to_string())).deduplicated();
        while log.append(&cx(), vec![message.clone()]).await.is_err() {
            pause().await;
        }
        pause().await;
    }
}

/// Whether all are in the log, each once, and settled.
async fn is_finished(log: &Remote) -> bool {
    let Ok(report) = log.inspect(&cx(), TOPIC, Some("billing")).await else {
        return false;
    };
    let stored: u64 = report.partitions.iter().map(|part| part.head).sum();
    let groups = report.groups.iter().flat_map(|group| &group.partitions);
    stored >= MESSAGES && groups.map(|part| part.lag).sum::<u64>() == 0
}

/// Reads until all are settled. What was said to be settled never comes again.
async fn read(host: Host, log: Remote) {
    let (mut seen, mut settled) = (BTreeSet::new(), BTreeSet::new());
    let subscription = Subscription {
        lease: Duration::from_secs(5),
        ..Subscription::new(TOPIC, "billing")
    };
    let mut joined = 0;
    while !is_finished(&log).await {
        let Ok(mut source) = log.attach(&cx(), &subscription).await else {
            pause().await;
            continue;
        };
        joined += 1;
        loop {
            let deliveries = match timeout(Duration::from_secs(1), source.next(16)).await {
                Ok(Ok(Input::Deliveries(deliveries))) => deliveries,
                Ok(Ok(_)) => continue,
                Ok(Err(Error::Closed)) => break,
                Ok(Err(_passing)) => continue,
                Err(_nothing_came) if is_finished(&log).await => break,
                Err(_nothing_came) => continue,
            };
            let ids = deliveries.iter().map(|delivery| delivery.record.id.clone());
            let ids: BTreeSet<String> = ids.collect();
            if let Some(id) = ids.intersection(&settled).next() {
                let told = format!("{id} came again after it was settled");
                host.trace().violation("reader", told);
            }
            seen.extend(ids.clone());
            let done = deliveries
                .iter()
                .map(|delivery| (delivery.token, Settle::Done));
            // Of those whose answer was lost nobody knows.
            if source
                .settle(done.collect())
                .await
                .is_ok_and(|stale| stale.is_empty())
            {
                settled.extend(ids);
            }
        }
    }
    let all: BTreeSet<String> = (0..MESSAGES).map(|id| id.to_string()).collect();
    if seen != all {
        let lost: Vec<&String> = all.difference(&seen).collect();
        host.trace().violation("reader", format!("lost: {lost:?}"));
    }
    let report = log.inspect(&cx(), TOPIC, None).await;
    let stored = report.map(|report| report.partitions.iter().map(|part| part.head).sum::<u64>());
    if !matches!(stored, Ok(MESSAGES)) {
        let told = format!("{stored:?} are stored instead of {MESSAGES}");
        host.trace().violation("reader", told);
    }
    host.trace()
        .note("reader", format!("joined {joined} times"));
}

fn build(world: &mut World, faults: Vec<Fault>) -> anyhow::Result<()> {
    world.database(None);
    world.registry();
    let program = Program::load(&ALONE, "broker", "broker", &["identity.issuer="])
        .map_err(|problems| anyhow::anyhow!("{problems}"))?;
    world.service("broker", program);
    world.faults(faults);
    let secret = world.secret(KEY);
    world.client("writer", move |host| async move {
        write(log(&host, secret)).await;
    });
    world.client("reader", move |host| async move {
        let log = log(&host, secret);
        read(host, log).await;
    });
    Ok(())
}

fn fault(at_ms: u64, lasts_ms: u64, what: What) -> Fault {
    Fault {
        at: Duration::from_millis(at_ms),
        lasts: Duration::from_millis(lasts_ms),
        what,
    }
}

fn outcome(seed: u64, faults: Vec<Fault>) -> Outcome {
    let options = Options {
        limit: Duration::from_secs(90),
        ..Options::default()
    };
    simulate(seed, options, |world| {
        if let Err(problem) = build(world, faults) {
            world.trace().violation("world", format!("{problem:#}"));
        }
    })
}

#[track_caller]
fn assert_holds(outcome: &Outcome) {
    assert!(
        outcome.holds(),
        "seed {}: {:#?}",
        outcome.seed,
        outcome.events
    );
}

#[test]
fn what_is_acknowledged_outlives_the_broker_its_database_and_the_wire() {
    let between = |a: &str, b: &str| [a.to_owned(), b.to_owned()];
    for seed in [1, 2] {
        let faults = vec![
            fault(2_000, 500, What::Crash("broker".into())),
            fault(4_000, 600, What::Crash("database".into())),
            fault(6_000, 0, What::Restart("broker".into())),
            fault(8_000, 700, What::Partition(between("reader", "broker"))),
            fault(10_000, 700, What::Hold(between("writer", "broker"))),
            fault(12_000, 1_500, What::LoseAnswers),
        ];
        let outcome = outcome(seed, faults);
        assert_holds(&outcome);
        // Once at first, and after each of the two times that the broker forgot its sessions.
        let joined = |event: &Event| {
            event
                .text
                .strip_prefix("joined ")?
                .split(' ')
                .next()?
                .parse()
                .ok()
        };
        let joined: Option<u32> = outcome.events.iter().find_map(joined);
        assert!(joined.is_some_and(|joined| joined >= 3), "{joined:?}");
    }
}

#[test]
fn the_same_seed_reads_the_same() {
    let crash = || vec![fault(2_000, 500, What::Crash("broker".into()))];
    let (one, other) = (outcome(3, crash()), outcome(3, crash()));
    assert_holds(&one);
    assert_eq!(one.hash, other.hash);
}
