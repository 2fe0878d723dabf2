//! Whether one rule follows from others: whether every value that keeps those keeps it. Where that
//! is not plain, the answer is no.

use crate::rule::{Bound, Check, Literal, Rules};
use prost_reflect::{FieldDescriptor, Kind};

/// How many values are tried one by one, rather than thought about.
const FEW: i128 = 1000;
/// The longest character in UTF-8.
const BYTES_OF_CHARACTER: u64 = 4;

/// What released rules promised of a field's value.
pub(super) struct Promised<'a> {
    field: &'a FieldDescriptor,
    required: bool,
    checks: Vec<Check>,
}

impl<'a> Promised<'a> {
    pub(super) fn of(field: &'a FieldDescriptor, rules: &Rules) -> Self {
        let mut checks = rules.checks.clone();
        if rules.required {
            checks.extend(implied(field));
        }
        Promised {
            field,
            required: rules.required,
            checks,
        }
    }

    /// Whether the value is never absent, nor empty or zero where that is the same.
    pub(super) fn is_there(&self) -> bool {
        self.required
            || (!self.field.supports_presence() && refuses_default(self.field, &self.checks))
    }

    /// Whether every value that was allowed keeps `check`.
    pub(super) fn keeps(&self, check: &Check) -> bool {
        match check {
            Check::Items { min, max } => items(&self.checks).is_within(*min, *max),
            Check::Unique => {
                self.checks.contains(check) || items(&self.checks).max.is_some_and(|max| max <= 1)
            }
            // A bound of a list's rules is no bound of its items.
            _ if self.field.is_list() || self.field.is_map() => self.checks.contains(check),
            _ => follows(&self.field.kind(), &self.checks, check),
        }
    }
}

/// What `required` asks of a value that cannot be told from its absence.
fn implied(field: &FieldDescriptor) -> Option<Check> {
    let least = (Some(1), None);
    if field.is_list() || field.is_map() {
        let (min, max) = least;
        return Some(Check::Items { min, max });
    }
    if field.supports_presence() {
        return None;
    }
    let (min, max) = least;
    match field.kind() {
        Kind::String => Some(Check::Length { min, max }),
        Kind::Bytes => Some(Check::Bytes { min, max }),
        kind => Some(Check::NotIn(vec![default(&kind)?])),
    }
}

/// Whether empty, zero or an empty list breaks one of the checks.
pub(super) fn refuses_default(field: &FieldDescriptor, checks: &[Check]) -> bool {
    if field.is_list() || field.is_map() {
        return items(checks).min > 0;
    }
    match field.kind() {
        Kind::Bytes => bytes(&Kind::Bytes, checks).min > 0,
        kind => default(&kind).is_some_and(|zero| {
            checks
                .iter()
                .any(|check| kept_by(&zero, check) == Some(false))
        }),
    }
}

fn default(kind: &Kind) -> Option<Literal> {
    match kind {
        Kind::String => Some(Literal::Text(String::new())),
        Kind::Bool => Some(Literal::Bool(false)),
        Kind::Float => Some(Literal::Single(0.0)),
        Kind::Double => Some(Literal::Double(0.0)),
        Kind::Bytes | Kind::Message(_) => None,
        Kind::Enum(_) => Some(Literal::Int(0)),
        _ => Some(Literal::Int(0)),
    }
}

/// Whether every single value that keeps `released` keeps `check`.
pub(super) fn follows(kind: &Kind, released: &[Check], check: &Check) -> bool {
    if released.contains(check) {
        return true;
    }
    if let Some(values) = listed(kind, released) {
        return values
            .iter()
            .all(|value| kept_by(value, check) == Some(true));
    }
    match check {
        Check::Range { low, high } => {
            if is_integer(kind) {
                integers(kind, released).is_within(low.as_ref(), high.as_ref())
            } else {
                fractions(released, low.as_ref(), high.as_ref())
            }
        }
        Check::NotIn(banned) => banned.iter().all(|value| {
            released
                .iter()
                .any(|check| kept_by(value, check) == Some(false))
        }),
        Check::Length { min, max } => characters(released).is_within(*min, *max),
        Check::Bytes { min, max } => bytes(kind, released).is_within(*min, *max),
        Check::Prefix(text) => released
            .iter()
            .any(|check| matches!(check, Check::Prefix(longer) if longer.starts_with(text))),
        Check::Suffix(text) => released
            .iter()
            .any(|check| matches!(check, Check::Suffix(longer) if longer.ends_with(text))),
        Check::Contains(text) => released.iter().any(|check| {
            matches!(check, Check::Prefix(longer) | Check::Suffix(longer) | Check::Contains(longer)
                if longer.contains(text))
        }),
        // Of more values than can be listed, some are others; and some may be the same.
        Check::Equal(_) | Check::In(_) | Check::Unique | Check::Defined | Check::Items { .. } => {
            false
        }
    }
}

/// All values that keep the checks, when they are few.
fn listed(kind: &Kind, checks: &[Check]) -> Option<Vec<Literal>> {
    let list = checks.iter().find_map(|check| match check {
        Check::Equal(value) => Some(vec![value.clone()]),
        Check::In(values) => Some(values.clone()),
        _ => None,
    });
    let list = list.or_else(|| match kind {
        Kind::Bool => Some(vec![Literal::Bool(false), Literal::Bool(true)]),
        kind if is_integer(kind) => {
            let Integers { low, high } = integers(kind, checks);
            (high - low < FEW).then(|| (low..=high).map(Literal::Int).collect())
        }
        _ => None,
    })?;
    let kept = |value: &Literal| {
        checks
            .iter()
            .all(|check| kept_by(value, check) != Some(false))
    };
    Some(list.into_iter().filter(kept).collect())
}

/// Whether a value keeps a check; nothing where the two do not fit.
fn kept_by(value: &Literal, check: &Check) -> Option<bool> {
    let text = match value {
        Literal::Text(text) => Some(text.as_str()),
        _ => None,
    };
    let within = |count: usize, min: Option<u64>, max: Option<u64>| {
        let count = count as u64;
        min.is_none_or(|min| count >= min) && max.is_none_or(|max| count <= max)
    };
    Some(match check {
        Check::Equal(wanted) => value == wanted,
        Check::In(wanted) => wanted.contains(value),
        Check::NotIn(banned) => !banned.contains(value),
        Check::Range { low, high } => {
            let above = low.as_ref().is_none_or(|low| is_above(value, low));
            above && high.as_ref().is_none_or(|high| is_below(value, high))
        }
        Check::Length { min, max } => within(text?.chars().count(), *min, *max),
        Check::Bytes { min, max } => within(text?.len(), *min, *max),
        Check::Prefix(wanted) => text?.starts_with(wanted),
        Check::Suffix(wanted) => text?.ends_with(wanted),
        Check::Contains(wanted) => text?.contains(wanted),
        Check::Items { .. } | Check::Unique | Check::Defined => return None,
    })
}

fn is_above(value: &Literal, low: &Bound) -> bool {
    match (value, &low.value) {
        (Literal::Int(value), Literal::Int(low_value)) => {
            value > low_value || (low.inclusive && value == low_value)
        }
        (value, bound) => {
            let (value, bound) = (value.number(), bound.number());
            value > bound || (low.inclusive && value == bound)
        }
    }
}

fn is_below(value: &Literal, high: &Bound) -> bool {
    match (value, &high.value) {
        (Literal::Int(value), Literal::Int(high_value)) => {
            value < high_value || (high.inclusive && value == high_value)
        }
        (value, bound) => {
            let (value, bound) = (value.number(), bound.number());
            value < bound || (high.inclusive && value == bound)
        }
    }
}

fn is_integer(kind: &Kind) -> bool {
    limits(kind).is_some()
}

/// The least and the greatest number of a type.
fn limits(kind: &Kind) -> Option<(i128, i128)> {
    Some(match kind {
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => (i32::MIN.into(), i32::MAX.into()),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => (i64::MIN.into(), i64::MAX.into()),
        Kind::Uint32 | Kind::Fixed32 => (0, u32::MAX.into()),
        Kind::Uint64 | Kind::Fixed64 => (0, u64::MAX.into()),
        _ => return None,
    })
}

/// Integers from one to another, both included; none when the first is greater.
struct Integers {
    low: i128,
    high: i128,
}

/// Between which integers the checks keep a value.
fn integers(kind: &Kind, checks: &[Check]) -> Integers {
    let (low, high) = limits(kind).unwrap_or((i128::MIN, i128::MAX));
    let mut found = Integers { low, high };
    for check in checks {
        if let Check::Range { low, high } = check {
            if let Some(low) = low.as_ref().and_then(least) {
                found.low = found.low.max(low);
            }
            if let Some(high) = high.as_ref().and_then(greatest) {
                found.high = found.high.min(high);
            }
        }
    }
    let banned = |number: i128| {
        checks.iter().any(
            |check| matches!(check, Check::NotIn(banned) if banned.contains(&Literal::Int(number))),
        )
    };
    while found.low <= found.high && banned(found.low) {
        found.low += 1;
    }
    while found.low <= found.high && banned(found.high) {
        found.high -= 1;
    }
    found
}

/// The least integer that a lower bound allows.
fn least(low: &Bound) -> Option<i128> {
    match low.value {
        Literal::Int(value) => Some(value + i128::from(!low.inclusive)),
        _ => None,
    }
}

/// The greatest integer that an upper bound allows.
fn greatest(high: &Bound) -> Option<i128> {
    match high.value {
        Literal::Int(value) => Some(value - i128::from(!high.inclusive)),
        _ => None,
    }
}

impl Integers {
    fn is_within(&self, low: Option<&Bound>, high: Option<&Bound>) -> bool {
        let above = low.is_none_or(|low| least(low).is_some_and(|low| self.low >= low));
        let below = high.is_none_or(|high| greatest(high).is_some_and(|high| self.high <= high));
        self.low > self.high || (above && below)
    }
}

/// Whether ranges of numbers with a fraction keep a value between these bounds. Without any range
/// before, NaN was allowed, which no range allows.
fn fractions(released: &[Check], low: Option<&Bound>, high: Option<&Bound>) -> bool {
    released.iter().any(|check| {
        let Check::Range {
            low: from,
            high: to,
        } = check
        else {
            return false;
        };
        let above = low.is_none_or(|low| {
            from.as_ref().is_some_and(|from| {
                is_above(&from.value, low) || (from.value == low.value && !from.inclusive)
            })
        });
        let below = high.is_none_or(|high| {
            to.as_ref().is_some_and(|to| {
                is_below(&to.value, high) || (to.value == high.value && !to.inclusive)
            })
        });
        above && below
    })
}

/// How many there are, at least and at most.
#[derive(Clone, Copy, Default)]
struct Count {
    min: u64,
    max: Option<u64>,
}

impl Count {
    fn narrow(&mut self, min: Option<u64>, max: Option<u64>) {
        self.min = self.min.max(min.unwrap_or_default());
        self.max = match (self.max, max) {
            (Some(one), Some(two)) => Some(one.min(two)),
            (one, two) => one.or(two),
        };
    }

    fn is_within(self, min: Option<u64>, max: Option<u64>) -> bool {
        self.min >= min.unwrap_or_default()
            && max.is_none_or(|max| self.max.is_some_and(|own| own <= max))
    }
}

/// Items of a list.
fn items(checks: &[Check]) -> Count {
    let mut count = Count::default();
    for check in checks {
        if let Check::Items { min, max } = check {
            count.narrow(*min, *max);
        }
    }
    count
}

/// Characters of a text.
fn characters(checks: &[Check]) -> Count {
    let mut count = Count::default();
    for check in checks {
        match check {
            Check::Length { min, max } => count.narrow(*min, *max),
            Check::Bytes { min, max } => {
                count.narrow(min.map(|min| min.div_ceil(BYTES_OF_CHARACTER)), *max);
            }
            Check::Prefix(text) | Check::Suffix(text) | Check::Contains(text) => {
                count.narrow(Some(text.chars().count() as u64), None);
            }
            _ => {}
        }
    }
    count
}

/// Bytes of bytes, or of a text.
fn bytes(kind: &Kind, checks: &[Check]) -> Count {
    let mut count = Count::default();
    for check in checks {
        match check {
            Check::Bytes { min, max } => count.narrow(*min, *max),
            Check::Length { min, max } if matches!(kind, Kind::String) => {
                count.narrow(*min, max.map(|max| max.saturating_mul(BYTES_OF_CHARACTER)));
            }
            Check::Prefix(text) | Check::Suffix(text) | Check::Contains(text) => {
                count.narrow(Some(text.len() as u64), None);
            }
            _ => {}
        }
    }
    count
}

#[cfg(test)]
mod tests;
