//! A client that tonic generated, whose calls are made again: at another instance, after a pause,
//! within a budget, and only where that is safe.
//!
//! `cargo run -p backlot-rpc --example retries -- 127.0.0.1:50051 127.0.0.1:50052`

use backlot_core::Env; // new
use backlot_rpc::{Caller, Channel}; // new
use backlot_service::{Metrics, Tasks}; // new
use tonic::Status;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

/// Asks the instances at these addresses so many times; how often they were well.
pub async fn ask(addresses: Vec<String>, times: u32) -> Result<u32, Status> {
    let env = Env::real(); // new
    let caller = Caller::new(&Metrics::new(), &env, &Tasks::new(&env)); // new
    let channel = Channel::to("greeter", addresses, &caller) // instead of a channel of tonic's
        .repeating(["/grpc.health.v1.Health/Check"]); // new, where the .proto does not say it
    let mut client = HealthClient::new(channel);
    let mut well = 0;
    for _ in 0..times {
        let answer = client.check(HealthCheckRequest::default()).await?;
        well += u32::from(answer.into_inner().status == 1);
    }
    Ok(well)
}

#[tokio::main]
async fn main() -> Result<(), Status> {
    let addresses: Vec<String> = std::env::args().skip(1).collect();
    println!("well {} times", ask(addresses, 10).await?);
    Ok(())
}
