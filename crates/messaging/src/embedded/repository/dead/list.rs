//! Which letters match, by keyset: each statement walks one index from one place on.

use super::storable;
use crate::dead::{After, Class, Filter, OfGroup, Status};
use backlot_core::Timestamp;
use backlot_storage::{Param, Row, Sql, StoreError, Tx, params, sql};
use std::collections::BTreeMap;

const GROUPS: Sql = sql!(
    "SELECT dead_group.id, topic.name, dead_group.topic, dead_group.grp
     FROM dead_group JOIN topic ON topic.id = dead_group.queue ORDER BY topic.name, dead_group.id"
);
/// A walk along an index: the rest of those of one time, and those of later times. A comparison of
/// both columns at once would walk over everything of that time before.
struct Walk {
    ties: Sql,
    later: Sql,
}

macro_rules! walk {
    ($of:literal, $only:literal) => {
        Walk {
            ties: sql!(concat!(
                "SELECT at, id FROM dead WHERE grp = ? AND status = ?",
                $of,
                " AND at = ? AND id > ?",
                $only,
                " ORDER BY id LIMIT ?"
            )),
            later: sql!(concat!(
                "SELECT at, id FROM dead WHERE grp = ? AND status = ?",
                $of,
                " AND at > ? AND at < ?",
                $only,
                " ORDER BY at, id LIMIT ?"
            )),
        }
    };
}

const BY_TIME: Walk = walk!("", "");
const BY_CLASS: Walk = walk!(" AND class = ?", "");
const BY_KEY: Walk = walk!(" AND msg_key = ?", "");
/// A key has few letters: those of another class are passed over.
const BY_KEY_AND_CLASS: Walk = walk!(" AND msg_key = ?", " AND class = ?");
const COUNTS: Sql = sql!("SELECT status, class, cnt FROM dead_count WHERE grp = ? AND cnt > 0");

/// The most places that one look for a number of letters takes.
const LOOK: u32 = 10_000;

const WAITING: i64 = 0;
const REDRIVEN: i64 = 1;

/// The groups that a filter is about, with what they are called.
async fn groups_of(tx: &mut Tx, filter: &Filter) -> Result<Vec<(i64, OfGroup)>, StoreError> {
    let is = |wanted: &Option<String>, name: &str| {
        wanted
            .as_ref()
            .is_none_or(|wanted| storable(wanted) == name)
    };
    let mut found = Vec::new();
    for row in tx.query(GROUPS, params![]).await? {
        let group = OfGroup {
            queue: row.get(1)?,
            topic: row.get(2)?,
            group: row.get(3)?,
            ..OfGroup::default()
        };
        if is(&filter.topic, &group.topic) && is(&filter.group, &group.group) {
            found.push((row.get(0)?, group));
        }
    }
    Ok(found)
}

/// The places of letters that match, after a place, in order, at most so many.
pub(in crate::embedded) async fn places(
    tx: &mut Tx,
    filter: &Filter,
    after: Option<After>,
    most: u32,
) -> Result<Vec<After>, StoreError> {
    let statuses: &[i64] = match filter.status {
        Some(Status::Waiting) => &[WAITING],
        Some(Status::Redriven) => &[REDRIVEN],
        None => &[WAITING, REDRIVEN],
    };
    let span = Span::of(filter, after);
    let class = filter.class.map(Class::name);
    let key = filter.key.as_deref().map(storable);
    let (walk, of, only) = match (key.as_deref(), class) {
        (None, None) => (&BY_TIME, None, None),
        (None, Some(class)) => (&BY_CLASS, Some(class), None),
        (Some(key), None) => (&BY_KEY, Some(key), None),
        (Some(key), Some(class)) => (&BY_KEY_AND_CLASS, Some(key), Some(class)),
    };
    let mut places = Vec::new();
    for (group, _) in groups_of(tx, filter).await? {
        for status in statuses {
            let head = [
                Some(Param::Int(group)),
                Some(Param::Int(*status)),
                of.map(Param::Text),
            ];
            let tail = [only.map(Param::Text), Some(Param::Int(i64::from(most)))];
            let with = |range: [i64; 2]| -> Vec<Param<'_>> {
                let range = range.map(|number| Some(Param::Int(number)));
                head.into_iter()
                    .chain(range)
                    .chain(tail)
                    .flatten()
                    .collect()
            };
            let mut left = most as usize;
            if let Some(tied) = span.tied {
                let rows = tx.query(walk.ties, with([tied.at, tied.row])).await?;
                left -= rows.len().min(left);
                read(&rows, &mut places)?;
            }
            if left > 0 {
                let rows = tx.query(walk.later, with([span.later, span.until])).await?;
                read(&rows, &mut places)?;
            }
        }
    }
    places.sort_unstable();
    places.truncate(most as usize);
    Ok(places)
}

fn read(rows: &[Row], places: &mut Vec<After>) -> Result<(), StoreError> {
    for row in rows {
        places.push(After {
            at: row.get(0)?,
            row: row.get(1)?,
        });
    }
    Ok(())
}

/// From where to where.
#[derive(Clone, Copy, Debug)]
struct Span {
    /// The rest of those of the same time as this one.
    tied: Option<After>,
    /// Those after this time.
    later: i64,
    /// Those before this time.
    until: i64,
}

impl Span {
    fn of(filter: &Filter, after: Option<After>) -> Self {
        let since = filter.since.map_or(i64::MIN, |since| since.0);
        let until = filter.until.map_or(i64::MAX, |until| until.0);
        let after = after.filter(|after| after.at >= since);
        Span {
            tied: after.filter(|after| after.at < until),
            later: after.map_or(since.saturating_sub(1), |after| after.at),
            until,
        }
    }
}

/// How a look for the number of letters went on.
#[derive(Clone, Copy, Debug)]
pub(in crate::embedded) struct Counted {
    pub(in crate::embedded) count: u64,
    /// Where the next look begins, if there is one.
    pub(in crate::embedded) next: Option<After>,
}

/// How many letters match: from the counters where they tell, else a number of them from a place
/// on.
pub(in crate::embedded) async fn count(
    tx: &mut Tx,
    filter: &Filter,
    after: Option<After>,
) -> Result<Counted, StoreError> {
    if filter.key.is_some() || filter.since.is_some() || filter.until.is_some() {
        let places = places(tx, filter, after, LOOK).await?;
        let is_full = places.len() >= LOOK as usize;
        return Ok(Counted {
            count: places.len() as u64,
            next: places.last().copied().filter(|_| is_full),
        });
    }
    let mut count = 0;
    for group in groups(tx, filter).await? {
        let sum = |counts: &BTreeMap<Class, u64>| -> u64 {
            let all = counts.iter();
            let all = all.filter(|(class, _)| filter.class.is_none_or(|wanted| wanted == **class));
            all.map(|(_, count)| count).sum()
        };
        let (waiting, redriven) = (sum(&group.waiting), sum(&group.redriven));
        count += match filter.status {
            Some(Status::Waiting) => waiting,
            Some(Status::Redriven) => redriven,
            None => waiting + redriven,
        };
    }
    Ok(Counted { count, next: None })
}

/// The groups that a filter is about, with their counters.
pub(in crate::embedded) async fn groups(
    tx: &mut Tx,
    filter: &Filter,
) -> Result<Vec<OfGroup>, StoreError> {
    let mut groups = Vec::new();
    for (id, mut group) in groups_of(tx, filter).await? {
        for row in tx.query(COUNTS, params![id]).await? {
            let class = row.get::<&str>(1)?.parse().unwrap_or(Class::Unknown);
            let count: u64 = row.get(2)?;
            let counts = match row.get::<i64>(0)? {
                WAITING => &mut group.waiting,
                _ => &mut group.redriven,
            };
            *counts.entry(class).or_default() += count;
        }
        let oldest = params![id, WAITING, i64::MIN, i64::MAX, 1];
        let oldest = tx.query(BY_TIME.later, oldest).await?;
        let oldest = oldest.first().map(|row| row.get::<Timestamp>(0));
        group.oldest = oldest.transpose()?;
        groups.push(group);
    }
    Ok(groups)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embedded::MIGRATIONS;
    use backlot_core::{Clock, Context};
    use backlot_storage::{Dialect, sqlite};

    async fn plan(sql: Sql) -> String {
        let text = format!("EXPLAIN QUERY PLAN {}", sql.text(Dialect::Sqlite));
        let places = text.matches('?').count();
        let sql = Sql::new(Box::leak(text.into_boxed_str()));
        let store = sqlite::memory(MIGRATIONS, Clock::real()).unwrap();
        let reading = store.read(&Context::background(), move |tx| {
            Box::pin(async move {
                let params = vec![backlot_storage::Param::Int(1); places];
                let rows = tx.query(sql, params).await?;
                let details = rows.iter().map(|row| row.get::<String>(3));
                Ok::<_, StoreError>(details.collect::<Result<Vec<_>, _>>()?.join("\n"))
            })
        });
        reading.await.unwrap()
    }

    #[tokio::test]
    async fn a_page_is_a_walk_along_one_index_wherever_it_begins() {
        for (walk, index, column) in [
            (BY_TIME, "USING COVERING INDEX dead_time", ""),
            (BY_CLASS, "USING COVERING INDEX dead_class", " AND class=?"),
            (BY_KEY, "USING COVERING INDEX dead_key", " AND msg_key=?"),
            (BY_KEY_AND_CLASS, "USING INDEX dead_key", " AND msg_key=?"),
        ] {
            for (sql, range) in [
                (walk.ties, "at=? AND rowid>?"),
                (walk.later, "at>? AND at<?"),
            ] {
                let plan = plan(sql).await;
                let walk = format!("SEARCH dead {index} (grp=? AND status=?{column} AND {range})");
                assert_eq!(plan, walk);
            }
        }
    }
}
