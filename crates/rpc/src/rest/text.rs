//! Values of fields from the text of a path or a query.

use super::json::{self, Form};
use backlot_core::{Error, Violation};
use prost_reflect::{FieldDescriptor, Kind, Value};
use std::borrow::Cow;

/// Undoes percent-encoding; `plus` also makes spaces of plus signs, as in a query.
///
/// # Errors
/// `InvalidArgument` for a malformed escape, or text that is not UTF-8.
pub(super) fn decode(text: &str, plus: bool) -> Result<Cow<'_, str>, Error> {
    if !text
        .bytes()
        .any(|byte| byte == b'%' || (plus && byte == b'+'))
    {
        return Ok(Cow::Borrowed(text));
    }
    let malformed = || Error::invalid_argument(format!("{text:?} is not percent-encoded UTF-8"));
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let mut digit = || bytes.next().and_then(|byte| char::from(byte).to_digit(16));
                let (high, low) = (
                    digit().ok_or_else(malformed)?,
                    digit().ok_or_else(malformed)?,
                );
                u8::try_from(high * 16 + low).map_err(|_| malformed())?
            }
            b'+' if plus => b' ',
            byte => byte,
        });
    }
    String::from_utf8(decoded)
        .map(Cow::Owned)
        .map_err(|_| malformed())
}

/// The value of one item of `field` that `text` stands for.
///
/// # Errors
/// What the text should be, naming the field as the caller spells it: `name`.
pub(super) fn value(
    form: &Form,
    field: &FieldDescriptor,
    name: &str,
    text: &str,
) -> Result<Value, Violation> {
    let wrong = |expected: &str| {
        Violation::new(
            name,
            format!("must be {expected}, got {}", json::shown(text)),
        )
    };
    if form.is_halves(field) {
        let stars: f64 = text.parse().map_err(|_| wrong("a number"))?;
        return json::halves(stars)
            .map(Value::I32)
            .map_err(|expected| wrong(&expected));
    }
    match field.kind() {
        Kind::String => Ok(Value::String(text.to_owned())),
        Kind::Bool => text
            .parse()
            .map(Value::Bool)
            .map_err(|_| wrong("true or false")),
        // Everything else reads text as JSON reads it.
        kind => json::single(
            form,
            &kind,
            serde_json::Value::String(text.to_owned()),
            name,
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_undone() {
        assert_eq!(decode("tt%2F1+%C3%A9", false).unwrap(), "tt/1+é");
        assert_eq!(decode("a+b%2B", true).unwrap(), "a b+");
    }

    #[test]
    fn a_malformed_escape_is_the_callers_fault() {
        for text in ["%", "%1", "%zz", "%FF", "%+1"] {
            assert_eq!(
                decode(text, false).unwrap_err().code(),
                backlot_core::Code::InvalidArgument,
                "{text}"
            );
        }
    }
}
