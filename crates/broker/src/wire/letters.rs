//! Dead letters, and which of them are meant.

use super::{lacks, position, record, record_of};
use crate::contract::broker::v1 as proto;
use backlot_core::Timestamp;
use backlot_messaging::Error;
use backlot_messaging::dead::{
    After, Class, Edit, Entry, Filter, Id, Letter, Listed, Moved, OfGroup, Page, Slice, Status,
};
use backlot_messaging::engine::Position;
use std::collections::BTreeMap;
use std::str::FromStr;

/// The letters of a page when nobody says.
const SOME_LETTERS: u32 = 100;
/// About how many bytes of edits one answer holds, at least one edit: it has to fit into one
/// message of the wire.
const EDITS_BYTES: usize = 3 << 19;

/// What a text stands for; nothing when it is empty.
fn said<T: FromStr<Err = Error>>(text: &str) -> Result<Option<T>, Error> {
    match text {
        "" => Ok(None),
        text => text.parse().map(Some),
    }
}

fn named(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

pub(crate) fn filter(filter: &Filter) -> proto::LetterFilter {
    let name = |name: &Option<String>| name.clone().unwrap_or_default();
    proto::LetterFilter {
        group: name(&filter.group),
        topic: name(&filter.topic),
        class: filter
            .class
            .map(|class| class.to_string())
            .unwrap_or_default(),
        since: filter.since.map(|since| since.0),
        until: filter.until.map(|until| until.0),
        key: filter.key.clone(),
        status: filter
            .status
            .map(|status| status.to_string())
            .unwrap_or_default(),
    }
}

/// # Errors
/// [`Error::Invalid`] for a class or a status that there is not.
pub(crate) fn filter_of(filter: proto::LetterFilter) -> Result<Filter, Error> {
    Ok(Filter {
        group: named(filter.group),
        topic: named(filter.topic),
        class: said::<Class>(&filter.class)?,
        since: filter.since.map(Timestamp),
        until: filter.until.map(Timestamp),
        key: filter.key,
        status: said::<Status>(&filter.status)?,
    })
}

/// # Errors
/// [`Error::Invalid`] for a place that no page gave.
pub(crate) fn page_of(size: u32, after: &str) -> Result<Page, Error> {
    Ok(Page {
        after: said::<After>(after)?,
        size: match size {
            0 => SOME_LETTERS,
            size => size,
        },
    })
}

pub(crate) fn after(after: Option<After>) -> String {
    after.map(|after| after.to_string()).unwrap_or_default()
}

pub(crate) fn entry(entry: Entry) -> proto::LetterEntry {
    proto::LetterEntry {
        id: entry.id.to_string(),
        topic: entry.topic,
        group: entry.group,
        class: entry.class.to_string(),
        key: entry.key,
        message: entry.message,
        kind: entry.kind,
        at: entry.at.0,
        status: entry.status.to_string(),
        redrives: entry.redrives,
        error: entry.error,
        edits: entry.edits,
    }
}

/// # Errors
/// [`Error::Invalid`] for one that no broker sends.
pub(crate) fn entry_of(entry: proto::LetterEntry) -> Result<Entry, Error> {
    Ok(Entry {
        id: entry.id.parse()?,
        topic: entry.topic,
        group: entry.group,
        // A class of a later version is one that nobody knows here.
        class: entry.class.parse().unwrap_or(Class::Unknown),
        key: entry.key,
        message: entry.message,
        kind: entry.kind,
        at: Timestamp(entry.at),
        status: entry.status.parse()?,
        redrives: entry.redrives,
        error: entry.error,
        edits: entry.edits,
    })
}

pub(crate) fn listed(listed: Listed) -> proto::ListLettersResponse {
    proto::ListLettersResponse {
        letters: listed.entries.into_iter().map(entry).collect(),
        next: after(listed.next),
    }
}

/// # Errors
/// As [`entry_of`].
pub(crate) fn listed_of(listed: proto::ListLettersResponse) -> Result<Listed, Error> {
    let entries = listed.letters.into_iter().map(entry_of);
    Ok(Listed {
        entries: entries.collect::<Result<_, _>>()?,
        next: said(&listed.next)?,
    })
}

pub(crate) fn group(group: OfGroup) -> proto::LetterGroup {
    let counts = |counts: BTreeMap<Class, u64>| {
        let counts = counts.into_iter().map(|(class, count)| proto::LetterCount {
            class: class.to_string(),
            count,
        });
        counts.collect()
    };
    proto::LetterGroup {
        queue: group.queue,
        topic: group.topic,
        group: group.group,
        waiting: counts(group.waiting),
        redriven: counts(group.redriven),
        oldest: group.oldest.map(|oldest| oldest.0),
    }
}

pub(crate) fn group_of(group: proto::LetterGroup) -> OfGroup {
    let counts = |counts: Vec<proto::LetterCount>| {
        let mut by_class = BTreeMap::new();
        for count in counts {
            let class = count.class.parse().unwrap_or(Class::Unknown);
            *by_class.entry(class).or_default() += count.count;
        }
        by_class
    };
    OfGroup {
        queue: group.queue,
        topic: group.topic,
        group: group.group,
        waiting: counts(group.waiting),
        redriven: counts(group.redriven),
        oldest: group.oldest.map(Timestamp),
    }
}

pub(crate) fn id_of(queue: String, partition: u32, offset: u64) -> Id {
    Id {
        queue,
        position: Position { partition, offset },
    }
}

/// # Errors
/// [`Error::Invalid`] for the first that names no letter.
pub(crate) fn ids_of(ids: &[String]) -> Result<Vec<Id>, Error> {
    ids.iter().map(|id| id.parse()).collect()
}

pub(crate) fn ids(ids: &[Id]) -> Vec<String> {
    ids.iter().map(Id::to_string).collect()
}

/// A letter, without the first of its edits and with no more of them than fit.
pub(crate) fn letter(letter: Letter, skip: u32) -> proto::GetLetterResponse {
    let text = std::str::from_utf8(letter.payload()).ok();
    let text = text.map(str::to_owned);
    let (mut edits, mut bytes, mut more) = (Vec::new(), 0, 0);
    let skip = usize::try_from(skip).unwrap_or(usize::MAX);
    for edit in letter.edits.into_iter().skip(skip) {
        bytes += edit.payload.len();
        if more > 0 || (bytes > EDITS_BYTES && !edits.is_empty()) {
            more += 1;
            continue;
        }
        edits.push(proto::LetterEdit {
            at: edit.at.0,
            by: edit.by,
            payload: edit.payload.into(),
        });
    }
    let failures = letter.failures.into_iter();
    let failures = failures.map(|failure| proto::LetterAttempt {
        at: failure.at.map(|at| at.0),
        class: failure.class,
        code: failure.code,
        message: failure.message,
    });
    proto::GetLetterResponse {
        entry: Some(entry(letter.entry)),
        record: Some(record(letter.record)),
        text,
        failures: failures.collect(),
        edits,
        more_edits: more,
        origin: letter.origin.map(position),
        service: letter.service,
        tries: letter.tries,
        starts: letter.starts,
    }
}

pub(crate) fn edit_of(edit: proto::LetterEdit) -> Edit {
    Edit {
        at: Timestamp(edit.at),
        by: edit.by,
        payload: edit.payload.into(),
    }
}

/// What an answer tells of a letter but for its edits.
pub(crate) fn told(
    entry: Option<proto::LetterEntry>,
    record: Option<proto::Record>,
) -> Result<(Entry, backlot_messaging::Record), Error> {
    let strange = |field| Error::Invalid {
        field,
        value: String::new(),
        cure: "the broker's answer lacks it: is it of another version?",
    };
    let entry = entry.ok_or_else(|| strange("entry"))?;
    let record = record.ok_or_else(|| strange("record"))?;
    Ok((entry_of(entry)?, record_of(record)))
}

/// The same letter as one object.
pub(crate) fn view(letter: &Letter) -> proto::ViewLetterResponse {
    let view = letter.view();
    let text = |value: &serde_json::Value, name: &str| {
        let text = value[name].as_str().unwrap_or_default();
        text.to_owned()
    };
    let errors = view["error"].as_array().into_iter().flatten();
    let payload = match std::str::from_utf8(&letter.record.payload) {
        Ok(payload) => payload.to_owned(),
        Err(_) => text(&view, "payload"),
    };
    proto::ViewLetterResponse {
        id: text(&view, "id"),
        queue: text(&view, "queue"),
        dispatch_date: text(&view, "dispatch_date"),
        payload,
        error: errors
            .map(|error| proto::ViewedError {
                at: text(error, "at"),
                class: text(error, "class"),
                code: text(error, "code"),
                message: text(error, "message"),
            })
            .collect(),
    }
}

/// Which letters a call is about.
pub(crate) enum Meant {
    Ids(Vec<Id>),
    Matching(Filter),
}

/// # Errors
/// `InvalidArgument` for neither ids nor a filter, for both, and for what is none.
pub(crate) fn meant(
    ids: &[String],
    filter: Option<proto::LetterFilter>,
) -> Result<Meant, backlot_core::Error> {
    match (ids, filter) {
        ([], None) => Err(lacks("filter")),
        ([], Some(filter)) => Ok(Meant::Matching(
            filter_of(filter).map_err(super::failure::public)?,
        )),
        (ids, None) => Ok(Meant::Ids(ids_of(ids).map_err(super::failure::public)?)),
        (_, Some(_)) => {
            let cure = "cannot be given together with ids: name letters, or say which match";
            Err(
                backlot_core::Error::invalid_argument(format!("filter: {cure}"))
                    .with_violation("filter", cure),
            )
        }
    }
}

/// # Errors
/// [`Error::Invalid`] for a place that no answer gave.
pub(crate) fn slice_of(meant: Meant, after: &str, most: u32) -> Result<Slice, Error> {
    Ok(match meant {
        Meant::Ids(ids) => Slice::Ids(ids),
        Meant::Matching(filter) => Slice::Matching {
            filter,
            after: said(after)?,
            most: match most {
                0 => Slice::MOST,
                most => most,
            },
        },
    })
}

pub(crate) fn slice(slice: &Slice) -> proto::MoveLettersRequest {
    match slice {
        Slice::Ids(named) => proto::MoveLettersRequest {
            ids: ids(named),
            ..proto::MoveLettersRequest::default()
        },
        Slice::Matching {
            filter: matching,
            after: place,
            most,
        } => proto::MoveLettersRequest {
            filter: Some(filter(matching)),
            after: after(*place),
            most: *most,
            ..proto::MoveLettersRequest::default()
        },
    }
}

pub(crate) fn moved(moved: Moved) -> proto::MoveLettersResponse {
    proto::MoveLettersResponse {
        moved: moved.moved,
        passed: moved.passed,
        next: after(moved.next),
        ..proto::MoveLettersResponse::default()
    }
}

/// # Errors
/// [`Error::Invalid`] for a place that no broker gives.
pub(crate) fn moved_of(moved: &proto::MoveLettersResponse) -> Result<Moved, Error> {
    Ok(Moved {
        moved: moved.moved,
        passed: moved.passed,
        next: said(&moved.next)?,
    })
}
