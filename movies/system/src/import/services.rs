//! The services an import writes to: those that run, or its own.

use backlot::app::cli::Configuration;
use backlot::app::config::PlatformConfig;
use backlot::app::embedded::Embedded;
use backlot::app::out;
use backlot::app::{StartError, World, broker, process, secret};
use backlot::broker::contract::BrokerClient;
use backlot::cluster::{Fixed, Memory, Registry};
use backlot::messaging::Engine;
use backlot::rpc::contract::Service;
use backlot::rpc::{Binding, Caller, Client, Local, Remote};
use backlot::service::tasks::Tasks;
use backlot::service::telemetry::Metrics;
use backlot::{Env, Error};
use movies_api as api;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How long a service may take to take a connection.
const CONNECT: Duration = Duration::from_secs(1);
/// Those that are written to, where they tell of it, and whose keys they ask for.
const NEEDED: [&str; 4] = ["auth", "broker", "metadata", "rating"];
const WRITTEN: [&str; 3] = ["metadata", "rating", "broker"];

/// Where films and ratings go.
pub(super) struct Services {
    metadata: api::MetadataClient,
    rating: api::RatingClient,
    /// Of another process.
    broker: Option<BrokerClient>,
    /// Those of this process.
    own: Option<Embedded>,
    /// Which system it is, unless it is the one of the data folder.
    target: String,
}

impl Services {
    /// Those that run, at their configured addresses; if none does, they are started here, unless
    /// it `must_run`.
    pub(super) async fn find(
        configuration: &Configuration,
        must_run: bool,
        env: &Env,
        tasks: &Tasks,
    ) -> Result<Self, StartError> {
        let fixed = &configuration.platform.registry.services;
        if !fixed.is_empty() {
            return Ok(Services::at(fixed, format!("{fixed:?}"), env, tasks));
        }
        let listen = |name: &str| {
            let service = configuration.service(name);
            service.map_or("", |service| service.listen()).to_owned()
        };
        let addresses: BTreeMap<String, Vec<String>> = WRITTEN
            .iter()
            .map(|name| ((*name).to_owned(), vec![listen(name)]))
            .collect();
        let (metadata, rating) = (listen("metadata"), listen("rating"));
        let (one, other) = tokio::join!(answers(&metadata, env), answers(&rating, env));
        // One that is away comes back, as a fleet's do: calls wait for it.
        if one || other {
            out::note(format_args!(
                "into the running system: metadata at {metadata}, rating at {rating}"
            ));
            return Ok(Services::at(&addresses, String::new(), env, tasks));
        }
        if must_run {
            return Err(Error::unavailable(format!(
                "nothing runs at {metadata} and {rating}; --token is for a running system: start it, or name its addresses with --set registry.services.metadata and registry.services.rating"
            ))
            .into());
        }
        let data = configuration.platform.data.display();
        out::note(format_args!(
            "no system answers at {metadata} and {rating}: importing into {data} alone"
        ));
        Services::start(configuration, env).await
    }

    fn at(
        addresses: &BTreeMap<String, Vec<String>>,
        target: String,
        env: &Env,
        tasks: &Tasks,
    ) -> Self {
        let resolver = Fixed::new(addresses).resolver();
        let caller = Caller::new(&Metrics::new(), env, tasks);
        let binding = |service: &'static Service| {
            let (name, instances) = (service.target, resolver.watch(service.target));
            Binding::Remote(Remote::new(service, name, instances, &caller))
        };
        Services {
            metadata: api::MetadataClient::bind(binding(api::MetadataClient::SERVICE)),
            rating: api::RatingClient::bind(binding(api::RatingClient::SERVICE)),
            broker: Some(BrokerClient::bind(binding(BrokerClient::SERVICE))),
            own: None,
            target,
        }
    }

    /// The services needed, in this process. They listen as ever, so that nobody starts others on
    /// the same data meanwhile.
    async fn start(configuration: &Configuration, env: &Env) -> Result<Self, StartError> {
        let world = World {
            local: Some(Local::new()),
            ..process::world(&configuration.platform, env, Arc::new(Memory::new()))
        };
        let needed: Vec<_> = NEEDED
            .iter()
            .filter_map(|name| configuration.service(name).cloned())
            .collect();
        let own = Embedded::start(&needed, world).await?;
        let dice = env.dice.branch("import calls");
        let binding = |service| Binding::Direct(own.local().binding(service, dice.clone()));
        Ok(Services {
            metadata: api::MetadataClient::bind(binding(api::MetadataClient::SERVICE)),
            rating: api::RatingClient::bind(binding(api::RatingClient::SERVICE)),
            broker: None,
            own: Some(own),
            target: String::new(),
        })
    }

    pub(super) fn metadata(&self) -> Arc<dyn api::Metadata> {
        Arc::new(self.metadata.clone())
    }

    pub(super) fn rating(&self) -> Arc<dyn api::Rating> {
        Arc::new(self.rating.clone())
    }

    /// The log of events of these services.
    pub(super) fn broker(
        &self,
        platform: &PlatformConfig,
        env: &Env,
        tasks: &Tasks,
    ) -> Result<Arc<dyn Engine>, StartError> {
        if let Some(own) = &self.own {
            return Ok(Arc::new(own.broker().clone()));
        }
        let client = self.broker.clone().ok_or_else(|| {
            Error::unavailable("no broker is known: name it with --set registry.services.broker")
        })?;
        let key = secret::load_or_make(&platform.data, broker::KEY, &env.dice)?;
        Ok(Arc::new(backlot::broker::Remote::new(
            client, key, env, tasks,
        )))
    }

    /// Whether they end with this process.
    pub(super) fn are_own(&self) -> bool {
        self.own.is_some()
    }

    pub(super) fn target(&self) -> &str {
        &self.target
    }

    pub(super) async fn stop(self) {
        if let Some(own) = self.own {
            own.stop().await;
        }
    }
}

/// Whether somebody listens at an address.
async fn answers(address: &str, env: &Env) -> bool {
    // A service that took any free port is found nowhere.
    if address.ends_with(":0") {
        return false;
    }
    let connected = tokio::time::timeout(CONNECT, env.net.connect(address)).await;
    matches!(connected, Ok(Ok(_)))
}
