//! One line of comma-separated values. Lines are taken apart one by one: a quote that is never
//! closed costs its own line and no more.

use crate::problem::Wrong;
use csv_core::{ReadRecordResult, Reader};

#[derive(Debug)]
pub(super) struct Columns {
    reader: Reader,
    /// What quoted fields hold, behind one another.
    text: Vec<u8>,
    /// Where each ends.
    ends: Vec<usize>,
    line: Vec<u8>,
}

impl Default for Columns {
    fn default() -> Self {
        Columns {
            // Its own default is one that takes nothing apart.
            reader: Reader::new(),
            text: Vec::new(),
            ends: Vec::new(),
            line: Vec::new(),
        }
    }
}

impl Columns {
    /// The columns of a line; exactly so many.
    pub(super) fn of<'a, const N: usize>(
        &'a mut self,
        line: &'a str,
    ) -> Result<[&'a str; N], Wrong> {
        if line.contains('"') {
            return self.quoted(line);
        }
        let mut columns = [""; N];
        let mut count = 0;
        for column in line.split(',') {
            if let Some(place) = columns.get_mut(count) {
                *place = column;
            }
            count += 1;
        }
        exactly::<N>(count)?;
        Ok(columns)
    }

    fn quoted<const N: usize>(&mut self, line: &str) -> Result<[&str; N], Wrong> {
        self.line.clear();
        self.line.extend_from_slice(line.as_bytes());
        self.line.push(b'\n');
        // Never longer than the line; and never more fields than commas and one.
        self.text.resize(self.line.len(), 0);
        self.ends.resize(self.line.len() + 1, 0);
        self.reader.reset();
        let (result, _read, _wrote, fields) =
            self.reader
                .read_record(&self.line, &mut self.text, &mut self.ends);
        if result == ReadRecordResult::Record {
            return self.cut(fields);
        }
        Err(Wrong::line(
            "has a quote that is never closed; a quote within a field is written twice",
        ))
    }

    fn cut<const N: usize>(&self, fields: usize) -> Result<[&str; N], Wrong> {
        exactly::<N>(fields)?;
        let (mut columns, mut from) = ([""; N], 0);
        for (place, end) in columns.iter_mut().zip(&self.ends) {
            let bytes = self.text.get(from..*end).unwrap_or_default();
            *place = std::str::from_utf8(bytes).map_err(|_| Wrong::line("is not UTF-8"))?;
            from = *end;
        }
        Ok(columns)
    }
}

fn exactly<const N: usize>(count: usize) -> Result<(), Wrong> {
    if count == N {
        return Ok(());
    }
    let s = if count == 1 { "" } else { "s" };
    Err(Wrong::line(format!("has {count} field{s}, expected {N}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> Result<Vec<String>, String> {
        let mut columns = Columns::default();
        let found = columns.of::<3>(line).map_err(|wrong| wrong.reason)?;
        Ok(found.map(str::to_owned).to_vec())
    }

    #[test]
    fn quotes_hold_commas_and_doubled_quotes() {
        assert_eq!(
            of("1,Toy Story,Comedy").unwrap(),
            ["1", "Toy Story", "Comedy"]
        );
        assert_eq!(
            of("1,\"Matrix, The\",Action").unwrap(),
            ["1", "Matrix, The", "Action"]
        );
        assert_eq!(
            of("1,\"11'09\"\"01 - \"\"Café\"\", The\",").unwrap(),
            ["1", "11'09\"01 - \"Café\", The", ""]
        );
        assert_eq!(of("1,a \"b\" c,d").unwrap(), ["1", "a \"b\" c", "d"]);
    }

    #[test]
    fn a_line_with_other_fields_says_how_many() {
        assert_eq!(of("1").unwrap_err(), "has 1 field, expected 3");
        assert_eq!(of("1,2,3,4").unwrap_err(), "has 4 fields, expected 3");
        assert_eq!(of("\"1\",2").unwrap_err(), "has 2 fields, expected 3");
    }

    #[test]
    fn an_open_quote_costs_its_own_line() {
        let mut columns = Columns::default();
        let wrong = columns.of::<2>("1,\"open").unwrap_err();
        assert!(wrong.reason.contains("never closed"), "{wrong:?}");
        assert_eq!(columns.of::<2>("1,\"a\"").unwrap(), ["1", "a"]);
    }
}
