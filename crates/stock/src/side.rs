//! What both sides have in common: a server that runs until it is told to stop, and wires that fail.

use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// How long anything is watched that may take for ever.
pub(crate) const WATCHED: Duration = Duration::from_secs(15);

/// A running server.
pub(crate) struct Running {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    served: JoinHandle<()>,
    stop: Box<dyn FnOnce() + Send>,
}

impl Running {
    /// Runs it in a task of its own.
    pub(crate) fn new(
        address: SocketAddr,
        serve: impl Future<Output = ()> + Send + 'static,
        stop: impl FnOnce() + Send + 'static,
    ) -> Self {
        Running {
            address,
            served: tokio::spawn(serve),
            stop: Box::new(stop),
        }
    }

    /// Tells it to stop; how long that took, unless it takes too long.
    pub(crate) async fn stop(self) -> Option<Duration> {
        let began = Instant::now();
        (self.stop)();
        let ended = tokio::time::timeout(WATCHED, self.served).await;
        ended.ok().map(|_ended| Instant::now() - began)
    }
}

/// How long a connection stays open on which these bytes were said, unless that is too long.
pub(crate) async fn open_for(address: SocketAddr, said: &[u8]) -> anyhow::Result<Option<Duration>> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(said).await?;
    let began = Instant::now();
    let mut heard = Vec::new();
    let closed = tokio::time::timeout(WATCHED, stream.read_to_end(&mut heard)).await;
    Ok(closed.ok().map(|_closed| Instant::now() - began))
}

/// What a server does with so many PING frames of HTTP/2 and nothing else.
pub(crate) async fn flood(address: SocketAddr, count: usize) -> anyhow::Result<String> {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    const PING: [u8; 17] = [0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];
    const GOAWAY: u8 = 7;
    let (mut read, mut write) = TcpStream::connect(address).await?.into_split();
    let flood = [PREFACE, &SETTINGS, &PING.repeat(count)].concat();
    let sending = async {
        // It may not be heard to the end.
        drop(write.write_all(&flood).await);
        std::future::pending::<()>().await;
    };
    let reading = async {
        let mut answered = 0;
        let mut head = [0; 9];
        while read.read_exact(&mut head).await.is_ok() {
            let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
            read.read_exact(&mut payload).await?;
            match head[3] {
                GOAWAY => {
                    let reason = match payload.get(7) {
                        Some(11) => "ENHANCE_YOUR_CALM".to_owned(),
                        other => format!("{other:?}"),
                    };
                    return Ok(format!("GOAWAY with {reason}"));
                }
                6 => answered += 1,
                _ => {}
            }
            if answered == count {
                return Ok(format!("answers all {count}"));
            }
        }
        Ok(format!("answers {answered} and hangs up"))
    };
    tokio::select! {
        biased;
        outcome = tokio::time::timeout(WATCHED, reading) => outcome?,
        () = sending => anyhow::bail!("nobody reads"),
    }
}

/// An address of loopback where nobody listens.
pub(crate) async fn nobody() -> anyhow::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    Ok(listener.local_addr()?.to_string())
}
