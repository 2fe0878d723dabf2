//! What operators ask of the engine.

use super::Server;
use super::audit::noted;
use crate::contract::broker::v1 as proto;
use crate::wire::failure::public;
use crate::wire::letters::{self, Meant};
use crate::wire::report;
use backlot_core::{Context, Error};
use backlot_messaging::Error as Failure;
use backlot_messaging::dead::{
    DeadLetters, Filter, Letters, Redrive, Report, Slice, Status, Which,
};
use std::ops::ControlFlow;
use std::sync::Arc;

/// What becomes of letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Move {
    Redrive,
    Purge,
}

impl Server {
    /// The index of dead letters.
    pub(super) fn letters(&self) -> Result<Arc<dyn DeadLetters>, Error> {
        match self.engine.dead_letters() {
            Some(letters) => Ok(letters),
            // It says itself what is missing and what to do.
            None => Err(Letters::of(&*self.engine).err().map_or_else(
                || Error::unavailable("the index of dead letters came just now: try again"),
                public,
            )),
        }
    }

    pub(super) async fn listed(
        &self,
        cx: &Context,
        request: proto::ListLettersRequest,
    ) -> Result<proto::ListLettersResponse, Failure> {
        let filter = letters::filter_of(request.filter.unwrap_or_default())?;
        let page = letters::page_of(request.page_size, &request.after)?;
        let index = Letters::of(&*self.engine)?;
        index.list(cx, &filter, &page).await.map(letters::listed)
    }

    /// How far the groups of a topic are behind, or of all.
    pub(super) async fn lag(
        &self,
        cx: &Context,
        topic: &str,
    ) -> Result<Vec<proto::GroupLag>, Failure> {
        let topics = match topic {
            "" => {
                let topics = self.engine.topics(cx).await?;
                topics.into_iter().map(|topic| topic.spec.name).collect()
            }
            topic => vec![topic.to_owned()],
        };
        let mut groups = Vec::new();
        for topic in &topics {
            let report = self.engine.inspect(cx, topic, None).await?;
            let lags = report.groups.into_iter();
            groups.extend(lags.map(|group| report::lag(topic, group)));
        }
        Ok(groups)
    }

    /// Moves a slice of letters; of a dry run, says how many there are.
    pub(super) async fn moved(
        &self,
        cx: &Context,
        request: proto::MoveLettersRequest,
        what: Move,
    ) -> Result<proto::MoveLettersResponse, Error> {
        let meant = letters::meant(&request.ids, request.filter)?;
        if let (Move::Redrive, Meant::Matching(filter)) = (what, &meant) {
            check(filter).map_err(public)?;
        }
        if request.dry_run {
            let report = self.tried(cx, meant, what).await.map_err(public)?;
            return Ok(proto::MoveLettersResponse {
                matching: report.matching,
                passed: report.passed,
                sample: report.sample.into_iter().map(letters::entry).collect(),
                ..proto::MoveLettersResponse::default()
            });
        }
        let slice = letters::slice_of(meant, &request.after, request.most).map_err(public)?;
        let index = self.letters()?;
        let moved = self.slice(cx, &*index, &slice, what).await.map_err(public);
        let of = match &moved {
            Ok(moved) => format!("{} letters of {}", moved.moved, slice_words(&slice)),
            Err(_) => slice_words(&slice),
        };
        let name = match what {
            Move::Redrive => "redrive",
            Move::Purge => "purge",
        };
        noted(cx, name, of, moved).map(letters::moved)
    }

    async fn slice(
        &self,
        cx: &Context,
        index: &dyn DeadLetters,
        slice: &Slice,
        what: Move,
    ) -> Result<backlot_messaging::dead::Moved, Failure> {
        match what {
            Move::Redrive => index.redrive(cx, slice).await,
            Move::Purge => index.purge(cx, slice).await,
        }
    }

    async fn tried(&self, cx: &Context, meant: Meant, what: Move) -> Result<Report, Failure> {
        let which = match meant {
            Meant::Ids(ids) => Which::Ids(ids),
            Meant::Matching(filter) => Which::Matching(filter),
        };
        let index = Letters::of(&*self.engine)?;
        match what {
            Move::Redrive => {
                let on = |_: &Report| ControlFlow::Continue(());
                index.redrive(cx, which, &Redrive::dry_run(), on).await
            }
            Move::Purge => index.purge(cx, which, true).await,
        }
    }
}

/// Which letters, for the log: a few of them by name, or what they have in common.
fn slice_words(slice: &Slice) -> String {
    match slice {
        Slice::Ids(ids) => {
            let some: Vec<_> = ids.iter().take(3).map(ToString::to_string).collect();
            let more = if ids.len() > 3 { " and more" } else { "" };
            format!("{}{more}", some.join(", "))
        }
        Slice::Matching { filter, .. } => {
            let group = filter.group.as_deref().unwrap_or("all groups");
            let topic = filter.topic.as_deref().unwrap_or("all topics");
            match filter.class {
                Some(class) => format!("{topic} {group}, {class}"),
                None => format!("{topic} {group}"),
            }
        }
    }
}

/// What was sent again is not sent a second time.
fn check(filter: &Filter) -> Result<(), Failure> {
    if filter.status == Some(Status::Redriven) {
        return Err(Failure::Invalid {
            field: "filter.status",
            value: Status::Redriven.to_string(),
            cure: "only letters that wait can be sent again: leave it out",
        });
    }
    Ok(())
}
