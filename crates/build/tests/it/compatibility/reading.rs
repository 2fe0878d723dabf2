//! How findings read, and how files are found.

use super::{RELEASED, compare, surface, with};
use crate::assert_has;
use backlot_build::compatibility::{self, Change, Surface};
use std::collections::BTreeSet;
use std::fs;

#[test]
fn a_finding_says_where_what_whom_why_and_the_cure() {
    let findings = compare(RELEASED, &with("lte: 200", "lte: 100"));
    let line = RELEASED
        .lines()
        .position(|line| line.contains("page_size"))
        .unwrap()
        + 1;
    assert_eq!(
        findings[0].to_string(),
        format!(
            "cart.proto:{line}: shop.cart.v1.GetRequest.page_size: must be 0 to 100, and need not before; \
             breaks the wire, JSON, REST, callers: requests that were answered are refused with INVALID_ARGUMENT. \
             Allow at least what was allowed"
        )
    );
    let report = compatibility::report(&findings);
    assert_has(&report, &["1 changes break callers", "\n- cart.proto:"]);
}

#[test]
fn numbers_that_are_halves_are_told_as_callers_write_them() {
    let findings = compare(
        RELEASED,
        &with(
            "int32 = { gte: 0 }];\n  Owner",
            "int32 = { gte: 1 }];\n  Owner",
        ),
    );
    assert_has(&findings[0].what, &["at least 0.5"]);
}

#[test]
fn every_kind_of_change_breaks_somebody_and_has_a_reason_and_a_cure() {
    let mut seen = BTreeSet::new();
    for change in Change::ALL {
        assert!(seen.insert(change), "{change:?} is listed twice");
        assert!(!change.breaks().is_empty(), "{change:?}");
        assert!(
            !change.why().is_empty() && !change.cure().is_empty(),
            "{change:?}"
        );
    }
}

#[test]
fn the_guide_names_every_kind_of_change() {
    let guide = include_str!("../../../../../docs/contracts.md");
    for change in Change::ALL {
        let row = format!("| `{change:?}` |");
        assert!(guide.contains(&row), "docs/contracts.md has no row {row}");
    }
}

#[test]
fn all_files_below_a_folder_are_compared() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("released/shop/cart.proto", RELEASED);
    write(
        "released/shop/more.proto",
        "syntax = \"proto3\"; package shop.more.v1; import \"shop/cart.proto\"; message More { shop.cart.v1.Cart cart = 1; }",
    );
    write("released/README.md", "not a contract");
    // A type may stand in another file of its package.
    write(
        "today/carts/all.proto",
        &RELEASED.replace(
            "int32 page_size = 2 [(buf.validate.field).int32 = { gte: 0 lte: 200 }];",
            "",
        ),
    );
    let findings =
        compatibility::folders(folder.path().join("released"), folder.path().join("today"))
            .unwrap();
    let told: Vec<(&str, &str, Change)> = findings
        .iter()
        .map(|finding| {
            (
                finding.file.as_str(),
                finding.element.as_str(),
                finding.change,
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (
                "carts/all.proto",
                "shop.cart.v1.GetRequest.page_size",
                Change::FieldRemoved
            ),
            ("shop/more.proto", "shop.more.v1", Change::PackageRemoved),
        ]
    );
}

#[test]
fn what_cannot_be_read_is_an_error_that_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let error = Surface::read(folder.path()).unwrap_err();
    assert_has(&error.to_string(), &["there is no .proto file in"]);
    let error = Surface::read(folder.path().join("missing")).unwrap_err();
    assert_has(&error.to_string(), &["missing", "cannot be read"]);
    let error = surface("syntax = \"proto3\"; message A { strin a = 1; }").unwrap_err();
    assert_has(&error.to_string(), &["cart.proto", "strin"]);
}

#[test]
fn contracts_that_are_not_compiled_here_can_be_compared() {
    // An older syntax, and rules that the generator refuses.
    let old = "syntax = \"proto2\"; package a.v1; import \"buf/validate/validate.proto\"; message A { required string a = 1 [(buf.validate.field).string.email = true]; optional int32 b = 2; }";
    let read = |text: &str| surface(text).unwrap();
    assert_eq!(compatibility::compare(&read(old), &read(old)), []);
    let findings = compatibility::compare(&read(old), &read(&old.replace("required", "optional")));
    assert_eq!(findings[0].change, Change::LabelChanged);
}
