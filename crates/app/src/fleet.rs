//! All services as child processes of this one, which hosts the registry, restarts what crashes,
//! and shows how it stands.

mod child;
mod status;

use crate::StartError;
use crate::cli::{Configuration, Options, Product};
use crate::out;
use crate::process::{self, CUT};
use crate::signals::Signals;
use backlot_cluster::Registry;
use backlot_core::Env;
use backlot_core::env::{Phase, Shutdown};
use backlot_service::logs;
use backlot_service::tasks::Tasks;
use child::{Child, Command};
use status::Board;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// How long children may take to drain: their own limit and a little more.
const DRAIN: Duration = Duration::from_secs(30);

/// What a fleet consists of.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Copies of each service; of one whose store is on SQLite there is one.
    pub replicas: usize,
}

/// Work that starts beside the fleet once it is up, for example loading a sample. It ends by itself
/// or when the fleet stops.
pub type Beside = Box<dyn FnOnce(Configuration, Env, Tasks, Arc<dyn Registry>) + Send>;

/// Runs all services of a product as child processes until told to stop.
#[must_use]
pub fn run(product: &Product, options: &Options, plan: Plan, beside: Beside) -> ExitCode {
    let env = Env::real();
    let configuration = match process::prepare(product, options, &env) {
        Ok(configuration) => configuration,
        Err(code) => return code,
    };
    let ran = process::runtime(&configuration.platform.runtime)
        .map_err(|source| StartError::System {
            what: "threads",
            source,
        })
        .and_then(|runtime| {
            let ended =
                runtime.block_on(keep(product, &configuration, options, plan, &env, beside));
            runtime.shutdown_timeout(Duration::from_millis(100));
            ended
        });
    logs::flush();
    match ran {
        Ok(code) => code,
        Err(error) => {
            out::note(format_args!("the fleet did not start: {}", error.chain()));
            ExitCode::FAILURE
        }
    }
}

async fn keep(
    product: &Product,
    configuration: &Configuration,
    options: &Options,
    plan: Plan,
    env: &Env,
    beside: Beside,
) -> Result<ExitCode, StartError> {
    let mut signals = Signals::take().map_err(|source| StartError::System {
        what: "signals",
        source,
    })?;
    let children = Tasks::new(env);
    // The broker ends last: the others tell it to the end what they have done.
    let brokers = Tasks::new(env);
    let last = Env {
        shutdown: Shutdown::new(),
        ..env.clone()
    };
    let tasks = Tasks::new(env);
    // Hosting starts before any child, so that the children follow.
    let registry = process::registry(&configuration.platform, env, &tasks).await?;
    let board = Board::default();
    let services = (product.services)();
    for (service, prepared) in services.iter().zip(&configuration.services) {
        let alone = service.keeps_data() && !prepared.shares_store();
        let replicas = if alone { 1 } else { plan.replicas.max(1) };
        if alone && plan.replicas > 1 {
            // The log of events is always on SQLite.
            let cure = match service.name() {
                crate::broker::NAME => "",
                _ => "; put its store on PostgreSQL or MySQL for more",
            };
            out::note(format_args!(
                "{}: one copy, because SQLite belongs to one process{cure}",
                service.name()
            ));
        }
        for replica in 0..replicas {
            let command =
                Command::new(service.name(), replica, options, prepared).map_err(|source| {
                    StartError::System {
                        what: "a child process",
                        source,
                    }
                })?;
            let (env, children) = match service.name() {
                crate::broker::NAME => (&last, &brokers),
                _ => (env, &children),
            };
            Child::keep(command, env, children, &board);
        }
    }
    status::show(&board, registry.resolver(), &services, env, &tasks);
    beside(configuration.clone(), env.clone(), tasks.clone(), registry);

    process::told_to_stop(&mut signals, options.exit_with_parent).await;
    out::note("\nstopping: calls in flight finish; a second Ctrl-C leaves at once");
    env.shutdown.advance(Phase::Draining);
    let left = signals.or_exit(children.shutdown(DRAIN)).await;
    last.shutdown.advance(Phase::Draining);
    let left_last = signals.or_exit(brokers.shutdown(DRAIN)).await;
    env.shutdown.advance(Phase::Stopped);
    tasks.shutdown(Duration::from_millis(200)).await;
    let cut = !left.aborted.is_empty() || !left_last.aborted.is_empty() || board.any_cut();
    Ok(if cut {
        ExitCode::from(CUT)
    } else {
        ExitCode::SUCCESS
    })
}
