//! A text cut into rows: lines, or the elements of a JSON array. Rows are read one at a time into
//! one bounded buffer, whatever the file holds.

mod elements;
mod lines;

pub(crate) use elements::Elements;
pub(crate) use lines::Lines;

use std::io;

/// The longest row, in bytes; a longer one is read past.
pub(crate) const LONGEST: usize = 256 * 1024;

/// One row.
#[derive(Debug)]
pub(crate) struct Row<'r> {
    /// Without its line end.
    pub(crate) bytes: &'r [u8],
    /// Where it starts, from 1.
    pub(crate) line: u64,
    /// How it came to its end.
    pub(crate) end: End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// As it should.
    Whole,
    /// With the file: there is no line end behind it.
    OfFile,
    /// It is longer than [`LONGEST`]: what is there is its beginning.
    TooLong,
    /// What is there is no row at all.
    NoRow(&'static str),
}

/// Reads rows.
pub(crate) trait Rows: Send {
    /// The next row, or nothing at the end.
    fn next(&mut self) -> io::Result<Option<Row<'_>>>;
    /// Where the next row starts: bytes of text, and lines, before it.
    fn at(&self) -> (u64, u64);
    /// Bytes of the file read so far.
    fn read(&self) -> u64;
}
