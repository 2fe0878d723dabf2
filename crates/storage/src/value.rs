//! What goes into a statement and comes out of one.

use crate::StoreError;
use backlot_core::Timestamp;
use serde::{Deserialize, Serialize};

/// A parameter of a statement, borrowed. It is serialized as a [`Value`] is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub enum Param<'a> {
    /// SQL's NULL.
    Null,
    /// A whole number; truth is 0 or 1.
    Int(i64),
    /// A floating-point number.
    Real(f64),
    /// Text.
    Text(&'a str),
    /// Bytes.
    Blob(&'a [u8]),
}

/// A value of a row, owned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Value {
    /// SQL's NULL.
    Null,
    /// A whole number.
    Int(i64),
    /// A floating-point number.
    Real(f64),
    /// Text.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
}

impl Value {
    /// What kind of value this is, for messages.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Int(_) => "a whole number",
            Value::Real(_) => "a floating-point number",
            Value::Text(_) => "text",
            Value::Blob(_) => "bytes",
        }
    }
}

impl From<Param<'_>> for Value {
    fn from(param: Param<'_>) -> Self {
        match param {
            Param::Null => Value::Null,
            Param::Int(number) => Value::Int(number),
            Param::Real(number) => Value::Real(number),
            Param::Text(text) => Value::Text(text.to_owned()),
            Param::Blob(bytes) => Value::Blob(bytes.to_owned()),
        }
    }
}

impl<'a> From<&'a Value> for Param<'a> {
    fn from(value: &'a Value) -> Self {
        match value {
            Value::Null => Param::Null,
            Value::Int(number) => Param::Int(*number),
            Value::Real(number) => Param::Real(*number),
            Value::Text(text) => Param::Text(text),
            Value::Blob(bytes) => Param::Blob(bytes),
        }
    }
}

/// Refuses what not every database keeps as it is, so that none does: U+0000 in text, and numbers
/// that are none.
pub(crate) fn check(params: &[Param<'_>]) -> Result<(), StoreError> {
    for (index, param) in params.iter().enumerate() {
        let problem = match param {
            Param::Text(text) if text.as_bytes().contains(&0) => {
                "holds the character U+0000, which no text may hold: leave it out, or keep bytes"
            }
            Param::Real(number) if !number.is_finite() => "is not a finite number",
            _ => continue,
        };
        return Err(StoreError::Value {
            parameter: index + 1,
            problem: problem.to_owned(),
        });
    }
    Ok(())
}

macro_rules! copied {
    ($($kind:ident: $($from:ty),*;)*) => {$($(
        impl From<$from> for Param<'_> {
            fn from(value: $from) -> Self {
                Param::$kind(value.into())
            }
        }
        impl From<&$from> for Param<'_> {
            fn from(value: &$from) -> Self {
                Param::$kind((*value).into())
            }
        }
        impl<'a> From<&'a Option<$from>> for Param<'a> {
            fn from(value: &'a Option<$from>) -> Self {
                value.as_ref().map_or(Param::Null, Into::into)
            }
        }
    )*)*};
}
copied! {
    Int: i8, i16, i32, i64, u8, u16, u32, bool;
    Real: f32, f64;
}

macro_rules! borrowed {
    ($($kind:ident: $($from:ty),*;)*) => {$($(
        impl<'a> From<&'a $from> for Param<'a> {
            fn from(value: &'a $from) -> Self {
                Param::$kind(value)
            }
        }
    )*)*};
}
borrowed! {
    Text: str, String;
    Blob: [u8], Vec<u8>;
}

macro_rules! borrowed_options {
    ($($from:ty),*) => {$(
        impl<'a> From<&'a Option<$from>> for Param<'a> {
            fn from(value: &'a Option<$from>) -> Self {
                value.as_ref().map_or(Param::Null, Into::into)
            }
        }
    )*};
}
borrowed_options!(String, Vec<u8>);

impl<'a, const N: usize> From<&'a [u8; N]> for Param<'a> {
    fn from(bytes: &'a [u8; N]) -> Self {
        Param::Blob(bytes)
    }
}

impl From<Timestamp> for Param<'_> {
    /// Milliseconds since 1970 UTC.
    fn from(at: Timestamp) -> Self {
        Param::Int(at.0)
    }
}

impl<'a, T: Into<Param<'a>>> From<Option<T>> for Param<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Param::Null, Into::into)
    }
}

/// What a statement takes as its parameters: an array, slice or vector of [`Param`], or a
/// reference to one. Sealed.
pub trait Params: Send + sealed::Sealed {
    /// The parameters, in the order of their placeholders.
    fn params(&self) -> &[Param<'_>];
}

mod sealed {
    pub trait Sealed {}
    impl<const N: usize> Sealed for [super::Param<'_>; N] {}
    impl Sealed for [super::Param<'_>] {}
    impl Sealed for Vec<super::Param<'_>> {}
    impl<T: Sealed + ?Sized> Sealed for &T {}
}

impl<const N: usize> Params for [Param<'_>; N] {
    fn params(&self) -> &[Param<'_>] {
        self
    }
}

impl Params for [Param<'_>] {
    fn params(&self) -> &[Param<'_>] {
        self
    }
}

impl Params for Vec<Param<'_>> {
    fn params(&self) -> &[Param<'_>] {
        self
    }
}

impl<T: Params + Sync + ?Sized> Params for &T {
    fn params(&self) -> &[Param<'_>] {
        (**self).params()
    }
}

/// An array of [`Param`]: numbers and truth by value, text and bytes by reference, options of
/// either.
///
/// ```
/// use backlot_storage::{Param, params};
///
/// let (title, year, note) = ("Heat".to_owned(), 1995, None::<&str>);
/// assert_eq!(params![&title, year, note], [Param::Text("Heat"), Param::Int(1995), Param::Null]);
/// ```
#[macro_export]
macro_rules! params {
    () => {{
        let none: [$crate::Param<'static>; 0] = [];
        none
    }};
    ($($param:expr),+ $(,)?) => {
        [$($crate::Param::from($param)),+]
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_a_service_keeps_becomes_a_parameter() {
        let (owned, bytes, option) = ("text".to_owned(), vec![1_u8], Some("x".to_owned()));
        let made = params![
            1_i32,
            &2_i64,
            3_u32,
            true,
            0.5,
            &owned,
            "text",
            &bytes,
            &option,
            None::<i64>,
            Timestamp(4)
        ];
        assert_eq!(made[0], Param::Int(1));
        assert_eq!(made[3], Param::Int(1));
        assert_eq!(made[5], made[6]);
        assert_eq!(made[7], Param::Blob(&[1]));
        assert_eq!(made[8], Param::Text("x"));
        assert_eq!(made[9], Param::Null);
        assert_eq!(made[10], Param::Int(4));
    }

    #[test]
    fn a_parameter_sent_over_a_wire_arrives_as_a_value() {
        let sent = params![7, "text", &[1_u8, 2], None::<i64>, 0.5];
        let bytes = serde_json::to_vec(&sent).expect("parameters are plain data");
        let arrived: Vec<Value> = serde_json::from_slice(&bytes).expect("values are plain data");
        assert_eq!(arrived.iter().map(Param::from).collect::<Vec<_>>(), sent);
        assert_eq!(arrived, sent.map(Value::from));
    }
}
