//! A wire that goes wrong as it is told: between a client and a server, in a test's hand.

use crate::ports::Ports;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// What is read at once.
const PIECE: usize = 16 * 1024;
/// How many pieces are on their way, each way, before the sender has to wait.
const PIECES: usize = 64;

/// What a wire does to what passes. The default is nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// How much longer everything takes, each way.
    pub delay: Duration,
    /// How many bytes pass in a second, each way; as many as come if it is not said.
    pub rate: Option<u32>,
    /// Nothing reaches the server. It is sent when this is over, as lost packets are.
    pub to_server_lost: bool,
    /// Nothing reaches the client, in the same way.
    pub to_client_lost: bool,
}

impl Faults {
    /// Nothing passes, and nobody is told.
    pub const SILENT: Faults = Faults {
        delay: Duration::ZERO,
        rate: None,
        to_server_lost: true,
        to_client_lost: true,
    };
}

/// Passes bytes between whoever connects and one port of 127.0.0.1, until it is dropped.
#[derive(Debug)]
pub struct Proxy {
    ports: Ports,
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

#[derive(Debug)]
struct Shared {
    /// How often everything was cut.
    cuts: watch::Sender<u64>,
    /// How often clients were told that nothing more comes.
    ends: watch::Sender<u64>,
    faults: watch::Sender<Faults>,
    /// How many connections it took.
    taken: watch::Sender<u64>,
    /// What a client says before its connection is lost, with the answer on its way.
    fatal: Mutex<Option<Vec<u8>>>,
}

impl Shared {
    /// Whether these bytes are to be answered with silence; once.
    fn is_fatal(&self, bytes: &[u8]) -> bool {
        let mut fatal = self.fatal.lock().unwrap_or_else(PoisonError::into_inner);
        let said = fatal.as_ref().is_some_and(|words| {
            bytes
                .windows(words.len())
                .any(|window| window == words.as_slice())
        });
        if said {
            *fatal = None;
        }
        said
    }
}

impl Proxy {
    /// Listens on a port of its own for a server on `target`.
    ///
    /// # Panics
    /// When the port cannot be listened on.
    #[expect(
        clippy::disallowed_methods,
        reason = "stands between real programs; never simulated"
    )]
    pub async fn start(target: u16) -> Proxy {
        let ports = Ports::claim(1);
        let listener = match TcpListener::bind(ports.address(0)).await {
            Ok(listener) => listener,
            Err(error) => panic!("{} cannot be listened on: {error}", ports.address(0)),
        };
        let shared = Arc::new(Shared {
            cuts: watch::Sender::new(0),
            ends: watch::Sender::new(0),
            faults: watch::Sender::default(),
            taken: watch::Sender::new(0),
            fatal: Mutex::new(None),
        });
        let mut tasks = JoinSet::new();
        tasks.spawn({
            let shared = Arc::clone(&shared);
            async move {
                let mut connections = JoinSet::new();
                while let Ok((client, _)) = listener.accept().await {
                    shared.taken.send_modify(|taken| *taken += 1);
                    let shared = Arc::clone(&shared);
                    connections.spawn(async move {
                        // A server that is away closes its side, and so do we.
                        if let Ok(server) = TcpStream::connect(("127.0.0.1", target)).await {
                            pass(client, server, &shared).await;
                        }
                    });
                }
            }
        });
        Proxy {
            ports,
            shared,
            _tasks: tasks,
        }
    }

    /// Where it listens, on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.ports.number(0)
    }

    /// The same as `host:port`.
    #[must_use]
    pub fn address(&self) -> String {
        self.ports.address(0)
    }

    /// Cuts every connection, both ways.
    pub fn cut(&self) {
        self.shared.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Tells every client that nothing more comes, and goes on listening to it.
    pub fn half_close(&self) {
        self.shared.ends.send_modify(|ends| *ends += 1);
    }

    /// From now on it does this to what passes.
    pub fn set(&self, faults: Faults) {
        self.shared.faults.send_replace(faults);
    }

    /// How many connections it took so far.
    #[must_use]
    pub fn taken(&self) -> u64 {
        *self.shared.taken.borrow()
    }

    /// The next time a client says `words`, the server hears them and answers, and the client's
    /// connection is cut before it hears the answer.
    pub fn lose_answer_to(&self, words: &[u8]) {
        let mut fatal = self
            .shared
            .fatal
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *fatal = Some(words.to_owned());
    }
}

async fn pass(client: TcpStream, server: TcpStream, shared: &Shared) {
    let mut cuts = shared.cuts.subscribe();
    // What is small is on its way at once.
    drop((client.set_nodelay(true), server.set_nodelay(true)));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let silent = watch::Sender::new(false);
    let there = async {
        let hears = |bytes: &[u8]| {
            if shared.is_fatal(bytes) {
                silent.send_replace(true);
            }
            true
        };
        let lost = |faults: &Faults| faults.to_server_lost;
        carry(from_client, to_server, shared, (hears, lost), None).await;
    };
    let back = async {
        // The answer is here: the server has done it, and nobody learns of it.
        let hears = |_: &[u8]| !*silent.borrow();
        let lost = |faults: &Faults| faults.to_client_lost;
        let ends = Some(shared.ends.subscribe());
        carry(from_server, to_client, shared, (hears, lost), ends).await;
    };
    tokio::select! {
        biased;
        _ = cuts.changed() => {}
        () = there => {}
        () = back => {}
    }
}

/// Carries bytes one way, until there are no more, or nobody wants them, or `hears` says so.
async fn carry(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    shared: &Shared,
    (hears, is_lost): (impl Fn(&[u8]) -> bool, impl Fn(&Faults) -> bool),
    ends: Option<watch::Receiver<u64>>,
) {
    let (put, mut on_the_way) = mpsc::channel::<(Instant, Vec<u8>)>(PIECES);
    let reading = async move {
        let mut bytes = vec![0; PIECE];
        while let Ok(count @ 1..) = from.read(&mut bytes).await {
            let due = Instant::now() + shared.faults.borrow().delay;
            if !hears(&bytes[..count]) || put.send((due, bytes[..count].to_vec())).await.is_err() {
                return;
            }
        }
    };
    let writing = async {
        let mut faults = shared.faults.subscribe();
        while let Some((due, bytes)) = on_the_way.recv().await {
            tokio::time::sleep_until(due).await;
            // The sender is in `shared`.
            drop(faults.wait_for(|faults| !is_lost(faults)).await);
            let rate = faults.borrow().rate;
            if let Some(rate) = rate {
                let seconds = bytes.len() as f64 / f64::from(rate.max(1));
                tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
            }
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        }
    };
    let ended = async {
        match ends {
            Some(mut ends) => drop(ends.changed().await),
            None => std::future::pending().await,
        }
    };
    let carrying = async { tokio::join!(reading, writing) };
    tokio::select! {
        biased;
        _ = carrying => return,
        () = ended => {}
    }
    drop(to.shutdown().await);
    std::future::pending().await
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that answers each byte with the same, and a client of it over a wire.
    async fn wired() -> (Proxy, TcpStream, JoinSet<()>) {
        #[expect(clippy::disallowed_methods, reason = "a real server for a real wire")]
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                connections.spawn(async move {
                    let (mut from, mut to) = stream.split();
                    drop(tokio::io::copy(&mut from, &mut to).await);
                });
            }
        });
        let proxy = Proxy::start(port).await;
        #[expect(clippy::disallowed_methods, reason = "a real client for a real wire")]
        let client = TcpStream::connect(("127.0.0.1", proxy.port()))
            .await
            .unwrap();
        (proxy, client, tasks)
    }

    async fn echoed(client: &mut TcpStream) -> std::io::Result<u8> {
        client.write_u8(7).await?;
        client.read_u8().await
    }

    const SOON: Duration = Duration::from_millis(100);

    #[tokio::test]
    async fn what_is_lost_comes_when_that_is_over() {
        let (proxy, mut client, _tasks) = wired().await;
        assert_eq!(echoed(&mut client).await.unwrap(), 7);
        for lost in [
            Faults::SILENT,
            Faults {
                to_client_lost: true,
                ..Faults::default()
            },
        ] {
            proxy.set(lost);
            client.write_u8(8).await.unwrap();
            let heard = tokio::time::timeout(SOON, client.read_u8()).await;
            assert!(heard.is_err(), "{lost:?}");
            proxy.set(Faults::default());
            assert_eq!(client.read_u8().await.unwrap(), 8);
        }
        assert_eq!(proxy.taken(), 1);
    }

    #[tokio::test]
    async fn delay_and_rate_hold_up_what_passes() {
        let (proxy, mut client, _tasks) = wired().await;
        for slow in [
            Faults {
                delay: SOON,
                ..Faults::default()
            },
            Faults {
                rate: Some(10),
                ..Faults::default()
            },
        ] {
            proxy.set(slow);
            let began = Instant::now();
            assert_eq!(echoed(&mut client).await.unwrap(), 7);
            assert!(Instant::now() - began >= 2 * SOON, "{slow:?}");
        }
    }

    #[tokio::test]
    async fn a_half_closed_wire_ends_for_the_client_and_a_cut_one_for_both() {
        let (proxy, mut client, _tasks) = wired().await;
        assert_eq!(echoed(&mut client).await.unwrap(), 7);
        proxy.half_close();
        let end = client.read_u8().await.unwrap_err();
        assert_eq!(end.kind(), std::io::ErrorKind::UnexpectedEof);
        client.write_u8(1).await.unwrap();

        let (proxy, mut client, _tasks) = wired().await;
        assert_eq!(echoed(&mut client).await.unwrap(), 7);
        proxy.cut();
        assert!(client.read_u8().await.is_err());
    }
}
