//! The picture on a poster: a few motifs for each genre, of which the film's id picks one.

mod city;
mod land;
mod sign;
mod sky;
mod thing;

use super::canvas::Canvas;
use super::palette::Palette;
use super::seed::Seed;

/// Draws one motif.
type Draw = fn(&mut Canvas, &Palette, &mut Seed);

/// Draws the motif of a genre.
pub(super) fn draw(canvas: &mut Canvas, genre: &str, palette: &Palette, seed: &mut Seed) {
    let motifs: &[Draw] = match genre {
        "Sci-Fi" => &[sky::planet, sky::monolith, sky::orbits, city::towers],
        "Horror" => &[
            sky::house_under_the_moon,
            thing::eye,
            sign::claws,
            city::lit_window,
        ],
        "Romance" => &[
            sign::two_circles,
            land::umbrella,
            sky::two_under_the_moon,
            thing::letter,
        ],
        "Western" => &[land::mesa],
        "Animation" => &[sky::balloons, land::hills, thing::blocks],
        "Musical" => &[thing::record, sign::bars, city::stage],
        "War" => &[sign::chevrons, sky::planes, land::wire, thing::medal],
        "Fantasy" => &[land::castle, city::archway, land::great_tree],
        "Crime" => &[
            city::blinds,
            city::skyline,
            sign::fingerprint,
            sign::broken_glass,
        ],
        "Thriller" => &[sign::spiral, city::stairs, sign::target],
        "Mystery" => &[city::keyhole, sign::maze, city::lit_window],
        "Adventure" => &[land::peaks, thing::compass, land::ship],
        "Action" => &[sign::burst, sign::slash, sign::chevrons],
        "Comedy" => &[thing::bowler, sign::confetti, thing::bow_tie],
        "Family" | "Children" => &[sky::kite, land::hills, sky::balloons],
        "History" => &[city::columns, city::archway],
        "Documentary" => &[thing::aperture],
        "Sport" => &[sign::target],
        _ => &[
            land::road,
            land::lone_tree,
            land::boat,
            city::lit_window,
            city::door,
            land::birches,
        ],
    };
    let draw = motifs[seed.below(motifs.len())];
    // A motif seen in a mirror is a second one for free: none of them holds letters.
    if seed.below(2) == 0 {
        return draw(canvas, palette, seed);
    }
    canvas.raw(format_args!(
        "<g transform=\"translate(200 0) scale(-1 1)\">"
    ));
    draw(canvas, palette, seed);
    canvas.raw(format_args!("</g>"));
}
