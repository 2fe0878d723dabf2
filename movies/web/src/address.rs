//! Addresses of our own pages.

use crate::percent;

/// The address of a film's page.
pub(crate) fn film(id: &str) -> String {
    format!("/movies/{}", percent::encoded(id))
}

/// A path with a query of the pairs that have a value.
pub(crate) fn with_query(path: &str, pairs: &[(&str, &str)]) -> String {
    let mut address = path.to_owned();
    let mut mark = '?';
    for (key, value) in pairs.iter().filter(|(_, value)| !value.is_empty()) {
        address.push(mark);
        address.push_str(key);
        address.push('=');
        address.push_str(&percent::encoded(value));
        mark = '&';
    }
    address
}

/// Films that somebody directed or acts in.
pub(crate) fn person(name: &str) -> String {
    with_query("/browse", &[("person", name)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_has_a_value_is_asked() {
        assert_eq!(
            with_query("/browse", &[("genre", ""), ("page", "")]),
            "/browse"
        );
        assert_eq!(
            with_query(
                "/browse",
                &[("genre", "Sci-Fi"), ("decade", ""), ("person", "Zoë K")]
            ),
            "/browse?genre=Sci-Fi&person=Zo%C3%AB%20K"
        );
    }
}
