//! Instances come and go under load, and nobody notices.

use crate::worlds::{Running, Ways};
use backlot::{Code, Context};
use movies_api::GetMovieDetailsRequest;
use movies_system_tests::probe::StreamRequest;
use std::time::Duration;
use tokio::time::Instant;

/// How long an instance that has left the registry goes on answering.
const SPREAD: Duration = Duration::from_millis(500);

#[tokio::test]
async fn a_call_under_way_outlives_the_announcement_of_its_instance() {
    let running = Running::start(Ways::Remote).await;
    let cx = Context::background().with_timeout(Duration::from_secs(30));
    let request = StreamRequest {
        count: 1,
        hang: true,
        ..StreamRequest::default()
    };
    let mut stream = running.clients.probe.stream(&cx, request).await.unwrap();
    assert_eq!(stream.next().await.unwrap().unwrap().number, 1);
    let started = Instant::now();
    let (_ended, end) = tokio::join!(running.stop_one("probe", SPREAD), stream.next());
    let error = end.unwrap().unwrap_err();
    // It is told by the instance itself, at its end, and not cut when it left the registry.
    assert!(error.message().contains("reconnect"), "{}", error.chain());
    assert_eq!(error.pushback(), Some(Duration::ZERO));
    assert!(Instant::now() - started >= SPREAD);
    running.stop().await;
}

#[tokio::test]
async fn a_rolling_restart_fails_no_call() {
    let running = Running::start(Ways::Remote).await;
    running.clients.film("rolling").await;
    running.clients.rate("ann", "rolling", 8).await;
    running.start_another("movie").await;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let load = async {
        let mut answered = 0;
        while !*stopped.borrow() {
            let request = GetMovieDetailsRequest {
                movie_id: "rolling".to_owned(),
            };
            let cx = Context::background();
            match running.clients.movie.get_movie_details(&cx, request).await {
                Ok(answer) => assert!(answer.degraded.is_empty(), "{answer:?}"),
                Err(error) => panic!("after {answered} answers: {}", error.chain()),
            }
            answered += 1;
        }
        answered
    };
    let restarts = async {
        for _ in 0..6 {
            // The oldest goes, a new one comes.
            running.stop_one("movie", SPREAD).await;
            running.start_another("movie").await;
        }
        stop.send_replace(true);
    };
    let (answered, (), ()) = tokio::join!(load, restarts, async {
        // Several calls are under way at any time.
        let more = std::iter::repeat_with(|| {
            let request = GetMovieDetailsRequest {
                movie_id: "unknown".to_owned(),
            };
            let clients = &running.clients;
            async move {
                clients
                    .movie
                    .get_movie_details(&Context::background(), request)
                    .await
            }
        });
        for call in more {
            if *stopped.borrow() {
                break;
            }
            assert_eq!(call.await.unwrap_err().code(), Code::NotFound);
        }
    });
    assert!(answered > 50, "{answered}");
    running.stop().await;
}
