//! All that a composition needs to know of a service.

use crate::config::{ServerConfig, Table};
use crate::store::StoreUrl;
use crate::{StartError, Startup};
use backlot_rpc::policy::{Policies, REASONS};
use backlot_service::config::{Problems, Tree, Validate, explained};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::pin::Pin;
use std::sync::Arc;

/// Who answers for a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The team.
    pub team: &'static str,
    /// The package the service lives in.
    pub package: &'static str,
    /// Its version.
    pub version: &'static str,
}

/// The [`Owner`] of the service in this package.
#[macro_export]
macro_rules! owners {
    ($team:literal) => {
        $crate::Owner {
            team: $team,
            package: env!("CARGO_PKG_NAME"),
            version: env!("CARGO_PKG_VERSION"),
        }
    };
}

/// A service: its name, owner, configuration type and `start`.
#[derive(Clone)]
pub struct Service {
    name: &'static str,
    owner: Owner,
    port: u16,
    keeps_data: bool,
    prepare: Arc<Prepare>,
}

/// Takes a service's table; the port is for addresses that are not configured.
type Prepare = dyn Fn(u16, &mut Tree, &mut Problems) -> Prepared + Send + Sync;

type Starting<'a> = Pin<Box<dyn Future<Output = Result<(), StartError>> + 'a>>;

/// A service with its configuration checked, ready to start any number of times.
#[derive(Clone)]
pub struct Prepared {
    pub(crate) name: &'static str,
    pub(crate) owner: Owner,
    pub(crate) server: ServerConfig,
    /// How its clients of other processes go about failures.
    pub(crate) calls: Policies,
    /// The configuration in force, secrets masked.
    pub(crate) printed: String,
    /// Whether several copies may have its store open at once.
    pub(crate) shares_store: bool,
    pub(crate) start: Arc<dyn for<'a> Fn(&'a mut Startup) -> Starting<'a> + Send + Sync>,
}

impl Service {
    /// A service whose `start` is `async fn(Config, &mut Startup) -> Result<(), StartError>`.
    ///
    /// `start` builds the service's parts out of what [`Startup`] hands in and returns: serving
    /// begins after it, and long-lived work goes into [`Startup::tasks`].
    pub fn new<C, F>(name: &'static str, owner: Owner, start: F) -> Self
    where
        C: Serialize + DeserializeOwned + Default + Validate + Clone + Send + Sync + 'static,
        F: AsyncFn(C, &mut Startup) -> Result<(), StartError> + Send + Sync + 'static,
    {
        let start = Arc::new(start);
        let prepare = move |port: u16, tree: &mut Tree, problems: &mut Problems| {
            let mut config: Table<C> = tree.take(name, problems);
            let local = |port: u16| format!("127.0.0.1:{port}");
            config.server.listen.get_or_insert_with(|| local(port));
            config
                .server
                .admin
                .get_or_insert_with(|| local(if port == 0 { 0 } else { port + 10 }));
            let (start, own) = (Arc::clone(&start), config.own.clone());
            Prepared {
                name,
                owner,
                server: config.server.clone(),
                calls: config.calls.clone(),
                printed: explained(name, &config, &reasons()),
                shares_store: shares_store(&config.own),
                start: Arc::new(move |cx| {
                    let (start, own) = (Arc::clone(&start), own.clone());
                    Box::pin(async move { start(own, cx).await })
                }),
            }
        };
        Service {
            name,
            owner,
            port: 0,
            keeps_data: false,
            prepare: Arc::new(prepare),
        }
    }

    /// The port it listens on when nothing else is configured; its admin routes are ten above.
    /// Without this, free ports are taken.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Says that it keeps data in a store, whose [`StoreConfig`](crate::StoreConfig) is the key
    /// `store` of its configuration: on SQLite it runs as one copy only.
    #[must_use]
    pub fn with_store(mut self) -> Self {
        self.keeps_data = true;
        self
    }

    /// Whether it keeps data in a store.
    #[must_use]
    pub fn keeps_data(&self) -> bool {
        self.keeps_data
    }

    /// Its discovery name, which is the name of its configuration table as well.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Who answers for it.
    #[must_use]
    pub fn owner(&self) -> Owner {
        self.owner
    }

    /// Takes its table from the configuration.
    #[must_use]
    pub fn prepare(&self, tree: &mut Tree, problems: &mut Problems) -> Prepared {
        (self.prepare)(self.port, tree, problems)
    }
}

/// Why defaults of a service's table are what they are.
fn reasons() -> Vec<(String, &'static str)> {
    let calls = REASONS.iter();
    calls
        .map(|(key, why)| (format!("calls.{key}"), *why))
        .collect()
}

/// Whether the store of this configuration is one that several processes may open.
fn shares_store(config: &impl Serialize) -> bool {
    let table = toml::Value::try_from(config).ok();
    let url = table
        .as_ref()
        .and_then(|table| table.get("store")?.get("url")?.as_str());
    url.is_some_and(|url| StoreUrl::from(url).is_shared())
}

impl Prepared {
    /// The service's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The address it will listen on.
    #[must_use]
    pub fn listen(&self) -> &str {
        self.server.listen.as_deref().unwrap_or_default()
    }

    /// The address it will answer operators on.
    #[must_use]
    pub fn admin(&self) -> &str {
        self.server.admin.as_deref().unwrap_or_default()
    }

    /// The same service on other addresses.
    #[must_use]
    pub fn listening(mut self, listen: impl Into<String>, admin: impl Into<String>) -> Self {
        self.server.listen = Some(listen.into());
        self.server.admin = Some(admin.into());
        self
    }

    /// Whether its store is one that several copies of it may have open at once.
    #[must_use]
    pub fn shares_store(&self) -> bool {
        self.shares_store
    }

    /// The configuration in force as TOML, secrets masked.
    #[must_use]
    pub fn printed(&self) -> &str {
        &self.printed
    }
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Service")
            .field("name", &self.name)
            .field("owner", &self.owner)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Prepared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prepared")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
