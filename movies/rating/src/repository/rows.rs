//! Statements of many rows, for any number of rows.

use backlot::storage::Sql;

/// Repeats a literal, with a comma between.
macro_rules! times_8 {
    ($row:literal) => {
        concat!(
            $row, ",", $row, ",", $row, ",", $row, ",", $row, ",", $row, ",", $row, ",", $row
        )
    };
}
macro_rules! times_64 {
    ($row:literal) => {
        concat!(
            times_8!($row),
            ",",
            times_8!($row),
            ",",
            times_8!($row),
            ",",
            times_8!($row),
            ",",
            times_8!($row),
            ",",
            times_8!($row),
            ",",
            times_8!($row),
            ",",
            times_8!($row)
        )
    };
}

/// One statement for 64, 8 and 1 rows: any number of rows is made up of these, so that a handful
/// of prepared statements serves every batch.
pub(super) struct Rows(pub(super) [(usize, Sql); 3]);

macro_rules! rows {
    (default: [$($default:tt),*], mysql: [$($mysql:tt),*] $(,)?) => {
        Rows([
            (64, sql! { default: rows!(times_64: $($default),*), mysql: rows!(times_64: $($mysql),*) }),
            (8, sql! { default: rows!(times_8: $($default),*), mysql: rows!(times_8: $($mysql),*) }),
            (1, sql! { default: rows!(once: $($default),*), mysql: rows!(once: $($mysql),*) }),
        ])
    };
    (once: $before:literal, $row:literal, $after:literal) => { concat!($before, $row, $after) };
    ($times:ident: $before:literal, $row:literal, $after:literal) => {
        concat!($before, $times!($row), $after)
    };
}

impl Rows {
    /// Cuts `all` into pieces and gives each the statement of its size.
    pub(super) fn over<'a, T>(&self, all: &'a [T]) -> impl Iterator<Item = (Sql, &'a [T])> {
        let mut rest = all;
        std::iter::from_fn(move || {
            let (size, sql) = self.0.iter().find(|(size, _)| *size <= rest.len())?;
            let (piece, others) = rest.split_at(*size);
            rest = others;
            Some((*sql, piece))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use backlot::storage::{Dialect, sql};

    const PUT: Rows = rows! {
        default: ["INSERT INTO t VALUES ", "(?)", " ON CONFLICT DO NOTHING"],
        mysql: ["INSERT IGNORE INTO t VALUES ", "(?)", ""],
    };

    #[test]
    fn any_number_of_rows_is_cut_into_statements_of_as_many_placeholders() {
        for number in [0, 1, 7, 8, 9, 63, 64, 65, 200] {
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
}
