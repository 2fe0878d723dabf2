//! Small contracts compiled from a temporary folder: what comes out, and what is refused.

#![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

mod code;
mod compatibility;
mod openapi;
mod refusals;

use backlot_build::{Contract, Error};
use std::fs;
use tempfile::TempDir;

/// A compiled contract.
struct Compiled(TempDir);

impl Compiled {
    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.path().join(name)).unwrap()
    }

    fn code(&self) -> String {
        self.read("contract.rs")
    }
}

const IMPORTS: &str = r#"
import "google/api/annotations.proto";
import "buf/validate/validate.proto";
import "backlot/json/v1/json.proto";
"#;

/// Compiles files, each a name and what follows `syntax`.
fn compile_files(files: &[(&str, String)]) -> Result<Compiled, Error> {
    let folder = tempfile::tempdir().unwrap();
    let mut contract = Contract::new()
        .include(folder.path())
        .out_dir(folder.path());
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, format!("syntax = \"proto3\";\n{text}")).unwrap();
        contract = contract.file(*name);
    }
    contract.compile()?;
    Ok(Compiled(folder))
}

/// Compiles one file of the package `shop.cart.v1`.
fn compile(text: &str) -> Result<Compiled, Error> {
    compile_files(&[(
        "shop/cart/v1/cart.proto",
        format!("package shop.cart.v1;\n{IMPORTS}\n{text}"),
    )])
}

/// What is wrong with one file.
fn refusal(text: &str) -> String {
    match compile(text) {
        Ok(_) => panic!("compiled: {text}"),
        Err(error) => error.to_string(),
    }
}

#[track_caller]
fn assert_has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is missing in:\n{text}");
    }
}
