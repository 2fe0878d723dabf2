//! What is sent. An id says what shall become of its message, so that everybody who meets it knows
//! what is right.

use backlot_core::{Clock, Timestamp};
use backlot_messaging::Record;
use backlot_messaging::engine::{Delivery, Outgoing};
use std::time::Duration;

pub(crate) const IN: &str = "in";
pub(crate) const OUT: &str = "out";
pub(crate) const DEAD: &str = "in.work.dlq";
/// Reads `in`, with an inbox, and sends to `out` through an outbox.
pub(crate) const WORK: &str = "work";
/// Reads `out`, with a position.
pub(crate) const TALLY: &str = "tally";

/// What shall become of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Plain,
    /// Nobody can handle it.
    Dead,
    /// Its first attempt fails.
    Again,
    /// It is published for later.
    Later,
    /// It is published twice with deduplication.
    Twice,
}

impl Fate {
    pub(crate) fn of(id: &str) -> Fate {
        match id.bytes().last() {
            Some(b'd') => Fate::Dead,
            Some(b'a') => Fate::Again,
            Some(b'l') => Fate::Later,
            Some(b't') => Fate::Twice,
            _ => Fate::Plain,
        }
    }

    fn letter(self) -> &'static str {
        match self {
            Fate::Plain => "",
            Fate::Dead => "d",
            Fate::Again => "a",
            Fate::Later => "l",
            Fate::Twice => "t",
        }
    }
}

/// A message of a publisher.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) id: String,
    /// `-` is none.
    pub(crate) key: String,
}

impl Message {
    /// The message of this number, of this publisher, in this run.
    pub(crate) fn new(run: u64, publisher: u64, number: u64) -> Self {
        let fate = match number % 41 {
            5 => Fate::Dead,
            9 | 23 => Fate::Again,
            14 => Fate::Later,
            7 | 30 => Fate::Twice,
            _ => Fate::Plain,
        };
        let key = match fate {
            // What comes later has no order to keep.
            Fate::Later => "-".to_owned(),
            _ => format!("{publisher}-{}", number % 3),
        };
        Message {
            id: format!("{run}.{publisher}.{number}{}", fate.letter()),
            key,
        }
    }

    pub(crate) fn line(&self) -> String {
        let dead = match Fate::of(&self.id) {
            Fate::Dead => " dead",
            _ => "",
        };
        format!("publish {} {IN} {}{dead}", self.id, self.key)
    }

    pub(crate) fn outgoing(&self, clock: &Clock) -> Outgoing {
        let outgoing = Outgoing::new(IN, record(&self.id, &self.key));
        match Fate::of(&self.id) {
            Fate::Later => outgoing.at(soon(clock)),
            Fate::Twice => outgoing.deduplicated(),
            Fate::Plain | Fate::Dead | Fate::Again => outgoing,
        }
    }
}

/// When what comes later comes.
pub(crate) fn soon(clock: &Clock) -> Timestamp {
    clock.wall().plus(Duration::from_millis(5))
}

/// The record that belongs to an id.
pub(crate) fn record(id: &str, key: &str) -> Record {
    let record = Record::new(id, "Counted", "crash", payload(id));
    match key {
        "-" => record,
        key => record.with_key(key),
    }
}

/// Bytes of all lengths up to some pages, told by the id.
pub(crate) fn payload(id: &str) -> Vec<u8> {
    let sum = id.bytes().fold(17u64, |sum, byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let length = match sum % 8 {
        0 => 3_000 + sum % 6_000,
        _ => 10 + sum % 300,
    };
    let bytes = id.bytes().cycle().zip((0..length).map(|at| at as u8));
    bytes.map(|(byte, at)| byte ^ at).collect()
}

/// Whether it is what was sent under its id.
pub(crate) fn is_right(delivery: &Delivery) -> bool {
    let record = &delivery.record;
    record.payload == payload(&record.id)
        && &*record.kind == "Counted"
        && &*record.source == "crash"
}
