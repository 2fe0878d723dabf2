//! How the endpoints follow the registry, and what leaving costs.

use super::*;

fn leave(world: &World, stays: impl Fn(usize) -> bool) {
    let instances = world.instances.borrow().instances.to_vec();
    let rest = instances.into_iter().enumerate();
    let rest = rest.filter(|(number, _)| stays(*number));
    let rest = rest.map(|(_, instance)| instance).collect();
    world.instances.send_replace(InstanceSet::new(rest));
}

#[tokio::test]
async fn one_that_leaves_is_dropped_without_a_call() {
    let callees = [(); 4].map(|()| Callee::default());
    let world = world(&callees.iter().collect::<Vec<_>>()).await;
    leave(&world, |number| number > 0);
    world
        .until("three are left", |world| world.endpoints("ready") == 3)
        .await;
    assert_eq!(world.calls(0, 40).await, 0);
    assert_eq!(callees[0].seen().len(), 0);
}

#[tokio::test]
async fn a_registry_that_forgets_most_changes_nothing_for_those_that_answer() {
    let callees = [(); 4].map(|()| Callee::default());
    let world = world(&callees.iter().collect::<Vec<_>>()).await;
    leave(&world, |_| false);
    // What follows is seen together with it, or after it.
    let instances = world.instances.clone();
    world
        .until("it was seen", |_| instances.receiver_count() > 0)
        .await;
    assert_eq!(world.calls(0, 200).await, 0);
    assert!(callees.iter().all(|callee| !callee.seen().is_empty()));
    // One of them is gone indeed.
    callees[2].goes();
    world
        .until("it is dropped", |world| {
            world.remote.0.way.endpoints.addresses().len() == 3
        })
        .await;
    assert_eq!(world.calls(0, 200).await, 0);
}

#[tokio::test]
async fn who_is_forgotten_for_long_is_dropped() {
    let callees = [(); 3].map(|()| Callee::default());
    let world = world(&callees.iter().collect::<Vec<_>>()).await;
    world.set(|policy| policy.balance.hold = Duration::from_millis(100));
    leave(&world, |number| number == 0);
    world
        .until("one is left", |world| world.endpoints("ready") == 1)
        .await;
    assert_eq!(world.calls(0, 20).await, 0);
    assert_eq!(callees[0].seen().len(), 20);
    // Without patience at once.
    world.set(|policy| policy.balance.hold = Duration::ZERO);
    leave(&world, |_| false);
    world
        .until("none is left", |world| world.endpoints("ready") == 0)
        .await;
}

#[tokio::test]
async fn who_comes_back_in_time_stays() {
    let callees = [(); 3].map(|()| Callee::default());
    let world = world(&callees.iter().collect::<Vec<_>>()).await;
    let all = world.instances.borrow().clone();
    let addresses = world.remote.0.way.endpoints.addresses();
    for _ in 0..20 {
        leave(&world, |_| false);
        assert_eq!(world.calls(0, 10).await, 0);
        world.instances.send_replace(all.clone());
        assert_eq!(world.calls(0, 10).await, 0);
    }
    assert_eq!(world.remote.0.way.endpoints.addresses(), addresses);
    assert_eq!(world.endpoints("ready"), 3);
}

#[tokio::test]
async fn a_write_that_a_leaving_instance_did_not_begin_is_made_elsewhere() {
    // It says so with its last stream (GOAWAY), which is before this one.
    let (leaving, well) = (Callee::default(), Callee::default());
    *leaving.at.lock() = Some(leaves_at_the_first_call().await);
    let world = world(&[&leaving, &well]).await;
    assert_eq!(world.calls(1, 100).await, 0);
    assert_eq!(well.seen().len(), 100);
    assert_eq!(world.count("Write", "made"), 0);
    assert_eq!(world.count("Write", "refused"), 1);
}

/// A peer that goes away when the first call comes, before it has begun it, and keeps the connection
/// open: where.
async fn leaves_at_the_first_call() -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let env = Env::real();
    let mut listener = env.net.bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    const GOAWAY: [u8; 17] = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    const HEADERS: u8 = 1;
    const PING: u8 = 6;
    Tasks::new(&env).spawn_endless("leaving", async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        // No further connection is taken.
        drop(listener);
        stream.write_all(&SETTINGS).await.unwrap();
        let mut preface = [0; 24];
        stream.read_exact(&mut preface).await.unwrap();
        loop {
            let mut head = [0; 9];
            stream.read_exact(&mut head).await.unwrap();
            let length = usize::from(head[1]) << 8 | usize::from(head[2]);
            let mut payload = vec![0; length];
            stream.read_exact(&mut payload).await.unwrap();
            match head[3] {
                HEADERS => break,
                PING => {
                    // As an answer.
                    head[4] = 1;
                    stream
                        .write_all(&[&head, &*payload].concat())
                        .await
                        .unwrap();
                }
                _ => {}
            }
        }
        stream.write_all(&GOAWAY).await.unwrap();
        std::future::pending::<()>().await;
    });
    address
}

#[tokio::test]
async fn a_connection_that_is_to_end_answers_what_it_was_asked_and_another_takes_over() {
    let callee = Callee::doing([Does::Dawdles, Does::Answers]);
    let world = world(&[&callee]).await;
    let mut waiting = Box::pin(world.call(1));
    for _ in 1..=2 {
        let began = Instant::now();
        // Of those that are made anew at once each has to have lived for a second.
        while Instant::now() - began < Duration::from_millis(1200) {
            tokio::select! {
                biased;
                _answered = &mut waiting => panic!("nobody answered it"),
                failed = world.calls(1, 10) => assert_eq!(failed, 0),
            }
        }
        callee.retires.send_modify(|times| *times += 1);
    }
    tokio::select! {
        biased;
        _answered = &mut waiting => panic!("nobody answered it"),
        failed = world.calls(1, 200) => assert_eq!(failed, 0),
    }
    assert_eq!(*callee.connections.lock(), 3);
    callee.dawdling.lock().drain(..).for_each(well);
    assert_eq!(waiting.await.unwrap(), "answer");
}
