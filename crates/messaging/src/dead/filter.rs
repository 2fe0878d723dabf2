//! Which letters are meant.

use super::{Class, Entry, Id, Status};
use crate::Error;
use backlot_core::Timestamp;
use std::fmt;
use std::str::FromStr;

/// Letters that have all of this in common; all letters by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of this group.
    pub group: Option<String>,
    /// Of this topic.
    pub topic: Option<String>,
    /// That died of this.
    pub class: Option<Class>,
    /// That died at this time or later.
    pub since: Option<Timestamp>,
    /// That died before this time.
    pub until: Option<Timestamp>,
    /// Of this key.
    pub key: Option<String>,
    /// That wait, or were sent again.
    pub status: Option<Status>,
}

impl Filter {
    /// All letters of a group, on whatever topic.
    #[must_use]
    pub fn of_group(group: impl Into<String>) -> Self {
        Filter {
            group: Some(group.into()),
            ..Filter::default()
        }
    }

    /// The same letters, of this class alone.
    #[must_use]
    pub fn of_class(mut self, class: Class) -> Self {
        self.class = Some(class);
        self
    }
}

/// Which part of a list is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// What came last on the page before.
    pub after: Option<After>,
    /// The most letters, from 1 to [`Page::MOST`].
    pub size: u32,
}

impl Page {
    /// The most letters of a page.
    pub const MOST: u32 = 1000;

    /// The oldest letters.
    #[must_use]
    pub fn first(size: u32) -> Self {
        Page { after: None, size }
    }

    /// The page of the same size after this one; nothing when there is none.
    #[must_use]
    pub fn after(&self, listed: &Listed) -> Option<Page> {
        listed.next.map(|after| Page {
            after: Some(after),
            size: self.size,
        })
    }

    /// # Errors
    /// [`Error::Invalid`] for a page without or with too many places.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if (1..=Page::MOST).contains(&self.size) {
            return Ok(());
        }
        Err(Error::Invalid {
            field: "page.size",
            value: self.size.to_string(),
            cure: "take 1 to 1,000 letters a page",
        })
    }
}

/// A page of letters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// Oldest first.
    pub entries: Vec<Entry>,
    /// Where the next page begins; nothing when this was the last.
    pub next: Option<After>,
}

/// A place in a list of letters, good as long as there are letters. Its text form is for links.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct After {
    pub(crate) at: i64,
    pub(crate) row: i64,
}

impl fmt::Display for After {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.at, self.row)
    }
}

impl FromStr for After {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let parsed = text
            .split_once('.')
            .and_then(|(at, row)| Some((at.parse().ok()?, row.parse().ok()?)));
        let Some((at, row)) = parsed else {
            return Err(Error::Invalid {
                field: "page.after",
                value: text.to_owned(),
                cure: "take it from the page before, as it was given",
            });
        };
        Ok(After { at, row })
    }
}

/// Letters by name, or all that match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// These, each of which must be there.
    Ids(Vec<Id>),
    /// All that match.
    Matching(Filter),
}

impl From<Filter> for Which {
    fn from(filter: Filter) -> Self {
        Which::Matching(filter)
    }
}

impl From<Vec<Id>> for Which {
    fn from(ids: Vec<Id>) -> Self {
        Which::Ids(ids)
    }
}

/// As many letters as one commit takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Slice {
    /// These: at most [`Slice::MOST_IDS`].
    Ids(Vec<Id>),
    /// Of those that match, at most so many after a place.
    Matching {
        /// Which.
        filter: Filter,
        /// Where it begins.
        after: Option<After>,
        /// The most, up to [`Slice::MOST`].
        most: u32,
    },
}

impl Slice {
    /// The most letters of a slice by filter: more are not taken.
    pub const MOST: u32 = 256;
    /// The most letters of a slice by name.
    pub const MOST_IDS: usize = 32;

    /// # Errors
    /// [`Error::Invalid`] for more letters by name than a slice takes.
    pub(crate) fn check(&self) -> Result<(), Error> {
        match self {
            Slice::Ids(ids) if ids.len() > Slice::MOST_IDS => Err(Error::Invalid {
                field: "ids",
                value: format!("{} letters", ids.len()),
                cure: "name at most 32 letters a slice",
            }),
            Slice::Ids(_) | Slice::Matching { .. } => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_in_a_list_survives_a_link() {
        let after = After {
            at: 1_700_000_000_000,
            row: 17,
        };
        assert_eq!(after.to_string().parse::<After>().unwrap(), after);
        for wrong in ["", "17", "a.b", "1.", "1.2.3"] {
            let text = wrong.parse::<After>().unwrap_err().to_string();
            assert!(text.starts_with("page.after"), "{text}");
        }
    }
}
