//! The clerk as one writes it with tonic and axum and their defaults.

#[allow(
    missing_docs,
    unreachable_pub,
    dead_code,
    clippy::all,
    clippy::allow_attributes_without_reason,
    clippy::clone_on_ref_ptr,
    clippy::let_underscore_must_use,
    missing_debug_implementations,
    reason = "generated"
)]
mod contract {
    //! Stock code of the clerk's contract.
    include!(concat!(env!("OUT_DIR"), "/stock.rs"));
}

use crate::side::Running;
pub(crate) use contract::backlot::clerk::v1 as proto;
use futures_core::Stream;
use proto::clerk_service_server::{ClerkService, ClerkServiceServer};
use std::pin::Pin;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

struct Answers;

#[tonic::async_trait]
impl ClerkService for Answers {
    async fn wait(
        &self,
        request: Request<proto::WaitRequest>,
    ) -> Result<Response<proto::WaitResponse>, Status> {
        if request.get_ref().millis > 0 {
            tokio::time::sleep(Duration::from_millis(request.get_ref().millis)).await;
        }
        Ok(Response::new(proto::WaitResponse {}))
    }

    type TickStream = Pin<Box<dyn Stream<Item = Result<proto::TickResponse, Status>> + Send>>;

    async fn tick(
        &self,
        request: Request<proto::TickRequest>,
    ) -> Result<Response<Self::TickStream>, Status> {
        let ticks = request.get_ref().millis / 100;
        Ok(Response::new(Box::pin(async_stream::stream! {
            for number in 0..ticks {
                tokio::time::sleep(Duration::from_millis(100)).await;
                yield Ok(proto::TickResponse { number });
            }
        })))
    }
}

/// tonic's server on a port of loopback.
pub(crate) async fn serve() -> anyhow::Result<Running> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    // As it is where tonic listens by itself.
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tonic::transport::Server::builder()
        .add_service(ClerkServiceServer::new(Answers))
        .serve_with_incoming_shutdown(incoming, async {
            drop(stopped.await);
        });
    Ok(Running::new(
        address,
        async move { drop(serving.await) },
        move || {
            // It may have ended by itself.
            let _told = stop.send(());
        },
    ))
}

/// axum's server on a port of loopback.
pub(crate) async fn serve_http() -> anyhow::Result<Running> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let router = axum::Router::new().route("/", axum::routing::get(|| async { "hello" }));
    let serving = async move { drop(axum::serve(listener, router).await) };
    Ok(Running::new(address, serving, || {}))
}
