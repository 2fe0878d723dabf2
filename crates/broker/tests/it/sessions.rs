//! Sessions: numbered answers, silence, ends, and the broker being away.

use crate::stage::{Caller, Process, SECRET, TOPIC, cx, done, ids, message, take};
use backlot_broker::Options;
use backlot_broker::contract::broker::v1 as proto;
use backlot_core::{Clock, Code};
use backlot_messaging::engine::{Input, Subscription};
use backlot_messaging::{Engine, Error};
use backlot_testkit::proxy::Proxy;
use proto::next_response::Told;
use std::time::Duration;

const LEASE: Duration = Duration::from_secs(30);
const PATIENCE: Duration = Duration::from_secs(20);

async fn process(folder: &tempfile::TempDir, options: Options) -> Process {
    at(folder, "127.0.0.1:0", options).await
}

async fn at(folder: &tempfile::TempDir, address: &str, options: Options) -> Process {
    let file = folder.path().join("broker.db");
    Process::start(&file, address, Clock::real(), options).await
}

async fn join(caller: &Caller, lease: Duration) -> String {
    let request = proto::JoinRequest {
        topic: TOPIC.into(),
        group: "g".into(),
        lease_ms: Some(u64::try_from(lease.as_millis()).unwrap()),
        secret: SECRET.into(),
        ..proto::JoinRequest::default()
    };
    caller.client.join(&cx(), request).await.unwrap().session
}

fn asking(session: &str, sequence: u64) -> proto::NextRequest {
    proto::NextRequest {
        session: session.to_owned(),
        sequence,
        max: 2,
        wait_ms: 5_000,
        secret: SECRET.into(),
    }
}

#[tokio::test]
async fn a_lost_answer_is_given_again_until_the_next_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let process = process(&folder, Options::default()).await;
    let caller = Caller::of(&process.address);
    caller.topic(1).await;
    caller.publish(0..4).await;
    let session = join(&caller, LEASE).await;
    let next = async |sequence| caller.client.next(&cx(), asking(&session, sequence)).await;
    let assigned = next(1).await.unwrap();
    assert!(
        matches!(assigned.told, Some(Told::Assigned(_))),
        "{assigned:?}"
    );
    let first = next(2).await.unwrap();
    assert!(matches!(&first.told, Some(Told::Deliveries(some)) if some.deliveries.len() == 2));
    for _ in 0..2 {
        assert_eq!(next(2).await.unwrap(), first);
    }
    let second = next(3).await.unwrap();
    assert_ne!(second, first);
    for wrong in [0, 1, 2, 5] {
        let error = next(wrong).await.unwrap_err();
        assert_eq!(error.code(), Code::FailedPrecondition, "{error}");
        assert_eq!(error.reason().unwrap().get("expected"), Some("4"));
    }
    process.stop().await;
}

#[test]
fn a_reader_may_outlive_the_runtime() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (reader, _process) = runtime.block_on(async {
        let process = process(&folder, Options::default()).await;
        let caller = Caller::of(&process.address);
        caller.topic(1).await;
        (caller.reader(LEASE).await, process)
    });
    drop(runtime);
    // It cannot say that it leaves, and need not.
    drop(reader);
}

#[tokio::test]
async fn a_way_that_is_cut_for_a_moment_ends_no_membership() {
    let folder = tempfile::tempdir().unwrap();
    let process = process(&folder, Options::default()).await;
    let port = process.address.rsplit(':').next().unwrap();
    let proxy = Proxy::start(port.parse().unwrap()).await;
    let caller = Caller::of(&format!("127.0.0.1:{}", proxy.port()));
    caller.topic(1).await;
    caller.publish(0..2).await;
    let mut reader = caller.reader(LEASE).await;
    let taken = take(&mut *reader, 2).await;
    let direct = Caller::of(&process.address);
    let (more, ()) = tokio::join!(take(&mut *reader, 1), async {
        for _ in 0..3 {
            proxy.cut();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        direct.publish(2..3).await;
    });
    assert_eq!(ids(&more), ["2"]);
    let all = [taken, more].concat();
    assert!(reader.settle(done(&all)).await.unwrap().is_empty());
    process.stop().await;
}

#[tokio::test]
async fn messages_of_a_caller_that_died_come_to_another() {
    let folder = tempfile::tempdir().unwrap();
    let process = process(&folder, Options::default()).await;
    let (one, other) = (Caller::of(&process.address), Caller::of(&process.address));
    one.topic(1).await;
    one.publish(0..3).await;
    let mut reader = one.reader(Duration::from_millis(300)).await;
    let taken = take(&mut *reader, 3).await;
    assert!(reader.settle(done(&taken[..1])).await.unwrap().is_empty());
    // Dead, it cannot even leave.
    one.kill().await;
    let mut heir = other.reader(LEASE).await;
    // One at a time: either may be what killed it.
    for id in ["1", "2"] {
        let again = take(&mut *heir, 1).await;
        assert_eq!(ids(&again), [id]);
        assert!(heir.settle(done(&again)).await.unwrap().is_empty());
    }
    drop(reader);
    process.stop().await;
}

#[tokio::test]
async fn what_a_caller_had_that_is_said_to_have_died_is_suspect() {
    let folder = tempfile::tempdir().unwrap();
    let process = process(&folder, Options::default()).await;
    let (one, other) = (Caller::of(&process.address), Caller::of(&process.address));
    one.topic(1).await;
    one.publish(0..4).await;
    let mut reader = one.reader(LEASE).await;
    take(&mut *reader, 4).await;
    // Its session hears that nobody is there any more.
    drop(reader);
    let mut heir = other.reader(LEASE).await;
    for expected in [["0", "1"], ["2", "3"]] {
        let trial = loop {
            if let Input::Deliveries(trial) = heir.next(4).await.unwrap() {
                break trial;
            }
        };
        assert_eq!(ids(&trial), expected);
        assert!(heir.settle(done(&trial)).await.unwrap().is_empty());
    }
    process.stop().await;
}

#[tokio::test]
async fn a_session_that_is_silent_ends_and_makes_room() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        sessions: 1,
        grace: Duration::from_millis(100),
    };
    let process = process(&folder, options).await;
    let caller = Caller::of(&process.address);
    caller.topic(1).await;
    let session = join(&caller, Duration::from_millis(100)).await;
    let subscription = Subscription::new(TOPIC, "g");
    let refused = caller
        .remote
        .attach(&cx(), &subscription)
        .await
        .unwrap_err();
    assert!(
        matches!(&refused, Error::Refused { code: Code::ResourceExhausted, why } if why.contains("1 sessions")),
        "{refused:?}"
    );
    let ended = async {
        while process.server.sessions() > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, ended).await.unwrap();
    let gone = caller
        .client
        .next(&cx(), asking(&session, 1))
        .await
        .unwrap_err();
    assert_eq!(gone.code(), Code::NotFound);
    assert_eq!(gone.reason().unwrap().name, "UNKNOWN_SESSION");
    caller.remote.attach(&cx(), &subscription).await.unwrap();
    process.stop().await;
}

#[tokio::test]
async fn while_the_broker_is_away_calls_say_so_and_afterwards_members_join_anew() {
    let folder = tempfile::tempdir().unwrap();
    let first = process(&folder, Options::default()).await;
    let address = first.address.clone();
    let caller = Caller::of(&address);
    caller.topic(1).await;
    caller.publish(0..2).await;
    let mut reader = caller.reader(LEASE).await;
    let taken = take(&mut *reader, 1).await;
    first.stop().await;
    drop(first);
    // The last connection may break under a call; then nobody is there.
    let away = async {
        loop {
            let refused = caller
                .remote
                .append(&cx(), vec![message(9).deduplicated()])
                .await;
            match refused.expect_err("nobody is there") {
                Error::Away { .. } => break,
                Error::Unknown { .. } | Error::Closed => {}
                other => panic!("{other:?}"),
            }
        }
    };
    tokio::time::timeout(PATIENCE, away).await.unwrap();
    assert!(reader.next(1).await.is_err());
    let second = at(&folder, &address, Options::default()).await;
    let closed = async {
        loop {
            match reader.next(1).await {
                Err(Error::Closed) => break,
                Err(Error::Away { .. }) => {}
                other => panic!("{other:?}"),
            }
        }
    };
    tokio::time::timeout(PATIENCE, closed).await.unwrap();
    let settled = reader.settle(done(&taken)).await;
    assert!(matches!(settled, Err(Error::Closed)), "{settled:?}");
    let mut reader = caller.reader(LEASE).await;
    assert_eq!(ids(&take(&mut *reader, 2).await), ["0", "1"]);
    second.stop().await;
}

#[tokio::test]
async fn settling_does_not_wait_for_a_call_that_waits() {
    let folder = tempfile::tempdir().unwrap();
    let process = process(&folder, Options::default()).await;
    let caller = Caller::of(&process.address);
    caller.topic(1).await;
    caller.publish(0..1).await;
    let mut reader = caller.reader(LEASE).await;
    let taken = take(&mut *reader, 1).await;
    // Nothing more comes: this waits at the broker, and is given up here.
    let waiting = tokio::time::timeout(Duration::from_millis(50), reader.next(1)).await;
    assert!(waiting.is_err());
    let settling = reader.settle(done(&taken));
    let stale = tokio::time::timeout(Duration::from_secs(2), settling).await;
    assert!(stale.unwrap().unwrap().is_empty());
    caller.publish(1..2).await;
    assert_eq!(ids(&take(&mut *reader, 1).await), ["1"]);
    reader.close().await.unwrap();
    assert_eq!(process.server.sessions(), 0);
    process.stop().await;
}
