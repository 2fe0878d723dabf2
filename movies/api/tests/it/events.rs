//! Every body that was ever released is read, and what is wrong with one is named.

use backlot::messaging::event::{self, Event, Stamp, Undecodable};
use backlot::messaging::record::MAX_PAYLOAD;
use backlot::messaging::{Record, partition};
use backlot::{Code, Timestamp};
use movies_api::events::{
    EventType, MAX_CHANGES, MAX_PICTURE_BYTES, MAX_PICTURES, MailAnswered, MailDue, MailWished,
    MoviesChanged, Picture, PosterChecked, PosterUploaded, RatingSubmitted, RatingsChanged,
    RecordChange, Submitted,
};
use std::collections::BTreeMap;

/// The bodies of an event, by name, with their versions.
fn golden(folder: &str) -> BTreeMap<String, (u32, String)> {
    let path = format!("tests/golden/{folder}");
    let files = std::fs::read_dir(path).unwrap();
    files
        .map(|file| {
            let path = file.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let version = name.trim_start_matches('v').split_once('-').unwrap().0;
            let version = version.parse().unwrap();
            (name, (version, std::fs::read_to_string(path).unwrap()))
        })
        .collect()
}

/// Reads each with its version, checks that each version has one, and that what is of this version
/// is written as it was read.
fn read_all<E: Event>(folder: &str) -> BTreeMap<String, E> {
    let bodies = golden(folder);
    for version in 1..=E::VERSION {
        assert!(
            bodies.values().any(|(of, _)| *of == version),
            "{folder} has no body of version {version}"
        );
    }
    let events = bodies.into_iter().map(|(name, (version, body))| {
        let record = Record::new("1", E::NAME, "test", body.clone()).with_version(version);
        let event: E = event::decode(&record).unwrap_or_else(|error| panic!("{name}: {error}"));
        if version == E::VERSION {
            let stamp = Stamp {
                id: "1".into(),
                source: "test".into(),
                time: Timestamp(0),
            };
            let record = event::encode(&event, stamp).unwrap();
            assert_eq!(
                std::str::from_utf8(&record.payload).unwrap(),
                body,
                "{name}"
            );
        }
        (name, event)
    });
    events.collect()
}

#[test]
fn every_body_ever_released_is_read() {
    let said = |user_id, record_id, half_stars, rated_at: Option<i64>| Submitted {
        user_id,
        record_type: "movie",
        record_id,
        half_stars,
        rated_at: rated_at.map(Timestamp),
    };
    let mut events = read_all::<RatingSubmitted>("rating-submitted");
    for (name, expected) in [
        ("v1-put", said("105", "1", Some(10), None)),
        ("v1-delete", said("105", "2", None, None)),
        (
            "v2-put",
            said("ml-1", "tt0114709", Some(9), Some(964_982_703_000)),
        ),
        ("v2-whole", said("ann", "metropolis-1927", Some(6), None)),
        ("v2-delete", said("ann", "metropolis-1927", None, None)),
    ] {
        let event = events.remove(name).unwrap();
        assert_eq!(event.submitted().unwrap(), expected, "{name}");
    }
    assert!(events.is_empty(), "no word on what {events:?} say");

    let mut events = read_all::<RatingsChanged>("ratings-changed");
    for (name, expected) in [
        ("v1-put", (1, Some("ann"), Some(3.5))),
        ("v1-delete", (1, Some("ann"), None)),
        ("v1-many", (2, None, None)),
    ] {
        let event = events.remove(name).unwrap();
        let found = (event.changes.len(), event.user_id.as_deref(), event.value);
        assert_eq!(found, expected, "{name}");
    }
    assert!(events.is_empty(), "no word on what {events:?} say");
}

#[test]
fn a_body_alone_is_one_of_the_books() {
    for (name, (version, body)) in golden("rating-submitted") {
        let bare = event::decode::<RatingSubmitted>(&Record::bare("1", "books", body));
        match (version, name.as_str()) {
            (1, _) | (2, "v2-whole" | "v2-delete") => drop(bare.unwrap()),
            // The books know no half stars.
            _ => assert!(bare.unwrap_err().to_string().contains("value"), "{name}"),
        }
    }
}

#[test]
fn what_is_wrong_with_an_event_is_named_with_its_field() {
    let right = RatingSubmitted::put("ann", "movie", "heat", 9);
    assert_eq!(right.submitted().unwrap().half_stars, Some(9));
    type Change = fn(&mut RatingSubmitted);
    let wrongs: [(&str, Change); 15] = [
        ("userId", |event| event.user_id.clear()),
        ("userId", |event| event.user_id = "ä".repeat(65)),
        ("userId", |event| event.user_id = "a\0".into()),
        ("recordType", |event| event.record_type = "".into()),
        ("recordType", |event| {
            event.record_type = "m".repeat(33).into()
        }),
        ("recordId", |event| event.record_id.clear()),
        ("recordId", |event| event.record_id = "i".repeat(65)),
        ("providerId", |event| {
            event.provider_id = Some(String::new())
        }),
        ("value", |event| event.value = Some(0.0)),
        ("value", |event| event.value = Some(5.5)),
        ("value", |event| event.value = Some(4.2)),
        ("value", |event| event.value = None),
        ("value", |event| event.event_type = EventType::Delete),
        ("ratedAt", |event| event.rated_at = Some(0)),
        ("ratedAt", |event| event.rated_at = Some(i64::MAX)),
    ];
    for (index, (field, change)) in wrongs.into_iter().enumerate() {
        let mut event = right.clone();
        change(&mut event);
        let error = event.submitted().unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument, "{index}");
        assert_eq!(error.violations()[0].field, field, "{index}");
        assert!(error.message().starts_with(field), "{}", error.message());
    }
    let long = RatingSubmitted::put("ä".repeat(64), "movie", "heat", 1);
    assert!(long.submitted().is_ok(), "characters count, not bytes");
}

#[test]
fn what_cannot_be_read_is_told_with_its_field() {
    let body = |field: &str, value: &str| {
        let mut event = serde_json::json!({"userId": "ann", "recordId": "heat",
            "recordType": "movie", "value": 4, "eventType": "put"});
        event[field] = serde_json::from_str(value).unwrap();
        event.to_string()
    };
    for (field, value) in [
        ("eventType", "\"patch\""),
        ("eventType", "7"),
        ("recordType", "7"),
    ] {
        let record = Record::new("1", "RatingSubmitted", "test", body(field, value));
        let error = event::decode::<RatingSubmitted>(&record.with_version(2)).unwrap_err();
        assert!(error.to_string().contains(field), "{error}");
    }
    for value in ["4.5", "\"4\"", "null"] {
        let record = Record::bare("1", "test", body("value", value));
        let error = event::decode::<RatingSubmitted>(&record).unwrap_err();
        assert!(error.to_string().contains("value"), "{error}");
    }
    let newer = Record::new("1", "RatingSubmitted", "test", "{}").with_version(3);
    let error = event::decode::<RatingSubmitted>(&newer).unwrap_err();
    assert!(
        matches!(error, Undecodable::UnknownVersion { .. }),
        "{error}"
    );
}

fn change(id: String) -> RecordChange {
    RecordChange {
        record_id: id,
        count: u32::MAX,
        sum: u64::MAX,
        histogram: [u32::MAX; 10],
        version: u32::MAX,
        changed_at: i64::MIN,
    }
}

#[test]
fn a_records_events_share_their_key_and_many_records_have_none() {
    let put = RatingSubmitted::put("ann", "movie", "heat", 9);
    let delete = RatingSubmitted::delete("bob", "movie", "heat");
    let one = RatingsChanged::by("ann", Some(9), "movie", change("heat".into()));
    assert_eq!(put.key().as_deref(), Some("movie/heat"));
    assert_eq!((delete.key(), one.key()), (put.key(), put.key()));
    let many = [change("heat".into()), change("alien".into())];
    let many: Vec<_> = RatingsChanged::of_many("movie", many).collect();
    assert_eq!(many.len(), 1);
    assert_eq!(many[0].key(), None);
    // Where released programs publish, later ones must.
    assert_eq!(partition::of_key("movie/heat", 16), 2);
}

#[test]
fn many_changes_of_the_longest_ids_fit_into_payloads() {
    let longest = "\u{1}".repeat(64);
    let changes = (0..=2 * MAX_CHANGES).map(|_| change(longest.clone()));
    let events: Vec<_> = RatingsChanged::of_many("\u{1}", changes).collect();
    let sizes: Vec<usize> = events.iter().map(|event| event.changes.len()).collect();
    assert_eq!(sizes, [MAX_CHANGES, MAX_CHANGES, 1]);
    for event in events {
        let body = serde_json::to_vec(&event).unwrap();
        assert!(body.len() <= MAX_PAYLOAD, "{} bytes", body.len());
    }
}

/// `cargo test --release -p movies-api what_an_event_costs -- --ignored --nocapture`
#[test]
#[ignore = "a measurement, for release"]
fn what_an_event_costs() {
    const TIMES: u32 = 1_000_000;
    let stamp = Stamp {
        id: "0193".into(),
        source: "importer".into(),
        time: Timestamp(0),
    };
    let mut event = RatingSubmitted::put("ml-162541", "movie", "tt0114709", 9);
    event.rated_at = Some(964_982_703_000);
    let time = |what: &str, run: &mut dyn FnMut()| {
        let began = tokio::time::Instant::now();
        (0..TIMES).for_each(|_| run());
        let each = (tokio::time::Instant::now() - began).as_nanos() / u128::from(TIMES);
        println!("{what}: {each} ns");
    };
    let record = event::encode(&event, stamp.clone()).unwrap();
    let books = golden("rating-submitted").remove("v1-put").unwrap().1;
    let books = Record::bare("1", "books", books);
    time("encode", &mut || {
        std::hint::black_box(event::encode(&event, stamp.clone()).unwrap());
    });
    time("decode", &mut || {
        std::hint::black_box(event::decode::<RatingSubmitted>(&record).unwrap());
    });
    time("decode and check", &mut || {
        let event = event::decode::<RatingSubmitted>(&record).unwrap();
        std::hint::black_box(event.submitted().unwrap());
    });
    time("decode a body of the books", &mut || {
        std::hint::black_box(event::decode::<RatingSubmitted>(&books).unwrap());
    });
}

#[test]
fn every_word_ever_released_about_a_poster_is_read() {
    let uploaded = read_all::<PosterUploaded>("poster-uploaded");
    assert_eq!(uploaded["v1-png"].media_type, "image/png");
    let checked = read_all::<PosterChecked>("poster-checked");
    assert_eq!(
        checked["v1-pictures"].pictures[0],
        Picture {
            width: 160,
            height: 240,
            bytes: vec![0xff, 0xd8, 0xff, 0xe0]
        }
    );
    let refused = checked["v1-refused"].refused.as_deref();
    assert_eq!(refused, Some("it ends in the middle of the picture"));
}

#[test]
fn the_largest_pictures_fit_into_an_event() {
    let picture = Picture {
        width: u32::MAX,
        height: u32::MAX,
        bytes: vec![0xff; MAX_PICTURE_BYTES / MAX_PICTURES],
    };
    let event = PosterChecked {
        movie_id: "\u{1}".repeat(64),
        sha256: "0".repeat(64),
        pictures: vec![picture; MAX_PICTURES],
        refused: None,
    };
    let stamp = Stamp {
        id: "1".into(),
        source: "test".into(),
        time: Timestamp(0),
    };
    let record = event::encode(&event, stamp).unwrap();
    assert!(record.payload.len() < MAX_PAYLOAD - 16 * 1024);
}

#[test]
fn every_word_ever_released_about_mail_is_read() {
    let wished = read_all::<MailWished>("mail-wished");
    assert_eq!(
        wished["v1-wished"].address().unwrap().as_deref(),
        Some("ann@example.com")
    );
    assert_eq!(wished["v1-none"].address().unwrap(), None);
    assert!(read_all::<MailAnswered>("mail-answered")["v1-yes"].wanted);
    assert_eq!(read_all::<MailDue>("mail-due")["v1-welcome"].id, "w1");
}

#[test]
fn every_word_ever_released_about_changed_films_is_read() {
    let changed = read_all::<MoviesChanged>("movies-changed");
    assert_eq!(changed["v1-one"].key().as_deref(), Some("metropolis-1927"));
    assert_eq!(changed["v1-many"].key(), None);
    assert!(changed["v1-many"].changed_at > changed["v1-one"].changed_at);
}

#[test]
fn a_commit_that_changed_many_films_is_told_in_events_that_fit() {
    let ids: Vec<String> = (0..2000).map(|_| "\u{1}".repeat(64)).collect();
    let events: Vec<_> = MoviesChanged::of(&ids, 7).collect();
    assert_eq!(
        events.iter().map(|it| it.movie_ids.len()).sum::<usize>(),
        2000
    );
    for event in events {
        let stamp = Stamp {
            id: "1".into(),
            source: "test".into(),
            time: Timestamp(0),
        };
        let record = event::encode(&event, stamp).unwrap();
        assert!(record.payload.len() < MAX_PAYLOAD - 16 * 1024);
    }
    assert_eq!(MoviesChanged::of(&[], 7).count(), 0);
}
