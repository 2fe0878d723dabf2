//! Many rows in few statements. A text is a constant, so there is one for each of a few sizes.

use backlot::storage::{Param, Row, Sql, StoreError, Tx};

/// How many values an `IN (...)` of ours takes.
pub(crate) const IN: usize = 64;

/// The same four times, with commas.
macro_rules! four {
    ($($text:tt)+) => {
        concat!($($text)+, ",", $($text)+, ",", $($text)+, ",", $($text)+)
    };
}

/// An `IN (...)` between two texts.
macro_rules! select_in {
    ($before:literal, $after:literal) => {
        sql!(concat!(
            $before,
            " IN (",
            four!(four!(four!("?"))),
            ")",
            $after
        ))
    };
}

/// Inserts of 64, 16, 4 rows and one. What follows the rows differs by dialect.
macro_rules! inserts {
    ($insert:literal, $row:literal, $conflict:literal, mysql: $mysql:literal) => {
        [
            (
                64,
                sql! {
                    default: concat!($insert, four!(four!(four!($row))), $conflict),
                    mysql: concat!($insert, four!(four!(four!($row))), $mysql),
                },
            ),
            (
                16,
                sql! {
                    default: concat!($insert, four!(four!($row)), $conflict),
                    mysql: concat!($insert, four!(four!($row)), $mysql),
                },
            ),
            (
                4,
                sql! {
                    default: concat!($insert, four!($row), $conflict),
                    mysql: concat!($insert, four!($row), $mysql),
                },
            ),
            (
                1,
                sql! {
                    default: concat!($insert, $row, $conflict),
                    mysql: concat!($insert, $row, $mysql),
                },
            ),
        ]
    };
}

pub(super) use {four, inserts, select_in};

/// Inserts in sizes that fall to 1.
pub(super) type Inserts = [(usize, Sql); 4];

/// Inserts rows of `columns` parameters each, no row twice.
pub(super) async fn insert(
    tx: &mut Tx,
    inserts: &Inserts,
    columns: usize,
    mut rows: &[Param<'_>],
) -> Result<(), StoreError> {
    for (size, sql) in inserts {
        while rows.len() >= size * columns {
            let (now, later) = rows.split_at(size * columns);
            tx.execute(sql, now).await?;
            rows = later;
        }
    }
    Ok(())
}

/// The rows that a `select_in!` finds for these values; `after` is what else it takes, behind them.
pub(super) async fn select<'a, T>(
    tx: &mut Tx,
    sql: Sql,
    values: &'a [T],
    after: &[Param<'a>],
) -> Result<Vec<Row>, StoreError>
where
    &'a T: Into<Param<'a>>,
{
    let mut rows = Vec::new();
    for chunk in values.chunks(IN) {
        rows.append(&mut tx.query(sql, padded(chunk, after)).await?);
    }
    Ok(rows)
}

/// Runs a `select_in!` that deletes.
pub(super) async fn delete<'a, T>(
    tx: &mut Tx,
    sql: Sql,
    values: &'a [T],
    after: &[Param<'a>],
) -> Result<(), StoreError>
where
    &'a T: Into<Param<'a>>,
{
    for chunk in values.chunks(IN) {
        tx.execute(sql, padded(chunk, after)).await?;
    }
    Ok(())
}

/// The last value again and again: it finds nothing more.
fn padded<'a, T>(chunk: &'a [T], after: &[Param<'a>]) -> Vec<Param<'a>>
where
    &'a T: Into<Param<'a>>,
{
    let last = chunk.last().into_iter().cycle();
    let mut params: Vec<Param<'a>> = chunk.iter().chain(last).take(IN).map(Into::into).collect();
    params.extend_from_slice(after);
    params
}
