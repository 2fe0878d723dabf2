//! Comments to docs. An item nobody commented gets a plain sentence, since every public item of a
//! contract is documented.

use prost_types::source_code_info::Location;
use prost_types::{DescriptorProto, EnumDescriptorProto, FileDescriptorProto};
use std::collections::BTreeMap;

// Field numbers of descriptor.proto, which paths are made of.
const FILE_MESSAGE: i32 = 4;
const FILE_ENUM: i32 = 5;
const FILE_SERVICE: i32 = 6;
const SERVICE_METHOD: i32 = 2;
const MESSAGE_FIELD: i32 = 2;
const MESSAGE_NESTED: i32 = 3;
const MESSAGE_ENUM: i32 = 4;
const MESSAGE_ONEOF: i32 = 8;
const ENUM_VALUE: i32 = 2;

/// The file with a comment on everything that becomes a public item.
pub(crate) fn complete(file: &FileDescriptorProto) -> FileDescriptorProto {
    let mut file = file.clone();
    let mut locations = Locations(BTreeMap::new());
    for location in file.source_code_info.take().unwrap_or_default().location {
        locations.0.entry(location.path.clone()).or_insert(location);
    }
    let purposes = purposes(&file);
    for (index, message) in file.message_type.iter().enumerate() {
        let purpose = purposes.get(message.name()).cloned();
        locations.message(&[FILE_MESSAGE, place(index)], message, purpose);
    }
    for (index, kind) in file.enum_type.iter().enumerate() {
        locations.kind(&[FILE_ENUM, place(index)], kind);
    }
    for service in 0..file.service.len() {
        let path = vec![FILE_SERVICE, place(service)];
        locations.0.entry(path.clone()).or_insert_with(|| Location {
            path,
            ..Location::default()
        });
    }
    let location = locations.0.into_values().collect();
    file.source_code_info = Some(prost_types::SourceCodeInfo { location });
    file
}

/// The comment of a service, line by line.
pub(crate) fn service(file: &FileDescriptorProto, index: usize) -> Option<Vec<String>> {
    lines(file, &[FILE_SERVICE, place(index)])
}

/// The comment of a method, line by line.
pub(crate) fn method(
    file: &FileDescriptorProto,
    service: usize,
    index: usize,
) -> Option<Vec<String>> {
    lines(
        file,
        &[FILE_SERVICE, place(service), SERVICE_METHOD, place(index)],
    )
}

/// The comment at a path, line by line, without the space that follows `//`.
pub(crate) fn lines(file: &FileDescriptorProto, path: &[i32]) -> Option<Vec<String>> {
    let info = file.source_code_info.as_ref()?;
    let location = info
        .location
        .iter()
        .find(|location| location.path == path)?;
    let text = location
        .leading_comments
        .as_deref()
        .or(location.trailing_comments.as_deref())?;
    let lines: Vec<String> = text
        .trim_end()
        .lines()
        .map(|line| line.strip_prefix(' ').unwrap_or(line).trim_end().to_owned())
        .collect();
    (!lines.is_empty()).then_some(lines)
}

/// A line as rustdoc shows it unchanged.
pub(crate) fn doc(line: &str) -> String {
    escape(line, &['<', '>', '[', ']'])
}

/// Puts a backslash before `marks`, but not inside backticks.
fn escape(text: &str, marks: &[char]) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut code = false;
    for letter in text.chars() {
        code ^= letter == '`';
        if !code && marks.contains(&letter) {
            escaped.push('\\');
        }
        escaped.push(letter);
    }
    escaped
}

/// Requests and answers say whose they are.
fn purposes(file: &FileDescriptorProto) -> BTreeMap<String, String> {
    let mut purposes = BTreeMap::new();
    let package = format!(".{}.", file.package());
    for method in file.service.iter().flat_map(|service| &service.method) {
        let answer = if method.server_streaming() {
            "An item of the stream of"
        } else {
            "The answer to"
        };
        for (name, role) in [
            (method.input_type(), "The request of"),
            (method.output_type(), answer),
        ] {
            if let Some(name) = name.strip_prefix(&package) {
                purposes
                    .entry(name.to_owned())
                    .or_insert_with(|| format!("{role} `{}`.", method.name()));
            }
        }
    }
    purposes
}

struct Locations(BTreeMap<Vec<i32>, Location>);

impl Locations {
    fn message(&mut self, path: &[i32], message: &DescriptorProto, purpose: Option<String>) {
        self.ensure(path.to_vec(), || {
            purpose.unwrap_or_else(|| format!("The message `{}`.", message.name()))
        });
        for (index, field) in message.field.iter().enumerate() {
            self.ensure(under(path, MESSAGE_FIELD, index), || {
                format!("The field `{}`.", field.name())
            });
        }
        for (index, oneof) in message.oneof_decl.iter().enumerate() {
            self.ensure(under(path, MESSAGE_ONEOF, index), || {
                format!("One of `{}`.", oneof.name())
            });
        }
        for (index, nested) in message.nested_type.iter().enumerate() {
            self.message(&under(path, MESSAGE_NESTED, index), nested, None);
        }
        for (index, kind) in message.enum_type.iter().enumerate() {
            self.kind(&under(path, MESSAGE_ENUM, index), kind);
        }
    }

    fn kind(&mut self, path: &[i32], kind: &EnumDescriptorProto) {
        self.ensure(path.to_vec(), || format!("The kinds of `{}`.", kind.name()));
        for (index, value) in kind.value.iter().enumerate() {
            self.ensure(under(path, ENUM_VALUE, index), || {
                format!("The value `{}`.", value.name())
            });
        }
    }

    fn ensure(&mut self, path: Vec<i32>, text: impl FnOnce() -> String) {
        let location = self.0.entry(path.clone()).or_insert_with(|| Location {
            path,
            ..Location::default()
        });
        for text in [
            &mut location.leading_comments,
            &mut location.trailing_comments,
        ]
        .into_iter()
        .flatten()
        {
            *text = escape(text, &['<', '>']);
        }
        // Detached blocks would come out as plain comments in odd places.
        location.leading_detached_comments.clear();
        let empty =
            |text: &Option<String>| text.as_deref().is_none_or(|text| text.trim().is_empty());
        if empty(&location.leading_comments) && empty(&location.trailing_comments) {
            location.leading_comments = Some(format!(" {}\n", text()));
        }
    }
}

fn under(path: &[i32], part: i32, index: usize) -> Vec<i32> {
    let mut path = path.to_vec();
    path.extend([part, place(index)]);
    path
}

fn place(index: usize) -> i32 {
    // A file has far fewer items than 2^31; a wrong place would only miss a comment.
    i32::try_from(index).unwrap_or(i32::MAX)
}
