//! Search, lists and facets beside a catalogue that knows nothing but films.

use super::*;
use crate::model::title_key;
use crate::words::{Words, key};
use proptest::prelude::*;

/// Texts as awkward as people's, of few words, so that they meet.
const TEXTS: [&str; 20] = [
    "the",
    "love",
    "Lovely",
    "LOVE ACTUALLY",
    "Amélie",
    "amel",
    "O'Brien",
    "brien",
    "Spider-Man",
    "spiderman",
    "E.T.",
    "千と千尋",
    "千",
    "1999",
    "Star Wars",
    "Stars",
    "a",
    "drama",
    "$",
    "Сталкер",
];
const GENRES: [&str; 5] = ["Drama", "drama", "Sci-Fi", "Love", "$"];

fn text() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(&TEXTS[..]), 1..4).prop_map(|words| words.join(" "))
}

fn some_film() -> impl Strategy<Value = Film> {
    let cast = prop::collection::vec(text(), 0..3);
    let genres = prop::collection::vec(prop::sample::select(&GENRES[..]), 0..3);
    (0..30, text(), text(), 1995..2005, cast, genres).prop_map(
        |(id, title, director, year, cast, genres)| Film {
            year: if year == 1995 { 0 } else { year },
            director,
            cast,
            genres: genres.into_iter().map(String::from).collect(),
            ..film(&format!("{id:02}"), &title)
        },
    )
}

fn words_of(texts: &[&str]) -> Vec<String> {
    texts
        .iter()
        .flat_map(|text| Words::of(text).all())
        .collect()
}

/// Which part of the answer a film is in, if any.
fn part(film: &Film, query: &str) -> Option<u8> {
    let title_begins = film.sort_key().starts_with(&title_key(query));
    let asked = Words::of(query).written;
    if asked.is_empty() {
        return title_begins.then_some(0);
    }
    let year = film.year.to_string();
    let mut here = words_of(&[&film.title]);
    let people: Vec<&str> = film
        .cast
        .iter()
        .chain([&film.director])
        .map(String::as_str)
        .collect();
    let genres: Vec<&str> = film.genres.iter().map(String::as_str).collect();
    let other = if film.year > 0 {
        vec![year.as_str()]
    } else {
        vec![]
    };
    for (step, more) in [
        vec![],
        words_of(&people),
        words_of(&[genres, other].concat()),
    ]
    .into_iter()
    .enumerate()
    {
        here.extend(more);
        let begun = asked
            .iter()
            .all(|word| here.iter().any(|have| have.starts_with(word)));
        if step == 0 && begun && title_begins {
            return Some(0);
        }
        if asked.iter().all(|word| here.contains(word)) {
            return Some(step as u8 * 2 + 1);
        }
        if begun {
            return Some(step as u8 * 2 + 2);
        }
    }
    None
}

fn in_order<'a>(films: impl Iterator<Item = (u8, &'a Film)>) -> Vec<String> {
    let mut films: Vec<_> = films
        .map(|(part, film)| (part, film.sort_key(), film.id.clone()))
        .collect();
    films.sort();
    films.into_iter().map(|(_, _, id)| id).collect()
}

fn is_narrowed(film: &Film, filter: &Filter) -> bool {
    let people = film.cast.iter().chain([&film.director]);
    (filter.genre.is_empty()
        || film
            .genres
            .iter()
            .any(|genre| key(genre) == key(&filter.genre)))
        && (filter.decade == 0
            || (film.year > 0 && (filter.decade..filter.decade + 10).contains(&film.year)))
        && (filter.person.is_empty()
            || people
                .map(|person| key(person))
                .any(|person| person == key(&filter.person)))
}

fn counted(films: &BTreeMap<String, Film>) -> Facets {
    let mut genres: BTreeMap<String, u32> = BTreeMap::new();
    let mut decades: BTreeMap<i32, u32> = BTreeMap::new();
    for film in films.values() {
        let keys: BTreeSet<String> = film.genres.iter().map(|genre| key(genre)).collect();
        for key in keys {
            *genres.entry(key).or_default() += 1;
        }
        if film.year > 0 {
            *decades.entry(film.year / 10 * 10).or_default() += 1;
        }
    }
    Facets {
        genres: genres
            .into_iter()
            .map(|(name, films)| crate::model::Genre { name, films })
            .collect(),
        decades: decades
            .into_iter()
            .map(|(decade, films)| crate::model::Decade { decade, films })
            .collect(),
        films: films.len() as u32,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn answers_are_those_of_a_catalogue_that_looks_at_every_film(
        batches in prop::collection::vec(prop::collection::vec(some_film(), 1..20), 1..5),
        queries in prop::collection::vec(text(), 1..6),
        cuts in prop::collection::vec(1..6_usize, 6),
        filter in (prop::sample::select(&["", "DRAMA", "sci fi", "$"][..]), prop::sample::select(&[0, 1990, 1998, 2000][..]), prop::sample::select(&["", "love", "o’brien", "Star Wars"][..])),
        size in 1..8_usize,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let (films, _) = catalogue();
            let mut all = BTreeMap::new();
            for batch in batches {
                let mut created = all.len();
                for film in &batch {
                    all.insert(film.id.clone(), film.clone());
                }
                created = all.len() - created;
                prop_assert_eq!(films.put_many(&editor(), batch).await.unwrap() as usize, created);
            }
            for (query, cut) in queries.iter().zip(&cuts) {
                // As typed so far: the end of the last word may be missing.
                let typed: String = query.chars().take(query.chars().count().saturating_sub(*cut).max(1)).collect();
                let expected = in_order(all.values().filter_map(|film| Some((part(film, &typed)?, film))));
                prop_assert_eq!(found(&films, &typed, size).await, expected, "{:?}", typed);
            }
            let filter = Filter { genre: filter.0.into(), decade: filter.1, person: filter.2.into() };
            let expected = in_order(all.values().filter(|film| is_narrowed(film, &filter)).map(|film| (0, film)));
            prop_assert_eq!(listed(&films, &filter, size).await, expected, "{:?}", filter);
            let mut facets = films.facets(&Context::background()).await.unwrap();
            for genre in &mut facets.genres {
                genre.name = key(&genre.name);
            }
            prop_assert_eq!(facets, counted(&all));
            Ok(())
        })?;
    }
}
