//! Slice after slice, at a rate, to a limit, as long as nobody says stop.

use super::{DeadLetters, Entry, Moved, Slice, Which};
use crate::Error;
use backlot_core::Context;
use std::ops::ControlFlow;
use std::time::Duration;
use tokio::time::Instant;

/// How letters are sent again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Redrive {
    /// Only say how many there are, and show some.
    pub dry_run: bool,
    /// The most letters a second, in about four slices; as fast as it goes without.
    pub per_second: Option<u32>,
    /// The most letters; all without.
    pub limit: Option<u64>,
}

impl Redrive {
    /// Changes nothing.
    #[must_use]
    pub fn dry_run() -> Self {
        Redrive {
            dry_run: true,
            ..Redrive::default()
        }
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        let zero = |field, cure| {
            Err(Error::Invalid {
                field,
                value: "0".to_owned(),
                cure,
            })
        };
        if self.per_second == Some(0) {
            return zero("per_second", "give a rate of at least 1, or none");
        }
        if self.limit == Some(0) {
            return zero(
                "limit",
                "give at least 1, or none; to change nothing, ask for a dry run",
            );
        }
        Ok(())
    }
}

/// How far it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// How many letters there were to do at the beginning.
    pub matching: u64,
    /// How many were sent again, or removed.
    pub moved: u64,
    /// How many stay as they are: sent again before, gone since, or not to be read any more.
    pub passed: u64,
    /// Of a dry run: the oldest of them.
    pub sample: Vec<Entry>,
    /// Why there are no more.
    pub ended: Ended,
}

/// Why a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Everything that was there at the beginning was looked at.
    Done,
    /// It came to its limit.
    Limit,
    /// Whoever heard of its progress said stop.
    Stopped,
    /// The deadline passed between two slices.
    Late,
}

/// What is done with each slice.
#[derive(Clone, Copy, Debug)]
pub(super) enum Action {
    Redrive,
    Purge,
}

/// A run of slices.
pub(super) struct Run {
    report: Report,
    per_second: Option<u32>,
    limit: Option<u64>,
    /// When the next slice may begin.
    next_at: Instant,
}

impl Run {
    pub(super) fn new(report: Report, options: &Redrive) -> Self {
        Run {
            report,
            per_second: options.per_second,
            limit: options.limit,
            next_at: Instant::now(),
        }
    }

    pub(super) async fn go(
        &mut self,
        cx: &Context,
        which: Which,
        progress: &mut (dyn FnMut(&Report) -> ControlFlow<()> + Send),
        (engine, action): (&dyn DeadLetters, Action),
    ) -> Result<Report, Error> {
        let mut rest = Rest::of(which);
        loop {
            let most = self.most();
            if most == 0 {
                let is_short = self.limit.is_some_and(|limit| limit < self.report.matching);
                return Ok(self.end(if is_short { Ended::Limit } else { Ended::Done }));
            }
            let Some(slice) = rest.next(most) else {
                return Ok(self.end(Ended::Done));
            };
            if !self.wait(cx).await {
                return Ok(self.end(Ended::Late));
            }
            let began = Instant::now();
            let moved = match action {
                Action::Redrive => engine.redrive(cx, &slice).await?,
                Action::Purge => engine.purge(cx, &slice).await?,
            };
            self.moved(began, &moved);
            rest.took(moved);
            if progress(&self.report).is_break() {
                return Ok(self.end(Ended::Stopped));
            }
        }
    }

    /// How many letters the next slice may have. What died since the run began is not part of it:
    /// otherwise it would never end where letters die again as fast as they are sent.
    fn most(&self) -> u32 {
        let all = self.limit.unwrap_or(u64::MAX).min(self.report.matching);
        let left = all.saturating_sub(self.report.moved);
        let at_once = self
            .per_second
            .map_or(Slice::MOST, |rate| (rate / 4).max(1));
        let left = u32::try_from(left).unwrap_or(u32::MAX);
        at_once.min(Slice::MOST).min(left)
    }

    /// Waits until the next slice may begin; answers whether there is time left.
    async fn wait(&self, cx: &Context) -> bool {
        let deadline = cx.deadline();
        tokio::time::sleep_until(self.next_at.min(deadline.instant())).await;
        !deadline.has_passed()
    }

    /// A slice that began at this time moved so many. What was slow is not made up for: the rate
    /// spares whoever gets them.
    fn moved(&mut self, began: Instant, moved: &Moved) {
        self.report.moved += moved.moved;
        self.report.passed += moved.passed;
        if let Some(rate) = self.per_second {
            self.next_at = began + Duration::from_secs(moved.moved) / rate;
        }
    }

    fn end(&mut self, ended: Ended) -> Report {
        self.report.ended = ended;
        self.report.clone()
    }
}

/// What is left to do.
enum Rest {
    Ids(std::vec::IntoIter<super::Id>),
    Matching {
        filter: super::Filter,
        after: Option<super::After>,
        is_over: bool,
    },
}

impl Rest {
    fn of(which: Which) -> Self {
        match which {
            Which::Ids(ids) => Rest::Ids(ids.into_iter()),
            Which::Matching(filter) => Rest::Matching {
                filter,
                after: None,
                is_over: false,
            },
        }
    }

    fn next(&mut self, most: u32) -> Option<Slice> {
        match self {
            Rest::Ids(ids) => {
                let most = Slice::MOST_IDS.min(most as usize);
                let some: Vec<super::Id> = ids.by_ref().take(most).collect();
                (!some.is_empty()).then_some(Slice::Ids(some))
            }
            Rest::Matching {
                filter,
                after,
                is_over,
            } => (!*is_over).then(|| Slice::Matching {
                filter: filter.clone(),
                after: *after,
                most,
            }),
        }
    }

    fn took(&mut self, moved: Moved) {
        if let Rest::Matching { after, is_over, .. } = self {
            *is_over = moved.next.is_none();
            *after = moved.next.or(*after);
        }
    }
}
