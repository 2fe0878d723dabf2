//! Values as PostgreSQL sends and takes them.

use crate::{Param, Row, StoreError, Value};
use sqlx::postgres::{PgArguments, PgRow, PgTypeInfo, PgValueRef};
use sqlx::{
    Arguments as _, Column as _, Decode, Encode, Postgres, Row as _, Type, TypeInfo as _,
    ValueRef as _,
};

pub(super) fn arguments(params: &[Param<'_>]) -> Result<PgArguments, StoreError> {
    let mut arguments = PgArguments::default();
    for param in params {
        match *param {
            Param::Null => arguments.add(Null),
            Param::Int(number) => arguments.add(number),
            Param::Real(number) => arguments.add(number),
            Param::Text(text) => arguments.add(text),
            Param::Blob(bytes) => arguments.add(bytes),
        }
        .map_err(|error| StoreError::sql(format!("a parameter cannot be sent: {error}")))?;
    }
    Ok(arguments)
}

/// NULL of whatever type the server wants.
struct Null;

/// `unknown`, which the server takes as a request to find the type itself.
const UNKNOWN: PgTypeInfo = PgTypeInfo::with_oid(sqlx::postgres::types::Oid(705));

impl Type<Postgres> for Null {
    fn type_info() -> PgTypeInfo {
        UNKNOWN
    }
}

impl Encode<'_, Postgres> for Null {
    fn encode_by_ref(
        &self,
        _buffer: &mut sqlx::postgres::PgArgumentBuffer,
    ) -> Result<sqlx::encode::IsNull, sqlx::error::BoxDynError> {
        Ok(sqlx::encode::IsNull::Yes)
    }
}

pub(super) fn row(row: &PgRow) -> Result<Row, StoreError> {
    let values = row.columns().iter().map(|column| {
        let index = column.ordinal();
        let value = row
            .try_get_raw(index)
            .map_err(|error| StoreError::sql(error.to_string()))?;
        if value.is_null() {
            return Ok(Value::Null);
        }
        let kind = column.type_info().name();
        read(kind, value).map_err(|error| StoreError::Column {
            column: index,
            expected: "a number, text, bytes or truth".to_owned(),
            found: format!("{kind} ({error}); cast it in the statement"),
        })
    });
    values.collect::<Result<Vec<_>, _>>().map(Row::new)
}

fn read(kind: &str, value: PgValueRef<'_>) -> Result<Value, sqlx::error::BoxDynError> {
    Ok(match kind {
        "INT8" => Value::Int(decoded::<i64>(value)?),
        "INT4" => Value::Int(decoded::<i32>(value)?.into()),
        "INT2" => Value::Int(decoded::<i16>(value)?.into()),
        "BOOL" => Value::Int(decoded::<bool>(value)?.into()),
        "FLOAT8" => Value::Real(decoded::<f64>(value)?),
        "FLOAT4" => Value::Real(decoded::<f32>(value)?.into()),
        "TEXT" | "VARCHAR" | "CHAR" | "NAME" | "UNKNOWN" => Value::Text(decoded::<String>(value)?),
        "BYTEA" => Value::Blob(value.as_bytes()?.to_owned()),
        "VOID" => Value::Null,
        "NUMERIC" => {
            Value::Int(whole(value.as_bytes()?).ok_or("it is no whole number of 64 bits")?)
        }
        _ => return Err("no value of a store".into()),
    })
}

fn decoded<'r, T: Decode<'r, Postgres>>(
    value: PgValueRef<'r>,
) -> Result<T, sqlx::error::BoxDynError> {
    T::decode(value)
}

/// A NUMERIC that is a whole number, such as the sum of a BIGINT column: groups of four decimal
/// digits, of which the first counts `10000^weight`.
fn whole(bytes: &[u8]) -> Option<i64> {
    let word = |index: usize| {
        let bytes = bytes.get(index * 2..index * 2 + 2)?;
        Some(i16::from_be_bytes([bytes[0], bytes[1]]))
    };
    let (groups, weight, sign) = (word(0)?, word(1)?, word(2)?);
    let sign = match sign {
        0 => 1,
        0x4000 => -1,
        _ => return None,
    };
    if groups > weight + 1 || weight > 5 {
        return None;
    }
    let mut number: i128 = 0;
    for group in 0..=weight {
        let digits = if group < groups {
            word(4 + usize::try_from(group).ok()?)?
        } else {
            0
        };
        number = number * 10_000 + i128::from(digits);
    }
    i64::try_from(number * sign).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numeric(words: &[i16]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_be_bytes()).collect()
    }

    #[test]
    fn whole_numerics_are_numbers_and_the_rest_is_refused() {
        assert_eq!(whole(&numeric(&[0, 0, 0, 0])), Some(0));
        assert_eq!(whole(&numeric(&[1, 0, 0, 0, 7])), Some(7));
        assert_eq!(whole(&numeric(&[1, 1, 0x4000, 0, 3])), Some(-30_000));
        assert_eq!(
            whole(&numeric(&[5, 4, 0, 0, 922, 3372, 368, 5477, 5807])),
            Some(i64::MAX)
        );
        assert_eq!(
            whole(&numeric(&[5, 4, 0, 0, 922, 3372, 368, 5477, 5808])),
            None
        );
        assert_eq!(whole(&numeric(&[2, 0, 0, 1, 1, 5000])), None, "1.5");
        assert_eq!(whole(&numeric(&[1, -1, 0, 1, 5000])), None, "0.5");
        assert_eq!(whole(&numeric(&[0, 0, -16384, 0])), None, "not a number");
        assert_eq!(whole(&[0, 1]), None);
    }
}
