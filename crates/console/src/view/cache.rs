//! How a cache does at each instance of its service, and that it forgets.

use super::{Note, grouped};
use crate::snapshot::CacheRow;
use askama::Template;
use backlot_cache::Report;

/// The page.
#[derive(Template)]
#[template(path = "cache.html")]
pub(crate) struct Cache {
    pub(crate) row: CacheRow,
    /// What came of what was asked for.
    pub(crate) note: Option<Note>,
}

/// How a cache does at all instances together.
pub(crate) fn all(row: &CacheRow) -> Report {
    let mut all = Report::default();
    for one in row.instances.iter().filter_map(|(_, one)| one.as_ref()) {
        let sums = [
            (&mut all.values, one.values),
            (&mut all.bytes, one.bytes),
            (&mut all.limit, one.limit),
            (&mut all.fresh, one.fresh),
            (&mut all.stale, one.stale),
            (&mut all.late, one.late),
            (&mut all.fetched, one.fetched),
            (&mut all.joined, one.joined),
            (&mut all.failed, one.failed),
            (&mut all.source_asked, one.source_asked),
            (&mut all.source_failed, one.source_failed),
            (&mut all.outdated, one.outdated),
            (&mut all.evicted, one.evicted),
            (&mut all.forgotten, one.forgotten),
        ];
        for (sum, one) in sums {
            *sum = sum.saturating_add(one);
        }
    }
    all
}

/// The share of those who did not wait, in per cent.
pub(crate) fn hits(report: &Report) -> String {
    let ratio = report.hit_ratio();
    ratio.map_or_else(String::new, |ratio| format!("{:.1} %", ratio * 100.0))
}

/// How much memory of how much.
pub(crate) fn of_limit(report: &Report) -> String {
    let used = report.bytes.div_ceil(1024);
    format!("{} of {}", grouped(used), kib(&report.limit))
}

/// Memory, for people.
pub(crate) fn kib(bytes: &u64) -> String {
    format!("{} KiB", grouped(bytes.div_ceil(1024)))
}
