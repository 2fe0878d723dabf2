//! Callers who take their time: each step of a connection is bounded, and none holds up the end.

use backlot::Env;
use backlot::core::env::Phase;
use backlot::core::net::{Network, Stream, Tcp};
use backlot::rpc::server::{Limits, Outcome};
use backlot::rpc::{Edge, Server};
use backlot::service::health::Health;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinHandle;
use tokio::time::Instant;

const HEAD: Duration = Duration::from_millis(300);
/// What people do who never get to the point.
const BEGINNINGS: [(&str, &[u8]); 6] = [
    ("silence", b""),
    ("a letter", b"G"),
    ("half a head", b"GET / HTTP/1.1\r\nhost: x\r\n"),
    ("half a preface", b"PRI * HTTP/2.0\r\n\r\nSM"),
    ("a preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    (
        "half a frame",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04",
    ),
];

struct Site {
    address: String,
    env: Env,
    served: JoinHandle<Outcome>,
}

impl Site {
    async fn start(limits: Limits) -> Site {
        let env = Env::real();
        let listener = env.net.bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let ready = Server::new(Edge::anonymous(), Health::new())
            .limits(limits)
            .prepare()
            .unwrap();
        let served = {
            let env = env.clone();
            #[expect(clippy::disallowed_methods, reason = "the test waits for it by itself")]
            tokio::spawn(async move { ready.run(listener, &env).await })
        };
        Site {
            address,
            env,
            served,
        }
    }

    async fn begin(&self, beginning: &[u8]) -> Stream {
        let mut stream = Tcp.connect(&self.address).await.unwrap();
        stream.write_all(beginning).await.unwrap();
        stream
    }
}

/// Reads until the other side closes; how long that took.
async fn closed(mut stream: Stream) -> Duration {
    let started = Instant::now();
    let mut said = Vec::new();
    drop(stream.read_to_end(&mut said).await);
    Instant::now() - started
}

#[tokio::test]
async fn a_connection_that_never_gets_to_the_point_is_closed() {
    let site = Site::start(Limits {
        head: HEAD,
        ..Limits::default()
    })
    .await;
    // Whoever has introduced itself may be silent for as long as it answers pings.
    let strangers = BEGINNINGS
        .iter()
        .filter(|(_, beginning)| beginning.len() < 24 || beginning.starts_with(b"GET"));
    for (what, beginning) in strangers {
        let stream = site.begin(beginning).await;
        let took = tokio::time::timeout(Duration::from_secs(5), closed(stream)).await;
        assert!(took.is_ok(), "{what} is still open");
    }
    site.env.shutdown.advance(Phase::Draining);
    assert_eq!(site.served.await.unwrap(), Outcome { cut: 0 });
}

#[tokio::test]
async fn a_connection_that_asks_nothing_does_not_hold_up_the_end() {
    for (what, beginning) in BEGINNINGS {
        let site = Site::start(Limits::default()).await;
        let stream = site.begin(beginning).await;
        // It has been accepted when one that came later has been served.
        assert!(backlot_testkit::http::get(&site.address, "/").await.is_ok());
        let started = Instant::now();
        site.env.shutdown.advance(Phase::Draining);
        let outcome = tokio::time::timeout(Duration::from_secs(5), site.served).await;
        assert!(
            outcome.is_ok(),
            "{what} held up the end for {:?}",
            Instant::now() - started
        );
        assert_eq!(outcome.unwrap().unwrap(), Outcome { cut: 0 }, "{what}");
        drop(stream);
    }
}

#[tokio::test]
async fn a_connection_that_has_lived_for_long_is_asked_to_end() {
    let site = Site::start(Limits {
        head: HEAD,
        age: Some(2 * HEAD),
        ..Limits::default()
    })
    .await;
    let spoken: [(&str, &[u8]); 2] = [
        ("HTTP/1", b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"),
        (
            "HTTP/2",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
        ),
    ];
    for (what, spoken) in spoken {
        let mut stream = site.begin(spoken).await;
        let started = Instant::now();
        let asked =
            tokio::time::timeout(Duration::from_secs(5), is_asked_to_end(&mut stream, spoken));
        assert!(asked.await.is_ok(), "{what} goes on");
        let took = Instant::now() - started;
        assert!(took > HEAD, "{what} lived for {took:?}");
    }
}

/// Goes on asking until the other side wants no more: it closes, or says so, or sends a frame of the
/// kind GOAWAY.
async fn is_asked_to_end(stream: &mut Stream, spoken: &[u8]) {
    const GOAWAY: &[u8] = b"\0\0\x08\x07\0\0\0\0\0";
    const CLOSE: &[u8] = b"connection: close";
    let contains = |said: &[u8], words: &[u8]| said.windows(words.len()).any(|some| some == words);
    let (mut said, mut piece) = (Vec::new(), [0; 256]);
    while !contains(&said, GOAWAY) && !contains(&said, CLOSE) {
        // It is never silent for as long as a head may take.
        match tokio::time::timeout(HEAD / 3, stream.read(&mut piece)).await {
            Ok(read) => match read.unwrap() {
                0 => return,
                read => said.extend_from_slice(&piece[..read]),
            },
            Err(_quiet) if spoken.starts_with(b"GET") => stream.write_all(spoken).await.unwrap(),
            Err(_quiet) => {}
        }
    }
}
