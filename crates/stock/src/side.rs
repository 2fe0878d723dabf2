//! What both sides have in common: a server that runs until it is told to stop, and wires that fail.

use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
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

/// A wire to a server that falls silent when it is told to: nothing is closed, nothing passes.
pub(crate) struct Wire {
    /// Where it begins.
    pub(crate) address: SocketAddr,
    silent: watch::Sender<bool>,
}

impl Wire {
    pub(crate) async fn to(server: SocketAddr) -> anyhow::Result<Wire> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let silent = watch::Sender::new(false);
        let wire = Wire {
            address,
            silent: silent.clone(),
        };
        tokio::spawn(async move {
            while let Ok((from, _)) = listener.accept().await {
                let silent = silent.clone();
                tokio::spawn(async move {
                    let mut falls_silent = silent.subscribe();
                    let silence = async { drop(falls_silent.wait_for(|silent| *silent).await) };
                    let passing = async {
                        // Nobody new gets through either.
                        if *silent.borrow() {
                            return;
                        }
                        let Ok(mut to) = TcpStream::connect(server).await else {
                            return;
                        };
                        let mut from = from;
                        let both = tokio::io::copy_bidirectional(&mut from, &mut to);
                        tokio::select! {
                            _ended = both => {}
                            // Both stay open.
                            () = silence => std::future::pending().await,
                        }
                    };
                    passing.await;
                });
            }
        });
        Ok(wire)
    }

    pub(crate) fn falls_silent(&self) {
        self.silent.send_replace(true);
    }
}

/// An address of loopback where nobody listens.
pub(crate) async fn nobody() -> anyhow::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    Ok(listener.local_addr()?.to_string())
}
