use super::*;
use crate::file::File;

/// What a text holds: each element or what is wrong, with its line.
fn elements(text: &str) -> Vec<(u64, Result<String, &'static str>)> {
    from(text, 0, 0).0
}

type Found = (Vec<(u64, Result<String, &'static str>)>, Vec<(u64, u64)>);

fn from(text: &str, offset: u64, lines: u64) -> Found {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.json");
    std::fs::write(&path, text).unwrap();
    let file = File::at(&path).unwrap();
    let mut elements = Elements::new(file.open(offset).unwrap(), offset, lines);
    let (mut found, mut places) = (Vec::new(), Vec::new());
    while let Some(row) = elements.next().unwrap() {
        let what = match row.end {
            End::NoRow(why) => Err(why),
            End::TooLong => Err("too long"),
            End::Whole | End::OfFile => Ok(String::from_utf8_lossy(row.bytes).into_owned()),
        };
        found.push((row.line, what));
        places.push(elements.at());
    }
    (found, places)
}

fn ok(line: u64, text: &str) -> (u64, Result<String, &'static str>) {
    (line, Ok(text.to_owned()))
}

#[test]
fn elements_are_found_whatever_is_inside_their_quotes() {
    assert_eq!(
        elements("[{\"a\": \"},{[\\\"\"},\n {\"b\": {\"c\": [1]}}, 7 ,\n\"x,]\"]\n"),
        [
            ok(1, "{\"a\": \"},{[\\\"\"}"),
            ok(2, "{\"b\": {\"c\": [1]}}"),
            ok(2, "7"),
            ok(3, "\"x,]\"")
        ]
    );
    assert_eq!(elements(" [ ] "), []);
    assert_eq!(elements("\u{feff}[{}]"), [ok(1, "{}")]);
}

#[test]
fn what_is_no_array_is_told_once() {
    for text in ["", "{\"userId\": 1}", "hello"] {
        let found = elements(text);
        assert_eq!(found.len(), 1, "{text}");
        assert!(
            found[0]
                .1
                .as_ref()
                .unwrap_err()
                .starts_with("is no JSON array")
        );
    }
}

#[test]
fn what_is_malformed_costs_no_more_than_itself() {
    let found =
        elements("[{\"a\": \"open},\n{\"lost\": 1}},\n{\"b\": 2}\n{\"c\": 3},,{\"d\": 4} x");
    let good: Vec<_> = found
        .iter()
        .filter_map(|(_, row)| row.clone().ok())
        .collect();
    assert_eq!(good, ["{\"b\": 2}", "{\"c\": 3}", "{\"d\": 4}"]);
    let bad: Vec<_> = found
        .iter()
        .filter_map(|(_, row)| row.clone().err())
        .collect();
    assert_eq!(
        bad,
        [
            "a text of this event has no closing quote",
            "an event is missing before this",
            "a comma is missing before this",
            "the file ends before the array's ]: it may be cut off"
        ]
    );
}

#[test]
fn a_file_that_is_cut_off_says_so() {
    assert_eq!(
        elements("[{\"a\": 1},{\"b\""),
        [
            ok(1, "{\"a\": 1}"),
            (1, Err("the file ends in the middle of this event")),
            (
                1,
                Err("the file ends before the array's ]: it may be cut off")
            )
        ]
    );
    assert_eq!(
        elements("[{}] [").last().unwrap().1,
        Err("goes on after the array's ]")
    );
}

#[test]
fn an_element_without_end_is_bounded() {
    let text = format!("[{{\"a\": \"{}\"}}, {{}}]", "x".repeat(2 * LONGEST));
    assert_eq!(elements(&text), [(1, Err("too long")), ok(1, "{}")]);
}

#[test]
fn reading_goes_on_after_any_element() {
    let text = "[{\"a\": 1},\n {\"b\": 2}\n,{\"c\": 3}]";
    let (all, places) = from(text, 0, 0);
    for (index, (offset, lines)) in places.into_iter().enumerate() {
        assert_eq!(from(text, offset, lines).0, all[index + 1..]);
    }
}
