//! Which hosts run, and what can go wrong between them.

use crate::model::Model;
use crate::oracle::Oracle;
use crate::plan::{Defence, Plan};
use crate::workload::{PROVIDERS, Party, USERS, audit, errands, provide, use_it, watch};
use backlot::Service;
use backlot::app::broker::KEY;
use backlot::app::cli::Product;
use backlot::broker::Remote;
use backlot::broker::contract::{BrokerClient, QueueClient};
use backlot::identity::SigningKey;
use backlot::messaging::Engine;
use backlot::messaging::consume::sabotage::Sabotage;
use backlot::service::Tasks;
use backlot_sim::faults::{Fault, Terrain};
use backlot_sim::{Host, Options, Outcome, Program, World, simulate};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// When faults begin, and by when all are over.
const FAULTS: std::ops::Range<Duration> = Duration::from_secs(1)..Duration::from_secs(8);
/// The longest a run takes, in simulated time. Users stop at 9 s and faults are over by then. What
/// a consumer had that died comes to the next when its lease of 10 s ends, counted from a call of
/// some seconds that it may have left behind; and who was refused often waits up to 10 s: later,
/// something is stuck.
const LIMIT: Duration = Duration::from_secs(50);
/// How often the oracle looks.
const LOOK: Duration = Duration::from_millis(100);

/// The services, with the defences of this plan.
fn product(plan: &Plan) -> Product {
    Product {
        name: "movies",
        variables: "MOVIES",
        data: "data",
        services: match plan.without {
            Some(Defence::LateSettling) => || {
                services(movies_rating::sabotaged(Sabotage {
                    acknowledges_early: true,
                    ..Sabotage::default()
                }))
            },
            Some(Defence::Repetition) => || {
                services(movies_rating::sabotaged(Sabotage {
                    passes_holes: true,
                    ..Sabotage::default()
                }))
            },
            _ => || services(movies_rating::service()),
        },
    }
}

fn services(rating: Service) -> Vec<Service> {
    vec![
        backlot::broker_service(),
        movies_metadata::service(),
        rating,
        movies_movie::service(),
        movies_auth::service(),
    ]
}

/// Hosts and their services: what users call runs twice, because it keeps nothing.
const HOSTS: [(&str, &str); 6] = [
    ("broker", "broker"),
    ("auth", "auth"),
    ("metadata", "metadata"),
    ("rating", "rating"),
    ("movie-1", "movie"),
    ("movie-2", "movie"),
];

/// Who talks to whom; what carries ratings stands here more than once, and fails more often.
const LINKS: [[&str; 2]; 26] = [
    ["rating", "broker"],
    ["rating", "broker"],
    ["rating", "broker"],
    ["studio", "broker"],
    ["studio", "broker"],
    ["broker", "database"],
    ["broker", "database"],
    ["workshop", "broker"],
    ["broker", "registry"],
    ["studio", "rating"],
    ["rating", "database"],
    ["rating", "database"],
    ["rating", "database"],
    ["phones", "rating"],
    ["phones", "rating"],
    ["laptops", "rating"],
    ["laptops", "rating"],
    ["phones", "movie-1"],
    ["laptops", "movie-2"],
    ["movie-1", "rating"],
    ["movie-2", "rating"],
    ["movie-1", "metadata"],
    ["metadata", "database"],
    ["rating", "registry"],
    ["phones", "registry"],
    ["rating", "auth"],
];

/// Runs a plan.
#[must_use]
pub fn run(plan: &Plan) -> Outcome {
    let logs = plan.logs.then_some(tracing::Level::INFO);
    simulate(
        plan.seed,
        Options {
            limit: LIMIT,
            logs,
            ..Options::default()
        },
        |world| {
            if let Err(problem) = build(world, plan) {
                world
                    .trace()
                    .violation("world", format!("it cannot be built: {problem:#}"));
            }
        },
    )
}

fn build(world: &mut World, plan: &Plan) -> anyhow::Result<()> {
    let product = product(plan);
    let model = Model::new();
    let database = world.database(plan.weakness());
    world.registry();
    // Each event in a commit of its own, or with others.
    let batch = match world.dice("batch").below(2) {
        0 => "rating.batch=1",
        _ => "rating.batch=16384",
    };
    for (host, service) in HOSTS {
        // What a consumer had that died is looked for so much sooner.
        let set: &[&str] = match service {
            "rating" => &["rating.lease=10s", batch],
            _ => &[],
        };
        let program = Program::load(&product, service, host, set)
            .map_err(|problems| anyhow::anyhow!("{problems}"))?;
        world.service(host, program);
    }
    let faults = plan.choose(terrain().draw(&world.dice("faults")));
    let healed = faults.iter().map(Fault::until).max().unwrap_or_default();
    world.faults(faults);

    let key = SigningKey::from_seed(&world.secret(movies_auth::KEY))?;
    let party = Party::new(plan.clone(), model.clone(), key);
    for (host, users) in USERS {
        let party = party.clone();
        world.client(host, move |host| async move {
            let caller = host.caller();
            let mut at_work = JoinSet::new();
            for user in users {
                at_work.spawn_local(use_it(host.clone(), caller.clone(), party.clone(), user));
            }
            while at_work.join_next().await.is_some() {}
        });
    }
    let secret = world.secret(KEY);
    let publishing = party.clone();
    world.client("studio", move |host| async move {
        let log = log(&host, secret);
        let mut at_work = JoinSet::new();
        for provider in PROVIDERS {
            let (caller, log) = (host.caller(), Arc::clone(&log));
            let party = publishing.clone();
            at_work.spawn_local(provide(host.clone(), caller, party, log, provider));
        }
        at_work.spawn_local(watch(host, publishing, log));
        while at_work.join_next().await.is_some() {}
    });
    let working = party.clone();
    world.client("workshop", move |host| async move {
        let (caller, log) = (host.caller(), log(&host, secret));
        errands(host, caller, working, log).await;
    });
    let oracle = Oracle::new(model, database.clone());
    let (looking, trace) = (oracle.clone(), world.trace().clone());
    database.after_commits("rating", move || looking.look(&trace));
    let looking = oracle.clone();
    world.every(LOOK, move |trace| looking.look(trace));
    world.client("auditor", move |host| async move {
        let log = log(&host, secret);
        audit(host, party, log, oracle, healed).await;
    });
    Ok(())
}

/// The log of events as this host reaches it.
fn log(host: &Host, secret: [u8; 32]) -> Arc<dyn Engine> {
    let client: BrokerClient = host.caller().client();
    let tasks = Tasks::new(host.env());
    let queues: QueueClient = host.caller().client();
    Arc::new(Remote::new(client, secret, host.env(), &tasks).with_queues(queues))
}

fn terrain() -> Terrain {
    let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    Terrain {
        processes: names(&[
            "rating", "rating", "broker", "broker", "database", "database", "metadata", "movie-1",
            "auth", "registry",
        ]),
        services: names(&[
            "rating", "rating", "broker", "broker", "metadata", "movie-2", "auth",
        ]),
        links: LINKS.iter().map(|link| link.map(str::to_owned)).collect(),
        window: FAULTS,
        count: 4..9,
        lasts: Duration::from_millis(200)..Duration::from_secs(3),
    }
}
