//! The chart, as a table that can be sorted.

use super::Frame;
use super::card::Card;
use super::facets::Facets;
use crate::address;
use crate::filter::Filter;
use crate::poster::Picture;
use crate::tally::grouped;
use askama::Template;
use movies_api::ChartEntry;

/// The page.
#[derive(Template)]
#[template(path = "chart.html")]
pub(crate) struct Chart<'a> {
    pub(crate) frame: Frame<'a>,
    pub(crate) filter: &'a Filter,
    pub(crate) rows: Vec<Row>,
    pub(crate) order: Order,
    pub(crate) facets: Facets,
    /// C and m of the formula.
    pub(crate) mean: f64,
    pub(crate) weight: f64,
    /// Whether ratings could not be had.
    pub(crate) away: bool,
}

/// A place in the chart.
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) path: String,
    pub(crate) picture: Picture,
    pub(crate) title: String,
    pub(crate) director: String,
    /// 0 when unknown.
    pub(crate) year: i32,
    pub(crate) rank: u32,
    /// In hundredths of a star; none when it could not be had.
    mean: Option<u32>,
    count: u32,
}

impl Row {
    pub(crate) fn of(entry: ChartEntry) -> Option<Self> {
        let movie = entry.movie?;
        let (year, director) = movie
            .metadata
            .as_ref()
            .map(|film| (film.year, film.director.clone()))?;
        let mean = movie.rating.as_ref().and_then(|rating| rating.mean);
        let count = movie.rating.as_ref().map_or(0, |rating| rating.count);
        let Card {
            id,
            path,
            picture,
            title,
            ..
        } = Card::small(movie, "")?;
        Some(Row {
            id,
            path,
            picture,
            title,
            director,
            year,
            rank: entry.rank,
            mean: mean
                .filter(|mean| mean.is_finite())
                .map(|mean| (mean * 100.0).round() as u32),
            count,
        })
    }

    /// Whether its ratings could not be had.
    pub(crate) fn is_bare(&self) -> bool {
        self.mean.is_none()
    }

    fn mean_words(&self) -> String {
        self.mean.map_or("–".to_owned(), |mean| {
            format!("{}.{:02}", mean / 100, mean % 100)
        })
    }

    /// As a share of five stars, in per cent.
    fn percent(&self) -> String {
        self.mean.map_or(0, |mean| mean / 5).to_string()
    }

    fn count_words(&self) -> String {
        grouped(self.count)
    }

    fn mean_key(&self) -> u32 {
        self.mean.unwrap_or(0)
    }

    /// The title as it is sorted: without an article in front.
    fn title_key(&self) -> String {
        let title = self.title.to_lowercase();
        let articles = ["the ", "a ", "an "];
        let bare = articles
            .iter()
            .find_map(|article| title.strip_prefix(article));
        bare.unwrap_or(&title).to_owned()
    }
}

/// What a table may be sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Column {
    Rank,
    Title,
    Year,
    Rating,
    Count,
}

impl Column {
    const ALL: [Column; 5] = [
        Column::Rank,
        Column::Title,
        Column::Year,
        Column::Rating,
        Column::Count,
    ];

    fn name(self) -> &'static str {
        match self {
            Column::Rank => "rank",
            Column::Title => "title",
            Column::Year => "year",
            Column::Rating => "rating",
            Column::Count => "count",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Column::Rank => "Rank",
            Column::Title => "Film",
            Column::Year => "Year",
            Column::Rating => "Mean",
            Column::Count => "Ratings",
        }
    }

    /// Which way people expect first: the best, the newest, the most.
    fn falls_first(self) -> bool {
        matches!(self, Column::Year | Column::Rating | Column::Count)
    }
}

/// How a table is sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    by: Column,
    falling: bool,
}

impl Order {
    /// What an address asks for; what makes no sense is the order of rank.
    pub(crate) fn of(sort: &str, direction: &str) -> Self {
        let by = Column::ALL.into_iter().find(|column| column.name() == sort);
        let by = by.unwrap_or(Column::Rank);
        let falling = match direction {
            "asc" => false,
            "desc" => true,
            _ => by.falls_first(),
        };
        Order { by, falling }
    }

    /// Sorts rows; equal ones stay in the order of rank.
    pub(crate) fn sort(self, rows: &mut [Row]) {
        rows.sort_by_key(|row| row.rank);
        match self.by {
            Column::Rank => {}
            Column::Title => rows.sort_by_cached_key(Row::title_key),
            Column::Year => rows.sort_by_key(|row| row.year),
            Column::Rating => rows.sort_by_key(Row::mean_key),
            Column::Count => rows.sort_by_key(|row| row.count),
        }
        if self.falling {
            rows.reverse();
        }
    }
}

/// A column's head.
struct Head {
    column: Column,
    href: String,
    /// `aria-sort` of the column that the table is sorted by.
    sorted: Option<&'static str>,
    first: &'static str,
}

impl Chart<'_> {
    fn heading(&self) -> String {
        let chosen = self.facets.genres.iter().find(|chip| chip.chosen);
        let genre = chosen.map_or(self.filter.genre.as_str(), |chip| chip.words.as_str());
        match (genre, self.filter.decade) {
            ("", 0) => "The chart".to_owned(),
            ("", decade) => format!("Best of the {decade}s"),
            (genre, 0) => format!("Best of {genre}"),
            (genre, decade) => format!("Best of {genre}, {decade}s"),
        }
    }

    fn heads(&self) -> Vec<Head> {
        let decade = self.filter.decade_text();
        let head = |column: Column| {
            let falling = if self.order.by == column {
                !self.order.falling
            } else {
                column.falls_first()
            };
            let mut pairs = self.filter.pairs(&decade).to_vec();
            pairs.push(("sort", column.name()));
            pairs.push(("dir", if falling { "desc" } else { "asc" }));
            Head {
                column,
                href: address::with_query("/charts", &pairs),
                sorted: (self.order.by == column).then_some(if self.order.falling {
                    "descending"
                } else {
                    "ascending"
                }),
                first: if column.falls_first() { "desc" } else { "asc" },
            }
        };
        Column::ALL.into_iter().map(head).collect()
    }

    fn mean_words(&self) -> String {
        format!("{:.2}", self.mean)
    }

    fn weight_words(&self) -> String {
        format!("{:.0}", self.weight)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use movies_api::metadata::v1::Metadata;
    use movies_api::{Aggregate, MovieDetails};

    fn row(rank: u32, title: &str, year: i32, mean: Option<f64>, count: u32) -> Row {
        let metadata = Metadata {
            id: title.into(),
            title: title.into(),
            year,
            ..Default::default()
        };
        let rating = mean.map(|mean| Aggregate {
            count,
            mean: Some(mean),
            ..Default::default()
        });
        let movie = Some(MovieDetails {
            metadata: Some(metadata),
            rating,
        });
        Row::of(ChartEntry {
            rank,
            movie,
            score: 4.0,
        })
        .unwrap()
    }

    fn sorted(sort: &str, direction: &str) -> Vec<u32> {
        let mut rows = [
            row(1, "The Third Man", 1949, Some(4.2), 900),
            row(2, "Alien", 1979, Some(4.3), 20),
            row(3, "a Separation", 2011, None, 0),
        ];
        Order::of(sort, direction).sort(&mut rows);
        rows.iter().map(|row| row.rank).collect()
    }

    #[test]
    fn each_column_sorts_the_way_people_expect_first() {
        assert_eq!(sorted("", ""), [1, 2, 3]);
        assert_eq!(sorted("nonsense", "nonsense"), [1, 2, 3]);
        assert_eq!(sorted("title", ""), [2, 3, 1], "articles do not count");
        assert_eq!(sorted("year", ""), [3, 2, 1]);
        assert_eq!(sorted("rating", ""), [2, 1, 3]);
        assert_eq!(sorted("count", "asc"), [3, 2, 1]);
    }

    #[test]
    fn a_mean_is_told_in_hundredths() {
        assert_eq!(row(1, "M", 1931, Some(4.046), 1).mean_words(), "4.05");
        assert_eq!(row(1, "M", 1931, None, 0).mean_words(), "–");
    }
}
