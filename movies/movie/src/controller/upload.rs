//! Uploads: one stream of bytes from the caller becomes calls of the catalogue, which keeps each
//! piece as it comes. Nothing is kept here, so that any instance can go on where another stopped.

use super::Controller;
use backlot::{Context, Error, Streaming};
use movies_api as api;
use movies_api::{AppendUploadRequest, FinishUploadRequest, StartUploadRequest, UploadFileRequest};

impl Controller {
    /// Takes a file in pieces and has the film's poster made of it.
    pub(crate) async fn upload(
        &self,
        cx: &Context,
        mut requests: Streaming<UploadFileRequest>,
    ) -> Result<api::File, Error> {
        let Some(first) = requests.next().await.transpose()? else {
            return Err(Error::invalid_argument(
                "nothing was sent: an upload begins with a message that names the film, the size and the hash",
            ));
        };
        if first.movie_id.is_empty() {
            return Err(invalid("movieId", "must name a film in the first message"));
        }
        let start = StartUploadRequest {
            movie_id: first.movie_id,
            size: first.size,
            sha256: first.sha256,
        };
        let upload = self.start(cx, start).await?;
        tracing::debug!(
            upload = upload.upload_id,
            filename = first.filename,
            offset = first.offset,
            "an upload goes on"
        );
        let mut end = first.offset;
        let (mut number, mut chunk) = (1_u32, first.chunk);
        loop {
            if !chunk.is_empty() {
                end = self.append(cx, &upload.upload_id, end, chunk).await?;
            }
            let Some(next) = requests.next().await.transpose()? else {
                break;
            };
            number += 1;
            chunk = only_bytes(next, number)?;
        }
        let finish = FinishUploadRequest {
            upload_id: upload.upload_id,
        };
        let finished = self.metadata.finish_upload(cx, finish).await;
        let finished = finished.map_err(of_the_bytes)?;
        finished.file.ok_or_else(|| nothing_in("FinishUpload"))
    }

    /// How much of an upload arrived.
    pub(crate) async fn received(
        &self,
        cx: &Context,
        request: StartUploadRequest,
    ) -> Result<u32, Error> {
        Ok(self.start(cx, request).await?.received)
    }

    /// How far a film's poster is.
    pub(crate) async fn poster(
        &self,
        cx: &Context,
        request: api::GetPosterRequest,
    ) -> Result<api::GetPosterResponse, Error> {
        self.metadata.get_poster(cx, request).await
    }

    async fn start(&self, cx: &Context, request: StartUploadRequest) -> Result<api::Upload, Error> {
        let started = self.metadata.start_upload(cx, request).await?;
        started.upload.ok_or_else(|| nothing_in("StartUpload"))
    }

    /// Hands on a piece; where the next one belongs.
    async fn append(
        &self,
        cx: &Context,
        upload_id: &str,
        offset: u32,
        chunk: Vec<u8>,
    ) -> Result<u32, Error> {
        let length = u32::try_from(chunk.len()).unwrap_or(u32::MAX);
        let request = AppendUploadRequest {
            upload_id: upload_id.to_owned(),
            offset,
            chunk,
        };
        self.metadata.append_upload(cx, request).await?;
        // It was taken, so it lies within the size that was announced.
        Ok(offset.saturating_add(length))
    }
}

/// The bytes of a message after the first, which says nothing else.
fn only_bytes(request: UploadFileRequest, number: u32) -> Result<Vec<u8>, Error> {
    let UploadFileRequest {
        movie_id,
        filename,
        size,
        sha256,
        offset,
        chunk,
    } = request;
    let said = [
        ("movieId", !movie_id.is_empty()),
        ("filename", !filename.is_empty()),
        ("size", size != 0),
        ("sha256", !sha256.is_empty()),
        ("offset", offset != 0),
    ];
    match said.iter().find(|(_, said)| *said) {
        None => Ok(chunk),
        Some((field, _)) => Err(invalid(
            field,
            &format!("belongs to the first message alone, not to message {number}"),
        )),
    }
}

/// The catalogue's word on a whole upload, in the words of one who knows no id of it: what is wrong
/// are the bytes.
fn of_the_bytes(error: Error) -> Error {
    let mut violations = error.violations().iter();
    let wrong = violations.find(|wrong| wrong.field == "uploadId");
    let told = wrong.map(|wrong| invalid("chunk", &wrong.description));
    told.unwrap_or(error)
}

fn invalid(field: &str, rule: &str) -> Error {
    Error::invalid_argument(format!("{field}: {rule}")).with_violation(field, rule)
}

fn nothing_in(method: &str) -> Error {
    Error::internal(format!("metadata answered {method} with nothing"))
}
