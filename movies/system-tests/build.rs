//! Turns contracts into code: the probe's, and that of the last release, as an older client has it.

use backlot_build::{Contract, Error};
use std::path::PathBuf;

fn main() -> Result<(), Error> {
    Contract::new()
        .include("proto")
        .file("backlot/probe/v1/probe.proto")
        .compile()?;
    let Some(out_dir) = std::env::var_os("OUT_DIR").map(PathBuf::from) else {
        panic!("cargo sets OUT_DIR for build scripts");
    };
    // Beside, so that none of its types meets one of today's.
    let released = out_dir.join("released");
    if let Err(cause) = std::fs::create_dir_all(&released) {
        panic!("{} cannot be made: {cause}", released.display());
    }
    Contract::new()
        .include("../api/released")
        .file("movies/metadata/v1/metadata.proto")
        .file("movies/rating/v1/rating.proto")
        .file("movies/movie/v1/movie.proto")
        .file("movies/auth/v1/auth.proto")
        .out_dir(released)
        .compile()
}
