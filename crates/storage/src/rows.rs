//! Many rows in few statements. A statement's text is a constant, so there is one for each of a few
//! sizes, and a handful of prepared statements serves any number of rows.
//!
//! ```
//! use backlot_storage::{In, Rows, in_list, rows};
//!
//! const PUT: Rows = rows! {
//!     default: ["INSERT INTO film (id, year) VALUES ", "(?, ?)", " ON CONFLICT (id) DO NOTHING"],
//!     mysql: ["INSERT IGNORE INTO film (id, year) VALUES ", "(?, ?)", ""],
//! };
//! const YEARS: In = in_list!("SELECT id, year FROM film WHERE id IN (", ")");
//!
//! let sizes: Vec<usize> = PUT.over(&[0; 70]).map(|(_, piece)| piece.len()).collect();
//! assert_eq!(sizes, [64, 4, 1, 1]);
//! # let _ = YEARS;
//! ```

use crate::{Dialect, Param, Row, Sql, StoreError, Tx};

/// One statement for 64, 16, 4 rows and one, made by [`rows!`](crate::rows!).
#[derive(Clone, Copy, Debug)]
pub struct Rows([(usize, Sql); 4]);

impl Rows {
    /// The same statement for 64, 16, 4 rows and one; [`rows!`](crate::rows!) writes them.
    #[must_use]
    pub const fn of_64_16_4_1(texts: [Sql; 4]) -> Self {
        let [most, many, few, one] = texts;
        Rows([(64, most), (16, many), (4, few), (1, one)])
    }

    /// Cuts `all` into pieces and gives each the statement of its size.
    pub fn over<'a, T>(&self, all: &'a [T]) -> impl Iterator<Item = (Sql, &'a [T])> + use<'a, T> {
        let sizes = self.0;
        let mut rest = all;
        std::iter::from_fn(move || {
            let (size, sql) = sizes.iter().find(|(size, _)| *size <= rest.len())?;
            let (piece, others) = rest.split_at(*size);
            rest = others;
            Some((*sql, piece))
        })
    }

    /// The statement for one row.
    #[must_use]
    pub const fn one(&self) -> Sql {
        self.0[3].1
    }

    /// Runs it over rows of `columns` parameters each; answers how many rows it changed. An embedded
    /// database, to which a statement costs next to nothing, gets one row at a time.
    ///
    /// # Errors
    /// As [`Tx::execute_each`].
    pub async fn execute(
        &self,
        tx: &mut Tx,
        columns: usize,
        params: &[Param<'_>],
    ) -> Result<u64, StoreError> {
        if tx.dialect() == Dialect::Sqlite || columns == 0 {
            let changed = tx.execute_each(self.one(), columns, params).await?;
            return Ok(changed.iter().sum());
        }
        let (mut rest, mut changed) = (params, 0);
        for (size, sql) in self.0 {
            while rest.len() >= size * columns {
                let (now, later) = rest.split_at(size * columns);
                changed += tx.execute(sql, now).await?;
                rest = later;
            }
        }
        Ok(changed)
    }
}

/// A statement with an `IN (...)` of [`In::SIZE`] values, made by [`in_list!`](crate::in_list!).
#[derive(Clone, Copy, Debug)]
pub struct In(Sql);

impl In {
    /// How many values one statement takes.
    pub const SIZE: usize = 64;

    /// A statement with 64 placeholders in a row, then any others; [`in_list!`](crate::in_list!)
    /// writes it.
    #[must_use]
    pub const fn of_64(sql: Sql) -> Self {
        In(sql)
    }

    /// The rows it finds for these values, in as many statements as it takes; `after` is what else
    /// it takes, behind the values.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn query<'a, T>(
        &self,
        tx: &mut Tx,
        values: &'a [T],
        after: &[Param<'a>],
    ) -> Result<Vec<Row>, StoreError>
    where
        &'a T: Into<Param<'a>>,
    {
        let mut rows = Vec::new();
        for chunk in values.chunks(In::SIZE) {
            rows.append(&mut tx.query(self.0, padded(chunk, after)).await?);
        }
        Ok(rows)
    }

    /// Runs one that changes rows; answers how many it changed.
    ///
    /// # Errors
    /// As [`Tx::execute`].
    pub async fn execute<'a, T>(
        &self,
        tx: &mut Tx,
        values: &'a [T],
        after: &[Param<'a>],
    ) -> Result<u64, StoreError>
    where
        &'a T: Into<Param<'a>>,
    {
        let mut changed = 0;
        for chunk in values.chunks(In::SIZE) {
            changed += tx.execute(self.0, padded(chunk, after)).await?;
        }
        Ok(changed)
    }
}

/// The last value again and again: it finds nothing more.
fn padded<'a, T>(chunk: &'a [T], after: &[Param<'a>]) -> Vec<Param<'a>>
where
    &'a T: Into<Param<'a>>,
{
    let last = chunk.last().into_iter().cycle();
    let values = chunk.iter().chain(last).take(In::SIZE);
    let mut params: Vec<Param<'a>> = values.map(Into::into).collect();
    params.extend_from_slice(after);
    params
}

/// A statement over any number of rows: what comes before them, one row, what comes after. MySQL may
/// have a text of its own. See [`Rows`](crate::Rows).
#[macro_export]
macro_rules! rows {
    (default: [$($default:literal),* $(,)?], mysql: [$($mysql:literal),* $(,)?] $(,)?) => {
        $crate::Rows::of_64_16_4_1([
            $crate::sql! { default: $crate::rows!(@64 $($default),*), mysql: $crate::rows!(@64 $($mysql),*) },
            $crate::sql! { default: $crate::rows!(@16 $($default),*), mysql: $crate::rows!(@16 $($mysql),*) },
            $crate::sql! { default: $crate::rows!(@4 $($default),*), mysql: $crate::rows!(@4 $($mysql),*) },
            $crate::sql! { default: concat!($($default),*), mysql: concat!($($mysql),*) },
        ])
    };
    ($before:literal, $row:literal, $after:literal $(,)?) => {
        $crate::rows! { default: [$before, $row, $after], mysql: [$before, $row, $after] }
    };
    (@64 $before:literal, $row:literal, $after:literal) => {
        concat!($before, $crate::four_times!($crate::four_times!($crate::four_times!($row))), $after)
    };
    (@16 $before:literal, $row:literal, $after:literal) => {
        concat!($before, $crate::four_times!($crate::four_times!($row)), $after)
    };
    (@4 $before:literal, $row:literal, $after:literal) => {
        concat!($before, $crate::four_times!($row), $after)
    };
}

/// A statement with a list of 64 values between two texts, `... IN (` and `)...`. See
/// [`In`](crate::In).
#[macro_export]
macro_rules! in_list {
    ($before:literal, $after:literal $(,)?) => {
        $crate::In::of_64($crate::sql!(concat!(
            $before,
            $crate::four_times!($crate::four_times!($crate::four_times!("?"))),
            $after
        )))
    };
}

/// The same text four times, with commas.
#[doc(hidden)]
#[macro_export]
macro_rules! four_times {
    ($($text:tt)+) => {
        concat!($($text)+, ",", $($text)+, ",", $($text)+, ",", $($text)+)
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUT: Rows = rows! {
        default: ["INSERT INTO t VALUES ", "(?)", " ON CONFLICT DO NOTHING"],
        mysql: ["INSERT IGNORE INTO t VALUES ", "(?)", ""],
    };

    #[test]
    fn any_number_of_rows_is_cut_into_statements_of_as_many_placeholders() {
        for number in [0, 1, 3, 4, 5, 15, 16, 17, 63, 64, 65, 200] {
            let all: Vec<usize> = (0..number).collect();
            let mut seen = Vec::new();
            for (sql, piece) in PUT.over(&all) {
                for dialect in [Dialect::Sqlite, Dialect::Mysql, Dialect::Postgres] {
                    assert_eq!(sql.text(dialect).matches('?').count(), piece.len());
                }
                seen.extend_from_slice(piece);
            }
            assert_eq!(seen, all);
        }
    }

    #[test]
    fn a_short_list_is_filled_up_with_its_last_value() {
        let params = padded(&[7, 8], &[Param::from(9)]);
        assert_eq!(params.len(), In::SIZE + 1);
        assert_eq!(params[0], Param::from(7));
        assert!(
            params[1..In::SIZE]
                .iter()
                .all(|param| *param == Param::from(8))
        );
        assert_eq!(params[In::SIZE], Param::from(9));
    }
}
