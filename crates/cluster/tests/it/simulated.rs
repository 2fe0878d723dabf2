//! The embedded registry between simulated hosts, on one thread: partition and crash.

use crate::world::{ids, instance, until, until_set};
use backlot_cluster::embedded::{Client, Server};
use backlot_cluster::{Config, Registry};
use backlot_core::discovery::Resolver;
use backlot_core::net::{Listener, Network, Stream};
use backlot_core::{BoxFuture, Dice, Env};
use backlot_service::Tasks;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, SystemTime};

#[derive(Debug)]
struct Simulated;

struct Bound(turmoil::net::TcpListener);

impl Network for Simulated {
    fn bind<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Box<dyn Listener>>> {
        Box::pin(async move {
            let listener = turmoil::net::TcpListener::bind(address).await?;
            Ok(Box::new(Bound(listener)) as Box<dyn Listener>)
        })
    }

    fn connect<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Stream>> {
        Box::pin(async move {
            Ok(Stream::Other(Box::new(
                turmoil::net::TcpStream::connect(address).await?,
            )))
        })
    }
}

impl Listener for Bound {
    fn accept(&mut self) -> BoxFuture<'_, io::Result<(Stream, SocketAddr)>> {
        Box::pin(async move {
            let (stream, peer) = self.0.accept().await?;
            Ok((Stream::Other(Box::new(stream)), peer))
        })
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

fn process(seed: u64) -> (Env, Tasks) {
    let env = Env {
        dice: Dice::seeded(seed),
        net: Arc::new(Simulated),
        ..Env::real()
    };
    let tasks = Tasks::new(&env);
    (env, tasks)
}

fn client(seed: u64) -> Client {
    let (env, tasks) = process(seed);
    Client::new(
        Config {
            address: "registry:8070".into(),
            ..Config::default()
        },
        &env,
        &tasks,
    )
}

#[test]
fn the_registry_lives_through_partition_and_crash() {
    let mut sim = turmoil::Builder::new()
        .epoch(SystemTime::UNIX_EPOCH)
        .rng_seed(7)
        .max_message_latency(Duration::from_millis(5))
        .tcp_capacity(1024)
        .simulation_duration(Duration::from_secs(300))
        .build();
    sim.host("registry", || async {
        let (env, tasks) = process(1);
        let _server = Server::serve(env.net.bind("0.0.0.0:8070").await?, &env, &tasks)?;
        std::future::pending::<()>().await;
        Ok(())
    });
    for (seed, name) in [(2, "a"), (3, "b")] {
        sim.host(name, move || async move {
            let _registration = client(seed).register(instance("rating", name));
            std::future::pending::<()>().await;
            Ok(())
        });
    }
    // 0: nothing asked; 1: the watcher asks for a restart of the registry; 2: it has happened.
    let restart = Arc::new(AtomicU8::new(0));
    let ask = Arc::clone(&restart);
    sim.client("watcher", async move {
        let mut watch = client(4).watch("rating");
        until(&mut watch, "a b").await;

        // The watcher alone is cut off: it keeps what it knew, marked.
        turmoil::partition("watcher", "registry");
        until_set(&mut watch, "stale", |set| {
            set.stale && set.instances.len() == 2
        })
        .await;
        turmoil::repair("watcher", "registry");
        until_set(&mut watch, "fresh", |set| {
            !set.stale && set.instances.len() == 2
        })
        .await;

        // An instance is cut off: it goes after its time to live, and comes back by itself.
        turmoil::partition("a", "registry");
        let took = until(&mut watch, "b").await;
        assert!(took <= Duration::from_secs(4), "{took:?}");
        turmoil::repair("a", "registry");
        until(&mut watch, "a b").await;

        // The registry crashes and starts empty: nobody disappears meanwhile.
        let mut seen = watch.clone();
        ask.store(1, Ordering::Relaxed);
        let lost = tokio::time::timeout(
            Duration::from_secs(30),
            seen.wait_for(|set| ids(set) != "a b"),
        )
        .await;
        assert!(lost.is_err(), "somebody disappeared");
        assert_eq!(ask.load(Ordering::Relaxed), 2);
        let mut stranger = client(5).watch("rating");
        until(&mut stranger, "a b").await;
        Ok(())
    });
    while !sim.step().unwrap() {
        if restart
            .compare_exchange(1, 2, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
        {
            sim.bounce("registry");
        }
    }
}
