//! How commands of operators reach the broker: the one that runs, or, while none does, its log in
//! the data folder.

use crate::cli::{Configuration, Options, Product};
use crate::config::IdentityConfig;
use crate::embedded::Embedded;
use crate::{StartError, World, broker, out, process, secret};
use backlot_broker::Remote;
use backlot_broker::contract::{BROKER_SERVICE, BrokerClient, QUEUE_SERVICE, QueueClient};
use backlot_cluster::{Fixed, Memory, Registry};
use backlot_core::principal::{Token, User};
use backlot_core::{BoxFuture, Code, Context, Env, Error, Principal, Timestamp};
use backlot_messaging::{Engine, Error as Failure};
use backlot_rpc::{Binding, Client, Local};
use backlot_service::logs::AUDIT;
use backlot_service::{Metrics, Tasks};
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// How long a broker may take to take a connection.
const CONNECT: Duration = Duration::from_secs(1);
/// How long a question may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Flags of every command that asks the broker.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Way {
    /// Ask with this token, of somebody who is an operator, instead of the data folder's secret
    #[arg(long, value_name = "TOKEN", global = true)]
    pub token: Option<String>,
    /// Answer in JSON
    #[arg(long, global = true)]
    pub json: bool,
}

/// A way to the log.
#[derive(Debug)]
pub struct Reached {
    engine: Arc<dyn Engine>,
    principal: Option<Principal>,
    env: Env,
    tasks: Tasks,
    /// The broker of this process, while no other runs.
    own: Option<Embedded>,
}

impl Reached {
    /// The broker that runs, at its configured address; if none does, its log is opened here,
    /// unless a token is shown: that is for one that runs.
    ///
    /// # Errors
    /// When neither is there, saying what to do.
    pub async fn find(
        way: &Way,
        configuration: &Configuration,
        env: &Env,
    ) -> Result<Self, StartError> {
        let platform = &configuration.platform;
        let tasks = Tasks::new(env);
        let prepared = configuration.service(broker::NAME).ok_or_else(|| {
            Error::failed_precondition("this program has no broker: its services share no log")
        })?;
        if let Some(fixed) = platform.registry.services.get(broker::NAME) {
            let fixed = fixed.clone();
            return Reached::remote(fixed, way, &platform.data, env, tasks);
        }
        let address = prepared.listen().to_owned();
        if answers(&address, env).await {
            return Reached::remote(vec![address], way, &platform.data, env, tasks);
        }
        if way.token.is_some() {
            return Err(Error::unavailable(format!(
                "no broker answers at {address}; --token is for one that runs: start it, or name its address with --set registry.services.broker"
            ))
            .into());
        }
        // To look for letters makes no log where there is none.
        let log = log_of(prepared.printed(), &platform.data);
        if !log.as_ref().is_some_and(|file| file.exists()) {
            let log = log.unwrap_or_else(|| platform.data.clone());
            return Err(Error::unavailable(format!(
                "no broker answers at {address}, and there is no log {}: start the broker, or name its folder with --data",
                log.display()
            ))
            .into());
        }
        // It listens as ever, so that nobody starts another on the same file meanwhile. Nobody
        // shows it a token.
        let world = World {
            local: Some(Local::new()),
            identity: IdentityConfig {
                issuer: String::new(),
                ..platform.identity.clone()
            },
            ..process::world(platform, env, Arc::new(Memory::new()))
        };
        let own = Embedded::start(std::slice::from_ref(prepared), world).await;
        let own = own.map_err(|error| {
            Error::unavailable(format!(
                "no broker answers at {address}, and its log cannot be opened here: if it is open in a broker elsewhere, name that one's address with --set registry.services.broker"
            ))
            .with_source(error)
        })?;
        Ok(Reached {
            engine: Arc::new(own.broker().clone()),
            principal: None,
            env: env.clone(),
            tasks,
            own: Some(own),
        })
    }

    fn remote(
        addresses: Vec<String>,
        way: &Way,
        data: &Path,
        env: &Env,
        tasks: Tasks,
    ) -> Result<Self, StartError> {
        let at = BTreeMap::from([(broker::NAME.to_owned(), addresses)]);
        let resolver = Fixed::new(&at).resolver();
        let caller = backlot_rpc::Caller::new(&Metrics::new(), env, &tasks);
        let instances = resolver.watch(broker::NAME);
        let to = |contract| {
            let instances = instances.clone();
            Binding::Remote(backlot_rpc::Remote::new(
                contract,
                broker::NAME,
                instances,
                &caller,
            ))
        };
        let client = BrokerClient::bind(to(&BROKER_SERVICE));
        let queues = QueueClient::bind(to(&QUEUE_SERVICE));
        let (engine, principal) = match &way.token {
            Some(token) => (Remote::for_operator(client, env, &tasks), Some(user(token))),
            None => {
                if !data.join(broker::KEY).exists() {
                    let data = data.display();
                    return Err(Error::unauthenticated(format!(
                        "a broker answers, and its secret {} is not in {data}: name the data folder of the running system with --data, or give the token of an operator with --token",
                        broker::KEY
                    ))
                    .into());
                }
                let secret = secret::load_or_make(data, broker::KEY, &env.dice)?;
                (Remote::new(client, secret, env, &tasks), None)
            }
        };
        Ok(Reached {
            engine: Arc::new(engine.with_queues(queues)),
            principal,
            env: env.clone(),
            tasks,
            own: None,
        })
    }

    /// The log.
    #[must_use]
    pub fn engine(&self) -> &dyn Engine {
        &*self.engine
    }

    /// The seams.
    #[must_use]
    pub fn env(&self) -> &Env {
        &self.env
    }

    /// Notes a change in the audit where no broker does, which is so while its log is open here; gives
    /// back what became of it.
    ///
    /// # Errors
    /// What it is handed.
    pub fn noted<T, E: fmt::Display>(
        &self,
        what: &'static str,
        to: impl fmt::Display,
        outcome: Result<T, E>,
    ) -> Result<T, E> {
        if self.own.is_some() {
            let user = self.env.variables.get("USER");
            let who = user.map_or("somebody on this machine", String::as_str);
            let said = match &outcome {
                Ok(_) => "done".to_owned(),
                Err(error) => error.to_string(),
            };
            tracing::info!(target: AUDIT, who, what, %to, outcome = said, "{what} by {who}");
        }
        outcome
    }

    /// A call that may take twenty seconds.
    #[must_use]
    pub fn cx(&self) -> Context {
        self.within(PATIENCE)
    }

    /// A call that may take so long.
    #[must_use]
    pub fn within(&self, limit: Duration) -> Context {
        let cx = Context::system("operator").with_timeout(limit);
        match &self.principal {
            Some(principal) => cx.with_principal(principal.clone()),
            None => cx,
        }
    }

    /// Lets go of the broker, or closes its log.
    pub async fn close(self) {
        if let Some(own) = self.own {
            own.stop().await;
        }
        self.tasks.shutdown(Duration::from_millis(100)).await;
    }
}

/// The token speaks for itself: whom it names is for the broker to find out.
fn user(token: &str) -> Principal {
    Principal::User(Arc::new(User {
        subject: String::new(),
        roles: Default::default(),
        audience: [broker::NAME.to_owned()].into(),
        expires: Timestamp(i64::MAX),
        token: Token::new(token.trim()),
    }))
}

/// The file of a broker's log, by its configuration in force; none if it is in memory.
fn log_of(printed: &str, data: &Path) -> Option<PathBuf> {
    let printed: toml::Table = printed.parse().ok()?;
    let url = printed
        .get(broker::NAME)?
        .get("store")?
        .get("url")?
        .as_str()?;
    match url.strip_prefix("sqlite:")? {
        ":memory:" => None,
        "" => Some(data.join(format!("{}.db", broker::NAME))),
        file => Some(data.join(file)),
    }
}

/// Whether somebody listens at an address.
async fn answers(address: &str, env: &Env) -> bool {
    // A broker that took any free port is found nowhere.
    if address.ends_with(":0") {
        return false;
    }
    let connected = tokio::time::timeout(CONNECT, env.net.connect(address)).await;
    matches!(connected, Ok(Ok(_)))
}

/// Why a command did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// The broker cannot be reached.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The log, or the broker, says so.
    #[error(transparent)]
    Log(#[from] Failure),
    /// What was asked for cannot be.
    #[error("{0}")]
    Asked(String),
    /// The answer cannot be printed.
    #[error(transparent)]
    Printed(#[from] std::io::Error),
}

/// A command at work.
type Working<'a> = BoxFuture<'a, Result<ExitCode, Refused>>;

/// Runs a command that asks the broker; prints why when it cannot.
#[must_use]
pub fn run(
    way: &Way,
    product: &Product,
    options: &Options,
    work: impl for<'a> FnOnce(&'a Reached) -> Working<'a>,
) -> ExitCode {
    let env = Env::real();
    let configuration = match process::prepare(product, options, &env) {
        Ok(configuration) => configuration,
        Err(code) => return code,
    };
    let ran = process::complete(&configuration, async {
        let reached = Reached::find(way, &configuration, &env).await?;
        let worked = work(&reached).await;
        reached.close().await;
        worked
    });
    match ran {
        Ok(code) => code,
        Err(Refused::Printed(error)) => out::ended(Err(error)),
        Err(error) => {
            out::note(format_args!("{}: {}", product.name, told(&error)));
            ExitCode::FAILURE
        }
    }
}

fn told(error: &Refused) -> String {
    let text = match error {
        Refused::Start(error) => error.chain(),
        error => backlot_core::error::chain(error),
    };
    match error {
        Refused::Log(Failure::Refused {
            code: Code::Unauthenticated | Code::PermissionDenied,
            ..
        }) => format!(
            "{text}\nname the data folder of the running system with --data, or give the token of an operator with --token"
        ),
        Refused::Log(Failure::Unknown { .. }) => {
            format!("{text}\nrun the same command again: what was done already is not done twice")
        }
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_is_where_the_configuration_says() {
        let at = |url: &str| {
            let printed = format!("[broker]\nqueue = 1\n[broker.store]\nurl = {url:?}\n");
            log_of(&printed, Path::new("/data"))
        };
        assert_eq!(at("sqlite:"), Some("/data/broker.db".into()));
        assert_eq!(at("sqlite:log.db"), Some("/data/log.db".into()));
        assert_eq!(at("sqlite:/log.db"), Some("/log.db".into()));
        assert_eq!(at("sqlite::memory:"), None);
    }
}
