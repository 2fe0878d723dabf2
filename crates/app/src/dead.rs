//! `dead`: the command of operators for dead letters.
//!
//! Any product has it as one of its commands: [`Arguments`] are what it is told, [`run`] does it.

mod moving;
mod tell;
mod which;

use crate::cli::{Options, Product};
use crate::out;
use crate::reach::{self, Reached, Refused, Way};
use backlot_messaging::dead::{Id, Letters, Page};
use backlot_messaging::record::MAX_PAYLOAD;
use serde_json::json;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use which::{Choice, Chosen};

/// What `dead` is told.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  dead                                        how many letters each group has
  dead list averages --class exhausted --since 1h
  dead show ratings.averages.dlq/0/17         all of one: payload, headers, every failure
  dead show ratings.averages.dlq/0/17 --payload > letter.json
  dead edit ratings.averages.dlq/0/17 letter.json
  dead redrive averages --dry-run             how many would be sent again
  dead redrive averages --class exhausted --per-second 100
  dead redrive ratings.averages.dlq/0/17 ratings.averages.dlq/0/18 --yes
  dead purge averages --until 30d --yes

A letter is sent again to the group that gave it up, and to no other. What is interrupted goes on
where it ended when the same command is run again; nothing is sent twice. The running broker is
asked at its configured address; if none runs, its log in the data folder is opened.")]
pub struct Arguments {
    #[command(subcommand)]
    task: Option<Task>,
    #[command(flatten)]
    way: Way,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum Task {
    /// List letters, oldest first
    List {
        /// Of this group
        group: Option<String>,
        #[command(flatten)]
        choice: Choice,
        /// waiting or redriven
        #[arg(long)]
        status: Option<String>,
        /// The most letters
        #[arg(long, default_value_t = 50, value_name = "N")]
        limit: u32,
        /// Go on after this place, which the page before named
        #[arg(long, value_name = "PLACE")]
        after: Option<String>,
    },
    /// Show all of a letter
    Show {
        /// Its id, as a list shows it
        id: String,
        /// Only what would be sent again, byte for byte
        #[arg(long)]
        payload: bool,
    },
    /// Put another payload beside a letter's own, to be sent instead
    Edit {
        /// Its id, as a list shows it
        id: String,
        /// The file with the payload; '-' for the standard input
        file: PathBuf,
    },
    /// Send letters again, to their group alone
    Redrive {
        #[command(flatten)]
        chosen: Chosen,
        #[command(flatten)]
        how: moving::How,
        /// The most letters a second
        #[arg(long, value_name = "N")]
        per_second: Option<u32>,
        /// The most letters
        #[arg(long, value_name = "N")]
        limit: Option<u64>,
    },
    /// Remove letters, whether they wait or were sent again
    Purge {
        #[command(flatten)]
        chosen: Chosen,
        #[command(flatten)]
        how: moving::How,
        /// Only those that wait, or were redriven
        #[arg(long)]
        status: Option<String>,
    },
}

/// Does what was asked and says what came of it.
#[must_use]
pub fn run(arguments: &Arguments, product: &Product, options: &Options) -> ExitCode {
    let arguments = arguments.clone();
    reach::run(&arguments.way.clone(), product, options, move |reached| {
        Box::pin(async move { work(&arguments, reached).await })
    })
}

async fn work(arguments: &Arguments, reached: &Reached) -> Result<ExitCode, Refused> {
    let letters = Letters::of(reached.engine())?;
    let json = arguments.way.json;
    match &arguments.task {
        None => {
            let groups = letters.groups(&reached.cx()).await?;
            tell::groups(&groups, json, reached.env().clock.wall())?;
        }
        Some(Task::List {
            group,
            choice,
            status,
            limit,
            after,
        }) => {
            let now = reached.env().clock.wall();
            let mut filter = choice.filter(group.as_deref(), now)?;
            filter.status = status.as_deref().map(str::parse).transpose()?;
            let page = Page {
                after: after.as_deref().map(str::parse).transpose()?,
                size: *limit,
            };
            if let Some(group) = group {
                which::known(&letters, reached, group).await?;
            }
            let listed = letters.list(&reached.cx(), &filter, &page).await?;
            tell::list(&listed, json)?;
        }
        Some(Task::Show { id, payload }) => {
            let id: Id = id.parse()?;
            let letter = letters.show(&reached.cx(), &id).await?;
            if *payload {
                let mut out = std::io::stdout().lock();
                out.write_all(letter.payload())?;
                out.flush()?;
            } else {
                tell::letter(&letter, json)?;
            }
        }
        Some(Task::Edit { id, file }) => {
            let id: Id = id.parse()?;
            let payload = read(file)?;
            let size = payload.len();
            let edited = letters.edit(&reached.cx(), &id, payload).await;
            reached.noted("edit", &id, edited)?;
            if json {
                out::line(json!({ "id": id.to_string(), "bytes": size }))?;
            } else {
                out::line(format_args!(
                    "{id}: {size} bytes will be sent when it is redriven"
                ))?;
            }
        }
        Some(Task::Redrive {
            chosen,
            how,
            per_second,
            limit,
        }) => {
            let (per_second, limit) = (*per_second, *limit);
            let work = moving::Work::Redrive { per_second, limit };
            return moving::run(&letters, reached, chosen, how, (work, json)).await;
        }
        Some(Task::Purge {
            chosen,
            how,
            status,
        }) => {
            let status = status.as_deref().map(str::parse).transpose()?;
            let work = moving::Work::Purge { status };
            return moving::run(&letters, reached, chosen, how, (work, json)).await;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The payload in a file. One that is too large is read no further than it takes to know it.
fn read(file: &Path) -> Result<Vec<u8>, Refused> {
    let most = MAX_PAYLOAD as u64 + 1;
    let mut payload = Vec::new();
    let read = if file == Path::new("-") {
        std::io::stdin().lock().take(most).read_to_end(&mut payload)
    } else {
        std::fs::File::open(file).and_then(|open| open.take(most).read_to_end(&mut payload))
    };
    match read {
        Ok(_) if payload.len() > MAX_PAYLOAD => Err(Refused::Asked(format!(
            "file: {:?} has more than {MAX_PAYLOAD} bytes, which no message can have: keep large things elsewhere and send their place",
            file.display()
        ))),
        Ok(_) => Ok(payload),
        Err(error) => Err(Refused::Asked(format!(
            "file: {:?} cannot be read: {error}; name a file this user may read, or '-' for the standard input",
            file.display()
        ))),
    }
}
