//! Motifs of houses, rooms and streets.

use crate::poster::canvas::{Canvas, N};
use crate::poster::palette::Palette;
use crate::poster::seed::Seed;

/// Towers of a city to come.
pub(super) fn towers(canvas: &mut Canvas, palette: &Palette, seed: &mut Seed) {
    canvas.circle(100.0, 84.0, 46.0, palette.accent);
    for tower in 0..6u8 {
        let x = 8.0 + 32.0 * f64::from(tower);
        let top = seed.between(86.0, 140.0);
        canvas.polygon(
            &[
                (x, 222.0),
                (x + 3.0, top),
                (x + 10.0, top - 14.0),
                (x + 20.0, top),
                (x + 24.0, 222.0),
            ],
            palette.shade,
        );
    }
    canvas.path(
        "M76 222l6-104 6-6V84l8-8V42l4-22 4 22v34l8 8v28l6 6 6 104z",
        palette.shape,
    );
    let mut lights = String::new();
    for row in 0..9u8 {
        let y = 100.0 + 12.0 * f64::from(row);
        lights.push_str(&format!("M94 {y}h4m5 0h4", y = N(y)));
    }
    canvas.line(&lights, 2.2, palette.accent);
    canvas.path(
        "M0 168Q60 150 92 168T200 156v6Q140 160 100 174T0 176z",
        palette.shape,
    );
}

/// A skyline at night, a few windows lit.
pub(super) fn skyline(canvas: &mut Canvas, palette: &Palette, seed: &mut Seed) {
    canvas.circle(seed.between(60.0, 140.0), 76.0, 36.0, palette.accent);
    let (mut near, mut far, mut windows) = (String::new(), String::new(), String::new());
    for house in 0..8u8 {
        let x = 26.0 * f64::from(house) - 6.0;
        far.push_str(&format!(
            "M{} {}h20V230h-20z",
            N(x),
            N(seed.between(84.0, 140.0))
        ));
        let top = seed.between(122.0, 172.0);
        near.push_str(&format!("M{} {}h24V300h-24z", N(x + 4.0), N(top)));
        for window in 0..4u8 {
            if seed.below(3) == 0 {
                windows.push_str(&format!(
                    "M{} {}h4v6h-4z",
                    N(x + 8.0 + 9.0 * f64::from(window % 2)),
                    N(top + 8.0 + 14.0 * f64::from(window / 2))
                ));
            }
        }
    }
    canvas.path(&far, palette.shade);
    canvas.path(&near, palette.shape);
    canvas.path(&windows, palette.accent);
}

/// Light through blinds, and somebody's hat.
pub(super) fn blinds(canvas: &mut Canvas, palette: &Palette, seed: &mut Seed) {
    let lean = seed.between(-16.0, 16.0);
    canvas.faint(0.85, |canvas| {
        for slat in 0..9u8 {
            let y = 24.0 + 21.0 * f64::from(slat);
            canvas.polygon(
                &[
                    (20.0, y + lean),
                    (180.0, y - lean),
                    (180.0, y + 10.0 - lean),
                    (20.0, y + 10.0 + lean),
                ],
                palette.accent,
            );
        }
    });
    canvas.path(
        "M46 216q4-34 32-40l4-12q-14-12-14-34-18-2-22-6 10-8 24-9 2-30 14-33 16-6 32 0 12 4 14 33 16 2 24 9-6 5-22 6 0 22-13 34l4 12q26 6 31 40z",
        palette.shape,
    );
    canvas.path("M71 112h58v6H71z", palette.shade);
}

/// A dark wall with one window lit.
pub(super) fn lit_window(canvas: &mut Canvas, palette: &Palette, seed: &mut Seed) {
    let (lit_column, lit_row) = (seed.below(4), seed.below(4));
    for row in 0..4 {
        for column in 0..4 {
            let (x, y) = (26.0 + 40.0 * column as f64, 22.0 + 46.0 * row as f64);
            if (column, row) == (lit_column, lit_row) {
                let glow = canvas.gradient(
                    "radial",
                    &[(0, &palette.accent, 0.7), (100, &palette.accent, 0.0)],
                );
                canvas.circle(x + 14.0, y + 17.0, 46.0, glow);
                canvas.rect(x, y, 28.0, 34.0, palette.accent);
                canvas.circle(x + 14.0, y + 18.0, 4.6, palette.shape);
                canvas.path(
                    &format!("M{} {}q0-11 8-11t8 11z", N(x + 6.0), N(y + 34.0)),
                    palette.shape,
                );
            } else {
                canvas.faint(0.75, |canvas| canvas.rect(x, y, 28.0, 34.0, palette.shade));
                canvas.line(
                    &format!("M{} {}v34m-14-17h28", N(x + 14.0), N(y)),
                    1.6,
                    palette.shape,
                );
            }
        }
    }
}

/// A door ajar.
pub(super) fn door(canvas: &mut Canvas, palette: &Palette, seed: &mut Seed) {
    let lean = seed.between(-44.0, 20.0);
    canvas.polygon(
        &[
            (76.0, 204.0),
            (124.0, 204.0),
            (170.0 + lean, 300.0),
            (40.0 + lean, 300.0),
        ],
        palette.accent,
    );
    canvas.rect(70.0, 44.0, 60.0, 160.0, palette.shape);
    canvas.rect(76.0, 50.0, 48.0, 154.0, palette.accent);
    canvas.polygon(
        &[(76.0, 50.0), (100.0, 62.0), (100.0, 216.0), (76.0, 204.0)],
        palette.shade,
    );
    canvas.circle(95.0, 138.0, 2.2, palette.accent);
    canvas.circle(113.0, 138.0, 4.4, palette.shape);
    canvas.path("M107 204v-48q0-11 6-11t6 11v48z", palette.shape);
}

/// An arch with light behind it.
pub(super) fn archway(canvas: &mut Canvas, palette: &Palette, seed: &mut Seed) {
    let glow = canvas.gradient(
        "linear x2=\"0\" y2=\"1\"",
        &[(0, &palette.accent, 1.0), (100, &palette.text, 0.9)],
    );
    for (inset, colour) in [
        (0.0, palette.shape),
        (14.0, palette.shade),
        (28.0, palette.shape),
    ] {
        let (left, radius) = (N(34.0 + inset), N(66.0 - inset));
        canvas.path(
            &format!(
                "M{left} 208V104a{radius} {radius} 0 0 1 {} 0V208z",
                N(132.0 - 2.0 * inset)
            ),
            colour,
        );
    }
    canvas.path("M74 208V104a26 26 0 0 1 52 0V208z", glow);
    let x = seed.between(92.0, 108.0);
    canvas.circle(x, 166.0, 5.0, palette.shape);
    canvas.path(
        &format!("M{} 208v-22q0-11 7-11t7 11v22z", N(x - 7.0)),
        palette.shape,
    );
    canvas.rect(0.0, 206.0, 200.0, 6.0, palette.shape);
}

/// Steps that turn out of sight.
pub(super) fn stairs(canvas: &mut Canvas, palette: &Palette, seed: &mut Seed) {
    let flip = seed.below(2) == 1;
    let turn = if flip {
        "translate(200 0) scale(-1 1)"
    } else {
        ""
    };
    canvas.raw(format_args!("<g transform=\"{turn}\">"));
    for step in 0..7u8 {
        let up = 22.0 * f64::from(step);
        let tint = if step % 2 == 0 {
            palette.shade
        } else {
            palette.shape
        };
        canvas.rect(14.0 + up, 196.0 - up, 186.0 - up, 22.0, tint);
    }
    canvas.circle(157.0, 22.0, 7.0, palette.accent);
    canvas.path("M147 64V42q0-11 10-11t10 11v22z", palette.accent);
    canvas.faint(0.5, |canvas| {
        canvas.path("M147 64h20L60 196H14z", palette.accent)
    });
    canvas.raw(format_args!("</g>"));
}

/// A keyhole with a room behind it.
pub(super) fn keyhole(canvas: &mut Canvas, palette: &Palette, seed: &mut Seed) {
    canvas.circle(100.0, 112.0, 84.0, palette.shade);
    canvas.circle(100.0, 112.0, 72.0, palette.shape);
    let light = canvas.gradient(
        "linear x2=\"0\" y2=\"1\"",
        &[(0, &palette.accent, 1.0), (100, &palette.shade, 1.0)],
    );
    canvas.path(
        "M100 54a31 31 0 0 1 17 57l15 58H68l15-58a31 31 0 0 1 17-57z",
        light,
    );
    let x = seed.between(94.0, 106.0);
    canvas.circle(x, 124.0, 5.0, palette.shape);
    canvas.path(
        &format!("M{} 169v-24q0-13 8-13t8 13v24z", N(x - 8.0)),
        palette.shape,
    );
}

/// Columns of an old house of state.
pub(super) fn columns(canvas: &mut Canvas, palette: &Palette, seed: &mut Seed) {
    canvas.circle(100.0, seed.between(70.0, 96.0), 50.0, palette.accent);
    canvas.path("M24 96l76-48 76 48z", palette.shape);
    canvas.rect(28.0, 98.0, 144.0, 10.0, palette.shade);
    for column in 0..5u8 {
        let x = 34.0 + 30.0 * f64::from(column);
        canvas.rect(x, 110.0, 13.0, 82.0, palette.shape);
        canvas.rect(x + 8.0, 110.0, 5.0, 82.0, palette.shade);
    }
    canvas.rect(24.0, 192.0, 152.0, 8.0, palette.shape);
    canvas.rect(14.0, 200.0, 172.0, 8.0, palette.shade);
}

/// A curtain, a beam and somebody in it.
pub(super) fn stage(canvas: &mut Canvas, palette: &Palette, seed: &mut Seed) {
    let x = seed.between(86.0, 114.0);
    canvas.faint(0.5, |canvas| {
        canvas.polygon(
            &[(100.0, 0.0), (x + 40.0, 200.0), (x - 40.0, 200.0)],
            palette.text,
        )
    });
    canvas.raw(format_args!(
        "<ellipse cx=\"{}\" cy=\"200\" rx=\"42\" ry=\"10\" fill=\"{}\"/>",
        N(x),
        palette.accent
    ));
    canvas.circle(x, 132.0, 8.0, palette.shape);
    canvas.path(
        &format!(
            "M{} 200l5-28-6-4 2-20q1-6 7-6t8 6l2 20-6 4 8 28h-7l-5-22-4 22z",
            N(x - 8.0)
        ),
        palette.shape,
    );
    canvas.line(
        &format!("M{} 150l-20-16m35 16l18-20", N(x - 7.0)),
        4.0,
        palette.shape,
    );
    for side in 0..2u8 {
        let mirror = if side == 0 {
            ""
        } else {
            " transform=\"translate(200 0) scale(-1 1)\""
        };
        canvas.raw(format_args!(
            "<g{mirror}><path d=\"M0 0h58q-6 90-34 120-4 50 2 92H0z\" fill=\"{}\"/><path d=\"M14 0h12q0 90-12 130zM40 0h10q-6 70-22 100z\" fill=\"{}\"/></g>",
            palette.shade, palette.shape
        ));
    }
}
