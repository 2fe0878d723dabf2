//! Turns the contract of webhooks into code.

fn main() -> Result<(), backlot_build::Error> {
    backlot_build::Contract::new()
        .runtime("::backlot_rpc::generated")
        .include("proto")
        .file("backlot/webhooks/v1/webhooks.proto")
        .compile()
}
