//! Running for real: on the machine's clock, network and signals.

use crate::cli::{Configuration, Options, Product};
use crate::config::{PlatformConfig, RuntimeConfig};
use crate::node::Node;
use crate::out;
use crate::signals::Signals;
use crate::store::Files;
use crate::{StartError, World, secret};
use backlot_cluster::{Fixed, Hosting, Registry};
use backlot_core::Env;
use backlot_core::env::Phase;
use backlot_service::logs;
use backlot_service::tasks::Tasks;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncReadExt;

/// Something was cut at the end.
pub const CUT: u8 = 3;
/// The configuration is wrong.
pub const MISCONFIGURED: u8 = 2;

/// Loads the configuration and starts logging; prints what is wrong, or what was asked for, and
/// gives the exit code then.
///
/// # Errors
/// The exit code when there is nothing more to do.
pub fn prepare(product: &Product, options: &Options, env: &Env) -> Result<Configuration, ExitCode> {
    let configuration = Configuration::load(product, options, env).map_err(|problems| {
        out::note(format_args!(
            "{}: the configuration is wrong\n{problems}",
            product.name
        ));
        ExitCode::from(MISCONFIGURED)
    })?;
    if options.print_config {
        return Err(out::answer(configuration.print().trim_end()));
    }
    if options.check_config {
        return Err(out::answer("the configuration is right"));
    }
    let log = &configuration.platform.log;
    logs::init(log.format, &log.filter).map_err(|error| {
        out::note(format_args!("{}: log.filter: {error}", product.name));
        ExitCode::from(MISCONFIGURED)
    })?;
    Ok(configuration)
}

/// The threads that run services.
///
/// # Errors
/// When the system has none to give.
pub fn runtime(config: &RuntimeConfig) -> std::io::Result<tokio::runtime::Runtime> {
    let mut builder = match config.workers {
        1 => tokio::runtime::Builder::new_current_thread(),
        0 => tokio::runtime::Builder::new_multi_thread(),
        workers => {
            let mut builder = tokio::runtime::Builder::new_multi_thread();
            builder.worker_threads(workers);
            builder
        }
    };
    builder.enable_all().build()
}

/// The outside of services that run for real.
#[must_use]
pub fn world(platform: &PlatformConfig, env: &Env, registry: Arc<dyn Registry>) -> World {
    let (folder, dice) = (platform.data.clone(), env.dice.branch("secrets"));
    World {
        env: env.clone(),
        registry,
        local: None,
        broker: None,
        stores: Arc::new(Files {
            folder: platform.data.clone(),
        }),
        secrets: Arc::new(move |name| secret::load_or_make(&folder, name, &dice)),
        identity: platform.identity.clone(),
    }
}

/// The registry that is configured: fixed addresses, or the embedded one, hosted here or elsewhere.
///
/// # Errors
/// When it can be neither hosted nor followed.
pub async fn registry(
    platform: &PlatformConfig,
    env: &Env,
    tasks: &Tasks,
) -> Result<Arc<dyn Registry>, StartError> {
    let config = &platform.registry;
    if !config.services.is_empty() {
        return Ok(Arc::new(Fixed::new(&config.services)));
    }
    let hosting = Hosting::join(config.clone(), env, tasks)
        .await
        .map_err(|error| StartError::Registry(Box::new(error)))?;
    Ok(Arc::new(hosting.registry()))
}

/// Does a command's work to its end.
///
/// # Errors
/// Those of the work, and when there are no threads to do it.
pub(crate) fn complete<T, E: From<StartError>>(
    configuration: &Configuration,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let runtime =
        runtime(&configuration.platform.runtime).map_err(|source| StartError::System {
            what: "threads",
            source,
        })?;
    let ended = runtime.block_on(work);
    // What is left is nobody's: it must not keep the process.
    runtime.shutdown_timeout(Duration::from_millis(100));
    logs::flush();
    ended
}

/// Waits for a signal, or with `exit_with_parent` for the end of standard input.
pub async fn told_to_stop(signals: &mut Signals, exit_with_parent: bool) {
    let parent_gone = async {
        if !exit_with_parent {
            return std::future::pending().await;
        }
        let mut stdin = tokio::io::stdin();
        let mut buffer = [0; 64];
        // Whatever arrives is nothing to us; the end or an error means the parent is gone.
        while stdin.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
    };
    tokio::select! {
        biased;
        () = signals.next() => {}
        () = parent_gone => {}
    }
}

/// Runs one service of a product until it is told to stop.
#[must_use]
pub fn run(product: &Product, service: &str, options: &Options) -> ExitCode {
    let env = Env::real();
    let configuration = match prepare(product, options, &env) {
        Ok(configuration) => configuration,
        Err(code) => return code,
    };
    let ran = complete(
        &configuration,
        serve(&configuration, service, options, &env),
    );
    match ran {
        Ok(code) => code,
        Err(error) => {
            out::note(format_args!("{service} did not start: {}", error.chain()));
            ExitCode::FAILURE
        }
    }
}

async fn serve(
    configuration: &Configuration,
    service: &str,
    options: &Options,
    env: &Env,
) -> Result<ExitCode, StartError> {
    let platform = &configuration.platform;
    let mut signals = Signals::take().map_err(|source| StartError::System {
        what: "signals",
        source,
    })?;
    let tasks = Tasks::new(env);
    let Some(prepared) = configuration.service(service) else {
        return Err(backlot_core::Error::not_found(format!(
            "no service {service:?} in this program"
        ))
        .into());
    };
    let registry = registry(platform, env, &tasks).await?;
    let node = Node::start(prepared, world(platform, env, registry)).await?;
    tracing::info!(service, address = %node.address(), admin = %node.admin(), "{service} serves");
    told_to_stop(&mut signals, options.exit_with_parent).await;
    tracing::info!(service, "{service} drains");
    // The registry confirms the removal: callers learn of it within one long poll.
    let spread = Duration::from_millis(500);
    let ended = signals.or_exit(node.stop(spread)).await;
    env.shutdown.advance(Phase::Stopped);
    tasks.shutdown(Duration::from_millis(200)).await;
    Ok(if ended.is_clean() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(CUT)
    })
}
