//! The layout of MovieLens.

use super::film::{Film, half_stars, quality};
use super::skew::{Popularity, Shares};
use super::{Made, Plan, awkward, write};
use crate::ImportError;
use backlot::Dice;
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::Path;

pub(super) fn make(folder: &Path, plan: &Plan) -> Result<Made, ImportError> {
    let dice = Dice::seeded(plan.seed);
    let mut made = Made::default();
    write(folder, "movies.csv", |out| {
        movies(out, plan, &dice.branch("films"), &mut made)
    })?;
    write(folder, "links.csv", |out| links(out, plan))?;
    write(folder, "ratings.csv", |out| {
        ratings(out, plan, &dice.branch("ratings"), &mut made)
    })?;
    Ok(made)
}

fn movies(out: &mut dyn Write, plan: &Plan, dice: &Dice, made: &mut Made) -> io::Result<()> {
    let end = if plan.awkward {
        // As files are that went through Windows.
        out.write_all(b"\xef\xbb\xbf")?;
        "\r\n"
    } else {
        "\n"
    };
    write!(out, "movieId,title,genres{end}")?;
    for place in 0..plan.films {
        let film = Film::at(place, dice);
        let (title, genres) = if plan.awkward && place % awkward::FILMS == 0 {
            let kind = place / awkward::FILMS;
            (awkward::title(&film, kind), awkward::genres(&film, kind))
        } else {
            (title(&film), film.genres.join("|"))
        };
        write!(out, "{},{},{genres}{end}", place + 1, quoted(&title))?;
        made.films += 1;
        if plan.awkward && (place == 0 || u64::from(place) % awkward::BAD == 0) {
            for line in awkward::MOVIES {
                out.write_all(line)?;
                out.write_all(end.as_bytes())?;
                made.bad += 1;
            }
        }
    }
    Ok(())
}

fn title(film: &Film) -> String {
    let article = if film.article { ", The" } else { "" };
    format!("{}{article} ({})", film.name, film.year)
}

fn quoted(text: &str) -> String {
    if text.contains([',', '"']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

fn links(out: &mut dyn Write, plan: &Plan) -> io::Result<()> {
    writeln!(out, "movieId,imdbId,tmdbId")?;
    for place in 0..plan.films {
        let (film, imdb) = (place + 1, super::imdb::number(place));
        if plan.awkward && place % 50 == 7 {
            writeln!(out, "{film},,")?;
        } else if place % 17 == 3 {
            writeln!(out, "{film},{imdb:07},")?;
        } else {
            writeln!(out, "{film},{imdb:07},{}", 10 + place)?;
        }
    }
    Ok(())
}

fn ratings(out: &mut dyn Write, plan: &Plan, dice: &Dice, made: &mut Made) -> io::Result<()> {
    writeln!(out, "userId,movieId,rating,timestamp")?;
    let mut shares = Shares::of(plan.users, plan.films, plan.ratings);
    let popularity = Popularity::of(plan.films);
    let (mut bad, mut lines) = (awkward::RATINGS.iter().cycle(), 0u64);
    for user in 0..u64::from(plan.users) {
        let count = shares.next(user);
        let mut at = 850_000_000 + dice.below(700_000_000);
        for film in films_of(count, plan.films, popularity, dice) {
            let value = half_stars(quality(film), dice);
            at += dice.below(600);
            let mut line = |value: u64| {
                let (whole, half) = (value / 2, if value % 2 == 1 { 5 } else { 0 });
                writeln!(out, "{},{},{whole}.{half},{at}", user + 1, film + 1)
            };
            // The same user and film again: the line that comes later counts.
            if plan.awkward && lines % awkward::BAD == 13 {
                line(11 - value)?;
            }
            line(value)?;
            lines += 1;
            made.ratings += 1;
            made.half_stars += value;
            if plan.awkward && (lines <= 8 || lines % awkward::BAD == 0) {
                let line = bad.next().copied().unwrap_or_default();
                writeln!(out, "{line}")?;
                made.bad += 1;
            }
        }
    }
    if plan.awkward {
        // A download that was cut off.
        write!(out, "1,1,4")?;
        made.bad += 1;
    }
    Ok(())
}

/// So many different films, popular ones first of all; in their order.
fn films_of(count: u64, films: u32, popularity: Popularity, dice: &Dice) -> Vec<u32> {
    if count * 2 > u64::from(films) {
        // Most of them: each is taken with the odds that are left.
        let mut left = count;
        return (0..films)
            .filter(|film| {
                let taken = dice.below(u64::from(films - film)) < left;
                left -= u64::from(taken);
                taken
            })
            .collect();
    }
    let mut chosen = BTreeSet::new();
    while (chosen.len() as u64) < count {
        let mut film = popularity.pick(dice);
        while !chosen.insert(film) {
            film = (film + 1) % films;
        }
    }
    chosen.into_iter().collect()
}
