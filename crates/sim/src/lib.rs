//! The simulated world: hosts, network, database and faults, from one seed.
