//! Frames that cost a server work and ask for nothing are bounded on each connection.
//!
//! An HTTP/2 peer may send PING and SETTINGS frames, which have to be answered, and PRIORITY,
//! WINDOW_UPDATE and unknown ones, which have to be looked at, as fast as it can (CVE-2019-9512,
//! -9513, -9515). Other floods the `h2` crate stops by itself: resets, CONTINUATION, empty DATA. This
//! watches the bytes of a connection as they pass, and finds the heads of frames in them (RFC 9113,
//! section 4.1). What a well behaved peer needs grows with what it asks and is sent; a peer that
//! exceeds that is told to calm down (GOAWAY with ENHANCE_YOUR_CALM) and heard no more.

use tokio::time::Instant;

/// What an HTTP/2 client sends first (RFC 9113, section 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEAD: usize = 9;
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
const ENHANCE_YOUR_CALM: u8 = 11;

/// So many frames that ask nothing may come at once.
const BURST: f64 = 1000.0;
/// So many a second may come for ever: keepalives, and measurements of the way.
const PER_SECOND: f64 = 100.0;
/// So many more for each call begun.
const PER_CALL: f64 = 5.0;
/// So many more WINDOW_UPDATE frames for each DATA frame sent, and for each KiB of those: windows are
/// opened for what comes. Some clients do for each 4 KiB, of the stream and of the connection.
const PER_DATA: f64 = 0.5;
const PER_KIB: f64 = 1.0;
/// So many of those may be saved up: who reads late opens windows late.
const SAVED: f64 = 100_000.0;
const WINDOW_UPDATE: u8 = 8;

/// The head of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Head {
    kind: u8,
    stream: u32,
    length: usize,
}

/// Finds the heads of frames in bytes that come in pieces.
#[derive(Debug, Default)]
struct Frames {
    /// What has come of the next head.
    head: [u8; HEAD],
    have: usize,
    /// How much is left of the frame before.
    payload: usize,
}

impl Frames {
    fn pass(&mut self, mut bytes: &[u8], mut each: impl FnMut(Head)) {
        while !bytes.is_empty() {
            let skipped = self.payload.min(bytes.len());
            self.payload -= skipped;
            bytes = &bytes[skipped..];
            let taken = (HEAD - self.have).min(bytes.len());
            self.head[self.have..self.have + taken].copy_from_slice(&bytes[..taken]);
            self.have += taken;
            bytes = &bytes[taken..];
            if self.have == HEAD {
                let [l0, l1, l2, kind, _flags, s0, s1, s2, s3] = self.head;
                self.payload = u32::from_be_bytes([0, l0, l1, l2]) as usize;
                self.have = 0;
                // The first bit is reserved.
                let stream = u32::from_be_bytes([s0, s1, s2, s3]) & (u32::MAX >> 1);
                each(Head {
                    kind,
                    stream,
                    length: self.payload,
                });
            }
        }
    }

    /// Whether another frame may begin here.
    fn is_between(&self) -> bool {
        self.have == 0 && self.payload == 0
    }
}

/// How many more frames that ask nothing may come.
#[derive(Debug)]
struct Budget {
    left: f64,
    /// How many more of them may open windows.
    windows: f64,
    at: Instant,
}

impl Budget {
    fn earn(&mut self, frames: f64) {
        self.left = (self.left + frames).min(BURST);
    }

    fn earn_windows(&mut self, frames: f64) {
        self.windows = (self.windows + frames).min(SAVED);
    }

    /// Whether these are within it, of which some open windows.
    fn spend(&mut self, (windows, others): (u32, u32), now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.at = now;
        self.earn(passed * PER_SECOND);
        let windows = f64::from(windows);
        let covered = windows.min(self.windows);
        self.windows -= covered;
        self.left -= windows - covered + f64::from(others);
        self.left >= 0.0
    }
}

/// How far a connection has introduced itself.
#[derive(Debug)]
enum Speaks {
    /// So much of the preface has come.
    Unknown(usize),
    /// HTTP/1, which has no frames.
    Other,
    Http2,
}

/// Watches one connection.
#[derive(Debug)]
pub(super) struct Watch {
    speaks: Speaks,
    come: Frames,
    sent: Frames,
    budget: Budget,
    /// The last stream that its peer began.
    last: u32,
}

impl Watch {
    pub(super) fn new(now: Instant) -> Self {
        Watch {
            speaks: Speaks::Unknown(0),
            come: Frames::default(),
            sent: Frames::default(),
            budget: Budget {
                left: BURST,
                windows: 0.0,
                at: now,
            },
            last: 0,
        }
    }

    /// Sees what the peer sent; whether that is still no flood.
    pub(super) fn came(&mut self, mut bytes: &[u8]) -> bool {
        if let Speaks::Unknown(known) = &mut self.speaks {
            let next = &PREFACE[*known..];
            let taken = next.len().min(bytes.len());
            if next[..taken] != bytes[..taken] {
                self.speaks = Speaks::Other;
            } else {
                *known += taken;
                bytes = &bytes[taken..];
                if *known == PREFACE.len() {
                    self.speaks = Speaks::Http2;
                }
            }
        }
        if !matches!(self.speaks, Speaks::Http2) {
            return true;
        }
        let (mut calls, mut windows, mut others, mut last) = (0.0, 0, 0, self.last);
        self.come.pass(bytes, |head| match head.kind {
            HEADERS => {
                calls += 1.0;
                last = last.max(head.stream);
            }
            DATA | RST_STREAM | GOAWAY | CONTINUATION => {}
            WINDOW_UPDATE => windows += 1,
            _ => others += 1,
        });
        self.last = last;
        if calls > 0.0 {
            self.budget.earn(calls * PER_CALL);
        }
        (windows, others) == (0, 0) || self.budget.spend((windows, others), Instant::now())
    }

    /// Sees what was sent to the peer.
    pub(super) fn sent(&mut self, bytes: &[u8]) {
        if matches!(self.speaks, Speaks::Http2) {
            let mut earned = 0.0;
            self.sent.pass(bytes, |head| {
                if head.kind == DATA {
                    earned += PER_DATA + head.length as f64 / 1024.0 * PER_KIB;
                }
            });
            if earned > 0.0 {
                self.budget.earn_windows(earned);
            }
        }
    }

    /// The last frame of the connection, if a frame may begin now.
    pub(super) fn farewell(&self) -> Option<Vec<u8>> {
        const WORDS: &[u8] = b"too many frames that ask nothing";
        if !self.sent.is_between() {
            return None;
        }
        let length = u8::try_from(8 + WORDS.len()).ok()?;
        let mut frame = vec![0, 0, length, GOAWAY, 0, 0, 0, 0, 0];
        frame.extend(self.last.to_be_bytes());
        frame.extend([0, 0, 0, ENHANCE_YOUR_CALM]);
        frame.extend(WORDS);
        Some(frame)
    }
}

#[cfg(test)]
mod tests;
