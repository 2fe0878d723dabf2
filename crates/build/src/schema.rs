//! .proto files to descriptors.

use crate::Error;
use crate::comment;
use prost_reflect::{DescriptorPool, ExtensionDescriptor, FileDescriptor};
use prost_types::FileDescriptorProto;
use protox::Compiler;
use protox::file::{
    ChainFileResolver, File, FileResolver, GoogleFileResolver, IncludeFileResolver,
};
use std::path::PathBuf;

/// Files every contract may import without having them. They carry options alone and never
/// become code.
const EMBEDDED: [(&str, &str); 4] = [
    (
        "google/api/http.proto",
        include_str!("../proto/google/api/http.proto"),
    ),
    (
        "google/api/annotations.proto",
        include_str!("../proto/google/api/annotations.proto"),
    ),
    (
        "buf/validate/validate.proto",
        include_str!("../proto/buf/validate/validate.proto"),
    ),
    (
        "backlot/json/v1/json.proto",
        include_str!("../proto/backlot/json/v1/json.proto"),
    ),
];

/// The descriptors of a contract.
pub(crate) struct Schema {
    /// All files, imports and options included.
    pub(crate) pool: DescriptorPool,
    /// What prost is given: the files that become code, each item with a comment, and the
    /// well-known types they may use, of which it makes no code.
    pub(crate) files: Vec<FileDescriptorProto>,
    /// An encoded `FileDescriptorSet` of all files with their options, without comments.
    pub(crate) encoded: Vec<u8>,
    /// The options read here.
    pub(crate) options: Options,
}

/// The options read here; absent when no file of the contract imports them.
pub(crate) struct Options {
    pub(crate) http: Option<ExtensionDescriptor>,
    pub(crate) validate: Option<ExtensionDescriptor>,
    pub(crate) halves: Option<ExtensionDescriptor>,
}

impl Schema {
    pub(crate) fn read(includes: &[PathBuf], files: &[PathBuf]) -> Result<Schema, Error> {
        let mut resolver = ChainFileResolver::new();
        for folder in includes {
            resolver.add(IncludeFileResolver::new(folder.clone()));
        }
        resolver.add(Embedded);
        resolver.add(GoogleFileResolver::new());
        let mut compiler = Compiler::with_file_resolver(resolver);
        // The debug form of this error shows the place in the file.
        compiler
            .open_files(files)
            .map_err(|cause| Error::new(format!("{cause:?}")))?;

        let encoded = compiler
            .include_imports(true)
            .include_source_info(false)
            .encode_file_descriptor_set();
        let pool = compiler.descriptor_pool();
        let known = pool
            .files()
            .filter(|file| file.package_name() == "google.protobuf");
        let files = pool
            .files()
            .filter(is_ours)
            .map(|file| comment::complete(file.file_descriptor_proto()))
            .chain(known.map(|file| file.file_descriptor_proto().clone()))
            .collect();
        let options = Options {
            http: pool.get_extension_by_name("google.api.http"),
            validate: pool.get_extension_by_name("buf.validate.field"),
            halves: pool.get_extension_by_name("backlot.json.v1.halves"),
        };
        Ok(Schema {
            pool,
            files,
            encoded,
            options,
        })
    }

    /// The files that become code.
    pub(crate) fn ours(&self) -> impl Iterator<Item = FileDescriptor> + '_ {
        self.pool.files().filter(is_ours)
    }
}

fn is_ours(file: &FileDescriptor) -> bool {
    file.package_name() != "google.protobuf"
        && EMBEDDED.iter().all(|(name, _)| *name != file.name())
}

struct Embedded;

impl FileResolver for Embedded {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        match EMBEDDED.iter().find(|(embedded, _)| *embedded == name) {
            Some((name, text)) => File::from_source(name, text),
            None => Err(protox::Error::file_not_found(name)),
        }
    }
}
