//! Routes of mounts with all that is needed to serve them, looked up once.

use super::json::{Form, Written};
use super::template;
use crate::contract::{Body, Method, Route};
use crate::mount::Mount;
use backlot_core::Error;
use bytes::Bytes;
use prost_reflect::{DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How deep a query reaches into messages.
const QUERY_DEPTH: usize = 4;

/// One route of one method.
pub(super) struct Endpoint {
    pub(super) mount: Mount,
    pub(super) method: &'static Method,
    pub(super) route: &'static Route,
    pub(super) input: MessageDescriptor,
    pub(super) output: Output,
    pub(super) form: Arc<Form>,
    /// The fields the path names, in its order.
    pub(super) variables: Vec<Variable>,
    /// The field the body holds, if it holds but one.
    pub(super) body_field: Option<FieldDescriptor>,
    /// The fields a query may name, by each name it may use.
    pub(super) query: BTreeMap<String, Variable>,
}

/// A field and the way to it.
#[derive(Clone)]
pub(super) struct Variable {
    /// As a caller spells it in JSON, for example `metadata.id`.
    pub(super) name: String,
    /// The fields on the way, the field itself last.
    pub(super) fields: Vec<FieldDescriptor>,
}

impl Variable {
    /// As the template spells it.
    fn path(&self) -> String {
        self.fields
            .iter()
            .map(FieldDescriptor::name)
            .collect::<Vec<_>>()
            .join(".")
    }
}

impl Endpoint {
    pub(super) fn write(&self, message: Bytes) -> Result<Vec<u8>, Error> {
        let mut text = Vec::with_capacity(message.len() * 2 + 64);
        self.output.write(message, &mut text)?;
        Ok(text)
    }
}

/// Answers as JSON. Cheap to clone.
#[derive(Clone)]
pub(super) struct Output {
    descriptor: MessageDescriptor,
    form: Arc<Form>,
}

impl Output {
    /// Writes an encoded message as JSON.
    pub(super) fn write(&self, message: Bytes, text: &mut Vec<u8>) -> Result<(), Error> {
        let message = DynamicMessage::decode(self.descriptor.clone(), message)
            .map_err(|error| Error::internal("the answer cannot be decoded").with_source(error))?;
        let mut serializer = serde_json::Serializer::new(text);
        Written {
            message: &message,
            form: &self.form,
        }
        .serialize(&mut serializer)
        .map_err(|error| Error::internal("the answer cannot be written as JSON").with_source(error))
    }
}

/// All routes of all mounts.
///
/// # Errors
/// `Internal` when descriptors do not hold what the contract names.
pub(super) fn endpoints(mounts: &[Mount]) -> Result<Vec<Endpoint>, Error> {
    // Services of one contract share their descriptors, which are large.
    let mut pools: Vec<(&'static [u8], DescriptorPool, Arc<Form>)> = Vec::new();
    let mut endpoints = Vec::new();
    for mount in mounts {
        let service = mount.service();
        let known = pools
            .iter()
            .find(|(bytes, ..)| std::ptr::eq(*bytes, service.descriptors));
        let (pool, form) = match known {
            Some((_, pool, form)) => (pool.clone(), Arc::clone(form)),
            None => {
                let pool = DescriptorPool::decode(service.descriptors).map_err(|error| {
                    Error::internal(format!("the descriptors of {} are malformed", service.name))
                        .with_source(error)
                })?;
                let form = Arc::new(Form::of(&pool));
                pools.push((service.descriptors, pool.clone(), Arc::clone(&form)));
                (pool, form)
            }
        };
        for method in service.methods {
            for route in method.routes {
                endpoints.push(endpoint(mount, method, route, &pool, &form)?);
            }
        }
    }
    Ok(endpoints)
}

fn endpoint(
    mount: &Mount,
    method: &'static Method,
    route: &'static Route,
    pool: &DescriptorPool,
    form: &Arc<Form>,
) -> Result<Endpoint, Error> {
    let message = |name: &str| {
        pool.get_message_by_name(name)
            .ok_or_else(|| Error::internal(format!("{}: no descriptor of {name}", method.path)))
    };
    let (input, output) = (message(method.input)?, message(method.output)?);
    let unknown = |name: &str| {
        Error::internal(format!(
            "{}: {} has no field {name}",
            method.path, method.input
        ))
    };
    let variables = template::variables(route.template)
        .map(|path| resolve(&input, path).ok_or_else(|| unknown(path)))
        .collect::<Result<Vec<_>, _>>()?;
    let body_field = match route.body {
        Body::Field(name) => Some(input.get_field_by_name(name).ok_or_else(|| unknown(name))?),
        Body::None | Body::All => None,
    };
    let mut query = BTreeMap::new();
    if route.body != Body::All {
        collect(&input, &[], QUERY_DEPTH, &mut |variable| {
            let in_path = variables
                .iter()
                .any(|other: &Variable| other.fields == variable.fields);
            if in_path || variable.fields.first() == body_field.as_ref() {
                return;
            }
            query.insert(variable.path(), variable.clone());
            query.insert(variable.name.clone(), variable);
        });
    }
    Ok(Endpoint {
        mount: mount.clone(),
        method,
        route,
        input,
        output: Output {
            descriptor: output,
            form: Arc::clone(form),
        },
        form: Arc::clone(form),
        variables,
        body_field,
        query,
    })
}

fn resolve(message: &MessageDescriptor, path: &str) -> Option<Variable> {
    let mut message = Some(message.clone());
    let mut fields = Vec::new();
    for name in path.split('.') {
        let field = message?.get_field_by_name(name)?;
        message = match field.kind() {
            Kind::Message(inner) => Some(inner),
            _ => None,
        };
        fields.push(field);
    }
    Some(variable(fields))
}

fn variable(fields: Vec<FieldDescriptor>) -> Variable {
    let name = fields
        .iter()
        .map(FieldDescriptor::json_name)
        .collect::<Vec<_>>()
        .join(".");
    Variable { name, fields }
}

/// The fields that a query can say: those of one text each, and lists of them.
fn collect(
    message: &MessageDescriptor,
    above: &[FieldDescriptor],
    depth: usize,
    found: &mut dyn FnMut(Variable),
) {
    for field in message.fields().filter(|field| !field.is_map()) {
        let mut fields = above.to_vec();
        fields.push(field.clone());
        match field.kind() {
            Kind::Message(inner) if inner.package_name() != "google.protobuf" => {
                if depth > 1 && !field.is_list() {
                    collect(&inner, &fields, depth - 1, found);
                }
            }
            Kind::Message(inner) if field.is_list() || !is_text(&inner) => {}
            _ => found(variable(fields)),
        }
    }
}

fn is_text(message: &MessageDescriptor) -> bool {
    matches!(
        message.full_name(),
        "google.protobuf.Timestamp" | "google.protobuf.Duration" | "google.protobuf.FieldMask"
    )
}
