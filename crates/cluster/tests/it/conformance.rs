//! Both registries keep the contract.

use crate::world::{ADDRESS, Process};
use backlot_cluster::embedded::{Client, Server};
use backlot_cluster::{Config, Memory, Registry, conformance};
use backlot_core::net::Tcp;
use std::sync::Arc;

#[tokio::test]
async fn the_registry_in_memory_conforms() {
    conformance::run(|| Box::pin(async { Arc::new(Memory::new()) as Arc<dyn Registry> })).await;
}

/// On the kernel's loopback and the real clock.
#[tokio::test]
async fn the_embedded_registry_conforms_over_real_sockets() {
    conformance::run(|| {
        Box::pin(async {
            let process = Process::on(Tcp::network(), 1);
            let listener = process.env.net.bind("127.0.0.1:0").await.unwrap();
            let server = Server::serve(listener, &process.env, &process.tasks).unwrap();
            let config = Config {
                address: server.address().to_string(),
                ..Config::default()
            };
            Arc::new(Client::new(config, &process.env, &process.tasks)) as Arc<dyn Registry>
        })
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_embedded_registry_conforms_in_memory() {
    conformance::run(|| {
        Box::pin(async {
            let process = Process::new(&crate::net::Memory::default(), 1);
            let server = process.serve().await;
            assert_eq!(server.address().to_string(), ADDRESS);
            Arc::new(process.client()) as Arc<dyn Registry>
        })
    })
    .await;
}
