//! Canonical proto3 JSON, with the forms a contract may ask for on top.

mod read;
#[cfg(test)]
mod tests;
mod write;

pub(super) use read::{Reader, document, line, single};
pub(super) use write::Written;

use prost_reflect::{DescriptorPool, FieldDescriptor, Kind};
use std::collections::BTreeSet;

/// How fields look in JSON where that differs from the canonical form.
#[derive(Debug, Default)]
pub(super) struct Form {
    /// Full names of int32 fields that count halves.
    halves: BTreeSet<String>,
}

impl Form {
    pub(super) fn of(pool: &DescriptorPool) -> Form {
        let Some(extension) = pool.get_extension_by_name("backlot.json.v1.halves") else {
            return Form::default();
        };
        let fields = pool
            .all_messages()
            .flat_map(|message| message.fields().collect::<Vec<_>>());
        let is_marked = |field: &FieldDescriptor| {
            field.options().get_extension(&extension).as_bool() == Some(true)
        };
        Form {
            halves: fields
                .filter(is_marked)
                .map(|field| field.full_name().to_owned())
                .collect(),
        }
    }

    /// Whether a field counts halves, and is a number with halves in JSON.
    pub(super) fn is_halves(&self, field: &FieldDescriptor) -> bool {
        !self.halves.is_empty()
            && field.kind() == Kind::Int32
            && self.halves.contains(field.full_name())
    }
}

/// How many halves a number is.
///
/// # Errors
/// What it should have been.
pub(super) fn halves(number: f64) -> Result<i32, String> {
    let halves = number * 2.0;
    if halves.fract() != 0.0 {
        return Err("a multiple of 0.5".to_owned());
    }
    if halves < f64::from(i32::MIN) || halves > f64::from(i32::MAX) {
        return Err(format!(
            "{} to {}",
            f64::from(i32::MIN) / 2.0,
            f64::from(i32::MAX) / 2.0
        ));
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "whole and in range, as checked above"
    )]
    Ok(halves as i32)
}

/// A wrong text as it may be shown.
pub(super) fn shown(text: &str) -> String {
    crate::Violations::quote(text)
}
