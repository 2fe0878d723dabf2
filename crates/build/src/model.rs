//! Services and methods as read from descriptors.

use crate::error::Problems;
use crate::route::{self, Route};
use crate::rule::{self, Rules};
use crate::schema::Schema;
use crate::{Error, comment, name};
use prost_reflect::{
    FieldDescriptor, MessageDescriptor, MethodDescriptor, ServiceDescriptor, Syntax,
};
use prost_types::method_options::IdempotencyLevel;
use std::collections::BTreeMap;

/// All that code and documents are made of.
pub(crate) struct Contract {
    pub(crate) services: Vec<Service>,
    /// Rules by full name of the field.
    pub(crate) rules: BTreeMap<String, Rules>,
}

pub(crate) struct Service {
    pub(crate) descriptor: ServiceDescriptor,
    /// Full name, for example `movies.rating.v1.RatingService`.
    pub(crate) name: String,
    /// Name of the trait, for example `Rating`.
    pub(crate) short: String,
    /// Discovery name, for example `rating`.
    pub(crate) target: String,
    pub(crate) docs: Vec<String>,
    pub(crate) methods: Vec<Method>,
}

pub(crate) struct Method {
    pub(crate) descriptor: MethodDescriptor,
    pub(crate) shape: Shape,
    pub(crate) effect: Effect,
    pub(crate) docs: Vec<String>,
    pub(crate) routes: Vec<Route>,
}

/// How many messages go each way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Unary,
    ServerStream,
    ClientStream,
}

impl Shape {
    fn of(method: &MethodDescriptor) -> Shape {
        if method.is_client_streaming() {
            Shape::ClientStream
        } else if method.is_server_streaming() {
            Shape::ServerStream
        } else {
            Shape::Unary
        }
    }
}

/// What calling a method twice does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    Read,
    Idempotent,
    Once,
}

impl Contract {
    pub(crate) fn read(schema: &Schema) -> Result<Contract, Error> {
        let mut problems = Problems::default();
        let mut rules = BTreeMap::new();
        for file in schema.ours() {
            if file.syntax() != Syntax::Proto3 {
                problems.push(format!(
                    "{}: begin it with syntax = \"proto3\"; other editions are not supported",
                    file.name()
                ));
            }
            for message in messages(file.messages()) {
                for field in message.fields() {
                    if let Some(found) = rule::read(schema, &field, &mut problems) {
                        rules.insert(field.full_name().to_owned(), found);
                    }
                }
            }
        }
        let mut services = Vec::new();
        for file in schema.ours() {
            services.extend(
                file.services()
                    .map(|service| Service::read(schema, service, &mut problems)),
            );
        }
        refuse_same_names(&services, &mut problems);
        route::refuse_conflicts(&services, &mut problems);
        problems.or(Contract { services, rules })
    }

    pub(crate) fn rules_of(&self, field: &FieldDescriptor) -> Option<&Rules> {
        self.rules.get(field.full_name())
    }
}

impl Service {
    fn read(schema: &Schema, descriptor: ServiceDescriptor, problems: &mut Problems) -> Service {
        let file = descriptor.parent_file();
        let index = descriptor
            .path()
            .get(1)
            .and_then(|index| usize::try_from(*index).ok())
            .unwrap_or_default();
        let short = match descriptor.name().strip_suffix("Service") {
            Some(short) if !short.is_empty() => name::camel(short),
            _ => name::camel(descriptor.name()),
        };
        let methods = descriptor
            .methods()
            .enumerate()
            .map(|(place, method)| {
                let docs = comment::method(file.file_descriptor_proto(), index, place)
                    .unwrap_or_else(|| vec![format!("Calls `{}`.", method.name())]);
                Method::read(schema, method, docs, problems)
            })
            .collect();
        Service {
            name: descriptor.full_name().to_owned(),
            target: target(descriptor.package_name(), &short),
            docs: comment::service(file.file_descriptor_proto(), index)
                .unwrap_or_else(|| vec![format!("The service `{}`.", descriptor.full_name())]),
            descriptor,
            short,
            methods,
        }
    }

    /// Name of the function that mounts it, for example `rating`.
    pub(crate) fn function(&self) -> String {
        name::snake(&self.short)
    }

    /// Name of the static that describes it, for example `RATING_SERVICE`.
    pub(crate) fn constant(&self) -> String {
        format!("{}_SERVICE", name::shouty(&self.short))
    }

    pub(crate) fn openapi_file(&self) -> String {
        format!("openapi.{}.json", self.name)
    }
}

impl Method {
    fn read(
        schema: &Schema,
        descriptor: MethodDescriptor,
        docs: Vec<String>,
        problems: &mut Problems,
    ) -> Method {
        let shape = Shape::of(&descriptor);
        if descriptor.is_client_streaming() && descriptor.is_server_streaming() {
            problems.push(format!(
                "{}: streams in both directions are not supported; stream the requests or the answers, or make it two methods",
                descriptor.full_name()
            ));
        }
        for message in [descriptor.input(), descriptor.output()] {
            if message.package_name() == "google.protobuf" && message.name() != "Empty" {
                problems.push(format!(
                    "{}: {} cannot be a request or an answer by itself; put it into a message of your own",
                    descriptor.full_name(),
                    message.full_name()
                ));
            }
        }
        let options = descriptor
            .method_descriptor_proto()
            .options
            .clone()
            .unwrap_or_default();
        let effect = match options.idempotency_level() {
            IdempotencyLevel::NoSideEffects => Effect::Read,
            IdempotencyLevel::Idempotent => Effect::Idempotent,
            IdempotencyLevel::IdempotencyUnknown => Effect::Once,
        };
        let routes = route::read(schema, &descriptor, problems);
        Method {
            descriptor,
            shape,
            effect,
            docs,
            routes,
        }
    }
}

/// Messages and the messages inside them, without the entries of maps.
pub(crate) fn messages(outer: impl Iterator<Item = MessageDescriptor>) -> Vec<MessageDescriptor> {
    let mut all = Vec::new();
    for message in outer.filter(|message| !message.is_map_entry()) {
        let nested = messages(message.child_messages());
        all.push(message);
        all.extend(nested);
    }
    all
}

/// The package segment before the version; without a package, the service's own name.
fn target(package: &str, short: &str) -> String {
    let segments = package
        .split('.')
        .filter(|segment| !segment.is_empty())
        .rev();
    segments
        .into_iter()
        .find(|segment| !name::is_version(segment))
        .map_or_else(|| name::snake(short).replace('_', "-"), str::to_owned)
}

fn refuse_same_names(services: &[Service], problems: &mut Problems) {
    let mut seen = BTreeMap::new();
    for service in services {
        if let Some(other) = seen.insert(service.short.as_str(), service.name.as_str()) {
            problems.push(format!(
                "{} and {other} would both become the trait {}: rename one, or compile them as two contracts",
                service.name, service.short
            ));
        }
    }
}
