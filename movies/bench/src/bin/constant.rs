//! Movies with metadata and rating that answer constants: what is left is the toolkit itself, with
//! everything on.
//!
//! ```text
//! constant metadata --config FILE --data FOLDER
//! ```

use async_trait::async_trait;
use backlot::app::cli::{Options, Product};
use backlot::app::process;
use backlot::config::Validate;
use backlot::{Code, Context, Error, Service, StartError, Startup, Streaming, owners};
use clap::{Parser, ValueEnum};
use movies_api as api;
use movies_bench::names;
use serde::{Deserialize, Serialize};
use std::process::ExitCode;

const PRODUCT: Product = Product {
    name: "constant",
    variables: "CONSTANT",
    data: "constant-data",
    services,
};

fn services() -> Vec<Service> {
    vec![
        Service::new("metadata", owners!("bench"), metadata).port(8081),
        Service::new("rating", owners!("bench"), rating).port(8082),
        movies_movie::service(),
    ]
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Nothing {}

impl Validate for Nothing {}

async fn metadata(_config: Nothing, cx: &mut Startup) -> Result<(), StartError> {
    cx.serve(api::metadata(Constant));
    Ok(())
}

async fn rating(_config: Nothing, cx: &mut Startup) -> Result<(), StartError> {
    cx.serve(api::rating(Constant));
    Ok(())
}

/// Answers the same to everyone.
struct Constant;

fn left_out<T>() -> Result<T, Error> {
    Err(Error::new(Code::Unimplemented, "nobody measures this"))
}

#[async_trait]
impl api::Metadata for Constant {
    async fn get_poster(
        &self,
        _: &Context,
        _: api::GetPosterRequest,
    ) -> Result<api::GetPosterResponse, Error> {
        Err(Error::unimplemented("not part of this double"))
    }

    async fn get_metadata(
        &self,
        _cx: &Context,
        _request: api::GetMetadataRequest,
    ) -> Result<api::GetMetadataResponse, Error> {
        Ok(api::GetMetadataResponse {
            metadata: Some(names::film(0)),
        })
    }

    async fn put_metadata(
        &self,
        _cx: &Context,
        _request: api::PutMetadataRequest,
    ) -> Result<api::PutMetadataResponse, Error> {
        left_out()
    }

    async fn list_metadata(
        &self,
        _cx: &Context,
        _request: api::ListMetadataRequest,
    ) -> Result<api::ListMetadataResponse, Error> {
        left_out()
    }

    async fn search_metadata(
        &self,
        _cx: &Context,
        _request: api::SearchMetadataRequest,
    ) -> Result<api::SearchMetadataResponse, Error> {
        Err(Error::unimplemented("not part of this double"))
    }

    async fn batch_get_metadata(
        &self,
        _cx: &Context,
        _request: api::BatchGetMetadataRequest,
    ) -> Result<api::BatchGetMetadataResponse, Error> {
        Err(Error::unimplemented("not part of this double"))
    }

    async fn batch_put_metadata(
        &self,
        _cx: &Context,
        _request: api::BatchPutMetadataRequest,
    ) -> Result<api::BatchPutMetadataResponse, Error> {
        Err(Error::unimplemented("not part of this double"))
    }

    async fn list_facets(
        &self,
        _cx: &Context,
        _request: api::ListFacetsRequest,
    ) -> Result<api::ListFacetsResponse, Error> {
        Err(Error::unimplemented("not part of this double"))
    }

    async fn list_metadata_changes(
        &self,
        _cx: &Context,
        _request: api::ListMetadataChangesRequest,
    ) -> Result<api::ListMetadataChangesResponse, Error> {
        Err(Error::unimplemented("not part of this double"))
    }

    async fn start_upload(
        &self,
        _cx: &Context,
        _request: api::StartUploadRequest,
    ) -> Result<api::StartUploadResponse, Error> {
        Err(Error::unimplemented("not part of this double"))
    }

    async fn append_upload(
        &self,
        _cx: &Context,
        _request: api::AppendUploadRequest,
    ) -> Result<api::AppendUploadResponse, Error> {
        Err(Error::unimplemented("not part of this double"))
    }

    async fn finish_upload(
        &self,
        _cx: &Context,
        _request: api::FinishUploadRequest,
    ) -> Result<api::FinishUploadResponse, Error> {
        Err(Error::unimplemented("not part of this double"))
    }

    async fn get_file(
        &self,
        _cx: &Context,
        _request: api::GetFileRequest,
    ) -> Result<Streaming<api::GetFileResponse>, Error> {
        Err(Error::unimplemented("not part of this double"))
    }
}

#[async_trait]
impl api::Rating for Constant {
    async fn get_aggregated_rating(
        &self,
        _cx: &Context,
        _request: api::GetAggregatedRatingRequest,
    ) -> Result<api::GetAggregatedRatingResponse, Error> {
        Ok(api::GetAggregatedRatingResponse {
            aggregate: Some(names::aggregate()),
        })
    }

    async fn put_rating(
        &self,
        _cx: &Context,
        _request: api::PutRatingRequest,
    ) -> Result<api::PutRatingResponse, Error> {
        left_out()
    }

    async fn delete_rating(
        &self,
        _cx: &Context,
        _request: api::DeleteRatingRequest,
    ) -> Result<api::DeleteRatingResponse, Error> {
        left_out()
    }

    async fn get_rating(
        &self,
        _cx: &Context,
        _request: api::GetRatingRequest,
    ) -> Result<api::GetRatingResponse, Error> {
        left_out()
    }

    async fn batch_get_aggregated_ratings(
        &self,
        _cx: &Context,
        _request: api::BatchGetAggregatedRatingsRequest,
    ) -> Result<api::BatchGetAggregatedRatingsResponse, Error> {
        left_out()
    }

    async fn watch_ratings(
        &self,
        _cx: &Context,
        _request: api::WatchRatingsRequest,
    ) -> Result<Streaming<api::RatingChanged>, Error> {
        left_out()
    }

    async fn batch_put_ratings(
        &self,
        _cx: &Context,
        _request: api::BatchPutRatingsRequest,
    ) -> Result<api::BatchPutRatingsResponse, Error> {
        Err(Error::unimplemented("not part of this double"))
    }

    async fn list_user_ratings(
        &self,
        _cx: &Context,
        _request: api::ListUserRatingsRequest,
    ) -> Result<api::ListUserRatingsResponse, Error> {
        Err(Error::unimplemented("not part of this double"))
    }

    async fn list_aggregate_changes(
        &self,
        _cx: &Context,
        _request: api::ListAggregateChangesRequest,
    ) -> Result<api::ListAggregateChangesResponse, Error> {
        Err(Error::unimplemented("not part of this double"))
    }

    async fn batch_put_outside_ratings(
        &self,
        _cx: &Context,
        _request: api::BatchPutOutsideRatingsRequest,
    ) -> Result<api::BatchPutOutsideRatingsResponse, Error> {
        Err(Error::unimplemented("not part of this double"))
    }

    async fn list_outside_ratings(
        &self,
        _cx: &Context,
        _request: api::ListOutsideRatingsRequest,
    ) -> Result<api::ListOutsideRatingsResponse, Error> {
        Err(Error::unimplemented("not part of this double"))
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Name {
    Metadata,
    Rating,
    Movie,
}

/// One service of Movies, with metadata and rating that answer constants
#[derive(Debug, Parser)]
struct Arguments {
    /// Which one
    service: Name,
    #[command(flatten)]
    options: Options,
}

fn main() -> ExitCode {
    let Arguments { service, options } = Arguments::parse();
    let service = match service {
        Name::Metadata => "metadata",
        Name::Rating => "rating",
        Name::Movie => "movie",
    };
    process::run(&PRODUCT, service, &options)
}
