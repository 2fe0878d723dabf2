//! Turns the contract of the drilled service into code.

use backlot_build::{Contract, Error};

fn main() -> Result<(), Error> {
    Contract::new()
        .include("proto")
        .file("backlot/desk/v1/desk.proto")
        .compile()
}
