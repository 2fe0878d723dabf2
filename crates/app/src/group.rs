//! `group`: what operators do with a group of readers: stop it, resume it, move it, remove it.

use crate::cli::{Options, Product};
use crate::reach::{self, Reached, Refused, Way};
use crate::table::time_of;
use crate::{ask, out};
use backlot_core::Timestamp;
use backlot_messaging::engine::{GroupReport, Position, Seek};
use serde_json::json;
use std::fmt;
use std::process::ExitCode;

/// What `group` is told.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  group pause ratings averages              nothing is delivered until it is resumed
  group resume ratings averages
  group seek ratings averages 2h            read again what was published in the last two hours
  group seek ratings averages oldest --yes
  group seek ratings averages 3/1500        partition 3 from offset 1500 on
  group forget ratings averages             it begins anew when it comes back

What a service has done once it does not do again: a group that makes its effects once passes over
what it is given a second time. To have it work again, its rows of inbox or positions are removed
from the service's store as well.")]
pub struct Arguments {
    #[command(subcommand)]
    task: Task,
    #[command(flatten)]
    way: Way,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum Task {
    /// Stop delivery to a group, also when it or the broker is started again
    Pause(Which),
    /// Deliver to a group again
    Resume(Which),
    /// Move a group to another place in the log
    Seek {
        #[command(flatten)]
        which: Which,
        /// oldest, newest, a time (2026-05-01T12:00:00Z, or 2h for two hours ago), or
        /// PARTITION/OFFSET
        to: String,
        /// Do it without asking
        #[arg(long, short)]
        yes: bool,
    },
    /// Remove a group that nobody reads for, and all that is known of it
    Forget {
        #[command(flatten)]
        which: Which,
        /// Do it without asking
        #[arg(long, short)]
        yes: bool,
    },
}

#[derive(Clone, Debug, clap::Args)]
struct Which {
    /// The topic it reads
    topic: String,
    /// Its name
    group: String,
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.topic, self.group)
    }
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
    let engine = reached.engine();
    let (which, done) = match &arguments.task {
        Task::Pause(which) => {
            let Which { topic, group } = which;
            let done = engine.pause(&reached.cx(), topic, group, true).await;
            reached.noted("pause", which, done)?;
            (which, "paused")
        }
        Task::Resume(which) => {
            let Which { topic, group } = which;
            let done = engine.pause(&reached.cx(), topic, group, false).await;
            reached.noted("resume", which, done)?;
            (which, "resumed")
        }
        Task::Seek { which, to, yes } => {
            let Which { topic, group } = which;
            let seek = place(to, reached.env().clock.wall())?;
            let before = report(reached, which).await?;
            if !yes && !agreed(&format!("{group} will be moved to {to}"), &before)? {
                out::note("nothing was done");
                return Ok(ExitCode::FAILURE);
            }
            let done = engine.seek(&reached.cx(), topic, group, seek).await;
            reached.noted("seek", format_args!("{which} to {to}"), done)?;
            (which, "moved")
        }
        Task::Forget { which, yes } => {
            let Which { topic, group } = which;
            let before = report(reached, which).await?;
            if !yes && !agreed(&format!("{group} will be removed"), &before)? {
                out::note("nothing was done");
                return Ok(ExitCode::FAILURE);
            }
            let done = engine.forget(&reached.cx(), topic, group).await;
            reached.noted("forget", which, done)?;
            return told(arguments, which, "removed", None);
        }
    };
    let after = report(reached, which).await?;
    told(arguments, which, done, Some(&after))
}

async fn report(reached: &Reached, which: &Which) -> Result<GroupReport, Refused> {
    let Which { topic, group } = which;
    let engine = reached.engine();
    let mut report = engine.inspect(&reached.cx(), topic, Some(group)).await?;
    report
        .groups
        .pop()
        .ok_or_else(|| Refused::Asked(format!("group: topic {topic:?} has no group {group:?}")))
}

fn lag(report: &GroupReport) -> u64 {
    report.partitions.iter().map(|cursor| cursor.lag).sum()
}

/// Asks whoever sits there.
fn agreed(what: &str, before: &GroupReport) -> Result<bool, Refused> {
    let lag = lag(before);
    if !ask::somebody() {
        return Err(Refused::Asked(format!(
            "{what}, of which {lag} messages are not done, and nobody is here to be asked: say --yes to do it"
        )));
    }
    Ok(ask::agreed(format_args!(
        "{what}; {lag} of its messages are not done."
    ))?)
}

/// # Errors
/// For what is no place.
fn place(text: &str, now: Timestamp) -> Result<Seek, Refused> {
    if let Some((partition, offset)) = text.split_once('/') {
        let wrong = |_| {
            Refused::Asked(format!(
                "to: {text:?} is no partition and offset: write them as 3/1500"
            ))
        };
        return Ok(Seek::Offset(Position {
            partition: partition.parse().map_err(wrong)?,
            offset: offset.parse().map_err(wrong)?,
        }));
    }
    Ok(match text {
        "oldest" => Seek::Oldest,
        "newest" => Seek::Newest,
        time => Seek::Time(time_of("to", time, now)?),
    })
}

fn told(
    arguments: &Arguments,
    which: &Which,
    done: &str,
    after: Option<&GroupReport>,
) -> Result<ExitCode, Refused> {
    let Which { topic, group } = which;
    if arguments.way.json {
        out::line(json!({
            "topic": topic,
            "group": group,
            "done": done,
            "paused": after.map(|after| after.paused),
            "lag": after.map(lag),
        }))?;
    } else if let Some(after) = after {
        out::line(format_args!(
            "{group} of {topic} {done}: {} messages before it",
            lag(after)
        ))?;
    } else {
        out::line(format_args!("{group} of {topic} {done}"))?;
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_an_end_a_time_or_an_offset() {
        let now = Timestamp(1_700_000_000_000);
        assert_eq!(place("oldest", now).unwrap(), Seek::Oldest);
        assert_eq!(place("newest", now).unwrap(), Seek::Newest);
        let at = Timestamp(1_700_000_000_000 - 7_200_000);
        assert_eq!(place("2h", now).unwrap(), Seek::Time(at));
        let position = Position {
            partition: 3,
            offset: 1500,
        };
        assert_eq!(place("3/1500", now).unwrap(), Seek::Offset(position));
        for wrong in ["3/", "/7", "-1/2", "3/4/5", "last", ""] {
            let told = place(wrong, now).unwrap_err().to_string();
            assert!(told.starts_with("to: ") && told.contains(wrong), "{told}");
        }
    }
}
