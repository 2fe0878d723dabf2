//! The `backlot` command: runs a log of events alone, and is the way of its operators to what lies
//! in it. Any product has the same commands under its own name.

use backlot_app::cli::{Options, Product};
use backlot_app::{broker, caches, calls, dead, group, process, queues, topics};
use clap::{Parser, Subcommand};
use std::process::ExitCode;

const PRODUCT: Product = Product {
    name: "backlot",
    variables: "BACKLOT",
    data: "data",
    services: || {
        vec![
            broker::service(),
            backlot_webhooks::service(),
            backlot_console::service(),
        ]
    },
};

/// A durable log of events, and what failed in it.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Examples:
  backlot broker                          run a broker on port 8085, its log in data/broker.db
  backlot --data /var/lib/movies dead     dead letters of a system, whether it runs or not
  backlot dead redrive averages --dry-run
  backlot lag                             how far each group of readers is behind
  backlot console                         the operators' page on port 8089, beside a broker
  backlot queues --leases                 which message is with which worker, until when"
)]
struct Command {
    #[command(subcommand)]
    task: Task,
    #[command(flatten)]
    options: Options,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Run a broker until it is told to stop
    Broker,
    /// Run the pushing of messages to HTTP endpoints until it is told to stop
    Webhooks,
    /// Run the operators' page until it is told to stop
    Console,
    /// Find dead letters, look at them, mend them, send them again
    Dead(dead::Arguments),
    /// List the topics of the log
    Topics(topics::Arguments),
    /// Say how far each group of readers is behind
    Lag(topics::LagArguments),
    /// Say what workers have out of each queue, and who waits
    Queues(queues::Arguments),
    /// Stop a group of readers, resume it, move it in the log, remove it
    Group(group::Arguments),
    /// Say how caches do, and have them forget
    Caches(caches::Arguments),
    /// Say whom instances call and how those look to them, and change how they go about failures
    Calls(calls::Arguments),
}

fn main() -> ExitCode {
    let Command { task, options } = Command::parse();
    match task {
        Task::Broker => process::run(&PRODUCT, broker::NAME, &options),
        Task::Webhooks => process::run(&PRODUCT, backlot_webhooks::NAME, &options),
        Task::Console => process::run(&PRODUCT, backlot_console::NAME, &options),
        Task::Dead(arguments) => dead::run(&arguments, &PRODUCT, &options),
        Task::Topics(arguments) => topics::run(&arguments, &PRODUCT, &options),
        Task::Lag(arguments) => topics::lag(&arguments, &PRODUCT, &options),
        Task::Queues(arguments) => queues::run(&arguments, &PRODUCT, &options),
        Task::Group(arguments) => group::run(&arguments, &PRODUCT, &options),
        Task::Caches(arguments) => caches::run(&arguments, &PRODUCT, &options),
        Task::Calls(arguments) => calls::run(&arguments, &PRODUCT, &options),
    }
}
