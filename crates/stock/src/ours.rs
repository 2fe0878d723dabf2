//! The clerk with Backlot.

#[allow(unreachable_pub, dead_code, reason = "generated")]
pub(crate) mod contract {
    //! What was written from the clerk's .proto file.
    include!(concat!(env!("OUT_DIR"), "/contract.rs"));
}

use crate::side::Running;
use async_trait::async_trait;
use backlot::core::discovery::{Instance, InstanceSet};
use backlot::core::env::Phase;
use backlot::rpc::policy::{Knobs, Policy};
use backlot::rpc::{Caller, Edge, Guard, Remote, Server};
use backlot::service::health::Health;
use backlot::service::{Metrics, Tasks};
use backlot::{Binding, Client, Context, Env, Error, Streaming};
use contract::{Clerk, ClerkClient, TickRequest, TickResponse, WaitRequest, WaitResponse, clerk};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

struct Answers;

#[async_trait]
impl Clerk for Answers {
    async fn wait(&self, _cx: &Context, request: WaitRequest) -> Result<WaitResponse, Error> {
        if request.millis > 0 {
            tokio::time::sleep(Duration::from_millis(request.millis)).await;
        }
        Ok(WaitResponse {})
    }

    async fn tick(
        &self,
        _cx: &Context,
        request: TickRequest,
    ) -> Result<Streaming<TickResponse>, Error> {
        Ok(Streaming::new(async_stream::stream! {
            for number in 0..request.millis / 100 {
                tokio::time::sleep(Duration::from_millis(100)).await;
                yield Ok(TickResponse { number });
            }
        }))
    }
}

/// A server on a port of loopback.
pub(crate) async fn serve() -> anyhow::Result<Running> {
    serve_at("127.0.0.1:0").await
}

/// A server at this address.
pub(crate) async fn serve_at(address: &str) -> anyhow::Result<Running> {
    let env = Env::real();
    let listener = env.net.bind(address).await?;
    let address = listener.local_addr()?;
    let mount = clerk(Answers);
    let guard = Guard::new(mount.service(), &Metrics::new(), &env);
    let server = Server::new(Edge::anonymous(), Health::new())
        .mount(mount.with_guard(Arc::new(guard)))
        .prepare()
        .map_err(|error| anyhow::anyhow!(error.chain().to_string()))?;
    let (stop, shutdown) = (env.shutdown.clone(), env.clone());
    Ok(Running::new(
        address,
        async move {
            server.run(listener, &shutdown).await;
        },
        move || stop.advance(Phase::Draining),
    ))
}

/// A client of these addresses; it lives as long as what comes with it.
pub(crate) fn client(addresses: &[String]) -> (ClerkClient, watch::Sender<InstanceSet>) {
    let (client, set, _caller) = client_by(addresses, Policy::default());
    (client, set)
}

/// A client that goes by this policy, and who calls.
pub(crate) fn client_by(
    addresses: &[String],
    policy: Policy,
) -> (ClerkClient, watch::Sender<InstanceSet>, Caller) {
    let env = Env::real();
    let caller = Caller::new(&Metrics::new(), &env, &Tasks::new(&env));
    let caller = caller.with_knobs(&Knobs::new(policy));
    let instance = |address: &String| Instance {
        id: address.clone(),
        service: "clerk".to_owned(),
        address: address.clone(),
        version: String::new(),
        metadata: Default::default(),
    };
    let instances = addresses.iter().map(instance).collect();
    let set = watch::Sender::new(InstanceSet::new(instances));
    let remote = Remote::new(ClerkClient::SERVICE, "clerk", set.subscribe(), &caller);
    (ClerkClient::bind(Binding::Remote(remote)), set, caller)
}
