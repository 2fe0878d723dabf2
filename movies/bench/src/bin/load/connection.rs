//! One connection with one call in flight.

use crate::call::Calls;
use anyhow::{Context as _, Result, ensure};
use backlot::core::net::{Network, Tcp};
use bytes::Bytes;
use http::HeaderMap;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::task::JoinSet;

/// An open connection. It ends when this is dropped.
pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    /// What moves its bytes.
    _driver: JoinSet<()>,
}

impl Connection {
    pub(crate) async fn open(target: &str) -> Result<Self> {
        let stream = Tcp.connect(target).await?;
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            .handshake(TokioIo::new(stream))
            .await?;
        let mut driver = JoinSet::new();
        // A connection that breaks is seen by its next call.
        driver.spawn(async move { drop(connection.await) });
        Ok(Connection {
            sender,
            _driver: driver,
        })
    }

    /// Makes the call of this number and checks its reply.
    pub(crate) async fn call(&mut self, calls: &Calls, number: u64) -> Result<()> {
        let response = self.sender.send_request(calls.request(number)?).await?;
        ensure!(
            response.status() == 200,
            "HTTP status {}",
            response.status()
        );
        if response.headers().contains_key("grpc-status") {
            // Nothing but trailers: the call failed before it had an answer.
            return status(response.headers());
        }
        let mut body = response.into_body();
        let mut reply = Bytes::new();
        while let Some(frame) = body.frame().await {
            match frame?.into_data() {
                Ok(data) if reply.is_empty() => reply = data,
                Ok(data) => reply = [&reply[..], &data[..]].concat().into(),
                Err(frame) => {
                    let trailers = frame
                        .into_trailers()
                        .ok()
                        .context("a frame is neither data nor trailers")?;
                    status(&trailers)?;
                    return calls.check(&reply);
                }
            }
        }
        anyhow::bail!("the reply ended without a status")
    }
}

/// Whether the call ended well.
fn status(headers: &HeaderMap) -> Result<()> {
    let text = |name| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    ensure!(
        text("grpc-status") == "0",
        "gRPC status {}: {}",
        text("grpc-status"),
        text("grpc-message")
    );
    Ok(())
}
