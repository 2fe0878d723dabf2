//! Whether the colours of the style sheet can be told apart by everybody, computed as WCAG 2.2
//! does: 4.5 to 1 for text, 3 to 1 for what one has to see to use a control.

use super::Assets;
use std::collections::BTreeMap;

/// Named colours of one scheme.
type Colours = BTreeMap<String, [f64; 3]>;

/// Text, and what it stands on.
const TEXT: &[(&str, &[&str])] = &[
    ("ink", &["paper", "raised", "tint"]),
    ("soft", &["paper", "raised", "tint"]),
    ("accent", &["paper", "raised"]),
    ("on-accent", &["accent"]),
    ("alert", &["paper", "raised"]),
    ("notice-ink", &["notice"]),
];
/// Edges of fields and stars, and the ring of focus.
const PARTS: &[(&str, &[&str])] = &[
    ("edge", &["paper", "raised"]),
    ("star", &["raised", "paper"]),
    ("accent", &["paper", "raised"]),
];

fn colours(block: &str) -> Colours {
    let pair = |line: &str| {
        let (name, value) = line.trim().strip_prefix("--")?.split_once(':')?;
        let digits = value.trim().strip_prefix('#')?.strip_suffix(';')?;
        let number = u32::from_str_radix(digits, 16)
            .ok()
            .filter(|_| digits.len() == 6)?;
        let channel = |shift: u32| f64::from(number >> shift & 0xff) / 255.0;
        Some((name.to_owned(), [channel(16), channel(8), channel(0)]))
    };
    block.lines().filter_map(pair).collect()
}

/// Light and dark.
fn schemes() -> [Colours; 2] {
    let style = Assets::load().style.bytes;
    let text = String::from_utf8(style.to_vec()).unwrap();
    let block = |from: &str| {
        let rest = &text[text.find(from).unwrap()..];
        colours(rest.split('}').next().unwrap())
    };
    let light = block(":root {");
    let mut dark = light.clone();
    dark.extend(block("@media (prefers-color-scheme: dark)"));
    [light, dark]
}

fn luminance(colour: [f64; 3]) -> f64 {
    let linear = |channel: f64| {
        if channel <= 0.04045 {
            channel / 12.92
        } else {
            ((channel + 0.055) / 1.055).powf(2.4)
        }
    };
    let [red, green, blue] = colour.map(linear);
    0.2126 * red + 0.7152 * green + 0.0722 * blue
}

fn contrast(one: [f64; 3], other: [f64; 3]) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

fn holds(pairs: &[(&str, &[&str])], least: f64) {
    for (scheme, colours) in ["light", "dark"].into_iter().zip(schemes()) {
        for (front, grounds) in pairs {
            for ground in *grounds {
                let found = contrast(colours[*front], colours[*ground]);
                assert!(found >= least, "{scheme}: {front} on {ground}: {found:.2}");
            }
        }
    }
}

#[test]
fn black_on_white_is_21_to_1() {
    assert!((contrast([0.0; 3], [1.0; 3]) - 21.0).abs() < 1e-9);
}

#[test]
fn the_schemes_differ() {
    let [light, dark] = schemes();
    assert_ne!(light["paper"], dark["paper"]);
    assert_eq!(light.len(), dark.len());
}

#[test]
fn text_can_be_read_in_both_schemes() {
    holds(TEXT, 4.5);
}

#[test]
fn controls_can_be_seen_in_both_schemes() {
    holds(PARTS, 3.0);
}
