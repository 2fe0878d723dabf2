//! An import from its first byte to its summary: read, send, remember.
//!
//! Several batches are under way at once. What makes that safe:
//! * two that share a key (a user's rating of a film) are never under way together, so that the
//!   later one wins, as it would one by one;
//! * the position moves over acknowledged batches in order alone: what is after it may have been
//!   written and is sent again, which changes nothing.

mod flights;

use crate::ImportError;
use crate::batch::{Batch, Mark};
use crate::destination::{Content, Destination, Failed};
use crate::file::File;
use crate::layout::{Layout, Pass};
use crate::position::{Earlier, Position, State};
use crate::problem::Problem;
use crate::progress::Progress;
use crate::reader::Reader;
use crate::report::Report;
use crate::tally::Tally;
use backlot::core::env::{Phase, Shutdown};
use flights::Flights;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::Instant;

/// Calls under way at once.
const AT_ONCE: usize = 4;
/// How long what is under way may take to end when somebody asks to stop.
const LAST: Duration = Duration::from_secs(10);

/// Files understood, ready to be imported.
pub struct Import {
    /// For example "movielens".
    pub(crate) kind: &'static str,
    /// Settings that make it another import of the same files.
    pub(crate) settings: String,
    pub(crate) passes: Vec<Pass>,
    pub(crate) layout: Box<dyn Layout>,
    pub(crate) notes: Vec<String>,
}

/// How an import is made.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Where positions are kept.
    pub folder: PathBuf,
    /// Which system it goes to, when that is not the one of the folder.
    pub target: String,
    /// Begin anew, whatever an earlier run did.
    pub restart: bool,
    /// Stop at the first bad line.
    pub strict: bool,
    /// Where bad lines are written, a JSON object each.
    pub report: Option<PathBuf>,
}

/// How an import went.
#[derive(Debug)]
pub struct Summary {
    /// What it did, earlier runs of an interrupted import included.
    pub tally: Tally,
    /// The first bad lines of this run.
    pub problems: Vec<Problem>,
    /// How long this run took.
    pub took: Duration,
    /// Why it ended early, if so.
    pub ended: Option<ImportError>,
}

impl Import {
    /// What to know about the files before they are read.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Imports the files.
    pub async fn run(
        self,
        to: &Destination,
        settings: &Settings,
        shutdown: &Shutdown,
        mut progress: Progress,
    ) -> Summary {
        let began = Instant::now();
        let mut tally = Tally::default();
        let outcome = async {
            let mut run = Run::start(self, settings, &mut progress)?;
            let outcome = run.fly(to, shutdown, &mut progress).await;
            tally = run.state.tally;
            let outcome = outcome.and_then(|()| run.position.forget());
            Ok((run.report.into_first(), outcome.err()))
        }
        .await;
        progress.end();
        let (problems, ended) = match outcome {
            Ok((problems, ended)) => (problems, ended),
            Err(error) => (Vec::new(), Some(error)),
        };
        Summary {
            tally,
            problems,
            took: Instant::now().saturating_duration_since(began),
            ended,
        }
    }
}

impl std::fmt::Debug for Import {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Import")
            .field("kind", &self.kind)
            .field("passes", &self.passes)
            .finish_non_exhaustive()
    }
}

/// A running import.
struct Run {
    reader: Reader,
    position: Position,
    report: Report,
    /// Up to the acknowledged batches.
    state: State,
}

type Call<'d> = LocalBoxFuture<'d, (u64, Result<Tally, Failed>)>;

impl Run {
    fn start(
        import: Import,
        settings: &Settings,
        progress: &mut Progress,
    ) -> Result<Self, ImportError> {
        let what = format!("{} {} {}", import.kind, settings.target, import.settings);
        let files: Vec<File> = import.passes.iter().map(|pass| pass.file.clone()).collect();
        let (position, earlier) = Position::of(&settings.folder, &what, &files);
        let state = match earlier {
            _ if settings.restart => State::default(),
            Earlier::None => State::default(),
            Earlier::Unfinished(state) => {
                let Mark { pass, lines, .. } = state.mark;
                let file = import.passes.get(pass).map(|pass| &pass.file.name);
                progress.say(&match (file, lines) {
                    (Some(file), 1..) => {
                        format!("going on in {file} after line {lines}, where the last run ended")
                    }
                    (Some(file), 0) => format!("going on with {file}, where the last run ended"),
                    (None, _) => "all was read: ending what the last run began".to_owned(),
                });
                state
            }
            Earlier::Stale => {
                progress.say("the files have changed since the last run: beginning anew");
                State::default()
            }
        };
        if state == State::default() {
            position.forget()?;
        }
        let reader = Reader::new(import.passes, import.layout, state.mark, settings.strict);
        progress.total(reader.size());
        Ok(Run {
            reader,
            position,
            report: Report::to(settings.report.as_deref(), state.report)?,
            state,
        })
    }

    /// Reads and sends until all is acknowledged.
    async fn fly(
        &mut self,
        to: &Destination,
        shutdown: &Shutdown,
        progress: &mut Progress,
    ) -> Result<(), ImportError> {
        let mut calls: FuturesUnordered<Call<'_>> = FuturesUnordered::new();
        let mut flights = Flights::default();
        let mut held: Option<(Batch, Vec<u64>)> = None;
        let mut end = None;
        while end.is_none() {
            if shutdown.phase() > Phase::Running {
                end = Some(Err(ImportError::Stopped));
                break;
            }
            if held.is_none() && flights.has_room() {
                match self.reader.next() {
                    Ok(Some(mut batch)) => {
                        let keys = batch.settle();
                        held = Some((batch, keys));
                    }
                    Ok(None) => end = Some(Ok(())),
                    Err(error) => end = Some(Err(error)),
                }
            }
            let free = calls.len() < AT_ONCE;
            if let Some((mut batch, keys)) = held.take_if(|(_, keys)| free && !flights.block(keys))
            {
                let content = (!batch.is_empty()).then(|| Content::of(&mut batch));
                let number = flights.depart(batch, keys, content.is_none());
                if let Some(content) = content {
                    let call = async move { (number, to.write(content).await) };
                    calls.push(call.boxed_local());
                }
            }
            // Lets the others of this thread run: connections, services, signals.
            tokio::task::yield_now().await;
            let must_wait = held.is_some() || !flights.has_room();
            let landed = if must_wait && end.is_none() {
                tokio::select! {
                    biased;
                    landed = calls.next() => landed,
                    () = shutdown.reached(Phase::Leaving) => None,
                }
            } else {
                calls.next().now_or_never().flatten()
            };
            if let Some((number, outcome)) = landed {
                flights.land(number, outcome)?;
            }
            self.acknowledge(&mut flights, progress)?;
        }
        let end = end.unwrap_or(Ok(()));
        // What was read before the end is written, also when it is a bad line.
        let rest = async {
            while let Some((number, outcome)) = calls.next().await {
                flights.land(number, outcome)?;
                self.acknowledge(&mut flights, progress)?;
            }
            Ok(())
        };
        match &end {
            Err(ImportError::Stopped) => drop(tokio::time::timeout(LAST, rest).await),
            _ => rest.await?,
        }
        self.acknowledge(&mut flights, progress)?;
        end
    }

    /// Moves on over the batches that are done, in their order.
    fn acknowledge(
        &mut self,
        flights: &mut Flights,
        progress: &mut Progress,
    ) -> Result<(), ImportError> {
        while let Some((batch, written)) = flights.arrive() {
            self.state.tally += batch.tally;
            self.state.tally += written;
            self.report.take(batch.problems)?;
            self.state.report = self.report.written();
            if batch.resumable {
                self.state.mark = batch.end;
                self.position.remember(self.state)?;
            }
            progress.at(&batch.file, batch.read, &self.state.tally);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
