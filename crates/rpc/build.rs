//! Turns the contract of token issuers into code.

fn main() -> Result<(), backlot_build::Error> {
    backlot_build::Contract::new()
        .runtime("crate::generated")
        .include("proto")
        .file("backlot/identity/v1/identity.proto")
        .compile()
}
