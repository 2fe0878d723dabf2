//! A client that tonic generated, whose calls go to the less busy of its instances, or by another
//! rule, which may be changed while it runs.
//!
//! `cargo run -p backlot-rpc --example balancing -- 127.0.0.1:50051 127.0.0.1:50052`

use backlot_core::Env; // new
use backlot_rpc::policy::{Knobs, Rule}; // new
use backlot_rpc::{Caller, Channel}; // new
use backlot_service::{Metrics, Tasks}; // new
use tonic::Status;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

/// Asks the instances at these addresses one after the other, so many times.
pub async fn ask(addresses: Vec<String>, times: u32) -> Result<(), Status> {
    let mut policy = backlot_rpc::policy::Policy::default(); // new
    policy.balance.rule = Rule::RoundRobin; // new
    let env = Env::real(); // new
    let caller = Caller::new(&Metrics::new(), &env, &Tasks::new(&env)); // new
    let caller = caller.with_knobs(&Knobs::new(policy)); // new
    let channel = Channel::to("greeter", addresses, &caller); // instead of a channel of tonic's
    let mut client = HealthClient::new(channel);
    for _ in 0..times {
        client.check(HealthCheckRequest::default()).await?;
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Status> {
    ask(std::env::args().skip(1).collect(), 10).await
}
