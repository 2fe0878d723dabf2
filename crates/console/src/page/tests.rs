use super::*;
use crate::config::Config;
use async_trait::async_trait;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use backlot_cluster::{Memory, Registry};
use backlot_core::discovery::Instance;
use backlot_core::{Code, Context, Env};
use backlot_messaging::consume::{Consumer, Failure, Group, Job, Setup, Work};
use backlot_messaging::dead::Letters;
use backlot_messaging::embedded::{Embedded, Options};
use backlot_messaging::{Bus, Event};
use backlot_service::Metrics;
use http_body_util::BodyExt;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::Instant;
use tower::ServiceExt;

#[derive(Serialize, Deserialize)]
struct Placed {
    order: u32,
}

impl Event for Placed {
    const NAME: &'static str = "Placed";
    const TOPIC: &'static str = "orders";
    const VERSION: u32 = 1;
    const PARTITIONS: u32 = 2;

    fn key(&self) -> Option<String> {
        Some(self.order.to_string())
    }
}

/// Refuses some orders, and says which it did.
struct Billing {
    refuses: BTreeSet<u32>,
    done: Arc<Mutex<Vec<u32>>>,
}

#[async_trait]
impl Work<Placed> for Billing {
    async fn work(&self, _cx: &Context, job: &Job<Placed>) -> Result<(), Failure> {
        if self.refuses.contains(&job.event.order) {
            let said = format!("<b>no such customer</b> of {}", job.event.order % 2);
            return Err(Failure::new(Code::NotFound, said).permanent());
        }
        self.done.lock().push(job.event.order);
        Ok(())
    }
}

struct Site {
    router: Router,
    setup: Setup,
    bus: Bus,
    registry: Memory,
    tasks: Tasks,
    done: Arc<Mutex<Vec<u32>>>,
    sampler: Sampler,
}

struct Answer {
    status: StatusCode,
    location: String,
    text: String,
}

fn cx() -> Context {
    Context::background().with_timeout(Duration::from_secs(30))
}

impl Site {
    async fn new(config: Config) -> Site {
        let (env, metrics) = (Env::real(), Metrics::new());
        let tasks = Tasks::with_metrics(&env, &metrics);
        let engine = Embedded::memory(Options::default(), &env, &tasks, &metrics).await;
        let engine: Arc<dyn Engine> = Arc::new(engine.unwrap());
        let registry = Memory::new();
        let sampler = Sampler::new(
            Arc::clone(&engine),
            Arc::new(registry.clone()),
            [7; 32],
            &env,
        );
        let page = Page::new(Parts {
            sampler: sampler.clone(),
            engine: Arc::clone(&engine),
            access: Access::new(&config),
            tasks: tasks.clone(),
            shutdown: env.shutdown.clone(),
            clock: env.clock.clone(),
        });
        let bus = Bus::new(Arc::clone(&engine), "shop", &env);
        let setup = Setup {
            engine,
            service: "billing",
            member: "billing-1".to_owned(),
            env,
            metrics,
        };
        Site {
            router: page.router(),
            setup,
            bus,
            registry,
            tasks,
            done: Arc::default(),
            sampler,
        }
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let header = |name| {
            headers
                .get(name)
                .map_or("", |value| value.to_str().unwrap())
        };
        let location = header("location").to_owned();
        assert!(header("content-security-policy").contains("frame-ancestors 'none'"));
        let body = response.into_body().collect().await.unwrap().to_bytes();
        Answer {
            status,
            location,
            text: String::from_utf8(body.to_vec()).unwrap(),
        }
    }

    async fn get(&self, path: &str) -> Answer {
        let request = Request::get(path).header("host", "127.0.0.1:8089");
        self.send(request.body(Body::empty()).unwrap()).await
    }

    async fn post(&self, path: &str, form: &str) -> Answer {
        let request = Request::post(path)
            .header("host", "127.0.0.1:8089")
            .header("sec-fetch-site", "same-origin")
            .header("content-type", "application/x-www-form-urlencoded");
        self.send(request.body(Body::from(form.to_owned())).unwrap())
            .await
    }

    async fn publish(&self, orders: impl IntoIterator<Item = u32>) {
        for order in orders {
            self.bus.publish(&cx(), &Placed { order }).await.unwrap();
        }
    }

    /// Reads what there is, refusing some; until nothing is left.
    async fn bill(&self, refuses: impl IntoIterator<Item = u32>) {
        let billing = Billing {
            refuses: refuses.into_iter().collect(),
            done: Arc::clone(&self.done),
        };
        let consumer = Consumer::working(&self.setup, Group::new("billing"), billing).unwrap();
        let settled = async {
            let engine = &*self.setup.engine;
            loop {
                let rows = crate::snapshot::groups(engine).await.unwrap();
                if rows
                    .iter()
                    .any(|row| row.group == "billing" && row.lag == 0)
                {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), consumer.run(settled))
            .await
            .unwrap();
    }

    /// Follows a run to its end; the page it ends with.
    async fn ended(&self, path: &str) -> String {
        let end = Instant::now() + Duration::from_secs(60);
        loop {
            let text = self.get(path).await.text;
            if !text.contains("under way") {
                return text;
            }
            assert!(Instant::now() < end, "{text}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn waiting(&self) -> u64 {
        let letters = Letters::of(&*self.setup.engine).unwrap();
        let groups = letters.groups(&cx()).await.unwrap();
        groups.iter().flat_map(|group| group.waiting.values()).sum()
    }
}

const QUEUE: &str = "orders.billing.dlq";

#[tokio::test]
async fn letters_are_seen_by_what_they_say_and_sent_again_after_a_look() {
    let site = Site::new(Config::default()).await;
    assert!(
        site.get("/")
            .await
            .text
            .contains("None. What fails for good ends here")
    );
    site.publish(0..10).await;
    site.bill([1, 2, 3]).await;
    let overview = site.get("/").await.text;
    assert!(
        overview.contains(&format!("href=\"/dead/{QUEUE}\">billing</a>")),
        "{overview}"
    );
    let page = site.get(&format!("/dead/{QUEUE}")).await.text;
    assert!(
        page.contains("<span class=\"mark bad\">2</span> ") && page.contains("3 wait"),
        "{page}"
    );
    assert!(
        !page.contains("<b>no such customer"),
        "words of others are text"
    );
    // A look changes nothing.
    let really = site
        .post(
            &format!("/dead/{QUEUE}/redrive"),
            "class=&per_second=&limit=2",
        )
        .await;
    assert!(
        really.text.contains("Send 3 again?") && really.text.contains("at most 2"),
        "{}",
        really.text
    );
    assert_eq!(site.waiting().await, 3);
    let run = site
        .post(&format!("/dead/{QUEUE}/redrive"), "limit=2&really=yes")
        .await;
    assert_eq!(
        (run.status, &*run.location),
        (StatusCode::SEE_OTHER, "/runs/1")
    );
    let ended = site.ended("/runs/1").await;
    assert!(ended.contains("came to its limit"), "{ended}");
    assert_eq!(site.waiting().await, 1);
    let run = site
        .post(
            &format!("/dead/{QUEUE}/redrive"),
            "class=permanent&really=yes",
        )
        .await;
    assert!(site.ended(&run.location).await.contains("<b>done</b>"));
    site.bill([]).await;
    let mut done = site.done.lock().clone();
    done.sort_unstable();
    assert_eq!(done, (0..10).collect::<Vec<_>>(), "each once");
    let audit = site.get("/audit").await.text;
    assert!(
        audit.contains("redrive") && audit.contains("somebody on this machine"),
        "{audit}"
    );
    assert!(audit.contains("run 2: done, 1 of 1"), "{audit}");
    let wrong = site
        .post(&format!("/dead/{QUEUE}/redrive"), "per_second=many")
        .await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.text.contains("per_second"));
    assert_eq!(
        site.get("/dead/nothing.dlq").await.status,
        StatusCode::NOT_FOUND
    );
    site.tasks.shutdown(Duration::ZERO).await;
}

#[tokio::test]
async fn a_letter_is_mended_sent_again_or_removed() {
    let site = Site::new(Config::default()).await;
    site.publish([7, 8]).await;
    site.bill([7, 8]).await;
    let list = site.get(&format!("/dead/{QUEUE}")).await.text;
    let mut paths = list.split("href=\"/letters/").skip(1);
    let path = format!(
        "/letters/{}",
        paths.next().unwrap().split('"').next().unwrap()
    );
    let other = format!(
        "/letters/{}",
        paths.next().unwrap().split('"').next().unwrap()
    );
    let letter = site.get(&path).await.text;
    assert!(
        letter.contains("How it failed") && letter.contains("permanent NOT_FOUND"),
        "{letter}"
    );
    let wrong = site
        .post(&format!("{path}/edit"), "payload=%7B%22order%22%3A")
        .await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        wrong.text.contains("this is no JSON") && wrong.text.contains("{&#34;order&#34;:"),
        "{}",
        wrong.text
    );
    let mended = site
        .post(&format!("{path}/edit"), "payload=%7B%22order%22%3A42%7D")
        .await;
    assert_eq!(mended.location, path);
    assert!(site.get(&path).await.text.contains("as it was mended"));
    let run = site.post(&format!("{path}/redrive"), "").await;
    assert!(site.ended(&run.location).await.contains("<b>done</b>"));
    let run = site.post(&format!("{other}/purge"), "").await;
    assert!(site.ended(&run.location).await.contains("<b>done</b>"));
    site.bill([]).await;
    assert_eq!(*site.done.lock(), [42]);
    assert_eq!(site.waiting().await, 0);
    assert_eq!(site.get(&other).await.status, StatusCode::NOT_FOUND);
    let audit = site.get("/audit").await.text;
    assert!(audit.contains("edit") && audit.contains("purge"), "{audit}");
    site.tasks.shutdown(Duration::ZERO).await;
}

#[tokio::test]
async fn pages_of_others_and_names_of_others_get_nothing_done() {
    let site = Site::new(Config::default()).await;
    site.publish([1]).await;
    site.bill([1]).await;
    let path = format!("/dead/{QUEUE}/purge");
    for (host, origin) in [
        ("127.0.0.1:8089", ("sec-fetch-site", "cross-site")),
        ("127.0.0.1:8089", ("origin", "http://evil.example")),
        ("127.0.0.1:8089", ("accept", "*/*")),
        ("evil.example:8089", ("sec-fetch-site", "same-origin")),
    ] {
        let request = Request::post(&path)
            .header("host", host)
            .header(origin.0, origin.1)
            .header("content-type", "application/x-www-form-urlencoded");
        let answer = site
            .send(request.body(Body::from("really=yes")).unwrap())
            .await;
        assert!(
            matches!(
                answer.status,
                StatusCode::FORBIDDEN | StatusCode::MISDIRECTED_REQUEST
            ),
            "{host} {origin:?}: {}",
            answer.status
        );
    }
    let foreign = Request::get("/").header("host", "evil.example");
    let answer = site.send(foreign.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status, StatusCode::MISDIRECTED_REQUEST);
    assert_eq!(site.waiting().await, 1);
    let locked = Site::new(Config {
        password: backlot_service::config::Secret::new("correct horse battery"),
        hosts: Vec::new(),
    })
    .await;
    assert_eq!(locked.get("/").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(locked.get("/events").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_group_that_falls_behind_is_shown_within_a_second() {
    let site = Site::new(Config::default()).await;
    site.publish([1]).await;
    site.bill([]).await;
    let request = Request::get("/events").header("host", "localhost");
    let sampling = {
        let sampler = site.sampler.clone();
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(async move { sampler.run().await });
        tasks
    };
    let response = site
        .router
        .clone()
        .oneshot(request.body(Body::empty()).unwrap())
        .await;
    let mut body = response.unwrap().into_body();
    let mut seen = String::new();
    let mut until = async |what: &str| {
        let reading = async {
            while !seen.contains(what) {
                let frame = body.frame().await.unwrap().unwrap();
                seen.push_str(std::str::from_utf8(frame.data_ref().unwrap()).unwrap());
            }
        };
        tokio::time::timeout(Duration::from_secs(30), reading)
            .await
            .expect(what);
    };
    until("event: groups").await;
    site.publish(10..17).await;
    let began = Instant::now();
    until("<td class=\"number\">7</td>").await;
    let took = Instant::now() - began;
    println!("a lag of 7 was shown after {took:?}");
    let _here = site.registry.register(Instance {
        id: "rating-5f3c".into(),
        service: "rating".into(),
        address: "127.0.0.1:1".into(),
        version: "1.2.3".into(),
        metadata: [("admin".to_owned(), "127.0.0.1:1".to_owned())].into(),
    });
    until("<span class=\"mark bad\">silent</span>").await;
    drop(sampling);
    site.tasks.shutdown(Duration::ZERO).await;
}

#[tokio::test]
async fn a_group_is_stopped_and_goes_on() {
    let site = Site::new(Config::default()).await;
    site.publish([1]).await;
    site.bill([]).await;
    let page = site.get("/groups/orders/billing").await.text;
    assert!(
        page.contains("Stop reading") && page.contains("0 behind"),
        "{page}"
    );
    let stopped = site.post("/groups/orders/billing/pause", "").await;
    assert_eq!(stopped.location, "/groups/orders/billing");
    assert!(
        site.get("/groups/orders/billing")
            .await
            .text
            .contains("Go on reading")
    );
    assert!(
        site.get("/")
            .await
            .text
            .contains("<span class=\"mark fair\">paused</span>")
    );
    site.post("/groups/orders/billing/resume", "").await;
    assert!(
        site.get("/groups/orders/billing")
            .await
            .text
            .contains("Stop reading")
    );
    assert_eq!(
        site.get("/groups/orders/nobody").await.status,
        StatusCode::NOT_FOUND
    );
    assert!(site.get("/audit").await.text.contains("orders billing"));
}
