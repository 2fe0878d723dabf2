//! `caches`: how the caches of a running system do, and that they forget.

use crate::admin::client::Pass;
use crate::admin::{self, Client, client};
use crate::cli::{Configuration, Options, Product};
use crate::table::table;
use crate::{StartError, out, process, secret};
use backlot_cache::Report;
use backlot_cluster::{Registry, embedded};
use backlot_core::discovery::Instance;
use backlot_core::{Code, Env, Error};
use backlot_service::Tasks;
use serde_json::{Value, json};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// How long an instance may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// What `caches` is told.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  caches                            every cache of every instance, and how often it had the answer
  caches purge films                forget all films
  caches purge films tt0133093      forget one

A value that is forgotten is fetched when somebody next asks for it; until then it does not stand in
for a source that is away.")]
pub struct Arguments {
    #[command(subcommand)]
    task: Option<Task>,
    /// Ask with this token, of somebody who is an operator, instead of the data folder's secret
    #[arg(long, value_name = "TOKEN", global = true)]
    token: Option<String>,
    /// Answer in JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum Task {
    /// Have every instance forget what a cache holds
    Purge {
        /// The cache
        cache: String,
        /// Only the value of this key
        key: Option<String>,
    },
}

/// Does what was asked and says what came of it.
#[must_use]
pub fn run(arguments: &Arguments, product: &Product, options: &Options) -> ExitCode {
    let env = Env::real();
    let configuration = match process::prepare(product, options, &env) {
        Ok(configuration) => configuration,
        Err(code) => return code,
    };
    let ran = process::complete(&configuration, async {
        let tasks = Tasks::new(&env);
        let worked = work(arguments, &configuration, &env, &tasks).await;
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

/// Why nothing was done.
enum Refused {
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

async fn work(
    arguments: &Arguments,
    configuration: &Configuration,
    env: &Env,
    tasks: &Tasks,
) -> Result<ExitCode, Refused> {
    let instances = with_caches(configuration, env, tasks).await?;
    match &arguments.task {
        None => list(arguments, env, &instances).await,
        Some(Task::Purge { cache, key }) => {
            purge(
                (arguments, configuration, env),
                &instances,
                cache,
                key.as_deref(),
            )
            .await
        }
    }
}

/// The instances that have caches: those that announced them, or, where no registry answers, those
/// of this configuration that run.
async fn with_caches(
    configuration: &Configuration,
    env: &Env,
    tasks: &Tasks,
) -> Result<Vec<Instance>, Error> {
    let config = &configuration.platform.registry;
    let registry = embedded::Client::new(config.clone(), env, tasks);
    let names = match config.services.is_empty() {
        true => registry.services().await.ok(),
        false => None,
    };
    let Some(names) = names else {
        return configured(configuration, env).await;
    };
    let mut found = Vec::new();
    for name in names {
        let mut watch = registry.resolver().watch(&name);
        let known = watch.wait_for(|set| !set.instances.is_empty());
        if let Ok(Ok(set)) = tokio::time::timeout(PATIENCE, known).await {
            let some = set.instances.iter().filter(|it| client::has_caches(it));
            found.extend(some.cloned());
        }
    }
    Ok(found)
}

/// The services of this configuration that run and have caches, each under its own name.
async fn configured(configuration: &Configuration, env: &Env) -> Result<Vec<Instance>, Error> {
    let mut runs = false;
    let mut found = Vec::new();
    for service in &configuration.services {
        let (net, address) = (Arc::clone(&env.net), service.admin());
        let mut asking = Client::nobody(net, address);
        match asking.caches(PATIENCE).await {
            Ok(reports) => {
                let names: Vec<_> = reports.into_iter().map(|report| report.name).collect();
                found.push(Instance {
                    id: service.name().to_owned(),
                    service: service.name().to_owned(),
                    address: service.listen().to_owned(),
                    version: String::new(),
                    metadata: client::of_caches(address, &names),
                });
                runs = true;
            }
            // It runs, and has none.
            Err(error) if error.code() != Code::Unavailable => runs = true,
            Err(_) => {}
        }
    }
    if runs {
        return Ok(found);
    }
    Err(Error::unavailable(format!(
        "no system runs here: neither a registry answers at {} nor one of its services where it is configured; start it, or name its registry with --set registry.address",
        configuration.platform.registry.address
    )))
}

/// A client of an instance's port for operators.
fn asking(
    (arguments, configuration, env): (&Arguments, &Configuration, &Env),
    instance: &Instance,
) -> Result<Client, Refused> {
    let address = client::address(instance).unwrap_or_default();
    let net = Arc::clone(&env.net);
    if let Some(token) = &arguments.token {
        return Ok(Client::with_token(net, address, token)?);
    }
    let data = &configuration.platform.data;
    if !data.join(admin::KEY).exists() {
        return Err(Error::unauthenticated(format!(
            "the operators' secret {} is not in {}: name the data folder of the running system with --data, or give the token of an operator with --token",
            admin::KEY,
            data.display()
        ))
        .into());
    }
    let secret = secret::load_or_make(data, admin::KEY, &env.dice)?;
    let pass = Pass::new(secret, env.clock.clone());
    Ok(Client::new(net, address, pass))
}

async fn list(
    arguments: &Arguments,
    env: &Env,
    instances: &[Instance],
) -> Result<ExitCode, Refused> {
    let mut rows = Vec::new();
    let mut all_answered = true;
    for instance in instances {
        // How they do is for everybody to know who reaches the port.
        let address = client::address(instance).unwrap_or_default();
        let mut asking = Client::nobody(Arc::clone(&env.net), address);
        match asking.caches(PATIENCE).await {
            Ok(reports) => rows.extend(reports.into_iter().map(|report| (instance, report))),
            Err(error) => all_answered &= missed(instance, &error),
        }
    }
    if arguments.json {
        let rows: Vec<_> = rows
            .iter()
            .map(|(it, report)| in_json(it, report))
            .collect();
        out::line(json!({ "caches": rows }))?;
    } else if rows.is_empty() {
        out::line("no instance announced a cache")?;
    } else {
        let rows: Vec<_> = rows.iter().map(|(it, report)| row(it, report)).collect();
        let head = [
            "SERVICE", "INSTANCE", "CACHE", "VALUES", "KIB", "ASKED", "HITS", "STALE", "FAILED",
        ];
        out::line(table(head, &rows))?;
    }
    Ok(code(all_answered))
}

async fn purge(
    from: (&Arguments, &Configuration, &Env),
    instances: &[Instance],
    cache: &str,
    key: Option<&str>,
) -> Result<ExitCode, Refused> {
    let mut done = Vec::new();
    let mut all_answered = true;
    for instance in instances {
        if !client::caches(instance).any(|name| name == cache) {
            continue;
        }
        let forgotten = asking(from, instance)?.forget(cache, key, PATIENCE).await;
        match forgotten {
            Ok(values) => done.push((instance, values)),
            // It is for all of them to say so.
            Err(error) if error.code() == Code::InvalidArgument => {
                return Err(error.into());
            }
            Err(error) => all_answered &= missed(instance, &error),
        }
    }
    if done.is_empty() && all_answered {
        let mut names: Vec<_> = instances.iter().flat_map(client::caches).collect();
        names.sort_unstable();
        names.dedup();
        return Err(Error::not_found(format!(
            "no instance has a cache {cache:?}; there are: {}",
            names.join(", ")
        ))
        .into());
    }
    if from.0.json {
        let done: Vec<_> = done
            .iter()
            .map(|(it, values)| json!({ "instance": it.id, "forgotten": values }))
            .collect();
        out::line(json!({ "cache": cache, "key": key, "instances": done }))?;
    } else {
        for (instance, values) in &done {
            let noun = if *values == 1 { "value" } else { "values" };
            out::line(format_args!(
                "{}: {cache} forgot {values} {noun}",
                instance.id
            ))?;
        }
    }
    Ok(code(all_answered))
}

/// Says that an instance did not do it.
fn missed(instance: &Instance, error: &Error) -> bool {
    out::note(format_args!("{}: {}", instance.id, error.message()));
    false
}

fn code(all_answered: bool) -> ExitCode {
    match all_answered {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

fn row(instance: &Instance, report: &Report) -> [String; 9] {
    let ratio = report.hit_ratio();
    [
        instance.service.clone(),
        instance.id.clone(),
        report.name.clone(),
        report.values.to_string(),
        report.bytes.div_ceil(1024).to_string(),
        report.asked().to_string(),
        ratio.map_or_else(String::new, |ratio| format!("{:.1} %", ratio * 100.0)),
        report.stale.to_string(),
        report.failed.to_string(),
    ]
}

fn in_json(instance: &Instance, report: &Report) -> Value {
    json!({
        "service": instance.service,
        "instance": instance.id,
        "hitRatio": report.hit_ratio(),
        "report": report,
    })
}
