//! Ratings in stars.

/// "0.5" to "5.0" by halves, as 1 to 10 half stars.
pub(super) fn half_stars(text: &str) -> Option<i32> {
    let (whole, rest) = text.split_once('.').unwrap_or((text, "0"));
    let whole = match whole.as_bytes() {
        [] if !rest.is_empty() => 0,
        [digit @ b'0'..=b'5'] => i32::from(digit - b'0'),
        _ => return None,
    };
    let half = match rest.trim_end_matches('0') {
        "" if !rest.is_empty() => 0,
        "5" => 1,
        _ => return None,
    };
    let half_stars = whole * 2 + half;
    (1..=10).contains(&half_stars).then_some(half_stars)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratings_go_by_halves_from_a_half_to_five() {
        for (text, value) in [
            ("0.5", 1),
            ("4.0", 8),
            ("3.5", 7),
            ("5", 10),
            ("5.00", 10),
            (".5", 1),
        ] {
            assert_eq!(half_stars(text), Some(value), "{text}");
        }
        for text in [
            "", ".", "0", "0.0", "5.5", "6", "4.25", "4.", "-4", "+4", "4,5", " 4", "04", "4.5x",
            "NaN", "1e0",
        ] {
            assert_eq!(half_stars(text), None, "{text}");
        }
    }
}
