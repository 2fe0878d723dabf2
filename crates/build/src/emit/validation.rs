//! `impl Validate` for messages, from their rules.

use super::package::{self, Packages};
use super::text;
use super::writer::Writer;
use crate::model::{self, Contract};
use crate::name;
use crate::rule::{Check, Literal, Rules};
use crate::schema::Schema;
use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use std::collections::BTreeSet;

/// Full names of the messages that have rules, or hold messages that have.
pub(super) fn validated(schema: &Schema, contract: &Contract) -> BTreeSet<String> {
    let all: Vec<MessageDescriptor> = schema
        .ours()
        .flat_map(|file| model::messages(file.messages()))
        .collect();
    let mut found: BTreeSet<String> = BTreeSet::new();
    loop {
        let before = found.len();
        for message in &all {
            let has_rules = message.fields().any(|field| {
                contract.rules_of(&field).is_some_and(Rules::is_checked)
                    || inner(&field).is_some_and(|inner| found.contains(inner.full_name()))
            });
            if has_rules {
                found.insert(message.full_name().to_owned());
            }
        }
        if found.len() == before {
            return found;
        }
    }
}

/// The message a field holds: itself, as items, or as values of a map.
fn inner(field: &FieldDescriptor) -> Option<MessageDescriptor> {
    match field.kind() {
        Kind::Message(entry) if field.is_map() => match entry.map_entry_value_field().kind() {
            Kind::Message(message) => Some(message),
            _ => None,
        },
        Kind::Message(message) => Some(message),
        _ => None,
    }
}

/// The implementations for one package.
pub(super) fn emit(
    schema: &Schema,
    contract: &Contract,
    packages: &Packages,
    package: &str,
    validated: &BTreeSet<String>,
    runtime: &str,
) -> String {
    let mut out = Writer::new();
    let files = schema.ours().filter(|file| file.package_name() == package);
    for message in files.flat_map(|file| model::messages(file.messages())) {
        let mut emitter = Emitter {
            out: &mut out,
            contract,
            packages,
            package,
            validated,
            runtime,
        };
        emitter.message(&message);
    }
    out.into_text()
}

struct Emitter<'a> {
    out: &'a mut Writer,
    contract: &'a Contract,
    packages: &'a Packages,
    package: &'a str,
    validated: &'a BTreeSet<String>,
    runtime: &'a str,
}

/// Where a violation belongs: `name` or `name[index]`.
#[derive(Clone, Copy)]
enum Place<'a> {
    Field(&'a str),
    Item(&'a str),
}

impl Emitter<'_> {
    fn message(&mut self, message: &MessageDescriptor) {
        let rt = self.runtime;
        let used = self.validated.contains(message.full_name());
        self.out.open(format!(
            "impl {rt}::Validate for {} {{",
            package::within_package(message)
        ));
        self.out.open(format!(
            "fn validate(&self, {}: &mut {rt}::Violations) {{",
            if used { "at" } else { "_at" }
        ));
        if used {
            for field in message.fields() {
                self.field(message, &field);
            }
        }
        self.out.close("}");
        self.out.close("}");
    }

    fn field(&mut self, message: &MessageDescriptor, field: &FieldDescriptor) {
        let none = Rules::default();
        let contract = self.contract;
        let rules = contract.rules_of(field).unwrap_or(&none);
        let nested = inner(field).is_some_and(|inner| self.validated.contains(inner.full_name()));
        if !rules.is_checked() && !nested {
            return;
        }
        let json = field.json_name();
        let access = format!("self.{}", name::snake(field.name()));
        let real_oneof = field
            .containing_oneof()
            .filter(|oneof| !oneof.is_synthetic());
        if let Some(oneof) = real_oneof {
            let variant = format!(
                "{}::{}::{}",
                package::inside(message),
                oneof_type(message, oneof.name()),
                name::camel(field.name())
            );
            let holder = format!("self.{}", name::snake(oneof.name()));
            self.perhaps(field, rules, nested, &holder, |value| {
                format!("Some({variant}({value}))")
            });
        } else if field.is_map() || field.is_list() {
            self.several(field, rules, nested, &access);
        } else if field.supports_presence() {
            self.perhaps(field, rules, nested, &access, |value| {
                format!("Some({value})")
            });
        } else {
            self.out.open("{");
            self.out.line(format!("let value = &{access};"));
            if rules.required {
                self.out.open(format!("if {} {{", is_empty(&field.kind())));
                self.out
                    .line(format!("at.push({json:?}, \"is required\".into());"));
                self.out.turn("} else {");
                self.present(field, rules, nested, json);
                self.out.close("}");
            } else {
                self.present(field, rules, nested, json);
            }
            self.out.close("}");
        }
    }

    /// A single value that may be absent; it is there when `holder` fits the pattern.
    fn perhaps(
        &mut self,
        field: &FieldDescriptor,
        rules: &Rules,
        nested: bool,
        holder: &str,
        pattern: impl Fn(&str) -> String,
    ) {
        let json = field.json_name();
        let missing = format!("at.push({json:?}, \"is required\".into());");
        if rules.checks.is_empty() && !nested {
            self.out
                .open(format!("if !matches!(&{holder}, {}) {{", pattern("_")));
            self.out.line(missing);
        } else {
            self.out
                .open(format!("if let {} = &{holder} {{", pattern("value")));
            self.present(field, rules, nested, json);
            if rules.required {
                self.out.turn("} else {");
                self.out.line(missing);
            }
        }
        self.out.close("}");
    }

    /// A single value that is there, called `value`.
    fn present(&mut self, field: &FieldDescriptor, rules: &Rules, nested: bool, json: &str) {
        if nested {
            self.out.line(format!("at.nested({json:?}, None, value);"));
        }
        for check in &rules.checks {
            self.check(check, &field.kind(), rules.halves, Place::Field(json));
        }
    }

    fn several(&mut self, field: &FieldDescriptor, rules: &Rules, nested: bool, access: &str) {
        let json = field.json_name();
        if rules.required {
            self.out.open(format!("if {access}.is_empty() {{"));
            self.out
                .line(format!("at.push({json:?}, \"is required\".into());"));
            self.out.close("}");
        }
        if field.is_map() {
            if nested {
                self.out.open(format!("for (key, value) in &{access} {{"));
                self.out
                    .line(format!("at.nested_entry({json:?}, key, value);"));
                self.out.close("}");
            }
            return;
        }
        if !rules.checks.is_empty() {
            self.out.open("{");
            self.out.line(format!("let value = &{access};"));
            for check in &rules.checks {
                self.check(check, &field.kind(), rules.halves, Place::Field(json));
            }
            self.out.close("}");
        }
        if nested || !rules.items.is_empty() {
            self.out.open(format!(
                "for (index, value) in {access}.iter().enumerate() {{"
            ));
            if nested {
                self.out
                    .line(format!("at.nested({json:?}, Some(index), value);"));
            }
            for check in &rules.items {
                self.check(check, &field.kind(), rules.halves, Place::Item(json));
            }
            self.out.close("}");
        }
    }

    /// One check of `value`, a reference.
    fn check(&mut self, check: &Check, kind: &Kind, halves: bool, place: Place<'_>) {
        let text_value = matches!(kind, Kind::String);
        let quoted = format!("{}::Violations::quote(value)", self.runtime);
        let got = match (text_value, halves) {
            (true, _) => quoted,
            (false, true) => "f64::from(*value) / 2.0".to_owned(),
            (false, false) => "value".to_owned(),
        };
        let mut rule = text::rule(check, halves);
        let (condition, got) = match check {
            Check::Equal(wanted) if text_value => {
                (format!("value.as_str() != {}", literal(wanted)), got)
            }
            Check::Equal(wanted) => (format!("*value != {}", literal(wanted)), got),
            Check::In(wanted) if text_value => {
                (format!("!{}.contains(&value.as_str())", list(wanted)), got)
            }
            Check::In(wanted) => (format!("!{}.contains(value)", list(wanted)), got),
            Check::NotIn(banned) if text_value => {
                (format!("{}.contains(&value.as_str())", list(banned)), got)
            }
            Check::NotIn(banned) => (format!("{}.contains(value)", list(banned)), got),
            Check::Range { low, high } => {
                // Written so that NaN is outside of every range.
                let parts: Vec<String> = [(low, ">"), (high, "<")]
                    .into_iter()
                    .filter_map(|(bound, sign)| bound.as_ref().map(|bound| (bound, sign)))
                    .map(|(bound, sign)| {
                        format!(
                            "*value {sign}{} {}",
                            if bound.inclusive { "=" } else { "" },
                            literal(&bound.value)
                        )
                    })
                    .collect();
                (format!("!({})", parts.join(" && ")), got)
            }
            Check::Length { min, max } => (
                outside(*min, *max, "value.chars().count()"),
                "value.chars().count()".to_owned(),
            ),
            Check::Bytes { min, max } | Check::Items { min, max } => {
                (outside(*min, *max, "value.len()"), "value.len()".to_owned())
            }
            Check::Prefix(text) => (format!("!value.starts_with({text:?})"), got),
            Check::Suffix(text) => (format!("!value.ends_with({text:?})"), got),
            Check::Contains(text) => (format!("!value.contains({text:?})"), got),
            Check::Unique => return self.unique(kind, &rule, place),
            Check::Defined => {
                let Kind::Enum(kind) = kind else { return };
                let names: Vec<String> =
                    kind.values().map(|value| value.name().to_owned()).collect();
                rule = format!("must be one of {}", names.join(", "));
                (
                    format!(
                        "{}::try_from(*value).is_err()",
                        self.packages.enum_from(self.package, kind)
                    ),
                    got,
                )
            }
        };
        self.out.open(format!("if {condition} {{"));
        self.push(place, &rule, ", got {}", &got);
        self.out.close("}");
    }

    fn unique(&mut self, kind: &Kind, rule: &str, place: Place<'_>) {
        self.out
            .line("let mut seen = ::std::collections::BTreeSet::new();");
        self.out
            .open("if let Some(value) = value.iter().find(|value| !seen.insert(*value)) {");
        let got = match kind {
            Kind::String => format!("{}::Violations::quote(value)", self.runtime),
            _ => "value".to_owned(),
        };
        let form = if matches!(kind, Kind::Bytes) {
            ", got {:?} again"
        } else {
            ", got {} again"
        };
        self.push(place, rule, form, &got);
        self.out.close("}");
    }

    fn push(&mut self, place: Place<'_>, rule: &str, form: &str, got: &str) {
        let format = format!("{}{form}", rule.replace('{', "{{").replace('}', "}}"));
        let description = format!("::std::format!({format:?}, {got})");
        self.out.line(match place {
            Place::Field(json) => format!("at.push({json:?}, {description});"),
            Place::Item(json) => format!("at.push_at({json:?}, index, {description});"),
        });
    }
}

fn outside(min: Option<u64>, max: Option<u64>, length: &str) -> String {
    let (min, max) = (
        min.unwrap_or_default(),
        max.map_or(String::new(), |max| format!("={max}")),
    );
    format!("!({min}usize..{max}).contains(&{length})")
}

fn is_empty(kind: &Kind) -> &'static str {
    match kind {
        Kind::String | Kind::Bytes => "value.is_empty()",
        Kind::Bool => "!*value",
        Kind::Float | Kind::Double => "*value == 0.0",
        _ => "*value == 0",
    }
}

fn literal(literal: &Literal) -> String {
    match literal {
        Literal::Single(float) => format!("{float:?}_f32"),
        Literal::Double(float) => format!("{float:?}_f64"),
        other => other.to_string(),
    }
}

fn list(literals: &[Literal]) -> String {
    format!(
        "[{}]",
        literals.iter().map(literal).collect::<Vec<_>>().join(", ")
    )
}

/// prost adds a suffix where a nested type has the name of the oneof.
fn oneof_type(message: &MessageDescriptor, name: &str) -> String {
    let camel = name::camel(name);
    let taken = message
        .child_messages()
        .map(|child| child.name().to_owned());
    let taken = taken.chain(message.child_enums().map(|child| child.name().to_owned()));
    let conflict = taken.into_iter().any(|other| name::camel(&other) == camel);
    if conflict {
        format!("{camel}OneOf")
    } else {
        camel
    }
}
