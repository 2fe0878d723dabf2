//! What a member is told, and what it says of messages.

use super::record::{record, record_of};
use super::{lacks, millis, outgoing, outgoing_of, strange, token, token_of};
use crate::contract::broker::v1 as proto;
use backlot_core::{Error, Timestamp};
use backlot_messaging::engine::{Cause, Delivery, Failure, Gap, Input, Settle, Stale, Token};
use proto::next_response::Told;
use proto::settlement::What;
use std::time::Duration;

pub(crate) fn told(input: Input) -> Told {
    match input {
        Input::Deliveries(deliveries) => Told::Deliveries(proto::Deliveries {
            deliveries: deliveries.into_iter().map(delivery).collect(),
        }),
        Input::Assigned(shares) => {
            let shares = shares.into_iter();
            Told::Assigned(proto::Assigned {
                shares: shares
                    .map(|(partition, epoch)| proto::Share { partition, epoch })
                    .collect(),
            })
        }
        Input::Revoked { partitions, cause } => {
            let cause = match cause {
                Cause::Rebalance => proto::Cause::Rebalance,
                Cause::Expired => proto::Cause::Expired,
                Cause::Moved => proto::Cause::Moved,
            };
            Told::Revoked(proto::Revoked {
                partitions,
                cause: cause.into(),
            })
        }
        Input::Skipped {
            partition,
            first,
            end,
            cause,
        } => {
            let gap = match cause {
                Gap::Retention => proto::Gap::Retention,
                Gap::Damaged => proto::Gap::Damaged,
            };
            Told::Skipped(proto::Skipped {
                partition,
                first,
                end,
                gap: gap.into(),
            })
        }
    }
}

pub(crate) fn told_of(told: Told) -> Result<Input, Error> {
    Ok(match told {
        Told::Deliveries(proto::Deliveries { deliveries }) => {
            let deliveries = deliveries.into_iter().map(delivery_of);
            Input::Deliveries(deliveries.collect::<Result<_, _>>()?)
        }
        Told::Assigned(proto::Assigned { shares }) => {
            let shares = shares.into_iter();
            Input::Assigned(shares.map(|share| (share.partition, share.epoch)).collect())
        }
        Told::Revoked(revoked) => Input::Revoked {
            cause: match revoked.cause() {
                proto::Cause::Rebalance => Cause::Rebalance,
                proto::Cause::Expired => Cause::Expired,
                proto::Cause::Moved => Cause::Moved,
                proto::Cause::Unspecified => return Err(strange("a cause of no known kind")),
            },
            partitions: revoked.partitions,
        },
        Told::Skipped(skipped) => Input::Skipped {
            partition: skipped.partition,
            first: skipped.first,
            end: skipped.end,
            cause: match skipped.gap() {
                proto::Gap::Retention => Gap::Retention,
                proto::Gap::Damaged => Gap::Damaged,
                proto::Gap::Unspecified => return Err(strange("a gap of no known kind")),
            },
        },
    })
}

fn delivery(delivery: Delivery) -> proto::Delivery {
    proto::Delivery {
        token: Some(token(delivery.token)),
        stored: delivery.stored.0,
        starts: delivery.starts,
        attempts: delivery.attempts,
        failures: delivery.failures.into_iter().map(failure).collect(),
        record: Some(record(delivery.record)),
    }
}

fn delivery_of(delivery: proto::Delivery) -> Result<Delivery, Error> {
    let (Some(token), Some(record)) = (delivery.token, delivery.record) else {
        return Err(strange("half a message"));
    };
    Ok(Delivery {
        token: token_of(token),
        stored: Timestamp(delivery.stored),
        starts: delivery.starts,
        attempts: delivery.attempts,
        failures: delivery.failures.into_iter().map(failure_of).collect(),
        record: record_of(record),
    })
}

pub(super) fn failure(failure: Failure) -> proto::Failure {
    proto::Failure {
        at: failure.at_ms,
        class: failure.class,
        message: failure.message,
    }
}

pub(super) fn failure_of(failure: proto::Failure) -> Failure {
    Failure {
        at_ms: failure.at,
        class: failure.class,
        message: failure.message,
    }
}

pub(crate) fn settlement((settled, settle): (Token, Settle)) -> proto::Settlement {
    let what = match settle {
        Settle::Done => What::Done(proto::Done {}),
        Settle::Retry { at, failure: why } => What::Retry(proto::Retry {
            at: at.0,
            failure: why.map(failure),
        }),
        Settle::Dead(letter) => What::Dead(proto::Dead {
            letter: Some(outgoing(*letter)),
        }),
        Settle::Failed(why) => What::Failed(proto::Failed {
            failure: Some(failure(why)),
        }),
        Settle::Extend(duration) => What::Extend(proto::Extend {
            for_ms: millis(duration),
        }),
    };
    proto::Settlement {
        token: Some(token(settled)),
        what: Some(what),
    }
}

/// # Errors
/// `InvalidArgument` for one that does not say of which message, or what.
pub(crate) fn settlement_of(settlement: proto::Settlement) -> Result<(Token, Settle), Error> {
    let token = settlement.token.ok_or_else(|| lacks("settlements.token"))?;
    let settle = match settlement.what.ok_or_else(|| lacks("settlements.what"))? {
        What::Done(proto::Done {}) => Settle::Done,
        What::Retry(retry) => Settle::Retry {
            at: Timestamp(retry.at),
            failure: retry.failure.map(failure_of),
        },
        What::Dead(dead) => {
            let letter = dead
                .letter
                .ok_or_else(|| lacks("settlements.dead.letter"))?;
            Settle::Dead(Box::new(outgoing_of(letter)?))
        }
        What::Failed(failed) => {
            let why = failed
                .failure
                .ok_or_else(|| lacks("settlements.failed.failure"))?;
            Settle::Failed(failure_of(why))
        }
        What::Extend(extend) => Settle::Extend(Duration::from_millis(extend.for_ms)),
    };
    Ok((token_of(token), settle))
}

pub(crate) fn stale(stale: Stale) -> proto::Stale {
    proto::Stale {
        token: Some(token(stale.token)),
        epoch: stale.epoch,
    }
}

pub(crate) fn stale_of(stale: proto::Stale) -> Result<Stale, Error> {
    Ok(Stale {
        token: token_of(stale.token.ok_or_else(|| strange("no token"))?),
        epoch: stale.epoch,
    })
}

/// About how many bytes a message takes in an answer.
pub(crate) fn size(delivery: &Delivery) -> usize {
    let failures = delivery.failures.iter();
    record_size(&delivery.record)
        + failures
            .map(|failure| failure.class.len() + failure.message.len() + 24)
            .sum::<usize>()
        + 64
}

/// About how many bytes a record takes, at most.
pub(crate) fn record_size(record: &backlot_messaging::Record) -> usize {
    record.size() + record.kind.len() + record.source.len() + 16 * record.headers.len() + 64
}
