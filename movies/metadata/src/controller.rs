//! The rules of the catalogue.

mod posters;
mod uploads;

use crate::filter::Filter;
use crate::model::{Change, Facets, Film};
use crate::order::Asked;
use crate::page::{After, Question};
use crate::repository::Films;
use crate::search::Query;
use backlot::messaging::outbox::Publishing;
use backlot::storage::{Store, StoreError};
use backlot::{Clock, Context, Error, Permission, Rule};
use movies_api::events::MoviesChanged;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub(crate) use uploads::segments;

/// How many films a page has when the caller does not say.
const PAGE: usize = 50;
/// How many changes a page has when the caller does not say.
const CHANGES: usize = 1000;
/// How many films of an older version are entered in one commit, and before the service is ready.
const ENTERED: usize = 250;
const ENTERED_FIRST: usize = 1000;
/// How long one such commit may take.
const ENTERING: Duration = Duration::from_secs(30);

#[derive(Clone, Copy, Debug)]
struct Edit;

impl Permission for Edit {
    fn name(&self) -> &'static str {
        "edit the catalogue"
    }

    fn rule(&self) -> Rule {
        Rule::Role("editor")
    }
}

pub(crate) struct Controller {
    store: Store,
    clock: Clock,
}

impl Controller {
    pub(crate) fn new(store: Store, clock: Clock) -> Self {
        Controller { store, clock }
    }

    pub(crate) async fn get(&self, cx: &Context, id: String) -> Result<Film, Error> {
        let film = {
            let id = id.clone();
            self.store
                .read(cx, move |tx| {
                    let id = id.clone();
                    Box::pin(async move { Ok::<_, Error>(Films::in_tx(tx).get(&id).await?) })
                })
                .await?
        };
        film.ok_or_else(|| no_film(&id))
    }

    /// Those of these films that exist, in this order, and the ids of those that do not.
    pub(crate) async fn get_many(
        &self,
        cx: &Context,
        ids: Vec<String>,
    ) -> Result<(Vec<Film>, Vec<String>), Error> {
        self.store
            .read(cx, move |tx| {
                let ids = ids.clone();
                Box::pin(async move {
                    let known = Films::in_tx(tx).get_many(&ids).await?;
                    let (found, missing): (Vec<_>, Vec<_>) =
                        ids.into_iter().partition(|id| known.contains_key(id));
                    let found = found.iter().filter_map(|id| known.get(id).cloned());
                    Ok::<_, Error>((found.collect(), missing))
                })
            })
            .await
    }

    /// Writes a film; whether it is new.
    pub(crate) async fn put(&self, cx: &Context, film: Film) -> Result<bool, Error> {
        self.write(cx, vec![film], |created| created > 0).await
    }

    /// Writes films in one commit, each as it comes last; how many are new.
    pub(crate) async fn put_many(&self, cx: &Context, films: Vec<Film>) -> Result<u32, Error> {
        let films: BTreeMap<String, Film> = films
            .into_iter()
            .map(|film| (film.id.clone(), film))
            .collect();
        let films = films.into_values().collect();
        self.write(cx, films, |created| created).await
    }

    async fn write<T>(
        &self,
        cx: &Context,
        films: Vec<Film>,
        answer: fn(u32) -> T,
    ) -> Result<T, Error>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
    {
        cx.allow(Edit, "")?;
        let now = self.clock.wall();
        let films: Arc<[Film]> = films.into();
        self.store
            .write_once(cx, cx.idempotency(), move |tx| {
                let films = Arc::clone(&films);
                Box::pin(async move {
                    let written = Films::in_tx(tx).put(&films, now).await?;
                    for event in MoviesChanged::of(&written.changed, written.at) {
                        tx.publish(&event).await?;
                    }
                    Ok::<_, Error>(answer(written.created))
                })
            })
            .await
    }

    /// A page of films in order of title, and the token of the next one.
    pub(crate) async fn list(
        &self,
        cx: &Context,
        filter: Filter,
        size: usize,
        token: &str,
    ) -> Result<(Vec<Film>, String), Error> {
        let [genre, decade, person] = filter.words();
        let question = Question::of(&["list", &genre, &decade, &person]);
        let after = question.parse(token)?;
        let size = if size == 0 { PAGE } else { size };
        self.store
            .read(cx, move |tx| {
                let (filter, after) = (filter.clone(), after.clone());
                Box::pin(async move {
                    let mut films = Films::in_tx(tx);
                    let set = filter.films(&mut films).await?;
                    let asked = Asked {
                        of: set.as_ref(),
                        beginning: "",
                        but_not: None,
                        after: after.as_ref().map(|after| (&*after.key, &*after.id)),
                        // One more than asked tells whether there is a next page.
                        at_most: size + 1,
                    };
                    let places = asked.places(&mut films).await?;
                    let found = places.into_iter().map(|place| After {
                        part: 0,
                        key: place.sort_key,
                        id: place.id,
                    });
                    page(&mut films, question, found.collect(), size).await
                })
            })
            .await
    }

    /// A page of films that match a query, the best first, and the token of the next one.
    pub(crate) async fn search(
        &self,
        cx: &Context,
        query: &str,
        size: usize,
        token: &str,
    ) -> Result<(Vec<Film>, String), Error> {
        let query = Query::parse(query)?;
        let question = Question::of(&["search", &query.words()]);
        let after = question.parse(token)?;
        let size = if size == 0 { PAGE } else { size };
        self.store
            .read(cx, move |tx| {
                let (query, after) = (query.clone(), after.clone());
                Box::pin(async move {
                    let mut films = Films::in_tx(tx);
                    let hits = query.hits(&mut films, after.as_ref(), size + 1).await?;
                    let found = hits.into_iter().map(|hit| After {
                        part: hit.part,
                        key: hit.place.sort_key,
                        id: hit.place.id,
                    });
                    page(&mut films, question, found.collect(), size).await
                })
            })
            .await
    }

    pub(crate) async fn facets(&self, cx: &Context) -> Result<Facets, Error> {
        self.store
            .read(cx, |tx| {
                Box::pin(async move { Ok::<_, Error>(Films::in_tx(tx).facets().await?) })
            })
            .await
    }

    /// A page of films that changed at `since` or later, in order of change, and the token of the
    /// next one.
    pub(crate) async fn changes(
        &self,
        cx: &Context,
        since: i64,
        size: usize,
        token: &str,
    ) -> Result<(Vec<Change>, String), Error> {
        let question = Question::of(&["changes", &since.to_string()]);
        let after = question.parse(token)?;
        let (at, id) = match after {
            None => (since, String::new()),
            Some(After { key, id, .. }) => (key.parse().unwrap_or(since), id),
        };
        let size = if size == 0 { CHANGES } else { size };
        let mut changes = self
            .store
            .read(cx, move |tx| {
                let id = id.clone();
                Box::pin(async move {
                    let limit = size as i64 + 1;
                    Ok::<_, Error>(Films::in_tx(tx).changes((at, &id), limit).await?)
                })
            })
            .await?;
        let more = changes.len() > size;
        changes.truncate(size);
        let next = changes.last().filter(|_| more).map(|last| After {
            part: 0,
            key: last.at.to_string(),
            id: last.id.clone(),
        });
        let next = next.map_or_else(String::new, |after| question.token(&after));
        Ok((changes, next))
    }

    /// Enters films of an older version under their names: what a migration cannot do. Whether all
    /// are; the rest is for [`enter_rest`](Self::enter_rest).
    pub(crate) async fn enter_first(&self) -> Result<bool, StoreError> {
        let cx = Context::system("catalogue").with_timeout(ENTERING);
        let looked = self.store.read(&cx, |tx| {
            Box::pin(async move { Films::in_tx(tx).all_are_entered().await })
        });
        if looked.await? {
            return Ok(true);
        }
        for _ in 0..ENTERED_FIRST / ENTERED {
            if self.enter().await? < ENTERED {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Goes on until all are entered. What was done stays done.
    pub(crate) async fn enter_rest(&self) {
        loop {
            match self.enter().await {
                Ok(ENTERED) => {}
                Ok(_) => return,
                Err(error) => {
                    tracing::warn!(
                        error = backlot::core::error::chain(&error),
                        "films of an older version cannot be entered now; tried again"
                    );
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
    }

    async fn enter(&self) -> Result<usize, StoreError> {
        let cx = Context::system("catalogue").with_timeout(ENTERING);
        let now = self.clock.wall();
        self.store
            .write(&cx, move |tx| {
                Box::pin(async move { Films::in_tx(tx).enter(ENTERED as i64, now).await })
            })
            .await
    }
}

/// The films of a page, and the token of the next one.
async fn page(
    films: &mut Films<'_>,
    question: Question,
    mut found: Vec<After>,
    size: usize,
) -> Result<(Vec<Film>, String), Error> {
    let more = found.len() > size;
    found.truncate(size);
    let ids: Vec<String> = found.iter().map(|after| after.id.clone()).collect();
    let mut known = films.get_many(&ids).await?;
    let next = found.last().filter(|_| more);
    let next = next.map_or_else(String::new, |after| question.token(after));
    let films = ids.iter().filter_map(|id| known.remove(id));
    Ok((films.collect(), next))
}

fn no_film(id: &str) -> Error {
    Error::not_found(format!("no film {id:?}"))
}

#[cfg(test)]
mod tests;
