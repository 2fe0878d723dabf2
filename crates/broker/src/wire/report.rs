//! How a topic and its groups stand.

use crate::contract::broker::v1 as proto;
use backlot_core::Timestamp;
use backlot_messaging::engine::{
    CursorReport, GroupReport, PartitionReport, Report, TopicReport, TopicSpec,
};
use std::time::Duration;

pub(crate) fn report(report: Report) -> proto::InspectResponse {
    proto::InspectResponse {
        partitions: report.partitions.into_iter().map(partition).collect(),
        groups: report.groups.into_iter().map(group).collect(),
        incarnation: report.incarnation,
    }
}

pub(crate) fn report_of(report: proto::InspectResponse) -> Report {
    Report {
        partitions: report.partitions.into_iter().map(partition_of).collect(),
        groups: report.groups.into_iter().map(group_of).collect(),
        incarnation: report.incarnation,
    }
}

fn partition(report: PartitionReport) -> proto::PartitionReport {
    let damaged = report.damaged.into_iter();
    proto::PartitionReport {
        start: report.start,
        head: report.head,
        bytes: report.bytes,
        damaged: damaged
            .map(|(first, end)| proto::Range { first, end })
            .collect(),
    }
}

fn partition_of(report: proto::PartitionReport) -> PartitionReport {
    let damaged = report.damaged.into_iter();
    PartitionReport {
        start: report.start,
        head: report.head,
        bytes: report.bytes,
        damaged: damaged.map(|range| (range.first, range.end)).collect(),
    }
}

fn group(report: GroupReport) -> proto::GroupReport {
    let cursor = |cursor: CursorReport| proto::CursorReport {
        prefix: cursor.prefix,
        lag: cursor.lag,
        oldest: cursor.oldest.map(|oldest| oldest.0),
        retrying: cursor.retrying,
        epoch: cursor.epoch,
    };
    proto::GroupReport {
        group: report.group,
        paused: report.paused,
        members: report.members,
        partitions: report.partitions.into_iter().map(cursor).collect(),
    }
}

fn group_of(report: proto::GroupReport) -> GroupReport {
    let cursor = |cursor: proto::CursorReport| CursorReport {
        prefix: cursor.prefix,
        lag: cursor.lag,
        oldest: cursor.oldest.map(Timestamp),
        retrying: cursor.retrying,
        epoch: cursor.epoch,
    };
    GroupReport {
        group: report.group,
        paused: report.paused,
        members: report.members,
        partitions: report.partitions.into_iter().map(cursor).collect(),
    }
}

pub(crate) fn topic(topic: TopicReport) -> proto::Topic {
    let spec = topic.spec;
    proto::Topic {
        topic: spec.name,
        partitions: spec.partitions,
        retention_ms: spec.retention.map(super::millis),
        retention_bytes: spec.retention_bytes,
        dedupe_ms: super::millis(spec.dedupe),
        groups: topic.groups,
    }
}

pub(crate) fn topic_of(topic: proto::Topic) -> TopicReport {
    TopicReport {
        spec: TopicSpec {
            name: topic.topic,
            partitions: topic.partitions,
            retention: topic.retention_ms.map(Duration::from_millis),
            retention_bytes: topic.retention_bytes,
            dedupe: Duration::from_millis(topic.dedupe_ms),
        },
        groups: topic.groups,
    }
}

/// How far a group is behind, over all partitions.
pub(crate) fn lag(topic: &str, group: GroupReport) -> proto::GroupLag {
    let cursors = &group.partitions;
    proto::GroupLag {
        topic: topic.to_owned(),
        paused: group.paused,
        members: u32::try_from(group.members.len()).unwrap_or(u32::MAX),
        lag: cursors.iter().map(|cursor| cursor.lag).sum(),
        oldest: cursors
            .iter()
            .filter_map(|cursor| cursor.oldest)
            .min()
            .map(|oldest| oldest.0),
        retrying: cursors.iter().map(|cursor| cursor.retrying).sum(),
        group: group.group,
    }
}
