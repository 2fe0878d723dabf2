//! Path templates: what a path looks like that fits one, and which of two gets it.
//!
//! A server prefers, at the first segment where two templates differ, the literal one; at the last
//! segment first of all the one that ends in a `:word`.

use std::fmt;

/// A template in parts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Template {
    segments: Vec<Segment>,
    /// What follows the colon; empty without one.
    word: String,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Segment {
    Literal(String),
    Variable,
}

impl Template {
    pub(super) fn of(text: &str) -> Template {
        let path = text.strip_prefix('/').unwrap_or(text);
        let last = path.rfind('/').map_or(0, |slash| slash + 1);
        let (path, word) = match path[last..].rfind(':') {
            Some(colon) => (&path[..last + colon], &path[last + colon + 1..]),
            None => (path, ""),
        };
        let segment = |segment: &str| {
            if segment.starts_with('{') && segment.ends_with('}') {
                Segment::Variable
            } else {
                Segment::Literal(segment.to_owned())
            }
        };
        Template {
            segments: path.split('/').map(segment).collect(),
            word: word.to_owned(),
        }
    }

    /// Whether some paths that fit `other` as well reach this one rather than `other`.
    pub(super) fn takes_from(&self, other: &Template) -> bool {
        if self == other || self.segments.len() != other.segments.len() {
            return false;
        }
        let Some((last, front)) = self.segments.split_last() else {
            return false;
        };
        let Some((other_last, other_front)) = other.segments.split_last() else {
            return false;
        };
        let mut pairs: Vec<(&Segment, &Segment)> = front.iter().zip(other_front).collect();
        if self.word == other.word {
            pairs.push((last, other_last));
        } else {
            // The other's last segment has to take the word for a part of a value.
            let is_value = other.word.is_empty() && *other_last == Segment::Variable;
            if !is_value {
                return false;
            }
        }
        let meet = pairs.iter().all(|pair| match pair {
            (Segment::Literal(one), Segment::Literal(two)) => one == two,
            _ => true,
        });
        let first = pairs.iter().find(|(one, two)| one != two);
        // All alike up to here, they differ in the word, and the longer one is preferred.
        meet && first.is_none_or(|(one, _)| **one != Segment::Variable)
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for segment in &self.segments {
            match segment {
                Segment::Literal(text) => write!(f, "/{text}")?,
                Segment::Variable => f.write_str("/{}")?,
            }
        }
        if !self.word.is_empty() {
            write!(f, ":{}", self.word)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn takes(one: &str, other: &str) -> bool {
        Template::of(one).takes_from(&Template::of(other))
    }

    #[test]
    fn variables_are_alike_whatever_they_are_called() {
        assert_eq!(Template::of("/v1/{a}:x"), Template::of("/v1/{b.c}:x"));
        assert_ne!(Template::of("/v1/{a}:x"), Template::of("/v1/{a}"));
        assert_eq!(Template::of("/v1/{a}/b:x").to_string(), "/v1/{}/b:x");
    }

    #[test]
    fn a_literal_takes_paths_from_a_variable() {
        assert!(takes("/v1/films/best", "/v1/films/{id}"));
        assert!(takes("/v1/films/{id}", "/v1/{kind}/{id}"));
        assert!(takes("/v1/films/{id}", "/v1/{kind}/best"));
        assert!(!takes("/v1/films/{id}", "/v1/films/best"));
        assert!(!takes("/v1/{kind}/best", "/v1/films/{id}"));
    }

    #[test]
    fn a_word_after_a_colon_takes_paths_whose_value_ends_in_it() {
        assert!(takes("/v1/{id}:best", "/v1/{id}"));
        assert!(takes("/v1/films:best", "/v1/{id}"));
        assert!(takes("/v1/films:best", "/v1/{id}:best"));
        assert!(!takes("/v1/{id}", "/v1/{id}:best"));
        assert!(!takes("/v1/{id}:best", "/v1/films:best"));
        assert!(!takes("/v1/films:best", "/v1/films"));
        assert!(!takes("/v1/{id}:best", "/v1/{id}:worst"));
    }

    #[test]
    fn paths_that_never_meet_take_nothing() {
        assert!(!takes("/v1/films", "/v1/films"));
        assert!(!takes("/v1/films/best", "/v1/people/{id}"));
        assert!(!takes("/v1/films/best/of", "/v1/films/{id}"));
    }
}
