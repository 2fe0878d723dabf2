//! IMDb's data sets: tab-separated tables without quoting, plain or compressed, recognised by their
//! first line.
//!
//! Films of `title.basics` go into the catalogue: of the type `movie`, not adult, and where
//! `title.ratings` is given too, those it rates. Their directors and cast come from `title.crew`,
//! `title.principals` and `name.basics`. Averages go to the outside ratings of "imdb": the users
//! behind them are not known.

mod row;
mod table;

use crate::ImportError;
use crate::batch::Batch;
use crate::file::File;
use crate::film::list;
use crate::layout::{Form, Layout, Pass, add_film};
use crate::problem::Wrong;
use crate::run::Import;
use movies_api::OutsideEntry;
use movies_api::metadata::v1::Metadata;
use row::{Title, cells, name_id, present, title_id};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use table::Table;

/// The most names kept of a film.
const DIRECTORS: usize = 5;
const CAST: usize = 10;

/// Which films are taken.
#[derive(Clone, Copy, Debug, Default)]
pub struct Choice {
    /// Those with at least so many votes in `title.ratings`; 0 for all.
    pub min_votes: u32,
}

/// Looks at files, in any order.
///
/// # Errors
/// When one is none of IMDb's tables or comes twice, or one that others need is missing; when one
/// cannot be read.
pub fn open(paths: &[PathBuf], choice: Choice) -> Result<Import, ImportError> {
    let mut files = BTreeMap::new();
    for path in paths {
        let file = File::at(path)?;
        let table = Table::of(&file)?;
        if let Some(other) = files.insert(table, file) {
            let (one, two) = (path.display(), other.path.display());
            return Err(ImportError::Layout(format!(
                "{one} and {two} are both {}: name one of them",
                table.name()
            )));
        }
    }
    let has = |table| files.contains_key(&table);
    if !has(Table::Basics) {
        let people = [Table::Crew, Table::Principals, Table::Names];
        if let Some(table) = people.into_iter().find(|table| has(*table)) {
            return Err(ImportError::Layout(format!(
                "{} says who made films, but {} is missing: name it as well",
                table.name(),
                Table::Basics.name()
            )));
        }
    }
    let mut notes = Vec::new();
    let people = has(Table::Crew) || has(Table::Principals);
    if people != has(Table::Names) {
        let (there, missing) = if people {
            (
                "title.crew and title.principals tell people by number",
                "name.basics",
            )
        } else {
            (
                "name.basics names people",
                "title.crew and title.principals",
            )
        };
        notes.push(format!(
            "{there}, but {missing} is missing: films come without people"
        ));
    }
    if !has(Table::Basics) {
        notes.push(
            "title.basics is missing: averages go in of films that the catalogue has".to_owned(),
        );
    }
    let mut plan = Vec::new();
    let order: &[(Table, bool)] = if has(Table::Basics) {
        &[
            (Table::Ratings, true),
            (Table::Basics, true),
            (Table::Crew, true),
            (Table::Principals, true),
            (Table::Names, true),
            (Table::Basics, false),
            (Table::Ratings, false),
        ]
    } else {
        &[(Table::Ratings, false)]
    };
    for (table, learns) in order {
        if let Some(file) = files.get(table) {
            let pass = Pass {
                file: file.clone(),
                learns: *learns,
                form: Form::Table,
            };
            plan.push((pass, (*table, *learns)));
        }
    }
    let (passes, roles) = plan.into_iter().unzip();
    Ok(Import {
        kind: "imdb",
        settings: format!("min-votes={}", choice.min_votes),
        passes,
        layout: Box::new(Imdb {
            roles,
            choice,
            rated: has(Table::Ratings).then(BTreeSet::new),
            films: has(Table::Basics).then(BTreeMap::new),
            names: BTreeMap::new(),
        }),
        notes,
    })
}

/// Numbers of people.
#[derive(Debug, Default)]
struct People {
    directors: Vec<u32>,
    cast: Vec<u32>,
}

struct Imdb {
    roles: Vec<(Table, bool)>,
    choice: Choice,
    /// Titles with votes enough, if there is such a table.
    rated: Option<BTreeSet<u32>>,
    /// The films chosen, if there is such a table, with who made them.
    films: Option<BTreeMap<u32, Option<Box<People>>>>,
    /// Of those who made them, once it is known who they are.
    names: BTreeMap<u32, String>,
}

impl Imdb {
    fn is_chosen(&self, title: &Title<'_>) -> bool {
        title.kind == "movie"
            && !title.adult
            && self
                .rated
                .as_ref()
                .is_none_or(|rated| rated.contains(&title.number))
    }

    /// Who made a film, if it is one that was chosen.
    fn people(&mut self, film: u32) -> Option<&mut People> {
        let people = self.films.as_mut()?.get_mut(&film)?;
        Some(&mut **people.get_or_insert_default())
    }

    fn learn(&mut self, table: Table, row: &str) -> Result<(), Wrong> {
        match table {
            Table::Ratings => {
                let [title, _average, votes] = cells(row)?;
                let number = title_id(title)?;
                let enough = row::votes(votes)? >= self.choice.min_votes;
                if enough && let Some(rated) = &mut self.rated {
                    rated.insert(number);
                }
            }
            Table::Basics => {
                let title = Title::read(row)?;
                if self.is_chosen(&title)
                    && let Some(films) = &mut self.films
                {
                    films.insert(title.number, None);
                }
            }
            Table::Crew => {
                let [title, directors, _writers] = cells(row)?;
                let film = title_id(title)?;
                let Some(directors) = present(directors) else {
                    return Ok(());
                };
                if let Some(people) = self.people(film) {
                    for director in directors.split(',').take(DIRECTORS) {
                        people.directors.push(name_id("directors", director)?);
                    }
                }
            }
            Table::Principals => {
                let [title, _ordering, name, category, _job, _characters] = cells(row)?;
                let film = title_id(title)?;
                if matches!(category, "actor" | "actress")
                    && let Some(people) = self.people(film)
                    && people.cast.len() < CAST
                {
                    people.cast.push(name_id("nconst", name)?);
                }
            }
            Table::Names => {
                let [person, name, ..]: [&str; 6] = cells(row)?;
                let number = name_id("nconst", person)?;
                if let Some(place) = self.names.get_mut(&number)
                    && let Some(name) = present(name)
                {
                    name.trim().clone_into(place);
                }
            }
        }
        Ok(())
    }

    fn film(&mut self, title: &Title<'_>) -> Metadata {
        let people = self
            .films
            .as_ref()
            .and_then(|films| films.get(&title.number)?.as_deref());
        let named = |numbers: &[u32]| -> Vec<String> {
            let name = |number| self.names.get(number).filter(|name| !name.is_empty());
            numbers.iter().filter_map(name).cloned().collect()
        };
        let (directors, cast) = match people {
            Some(people) => (named(&people.directors), named(&people.cast)),
            None => Default::default(),
        };
        Metadata {
            id: title.id.to_owned(),
            imdb_id: title.id.to_owned(),
            title: title.name.to_owned(),
            description: title
                .original
                .map(|original| format!("Original title: {original}."))
                .unwrap_or_default(),
            director: directors.join(", "),
            year: title.year,
            cast,
            genres: list(title.genres, ','),
            ..Metadata::default()
        }
    }

    fn average(&self, row: &str, batch: &mut Batch) -> Result<(), Wrong> {
        let [title, average, votes] = cells(row)?;
        let number = title_id(title)?;
        let (mean, votes) = (row::average(average)? / 2.0, row::votes(votes)?);
        let chosen = match &self.films {
            Some(films) => films.contains_key(&number),
            None => true,
        };
        if !chosen || votes < self.choice.min_votes {
            batch.tally.left_out += 1;
            return Ok(());
        }
        batch.known_only = self.films.is_none();
        batch.outside.push(OutsideEntry {
            record_id: title.to_owned(),
            mean,
            votes,
        });
        Ok(())
    }
}

impl Layout for Imdb {
    fn row(&mut self, pass: usize, row: &str, batch: &mut Batch) -> Result<Vec<Wrong>, Wrong> {
        match self.roles.get(pass) {
            Some((table, true)) => self.learn(*table, row)?,
            Some((Table::Ratings, false)) => self.average(row, batch)?,
            Some((_, false)) => {
                let title = Title::read(row)?;
                if self.is_chosen(&title) {
                    return Ok(add_film(self.film(&title), batch));
                }
                batch.tally.left_out += 1;
            }
            None => {}
        }
        Ok(Vec::new())
    }

    fn end(&mut self, pass: usize) {
        // Before the names are read: whose are wanted.
        if !matches!(self.roles.get(pass + 1), Some((Table::Names, true))) {
            return;
        }
        let people = self
            .films
            .iter()
            .flatten()
            .filter_map(|(_, people)| people.as_ref());
        let numbers = people.flat_map(|people| people.directors.iter().chain(&people.cast));
        self.names = numbers.map(|number| (*number, String::new())).collect();
    }

    fn not_utf8(&self) -> &'static str {
        "is not UTF-8, which IMDb's data sets are: fetch the file again"
    }
}

#[cfg(test)]
mod tests;
