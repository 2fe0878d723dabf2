//! What a kind of files looks like: which are read in which order, and what a row means.

use crate::batch::Batch;
use crate::file::File;
use crate::film;
use crate::problem::Wrong;
use movies_api::metadata::v1::Metadata;

/// One pass over one file.
#[derive(Clone, Debug)]
pub(crate) struct Pass {
    pub(crate) file: File,
    /// Whether it only learns what later passes need: then it is made again after a restart.
    pub(crate) learns: bool,
    pub(crate) form: Form,
}

/// What a file is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Lines, the first with the names of the columns.
    Table,
    /// The elements of a JSON array.
    Array,
}

/// A kind of files. It keeps what its passes learn.
pub(crate) trait Layout: Send {
    /// Takes a row of the pass at `pass`, without the header. What it makes goes into the batch.
    fn row(&mut self, pass: usize, row: &str, batch: &mut Batch) -> Result<Vec<Wrong>, Wrong>;

    /// A pass is at its end.
    fn end(&mut self, _pass: usize) {}

    /// What to say of a text that is not UTF-8.
    fn not_utf8(&self) -> &'static str {
        "is not UTF-8"
    }
}

/// Adds a film, within limits; tells what was cut.
pub(crate) fn add_film(mut film: Metadata, batch: &mut Batch) -> Vec<Wrong> {
    let cuts = film::fit(&mut film);
    batch.film(film);
    cuts
}

/// A whole number in decimal digits.
pub(crate) fn number<T: std::str::FromStr>(
    field: &'static str,
    text: &str,
    what: &str,
) -> Result<T, Wrong> {
    // No signs and no blanks, which `parse` would take.
    if !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && let Ok(number) = text.parse()
    {
        return Ok(number);
    }
    Err(Wrong::field(field, text, format!("must be {what}")))
}
