//! Values of the engine's interface as messages, both ways.

pub(crate) mod failure;
pub(crate) mod letters;
pub(crate) mod queues;
mod record;
pub(crate) mod report;
pub(crate) mod told;
mod words;

pub(crate) use record::{outgoing, outgoing_of, record, record_of};

use crate::contract::broker::v1 as proto;
use backlot_core::Error;
use backlot_messaging::Caps;
use backlot_messaging::caps::Durability;
use backlot_messaging::engine::{Position, Receipt, Token};
use std::time::Duration;

/// A message that lacks what it cannot do without.
pub(crate) fn lacks(field: &'static str) -> Error {
    let cure = "is not there, and must be";
    Error::invalid_argument(format!("{field}: {cure}")).with_violation(field, cure)
}

/// An answer that is not as the contract says.
pub(crate) fn strange(what: &str) -> Error {
    Error::internal(format!("the broker's answer has {what}"))
}

pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

pub(crate) fn position(position: Position) -> proto::Position {
    proto::Position {
        partition: position.partition,
        offset: position.offset,
    }
}

pub(crate) fn position_of(position: proto::Position) -> Position {
    Position {
        partition: position.partition,
        offset: position.offset,
    }
}

pub(crate) fn token(token: Token) -> proto::Token {
    proto::Token {
        partition: token.partition,
        offset: token.offset,
        epoch: token.epoch,
    }
}

pub(crate) fn token_of(token: proto::Token) -> Token {
    Token {
        partition: token.partition,
        offset: token.offset,
        epoch: token.epoch,
    }
}

pub(crate) fn receipt(receipt: Receipt) -> proto::Receipt {
    let (outcome, at) = match receipt {
        Receipt::Stored(at) => (proto::Outcome::Stored, Some(position(at))),
        Receipt::Scheduled => (proto::Outcome::Scheduled, None),
        Receipt::Duplicate => (proto::Outcome::Duplicate, None),
    };
    proto::Receipt {
        outcome: outcome.into(),
        position: at,
    }
}

pub(crate) fn receipt_of(receipt: proto::Receipt) -> Result<Receipt, Error> {
    Ok(match (receipt.outcome(), receipt.position) {
        (proto::Outcome::Stored, Some(at)) => Receipt::Stored(position_of(at)),
        (proto::Outcome::Scheduled, _) => Receipt::Scheduled,
        (proto::Outcome::Duplicate, _) => Receipt::Duplicate,
        (proto::Outcome::Stored | proto::Outcome::Unspecified, _) => {
            return Err(strange("a receipt of no known kind"));
        }
    })
}

pub(crate) fn durability(durability: Durability) -> proto::Durability {
    match durability {
        Durability::Memory => proto::Durability::Memory,
        Durability::Process => proto::Durability::Process,
        Durability::Disk => proto::Durability::Disk,
        Durability::Replicated => proto::Durability::Replicated,
    }
}

/// Who says nothing of it needs and promises the least.
pub(crate) fn durability_of(durability: proto::Durability) -> Durability {
    match durability {
        proto::Durability::Unspecified | proto::Durability::Memory => Durability::Memory,
        proto::Durability::Process => Durability::Process,
        proto::Durability::Disk => Durability::Disk,
        proto::Durability::Replicated => Durability::Replicated,
    }
}

pub(crate) fn promises(caps: Caps) -> proto::Promises {
    proto::Promises {
        engine: caps.name.to_owned(),
        durability: durability(caps.durability).into(),
        order: caps.order,
        single_acks: caps.single_acks,
        retry_at: caps.retry_at,
        delay: caps.delay,
        dedupe: caps.dedupe,
        atomic_dead: caps.atomic_dead,
        seek_offset: caps.seek_offset,
        seek_time: caps.seek_time,
        starts: caps.starts,
    }
}

pub(crate) fn promises_of(promises: &proto::Promises) -> Caps {
    Caps {
        name: words::fixed(&promises.engine),
        durability: durability_of(promises.durability()),
        order: promises.order,
        single_acks: promises.single_acks,
        retry_at: promises.retry_at,
        delay: promises.delay,
        dedupe: promises.dedupe,
        atomic_dead: promises.atomic_dead,
        seek_offset: promises.seek_offset,
        seek_time: promises.seek_time,
        starts: promises.starts,
    }
}
