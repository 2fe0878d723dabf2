//! The dead letters of a group.

use super::ago;
use askama::Template;
use backlot_core::Timestamp;
use backlot_messaging::dead::{Class, Entry, Listed, OfGroup, Report};
use std::collections::BTreeMap;

/// The page.
#[derive(Template)]
#[template(path = "dead.html")]
pub(crate) struct Dead {
    group: OfGroup,
    class: Option<Class>,
    entries: Vec<Entry>,
    /// Where the next page begins; empty when there is none.
    next: String,
    /// What the letters of this page say, how often, the most frequent first.
    errors: Vec<(String, usize)>,
    now: Timestamp,
}

impl Dead {
    pub(crate) fn new(
        group: OfGroup,
        class: Option<Class>,
        listed: Listed,
        now: Timestamp,
    ) -> Self {
        let mut counted: BTreeMap<&str, usize> = BTreeMap::new();
        for entry in &listed.entries {
            *counted.entry(&entry.error).or_default() += 1;
        }
        let mut errors: Vec<_> = counted
            .into_iter()
            .map(|(error, count)| (error.to_owned(), count))
            .collect();
        errors.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        Dead {
            group,
            class,
            next: listed
                .next
                .map(|after| after.to_string())
                .unwrap_or_default(),
            errors,
            entries: listed.entries,
            now,
        }
    }

    fn waiting(&self) -> u64 {
        self.group.waiting.values().sum()
    }

    fn redriven(&self) -> u64 {
        self.group.redriven.values().sum()
    }

    fn class_name(&self) -> &'static str {
        self.class.map_or("", Class::name)
    }

    fn is_of(&self, class: &Class) -> bool {
        self.class == Some(*class)
    }

    fn age(&self, entry: &Entry) -> String {
        ago(entry.at, self.now)
    }
}

/// What was chosen on the page.
pub(crate) struct Asked {
    /// When it was looked, in milliseconds since 1970 UTC.
    pub(crate) until: i64,
    pub(crate) class: String,
    pub(crate) per_second: String,
    pub(crate) limit: String,
}

/// What would be done, and the button to do it.
#[derive(Template)]
#[template(path = "really.html")]
pub(crate) struct Really {
    group: OfGroup,
    report: Report,
    asked: Asked,
    /// Whether letters are sent again; otherwise they are removed.
    again: bool,
    now: Timestamp,
}

impl Really {
    pub(crate) fn new(
        group: OfGroup,
        report: Report,
        asked: Asked,
        again: bool,
        now: Timestamp,
    ) -> Self {
        Really {
            group,
            report,
            asked,
            again,
            now,
        }
    }

    fn verb(&self) -> &'static str {
        if self.again { "redrive" } else { "purge" }
    }

    fn age(&self, entry: &Entry) -> String {
        ago(entry.at, self.now)
    }
}
