//! What an address asks for after its question mark.

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use std::convert::Infallible;

/// The longest value that anything here is called by; page tokens are the longest.
const LONGEST: usize = 2000;

/// The pairs of a query. What cannot be read counts as not asked: an address that somebody mangled
/// still leads to a page.
#[derive(Debug, Default)]
pub(crate) struct Asked(Vec<(String, String)>);

impl Asked {
    /// The value of a key without blanks around it; empty when it is not there.
    pub(crate) fn get(&self, key: &str) -> &str {
        self.all(key).next().unwrap_or_default()
    }

    /// All values of a key, in order.
    pub(crate) fn all(&self, key: &str) -> impl Iterator<Item = &str> {
        self.0
            .iter()
            .filter(move |(name, value)| name == key && value.len() <= LONGEST)
            .map(|(_, value)| value.trim())
    }
}

impl<S: Sync> FromRequestParts<S> for Asked {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let pairs = Query::try_from_uri(&parts.uri).map(|Query(pairs)| pairs);
        Ok(Asked(pairs.unwrap_or_default()))
    }
}

#[cfg(test)]
impl Asked {
    pub(crate) fn of(query: &str) -> Self {
        let uri = format!("/?{query}").parse().unwrap();
        Asked(Query::try_from_uri(&uri).unwrap().0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_may_come_twice_or_not_at_all() {
        let asked = Asked::of("before=a&page=%20c%20&before=b");
        assert_eq!(asked.all("before").collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!((asked.get("page"), asked.get("genre")), ("c", ""));
    }

    #[test]
    fn what_is_too_long_for_anything_is_not_asked() {
        let asked = Asked::of(&format!("page={}", "x".repeat(LONGEST + 1)));
        assert_eq!(asked.get("page"), "");
    }
}
