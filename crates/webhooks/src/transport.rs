//! Connections to endpoints: their names resolved, the addresses checked, and the connection made to an
//! address that was.

use crate::guard::{Guard, Refusal};
use backlot_core::Env;
use backlot_core::net::Stream;
use backlot_service::Tasks;
use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};
use url::Url;

/// The most addresses of one name that are tried.
const TRIED: usize = 4;

/// A connection that takes requests.
pub(crate) type Connection = SendRequest<Full<Bytes>>;

/// Makes connections. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Transport(Arc<Inner>);

struct Inner {
    env: Env,
    tasks: Tasks,
    guard: Arc<Guard>,
    tls: TlsConnector,
}

/// Why a request was not answered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    #[error("{host} must not be called: {refusal}")]
    Refused { host: String, refusal: Refusal },
    #[error("{host} is not found: {source}")]
    Unresolved { host: String, source: io::Error },
    #[error("{address} cannot be reached: {source}")]
    Unreachable {
        address: SocketAddr,
        source: io::Error,
    },
    #[error("{host} proved to be nobody who is believed: {source}")]
    Unproven { host: String, source: io::Error },
    #[error("the connection broke: {0}")]
    Broken(#[from] hyper::Error),
}

impl Transport {
    pub(crate) fn new(
        env: &Env,
        tasks: &Tasks,
        guard: Arc<Guard>,
        authorities: RootCertStore,
    ) -> Self {
        let provider = Arc::new(crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map(|config| {
                config
                    .with_root_certificates(authorities)
                    .with_no_client_auth()
            });
        Transport(Arc::new(Inner {
            env: env.clone(),
            tasks: tasks.clone(),
            guard,
            tls: TlsConnector::from(Arc::new(match config {
                Ok(config) => config,
                // The provider has all versions that are asked for.
                Err(error) => unreachable!("no TLS: {error}"),
            })),
        }))
    }

    /// A connection to whoever has this URL. The caller brings the deadline.
    pub(crate) async fn connect(&self, url: &Url) -> Result<Connection, Trouble> {
        let host = url.host_str().unwrap_or_default().to_owned();
        let port = url.port_or_known_default().unwrap_or_default();
        let stream = self.reach(&host, port).await?;
        let stream = match url.scheme() {
            "https" => self.prove(&host, stream).await?,
            _ => stream,
        };
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        self.0
            .tasks
            .spawn_endless("webhook connection", async move {
                // Whoever waits for an answer is told by its own error.
                if let Err(error) = connection.await {
                    tracing::debug!(%error, "a connection to an endpoint broke");
                }
            });
        Ok(sender)
    }

    async fn reach(&self, host: &str, port: u16) -> Result<Stream, Trouble> {
        let net = &self.0.env.net;
        let resolved = net.resolve(&format!("{host}:{port}")).await;
        let addresses = resolved.map_err(|source| Trouble::Unresolved {
            host: host.to_owned(),
            source,
        })?;
        let mut last = Trouble::Unresolved {
            host: host.to_owned(),
            source: io::ErrorKind::NotFound.into(),
        };
        for address in addresses.into_iter().take(TRIED) {
            if let Err(refusal) = self.0.guard.address(address.ip()) {
                last = Trouble::Refused {
                    host: host.to_owned(),
                    refusal,
                };
                continue;
            }
            match net.connect(&address.to_string()).await {
                Ok(stream) => return Ok(stream),
                Err(source) => last = Trouble::Unreachable { address, source },
            }
        }
        Err(last)
    }

    async fn prove(&self, host: &str, stream: Stream) -> Result<Stream, Trouble> {
        let unproven = |source| Trouble::Unproven {
            host: host.to_owned(),
            source,
        };
        let bare = host.trim_matches(['[', ']']).to_owned();
        let name = ServerName::try_from(bare);
        let name = name.map_err(|error| unproven(io::Error::other(error)))?;
        let stream = self.0.tls.connect(name, stream).await.map_err(unproven)?;
        Ok(Stream::Other(Box::new(stream)))
    }
}
