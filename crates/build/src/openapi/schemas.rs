//! JSON schemas of messages, as canonical proto3 JSON spells them.

use crate::comment;
use crate::model::Contract;
use crate::rule::{Check, Literal, Rules};
use prost_reflect::{EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value, json};

pub(super) struct Schemas<'a> {
    contract: &'a Contract,
    all: Map<String, Value>,
}

impl<'a> Schemas<'a> {
    pub(super) fn new(contract: &'a Contract) -> Self {
        let mut all = Map::new();
        all.insert("Problem".to_owned(), problem());
        Schemas { contract, all }
    }

    pub(super) fn finish(self) -> Value {
        Value::Object(self.all)
    }

    /// A reference to the schema of a message, which is added with all it refers to.
    pub(super) fn reference(&mut self, message: &MessageDescriptor) -> Value {
        if message.package_name() == "google.protobuf" {
            return well_known(message.name());
        }
        let name = message.full_name().to_owned();
        if !self.all.contains_key(&name) {
            // Taken before its fields are walked: a message may hold itself.
            self.all.insert(name.clone(), Value::Null);
            let fields: Vec<FieldDescriptor> = message.fields().collect();
            let mut schema = self.object(&fields);
            describe(
                &mut schema,
                message.parent_file().file_descriptor_proto(),
                message.path(),
            );
            self.all.insert(name.clone(), schema);
        }
        json!({ "$ref": format!("#/components/schemas/{name}") })
    }

    /// An object of these fields.
    pub(super) fn object(&mut self, fields: &[FieldDescriptor]) -> Value {
        let mut properties = Map::new();
        for field in fields {
            let mut schema = self.field(field);
            describe(
                &mut schema,
                field.parent_file().file_descriptor_proto(),
                field.path(),
            );
            properties.insert(field.json_name().to_owned(), schema);
        }
        let mut schema = json!({ "type": "object", "properties": properties });
        let needed: Vec<&str> = fields
            .iter()
            .filter(|field| self.needed(field))
            .map(FieldDescriptor::json_name)
            .collect();
        if !needed.is_empty() {
            schema["required"] = json!(needed);
        }
        schema
    }

    /// Whether a field that is left out breaks a rule.
    pub(super) fn needed(&self, field: &FieldDescriptor) -> bool {
        let Some(rules) = self.contract.rules_of(field) else {
            return false;
        };
        if rules.required {
            return true;
        }
        let implicit = !field.supports_presence();
        implicit && rules.checks.iter().any(refuses_default)
    }

    /// The schema of a field's value.
    pub(super) fn field(&mut self, field: &FieldDescriptor) -> Value {
        let none = Rules::default();
        let contract = self.contract;
        let rules = contract.rules_of(field).unwrap_or(&none);
        if field.is_map() {
            let value = match field.kind() {
                Kind::Message(entry) => self.value(&entry.map_entry_value_field().kind(), false),
                _ => json!({}),
            };
            return json!({ "type": "object", "additionalProperties": value });
        }
        let mut schema = self.value(&field.kind(), rules.halves);
        if field.is_list() {
            for check in &rules.items {
                constrain(&mut schema, check, rules.halves);
            }
            schema = json!({ "type": "array", "items": schema });
        }
        for check in &rules.checks {
            constrain(&mut schema, check, rules.halves);
        }
        schema
    }

    fn value(&mut self, kind: &Kind, halves: bool) -> Value {
        match kind {
            _ if halves => json!({ "type": "number", "multipleOf": 0.5 }),
            Kind::Double => json!({ "type": "number", "format": "double" }),
            Kind::Float => json!({ "type": "number", "format": "float" }),
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => {
                json!({ "type": "integer", "format": "int32" })
            }
            Kind::Uint32 | Kind::Fixed32 => {
                json!({ "type": "integer", "minimum": 0, "maximum": u32::MAX })
            }
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => {
                json!({ "type": "string", "format": "int64" })
            }
            Kind::Uint64 | Kind::Fixed64 => json!({ "type": "string", "format": "uint64" }),
            Kind::Bool => json!({ "type": "boolean" }),
            Kind::String => json!({ "type": "string" }),
            Kind::Bytes => json!({ "type": "string", "contentEncoding": "base64" }),
            Kind::Enum(kind) => enumeration(kind),
            Kind::Message(message) => self.reference(message),
        }
    }
}

fn describe(schema: &mut Value, file: &prost_types::FileDescriptorProto, path: &[i32]) {
    if let Some(lines) = comment::lines(file, path) {
        schema["description"] = json!(lines.join("\n"));
    }
}

fn enumeration(kind: &EnumDescriptor) -> Value {
    if kind.full_name() == "google.protobuf.NullValue" {
        return json!({ "type": "null" });
    }
    let names: Vec<String> = kind.values().map(|value| value.name().to_owned()).collect();
    json!({ "type": "string", "enum": names })
}

/// What a rule says in the words of JSON Schema, where it has words for it.
fn constrain(schema: &mut Value, check: &Check, halves: bool) {
    // 64-bit numbers are text in JSON, which has no bounds.
    let numeric = schema["type"] == "integer" || schema["type"] == "number";
    let mut set = |key: &str, value: Value| schema[key] = value;
    match check {
        Check::Equal(literal) if numeric || !matches!(literal, Literal::Int(_)) => {
            set("const", number(literal, halves))
        }
        Check::In(literals)
            if numeric
                || literals
                    .iter()
                    .all(|literal| matches!(literal, Literal::Text(_))) =>
        {
            set(
                "enum",
                literals
                    .iter()
                    .map(|literal| number(literal, halves))
                    .collect(),
            );
        }
        Check::Range { low, high } if numeric => {
            if let Some(low) = low {
                set(
                    if low.inclusive {
                        "minimum"
                    } else {
                        "exclusiveMinimum"
                    },
                    number(&low.value, halves),
                );
            }
            if let Some(high) = high {
                set(
                    if high.inclusive {
                        "maximum"
                    } else {
                        "exclusiveMaximum"
                    },
                    number(&high.value, halves),
                );
            }
        }
        Check::Length { min, max } => {
            min.iter().for_each(|min| set("minLength", json!(min)));
            max.iter().for_each(|max| set("maxLength", json!(max)));
        }
        Check::Items { min, max } => {
            min.iter().for_each(|min| set("minItems", json!(min)));
            max.iter().for_each(|max| set("maxItems", json!(max)));
        }
        Check::Unique => set("uniqueItems", json!(true)),
        _ => {}
    }
}

fn number(literal: &Literal, halves: bool) -> Value {
    match literal {
        _ if halves => json!(literal.number() / 2.0),
        Literal::Int(int) => {
            i64::try_from(*int).map_or_else(|_| json!(literal.number()), |int| json!(int))
        }
        Literal::Single(float) => json!(float),
        Literal::Double(float) => json!(float),
        Literal::Bool(bool) => json!(bool),
        Literal::Text(text) => json!(text),
    }
}

/// Whether zero, the empty text or the empty list breaks the rule.
fn refuses_default(check: &Check) -> bool {
    match check {
        Check::Length { min, .. } | Check::Bytes { min, .. } | Check::Items { min, .. } => {
            min.is_some_and(|min| min > 0)
        }
        Check::Range { low, high } => {
            low.as_ref().is_some_and(|low| {
                low.value.number() > 0.0 || (!low.inclusive && low.value.number() == 0.0)
            }) || high.as_ref().is_some_and(|high| {
                high.value.number() < 0.0 || (!high.inclusive && high.value.number() == 0.0)
            })
        }
        Check::Prefix(text) | Check::Suffix(text) | Check::Contains(text) => !text.is_empty(),
        Check::Equal(literal) => !is_default(literal),
        Check::In(literals) => !literals.iter().any(is_default),
        Check::NotIn(literals) => literals.iter().any(is_default),
        Check::Unique | Check::Defined => false,
    }
}

fn is_default(literal: &Literal) -> bool {
    match literal {
        Literal::Int(int) => *int == 0,
        Literal::Single(float) => *float == 0.0,
        Literal::Double(float) => *float == 0.0,
        Literal::Bool(bool) => !bool,
        Literal::Text(text) => text.is_empty(),
    }
}

/// Whether a well-known type is one text in JSON, and so fits a query.
pub(super) fn is_text(kind: &Kind) -> bool {
    matches!(kind, Kind::Message(message)
        if matches!(message.full_name(), "google.protobuf.Timestamp" | "google.protobuf.Duration" | "google.protobuf.FieldMask"))
}

fn well_known(name: &str) -> Value {
    match name {
        "Timestamp" => json!({ "type": "string", "format": "date-time" }),
        "Duration" => json!({ "type": "string", "description": "Seconds, for example \"1.5s\"." }),
        "FieldMask" => json!({ "type": "string" }),
        "ListValue" => json!({ "type": "array" }),
        "Value" => json!({}),
        "BoolValue" => json!({ "type": ["boolean", "null"] }),
        "DoubleValue" | "FloatValue" => json!({ "type": ["number", "null"] }),
        "Int32Value" | "UInt32Value" => json!({ "type": ["integer", "null"] }),
        "StringValue" | "BytesValue" | "Int64Value" | "UInt64Value" => {
            json!({ "type": ["string", "null"] })
        }
        _ => json!({ "type": "object" }),
    }
}

fn problem() -> Value {
    json!({
        "type": "object",
        "description": "What went wrong, as RFC 9457 describes it.",
        "required": ["type", "title", "status", "code"],
        "properties": {
            "type": { "type": "string" },
            "title": { "type": "string", "description": "The status in words." },
            "status": { "type": "integer" },
            "detail": { "type": "string", "description": "What happened, for people." },
            "code": { "type": "string", "description": "One of gRPC's status codes, for example NOT_FOUND." },
            "instance": { "type": "string", "description": "The path asked for." },
            "traceId": { "type": "string", "description": "The trace the request belongs to: the log of the service knows it by this." },
            "violations": {
                "type": "array",
                "description": "What is wrong with the request, field by field.",
                "items": {
                    "type": "object",
                    "required": ["field", "description"],
                    "properties": { "field": { "type": "string" }, "description": { "type": "string" } },
                },
            },
            "reason": { "type": "string", "description": "Which failure it is, for programs, where the code does not say enough." },
            "values": {
                "type": "object",
                "description": "What the reason is about, by name.",
                "additionalProperties": { "type": "string" },
            },
        },
    })
}
