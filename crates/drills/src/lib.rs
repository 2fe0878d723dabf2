//! Failure drills of calls between services: four instances of a service, one caller of steady rate,
//! something that goes wrong, and what that did, on one line.
//!
//! Everything is drawn from a seed: the same seed gives the same line. What is drilled is the real
//! client, server, registry and drain; only network, time and randomness are simulated.
//!
//! | module | what it holds |
//! |---|---|
//! | [`drill`] | the drills, and the defence of each |
//! | [`desk`] | the service that is made to fail |
//! | [`run`](mod@run) | one run: the world, the load, the trouble |
//! | [`measure`] | what it came to |
//! | [`baseline`] | what it came to when that was last written down |

pub mod baseline;
pub mod desk;
pub mod drill;
pub mod measure;
pub mod run;

pub use drill::{DRILLS, Drill};
pub use measure::Figures;
pub use run::run;
