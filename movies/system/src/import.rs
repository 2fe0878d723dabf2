//! `movies import`: brings in what others have, into the running system or alone.

mod identity;
mod services;
mod taking_in;

use crate::PRODUCT;
use backlot::app::StartError;
use backlot::app::cli::{Configuration, Options};
use backlot::app::out;
use backlot::app::process;
use backlot::app::signals::{INTERRUPTED, Signals};
use backlot::core::env::{Phase, Shutdown};
use backlot::messaging::Bus;
use backlot::service::tasks::Tasks;
use backlot::{Code, Env};
use identity::{Bearer, Signer};
use movies_import::{
    Destination, Identity, Import, ImportError, Progress, Settings, Summary, events, imdb,
    movielens,
};
use services::Services;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// What `movies import` is told.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  movies import movielens ml-latest-small
  movies import imdb title.basics.tsv.gz title.ratings.tsv.gz --min-votes 1000
  movies import imdb title.*.tsv.gz name.basics.tsv.gz     with directors and cast
  movies import events ratingsdata.json --strict
  movies import movielens ml-32m --report bad.jsonl        all bad lines in a file
  movies import movielens ml-32m --via-broker              ratings as events, through the log

What is interrupted goes on where it ended when the same command is run again; what is there already
is not written twice. The running system is asked at its configured addresses; if none runs, the
services needed start in this process, on the data folder of --data.")]
pub struct Arguments {
    #[command(subcommand)]
    kind: Kind,
    #[command(flatten)]
    how: How,
}

#[derive(Debug, clap::Subcommand)]
enum Kind {
    /// MovieLens: films and ratings (ml-latest-small, ml-25m, ml-32m)
    Movielens {
        /// The folder with movies.csv, ratings.csv and links.csv
        folder: PathBuf,
    },
    /// IMDb's data sets: films, and averages kept apart from ratings people gave here
    Imdb {
        /// title.basics, title.ratings, title.crew, title.principals, name.basics; .tsv or .tsv.gz,
        /// in any order
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Take films with at least so many votes
        #[arg(long, default_value_t = 0, value_name = "VOTES")]
        min_votes: u32,
    },
    /// Rating events: a JSON array of any size
    Events {
        /// Events {userId, recordId, recordType, value, providerId, eventType}; values are stars, 1 to 5
        file: PathBuf,
    },
}

#[derive(Debug, clap::Args)]
struct How {
    /// Stop at the first bad line
    #[arg(long, global = true)]
    strict: bool,
    /// Write bad lines to this file, a JSON object each
    #[arg(long, value_name = "FILE", global = true)]
    report: Option<PathBuf>,
    /// Begin anew, wherever the last run ended
    #[arg(long, global = true)]
    restart: bool,
    /// The name to act under
    #[arg(
        long = "as",
        value_name = "NAME",
        default_value = "importer",
        global = true
    )]
    name: String,
    /// Publish ratings to the broker, from which the rating service takes them in, instead of
    /// calling it
    #[arg(long, global = true, conflicts_with = "token")]
    via_broker: bool,
    /// Act with this token instead of one of the data folder's key; see movies token --importer
    #[arg(long, value_name = "TOKEN", global = true)]
    token: Option<String>,
}

/// Imports and says what came of it.
#[must_use]
pub fn run(arguments: &Arguments, options: &Options) -> ExitCode {
    let env = Env::real();
    let configuration = match process::prepare(&PRODUCT, options, &env) {
        Ok(configuration) => configuration,
        Err(code) => return code,
    };
    // Files that are wrong are told before anything is started.
    let import = match open(&arguments.kind) {
        Ok(import) => import,
        Err(error) => {
            out::note(format_args!("nothing imported: {}", error.chain()));
            return ExitCode::FAILURE;
        }
    };
    let ran = process::runtime(&configuration.platform.runtime)
        .map_err(|source| StartError::System {
            what: "threads",
            source,
        })
        .and_then(|runtime| {
            let summary = runtime.block_on(work(import, &arguments.how, &configuration, &env));
            runtime.shutdown_timeout(Duration::from_millis(100));
            summary
        });
    backlot::service::logs::flush();
    match ran {
        Ok(summary) => tell(&summary),
        Err(error) => {
            out::note(format_args!("nothing imported: {}", error.chain()));
            ExitCode::FAILURE
        }
    }
}

fn open(kind: &Kind) -> Result<Import, ImportError> {
    match kind {
        Kind::Movielens { folder } => movielens::open(folder),
        Kind::Imdb { files, min_votes } => imdb::open(
            files,
            imdb::Choice {
                min_votes: *min_votes,
            },
        ),
        Kind::Events { file } => events::open(file),
    }
}

async fn work(
    import: Import,
    how: &How,
    configuration: &Configuration,
    env: &Env,
) -> Result<Summary, StartError> {
    let mut signals = Signals::take().map_err(|source| StartError::System {
        what: "signals",
        source,
    })?;
    let (tasks, stop) = (Tasks::new(env), Shutdown::new());
    let platform = &configuration.platform;
    let identity: Arc<dyn Identity> = match &how.token {
        Some(token) => Arc::new(Bearer::new(token)),
        None => Arc::new(Signer::new(platform, &how.name, env)?),
    };
    let services = Services::find(configuration, how.token.is_some(), env, &tasks).await?;
    for note in import.notes() {
        out::note(note);
    }
    let mut destination = Destination::new(
        services.metadata(),
        services.rating(),
        identity,
        env.dice.branch("import"),
    );
    let log = if how.via_broker {
        let log = services.broker(platform, env, &tasks)?;
        destination = destination.publishing(Bus::new(Arc::clone(&log), "importer", env));
        Some(log)
    } else {
        None
    };
    let settings = Settings {
        folder: platform.data.join("imports"),
        target: services.target().to_owned(),
        restart: how.restart,
        strict: how.strict,
        report: how.report.clone(),
    };
    let told = stop.clone();
    tasks.spawn_endless("signals", async move {
        signals.next().await;
        out::note("\nstopping: what is under way ends; a second Ctrl-C leaves at once");
        told.advance(Phase::Draining);
        signals.next().await;
        std::process::exit(INTERRUPTED);
    });
    let summary = import
        .run(&destination, &settings, &stop, Progress::shown())
        .await;
    if let Some(log) = log
        && summary.tally.submitted > 0
        && services.are_own()
    {
        taking_in::wait(&log, &stop).await;
    }
    tasks.shutdown(Duration::from_millis(100)).await;
    services.stop().await;
    Ok(summary)
}

/// Prints what was done; the exit code.
fn tell(summary: &Summary) -> ExitCode {
    let Summary {
        tally,
        problems,
        took,
        ended,
    } = summary;
    let (how, seconds) = (
        if ended.is_some() {
            "not all is imported"
        } else {
            "imported"
        },
        took.as_secs_f64(),
    );
    let mut text = format!("{how}, in {seconds:.1} s\n{tally}");
    for problem in problems {
        text += &format!("\n    {problem}");
    }
    let more = tally.bad.saturating_sub(problems.len() as u64);
    if more > 0 {
        text += &format!("\n    and {more} more; --report FILE writes all of them to a file");
    }
    let printed = out::answer(text);
    match ended {
        None if tally.damaged > 0 => {
            out::note("a file is damaged: what could be read of it is in");
            ExitCode::FAILURE
        }
        None => printed,
        Some(error) => {
            out::note(error.chain());
            if let ImportError::Service { source, .. } = error
                && matches!(
                    source.code(),
                    Code::Unauthenticated | Code::PermissionDenied
                )
            {
                out::note(format_args!(
                    "name the data folder of the running system with --data, or give a token of it with --token \"$(movies token importer --importer)\""
                ));
            }
            ExitCode::from(match error {
                ImportError::Stopped => u8::try_from(INTERRUPTED).unwrap_or(1),
                _ => 1,
            })
        }
    }
}
