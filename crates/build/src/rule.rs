//! `buf.validate` rules of a field, and whether they fit it.

use crate::error::Problems;
use crate::schema::Schema;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, Value};
use std::fmt;

/// What a field must keep.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Rules {
    /// Must be there: set, not empty, not zero.
    pub(crate) required: bool,
    /// What its value must keep; of a list, the list itself.
    pub(crate) checks: Vec<Check>,
    /// What each item of a list must keep.
    pub(crate) items: Vec<Check>,
    /// Its values count halves, and are halved in JSON.
    pub(crate) halves: bool,
}

impl Rules {
    /// Whether anything is to be checked.
    pub(crate) fn is_checked(&self) -> bool {
        self.required || !self.checks.is_empty() || !self.items.is_empty()
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Check {
    Equal(Literal),
    Range {
        low: Option<Bound>,
        high: Option<Bound>,
    },
    In(Vec<Literal>),
    NotIn(Vec<Literal>),
    /// In characters.
    Length {
        min: Option<u64>,
        max: Option<u64>,
    },
    /// In bytes.
    Bytes {
        min: Option<u64>,
        max: Option<u64>,
    },
    Prefix(String),
    Suffix(String),
    Contains(String),
    /// Of a list.
    Items {
        min: Option<u64>,
        max: Option<u64>,
    },
    Unique,
    /// Of an enum: one of its named values.
    Defined,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Bound {
    pub(crate) value: Literal,
    pub(crate) inclusive: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Literal {
    Int(i128),
    Single(f32),
    Double(f64),
    Bool(bool),
    Text(String),
}

impl Literal {
    fn of(value: &Value) -> Option<Literal> {
        Some(match value {
            Value::I32(int) | Value::EnumNumber(int) => Literal::Int(i128::from(*int)),
            Value::I64(int) => Literal::Int(i128::from(*int)),
            Value::U32(int) => Literal::Int(i128::from(*int)),
            Value::U64(int) => Literal::Int(i128::from(*int)),
            Value::F32(float) if float.is_finite() => Literal::Single(*float),
            Value::F64(float) if float.is_finite() => Literal::Double(*float),
            Value::Bool(bool) => Literal::Bool(*bool),
            Value::String(text) => Literal::Text(text.clone()),
            _ => return None,
        })
    }

    /// As a number, to compare bounds with.
    #[expect(
        clippy::cast_precision_loss,
        reason = "bounds that differ beyond 2^53 only miss a refusal"
    )]
    pub(crate) fn number(&self) -> f64 {
        match self {
            Literal::Int(int) => *int as f64,
            Literal::Single(float) => f64::from(*float),
            Literal::Double(float) => *float,
            Literal::Bool(_) | Literal::Text(_) => f64::NAN,
        }
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Literal::Int(int) => write!(f, "{int}"),
            Literal::Single(float) => write!(f, "{float}"),
            Literal::Double(float) => write!(f, "{float}"),
            Literal::Bool(bool) => write!(f, "{bool}"),
            Literal::Text(text) => write!(f, "{text:?}"),
        }
    }
}

/// The rules of a field; `None` when it has none. What is wrong with them goes to `problems`.
pub(crate) fn read(
    schema: &Schema,
    field: &FieldDescriptor,
    problems: &mut Problems,
) -> Option<Rules> {
    let options = field.options();
    let place = format!(
        "{}: field {}",
        field.parent_file().name(),
        field.full_name()
    );
    let mut rules = Rules::default();
    if let Some(halves) = &schema.options.halves {
        rules.halves = options.get_extension(halves).as_bool().unwrap_or_default();
    }
    if rules.halves && (field.kind() != Kind::Int32 || field.is_map()) {
        problems.push(format!("{place}: backlot.json.v1.halves needs an int32"));
    }
    if let Some(validate) = &schema.options.validate
        && options.has_extension(validate)
        && let Some(found) = options.get_extension(validate).as_message()
    {
        let mut reader = Reader {
            place: &place,
            problems,
        };
        if let Some(required) = found.get_field_by_name("required") {
            rules.required = required.as_bool().unwrap_or_default();
        }
        let (checks, items) = reader.field(found, &subject(field));
        rules.checks = checks;
        rules.items = items;
    }
    (rules != Rules::default()).then_some(rules)
}

/// The name of the rules that fit a field.
fn subject(field: &FieldDescriptor) -> String {
    if field.is_map() {
        "map".to_owned()
    } else if field.is_list() {
        format!("repeated {}", of_kind(&field.kind()))
    } else {
        of_kind(&field.kind()).to_owned()
    }
}

fn of_kind(kind: &Kind) -> &'static str {
    match kind {
        Kind::Double => "double",
        Kind::Float => "float",
        Kind::Int32 => "int32",
        Kind::Int64 => "int64",
        Kind::Uint32 => "uint32",
        Kind::Uint64 => "uint64",
        Kind::Sint32 => "sint32",
        Kind::Sint64 => "sint64",
        Kind::Fixed32 => "fixed32",
        Kind::Fixed64 => "fixed64",
        Kind::Sfixed32 => "sfixed32",
        Kind::Sfixed64 => "sfixed64",
        Kind::Bool => "bool",
        Kind::String => "string",
        Kind::Bytes => "bytes",
        Kind::Enum(_) => "enum",
        Kind::Message(_) => "message",
    }
}

struct Reader<'a> {
    place: &'a str,
    problems: &'a mut Problems,
}

impl Reader<'_> {
    fn unsupported(&mut self, rule: &str) {
        let place = self.place;
        self.problems.push(format!(
            "{place}: the rule {rule} is not supported; check it in the handler instead"
        ));
    }

    fn wrong(&mut self, what: impl fmt::Display) {
        let place = self.place;
        self.problems.push(format!("{place}: {what}"));
    }

    /// Checks of the field's value, and of its items.
    fn field(&mut self, rules: &DynamicMessage, subject: &str) -> (Vec<Check>, Vec<Check>) {
        let (mut checks, mut items) = (Vec::new(), Vec::new());
        for (rule, value) in rules.fields() {
            match (rule.name(), value) {
                ("required", _) => {}
                ("ignore", Value::EnumNumber(0)) => {}
                (kind @ ("map" | "any" | "duration" | "timestamp" | "cel" | "ignore"), _) => {
                    self.unsupported(kind)
                }
                ("repeated", Value::Message(rules)) => match subject.strip_prefix("repeated ") {
                    Some(item) => (checks, items) = self.repeated(rules, item),
                    None => self.misfit("repeated", subject),
                },
                (kind, Value::Message(rules)) if kind == subject => {
                    checks = self.scalar(kind, rules)
                }
                (kind, _) => self.misfit(kind, subject),
            }
        }
        (checks, items)
    }

    fn misfit(&mut self, kind: &str, subject: &str) {
        self.wrong(format_args!(
            "rules of {kind} do not fit a field of {subject}"
        ));
    }

    fn repeated(&mut self, rules: &DynamicMessage, item: &str) -> (Vec<Check>, Vec<Check>) {
        let (mut checks, mut items) = (Vec::new(), Vec::new());
        let (mut min, mut max) = (None, None);
        for (rule, value) in rules.fields() {
            match (rule.name(), value) {
                ("min_items", Value::U64(count)) => min = Some(*count),
                ("max_items", Value::U64(count)) => max = Some(*count),
                ("unique", Value::Bool(false)) => {}
                ("unique", Value::Bool(true)) if matches!(item, "message" | "float" | "double") => {
                    self.wrong(format_args!(
                        "repeated.unique cannot compare items of {item}"
                    ));
                }
                ("unique", Value::Bool(true)) => checks.push(Check::Unique),
                ("items", Value::Message(rules)) => {
                    if rules
                        .get_field_by_name("required")
                        .is_some_and(|required| required.as_bool() == Some(true))
                    {
                        self.unsupported("repeated.items.required");
                    }
                    items = self.field(rules, item).0;
                }
                (name, _) => self.unsupported(&format!("repeated.{name}")),
            }
        }
        if min.is_some() || max.is_some() {
            self.ordered("items", min, max);
            checks.insert(0, Check::Items { min, max });
        }
        (checks, items)
    }

    fn ordered(&mut self, what: &str, min: Option<u64>, max: Option<u64>) {
        if let (Some(min), Some(max)) = (min, max)
            && min > max
        {
            self.wrong(format_args!(
                "at least {min} and at most {max} {what}: nothing can be both"
            ));
        }
    }

    fn scalar(&mut self, kind: &str, rules: &DynamicMessage) -> Vec<Check> {
        let (mut low, mut high) = (None, None);
        let (mut characters, mut bytes) = ((None, None), (None, None));
        let mut checks = Vec::new();
        let is_bytes = kind == "bytes";
        for (rule, value) in rules.fields() {
            let list = || {
                value
                    .as_list()
                    .map(|values| values.iter().filter_map(Literal::of).collect::<Vec<_>>())
            };
            match (rule.name(), value) {
                ("len", Value::U64(count)) if is_bytes => bytes = (Some(*count), Some(*count)),
                ("min_len", Value::U64(count)) if is_bytes => bytes.0 = Some(*count),
                ("max_len", Value::U64(count)) if is_bytes => bytes.1 = Some(*count),
                (name, _) if is_bytes => self.unsupported(&format!("bytes.{name}")),
                ("len", Value::U64(count)) => characters = (Some(*count), Some(*count)),
                ("min_len", Value::U64(count)) => characters.0 = Some(*count),
                ("max_len", Value::U64(count)) => characters.1 = Some(*count),
                ("min_bytes", Value::U64(count)) => bytes.0 = Some(*count),
                ("max_bytes", Value::U64(count)) => bytes.1 = Some(*count),
                ("prefix", Value::String(text)) => checks.push(Check::Prefix(text.clone())),
                ("suffix", Value::String(text)) => checks.push(Check::Suffix(text.clone())),
                ("contains", Value::String(text)) => checks.push(Check::Contains(text.clone())),
                ("defined_only", Value::Bool(only)) => {
                    if *only {
                        checks.push(Check::Defined);
                    }
                }
                (name @ ("const" | "in" | "not_in"), _) if kind == "enum" => {
                    self.unsupported(&format!("enum.{name}"));
                }
                (name @ ("const" | "lt" | "lte" | "gt" | "gte"), value) => match Literal::of(value)
                {
                    None => self.unsupported(&format!("{kind}.{name} of an infinite number")),
                    Some(value) if name == "const" => checks.push(Check::Equal(value)),
                    Some(value) if name.starts_with('l') => {
                        high = Some(Bound {
                            value,
                            inclusive: name == "lte",
                        });
                    }
                    Some(value) => {
                        low = Some(Bound {
                            value,
                            inclusive: name == "gte",
                        })
                    }
                },
                ("in", _) => checks.extend(list().map(Check::In)),
                ("not_in", _) => checks.extend(list().map(Check::NotIn)),
                (name, _) => self.unsupported(&format!("{kind}.{name}")),
            }
        }
        if let (Some(low), Some(high)) = (&low, &high)
            && (low.value.number() > high.value.number()
                || (low.value == high.value && !(low.inclusive && high.inclusive)))
        {
            self.wrong(format_args!(
                "the lower bound {} is not below the upper bound {}; ranges that leave out a middle are not supported",
                low.value, high.value
            ));
        }
        if low.is_some() || high.is_some() {
            checks.push(Check::Range { low, high });
        }
        for ((min, max), what) in [(characters, "characters"), (bytes, "bytes")] {
            if min.is_some() || max.is_some() {
                self.ordered(what, min, max);
                checks.push(if what == "bytes" {
                    Check::Bytes { min, max }
                } else {
                    Check::Length { min, max }
                });
            }
        }
        checks
    }
}
