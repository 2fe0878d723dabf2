//! Which module a package becomes, and how its types are reached.

use crate::name;
use crate::schema::Schema;
use prost_reflect::{EnumDescriptor, MessageDescriptor};
use std::collections::BTreeSet;

/// The packages of a contract.
pub(super) struct Packages {
    pub(super) all: BTreeSet<String>,
    /// How many leading segments all packages share and no module shows: 0 or 1.
    dropped: usize,
}

impl Packages {
    pub(super) fn of(schema: &Schema) -> Packages {
        let all: BTreeSet<String> = schema
            .ours()
            .map(|file| file.package_name().to_owned())
            .collect();
        let firsts: BTreeSet<&str> = all
            .iter()
            .filter_map(|package| package.split('.').next())
            .collect();
        // `rating.v1` stays as it is: a module that is only a version says nothing.
        let long = all.iter().all(|package| package.split('.').count() >= 3);
        Packages {
            dropped: usize::from(firsts.len() == 1 && long),
            all,
        }
    }

    /// The modules of a package, outermost first.
    pub(super) fn modules(&self, package: &str) -> Vec<String> {
        name::modules(package).split_off(self.dropped)
    }

    /// A message as the root of the contract reaches it.
    pub(super) fn at_root(&self, message: &MessageDescriptor) -> String {
        if message.full_name() == "google.protobuf.Empty" {
            return "()".to_owned();
        }
        let mut path = vec!["self".to_owned()];
        path.extend(self.modules(message.package_name()));
        path.push(within_package(message));
        path.join("::")
    }

    /// An enum as the module of `package` reaches it.
    pub(super) fn enum_from(&self, package: &str, kind: &EnumDescriptor) -> String {
        let own = match kind.parent_message() {
            Some(parent) => format!("{}::{}", inside(&parent), name::camel(kind.name())),
            None => name::camel(kind.name()),
        };
        if kind.package_name() == package {
            return own;
        }
        let mut path = vec!["super".to_owned(); self.modules(package).len()];
        path.extend(self.modules(kind.package_name()));
        path.push(own);
        path.join("::")
    }
}

/// A message as its own package's module reaches it.
pub(super) fn within_package(message: &MessageDescriptor) -> String {
    match message.parent_message() {
        Some(parent) => format!("{}::{}", inside(&parent), name::camel(message.name())),
        None => name::camel(message.name()),
    }
}

/// The module of what is nested in a message.
pub(super) fn inside(message: &MessageDescriptor) -> String {
    let own = name::snake(message.name());
    match message.parent_message() {
        Some(parent) => format!("{}::{own}", inside(&parent)),
        None => own,
    }
}
