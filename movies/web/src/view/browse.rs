//! Films in order of title, all or some of them.

use super::Frame;
use super::card::Card;
use super::facets::Facets;
use crate::filter::Filter;
use crate::trail::Ways;
use askama::Template;

/// The page.
#[derive(Template)]
#[template(path = "browse.html")]
pub(crate) struct Browse<'a> {
    pub(crate) frame: Frame<'a>,
    pub(crate) filter: &'a Filter,
    pub(crate) cards: Vec<Card>,
    pub(crate) facets: Facets,
    pub(crate) ways: Ways,
    /// Whether ratings could not be had.
    pub(crate) away: bool,
}

impl Browse<'_> {
    fn heading(&self) -> String {
        let Filter {
            genre,
            decade,
            person,
        } = self.filter;
        let genre = self.chosen_genre().unwrap_or(genre);
        match (person.as_str(), genre, *decade) {
            ("", "", 0) => "All films".to_owned(),
            ("", "", decade) => format!("Films of the {decade}s"),
            ("", genre, 0) => genre.to_owned(),
            ("", genre, decade) => format!("{genre} of the {decade}s"),
            (person, _, _) => person.to_owned(),
        }
    }

    /// What stands under the heading.
    fn words(&self) -> String {
        let Filter {
            genre,
            decade,
            person,
        } = self.filter;
        let genre = self.chosen_genre().unwrap_or(genre);
        let what = match (person.as_str(), genre, *decade) {
            ("", _, _) => return "In order of title.".to_owned(),
            (_, "", 0) => "Films".to_owned(),
            (_, "", decade) => format!("Films of the {decade}s"),
            (_, genre, 0) => genre.to_owned(),
            (_, genre, decade) => format!("{genre} of the {decade}s"),
        };
        format!("{what} directed by them, or with them in the cast.")
    }

    /// The genre as the catalogue writes it.
    fn chosen_genre(&self) -> Option<&str> {
        let chosen = self.facets.genres.iter().find(|chip| chip.chosen);
        chosen.map(|chip| chip.words.as_str())
    }
}
