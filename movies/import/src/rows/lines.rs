//! Lines, with either line end.

use super::{End, LONGEST, Row, Rows};
use crate::file::Text;
use std::io::{self, BufRead, Read};

const MARK: &[u8] = b"\xef\xbb\xbf";

pub(crate) struct Lines {
    text: Text,
    offset: u64,
    lines: u64,
    buffer: Vec<u8>,
}

impl Lines {
    /// Reads on from where so many bytes and lines were read.
    pub(crate) fn new(text: Text, offset: u64, lines: u64) -> Self {
        Lines {
            text,
            offset,
            lines,
            buffer: Vec::new(),
        }
    }

    /// Reads to the end of the line, keeping at most its beginning; whether it fits.
    fn fill(&mut self) -> io::Result<bool> {
        self.buffer.clear();
        let mut fits = true;
        loop {
            // The rest of a line that is too long is read in pieces and forgotten.
            let kept = if fits { self.buffer.len() } else { LONGEST };
            let limit = (LONGEST + 1).saturating_sub(kept).max(1) as u64;
            let input = &mut self.text.input;
            let read = input.take(limit).read_until(b'\n', &mut self.buffer)?;
            self.offset += read as u64;
            if read == 0 || self.buffer.ends_with(b"\n") {
                break;
            }
            if self.buffer.len() > LONGEST {
                fits = false;
                self.buffer.truncate(LONGEST);
            }
        }
        if !fits {
            self.buffer.truncate(LONGEST);
        }
        Ok(fits)
    }
}

impl Rows for Lines {
    fn next(&mut self) -> io::Result<Option<Row<'_>>> {
        let first = self.offset == 0;
        let fits = self.fill()?;
        if self.buffer.is_empty() {
            return Ok(None);
        }
        self.lines += 1;
        let bytes = self.buffer.as_slice();
        let (bytes, ended) = match bytes.strip_suffix(b"\n") {
            Some(bytes) => (bytes.strip_suffix(b"\r").unwrap_or(bytes), true),
            None => (bytes, false),
        };
        let bytes = if first {
            bytes.strip_prefix(MARK).unwrap_or(bytes)
        } else {
            bytes
        };
        let end = match (fits, ended) {
            (false, _) => End::TooLong,
            (true, true) => End::Whole,
            (true, false) => End::OfFile,
        };
        Ok(Some(Row {
            bytes,
            line: self.lines,
            end,
        }))
    }

    fn at(&self) -> (u64, u64) {
        (self.offset, self.lines)
    }

    fn read(&self) -> u64 {
        self.text.read()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::File;

    /// The lines of a file, and how each ended.
    fn lines(bytes: &[u8]) -> Vec<(String, u64, End)> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lines");
        std::fs::write(&path, bytes).unwrap();
        let file = File::at(&path).unwrap();
        let mut lines = Lines::new(file.open(0).unwrap(), 0, 0);
        let mut found = Vec::new();
        while let Some(row) = lines.next().unwrap() {
            let text = String::from_utf8_lossy(row.bytes).into_owned();
            found.push((text, row.line, row.end));
        }
        assert_eq!(lines.at().0, bytes.len() as u64);
        found
    }

    #[test]
    fn both_line_ends_and_the_byte_order_mark_are_taken_off() {
        assert_eq!(
            lines(b"\xef\xbb\xbfa\r\n\nb\n\rc"),
            [
                ("a".into(), 1, End::Whole),
                (String::new(), 2, End::Whole),
                ("b".into(), 3, End::Whole),
                ("\rc".into(), 4, End::OfFile)
            ]
        );
        assert_eq!(lines(b""), []);
    }

    #[test]
    fn a_line_without_end_is_read_past_in_bounded_memory() {
        let mut bytes = vec![b'x'; 3 * LONGEST + 17];
        bytes.extend(b"\nnext\n");
        bytes.extend(vec![b'y'; LONGEST + 1]);
        let lines = lines(&bytes);
        assert_eq!((lines[0].0.len(), lines[0].2), (LONGEST, End::TooLong));
        assert_eq!(lines[1], ("next".into(), 2, End::Whole));
        assert_eq!((lines[2].0.len(), lines[2].2), (LONGEST, End::TooLong));
    }

    #[test]
    fn a_line_of_the_greatest_length_is_whole() {
        let mut bytes = vec![b'x'; LONGEST - 1];
        bytes.push(b'\n');
        assert_eq!(lines(&bytes)[0].2, End::Whole);
    }
}
