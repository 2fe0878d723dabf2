//! Which films a name leads to.

use crate::set::{BLOCK, Block, Set};
use backlot::storage::{In, Param, Rows, Sql, StoreError, Tx, in_list, params, rows, sql};
use std::collections::{BTreeMap, BTreeSet};

const OF_NAMES: In = in_list!(
    "SELECT name, block, bits FROM postings WHERE name IN (",
    ")"
);
const OF_NAMES_IN_BLOCK: In = in_list!(
    "SELECT name, block, bits FROM postings WHERE name IN (",
    ") AND block = ?"
);
const BETWEEN: Sql = sql!("SELECT block, bits FROM postings WHERE name >= ? AND name < ?");
const DELETE: In = in_list!("DELETE FROM postings WHERE name IN (", ") AND block = ?");
const PUT: Rows = rows! {
    default: [
        "INSERT INTO postings (name, block, bits) VALUES ",
        "(?, ?, ?)",
        " ON CONFLICT (name, block) DO UPDATE SET bits = excluded.bits"
    ],
    mysql: [
        "INSERT INTO postings (name, block, bits) VALUES ",
        "(?, ?, ?)",
        " ON DUPLICATE KEY UPDATE bits = VALUES(bits)"
    ],
};

/// What films gained and lost, gathered for few statements.
#[derive(Debug, Default)]
pub(super) struct Changes(BTreeMap<u32, BTreeMap<String, Vec<(u32, bool)>>>);

impl Changes {
    /// A film's names become these.
    pub(super) fn film(
        &mut self,
        number: u32,
        before: &BTreeSet<String>,
        after: &BTreeSet<String>,
    ) {
        let (block, within) = (number / BLOCK, number % BLOCK);
        let gone = before.difference(after).map(|name| (name, false));
        let new = after.difference(before).map(|name| (name, true));
        for (name, entered) in gone.chain(new) {
            let names = self.0.entry(block).or_default();
            names
                .entry(name.clone())
                .or_default()
                .push((within, entered));
        }
    }

    pub(super) async fn write(self, tx: &mut Tx) -> Result<(), StoreError> {
        for (index, changes) in self.0 {
            let names: Vec<String> = changes.keys().cloned().collect();
            let block = [Param::from(index)];
            let mut blocks = BTreeMap::new();
            for row in OF_NAMES_IN_BLOCK.query(tx, &names, &block).await? {
                blocks.insert(row.get::<String>(0)?, Block::decode(row.get(2)?)?);
            }
            let (mut kept, mut empty) = (Vec::new(), Vec::new());
            for (name, changes) in changes {
                let mut bits = blocks.remove(&name).unwrap_or_else(Block::empty);
                for (within, entered) in changes {
                    if entered {
                        bits.insert(within);
                    } else {
                        bits.remove(within);
                    }
                }
                if bits.is_empty() {
                    empty.push(name);
                } else {
                    kept.push((name, bits.encode()));
                }
            }
            let rows: Vec<Param<'_>> = kept
                .iter()
                .flat_map(|(name, bits)| params![name, index, bits])
                .collect();
            PUT.execute(tx, 3, &rows).await?;
            DELETE.execute(tx, &empty, &block).await?;
        }
        Ok(())
    }
}

/// The films of each name that leads to any.
pub(super) async fn of_names(
    tx: &mut Tx,
    names: &[String],
) -> Result<BTreeMap<String, Set>, StoreError> {
    let mut sets: BTreeMap<String, Set> = BTreeMap::new();
    for row in OF_NAMES.query(tx, names, &[]).await? {
        let (name, block, bits) = (row.get::<&str>(0)?, row.get(1)?, row.get(2)?);
        match sets.get_mut(name) {
            Some(set) => set.add(block, bits)?,
            None => sets.entry(name.to_owned()).or_default().add(block, bits)?,
        }
    }
    Ok(sets)
}

/// The films of all names that begin so.
pub(super) async fn of_beginning(tx: &mut Tx, name: &str) -> Result<Set, StoreError> {
    // No name holds the greatest character.
    let end = format!("{name}\u{10ffff}");
    let mut begun = Set::default();
    for row in tx.query(BETWEEN, params![name, &end]).await? {
        begun.add(row.get(0)?, row.get(1)?)?;
    }
    Ok(begun)
}
