//! Turns the contract of brokers into code.

fn main() -> Result<(), backlot_build::Error> {
    backlot_build::Contract::new()
        .runtime("::backlot_rpc::generated")
        .include("proto")
        .file("backlot/broker/v1/broker.proto")
        .file("backlot/broker/v1/queue.proto")
        .compile()
}
