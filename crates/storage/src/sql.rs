//! Statements: one text, and others for the dialects that differ.

/// Which SQL a database speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Dialect {
    /// SQLite.
    Sqlite,
    /// MySQL and MariaDB.
    Mysql,
    /// PostgreSQL.
    Postgres,
}

/// One statement (or, in a migration, one script). Placeholders are `?` in every dialect.
///
/// Made by [`sql!`](crate::sql!) as a constant, or by [`Sql::new`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sql {
    default: &'static str,
    mysql: Option<&'static str>,
    postgres: Option<&'static str>,
}

impl Sql {
    /// The text for every dialect that gets none of its own.
    #[must_use]
    pub const fn new(default: &'static str) -> Self {
        Sql {
            default,
            mysql: None,
            postgres: None,
        }
    }

    /// The text for MySQL and MariaDB.
    #[must_use]
    pub const fn mysql(mut self, text: &'static str) -> Self {
        self.mysql = Some(text);
        self
    }

    /// The text for PostgreSQL.
    #[must_use]
    pub const fn postgres(mut self, text: &'static str) -> Self {
        self.postgres = Some(text);
        self
    }

    /// The text a dialect gets.
    #[must_use]
    pub const fn text(&self, dialect: Dialect) -> &'static str {
        let own = match dialect {
            Dialect::Sqlite => None,
            Dialect::Mysql => self.mysql,
            Dialect::Postgres => self.postgres,
        };
        match own {
            Some(text) => text,
            None => self.default,
        }
    }

    /// The first word by which any of the texts reads the database's own clock or dice. Both
    /// would escape the seams: pass the time and the random value as parameters.
    #[must_use]
    pub const fn impure_word(&self) -> Option<&'static str> {
        let texts = [Some(self.default), self.mysql, self.postgres];
        let mut index = 0;
        while index < texts.len() {
            if let Some(text) = texts[index]
                && let Some(word) = impure_word(text)
            {
                return Some(word);
            }
            index += 1;
        }
        None
    }

    /// For [`sql!`](crate::sql!), at compile time alone.
    #[doc(hidden)]
    #[must_use]
    pub const fn checked(self) -> Self {
        assert!(
            self.impure_word().is_none(),
            "this SQL reads the database's clock or dice; pass the time or the random value as a parameter"
        );
        self
    }
}

impl From<&Sql> for Sql {
    fn from(sql: &Sql) -> Self {
        *sql
    }
}

const IMPURE: [&str; 6] = [
    "current_timestamp",
    "current_date",
    "current_time",
    "'now'",
    "random(",
    "randomblob(",
];

const fn impure_word(text: &str) -> Option<&'static str> {
    let mut index = 0;
    while index < IMPURE.len() {
        if contains_word(text.as_bytes(), IMPURE[index].as_bytes()) {
            return Some(IMPURE[index]);
        }
        index += 1;
    }
    None
}

/// Whether `word` (in lower case) stands in `text`, in any case, not as a part of a longer name.
const fn contains_word(text: &[u8], word: &[u8]) -> bool {
    let mut start = 0;
    while start + word.len() <= text.len() {
        let mut length = 0;
        while length < word.len() && text[start + length].to_ascii_lowercase() == word[length] {
            length += 1;
        }
        let end = start + length;
        let begins_a_name = start == 0 || !(is_name(word[0]) && is_name(text[start - 1]));
        if length == word.len()
            && begins_a_name
            && (end == text.len() || !(is_name(word[length - 1]) && is_name(text[end])))
        {
            return true;
        }
        start += 1;
    }
    false
}

const fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// A constant [`Sql`]: one text, or a default and the dialects that differ.
///
/// ```
/// use backlot_storage::{Dialect, Sql, sql};
///
/// const COUNT: Sql = sql!("SELECT COUNT(*) FROM film");
/// const UPSERT: Sql = sql! {
///     default: "INSERT INTO film (id) VALUES (?) ON CONFLICT (id) DO NOTHING",
///     mysql: "INSERT IGNORE INTO film (id) VALUES (?)",
/// };
/// assert_eq!(COUNT.text(Dialect::Mysql), COUNT.text(Dialect::Sqlite));
/// assert!(UPSERT.text(Dialect::Mysql).starts_with("INSERT IGNORE"));
/// ```
///
/// SQL that reads the database's clock or dice does not compile:
///
/// ```compile_fail
/// # use backlot_storage::{Sql, sql};
/// const TOUCH: Sql = sql!("UPDATE film SET seen = CURRENT_TIMESTAMP");
/// ```
#[macro_export]
macro_rules! sql {
    (default: $default:expr $(, $dialect:ident: $text:expr)* $(,)?) => {
        const { $crate::Sql::new($default)$(.$dialect($text))*.checked() }
    };
    ($text:expr $(,)?) => {
        const { $crate::Sql::new($text).checked() }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dialect_without_a_text_of_its_own_gets_the_default() {
        const SQL: Sql = sql! { default: "a", postgres: "p" };
        assert_eq!(SQL.text(Dialect::Sqlite), "a");
        assert_eq!(SQL.text(Dialect::Mysql), "a");
        assert_eq!(SQL.text(Dialect::Postgres), "p");
    }

    #[test]
    fn the_databases_own_clock_and_dice_are_found_as_words() {
        for impure in [
            "SELECT Current_Timestamp",
            "datetime('now')",
            "ORDER BY RANDOM() LIMIT 1",
            "x=randomblob(4)",
        ] {
            assert!(Sql::new(impure).impure_word().is_some(), "{impure}");
        }
        for pure in [
            "SELECT my_current_time FROM t",
            "SELECT current_times",
            "SELECT pseudorandom(1)",
            "",
        ] {
            assert_eq!(Sql::new(pure).impure_word(), None, "{pure}");
        }
        assert_eq!(
            Sql::new("a").mysql("select random()").impure_word(),
            Some("random(")
        );
    }
}
