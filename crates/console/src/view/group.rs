//! Where a group stands.

use super::ago;
use askama::Template;
use backlot_core::Timestamp;
use backlot_messaging::engine::{CursorReport, GroupReport, PartitionReport, Report};

/// The page.
#[derive(Template)]
#[template(path = "group.html")]
pub(crate) struct Group {
    topic: String,
    report: GroupReport,
    partitions: Vec<(usize, PartitionReport, CursorReport)>,
    now: Timestamp,
}

impl Group {
    pub(crate) fn new(topic: String, group: &str, report: Report, now: Timestamp) -> Option<Self> {
        let mut groups = report.groups.into_iter();
        let mut found = groups.find(|found| found.group == group)?;
        let cursors = std::mem::take(&mut found.partitions).into_iter();
        let partitions = report.partitions.into_iter().zip(cursors).enumerate();
        Some(Group {
            topic,
            partitions: partitions
                .map(|(number, (partition, cursor))| (number, partition, cursor))
                .collect(),
            report: found,
            now,
        })
    }

    fn lag(&self) -> u64 {
        self.partitions
            .iter()
            .map(|(_, _, cursor)| cursor.lag)
            .sum()
    }

    fn behind(&self, cursor: &CursorReport) -> String {
        match (cursor.lag, cursor.oldest) {
            (0, _) | (_, None) => String::new(),
            (_, Some(oldest)) => ago(oldest, self.now),
        }
    }
}
