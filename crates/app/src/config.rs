//! What every process can be told, whatever services it runs.

use crate::store::StoreConfig;
use backlot_rpc::policy::Policies;
use backlot_service::config::{Problems, Tree, Validate, human_duration};
use backlot_service::logs;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Duration;

/// A service's table: its own keys, and `server` and `calls` below them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Table<C> {
    #[serde(flatten)]
    pub(crate) own: C,
    pub(crate) server: ServerConfig,
    pub(crate) calls: Policies,
}

impl<C: Validate> Validate for Table<C> {
    fn validate(&self, at: &str, problems: &mut Problems) {
        self.own.validate(at, problems);
        self.server.validate(&format!("{at}.server"), problems);
        self.calls.validate(&format!("{at}.calls"), problems);
    }
}

/// Where and how a service listens.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerConfig {
    /// `host:port` for calls; the service's own port on loopback if not set. Port 0 takes a free one.
    pub listen: Option<String>,
    /// `host:port` for metrics, probes and configuration; ten above `listen` if not set.
    pub admin: Option<String>,
    /// `host:port` that others are told; where it listens if not set.
    pub advertise: Option<String>,
    /// Where it runs, for example the name of a data centre: clients prefer instances of their own
    /// zone. Empty makes no difference between places.
    pub zone: String,
    /// Whether callers may ask which services there are; on loopback only if not set.
    pub reflection: Option<bool>,
    /// How long calls in flight may take to finish while draining: up to 20 s.
    #[serde(with = "human_duration")]
    pub drain: Duration,
    /// How long a connection takes calls, by a tenth more or less, before its caller is told to make
    /// another, so that calls come to new instances as well; 0s for ever.
    #[serde(with = "human_duration")]
    pub age: Duration,
    /// How long the sender of a stream of requests may be silent between two of them: up to 1 h.
    #[serde(with = "human_duration")]
    pub silence: Duration,
}

impl Default for ServerConfig {
    fn default() -> Self {
        ServerConfig {
            listen: None,
            admin: None,
            advertise: None,
            zone: String::new(),
            reflection: None,
            drain: Duration::from_secs(20),
            age: Duration::from_secs(30 * 60),
            silence: backlot_rpc::guard::MAX_SILENCE,
        }
    }
}

impl Validate for ServerConfig {
    fn validate(&self, at: &str, problems: &mut Problems) {
        let addresses = [
            ("listen", &self.listen),
            ("admin", &self.admin),
            ("advertise", &self.advertise),
        ];
        for (field, address) in addresses {
            let Some(address) = address else { continue };
            let port = address
                .rsplit_once(':')
                .filter(|(host, _)| !host.is_empty())
                .and_then(|(_, port)| port.parse::<u16>().ok());
            if port.is_none() {
                problems.push(
                    at,
                    field,
                    format!("{address:?} is not host:port"),
                    "write for example 127.0.0.1:8082",
                );
            }
        }
        if self.zone.len() > 64 || self.zone.contains(|sign: char| !sign.is_ascii_graphic()) {
            problems.push(
                at,
                "zone",
                format!(
                    "{:?} is not a name of up to 64 letters, digits and signs",
                    self.zone
                ),
                "write for example eu-west-1a, or leave it out",
            );
        }
        if self.drain > Duration::from_secs(20) {
            problems.push(
                at,
                "drain",
                "is longer than 20s",
                "a drain has 28 s in all: set at most 20s",
            );
        }
        let shortest = Duration::from_secs(10);
        if !self.age.is_zero() && self.age < shortest {
            problems.push(
                at,
                "age",
                "is shorter than 10s",
                "the default is 30m, and 0s is for ever",
            );
        }
        if self.silence.is_zero() || self.silence > backlot_rpc::guard::MAX_STREAM {
            problems.push(
                at,
                "silence",
                "is not between 1ms and 1h",
                "set for example 60s; a stream lives for an hour at most",
            );
        }
    }
}

/// Keys at the top of the configuration.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PlatformConfig {
    /// The folder for databases and keys.
    pub data: PathBuf,
    /// How logs are written.
    pub log: LogConfig,
    /// Where instances find each other.
    pub registry: backlot_cluster::Config,
    /// Whose tokens are believed.
    pub identity: IdentityConfig,
    /// Threads that run services.
    pub runtime: RuntimeConfig,
}

impl Default for PlatformConfig {
    fn default() -> Self {
        PlatformConfig {
            data: "data".into(),
            log: LogConfig::default(),
            registry: backlot_cluster::Config::default(),
            identity: IdentityConfig::default(),
            runtime: RuntimeConfig::default(),
        }
    }
}

impl Validate for PlatformConfig {
    fn validate(&self, at: &str, problems: &mut Problems) {
        if self.data.as_os_str().is_empty() {
            problems.push(at, "data", "is empty", "name a folder this user may write");
        }
        self.registry.validate("registry", problems);
        if self.runtime.workers > 1024 {
            problems.push(
                "runtime",
                "workers",
                "is above 1024",
                "set 0 for one per core, or the number of threads",
            );
        }
    }
}

/// How logs are written.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// `text` or `json`.
    pub format: logs::Format,
    /// Which lines, for example `info,backlot_rpc=debug`.
    pub filter: String,
}

impl Default for LogConfig {
    fn default() -> Self {
        LogConfig {
            format: logs::Format::Text,
            filter: "warn,backlot=info,movies=info".into(),
        }
    }
}

/// How a broker keeps the log of events and serves it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BrokerConfig {
    /// Where the log is: a SQLite file of its own.
    pub store: StoreConfig,
    /// How many messages may wait to be published, 1 to 1,000,000; one larger than a KiB counts as
    /// several.
    pub queue: u32,
    /// How often old messages are removed and groups are measured.
    #[serde(with = "human_duration")]
    pub tend: Duration,
    /// How many members of other processes there may be, 1 to 100,000.
    pub sessions: usize,
}

impl Default for BrokerConfig {
    fn default() -> Self {
        let kept = backlot_messaging::embedded::Options::default();
        BrokerConfig {
            store: StoreConfig::default(),
            queue: kept.queue,
            tend: kept.tend,
            sessions: backlot_broker::Options::default().sessions,
        }
    }
}

impl Validate for BrokerConfig {
    fn validate(&self, at: &str, problems: &mut Problems) {
        self.store.validate(&format!("{at}.store"), problems);
        if self.store.url.is_shared() {
            problems.push(
                &format!("{at}.store"),
                "url",
                "names a database server, and the log of events is SQLite",
                "write sqlite: for a file in the data folder, or leave it out",
            );
        }
        if !(1..=1_000_000).contains(&self.queue) {
            problems.push(
                at,
                "queue",
                "is not from 1 to 1000000",
                "the default is 65536",
            );
        }
        if self.tend < Duration::from_millis(10) || self.tend > Duration::from_secs(3600) {
            problems.push(
                at,
                "tend",
                "is not between 10ms and 1h",
                "the default is 5s",
            );
        }
        if !(1..=100_000).contains(&self.sessions) {
            problems.push(
                at,
                "sessions",
                "is not from 1 to 100000",
                "the default is 1024",
            );
        }
    }
}

/// Whose tokens are believed.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IdentityConfig {
    /// The issuer named in tokens; empty believes nobody's.
    pub issuer: String,
    /// The service that publishes the issuer's keys.
    pub service: String,
}

impl Default for IdentityConfig {
    fn default() -> Self {
        IdentityConfig {
            issuer: "movies".into(),
            service: "auth".into(),
        }
    }
}

/// Threads that run services.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RuntimeConfig {
    /// 1 runs all on one thread, which carries most per core for small handlers; 0 takes one thread
    /// per core.
    pub workers: usize,
}

impl Default for RuntimeConfig {
    fn default() -> Self {
        RuntimeConfig { workers: 1 }
    }
}

/// Takes the keys at the top.
pub(crate) fn platform(tree: &mut Tree, problems: &mut Problems) -> PlatformConfig {
    tree.take("", problems)
}
