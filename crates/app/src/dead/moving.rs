//! Letters sent again, or removed: asked for first, told of while it goes on, stopped between two
//! commits.

use super::tell;
use super::which::Chosen;
use crate::reach::{Reached, Refused};
use crate::signals::{INTERRUPTED, Signals};
use crate::{ask, out};
use backlot_messaging::dead::{Ended, Letters, Redrive, Report, Status, Which};
use serde_json::json;
use std::io::IsTerminal;
use std::ops::ControlFlow;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long a run may go on: each of its commits has a limit of its own.
const LONGEST: Duration = Duration::from_secs(24 * 3600);
/// How wide a full bar is.
const BAR: u64 = 30;

#[derive(Clone, Debug, clap::Args)]
pub(super) struct How {
    /// Only say how many there are, and show some
    #[arg(long)]
    dry_run: bool,
    /// Do it without asking
    #[arg(long, short)]
    yes: bool,
}

/// What becomes of the letters.
#[derive(Clone, Copy, Debug)]
pub(super) enum Work {
    Redrive {
        per_second: Option<u32>,
        limit: Option<u64>,
    },
    Purge {
        status: Option<Status>,
    },
}

impl Work {
    /// What it is called.
    fn name(self) -> &'static str {
        match self {
            Work::Redrive { .. } => "redrive",
            Work::Purge { .. } => "purge",
        }
    }

    /// What was done with them.
    fn done(self) -> &'static str {
        match self {
            Work::Redrive { .. } => "sent again",
            Work::Purge { .. } => "removed",
        }
    }

    fn redrive(self, dry_run: bool) -> Redrive {
        match self {
            Work::Redrive { per_second, limit } => Redrive {
                dry_run,
                per_second,
                limit,
            },
            Work::Purge { .. } => Redrive::default(),
        }
    }
}

pub(super) async fn run(
    letters: &Letters,
    reached: &Reached,
    chosen: &Chosen,
    how: &How,
    (work, is_json): (Work, bool),
) -> Result<ExitCode, Refused> {
    let mut which = chosen.which(letters, reached).await?;
    if let Work::Purge {
        status: Some(status),
    } = work
    {
        match &mut which {
            Which::Matching(filter) => filter.status = Some(status),
            Which::Ids(_) => {
                return Err(Refused::Asked(format!(
                    "status: {:?} chooses among the letters of a group, and ids are named: leave it out",
                    status.name()
                )));
            }
        }
    }
    if how.dry_run || !how.yes {
        let tried = tried(letters, reached, which.clone(), work).await?;
        if how.dry_run {
            tell_tried(&tried, work, is_json)?;
            return Ok(ExitCode::SUCCESS);
        }
        if tried.matching > 0 && !agreed(&tried, work)? {
            out::note("nothing was done");
            return Ok(ExitCode::FAILURE);
        }
    }
    let mut signals = Signals::take().map_err(|source| {
        let what = "signals";
        Refused::from(crate::StartError::System { what, source })
    })?;
    let stop = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&stop);
    let signalled = async move {
        signals.next().await;
        told.store(true, Ordering::SeqCst);
        out::note("\nstopping: what is under way ends; a second Ctrl-C leaves at once");
        signals.next().await;
        std::process::exit(INTERRUPTED)
    };
    let bar = std::io::stderr().is_terminal();
    let moving = moved(letters, reached, which, work, |report: &Report| {
        if bar {
            out::over(progress(report, work));
        }
        match stop.load(Ordering::SeqCst) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    });
    let report = tokio::select! {
        biased;
        () = signalled => return Ok(interrupted()),
        report = moving => report,
    };
    if bar {
        out::over("");
    }
    let report = reached.noted(work.name(), chosen, report)?;
    tell_moved(&report, work, is_json)?;
    Ok(match report.ended {
        Ended::Done | Ended::Limit => ExitCode::SUCCESS,
        Ended::Stopped => interrupted(),
        Ended::Late => ExitCode::FAILURE,
    })
}

fn interrupted() -> ExitCode {
    ExitCode::from(u8::try_from(INTERRUPTED).unwrap_or(1))
}

async fn tried(
    letters: &Letters,
    reached: &Reached,
    which: Which,
    work: Work,
) -> Result<Report, Refused> {
    let cx = reached.cx();
    let on = |_: &Report| ControlFlow::Continue(());
    Ok(match work {
        Work::Redrive { .. } => letters.redrive(&cx, which, &work.redrive(true), on).await?,
        Work::Purge { .. } => letters.purge(&cx, which, true).await?,
    })
}

async fn moved(
    letters: &Letters,
    reached: &Reached,
    which: Which,
    work: Work,
    on: impl FnMut(&Report) -> ControlFlow<()> + Send,
) -> Result<Report, Refused> {
    let cx = reached.within(LONGEST);
    Ok(match work {
        Work::Redrive { .. } => {
            letters
                .redrive(&cx, which, &work.redrive(false), on)
                .await?
        }
        Work::Purge { .. } => letters.purge_by_slices(&cx, which, on).await?,
    })
}

/// How many it would be.
fn count(report: &Report, work: Work) -> u64 {
    match work {
        Work::Redrive {
            limit: Some(limit), ..
        } => report.matching.min(limit),
        Work::Redrive { limit: None, .. } | Work::Purge { .. } => report.matching,
    }
}

fn tell_tried(report: &Report, work: Work, is_json: bool) -> std::io::Result<()> {
    let count = count(report, work);
    if is_json {
        let sample: Vec<_> = report.sample.iter().map(tell::entry_json).collect();
        return out::line(json!({
            "dryRun": true, "matching": report.matching, "would": count,
            "passed": report.passed, "sample": sample,
        }));
    }
    let done = work.done();
    out::line(format_args!(
        "{} would be {done}{}",
        letters(count),
        passed(report)
    ))?;
    if !report.sample.is_empty() {
        out::line(tell::entries(&report.sample))?;
    }
    Ok(())
}

fn letters(count: u64) -> String {
    match count {
        1 => "1 letter".to_owned(),
        _ => format!("{count} letters"),
    }
}

fn passed(report: &Report) -> String {
    match report.passed {
        0 => String::new(),
        passed => format!("; {passed} stay as they are"),
    }
}

/// Asks whoever sits there.
fn agreed(report: &Report, work: Work) -> Result<bool, Refused> {
    let (count, done) = (count(report, work), work.done());
    if !ask::somebody() {
        return Err(Refused::Asked(format!(
            "{} would be {done}, and nobody is here to be asked: say --yes to do it, or --dry-run to see them",
            letters(count)
        )));
    }
    out::note(tell::entries(&report.sample));
    let more = count.saturating_sub(report.sample.len() as u64);
    if more > 0 {
        out::note(format_args!("and {more} more"));
    }
    Ok(ask::agreed(format_args!(
        "{} will be {done}.",
        letters(count)
    ))?)
}

fn progress(report: &Report, work: Work) -> String {
    let all = count(report, work).max(1);
    let done = (report.moved + report.passed).min(all);
    let full = usize::try_from(done * BAR / all).unwrap_or(0);
    let left = usize::try_from(BAR).unwrap_or(0).saturating_sub(full);
    let (full, left) = ("#".repeat(full), ".".repeat(left));
    format!("[{full}{left}] {done} of {all} {}", work.done())
}

fn tell_moved(report: &Report, work: Work, is_json: bool) -> std::io::Result<()> {
    let ended = match report.ended {
        Ended::Done => "done",
        Ended::Limit => "limit",
        Ended::Stopped => "stopped",
        Ended::Late => "late",
    };
    if is_json {
        return out::line(json!({
            "dryRun": false, "matching": report.matching, "moved": report.moved,
            "passed": report.passed, "ended": ended,
        }));
    }
    let why = match report.ended {
        Ended::Done => "",
        Ended::Limit => "; that is the limit, and there are more",
        Ended::Stopped => "; stopped: run it again to go on",
        Ended::Late => "; it took too long: run it again to go on",
    };
    out::line(format_args!(
        "{} {}{}{why}",
        letters(report.moved),
        work.done(),
        passed(report)
    ))
}
