//! An OpenAPI 3.1 document of a service, for people and for other tools.

mod schemas;

use crate::comment;
use crate::model::{Contract, Effect, Method, Service, Shape};
use crate::route::{Body, Route};
use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use schemas::Schemas;
use serde_json::{Map, Value, json};

/// How deep query parameters reach into messages.
const QUERY_DEPTH: usize = 4;

pub(crate) fn document(contract: &Contract, service: &Service) -> Value {
    let mut schemas = Schemas::new(contract);
    let mut paths = Map::new();
    for method in &service.methods {
        for (index, route) in method.routes.iter().enumerate() {
            let operation = operation(service, method, index, route, &mut schemas);
            let path = paths
                .entry(route.template.clone())
                .or_insert_with(|| json!({}));
            path[route.verb.lower()] = operation;
        }
    }
    let version = service
        .descriptor
        .package_name()
        .rsplit('.')
        .next()
        .unwrap_or_default();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": service.name,
            "description": service.docs.join("\n"),
            "version": version,
        },
        "paths": paths,
        "components": {
            "schemas": schemas.finish(),
            "responses": { "Problem": {
                "description": "What went wrong, as RFC 9457 describes it.",
                "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
            } },
            "securitySchemes": { "bearer": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT" } },
        },
    })
}

fn operation(
    service: &Service,
    method: &Method,
    index: usize,
    route: &Route,
    schemas: &mut Schemas<'_>,
) -> Value {
    let name = method.descriptor.name();
    let id = if index == 0 {
        name.to_owned()
    } else {
        format!("{name}_{index}")
    };
    let mut operation = json!({
        "operationId": format!("{}_{id}", service.descriptor.name()),
        "summary": summary(&method.docs),
        "description": method.docs.join("\n"),
        "tags": [service.short],
        "parameters": parameters(method, route, schemas),
        "responses": responses(method, schemas),
        // Which calls need a token is the handler's to say; all of them accept one.
        "security": [{ "bearer": [] }, {}],
    });
    let body = match &route.body {
        Body::None => None,
        Body::All => Some(whole_body(&method.descriptor.input(), route, schemas)),
        Body::Field(field) => Some(schemas.field(field)),
    };
    if let Some(schema) = body {
        operation["requestBody"] = match method.shape {
            Shape::Unary | Shape::ServerStream => json!({
                "required": true,
                "content": { "application/json": { "schema": schema } },
            }),
            Shape::ClientStream => json!({
                "required": true,
                "description": "A stream of messages: each line is one of them in JSON, read as it comes. What the path and the query say is part of the first.",
                "content": { "application/x-ndjson": { "schema": schema } },
            }),
        };
    }
    operation
}

/// The first sentence, wherever its lines break.
fn summary(docs: &[String]) -> String {
    let paragraph = docs.split(|line| line.trim().is_empty()).next();
    let lines = paragraph.unwrap_or_default().iter();
    let text = lines.map(|line| line.trim()).collect::<Vec<_>>().join(" ");
    match text.find(". ") {
        Some(end) => text[..=end].to_owned(),
        None => text,
    }
}

/// The request without what the path says already.
fn whole_body(input: &MessageDescriptor, route: &Route, schemas: &mut Schemas<'_>) -> Value {
    if route.variables.is_empty() {
        return schemas.reference(input);
    }
    let left: Vec<FieldDescriptor> = input
        .fields()
        .filter(|field| route.variables.iter().all(|(path, _)| path != field.name()))
        .collect();
    schemas.object(&left)
}

fn responses(method: &Method, schemas: &mut Schemas<'_>) -> Value {
    let output = method.descriptor.output();
    let schema = schemas.reference(&output);
    let answer = if method.shape == Shape::ServerStream {
        json!({
            "description": "A stream of events; the data of each is one message. An event named `error` ends it, its data a problem.",
            "content": { "text/event-stream": { "schema": schema } },
        })
    } else {
        json!({ "description": "The answer.", "content": { "application/json": { "schema": schema } } })
    };
    json!({
        "200": answer,
        "400": { "$ref": "#/components/responses/Problem" },
        "default": { "$ref": "#/components/responses/Problem" },
    })
}

fn parameters(method: &Method, route: &Route, schemas: &mut Schemas<'_>) -> Vec<Value> {
    let mut parameters = Vec::new();
    for (path, field) in &route.variables {
        let mut parameter =
            json!({ "name": path, "in": "path", "required": true, "schema": schemas.field(field) });
        describe(&mut parameter, field);
        parameters.push(parameter);
    }
    let skip = match &route.body {
        Body::All => None,
        Body::None => Some(String::new()),
        Body::Field(field) => Some(field.name().to_owned()),
    };
    if let Some(skip) = skip {
        let mut found = Vec::new();
        query(&method.descriptor.input(), "", "", QUERY_DEPTH, &mut found);
        for (path, name, field) in found {
            let in_body = !skip.is_empty() && path.split('.').next() == Some(skip.as_str());
            if in_body
                || route
                    .variables
                    .iter()
                    .any(|(variable, _)| *variable == path)
            {
                continue;
            }
            let required = schemas.needed(&field) && !path.contains('.');
            let mut parameter = json!({ "name": name, "in": "query", "required": required, "schema": schemas.field(&field) });
            describe(&mut parameter, &field);
            parameters.push(parameter);
        }
    }
    if method.effect != Effect::Read {
        parameters.push(json!({
            "name": "idempotency-key",
            "in": "header",
            "required": false,
            "description": "A text of the caller's choice, one per intended change: repeating a request under the same key changes nothing more and gives the same answer.",
            "schema": { "type": "string" },
        }));
    }
    parameters
}

fn describe(parameter: &mut Value, field: &FieldDescriptor) {
    if let Some(lines) = comment::lines(field.parent_file().file_descriptor_proto(), field.path()) {
        parameter["description"] = json!(lines.join("\n"));
    }
}

/// The fields a query can name: proto path, name in the query, field.
fn query(
    message: &MessageDescriptor,
    path: &str,
    name: &str,
    depth: usize,
    found: &mut Vec<(String, String, FieldDescriptor)>,
) {
    for field in message.fields().filter(|field| !field.is_map()) {
        let path = format!("{path}{}", field.name());
        let name = format!("{name}{}", field.json_name());
        match field.kind() {
            Kind::Message(inner) if inner.package_name() != "google.protobuf" => {
                if depth > 1 && !field.is_list() {
                    query(
                        &inner,
                        &format!("{path}."),
                        &format!("{name}."),
                        depth - 1,
                        found,
                    );
                }
            }
            Kind::Message(_) if field.is_list() || !schemas::is_text(&field.kind()) => {}
            _ => found.push((path, name, field)),
        }
    }
}
