//! Names, ratings and who may send them.

use super::{ALIEN, Site};
use axum::body::Body;
use axum::http::{Request, StatusCode};
use std::sync::atomic::Ordering;

const RATING: &str = "/movies/alien-1979/rating";
const ANN: (&str, &str) = ("cookie", "movies_name=ann");

#[tokio::test]
async fn a_name_is_kept_in_a_cookie() {
    let answer = Site::new()
        .post(&[], "/name", "name=ann&back=%2Fmovies%2Falien-1979")
        .await;
    assert_eq!(
        (answer.status, answer.header("location")),
        (StatusCode::SEE_OTHER, "/movies/alien-1979")
    );
    let cookie = answer.header("set-cookie");
    assert!(
        cookie.starts_with("movies_name=ann; Path=/; Max-Age="),
        "{cookie}"
    );
    assert!(cookie.contains("HttpOnly; SameSite=Lax"), "{cookie}");
    let gone = Site::new()
        .post(&[ANN], "/name/forget", "back=https://evil.example")
        .await;
    assert_eq!(gone.header("location"), "/");
    assert!(gone.header("set-cookie").contains("Max-Age=0"));
}

#[tokio::test]
async fn a_bad_name_is_answered_beside_the_field() {
    let site = Site::new();
    for (name, words) in [
        ("a+b", "1 to 32 letters"),
        ("", "1 to 32 letters"),
        ("taken", "somebody else"),
    ] {
        let answer = site
            .post(&[], "/name", &format!("name={name}&back=/"))
            .await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{name}");
        assert!(
            answer.text.contains("role=\"alert\"") && answer.text.contains(words),
            "{name}"
        );
        assert!(answer.headers.get("set-cookie").is_none());
    }
}

#[tokio::test]
async fn rating_without_script_leads_back_to_the_film() {
    let site = Site::new();
    let key = site
        .get_as("ann", "/movies/alien-1979")
        .await
        .input("key")
        .to_owned();
    let answer = site
        .post(&[ANN], RATING, &format!("key={key}&value=4.5"))
        .await;
    assert_eq!(
        (answer.status, answer.header("location")),
        (StatusCode::SEE_OTHER, "/movies/alien-1979")
    );
    let page = site.get_as("ann", "/movies/alien-1979").await;
    assert!(
        page.text.contains("value=\"4.5\" required checked") && page.text.contains("41 ratings")
    );
    assert_ne!(page.input("key"), key, "each page has a key of its own");
    let back = site
        .post(
            &[ANN],
            "/movies/alien-1979/rating/delete",
            &format!("key={key}"),
        )
        .await;
    assert_eq!(back.status, StatusCode::SEE_OTHER);
    assert!(
        site.get("/movies/alien-1979")
            .await
            .text
            .contains("40 ratings")
    );
    let writes = site.house.writes.lock().unwrap().clone();
    let put = format!("put alien-1979 9 of ann by ann under {key}");
    assert_eq!(
        writes,
        [put, format!("delete alien-1979 of ann by ann under {key}")]
    );
}

#[tokio::test]
async fn a_script_is_answered_in_json() {
    let site = Site::new();
    let accept = ("accept", "application/json");
    let answer = site.post(&[ANN, accept], RATING, "key=k-1&value=3").await;
    assert_eq!(answer.status, StatusCode::OK);
    let said: serde_json::Value = serde_json::from_str(&answer.text).unwrap();
    assert_eq!(
        (&said["yours"], &said["words"]),
        (&"3".into(), &"3 stars".into())
    );
    assert_eq!(
        (&said["tally"]["count"], &said["tally"]["version"]),
        (&41.into(), &2.into())
    );
    let wrong = site.post(&[ANN, accept], RATING, "key=k-2&value=6").await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    let said: serde_json::Value = serde_json::from_str(&wrong.text).unwrap();
    assert_eq!(said["field"], "value");
    assert!(said["message"].as_str().unwrap().contains("\"6\""));
}

#[tokio::test]
async fn a_newcomer_picks_a_name_and_rates_in_one_step() {
    let site = Site::new();
    let answer = site.post(&[], RATING, "key=k&value=2&name=bob").await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert!(answer.header("set-cookie").starts_with("movies_name=bob;"));
    assert_eq!(
        *site.house.writes.lock().unwrap(),
        ["put alien-1979 4 of bob by bob under k"]
    );
}

#[tokio::test]
async fn mistakes_are_answered_beside_the_control() {
    let site = Site::new();
    let no_name = site.post(&[], RATING, "key=k&value=4").await;
    assert_eq!(no_name.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        no_name.text.contains("Pick a name first")
            && no_name.text.contains("value=\"4\" required checked")
    );
    let bad_name = site.post(&[], RATING, "key=k&value=4&name=a%20b%3C").await;
    assert!(
        bad_name.text.contains("aria-invalid=\"true\"")
            && bad_name.text.contains("value=\"a b&#60;\"")
    );
    for value in ["6", "0", "4.3", "", "x%3Cb%3E"] {
        let answer = site
            .post(&[ANN], RATING, &format!("key=k&value={value}"))
            .await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{value}");
        assert!(
            answer.text.contains("role=\"alert\" data-note>Choose")
                && !answer.text.contains("<b>\""),
            "{value}"
        );
    }
    let nothing = site.post(&[ANN], RATING, "").await;
    assert_eq!(nothing.status, StatusCode::UNPROCESSABLE_ENTITY);
    let bad_key = site.post(&[ANN], RATING, "key=a%20b&value=4").await;
    assert!(bad_key.text.contains("idempotency-key"), "{}", bad_key.text);
    assert!(site.house.writes.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_rating_that_cannot_be_kept_is_not_lost_silently() {
    let site = Site::new();
    site.house.ratings_away.store(true, Ordering::SeqCst);
    let answer = site.post(&[ANN], RATING, "key=k&value=4.5").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.text.contains("could not be kept just now"));
    assert!(
        answer.text.contains("value=\"4.5\" required checked"),
        "nobody has to choose twice"
    );
}

#[tokio::test]
async fn a_form_on_another_site_is_refused() {
    let site = Site::new();
    let form = || Body::from("key=k&value=0.5");
    let post = || {
        Request::post(RATING)
            .header("cookie", "movies_name=ann")
            .header("content-type", "application/x-www-form-urlencoded")
            .header("host", "movies.example")
    };
    for refused in [
        post().header("sec-fetch-site", "cross-site"),
        post().header("sec-fetch-site", "same-site"),
        post().header("origin", "https://evil.example"),
        post(),
    ] {
        let answer = site.send(refused.body(form()).unwrap()).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
    }
    assert!(site.house.writes.lock().unwrap().is_empty());
    let ours = post()
        .header("origin", "https://movies.example")
        .body(form())
        .unwrap();
    assert_eq!(site.send(ours).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_huge_form_is_refused() {
    let answer = Site::new()
        .post(
            &[ANN],
            RATING,
            &format!("key=k&value={}", "4".repeat(20_000)),
        )
        .await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(answer.text.len() < 40_000, "and is not sent back");
}

#[tokio::test]
async fn somebody_elses_rating_is_not_replaced() {
    let site = Site::new();
    site.house.rate(ALIEN, "bob", 10);
    site.post(&[ANN], RATING, "key=k&value=1").await;
    assert!(
        site.get("/movies/alien-1979")
            .await
            .text
            .contains("42 ratings")
    );
}
