//! Columns and times, as people read them in a terminal.

use crate::reach::Refused;
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

/// A time, or how long ago it was.
///
/// # Errors
/// For what is neither, naming `field`.
pub(crate) fn time_of(field: &str, text: &str, now: Timestamp) -> Result<Timestamp, Refused> {
    if let Ok(ago) = humantime::parse_duration(text) {
        return Ok(now.minus(ago));
    }
    let time = humantime::parse_rfc3339_weak(text).ok();
    let since = time.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    since.map(|since| Timestamp(0).plus(since)).ok_or_else(|| {
        Refused::Asked(format!(
            "{field}: {text:?} is no time: write 2026-05-01T12:00:00Z, or for example 90m or 2d for how long ago"
        ))
    })
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

    #[test]
    fn a_time_is_one_of_the_calendar_or_so_long_ago() {
        let now = Timestamp(1_700_000_000_000);
        let of = |text| time_of("since", text, now);
        assert_eq!(of("90m").unwrap(), Timestamp(1_700_000_000_000 - 5_400_000));
        assert_eq!(of("2023-11-14T22:13:20Z").unwrap(), now);
        for wrong in ["", "yesterday", "1700000000", "-1h", "1960-01-01T00:00:00Z"] {
            let told = of(wrong).unwrap_err().to_string();
            assert!(told.starts_with("since") && told.contains(wrong), "{told}");
        }
    }
}
