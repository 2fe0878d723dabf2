//! What lies behind the motif: the manner of the time.

use super::canvas::{Canvas, HEIGHT, N, WIDTH, polar};
use super::palette::{Era, Palette};
use super::seed::Seed;

/// Paints ground and texture.
pub(super) fn paint(canvas: &mut Canvas, era: Era, palette: &Palette, seed: &mut Seed) {
    let [top, bottom] = palette.ground;
    let ground = canvas.gradient(
        "linear x2=\"0\" y2=\"1\"",
        &[(0, &top, 1.0), (100, &bottom, 1.0)],
    );
    canvas.rect(0.0, 0.0, WIDTH, HEIGHT, ground);
    match era {
        Era::Silent => rays(canvas, palette, seed),
        Era::Studio => spotlights(canvas, palette, seed),
        Era::Pop => bands(canvas, palette, seed),
        Era::Neon => grid(canvas, palette),
        Era::Video => dots(canvas, palette, seed),
        Era::Digital => lights(canvas, palette, seed),
        Era::Stream => waves(canvas, palette, seed),
    }
}

/// Rays of a printed sunburst.
fn rays(canvas: &mut Canvas, palette: &Palette, seed: &mut Seed) {
    let (x, y) = (seed.between(60.0, 140.0), seed.between(110.0, 170.0));
    let turn = seed.between(0.0, 20.0);
    canvas.faint(0.2, |canvas| {
        for ray in 0..14 {
            let from = turn + f64::from(ray) * 360.0 / 14.0;
            canvas.polygon(
                &[
                    (x, y),
                    polar(x, y, 330.0, from),
                    polar(x, y, 330.0, from + 12.0),
                ],
                palette.accent,
            );
        }
    });
}

/// Two beams from above.
fn spotlights(canvas: &mut Canvas, palette: &Palette, seed: &mut Seed) {
    let lean = seed.between(-30.0, 30.0);
    let light = canvas.gradient(
        "linear x2=\"0\" y2=\"1\"",
        &[(0, &palette.text, 0.32), (85, &palette.text, 0.0)],
    );
    canvas.polygon(
        &[
            (30.0 + lean, 0.0),
            (60.0 + lean, 0.0),
            (190.0, 260.0),
            (90.0, 260.0),
        ],
        &light,
    );
    canvas.polygon(
        &[
            (150.0 + lean, 0.0),
            (172.0 + lean, 0.0),
            (110.0, 260.0),
            (10.0, 260.0),
        ],
        &light,
    );
}

/// Concentric bands of cut paper.
fn bands(canvas: &mut Canvas, palette: &Palette, seed: &mut Seed) {
    let corner = if seed.below(2) == 0 { 0.0 } else { WIDTH };
    let (x, y) = if seed.below(2) == 0 {
        (corner, 0.0)
    } else {
        (100.0, 118.0)
    };
    canvas.faint(0.22, |canvas| {
        for ring in 0..5u8 {
            canvas.ring(x, y, 66.0 + 44.0 * f64::from(ring), 20.0, palette.shade);
        }
    });
}

/// A floor that runs to the horizon.
fn grid(canvas: &mut Canvas, palette: &Palette) {
    let mut lines = String::new();
    for column in -6..=6 {
        let column = f64::from(column);
        lines.push_str(&format!(
            "M{} 196L{} 300",
            N(100.0 + 11.0 * column),
            N(100.0 + 52.0 * column)
        ));
    }
    for row in 0..7 {
        lines.push_str(&format!(
            "M0 {}H200",
            N(196.0 + 2.1 * f64::from(row * row) + 1.0)
        ));
    }
    canvas.faint(0.5, |canvas| canvas.line(&lines, 0.8, palette.accent));
}

/// A raster that thins out.
fn dots(canvas: &mut Canvas, palette: &Palette, seed: &mut Seed) {
    let from_left = seed.below(2) == 0;
    let mut d = String::new();
    for row in 0..12 {
        for column in 0..9 {
            let reach = if from_left { 8 - column } else { column };
            let size = 0.34 * f64::from(reach) + 0.12 * f64::from(row) - 0.8;
            if size > 0.4 {
                let (x, y) = (
                    12.0 + 22.0 * f64::from(column),
                    10.0 + 18.0 * f64::from(row),
                );
                d.push_str(&format!("M{} {}h0", N(x), N(y)));
            }
        }
    }
    canvas.faint(0.16, |canvas| canvas.line(&d, 4.4, palette.shape));
    let slant = seed.between(20.0, 60.0);
    canvas.faint(0.2, |canvas| {
        canvas.polygon(
            &[
                (0.0, 40.0),
                (200.0, 40.0 - slant),
                (200.0, 74.0 - slant),
                (0.0, 74.0),
            ],
            palette.shade,
        );
    });
}

/// Lights out of focus.
fn lights(canvas: &mut Canvas, palette: &Palette, seed: &mut Seed) {
    for light in 0..6 {
        let (x, y, radius) = (
            seed.between(0.0, 200.0),
            seed.between(0.0, 240.0),
            seed.between(12.0, 46.0),
        );
        let colour = if light % 3 == 0 {
            palette.accent
        } else {
            palette.shape
        };
        canvas.faint(0.12, |canvas| canvas.circle(x, y, radius, colour));
    }
}

/// Soft layers.
fn waves(canvas: &mut Canvas, palette: &Palette, seed: &mut Seed) {
    for layer in 0..3u8 {
        let y = 70.0 + 58.0 * f64::from(layer) + seed.between(-14.0, 14.0);
        let (rise, fall) = (seed.between(10.0, 46.0), seed.between(10.0, 46.0));
        let d = format!(
            "M0 {}C50 {} 90 {} 130 {}S180 {} 200 {}V300H0z",
            N(y),
            N(y - rise),
            N(y + fall),
            N(y),
            N(y - rise),
            N(y - 6.0)
        );
        canvas.faint(0.16, |canvas| canvas.path(&d, palette.shade));
    }
}
