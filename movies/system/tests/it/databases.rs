//! A fleet whose services share databases: all of them in several copies.

use crate::import::{self, Contents};
use crate::site::{Site, nobody_panicked};
use backlot_testkit::engine::Kind;
use backlot_testkit::http::get;
use backlot_testkit::process::{children, signal};
use backlot_testkit::{Engine, Process};
use movies_import::generate::{self, Plan};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

/// The processes of a service.
fn of(fleet: i32, service: &str) -> Vec<i32> {
    let all = children(fleet).into_iter();
    all.filter(|(_, arguments)| arguments.get(1).is_some_and(|first| first == service))
        .map(|(pid, _)| pid)
        .collect()
}

/// Two copies of each service, with the databases of this engine; all of them up.
async fn start(site: &Site, engine: &Engine) -> Process {
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
