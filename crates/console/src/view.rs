//! What templates are filled with. Text is escaped by the templates.

pub(crate) mod audit;
pub(crate) mod cache;
pub(crate) mod calls;
pub(crate) mod dead;
pub(crate) mod group;
mod indent;
pub(crate) mod letter;
pub(crate) mod live;
pub(crate) mod overview;
pub(crate) mod run;

use askama::Template;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use backlot_core::Timestamp;
use std::borrow::Borrow;
use std::time::{Duration, UNIX_EPOCH};

/// A page that only has something to say.
#[derive(Template)]
#[template(path = "message.html")]
pub(crate) struct Message<'a> {
    title: &'a str,
    text: &'a str,
}

/// What came of what was asked for.
pub(crate) struct Note {
    pub(crate) text: String,
    pub(crate) failed: bool,
}

pub(crate) fn message<'a>(title: &'a str, text: &'a str) -> Message<'a> {
    Message { title, text }
}

/// A rendered page.
pub(crate) fn html(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(text) => (status, Html(text)).into_response(),
        // Writing to a string does not fail; a filter could.
        Err(_) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            "the page could not be drawn\n",
        )
            .into_response(),
    }
}

/// How long ago, in two units at the most.
pub(crate) fn ago(at: Timestamp, now: Timestamp) -> String {
    let seconds = (now.0 - at.0).max(0).unsigned_abs() / 1000;
    match seconds {
        0 => "now".to_owned(),
        1..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..172_800 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// As machines and people both read it: `2026-11-22 07:00:01` in UTC.
pub(crate) fn time(at: impl Borrow<Timestamp>) -> String {
    let time = UNIX_EPOCH + Duration::from_millis(at.borrow().0.max(0).unsigned_abs());
    let text = humantime::format_rfc3339_seconds(time).to_string();
    text.replace('T', " ").trim_end_matches('Z').to_owned()
}

/// With spaces between thousands.
pub(crate) fn grouped(number: impl Borrow<u64>) -> String {
    let digits = number.borrow().to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place) % 3 == 0 {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_numbers_are_short() {
        let at = |seconds| Timestamp::of_seconds(seconds);
        for (seconds, said) in [
            (0, "now"),
            (59, "59 s"),
            (61, "1 min"),
            (7260, "2 h 1 min"),
            (400_000, "4 days"),
        ] {
            assert_eq!(ago(at(0), at(seconds)), said);
        }
        assert_eq!(time(at(1_795_417_200)), "2026-11-23 07:00:00");
        assert_eq!(grouped(1_234_567_u64), "1\u{202f}234\u{202f}567");
        assert_eq!(grouped(999_u64), "999");
    }
}
