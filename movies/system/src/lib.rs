//! The `movies` command: all services embedded, each alone, as a fleet, or simulated.

pub mod call;
pub mod embedded;
pub mod generate;
pub mod greeting;
pub mod import;
pub mod sample;
pub mod sim;
pub mod token;
pub mod upload;

use backlot::Service;
use backlot::app::cli::Product;

/// Movies: its name, its services in the order they start, and where its configuration comes from.
pub const PRODUCT: Product = Product {
    name: "movies",
    variables: "MOVIES",
    data: "movies-data",
    services,
};

/// The services of Movies.
#[must_use]
pub fn services() -> Vec<Service> {
    vec![
        // Everybody asks it for keys, the broker too.
        movies_auth::service(),
        backlot::broker_service(),
        movies_metadata::service(),
        movies_rating::service(),
        movies_movie::service(),
        movies_web::service(),
        movies_poster::service(),
        movies_mail::service(),
        backlot_webhooks::service(),
        backlot_console::service(),
    ]
}
