//! What the cells of a row say.

use crate::layout::number;
use crate::problem::Wrong;

/// A cell that holds nothing.
const MISSING: &str = "\\N";

/// The cells of a row; exactly so many. A quote is a character like any other.
pub(super) fn cells<const N: usize>(row: &str) -> Result<[&str; N], Wrong> {
    let (mut cells, mut count) = ([""; N], 0);
    for cell in row.split('\t') {
        if let Some(place) = cells.get_mut(count) {
            *place = cell;
        }
        count += 1;
    }
    if count == N {
        return Ok(cells);
    }
    let s = if count == 1 { "" } else { "s" };
    Err(Wrong::line(format!(
        "has {count} field{s} between tabs, expected {N}"
    )))
}

/// What a cell holds, if anything.
pub(super) fn present(cell: &str) -> Option<&str> {
    Some(cell).filter(|cell| !cell.trim().is_empty() && *cell != MISSING)
}

/// The number in "tt0114709".
pub(super) fn title_id(cell: &str) -> Result<u32, Wrong> {
    id("tconst", cell, "tt")
}

/// The number in "nm0000158".
pub(super) fn name_id(field: &'static str, cell: &str) -> Result<u32, Wrong> {
    id(field, cell, "nm")
}

fn id(field: &'static str, cell: &str, prefix: &str) -> Result<u32, Wrong> {
    let wrong = || {
        Wrong::field(
            field,
            cell,
            format!("must be {prefix} and 7 digits or more, such as {prefix}0114709"),
        )
    };
    let digits = cell.strip_prefix(prefix).ok_or_else(wrong)?;
    if digits.len() < 7 || digits.len() > 9 {
        return Err(wrong());
    }
    number(field, digits, "").map_err(|_| wrong())
}

pub(super) fn votes(cell: &str) -> Result<u32, Wrong> {
    match number("numVotes", cell, "a number of votes, 1 or more")? {
        0 => Err(Wrong::field(
            "numVotes",
            cell,
            "must be a number of votes, 1 or more",
        )),
        votes => Ok(votes),
    }
}

/// 1.0 to 10.0.
pub(super) fn average(cell: &str) -> Result<f64, Wrong> {
    let plain = cell
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.');
    let average = cell
        .parse()
        .ok()
        .filter(|average| plain && (1.0..=10.0).contains(average));
    average.ok_or_else(|| Wrong::field("averageRating", cell, "must be 1.0 to 10.0"))
}

/// A row of `title.basics`.
#[derive(Debug)]
pub(super) struct Title<'r> {
    pub(super) id: &'r str,
    pub(super) number: u32,
    pub(super) kind: &'r str,
    pub(super) name: &'r str,
    /// Where it is another one.
    pub(super) original: Option<&'r str>,
    pub(super) adult: bool,
    /// 0 when unknown.
    pub(super) year: i32,
    /// Between commas.
    pub(super) genres: &'r str,
}

impl<'r> Title<'r> {
    pub(super) fn read(row: &'r str) -> Result<Self, Wrong> {
        let [
            id,
            kind,
            name,
            original,
            adult,
            year,
            _end,
            _minutes,
            genres,
        ] = cells(row)?;
        let number = title_id(id)?;
        let name = present(name)
            .map(str::trim)
            .ok_or_else(|| Wrong::field("primaryTitle", name, "must not be empty"))?;
        let adult = match adult {
            "0" | MISSING => false,
            "1" => true,
            _ => return Err(Wrong::field("isAdult", adult, "must be 0 or 1")),
        };
        let year_wrong = "a year of four digits or \\N";
        let year = match present(year) {
            None => 0,
            Some(year) if year.len() == 4 => crate::layout::number("startYear", year, year_wrong)?,
            Some(year) => {
                return Err(Wrong::field(
                    "startYear",
                    year,
                    format!("must be {year_wrong}"),
                ));
            }
        };
        if year > 2200 {
            return Err(Wrong::field(
                "startYear",
                &year.to_string(),
                "must be 2200 or before",
            ));
        }
        Ok(Title {
            id,
            number,
            kind,
            name,
            original: present(original)
                .map(str::trim)
                .filter(|original| *original != name),
            adult,
            year,
            genres: present(genres).unwrap_or_default(),
        })
    }
}
