//! The words of the catalogue.

/// A film.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Film {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) description: String,
    pub(crate) director: String,
    /// 0 when unknown.
    pub(crate) year: i32,
    pub(crate) cast: Vec<String>,
    pub(crate) genres: Vec<String>,
}

impl Film {
    /// What the catalogue is ordered by: the title in lower case without a leading article.
    pub(crate) fn sort_key(&self) -> String {
        let lower = self.title.to_lowercase();
        let rest = ["the ", "a ", "an "]
            .iter()
            .find_map(|article| lower.strip_prefix(article));
        match rest.map(str::trim_start) {
            Some(rest) if !rest.is_empty() => rest.to_owned(),
            _ => lower,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn titled(title: &str) -> Film {
        Film {
            id: "x".into(),
            title: title.into(),
            description: String::new(),
            director: String::new(),
            year: 0,
            cast: Vec::new(),
            genres: Vec::new(),
        }
    }

    #[test]
    fn articles_do_not_count_in_the_order() {
        assert_eq!(titled("The Apartment").sort_key(), "apartment");
        assert_eq!(titled("A Separation").sort_key(), "separation");
        assert_eq!(titled("Amélie").sort_key(), "amélie");
        assert_eq!(titled("The ").sort_key(), "the ");
    }
}
