//! `grpc.health.v1`, and the probes of the admin port.

use crate::worlds::{Running, Ways};
use backlot_testkit::grpc::{Connection, field, frame};
use backlot_testkit::http::get;

const CHECK: &str = "/grpc.health.v1.Health/Check";
const WATCH: &str = "/grpc.health.v1.Health/Watch";
/// `status` with the values of the protocol; 0 (unknown) is not written.
const SERVING: [u8; 2] = [8, 1];
const NOT_SERVING: [u8; 2] = [8, 2];
const SERVICE_UNKNOWN: [u8; 2] = [8, 3];

#[tokio::test]
async fn a_service_tells_how_it_is() {
    let running = Running::start(Ways::Direct).await;
    let mut connection = Connection::open(&running.address("rating").await)
        .await
        .unwrap();
    for service in ["", "movies.rating.v1.RatingService"] {
        let answer = connection
            .call(CHECK, &[], &field(1, service.as_bytes()))
            .await
            .unwrap();
        assert_eq!(
            (answer.code, answer.messages[0].as_ref()),
            (Some(0), &SERVING[..]),
            "{service}"
        );
    }
    for service in ["movies.movie.v1.MovieService", "rating", "x"] {
        let answer = connection
            .call(CHECK, &[], &field(1, service.as_bytes()))
            .await
            .unwrap();
        assert_eq!(
            (answer.code, answer.messages.len()),
            (Some(5), 0),
            "{service}"
        );
    }
    let malformed = connection.call(CHECK, &[], b"\xff").await.unwrap();
    assert_eq!(malformed.code, Some(3), "{malformed:?}");
    running.stop().await;
}

#[tokio::test]
async fn a_watcher_is_told_when_a_service_stops() {
    let running = Running::start(Ways::Remote).await;
    let mut connection = Connection::open(&running.address("rating").await)
        .await
        .unwrap();
    let mut known = connection
        .start(
            WATCH,
            &[],
            frame(&field(1, b"movies.rating.v1.RatingService")),
        )
        .await
        .unwrap();
    let mut unknown = connection
        .start(WATCH, &[], frame(&field(1, b"x")))
        .await
        .unwrap();
    assert_eq!(known.next().await.unwrap().unwrap().as_ref(), SERVING);
    assert_eq!(
        unknown.next().await.unwrap().unwrap().as_ref(),
        SERVICE_UNKNOWN
    );
    let ((), told) = tokio::join!(running.clients.power().stop("rating"), known.next());
    assert_eq!(told.unwrap().unwrap().as_ref(), NOT_SERVING);
    assert_eq!(known.end().await.unwrap().code, Some(0));
    running.stop().await;
}

#[tokio::test]
async fn the_operator_has_a_port_of_their_own() {
    let running = Running::start(Ways::Direct).await;
    let admin = running.admin("rating").await;
    for path in ["/live", "/ready"] {
        assert_eq!(
            get(&admin, path).await.unwrap().status.as_u16(),
            200,
            "{path}"
        );
    }
    running.clients.rate("ann", "counted", 4).await;
    let metrics = get(&admin, "/metrics").await.unwrap().text();
    assert!(
        metrics.contains("PutRating") && metrics.ends_with("# EOF\n"),
        "{metrics}"
    );
    assert!(
        get(&admin, "/config")
            .await
            .unwrap()
            .text()
            .contains("[rating")
    );
    // And callers do not find it on theirs.
    for path in ["/live", "/ready", "/metrics", "/config"] {
        assert_eq!(
            get(&running.address("rating").await, path)
                .await
                .unwrap()
                .status
                .as_u16(),
            404,
            "{path}"
        );
    }
    running.stop().await;
}
