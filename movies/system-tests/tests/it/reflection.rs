//! Callers may ask which services there are, both ways of asking.

use crate::worlds::{Running, Ways};
use backlot_testkit::grpc::{Connection, field};

const V1: &str = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
const V1_ALPHA: &str = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";

fn contains(message: &[u8], words: &str) -> bool {
    message
        .windows(words.len())
        .any(|window| window == words.as_bytes())
}

#[tokio::test]
async fn a_server_lists_and_describes_its_services() {
    let running = Running::start(Ways::Direct).await;
    let mut connection = Connection::open(&running.address("rating").await)
        .await
        .unwrap();
    for path in [V1, V1_ALPHA] {
        // list_services is field 7, file_containing_symbol field 4.
        let list = connection.call(path, &[], &field(7, b"*")).await.unwrap();
        assert_eq!(
            (list.code, list.messages.len()),
            (Some(0), 1),
            "{path}: {list:?}"
        );
        for service in ["movies.rating.v1.RatingService", "grpc.health.v1.Health"] {
            assert!(contains(&list.messages[0], service), "{path}: {service}");
        }
        let symbol = connection
            .call(path, &[], &field(4, b"movies.rating.v1.RatingService"))
            .await
            .unwrap();
        assert!(
            contains(&symbol.messages[0], "PutRating"),
            "{path}: {symbol:?}"
        );
        assert!(
            contains(&symbol.messages[0], "movies/rating/v1/rating.proto"),
            "{path}: {symbol:?}"
        );
        // One unknown symbol does not end the conversation: field 7 of the answer tells it.
        let unknown = connection.call(path, &[], &field(4, b"x.Y")).await.unwrap();
        assert_ne!(unknown.code, Some(13), "{path}: {unknown:?}");
        let malformed = connection.call(path, &[], b"\xff").await.unwrap();
        assert_ne!(malformed.code, Some(13), "{path}: {malformed:?}");
        assert!(malformed.messages.is_empty(), "{path}: {malformed:?}");
    }
    running.stop().await;
}
