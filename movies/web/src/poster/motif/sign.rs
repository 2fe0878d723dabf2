//! Motifs that are signs: figures rather than places.

use crate::poster::canvas::{Canvas, N, polar};
use crate::poster::palette::Palette;
use crate::poster::seed::Seed;

/// Two circles that share a part.
pub(super) fn two_circles(canvas: &mut Canvas, palette: &Palette, seed: &mut Seed) {
    let lean = seed.between(-35.0, 35.0);
    canvas.turned(lean, 100.0, 112.0, |canvas| {
        canvas.circle(72.0, 112.0, 52.0, palette.shape);
        canvas.circle(128.0, 112.0, 52.0, palette.accent);
        canvas.path(
            "M100 68.2a52 52 0 0 1 0 87.6a52 52 0 0 1 0-87.6z",
            palette.shade,
        );
    });
}

/// Four strokes through the picture.
pub(super) fn claws(canvas: &mut Canvas, palette: &Palette, seed: &mut Seed) {
    canvas.circle(100.0, 110.0, 74.0, palette.shape);
    let lean = seed.between(8.0, 24.0);
    canvas.turned(lean, 100.0, 110.0, |canvas| {
        for claw in 0..4u8 {
            let x = 58.0 + 27.0 * f64::from(claw);
            let drop = if claw == 1 || claw == 2 { 0.0 } else { 14.0 };
            canvas.path(
                &format!(
                    "M{} {}q11 74-3 {}q-12-80 3-{}z",
                    N(x),
                    N(34.0 + drop),
                    N(152.0 - drop),
                    N(152.0 - drop)
                ),
                palette.accent,
            );
        }
    });
}

/// Sound as bars.
pub(super) fn bars(canvas: &mut Canvas, palette: &Palette, seed: &mut Seed) {
    for bar in 0..9u8 {
        let height = seed.between(26.0, 84.0) * if bar % 4 == 0 { 0.6 } else { 1.0 };
        let x = 24.0 + 19.0 * f64::from(bar);
        let colour = [palette.shape, palette.accent, palette.shade][usize::from(bar % 3)];
        canvas.line(
            &format!("M{x} {}V{}", N(114.0 - height), N(114.0 + height), x = N(x)),
            11.0,
            colour,
        );
    }
}

/// Marks of rank.
pub(super) fn chevrons(canvas: &mut Canvas, palette: &Palette, seed: &mut Seed) {
    let turn = if seed.below(2) == 0 { 0.0 } else { 90.0 };
    canvas.turned(turn, 100.0, 114.0, |canvas| {
        for mark in 0..4u8 {
            let y = 62.0 + 36.0 * f64::from(mark);
            let colour = if mark == 1 {
                palette.accent
            } else {
                palette.shape
            };
            canvas.polygon(
                &[
                    (36.0, y),
                    (100.0, y - 40.0),
                    (164.0, y),
                    (164.0, y + 20.0),
                    (100.0, y - 20.0),
                    (36.0, y + 20.0),
                ],
                colour,
            );
        }
    });
}

/// Ridges of a finger.
pub(super) fn fingerprint(canvas: &mut Canvas, palette: &Palette, seed: &mut Seed) {
    canvas.turned(seed.between(-18.0, 18.0), 100.0, 114.0, |canvas| {
        for ridge in 0..7u8 {
            let grown = 10.0 * f64::from(ridge);
            let (half, top) = (8.0 + grown, 108.0 - grown * 1.15);
            let colour = if ridge == 3 {
                palette.accent
            } else {
                palette.shape
            };
            canvas.line(
                &format!(
                    "M{} {}V{}a{half} {half} 0 0 1 {} 0v{}",
                    N(100.0 - half),
                    N(150.0 + grown * 0.5),
                    N(top + half),
                    N(2.0 * half),
                    N(18.0 + grown * 0.9),
                    half = N(half)
                ),
                4.6,
                colour,
            );
        }
    });
}

/// A spiral that somebody falls into.
pub(super) fn spiral(canvas: &mut Canvas, palette: &Palette, seed: &mut Seed) {
    let start = seed.between(0.0, 360.0);
    for arm in 0..2u8 {
        let mut d = String::from("M100 112");
        for step in 1..=58u8 {
            let step = f64::from(step);
            let (x, y) = polar(
                100.0,
                112.0,
                1.45 * step,
                start + 180.0 * f64::from(arm) + 15.0 * step,
            );
            d.push_str(&format!("L{} {}", N(x), N(y)));
        }
        canvas.line(
            &d,
            7.0,
            if arm == 0 {
                palette.shape
            } else {
                palette.shade
            },
        );
    }
    canvas.circle(100.0, 94.0, 6.4, palette.accent);
    canvas.path("M92 132v-18q0-11 8-11t8 11v18l-5 14h-6z", palette.accent);
    canvas.line("M94 108l-16-12m28 12l17-10", 4.4, palette.accent);
}

/// Rings and a hand that has almost come round.
pub(super) fn target(canvas: &mut Canvas, palette: &Palette, seed: &mut Seed) {
    for (radius, colour) in [
        (80.0, palette.shape),
        (62.0, palette.shade),
        (44.0, palette.shape),
        (26.0, palette.accent),
    ] {
        canvas.circle(100.0, 112.0, radius, colour);
    }
    let hand = seed.between(-60.0, 60.0);
    let (x, y) = polar(100.0, 112.0, 76.0, hand);
    canvas.line(&format!("M100 112L{} {}", N(x), N(y)), 5.0, palette.text);
    canvas.circle(100.0, 112.0, 7.0, palette.text);
}

/// Walls within walls.
pub(super) fn maze(canvas: &mut Canvas, palette: &Palette, seed: &mut Seed) {
    for wall in 0..5u8 {
        let half = 14.0 + 16.0 * f64::from(wall);
        canvas.turned(90.0 * seed.below(4) as f64, 100.0, 112.0, |canvas| {
            let (left, top, side) = (N(100.0 - half), N(112.0 - half), N(2.0 * half));
            let gap = N(half - 8.0);
            canvas.line(
                &format!(
                    "M{} {top}H{left}v{side}h{side}v-{side}h-{gap}",
                    N(100.0 - 8.0)
                ),
                6.0,
                if wall % 2 == 0 {
                    palette.shape
                } else {
                    palette.shade
                },
            );
        });
    }
    canvas.circle(100.0, 112.0, 6.0, palette.accent);
}

/// A burst.
pub(super) fn burst(canvas: &mut Canvas, palette: &Palette, seed: &mut Seed) {
    for (reach, waist, colour) in [
        (96.0, 52.0, palette.shape),
        (72.0, 38.0, palette.accent),
        (40.0, 22.0, palette.text),
    ] {
        let turn = seed.between(0.0, 30.0);
        let points: Vec<_> = (0..28u8)
            .map(|corner| {
                let radius = if corner % 2 == 0 {
                    reach * seed.between(0.78, 1.0)
                } else {
                    waist
                };
                polar(
                    100.0,
                    114.0,
                    radius,
                    turn + f64::from(corner) * 360.0 / 28.0,
                )
            })
            .collect();
        canvas.polygon(&points, colour);
    }
}

/// One cut through a disc.
pub(super) fn slash(canvas: &mut Canvas, palette: &Palette, seed: &mut Seed) {
    let lean = seed.between(24.0, 58.0);
    canvas.turned(lean, 100.0, 112.0, |canvas| {
        canvas.path("M22 104a78 78 0 0 1 156 0z", palette.accent);
        canvas.path("M30 122a78 78 0 0 0 156 0z", palette.shape);
        canvas.path("M-20 115Q100 106 220 111 100 116-20 115z", palette.text);
    });
}

/// Paper in the air.
pub(super) fn confetti(canvas: &mut Canvas, palette: &Palette, seed: &mut Seed) {
    let tints = [palette.accent, palette.shape, palette.shade, palette.text];
    for piece in 0..30 {
        let (x, y) = (seed.between(10.0, 190.0), seed.between(10.0, 200.0));
        let tint = tints[piece % tints.len()];
        match piece % 3 {
            0 => canvas.circle(x, y, seed.between(4.0, 10.0), tint),
            1 => canvas.turned(seed.between(0.0, 180.0), x, y, |canvas| {
                canvas.rect(x - 9.0, y - 4.0, 18.0, 8.0, tint)
            }),
            _ => canvas.turned(seed.between(0.0, 360.0), x, y, |canvas| {
                canvas.line(
                    &format!("M{} {}a9 9 0 0 1 18 0", N(x - 9.0), N(y)),
                    4.0,
                    tint,
                );
            }),
        }
    }
}

/// A pane somebody shot at.
pub(super) fn broken_glass(canvas: &mut Canvas, palette: &Palette, seed: &mut Seed) {
    for (x, y, reach) in [(72.0, 84.0, 62.0), (136.0, 144.0, 46.0)] {
        let mut cracks = String::new();
        for crack in 0..11u8 {
            let degrees = 33.0 * f64::from(crack) + seed.between(-9.0, 9.0);
            let (from_x, from_y) = polar(x, y, 10.0, degrees);
            let (mid_x, mid_y) = polar(x, y, reach * 0.5, degrees + seed.between(-12.0, 12.0));
            let (to_x, to_y) = polar(x, y, reach * seed.between(0.7, 1.3), degrees);
            let points = [from_x, from_y, mid_x, mid_y, to_x, to_y].map(N);
            let [from_x, from_y, mid_x, mid_y, to_x, to_y] = points;
            cracks.push_str(&format!("M{from_x} {from_y}L{mid_x} {mid_y}L{to_x} {to_y}"));
        }
        canvas.line(&cracks, 2.0, palette.shape);
        canvas.ring(x, y, reach * 0.42, 1.2, palette.shade);
        canvas.circle(x, y, 13.0, palette.accent);
        canvas.circle(x, y, 9.0, palette.shape);
    }
}
