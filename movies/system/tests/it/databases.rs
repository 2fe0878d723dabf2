//! A fleet whose services share databases: all of them in several copies.

use crate::import::{self, Contents};
use crate::site::{Site, nobody_panicked};
use backlot::cluster::{self, Registry};
use backlot::rpc::policy::{Knobs, Policy};
use backlot::rpc::{Caller, Remote};
use backlot::service::{Metrics, Tasks};
use backlot::{Binding, Client, Context, Env};
use backlot_testkit::engine::Kind;
use backlot_testkit::http::get;
use backlot_testkit::process::runs;
use backlot_testkit::process::{children, signal};
use backlot_testkit::{Engine, Process};
use backlot_testkit::{knob, wait_until};
use movies_api::{GetMovieDetailsRequest, MovieClient};
use movies_import::generate::{self, Plan};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::task::JoinSet;

/// The processes of a service.
fn of(fleet: i32, service: &str) -> Vec<i32> {
    let all = children(fleet).into_iter();
    all.filter(|(_, arguments)| arguments.get(1).is_some_and(|first| first == service))
        .map(|(pid, _)| pid)
        .collect()
}

/// Two copies of each service, with the databases of this engine; all of them up.
async fn start(site: &Site, engine: &Engine) -> Process {
    start_with(site, engine, &[]).await
}

async fn start_with(site: &Site, engine: &Engine, set: &[&str]) -> Process {
    let mut sets = Vec::new();
    for service in ["metadata", "rating"] {
        let database = format!("movies_{service}");
        engine.make_database(&database).await;
        let url = engine.url(&database);
        sets.push(format!("{service}.store.url={url}"));
        sets.push(format!("{service}.store.connections=5"));
    }
    // Many commits, and so many moments to die in.
    sets.push("rating.batch=500".to_owned());
    // What a copy had when it died need not be waited for long.
    sets.push("rating.lease=2s".to_owned());
    sets.extend(set.iter().map(|set| (*set).to_owned()));
    let mut arguments = vec!["fleet", "--no-sample", "--replicas", "2"];
    for set in &sets {
        arguments.extend(["--set", set]);
    }
    let mut fleet = site.movies(&arguments).start();
    fleet
        .wait_for_line("both of all are announced", |line| {
            ["auth", "metadata", "rating", "movie", "web"]
                .iter()
                .all(|service| service == &"auth" || line.contains(&format!("{service} 2/2")))
        })
        .await;
    fleet
        .wait_until("all services are ready", async || site.all_ready().await)
        .await;
    fleet
}

#[tokio::test]
async fn every_service_has_copies_on_postgres_and_none_loses_a_rating() {
    let Some(engine) = Engine::start(Kind::Postgres).await else {
        return;
    };
    let site = Site::new();
    let mut fleet = start(&site, &engine).await;
    site.film("m").await;
    for user in 0..20 {
        let user = format!("user-{user}");
        fleet
            .wait_until("a rating is taken", async || {
                match site.rate(&user, "m", 4.5).await {
                    Ok(answer) if answer.status.as_u16() == 200 => Ok(()),
                    other => Err(format!("{other:?}")),
                }
            })
            .await;
    }
    // The copy that answers after the first is gone knows every rating.
    let copies = of(fleet.pid(), "rating");
    assert_eq!(copies.len(), 2, "{}", fleet.said());
    signal(copies[0], Signal::SIGKILL).unwrap();
    fleet
        .wait_until("the page shows all ratings", async || {
            let page = get(&site.address("movie"), "/v1/movies/m").await;
            match page {
                Ok(page)
                    if page.text().contains("\"count\":\"20\"")
                        || page.text().contains("\"count\":20") =>
                {
                    Ok(())
                }
                other => Err(format!("{other:?}")),
            }
        })
        .await;
    fleet.terminate();
    assert_eq!(fleet.exit_code().await, 0, "{}", fleet.said());
    nobody_panicked(&fleet.said());
}

/// What the rating service says of a film: count and sum of half stars.
async fn aggregate(site: &Site, film: &str) -> Result<(i64, i64), String> {
    let path = format!("/v1/ratings/movie/{film}");
    let answer = match get(&site.address("rating"), &path).await {
        Ok(answer) if answer.status.as_u16() == 200 => answer.json(),
        other => return Err(format!("{other:?}")),
    };
    let aggregate = &answer["aggregate"];
    let cells = aggregate["histogram"].as_array();
    let sum = cells.into_iter().flatten().zip(1..);
    Ok((
        aggregate["count"].as_i64().unwrap_or(0),
        sum.map(|(cell, half_stars)| cell.as_i64().unwrap() * half_stars)
            .sum(),
    ))
}

#[tokio::test]
async fn copies_that_share_a_database_take_each_event_in_once_though_they_are_killed() {
    let Some(engine) = Engine::start(Kind::Postgres).await else {
        return;
    };
    let site = Site::new();
    let folder = site.file("ml");
    let plan = Plan {
        films: 200,
        ratings: 60_000,
        users: 400,
        seed: 5,
        awkward: false,
    };
    generate::movielens(&folder, &plan).unwrap();
    let folder = folder.display().to_string();
    // What has to come out: the same files, straight into a store nobody disturbs.
    let clean = Site::new();
    let ended = clean.movies(&["import", "movielens", &folder]).run().await;
    assert!(ended.status.success(), "{}{}", ended.out, ended.err);
    let (_, expected): Contents = import::contents(clean.data());
    let (most_rated, ratings, _) = expected.iter().max_by_key(|(_, count, _)| *count).unwrap();

    let mut fleet = start(&site, &engine).await;
    let mut import = site
        .movies(&["import", "movielens", &folder, "--via-broker"])
        .start();
    for kill in 1..=3 {
        let count = fleet
            .wait_until("more of it is taken in", async || {
                match aggregate(&site, most_rated).await?.0 {
                    count if count * 8 > ratings * kill => Ok(count),
                    count => Err(format!("{count} of {ratings} when it is {kill} eighths")),
                }
            })
            .await;
        assert!(count < *ratings, "all is taken in before kill {kill}");
        let copies = of(fleet.pid(), "rating");
        let victim = copies[usize::try_from(kill).unwrap() % copies.len()];
        // It may have ended just now.
        drop(signal(victim, Signal::SIGKILL));
    }
    assert_eq!(import.exit_code().await, 0, "{}", import.said());
    for (film, count, sum) in &expected {
        let expected = (*count, *sum);
        fleet
            .wait_until(
                "each event had its effect, once",
                async || match aggregate(&site, film).await? {
                    now if now == expected => Ok(()),
                    now => Err(format!("{film}: {now:?}, not {expected:?}")),
                },
            )
            .await;
    }
    // Three deaths of a process are no fault of the messages that it held.
    let dead = site.movies(&["dead", "--json"]).run().await;
    let dead: Value = serde_json::from_str(&dead.out).unwrap();
    assert_eq!(dead, json!({ "groups": [] }));
    fleet.terminate();
    assert_eq!(fleet.exit_code().await, 0, "{}", fleet.said());
    nobody_panicked(&fleet.said());
}

/// So many people ask at once, and so many questions there are at least (`ROLLING=100000`).
const PEOPLE: u64 = 16;
const QUESTIONS: u64 = 3_000;

/// Asks for the film `m` all the time, and repeats nothing that anybody saw; what came of it.
struct Asking {
    answered: Arc<AtomicU64>,
    askers: JoinSet<Result<(), String>>,
}

impl Asking {
    fn begin(client: &MovieClient) -> Asking {
        let answered = Arc::<AtomicU64>::default();
        let mut askers = JoinSet::new();
        for _ in 0..PEOPLE {
            let (client, answered) = (client.clone(), Arc::clone(&answered));
            askers.spawn(async move {
                loop {
                    let request = GetMovieDetailsRequest {
                        movie_id: "m".to_owned(),
                    };
                    let answer = client
                        .get_movie_details(&Context::background(), request)
                        .await;
                    match answer {
                        Ok(answer) if answer.degraded.is_empty() => {
                            answered.fetch_add(1, Ordering::Relaxed);
                        }
                        Ok(answer) => return Err(format!("not whole: {answer:?}")),
                        Err(error) => return Err(error.chain()),
                    }
                }
            });
        }
        Asking { answered, askers }
    }

    fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }

    /// Fails when anybody was not answered.
    fn look(&mut self) {
        if let Some(ended) = self.askers.try_join_next() {
            panic!("after {} answers: {ended:?}", self.answered());
        }
    }
}

#[tokio::test]
async fn every_copy_that_is_called_is_started_anew_under_load_and_no_call_fails() {
    let Some(engine) = Engine::start(Kind::Postgres).await else {
        return;
    };
    let site = Site::new();
    let once = ["movie", "metadata", "rating"].map(|it| format!("{it}.calls.retry.attempts=1"));
    let mut set: Vec<&str> = once.iter().map(String::as_str).collect();
    // Each answer comes from those who know, and not from memory.
    set.push("movie.films.fresh=0s");
    let mut fleet = start_with(&site, &engine, &set).await;
    site.film("m").await;
    let rated = async || match site.rate("ann", "m", 4.5).await {
        Ok(answer) if answer.status.as_u16() == 200 => Ok(()),
        other => Err(format!("{other:?}")),
    };
    fleet.wait_until("a rating is taken", rated).await;
    let env = Env::real();
    let tasks = Tasks::new(&env);
    let config = cluster::Config {
        address: site.registry(),
        ..cluster::Config::default()
    };
    let registry = cluster::embedded::Client::new(config, &env, &tasks);
    let mut policy = Policy::default();
    policy.retry.attempts = 1;
    let caller = Caller::new(&Metrics::new(), &env, &tasks).with_knobs(&Knobs::new(policy));
    let instances = registry.resolver().watch("movie");
    let remote = Remote::new(MovieClient::SERVICE, "movie", instances, &caller);
    let client = MovieClient::bind(Binding::Remote(remote));
    let whole = async || {
        let request = GetMovieDetailsRequest {
            movie_id: "m".to_owned(),
        };
        match client
            .get_movie_details(&Context::background(), request)
            .await
        {
            Ok(answer) if answer.degraded.is_empty() => Ok(()),
            other => Err(format!("{other:?}")),
        }
    };
    fleet.wait_until("the film is whole", whole).await;

    let mut asking = Asking::begin(&client);
    let least = knob::number("ROLLING").unwrap_or(QUESTIONS);
    let mut restarts = 0;
    // As often as it takes to ask them all; each copy once at least.
    while restarts == 0 || asking.answered() < least {
        for service in ["metadata", "rating", "movie"] {
            let mut known = registry.resolver().watch(service);
            for copy in of(fleet.pid(), service) {
                signal(copy, Signal::SIGTERM).unwrap();
                wait_until("another is there instead", async || {
                    let copies = known.borrow_and_update().instances.len();
                    match (runs(copy), copies, of(fleet.pid(), service).len()) {
                        (false, 2, 2) => Ok(()),
                        seen => Err(format!("{service}: {seen:?}")),
                    }
                })
                .await;
                asking.look();
                restarts += 1;
            }
        }
    }
    println!(
        "{restarts} restarts, {} answers, none failed",
        asking.answered()
    );
    asking.askers.shutdown().await;
    fleet.terminate();
    assert_eq!(fleet.exit_code().await, 0, "{}", fleet.said());
    nobody_panicked(&fleet.said());
}
