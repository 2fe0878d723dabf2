//! Whether a request keeps the rules of its contract, told field by field.

use backlot_core::{Error, Violation};
use std::fmt::{Display, Write};

/// How many violations are told; more help nobody.
const MOST: usize = 32;
/// How many characters of a wrong text are shown.
const SHOWN: usize = 60;

/// Something whose rules can be checked. Implemented by generated messages.
pub trait Validate {
    /// Tells `at` what is wrong with it.
    fn validate(&self, at: &mut Violations);
}

impl Validate for () {
    fn validate(&self, _at: &mut Violations) {}
}

impl<M: Validate + ?Sized> Validate for Box<M> {
    fn validate(&self, at: &mut Violations) {
        (**self).validate(at);
    }
}

/// Collects what is wrong with a message: at most 32 things.
///
/// ```
/// use backlot_rpc::{Validate, Violations};
///
/// struct Page { size: i32 }
/// impl Validate for Page {
///     fn validate(&self, at: &mut Violations) {
///         if !(0..=200).contains(&self.size) {
///             at.push("pageSize", format!("must be 0 to 200, got {}", self.size));
///         }
///     }
/// }
///
/// assert!(Violations::check(&Page { size: 50 }).is_ok());
/// let error = Violations::check(&Page { size: 500 }).unwrap_err();
/// assert_eq!(error.message(), "pageSize: must be 0 to 200, got 500");
/// ```
#[derive(Debug, Default)]
pub struct Violations {
    list: Vec<Violation>,
}

impl Violations {
    /// Checks a message. A valid one costs no allocation.
    ///
    /// # Errors
    /// `InvalidArgument` with what is wrong, field by field.
    pub fn check<M: Validate>(message: &M) -> Result<(), Error> {
        let mut at = Violations::default();
        message.validate(&mut at);
        if at.list.is_empty() {
            Ok(())
        } else {
            Err(Error::violations_of(at.list))
        }
    }

    /// `field` is wrong; `description` says what would be right and what it is.
    pub fn push(&mut self, field: &'static str, description: String) {
        self.add(|| field.to_owned(), description);
    }

    /// The item at `index` of `field` is wrong.
    pub fn push_at(&mut self, field: &'static str, index: usize, description: String) {
        self.add(|| format!("{field}[{index}]"), description);
    }

    /// Checks a message inside this one: `field`, or its item at `index`.
    pub fn nested(&mut self, field: &'static str, index: Option<usize>, message: &impl Validate) {
        self.within(message, || match index {
            Some(index) => format!("{field}[{index}]"),
            None => field.to_owned(),
        });
    }

    /// Checks a message inside this one: the entry of the map `field` at `key`.
    pub fn nested_entry(
        &mut self,
        field: &'static str,
        key: &impl Display,
        message: &impl Validate,
    ) {
        self.within(message, || {
            format!("{field}[{}]", Violations::quote(&key.to_string()))
        });
    }

    /// A wrong text as it may be shown: in quotes, and not too long.
    #[must_use]
    pub fn quote(text: &str) -> String {
        match text.char_indices().nth(SHOWN) {
            None => format!("{text:?}"),
            Some((end, _)) => {
                let mut shown = format!("{:?}", &text[..end]);
                // Writing to a string cannot fail.
                let _written = write!(shown, " and {} bytes more", text.len() - end);
                shown
            }
        }
    }

    fn add(&mut self, field: impl FnOnce() -> String, description: String) {
        if self.list.len() < MOST {
            self.list.push(Violation {
                field: field(),
                description,
            });
        }
    }

    /// Paths are completed on the way out, and so only when there is something to tell.
    fn within(&mut self, message: &impl Validate, prefix: impl FnOnce() -> String) {
        let before = self.list.len();
        message.validate(self);
        if self.list.len() > before {
            let prefix = prefix();
            for violation in &mut self.list[before..] {
                violation.field = format!("{prefix}.{}", violation.field);
            }
        }
    }
}

/// What is wrong with one part of a request that has many; `place` says which.
pub(crate) fn located(error: Error, place: &str) -> Error {
    if error.violations().is_empty() {
        return Error::new(error.code(), format!("{place}: {}", error.message()));
    }
    let violations = error.violations().iter();
    Error::violations_of(
        violations
            .map(|Violation { field, description }| {
                Violation::new(field.clone(), format!("{description}, in {place}"))
            })
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Star(i32);
    impl Validate for Star {
        fn validate(&self, at: &mut Violations) {
            if self.0 > 10 {
                at.push(
                    "value",
                    format!("must be at most 5, got {}", f64::from(self.0) / 2.0),
                );
            }
        }
    }

    struct Sky {
        brightest: Star,
        others: Vec<Star>,
    }
    impl Validate for Sky {
        fn validate(&self, at: &mut Violations) {
            at.nested("brightest", None, &self.brightest);
            for (index, star) in self.others.iter().enumerate() {
                at.nested("others", Some(index), star);
            }
        }
    }

    fn fields(error: &Error) -> Vec<&str> {
        error
            .violations()
            .iter()
            .map(|violation| violation.field.as_str())
            .collect()
    }

    #[test]
    fn a_violation_names_the_whole_path() {
        let sky = Sky {
            brightest: Star(12),
            others: vec![Star(3), Star(11)],
        };
        let error = Violations::check(&sky).unwrap_err();
        assert_eq!(fields(&error), ["brightest.value", "others[1].value"]);
        assert_eq!(
            error.message(),
            "brightest.value: must be at most 5, got 6; others[1].value: must be at most 5, got 5.5"
        );
    }

    #[test]
    fn a_flood_of_violations_is_cut_short() {
        let sky = Sky {
            brightest: Star(1),
            others: (0..10_000).map(|_| Star(99)).collect(),
        };
        assert_eq!(
            Violations::check(&sky).unwrap_err().violations().len(),
            MOST
        );
    }

    #[test]
    fn a_long_text_is_shown_in_part() {
        assert_eq!(Violations::quote("tt\"1"), r#""tt\"1""#);
        let shown = Violations::quote(&"é".repeat(100));
        assert!(shown.ends_with("\" and 80 bytes more"), "{shown}");
    }

    #[test]
    fn an_entry_of_a_map_is_named_by_its_key() {
        let mut at = Violations::default();
        at.nested_entry("stars", &"sirius", &Star(40));
        assert_eq!(at.list[0].field, "stars[\"sirius\"].value");
    }
}
