//! Rust code: modules of messages with their rules, then the services.

mod message;
mod package;
mod service;
pub(crate) mod text;
mod validation;
mod writer;

use crate::Error;
use crate::model::Contract;
use crate::schema::Schema;
use package::Packages;
use writer::Writer;

/// The content of `contract.rs`.
pub(crate) fn contract(
    schema: &Schema,
    contract: &Contract,
    runtime: &str,
) -> Result<String, Error> {
    let packages = Packages::of(schema);
    let mut out = Writer::new();
    message::emit(&mut out, schema, contract, &packages, runtime)?;
    if !contract.services.is_empty() {
        out.blank();
        out.line("/// The descriptors of this contract: an encoded `FileDescriptorSet` with imports and options.");
        // Beside the code, wherever that is: a package may hold several contracts.
        out.line("pub const DESCRIPTORS: &[u8] = include_bytes!(\"contract.bin\");");
    }
    for service in &contract.services {
        service::emit(&mut out, service, &packages, runtime);
    }
    Ok(out.into_text())
}
