//! The simulated network behind the seam. Every byte written goes into the trace's hash.

use crate::trace::Trace;
use backlot_core::BoxFuture;
use backlot_core::net::{Listener, Network, Stream};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

/// How long the system waits before it asks an address again that did not answer; doubled each
/// time.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// The longest such wait, after which it gives up.
const LAST_WAIT: Duration = Duration::from_secs(64);

/// The network as one host sees it.
#[derive(Clone, Debug)]
pub struct Simulated {
    host: Arc<str>,
    trace: Trace,
}

impl Simulated {
    /// The network of `host`.
    #[must_use]
    pub fn new(host: &str, trace: Trace) -> Self {
        Simulated {
            host: host.into(),
            trace,
        }
    }

    fn wrap(&self, inner: turmoil::net::TcpStream) -> Stream {
        Stream::Other(Box::new(Traced {
            inner,
            host: Arc::clone(&self.host),
            trace: self.trace.clone(),
        }))
    }
}

impl Network for Simulated {
    fn bind<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Box<dyn Listener>>> {
        Box::pin(async move {
            let listener = turmoil::net::TcpListener::bind(address).await?;
            Ok(Box::new(Accepting {
                listener,
                network: self.clone(),
            }) as Box<dyn Listener>)
        })
    }

    fn connect<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Stream>> {
        Box::pin(async move {
            let mut wait = FIRST_WAIT;
            loop {
                let began = Instant::now();
                match turmoil::net::TcpStream::connect(address).await {
                    Ok(stream) => return Ok(self.wrap(stream)),
                    // Nothing answers in no time: a partition swallowed the first segment. On a
                    // real network that is silence, and the segment is sent again.
                    Err(error)
                        if error.kind() == io::ErrorKind::ConnectionRefused
                            && Instant::now() == began
                            && wait <= LAST_WAIT =>
                    {
                        tokio::time::sleep(wait).await;
                        wait *= 2;
                    }
                    Err(error) => return Err(error),
                }
            }
        })
    }
}

struct Accepting {
    listener: turmoil::net::TcpListener,
    network: Simulated,
}

impl Listener for Accepting {
    fn accept(&mut self) -> BoxFuture<'_, io::Result<(Stream, SocketAddr)>> {
        Box::pin(async move {
            let (stream, peer) = self.listener.accept().await?;
            Ok((self.network.wrap(stream), peer))
        })
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

struct Traced {
    inner: turmoil::net::TcpStream,
    host: Arc<str>,
    trace: Trace,
}

impl AsyncRead for Traced {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_read(cx, buf)
    }
}

impl AsyncWrite for Traced {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = ready!(Pin::new(&mut this.inner).poll_write(cx, bytes))?;
        this.trace.fold(&this.host, &bytes[..written]);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match ready!(Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)) {
            // A second shutdown is none on a real socket either.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Poll::Ready(Ok(())),
            outcome => Poll::Ready(outcome),
        }
    }
}
