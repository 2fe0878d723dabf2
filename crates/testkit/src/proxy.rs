//! A wire that can be cut: between a client and a server, in a test's hand.

use crate::ports::Ports;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

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
            fatal: Mutex::new(None),
        });
        let mut tasks = JoinSet::new();
        tasks.spawn({
            let shared = Arc::clone(&shared);
            async move {
                let mut connections = JoinSet::new();
                while let Ok((client, _)) = listener.accept().await {
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

    /// Cuts every connection, both ways.
    pub fn cut(&self) {
        self.shared.cuts.send_modify(|cuts| *cuts += 1);
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
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let silent = watch::Sender::new(false);
    let there = async {
        let mut bytes = vec![0; 64 * 1024];
        while let Ok(count @ 1..) = from_client.read(&mut bytes).await {
            if shared.is_fatal(&bytes[..count]) {
                silent.send_replace(true);
            }
            if to_server.write_all(&bytes[..count]).await.is_err() {
                return;
            }
        }
    };
    let back = async {
        let mut bytes = vec![0; 64 * 1024];
        while let Ok(count @ 1..) = from_server.read(&mut bytes).await {
            // The answer is here: the server has done it, and nobody learns of it.
            if *silent.borrow() || to_client.write_all(&bytes[..count]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        biased;
        _ = cuts.changed() => {}
        () = there => {}
        () = back => {}
    }
}
