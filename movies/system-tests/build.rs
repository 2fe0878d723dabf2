//! Turns the probe's contract into code.

fn main() -> Result<(), backlot_build::Error> {
    backlot_build::Contract::new()
        .include("proto")
        .file("backlot/probe/v1/probe.proto")
        .compile()
}
