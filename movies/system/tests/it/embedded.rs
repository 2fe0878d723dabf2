//! Everything in one process: `movies`.

use crate::site::{HalfSent, Site, nobody_panicked};
use backlot_testkit::http::{Open, ask, get};
use backlot_testkit::wait_until;
use http::Method;
use nix::sys::signal::Signal;
use serde_json::json;

#[tokio::test]
async fn a_start_prints_where_everything_is_and_answers_there() {
    let site = Site::new();
    let mut movies = site.embedded().await;
    let said = movies.out();
    for service in crate::site::SERVICES {
        assert!(
            said.contains(&format!("http://{}", site.address(service))),
            "{service} in {said}"
        );
    }
    assert!(said.contains(&site.data().display().to_string()), "{said}");
    let page = get(&site.address("web"), "/").await.unwrap();
    assert_eq!(page.status.as_u16(), 200, "{}", page.text());
    assert!(page.header("content-type").starts_with("text/html"));
    assert_eq!(
        get(&site.address("movie"), "/v1/movies")
            .await
            .unwrap()
            .json()["movies"],
        json!([])
    );
    assert_eq!(site.all_ready().await, Ok(()));
    movies.terminate();
    assert_eq!(movies.exit_code().await, 0, "{}", movies.said());
    nobody_panicked(&movies.said());
}

#[tokio::test]
async fn a_second_start_keeps_the_data_and_the_key() {
    let site = Site::new();
    let mut movies = site.embedded().await;
    site.film("m").await;
    assert_eq!(
        site.rate("ann", "m", 4.5).await.unwrap().status.as_u16(),
        200
    );
    let before = site.details("m").await.unwrap();
    assert_eq!(before["movie"]["rating"]["count"], 1);
    let (key, bearer) = (
        std::fs::read(site.file("auth.key")).unwrap(),
        site.bearer("ann", &[]),
    );
    movies.terminate();
    assert_eq!(movies.exit_code().await, 0, "{}", movies.said());

    let mut movies = site.embedded().await;
    assert_eq!(site.details("m").await.unwrap(), before);
    assert_eq!(std::fs::read(site.file("auth.key")).unwrap(), key);
    let own = [("authorization", &*bearer)];
    let answer = ask(
        &site.address("rating"),
        Method::GET,
        "/v1/ratings/movie/m/users/ann",
        &own,
        "",
    )
    .await
    .unwrap();
    assert_eq!(
        answer.json(),
        json!({ "value": 4.5 }),
        "a token of before holds"
    );
    movies.signal(Signal::SIGINT);
    assert_eq!(movies.exit_code().await, 0, "{}", movies.said());
    nobody_panicked(&movies.said());
}

#[tokio::test]
async fn the_sample_is_loaded_once_even_if_the_first_time_is_cut_short() {
    let site = Site::new();
    let mut movies = site.movies(&[]).start();
    movies
        .wait_for_line("it is up", |line| line == "Ctrl-C stops.")
        .await;
    let some = async || match get(&site.address("movie"), "/v1/movies").await {
        Ok(answer)
            if answer.json()["movies"]
                .as_array()
                .is_some_and(|films| !films.is_empty()) =>
        {
            Ok(())
        }
        other => Err(format!("{other:?}")),
    };
    movies.wait_until("some of the sample is there", some).await;
    movies.kill().await;

    let mut movies = site.movies(&[]).start();
    movies
        .wait_for_line("the sample is there", |line| {
            line.starts_with("loaded the sample: ")
        })
        .await;
    let list = get(&site.address("movie"), "/v1/movies?pageSize=200")
        .await
        .unwrap()
        .json();
    assert!(list["movies"].as_array().unwrap().len() >= 40);
    for movie in list["movies"].as_array().unwrap() {
        let histogram: u64 = movie["rating"]["histogram"]
            .as_array()
            .unwrap()
            .iter()
            .map(|cell| cell.as_u64().unwrap())
            .sum();
        assert_eq!(
            movie["rating"]["count"].as_u64(),
            Some(histogram),
            "{movie}"
        );
    }
    movies.terminate();
    assert_eq!(movies.exit_code().await, 0, "{}", movies.said());

    let mut movies = site.movies(&[]).start();
    movies
        .wait_for_line("it is up", |line| line == "Ctrl-C stops.")
        .await;
    let again = get(&site.address("movie"), "/v1/movies?pageSize=200")
        .await
        .unwrap()
        .json();
    assert_eq!(again, list, "nothing came twice");
    movies.terminate();
    assert_eq!(movies.exit_code().await, 0, "{}", movies.said());
    assert!(
        !movies.err().contains("loaded the sample"),
        "{}",
        movies.said()
    );
}

#[tokio::test]
async fn a_call_under_way_is_finished_before_the_end_and_none_is_begun() {
    let site = Site::new();
    let mut movies = site.embedded().await;
    let call = HalfSent::rating(&site, "ann", "m").await;
    wait_until("the call is under way", async || {
        // The head has been read when a second connection has been served after it.
        get(&site.address("rating"), "/v1/ratings/movie/m")
            .await
            .map(drop)
            .map_err(|error| error.to_string())
    })
    .await;
    movies.terminate();
    movies
        .wait_for_line("it stops", |line| line.starts_with("stopping:"))
        .await;
    movies
        .wait_until("rating drains", async || {
            crate::site::drains(&site, "rating").await
        })
        .await;
    let answer = call.finish().await;
    assert!(
        answer.starts_with("HTTP/1.1 200 ") && answer.contains("\"count\":1"),
        "{answer}"
    );
    assert_eq!(movies.exit_code().await, 0, "{}", movies.said());
    assert!(
        get(&site.address("rating"), "/v1/ratings/movie/m")
            .await
            .is_err()
    );

    let mut movies = site.embedded().await;
    let aggregate = get(&site.address("rating"), "/v1/ratings/movie/m")
        .await
        .unwrap()
        .json();
    assert_eq!(
        aggregate["aggregate"]["count"], 1,
        "what was acknowledged at the end is there"
    );
    movies.kill().await;
}

#[tokio::test]
async fn a_viewer_is_told_to_reconnect_and_does_not_hold_up_the_end() {
    let site = Site::new();
    let mut movies = site.embedded().await;
    let mut events = Open::get(&site.address("rating"), "/v1/ratings/movie/m/live")
        .await
        .unwrap();
    while !events
        .until("\n\n")
        .await
        .unwrap()
        .unwrap()
        .starts_with("data: ")
    {}
    movies.terminate();
    let end = events.until("\n\n").await.unwrap().unwrap();
    assert!(
        end.starts_with("event: error\n") && end.contains("reconnect"),
        "{end}"
    );
    assert_eq!(movies.exit_code().await, 0, "{}", movies.said());
}

#[tokio::test]
async fn a_second_signal_leaves_at_once() {
    let site = Site::new();
    for (first, second) in [
        (Signal::SIGTERM, Signal::SIGTERM),
        (Signal::SIGINT, Signal::SIGINT),
        (Signal::SIGTERM, Signal::SIGINT),
    ] {
        let mut movies = site.embedded().await;
        let call = HalfSent::rating(&site, "ann", "m").await;
        wait_until("the call is under way", async || {
            get(&site.address("rating"), "/v1/ratings/movie/m")
                .await
                .map(drop)
                .map_err(|error| error.to_string())
        })
        .await;
        movies.signal(first);
        movies
            .wait_for_line("it stops", |line| line.starts_with("stopping:"))
            .await;
        movies.signal(second);
        assert_eq!(movies.exit_code().await, 130, "{}", movies.said());
        nobody_panicked(&movies.said());
        drop(call);
    }
}

#[tokio::test]
async fn a_call_that_outlasts_the_drain_is_cut_and_the_exit_code_says_so() {
    let site = Site::new();
    let mut movies = site
        .movies(&["--no-sample", "--set", "rating.server.drain=200ms"])
        .start();
    movies
        .wait_for_line("it is up", |line| line == "Ctrl-C stops.")
        .await;
    let call = HalfSent::rating(&site, "ann", "m").await;
    wait_until("the call is under way", async || {
        get(&site.address("rating"), "/v1/ratings/movie/m")
            .await
            .map(drop)
            .map_err(|error| error.to_string())
    })
    .await;
    movies.terminate();
    assert_eq!(movies.exit_code().await, 3, "{}", movies.said());
    assert_eq!(call.finish().await, "", "nothing was acknowledged");
}

#[tokio::test]
async fn the_end_of_its_parent_is_its_end_when_asked() {
    let site = Site::new();
    let mut movies = site.movies(&["--no-sample", "--exit-with-parent"]).start();
    movies
        .wait_for_line("it is up", |line| line == "Ctrl-C stops.")
        .await;
    movies.close_input();
    assert_eq!(movies.exit_code().await, 0, "{}", movies.said());
}

#[tokio::test]
async fn tokens_and_calls_work_as_printed() {
    let site = Site::new();
    let mut movies = site.embedded().await;
    site.film("m").await;
    let token = site.movies(&["token", "ann"]).run().await;
    assert_eq!(token.status.code(), Some(0), "{}", token.err);
    let token = token.out.trim();
    let request = json!({ "recordType": "movie", "recordId": "m", "userId": "ann", "value": 4.5 })
        .to_string();
    let put = site
        .movies(&[
            "call",
            "RatingService/PutRating",
            &request,
            "--token",
            token,
        ])
        .run()
        .await;
    assert_eq!(put.status.code(), Some(0), "{}{}", put.out, put.err);
    let details = site
        .movies(&[
            "call",
            "MovieService/GetMovieDetails",
            r#"{"movieId": "m"}"#,
        ])
        .run()
        .await;
    let details: serde_json::Value = serde_json::from_str(&details.out).unwrap();
    assert_eq!(details["movie"]["rating"]["mean"], 4.5, "{details}");
    movies.terminate();
    assert_eq!(movies.exit_code().await, 0, "{}", movies.said());
}
