//! What each drill came to when that was last written down.

use crate::measure::Figures;

/// The lines, one for each drill, of seed 1.
pub const LINES: &str = include_str!("../baseline.txt");

/// The figures of a drill.
#[must_use]
pub fn of(name: &str) -> Option<Figures> {
    let line = LINES
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix("  "));
    Figures::parse(line?)
}

/// A line as it is written down.
#[must_use]
pub fn line(name: &str, figures: &Figures) -> String {
    format!("{name:<18}  {figures}")
}
