//! The words of the catalogue.

use crate::words::{self, Words};
use serde::{Deserialize, Serialize};

/// A film.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Film {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) description: String,
    pub(crate) director: String,
    /// 0 when unknown.
    pub(crate) year: i32,
    pub(crate) cast: Vec<String>,
    pub(crate) genres: Vec<String>,
    /// Empty when unknown.
    pub(crate) imdb_id: String,
    /// The SHA-256 of the file that its poster was made of; empty without one. Uploads alone set it.
    pub(crate) poster: String,
    /// Its poster in different sizes, the smallest first. Set with it.
    pub(crate) pictures: Vec<Picture>,
}

/// A picture that can be shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Picture {
    /// Of its file.
    pub(crate) sha256: String,
    /// In pixels.
    pub(crate) width: u32,
    /// In pixels.
    pub(crate) height: u32,
}

/// How far a poster is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// The file that is shown; empty without one.
    pub(crate) shown: String,
    pub(crate) pictures: Vec<Picture>,
    /// The file that was uploaded last.
    pub(crate) uploaded: String,
    /// Why it cannot be shown; empty when nothing is known against it.
    pub(crate) refused: String,
}

impl Progress {
    /// Whether nothing more happens to it by itself.
    pub(crate) fn is_settled(&self) -> bool {
        !self.refused.is_empty() || self.uploaded == self.shown
    }
}

impl Film {
    /// What the catalogue is ordered by: the words of the title without a leading article.
    pub(crate) fn sort_key(&self) -> String {
        title_key(&self.title)
    }

    /// The first year of its decade; none when the year is unknown.
    pub(crate) fn decade(&self) -> Option<i32> {
        (self.year > 0).then(|| self.year / 10 * 10)
    }
}

/// A title, or the beginning of one, as the catalogue orders it.
pub(crate) fn title_key(title: &str) -> String {
    let words = Words::of(title).written;
    let rest = match words.split_first() {
        Some((first, rest)) if !rest.is_empty() && is_article(first) => rest,
        _ => &words[..],
    };
    words::key_of(rest, title)
}

fn is_article(word: &str) -> bool {
    matches!(word, "the" | "a" | "an")
}

/// How many films a genre has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Genre {
    pub(crate) name: String,
    pub(crate) films: u32,
}

/// How many films a decade has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Decade {
    pub(crate) decade: i32,
    pub(crate) films: u32,
}

/// What there is to choose from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Facets {
    pub(crate) genres: Vec<Genre>,
    pub(crate) decades: Vec<Decade>,
    pub(crate) films: u32,
}

/// What a changed film is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) id: String,
    pub(crate) year: i32,
    pub(crate) genres: Vec<String>,
    /// In milliseconds since 1970 UTC.
    pub(crate) at: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_articles_nor_diacritics_count_in_the_order() {
        assert_eq!(title_key("The Apartment"), "apartment");
        assert_eq!(title_key("A Separation"), "separation");
        assert_eq!(title_key("The "), "the");
        assert_eq!(title_key("A"), "a");
        let mut titles = ["Anatomy of a Murder", "Amélie", "Amadeus"];
        titles.sort_by_key(|title| title_key(title));
        assert_eq!(titles, ["Amadeus", "Amélie", "Anatomy of a Murder"]);
    }
}
