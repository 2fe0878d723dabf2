//! Motifs of land and water.

use crate::poster::canvas::{Canvas, N};
use crate::poster::palette::Palette;
use crate::poster::seed::Seed;

/// A sun, table mountains and a cactus.
pub(super) fn mesa(canvas: &mut Canvas, palette: &Palette, seed: &mut Seed) {
    canvas.circle(seed.between(80.0, 120.0), 108.0, 58.0, palette.accent);
    canvas.path(
        "M0 172h18l6-42h40l8 42h44l6-26h26l8-34h44V220H0z",
        palette.shade,
    );
    canvas.path("M0 190Q100 176 200 192V300H0z", palette.shape);
    canvas.line("M52 200v-62m0 36h-15v-16m15 26h14v-22", 8.0, palette.shape);
}

/// Ridges behind ridges.
pub(super) fn peaks(canvas: &mut Canvas, palette: &Palette, seed: &mut Seed) {
    canvas.circle(
        seed.between(60.0, 140.0),
        seed.between(66.0, 84.0),
        34.0,
        palette.accent,
    );
    canvas.faint(0.55, |canvas| {
        canvas.path(
            "M0 168L44 104l26 34 38-62 40 58 22-26 30 44V220H0z",
            palette.shade,
        )
    });
    canvas.path("M0 196l52-50 24 22 48-58 34 44 42-22V300H0z", palette.shade);
    canvas.path("M104 134l20-24 18 23-10 4-7-6-8 7z", palette.accent);
    canvas.path("M0 212l46-24 40 16 60-34 54 30V300H0z", palette.shape);
}

/// Rounded hills and clouds.
pub(super) fn hills(canvas: &mut Canvas, palette: &Palette, seed: &mut Seed) {
    canvas.circle(seed.between(50.0, 150.0), 74.0, 30.0, palette.accent);
    for (x, y, size) in [(52.0, 60.0, 1.0), (146.0, 98.0, 0.8)] {
        let d = format!(
            "M{} {}h{}a12 12 0 0 0-4-23 17 17 0 0 0-32-3 13 13 0 0 0-16 26z",
            N(x - 22.0 * size),
            N(y),
            N(52.0 * size)
        );
        canvas.faint(0.85, |canvas| canvas.path(&d, palette.text));
    }
    canvas.path("M0 176Q50 112 108 164T200 150V300H0z", palette.shade);
    canvas.path("M0 206Q70 156 130 190T200 186V300H0z", palette.shape);
    canvas.line("M150 184v-24", 3.4, palette.shade);
    canvas.circle(150.0, 152.0, 13.0, palette.accent);
}

/// A castle among peaks, under a thin moon.
pub(super) fn castle(canvas: &mut Canvas, palette: &Palette, seed: &mut Seed) {
    let x = seed.between(44.0, 60.0);
    canvas.path(
        &format!("M{} 34a30 30 0 1 0 26 44 24 24 0 1 1-26-44z", N(x)),
        palette.accent,
    );
    canvas.faint(0.6, |canvas| {
        canvas.path("M0 190l48-66 30 40 50-74 72 92V240H0z", palette.shade)
    });
    canvas.path(
        "M84 206v-66h-3v-10l3-1v-22l11-24 11 24v23h8V96l12-30 12 30v54h10v-26l9-22 9 22v82z",
        palette.shape,
    );
    canvas.path(
        "M93 116h4v9h-4zM124 104h5v11h-5zM124 128h5v11h-5zM155 132h4v9h-4z",
        palette.accent,
    );
    canvas.path("M0 204Q100 184 200 206V300H0z", palette.shape);
}

/// A tree as old as the story, with a light in its roots.
pub(super) fn great_tree(canvas: &mut Canvas, palette: &Palette, seed: &mut Seed) {
    let glow = canvas.gradient(
        "radial",
        &[(0, &palette.accent, 0.9), (100, &palette.accent, 0.0)],
    );
    canvas.circle(100.0, 178.0, 62.0, glow);
    for _ in 0..11 {
        let (x, y, radius) = (
            seed.between(52.0, 148.0),
            seed.between(58.0, 108.0),
            seed.between(18.0, 32.0),
        );
        canvas.circle(x, y, radius, palette.shade);
    }
    canvas.path(
        "M84 208q12-44 8-92l-18-22 22 12 4-28 5 28 22-16-16 26q-5 50 9 92l-12-2q-8-26-10 0z",
        palette.shape,
    );
    canvas.path("M0 208Q100 196 200 208V300H0z", palette.shape);
}

/// A ship under full sail.
pub(super) fn ship(canvas: &mut Canvas, palette: &Palette, seed: &mut Seed) {
    canvas.circle(seed.between(70.0, 130.0), 104.0, 60.0, palette.accent);
    canvas.line("M100 46v136", 3.0, palette.shape);
    canvas.path(
        "M96 54q-44 46-38 92h38zM104 66q46 34 40 80h-40z",
        palette.text,
    );
    canvas.path("M44 164h112q-8 32-30 32H72q-20 0-28-32z", palette.shape);
    for row in 0..3u8 {
        let y = 190.0 + 10.0 * f64::from(row);
        let d = format!(
            "M-10 {y}q15-9 30 0t30 0 30 0 30 0 30 0 30 0 30 0 30 0V300H-10z",
            y = N(y)
        );
        canvas.faint(0.6, |canvas| canvas.path(&d, palette.shade));
    }
}

/// A small boat on still water.
pub(super) fn boat(canvas: &mut Canvas, palette: &Palette, seed: &mut Seed) {
    let x = seed.between(56.0, 130.0);
    canvas.circle(x, 118.0, 40.0, palette.accent);
    canvas.rect(0.0, 158.0, 200.0, 142.0, palette.shade);
    let mut d = String::new();
    for line in 0..5u8 {
        let (y, half) = (166.0 + 8.0 * f64::from(line), 34.0 - 6.0 * f64::from(line));
        d.push_str(&format!("M{} {}h{}", N(x - half), N(y), N(2.0 * half)));
    }
    canvas.line(&d, 2.6, palette.accent);
    canvas.path("M78 184h60q-6 15-18 15H94q-10 0-16-15z", palette.shape);
    canvas.line("M108 184v-24m0 2l-15 20", 2.4, palette.shape);
}

/// A road that runs out of the picture.
pub(super) fn road(canvas: &mut Canvas, palette: &Palette, seed: &mut Seed) {
    let x = seed.between(70.0, 130.0);
    canvas.circle(x, 122.0, 44.0, palette.accent);
    canvas.path("M0 140l40-14 36 10 46-18 78 20V300H0z", palette.shade);
    canvas.path("M0 158Q100 150 200 158V300H0z", palette.shape);
    let far = N(x);
    canvas.path(&format!("M{far} 153L150 300H20z"), palette.shade);
    canvas.path(
        &format!("M{far} 158l1 10h-2zM{far} 174l2.4 14h-4.6zM{far} 196l4 20h-8z"),
        palette.accent,
    );
    canvas.line("M168 156v-46m-10 8h20m-18 8h16", 2.0, palette.shape);
    canvas.line("M34 157v-26m-6 5h12", 1.6, palette.shape);
}

/// One tree, one sun, much sky.
pub(super) fn lone_tree(canvas: &mut Canvas, palette: &Palette, seed: &mut Seed) {
    let side = if seed.below(2) == 0 { 62.0 } else { 138.0 };
    canvas.circle(200.0 - side, 84.0, 30.0, palette.accent);
    canvas.path("M0 188Q60 170 200 194V300H0z", palette.shade);
    canvas.line(
        &format!("M{x} 190q2-30 0-58m0 26l-14-20m14 8l15-22", x = N(side)),
        4.0,
        palette.shape,
    );
    for (dx, y, radius) in [
        (-20.0, 128.0, 20.0),
        (0.0, 108.0, 26.0),
        (22.0, 124.0, 21.0),
        (4.0, 132.0, 22.0),
    ] {
        canvas.circle(side + dx, y, radius, palette.shape);
    }
    canvas.path("M0 204Q110 184 200 204V300H0z", palette.shape);
}

/// Trunks in the mist.
pub(super) fn birches(canvas: &mut Canvas, palette: &Palette, seed: &mut Seed) {
    canvas.circle(seed.between(60.0, 140.0), 96.0, 42.0, palette.accent);
    for trunk in 0..7u8 {
        let x = 8.0 + 29.0 * f64::from(trunk) + seed.between(-7.0, 7.0);
        let near = trunk % 2 == 0;
        let (width, colour) = if near {
            (9.0, palette.shape)
        } else {
            (5.0, palette.shade)
        };
        canvas.polygon(
            &[
                (x, 0.0),
                (x + width * 0.7, 0.0),
                (x + width, 230.0),
                (x - 1.0, 230.0),
            ],
            colour,
        );
        if near {
            let y = seed.between(40.0, 130.0);
            canvas.line(&format!("M{} {}l24-26", N(x + 5.0), N(y)), 2.2, colour);
        }
    }
    canvas.path("M0 210Q100 196 200 212V300H0z", palette.shade);
}

/// An umbrella in the rain.
pub(super) fn umbrella(canvas: &mut Canvas, palette: &Palette, seed: &mut Seed) {
    let mut rain = String::new();
    for _ in 0..34 {
        rain.push_str(&format!(
            "M{} {}l-4 13",
            N(seed.between(0.0, 204.0)),
            N(seed.between(0.0, 200.0))
        ));
    }
    canvas.faint(0.35, |canvas| canvas.line(&rain, 1.2, palette.text));
    canvas.turned(seed.between(-14.0, 14.0), 100.0, 110.0, |canvas| {
        canvas.line("M100 58v120q0 14-12 14t-12-12", 4.0, palette.shape);
        canvas.path(
            "M28 122a72 66 0 0 1 144 0q-18-14-36 0-18-16-36 0-18-16-36 0-18-14-36 0z",
            palette.accent,
        );
        canvas.path(
            "M64 122q2-44 36-66 34 22 36 66-18-16-36 0-18-16-36 0z",
            palette.shape,
        );
        canvas.path("M97 46h6v12h-6z", palette.shape);
    });
}

/// Wire before a burning sky.
pub(super) fn wire(canvas: &mut Canvas, palette: &Palette, seed: &mut Seed) {
    canvas.circle(100.0, seed.between(92.0, 116.0), 60.0, palette.accent);
    canvas.path("M0 196q24-12 44-4t50-6 52 6 54-4V300H0z", palette.shape);
    canvas.path(
        "M42 200l6-96 8-1-4 98zM150 200l-3-84 8-1 6 86z",
        palette.shape,
    );
    for y in [124.0, 150.0, 176.0] {
        let mut d = format!(
            "M0 {y}Q46 {} 100 {y}T200 {}",
            N(y + 12.0),
            N(y - 4.0),
            y = N(y)
        );
        for barb in 0..8u8 {
            let x = 12.0 + 25.0 * f64::from(barb);
            d.push_str(&format!("M{} {}l7 9m0-9l-7 9", N(x), N(y - 1.0)));
        }
        canvas.line(&d, 1.5, palette.shape);
    }
}
