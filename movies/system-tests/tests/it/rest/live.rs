//! Live ratings over plain HTTP.

use super::{JSON, Site};
use backlot_testkit::http::{Open, get};
use serde_json::Value;

#[tokio::test]
async fn live_ratings_come_as_events() {
    let site = Site::start().await;
    let mut events = Open::get(&site.rating, "/v1/ratings/movie/m/live")
        .await
        .unwrap();
    assert_eq!(
        (events.status.as_u16(), &events.headers["content-type"]),
        (200, &"text/event-stream".parse().unwrap())
    );
    assert_eq!(count(&mut events).await, 0);
    site.put(&[JSON], r#"{"value": 4}"#).await;
    assert_eq!(count(&mut events).await, 1);
    let stop = site.running.clients.power().stop("rating");
    let ((), end) = tokio::join!(stop, events.until("\n\n"));
    let end = end.unwrap().unwrap();
    let told = end.strip_prefix("event: error\ndata: ").unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(told).unwrap()["code"],
        "UNAVAILABLE"
    );
    assert_eq!(events.until("\n\n").await.unwrap(), None);

    let unknown = get(&site.rating, "/v1/ratings/movie/m/live?x=1").await;
    assert!(unknown.is_err(), "the service has stopped");
    site.running.stop().await;
}

async fn count(events: &mut Open) -> u64 {
    loop {
        let event = events.until("\n\n").await.unwrap().unwrap();
        if let Some(data) = event.strip_prefix("data: ") {
            return serde_json::from_str::<Value>(data).unwrap()["aggregate"]["count"]
                .as_u64()
                .unwrap();
        }
    }
}
