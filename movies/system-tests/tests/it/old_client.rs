//! The promise: who calls by the contract of the last release may go on calling. Its client, made
//! of the released .proto files, plays every method and every route against today's services.

mod ignored;
mod mistakes;
mod play;
mod routes;

mod released {
    //! What was written from the .proto files of the last release.
    #![expect(
        dead_code,
        unreachable_pub,
        reason = "written for a library; a test uses the client's half"
    )]
    include!(concat!(env!("OUT_DIR"), "/released/contract.rs"));
}

use crate::worlds::{Running, Ways};
use backlot::cluster::{Fixed, Registry};
use backlot::rpc::contract::Service;
use backlot::rpc::{Caller, Remote};
use backlot::service::tasks::Tasks;
use backlot::service::telemetry::Metrics;
use backlot::{Binding, Client, Context, Dice, Env};
use released::metadata::v1::Metadata;
use released::{AuthClient, MetadataClient, MovieClient, PutMetadataRequest, RatingClient};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Every service of the release.
const SERVICES: [&Service; 4] = [
    &released::AUTH_SERVICE,
    &released::METADATA_SERVICE,
    &released::MOVIE_SERVICE,
    &released::RATING_SERVICE,
];

/// Today's services, and the clients of the release.
struct Old {
    running: Running,
    tasks: Tasks,
    addresses: BTreeMap<String, Vec<String>>,
    auth: AuthClient,
    metadata: MetadataClient,
    movie: MovieClient,
    rating: RatingClient,
}

impl Old {
    async fn start() -> Old {
        let running = Running::start(Ways::Remote).await;
        let mut addresses = BTreeMap::new();
        for service in SERVICES {
            let address = running.address(service.target).await;
            addresses.insert(service.target.to_owned(), vec![address]);
        }
        let env = Env {
            dice: Dice::seeded(2),
            ..Env::real()
        };
        let (fixed, metrics) = (Fixed::new(&addresses), Metrics::new());
        let tasks = Tasks::new(&env);
        let caller = Caller::new(&metrics, &env, &tasks);
        let binding = |service: &'static Service| {
            let instances = fixed.resolver().watch(service.target);
            Binding::Remote(Remote::new(service, service.target, instances, &caller))
        };
        fn bound<C: Client>(binding: &impl Fn(&'static Service) -> Binding) -> C {
            C::bind(binding(C::SERVICE))
        }
        Old {
            auth: bound(&binding),
            metadata: bound(&binding),
            movie: bound(&binding),
            rating: bound(&binding),
            running,
            tasks,
            addresses,
        }
    }

    async fn stop(self) {
        self.tasks.shutdown(Duration::ZERO).await;
        self.running.stop().await;
    }

    /// Where a service takes calls.
    fn address(&self, service: &str) -> &str {
        &self.addresses[service][0]
    }

    fn nobody(&self) -> Context {
        self.running.clients.nobody()
    }

    fn user(&self, name: &str) -> Context {
        self.running.clients.user(name)
    }

    fn editor(&self) -> Context {
        self.running.clients.editor()
    }

    /// Puts a film of this id, with all that the release knows of films.
    async fn film(&self, id: &str) -> Metadata {
        let film = film(id);
        let request = PutMetadataRequest {
            metadata: Some(film.clone()),
        };
        let put = self.metadata.put_metadata(&self.editor(), request).await;
        assert!(put.unwrap().created, "{id}");
        film
    }
}

fn film(id: &str) -> Metadata {
    Metadata {
        id: id.to_owned(),
        title: "The Hitch-Hiker".to_owned(),
        description: "Two men, and a third.".to_owned(),
        director: "Ida Lupino".to_owned(),
        year: 1953,
        cast: vec!["Edmond O’Brien".to_owned(), "Frank Lovejoy".to_owned()],
        genres: vec!["Film-Noir".to_owned()],
    }
}

/// What of all there is was played, by name.
#[derive(Debug, Default)]
struct Played(BTreeSet<String>);

impl Played {
    fn add(&mut self, name: &str) {
        self.0.insert(name.to_owned());
    }

    /// Nothing of the release may be left out, or the promise is not tried.
    #[track_caller]
    fn assert_all(&self, all: impl Iterator<Item = String>) {
        let all: BTreeSet<String> = all.collect();
        let missing: Vec<_> = all.difference(&self.0).collect();
        assert!(missing.is_empty(), "not played: {missing:?}");
        let unknown: Vec<_> = self.0.difference(&all).collect();
        assert!(unknown.is_empty(), "not in the release: {unknown:?}");
    }
}
