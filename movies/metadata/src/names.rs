//! The names a film is found by: what the store keeps a set of films for.
//!
//! | name | films |
//! |---|---|
//! | `T` `P` `O` and a word | with the word in title, people, or genres and year |
//! | `t` `p` `o` and a beginning | with a word that begins so there: of [`BEGINNING`] characters at most |
//! | `g` and a genre's key | of the genre |
//! | `y` and a year | of the year |
//! | `n` and a person's key | that the person directed or acts in |
//!
//! Longer beginnings are read as ranges of words: few words begin alike for five characters.

use crate::model::Film;
use crate::words::{self, Words};
use std::collections::{BTreeMap, BTreeSet};

/// How long the beginnings are that have a set of their own, in characters.
pub(crate) const BEGINNING: usize = 4;
/// How many characters of a person's or genre's key count.
const KEY: usize = 120;

/// Where in a film a word is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Field {
    Title,
    People,
    /// Genres and year.
    Other,
}

impl Field {
    pub(crate) const ALL: [Field; 3] = [Field::Title, Field::People, Field::Other];

    /// The name of a whole word.
    pub(crate) fn word(self, word: &str) -> String {
        let kind = match self {
            Field::Title => 'T',
            Field::People => 'P',
            Field::Other => 'O',
        };
        format!("{kind}{word}")
    }

    /// The name of a beginning.
    pub(crate) fn beginning(self, beginning: &str) -> String {
        let kind = match self {
            Field::Title => 't',
            Field::People => 'p',
            Field::Other => 'o',
        };
        format!("{kind}{beginning}")
    }
}

pub(crate) fn of_genre(genre: &str) -> String {
    format!("g{}", genre_key(genre))
}

pub(crate) fn of_year(year: i32) -> String {
    format!("y{year}")
}

pub(crate) fn of_person(person: &str) -> String {
    format!("n{}", short_key(person))
}

fn genre_key(genre: &str) -> String {
    short_key(genre)
}

fn short_key(text: &str) -> String {
    words::cut(&words::key(text), KEY).trim_end().to_owned()
}

/// The genres of a film by their keys, each once, as they are written first.
pub(crate) fn genres(film: &Film) -> BTreeMap<String, &str> {
    let mut genres = BTreeMap::new();
    for genre in &film.genres {
        genres.entry(genre_key(genre)).or_insert(genre.as_str());
    }
    genres
}

/// Everything a film is found by.
pub(crate) fn of(film: &Film) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    add_words(&mut names, Field::Title, &film.title);
    let directors = directors(&film.director);
    for person in directors.iter().chain(&film.cast) {
        add_words(&mut names, Field::People, person);
        names.insert(of_person(person));
    }
    for genre in &film.genres {
        add_words(&mut names, Field::Other, genre);
        names.insert(of_genre(genre));
    }
    if film.year > 0 {
        add_words(&mut names, Field::Other, &film.year.to_string());
        names.insert(of_year(film.year));
    }
    names
}

fn add_words(names: &mut BTreeSet<String>, field: Field, text: &str) {
    for word in Words::of(text).all() {
        for chars in 1..=BEGINNING {
            let beginning = words::cut(&word, chars);
            names.insert(field.beginning(beginning));
            if beginning == word {
                break;
            }
        }
        names.insert(field.word(&word));
    }
}

/// The names in a director's field, which may hold several: "Buster Keaton, Clyde Bruckman", but
/// "Robert Downey, Jr." is one; and all of it.
fn directors(field: &str) -> Vec<String> {
    let mut directors: Vec<String> = Vec::new();
    for part in field
        .split([',', ';', '/', '&'])
        .flat_map(|part| part.split(" and "))
    {
        let part = part.trim();
        let suffix = matches!(
            part.trim_end_matches('.').to_lowercase().as_str(),
            "jr" | "sr" | "ii" | "iii" | "iv"
        );
        match directors.last_mut() {
            Some(last) if suffix => {
                last.push(' ');
                last.push_str(part);
            }
            _ if part.is_empty() => {}
            _ => directors.push(part.to_owned()),
        }
    }
    if directors.len() > 1 {
        directors.push(field.to_owned());
    }
    directors
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_of_several_directors_names_each() {
        assert_eq!(
            directors("Buster Keaton, Clyde Bruckman")[..2],
            ["Buster Keaton", "Clyde Bruckman"]
        );
        assert_eq!(directors("Robert Downey, Jr."), ["Robert Downey Jr."]);
        assert_eq!(
            directors("Joel Coen and Ethan Coen")[..2],
            ["Joel Coen", "Ethan Coen"]
        );
        assert_eq!(directors(" "), [""; 0]);
    }

    #[test]
    fn a_film_is_found_by_words_beginnings_genres_year_and_people() {
        let film = Film {
            title: "Heat".into(),
            year: 1995,
            cast: vec!["Al Pacino".into()],
            genres: vec!["Sci-Fi".into()],
            ..Film::default()
        };
        let names = of(&film);
        for name in ["THeat", "Theat2", "Pheat"] {
            assert!(!names.contains(name), "{name}");
        }
        for name in [
            "Theat",
            "th",
            "the",
            "thea",
            "theat",
            "Pal",
            "ppaci",
            "nal pacino",
            "gsci fi",
            "Oscifi",
            "y1995",
            "O1995",
            "o199",
        ] {
            assert!(names.contains(name), "{name} in {names:?}");
        }
    }
}
