//! Floods over loopback.

use super::*;
use crate::edge::Edge;
use crate::server::{Limits, Server};
use backlot_core::Env;
use backlot_service::health::Health;
use backlot_service::tasks::Tasks;
use proptest::prelude::*;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const SETTINGS: u8 = 4;
const PRIORITY: u8 = 2;
const PING: u8 = 6;
const LIMIT: Duration = Duration::from_secs(20);

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let head = [length[1], length[2], length[3], kind, flags];
    [&head, &stream.to_be_bytes()[..], payload].concat()
}

/// A request's head, in entries of HPACK's static table but for `:authority: a`.
const REQUEST: &[u8] = &[0x83, 0x86, 0x84, 0x41, 0x01, b'a'];

/// Sends the preface and then this; the frames that come back until the connection ends, but for
/// answers to PING and SETTINGS.
async fn answers(flood: Vec<u8>) -> Vec<(u8, Vec<u8>)> {
    let env = Env::real();
    let tasks = Tasks::new(&env);
    let listener = env.net.bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let server = Server::new(Edge::anonymous(), Health::new()).limits(Limits::default());
    let server = server.prepare().unwrap();
    {
        let env = env.clone();
        tasks.spawn("server", async move {
            let _outcome = server.run(listener, &env).await;
        });
    }
    let stream = env.net.connect(&address).await.unwrap();
    let (mut read, mut write) = tokio::io::split(stream);
    let sending = async {
        let introduced = [&PREFACE[..], &frame(SETTINGS, 0, 0, &[]), &flood].concat();
        // It may be heard no more.
        drop(write.write_all(&introduced).await);
        std::future::pending::<()>().await;
    };
    let reading = async {
        let (mut frames, mut got) = (Vec::new(), Vec::new());
        loop {
            while got.len() >= HEAD {
                let length = u32::from_be_bytes([0, got[0], got[1], got[2]]) as usize;
                if got.len() < HEAD + length {
                    break;
                }
                let (kind, payload) = (got[3], got[HEAD..HEAD + length].to_vec());
                got.drain(..HEAD + length);
                if kind == GOAWAY {
                    frames.push((kind, payload));
                    return frames;
                }
                if !matches!(kind, PING | SETTINGS) {
                    frames.push((kind, payload));
                }
            }
            match read.read_buf(&mut got).await {
                Ok(0) | Err(_) => return frames,
                Ok(_) => {}
            }
        }
    };
    let frames = tokio::select! {
        biased;
        frames = tokio::time::timeout(LIMIT, reading) => frames.unwrap(),
        () = sending => unreachable!("it waits"),
    };
    tasks.shutdown(Duration::ZERO).await;
    frames
}

fn is_calmed(frames: &[(u8, Vec<u8>)]) -> bool {
    let last = frames.last();
    last.is_some_and(|(kind, payload)| {
        *kind == GOAWAY && payload[4..8] == [0, 0, 0, ENHANCE_YOUR_CALM]
    })
}

#[tokio::test]
async fn a_flood_of_frames_that_ask_nothing_ends_the_connection() {
    for (name, one) in [
        ("PING", frame(PING, 0, 0, &[0; 8])),
        ("SETTINGS", frame(SETTINGS, 0, 0, &[])),
        ("PRIORITY", frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 1])),
        ("WINDOW_UPDATE", frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1])),
        ("unknown", frame(0xfa, 0, 0, &[1, 2, 3])),
    ] {
        let frames = answers(one.repeat(60_000)).await;
        assert!(is_calmed(&frames), "{name}: {frames:?}");
    }
}

#[tokio::test]
async fn floods_that_the_protocol_library_knows_end_the_connection_too() {
    let request = |stream, flags| frame(HEADERS, flags, stream, REQUEST);
    let streams = || (0..20_000).map(|number| 2 * number + 1);
    // END_HEADERS and END_STREAM; END_HEADERS alone.
    let (whole, open) = (5, 4);
    let reset = |stream| frame(RST_STREAM, 0, stream, &[0, 0, 0, 8]);
    let rapid = streams().flat_map(|stream| [request(stream, whole), reset(stream)].concat());
    // A window that is too large makes the server reset the stream itself.
    let large = |stream| frame(WINDOW_UPDATE, 0, stream, &[0x7f, 0xff, 0xff, 0xff]);
    let made = streams().flat_map(|stream| [request(stream, open), large(stream)].concat());
    let continued = frame(CONTINUATION, 0, 1, &[]).repeat(20_000);
    let empty = frame(DATA, 0, 1, &[]).repeat(200_000);
    for (name, flood) in [
        ("rapid reset", rapid.collect()),
        ("made you reset", made.collect()),
        ("CONTINUATION", [request(1, 0), continued].concat()),
        ("empty DATA", [request(1, open), empty].concat()),
    ] {
        let frames = answers(flood).await;
        assert!(is_calmed(&frames), "{name}: {frames:?}");
    }
}

#[tokio::test]
async fn a_keepalive_for_ever_and_the_windows_of_a_large_answer_are_no_flood() {
    let ping = frame(PING, 0, 0, &[0; 8]);
    let window = frame(WINDOW_UPDATE, 0, 1, &[0, 0, 0, 1]);
    let mut watch = Watch::new(Instant::now());
    assert!(watch.came(PREFACE));
    tokio::time::pause();
    for _ in 0..10_000 {
        assert!(watch.came(&ping));
        tokio::time::advance(Duration::from_millis(10)).await;
    }
    for _ in 0..10_000 {
        watch.sent(&frame(DATA, 0, 1, &[1; 4096]));
        assert!(watch.came(&window.repeat(2)));
    }
    // Who reads late opens windows late, all at once.
    for _ in 0..1024 {
        watch.sent(&frame(DATA, 0, 1, &[1; 4096]));
    }
    assert!(watch.came(&window.repeat(2048)));
    for stream in 0..10_000 {
        assert!(watch.came(&frame(HEADERS, 5, 2 * stream + 1, REQUEST)));
        assert!(watch.came(&frame(PRIORITY, 0, 2 * stream + 1, &[0, 0, 0, 0, 1])));
        assert!(watch.came(&window));
    }
    assert!(!watch.came(&ping.repeat(2_000)));
}

#[tokio::test]
async fn windows_of_a_byte_each_are_a_flood() {
    let window = frame(WINDOW_UPDATE, 0, 1, &[0, 0, 0, 1]);
    let mut watch = Watch::new(Instant::now());
    assert!(watch.came(PREFACE));
    tokio::time::pause();
    let mut passed = 0;
    while watch.came(&window) {
        watch.sent(&frame(DATA, 0, 1, &[1]));
        passed += 1;
        assert!(passed < 10_000, "it goes on for ever");
    }
}

#[tokio::test]
async fn what_is_no_http2_has_no_frames() {
    let mut watch = Watch::new(Instant::now());
    assert!(watch.came(b"PRI * HTTP/1.1\r\n"));
    assert!(watch.came(&frame(PING, 0, 0, &[0; 8]).repeat(10_000)));
}

#[tokio::test]
async fn nothing_is_said_in_the_middle_of_a_frame() {
    let mut watch = Watch::new(Instant::now());
    assert!(watch.came(PREFACE));
    assert!(watch.came(&frame(HEADERS, 5, 7, REQUEST)));
    let data = frame(DATA, 0, 1, &[1; 100]);
    watch.sent(&data[..50]);
    assert_eq!(watch.farewell(), None);
    watch.sent(&data[50..]);
    let farewell = watch.farewell().unwrap();
    assert_eq!(farewell[..3], [0, 0, 40]);
    assert_eq!(farewell[9..17], [0, 0, 0, 7, 0, 0, 0, 11]);
    assert_eq!(farewell.len(), 9 + 40);
}

proptest! {
    #[test]
    fn heads_are_found_however_the_bytes_are_cut(
        frames in prop::collection::vec((0u8..12, 0u32..100, 0usize..40), 0..20),
        cuts in prop::collection::vec(1usize..30, 1..50),
    ) {
        let bytes: Vec<u8> = frames
            .iter()
            .flat_map(|(kind, stream, length)| frame(*kind, 0, *stream, &vec![0xff; *length]))
            .collect();
        let (mut seen, mut finder, mut rest) = (Vec::new(), Frames::default(), &bytes[..]);
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, left) = rest.split_at((*cut).min(rest.len()));
            finder.pass(piece, |head| seen.push((head.kind, head.stream)));
            rest = left;
        }
        let expected: Vec<_> = frames.iter().map(|(kind, stream, _)| (*kind, *stream)).collect();
        prop_assert_eq!(seen, expected);
        prop_assert!(finder.is_between());
    }
}
