//! How much a visit fetches.

use super::{Site, film};
use crate::fakes::House;
use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt;
use tower::ServiceExt;

/// Bytes on the wire, and the text when it is not compressed.
async fn fetched(site: &Site, path: &str, encoding: &str) -> (usize, String) {
    let request = Request::get(path).header("accept-encoding", encoding);
    let request = request.header("cookie", "movies_name=ann");
    let response = site
        .router
        .clone()
        .oneshot(request.body(Body::empty()).unwrap())
        .await
        .unwrap();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    (bytes.len(), String::from_utf8_lossy(&bytes).into_owned())
}

/// A catalogue that fills every row of every page.
fn full() -> Site {
    let genres = [
        "Action",
        "Adventure",
        "Animation",
        "Comedy",
        "Crime",
        "Documentary",
        "Drama",
        "Family",
        "Fantasy",
        "History",
        "Horror",
        "Musical",
        "Mystery",
        "Romance",
        "Sci-Fi",
        "Sport",
        "Thriller",
        "War",
        "Western",
    ];
    let films = (0..300usize).map(|index| {
        let id = format!("a-title-of-ordinary-length-{index}");
        let two = [genres[index % 19], genres[index / 19 % 19]];
        let film = film(
            &id,
            "A Title of Ordinary Length",
            1920 + (index as i32 * 7) % 107,
            &two,
        );
        (film, 20 + index as u32, 3.0)
    });
    let site = Site::of(House::new(films));
    for index in 0..30 {
        site.house
            .rate(&format!("a-title-of-ordinary-length-{index}"), "ann", 7);
    }
    site
}

#[tokio::test]
async fn a_first_visit_to_any_page_stays_under_100_kilobytes() {
    let site = full();
    for path in [
        "/",
        "/browse",
        "/charts",
        "/ratings",
        "/search?q=title",
        "/movies/a-title-of-ordinary-length-7",
    ] {
        let (_, text) = fetched(&site, path, "identity").await;
        let (mut bytes, _) = fetched(&site, path, "gzip").await;
        for url in text.split('"').filter(|part| part.starts_with("/assets/")) {
            bytes += fetched(&site, url, "gzip").await.0;
        }
        assert!(
            bytes < 100_000 && text.len() < 200_000,
            "{path}: {bytes}, plain {}",
            text.len()
        );
    }
}

#[tokio::test]
async fn live_ratings_are_not_held_back_by_compression() {
    let request = Request::get("/movies/alien-1979/live").header("accept-encoding", "gzip");
    let request = request.body(Body::empty()).unwrap();
    let response = Site::new().router.oneshot(request).await.unwrap();
    assert!(!response.headers().contains_key("content-encoding"));
}
