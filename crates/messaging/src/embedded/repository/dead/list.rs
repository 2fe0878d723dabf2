//! Which letters match, by keyset: each statement walks one index from one place on.

use super::storable;
use crate::dead::{After, Class, Filter, OfGroup, Status};
use backlot_core::Timestamp;
use backlot_storage::{Sql, StoreError, Tx, params, sql};
use std::collections::BTreeMap;

const GROUPS: Sql = sql!(
    "SELECT dead_group.id, topic.name, dead_group.topic, dead_group.grp
     FROM dead_group JOIN topic ON topic.id = dead_group.queue ORDER BY topic.name, dead_group.id"
);
const BY_TIME: Sql = sql!(
    "SELECT at, id FROM dead WHERE grp = ? AND status = ? AND (at, id) > (?, ?) AND at < ? ORDER BY at, id LIMIT ?"
);
const BY_CLASS: Sql = sql!(
    "SELECT at, id FROM dead WHERE grp = ? AND status = ? AND class = ? AND (at, id) > (?, ?) AND at < ?
     ORDER BY at, id LIMIT ?"
);
/// A key has few letters: those of another class are passed over.
const BY_KEY: Sql = sql!(
    "SELECT at, id FROM dead WHERE grp = ? AND status = ? AND msg_key = ? AND (at, id) > (?, ?) AND at < ?
         AND (? = '' OR class = ?)
     ORDER BY at, id LIMIT ?"
);
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
    // Rows are counted from 1.
    let since = filter.since.map_or(i64::MIN, |since| since.0);
    let after = after.unwrap_or(After { at: since, row: 0 });
    let after = after.max(After { at: since, row: 0 });
    let until = filter.until.map_or(i64::MAX, |until| until.0);
    let class = filter.class.map_or("", Class::name);
    let key = filter.key.as_deref().map(storable);
    let mut places = Vec::new();
    for (group, _) in groups_of(tx, filter).await? {
        for status in statuses {
            let (at, row) = (after.at, after.row);
            let rows = match (&key, class) {
                (Some(key), class) => {
                    let by = params![group, *status, key, at, row, until, class, class, most];
                    tx.query(BY_KEY, by).await?
                }
                (None, "") => {
                    let by = params![group, *status, at, row, until, most];
                    tx.query(BY_TIME, by).await?
                }
                (None, class) => {
                    let by = params![group, *status, class, at, row, until, most];
                    tx.query(BY_CLASS, by).await?
                }
            };
            for row in rows {
                places.push(After {
                    at: row.get(0)?,
                    row: row.get(1)?,
                });
            }
        }
    }
    places.sort_unstable();
    places.truncate(most as usize);
    Ok(places)
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
        let (at, row) = (i64::MIN, 0);
        let oldest = params![id, WAITING, at, row, i64::MAX, 1];
        let oldest = tx.query(BY_TIME, oldest).await?;
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
        for (sql, walk) in [
            (
                BY_TIME,
                "USING COVERING INDEX dead_time (grp=? AND status=? AND (at,rowid)>(?,?)",
            ),
            (
                BY_CLASS,
                "USING COVERING INDEX dead_class (grp=? AND status=? AND class=? AND (at,rowid)>(?,?)",
            ),
            (
                BY_KEY,
                "USING INDEX dead_key (grp=? AND status=? AND msg_key=? AND (at,rowid)>(?,?)",
            ),
        ] {
            let plan = plan(sql).await;
            assert!(plan.contains(walk), "{plan}");
            assert!(!plan.contains("SCAN") && !plan.contains("TEMP"), "{plan}");
        }
    }
}
