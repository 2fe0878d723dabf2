//! Colours: the genre gives the hue, the time of the film gives the manner.

use super::seed::Seed;
use std::fmt;

/// A colour, written as `#rrggbb`.
#[derive(Clone, Copy)]
pub(crate) struct Colour([u8; 3]);

impl Colour {
    /// Hue in degrees (any number), saturation and lightness in per cent.
    pub(super) fn hsl(hue: f64, saturation: f64, lightness: f64) -> Self {
        let (saturation, lightness) = (saturation / 100.0, lightness / 100.0);
        let reach = saturation * lightness.min(1.0 - lightness);
        let channel = |offset: f64| {
            let step = (offset + hue / 30.0).rem_euclid(12.0);
            let level = lightness - reach * (step - 3.0).min(9.0 - step).clamp(-1.0, 1.0);
            (level * 255.0).round() as u8
        };
        Colour([channel(0.0), channel(8.0), channel(4.0)])
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [red, green, blue] = self.0;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

/// When a film was made, as far as posters care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Era {
    Silent,
    Studio,
    Pop,
    Neon,
    Video,
    Digital,
    Stream,
}

impl Era {
    /// The era of a year; 0 (unknown) counts as today.
    pub(super) fn of(year: i32) -> Self {
        match year {
            1..=1939 => Era::Silent,
            1940..=1959 => Era::Studio,
            1960..=1979 => Era::Pop,
            1980..=1989 => Era::Neon,
            1990..=1999 => Era::Video,
            2000..=2009 => Era::Digital,
            _ => Era::Stream,
        }
    }
}

/// The colours of one poster.
pub(crate) struct Palette {
    /// The ground, top and bottom.
    pub(super) ground: [Colour; 2],
    /// What the motif is drawn in.
    pub(super) shape: Colour,
    /// A second tone of the motif, between shape and ground.
    pub(super) shade: Colour,
    /// The one loud colour.
    pub(super) accent: Colour,
    /// The lettering.
    pub(super) text: Colour,
}

impl Palette {
    pub(super) fn new(era: Era, genre: &str, seed: &mut Seed) -> Self {
        let hue = hue(genre) + seed.between(-20.0, 20.0);
        let turn = if seed.below(2) == 0 { 1.0 } else { -1.0 };
        let hsl = Colour::hsl;
        let dim = glare(hue);
        match era {
            Era::Silent => Palette {
                ground: [hsl(42.0, 48.0, 89.0), hsl(36.0, 42.0, 79.0)],
                shape: hsl(hue, 30.0, 15.0),
                shade: hsl(hue, 24.0, 38.0),
                accent: hsl(hue, 68.0, 44.0),
                text: hsl(hue, 30.0, 13.0),
            },
            Era::Studio => Palette {
                ground: [
                    hsl(hue, 46.0, 33.0 - 0.4 * dim),
                    hsl(hue + 14.0 * turn, 52.0, 17.0),
                ],
                shape: hsl(43.0, 72.0, 86.0),
                shade: hsl(hue, 34.0, 52.0),
                accent: hsl(far_from(hue, [12.0, 44.0, 176.0]), 74.0, 60.0),
                text: hsl(43.0, 72.0, 90.0),
            },
            Era::Pop => Palette {
                ground: [
                    hsl(hue, 70.0, 50.0 - dim),
                    hsl(hue + 6.0 * turn, 72.0, 43.0 - dim),
                ],
                shape: hsl(hue, 48.0, 12.0),
                shade: hsl(hue + 18.0 * turn, 66.0, 34.0 - 0.6 * dim),
                accent: hsl(45.0, 92.0, 82.0),
                text: hsl(45.0, 90.0, 92.0),
            },
            Era::Neon => Palette {
                ground: [
                    hsl(hue + 34.0 * turn, 62.0, 13.0),
                    hsl(hue - 30.0 * turn, 70.0, 38.0 - 0.6 * dim),
                ],
                shape: hsl(hue - 20.0 * turn, 88.0, 74.0),
                shade: hsl(hue, 62.0, 32.0),
                accent: hsl(far_from(hue, [322.0, 190.0, 44.0]), 92.0, 66.0),
                text: hsl(hue, 60.0, 96.0),
            },
            Era::Video => Palette {
                ground: [hsl(hue, 38.0, 25.0), hsl(hue + 20.0 * turn, 44.0, 10.0)],
                shape: hsl(hue, 56.0, 62.0),
                shade: hsl(hue, 36.0, 34.0),
                accent: hsl(hue + 50.0 * turn, 84.0, 64.0),
                text: hsl(hue, 24.0, 94.0),
            },
            Era::Digital => Palette {
                ground: [
                    hsl(hue + 24.0 * turn, 52.0, 26.0),
                    hsl(hue, 58.0, 46.0 - 0.7 * dim),
                ],
                shape: hsl(hue + 16.0, 66.0, 90.0),
                shade: hsl(hue + 10.0 * turn, 50.0, 37.0),
                accent: hsl(far_from(hue, [14.0, 42.0, 184.0]), 88.0, 68.0),
                text: hsl(hue, 60.0, 97.0),
            },
            Era::Stream => Palette {
                ground: [
                    hsl(hue + 10.0, 74.0, 68.0 - 0.4 * dim),
                    hsl(
                        hue + 52.0 * turn,
                        62.0,
                        40.0 - 0.6 * glare(hue + 52.0 * turn),
                    ),
                ],
                shape: hsl(hue + 40.0 * turn, 52.0, 17.0),
                shade: hsl(hue + 30.0 * turn, 54.0, 38.0),
                accent: hsl(hue - 40.0 * turn, 92.0, 90.0),
                text: hsl(hue, 70.0, 98.0),
            },
        }
    }
}

/// The colours of a genre of no particular time, dark enough for white letters.
pub(super) fn of_genre(genre: &str) -> Palette {
    let hue = hue(genre);
    let dim = glare(hue);
    let hsl = Colour::hsl;
    Palette {
        ground: [
            hsl(hue, 58.0, 34.0 - 0.7 * dim),
            hsl(hue + 24.0, 62.0, 19.0),
        ],
        shape: hsl(hue, 60.0, 66.0),
        shade: hsl(hue, 46.0, 42.0 - 0.5 * dim),
        accent: hsl(hue + 40.0, 86.0, 70.0),
        text: hsl(hue, 20.0, 98.0),
    }
}

/// How much lightness to take from a hue so that white letters read on it: yellow and green glare.
fn glare(hue: f64) -> f64 {
    let distance = (hue.rem_euclid(360.0) - 90.0).abs();
    (15.0 - distance / 6.5).max(0.0)
}

/// The candidate furthest from a hue, round the wheel.
fn far_from(hue: f64, candidates: [f64; 3]) -> f64 {
    let distance = |other: f64| {
        let apart = (other - hue).rem_euclid(360.0);
        apart.min(360.0 - apart)
    };
    candidates.into_iter().fold(candidates[0], |best, next| {
        if distance(next) > distance(best) {
            next
        } else {
            best
        }
    })
}

/// The hue people expect of a genre, in degrees.
fn hue(genre: &str) -> f64 {
    match genre {
        "Sci-Fi" => 222.0,
        "Horror" => 354.0,
        "Romance" => 338.0,
        "Western" => 26.0,
        "Animation" => 192.0,
        "Musical" => 292.0,
        "War" => 74.0,
        "Fantasy" => 262.0,
        "Crime" => 8.0,
        "Thriller" => 172.0,
        "Mystery" => 244.0,
        "Adventure" => 34.0,
        "Action" => 16.0,
        "Comedy" => 46.0,
        "Family" | "Children" => 142.0,
        "History" => 28.0,
        "Documentary" => 186.0,
        "Sport" => 118.0,
        "Drama" => 206.0,
        other => (Seed::of(other).below(360)) as f64,
    }
}
