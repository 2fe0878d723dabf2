//! Movies in the simulated world.
fn main() {}
