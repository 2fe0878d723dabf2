//! The double of the metadata service: uploaded posters alone.

use super::House;
use backlot::{Context, Error, Streaming};
use movies_api as api;
use movies_api::*;

fn not_asked<T>() -> Result<T, Error> {
    Err(Error::unimplemented("the page does not ask for this"))
}

#[async_trait::async_trait]
impl api::Metadata for House {
    async fn get_poster(
        &self,
        _: &Context,
        _: GetPosterRequest,
    ) -> Result<GetPosterResponse, Error> {
        not_asked()
    }

    async fn get_file(
        &self,
        _: &Context,
        request: GetFileRequest,
    ) -> Result<Streaming<GetFileResponse>, Error> {
        self.films_here()?;
        let files = self.files.lock().unwrap();
        let (media_type, bytes) = files
            .get(&request.sha256)
            .cloned()
            .ok_or_else(|| Error::not_found("no such file"))?;
        let file = File {
            sha256: request.sha256,
            size: bytes.len() as u32,
            media_type,
        };
        Ok(Streaming::new(async_stream::stream! {
            let mut file = Some(file);
            for chunk in bytes.chunks(4) {
                yield Ok(GetFileResponse { file: file.take(), chunk: chunk.to_vec() });
            }
        }))
    }

    async fn get_metadata(
        &self,
        _: &Context,
        _: api::metadata::v1::GetMetadataRequest,
    ) -> Result<api::metadata::v1::GetMetadataResponse, Error> {
        not_asked()
    }

    async fn put_metadata(
        &self,
        _: &Context,
        _: api::metadata::v1::PutMetadataRequest,
    ) -> Result<api::metadata::v1::PutMetadataResponse, Error> {
        not_asked()
    }

    async fn list_metadata(
        &self,
        _: &Context,
        _: api::metadata::v1::ListMetadataRequest,
    ) -> Result<api::metadata::v1::ListMetadataResponse, Error> {
        not_asked()
    }

    async fn search_metadata(
        &self,
        _: &Context,
        _: api::metadata::v1::SearchMetadataRequest,
    ) -> Result<api::metadata::v1::SearchMetadataResponse, Error> {
        not_asked()
    }

    async fn batch_get_metadata(
        &self,
        _: &Context,
        _: api::metadata::v1::BatchGetMetadataRequest,
    ) -> Result<api::metadata::v1::BatchGetMetadataResponse, Error> {
        not_asked()
    }

    async fn batch_put_metadata(
        &self,
        _: &Context,
        _: api::metadata::v1::BatchPutMetadataRequest,
    ) -> Result<api::metadata::v1::BatchPutMetadataResponse, Error> {
        not_asked()
    }

    async fn list_facets(
        &self,
        _: &Context,
        _: api::metadata::v1::ListFacetsRequest,
    ) -> Result<api::metadata::v1::ListFacetsResponse, Error> {
        not_asked()
    }

    async fn list_metadata_changes(
        &self,
        _: &Context,
        _: api::metadata::v1::ListMetadataChangesRequest,
    ) -> Result<api::metadata::v1::ListMetadataChangesResponse, Error> {
        not_asked()
    }

    async fn start_upload(
        &self,
        _: &Context,
        _: api::metadata::v1::StartUploadRequest,
    ) -> Result<api::metadata::v1::StartUploadResponse, Error> {
        not_asked()
    }

    async fn append_upload(
        &self,
        _: &Context,
        _: api::metadata::v1::AppendUploadRequest,
    ) -> Result<api::metadata::v1::AppendUploadResponse, Error> {
        not_asked()
    }

    async fn finish_upload(
        &self,
        _: &Context,
        _: api::metadata::v1::FinishUploadRequest,
    ) -> Result<api::metadata::v1::FinishUploadResponse, Error> {
        not_asked()
    }
}
