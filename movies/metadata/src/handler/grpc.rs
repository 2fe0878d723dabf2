//! The contract of metadata, for gRPC, REST and direct calls alike.

use crate::controller::{Controller, segments};
use crate::filter::Filter;
use crate::model::{Film, Picture};
use crate::upload::{File, Upload};
use async_trait::async_trait;
use backlot::{Context, Error, Streaming};
use movies_api as api;
use movies_api::metadata::v1::Metadata;
use movies_api::{
    AppendUploadRequest, AppendUploadResponse, BatchGetMetadataRequest, BatchGetMetadataResponse,
    BatchPutMetadataRequest, BatchPutMetadataResponse, FinishUploadRequest, FinishUploadResponse,
    GetFileRequest, GetFileResponse, GetMetadataRequest, GetMetadataResponse, GetPosterRequest,
    GetPosterResponse, ListFacetsRequest, ListFacetsResponse, ListMetadataChangesRequest,
    ListMetadataChangesResponse, ListMetadataRequest, ListMetadataResponse, PutMetadataRequest,
    PutMetadataResponse, SearchMetadataRequest, SearchMetadataResponse, StartUploadRequest,
    StartUploadResponse,
};
use std::sync::Arc;
use std::time::Duration;

pub(crate) struct Grpc(pub(crate) Arc<Controller>);

#[async_trait]
impl api::Metadata for Grpc {
    async fn get_metadata(
        &self,
        cx: &Context,
        request: GetMetadataRequest,
    ) -> Result<GetMetadataResponse, Error> {
        let film = self.0.get(cx, request.movie_id).await?;
        Ok(GetMetadataResponse {
            metadata: Some(film.into()),
        })
    }

    async fn put_metadata(
        &self,
        cx: &Context,
        request: PutMetadataRequest,
    ) -> Result<PutMetadataResponse, Error> {
        // Validation has seen to it that there is one.
        let film = request.metadata.unwrap_or_default().into();
        Ok(PutMetadataResponse {
            created: self.0.put(cx, film).await?,
        })
    }

    async fn list_metadata(
        &self,
        cx: &Context,
        request: ListMetadataRequest,
    ) -> Result<ListMetadataResponse, Error> {
        let filter = Filter {
            genre: request.genre,
            decade: request.decade,
            person: request.person,
        };
        let size = size(request.page_size);
        let (films, next_page_token) = self.0.list(cx, filter, size, &request.page_token).await?;
        Ok(ListMetadataResponse {
            metadata: films.into_iter().map(Into::into).collect(),
            next_page_token,
        })
    }

    async fn search_metadata(
        &self,
        cx: &Context,
        request: SearchMetadataRequest,
    ) -> Result<SearchMetadataResponse, Error> {
        let size = size(request.page_size);
        let (films, next_page_token) = self
            .0
            .search(cx, &request.query, size, &request.page_token)
            .await?;
        Ok(SearchMetadataResponse {
            metadata: films.into_iter().map(Into::into).collect(),
            next_page_token,
        })
    }

    async fn batch_get_metadata(
        &self,
        cx: &Context,
        request: BatchGetMetadataRequest,
    ) -> Result<BatchGetMetadataResponse, Error> {
        let (films, missing) = self.0.get_many(cx, request.movie_ids).await?;
        Ok(BatchGetMetadataResponse {
            metadata: films.into_iter().map(Into::into).collect(),
            missing,
        })
    }

    async fn batch_put_metadata(
        &self,
        cx: &Context,
        request: BatchPutMetadataRequest,
    ) -> Result<BatchPutMetadataResponse, Error> {
        let films = request.metadata.into_iter().map(Into::into).collect();
        Ok(BatchPutMetadataResponse {
            created: self.0.put_many(cx, films).await?,
        })
    }

    async fn list_facets(
        &self,
        cx: &Context,
        _request: ListFacetsRequest,
    ) -> Result<ListFacetsResponse, Error> {
        let facets = self.0.facets(cx).await?;
        let genres = facets.genres.into_iter().map(|genre| api::Genre {
            name: genre.name,
            films: genre.films,
        });
        let decades = facets.decades.into_iter().map(|decade| api::Decade {
            decade: decade.decade,
            films: decade.films,
        });
        Ok(ListFacetsResponse {
            genres: genres.collect(),
            decades: decades.collect(),
            films: facets.films,
        })
    }

    async fn list_metadata_changes(
        &self,
        cx: &Context,
        request: ListMetadataChangesRequest,
    ) -> Result<ListMetadataChangesResponse, Error> {
        let size = size(request.page_size);
        let (changes, next_page_token) = self
            .0
            .changes(cx, request.since, size, &request.page_token)
            .await?;
        let changes = changes.into_iter().map(|change| api::MetadataChange {
            movie_id: change.id,
            year: change.year,
            genres: change.genres,
            changed_at: change.at,
        });
        Ok(ListMetadataChangesResponse {
            changes: changes.collect(),
            next_page_token,
        })
    }

    async fn start_upload(
        &self,
        cx: &Context,
        request: StartUploadRequest,
    ) -> Result<StartUploadResponse, Error> {
        let StartUploadRequest {
            movie_id,
            size,
            sha256,
        } = request;
        let upload = self.0.start_upload(cx, movie_id, size, &sha256).await?;
        Ok(StartUploadResponse {
            upload: Some(upload.into()),
        })
    }

    async fn append_upload(
        &self,
        cx: &Context,
        request: AppendUploadRequest,
    ) -> Result<AppendUploadResponse, Error> {
        let AppendUploadRequest {
            upload_id,
            offset,
            chunk,
        } = request;
        let appended = self.0.append_upload(cx, upload_id, offset, chunk);
        Ok(AppendUploadResponse {
            upload: Some(appended.await?.into()),
        })
    }

    async fn finish_upload(
        &self,
        cx: &Context,
        request: FinishUploadRequest,
    ) -> Result<FinishUploadResponse, Error> {
        let file = self.0.finish_upload(cx, request.upload_id).await?;
        Ok(FinishUploadResponse {
            file: Some(file.into()),
        })
    }

    async fn get_poster(
        &self,
        cx: &Context,
        request: GetPosterRequest,
    ) -> Result<GetPosterResponse, Error> {
        let wait = Duration::from_millis(request.wait_ms.into());
        let progress = self.0.poster(cx, &request.movie_id, wait).await?;
        Ok(GetPosterResponse {
            poster: progress.shown,
            pictures: progress.pictures.into_iter().map(Into::into).collect(),
            uploaded: progress.uploaded,
            refused: progress.refused,
        })
    }

    /// One segment at a time is in memory, whatever the size.
    async fn get_file(
        &self,
        cx: &Context,
        request: GetFileRequest,
    ) -> Result<Streaming<GetFileResponse>, Error> {
        let file = self.0.file(cx, &request.sha256).await?;
        let (films, cx) = (Arc::clone(&self.0), cx.clone());
        Ok(Streaming::new(async_stream::try_stream! {
            for segment in segments(file.size) {
                let chunk = films.segment(&cx, &file.content, segment).await?;
                yield GetFileResponse {
                    file: (segment == 0).then(|| file.clone().into()),
                    chunk,
                };
            }
        }))
    }
}

/// Validation has seen to it that it is not negative.
fn size(page_size: i32) -> usize {
    usize::try_from(page_size).unwrap_or_default()
}

impl From<Upload> for api::Upload {
    fn from(upload: Upload) -> Self {
        api::Upload {
            upload_id: upload.id,
            size: upload.size,
            received: upload.received,
        }
    }
}

impl From<File> for api::File {
    fn from(file: File) -> Self {
        api::File {
            sha256: file.sha256,
            size: file.size,
            media_type: file.media_type,
        }
    }
}

impl From<Film> for Metadata {
    fn from(film: Film) -> Self {
        let Film {
            id,
            title,
            description,
            director,
            year,
            cast,
            genres,
            imdb_id,
            poster,
            pictures,
        } = film;
        Metadata {
            id,
            title,
            description,
            director,
            year,
            cast,
            genres,
            imdb_id,
            poster,
            pictures: pictures.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<Picture> for api::metadata::v1::Picture {
    fn from(picture: Picture) -> Self {
        let Picture {
            sha256,
            width,
            height,
        } = picture;
        api::metadata::v1::Picture {
            sha256,
            width,
            height,
        }
    }
}

impl From<Metadata> for Film {
    fn from(metadata: Metadata) -> Self {
        let Metadata {
            id,
            title,
            description,
            director,
            year,
            cast,
            genres,
            imdb_id,
            poster,
            // As the poster they are set by uploads alone.
            pictures: _,
        } = metadata;
        Film {
            id,
            title,
            description,
            director,
            year,
            cast,
            genres,
            imdb_id,
            poster,
            pictures: Vec::new(),
        }
    }
}
