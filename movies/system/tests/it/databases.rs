//! A fleet whose services share databases: all of them in several copies.

use crate::site::{Site, nobody_panicked};
use backlot_testkit::Engine;
use backlot_testkit::engine::Kind;
use backlot_testkit::http::get;
use backlot_testkit::process::{children, signal};
use nix::sys::signal::Signal;

/// The processes of a service.
fn of(fleet: i32, service: &str) -> Vec<i32> {
    let all = children(fleet).into_iter();
    all.filter(|(_, arguments)| arguments.get(1).is_some_and(|first| first == service))
        .map(|(pid, _)| pid)
        .collect()
}

#[tokio::test]
async fn every_service_has_copies_on_postgres_and_none_loses_a_rating() {
    let Some(engine) = Engine::start(Kind::Postgres).await else {
        return;
    };
    let site = Site::new();
    let mut sets = Vec::new();
    for service in ["metadata", "rating"] {
        let database = format!("movies_{service}");
        engine.make_database(&database).await;
        let url = engine.url(&database);
        sets.push(format!("{service}.store.url={url}"));
        sets.push(format!("{service}.store.connections=5"));
    }
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
