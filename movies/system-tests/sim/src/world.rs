//! Which hosts run, and what can go wrong between them.

use crate::model::Model;
use crate::oracle::Oracle;
use crate::plan::Plan;
use crate::workload::{Party, USERS, audit, use_it};
use backlot::app::cli::Product;
use backlot::identity::SigningKey;
use backlot_sim::faults::{Fault, Terrain};
use backlot_sim::{Options, Outcome, Program, World, simulate};
use std::time::Duration;

/// When faults begin, and by when all are over.
const FAULTS: std::ops::Range<Duration> = Duration::from_secs(1)..Duration::from_secs(11);
/// The longest a run takes, in simulated time. Users stop at 12 s, faults are over by then, and a
/// drain that meets dead connections takes some seconds more: later, something is stuck.
const LIMIT: Duration = Duration::from_secs(20);
/// How often the oracle looks while users work.
const LOOK: Duration = Duration::from_millis(100);

const MOVIES: Product = Product {
    name: "movies",
    variables: "MOVIES",
    data: "data",
    services: || {
        vec![
            backlot::broker_service(),
            movies_metadata::service(),
            movies_rating::service(),
            movies_movie::service(),
            movies_auth::service(),
        ]
    },
};

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
const LINKS: [[&str; 2]; 16] = [
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
    let model = Model::new();
    let database = world.database(plan.weakness());
    world.registry();
    for (host, service) in HOSTS {
        let program = Program::load(&MOVIES, service, host, &[])
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
            let mut at_work = tokio::task::JoinSet::new();
            for user in users {
                at_work.spawn_local(use_it(host.clone(), caller.clone(), party.clone(), user));
            }
            while at_work.join_next().await.is_some() {}
        });
    }
    world.client("auditor", move |host| audit(host, party, healed));

    let oracle = Oracle::new(model, database);
    let watching = oracle.clone();
    world.every(LOOK, move |trace| watching.look(trace));
    world.at_end(move |trace| oracle.look_at_end(trace));
    Ok(())
}

fn terrain() -> Terrain {
    let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    Terrain {
        processes: names(&[
            "rating", "rating", "database", "database", "metadata", "movie-1", "auth", "registry",
        ]),
        services: names(&["rating", "rating", "metadata", "movie-2", "auth"]),
        links: LINKS.iter().map(|link| link.map(str::to_owned)).collect(),
        window: FAULTS,
        count: 4..9,
        lasts: Duration::from_millis(200)..Duration::from_secs(3),
    }
}
