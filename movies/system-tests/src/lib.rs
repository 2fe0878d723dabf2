//! The whole system under test. This library holds what all ways of running it share: the
//! scenarios, the clients they are told through, and a probe that tells what a callee sees.
//!
//! ```
//! // A world binds the clients to its services, then plays every scenario.
//! async fn play(world: &movies_system_tests::Clients) {
//!     for scenario in movies_system_tests::scenarios::all() {
//!         (scenario.run)(world).await;
//!     }
//!     assert!(world.transcript.lines().len() > 100, "what was seen can be compared, world to world");
//! }
//! ```
//!
//! | module | what it holds |
//! |---|---|
//! | [`scenarios`] | what the system does, in sentences |
//! | [`clients`] | the services as a scenario sees them |
//! | [`tokens`] | who a scenario may be |
//! | [`transcript`] | what was seen, word for word |
//! | [`probe`] | a service that tells what it sees of a call |

pub mod clients;
pub mod probe;
pub mod scenarios;
pub mod tokens;
pub mod transcript;

pub use clients::{Clients, Power};

use backlot::Service;

/// The services a world of scenarios consists of, in the order they start.
#[must_use]
pub fn services() -> Vec<Service> {
    vec![
        backlot::broker_service(),
        movies_auth::service(),
        movies_metadata::service(),
        movies_rating::service(),
        movies_movie::service(),
        movies_poster::service(),
        movies_mail::service(),
        probe::service(),
    ]
}
