//! Turns one contract into code twice: ours, and stock tonic's.

use backlot_build::Contract;
use std::error::Error;

const CONTRACT: &str = "backlot/clerk/v1/clerk.proto";

fn main() -> Result<(), Box<dyn Error>> {
    Contract::new().include("proto").file(CONTRACT).compile()?;
    let mut descriptors = protox::compile([CONTRACT], ["proto", "../build/proto"])?;
    descriptors.file.retain(|file| file.name() == CONTRACT);
    tonic_prost_build::configure()
        .include_file("stock.rs")
        .compile_fds(descriptors)?;
    Ok(())
}
