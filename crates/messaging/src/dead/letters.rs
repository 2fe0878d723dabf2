//! What people do with dead letters.

use super::run::{Action, Ended, Redrive, Report, Run};
use super::{DeadLetters, Entry, Filter, Id, Letter, Listed, OfGroup, Page, Slice, Status, Which};
use crate::{Engine, Error};
use backlot_core::Context;
use bytes::Bytes;
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

/// The most letters that a dry run shows.
const SAMPLE: u32 = 10;

/// The dead letters of an engine. Clones share it.
#[derive(Clone, Debug)]
pub struct Letters {
    engine: Arc<dyn DeadLetters>,
}

impl Letters {
    /// The letters of this engine.
    ///
    /// # Errors
    /// [`Error::Lacking`] when it keeps no index of them.
    pub fn of(engine: &dyn Engine) -> Result<Self, Error> {
        let index = engine.dead_letters().ok_or_else(|| Error::Lacking {
            engine: engine.caps().name,
            promise: "an index of dead letters".to_owned(),
            cure: "read the topic whose name ends in .dlq as a group of its own, or use an engine that has one",
        })?;
        Ok(Letters { engine: index })
    }

    /// Every group that has or had letters, by the name of the topic they lie in, with the number
    /// of its letters by class and the age of the oldest. The numbers are counters kept in the
    /// commits that change them: the cost grows with the number of groups, not of letters.
    ///
    /// # Errors
    /// What the store says.
    pub async fn groups(&self, cx: &Context) -> Result<Vec<OfGroup>, Error> {
        self.engine.groups(cx).await
    }

    /// A page of the letters that match, oldest first; it costs the same wherever it lies.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a page without or with too many places; what the store says.
    pub async fn list(&self, cx: &Context, filter: &Filter, page: &Page) -> Result<Listed, Error> {
        page.check()?;
        self.engine.list(cx, filter, page).await
    }

    /// How many letters match.
    ///
    /// # Errors
    /// What the store says.
    pub async fn count(&self, cx: &Context, filter: &Filter) -> Result<u64, Error> {
        self.engine.count(cx, filter).await
    }

    /// All of a letter.
    ///
    /// # Errors
    /// [`Error::NoLetter`]; [`Error::Damaged`] when its record cannot be read any more; what the
    /// store says.
    pub async fn show(&self, cx: &Context, id: &Id) -> Result<Letter, Error> {
        self.engine.show(cx, id).await
    }

    /// Puts another payload beside the letter's own, which stays: a redrive sends the last one.
    /// Who asks, by the context, and when are kept with it.
    ///
    /// # Errors
    /// [`Error::NoLetter`]; [`Error::Letter`] for one that was sent again already, or was edited
    /// too often; [`Error::TooLarge`]; what the store says.
    pub async fn edit(
        &self,
        cx: &Context,
        id: &Id,
        payload: impl Into<Bytes>,
    ) -> Result<(), Error> {
        self.engine.edit(cx, id, payload.into()).await
    }

    /// Sends letters again, to the retry topics of their groups, which are made where they are not
    /// there. Of a filter, those that wait and were there at the beginning, oldest first; letters
    /// named twice are sent once.
    ///
    /// Each slice is one commit that copies its letters and marks them: wherever this is
    /// interrupted, nothing is lost and nothing is sent twice, and to call it again goes on.
    /// `progress` hears of each slice and may end it there; so does the context's deadline.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a rate or a limit of 0, or a filter of letters that were sent
    /// already; [`Error::NoLetter`] when one that is named is not there, before anything is sent;
    /// [`Error::Orphan`] when the topic or the group of one is gone; what the store says. What
    /// `progress` heard of was sent all the same.
    pub async fn redrive(
        &self,
        cx: &Context,
        which: impl Into<Which>,
        options: &Redrive,
        mut progress: impl FnMut(&Report) -> ControlFlow<()> + Send,
    ) -> Result<Report, Error> {
        options.check()?;
        let mut which = which.into();
        if let Which::Matching(filter) = &mut which {
            if filter.status == Some(Status::Redriven) {
                return Err(Error::Invalid {
                    field: "status",
                    value: Status::Redriven.to_string(),
                    cure: "only letters that wait can be sent again: leave it out",
                });
            }
            filter.status = Some(Status::Waiting);
        }
        let report = self.look(cx, &mut which, options.dry_run, true).await?;
        if options.dry_run {
            return Ok(report);
        }
        let mut run = Run::new(report, options);
        let action = (&*self.engine, Action::Redrive);
        run.go(cx, which, &mut progress, action).await
    }

    /// Removes letters from the index, whatever their status unless the filter has one; they are
    /// not found any more, and their bytes go with their topic's retention.
    ///
    /// # Errors
    /// [`Error::NoLetter`] when one that is named is not there, before anything is removed; what
    /// the store says: to call it again goes on.
    pub async fn purge(
        &self,
        cx: &Context,
        which: impl Into<Which>,
        dry_run: bool,
    ) -> Result<Report, Error> {
        if !dry_run {
            let on = |_: &Report| ControlFlow::Continue(());
            return self.purge_by_slices(cx, which, on).await;
        }
        self.look(cx, &mut which.into(), true, false).await
    }

    /// Removes letters as [`purge`](Letters::purge) does; `progress` hears of each slice, which is
    /// one commit, and may end it there.
    ///
    /// # Errors
    /// As `purge`. What `progress` heard of was removed all the same.
    pub async fn purge_by_slices(
        &self,
        cx: &Context,
        which: impl Into<Which>,
        mut progress: impl FnMut(&Report) -> ControlFlow<()> + Send,
    ) -> Result<Report, Error> {
        let mut which = which.into();
        let report = self.look(cx, &mut which, false, false).await?;
        let mut run = Run::new(report, &Redrive::default());
        let action = (&*self.engine, Action::Purge);
        run.go(cx, which, &mut progress, action).await
    }

    /// What there is before anything is done: how many, and, of a dry run, some of them.
    async fn look(
        &self,
        cx: &Context,
        which: &mut Which,
        is_dry: bool,
        only_waiting: bool,
    ) -> Result<Report, Error> {
        let (matching, passed, mut sample) = match which {
            Which::Ids(ids) => {
                let mut seen = BTreeSet::new();
                ids.retain(|id| seen.insert(id.clone()));
                let mut found = self.all_of(cx, ids).await?;
                let all = found.len();
                found.retain(|entry| !only_waiting || entry.status == Status::Waiting);
                *ids = found.iter().map(|entry| entry.id.clone()).collect();
                (found.len() as u64, (all - found.len()) as u64, found)
            }
            Which::Matching(filter) => {
                let matching = self.engine.count(cx, filter).await?;
                let sample = match is_dry {
                    true => self.engine.list(cx, filter, &Page::first(SAMPLE)).await?,
                    false => Listed::default(),
                };
                (matching, 0, sample.entries)
            }
        };
        sample.truncate(if is_dry { SAMPLE as usize } else { 0 });
        Ok(Report {
            matching,
            moved: 0,
            passed,
            sample,
            ended: Ended::Done,
        })
    }

    /// These letters, all of which must be there.
    async fn all_of(&self, cx: &Context, ids: &[Id]) -> Result<Vec<Entry>, Error> {
        let mut all = Vec::with_capacity(ids.len());
        for chunk in ids.chunks(Slice::MOST_IDS) {
            let found = self.engine.find(cx, chunk).await?;
            for (id, entry) in chunk.iter().zip(found) {
                let entry = entry.ok_or_else(|| Error::NoLetter { id: id.to_string() })?;
                all.push(entry);
            }
        }
        Ok(all)
    }
}
