//! Live ratings.

use super::{ALIEN, Site};
use axum::body::{Body, BodyDataStream};
use axum::http::{Request, StatusCode};
use backlot::core::env::Phase;
use futures_util::StreamExt;
use std::sync::atomic::Ordering;
use tower::ServiceExt;

async fn open(site: &Site, path: &str) -> BodyDataStream {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let response = site.router.clone().oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut stream = response.into_body().into_data_stream();
    assert_eq!(next(&mut stream).await.as_deref(), Some("retry: 1000\n\n"));
    stream
}

async fn next(stream: &mut BodyDataStream) -> Option<String> {
    let bytes = stream.next().await?.unwrap();
    Some(String::from_utf8(bytes.to_vec()).unwrap())
}

/// The next event's data, passing over comments.
async fn tally(stream: &mut BodyDataStream) -> serde_json::Value {
    loop {
        let text = next(stream).await.unwrap();
        if let Some(data) = text
            .strip_prefix("data: ")
            .and_then(|text| text.strip_suffix("\n\n"))
        {
            return serde_json::from_str(data).unwrap();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_watcher_sees_what_is_and_what_changes() {
    let site = Site::new();
    let mut stream = open(&site, "/movies/alien-1979/live").await;
    let now = tally(&mut stream).await;
    assert_eq!(
        (&now["count"], now["histogram"].as_array().unwrap().len()),
        (&40.into(), 10)
    );
    site.house.rate(ALIEN, "bob", 10);
    let then = tally(&mut stream).await;
    assert_eq!((&then["count"], &then["version"]), (&41.into(), &2.into()));
    assert!(
        then["mean"].is_string(),
        "rounded where the page is rounded"
    );
}

#[tokio::test(start_paused = true)]
async fn a_rush_of_changes_is_joined() {
    let site = Site::new();
    let mut stream = open(&site, "/movies/alien-1979/live").await;
    assert_eq!(tally(&mut stream).await["version"], 1);
    for user in 0..500 {
        site.house.rate(ALIEN, &user.to_string(), 7);
    }
    let mut events = 0;
    while tally(&mut stream).await["version"] != 501 {
        events += 1;
    }
    assert!(events < 3, "{events}");
}

#[tokio::test(start_paused = true)]
async fn a_quiet_stream_shows_that_it_lives() {
    let site = Site::new();
    let mut stream = open(&site, "/movies/unrated-2024/live").await;
    let now = tally(&mut stream).await;
    assert_eq!((&now["count"], now["mean"].is_null()), (&0.into(), true));
    assert_eq!(next(&mut stream).await.as_deref(), Some(": still here\n\n"));
}

#[tokio::test]
async fn without_ratings_it_says_away_and_lets_the_browser_come_back() {
    let site = Site::new();
    site.house.ratings_away.store(true, Ordering::SeqCst);
    let mut stream = open(&site, "/movies/alien-1979/live").await;
    assert_eq!(
        next(&mut stream).await.as_deref(),
        Some("event: away\ndata: {}\n\n")
    );
    assert_eq!(next(&mut stream).await, None);
    site.house.ratings_away.store(false, Ordering::SeqCst);
    let mut stream = open(&site, "/movies/alien-1979/live").await;
    assert_eq!(tally(&mut stream).await["count"], 40);
}

#[tokio::test]
async fn a_draining_page_ends_its_streams() {
    let site = Site::new();
    let mut stream = open(&site, "/movies/alien-1979/live").await;
    tally(&mut stream).await;
    site.env.shutdown.advance(Phase::Draining);
    assert_eq!(next(&mut stream).await, None);
}

#[tokio::test]
async fn an_id_that_no_film_has_is_not_asked_for_again() {
    let site = Site::new();
    let answer = site.get(&format!("/movies/{}/live", "x".repeat(65))).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
}
