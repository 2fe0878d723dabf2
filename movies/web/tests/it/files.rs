//! Uploaded posters.

use super::{ALIEN, Site, film};
use crate::fakes::House;
use axum::http::StatusCode;
use std::sync::atomic::Ordering;

fn name() -> String {
    "0f".repeat(32)
}

fn site(media_type: &str) -> Site {
    let mut film = film(ALIEN, "Alien", 1979, &["Horror"]);
    film.poster = name();
    let site = Site::of(House::new([(film, 3, 4.0)]));
    let file = (media_type.to_owned(), b"not really a picture".to_vec());
    site.house.files.lock().unwrap().insert(name(), file);
    site
}

#[tokio::test]
async fn an_uploaded_poster_is_shown_and_kept_for_ever() {
    let site = site("image/png");
    let img = format!(
        "<img class=\"poster\" src=\"/posters/{}\" width=\"200\" height=\"300\" alt=\"\"",
        name()
    );
    for path in ["/", "/browse", "/movies/alien-1979", "/charts"] {
        assert!(site.get(path).await.text.contains(&img), "{path}");
    }
    let answer = site.get(&format!("/posters/{}", name())).await;
    assert_eq!(
        (answer.status, answer.text.as_str()),
        (StatusCode::OK, "not really a picture")
    );
    assert_eq!(answer.header("content-type"), "image/png");
    assert_eq!(answer.header("content-length"), "20");
    assert_eq!(
        answer.header("cache-control"),
        "public, max-age=31536000, immutable"
    );
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
}

#[tokio::test]
async fn browsers_choose_among_the_sizes_of_a_poster() {
    let mut film = film(ALIEN, "Alien", 1979, &["Horror"]);
    film.poster = name();
    let picture = |digits: &str, width| movies_api::metadata::v1::Picture {
        sha256: digits.repeat(32),
        width,
        height: width * 3 / 2,
    };
    film.pictures = vec![
        picture("a0", 160),
        picture("a1", 320),
        picture("..", 500),
        picture("a2", 640),
    ];
    let site = Site::of(House::new([(film, 3, 4.0)]));
    let [small, medium, large] = ["a0", "a1", "a2"].map(|digits| digits.repeat(32));
    let srcset = format!(
        "srcset=\"/posters/{small} 160w, /posters/{medium} 320w, /posters/{large} 640w\" sizes=\"auto, 240px\""
    );
    let page = site.get("/movies/alien-1979").await.text;
    let img = format!("<img class=\"poster\" src=\"/posters/{medium}\" {srcset}");
    assert!(page.contains(&img));
    assert!(
        !page.contains(&name()),
        "what was uploaded is not handed out"
    );
    let chart = site.get("/charts").await.text;
    assert!(chart.contains(&format!("src=\"/posters/{small}\" srcset=")));
}

#[tokio::test]
async fn what_is_no_picture_is_not_handed_out() {
    for media_type in ["text/html", "image/svg+xml", ""] {
        let answer = site(media_type).get(&format!("/posters/{}", name())).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{media_type}");
    }
}

#[tokio::test]
async fn a_poster_that_cannot_be_had_has_no_body_and_is_not_kept() {
    let site = site("image/png");
    for path in [
        format!("/posters/{}", "ab".repeat(32)),
        "/posters/..%2Fkey".into(),
        "/posters/x".into(),
    ] {
        let answer = site.get(&path).await;
        assert_eq!(
            (answer.status, answer.header("cache-control")),
            (StatusCode::NOT_FOUND, "no-store")
        );
    }
    site.house.movies_away.store(true, Ordering::SeqCst);
    let answer = site.get(&format!("/posters/{}", name())).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
}
