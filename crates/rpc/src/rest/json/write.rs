//! Messages to JSON.

use super::Form;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use prost_reflect::{
    DynamicMessage, FieldDescriptor, Kind, MapKey, ReflectMessage, SerializeOptions, Value,
};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

/// A message as JSON, its fields in order of their numbers. Fields that can be absent are left out
/// when they are; all others are written out, zero or not.
pub(in crate::rest) struct Written<'a> {
    pub(in crate::rest) message: &'a DynamicMessage,
    pub(in crate::rest) form: &'a Form,
}

impl Serialize for Written<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (message, form) = (self.message, self.form);
        let descriptor = message.descriptor();
        if descriptor.package_name() == "google.protobuf" {
            return message.serialize_with_options(serializer, &SerializeOptions::new());
        }
        let mut map = serializer.serialize_map(None)?;
        for field in descriptor.fields() {
            if field.supports_presence() && !message.has_field(&field) {
                continue;
            }
            map.serialize_entry(
                field.json_name(),
                &Field {
                    field: &field,
                    value: &message.get_field(&field),
                    form,
                },
            )?;
        }
        map.end()
    }
}

struct Field<'a> {
    field: &'a FieldDescriptor,
    value: &'a Value,
    form: &'a Form,
}

impl Serialize for Field<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let form = self.form;
        let halves = form.is_halves(self.field);
        match self.value {
            Value::List(items) => {
                let kind = self.field.kind();
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                for value in items {
                    list.serialize_element(&One {
                        kind: &kind,
                        value,
                        form,
                        halves,
                    })?;
                }
                list.end()
            }
            Value::Map(entries) => {
                let kind = match self.field.kind() {
                    Kind::Message(entry) => entry.map_entry_value_field().kind(),
                    kind => kind,
                };
                let mut entries: Vec<(String, &Value)> = entries
                    .iter()
                    .map(|(key, value)| (text(key), value))
                    .collect();
                entries.sort_by(|(one, _), (other, _)| one.cmp(other));
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, value) in entries {
                    map.serialize_entry(
                        &key,
                        &One {
                            kind: &kind,
                            value,
                            form,
                            halves: false,
                        },
                    )?;
                }
                map.end()
            }
            value => One {
                kind: &self.field.kind(),
                value,
                form,
                halves,
            }
            .serialize(serializer),
        }
    }
}

struct One<'a> {
    kind: &'a Kind,
    value: &'a Value,
    form: &'a Form,
    halves: bool,
}

impl Serialize for One<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.value {
            Value::Bool(bool) => serializer.serialize_bool(*bool),
            Value::I32(halves) if self.halves => serializer.serialize_f64(f64::from(*halves) / 2.0),
            Value::I32(int) => serializer.serialize_i32(*int),
            Value::U32(int) => serializer.serialize_u32(*int),
            // Numbers in JavaScript lose whatever exceeds 53 bits.
            Value::I64(int) => serializer.collect_str(int),
            Value::U64(int) => serializer.collect_str(int),
            Value::F32(float) if float.is_finite() => serializer.serialize_f32(*float),
            Value::F32(float) => serializer.serialize_str(not_finite(f64::from(*float))),
            Value::F64(float) if float.is_finite() => serializer.serialize_f64(*float),
            Value::F64(float) => serializer.serialize_str(not_finite(*float)),
            Value::String(text) => serializer.serialize_str(text),
            Value::Bytes(bytes) => serializer.serialize_str(&STANDARD.encode(bytes)),
            Value::EnumNumber(number) => match self.kind {
                Kind::Enum(kind) if kind.full_name() == "google.protobuf.NullValue" => {
                    serializer.serialize_unit()
                }
                Kind::Enum(kind) => match kind.get_value(*number) {
                    Some(value) => serializer.serialize_str(value.name()),
                    None => serializer.serialize_i32(*number),
                },
                _ => serializer.serialize_i32(*number),
            },
            Value::Message(message) => Written {
                message,
                form: self.form,
            }
            .serialize(serializer),
            // Lists and maps are not inside of each other.
            Value::List(_) | Value::Map(_) => serializer.serialize_unit(),
        }
    }
}

fn not_finite(float: f64) -> &'static str {
    if float.is_nan() {
        "NaN"
    } else if float > 0.0 {
        "Infinity"
    } else {
        "-Infinity"
    }
}

fn text(key: &MapKey) -> String {
    match key {
        MapKey::Bool(bool) => bool.to_string(),
        MapKey::I32(int) => int.to_string(),
        MapKey::I64(int) => int.to_string(),
        MapKey::U32(int) => int.to_string(),
        MapKey::U64(int) => int.to_string(),
        MapKey::String(text) => text.clone(),
    }
}
