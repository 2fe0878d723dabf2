//! What follows is held against trying: every value of a small world, one by one.

use super::*;
use proptest::prelude::*;
use std::slice::from_ref;

fn bound(value: i128, inclusive: bool) -> Bound {
    Bound {
        value: Literal::Int(value),
        inclusive,
    }
}

fn range(low: Option<Bound>, high: Option<Bound>) -> Check {
    Check::Range { low, high }
}

fn at_least(value: i128) -> Check {
    range(Some(bound(value, true)), None)
}

fn at_most(value: i128) -> Check {
    range(None, Some(bound(value, true)))
}

fn double(value: f64, inclusive: bool) -> Option<Bound> {
    Some(Bound {
        value: Literal::Double(value),
        inclusive,
    })
}

fn length(min: impl Into<Option<u64>>, max: impl Into<Option<u64>>) -> Check {
    let (min, max) = (min.into(), max.into());
    Check::Length { min, max }
}

fn size(min: impl Into<Option<u64>>, max: impl Into<Option<u64>>) -> Check {
    let (min, max) = (min.into(), max.into());
    Check::Bytes { min, max }
}

fn ints(values: &[i128]) -> Vec<Literal> {
    values.iter().copied().map(Literal::Int).collect()
}

fn words(values: &[&str]) -> Vec<Literal> {
    let texts = values.iter().map(|text| (*text).to_owned());
    texts.map(Literal::Text).collect()
}

#[track_caller]
fn assert_follows(kind: Kind, released: &[Check], check: &Check, expected: bool) {
    assert_eq!(
        follows(&kind, released, check),
        expected,
        "{check:?} of {released:?} for {kind:?}"
    );
}

#[test]
fn a_wider_range_follows_from_a_narrower_one_and_not_the_other_way() {
    for (narrow, wide) in [
        (at_least(5), at_least(4)),
        (at_most(4), at_most(5)),
        (range(Some(bound(4, false)), None), at_least(5)),
        (
            range(Some(bound(0, true)), Some(bound(200, true))),
            at_least(-1),
        ),
    ] {
        assert_follows(Kind::Int32, from_ref(&narrow), &wide, true);
        let other_way = follows(&Kind::Int32, from_ref(&wide), &narrow);
        // "More than 4" and "at least 5" are one rule of integers.
        assert_eq!(
            other_way,
            matches!(&narrow, Check::Range { low: Some(low), .. } if !low.inclusive)
        );
    }
}

#[test]
fn what_the_type_keeps_by_itself_is_no_rule() {
    assert_follows(Kind::Uint32, &[], &at_least(0), true);
    assert_follows(Kind::Uint64, &[], &at_most(u64::MAX.into()), true);
    assert_follows(Kind::Int32, &[], &at_least(0), false);
    assert_follows(Kind::Int64, &[], &at_most(i32::MAX.into()), false);
}

#[test]
fn a_range_of_fractions_refuses_nan_and_so_follows_from_ranges_alone() {
    let unit = range(double(0.0, true), double(1.0, true));
    assert_follows(Kind::Double, &[], &unit, false);
    assert_follows(
        Kind::Double,
        &[range(double(0.5, true), double(1.0, false))],
        &unit,
        true,
    );
    let inside = range(double(0.0, false), double(1.0, false));
    assert_follows(Kind::Double, from_ref(&unit), &inside, false);
    assert_follows(Kind::Double, &[inside], &unit, true);
    assert_follows(
        Kind::Double,
        &[range(double(0.5, true), None)],
        &unit,
        false,
    );
}

#[test]
fn a_list_of_values_follows_from_fewer_of_them() {
    let some = Check::In(ints(&[1, 2, 3]));
    assert_follows(Kind::Int64, &[Check::In(ints(&[1, 3]))], &some, true);
    assert_follows(Kind::Int64, &[Check::Equal(Literal::Int(2))], &some, true);
    let few = range(Some(bound(1, true)), Some(bound(3, true)));
    assert_follows(Kind::Int64, &[few], &some, true);
    assert_follows(Kind::Int64, &[Check::In(ints(&[1, 4]))], &some, false);
    assert_follows(Kind::Int64, &[at_least(1)], &some, false);
    let colours = Check::In(words(&["red", "green"]));
    assert_follows(Kind::String, from_ref(&colours), &length(3, 5), true);
    assert_follows(Kind::String, &[colours], &length(3, 4), false);
    assert_follows(Kind::Bool, &[], &Check::Equal(Literal::Bool(true)), false);
}

#[test]
fn a_ban_follows_where_the_value_was_refused_already() {
    let ban = Check::NotIn(ints(&[0, 7]));
    assert_follows(Kind::Int32, &[at_least(8)], &ban, true);
    assert_follows(Kind::Int32, &[at_least(1)], &ban, false);
    let both = [at_least(1), Check::NotIn(ints(&[7, 9]))];
    assert_follows(Kind::Int32, &both, &ban, true);
    assert_follows(Kind::Int32, &both, &at_least(1), true);
    // What is banned at the end of a range moves the end.
    let moved = [at_least(0), Check::NotIn(ints(&[0, 1]))];
    assert_follows(Kind::Int32, &moved, &at_least(2), true);
    assert_follows(
        Kind::String,
        &[length(1, None)],
        &Check::NotIn(words(&[""])),
        true,
    );
}

#[test]
fn lengths_in_characters_and_bytes_are_held_against_each_other() {
    assert_follows(Kind::String, &[length(1, 10)], &length(1, 11), true);
    assert_follows(Kind::String, &[length(1, 10)], &length(2, 10), false);
    assert_follows(Kind::String, &[length(1, 10)], &size(1, 40), true);
    assert_follows(Kind::String, &[length(1, 10)], &size(1, 39), false);
    assert_follows(Kind::String, &[size(5, 10)], &length(2, 10), true);
    assert_follows(Kind::String, &[size(4, 10)], &length(2, 10), false);
    assert_follows(Kind::Bytes, &[size(4, 10)], &size(3, 11), true);
    assert_follows(Kind::Bytes, &[size(None, 10)], &size(None, 9), false);
    assert_follows(
        Kind::String,
        &[Check::Prefix("tt".to_owned())],
        &length(2, None),
        true,
    );
}

#[test]
fn parts_of_a_text_follow_from_longer_parts() {
    let prefix = |text: &str| Check::Prefix(text.to_owned());
    let suffix = |text: &str| Check::Suffix(text.to_owned());
    let contains = |text: &str| Check::Contains(text.to_owned());
    assert_follows(Kind::String, &[prefix("tt0")], &prefix("tt"), true);
    assert_follows(Kind::String, &[prefix("tt")], &prefix("tt0"), false);
    assert_follows(Kind::String, &[suffix(".png")], &suffix("png"), true);
    assert_follows(Kind::String, &[suffix("png")], &prefix("png"), false);
    assert_follows(Kind::String, &[prefix("a/b")], &contains("/"), true);
    assert_follows(Kind::String, &[contains("a/b")], &contains("a/b/"), false);
}

/// Numbers of a small world.
fn number() -> impl Strategy<Value = i128> {
    -6..=6i128
}

fn integer_check() -> impl Strategy<Value = Check> {
    let end = || {
        proptest::option::of(
            (number(), any::<bool>()).prop_map(|(value, inclusive)| bound(value, inclusive)),
        )
    };
    prop_oneof![
        4 => (end(), end()).prop_map(|(low, high)| range(low, high)),
        1 => number().prop_map(|value| Check::Equal(Literal::Int(value))),
        1 => proptest::collection::vec(number(), 1..4).prop_map(|values| Check::In(ints(&values))),
        2 => proptest::collection::vec(number(), 1..4).prop_map(|values| Check::NotIn(ints(&values))),
    ]
}

fn text_check() -> impl Strategy<Value = Check> {
    let count = || proptest::option::of(0..5u64);
    let part = || "[aé]{0,2}";
    prop_oneof![
        (count(), count()).prop_map(|(min, max)| length(min, max)),
        (count(), count()).prop_map(|(min, max)| size(min, max)),
        part().prop_map(Check::Prefix),
        part().prop_map(Check::Suffix),
        part().prop_map(Check::Contains),
        part().prop_map(|text| Check::NotIn(vec![Literal::Text(text)])),
        proptest::collection::vec(part(), 1..3)
            .prop_map(|texts| Check::In(texts.into_iter().map(Literal::Text).collect())),
    ]
}

/// Every text of up to four letters of an alphabet of two, of one byte and of two.
fn texts() -> Vec<Literal> {
    let mut all = vec![String::new()];
    let mut last = all.clone();
    for _ in 0..4 {
        last = last
            .iter()
            .flat_map(|text| ["a", "é"].map(|letter| format!("{text}{letter}")))
            .collect();
        all.extend(last.clone());
    }
    all.into_iter().map(Literal::Text).collect()
}

/// A value that the released checks allow and the new one refuses.
fn counterexample(values: &[Literal], released: &[Check], check: &Check) -> Option<Literal> {
    let allows = |value: &Literal, check: &Check| kept_by(value, check) == Some(true);
    values
        .iter()
        .find(|value| released.iter().all(|check| allows(value, check)) && !allows(value, check))
        .cloned()
}

proptest! {
    #[test]
    fn what_follows_refuses_no_number_that_was_allowed(
        released in proptest::collection::vec(integer_check(), 0..4),
        check in integer_check(),
    ) {
        let values: Vec<Literal> = (-20..=20).map(Literal::Int).collect();
        let refused = counterexample(&values, &released, &check);
        let follows = follows(&Kind::Int32, &released, &check);
        prop_assert!(!follows || refused.is_none(), "{refused:?} was allowed");
        // Of one range or list before, nothing is refused needlessly. (The world goes on beyond
        // its edges, where ends that are missing are tried.)
        let plain = !matches!(check, Check::In(_) | Check::Equal(_)) && released.len() <= 1;
        prop_assert!(follows || refused.is_some() || !plain);
    }

    #[test]
    fn what_follows_refuses_no_text_that_was_allowed(
        released in proptest::collection::vec(text_check(), 0..4),
        check in text_check(),
    ) {
        let refused = counterexample(&texts(), &released, &check);
        let follows = follows(&Kind::String, &released, &check);
        prop_assert!(!follows || refused.is_none(), "{refused:?} was allowed");
    }

    #[test]
    fn every_rule_follows_from_itself_among_others(
        mut released in proptest::collection::vec(integer_check(), 0..3),
        check in integer_check(),
    ) {
        released.push(check.clone());
        prop_assert!(follows(&Kind::Int32, &released, &check));
    }
}
