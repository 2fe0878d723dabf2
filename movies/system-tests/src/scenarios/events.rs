//! Ratings as events: submitted through the broker, and published as they change.

use super::watch::watch;
use crate::Clients;
use backlot::Code;
use backlot::broker::contract::broker::v1 as broker;
use backlot::messaging::Event;
use broker::next_response::Told;
use movies_api::events::RatingSubmitted;
use movies_api::{Aggregate, GetRatingRequest};
use std::time::Duration;

const LONG: Duration = Duration::from_secs(30);

/// What is published.
struct Submission<'e> {
    id: &'e str,
    /// Without one it is a body alone.
    version: u32,
    key: &'e str,
    body: &'e str,
}

async fn submit(world: &Clients, event: Submission<'_>) {
    let kind = if event.version == 0 {
        ""
    } else {
        "RatingSubmitted"
    };
    let record = broker::Record {
        id: event.id.to_owned(),
        kind: kind.to_owned(),
        version: event.version,
        source: "a scenario".to_owned(),
        key: Some(format!("movie/{}", event.key)),
        payload: event.body.as_bytes().to_vec(),
        ..broker::Record::default()
    };
    publish::<RatingSubmitted>(world, record).await;
}

/// Publishes a record as an event of this type.
pub(super) async fn publish<E: Event>(world: &Clients, record: broker::Record) {
    let request = broker::PublishRequest {
        messages: vec![broker::Outgoing {
            topic: E::TOPIC.to_owned(),
            record: Some(record),
            dedupe: true,
            ..broker::Outgoing::default()
        }],
        ..broker::PublishRequest::default()
    };
    // Made by whoever comes first, publisher or reader.
    let topic = broker::EnsureTopicRequest {
        topic: E::TOPIC.to_owned(),
        partitions: E::PARTITIONS,
        ..broker::EnsureTopicRequest::default()
    };
    let made = world.broker.ensure_topic(&world.operator(), topic).await;
    world.worked("the topic is made", made);
    let published = world.broker.publish(&world.operator(), request).await;
    world.worked("an event is published", published);
}

/// A put or, without a value, a delete.
fn body(user: &str, film: &str, value: Option<&str>) -> String {
    let (value, kind) = match value {
        Some(value) => (format!(r#","value":{value}"#), "put"),
        None => (String::new(), "delete"),
    };
    format!(
        r#"{{"userId":"{user}","recordId":"{film}","recordType":"movie","eventType":"{kind}"{value}}}"#
    )
}

/// The first aggregate of a film that is at least of this version.
pub(super) async fn reaches(world: &Clients, film: &str, version: u32) -> Aggregate {
    let cx = world.nobody().with_timeout(LONG);
    let watching = world.rating.watch_ratings(&cx, watch(film)).await;
    let mut stream = world.worked("watch", watching);
    loop {
        let change = world.some("a change", stream.next().await);
        let change = world.worked("a change", change);
        let aggregate = world.some("the aggregate", change.aggregate);
        if aggregate.version >= version {
            return aggregate;
        }
    }
}

/// The first message of a topic, from its beginning, that is wanted.
async fn find<T>(
    world: &Clients,
    topic: &str,
    group: &str,
    wanted: impl Fn(&broker::Record) -> Option<T>,
) -> T {
    let cx = || world.operator().with_timeout(LONG);
    let request = broker::JoinRequest {
        topic: topic.to_owned(),
        group: group.to_owned(),
        ephemeral: true,
        ..broker::JoinRequest::default()
    };
    // Whoever publishes first makes the topic.
    let joined = world
        .eventually("the topic is joined", async || {
            world.broker.join(&cx(), request.clone()).await
        })
        .await;
    let mut sequence = 1;
    loop {
        let request = broker::NextRequest {
            session: joined.session.clone(),
            sequence,
            max: 1000,
            wait_ms: 10_000,
            ..broker::NextRequest::default()
        };
        let told = world.worked("next", world.broker.next(&cx(), request).await);
        let Some(told) = told.told else { continue };
        sequence += 1;
        let Told::Deliveries(found) = told else {
            continue;
        };
        let records = found.deliveries.iter();
        let records = records.filter_map(|delivery| delivery.record.as_ref());
        if let Some(found) = records.filter_map(&wanted).next() {
            let request = broker::LeaveRequest {
                session: joined.session,
                ..broker::LeaveRequest::default()
            };
            world.worked("leave", world.broker.leave(&cx(), request).await);
            return found;
        }
    }
}

pub(super) async fn a_rating_submitted_as_an_event_is_counted_once_and_taken_back(world: &Clients) {
    let film = "submitted";
    for (id, user, value) in [
        ("s1", "ann", Some("4.5")),
        ("s2", "bob", Some("2")),
        // The same again, as a publisher does who was not answered.
        ("s2", "bob", Some("2")),
        ("s3", "ann", Some("1")),
    ] {
        let body = &body(user, film, value);
        let event = Submission {
            id,
            version: 2,
            key: film,
            body,
        };
        submit(world, event).await;
    }
    // However they were gathered into commits, the last one says how it is.
    let is_there = async |user: &str| {
        let request = GetRatingRequest {
            record_type: "movie".to_owned(),
            record_id: film.to_owned(),
            user_id: user.to_owned(),
        };
        let found = world.rating.get_rating(&world.user(user), request).await;
        found.map(|found| found.half_stars)
    };
    let mut version = 1;
    let all = loop {
        let now = reaches(world, film, version).await;
        let ann = is_there("ann").await;
        if now.count == 2 && matches!(ann, Ok(2)) {
            // What was seen may be of before.
            break reaches(world, film, now.version).await;
        }
        version = now.version + 1;
    };
    assert_eq!((all.count, all.mean), (2, Some(1.5)));
    let taken_back = &body("bob", film, None);
    let event = Submission {
        id: "s4",
        version: 2,
        key: film,
        body: taken_back,
    };
    submit(world, event).await;
    let left = reaches(world, film, all.version + 1).await;
    assert_eq!((left.count, left.mean), (1, Some(1.0)));
    assert!(is_there("bob").await.is_err());
}

pub(super) async fn the_books_form_of_an_event_is_taken(world: &Clients) {
    let film = "of-the-books";
    let body = r#"{"userId":"105","recordId":"of-the-books","recordType":"movie","value":5,"providerId":"test-provider","eventType":"put"}"#;
    let event = Submission {
        id: "books-1",
        version: 0,
        key: film,
        body,
    };
    submit(world, event).await;
    let found = reaches(world, film, 1).await;
    assert_eq!((found.count, found.mean), (1, Some(5.0)));
}

pub(super) async fn a_wrong_event_goes_to_the_dead_letters_and_others_go_on(world: &Clients) {
    let film = "wrong-among-others";
    for (id, version, body) in [
        ("wrong-1", 2, body("ann", film, Some("4.2"))),
        ("wrong-2", 2, r#"{"userId":"#.to_owned()),
        ("wrong-3", 9, body("ann", film, Some("4"))),
        ("right-1", 2, body("ann", film, Some("3"))),
    ] {
        let event = Submission {
            id,
            version,
            key: film,
            body: &body,
        };
        submit(world, event).await;
    }
    let found = reaches(world, film, 1).await;
    assert_eq!((found.count, found.mean), (1, Some(3.0)));
    for (id, class, says) in [
        ("wrong-1", "permanent", "steps of 0.5"),
        ("wrong-2", "undecodable", "RatingSubmitted"),
        ("wrong-3", "unknown-version", "version 9"),
    ] {
        let group = format!("look-for-{id}");
        let letter = find(world, "ratings.rating-aggregator.dlq", &group, |record| {
            (record.id == id).then(|| record.clone())
        })
        .await;
        let header = |name: &str| {
            let found = letter.headers.iter().find(|header| header.name == name);
            found.map_or("", |header| header.value.as_str())
        };
        assert_eq!(header("dlq-class"), class, "{letter:?}");
        assert_eq!(header("dlq-topic"), "ratings");
        assert!(header("dlq-errors").contains(says), "{letter:?}");
    }
}

pub(super) async fn every_change_is_published_with_its_version(world: &Clients) {
    let film = "published";
    world.rate("ann", film, 3).await;
    world.rate("ann", film, 8).await;
    for (version, value) in [(1, "1.5"), (2, "4")] {
        let text = publishes(world, film, version).await;
        let (who, value) = (r#""userId":"ann""#, format!(r#""value":{value}"#));
        assert!(text.contains(who) && text.contains(&value), "{text}");
    }
}

/// Waits until this version of a film's aggregate is in the log; the event.
pub(super) async fn publishes(world: &Clients, film: &str, version: u32) -> String {
    let group = format!("look-for-{film}-{version}");
    let (says, it) = (
        format!(r#""recordId":"{film}""#),
        format!(r#""version":{version},"#),
    );
    find(world, "rating-changes", &group, |record| {
        let text = String::from_utf8_lossy(&record.payload).into_owned();
        (text.contains(&says) && text.contains(&it)).then_some(text)
    })
    .await
}

pub(super) async fn the_log_is_for_operators(world: &Clients) {
    for (what, cx, code) in [
        ("nobody publishes", world.nobody(), Code::Unauthenticated),
        (
            "a user publishes",
            world.user("ann"),
            Code::PermissionDenied,
        ),
    ] {
        let refused = world
            .broker
            .publish(&cx, broker::PublishRequest::default())
            .await;
        world.refused(what, refused, code);
    }
}
