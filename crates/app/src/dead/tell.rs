//! Letters as people and programs read them.

use crate::out;
use crate::table::{ago, shown, shown_lines, table, time};
use backlot_core::Timestamp;
use backlot_messaging::dead::{Class, Entry, Letter, Listed, OfGroup, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::io;

pub(super) fn groups(groups: &[OfGroup], is_json: bool, now: Timestamp) -> io::Result<()> {
    let total = |counts: &BTreeMap<Class, u64>| counts.values().sum::<u64>();
    let by_class = |counts: &BTreeMap<Class, u64>| -> BTreeMap<&str, u64> {
        counts
            .iter()
            .map(|(class, count)| (class.name(), *count))
            .collect()
    };
    if is_json {
        let groups = groups.iter().map(|group| {
            json!({
                "group": group.group,
                "topic": group.topic,
                "queue": group.queue,
                "waiting": by_class(&group.waiting),
                "redriven": by_class(&group.redriven),
                "oldest": group.oldest.map(time),
            })
        });
        return out::line(json!({ "groups": groups.collect::<Vec<_>>() }));
    }
    if groups.is_empty() {
        return out::line("no dead letters");
    }
    let rows = groups.iter().map(|group| {
        let classes = group.waiting.iter();
        let classes: Vec<_> = classes
            .map(|(class, count)| format!("{class} {count}"))
            .collect();
        [
            group.group.clone(),
            group.topic.clone(),
            total(&group.waiting).to_string(),
            total(&group.redriven).to_string(),
            group
                .oldest
                .map(|oldest| ago(oldest, now))
                .unwrap_or_default(),
            classes.join(", "),
        ]
    });
    let head = ["GROUP", "TOPIC", "WAITING", "REDRIVEN", "OLDEST", "OF WHAT"];
    out::line(table(head, &rows.collect::<Vec<_>>()))
}

pub(super) fn list(listed: &Listed, is_json: bool) -> io::Result<()> {
    let next = listed.next.map(|next| next.to_string());
    if is_json {
        let letters: Vec<_> = listed.entries.iter().map(entry_json).collect();
        return out::line(json!({ "letters": letters, "next": next }));
    }
    if listed.entries.is_empty() {
        return out::line("no such letters");
    }
    out::line(entries(&listed.entries))?;
    if let Some(next) = next {
        out::note(format_args!("there are more: --after {next}"));
    }
    Ok(())
}

/// Letters, a line each.
pub(super) fn entries(entries: &[Entry]) -> String {
    let rows = entries.iter().map(|entry| {
        [
            entry.id.to_string(),
            time(entry.at),
            entry.class.to_string(),
            match entry.edits {
                0 => entry.status.to_string(),
                _ => format!("{}, edited", entry.status),
            },
            entry.key.clone().unwrap_or_default(),
            entry.kind.clone(),
            entry.error.clone(),
        ]
    });
    let head = ["ID", "DIED", "CLASS", "STATUS", "KEY", "KIND", "ERROR"];
    table(head, &rows.collect::<Vec<_>>())
}

pub(super) fn entry_json(entry: &Entry) -> Value {
    json!({
        "id": entry.id.to_string(),
        "topic": entry.topic,
        "group": entry.group,
        "class": entry.class.name(),
        "key": entry.key,
        "message": entry.message,
        "kind": entry.kind,
        "at": time(entry.at),
        "status": entry.status.name(),
        "redrives": entry.redrives,
        "error": entry.error,
        "edits": entry.edits,
    })
}

/// A payload as text, or else in base64; and which of them.
fn payload(bytes: &[u8]) -> (&'static str, String) {
    match std::str::from_utf8(bytes) {
        Ok(text) => ("text", text.to_owned()),
        Err(_) => ("base64", STANDARD.encode(bytes)),
    }
}

pub(super) fn letter(letter: &Letter, is_json: bool) -> io::Result<()> {
    if is_json {
        return out::line(letter_json(letter));
    }
    out::line(letter_text(letter).trim_end())
}

/// The letter as one object, and under "letter" what else is known of it.
fn letter_json(letter: &Letter) -> Value {
    let own = letter.record.headers.iter();
    let own: BTreeMap<&str, &str> = own
        .filter(|(name, _)| !name.starts_with(header::PREFIX))
        .map(|(name, value)| (&**name, value))
        .collect();
    let edits = letter.edits.iter().map(|edit| {
        let (form, text) = payload(&edit.payload);
        json!({ "at": time(edit.at), "by": edit.by, form: text })
    });
    let mut of = entry_json(&letter.entry);
    of["version"] = json!(letter.record.version);
    of["source"] = json!(&*letter.record.source);
    of["origin"] = json!(
        letter
            .origin
            .map(|origin| { json!({ "partition": origin.partition, "offset": origin.offset }) })
    );
    of["service"] = json!(letter.service);
    of["tries"] = json!(letter.tries);
    of["starts"] = json!(letter.starts);
    of["firstAt"] = json!(letter.first_at.map(time));
    of["lastAt"] = json!(letter.last_at.map(time));
    of["headers"] = json!(own);
    // The view gives as text what is none.
    let (form, came) = payload(&letter.record.payload);
    of["payload"] = json!({ form: came });
    of["edits"] = json!(edits.collect::<Vec<_>>());
    let mut view = letter.view();
    view["letter"] = of;
    view
}

fn letter_text(letter: &Letter) -> String {
    let (entry, record) = (&letter.entry, &letter.record);
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        let value = shown(&value);
        // Writing to a string cannot fail.
        let _written = writeln!(text, "{name:<9} {value}");
    };
    line("letter", entry.id.to_string());
    let version = match record.version {
        0 => String::new(),
        version => format!(" version {version}"),
    };
    line("message", format!("{} {}{version}", record.id, record.kind));
    line(
        "happened",
        format!("{} in {}", time(record.time), record.source),
    );
    if let Some(key) = &record.key {
        line("key", key.clone());
    }
    let place = letter
        .origin
        .map(|at| format!(" partition {} offset {}", at.partition, at.offset));
    line(
        "came from",
        format!("{}{}", entry.topic, place.unwrap_or_default()),
    );
    line("group", entry.group.clone());
    line("died", format!("{} of {}", time(entry.at), entry.class));
    line(
        "tried",
        format!(
            "{} times, {} without an end, by {}",
            letter.tries, letter.starts, letter.service
        ),
    );
    line(
        "status",
        match entry.redrives {
            0 => entry.status.to_string(),
            times => format!(
                "{}, was redriven {times} times before it died",
                entry.status
            ),
        },
    );
    let own = record.headers.iter();
    for (name, value) in own.filter(|(name, _)| !name.starts_with(header::PREFIX)) {
        line("header", format!("{name}: {value}"));
    }
    for failure in &letter.failures {
        let at = failure.at.map(time).unwrap_or_default();
        let told = [&*at, &failure.class, &failure.code].map(str::trim);
        let told: Vec<_> = told.into_iter().filter(|part| !part.is_empty()).collect();
        line(
            "failure",
            format!("{}: {}", told.join(" "), failure.message),
        );
    }
    part(&mut text, "payload", &record.payload);
    for edit in &letter.edits {
        let by = match &*edit.by {
            "" => "somebody",
            by => by,
        };
        part(
            &mut text,
            &format!("edited by {} at {}", shown(by), time(edit.at)),
            &edit.payload,
        );
    }
    text
}

fn part(text: &mut String, name: &str, bytes: &[u8]) {
    let (form, shown) = payload(bytes);
    let shown = shown_lines(&shown);
    let _written = write!(text, "\n{name}, {} bytes, {form}\n{shown}\n", bytes.len());
}
