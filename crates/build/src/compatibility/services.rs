//! Packages, services, methods.

use super::finding::Place;
use super::{Change, Comparison};
use prost_reflect::{MethodDescriptor, ServiceDescriptor};
use prost_types::method_options::IdempotencyLevel;
use std::collections::BTreeSet;

impl Comparison<'_> {
    pub(super) fn packages(&mut self) {
        let released = self.released;
        let kept: BTreeSet<String> = self
            .today
            .ours()
            .map(|file| file.package_name().to_owned())
            .collect();
        let mut gone = BTreeSet::new();
        for file in released.ours() {
            let package = file.package_name();
            if kept.contains(package) {
                for service in file.services() {
                    self.service(&service);
                }
                self.types(&file);
            } else if gone.insert(package.to_owned()) {
                let what = format!("the package {package:?} is gone, or has another name");
                self.findings
                    .push(Place::gone(&file, package).finding(Change::PackageRemoved, what));
            }
        }
        self.taken_routes();
    }

    fn service(&mut self, released: &ServiceDescriptor) {
        let Some(today) = self.today.pool.get_service_by_name(released.full_name()) else {
            let place = Place::gone(&released.parent_file(), released.full_name());
            self.findings.push(place.finding(
                Change::ServiceRemoved,
                "the service is gone, or has another name",
            ));
            return;
        };
        for method in released.methods() {
            match named(&today, method.name()) {
                Some(today) => self.method(&method, &today),
                None => {
                    let place = Place::of(&today.parent_file(), today.path(), method.full_name());
                    self.findings.push(place.finding(
                        Change::MethodRemoved,
                        "the method is gone, or has another name",
                    ));
                }
            }
        }
    }

    fn method(&mut self, released: &MethodDescriptor, today: &MethodDescriptor) {
        let mut find = |change, what: String| {
            self.findings
                .push(method_place(today).finding(change, what));
        };
        let (before, now) = (shape(released), shape(today));
        if before != now {
            find(
                Change::StreamChanged,
                format!("took {before}, and now {now}"),
            );
        }
        let (before, now) = (released.input(), today.input());
        if before.full_name() != now.full_name() {
            let what = format!("took {}, and now {}", before.full_name(), now.full_name());
            find(Change::RequestChanged, what);
        }
        let (before, now) = (released.output(), today.output());
        if before.full_name() != now.full_name() {
            let what = format!(
                "answered {}, and now {}",
                before.full_name(),
                now.full_name()
            );
            find(Change::AnswerChanged, what);
        }
        let (before, now) = (level(released), level(today));
        if promise(now) < promise(before) {
            let what = format!(
                "was {}, and now is {}",
                before.as_str_name(),
                now.as_str_name()
            );
            find(Change::IdempotencyWeakened, what);
        }
        self.routes(released, today);
    }
}

/// The method of this name.
pub(super) fn named(service: &ServiceDescriptor, name: &str) -> Option<MethodDescriptor> {
    service.methods().find(|method| method.name() == name)
}

pub(super) fn method_place(method: &MethodDescriptor) -> Place {
    Place::of(
        &method.parent_service().parent_file(),
        method.path(),
        method.full_name(),
    )
}

fn shape(method: &MethodDescriptor) -> &'static str {
    match (method.is_client_streaming(), method.is_server_streaming()) {
        (false, false) => "one message for one message",
        (true, false) => "a stream of messages for one message",
        (false, true) => "one message for a stream of messages",
        (true, true) => "a stream of messages for a stream of messages",
    }
}

fn level(method: &MethodDescriptor) -> IdempotencyLevel {
    method
        .method_descriptor_proto()
        .options
        .as_ref()
        .map_or(IdempotencyLevel::IdempotencyUnknown, |options| {
            options.idempotency_level()
        })
}

/// How much a level promises.
fn promise(level: IdempotencyLevel) -> u8 {
    match level {
        IdempotencyLevel::IdempotencyUnknown => 0,
        IdempotencyLevel::Idempotent => 1,
        IdempotencyLevel::NoSideEffects => 2,
    }
}
