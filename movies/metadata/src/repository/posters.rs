//! Which files films are shown by.

use super::Uploads;
use crate::model::{Picture, Progress};
use backlot::Timestamp;
use backlot::storage::{Sql, StoreError, Tx, params, sql};
use std::collections::BTreeSet;

const SELECT: Sql = sql!("SELECT sha256, refused FROM posters WHERE film = ?");
const PUT: Sql = sql! {
    default: "INSERT INTO posters (film, sha256, refused) VALUES (?, ?, ?)
              ON CONFLICT (film) DO UPDATE SET sha256 = excluded.sha256, refused = excluded.refused",
    mysql: "INSERT INTO posters (film, sha256, refused) VALUES (?, ?, ?)
            ON DUPLICATE KEY UPDATE sha256 = VALUES(sha256), refused = VALUES(refused)",
};
const SHOWN: Sql = sql!("SELECT poster, pictures FROM movies WHERE id = ?");
const SHOW: Sql = sql!("UPDATE movies SET poster = ?, pictures = ?, changed_at = ? WHERE id = ?");
const NEEDS: Sql = sql!("SELECT sha256 FROM needs WHERE film = ?");
const NEED: Sql = sql!("INSERT INTO needs (sha256, film) VALUES (?, ?)");
const NEED_NO_MORE: Sql = sql!("DELETE FROM needs WHERE sha256 = ? AND film = ?");

/// Posters within one transaction.
pub(crate) struct Posters<'t> {
    tx: &'t mut Tx,
}

impl<'t> Posters<'t> {
    pub(crate) fn in_tx(tx: &'t mut Tx) -> Self {
        Posters { tx }
    }

    /// How far the poster of a film is; nothing of a film that is not there.
    pub(crate) async fn progress(&mut self, film: &str) -> Result<Option<Progress>, StoreError> {
        let Some(shown) = self.tx.query_opt(SHOWN, params![film]).await? else {
            return Ok(None);
        };
        let mut progress = Progress {
            shown: shown.get(0)?,
            pictures: super::list_in(&shown, 1)?,
            ..Progress::default()
        };
        if let Some(wanted) = self.tx.query_opt(SELECT, params![film]).await? {
            progress.uploaded = wanted.get(0)?;
            progress.refused = wanted.get(1)?;
        }
        Ok(Some(progress))
    }

    /// A file shall be the poster of a film; or cannot, for this reason. What is shown stays.
    pub(crate) async fn want(
        &mut self,
        film: &str,
        sha256: &str,
        refused: &str,
        shown: &Progress,
    ) -> Result<(), StoreError> {
        self.tx.execute(PUT, params![film, sha256, refused]).await?;
        self.need(film, shown.files().chain([sha256])).await
    }

    /// Shows a film by these pictures, which were made of this file; when that was, in the order of
    /// changes.
    pub(crate) async fn show(
        &mut self,
        film: &str,
        sha256: &str,
        pictures: &[Picture],
        now: Timestamp,
    ) -> Result<i64, StoreError> {
        let changed_at = super::begin_change(self.tx, now).await?.changed_at;
        let list = super::list(pictures)?;
        let params = params![sha256, &list, changed_at, film];
        self.tx.execute(SHOW, params).await?;
        self.tx.execute(PUT, params![film, sha256, ""]).await?;
        let files = pictures.iter().map(|picture| &*picture.sha256);
        self.need(film, files.chain([sha256])).await?;
        Ok(changed_at)
    }

    /// A film needs these files and no others, which are deleted unless another film needs them.
    async fn need<'f>(
        &mut self,
        film: &str,
        files: impl Iterator<Item = &'f str>,
    ) -> Result<(), StoreError> {
        let mut wanted: BTreeSet<&str> = files.collect();
        let rows = self.tx.query(NEEDS, params![film]).await?;
        for row in &rows {
            let sha256: String = row.get(0)?;
            if !wanted.remove(&*sha256) {
                self.tx
                    .execute(NEED_NO_MORE, params![&sha256, film])
                    .await?;
                Uploads::in_tx(self.tx).release(&sha256).await?;
            }
        }
        for sha256 in wanted {
            self.tx.execute(NEED, params![sha256, film]).await?;
        }
        Ok(())
    }
}

impl Progress {
    /// What is shown is made of these.
    fn files(&self) -> impl Iterator<Item = &str> {
        let shown = Some(&*self.shown).filter(|shown| !shown.is_empty());
        let pictures = self.pictures.iter().map(|picture| &*picture.sha256);
        shown.into_iter().chain(pictures)
    }
}
