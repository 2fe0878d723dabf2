//! Modules of messages: what prost makes of them, and their rules.

use super::package::Packages;
use super::validation;
use super::writer::Writer;
use crate::Error;
use crate::model::{self, Contract};
use crate::schema::Schema;
use prost_build::Module;
use prost_reflect::MessageDescriptor;
use std::collections::{BTreeMap, BTreeSet};

/// What generated modules are excused from; their docs are complete.
const EXCUSE: &str = "#[allow(clippy::all, clippy::allow_attributes_without_reason, clippy::unwrap_used, deprecated, \
                      unused_comparisons, unreachable_pub, reason = \"written by a generator\")]";

/// A package, or a part of a package's name.
#[derive(Default)]
struct Node {
    children: BTreeMap<String, Node>,
    package: Option<String>,
    code: String,
}

pub(super) fn emit(
    out: &mut Writer,
    schema: &Schema,
    contract: &Contract,
    packages: &Packages,
    runtime: &str,
) -> Result<(), Error> {
    let mut config = prost_build::Config::new();
    config.btree_map(["."]);
    config.prost_path(format!("{runtime}::prost"));
    config.prost_types_path(format!("{runtime}::prost_types"));
    // The derived Debug of a sorted map names the crate prost itself, which a contract need not have.
    let mapped = with_maps(schema);
    config.skip_debug(&mapped);
    for path in &mapped {
        config.type_attribute(path, "#[derive(Debug)]");
    }
    let requests = schema
        .files
        .iter()
        .map(|file| {
            (
                Module::from_protobuf_package_name(file.package()),
                file.clone(),
            )
        })
        .collect();
    let generated = config
        .generate(requests)
        .map_err(|cause| Error::new(format!("messages cannot be generated: {cause}")))?;
    let generated: BTreeMap<Module, String> = generated.into_iter().collect();

    let validated = validation::validated(schema, contract);
    let mut root = Node::default();
    for package in &packages.all {
        let mut node = &mut root;
        for module in packages.modules(package) {
            node = node.children.entry(module).or_default();
        }
        let code = generated
            .get(&Module::from_protobuf_package_name(package))
            .map(String::as_str)
            .unwrap_or_default();
        let rules = validation::emit(schema, contract, packages, package, &validated, runtime);
        node.package = Some(package.clone());
        // The first line is prost's notice, not a doc.
        node.code = format!(
            "{}\n{rules}",
            code.split_once('\n').map_or("", |(_, code)| code)
        );
    }
    out.block(&root.code);
    for (name, node) in &root.children {
        module(out, name, node);
    }
    out.blank();
    for package in &packages.all {
        let modules = packages.modules(package);
        if !modules.is_empty() {
            out.line("#[allow(unused_imports, ambiguous_glob_reexports, reason = \"written by a generator\")]");
            out.line("#[doc(inline)]");
            out.line(format!("pub use self::{}::*;", modules.join("::")));
        }
    }
    Ok(())
}

/// Paths of the outermost messages that have maps, or messages inside of them that have.
fn with_maps(schema: &Schema) -> BTreeSet<String> {
    let outermost = schema
        .ours()
        .flat_map(|file| file.messages().collect::<Vec<_>>());
    let has_map = |message: &MessageDescriptor| message.fields().any(|field| field.is_map());
    outermost
        .filter(|message| {
            model::messages(std::iter::once(message.clone()))
                .iter()
                .any(has_map)
        })
        .map(|message| format!(".{}", message.full_name()))
        .collect()
}

fn module(out: &mut Writer, name: &str, node: &Node) {
    match &node.package {
        Some(package) => out.line(format!("/// The package `{package}`.")),
        None => out.line(format!("/// The versions of `{name}`.")),
    }
    if node.package.is_some() {
        out.line(EXCUSE);
    }
    out.open(format!("pub mod {name} {{"));
    out.block(&node.code);
    for (name, child) in &node.children {
        module(out, name, child);
    }
    out.close("}");
}
