//! Code from .proto without protoc: messages, service trait, client, validation, routes, OpenAPI.
//!
//! A contract crate's `build.rs`:
//!
//! ```no_run
//! fn main() -> Result<(), backlot_build::Error> {
//!     backlot_build::Contract::new().include("proto").file("movies/rating/v1/rating.proto").compile()
//! }
//! ```
//!
//! and its `lib.rs`:
//!
//! ```ignore
//! include!(concat!(env!("OUT_DIR"), "/contract.rs"));
//! ```
//!
//! A method is asked with a message or a stream of them, and answers with a message or a stream:
//! `requests: Streaming<A>` for `stream A`, `Streaming<B>` for `returns (stream B)`.
//!
//! These may be imported without an include path, and are read rather than turned into code:
//! `google/api/annotations.proto` (REST routes), `buf/validate/validate.proto` (rules),
//! `backlot/json/v1/json.proto` (the form in JSON) and the well-known types of `google/protobuf`.
//!
//! What is refused, with a message that names the place and the cure: a path template that names
//! no field, two rpcs with the same verb and template, a body on GET, a rule that is not supported
//! or does not fit its field, streams in both directions, a stream of requests whose route has no
//! body.
//!
//! | module | what it holds |
//! |---|---|
//! | `schema` | .proto files to descriptors |
//! | `model` | services and methods as read from descriptors |
//! | `route` | `google.api.http` |
//! | `rule` | `buf.validate` |
//! | `comment` | comments to docs |
//! | `name` | Rust names of proto names |
//! | `emit` | Rust code |
//! | `openapi` | OpenAPI 3.1 |
//! | [`compatibility`] | whether callers of an older contract may go on calling |

mod comment;
pub mod compatibility;
mod emit;
mod error;
mod model;
mod name;
mod openapi;
mod route;
mod rule;
mod schema;

pub use error::Error;

use std::fs;
use std::path::{Path, PathBuf};

/// What generated code refers to, unless told otherwise.
const RUNTIME: &str = "::backlot::rpc::generated";

/// A set of .proto files that become one module of code.
#[derive(Clone, Debug)]
pub struct Contract {
    includes: Vec<PathBuf>,
    files: Vec<PathBuf>,
    runtime: String,
    out_dir: Option<PathBuf>,
}

impl Default for Contract {
    fn default() -> Self {
        Contract {
            includes: Vec::new(),
            files: Vec::new(),
            runtime: RUNTIME.to_owned(),
            out_dir: None,
        }
    }
}

impl Contract {
    /// An empty contract.
    #[must_use]
    pub fn new() -> Self {
        Contract::default()
    }

    /// Adds a folder in which files and their imports are looked up.
    #[must_use]
    pub fn include(mut self, folder: impl Into<PathBuf>) -> Self {
        self.includes.push(folder.into());
        self
    }

    /// Adds a file, named as an import would name it.
    #[must_use]
    pub fn file(mut self, name: impl Into<PathBuf>) -> Self {
        self.files.push(name.into());
        self
    }

    /// The path of the module generated code refers to; `::backlot::rpc::generated` unless set.
    #[must_use]
    pub fn runtime(mut self, path: impl Into<String>) -> Self {
        self.runtime = path.into();
        self
    }

    /// Where the code goes; cargo's `OUT_DIR` unless set.
    #[must_use]
    pub fn out_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.out_dir = Some(folder.into());
        self
    }

    /// Reads the files and writes `contract.rs`, `contract.bin` (the encoded descriptors) and
    /// `openapi.SERVICE.json` for each service; tells cargo which files were read.
    ///
    /// # Errors
    /// All that is wrong with the files at once; or that a file cannot be read or written.
    pub fn compile(self) -> Result<(), Error> {
        let out_dir = match self.out_dir {
            Some(folder) => folder,
            None => std::env::var_os("OUT_DIR")
                .map(PathBuf::from)
                .ok_or_else(|| {
                    Error::new("OUT_DIR is not set: call this from build.rs, or set `out_dir`")
                })?,
        };
        for folder in &self.includes {
            println!("cargo::rerun-if-changed={}", folder.display());
        }
        let schema = schema::Schema::read(&self.includes, &self.files)?;
        let contract = model::Contract::read(&schema)?;
        write(&out_dir, "contract.bin", &schema.encoded)?;
        for service in &contract.services {
            let document = openapi::document(&contract, service);
            let text = serde_json::to_string_pretty(&document).map_err(|cause| {
                Error::new(format!("the OpenAPI document of {}: {cause}", service.name))
            })?;
            write(&out_dir, &service.openapi_file(), text.as_bytes())?;
        }
        let code = emit::contract(&schema, &contract, &self.runtime)?;
        write(&out_dir, "contract.rs", code.as_bytes())
    }
}

/// Writes a file unless it is already so: an unchanged time stamp spares a rebuild.
fn write(folder: &Path, name: &str, content: &[u8]) -> Result<(), Error> {
    let path = folder.join(name);
    if fs::read(&path).is_ok_and(|old| old == content) {
        return Ok(());
    }
    fs::write(&path, content)
        .map_err(|cause| Error::new(format!("{} cannot be written: {cause}", path.display())))
}
