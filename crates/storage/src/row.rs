//! One row of an answer.

use crate::{StoreError, Value};
use backlot_core::Timestamp;
use serde::{Deserialize, Serialize};

/// One row of an answer: its values by position, counted from 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row(Vec<Value>);

impl Row {
    /// A row of these values.
    #[must_use]
    pub fn new(values: Vec<Value>) -> Self {
        Row(values)
    }

    /// The value at `index` as a `T`: `i64`, `i32`, `u32`, `u64`, `f64`, `bool`, `String`, `&str`,
    /// `Vec<u8>`, `&[u8]`, [`Timestamp`], or an `Option` of one.
    ///
    /// # Errors
    /// [`StoreError::Column`] when the row has no such column, or it holds something else: always
    /// a defect of the code that reads it.
    pub fn get<'r, T: FromValue<'r>>(&'r self, index: usize) -> Result<T, StoreError> {
        let value = self.0.get(index);
        value
            .and_then(T::from_value)
            .ok_or_else(|| StoreError::Column {
                column: index,
                expected: T::EXPECTED.to_owned(),
                found: value.map_or("no such column", Value::kind).to_owned(),
            })
    }

    /// The values.
    #[must_use]
    pub fn values(&self) -> &[Value] {
        &self.0
    }

    /// The values, owned.
    #[must_use]
    pub fn into_values(self) -> Vec<Value> {
        self.0
    }
}

/// What a column can be read as. Sealed.
pub trait FromValue<'r>: Sized + sealed::Sealed {
    /// What the column must hold, for messages.
    #[doc(hidden)]
    const EXPECTED: &'static str;
    /// The value, or nothing when it is something else.
    #[doc(hidden)]
    fn from_value(value: &'r Value) -> Option<Self>;
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! read {
    ($($(#[$doc:meta])* $to:ty, $expected:literal, $pattern:pat => $value:expr;)*) => {$(
        impl sealed::Sealed for $to {}
        impl<'r> FromValue<'r> for $to {
            const EXPECTED: &'static str = $expected;
            fn from_value(value: &'r Value) -> Option<Self> {
                match value {
                    $pattern => $value,
                    _ => None,
                }
            }
        }
    )*};
}
read! {
    i64, "a whole number", Value::Int(number) => Some(*number);
    i32, "a whole number of 32 bits", Value::Int(number) => i32::try_from(*number).ok();
    u32, "a whole number from 0 of 32 bits", Value::Int(number) => u32::try_from(*number).ok();
    u64, "a whole number from 0", Value::Int(number) => u64::try_from(*number).ok();
    bool, "0 or 1", Value::Int(number @ (0 | 1)) => Some(*number == 1);
    String, "text", Value::Text(text) => Some(text.clone());
    Vec<u8>, "bytes", Value::Blob(bytes) => Some(bytes.clone());
    Timestamp, "milliseconds since 1970", Value::Int(number) => Some(Timestamp(*number));
}

impl sealed::Sealed for f64 {}
impl<'r> FromValue<'r> for f64 {
    const EXPECTED: &'static str = "a number";
    fn from_value(value: &'r Value) -> Option<Self> {
        match value {
            Value::Real(number) => Some(*number),
            // A sum of whole numbers, or a real that a database keeps as one.
            Value::Int(number) => Some(*number as f64),
            _ => None,
        }
    }
}

impl sealed::Sealed for &str {}
impl<'r> FromValue<'r> for &'r str {
    const EXPECTED: &'static str = "text";
    fn from_value(value: &'r Value) -> Option<Self> {
        match value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl sealed::Sealed for &[u8] {}
impl<'r> FromValue<'r> for &'r [u8] {
    const EXPECTED: &'static str = "bytes";
    fn from_value(value: &'r Value) -> Option<Self> {
        match value {
            Value::Blob(bytes) => Some(bytes),
            _ => None,
        }
    }
}

impl<T: sealed::Sealed> sealed::Sealed for Option<T> {}
impl<'r, T: FromValue<'r>> FromValue<'r> for Option<T> {
    const EXPECTED: &'static str = T::EXPECTED;
    fn from_value(value: &'r Value) -> Option<Self> {
        match value {
            Value::Null => Some(None),
            value => T::from_value(value).map(Some),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_read_as_what_it_holds() {
        let row = Row::new(vec![
            Value::Int(1),
            Value::Text("x".into()),
            Value::Null,
            Value::Real(0.5),
        ]);
        assert!(row.get::<bool>(0).unwrap());
        assert_eq!(row.get::<u64>(0).unwrap(), 1);
        assert_eq!(row.get::<&str>(1).unwrap(), row.get::<String>(1).unwrap());
        assert_eq!(row.get::<Option<i64>>(2).unwrap(), None);
        assert_eq!(row.get::<Option<i64>>(0).unwrap(), Some(1));
        assert_eq!(row.get::<f64>(3).unwrap(), 0.5);
        assert_eq!(row.get::<f64>(0).unwrap(), 1.0);
    }

    #[test]
    fn a_wrong_column_is_named_with_what_it_holds() {
        let row = Row::new(vec![Value::Int(-1), Value::Null]);
        let error = row.get::<u32>(0).unwrap_err().to_string();
        assert!(
            error.contains("column 0") && error.contains("from 0"),
            "{error}"
        );
        let error = row.get::<String>(1).unwrap_err().to_string();
        assert!(
            error.contains("column 1") && error.contains("null"),
            "{error}"
        );
        assert!(
            row.get::<i64>(2)
                .unwrap_err()
                .to_string()
                .contains("no such column")
        );
    }
}
