//! JSON to messages. All that is wrong is told at once, each with the path of its field.

use super::{Form, halves, shown};
use crate::rest::MAX_DEPTH;
use backlot_core::{Error, Violation};
use base64::Engine;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use prost_reflect::{
    DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, ReflectMessage, Value,
};
use serde_json::{Map, Value as Json};
use std::collections::HashMap;

/// How many violations are told.
const MOST: usize = 32;

/// Reads a body.
///
/// # Errors
/// `InvalidArgument` with the line and column of what is not JSON, or that it nests too deep.
pub(in crate::rest) fn document(body: &[u8]) -> Result<Json, Error> {
    let document: Json = serde_json::from_slice(body)
        .map_err(|error| Error::invalid_argument(format!("the body is not valid JSON: {error}")))?;
    shallow(document, || "the body".to_owned())
}

/// Reads one line of a body of many.
///
/// # Errors
/// As [`document`], naming the line.
pub(in crate::rest) fn line(text: &[u8], number: u64) -> Result<Json, Error> {
    let document: Json = serde_json::from_slice(text).map_err(|error| {
        // Within its line the reader counts from 1.
        let words = error
            .to_string()
            .replace(" at line 1 column ", " at column ");
        Error::invalid_argument(format!("line {number} is not valid JSON: {words}"))
    })?;
    shallow(document, || format!("line {number}"))
}

fn shallow(document: Json, name: impl FnOnce() -> String) -> Result<Json, Error> {
    if deeper_than(&document, MAX_DEPTH) {
        return Err(Error::invalid_argument(format!(
            "{} nests deeper than {MAX_DEPTH} levels",
            name()
        )));
    }
    Ok(document)
}

fn deeper_than(json: &Json, levels: usize) -> bool {
    let below = |json: &Json| levels == 0 || deeper_than(json, levels - 1);
    match json {
        Json::Array(items) => levels == 0 || items.iter().any(below),
        Json::Object(members) => levels == 0 || members.values().any(below),
        _ => false,
    }
}

/// Reads one value that stands outside of a document, as in a path.
///
/// # Errors
/// What it should be, under the name `path`.
pub(in crate::rest) fn single(
    form: &Form,
    kind: &Kind,
    json: Json,
    path: &str,
) -> Result<Value, Violation> {
    let mut reader = Reader {
        form,
        violations: Vec::new(),
    };
    match reader.value(kind, json, path) {
        Some(value) => Ok(value),
        None => Err(reader
            .violations
            .pop()
            .unwrap_or_else(|| Violation::new(path, "is malformed"))),
    }
}

/// Reads messages and fields.
pub(in crate::rest) struct Reader<'a> {
    form: &'a Form,
    violations: Vec<Violation>,
}

impl<'a> Reader<'a> {
    pub(in crate::rest) fn new(form: &'a Form) -> Self {
        Reader {
            form,
            violations: Vec::new(),
        }
    }

    /// What was wrong, as an error.
    pub(in crate::rest) fn finish<T>(self, value: T) -> Result<T, Error> {
        if self.violations.is_empty() {
            Ok(value)
        } else {
            Err(Error::violations_of(self.violations))
        }
    }

    pub(in crate::rest) fn wrong(&mut self, path: &str, description: impl Into<String>) {
        if self.violations.len() < MOST {
            self.violations.push(Violation::new(path, description));
        }
    }

    fn must_be<T>(&mut self, path: &str, expected: &str, got: &Json) -> Option<T> {
        self.wrong(path, format!("must be {expected}, got {}", describe(got)));
        None
    }

    /// Reads a message from an object.
    pub(in crate::rest) fn message(
        &mut self,
        descriptor: &MessageDescriptor,
        json: Json,
        path: &str,
    ) -> Option<DynamicMessage> {
        if descriptor.package_name() == "google.protobuf" {
            return self.well_known(descriptor, json, path);
        }
        let Json::Object(members) = json else {
            return self.must_be(path, "an object", &json);
        };
        let mut message = DynamicMessage::new(descriptor.clone());
        self.members(&mut message, members, path);
        Some(message)
    }

    /// Reads an object's members into a message.
    pub(in crate::rest) fn members(
        &mut self,
        message: &mut DynamicMessage,
        members: Map<String, Json>,
        path: &str,
    ) {
        let descriptor = message.descriptor();
        for (name, json) in members {
            let at = join(path, &name);
            let field = descriptor
                .get_field_by_json_name(&name)
                .or_else(|| descriptor.get_field_by_name(&name));
            let Some(field) = field else {
                self.wrong(
                    &at,
                    format!(
                        "is no field of {}; {}",
                        descriptor.name(),
                        known(&descriptor)
                    ),
                );
                continue;
            };
            if json.is_null() && !takes_null(&field) {
                continue;
            }
            if message.has_field(&field) {
                self.wrong(&at, "is given twice");
                continue;
            }
            let other = field.containing_oneof().and_then(|oneof| {
                oneof
                    .fields()
                    .find(|other| message.has_field(other))
                    .map(|other| other.json_name().to_owned())
            });
            if let Some(other) = other {
                self.wrong(&at, format!("cannot be given together with {other}"));
                continue;
            }
            if let Some(value) = self.field(&field, json, &at) {
                message.set_field(&field, value);
            }
        }
    }

    /// Reads the value of a field: one, a list or a map.
    pub(in crate::rest) fn field(
        &mut self,
        field: &FieldDescriptor,
        json: Json,
        path: &str,
    ) -> Option<Value> {
        if field.is_map() {
            return self.map(field, json, path);
        }
        if !field.is_list() {
            return self.item(field, json, path);
        }
        let Json::Array(items) = json else {
            return self.must_be(path, "a list", &json);
        };
        let values = items
            .into_iter()
            .enumerate()
            .filter_map(|(index, json)| self.item(field, json, &format!("{path}[{index}]")))
            .collect();
        Some(Value::List(values))
    }

    fn item(&mut self, field: &FieldDescriptor, json: Json, path: &str) -> Option<Value> {
        if !self.form.is_halves(field) {
            return self.value(&field.kind(), json, path);
        }
        let Some(number) = json.as_f64() else {
            return self.must_be(path, "a number", &json);
        };
        match halves(number) {
            Ok(halves) => Some(Value::I32(halves)),
            Err(expected) => self.must_be(path, &expected, &json),
        }
    }

    fn map(&mut self, field: &FieldDescriptor, json: Json, path: &str) -> Option<Value> {
        let Kind::Message(entry) = field.kind() else {
            return None;
        };
        let Json::Object(members) = json else {
            return self.must_be(path, "an object", &json);
        };
        let (key_kind, value_kind) = (
            entry.map_entry_key_field().kind(),
            entry.map_entry_value_field().kind(),
        );
        let mut map: HashMap<MapKey, Value> = HashMap::new();
        for (key, json) in members {
            let at = format!("{path}[{}]", shown(&key));
            let key = match &key_kind {
                Kind::Bool => key.parse().ok().map(MapKey::Bool),
                kind => self
                    .value(kind, Json::String(key), &at)
                    .and_then(Value::into_map_key),
            };
            let value = self.value(&value_kind, json, &at);
            match (key, value) {
                (Some(key), Some(value)) => {
                    map.insert(key, value);
                }
                (None, Some(_)) if matches!(key_kind, Kind::Bool) => {
                    self.wrong(&at, "must have the key true or false")
                }
                _ => {}
            }
        }
        Some(Value::Map(map))
    }

    fn value(&mut self, kind: &Kind, json: Json, path: &str) -> Option<Value> {
        match kind {
            Kind::String => match json {
                Json::String(text) => Some(Value::String(text)),
                other => self.must_be(path, "text", &other),
            },
            Kind::Bool => match json {
                Json::Bool(bool) => Some(Value::Bool(bool)),
                other => self.must_be(path, "true or false", &other),
            },
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => {
                self.integer(&json, path).map(Value::I32)
            }
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => {
                self.integer(&json, path).map(Value::I64)
            }
            Kind::Uint32 | Kind::Fixed32 => self.integer(&json, path).map(Value::U32),
            Kind::Uint64 | Kind::Fixed64 => self.integer(&json, path).map(Value::U64),
            Kind::Double => match float(&json) {
                Some(float) => Some(Value::F64(float)),
                None => self.must_be(path, "a number", &json),
            },
            Kind::Float => match float(&json) {
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "a float keeps the nearest value it can"
                )]
                Some(float) if !float.is_finite() || (float as f32).is_finite() => {
                    Some(Value::F32(float as f32))
                }
                _ => self.must_be(path, "a number in the range of a float", &json),
            },
            Kind::Bytes => match json.as_str().and_then(bytes) {
                Some(bytes) => Some(Value::Bytes(bytes.into())),
                None => self.must_be(path, "base64", &json),
            },
            Kind::Enum(kind) => {
                let number = match &json {
                    Json::String(name) => kind.get_value_by_name(name).map(|value| value.number()),
                    Json::Null if kind.full_name() == "google.protobuf.NullValue" => Some(0),
                    Json::Number(number) => number
                        .as_i64()
                        .and_then(|number| i32::try_from(number).ok()),
                    _ => None,
                };
                match number {
                    Some(number) => Some(Value::EnumNumber(number)),
                    None => {
                        let names: Vec<String> =
                            kind.values().map(|value| value.name().to_owned()).collect();
                        self.must_be(path, &format!("one of {}", names.join(", ")), &json)
                    }
                }
            }
            Kind::Message(message) => self.message(message, json, path).map(Value::Message),
        }
    }

    /// An integer from a number without a fraction, or from its text.
    fn integer<I: Integer>(&mut self, json: &Json, path: &str) -> Option<I> {
        let whole: Option<i128> = match json {
            Json::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
                (Some(int), _, _) => Some(i128::from(int)),
                (_, Some(int), _) => Some(i128::from(int)),
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "whole, and saturates outside of any range"
                )]
                (_, _, Some(float)) if float.fract() == 0.0 => Some(float as i128),
                _ => None,
            },
            Json::String(text) => text.parse().ok(),
            _ => None,
        };
        match whole {
            None => self.must_be(path, "a whole number", json),
            Some(int) => match I::try_from(int) {
                Ok(int) => Some(int),
                Err(_) => self.must_be(path, I::RANGE, json),
            },
        }
    }

    /// Messages of google.protobuf have forms of their own.
    fn well_known(
        &mut self,
        descriptor: &MessageDescriptor,
        json: Json,
        path: &str,
    ) -> Option<DynamicMessage> {
        let got = describe(&json);
        match DynamicMessage::deserialize(descriptor.clone(), json) {
            Ok(message) => Some(message),
            Err(error) => {
                self.wrong(
                    path,
                    format!(
                        "must be a {} in JSON form, got {got}: {error}",
                        descriptor.name()
                    ),
                );
                None
            }
        }
    }
}

trait Integer: TryFrom<i128> {
    const RANGE: &'static str;
}
impl Integer for i32 {
    const RANGE: &'static str = "-2147483648 to 2147483647";
}
impl Integer for u32 {
    const RANGE: &'static str = "0 to 4294967295";
}
impl Integer for i64 {
    const RANGE: &'static str = "-9223372036854775808 to 9223372036854775807";
}
impl Integer for u64 {
    const RANGE: &'static str = "0 to 18446744073709551615";
}

fn float(json: &Json) -> Option<f64> {
    match json {
        Json::Number(number) => number.as_f64(),
        Json::String(text) => match text.as_str() {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            text if text.starts_with(|first: char| first.is_ascii_digit() || first == '-') => {
                text.parse().ok().filter(|float: &f64| float.is_finite())
            }
            _ => None,
        },
        _ => None,
    }
}

/// Base64 of either alphabet, with or without padding.
fn bytes(text: &str) -> Option<Vec<u8>> {
    const LENIENT: GeneralPurposeConfig =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    const STANDARD: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::STANDARD, LENIENT);
    const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::URL_SAFE, LENIENT);
    STANDARD
        .decode(text)
        .or_else(|_| URL_SAFE.decode(text))
        .ok()
}

/// Null is a value of these, and absence of all others.
fn takes_null(field: &FieldDescriptor) -> bool {
    !field.is_list()
        && match field.kind() {
            Kind::Message(message) => message.full_name() == "google.protobuf.Value",
            Kind::Enum(kind) => kind.full_name() == "google.protobuf.NullValue",
            _ => false,
        }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

fn known(descriptor: &MessageDescriptor) -> String {
    let names: Vec<String> = descriptor
        .fields()
        .map(|field| field.json_name().to_owned())
        .collect();
    if names.is_empty() {
        "it has none".to_owned()
    } else {
        format!("known are {}", names.join(", "))
    }
}

fn describe(json: &Json) -> String {
    match json {
        Json::Array(_) => "a list".to_owned(),
        Json::Object(_) => "an object".to_owned(),
        Json::String(text) => shown(text),
        other => other.to_string(),
    }
}
