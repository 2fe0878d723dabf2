//! What Movies is measured against: metadata, rating and movie over stock tonic, one process each,
//! without deadlines, metrics, identity, validation or anything else.
//!
//! ```text
//! bare metadata --listen 127.0.0.1:9081 --data FOLDER
//! bare movie --listen 127.0.0.1:9083 --metadata 127.0.0.1:9081 --rating 127.0.0.1:9082
//! ```

mod proto;
mod reads;
mod services;

use anyhow::Result;
use clap::{Parser, Subcommand};
use movies_bench::stores;
use proto::movies::metadata::v1::metadata_service_client::MetadataServiceClient;
use proto::movies::metadata::v1::metadata_service_server::MetadataServiceServer;
use proto::movies::movie::v1::movie_service_server::MovieServiceServer;
use proto::movies::rating::v1::rating_service_client::RatingServiceClient;
use proto::movies::rating::v1::rating_service_server::RatingServiceServer;
use services::{Metadata, Movie, Rating};
use std::net::SocketAddr;
use std::path::PathBuf;
use tokio::io::AsyncReadExt;
use tonic::transport::{Channel, Endpoint, Server};

/// One service of the bare system
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    service: Service,
    /// Where it takes calls
    #[arg(long, global = true, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
}

#[derive(Debug, Subcommand)]
enum Service {
    /// What is known of films
    Metadata {
        /// The folder with the database; without it every answer is the same
        #[arg(long)]
        data: Option<PathBuf>,
    },
    /// Ratings in numbers
    Rating {
        /// The folder with the database; without it every answer is the same
        #[arg(long)]
        data: Option<PathBuf>,
    },
    /// Films joined with their ratings
    Movie {
        /// Where metadata takes calls
        #[arg(long)]
        metadata: SocketAddr,
        /// Where rating takes calls
        #[arg(long)]
        rating: SocketAddr,
    },
}

fn main() -> Result<()> {
    // The flavour Movies runs in when nothing else is configured.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(serve(Arguments::parse()))
}

async fn serve(arguments: Arguments) -> Result<()> {
    let mut server = Server::builder();
    let listen = arguments.listen;
    let router = match arguments.service {
        Service::Metadata { data } => {
            let store = data.as_deref().map(stores::metadata).transpose()?;
            server.add_service(MetadataServiceServer::new(Metadata { store }))
        }
        Service::Rating { data } => {
            let store = data.as_deref().map(stores::rating).transpose()?;
            server.add_service(RatingServiceServer::new(Rating { store }))
        }
        Service::Movie { metadata, rating } => server.add_service(MovieServiceServer::new(Movie {
            metadata: MetadataServiceClient::new(channel(metadata)?),
            rating: RatingServiceClient::new(channel(rating)?),
        })),
    };
    Ok(router.serve_with_shutdown(listen, parent_gone()).await?)
}

fn channel(address: SocketAddr) -> Result<Channel> {
    Ok(Endpoint::from_shared(format!("http://{address}"))?.connect_lazy())
}

/// Waits for the end of standard input: then nobody measures any more.
async fn parent_gone() {
    let mut stdin = tokio::io::stdin();
    let mut buffer = [0; 64];
    while stdin.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
}
