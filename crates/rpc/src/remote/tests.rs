//! Calls to callees that fail as they are told to, over loopback.

use super::*;
use crate::contract::Effect;
use backlot_core::Code;
use backlot_core::discovery::Instance;
use h2::server::SendResponse;
use http::Response;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::time::Duration;

static SERVICE: Service = Service {
    name: "t.T",
    target: "t",
    methods: &[
        method(0, "Read", Effect::Read),
        method(1, "Write", Effect::Once),
    ],
    descriptors: &[],
    openapi: "",
};

const fn method(index: usize, name: &'static str, effect: Effect) -> Method {
    Method {
        index,
        service: "t.T",
        name,
        path: "/t.T/M",
        effect,
        shape: Shape::Unary,
        input: "t.I",
        output: "t.O",
        routes: &[],
    }
}

/// What a callee does with a request.
#[derive(Clone, Copy, Debug)]
enum Does {
    Answers,
    Fails(Code),
    /// Has not begun it.
    Refuses,
    /// Breaks off in the middle.
    Breaks,
    /// Takes its time.
    Dawdles,
}

/// A callee, and how many attempts each request said it had before.
#[derive(Clone, Default)]
struct Callee {
    does: Arc<Mutex<VecDeque<Does>>>,
    seen: Arc<Mutex<Vec<u32>>>,
    /// Those that are answered some time.
    dawdling: Arc<Mutex<Vec<SendResponse<Bytes>>>>,
}

impl Callee {
    fn doing(does: impl IntoIterator<Item = Does>) -> Self {
        Callee {
            does: Arc::new(Mutex::new(does.into_iter().collect())),
            ..Callee::default()
        }
    }

    fn seen(&self) -> Vec<u32> {
        self.seen.lock().clone()
    }

    /// Serves on loopback; where.
    async fn serve(&self, env: &Env, tasks: &Tasks) -> String {
        let mut listener = env.net.bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (callee, spawner) = (self.clone(), tasks.clone());
        tasks.spawn_endless("callee", async move {
            while let Ok((stream, _)) = listener.accept().await {
                let callee = callee.clone();
                spawner.spawn_endless("connection", async move {
                    let Ok(mut connection) = h2::server::handshake(stream).await else {
                        return;
                    };
                    while let Some(Ok((request, respond))) = connection.accept().await {
                        callee.answer(&request, respond);
                    }
                });
            }
        });
        address
    }

    fn answer(&self, request: &http::Request<h2::RecvStream>, mut respond: SendResponse<Bytes>) {
        let failed = request.headers().get(&wire::PREVIOUS_ATTEMPTS);
        let failed = failed.map_or(0, |value| value.to_str().unwrap().parse().unwrap());
        self.seen.lock().push(failed);
        // What is last goes on.
        let does = {
            let mut does = self.does.lock();
            match does.len() {
                0 => Does::Answers,
                1 => does[0],
                _ => does.pop_front().unwrap(),
            }
        };
        match does {
            Does::Answers => {
                let head = Response::builder().status(200).body(()).unwrap();
                let mut body = respond.send_response(head, false).unwrap();
                body.send_data(frame::wrap(b"answer").unwrap(), false)
                    .unwrap();
                let trailers = [("grpc-status".parse().unwrap(), "0".parse().unwrap())];
                body.send_trailers(trailers.into_iter().collect()).unwrap();
            }
            Does::Fails(code) => {
                let head = Response::builder().header("grpc-status", i32::from(code.number()));
                respond.send_response(head.body(()).unwrap(), true).unwrap();
            }
            Does::Dawdles => self.dawdling.lock().push(respond),
            Does::Refuses => respond.send_reset(h2::Reason::REFUSED_STREAM),
            Does::Breaks => respond.send_reset(h2::Reason::INTERNAL_ERROR),
        }
    }
}

struct World {
    remote: Remote,
    metrics: Metrics,
    _instances: watch::Sender<InstanceSet>,
}

async fn world(callees: &[&Callee]) -> World {
    let env = Env {
        dice: backlot_core::Dice::seeded(7),
        ..Env::real()
    };
    let (tasks, metrics) = (Tasks::new(&env), Metrics::new());
    let mut instances = Vec::new();
    for (number, callee) in callees.iter().enumerate() {
        instances.push(Instance {
            id: format!("t-{number}"),
            service: "t".into(),
            address: callee.serve(&env, &tasks).await,
            version: String::new(),
            metadata: Default::default(),
        });
    }
    let instances = watch::Sender::new(InstanceSet::new(instances));
    let remote = Remote::new(&SERVICE, "t", instances.subscribe(), &metrics, &env, &tasks);
    // All are connected to before the first call.
    let ready = async {
        drop(
            remote
                .0
                .endpoints
                .ready(Context::background().deadline(), None)
                .await,
        );
        while !remote.0.endpoints.all_ready() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), ready)
        .await
        .unwrap();
    World {
        remote,
        metrics,
        _instances: instances,
    }
}

impl World {
    async fn call(&self, method: usize) -> Result<Bytes, Error> {
        let method = &SERVICE.methods[method];
        let cx = Context::background();
        let frame = frame::wrap(b"request").unwrap();
        let attempts = Attempts::new(method, &cx, frame.len());
        let sent = self.remote.send(method, &cx, frame, attempts);
        cx.deadline().run(sent).await
    }

    fn count(&self, method: &str, outcome: &str) -> u64 {
        self.metrics
            .counter(&REPEATED, ["t.T", method, outcome])
            .get()
    }
}

#[tokio::test]
async fn a_read_that_fails_is_made_again_at_another_instance() {
    for fails in [
        Does::Fails(Code::Unavailable),
        Does::Fails(Code::Internal),
        Does::Breaks,
    ] {
        let (sick, well) = (Callee::doing([fails]), Callee::default());
        let world = world(&[&sick, &well]).await;
        let calls = futures_util::future::join_all((0..10).map(|_| world.call(0)));
        for outcome in calls.await {
            assert_eq!(outcome.unwrap(), "answer");
        }
        // Some of them came to the sick one first, and none twice.
        assert!(!sick.seen().is_empty());
        assert!(sick.seen().iter().all(|failed| *failed == 0), "{fails:?}");
        assert_eq!(well.seen().len(), 10);
        assert_eq!(world.count("Read", "made"), sick.seen().len() as u64);
    }
}

#[tokio::test]
async fn a_write_that_may_have_happened_is_not_made_again_and_one_that_nobody_saw_is() {
    let callee = Callee::doing([
        Does::Breaks,
        Does::Fails(Code::Unavailable),
        Does::Refuses,
        Does::Answers,
    ]);
    let world = world(&[&callee]).await;
    for _ in 0..2 {
        assert_eq!(world.call(1).await.unwrap_err().code(), Code::Unavailable);
    }
    assert_eq!(world.call(1).await.unwrap(), "answer");
    assert_eq!(callee.seen(), [0, 0, 0, 0]);
    assert_eq!(
        (
            world.count("Write", "made"),
            world.count("Write", "refused")
        ),
        (0, 1)
    );
}

#[tokio::test]
async fn what_an_instance_says_for_good_is_not_asked_again() {
    for code in [
        Code::NotFound,
        Code::InvalidArgument,
        Code::PermissionDenied,
        Code::DeadlineExceeded,
    ] {
        let callee = Callee::doing([Does::Fails(code)]);
        let world = world(&[&callee]).await;
        assert_eq!(world.call(0).await.unwrap_err().code(), code);
        assert_eq!(callee.seen(), [0]);
    }
}

#[tokio::test]
async fn a_callee_that_fails_every_call_gets_a_tenth_more_and_a_few() {
    let callee = Callee::doing([Does::Fails(Code::Internal)]);
    let world = world(&[&callee]).await;
    let calls = 300;
    for _ in 0..calls {
        world.call(0).await.unwrap_err();
    }
    let attempts = callee.seen().len();
    // One a second beside, of the ten seconds that count.
    assert!(attempts <= calls + calls / 10 + 10, "{attempts}");
    assert!(attempts > calls + 10, "{attempts}");
    assert!(callee.seen().contains(&2), "three attempts");
    assert!(world.count("Read", "over budget") > 200);
}

#[tokio::test]
async fn one_that_fails_fast_is_no_black_hole() {
    let sick = Callee::doing([Does::Fails(Code::Unavailable)]);
    let (well, fine) = (Callee::default(), Callee::default());
    let world = world(&[&sick, &well, &fine]).await;
    let mut failed = 0;
    for _ in 0..200 {
        failed += usize::from(world.call(1).await.is_err());
    }
    assert_eq!(failed, sick.seen().len());
    assert!(failed <= 2, "{failed} of 200");
}

#[tokio::test]
async fn one_that_does_not_answer_gets_no_more_than_the_others_have_waiting() {
    let slow = Callee::doing([Does::Dawdles]);
    let (well, fine) = (Callee::default(), Callee::default());
    let world = world(&[&slow, &well, &fine]).await;
    let mut waiting = Vec::new();
    for _ in 0..200 {
        let mut call = Box::pin(world.call(0));
        let answered = tokio::time::timeout(Duration::from_millis(50), &mut call);
        match answered.await {
            Ok(outcome) => drop(outcome.unwrap()),
            Err(_elapsed) => waiting.push(call),
        }
    }
    assert_eq!(waiting.len(), slow.seen().len());
    assert!(waiting.len() <= 3, "{} of 200", waiting.len());
}

#[tokio::test]
async fn the_one_that_failed_is_passed_over_while_there_is_another() {
    let (one, other) = (Callee::default(), Callee::default());
    let world = world(&[&one, &other]).await;
    let endpoints = &world.remote.0.endpoints;
    let deadline = Context::background().deadline();
    let first = endpoints.ready(deadline, None).await.unwrap();
    let failed = first.address().to_owned();
    // However busy the other becomes.
    let mut waiting = Vec::new();
    for _ in 0..100 {
        let ready = endpoints.ready(deadline, Some(&failed)).await.unwrap();
        assert_ne!(ready.address(), failed);
        waiting.push(ready);
    }
}

#[tokio::test]
async fn the_one_that_failed_is_asked_again_where_it_is_the_only_one() {
    let callee = Callee::doing([Does::Fails(Code::Unavailable), Does::Answers]);
    let world = world(&[&callee]).await;
    assert_eq!(world.call(0).await.unwrap(), "answer");
    assert_eq!(callee.seen(), [0, 1]);
}
