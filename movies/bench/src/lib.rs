//! Measures Movies beside a bare tonic system of the same shape: `cargo xtask bench`.
//!
//! Two systems answer the same calls over the same data in the same runtime flavour (one thread a
//! process): Movies with everything on, and a bare one of stock tonic without any feature. They are
//! measured alternating within one run, because a machine is never twice the same; what counts is
//! the ratio of the two, and the processor time a request takes.
//!
//! | program | what it is |
//! |---|---|
//! | `measure` | starts everything, measures it row by row, prints the table, writes the JSON |
//! | `load` | a closed loop of gRPC calls over any number of connections |
//! | `bare` | the bare system: metadata, rating and movie over stock tonic |
//! | `constant` | Movies with metadata and rating that answer constants |
//! | `embedded` | Movies in one process, called through the typed clients |
//!
//! | module | what it holds |
//! |---|---|
//! | [`figures`] | what one measurement found |
//! | [`machine`] | processor time and memory of processes |
//! | [`names`] | the films and users that are there |
//! | [`running`] | Movies in this process |
//! | [`stores`] | the stores of the services, opened past them |
//! | [`users`] | users who may sign |

pub mod figures;
pub mod machine;
pub mod names;
pub mod running;
pub mod stores;
pub mod users;
