//! `movies fleet`: every service a process, restarted when it crashes.

use crate::load::Load;
use crate::site::{SERVICES, Site, nobody_panicked};
use backlot_testkit::http::get;
use backlot_testkit::process::{children, runs, signal};
use backlot_testkit::wait::wait_within;
use backlot_testkit::{Process, wait_until};
use nix::sys::signal::Signal;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

async fn start(site: &Site, arguments: &[&str]) -> Process {
    let mut all = vec!["fleet", "--no-sample"];
    all.extend_from_slice(arguments);
    let mut fleet = site.movies(&all).start();
    fleet
        .wait_until("all services are ready", async || site.all_ready().await)
        .await;
    fleet
}

/// The processes of a service.
fn of(fleet: &Process, service: &str) -> Vec<i32> {
    let all = children(fleet.pid()).into_iter();
    all.filter(|(_, arguments)| arguments.get(1).is_some_and(|first| first == service))
        .map(|(pid, _)| pid)
        .collect()
}

async fn all_gone(pids: &[i32]) {
    wait_until("the children are gone", async || {
        let left: Vec<&i32> = pids.iter().filter(|pid| runs(**pid)).collect();
        if left.is_empty() {
            Ok(())
        } else {
            Err(format!("{left:?}"))
        }
    })
    .await;
}

fn pids(fleet: &Process) -> Vec<i32> {
    children(fleet.pid())
        .into_iter()
        .map(|(pid, _)| pid)
        .collect()
}

async fn film(site: &Site, fleet: &mut Process) {
    site.film("m").await;
    let rated = async || match site.rate("ann", "m", 4.5).await {
        Ok(answer) if answer.status.as_u16() == 200 => Ok(()),
        other => Err(format!("{other:?}")),
    };
    fleet.wait_until("a rating is taken", rated).await;
    fleet
        .wait_until("the film is whole", async || site.rated("m").await)
        .await;
}

#[tokio::test]
async fn all_services_run_and_end_with_it() {
    let site = Site::new();
    let mut fleet = start(&site, &[]).await;
    film(&site, &mut fleet).await;
    let all = "broker 1/1 · auth 1/1 · metadata 1/1 · rating 1/1 · movie 1/1 · web 1/1 · poster 1/1 · mail 1/1 · webhooks 1/1 · console 1/1";
    let sorted = |line: &str| {
        let mut parts: Vec<String> = line.split(" · ").map(str::to_owned).collect();
        parts.sort();
        parts
    };
    fleet
        .wait_for_line("all are announced", |line| sorted(line) == sorted(all))
        .await;
    let page = get(&site.address("web"), "/").await.unwrap();
    assert!(
        page.status.as_u16() == 200 && page.text().contains("The film m"),
        "{}",
        page.text()
    );
    let pids = pids(&fleet);
    assert_eq!(pids.len(), SERVICES.len());
    fleet.terminate();
    assert_eq!(fleet.exit_code().await, 0, "{}", fleet.said());
    nobody_panicked(&fleet.said());
    // The broker is there until the others have told it all.
    let lines = fleet.lines();
    let mut texts = lines.iter().map(|line| &line.text);
    assert!(
        !texts.any(|line| line.contains("not settled")),
        "{}",
        fleet.said()
    );
    assert!(pids.iter().all(|pid| !runs(*pid)));

    // And once more on the same folder.
    let mut fleet = start(&site, &[]).await;
    fleet
        .wait_until("the film is whole", async || site.rated("m").await)
        .await;
    fleet.signal(Signal::SIGINT);
    assert_eq!(fleet.exit_code().await, 0, "{}", fleet.said());
}

#[tokio::test]
async fn without_ratings_a_film_still_comes_and_they_return_by_themselves() {
    let site = Site::new();
    let mut fleet = start(&site, &[]).await;
    film(&site, &mut fleet).await;
    for round in 1..=3 {
        let skipped = fleet.lines().len();
        signal(of(&fleet, "rating")[0], Signal::SIGKILL).unwrap();
        let killed = Instant::now();
        // Whatever is asked from now on is answered, marked while ratings are away, and soon.
        let mut degraded = 0;
        let back = loop {
            let asked = Instant::now();
            let details = site.details("m").await.unwrap();
            let took = Instant::now() - asked;
            assert!(
                took < Duration::from_millis(2600),
                "an answer took {took:?}; {}",
                fleet.said()
            );
            match details["degraded"].as_array().map(Vec::len) {
                Some(0) if degraded > 0 => break Instant::now(),
                Some(0) => {}
                _ => {
                    degraded += 1;
                    let page = get(&site.address("web"), "/movies/m").await.unwrap();
                    assert!(
                        page.status.as_u16() == 200 && page.text().contains("The film m"),
                        "{}",
                        page.text()
                    );
                    assert_eq!(
                        (&details["degraded"][0], &details["movie"]["rating"]),
                        (&"rating".into(), &().into())
                    );
                }
            }
            let waited = Instant::now() - killed;
            assert!(
                waited < Duration::from_secs(30),
                "{waited:?} after {degraded} marked answers: {}",
                fleet.said()
            );
        };
        let ended = |line: &str| line.starts_with("rating-0 ended (signal: 9");
        let line = fleet
            .wait_for_line_after(skipped, "the restart is told", ended)
            .await;
        // "starting it again in 0.1 s": the restart is that much later.
        let wait: f64 = line
            .text
            .rsplit_once(" in ")
            .unwrap()
            .1
            .strip_suffix(" s")
            .unwrap()
            .parse()
            .unwrap();
        let since = back.saturating_duration_since(line.at + Duration::from_secs_f64(wait));
        assert!(
            since < Duration::from_secs(2),
            "round {round}: back {since:?} after the restart: {}",
            fleet.said()
        );
    }
    assert_eq!(
        site.rated("m").await.unwrap()["movie"]["rating"]["count"],
        1
    );
    fleet.terminate();
    assert_eq!(fleet.exit_code().await, 0, "{}", fleet.said());
    nobody_panicked(&fleet.said());
}

#[tokio::test]
async fn while_a_lone_service_starts_anew_answers_are_marked_or_it_is_unavailable_and_not_for_long()
{
    let site = Arc::new(Site::new());
    let mut fleet = start(&site, &[]).await;
    film(&site, &mut fleet).await;
    for service in ["rating", "metadata", "movie"] {
        let load = Load::begin(&site, 4);
        let old = of(&fleet, service)[0];
        let told = Instant::now();
        signal(old, Signal::SIGTERM).unwrap();
        wait_until("a new one is there", async || {
            match (runs(old), of(&fleet, service).len()) {
                (false, 1) => site.rated("m").await.map(drop),
                seen => Err(format!("{seen:?}")),
            }
        })
        .await;
        let seen = load.end().await;
        let wrong: Vec<_> = seen.iter().filter(|seen| seen.wrong.is_some()).collect();
        for one in &wrong {
            let why = one.wrong.as_deref().unwrap_or_default();
            // Where it listened nobody does, to those who go there by its address.
            let is_away = why.starts_with("503") || why.contains("Connection refused");
            let is_said = match service {
                // It closes what it did not take up.
                "movie" => is_away || why.contains("connection"),
                _ => why.starts_with("degraded: ") || why.starts_with("503"),
            };
            assert!(is_said, "{service}: {why}");
        }
        let first = wrong.iter().map(|seen| seen.began + seen.took).min();
        let last = wrong.iter().map(|seen| seen.began + seen.took).max();
        let lasted = last.zip(first).map(|(last, first)| last - first);
        println!(
            "{service}: {} of {} answers marked or refused, for {lasted:?}, the last {:?} after the signal",
            wrong.len(),
            seen.len(),
            last.map(|last| last - told)
        );
        assert!(
            lasted.unwrap_or_default() < Duration::from_secs(2),
            "{service}: {lasted:?}"
        );
    }
    fleet.terminate();
    assert_eq!(fleet.exit_code().await, 0, "{}", fleet.said());
    nobody_panicked(&fleet.said());
}

#[tokio::test]
async fn whoever_crashes_comes_back() {
    let site = Site::new();
    let mut fleet = start(&site, &[]).await;
    film(&site, &mut fleet).await;
    for service in SERVICES {
        let victim = of(&fleet, service)[0];
        signal(victim, Signal::SIGKILL).unwrap();
        fleet
            .wait_until(&format!("{service} is back"), async || {
                if runs(victim) {
                    Err("the old one still runs".to_owned())
                } else {
                    site.all_ready().await
                }
            })
            .await;
    }
    fleet
        .wait_until("the film is whole", async || site.rated("m").await)
        .await;
    fleet.terminate();
    assert_eq!(fleet.exit_code().await, 0, "{}", fleet.said());
}

#[tokio::test]
async fn copies_are_of_services_that_keep_no_data() {
    let site = Site::new();
    let mut fleet = start(&site, &["--replicas", "2"]).await;
    film(&site, &mut fleet).await;
    for (service, copies) in [("metadata", 1), ("rating", 1), ("movie", 2), ("web", 2)] {
        assert_eq!(
            of(&fleet, service).len(),
            copies,
            "{service}: {}",
            fleet.said()
        );
    }
    fleet
        .wait_for_line("both are announced", |line| {
            line.contains("movie 2/2") && line.contains("web 2/2")
        })
        .await;
    for service in ["metadata", "rating"] {
        let told = |line: &str| {
            line.starts_with(&format!("{service}: one copy")) && line.contains("PostgreSQL")
        };
        fleet.wait_for_line("why there is one copy", told).await;
    }
    // With one of them gone the other serves on: pages stay whole.
    let copies = of(&fleet, "movie");
    signal(copies[0], Signal::SIGKILL).unwrap();
    wait_within(
        "a page through the other copy",
        Duration::from_secs(10),
        async || match get(&site.address("web"), "/").await {
            Ok(page) if page.status.as_u16() == 200 && page.text().contains("The film m") => Ok(()),
            other => Err(format!("{other:?}")),
        },
    )
    .await;
    fleet.terminate();
    assert_eq!(fleet.exit_code().await, 0, "{}", fleet.said());
}

#[tokio::test]
async fn killing_it_kills_the_children() {
    let site = Site::new();
    let mut fleet = start(&site, &[]).await;
    let pids = pids(&fleet);
    fleet.kill().await;
    all_gone(&pids).await;
    // Nothing is in the way of the next one.
    let mut fleet = start(&site, &[]).await;
    fleet.terminate();
    assert_eq!(fleet.exit_code().await, 0, "{}", fleet.said());
}

#[tokio::test]
async fn a_second_signal_leaves_at_once_and_takes_the_children_along() {
    let site = Site::new();
    let mut fleet = start(&site, &[]).await;
    let call = crate::site::HalfSent::rating(&site, "ann", "m").await;
    wait_until("the call is under way", async || {
        get(&site.address("rating"), "/v1/ratings/movie/m")
            .await
            .map(drop)
            .map_err(|error| error.to_string())
    })
    .await;
    let pids = pids(&fleet);
    fleet.terminate();
    fleet
        .wait_for_line("it stops", |line| line.starts_with("stopping:"))
        .await;
    fleet.terminate();
    assert_eq!(fleet.exit_code().await, 130, "{}", fleet.said());
    all_gone(&pids).await;
    drop(call);
}

#[tokio::test]
async fn a_child_that_cannot_start_is_told_of_and_tried_again() {
    let site = Site::new();
    let taken = TcpListener::bind(site.address("rating")).unwrap();
    let mut fleet = site.movies(&["fleet", "--no-sample"]).start();
    let why = |line: &str| line.starts_with("rating-0") && line.contains("rating.server.listen");
    fleet.wait_for_line("why it does not start", why).await;
    fleet
        .wait_for_line("that it is tried again", |line| {
            line.starts_with("rating-0 ended (exit status: 1)")
        })
        .await;
    drop(taken);
    fleet
        .wait_until("all services are ready", async || site.all_ready().await)
        .await;
    fleet.terminate();
    assert_eq!(fleet.exit_code().await, 0, "{}", fleet.said());
    nobody_panicked(&fleet.said());
}
