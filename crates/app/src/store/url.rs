//! The url of a store. It may hold a password, and never shows it.

use serde::{Deserialize, Serialize, Serializer};
use std::fmt;

/// The url of a store. Printed with `***` in place of a password.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct StoreUrl(String);

/// What a url names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place<'u> {
    /// A file, the service's own one if empty.
    Sqlite(&'u str),
    Postgres,
    Mysql,
}

impl StoreUrl {
    /// The url itself, with its password: for whoever connects, never for a log.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether several processes may have this database open at once.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        matches!(
            scheme(&self.0),
            "postgres" | "postgresql" | "mysql" | "mariadb"
        )
    }

    /// Whether it forgets all at the end.
    #[must_use]
    pub fn is_memory(&self) -> bool {
        self.place() == Ok(Place::Sqlite(":memory:"))
    }

    /// What it names; or what is wrong with it, and the cure.
    pub(super) fn place(&self) -> Result<Place<'_>, (&'static str, &'static str)> {
        if let Some(file) = self.0.strip_prefix("sqlite:") {
            return Ok(Place::Sqlite(file));
        }
        match scheme(&self.0) {
            "postgres" | "postgresql" if cfg!(feature = "postgres") => Ok(Place::Postgres),
            "mysql" | "mariadb" if cfg!(feature = "mysql") => Ok(Place::Mysql),
            "postgres" | "postgresql" => Err((
                "names a PostgreSQL database, which this program was built without",
                "build it with --features postgres",
            )),
            "mysql" | "mariadb" => Err((
                "names a MySQL database, which this program was built without",
                "build it with --features mysql",
            )),
            _ => Err((
                "names no database known here",
                "write sqlite: for the service's own file in the data folder, \
                 postgres://user@host:5432/database or mysql://user@host:3306/database",
            )),
        }
    }
}

fn scheme(url: &str) -> &str {
    url.split_once("://").map_or("", |(scheme, _)| scheme)
}

impl Default for StoreUrl {
    fn default() -> Self {
        StoreUrl("sqlite:".to_owned())
    }
}

impl From<&str> for StoreUrl {
    fn from(url: &str) -> Self {
        StoreUrl(url.to_owned())
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((scheme, rest)) = self.0.split_once("://") else {
            return f.write_str(&self.0);
        };
        // A password may hold an @ that should have been escaped: the last one ends it.
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let end = rest
            .rfind('@')
            .filter(|at| *at > end)
            .map_or(end, |at| at + 1);
        let (authority, path) = rest.split_at(end);
        let shown = match authority.rsplit_once('@') {
            Some((user, host)) => match user.split_once(':') {
                Some((user, _)) => format!("{user}:***@{host}"),
                None => authority.to_owned(),
            },
            None => authority.to_owned(),
        };
        // A parameter may be a password too.
        let path = match path.split_once('?') {
            Some((path, query)) if query.contains("password") => format!("{path}?***"),
            _ => path.to_owned(),
        };
        write!(f, "{scheme}://{shown}{path}")
    }
}

impl fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_string())
    }
}

impl Serialize for StoreUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_password_is_hidden() {
        for (url, shown) in [
            ("sqlite:rating.db", "sqlite:rating.db"),
            (
                "postgres://db/a?sslmode=require",
                "postgres://db/a?sslmode=require",
            ),
            ("postgres://ann@db/a", "postgres://ann@db/a"),
            ("postgres://ann:x@db:5432/a", "postgres://ann:***@db:5432/a"),
            ("mysql://ann:p@ss/wo:rd@db/a", "mysql://ann:***@db/a"),
            ("mysql://db/a?password=x&b=c", "mysql://db/a?***"),
        ] {
            assert_eq!(StoreUrl::from(url).to_string(), shown);
            assert_eq!(StoreUrl::from(url).expose(), url);
        }
    }
}
