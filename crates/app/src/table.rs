//! Columns and times, as people read them in a terminal.

use backlot_core::Timestamp;
use std::time::{Duration, UNIX_EPOCH};

/// The widest that a column but the last gets, in characters.
const WIDEST: usize = 48;

/// Rows under a head, each column as wide as it needs to be; no line ends in spaces.
pub(crate) fn table<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> String {
    let cells = |row: &[String; N]| row.each_ref().map(|cell| shown(cell));
    let mut lines = vec![head.map(str::to_owned)];
    lines.extend(rows.iter().map(cells));
    let widths: [usize; N] = std::array::from_fn(|column| {
        let widths = lines.iter().map(|line| line[column].chars().count());
        widths.max().unwrap_or(0).min(WIDEST)
    });
    let mut text = String::new();
    for line in lines {
        let mut padded = String::new();
        for (cell, width) in line.iter().zip(widths) {
            padded.push_str(&format!("{cell:<width$}  "));
        }
        text.push_str(padded.trim_end());
        text.push('\n');
    }
    text.pop();
    text
}

/// What others wrote, on one line and without signs that a terminal obeys.
pub(crate) fn shown(text: &str) -> String {
    let plain = |sign: char| if sign.is_control() { ' ' } else { sign };
    text.chars().map(plain).collect()
}

/// The same, with its lines.
pub(crate) fn shown_lines(text: &str) -> String {
    let plain = |sign: char| match sign {
        '\n' | '\t' => sign,
        sign if sign.is_control() => ' ',
        sign => sign,
    };
    text.chars().map(plain).collect()
}

/// RFC 3339, to the millisecond.
pub(crate) fn time(at: Timestamp) -> String {
    // What that form cannot say is beyond the year 9999.
    let millis = at.0.clamp(0, 253_402_300_799_000).unsigned_abs();
    humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_millis(millis)).to_string()
}

/// How long ago, in its two largest units.
pub(crate) fn ago(at: Timestamp, now: Timestamp) -> String {
    let seconds = (now.0 - at.0).max(0).unsigned_abs() / 1000;
    let text = humantime::format_duration(Duration::from_secs(seconds)).to_string();
    let largest: Vec<&str> = text.split(' ').take(2).collect();
    format!("{} ago", largest.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_they_need_to_be() {
        let rows = [
            ["a\x1b[2J\n".to_owned(), "1".to_owned()],
            ["bb".to_owned(), String::new()],
        ];
        assert_eq!(table(["NAME", "N"], &rows), "NAME    N\na [2J   1\nbb");
    }

    #[test]
    fn times_are_told_short() {
        assert_eq!(
            time(Timestamp(1_700_000_000_123)),
            "2023-11-14T22:13:20.123Z"
        );
        assert_eq!(ago(Timestamp(0), Timestamp(3_725_000)), "1h 2m ago");
        assert_eq!(ago(Timestamp(9000), Timestamp(0)), "0s ago");
    }
}
