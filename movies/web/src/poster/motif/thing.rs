//! Motifs that are things one could hold.

use crate::poster::canvas::{Canvas, N, polar};
use crate::poster::palette::Palette;
use crate::poster::seed::Seed;

/// An eye that looks back.
pub(super) fn eye(canvas: &mut Canvas, palette: &Palette, seed: &mut Seed) {
    for lash in 0..9u8 {
        let (x, y) = polar(100.0, 128.0, 92.0, -60.0 + 15.0 * f64::from(lash));
        let (from_x, from_y) = polar(100.0, 128.0, 70.0, -48.0 + 12.0 * f64::from(lash));
        canvas.line(
            &format!("M{} {}L{} {}", N(from_x), N(from_y), N(x), N(y)),
            2.6,
            palette.shape,
        );
    }
    canvas.path("M14 118Q100 34 186 118 100 202 14 118z", palette.text);
    let x = 100.0 + seed.between(-16.0, 16.0);
    canvas.circle(x, 118.0, 39.0, palette.accent);
    canvas.circle(x, 118.0, 24.0, palette.shape);
    canvas.circle(x + 9.0, 108.0, 6.0, palette.text);
    canvas.line("M14 118Q100 34 186 118", 5.0, palette.shape);
}

/// A record and its arm.
pub(super) fn record(canvas: &mut Canvas, palette: &Palette, seed: &mut Seed) {
    canvas.circle(96.0, 114.0, 80.0, palette.shape);
    canvas.faint(0.5, |canvas| {
        for groove in 0..4u8 {
            canvas.ring(
                96.0,
                114.0,
                72.0 - 10.0 * f64::from(groove),
                1.4,
                palette.shade,
            );
        }
    });
    canvas.turned(seed.between(0.0, 90.0), 96.0, 114.0, |canvas| {
        canvas.path(
            "M96 114L84 36a79 79 0 0 1 24 0zM96 114l12 78a79 79 0 0 1-24 0z",
            palette.shade,
        );
    });
    canvas.circle(96.0, 114.0, 28.0, palette.accent);
    canvas.circle(96.0, 114.0, 4.0, palette.shape);
    canvas.line("M182 30l-8 74-32 34", 5.0, palette.text);
    canvas.circle(182.0, 30.0, 9.0, palette.accent);
}

/// A compass rose.
pub(super) fn compass(canvas: &mut Canvas, palette: &Palette, seed: &mut Seed) {
    canvas.ring(100.0, 112.0, 76.0, 3.0, palette.shape);
    canvas.ring(100.0, 112.0, 67.0, 1.2, palette.shape);
    canvas.turned(seed.between(-40.0, 40.0), 100.0, 112.0, |canvas| {
        for point in 0..8u8 {
            let degrees = 45.0 * f64::from(point);
            let reach = if point % 2 == 0 { 84.0 } else { 46.0 };
            let tip = polar(100.0, 112.0, reach, degrees);
            let colour = if point == 0 {
                palette.accent
            } else {
                palette.shape
            };
            canvas.polygon(
                &[
                    (100.0, 112.0),
                    polar(100.0, 112.0, 16.0, degrees - 45.0 / 2.0 - 20.0),
                    tip,
                ],
                colour,
            );
            canvas.polygon(
                &[
                    (100.0, 112.0),
                    polar(100.0, 112.0, 16.0, degrees + 45.0 / 2.0 + 20.0),
                    tip,
                ],
                palette.shade,
            );
        }
    });
    canvas.circle(100.0, 112.0, 5.0, palette.text);
}

/// A hat, a moustache and nothing between.
pub(super) fn bowler(canvas: &mut Canvas, palette: &Palette, seed: &mut Seed) {
    canvas.circle(100.0, 114.0, 80.0, palette.accent);
    canvas.turned(seed.between(-10.0, 10.0), 100.0, 114.0, |canvas| {
        canvas.path("M56 102q-2-56 44-56t44 56z", palette.shape);
        canvas.path("M54 92h92v9H54z", palette.shade);
        canvas.path("M32 101q68 16 136 0-4 15-22 15H54q-18 0-22-15z", palette.shape);
        canvas.path("M100 148q-10-10-22-4-10 5-20-1 6 20 26 19 12-1 16-8 4 7 16 8 20 1 26-19-10 6-20 1-12-6-22 4z", palette.shape);
    });
}

/// A tie for an evening that goes wrong.
pub(super) fn bow_tie(canvas: &mut Canvas, palette: &Palette, seed: &mut Seed) {
    canvas.path("M20 0h160l-58 210H78z", palette.text);
    canvas.path(
        "M20 0h30l48 214H68L0 60V0zM180 0h-30l-48 214h30L200 60V0z",
        palette.shape,
    );
    canvas.turned(seed.between(-9.0, 9.0), 100.0, 74.0, |canvas| {
        canvas.path(
            "M96 74L50 50q-7 24 0 48zM104 74l46-24q7 24 0 48z",
            palette.accent,
        );
        canvas.rect(91.0, 62.0, 18.0, 24.0, palette.accent);
    });
    canvas.circle(100.0, 124.0, 4.0, palette.shade);
    canvas.circle(100.0, 156.0, 4.0, palette.shade);
}

/// Toy blocks.
pub(super) fn blocks(canvas: &mut Canvas, palette: &Palette, seed: &mut Seed) {
    let mut block = |x: f64, y: f64, top, left, right| {
        canvas.polygon(
            &[
                (x, y - 26.0),
                (x + 38.0, y - 7.0),
                (x, y + 12.0),
                (x - 38.0, y - 7.0),
            ],
            top,
        );
        canvas.polygon(
            &[
                (x - 38.0, y - 7.0),
                (x, y + 12.0),
                (x, y + 54.0),
                (x - 38.0, y + 35.0),
            ],
            left,
        );
        canvas.polygon(
            &[
                (x + 38.0, y - 7.0),
                (x, y + 12.0),
                (x, y + 54.0),
                (x + 38.0, y + 35.0),
            ],
            right,
        );
    };
    block(60.0, 146.0, palette.text, palette.accent, palette.shape);
    block(140.0, 146.0, palette.text, palette.shade, palette.shape);
    block(
        100.0 + seed.between(-14.0, 14.0),
        84.0,
        palette.accent,
        palette.text,
        palette.shade,
    );
}

/// The blades of a lens.
pub(super) fn aperture(canvas: &mut Canvas, palette: &Palette, seed: &mut Seed) {
    canvas.circle(100.0, 112.0, 84.0, palette.shape);
    let turn = seed.between(0.0, 60.0);
    for blade in 0..6u8 {
        let degrees = turn + 60.0 * f64::from(blade);
        canvas.polygon(
            &[
                polar(100.0, 112.0, 78.0, degrees),
                polar(100.0, 112.0, 78.0, degrees + 54.0),
                polar(100.0, 112.0, 30.0, degrees + 84.0),
                polar(100.0, 112.0, 30.0, degrees + 30.0),
            ],
            if blade % 2 == 0 {
                palette.shade
            } else {
                palette.accent
            },
        );
    }
}

/// A medal on its ribbon.
pub(super) fn medal(canvas: &mut Canvas, palette: &Palette, seed: &mut Seed) {
    canvas.polygon(
        &[(62.0, 0.0), (92.0, 0.0), (120.0, 96.0), (96.0, 104.0)],
        palette.shade,
    );
    canvas.polygon(
        &[(138.0, 0.0), (108.0, 0.0), (80.0, 96.0), (104.0, 104.0)],
        palette.shape,
    );
    canvas.circle(100.0, 138.0, 52.0, palette.accent);
    canvas.ring(100.0, 138.0, 44.0, 2.0, palette.shape);
    let turn = seed.between(-12.0, 12.0);
    let points: Vec<_> = (0..10u8)
        .map(|corner| {
            let radius = if corner % 2 == 0 { 36.0 } else { 15.0 };
            polar(100.0, 138.0, radius, turn + 36.0 * f64::from(corner))
        })
        .collect();
    canvas.polygon(&points, palette.shape);
}

/// A letter with a seal.
pub(super) fn letter(canvas: &mut Canvas, palette: &Palette, seed: &mut Seed) {
    canvas.turned(seed.between(-14.0, 14.0), 100.0, 114.0, |canvas| {
        canvas.rect(28.0, 66.0, 144.0, 98.0, palette.text);
        canvas.path("M28 66h144l-72 58z", palette.shape);
        canvas.line("M28 164l52-52M172 164l-52-52", 2.0, palette.shade);
        canvas.path(
            "M100 136q-26-16-18-30 8-10 18 3 10-13 18-3 8 14-18 30z",
            palette.accent,
        );
    });
}
