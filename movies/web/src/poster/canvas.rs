//! A drawing of 200 by 300 units, written as SVG with one decimal.

use std::fmt::{Display, Write};

/// Width of every poster in its own units.
pub(super) const WIDTH: f64 = 200.0;
/// Height of every poster in its own units.
pub(super) const HEIGHT: f64 = 300.0;

/// SVG in the making. Writing to a `String` cannot fail, so results are dropped here, once.
pub(super) struct Canvas {
    svg: String,
    /// Prefix of ids: a page holds many posters and ids are the page's.
    prefix: String,
    ids: usize,
}

/// A number with at most one decimal.
pub(super) struct N(pub(super) f64);

impl Display for N {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let tenths = (self.0 * 10.0).round();
        // No minus zero.
        write!(f, "{}", if tenths == 0.0 { 0.0 } else { tenths / 10.0 })
    }
}

impl Canvas {
    pub(super) fn new(prefix: String) -> Self {
        Canvas {
            svg: String::with_capacity(2048),
            prefix,
            ids: 0,
        }
    }

    pub(super) fn finish(self) -> String {
        self.svg
    }

    /// Adds SVG as it is: everything in it was made here or escaped.
    pub(super) fn raw(&mut self, args: std::fmt::Arguments<'_>) {
        self.svg.write_fmt(args).ok();
    }

    /// Defines a gradient and returns the paint that names it. `kind` is `linear` or `radial`
    /// with its attributes; stops are (offset in per cent, colour, opacity).
    pub(super) fn gradient(&mut self, kind: &str, stops: &[(u8, &dyn Display, f64)]) -> String {
        self.ids += 1;
        let id = format!("{}{}", self.prefix, self.ids);
        let element = if kind.starts_with("radial") {
            "radialGradient"
        } else {
            "linearGradient"
        };
        let attributes = kind
            .split_once(' ')
            .map_or("", |(_, attributes)| attributes);
        self.raw(format_args!("<{element} id=\"{id}\" {attributes}>"));
        for (offset, colour, opacity) in stops {
            self.raw(format_args!(
                "<stop offset=\"{offset}%\" stop-color=\"{colour}\""
            ));
            if *opacity < 1.0 {
                self.raw(format_args!(" stop-opacity=\"{opacity}\""));
            }
            self.raw(format_args!("/>"));
        }
        self.raw(format_args!("</{element}>"));
        format!("url(#{id})")
    }

    pub(super) fn rect(&mut self, x: f64, y: f64, width: f64, height: f64, fill: impl Display) {
        let (x, y, width, height) = (N(x), N(y), N(width), N(height));
        self.raw(format_args!(
            "<path d=\"M{x} {y}h{width}v{height}h-{width}z\" fill=\"{fill}\"/>"
        ));
    }

    pub(super) fn circle(&mut self, x: f64, y: f64, radius: f64, fill: impl Display) {
        self.raw(format_args!(
            "<circle cx=\"{}\" cy=\"{}\" r=\"{}\" fill=\"{fill}\"/>",
            N(x),
            N(y),
            N(radius)
        ));
    }

    pub(super) fn ring(&mut self, x: f64, y: f64, radius: f64, width: f64, stroke: impl Display) {
        self.raw(format_args!(
            "<circle cx=\"{}\" cy=\"{}\" r=\"{}\" fill=\"none\" stroke=\"{stroke}\" stroke-width=\"{}\"/>",
            N(x),
            N(y),
            N(radius),
            N(width)
        ));
    }

    pub(super) fn path(&mut self, d: &str, fill: impl Display) {
        self.raw(format_args!("<path d=\"{d}\" fill=\"{fill}\"/>"));
    }

    pub(super) fn line(&mut self, d: &str, width: f64, stroke: impl Display) {
        self.raw(format_args!(
            "<path d=\"{d}\" fill=\"none\" stroke=\"{stroke}\" stroke-width=\"{}\" stroke-linecap=\"round\" stroke-linejoin=\"round\"/>",
            N(width)
        ));
    }

    /// A closed figure through the points.
    pub(super) fn polygon(&mut self, points: &[(f64, f64)], fill: impl Display) {
        self.path(&outline(points), fill);
    }

    /// Draws `inside` see-through.
    pub(super) fn faint(&mut self, opacity: f64, inside: impl FnOnce(&mut Canvas)) {
        self.raw(format_args!("<g opacity=\"{opacity}\">"));
        inside(self);
        self.raw(format_args!("</g>"));
    }

    /// Draws `inside` turned by `degrees` about a point.
    pub(super) fn turned(
        &mut self,
        degrees: f64,
        x: f64,
        y: f64,
        inside: impl FnOnce(&mut Canvas),
    ) {
        self.raw(format_args!(
            "<g transform=\"rotate({} {} {})\">",
            N(degrees),
            N(x),
            N(y)
        ));
        inside(self);
        self.raw(format_args!("</g>"));
    }
}

fn outline(points: &[(f64, f64)]) -> String {
    let mut d = String::new();
    for (index, (x, y)) in points.iter().enumerate() {
        let command = if index == 0 { 'M' } else { 'L' };
        d.push_str(&format!("{command}{} {}", N(*x), N(*y)));
    }
    d.push('z');
    d
}

/// The point at `degrees` (0 is up, clockwise) and `radius` from a centre.
pub(super) fn polar(x: f64, y: f64, radius: f64, degrees: f64) -> (f64, f64) {
    let angle = degrees.to_radians();
    (x + radius * angle.sin(), y - radius * angle.cos())
}
