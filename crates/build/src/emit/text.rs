//! What a violation says: the rule in words. What it got follows at run time.

use crate::rule::{Bound, Check, Literal};

/// What a value must be, for example `must be 1 to 10`.
pub(crate) fn rule(check: &Check, halves: bool) -> String {
    let value = |literal: &Literal| value(literal, halves);
    let list = |literals: &[Literal]| literals.iter().map(value).collect::<Vec<_>>().join(", ");
    match check {
        Check::Equal(literal) => format!("must be {}", value(literal)),
        Check::Range { low, high } => {
            let by = if halves { " by halves" } else { "" };
            format!("must be {}{by}", range(low.as_ref(), high.as_ref(), value))
        }
        Check::In(literals) => format!("must be one of {}", list(literals)),
        Check::NotIn(literals) => format!("must not be any of {}", list(literals)),
        Check::Length { min, max } => format!("must be {}", count(*min, *max, "character")),
        Check::Bytes { min, max } => format!("must be {}", count(*min, *max, "byte")),
        Check::Items { min, max } => format!("must hold {}", count(*min, *max, "item")),
        Check::Prefix(text) => format!("must begin with {text:?}"),
        Check::Suffix(text) => format!("must end with {text:?}"),
        Check::Contains(text) => format!("must contain {text:?}"),
        Check::Unique => "must not hold a value twice".to_owned(),
        Check::Defined => "must be a known value".to_owned(),
    }
}

fn range(low: Option<&Bound>, high: Option<&Bound>, value: impl Fn(&Literal) -> String) -> String {
    let low_text = low.map(|bound| {
        format!(
            "{} {}",
            if bound.inclusive {
                "at least"
            } else {
                "more than"
            },
            value(&bound.value)
        )
    });
    let high_text = high.map(|bound| {
        format!(
            "{} {}",
            if bound.inclusive {
                "at most"
            } else {
                "less than"
            },
            value(&bound.value)
        )
    });
    match (low, high) {
        (Some(low), Some(high)) if low.inclusive && high.inclusive => {
            format!("{} to {}", value(&low.value), value(&high.value))
        }
        _ => low_text
            .into_iter()
            .chain(high_text)
            .collect::<Vec<_>>()
            .join(" and "),
    }
}

fn count(min: Option<u64>, max: Option<u64>, unit: &str) -> String {
    let plural = |count: u64| {
        if count == 1 {
            unit.to_owned()
        } else {
            format!("{unit}s")
        }
    };
    match (min, max) {
        (Some(min), Some(max)) if min == max => format!("exactly {min} {}", plural(min)),
        (Some(min), Some(max)) => format!("{min} to {max} {}", plural(max)),
        (Some(min), None) => format!("at least {min} {}", plural(min)),
        (None, Some(max)) => format!("at most {max} {}", plural(max)),
        (None, None) => format!("any number of {}", plural(2)),
    }
}

/// A value as the caller spells it in JSON.
fn value(literal: &Literal, halves: bool) -> String {
    if halves {
        format!("{}", literal.number() / 2.0)
    } else {
        literal.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound(value: i128, inclusive: bool) -> Option<Bound> {
        Some(Bound {
            value: Literal::Int(value),
            inclusive,
        })
    }

    #[test]
    fn a_rule_is_said_in_plain_words() {
        assert_eq!(
            rule(
                &Check::Range {
                    low: bound(1, true),
                    high: bound(10, true)
                },
                false
            ),
            "must be 1 to 10"
        );
        assert_eq!(
            rule(
                &Check::Range {
                    low: bound(0, false),
                    high: None
                },
                false
            ),
            "must be more than 0"
        );
        assert_eq!(
            rule(
                &Check::Length {
                    min: Some(1),
                    max: Some(32)
                },
                false
            ),
            "must be 1 to 32 characters"
        );
        assert_eq!(
            rule(
                &Check::Bytes {
                    min: None,
                    max: Some(1)
                },
                false
            ),
            "must be at most 1 byte"
        );
    }

    #[test]
    fn a_field_of_halves_is_spoken_of_as_json_spells_it() {
        let check = Check::Range {
            low: bound(1, true),
            high: bound(10, true),
        };
        assert_eq!(rule(&check, true), "must be 0.5 to 5 by halves");
    }
}
