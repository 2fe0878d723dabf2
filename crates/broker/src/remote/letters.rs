//! The dead letters of another process.

use super::{Shared, changing};
use crate::contract::broker::v1 as proto;
use crate::wire::failure::{Asks, of_call};
use crate::wire::letters;
use async_trait::async_trait;
use backlot_core::{Context, Deadline};
use backlot_messaging::Error;
use backlot_messaging::dead::{
    DeadLetters, Entry, Filter, Id, Letter, Listed, Moved, OfGroup, Page, Slice,
};
use bytes::Bytes;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The index of the broker that is reached by this.
pub(super) struct Index(pub(super) Arc<Shared>);

fn knowing(error: backlot_core::Error) -> Error {
    of_call(&error, Asks::ToKnow)
}

/// The longest that a slice may take, which is one commit: a run of many has hours.
const SLICE: Duration = Duration::from_secs(30);

fn bounded(cx: &Context) -> Context {
    let deadline = cx.deadline().min(Deadline::after(SLICE));
    cx.clone().with_deadline(deadline)
}

#[async_trait]
impl DeadLetters for Index {
    async fn groups(&self, cx: &Context) -> Result<Vec<OfGroup>, Error> {
        self.0.check(cx)?;
        let request = proto::ListLetterGroupsRequest {
            secret: self.0.secret(),
        };
        let listed = self.0.client.list_letter_groups(cx, request).await;
        let groups = listed.map_err(knowing)?.groups.into_iter();
        Ok(groups.map(letters::group_of).collect())
    }

    async fn list(&self, cx: &Context, filter: &Filter, page: &Page) -> Result<Listed, Error> {
        self.0.check(cx)?;
        let request = proto::ListLettersRequest {
            filter: Some(letters::filter(filter)),
            page_size: page.size,
            after: letters::after(page.after),
            secret: self.0.secret(),
        };
        let listed = self.0.client.list_letters(cx, request).await;
        letters::listed_of(listed.map_err(knowing)?)
    }

    async fn count(&self, cx: &Context, filter: &Filter) -> Result<u64, Error> {
        self.0.check(cx)?;
        let request = proto::CountLettersRequest {
            filter: Some(letters::filter(filter)),
            secret: self.0.secret(),
        };
        let counted = self.0.client.count_letters(cx, request).await;
        Ok(counted.map_err(knowing)?.count)
    }

    async fn find(&self, cx: &Context, ids: &[Id]) -> Result<Vec<Option<Entry>>, Error> {
        self.0.check(cx)?;
        let request = proto::FindLettersRequest {
            ids: letters::ids(ids),
            secret: self.0.secret(),
        };
        let found = self.0.client.find_letters(cx, request).await;
        let found = found.map_err(knowing)?.letters.into_iter();
        let found = found.map(|found| found.entry.map(letters::entry_of).transpose());
        found.collect()
    }

    async fn show(&self, cx: &Context, id: &Id) -> Result<Letter, Error> {
        let mut edits = Vec::new();
        loop {
            self.0.check(cx)?;
            let request = proto::GetLetterRequest {
                queue: id.queue.clone(),
                partition: id.position.partition,
                offset: id.position.offset,
                skip_edits: u32::try_from(edits.len()).unwrap_or(u32::MAX),
                secret: self.0.secret(),
            };
            let shown = self.0.client.get_letter(cx, request).await;
            let shown = shown.map_err(knowing)?;
            let some = !shown.edits.is_empty();
            edits.extend(shown.edits.into_iter().map(letters::edit_of));
            // Each answer has at least one of those there are.
            if shown.more_edits == 0 || !some {
                let (entry, record) = letters::told(shown.entry, shown.record)?;
                return Ok(Letter::new(entry, record, edits));
            }
        }
    }

    async fn edit(&self, cx: &Context, id: &Id, payload: Bytes) -> Result<(), Error> {
        self.0.check(cx)?;
        let request = proto::EditLetterRequest {
            queue: id.queue.clone(),
            partition: id.position.partition,
            offset: id.position.offset,
            to: Some(proto::edit_letter_request::To::Payload(payload.into())),
            secret: self.0.secret(),
        };
        let edited = self.0.client.edit_letter(cx, request).await;
        edited.map(drop).map_err(|error| changing(&error))
    }

    async fn redrive(&self, cx: &Context, slice: &Slice) -> Result<Moved, Error> {
        self.0.check(cx)?;
        let cx = &bounded(cx);
        let moved = self.0.client.redrive_letters(cx, self.moving(slice)).await;
        letters::moved_of(&moved.map_err(|error| changing(&error))?)
    }

    async fn purge(&self, cx: &Context, slice: &Slice) -> Result<Moved, Error> {
        self.0.check(cx)?;
        let cx = &bounded(cx);
        let moved = self.0.client.purge_letters(cx, self.moving(slice)).await;
        letters::moved_of(&moved.map_err(|error| changing(&error))?)
    }
}

impl Index {
    fn moving(&self, slice: &Slice) -> proto::MoveLettersRequest {
        proto::MoveLettersRequest {
            secret: self.0.secret(),
            ..letters::slice(slice)
        }
    }
}

impl fmt::Debug for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Index").finish_non_exhaustive()
    }
}
