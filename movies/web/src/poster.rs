//! Posters drawn from what is known of a film: the genre gives hue and motif, the year the manner
//! and the letters, the id every other choice. The same film has the same poster everywhere, and
//! nothing is fetched.

mod backdrop;
mod canvas;
mod lettering;
mod motif;
mod palette;
mod picture;
mod seed;
mod tile;

use canvas::{Canvas, HEIGHT, WIDTH};
use movies_api::metadata::{self, v1::Metadata};
use palette::{Colour, Era, Palette};
pub(crate) use picture::{FileName, Picture};
use seed::Seed;
use std::fmt;
pub(crate) use tile::Tile;

/// What a poster is drawn from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a> {
    /// The film's id: seeds every choice.
    pub(crate) id: &'a str,
    /// Its title, lettered at the foot.
    pub(crate) title: &'a str,
    /// Year of release; 0 when unknown.
    pub(crate) year: i32,
    /// Who directed it; may be empty.
    pub(crate) director: &'a str,
    /// Its genres; may be empty.
    pub(crate) genres: &'a [String],
    /// The name of its uploaded poster; empty without one.
    pub(crate) file: &'a str,
    /// The same in different sizes, if there are any.
    pub(crate) pictures: &'a [metadata::v1::Picture],
}

impl<'a> Subject<'a> {
    /// What a poster is drawn from, of all that is known of a film.
    pub(crate) fn of(film: &'a Metadata) -> Self {
        Subject {
            id: &film.id,
            title: &film.title,
            year: film.year,
            director: &film.director,
            genres: &film.genres,
            file: &film.poster,
            pictures: &film.pictures,
        }
    }
}

/// A finished poster. `Display` writes an `svg` element that is hidden from screen readers: the
/// page says title and year in words beside it.
#[derive(Debug)]
pub(crate) struct Poster {
    svg: String,
}

/// How much of the motif the veil under the lettering hides.
const VEIL: f64 = 0.92;
/// Over how many units the veil sets in.
const FADE: f64 = 34.0;

impl Poster {
    /// Draws the poster of a film. `place` starts its ids: a film may be on a page twice.
    #[must_use]
    pub(crate) fn of(subject: Subject<'_>, place: &str) -> Self {
        Poster::draw(subject, place, |canvas, era, palette| {
            veil(canvas, palette, lettering::top(era, subject.title));
            let small_print = small_print(subject);
            lettering::letter(canvas, era, palette, subject.title, &small_print);
            if era == Era::Silent {
                canvas.raw(format_args!(
                    "<path d=\"M7 7h186v286H7zM11 11h178v278H11z\" fill=\"none\" stroke=\"{}\" stroke-width=\"1.2\"/>",
                    palette.text
                ));
            }
        })
    }

    /// The same without its lettering, which nobody could read at the size of a thumb.
    #[must_use]
    pub(crate) fn small(subject: Subject<'_>, place: &str) -> Self {
        Poster::draw(subject, place, |_, _, _| {})
    }

    fn draw(
        subject: Subject<'_>,
        place: &str,
        finish: impl FnOnce(&mut Canvas, Era, &Palette),
    ) -> Self {
        let mut seed = Seed::of(subject.id);
        let era = Era::of(subject.year);
        let genre = genre(subject.genres, &mut seed);
        let palette = Palette::new(era, genre, &mut seed);
        // 32 bits tell films apart well enough, and every id is written several times.
        let id = seed.below(usize::MAX) as u32;
        let mut canvas = Canvas::new(format!("p{place}{id:x}-"));
        canvas.raw(format_args!(
            "<svg class=\"poster\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"200\" height=\"300\" preserveAspectRatio=\"xMidYMid slice\" aria-hidden=\"true\" focusable=\"false\">"
        ));
        backdrop::paint(&mut canvas, era, &palette, &mut seed);
        motif::draw(&mut canvas, genre, &palette, &mut seed);
        finish(&mut canvas, era, &palette);
        canvas.raw(format_args!("</svg>"));
        Poster {
            svg: canvas.finish(),
        }
    }
}

impl fmt::Display for Poster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.svg)
    }
}

/// Two colours of a film's poster, for the light that it throws on its page.
#[derive(Debug)]
pub(crate) struct Glow(String);

impl Glow {
    /// The glow of a film's poster.
    #[must_use]
    pub(crate) fn of(subject: Subject<'_>) -> Self {
        let mut seed = Seed::of(subject.id);
        let era = Era::of(subject.year);
        let genre = genre(subject.genres, &mut seed);
        let palette = Palette::new(era, genre, &mut seed);
        let tint: [Colour; 2] = [
            palette.accent,
            if era == Era::Silent {
                palette.shade
            } else {
                palette.ground[1]
            },
        ];
        let mut canvas = Canvas::new("glow-".to_owned());
        canvas.raw(format_args!(
            "<svg class=\"glow\" viewBox=\"0 0 100 60\" preserveAspectRatio=\"none\" aria-hidden=\"true\" focusable=\"false\">"
        ));
        let [near, far] = tint;
        let near = canvas.gradient(
            "radial cx=\".2\" cy=\".1\" r=\".6\"",
            &[(0, &near, 0.9), (100, &near, 0.0)],
        );
        let far = canvas.gradient(
            "radial cx=\".75\" cy=\"0\" r=\".7\"",
            &[(0, &far, 0.9), (100, &far, 0.0)],
        );
        canvas.rect(0.0, 0.0, 100.0, 60.0, far);
        canvas.rect(0.0, 0.0, 100.0, 60.0, near);
        canvas.raw(format_args!("</svg>"));
        Glow(canvas.finish())
    }
}

impl fmt::Display for Glow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The genre that shapes the poster: the first, now and then the second; drama only where there is
/// no other, because every second film is one.
fn genre<'a>(genres: &'a [String], seed: &mut Seed) -> &'a str {
    let mut telling = genres
        .iter()
        .map(String::as_str)
        .filter(|genre| *genre != "Drama");
    let (first, second) = (telling.next(), telling.next());
    if seed.below(4) == 0 {
        second.or(first).unwrap_or("Drama")
    } else {
        first.unwrap_or("Drama")
    }
}

fn small_print(subject: Subject<'_>) -> String {
    match (
        subject.director.split(',').next().unwrap_or(""),
        subject.year,
    ) {
        ("", 0) => String::new(),
        ("", year) => year.to_string(),
        (director, 0) => director.to_uppercase(),
        (director, year) => format!("{} · {year}", director.to_uppercase()),
    }
}

/// Ground laid over the foot of the motif, so that the lettering reads on every picture.
fn veil(canvas: &mut Canvas, palette: &Palette, top: f64) {
    let foot = palette.ground[1];
    // One rectangle: two would show a seam.
    let from = top - FADE;
    let full = (100.0 * FADE / (HEIGHT - from)) as u8;
    let fade = canvas.gradient(
        "linear x2=\"0\" y2=\"1\"",
        &[(0, &foot, 0.0), (full, &foot, VEIL)],
    );
    canvas.rect(0.0, from, WIDTH, HEIGHT - from, fade);
}
