//! Whoever binds the port hosts; when the host dies another takes over.

use crate::net::Memory;
use crate::world::{ADDRESS, Process, instance, until};
use backlot_cluster::hosting::Role;
use backlot_cluster::{Config, Error, Hosting, Registry};
use backlot_core::discovery::Resolver;
use backlot_core::env::Phase;
use backlot_core::net::Listener;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

async fn join(process: &Process) -> Result<Hosting, Error> {
    Hosting::join(Config::default(), &process.env, &process.tasks).await
}

#[tokio::test(start_paused = true)]
async fn the_first_hosts_and_the_others_follow() {
    let net = Memory::default();
    let [first, second] = [1, 2].map(|seed| Process::new(&net, seed));
    let host = join(&first).await.unwrap();
    let follower = join(&second).await.unwrap();
    assert_eq!((host.role(), follower.role()), (Role::Host, Role::Follower));
    let _announced = follower.registry().register(instance("rating", "rating-1"));
    until(&mut host.registry().watch("rating"), "rating-1").await;
}

#[tokio::test(start_paused = true)]
async fn a_dead_host_is_replaced_within_three_seconds_for_everybody() {
    for seed in 0..20 {
        let net = Memory::default();
        let processes: Vec<_> = (0..5)
            .map(|number| Process::new(&net, 100 * seed + number))
            .collect();
        let mut joined = Vec::new();
        for process in &processes {
            joined.push(join(process).await.unwrap());
        }
        // The host announces nothing: what dies with it is the registry alone.
        let _announced: Vec<_> = ["b", "c", "d", "e"]
            .iter()
            .zip(&joined[1..])
            .map(|(id, process)| process.registry().register(instance("rating", id)))
            .collect();
        for hosting in &joined[1..] {
            until(&mut hosting.registry().watch("rating"), "b c d e").await;
        }
        let mut processes = processes.into_iter();
        processes.next().unwrap().kill().await;
        let died = Instant::now();
        let survivors: Vec<_> = processes.collect();
        // A stranger, who knows nothing from before, sees the truth of the new registry alone.
        let stranger = Process::new(&net, 100 * seed + 99);
        until(&mut stranger.client().watch("rating"), "b c d e").await;
        let converged = Instant::now() - died;
        assert!(
            converged <= Duration::from_secs(3),
            "seed {seed}: {converged:?}"
        );
        let hosts = joined[1..]
            .iter()
            .filter(|hosting| hosting.role() == Role::Host)
            .count();
        assert_eq!(hosts, 1, "seed {seed}");
        for process in survivors {
            process.kill().await;
        }
        stranger.kill().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_process_that_leaves_does_not_take_over() {
    let net = Memory::default();
    let [first, second] = [1, 2].map(|seed| Process::new(&net, seed));
    let _host = join(&first).await.unwrap();
    let follower = join(&second).await.unwrap();
    second.env.shutdown.advance(Phase::Leaving);
    // Its standby ends; the rest of it goes on.
    while second
        .tasks
        .alive()
        .iter()
        .any(|name| name == "registry standby")
    {
        tokio::task::yield_now().await;
    }
    first.kill().await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(follower.role(), Role::Follower);
}

/// Holds the registry's port and answers every connection with these bytes.
async fn occupy(net: &Memory, process: &Process, answer: &'static [u8]) {
    use backlot_core::net::Network;
    let mut listener: Box<dyn Listener> = net.bind(ADDRESS).await.unwrap();
    process.tasks.spawn("stranger", async move {
        let mut open = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            if !answer.is_empty() {
                let mut request = [0; 1024];
                let _read = stream.read(&mut request).await;
                let _written = stream.write_all(answer).await;
            }
            open.push(stream);
        }
    });
}

#[tokio::test(start_paused = true)]
async fn a_foreign_program_on_the_port_is_named_with_the_cure() {
    let answers: [&'static [u8]; 4] = [
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
        b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
        b"220 mail.example ESMTP\r\n",
        b"",
    ];
    for answer in answers {
        let net = Memory::default();
        let [foreign, ours] = [1, 2].map(|seed| Process::new(&net, seed));
        occupy(&net, &foreign, answer).await;
        let error = join(&ours).await.unwrap_err();
        assert!(matches!(error, Error::Foreign { .. }), "{error:?}");
        let text = error.to_string();
        assert!(
            text.starts_with(
                "BL0020: the program listening on 127.0.0.1:8070 is not a Backlot registry"
            ),
            "{text}"
        );
        assert!(
            text.contains("set registry.address to a free address"),
            "{text}"
        );
        foreign.kill().await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_address_of_another_machine_cannot_be_hosted() {
    let process = Process::new(&Memory::default(), 1);
    let config = Config {
        address: "elsewhere:8070".into(),
        ..Config::default()
    };
    let error = Hosting::join(config, &process.env, &process.tasks)
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("BL0021: cannot listen on elsewhere:8070"),
        "{error}"
    );
}
