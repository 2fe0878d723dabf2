//! Reads of a write transaction, locked for writing at once.
//!
//! Under `SERIALIZABLE` a plain `SELECT` locks what it reads for reading. Two transactions that read
//! the same row and then change it would deadlock, each waiting for the other's lock: with the lock
//! for writing the second waits at its read. Where this adds nothing, all is as right, and slower.

use crate::Dialect;
use crate::scan::plain;

/// The statement, with `FOR UPDATE` if it is a `SELECT` that may take it and says nothing itself.
pub(super) fn for_update(sql: &str) -> String {
    let mut words = Words::default();
    let mut last = None;
    for (at, byte) in plain(sql, Dialect::Mysql) {
        words.push(at, byte);
        if !byte.is_ascii_whitespace() {
            last = Some((at, byte));
        }
    }
    words.end();
    // A comment or a string may follow the last byte that is SQL.
    let is_open = last.is_none_or(|(_, byte)| byte == b';');
    if is_open || !words.is_plain_select || sql.trim_end().len() != sql.len() {
        return sql.to_owned();
    }
    // On a line of its own, in case that a comment ends the text.
    format!("{sql}\nFOR UPDATE")
}

#[derive(Default)]
struct Words {
    word: String,
    seen: usize,
    before: usize,
    is_plain_select: bool,
}

impl Words {
    fn push(&mut self, at: usize, byte: u8) {
        let joined = at == self.before + 1 || self.word.is_empty();
        if !joined {
            self.end();
        }
        self.before = at;
        if byte.is_ascii_alphabetic() || byte == b'_' || byte.is_ascii_digit() {
            self.word.push(char::from(byte.to_ascii_lowercase()));
        } else {
            self.end();
        }
    }

    fn end(&mut self) {
        if self.word.is_empty() {
            return;
        }
        match &*self.word {
            "select" if self.seen == 0 => self.is_plain_select = true,
            // Locks of its own, or a place where the addition would mean something else.
            "for" | "lock" | "union" | "except" | "intersect" | "into" | "procedure" => {
                self.is_plain_select = false;
            }
            _ => {}
        }
        self.seen += 1;
        self.word.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_select_is_locked_and_nothing_else() {
        for sql in [
            "SELECT a FROM b WHERE c = ?",
            " select 1 from b -- by id",
            "SELECT 'for update' FROM b",
            "SELECT a FROM b WHERE format = 'union'",
        ] {
            assert_eq!(for_update(sql), format!("{sql}\nFOR UPDATE"));
        }
        for sql in [
            "SELECT a FROM b FOR UPDATE",
            "SELECT a FROM b LOCK IN SHARE MODE",
            "SELECT a FROM b UNION SELECT c FROM d",
            "INSERT INTO a SELECT b FROM c",
            "UPDATE a SET b = 1",
            "WITH a AS (SELECT 1) SELECT * FROM a",
            "SELECT a FROM b;",
            "",
        ] {
            assert_eq!(for_update(sql), sql);
        }
    }
}
