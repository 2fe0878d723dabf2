//! What workers of queues ask for and get, both ways.

use super::record::{record, record_of};
use super::told::{failure, failure_of};
use super::{millis, position, position_of, strange};
use crate::contract::broker::v1 as proto;
use backlot_core::{Error, Timestamp};
use backlot_messaging::pull::{ATTEMPTS, Ask, Lease, Leased, Out, QueueReport};
use std::time::Duration;

pub(crate) fn ask(ask: &Ask) -> proto::PullRequest {
    proto::PullRequest {
        topic: ask.topic.clone(),
        group: ask.group.clone(),
        worker: ask.worker.clone(),
        max: u32::try_from(ask.max).unwrap_or(u32::MAX),
        wait_ms: u32::try_from(millis(ask.wait)).unwrap_or(u32::MAX),
        lease_ms: Some(millis(ask.lease)),
        attempts: ask.attempts,
        secret: Vec::new(),
    }
}

pub(crate) fn ask_of(request: proto::PullRequest) -> Ask {
    let usual = Ask::new(request.topic, request.group, request.worker);
    Ask {
        max: match request.max {
            0 => usual.max,
            some => some as usize,
        },
        wait: Duration::from_millis(request.wait_ms.into()),
        lease: request.lease_ms.map_or(usual.lease, Duration::from_millis),
        attempts: match request.attempts {
            0 => ATTEMPTS,
            some => some,
        },
        ..usual
    }
}

pub(crate) fn leased(leased: Leased) -> proto::LeasedMessage {
    let mut record = record(leased.record);
    let text = match String::from_utf8(std::mem::take(&mut record.payload)) {
        Ok(text) => Some(text),
        Err(bytes) => {
            record.payload = bytes.into_bytes();
            None
        }
    };
    proto::LeasedMessage {
        lease: leased.lease.0,
        until: leased.until.0,
        position: Some(position(leased.position)),
        attempt: leased.attempt,
        failures: leased.failures.into_iter().map(failure).collect(),
        stored: leased.stored.0,
        effect: leased.effect,
        text,
        record: Some(record),
    }
}

pub(crate) fn leased_of(leased: proto::LeasedMessage) -> Result<Leased, Error> {
    let mut record = leased.record.ok_or_else(|| strange("no record"))?;
    if let Some(text) = leased.text {
        record.payload = text.into_bytes();
    }
    let at = leased.position.ok_or_else(|| strange("no position"))?;
    Ok(Leased {
        lease: Lease(leased.lease),
        until: Timestamp(leased.until),
        position: position_of(at),
        attempt: leased.attempt,
        failures: leased.failures.into_iter().map(failure_of).collect(),
        stored: Timestamp(leased.stored),
        effect: leased.effect,
        record: record_of(record),
    })
}

pub(crate) fn report(report: QueueReport) -> proto::Queue {
    let leases = report.out.into_iter().map(|out| proto::QueueLease {
        worker: out.worker,
        since: out.since.0,
        until: out.until.0,
        position: Some(position(out.position)),
        attempt: out.attempt,
        id: out.id,
    });
    proto::Queue {
        topic: report.topic,
        group: report.group,
        ready: report.ready as u64,
        waiting: report.waiting as u64,
        leased: report.leased as u64,
        leases: leases.collect(),
    }
}

pub(crate) fn report_of(queue: proto::Queue) -> Result<QueueReport, Error> {
    let out = queue.leases.into_iter().map(|lease| {
        Ok(Out {
            worker: lease.worker,
            since: Timestamp(lease.since),
            until: Timestamp(lease.until),
            position: position_of(lease.position.ok_or_else(|| strange("no position"))?),
            attempt: lease.attempt,
            id: lease.id,
        })
    });
    Ok(QueueReport {
        topic: queue.topic,
        group: queue.group,
        ready: usize::try_from(queue.ready).unwrap_or(usize::MAX),
        waiting: usize::try_from(queue.waiting).unwrap_or(usize::MAX),
        leased: usize::try_from(queue.leased).unwrap_or(usize::MAX),
        out: out.collect::<Result<_, Error>>()?,
    })
}
