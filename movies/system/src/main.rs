//! The `movies` command.

use backlot::app::cli::Options;
use backlot::app::{caches, calls, dead, fleet, group, process, queues, topics};
use clap::{Parser, Subcommand};
use movies_system::{PRODUCT, call, embedded, generate, import, sample, sim, token, upload};
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Movies: rate films. Without a command everything runs in this one process.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Examples:
  movies                                  run everything, nothing to install
  movies --data /var/lib/movies           keep the databases elsewhere
  movies fleet --replicas 2               every service its own process
  movies rating --set rating.server.listen=127.0.0.1:9082
  movies sim --seed 7                     the same services in a simulated world
  TOKEN=$(movies token ann)               a token for curl
  movies import movielens ml-latest-small  films and ratings of others; see movies import --help
  movies dead                             messages that failed for good; see movies dead --help
  movies call MovieService/GetMovieDetails '{\"movieId\": \"metropolis-1927\"}'"
)]
struct Command {
    #[command(subcommand)]
    task: Option<Task>,
    #[command(flatten)]
    options: Options,
    /// Start with an empty catalogue
    #[arg(long, global = true)]
    no_sample: bool,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Run every service as a process of its own, restarted when it crashes
    Fleet {
        /// Copies of each service; of one whose store is on SQLite there is one
        #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=100))]
        replicas: u16,
    },
    /// Run the log of events alone
    Broker,
    /// Run the token issuer alone
    Auth,
    /// Run the catalogue alone
    Metadata,
    /// Run the ratings alone
    Rating,
    /// Run the join of films and ratings alone
    Movie,
    /// Run the page alone
    Web,
    /// Run the maker of posters alone
    Poster,
    /// Run the sender of mail alone
    Mail,
    /// Run the operators' page alone
    Console,
    /// Run the pushing of messages to HTTP endpoints alone
    Webhooks,
    /// Run the services in a simulated world, with faults drawn from a seed
    #[command(disable_help_flag = true)]
    Sim {
        /// Passed on; try --help
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Print a token for a name, for the header "authorization: Bearer TOKEN"
    Token(token::Arguments),
    /// Call a method over gRPC with a request in JSON
    Call(call::Arguments),
    /// Give a film its poster
    Upload(upload::Arguments),
    /// Bring in films and ratings: MovieLens, IMDb's data sets, rating events
    Import(import::Arguments),
    /// Find dead letters, look at them, mend them, send them again
    Dead(dead::Arguments),
    /// List the topics of the log of events
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
    /// Make files of these kinds, of any size, to try an import with
    Generate(generate::Arguments),
}

fn main() -> ExitCode {
    let Command {
        task,
        options,
        no_sample,
    } = Command::parse();
    let service = |name| process::run(&PRODUCT, name, &options);
    match task {
        None => embedded::run(&options, !no_sample),
        Some(Task::Fleet { replicas }) => {
            let plan = fleet::Plan {
                replicas: replicas.into(),
            };
            fleet::run(&PRODUCT, &options, plan, sample::beside_fleet(!no_sample))
        }
        Some(Task::Broker) => service("broker"),
        Some(Task::Auth) => service("auth"),
        Some(Task::Metadata) => service("metadata"),
        Some(Task::Rating) => service("rating"),
        Some(Task::Movie) => service("movie"),
        Some(Task::Web) => service("web"),
        Some(Task::Poster) => service("poster"),
        Some(Task::Mail) => service("mail"),
        Some(Task::Console) => service("console"),
        Some(Task::Webhooks) => service("webhooks"),
        Some(Task::Sim { arguments }) => sim::run(&arguments),
        Some(Task::Token(arguments)) => token::run(&arguments, &options),
        Some(Task::Call(arguments)) => call::run(&arguments, &options),
        Some(Task::Upload(arguments)) => upload::run(&arguments, &options),
        Some(Task::Import(arguments)) => import::run(&arguments, &options),
        Some(Task::Dead(arguments)) => dead::run(&arguments, &PRODUCT, &options),
        Some(Task::Topics(arguments)) => topics::run(&arguments, &PRODUCT, &options),
        Some(Task::Lag(arguments)) => topics::lag(&arguments, &PRODUCT, &options),
        Some(Task::Queues(arguments)) => queues::run(&arguments, &PRODUCT, &options),
        Some(Task::Group(arguments)) => group::run(&arguments, &PRODUCT, &options),
        Some(Task::Caches(arguments)) => caches::run(&arguments, &PRODUCT, &options),
        Some(Task::Calls(arguments)) => calls::run(&arguments, &PRODUCT, &options),
        Some(Task::Generate(arguments)) => generate::run(&arguments),
    }
}
