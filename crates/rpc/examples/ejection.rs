//! A client that tonic generated, which leaves sick instances alone for a while, and tells which.
//!
//! `cargo run -p backlot-rpc --example ejection -- 127.0.0.1:50051 127.0.0.1:50052`

use backlot_core::Env; // new
use backlot_rpc::{Caller, Channel}; // new
use backlot_service::{Metrics, Tasks}; // new
use tonic::Status;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

/// Asks the instances at these addresses so many times; how many failed, and the states of all.
pub async fn ask(addresses: Vec<String>, times: u32) -> (u32, Vec<(String, String)>) {
    let env = Env::real(); // new
    let caller = Caller::new(&Metrics::new(), &env, &Tasks::new(&env)); // new
    let channel = Channel::to("greeter", addresses, &caller); // instead of a channel of tonic's
    let mut client = HealthClient::new(channel);
    let mut failed = 0;
    for _ in 0..times {
        let answer = client.check(HealthCheckRequest::default()).await;
        failed += u32::from(answer.is_err());
    }
    let targets = caller.targets().into_iter(); // new: what the caller knows of them
    let instances = targets.flat_map(|target| target.instances);
    (failed, instances.map(|it| (it.address, it.state)).collect())
}

#[tokio::main]
async fn main() -> Result<(), Status> {
    let (failed, states) = ask(std::env::args().skip(1).collect(), 100).await;
    println!("{failed} of 100 failed: {states:?}");
    Ok(())
}
