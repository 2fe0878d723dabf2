//! The rules of uploads: bytes come in pieces, are checked as a whole, and become a film's poster.

use super::{Controller, Edit, no_film};
use crate::repository::{Films, Posters, Uploads};
use crate::upload::{self, File, Hash, LARGEST, SEGMENT, Upload};
use backlot::messaging::outbox::Publishing as _;
use backlot::{Context, Error};
use movies_api::events::PosterUploaded;
use std::sync::Arc;
use std::time::Duration;

/// How long an upload that nobody goes on with is kept.
const KEPT: Duration = Duration::from_secs(24 * 3600);

/// What the bytes of an upload turned out to be.
#[derive(Clone, Debug)]
struct Checked {
    sha256: String,
    media_type: Result<&'static str, &'static str>,
}

impl Controller {
    /// Starts an upload of a film's poster, or finds the one of the same film and content. If the
    /// content is there already, all of it counts as received.
    pub(crate) async fn start_upload(
        &self,
        cx: &Context,
        film: String,
        size: u32,
        sha256: &str,
    ) -> Result<Upload, Error> {
        cx.allow(Edit, "")?;
        let sha256 = digits(sha256)?;
        if !(1..=LARGEST).contains(&size) {
            let rule = format!("must be 1 to {LARGEST} bytes, not {size}");
            return Err(invalid("size", rule));
        }
        let now = self.clock.wall();
        self.store
            .write(cx, move |tx| {
                let (film, sha256) = (film.clone(), sha256.clone());
                Box::pin(async move {
                    if Films::in_tx(tx).get(&film).await?.is_none() {
                        return Err(no_film(&film));
                    }
                    let mut uploads = Uploads::in_tx(tx);
                    uploads.remove_abandoned(now.minus(KEPT)).await?;
                    let id = upload::name(&film, &sha256, size);
                    if let Some(found) = uploads.get(&id).await? {
                        uploads.touch(&found, now).await?;
                        return Ok(found);
                    }
                    let there = uploads.file(&sha256).await?;
                    let (received, content) = match there {
                        Some(file) if file.size == size => (size, file.content),
                        Some(file) => {
                            let rule = format!(
                                "the content of this hash has {} bytes, not {size}",
                                file.size
                            );
                            return Err(invalid("size", rule));
                        }
                        None => (0, id.clone()),
                    };
                    let started = Upload {
                        id,
                        film,
                        sha256,
                        size,
                        received,
                        content,
                    };
                    uploads.start(&started, now).await?;
                    Ok(started)
                })
            })
            .await
    }

    /// Adds bytes. Those that are there already are left as they are.
    pub(crate) async fn append_upload(
        &self,
        cx: &Context,
        id: String,
        offset: u32,
        bytes: Vec<u8>,
    ) -> Result<Upload, Error> {
        cx.allow(Edit, "")?;
        let now = self.clock.wall();
        let bytes: Arc<[u8]> = bytes.into();
        self.store
            .write(cx, move |tx| {
                let (id, bytes) = (id.clone(), Arc::clone(&bytes));
                Box::pin(async move {
                    let mut uploads = Uploads::in_tx(tx);
                    let mut upload = uploads.get(&id).await?.ok_or_else(|| no_upload(&id))?;
                    let Upload { received, size, .. } = upload;
                    if offset > received {
                        return Err(Error::failed_precondition(format!(
                            "offset {offset} leaves a gap: {received} bytes were received, go on there"
                        )));
                    }
                    let room = (size - offset) as usize;
                    if bytes.len() > room {
                        let rule = format!(
                            "{} bytes at offset {offset} are more than the {size} that were announced",
                            bytes.len()
                        );
                        return Err(invalid("chunk", rule));
                    }
                    let known = (received - offset) as usize;
                    let new = bytes.get(known..).unwrap_or_default();
                    uploads.append(&mut upload, new, now).await?;
                    Ok(upload)
                })
            })
            .await
    }

    /// Ends an upload: checks its bytes, and asks for pictures of them to be the film's poster. Bytes
    /// that are not what was announced, or begin like no image, are thrown away with the upload.
    pub(crate) async fn finish_upload(&self, cx: &Context, id: String) -> Result<File, Error> {
        cx.allow(Edit, "")?;
        // Read before the write, so that no other write waits while ten megabytes are hashed. What
        // was received never changes. If the upload is gone, the write may know the answer still.
        let checked = match self.upload(cx, id.clone()).await? {
            Some(upload) if upload.received == upload.size => Some(self.check(cx, &upload).await?),
            Some(upload) => return Err(unfinished(&upload)),
            None => None,
        };
        let finished: Result<(String, u32, String, String), String> = self
            .store
            .write_once(cx, cx.idempotency(), move |tx| {
                let (id, checked) = (id.clone(), checked.clone());
                Box::pin(async move {
                    let mut uploads = Uploads::in_tx(tx);
                    let upload = uploads.get(&id).await?.ok_or_else(|| no_upload(&id))?;
                    let checked = checked.ok_or_else(|| no_upload(&id))?;
                    if upload.received < upload.size {
                        return Err(unfinished(&upload));
                    }
                    let media_type = match refused(&upload, &checked) {
                        Ok(media_type) => media_type,
                        Err(reason) => {
                            uploads.remove(&upload).await?;
                            return Ok(Err(reason));
                        }
                    };
                    let file = match uploads.file(&upload.sha256).await? {
                        Some(file) => file,
                        None => {
                            let file = File {
                                sha256: upload.sha256.clone(),
                                size: upload.size,
                                media_type: media_type.to_owned(),
                                content: upload.content.clone(),
                            };
                            uploads.keep(&file).await?;
                            file
                        }
                    };
                    let mut posters = Posters::in_tx(tx);
                    let progress = posters.progress(&upload.film).await?;
                    let progress = progress.ok_or_else(|| no_film(&upload.film))?;
                    posters
                        .want(&upload.film, &upload.sha256, "", &progress)
                        .await?;
                    Uploads::in_tx(tx).remove(&upload).await?;
                    if progress.shown != upload.sha256 || progress.pictures.is_empty() {
                        tx.publish(&PosterUploaded {
                            movie_id: upload.film,
                            sha256: upload.sha256,
                            size: upload.size,
                            media_type: file.media_type.clone(),
                        })
                        .await?;
                    }
                    Ok::<_, Error>(Ok((file.sha256, file.size, file.media_type, file.content)))
                })
            })
            .await?;
        let (sha256, size, media_type, content) =
            finished.map_err(|reason| invalid("uploadId", reason))?;
        Ok(File {
            sha256,
            size,
            media_type,
            content,
        })
    }

    /// A file by its hash.
    pub(crate) async fn file(&self, cx: &Context, sha256: &str) -> Result<File, Error> {
        let sha256 = digits(sha256)?;
        let name = sha256.clone();
        let file = self.store.read(cx, move |tx| {
            let sha256 = sha256.clone();
            Box::pin(async move { Ok::<_, Error>(Uploads::in_tx(tx).file(&sha256).await?) })
        });
        file.await?
            .ok_or_else(|| Error::not_found(format!("no file {name:?}")))
    }

    /// Some bytes of a content, counted in segments.
    pub(crate) async fn segment(
        &self,
        cx: &Context,
        content: &str,
        segment: u32,
    ) -> Result<Vec<u8>, Error> {
        let content = content.to_owned();
        self.store
            .read(cx, move |tx| {
                let content = content.clone();
                Box::pin(async move {
                    Ok::<_, Error>(Uploads::in_tx(tx).segment(&content, segment).await?)
                })
            })
            .await
    }

    async fn upload(&self, cx: &Context, id: String) -> Result<Option<Upload>, Error> {
        self.store
            .read(cx, move |tx| {
                let id = id.clone();
                Box::pin(async move { Ok::<_, Error>(Uploads::in_tx(tx).get(&id).await?) })
            })
            .await
    }

    async fn check(&self, cx: &Context, upload: &Upload) -> Result<Checked, Error> {
        let mut hash = Hash::new();
        let mut media_type = Err("nothing known");
        for segment in segments(upload.size) {
            let bytes = self.segment(cx, &upload.content, segment).await?;
            if segment == 0 {
                media_type = upload::media_type(&bytes);
            }
            hash.add(&bytes);
        }
        Ok(Checked {
            sha256: hash.finish(),
            media_type,
        })
    }
}

/// The segments of a content of this size.
pub(crate) fn segments(size: u32) -> std::ops::Range<u32> {
    0..size.div_ceil(SEGMENT)
}

/// The media type, or why the bytes are refused.
fn refused(upload: &Upload, checked: &Checked) -> Result<&'static str, String> {
    if checked.sha256 != upload.sha256 {
        return Err(format!(
            "the bytes received hash to {}, not {}: start the upload again",
            checked.sha256, upload.sha256
        ));
    }
    checked
        .media_type
        .map_err(|looks| format!("the bytes look like {looks}: a poster is a JPEG, PNG or WebP"))
}

fn digits(sha256: &str) -> Result<String, Error> {
    upload::sha256(sha256).ok_or_else(|| {
        invalid(
            "sha256",
            format!("must be 64 hexadecimal digits, not {sha256:?}"),
        )
    })
}

fn invalid(field: &str, rule: String) -> Error {
    Error::invalid_argument(format!("{field}: {rule}")).with_violation(field, rule)
}

fn unfinished(upload: &Upload) -> Error {
    let Upload { received, size, .. } = upload;
    Error::failed_precondition(format!(
        "{received} of {size} bytes were received: send the rest, then finish"
    ))
}

fn no_upload(id: &str) -> Error {
    Error::not_found(format!(
        "no upload {id:?}: it was finished, or given up for a day; start it again"
    ))
}
