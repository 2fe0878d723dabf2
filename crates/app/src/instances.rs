//! The instances of a running system, as commands find and ask them.

use crate::admin::client::{self, Pass};
use crate::admin::{self, Client};
use crate::cli::{Configuration, Options, Product};
use crate::{StartError, out, process, secret};
use async_trait::async_trait;
use backlot_cluster::{Registry, embedded};
use backlot_core::discovery::Instance;
use backlot_core::{Code, Env, Error};
use backlot_service::Tasks;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// How long an instance may take to answer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(3);

/// Which instances are meant.
#[async_trait]
pub(crate) trait Kind: Sync {
    /// Whether one announced that it is.
    fn announced(&self, instance: &Instance) -> bool;

    /// What one would have announced. `NotFound` if it is none.
    async fn ask(&self, asking: &mut Client) -> Result<(&'static str, String), Error>;
}

/// Why nothing was done.
pub(crate) enum Refused {
    Start(StartError),
    System(Error),
    Printed(std::io::Error),
}

impl From<StartError> for Refused {
    fn from(error: StartError) -> Self {
        Refused::Start(error)
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Refused::System(error)
    }
}

impl From<std::io::Error> for Refused {
    fn from(error: std::io::Error) -> Self {
        Refused::Printed(error)
    }
}

/// The way of a command to instances.
pub(crate) struct Way<'a> {
    configuration: &'a Configuration,
    env: &'a Env,
    tasks: &'a Tasks,
    token: Option<&'a str>,
}

/// Runs a command that asks instances, and says what came of it.
pub(crate) fn run(
    product: &Product,
    options: &Options,
    token: Option<&str>,
    work: impl AsyncFnOnce(&Way<'_>) -> Result<ExitCode, Refused>,
) -> ExitCode {
    let env = Env::real();
    let configuration = match process::prepare(product, options, &env) {
        Ok(configuration) => configuration,
        Err(code) => return code,
    };
    let ran = process::complete(&configuration, async {
        let tasks = Tasks::new(&env);
        let way = Way {
            configuration: &configuration,
            env: &env,
            tasks: &tasks,
            token,
        };
        let worked = work(&way).await;
        tasks.shutdown(Duration::from_millis(100)).await;
        worked
    });
    let told = match ran {
        Ok(code) => return code,
        Err(Refused::Printed(error)) => return out::ended(Err(error)),
        Err(Refused::Start(error)) => error.chain(),
        Err(Refused::System(error)) => error.chain(),
    };
    out::note(format_args!("{}: {told}", product.name));
    ExitCode::FAILURE
}

impl Way<'_> {
    /// The instances of a kind: those that announced it, or, where no registry answers, those of
    /// this configuration that run.
    pub(crate) async fn found(&self, kind: &dyn Kind) -> Result<Vec<Instance>, Error> {
        let config = &self.configuration.platform.registry;
        let registry = embedded::Client::new(config.clone(), self.env, self.tasks);
        let names = match config.services.is_empty() {
            true => registry.services().await.ok(),
            false => None,
        };
        let Some(names) = names else {
            return self.configured(kind).await;
        };
        let mut found = Vec::new();
        for name in names {
            let mut watch = registry.resolver().watch(&name);
            let known = watch.wait_for(|set| !set.instances.is_empty());
            if let Ok(Ok(set)) = tokio::time::timeout(PATIENCE, known).await {
                let some = set.instances.iter().filter(|it| kind.announced(it));
                found.extend(some.cloned());
            }
        }
        Ok(found)
    }

    /// The services of this configuration that run and are of a kind, each under its own name.
    async fn configured(&self, kind: &dyn Kind) -> Result<Vec<Instance>, Error> {
        let mut runs = false;
        let mut found = Vec::new();
        for service in &self.configuration.services {
            let (net, address) = (Arc::clone(&self.env.net), service.admin());
            match kind.ask(&mut Client::nobody(net, address)).await {
                Ok((key, what)) => {
                    let announced = [(client::ADDRESS, address.to_owned()), (key, what)];
                    found.push(Instance {
                        id: service.name().to_owned(),
                        service: service.name().to_owned(),
                        address: service.listen().to_owned(),
                        version: String::new(),
                        metadata: announced.map(|(key, it)| (key.to_owned(), it)).into(),
                    });
                    runs = true;
                }
                // It runs, and is none.
                Err(error) if error.code() != Code::Unavailable => runs = true,
                Err(_) => {}
            }
        }
        if runs {
            return Ok(found);
        }
        Err(Error::unavailable(format!(
            "no system runs here: neither a registry answers at {} nor one of its services where it is configured; start it, or name its registry with --set registry.address",
            self.configuration.platform.registry.address
        )))
    }

    /// A client of an instance's port for operators, for what everybody may know who reaches it.
    pub(crate) fn looking(&self, instance: &Instance) -> Client {
        let address = client::address(instance).unwrap_or_default();
        Client::nobody(Arc::clone(&self.env.net), address)
    }

    /// A client of an instance's port for operators, who show who they are.
    pub(crate) fn asking(&self, instance: &Instance) -> Result<Client, Refused> {
        let address = client::address(instance).unwrap_or_default();
        let net = Arc::clone(&self.env.net);
        if let Some(token) = self.token {
            return Ok(Client::with_token(net, address, token)?);
        }
        let data = &self.configuration.platform.data;
        if !data.join(admin::KEY).exists() {
            return Err(Error::unauthenticated(format!(
                "the operators' secret {} is not in {}: name the data folder of the running system with --data, or give the token of an operator with --token",
                admin::KEY,
                data.display()
            ))
            .into());
        }
        let secret = secret::load_or_make(data, admin::KEY, &self.env.dice)?;
        let pass = Pass::new(secret, self.env.clock.clone());
        Ok(Client::new(net, address, pass))
    }
}

/// Says that an instance did not do it.
pub(crate) fn missed(instance: &Instance, error: &Error) -> bool {
    out::note(format_args!("{}: {}", instance.id, error.message()));
    false
}

pub(crate) fn code(all_answered: bool) -> ExitCode {
    match all_answered {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}
