//! `google.api.http`: REST routes of a method.

use crate::error::Problems;
use crate::model::Service;
use crate::schema::Schema;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MethodDescriptor, Value};
use std::collections::BTreeMap;

/// A way to a method over plain HTTP.
pub(crate) struct Route {
    pub(crate) verb: Verb,
    pub(crate) template: String,
    pub(crate) body: Body,
    /// The fields its path names: the path as written, and the field it ends at.
    pub(crate) variables: Vec<(String, FieldDescriptor)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verb {
    Get,
    Put,
    Post,
    Delete,
    Patch,
}

impl Verb {
    const ALL: [(&'static str, Verb); 5] = [
        ("get", Verb::Get),
        ("put", Verb::Put),
        ("post", Verb::Post),
        ("delete", Verb::Delete),
        ("patch", Verb::Patch),
    ];

    /// As OpenAPI and the option spell it.
    pub(crate) fn lower(self) -> &'static str {
        Verb::ALL
            .into_iter()
            .find(|(_, verb)| *verb == self)
            .map_or("get", |(name, _)| name)
    }
}

/// What the body of a request holds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Body {
    None,
    All,
    Field(FieldDescriptor),
}

/// The routes of a method, none when it has no `google.api.http` option.
pub(crate) fn read(
    schema: &Schema,
    method: &MethodDescriptor,
    problems: &mut Problems,
) -> Vec<Route> {
    let Some(http) = &schema.options.http else {
        return Vec::new();
    };
    let options = method.options();
    if !options.has_extension(http) {
        return Vec::new();
    }
    let option = options.get_extension(http);
    let mut routes = Vec::new();
    if let Some(rule) = option.as_message() {
        read_rule(rule, method, &mut routes, problems);
        if let Some(Value::List(more)) = rule.get_field_by_name("additional_bindings").as_deref() {
            for rule in more.iter().filter_map(Value::as_message) {
                read_rule(rule, method, &mut routes, problems);
            }
        }
    }
    routes
}

fn read_rule(
    rule: &DynamicMessage,
    method: &MethodDescriptor,
    routes: &mut Vec<Route>,
    problems: &mut Problems,
) {
    let name = method.full_name();
    let text = |field: &str| match rule.get_field_by_name(field).as_deref() {
        Some(Value::String(text)) => text.clone(),
        _ => String::new(),
    };
    let pattern = Verb::ALL
        .into_iter()
        .find(|(field, _)| rule.has_field_by_name(field));
    let Some((field, verb)) = pattern else {
        problems.push(format!(
            "{name}: its HTTP rule names no verb; get, put, post, delete or patch is needed"
        ));
        return;
    };
    let template = text(field);
    if !text("response_body").is_empty() {
        problems.push(format!(
            "{name}: response_body is not supported; the answer is always the whole message"
        ));
    }
    let variables = match parse(&template) {
        Ok(variables) => variables,
        Err(problem) => {
            problems.push(format!("{name}: path {template:?}: {problem}"));
            return;
        }
    };
    let mut resolved: Vec<(String, FieldDescriptor)> = Vec::new();
    for variable in variables {
        match resolve(method, &variable) {
            Ok(_) if resolved.iter().any(|(other, _)| *other == variable) => {
                problems.push(format!("{name}: path {template:?} names {variable} twice"));
            }
            Ok(field) => resolved.push((variable, field)),
            Err(problem) => problems.push(format!("{name}: path {template:?}: {problem}")),
        }
    }
    let body = match text("body").as_str() {
        "" => Body::None,
        "*" => Body::All,
        field => match method.input().get_field_by_name(field) {
            Some(field) => Body::Field(field),
            None => {
                problems.push(format!(
                    "{name}: body {field:?} is no field of {}; it has {}",
                    method.input().full_name(),
                    fields(&method.input())
                ));
                return;
            }
        },
    };
    if verb == Verb::Get && body != Body::None {
        problems.push(format!(
            "{name}: GET {template:?} cannot have a body; use the query (no body) or POST"
        ));
    }
    if method.is_client_streaming() && body == Body::None {
        problems.push(format!(
            "{name}: {} {template:?} has no body, which is where a stream of requests comes from; use POST with body: \"*\"",
            verb.lower().to_uppercase()
        ));
    }
    if let Body::Field(field) = &body
        && resolved.iter().any(|(path, _)| path == field.name())
    {
        problems.push(format!(
            "{name}: {} is both in the path {template:?} and the body",
            field.name()
        ));
    }
    routes.push(Route {
        verb,
        template,
        body,
        variables: resolved,
    });
}

/// The variables of a path template.
fn parse(template: &str) -> Result<Vec<String>, String> {
    if template.contains(['*', '=']) {
        return Err(
            "patterns inside braces are not supported; write {field} for one segment".to_owned(),
        );
    }
    let Some(rest) = template.strip_prefix('/') else {
        return Err("it must begin with a slash".to_owned());
    };
    let mut variables = Vec::new();
    let mut segments = rest.split('/').peekable();
    while let Some(segment) = segments.next() {
        let (segment, verb) = match segment.rsplit_once(':') {
            Some((segment, verb)) if segments.peek().is_none() => (segment, Some(verb)),
            _ => (segment, None),
        };
        if verb.is_some_and(|verb| !is_literal(verb)) {
            return Err("what follows the colon must be a word".to_owned());
        }
        match segment.strip_prefix('{') {
            Some(variable) => match variable.strip_suffix('}') {
                Some(variable) if !variable.is_empty() && !variable.contains(['{', '}']) => {
                    variables.push(variable.to_owned());
                }
                _ => return Err(format!("segment {segment:?} must be one field in braces")),
            },
            None if is_literal(segment) => {}
            None => {
                return Err(format!(
                    "segment {segment:?} must be a field in braces, or letters, digits and any of -._~"
                ));
            }
        }
    }
    Ok(variables)
}

fn is_literal(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
}

/// The field a path variable ends at.
fn resolve(method: &MethodDescriptor, path: &str) -> Result<FieldDescriptor, String> {
    let mut message = method.input();
    let mut names = path.split('.').peekable();
    while let Some(name) = names.next() {
        let field = message.get_field_by_name(name).ok_or_else(|| {
            format!(
                "{} has no field {name:?}; it has {}",
                message.full_name(),
                fields(&message)
            )
        })?;
        if field.is_list() || field.is_map() {
            return Err(format!(
                "{} holds several values and cannot be in a path",
                field.full_name()
            ));
        }
        match (field.kind(), names.peek().is_some()) {
            (Kind::Message(inner), true) => message = inner,
            (_, true) => {
                return Err(format!(
                    "{} is not a message and has no fields",
                    field.full_name()
                ));
            }
            (Kind::Message(_) | Kind::Bytes, false) => {
                return Err(format!(
                    "{} cannot be written as one path segment",
                    field.full_name()
                ));
            }
            (_, false) => return Ok(field),
        }
    }
    Err("a variable needs a name".to_owned())
}

fn fields(message: &prost_reflect::MessageDescriptor) -> String {
    let names: Vec<String> = message
        .fields()
        .map(|field| field.name().to_owned())
        .collect();
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}

/// Two methods that the same request would reach are refused.
pub(crate) fn refuse_conflicts(services: &[Service], problems: &mut Problems) {
    let mut seen = BTreeMap::new();
    for method in services.iter().flat_map(|service| &service.methods) {
        for route in &method.routes {
            let name = method.descriptor.full_name();
            let shape = shape(&route.template);
            if shape == "/openapi.json" || shape == "/docs" || shape.starts_with("/docs/") {
                problems.push(format!(
                    "{name}: the path {} is taken by the description of the service",
                    route.template
                ));
            }
            if let Some(other) = seen.insert((route.verb, shape), name.to_owned()) {
                problems.push(format!(
                    "{name} and {other} are both reached by {} {}; give one another path",
                    route.verb.lower().to_uppercase(),
                    route.template
                ));
            }
        }
    }
}

/// The template with its variables' names left out.
fn shape(template: &str) -> String {
    let mut shape = String::new();
    let mut inside = false;
    for letter in template.chars() {
        inside = match letter {
            '{' => true,
            '}' => false,
            _ => inside,
        };
        if !inside || letter == '{' {
            shape.push(letter);
        }
    }
    shape
}
