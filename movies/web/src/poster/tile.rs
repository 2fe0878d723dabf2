//! A genre drawn small and wide, with room for its name.

use super::canvas::Canvas;
use super::seed::Seed;
use super::{motif, palette};
use std::fmt;

/// A finished tile. `Display` writes an `svg` element that is hidden from screen readers.
#[derive(Debug)]
pub(crate) struct Tile(String);

impl Tile {
    /// The tile of a genre: its motif at the right, dark ground at the left.
    #[must_use]
    pub(crate) fn of(genre: &str) -> Self {
        let mut seed = Seed::of(genre);
        let palette = palette::of_genre(genre);
        let mut canvas = Canvas::new(format!("t{:x}-", seed.below(usize::MAX) as u32));
        canvas.raw(format_args!(
            "<svg viewBox=\"0 0 200 90\" preserveAspectRatio=\"xMaxYMid slice\" aria-hidden=\"true\" focusable=\"false\">"
        ));
        let [near, far] = palette.ground;
        let ground = canvas.gradient(
            "linear x2=\"1\" y2=\"1\"",
            &[(0, &near, 1.0), (100, &far, 1.0)],
        );
        canvas.rect(0.0, 0.0, 200.0, 90.0, ground);
        canvas.raw(format_args!(
            "<g transform=\"translate(84 -24) scale(.58)\">"
        ));
        motif::draw(&mut canvas, genre, &palette, &mut seed);
        canvas.raw(format_args!("</g>"));
        let veil = canvas.gradient(
            "linear y1=\"1\" y2=\"0\"",
            &[(0, &far, 0.95), (38, &far, 0.55), (85, &far, 0.0)],
        );
        canvas.rect(0.0, 0.0, 200.0, 90.0, veil);
        canvas.raw(format_args!("</svg>"));
        Tile(canvas.finish())
    }
}

impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
