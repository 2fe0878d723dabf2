//! One port: gRPC, REST, reflection and health, told apart by content type and path.

mod calls;
mod connections;
mod dispatch;
mod flood;
mod health;

pub use connections::{Limits, Outcome};

use crate::edge::Edge;
use crate::mount::Mount;
use backlot_core::net::Listener;
use backlot_core::{Env, Error};
use backlot_service::health::Health;
use dispatch::Dispatch;
use http::{Request, Response};
use std::convert::Infallible;
use tonic::server::NamedService;
use tower::Service;
use tower::util::BoxCloneSyncService;

/// A server of mounts and pages, before it listens.
#[derive(Debug)]
pub struct Server {
    mounts: Vec<Mount>,
    plain: Vec<Plain>,
    pages: axum::Router,
    edge: Edge,
    health: Health,
    reflection: bool,
    limits: Limits,
}

/// A service that tonic generated, by its name.
struct Plain(&'static str, dispatch::Grpc);

impl std::fmt::Debug for Plain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl Server {
    /// A server with nothing mounted.
    #[must_use]
    pub fn new(edge: Edge, health: Health) -> Self {
        Server {
            mounts: Vec::new(),
            plain: Vec::new(),
            pages: axum::Router::new(),
            edge,
            health,
            reflection: false,
            limits: Limits::default(),
        }
    }

    /// Adds a service.
    #[must_use]
    pub fn mount(mut self, mount: Mount) -> Self {
        self.mounts.push(mount);
        self
    }

    /// Adds a service that tonic generated, as it is: connections are bounded and end in time, and
    /// the rest is its own.
    #[must_use]
    pub fn plain<S>(mut self, service: S) -> Self
    where
        S: NamedService
            + Service<
                Request<tonic::body::Body>,
                Response = Response<tonic::body::Body>,
                Error = Infallible,
            > + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send,
    {
        let service = BoxCloneSyncService::new(service);
        self.plain.push(Plain(S::NAME, service));
        self
    }

    /// Adds pages: what the REST routes of the mounts do not answer comes here.
    #[must_use]
    pub fn pages(mut self, pages: axum::Router) -> Self {
        self.pages = self.pages.merge(pages);
        self
    }

    /// Whether callers may ask which services there are: gRPC reflection, `/openapi.json`, and the
    /// page at `/docs`, to which the root leads unless a page of one's own is there.
    #[must_use]
    pub fn reflection(mut self, on: bool) -> Self {
        self.reflection = on;
        self
    }

    /// How many connections, and how long each step of one may take.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Puts the routes together.
    ///
    /// # Errors
    /// When two mounts claim the same REST route, or a mount's descriptors are malformed.
    pub fn prepare(self) -> Result<Ready, Error> {
        let dispatch = Dispatch::new(
            self.mounts,
            self.plain.into_iter().map(|Plain(name, it)| (name, it)),
            self.pages,
            self.edge,
            self.health,
            self.reflection,
        )?;
        Ok(Ready {
            dispatch,
            limits: self.limits,
        })
    }
}

/// A server that lacks nothing but its listener.
pub struct Ready {
    dispatch: Dispatch,
    limits: Limits,
}

impl Ready {
    /// Serves until the shutdown drains, then lets calls in flight finish.
    pub async fn run(self, listener: Box<dyn Listener>, env: &Env) -> Outcome {
        let dice = env.dice.branch("connections");
        let shutdown = env.shutdown.clone();
        connections::serve(listener, self.dispatch, shutdown, &dice, self.limits).await
    }
}

impl std::fmt::Debug for Ready {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ready")
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
