//! Files, and what is on its way to be one.

use crate::upload::{File, SEGMENT, Upload};
use backlot::Timestamp;
use backlot::storage::{Row, Sql, StoreError, Tx, params, sql};

const SELECT_UPLOAD: Sql =
    sql!("SELECT id, film, sha256, size, received, content FROM uploads WHERE id = ?");
const INSERT_UPLOAD: Sql = sql!(
    "INSERT INTO uploads (id, film, sha256, size, received, content, touched_at)
     VALUES (?, ?, ?, ?, ?, ?, ?)"
);
const TOUCH_UPLOAD: Sql = sql!("UPDATE uploads SET received = ?, touched_at = ? WHERE id = ?");
const DELETE_UPLOAD: Sql = sql!("DELETE FROM uploads WHERE id = ?");
/// A few at a time, so that nobody pays for all who gave up.
const ABANDONED: Sql = sql!(
    "SELECT id, film, sha256, size, received, content FROM uploads WHERE touched_at < ?
     ORDER BY touched_at, id LIMIT 2"
);
const SELECT_FILE: Sql =
    sql!("SELECT sha256, size, media_type, content FROM files WHERE sha256 = ?");
const INSERT_FILE: Sql =
    sql!("INSERT INTO files (sha256, size, media_type, content) VALUES (?, ?, ?, ?)");
const SELECT_SEGMENT: Sql = sql!("SELECT bytes FROM segments WHERE content = ? AND segment = ?");
const PUT_SEGMENT: Sql = sql! {
    default: "INSERT INTO segments (content, segment, bytes) VALUES (?, ?, ?)
              ON CONFLICT (content, segment) DO UPDATE SET bytes = excluded.bytes",
    mysql: "INSERT INTO segments (content, segment, bytes) VALUES (?, ?, ?)
            ON DUPLICATE KEY UPDATE bytes = VALUES(bytes)",
};
const DELETE_SEGMENTS: Sql = sql!("DELETE FROM segments WHERE content = ?");
const DELETE_FILE: Sql = sql!("DELETE FROM files WHERE sha256 = ?");
/// Who still needs a file: films, and uploads that count on its bytes.
const NEEDED: Sql = sql!(
    "SELECT 1 FROM needs WHERE sha256 = ? UNION ALL SELECT 1 FROM uploads WHERE sha256 = ? LIMIT 1"
);

/// Uploads and files within one transaction.
pub(crate) struct Uploads<'t> {
    tx: &'t mut Tx,
}

impl<'t> Uploads<'t> {
    pub(crate) fn in_tx(tx: &'t mut Tx) -> Self {
        Uploads { tx }
    }

    pub(crate) async fn get(&mut self, id: &str) -> Result<Option<Upload>, StoreError> {
        let row = self.tx.query_opt(SELECT_UPLOAD, params![id]).await?;
        row.as_ref().map(read_upload).transpose()
    }

    pub(crate) async fn start(
        &mut self,
        upload: &Upload,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let Upload {
            id,
            film,
            sha256,
            size,
            received,
            content,
        } = upload;
        let params = params![id, film, sha256, *size, *received, content, now];
        self.tx.execute(INSERT_UPLOAD, params).await.map(drop)
    }

    /// Says that an upload is still wanted.
    pub(crate) async fn touch(
        &mut self,
        upload: &Upload,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let params = params![upload.received, now, &upload.id];
        self.tx.execute(TOUCH_UPLOAD, params).await.map(drop)
    }

    /// Adds bytes at the end of an upload.
    pub(crate) async fn append(
        &mut self,
        upload: &mut Upload,
        mut bytes: &[u8],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        while !bytes.is_empty() {
            let (segment, within) = (upload.received / SEGMENT, upload.received % SEGMENT);
            let mut filled = match within {
                0 => Vec::new(),
                _ => self.segment(&upload.content, segment).await?,
            };
            let room = (SEGMENT - within) as usize;
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            filled.extend_from_slice(now);
            let params = params![&upload.content, segment, &filled];
            self.tx.execute(PUT_SEGMENT, params).await?;
            upload.received += now.len() as u32;
            bytes = later;
        }
        self.touch(upload, now).await
    }

    /// Some bytes of a content, [`SEGMENT`] of them unless they are the last.
    pub(crate) async fn segment(
        &mut self,
        content: &str,
        segment: u32,
    ) -> Result<Vec<u8>, StoreError> {
        let params = params![content, segment];
        self.tx.query_one(SELECT_SEGMENT, params).await?.get(0)
    }

    /// Removes an upload; and its bytes, unless they are those of a file that is needed.
    pub(crate) async fn remove(&mut self, upload: &Upload) -> Result<(), StoreError> {
        let file = self.file(&upload.sha256).await?;
        if file.is_none_or(|file| file.content != upload.content) {
            let params = params![&upload.content];
            self.tx.execute(DELETE_SEGMENTS, params).await?;
        }
        let params = params![&upload.id];
        self.tx.execute(DELETE_UPLOAD, params).await?;
        self.release(&upload.sha256).await
    }

    /// Removes some of the uploads that nobody touched since `then`.
    pub(crate) async fn remove_abandoned(&mut self, then: Timestamp) -> Result<(), StoreError> {
        for row in self.tx.query(ABANDONED, params![then]).await? {
            self.remove(&read_upload(&row)?).await?;
        }
        Ok(())
    }

    pub(crate) async fn file(&mut self, sha256: &str) -> Result<Option<File>, StoreError> {
        let row = self.tx.query_opt(SELECT_FILE, params![sha256]).await?;
        let file = row.as_ref().map(|row| {
            Ok(File {
                sha256: row.get(0)?,
                size: row.get(1)?,
                media_type: row.get(2)?,
                content: row.get(3)?,
            })
        });
        file.transpose()
    }

    pub(crate) async fn keep(&mut self, file: &File) -> Result<(), StoreError> {
        let params = params![&file.sha256, file.size, &file.media_type, &file.content];
        self.tx.execute(INSERT_FILE, params).await.map(drop)
    }

    /// Keeps bytes as a file of their own, unless they are there.
    pub(crate) async fn keep_bytes(
        &mut self,
        sha256: &str,
        media_type: &str,
        bytes: &[u8],
    ) -> Result<(), StoreError> {
        if self.file(sha256).await?.is_some() {
            return Ok(());
        }
        for (segment, bytes) in bytes.chunks(SEGMENT as usize).enumerate() {
            let params = params![sha256, segment as u32, bytes];
            self.tx.execute(PUT_SEGMENT, params).await?;
        }
        let file = File {
            sha256: sha256.to_owned(),
            size: bytes.len() as u32,
            media_type: media_type.to_owned(),
            content: sha256.to_owned(),
        };
        self.keep(&file).await
    }

    /// Deletes a file that nobody needs any more.
    pub(crate) async fn release(&mut self, sha256: &str) -> Result<(), StoreError> {
        let Some(file) = self.file(sha256).await? else {
            return Ok(());
        };
        let params = params![sha256, sha256];
        if self.tx.query_opt(NEEDED, params).await?.is_none() {
            let params = params![&file.content];
            self.tx.execute(DELETE_SEGMENTS, params).await?;
            self.tx.execute(DELETE_FILE, params![sha256]).await?;
        }
        Ok(())
    }
}

fn read_upload(row: &Row) -> Result<Upload, StoreError> {
    Ok(Upload {
        id: row.get(0)?,
        film: row.get(1)?,
        sha256: row.get(2)?,
        size: row.get(3)?,
        received: row.get(4)?,
        content: row.get(5)?,
    })
}
