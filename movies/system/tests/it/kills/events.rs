//! Ratings submitted as events while the broker that keeps them, and the service that takes them in
//! and publishes what changed, are killed.

use super::Plan;
use crate::site::{Site, nobody_panicked};
use backlot::Dice;
use backlot_testkit::http::{Answer, ask, get};
use backlot_testkit::{Process, wait_until};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use rusqlite::Connection;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

const PROVIDERS: u64 = 6;
const FILMS: u64 = 3;
const USERS: u64 = 4;
/// How long one call may take to be acknowledged, kills and all.
const PATIENCE: Duration = Duration::from_secs(60);

/// Half stars by film and user, of what was acknowledged last.
type Ratings = BTreeMap<(String, String), i64>;

/// Count, sum and version by film.
type Aggregates = BTreeMap<String, (i64, i64, i64)>;

#[tokio::test]
async fn no_submitted_rating_is_lost_or_doubled_when_broker_and_ratings_are_killed() {
    const SERVICES: [&str; 3] = ["auth", "broker", "rating"];
    let plan = Plan::new(30);
    let site = Arc::new(Site::new());
    let start = |service: &str| site.movies(&[service]).start();
    let mut running: BTreeMap<&str, Process> =
        SERVICES.map(|service| (service, start(service))).into();
    let ready = async || {
        for service in SERVICES {
            match get(&site.admin(service), "/ready").await {
                Ok(answer) if answer.status.as_u16() == 200 => {}
                other => return Err(format!("{service}: {other:?}")),
            }
        }
        Ok(())
    };
    wait_until("they are ready", ready).await;
    // Made by whoever comes first, publisher or reader.
    let topic = json!({ "partitions": 8 }).to_string();
    let made = operate(&site, Method::PUT, "/v1/broker/topics/ratings", topic).await;
    let made = made.unwrap();
    assert_eq!(made.status.as_u16(), 200, "{}", made.text());

    let (stop, stopped) = watch::channel(false);
    let mut providers = JoinSet::new();
    for number in 0..PROVIDERS {
        let provider = Provider {
            site: Arc::clone(&site),
            dice: plan.dice.branch(&format!("provider {number}")),
            number,
            ratings: Ratings::new(),
            repeated: 0,
        };
        providers.spawn(provider.work(stopped.clone()));
    }
    for _ in 0..plan.kills {
        plan.some_time(Duration::from_millis(400)).await;
        let victim = plan.pick(&["broker", "rating"]);
        let process = running.get_mut(victim).unwrap();
        process.kill().await;
        nobody_panicked(&process.said());
        plan.some_time(Duration::from_millis(200)).await;
        *process = start(victim);
        if plan.happens(50) {
            process.wait_until("they are ready", ready).await;
        }
    }
    stop.send_replace(true);
    let (mut expected, mut repeated) = (Ratings::new(), 0);
    while let Some(done) = providers.join_next().await {
        let (own, again) = done.unwrap();
        expected.extend(own);
        repeated += again;
    }
    println!("{} ratings; {repeated} calls were repeated", expected.len());
    wait_until("all is taken in and published", async || {
        drained(&site).await
    })
    .await;
    let published = published(&site).await;
    for (service, process) in &mut running {
        process.terminate();
        let code = process.exit_code().await;
        assert_eq!(code, 0, "{service}: {}", process.said());
    }
    let (ratings, aggregates) = stored(&site.file("rating.db"));
    assert_eq!(ratings, expected, "stored, and acknowledged");
    let mut sums: BTreeMap<&str, (i64, i64)> = BTreeMap::new();
    for ((film, _), value) in &ratings {
        let of_film = sums.entry(film).or_default();
        *of_film = (of_film.0 + 1, of_film.1 + value);
    }
    for (film, (count, sum, _)) in &aggregates {
        let right = sums.get(&**film).copied().unwrap_or_default();
        assert_eq!((*count, *sum), right, "the aggregate of {film}");
    }
    assert_eq!(published, aggregates, "published last, and stored");
}

/// Publishes ratings of users of its own, each call until it is acknowledged.
struct Provider {
    site: Arc<Site>,
    dice: Dice,
    number: u64,
    ratings: Ratings,
    repeated: u64,
}

impl Provider {
    async fn work(mut self, stopped: watch::Receiver<bool>) -> (Ratings, u64) {
        let mut call = 0;
        while !*stopped.borrow() || call == 0 {
            call += 1;
            let count = 1 + self.dice.below(5);
            let messages: Vec<Value> = (0..count)
                .map(|number| self.message(call, number))
                .collect();
            let body = json!({ "messages": messages }).to_string();
            let end = Instant::now() + PATIENCE;
            loop {
                let patience = match self.dice.below(10) {
                    // Some answers are not waited for: those are lost on the way.
                    0 => Duration::from_millis(self.dice.below(10)),
                    _ => Duration::from_secs(2),
                };
                let asked = publish(&self.site, body.clone());
                let why = match tokio::time::timeout(patience, asked).await {
                    Ok(Ok(answer)) => match answer.status.as_u16() {
                        200 => break,
                        503 | 504 => answer.text(),
                        // Nothing else may come of a good request, whoever was killed.
                        status => panic!("{body}: {status}: {}", answer.text()),
                    },
                    Ok(Err(error)) => error.to_string(),
                    Err(_elapsed) => "no answer".to_owned(),
                };
                assert!(Instant::now() < end, "not acknowledged: {why}");
                self.repeated += 1;
                let wait = Duration::from_millis(5 + self.dice.below(30));
                tokio::time::sleep(wait).await;
            }
        }
        (self.ratings, self.repeated)
    }

    fn message(&mut self, call: u64, number: u64) -> Value {
        let film = format!("film-{}", self.dice.below(FILMS));
        let user = format!("user-{}-{}", self.number, self.dice.below(USERS));
        let mut event = json!({ "userId": user, "recordId": film, "recordType": "movie" });
        let rating = (film.clone(), user);
        if self.dice.below(100) < 75 {
            let half_stars = 1 + i64::try_from(self.dice.below(10)).unwrap();
            event["eventType"] = json!("put");
            #[expect(clippy::cast_precision_loss, reason = "at most 10")]
            let stars = half_stars as f64 / 2.0;
            event["value"] = json!(stars);
            self.ratings.insert(rating, half_stars);
        } else {
            event["eventType"] = json!("delete");
            self.ratings.remove(&rating);
        }
        json!({
            "topic": "ratings",
            "dedupe": true,
            "record": {
                "id": format!("{}-{call}-{number}", self.number),
                "kind": "RatingSubmitted",
                "version": 2,
                "source": "a test",
                "key": format!("movie/{film}"),
                "payload": STANDARD.encode(event.to_string()),
            },
        })
    }
}

async fn publish(site: &Site, body: String) -> io::Result<Answer> {
    operate(site, Method::POST, "/v1/broker/messages", body).await
}

pub(super) async fn operate(
    site: &Site,
    method: Method,
    path: &str,
    body: String,
) -> io::Result<Answer> {
    let bearer = site.bearer("otto", &["operator"]);
    let headers = [
        ("authorization", &*bearer),
        ("content-type", "application/json"),
    ];
    ask(&site.address("broker"), method, path, &headers, body).await
}

/// Whether nothing waits: neither for the rating service, nor in its outbox.
async fn drained(site: &Site) -> Result<(), String> {
    let path = "/v1/broker/topics/ratings?group=rating-aggregator";
    let answer = operate(site, Method::GET, path, String::new()).await;
    let answer = answer.map_err(|error| error.to_string())?;
    if answer.status.as_u16() != 200 {
        return Err(answer.text());
    }
    let report = answer.json();
    let number = |value: &Value| {
        let text = value.as_str().map(str::to_owned);
        let text = text.unwrap_or_else(|| value.to_string());
        text.parse::<u64>().unwrap_or(0)
    };
    let cursors = report["groups"][0]["partitions"].as_array();
    let cursors = cursors.ok_or_else(|| report.to_string())?;
    let lag: u64 = cursors.iter().map(|cursor| number(&cursor["lag"])).sum();
    if lag > 0 {
        return Err(format!("{lag} are not taken in"));
    }
    let store = Connection::open(site.file("rating.db")).map_err(|error| error.to_string())?;
    let waiting = store.query_row("SELECT COUNT(*) FROM backlot_outbox", [], |row| {
        row.get::<_, i64>(0)
    });
    match waiting {
        Ok(0) => Ok(()),
        other => Err(format!("in the outbox: {other:?}")),
    }
}

/// What was published of each film under its highest version.
async fn published(site: &Site) -> Aggregates {
    let call = async |path: String, body: Value| {
        let answer = operate(site, Method::POST, &path, body.to_string()).await;
        let answer = answer.unwrap();
        assert_eq!(answer.status.as_u16(), 200, "{}", answer.text());
        answer.json()
    };
    let joining = json!({ "topic": "rating-changes", "group": "audit" });
    let joined = call("/v1/broker/sessions".to_owned(), joining).await;
    let session = joined["session"].as_str().unwrap().to_owned();
    let (mut last, mut sequence) = (Aggregates::new(), 1);
    loop {
        let asked = json!({ "sequence": sequence, "max": 1000, "waitMs": 2000 });
        let told = call(format!("/v1/broker/sessions/{session}:next"), asked).await;
        let told = told.as_object().unwrap();
        if told.is_empty() {
            return last;
        }
        sequence += 1;
        let deliveries = told.get("deliveries").map(|told| &told["deliveries"]);
        let Some(deliveries) = deliveries.and_then(Value::as_array) else {
            continue;
        };
        let mut done = Vec::new();
        for delivery in deliveries {
            let payload = delivery["record"]["payload"].as_str().unwrap();
            let payload = STANDARD.decode(payload).unwrap();
            let event: Value = serde_json::from_slice(&payload).unwrap();
            for change in event["changes"].as_array().unwrap() {
                let film = change["recordId"].as_str().unwrap().to_owned();
                let number = |field: &str| change[field].as_i64().unwrap();
                let told = (number("count"), number("sum"), number("version"));
                let known = last.entry(film).or_default();
                if told.2 > known.2 {
                    *known = told;
                }
            }
            done.push(json!({ "token": delivery["token"], "done": {} }));
        }
        let path = format!("/v1/broker/sessions/{session}:settle");
        call(path, json!({ "settlements": done })).await;
    }
}

fn stored(file: &Path) -> (Ratings, Aggregates) {
    let store = Connection::open(file).unwrap();
    let mut all = store
        .prepare("SELECT record_id, user_id, half_stars FROM ratings JOIN users ON users.number = ratings.user_number JOIN aggregates ON aggregates.number = ratings.record_number")
        .unwrap();
    let ratings = all
        .query_map([], |row| Ok(((row.get(0)?, row.get(1)?), row.get(2)?)))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    let mut all = store
        .prepare("SELECT record_id, count, sum, version FROM aggregates WHERE version > 0")
        .unwrap();
    let aggregates = all
        .query_map([], |row| {
            Ok((row.get(0)?, (row.get(1)?, row.get(2)?, row.get(3)?)))
        })
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    (ratings, aggregates)
}
