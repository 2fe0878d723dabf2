use super::{Form, Reader, Written, document, halves};
use backlot_core::Error;
use proptest::prelude::*;
use prost_reflect::{DescriptorPool, DynamicMessage, ReflectMessage};
use serde_json::{Value, json};
use std::sync::LazyLock;

static KITCHEN: LazyLock<(DescriptorPool, Form)> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    backlot_build::Contract::new()
        .include("tests/proto")
        .file("kitchen.proto")
        .out_dir(folder.path())
        .compile()
        .unwrap();
    let bytes = std::fs::read(folder.path().join("contract.bin")).unwrap();
    let pool = DescriptorPool::decode(bytes.as_slice()).unwrap();
    let form = Form::of(&pool);
    (pool, form)
});

fn read(json: Value) -> Result<DynamicMessage, Error> {
    let (pool, form) = &*KITCHEN;
    let descriptor = pool.get_message_by_name("test.kitchen.v1.Kitchen").unwrap();
    let mut message = DynamicMessage::new(descriptor);
    let Value::Object(members) = json else {
        panic!("not an object")
    };
    let mut reader = Reader::new(form);
    reader.members(&mut message, members, "");
    reader.finish(message)
}

fn write(message: &DynamicMessage) -> Value {
    serde_json::to_value(Written {
        message,
        form: &KITCHEN.1,
    })
    .unwrap()
}

#[track_caller]
fn refused(json: Value, field: &str, description: &str) {
    let error = read(json).unwrap_err();
    let violation = &error.violations()[0];
    assert_eq!(
        (violation.field.as_str(), violation.description.as_str()),
        (field, description)
    );
}

#[test]
fn every_kind_comes_back_as_it_went() {
    let json = json!({
        "int32": -5, "int64": "-9007199254740993", "uint32": 7, "uint64": "18446744073709551615",
        "float": 0.5, "double": 1e300, "bool": true, "string": "é\n\"", "bytes": "AP8=",
        "color": "COLOR_RED", "perhaps": 0, "names": ["a", ""], "stock": { "a": "1", "b": "-2" },
        "flags": { "false": { "int32": 1 }, "true": { "int32": 2 } }, "inner": { "string": "deep" },
        "left": "", "value": 4.5, "manyHalves": [0.5, -1.0, 5.0],
        "at": "2024-02-29T12:00:00.500Z", "lasts": "1.500s", "anything": { "x": [null, 1.0] }, "wrapped": 3,
    });
    let written = write(&read(json.clone()).unwrap());
    for (name, value) in json.as_object().unwrap() {
        if name == "flags" || name == "inner" {
            continue;
        }
        assert_eq!(&written[name], value, "{name}");
    }
    assert_eq!(written["flags"]["true"]["int32"], 2);
    assert_eq!(written["inner"]["string"], "deep");
    // Read again, what was written is the same message.
    assert_eq!(write(&read(written.clone()).unwrap()), written);
}

#[test]
fn zero_is_written_and_absence_is_not() {
    let written = write(&read(json!({})).unwrap());
    assert_eq!(written["int32"], 0);
    assert_eq!(written["int64"], "0");
    assert_eq!(written["names"], json!([]));
    assert_eq!(written["stock"], json!({}));
    assert_eq!(written["color"], "COLOR_UNSPECIFIED");
    assert_eq!(written["value"], 0.0);
    for absent in ["perhaps", "inner", "left", "right", "at", "wrapped"] {
        assert!(written.get(absent).is_none(), "{absent}");
    }
}

#[test]
fn fields_are_written_in_the_order_of_their_numbers() {
    let text = serde_json::to_string(&Written {
        message: &read(json!({})).unwrap(),
        form: &KITCHEN.1,
    })
    .unwrap();
    assert!(
        text.starts_with(r#"{"int32":0,"int64":"0","uint32":0"#),
        "{text}"
    );
}

#[test]
fn both_spellings_of_a_name_are_read_but_not_together() {
    assert_eq!(
        write(&read(json!({ "half_stars": 1.5 })).unwrap())["value"],
        1.5
    );
    refused(
        json!({ "half_stars": 1, "value": 2 }),
        "value",
        "is given twice",
    );
}

#[test]
fn null_is_absence() {
    let message =
        read(json!({ "int32": null, "names": null, "inner": null, "value": null })).unwrap();
    assert_eq!(message.fields().count(), 0);
    assert_eq!(message.descriptor().name(), "Kitchen");
}

#[test]
fn what_is_wrong_is_told_with_its_field_and_value() {
    refused(
        json!({ "int32": "x" }),
        "int32",
        "must be a whole number, got \"x\"",
    );
    refused(
        json!({ "int32": 1.5 }),
        "int32",
        "must be a whole number, got 1.5",
    );
    refused(
        json!({ "int32": 2_147_483_648_i64 }),
        "int32",
        "must be -2147483648 to 2147483647, got 2147483648",
    );
    refused(
        json!({ "uint64": -1 }),
        "uint64",
        "must be 0 to 18446744073709551615, got -1",
    );
    refused(
        json!({ "float": 1e300 }),
        "float",
        "must be a number in the range of a float, got 1e+300",
    );
    refused(
        json!({ "double": true }),
        "double",
        "must be a number, got true",
    );
    refused(
        json!({ "bool": "true" }),
        "bool",
        "must be true or false, got \"true\"",
    );
    refused(json!({ "string": 5 }), "string", "must be text, got 5");
    refused(
        json!({ "bytes": "???" }),
        "bytes",
        "must be base64, got \"???\"",
    );
    refused(
        json!({ "color": "RED" }),
        "color",
        "must be one of COLOR_UNSPECIFIED, COLOR_RED, got \"RED\"",
    );
    refused(
        json!({ "names": "a" }),
        "names",
        "must be a list, got \"a\"",
    );
    refused(
        json!({ "names": ["a", null] }),
        "names[1]",
        "must be text, got null",
    );
    refused(
        json!({ "stock": { "a": [] } }),
        "stock[\"a\"]",
        "must be a whole number, got a list",
    );
    refused(
        json!({ "flags": { "yes": {} } }),
        "flags[\"yes\"]",
        "must have the key true or false",
    );
    refused(
        json!({ "inner": { "inner": 5 } }),
        "inner.inner",
        "must be an object, got 5",
    );
    refused(
        json!({ "left": "", "right": 1 }),
        "right",
        "cannot be given together with left",
    );
    refused(
        json!({ "value": 4.3 }),
        "value",
        "must be a multiple of 0.5, got 4.3",
    );
    refused(
        json!({ "value": "4.5" }),
        "value",
        "must be a number, got \"4.5\"",
    );
    refused(
        json!({ "manyHalves": [1, 0.1] }),
        "manyHalves[1]",
        "must be a multiple of 0.5, got 0.1",
    );
}

#[test]
fn an_unknown_field_is_told_with_the_known_ones() {
    let error = read(json!({ "inner": { "stars": 5 } })).unwrap_err();
    let violation = &error.violations()[0];
    assert_eq!(violation.field, "inner.stars");
    assert!(
        violation
            .description
            .starts_with("is no field of Kitchen; known are int32, int64"),
        "{violation:?}"
    );
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let error = read(json!({ "int32": "x", "bool": 1, "nope": 2 })).unwrap_err();
    assert_eq!(error.violations().len(), 3);
}

#[test]
fn a_body_that_is_not_json_is_told_with_its_place() {
    let error = document(b"{\n  \"value\": }").unwrap_err();
    assert!(error.message().contains("line 2 column 12"), "{error}");
    for body in ["", "{", "{} x", "{\"a\": \"\u{1}\"}", "nul"] {
        assert!(document(body.as_bytes()).is_err(), "{body:?}");
    }
    assert!(document(b"\"\xFF\"").is_err());
}

#[test]
fn a_body_that_nests_too_deep_is_refused() {
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    assert!(document(nested(100).as_bytes()).is_ok());
    for levels in [101, 127, 128, 100_000] {
        assert!(document(nested(levels).as_bytes()).is_err(), "{levels}");
    }
}

#[test]
fn only_multiples_of_a_half_are_halves() {
    assert_eq!(halves(4.5), Ok(9));
    assert_eq!(halves(-0.5), Ok(-1));
    for number in [4.3, f64::NAN] {
        assert_eq!(
            halves(number),
            Err("a multiple of 0.5".to_owned()),
            "{number}"
        );
    }
    assert!(halves(1e300).is_err() && halves(f64::INFINITY).is_err());
}

proptest! {
    #[test]
    fn any_half_comes_back(count in any::<i32>()) {
        prop_assert_eq!(halves(f64::from(count) / 2.0), Ok(count));
    }

    #[test]
    fn any_bytes_are_a_document_or_refused(body in proptest::collection::vec(any::<u8>(), 0..64)) {
        if let Ok(Value::Object(members)) = document(&body) {
            drop(read(Value::Object(members)));
        }
    }
}
