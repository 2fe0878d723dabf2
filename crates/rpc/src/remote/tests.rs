//! Calls to callees that fail as they are told to, over loopback.

use super::*;
use crate::contract::Effect;
use crate::policy::{Knobs, Policy};
use backlot_core::discovery::Instance;
use backlot_core::{Code, Env};
use backlot_service::tasks::Tasks;
use backlot_service::telemetry::Metrics;
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
        method(2, "Put", Effect::Idempotent),
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

mod balancing;
mod ejecting;
mod following;
mod wires;

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
    /// Takes this long.
    Takes(Duration),
    /// Ends the connection.
    Closes,
}

/// A callee, and how many attempts each request said it had before.
#[derive(Clone, Default)]
struct Callee {
    does: Arc<Mutex<VecDeque<Does>>>,
    seen: Arc<Mutex<Vec<u32>>>,
    /// Those that are answered some time.
    dawdling: Arc<Mutex<Vec<SendResponse<Bytes>>>>,
    /// Where its calls go instead.
    at: Arc<Mutex<Option<String>>>,
    /// How often it wanted its connections to end.
    retires: watch::Sender<u32>,
    /// How many calls it answers at a time over one connection, where that is bounded.
    streams: Option<u32>,
    /// How many connections it took.
    connections: Arc<Mutex<u32>>,
    /// Whether it is gone: it takes no connections then, and ends those it has.
    gone: watch::Sender<bool>,
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
        let (callee, inner) = (self.clone(), tasks.clone());
        let tasks = tasks.clone();
        tasks.clone().spawn_endless("callee", async move {
            loop {
                let accepted = tokio::select! {
                    biased;
                    () = callee.has_gone() => return,
                    accepted = listener.accept() => accepted,
                };
                let Ok((stream, _)) = accepted else { return };
                let (callee, spawner) = (callee.clone(), inner.clone());
                tasks.spawn_endless("connection", async move {
                    let mut builder = h2::server::Builder::new();
                    if let Some(streams) = callee.streams {
                        builder.max_concurrent_streams(streams);
                    }
                    let Ok(mut connection) = builder.handshake(stream).await else {
                        return;
                    };
                    *callee.connections.lock() += 1;
                    let mut retires = callee.retires.subscribe();
                    loop {
                        let accepted = tokio::select! {
                            biased;
                            () = callee.has_gone() => return,
                            Ok(()) = retires.changed() => {
                                connection.graceful_shutdown();
                                continue;
                            }
                            accepted = connection.accept() => accepted,
                        };
                        let Some(Ok((request, respond))) = accepted else {
                            return;
                        };
                        if callee.answer(&request, respond, &spawner) {
                            return;
                        }
                    }
                });
            }
        });
        address
    }

    /// Does as it is told; whether the connection is over with it.
    fn answer(
        &self,
        request: &http::Request<h2::RecvStream>,
        mut respond: SendResponse<Bytes>,
        tasks: &Tasks,
    ) -> bool {
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
            Does::Answers => well(respond),
            Does::Takes(time) => {
                tasks.spawn_endless("answer", async move {
                    tokio::time::sleep(time).await;
                    well(respond);
                });
            }
            Does::Closes => return true,
            Does::Fails(code) => {
                let head = Response::builder().header("grpc-status", i32::from(code.number()));
                respond.send_response(head.body(()).unwrap(), true).unwrap();
            }
            Does::Dawdles => self.dawdling.lock().push(respond),
            Does::Refuses => respond.send_reset(h2::Reason::REFUSED_STREAM),
            Does::Breaks => respond.send_reset(h2::Reason::INTERNAL_ERROR),
        }
        false
    }

    async fn has_gone(&self) {
        let mut gone = self.gone.subscribe();
        drop(gone.wait_for(|gone| *gone).await);
    }

    /// It is gone from now on.
    fn goes(&self) {
        self.gone.send_replace(true);
    }

    /// From now on it does this.
    fn does(&self, does: Does) {
        self.do_all([does]);
    }

    /// From now on it does these, and goes on with the last.
    fn do_all(&self, does: impl IntoIterator<Item = Does>) {
        *self.does.lock() = does.into_iter().collect();
    }
}

/// Answers, if anybody still listens.
fn well(mut respond: SendResponse<Bytes>) {
    let head = Response::builder().status(200).body(()).unwrap();
    let Ok(mut body) = respond.send_response(head, false) else {
        return;
    };
    let trailers = [("grpc-status".parse().unwrap(), "0".parse().unwrap())];
    let sent = body.send_data(frame::wrap(b"answer").unwrap(), false);
    drop(sent.and_then(|()| body.send_trailers(trailers.into_iter().collect())));
}

struct World {
    remote: Remote,
    tasks: Tasks,
    metrics: Metrics,
    knobs: Knobs,
    instances: watch::Sender<InstanceSet>,
}

async fn world(callees: &[&Callee]) -> World {
    world_of(callees, Knobs::default(), |_number| None).await
}

/// With callees in zones, seen from zone `here`.
async fn world_of(
    callees: &[&Callee],
    knobs: Knobs,
    zone: impl Fn(usize) -> Option<&'static str>,
) -> World {
    let env = Env {
        dice: backlot_core::Dice::seeded(7),
        ..Env::real()
    };
    let (tasks, metrics) = (Tasks::new(&env), Metrics::new());
    let mut instances = Vec::new();
    for (number, callee) in callees.iter().enumerate() {
        let own = callee.serve(&env, &tasks).await;
        let elsewhere = callee.at.lock().clone();
        instances.push(Instance {
            id: format!("t-{number}"),
            service: "t".into(),
            address: elsewhere.unwrap_or(own),
            version: String::new(),
            metadata: zone(number)
                .map(|zone| (ZONE.to_owned(), zone.to_owned()))
                .into_iter()
                .collect(),
        });
    }
    let instances = watch::Sender::new(InstanceSet::new(instances));
    let caller = Caller::new(&metrics, &env, &tasks)
        .with_knobs(&knobs)
        .in_zone("here");
    let remote = Remote::new(&SERVICE, "t", instances.subscribe(), &caller);
    // All are connected to before the first call.
    let ready = async {
        let deadline = Context::background().deadline();
        drop(remote.0.way.endpoints.ready(deadline, Want::ANY).await);
        while !remote.0.way.endpoints.all_ready() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), ready)
        .await
        .unwrap();
    World {
        remote,
        tasks,
        metrics,
        knobs,
        instances,
    }
}

impl World {
    /// A call to the method of this number.
    async fn call(&self, method: usize) -> Result<Bytes, Error> {
        self.call_as(method, &Context::background()).await
    }

    async fn call_as(&self, method: usize, cx: &Context) -> Result<Bytes, Error> {
        let method = &SERVICE.methods[method];
        let request = Bytes::from_static(b"request");
        match self.remote.encoded(method, cx, request).await? {
            Reply::One(answer) => Ok(answer),
            Reply::Stream(_) => Err(Error::internal("it streams")),
        }
    }

    /// So many calls, each when the one before is answered; how many failed.
    async fn calls(&self, method: usize, count: usize) -> usize {
        let mut failed = 0;
        for _ in 0..count {
            failed += usize::from(self.call(method).await.is_err());
        }
        failed
    }

    /// Changes the policy.
    fn set(&self, change: impl FnOnce(&mut Policy)) {
        let mut policy = Policy::clone(&self.knobs.now());
        change(&mut policy);
        self.knobs.set(policy);
    }

    /// Waits until something is so.
    async fn until(&self, what: &str, holds: impl Fn(&World) -> bool) {
        let waiting = async {
            while !holds(self) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(10), waiting);
        assert!(waited.await.is_ok(), "{what}");
    }

    fn endpoints(&self, state: &str) -> i64 {
        self.metrics.gauge(&ENDPOINTS, ["t", state]).get()
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
async fn a_write_whose_second_call_changes_nothing_more_is_made_again_and_its_doubt_is_kept() {
    let callee = Callee::doing([Does::Breaks, Does::Answers]);
    let world = world(&[&callee]).await;
    assert_eq!(world.call(2).await.unwrap(), "answer");
    assert_eq!(callee.seen(), [0, 1]);
    // A refusal says nothing of what was asked before.
    let refusal = Does::Fails(Code::FailedPrecondition);
    for (does, is_doubted) in [
        (vec![refusal], false),
        (vec![Does::Refuses, refusal], false),
        (vec![Does::Breaks, refusal], true),
        (vec![Does::Fails(Code::Unavailable), refusal], true),
    ] {
        callee.do_all(does.iter().copied());
        let error = world.call(2).await.unwrap_err();
        assert_eq!(error.code(), Code::FailedPrecondition);
        assert!(crate::was_made(&error));
        assert_eq!(crate::is_in_doubt(&error), is_doubted, "{does:?}");
    }
    // Of a read nothing is in doubt.
    callee.do_all([Does::Breaks, refusal]);
    assert!(!crate::is_in_doubt(&world.call(0).await.unwrap_err()));
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
    world.set(|policy| policy.throttle.on = false);
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
    let endpoints = &world.remote.0.way.endpoints;
    let deadline = Context::background().deadline();
    let first = endpoints.ready(deadline, Want::ANY).await.unwrap();
    let failed = first.address().to_owned();
    let failed = [failed];
    let other = Want {
        avoid: &failed,
        ..Want::ANY
    };
    // However busy the other becomes.
    let mut waiting = Vec::new();
    for _ in 0..100 {
        let ready = endpoints.ready(deadline, other).await.unwrap();
        assert_ne!(ready.address(), failed[0]);
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

#[tokio::test]
async fn each_attempt_goes_to_another_instance() {
    let callees = [(); 3].map(|()| Callee::doing([Does::Fails(Code::Unavailable)]));
    let world = world(&callees.iter().collect::<Vec<_>>()).await;
    for round in 1..=4 {
        world.call(0).await.unwrap_err();
        let seen = callees.each_ref().map(|callee| callee.seen().len());
        assert_eq!(seen, [round; 3]);
    }
}

#[tokio::test]
async fn what_is_kept_to_be_sent_again_is_bounded_and_writes_keep_nothing() {
    let stuck = Callee::doing([Does::Dawdles]);
    let world = world(&[&stuck]).await;
    let request = b"request".len() + 5;
    world.set(|policy| policy.retry.replay_in_all = request);
    let kept = |world: &World| {
        world
            .remote
            .0
            .way
            .kept
            .load(std::sync::atomic::Ordering::Relaxed)
    };
    let mut calls = [world.call(1), world.call(1), world.call(0)].map(Box::pin);
    for call in &mut calls {
        let waited = tokio::time::timeout(Duration::from_millis(20), call);
        assert!(waited.await.is_err(), "nobody answered it");
    }
    assert_eq!(kept(&world), request, "of the read alone");
    // There is no room for another: it is made once.
    stuck.does(Does::Fails(Code::Unavailable));
    world.call(0).await.unwrap_err();
    assert_eq!(world.count("Read", "made"), 0);
    drop(calls);
    assert_eq!(kept(&world), 0);
    world.call(0).await.unwrap_err();
    assert_eq!(world.count("Read", "made"), 2);
}

#[tokio::test]
async fn a_full_connection_gets_another_beside_it_and_no_more_than_that() {
    let stuck = Callee {
        streams: Some(2),
        ..Callee::default()
    };
    let world = world(&[&stuck]).await;
    // Its bound is known with its first answer.
    world.call(0).await.unwrap();
    stuck.does(Does::Dawdles);
    let mut calls = futures_util::stream::FuturesUnordered::new();
    for (more, seen, connections) in [(3, 2, 2), (2, 4, 2), (2, 4, 2)] {
        calls.extend((0..more).map(|_| world.call(1)));
        let is_so =
            |_: &World| stuck.seen().len() == 1 + seen && *stuck.connections.lock() == connections;
        tokio::select! {
            _answer = calls.next() => panic!("nobody answers"),
            () = world.until("they are asked", is_so) => {}
        }
    }
    // Who waits has its turn.
    stuck.does(Does::Answers);
    stuck.dawdling.lock().drain(..).for_each(well);
    for _ in 0..7 {
        calls.next().await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn at_the_end_of_the_program_nobody_waits_for_a_connection() {
    let callee = Callee::default();
    let world = world(&[&callee]).await;
    world.call(0).await.unwrap();
    // With the tasks that keep connections, and their callees.
    world.tasks.shutdown(Duration::from_secs(1)).await;
    for method in [0, 1, 2] {
        let error = world.call(method).await.unwrap_err();
        assert_eq!(error.message(), "no instance of t can be reached");
    }
}

#[tokio::test]
async fn a_policy_may_be_for_one_callee_alone() {
    let callee = Callee::doing([Does::Fails(Code::Unavailable)]);
    let world = world(&[&callee]).await;
    let policies = world.knobs.policies();
    for (callee_of, attempts) in [("t", 2), ("another", 3)] {
        let policies = policies
            .with(Some(callee_of), "retry.attempts", "2")
            .unwrap();
        world.knobs.set_all(policies);
        callee.seen.lock().clear();
        world.call(0).await.unwrap_err();
        assert_eq!(callee.seen().len(), attempts, "for {callee_of}");
    }
}
