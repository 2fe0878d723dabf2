//! The title on a poster: broken into lines that fit, in the letters of the time.

use super::canvas::{Canvas, N};
use super::palette::{Era, Palette};
use std::fmt;

/// How an era sets its titles.
struct Face {
    family: &'static str,
    weight: u16,
    italic: bool,
    capitals: bool,
    /// Space between letters, in hundredths of the size.
    spacing: u8,
    /// Mean width of a letter in units of the size, on the generous side: the reader's fonts are not ours.
    advance: f64,
}

const SERIF: &str = "Georgia,serif";
const SANS: &str = "Helvetica,Arial,sans-serif";

fn face(era: Era) -> Face {
    let face = |family, weight, italic, capitals, spacing, advance| Face {
        family,
        weight,
        italic,
        capitals,
        spacing,
        advance,
    };
    match era {
        Era::Silent => face(SERIF, 700, false, true, 8, 0.83),
        Era::Studio => face(SERIF, 700, true, false, 0, 0.56),
        Era::Pop => face(SANS, 800, false, true, 0, 0.71),
        Era::Neon => face(SANS, 800, true, true, 2, 0.73),
        Era::Video => face(SERIF, 400, false, true, 14, 0.86),
        Era::Digital => face(SANS, 300, false, false, 2, 0.56),
        Era::Stream => face(SANS, 700, false, false, 0, 0.58),
    }
}

/// Room for lettering, in units.
const ROOM: f64 = 172.0;
const MAX_LINES: usize = 4;

/// Letters the title at the foot of the poster, and year and director above it.
pub(super) fn letter(
    canvas: &mut Canvas,
    era: Era,
    palette: &Palette,
    title: &str,
    small_print: &str,
) {
    let face = face(era);
    let shown = if face.capitals {
        title.to_uppercase()
    } else {
        title.to_owned()
    };
    let (size, lines) = fit(&shown, &face);
    let leading = size * 1.06;
    let last = 284.0;
    let first = last - leading * (lines.len() - 1) as f64;
    let small = 7.0;
    canvas.raw(format_args!(
        "<g fill=\"{}\" text-anchor=\"middle\" font-family=\"{}\"><text x=\"100\" y=\"{}\" font-size=\"{}\" letter-spacing=\".7\" opacity=\".85\">{}</text><g font-size=\"{}\" font-weight=\"{}\" letter-spacing=\"{}\"{}>",
        palette.text,
        face.family,
        N(first - size - 2.0),
        N(small),
        Text(&clip(small_print, 34)),
        N(size),
        face.weight,
        N(size * f64::from(face.spacing) / 100.0),
        if face.italic { " font-style=\"italic\"" } else { "" },
    ));
    for (index, line) in lines.iter().enumerate() {
        let y = N(first + leading * index as f64);
        let wide = width(line, size, &face) > ROOM;
        let squeeze = if wide {
            " textLength=\"184\" lengthAdjust=\"spacingAndGlyphs\""
        } else {
            ""
        };
        canvas.raw(format_args!(
            "<text x=\"100\" y=\"{y}\"{squeeze}>{}</text>",
            Text(line)
        ));
    }
    canvas.raw(format_args!("</g></g>"));
}

/// How far up the lettering reaches for a title, so that a veil can be laid under it.
pub(super) fn top(era: Era, title: &str) -> f64 {
    let face = face(era);
    let (size, lines) = fit(title, &face);
    284.0 - size * 1.06 * (lines.len() - 1) as f64 - size - 14.0
}

/// The largest size at which the title takes few enough lines.
fn fit(title: &str, face: &Face) -> (f64, Vec<String>) {
    let mut smallest = (9.0, Vec::new());
    for (size, most) in [
        (27.0, 1),
        (23.0, 2),
        (19.0, 2),
        (17.0, 3),
        (15.0, 3),
        (12.5, 4),
        (10.5, 4),
        (9.0, MAX_LINES),
    ] {
        let lines = wrap(title, size, face);
        let fits = lines.len() <= most && lines.iter().all(|line| width(line, size, face) <= ROOM);
        smallest = (size, lines);
        if fits {
            return smallest;
        }
    }
    if smallest.1.len() > MAX_LINES {
        smallest.1.truncate(MAX_LINES);
        if let Some(last) = smallest.1.last_mut() {
            last.push('…');
        }
    }
    smallest.1 = smallest.1.iter().map(|line| clip(line, 28)).collect();
    smallest
}

fn width(line: &str, size: f64, face: &Face) -> f64 {
    let advance = face.advance
        + if face.capitals {
            f64::from(face.spacing) / 200.0
        } else {
            0.0
        };
    // Characters beyond Latin are about a size wide.
    line.chars()
        .map(|letter| {
            if (letter as u32) < 0x2e80 {
                advance
            } else {
                1.0
            }
        })
        .sum::<f64>()
        * size
}

/// Breaks between words into lines of about the same length; at least one.
fn wrap(title: &str, size: f64, face: &Face) -> Vec<String> {
    let greedy = |room: f64| {
        let mut lines: Vec<String> = Vec::new();
        for word in title.split_whitespace() {
            match lines.last_mut() {
                Some(line) if width(&format!("{line} {word}"), size, face) <= room => {
                    line.push(' ');
                    line.push_str(word);
                }
                _ => lines.push(word.to_owned()),
            }
        }
        if lines.is_empty() {
            lines.push(String::new());
        }
        lines
    };
    let lines = greedy(ROOM);
    let count = lines.len();
    // The narrowest measure that keeps the number of lines gives the most even ones.
    (4..17)
        .map(|part| greedy(ROOM * f64::from(part) / 17.0))
        .find(|even| even.len() == count)
        .unwrap_or(lines)
}

/// At most `most` characters, with an ellipsis for the rest.
fn clip(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most - 1).chain(['…']).collect()
}

/// Text made safe to stand between tags.
pub(super) struct Text<'a>(pub(super) &'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for letter in self.0.chars() {
            match letter {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                control if control.is_control() => f.write_str(" ")?,
                plain => std::fmt::Write::write_char(f, plain)?,
            }
        }
        Ok(())
    }
}
