//! One line of a history.

#[derive(Debug)]
pub(super) enum Line<'a> {
    Start,
    Publish {
        id: &'a str,
        topic: &'a str,
        key: Option<&'a str>,
        must_die: bool,
    },
    Ok {
        id: &'a str,
        place: Option<(u32, u64)>,
    },
    Fail {
        id: &'a str,
    },
    Unknown,
    Deliver(Delivered<'a>),
    Again {
        group: &'a str,
        id: &'a str,
        not_before: i64,
    },
    Skip {
        group: &'a str,
        topic: &'a str,
        part: u32,
        first: u64,
        end: u64,
    },
    Wrong(&'a str),
    Stored {
        topic: &'a str,
        part: u32,
        offset: u64,
        id: &'a str,
    },
    Effect {
        group: &'a str,
        id: &'a str,
    },
    Dead {
        group: &'a str,
        id: &'a str,
    },
}

#[derive(Debug)]
pub(super) struct Delivered<'a> {
    pub(super) group: &'a str,
    pub(super) topic: &'a str,
    pub(super) part: u32,
    pub(super) offset: u64,
    pub(super) epoch: u64,
    pub(super) attempts: u32,
    pub(super) starts: u32,
    pub(super) at: i64,
    pub(super) id: &'a str,
}

impl<'a> Line<'a> {
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        if let Some(what) = text.strip_prefix("wrong ") {
            return Some(Line::Wrong(what));
        }
        let words: Vec<&str> = text.split(' ').collect();
        Some(match words[..] {
            ["start"] => Line::Start,
            ["publish", id, topic, key] => Line::Publish {
                id,
                topic,
                key: (key != "-").then_some(key),
                must_die: false,
            },
            ["publish", id, topic, key, "dead"] => Line::Publish {
                id,
                topic,
                key: (key != "-").then_some(key),
                must_die: true,
            },
            ["ok", id] => Line::Ok { id, place: None },
            ["ok", id, part, offset] => Line::Ok {
                id,
                place: Some((part.parse().ok()?, offset.parse().ok()?)),
            },
            ["fail", id] => Line::Fail { id },
            ["unknown", _] => Line::Unknown,
            [
                "deliver",
                group,
                topic,
                part,
                offset,
                epoch,
                attempts,
                starts,
                at,
                id,
            ] => Line::Deliver(Delivered {
                group,
                topic,
                part: part.parse().ok()?,
                offset: offset.parse().ok()?,
                epoch: epoch.parse().ok()?,
                attempts: attempts.parse().ok()?,
                starts: starts.parse().ok()?,
                at: at.parse().ok()?,
                id,
            }),
            ["again", group, _topic, id, not_before] => Line::Again {
                group,
                id,
                not_before: not_before.parse().ok()?,
            },
            ["skip", group, topic, part, first, end, _cause] => Line::Skip {
                group,
                topic,
                part: part.parse().ok()?,
                first: first.parse().ok()?,
                end: end.parse().ok()?,
            },
            ["stored", topic, part, offset, id] => Line::Stored {
                topic,
                part: part.parse().ok()?,
                offset: offset.parse().ok()?,
                id,
            },
            ["effect", group, id] => Line::Effect { group, id },
            ["dead", group, id] => Line::Dead { group, id },
            _ => return None,
        })
    }
}
