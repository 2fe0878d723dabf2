//! Which characters of a statement are SQL, and which stand in a string, a quoted name or a
//! comment.

use crate::Dialect;

/// The bytes of `sql` outside of strings, quoted names and comments, with their positions.
pub(crate) fn plain(sql: &str, dialect: Dialect) -> Plain<'_> {
    Plain {
        bytes: sql.as_bytes(),
        at: 0,
        dialect,
    }
}

pub(crate) struct Plain<'s> {
    bytes: &'s [u8],
    at: usize,
    dialect: Dialect,
}

impl Iterator for Plain<'_> {
    type Item = (usize, u8);

    fn next(&mut self) -> Option<(usize, u8)> {
        loop {
            let at = self.at;
            let byte = *self.bytes.get(at)?;
            self.at = match byte {
                b'\'' => self.quoted(at, self.is_escaped(at)),
                b'"' => self.quoted(at, false),
                b'`' if self.dialect != Dialect::Postgres => self.quoted(at, false),
                b'-' if self.bytes.get(at + 1) == Some(&b'-') => self.line(at),
                b'#' if self.dialect == Dialect::Mysql => self.line(at),
                b'/' if self.bytes.get(at + 1) == Some(&b'*') => self.comment(at),
                b'$' if self.dialect == Dialect::Postgres => match self.dollars(at) {
                    Some(end) => end,
                    None => {
                        self.at += 1;
                        return Some((at, byte));
                    }
                },
                _ => {
                    self.at += 1;
                    return Some((at, byte));
                }
            };
        }
    }
}

impl Plain<'_> {
    /// PostgreSQL's `E'...'` takes backslashes; MySQL is told not to.
    fn is_escaped(&self, at: usize) -> bool {
        self.dialect == Dialect::Postgres
            && at > 0
            && matches!(self.bytes[at - 1], b'e' | b'E')
            && (at < 2 || !is_name(self.bytes[at - 2]))
    }

    /// Behind a string or quoted name; the doubled quote within begins another one, which ends
    /// where the first would.
    fn quoted(&self, at: usize, escaped: bool) -> usize {
        let quote = self.bytes[at];
        let mut end = at + 1;
        while let Some(byte) = self.bytes.get(end) {
            match *byte {
                b'\\' if escaped => end += 2,
                byte if byte == quote => return end + 1,
                _ => end += 1,
            }
        }
        self.bytes.len()
    }

    fn line(&self, at: usize) -> usize {
        let rest = self.bytes[at..].iter().position(|byte| *byte == b'\n');
        rest.map_or(self.bytes.len(), |length| at + length)
    }

    /// Comments nest in PostgreSQL only.
    fn comment(&self, at: usize) -> usize {
        let (mut depth, mut end) = (1, at + 2);
        while depth > 0 {
            match self.bytes.get(end..end + 2) {
                Some(b"*/") => (depth, end) = (depth - 1, end + 2),
                Some(b"/*") if self.dialect == Dialect::Postgres => {
                    (depth, end) = (depth + 1, end + 2);
                }
                Some(_) => end += 1,
                None => return self.bytes.len(),
            }
        }
        end
    }

    /// Behind `$tag$ ... $tag$`, if one begins here.
    fn dollars(&self, at: usize) -> Option<usize> {
        if at > 0 && is_name(self.bytes[at - 1]) {
            return None;
        }
        let length = self.bytes[at + 1..]
            .iter()
            .position(|byte| !is_name(*byte))?;
        let tag = &self.bytes[at..at + length + 2];
        if tag.last() != Some(&b'$') || tag[1].is_ascii_digit() {
            return None;
        }
        let body = at + tag.len();
        let rest = self.bytes[body..]
            .windows(tag.len())
            .position(|window| window == tag);
        Some(rest.map_or(self.bytes.len(), |found| body + found + tag.len()))
    }
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// The statements of a script, without those that are blank.
pub(crate) fn statements(script: &str, dialect: Dialect) -> Vec<&str> {
    let mut all = Vec::new();
    let (mut start, mut blank) = (0, true);
    for (at, byte) in plain(script, dialect) {
        match byte {
            b';' => {
                if !blank {
                    all.push(script[start..at].trim());
                }
                (start, blank) = (at + 1, true);
            }
            byte if byte.is_ascii_whitespace() => {}
            _ => blank = false,
        }
    }
    if !blank {
        all.push(script[start..].trim());
    }
    all
}

/// The statement with `$1`, `$2` and so on in place of `?`, and how many there are.
#[cfg(feature = "postgres")]
pub(crate) fn numbered(sql: &str) -> (String, usize) {
    let (mut text, mut from, mut count) = (String::with_capacity(sql.len() + 16), 0, 0);
    for (at, _) in plain(sql, Dialect::Postgres).filter(|(_, byte)| *byte == b'?') {
        count += 1;
        text.push_str(&sql[from..at]);
        text.push('$');
        text.push_str(&count.to_string());
        from = at + 1;
    }
    text.push_str(&sql[from..]);
    (text, count)
}

/// How many placeholders a statement has.
#[cfg(feature = "mysql")]
pub(crate) fn placeholders(sql: &str) -> usize {
    plain(sql, Dialect::Mysql)
        .filter(|(_, byte)| *byte == b'?')
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(sql: &str, dialect: Dialect) -> String {
        plain(sql, dialect)
            .map(|(_, byte)| char::from(byte))
            .collect()
    }

    #[test]
    fn strings_quoted_names_and_comments_are_no_sql() {
        let sql = "a '?''?' b \"?\"\"\" c -- ? '\nd /* ? */ e";
        assert_eq!(kept(sql, Dialect::Postgres), "a  b  c \nd  e");
        assert_eq!(kept(sql, Dialect::Mysql), "a  b  c \nd  e");
        assert_eq!(kept("a '\\' ? '", Dialect::Mysql), "a  ? ");
        assert_eq!(kept("`?` # ?\nb", Dialect::Mysql), " \nb");
        assert_eq!(kept("/* /* ? */ ? */ b", Dialect::Postgres), " b");
        assert_eq!(kept("E'\\'?' b e'?'", Dialect::Postgres), "E b e");
        assert_eq!(
            kept("$$ ? $$ b $x$ $$ ? $x$ c $1", Dialect::Postgres),
            " b  c $1"
        );
        for open in ["'?", "\"?", "/* ?", "$$ ?", "E'\\"] {
            assert!(!kept(open, Dialect::Postgres).contains('?'), "{open}");
        }
    }

    #[test]
    fn a_script_is_cut_between_its_statements_alone() {
        let script =
            "CREATE TABLE a (b TEXT DEFAULT ';'); -- one; two\n;\nINSERT INTO a VALUES ('é;')";
        assert_eq!(
            statements(script, Dialect::Mysql),
            [
                "CREATE TABLE a (b TEXT DEFAULT ';')",
                "INSERT INTO a VALUES ('é;')"
            ]
        );
        assert!(statements(" ;; -- nothing", Dialect::Mysql).is_empty());
    }

    #[cfg(feature = "postgres")]
    #[test]
    fn placeholders_are_numbered() {
        let (text, count) = numbered("SELECT '?', é, ? FROM a WHERE b = ? -- ?");
        assert_eq!(text, "SELECT '?', é, $1 FROM a WHERE b = $2 -- ?");
        assert_eq!(count, 2);
    }

    #[cfg(feature = "mysql")]
    #[test]
    fn placeholders_are_counted() {
        assert_eq!(placeholders("SELECT '?', ? FROM `?` WHERE b = ?"), 2);
    }
}
