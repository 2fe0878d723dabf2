//! Records on their way in and out.

use super::lacks;
use crate::contract::broker::v1 as proto;
use backlot_core::{Error, Timestamp};
use backlot_messaging::engine::Outgoing;
use backlot_messaging::{Headers, Record};

pub(crate) fn record(record: Record) -> proto::Record {
    let headers = record.headers.iter().map(|(name, value)| proto::Header {
        name: name.to_string(),
        value: value.to_owned(),
    });
    proto::Record {
        headers: headers.collect(),
        id: record.id,
        kind: record.kind.to_string(),
        version: record.version,
        source: record.source.to_string(),
        time: record.time.0,
        key: record.key,
        payload: record.payload.into(),
    }
}

pub(crate) fn record_of(record: proto::Record) -> Record {
    let mut headers = Headers::default();
    for header in record.headers {
        headers.set(header.name, header.value);
    }
    Record {
        id: record.id,
        kind: record.kind.into(),
        version: record.version,
        source: record.source.into(),
        time: Timestamp(record.time),
        key: record.key,
        headers,
        payload: record.payload.into(),
    }
}

pub(crate) fn outgoing(outgoing: Outgoing) -> proto::Outgoing {
    proto::Outgoing {
        topic: outgoing.topic.to_string(),
        record: Some(record(outgoing.record)),
        due: outgoing.due.map(|due| due.0),
        dedupe: outgoing.dedupe,
    }
}

/// # Errors
/// `InvalidArgument` for one without a record.
pub(crate) fn outgoing_of(outgoing: proto::Outgoing) -> Result<Outgoing, Error> {
    let record = outgoing.record.ok_or_else(|| lacks("record"))?;
    Ok(Outgoing {
        topic: outgoing.topic.into(),
        record: record_of(record),
        due: outgoing.due.map(Timestamp),
        dedupe: outgoing.dedupe,
    })
}
