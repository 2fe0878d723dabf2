//! Everything in this one process.

use crate::{PRODUCT, greeting, sample};
use backlot::app::cli::{Configuration, Options};
use backlot::app::embedded::Embedded;
use backlot::app::out;
use backlot::app::process::{self, CUT};
use backlot::app::signals::Signals;
use backlot::app::{StartError, World};
use backlot::cluster::Memory;
use backlot::rpc::Local;
use backlot::service::tasks::Tasks;
use backlot::{Dice, Env};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// Runs until told to stop.
#[must_use]
pub fn run(options: &Options, with_sample: bool) -> ExitCode {
    let env = Env::real();
    let configuration = match process::prepare(&PRODUCT, options, &env) {
        Ok(configuration) => configuration,
        Err(code) => return code,
    };
    let ran = process::runtime(&configuration.platform.runtime)
        .map_err(|source| StartError::System {
            what: "threads",
            source,
        })
        .and_then(|runtime| {
            let ended = runtime.block_on(serve(&configuration, options, &env, with_sample));
            runtime.shutdown_timeout(Duration::from_millis(100));
            ended
        });
    backlot::service::logs::flush();
    match ran {
        Ok(code) => code,
        Err(error) => {
            out::note(format_args!("movies did not start: {}", error.chain()));
            ExitCode::FAILURE
        }
    }
}

async fn serve(
    configuration: &Configuration,
    options: &Options,
    env: &Env,
    with_sample: bool,
) -> Result<ExitCode, StartError> {
    let mut signals = Signals::take().map_err(|source| StartError::System {
        what: "signals",
        source,
    })?;
    let world = World {
        local: Some(Local::new()),
        ..process::world(&configuration.platform, env, Arc::new(Memory::new()))
    };
    let running = Embedded::start(&configuration.services, world.clone()).await?;
    let tasks = Tasks::new(env);
    if with_sample {
        let dice: Dice = env.dice.branch("sample");
        let clients = sample::Clients::direct(running.local(), &dice);
        sample::load_in(&tasks, clients, world, dice);
    }
    greeting::print(&running, configuration);

    process::told_to_stop(&mut signals, options.exit_with_parent).await;
    out::note("\nstopping: calls in flight finish; a second Ctrl-C leaves at once");
    let ended = signals
        .or_exit(async {
            tasks.shutdown(Duration::from_millis(100)).await;
            running.stop().await
        })
        .await;
    Ok(if ended.is_clean() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(CUT)
    })
}
