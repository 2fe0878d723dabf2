//! The rules of posters: a file that was uploaded is shown when pictures were made of it.

use super::{Controller, no_film};
use crate::model::{Picture, Progress};
use crate::repository::{Posters, Uploads};
use crate::upload;
use backlot::messaging::consume::{Failing, Failure};
use backlot::messaging::outbox::Publishing;
use backlot::storage::Tx;
use backlot::{Context, Error, Timestamp};
use movies_api::events::{MAX_PICTURES, MoviesChanged, PosterChecked};
use std::time::Duration;
use tokio::time::Instant;

/// How often whoever waits for a poster looks.
const LOOK: Duration = Duration::from_millis(100);
/// The most characters that are kept of why a file was refused.
const REASON: usize = 500;

impl Controller {
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.wall()
    }

    /// How far a film's poster is; waits so long until it is settled.
    pub(crate) async fn poster(
        &self,
        cx: &Context,
        film: &str,
        wait: Duration,
    ) -> Result<Progress, Error> {
        let end = (Instant::now() + wait).min(cx.deadline().instant());
        loop {
            let name = film.to_owned();
            let reading = self.store.read(cx, move |tx| {
                let film = name.clone();
                Box::pin(async move { Ok::<_, Error>(Posters::in_tx(tx).progress(&film).await?) })
            });
            let progress = reading.await?.ok_or_else(|| no_film(film))?;
            if progress.is_settled() || Instant::now() + LOOK > end {
                return Ok(progress);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Shows what was made of a file, or remembers why nothing was; unless another file was
    /// uploaded meanwhile, which has its own turn.
    pub(crate) async fn checked(
        tx: &mut Tx,
        event: PosterChecked,
        now: Timestamp,
    ) -> Result<(), Failure> {
        let (film, sha256) = (&event.movie_id, &event.sha256);
        let progress = Posters::in_tx(tx).progress(film).await?;
        let Some(progress) = progress.filter(|progress| progress.uploaded == *sha256) else {
            tracing::debug!(film, sha256, "a file was looked at that nobody waits for");
            return Ok(());
        };
        if let Some(reason) = &event.refused {
            let mut reason = reason.clone();
            reason.truncate(reason.floor_char_boundary(REASON));
            if reason.is_empty() {
                reason = "no reason was given".to_owned();
            }
            let mut posters = Posters::in_tx(tx);
            return Ok(posters.want(film, sha256, &reason, &progress).await?);
        }
        let mut pictures = Vec::with_capacity(event.pictures.len());
        for picture in &event.pictures {
            let made = check(picture).map_err(Failing::permanent)?;
            let mut files = Uploads::in_tx(tx);
            files
                .keep_bytes(&made.sha256, "image/jpeg", &picture.bytes)
                .await?;
            pictures.push(made);
        }
        if !(1..=MAX_PICTURES).contains(&pictures.len()) {
            let said = format!(
                "pictures: must be 1 to {MAX_PICTURES}, not {}",
                pictures.len()
            );
            return Err(Error::invalid_argument(said).permanent());
        }
        pictures.sort_by_key(|picture| (picture.width, picture.height));
        pictures.dedup();
        let mut posters = Posters::in_tx(tx);
        let at = posters.show(film, sha256, &pictures, now).await?;
        for event in MoviesChanged::of(std::slice::from_ref(film), at) {
            tx.publish(&event).await?;
        }
        Ok(())
    }
}

/// Whoever publishes is one of ours; what browsers are shown is looked at all the same.
fn check(picture: &movies_api::events::Picture) -> Result<Picture, Error> {
    if upload::media_type(&picture.bytes) != Ok("image/jpeg") {
        return Err(Error::invalid_argument("pictures: must be JPEGs"));
    }
    if picture.width == 0 || picture.height == 0 {
        return Err(Error::invalid_argument(
            "pictures: must have width and height",
        ));
    }
    Ok(Picture {
        sha256: upload::hash(&picture.bytes),
        width: picture.width,
        height: picture.height,
    })
}
