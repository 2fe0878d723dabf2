//! Movies in the simulated world.
