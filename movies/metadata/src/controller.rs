//! The rules of the catalogue.

use crate::model::Film;
use crate::page::After;
use crate::repository::Films;
use backlot::storage::Store;
use backlot::{Context, Error, Permission, Rule};

/// How many films a page has when the caller does not say.
const PAGE: usize = 50;

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
}

impl Controller {
    pub(crate) fn new(store: Store) -> Self {
        Controller { store }
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
        film.ok_or_else(|| Error::not_found(format!("no film {id:?}")))
    }

    /// Writes a film; whether it is new.
    pub(crate) async fn put(&self, cx: &Context, film: Film) -> Result<bool, Error> {
        cx.allow(Edit, "")?;
        self.store
            .write_once(cx, cx.idempotency(), move |tx| {
                let film = film.clone();
                Box::pin(async move { Ok::<_, Error>(Films::in_tx(tx).put(&film).await?) })
            })
            .await
    }

    /// A page of films in order of title, and the token of the next one.
    pub(crate) async fn list(
        &self,
        cx: &Context,
        size: usize,
        token: &str,
    ) -> Result<(Vec<Film>, String), Error> {
        let after = After::parse(token)?;
        let size = if size == 0 { PAGE } else { size };
        let mut films = self
            .store
            .read(cx, move |tx| {
                let after = after.clone();
                // One more than asked tells whether there is a next page.
                Box::pin(async move {
                    Ok::<_, Error>(
                        Films::in_tx(tx)
                            .page(after.as_ref(), size as i64 + 1)
                            .await?,
                    )
                })
            })
            .await?;
        let more = films.len() > size;
        films.truncate(size);
        let next = match films.last() {
            Some(last) if more => After {
                sort_key: last.sort_key(),
                id: last.id.clone(),
            }
            .token(),
            _ => String::new(),
        };
        Ok((films, next))
    }
}
