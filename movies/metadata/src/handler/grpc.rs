//! The contract of metadata, for gRPC, REST and direct calls alike.

use crate::controller::Controller;
use crate::model::Film;
use async_trait::async_trait;
use backlot::{Context, Error, Streaming};
use movies_api as api;
use movies_api::metadata::v1::Metadata;
use movies_api::{
    GetMetadataRequest, GetMetadataResponse, ListMetadataRequest, ListMetadataResponse,
    PutMetadataRequest, PutMetadataResponse,
};
use std::sync::Arc;

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
        let size = usize::try_from(request.page_size).unwrap_or_default();
        let (films, next_page_token) = self.0.list(cx, size, &request.page_token).await?;
        Ok(ListMetadataResponse {
            metadata: films.into_iter().map(Into::into).collect(),
            next_page_token,
        })
    }

    async fn search_metadata(
        &self,
        _cx: &Context,
        _request: api::SearchMetadataRequest,
    ) -> Result<api::SearchMetadataResponse, Error> {
        Err(Error::unimplemented("SearchMetadata is not there yet"))
    }

    async fn batch_get_metadata(
        &self,
        _cx: &Context,
        _request: api::BatchGetMetadataRequest,
    ) -> Result<api::BatchGetMetadataResponse, Error> {
        Err(Error::unimplemented("BatchGetMetadata is not there yet"))
    }

    async fn batch_put_metadata(
        &self,
        _cx: &Context,
        _request: api::BatchPutMetadataRequest,
    ) -> Result<api::BatchPutMetadataResponse, Error> {
        Err(Error::unimplemented("BatchPutMetadata is not there yet"))
    }

    async fn list_facets(
        &self,
        _cx: &Context,
        _request: api::ListFacetsRequest,
    ) -> Result<api::ListFacetsResponse, Error> {
        Err(Error::unimplemented("ListFacets is not there yet"))
    }

    async fn list_metadata_changes(
        &self,
        _cx: &Context,
        _request: api::ListMetadataChangesRequest,
    ) -> Result<api::ListMetadataChangesResponse, Error> {
        Err(Error::unimplemented("ListMetadataChanges is not there yet"))
    }

    async fn start_upload(
        &self,
        _cx: &Context,
        _request: api::StartUploadRequest,
    ) -> Result<api::StartUploadResponse, Error> {
        Err(Error::unimplemented("StartUpload is not there yet"))
    }

    async fn append_upload(
        &self,
        _cx: &Context,
        _request: api::AppendUploadRequest,
    ) -> Result<api::AppendUploadResponse, Error> {
        Err(Error::unimplemented("AppendUpload is not there yet"))
    }

    async fn finish_upload(
        &self,
        _cx: &Context,
        _request: api::FinishUploadRequest,
    ) -> Result<api::FinishUploadResponse, Error> {
        Err(Error::unimplemented("FinishUpload is not there yet"))
    }

    async fn get_file(
        &self,
        _cx: &Context,
        _request: api::GetFileRequest,
    ) -> Result<Streaming<api::GetFileResponse>, Error> {
        Err(Error::unimplemented("GetFile is not there yet"))
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
        } = film;
        Metadata {
            id,
            title,
            description,
            director,
            year,
            cast,
            genres,
            ..Default::default()
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
            ..
        } = metadata;
        Film {
            id,
            title,
            description,
            director,
            year,
            cast,
            genres,
        }
    }
}
