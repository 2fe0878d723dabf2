//! Where in a long list a visitor is, and how they came there.
//!
//! Lists tell only where the next page starts. So that there is a way back without script, an
//! address also carries where the pages before it started: the last few, because addresses have an
//! end.

use crate::address;
use crate::query::Asked;

/// So many pages one can step back before it is the first again.
const STEPS: usize = 8;
/// No list is longer than this many pages, as far as people are told.
const MOST: u32 = 1_000_000;

/// A place in a list.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Trail {
    /// Where the pages before this one started, but for the first.
    before: Vec<String>,
    /// Where this one starts; empty for the first.
    here: String,
    number: u32,
}

/// Ways from one page of a list to others; an empty one leads nowhere.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Ways {
    pub(crate) first: String,
    pub(crate) previous: String,
    pub(crate) next: String,
    /// Which page this is, from 1.
    pub(crate) number: u32,
}

impl Trail {
    pub(crate) fn of(asked: &Asked) -> Self {
        let here = asked.get("page").to_owned();
        if here.is_empty() {
            return Trail {
                number: 1,
                ..Trail::default()
            };
        }
        let mut before: Vec<_> = asked
            .all("before")
            .filter(|token| !token.is_empty())
            .collect();
        let before = before.split_off(before.len().saturating_sub(STEPS));
        let told = asked.get("n").parse().unwrap_or(2);
        Trail {
            number: u32::clamp(told, before.len() as u32 + 2, MOST),
            before: before.into_iter().map(str::to_owned).collect(),
            here,
        }
    }

    /// Where this page starts; empty for the first.
    pub(crate) fn token(&self) -> &str {
        &self.here
    }

    /// The ways from here, in a list at `path` that is asked for with `pairs`; `next` is where the
    /// next page starts, empty when this is the last.
    pub(crate) fn ways(&self, path: &str, pairs: &[(&str, &str)], next: &str) -> Ways {
        let to = |page: &str, before: &[&str], number: u32| {
            let number = number.to_string();
            let mut pairs = pairs.to_vec();
            pairs.push(("page", page));
            pairs.extend(before.iter().map(|token| ("before", *token)));
            if !page.is_empty() {
                pairs.push(("n", &number));
            }
            address::with_query(path, &pairs)
        };
        let before: Vec<&str> = self.before.iter().map(String::as_str).collect();
        let mut ways = Ways {
            number: self.number,
            ..Ways::default()
        };
        if !next.is_empty() {
            let mut passed = before.clone();
            passed.extend((!self.here.is_empty()).then_some(self.here.as_str()));
            let passed = passed.split_off(passed.len().saturating_sub(STEPS));
            ways.next = to(next, &passed, self.number + 1);
        }
        if self.here.is_empty() {
            return ways;
        }
        match before.split_last() {
            Some((last, rest)) => {
                ways.previous = to(last, rest, self.number - 1);
                ways.first = to("", &[], 1);
            }
            None if self.number == 2 => ways.previous = to("", &[], 1),
            // The way came from further than it was kept.
            None => ways.first = to("", &[], 1),
        }
        ways
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn follow(address: &str) -> Trail {
        Trail::of(&Asked::of(
            address.split_once('?').map_or("", |(_, query)| query),
        ))
    }

    #[test]
    fn there_is_a_way_on_and_the_same_way_back() {
        let pairs = [("genre", "War")];
        let first = Trail::of(&Asked::default());
        let ways = first.ways("/browse", &pairs, "b");
        assert_eq!((ways.previous.as_str(), ways.number), ("", 1));
        let second = follow(&ways.next);
        let to_third = second.ways("/browse", &pairs, "c");
        assert_eq!(to_third.previous, "/browse?genre=War");
        let third = follow(&to_third.next);
        assert_eq!((third.token(), third.number), ("c", 3));
        let back = third.ways("/browse", &pairs, "");
        assert_eq!(follow(&back.previous), second);
        assert_eq!(
            (back.first.as_str(), back.next.as_str()),
            ("/browse?genre=War", "")
        );
    }

    #[test]
    fn a_long_way_is_kept_in_part() {
        let mut trail = Trail::of(&Asked::default());
        for page in 2..30 {
            trail = follow(&trail.ways("/browse", &[], &format!("t{page}")).next);
        }
        assert_eq!((trail.before.len(), trail.number), (STEPS, 29));
        for _ in 0..STEPS {
            trail = follow(&trail.ways("/browse", &[], "").previous);
        }
        let ways = trail.ways("/browse", &[], "");
        assert_eq!(
            (ways.previous.as_str(), ways.first.as_str(), ways.number),
            ("", "/browse", 21)
        );
    }

    #[test]
    fn a_made_up_number_is_brought_into_reason() {
        for (query, number) in [
            ("page=a&n=0", 2),
            ("page=a&before=b&n=x", 3),
            ("page=a&n=99999999999", 2),
            ("n=7", 1),
        ] {
            assert_eq!(Trail::of(&Asked::of(query)).number, number, "{query}");
        }
    }
}
