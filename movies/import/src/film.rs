//! Films within the limits of the contract: what is too long is cut, not refused.

use crate::problem::Wrong;
use movies_api::metadata::v1::Metadata;

const TITLE: usize = 500;
const DESCRIPTION: usize = 10_000;
const DIRECTOR: usize = 500;
const CAST: (usize, usize) = (200, 200);
const GENRES: (usize, usize) = (40, 60);

/// Cuts what the contract does not take; tells what was cut.
pub(crate) fn fit(film: &mut Metadata) -> Vec<Wrong> {
    let mut cuts = Vec::new();
    let texts = [
        ("title", &mut film.title, TITLE),
        ("description", &mut film.description, DESCRIPTION),
        ("director", &mut film.director, DIRECTOR),
    ];
    for (field, text, limit) in texts {
        cut(field, text, limit, &mut cuts);
    }
    let lists = [
        ("cast", &mut film.cast, CAST),
        ("genres", &mut film.genres, GENRES),
    ];
    for (field, list, (items, letters)) in lists {
        list.retain(|item| !item.is_empty());
        if list.len() > items {
            let reason = format!("of {} the first {items} are kept", list.len());
            cuts.push(Wrong::field(field, &list.join(", "), reason));
            list.truncate(items);
        }
        for item in list.iter_mut() {
            cut(field, item, letters, &mut cuts);
        }
    }
    cuts
}

fn cut(field: &'static str, text: &mut String, limit: usize, cuts: &mut Vec<Wrong>) {
    // Bytes first: most texts are far from any limit.
    if text.len() <= limit {
        return;
    }
    if let Some((end, _)) = text.char_indices().nth(limit) {
        let reason = format!(
            "of {} characters the first {limit} are kept",
            text.chars().count()
        );
        cuts.push(Wrong::field(field, text, reason));
        text.truncate(end);
    }
}

/// Splits a list, leaving out what is empty, missing or there already.
pub(crate) fn list(text: &str, separator: char) -> Vec<String> {
    let mut items: Vec<String> = Vec::new();
    for item in text.split(separator).map(str::trim) {
        if !item.is_empty() && !items.iter().any(|known| known == item) {
            items.push(item.to_owned());
        }
    }
    items
}

/// The same film as it would be after this one is written: what a file does not know stays.
pub(crate) fn merged(mut film: Metadata, before: &Metadata) -> Metadata {
    let keep = |new: &mut String, old: &String| {
        if new.is_empty() {
            new.clone_from(old);
        }
    };
    keep(&mut film.description, &before.description);
    keep(&mut film.director, &before.director);
    keep(&mut film.imdb_id, &before.imdb_id);
    if film.year == 0 {
        film.year = before.year;
    }
    if film.cast.is_empty() {
        film.cast.clone_from(&before.cast);
    }
    if film.genres.is_empty() {
        film.genres.clone_from(&before.genres);
    }
    // Uploads set it; to write a film leaves it as it is.
    film.poster.clone_from(&before.poster);
    film
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_is_cut_and_told() {
        let mut film = Metadata {
            title: "é".repeat(501),
            cast: (0..203).map(|number| format!("Actor {number}")).collect(),
            genres: vec!["Drama".into(), "x".repeat(61), String::new()],
            ..Metadata::default()
        };
        let told: Vec<_> = fit(&mut film)
            .into_iter()
            .map(|wrong| (wrong.field, wrong.reason))
            .collect();
        assert_eq!(
            told,
            [
                (
                    "title",
                    "of 501 characters the first 500 are kept".to_owned()
                ),
                ("cast", "of 203 the first 200 are kept".to_owned()),
                (
                    "genres",
                    "of 61 characters the first 60 are kept".to_owned()
                ),
            ]
        );
        assert_eq!(film.title.chars().count(), 500);
        assert_eq!((film.cast.len(), film.genres.len()), (200, 2));
        assert_eq!(fit(&mut film), []);
    }

    #[test]
    fn what_a_file_does_not_know_stays() {
        let before = Metadata {
            title: "Il postino".into(),
            director: "Michael Radford".into(),
            genres: vec!["Comedy".into()],
            year: 1994,
            poster: "abc".into(),
            ..Metadata::default()
        };
        let film = Metadata {
            title: "The Postman".into(),
            genres: vec!["Drama".into()],
            ..Metadata::default()
        };
        let merged = merged(film, &before);
        assert_eq!((merged.title.as_str(), merged.year), ("The Postman", 1994));
        assert_eq!(merged.director, "Michael Radford");
        assert_eq!(merged.genres, ["Drama"]);
        assert_eq!(merged.poster, "abc");
    }
}
