//! Genres and decades to narrow a list by.

use crate::address;
use crate::filter::Filter;
use movies_api::metadata::v1::ListFacetsResponse;

/// Genres and decades as links.
#[derive(Debug, Default)]
pub(crate) struct Facets {
    pub(crate) genres: Vec<Chip>,
    pub(crate) decades: Vec<Chip>,
}

/// A genre or decade as a link; the chosen one leads back to all.
#[derive(Debug)]
pub(crate) struct Chip {
    pub(crate) words: String,
    pub(crate) href: String,
    /// How many films it has, where that can be known.
    pub(crate) films: Option<u32>,
    pub(crate) chosen: bool,
}

impl Facets {
    /// Links within a list at `path` that is narrowed down by `filter`.
    pub(crate) fn of(facets: Option<&ListFacetsResponse>, filter: &Filter, path: &str) -> Self {
        let Some(facets) = facets else {
            return Facets::default();
        };
        let href =
            |filter: &Filter| address::with_query(path, &filter.pairs(&filter.decade_text()));
        // How many of both there are, nobody counts.
        let films = |others_open: bool, films: u32| others_open.then_some(films);
        let genre = |genre: &movies_api::metadata::v1::Genre| {
            let chosen = genre.name.eq_ignore_ascii_case(&filter.genre);
            let to = if chosen {
                String::new()
            } else {
                genre.name.clone()
            };
            let open = filter.decade == 0 && filter.person.is_empty();
            Chip {
                words: genre.name.clone(),
                href: href(&Filter {
                    genre: to,
                    ..filter.clone()
                }),
                films: films(open, genre.films),
                chosen,
            }
        };
        let decade = |decade: &movies_api::metadata::v1::Decade| {
            let chosen = decade.decade == filter.decade;
            let to = if chosen { 0 } else { decade.decade };
            let open = filter.genre.is_empty() && filter.person.is_empty();
            Chip {
                words: format!("{}s", decade.decade),
                href: href(&Filter {
                    decade: to,
                    ..filter.clone()
                }),
                films: films(open, decade.films),
                chosen,
            }
        };
        // Films without a year have no decade to be found by.
        let dated = facets.decades.iter().filter(|decade| decade.decade > 0);
        Facets {
            genres: facets.genres.iter().map(genre).collect(),
            decades: dated.map(decade).collect(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.genres.is_empty() && self.decades.is_empty()
    }
}
