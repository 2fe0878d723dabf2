//! What a list of films is narrowed down to.

use crate::query::Asked;

/// As the contract has them, in characters.
const LONGEST_GENRE: usize = 60;
const LONGEST_PERSON: usize = 500;

/// A genre, a decade and a person; each may be left open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    pub(crate) genre: String,
    /// Its first year; 0 for all.
    pub(crate) decade: i32,
    pub(crate) person: String,
}

impl Filter {
    /// What an address asks for.
    ///
    /// # Errors
    /// In words for the visitor, when a value makes no sense.
    pub(crate) fn of(asked: &Asked) -> Result<Self, String> {
        let (genre, decade, person) =
            (asked.get("genre"), asked.get("decade"), asked.get("person"));
        if genre.chars().count() > LONGEST_GENRE {
            return Err(format!(
                "No genre’s name has more than {LONGEST_GENRE} letters."
            ));
        }
        if person.chars().count() > LONGEST_PERSON {
            return Err(format!("No name has more than {LONGEST_PERSON} letters."));
        }
        Ok(Filter {
            genre: genre.to_owned(),
            decade: parsed_decade(decade).ok_or_else(|| {
                format!(
                    "“{}” is no decade; write its first year, like 1990.",
                    shortened(decade)
                )
            })?,
            person: person.to_owned(),
        })
    }

    /// Whether nothing is left out.
    pub(crate) fn is_open(&self) -> bool {
        *self == Filter::default()
    }

    /// As pairs of a query.
    pub(crate) fn pairs<'a>(&'a self, decade: &'a str) -> [(&'a str, &'a str); 3] {
        [
            ("genre", &self.genre),
            ("decade", decade),
            ("person", &self.person),
        ]
    }

    /// The decade as a query has it: empty for all.
    pub(crate) fn decade_text(&self) -> String {
        if self.decade == 0 {
            String::new()
        } else {
            self.decade.to_string()
        }
    }
}

/// The first year of the decade that a text names; 0 when it is empty.
fn parsed_decade(text: &str) -> Option<i32> {
    if text.is_empty() {
        return Some(0);
    }
    let year: i32 = text.strip_suffix('s').unwrap_or(text).parse().ok()?;
    (1800..=2200).contains(&year).then_some(year / 10 * 10)
}

fn shortened(text: &str) -> String {
    text.chars().take(20).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_year_of_a_decade_names_it() {
        for (text, decade) in [("", 0), ("1990", 1990), ("1990s", 1990), ("1968", 1960)] {
            let filter = Filter::of(&Asked::of(&format!("decade={text}"))).unwrap();
            assert_eq!(filter.decade, decade, "{text}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_said_with_its_cure() {
        for text in ["ninety", "12", "99999", "-1990", "1990x"] {
            let words = Filter::of(&Asked::of(&format!("decade={text}"))).unwrap_err();
            assert!(
                words.contains(text) && words.contains("like 1990"),
                "{words}"
            );
        }
        let long = format!("genre={}", "x".repeat(61));
        assert!(
            Filter::of(&Asked::of(&long))
                .unwrap_err()
                .contains("60 letters")
        );
    }
}
