//! Turns the contracts of Movies into stock tonic code, for the bare system.

use std::error::Error;

/// The files that become code; the rest of what they import carries options alone.
const CONTRACTS: [&str; 3] = [
    "movies/metadata/v1/metadata.proto",
    "movies/movie/v1/movie.proto",
    "movies/rating/v1/rating.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    let includes = ["../api/proto", "../../crates/build/proto"];
    for folder in includes {
        println!("cargo::rerun-if-changed={folder}");
    }
    let mut descriptors = protox::compile(CONTRACTS, includes)?;
    descriptors
        .file
        .retain(|file| CONTRACTS.contains(&file.name()));
    tonic_prost_build::configure()
        .include_file("bare.rs")
        // The bare system answers what is measured, and nothing else.
        .generate_default_stubs(true)
        .compile_fds(descriptors)?;
    Ok(())
}
