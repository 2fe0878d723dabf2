//! A small HTTP/1.1 client over the network seam: one kept connection, a deadline on everything.

use backlot_core::BoxFuture;
use backlot_core::net::Network;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// The longest body taken: 10,000 instances at their largest would be more, but never are.
const MAX_BODY: usize = 32 * 1024 * 1024;

/// How long connecting may take: a long poll leaves far more time than a connection needs.
const CONNECT: Duration = Duration::from_secs(1);

/// A client of one address. It keeps a connection and opens another when that one is gone.
pub struct Http {
    net: Arc<dyn Network>,
    address: String,
    authorization: Option<HeaderValue>,
    connection: Option<Connection>,
}

struct Connection {
    sender: SendRequest<Full<Bytes>>,
    /// Moves the bytes; polled beside each exchange, so that no task is needed.
    driver: BoxFuture<'static, ()>,
}

/// An answer.
#[derive(Debug)]
pub struct Reply {
    /// Its status.
    pub status: StatusCode,
    /// All of its body.
    pub body: Bytes,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// Nobody listens, or nobody can be reached.
    #[error("cannot connect to {0}")]
    Connect(String, #[source] io::Error),
    /// The time was up.
    #[error("no answer from {0} within {1:?}")]
    Late(String, Duration),
    /// The connection broke, or what came is not HTTP.
    #[error("the exchange with {0} broke")]
    Broken(String, #[source] Box<dyn std::error::Error + Send + Sync>),
    /// The answer is longer than any registry's.
    #[error("the answer from {0} is longer than {MAX_BODY} bytes")]
    TooLong(String),
    /// The request cannot be written.
    #[error("the request cannot be written")]
    Request(#[from] http::Error),
}

impl std::fmt::Debug for Http {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Http")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Http {
    /// A client of `host:port`; it connects when it is first asked for something.
    #[must_use]
    pub fn new(net: Arc<dyn Network>, address: impl Into<String>) -> Self {
        Http {
            net,
            address: address.into(),
            authorization: None,
            connection: None,
        }
    }

    /// Shows this token with every request from now on.
    ///
    /// # Errors
    /// When the token has signs that no header may have.
    pub fn show(&mut self, token: &str) -> Result<(), HttpError> {
        let mut value = HeaderValue::from_str(&format!("Bearer {token}"))
            .map_err(|wrong| HttpError::Request(wrong.into()))?;
        value.set_sensitive(true);
        self.authorization = Some(value);
        Ok(())
    }

    /// Sends a request and reads the whole answer within `limit`. All requests of a registry are
    /// idempotent, so one that fails on a kept connection is sent once more on a new one.
    ///
    /// # Errors
    /// [`HttpError`] when there is no answer.
    pub async fn exchange(
        &mut self,
        method: Method,
        path: &str,
        body: impl Into<Bytes>,
        limit: Duration,
    ) -> Result<Reply, HttpError> {
        let body = body.into();
        let request = || {
            let mut request = Request::builder()
                .method(method.clone())
                .uri(path)
                .header(http::header::HOST, &self.address)
                .header(http::header::CONTENT_TYPE, "application/json");
            if let Some(authorization) = &self.authorization {
                request = request.header(http::header::AUTHORIZATION, authorization);
            }
            request.body(Full::new(body.clone()))
        };
        let requests = (request()?, request()?);
        match tokio::time::timeout(limit, self.try_both(requests)).await {
            Ok(outcome) => outcome,
            // The connection went down with the dropped exchange.
            Err(_elapsed) => Err(HttpError::Late(self.address.clone(), limit)),
        }
    }

    async fn try_both(
        &mut self,
        requests: (Request<Full<Bytes>>, Request<Full<Bytes>>),
    ) -> Result<Reply, HttpError> {
        if let Some(kept) = self.connection.take()
            && !kept.sender.is_closed()
        {
            match self.send(kept, requests.0).await {
                Err(HttpError::Broken(..)) => {}
                outcome => return outcome,
            }
        }
        let connection = self.connect().await?;
        self.send(connection, requests.1).await
    }

    async fn connect(&mut self) -> Result<Connection, HttpError> {
        let connected = tokio::time::timeout(CONNECT, self.net.connect(&self.address))
            .await
            .unwrap_or_else(|_elapsed| Err(io::ErrorKind::TimedOut.into()));
        let stream = connected.map_err(|error| HttpError::Connect(self.address.clone(), error))?;
        let (sender, driver) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| self.broken(error))?;
        // Its error is the exchange's error as well.
        Ok(Connection {
            sender,
            driver: Box::pin(async move { drop(driver.await) }),
        })
    }

    async fn send(
        &mut self,
        connection: Connection,
        request: Request<Full<Bytes>>,
    ) -> Result<Reply, HttpError> {
        let Connection {
            mut sender,
            mut driver,
        } = connection;
        let outcome = {
            let answer = async {
                sender.ready().await?;
                let (head, body) = sender.send_request(request).await?.into_parts();
                let body = Limited::new(body, MAX_BODY).collect().await?.to_bytes();
                Ok::<Reply, Box<dyn std::error::Error + Send + Sync>>(Reply {
                    status: head.status,
                    body,
                })
            };
            let mut answer = std::pin::pin!(answer);
            tokio::select! {
                biased;
                outcome = &mut answer => outcome,
                // The driver ends when the peer closes, perhaps right after a complete answer.
                () = &mut driver => {
                    driver = Box::pin(std::future::pending());
                    answer.await
                }
            }
        };
        match outcome {
            Ok(reply) => {
                self.connection = Some(Connection { sender, driver });
                Ok(reply)
            }
            Err(error) if error.is::<LengthLimitError>() => {
                Err(HttpError::TooLong(self.address.clone()))
            }
            Err(error) => Err(self.broken(error)),
        }
    }

    fn broken(&self, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> HttpError {
        HttpError::Broken(self.address.clone(), error.into())
    }
}

/// One segment of a path, percent-encoded.
#[must_use]
pub fn segment(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_cannot_leave_its_place() {
        assert_eq!(segment("rating-1.a_b~c"), "rating-1.a_b~c");
        assert_eq!(segment("a/b?c d%ä"), "a%2Fb%3Fc%20d%25%C3%A4");
    }
}
