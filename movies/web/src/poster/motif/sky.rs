//! Motifs of sky and space.

use crate::poster::canvas::{Canvas, N, polar};
use crate::poster::palette::Palette;
use crate::poster::seed::Seed;

fn stars(canvas: &mut Canvas, palette: &Palette, seed: &mut Seed, count: usize) {
    let mut d = String::new();
    for _ in 0..count {
        d.push_str(&format!(
            "M{} {}h0",
            N(seed.between(8.0, 192.0)),
            N(seed.between(8.0, 196.0))
        ));
    }
    canvas.faint(0.8, |canvas| canvas.line(&d, 1.5, palette.text));
}

/// A planet with a ring, lit from one side.
pub(super) fn planet(canvas: &mut Canvas, palette: &Palette, seed: &mut Seed) {
    stars(canvas, palette, seed, 26);
    let lean = seed.between(-26.0, -12.0);
    let lit = canvas.gradient(
        "radial cx=\".3\" cy=\".28\" r=\".85\"",
        &[
            (0, &palette.accent, 1.0),
            (55, &palette.shape, 1.0),
            (100, &palette.shade, 1.0),
        ],
    );
    canvas.turned(lean, 100.0, 112.0, |canvas| {
        canvas.line("M12 112A88 20 0 0 1 188 112", 3.0, palette.accent);
        canvas.circle(100.0, 112.0, 54.0, &lit);
        canvas.line("M12 112A88 20 0 0 0 188 112", 3.0, palette.accent);
        canvas.faint(0.5, |canvas| {
            canvas.line("M22 112A78 14 0 0 0 178 112", 1.4, palette.text)
        });
    });
    canvas.circle(
        seed.between(150.0, 176.0),
        seed.between(34.0, 52.0),
        7.0,
        palette.shade,
    );
}

/// A slab, and a sun that stands right above it.
pub(super) fn monolith(canvas: &mut Canvas, palette: &Palette, seed: &mut Seed) {
    stars(canvas, palette, seed, 20);
    let glow = canvas.gradient(
        "radial",
        &[(0, &palette.accent, 0.9), (100, &palette.accent, 0.0)],
    );
    canvas.circle(100.0, 62.0, 60.0, glow);
    canvas.circle(100.0, 62.0, 17.0, palette.accent);
    canvas.polygon(
        &[(78.0, 74.0), (122.0, 74.0), (128.0, 204.0), (72.0, 204.0)],
        palette.shape,
    );
    canvas.faint(0.4, |canvas| {
        canvas.polygon(
            &[(108.0, 74.0), (122.0, 74.0), (128.0, 204.0), (112.0, 204.0)],
            palette.shade,
        );
    });
    canvas.path("M0 204Q100 186 200 204V216H0z", palette.shade);
}

/// Orbits about a small bright thing.
pub(super) fn orbits(canvas: &mut Canvas, palette: &Palette, seed: &mut Seed) {
    stars(canvas, palette, seed, 18);
    let turn = seed.between(0.0, 60.0);
    for orbit in 0..3u8 {
        canvas.turned(turn + 60.0 * f64::from(orbit), 100.0, 114.0, |canvas| {
            canvas.raw(format_args!(
                "<ellipse cx=\"100\" cy=\"114\" rx=\"80\" ry=\"30\" fill=\"none\" stroke=\"{}\" stroke-width=\"2.4\"/>",
                palette.shape
            ));
            canvas.circle(180.0, 114.0, 5.5, palette.accent);
        });
    }
    canvas.circle(100.0, 114.0, 22.0, palette.shade);
    canvas.circle(100.0, 114.0, 15.0, palette.accent);
}

/// A lonely house on a hill, one window lit.
pub(super) fn house_under_the_moon(canvas: &mut Canvas, palette: &Palette, seed: &mut Seed) {
    let x = seed.between(86.0, 118.0);
    canvas.circle(x, 92.0, 62.0, palette.accent);
    canvas.path("M0 218Q60 168 104 164T200 196V300H0z", palette.shape);
    canvas.path(
        "M82 172V120l-6 3 20-27 6 8V82l9-12 9 12v26l14 16-5-1v50z",
        palette.shape,
    );
    canvas.path("M106 92h10v13h-10zM92 132h9v12h-9z", palette.accent);
    canvas.line(
        "M162 186q-2-30 4-48m-2 22l-14-16m15 6l12-18m-12 4l-5-14",
        2.6,
        palette.shape,
    );
}

/// Two people and a moon.
pub(super) fn two_under_the_moon(canvas: &mut Canvas, palette: &Palette, seed: &mut Seed) {
    stars(canvas, palette, seed, 14);
    let x = seed.between(72.0, 128.0);
    canvas.circle(x, 88.0, 52.0, palette.accent);
    canvas.path("M0 196Q100 168 200 196V300H0z", palette.shade);
    for (x, height) in [(92.0, 0.0), (109.0, 5.0)] {
        canvas.circle(x, 134.0 + height, 5.6, palette.shape);
        canvas.path(
            &format!("M{} 183V{}q0-9 7-9t7 9V183z", N(x - 7.0), N(151.0 + height)),
            palette.shape,
        );
    }
}

/// Balloons that got away.
pub(super) fn balloons(canvas: &mut Canvas, palette: &Palette, seed: &mut Seed) {
    let sway = seed.between(-10.0, 10.0);
    let tints = [palette.accent, palette.shape, palette.shade, palette.text];
    let places = [
        (100.0, 60.0),
        (68.0, 82.0),
        (132.0, 84.0),
        (88.0, 106.0),
        (116.0, 112.0),
        (100.0, 84.0),
    ];
    for (index, (x, y)) in places.into_iter().enumerate() {
        let x = x + sway;
        canvas.faint(0.7, |canvas| {
            canvas.line(
                &format!("M{} {}Q{} 160 100 196", N(x), N(y + 20.0), N(x - sway)),
                0.9,
                palette.text,
            );
        });
        let tint = tints[(index + seed.below(2)) % tints.len()];
        canvas.path(
            &format!("M{} {}c-26-14-22-48 0-48s26 34 0 48z", N(x), N(y + 22.0)),
            tint,
        );
        canvas.faint(0.45, |canvas| {
            canvas.line(
                &format!("M{} {}q-5 6-4 12", N(x - 6.0), N(y - 16.0)),
                2.4,
                palette.text,
            );
        });
    }
    canvas.path("M91 196h18l-3 13H94z", palette.shape);
}

/// A kite on a long line.
pub(super) fn kite(canvas: &mut Canvas, palette: &Palette, seed: &mut Seed) {
    let lean = seed.between(12.0, 34.0);
    canvas.circle(52.0, 62.0, 26.0, palette.shade);
    canvas.line("M112 128C120 170 60 160 44 206", 1.6, palette.text);
    canvas.turned(lean, 112.0, 96.0, |canvas| {
        canvas.polygon(
            &[(112.0, 38.0), (146.0, 82.0), (112.0, 146.0), (78.0, 82.0)],
            palette.shape,
        );
        canvas.polygon(
            &[(112.0, 38.0), (146.0, 82.0), (112.0, 82.0)],
            palette.accent,
        );
        canvas.polygon(
            &[(112.0, 82.0), (112.0, 146.0), (78.0, 82.0)],
            palette.accent,
        );
    });
    canvas.path("M0 206Q70 186 200 210V300H0z", palette.shade);
}

/// Planes in formation before a low sun.
pub(super) fn planes(canvas: &mut Canvas, palette: &Palette, seed: &mut Seed) {
    canvas.circle(100.0, 132.0, 56.0, palette.accent);
    let turn = seed.between(-30.0, 30.0);
    canvas.turned(turn, 100.0, 100.0, |canvas| {
        for (x, y) in [
            (100.0, 58.0),
            (62.0, 88.0),
            (138.0, 88.0),
            (30.0, 120.0),
            (170.0, 120.0),
        ] {
            canvas.path(
                &format!(
                    "M{} {}l3 15 18 9v5l-18-4-2 12 6 4v3l-7-1-7 1v-3l6-4-2-12-18 4v-5l18-9z",
                    N(x),
                    N(y)
                ),
                palette.shape,
            );
        }
    });
    let low = polar(100.0, 132.0, 74.0, 180.0).1;
    canvas.path(
        &format!("M0 {}Q100 {} 200 {}V300H0z", N(low), N(low - 16.0), N(low)),
        palette.shade,
    );
}
