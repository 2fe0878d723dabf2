//! A queue whose broker is killed under its workers. What each was handed and what it was told of
//! its answers is a history, which is checked in the end.

use super::Plan;
use super::events::operate;
use crate::site::{Site, nobody_panicked};
use backlot::{Clock, Dice};
use backlot_testkit::http::get;
use backlot_testkit::wait_until;
use http::Method;
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

const SENDERS: u64 = 4;
const WORKERS: u64 = 6;
const TOPIC: &str = "errands";
const PULL: &str = "/v1/queues/errands/groups/home:pull";
/// How long one call may take to be answered, kills and all.
const PATIENCE: Duration = Duration::from_secs(60);

/// What happened, in the order in which it was known here.
#[derive(Clone, Debug)]
enum Event {
    Handed(Handed),
    /// An answer is about to be given.
    Says(String, Says),
    /// The broker took it for a lease that was not over.
    Taken(String, Says),
    /// The lease is this one's until then.
    Extended(String, i64),
}

#[derive(Clone, Debug)]
struct Handed {
    id: String,
    lease: String,
    effect: String,
    attempt: u64,
    /// Until when, and when it was known here, in milliseconds since 1970.
    until: i64,
    at: i64,
    /// How often the broker had died when it was asked for.
    deaths: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Says {
    Done,
    Never,
    Failed,
    /// Not tried.
    Back,
    /// Nothing: the worker is gone.
    Nothing,
}

/// Everybody's.
struct Shop {
    site: Site,
    deaths: AtomicU64,
    history: Mutex<Vec<Event>>,
    sent: Mutex<BTreeSet<String>>,
    repeated: AtomicU64,
}

#[tokio::test]
async fn no_message_is_lost_or_handed_out_again_once_done_when_the_broker_of_workers_is_killed() {
    let plan = Plan::new(20);
    let shop = Arc::new(Shop {
        site: Site::new(),
        deaths: AtomicU64::new(0),
        history: Mutex::default(),
        sent: Mutex::default(),
        repeated: AtomicU64::new(0),
    });
    let site = &shop.site;
    let mut auth = site.movies(&["auth"]).start();
    let start = || site.movies(&["broker"]).start();
    let mut broker = start();
    let ready = async || {
        for service in ["auth", "broker"] {
            match get(&site.admin(service), "/ready").await {
                Ok(answer) if answer.status.as_u16() == 200 => {}
                other => return Err(format!("{service}: {other:?}")),
            }
        }
        Ok(())
    };
    wait_until("they are ready", ready).await;
    let partitions = json!({ "partitions": 3 }).to_string();
    let made = operate(site, Method::PUT, "/v1/broker/topics/errands", partitions).await;
    assert_eq!(made.unwrap().status.as_u16(), 200);

    let (stop, stopped) = watch::channel(false);
    let (close, closed) = watch::channel(false);
    let mut everybody = JoinSet::new();
    for number in 0..SENDERS {
        let dice = plan.dice.branch(&format!("sender {number}"));
        everybody.spawn(send(Arc::clone(&shop), number, dice, stopped.clone()));
    }
    for number in 0..WORKERS {
        let dice = plan.dice.branch(&format!("worker {number}"));
        everybody.spawn(work(Arc::clone(&shop), number, dice, closed.clone()));
    }
    for _ in 0..plan.kills {
        plan.some_time(Duration::from_millis(600)).await;
        broker.kill().await;
        nobody_panicked(&broker.said());
        plan.some_time(Duration::from_millis(200)).await;
        shop.deaths.fetch_add(1, Ordering::SeqCst);
        broker = start();
        if plan.happens(60) {
            broker.wait_until("they are ready", ready).await;
        }
    }
    stop.send_replace(true);
    wait_until("all errands are done", async || shop.drained().await).await;
    close.send_replace(true);
    while let Some(ended) = everybody.join_next().await {
        ended.unwrap();
    }
    let dead = shop.dead().await;
    for process in [&mut broker, &mut auth] {
        process.terminate();
        assert_eq!(process.exit_code().await, 0, "{}", process.said());
        nobody_panicked(&process.said());
    }
    let (sent, history) = (shop.sent.lock().clone(), shop.history.lock().clone());
    println!(
        "{} messages, {} events, {} calls were repeated",
        sent.len(),
        history.len(),
        shop.repeated.load(Ordering::SeqCst)
    );
    check(&sent, &history, &dead);
}

/// Sends messages, each call until it is acknowledged.
async fn send(shop: Arc<Shop>, number: u64, dice: Dice, stopped: watch::Receiver<bool>) {
    let mut call = 0;
    while !*stopped.borrow() || call == 0 {
        call += 1;
        let ids = (0..1 + dice.below(4)).map(|it| format!("{number}-{call}-{it}"));
        let ids: Vec<String> = ids.collect();
        let messages = ids
            .iter()
            .map(|id| json!({ "id": id, "dedupe": true, "text": format!("errand {id}") }));
        let body = json!({ "messages": messages.collect::<Vec<_>>() });
        shop.ask(&dice, "/v1/queues/errands/messages", &body).await;
        shop.sent.lock().extend(ids);
        tokio::time::sleep(Duration::from_millis(dice.below(30))).await;
    }
}

/// Pulls errands and says what became of each, until nobody is needed any more.
async fn work(shop: Arc<Shop>, number: u64, dice: Dice, closed: watch::Receiver<bool>) {
    while !*closed.borrow() {
        let deaths = shop.deaths.load(Ordering::SeqCst);
        let lease = 1500 + dice.below(1500);
        let body = json!({
            "worker": format!("worker {number}"), "max": 1 + dice.below(8), "waitMs": 200,
            "leaseMs": lease.to_string(), "attempts": 1000,
        });
        let path = PULL;
        let asked = operate(&shop.site, Method::POST, path, body.to_string());
        let answer = match tokio::time::timeout(Duration::from_secs(3), asked).await {
            Ok(Ok(answer)) if answer.status.as_u16() == 200 => answer.json(),
            // What it held comes again when its leases are over.
            _ => {
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            }
        };
        let messages = answer["messages"].as_array().cloned().unwrap_or_default();
        let handed: Vec<Handed> = messages.iter().map(|it| shop.handed(it, deaths)).collect();
        for one in handed {
            tokio::time::sleep(Duration::from_millis(dice.below(20))).await;
            shop.answer(&dice, &one.lease).await;
        }
    }
}

impl Shop {
    fn handed(&self, message: &Value, deaths: u64) -> Handed {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let handed = Handed {
            id: text(&message["record"]["id"]),
            lease: text(&message["lease"]),
            effect: text(&message["effect"]),
            attempt: message["attempt"].as_u64().unwrap_or_default(),
            until: text(&message["until"]).parse().unwrap(),
            at: now(),
            deaths,
        };
        let body = text(&message["text"]);
        assert_eq!(body, format!("errand {}", handed.id), "{message}");
        self.history.lock().push(Event::Handed(handed.clone()));
        handed
    }

    async fn answer(&self, dice: &Dice, lease: &str) {
        let leases = json!([lease]);
        let (says, path, body) = match dice.below(100) {
            0..5 => {
                let says = Event::Says(lease.to_owned(), Says::Nothing);
                self.history.lock().push(says);
                return;
            }
            5..10 => (
                Says::Never,
                "/v1/leases:reject",
                json!({ "leases": leases, "reason": "this is no errand" }),
            ),
            10..20 => (
                Says::Failed,
                "/v1/leases:retry",
                json!({ "leases": leases, "failure": "it rains", "afterMs": dice.below(100).to_string() }),
            ),
            20..25 => (Says::Back, "/v1/leases:retry", json!({ "leases": leases })),
            25..35 => {
                let body = json!({ "leases": leases, "forMs": "2000" });
                let told = self.ask(dice, "/v1/leases:extend", &body).await;
                if told["over"].as_array().is_none_or(Vec::is_empty) {
                    // At the latest since it was asked for.
                    let until = now() + 2000 - 100;
                    let event = Event::Extended(lease.to_owned(), until);
                    self.history.lock().push(event);
                }
                (
                    Says::Done,
                    "/v1/leases:acknowledge",
                    json!({ "leases": leases }),
                )
            }
            _ => (
                Says::Done,
                "/v1/leases:acknowledge",
                json!({ "leases": leases }),
            ),
        };
        self.history
            .lock()
            .push(Event::Says(lease.to_owned(), says));
        let told = self.ask(dice, path, &body).await;
        if told["over"].as_array().is_none_or(Vec::is_empty) {
            self.history
                .lock()
                .push(Event::Taken(lease.to_owned(), says));
        }
    }

    /// Asks until there is an answer.
    async fn ask(&self, dice: &Dice, path: &str, body: &Value) -> Value {
        let end = Instant::now() + PATIENCE;
        loop {
            let patience = match dice.below(10) {
                // Some answers are not waited for: those are lost on the way.
                0 => Duration::from_millis(dice.below(10)),
                _ => Duration::from_secs(2),
            };
            let asked = operate(&self.site, Method::POST, path, body.to_string());
            let why = match tokio::time::timeout(patience, asked).await {
                Ok(Ok(answer)) => match answer.status.as_u16() {
                    200 => return answer.json(),
                    503 | 504 => answer.text(),
                    // Nothing else may come of a good request, whoever was killed.
                    status => panic!("{path} {body}: {status}: {}", answer.text()),
                },
                Ok(Err(error)) => error.to_string(),
                Err(_elapsed) => "no answer".to_owned(),
            };
            assert!(Instant::now() < end, "{path} {body}: {why}");
            self.repeated.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(5 + dice.below(30))).await;
        }
    }

    /// Whether nothing waits for the group, neither first nor again.
    async fn drained(&self) -> Result<(), String> {
        for topic in [TOPIC, "errands.home.retry"] {
            let path = format!("/v1/broker/topics/{topic}?group=home");
            let answer = operate(&self.site, Method::GET, &path, String::new()).await;
            let answer = answer.map_err(|error| error.to_string())?;
            if answer.status.as_u16() == 404 && topic != TOPIC {
                continue;
            }
            let report = answer.json();
            let cursors = report["groups"][0]["partitions"].as_array();
            let cursors = cursors.ok_or_else(|| report.to_string())?;
            let lag = cursors.iter().filter_map(|it| it["lag"].as_str());
            let lag: u64 = lag.filter_map(|lag| lag.parse::<u64>().ok()).sum();
            if lag > 0 {
                return Err(format!("{lag} of {topic} are not done"));
            }
        }
        Ok(())
    }

    /// The ids of dead letters, each once.
    async fn dead(&self) -> BTreeSet<String> {
        let mut dead = BTreeSet::new();
        let mut after = String::new();
        loop {
            let path = format!(
                "/v1/broker/letters?filter.group=home&pageSize=200&after={}",
                after.replace('/', "%2F")
            );
            let answer = operate(&self.site, Method::GET, &path, String::new()).await;
            let answer = answer.unwrap();
            assert_eq!(answer.status.as_u16(), 200, "{}", answer.text());
            let page = answer.json();
            for letter in page["letters"].as_array().unwrap() {
                let id = letter["message"].as_str().unwrap();
                assert!(dead.insert(id.to_owned()), "{id} died twice");
            }
            match page["next"].as_str() {
                Some(next) if !next.is_empty() => after = next.to_owned(),
                _ => return dead,
            }
        }
    }
}

/// # Panics
/// When the history breaks what is promised.
fn check(sent: &BTreeSet<String>, history: &[Event], dead: &BTreeSet<String>) {
    let mut of_lease: BTreeMap<&str, Handed> = BTreeMap::new();
    let mut last: BTreeMap<&str, &str> = BTreeMap::new();
    let mut effects: BTreeMap<&str, &str> = BTreeMap::new();
    let mut ended: BTreeMap<&str, Says> = BTreeMap::new();
    let mut answered: BTreeSet<&str> = BTreeSet::new();
    let mut said: BTreeMap<&str, Vec<Says>> = BTreeMap::new();
    // Attempts that may have been used up: those that failed, and those whose lease ran out.
    let mut used: BTreeMap<&str, u64> = BTreeMap::new();
    for event in history {
        match event {
            Event::Handed(handed) => {
                let id = &*handed.id;
                assert_eq!(
                    ended.get(id),
                    None,
                    "handed out once it was over: {handed:?}"
                );
                let effect = *effects.entry(id).or_insert(&handed.effect);
                assert_eq!(effect, handed.effect, "{handed:?}");
                if let Some(before) = last.get(id).and_then(|lease| of_lease.get(*lease)) {
                    let is_with_another = !answered.contains(&*before.lease)
                        && before.deaths == handed.deaths
                        && handed.at < before.until;
                    assert!(!is_with_another, "{before:?} has it; {handed:?}");
                    if !answered.contains(&*before.lease) {
                        *used.entry(id).or_default() += 1;
                    }
                }
                let used = used.get(id).copied().unwrap_or_default();
                assert!(handed.attempt <= 1 + used, "{used} were used: {handed:?}");
                last.insert(id, &handed.lease);
                of_lease.insert(&handed.lease, handed.clone());
            }
            Event::Extended(lease, until) => {
                if let Some(handed) = of_lease.get_mut(&**lease) {
                    handed.until = handed.until.max(*until);
                }
            }
            Event::Says(lease, says) => {
                let id = of_lease[&**lease].id.as_str();
                let id = sent.get(id).map(String::as_str).unwrap_or_default();
                if *says != Says::Nothing {
                    answered.insert(lease);
                }
                if *says == Says::Failed {
                    *used.entry(id).or_default() += 1;
                }
                said.entry(id).or_default().push(*says);
            }
            Event::Taken(lease, says) => {
                let id = of_lease[&**lease].id.clone();
                let id = sent.get(&id).map(String::as_str).unwrap_or_default();
                if matches!(says, Says::Done | Says::Never) {
                    let before = ended.insert(id, *says);
                    assert_eq!(before, None, "{id} was over already");
                }
            }
        }
    }
    for id in sent {
        let said = said.get(&**id).cloned().unwrap_or_default();
        let (done, never) = (said.contains(&Says::Done), said.contains(&Says::Never));
        assert!(done || never, "{id} was sent, and nobody ended it");
        match ended.get(&**id) {
            Some(Says::Done) => assert!(!dead.contains(id), "{id} is done, and dead"),
            Some(Says::Never) => assert!(dead.contains(id), "{id} was refused, and is not dead"),
            // The answer to what ended it was lost with the broker.
            _ => assert!(
                done || dead.contains(id),
                "{id} was refused, and is not dead"
            ),
        }
    }
    for id in dead {
        let refused = said.get(&**id);
        let refused = refused.is_some_and(|said| said.contains(&Says::Never));
        assert!(refused, "{id} is dead, and nobody refused it");
    }
}

fn now() -> i64 {
    Clock::real().wall().0
}
