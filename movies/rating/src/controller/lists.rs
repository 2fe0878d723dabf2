//! Lists, a page at a time.

use super::{Action, Controller};
use crate::model::{Change, OutsideRating, OwnRating, Record};
use crate::page;
use crate::repository::Ratings;
use backlot::{Context, Error, Timestamp};

/// How many ratings a page of a user's has when the caller does not say.
const PAGE: usize = 50;
/// How many changes a page has when the caller does not say.
const CHANGES: usize = 1000;
/// The most averages of others that a record shows.
const SOURCES: i64 = 200;

impl Controller {
    /// A page of a user's ratings, the latest first, and the token of the next one.
    pub(crate) async fn of_user(
        &self,
        cx: &Context,
        user: String,
        size: usize,
        token: &str,
    ) -> Result<(Vec<OwnRating>, String), Error> {
        cx.allow(Action::SeeOwn, &user)?;
        let from = page::parse_of_user(token, &user)?.unwrap_or_else(|| {
            let above_all = Record {
                kind: String::new(),
                id: String::new(),
            };
            (Timestamp(i64::MAX), above_all)
        });
        let size = if size == 0 { PAGE } else { size };
        let mut ratings = {
            let user = user.clone();
            self.store
                .read(cx, move |tx| {
                    let (user, from) = (user.clone(), from.clone());
                    Box::pin(async move {
                        let mut ratings = Ratings::in_tx(tx);
                        // One more than asked tells whether there is a next page.
                        Ok::<_, Error>(ratings.of_user(&user, &from, size as i64 + 1).await?)
                    })
                })
                .await?
        };
        let more = ratings.len() > size;
        ratings.truncate(size);
        let next = match ratings.last() {
            Some(last) if more => page::of_user(&user, &(last.rated_at, last.record.clone())),
            _ => String::new(),
        };
        Ok((ratings, next))
    }

    /// A page of aggregates that changed at `since` or later, in order of change, and the token of
    /// the next one.
    pub(crate) async fn changes(
        &self,
        cx: &Context,
        kind: String,
        since: Timestamp,
        size: usize,
        token: &str,
    ) -> Result<(Vec<Change>, String), Error> {
        // No record has an empty id: all of that time come after it.
        let after = page::parse_of_changes(token, &kind, since)?.unwrap_or((since, String::new()));
        let size = if size == 0 { CHANGES } else { size };
        let mut changes = {
            let kind = kind.clone();
            self.store
                .read(cx, move |tx| {
                    let (kind, after) = (kind.clone(), after.clone());
                    Box::pin(async move {
                        let mut ratings = Ratings::in_tx(tx);
                        Ok::<_, Error>(ratings.changes(&kind, &after, size as i64 + 1).await?)
                    })
                })
                .await?
        };
        let more = changes.len() > size;
        changes.truncate(size);
        let next = match changes.last() {
            Some(last) if more => {
                page::of_changes(&kind, since, &(last.changed_at, last.record_id.clone()))
            }
            _ => String::new(),
        };
        Ok((changes, next))
    }

    /// What others publish of a record, in order of source.
    pub(crate) async fn outside(
        &self,
        cx: &Context,
        record: Record,
    ) -> Result<Vec<OutsideRating>, Error> {
        self.store
            .read(cx, move |tx| {
                let record = record.clone();
                Box::pin(async move { Ok(Ratings::in_tx(tx).outside(&record, SOURCES).await?) })
            })
            .await
    }
}
