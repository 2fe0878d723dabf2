//! `GET /posters/{sha256}`: an uploaded poster. Its name is the hash of its bytes, so that whoever
//! has it may keep it for ever.

use crate::page::Page;
use crate::poster::FileName;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use backlot::{Code, Error};
use movies_api::{GetFileRequest, GetFileResponse};
use std::time::Duration;

/// What a browser may show; anything else is no poster.
const MEDIA_TYPES: [&str; 3] = ["image/jpeg", "image/png", "image/webp"];
/// How long all of it may take: people's lines may be slow.
const WHOLE: Duration = Duration::from_secs(60);

pub(crate) async fn show(
    State(page): State<Page>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Response {
    let Some(name) = FileName::parse(&name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let Ok(seat) = std::sync::Arc::clone(page.files()).try_acquire_owned() else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let cx = page.context(&headers).with_timeout(WHOLE);
    let request = GetFileRequest {
        sha256: name.into_string(),
    };
    let opening = async {
        let mut file = page.ports().metadata.get_file(&cx, request).await?;
        let first = file.next().await;
        Ok((first, file))
    };
    let (first, mut file) = match tokio::time::timeout(page.config().patience, opening).await {
        Ok(Ok((Some(Ok(first)), file))) => (first, file),
        Ok(Ok((Some(Err(error)), _)) | Err(error)) => return refused(&error),
        Ok(Ok((None, _))) => return StatusCode::NOT_FOUND.into_response(),
        Err(_) => return StatusCode::SERVICE_UNAVAILABLE.into_response(),
    };
    let GetFileResponse { file: facts, chunk } = first;
    let facts = facts.unwrap_or_default();
    let Some(media_type) = MEDIA_TYPES
        .into_iter()
        .find(|known| *known == facts.media_type)
    else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let bytes = async_stream::stream! {
        let _seat = seat;
        yield Ok(Bytes::from(chunk));
        while let Some(next) = file.next().await {
            match next {
                Ok(next) => yield Ok(Bytes::from(next.chunk)),
                // Ends short of its length, which tells the browser to throw it away.
                Err(error) => {
                    yield Err(error);
                    return;
                }
            }
        }
    };
    let about = [
        (CONTENT_TYPE, media_type.to_owned()),
        (CONTENT_LENGTH, facts.size.to_string()),
        (
            CACHE_CONTROL,
            "public, max-age=31536000, immutable".to_owned(),
        ),
    ];
    (about, Body::from_stream(bytes)).into_response()
}

fn refused(error: &Error) -> Response {
    let status = match error.code() {
        Code::NotFound | Code::InvalidArgument => StatusCode::NOT_FOUND,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    };
    status.into_response()
}
