//! What is known of films, held for when the catalogue is busy or away.

use async_trait::async_trait;
use backlot::cache::Source;
use backlot::{Context, Error};
use movies_api as api;
use movies_api::GetMetadataRequest;
use movies_api::metadata::v1::Metadata;
use std::sync::Arc;

/// The catalogue, film by film. What it says is the same to everyone.
pub(crate) struct Catalogue(pub(crate) Arc<dyn api::Metadata>);

#[async_trait]
impl Source for Catalogue {
    const NAME: &'static str = "films";
    type Key = String;
    type Value = Arc<Metadata>;

    async fn fetch(&self, cx: &Context, id: &String) -> Result<Arc<Metadata>, Error> {
        let movie_id = id.clone();
        let answer = self.0.get_metadata(cx, GetMetadataRequest { movie_id });
        let film = answer.await?.metadata;
        let film = film.ok_or_else(|| Error::internal("GetMetadata answered with nothing"))?;
        Ok(Arc::new(film))
    }

    fn weigh(&self, id: &String, film: &Arc<Metadata>) -> usize {
        let one = [
            id,
            &film.id,
            &film.title,
            &film.description,
            &film.director,
            &film.imdb_id,
            &film.poster,
        ];
        let many = film.cast.iter().chain(&film.genres);
        let files = film.pictures.iter().map(|picture| &picture.sha256);
        let texts = one.into_iter().chain(many).chain(files);
        let texts: usize = texts.map(|text| text.len() + size_of::<String>()).sum();
        texts + size_of::<Metadata>()
    }
}
