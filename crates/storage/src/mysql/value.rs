//! Values as MySQL sends and takes them.

use crate::{Param, Row, StoreError, Value};
use sqlx::mysql::{MySqlArguments, MySqlRow, MySqlTypeInfo};
use sqlx::{Arguments as _, Column as _, MySql, Row as _, Type, TypeInfo as _, ValueRef as _};

pub(super) fn arguments(params: &[Param<'_>]) -> Result<MySqlArguments, StoreError> {
    let mut arguments = MySqlArguments::default();
    for param in params {
        match *param {
            Param::Null => arguments.add(None::<i64>),
            Param::Int(number) => arguments.add(number),
            Param::Real(number) => arguments.add(number),
            Param::Text(text) => arguments.add(text),
            Param::Blob(bytes) => arguments.add(bytes),
        }
        .map_err(|error| StoreError::sql(format!("a parameter cannot be sent: {error}")))?;
    }
    Ok(arguments)
}

pub(super) fn row(row: &MySqlRow) -> Result<Row, StoreError> {
    let values = row.columns().iter().map(|column| {
        let (index, kind) = (column.ordinal(), column.type_info());
        let raw = row
            .try_get_raw(index)
            .map_err(|error| StoreError::sql(error.to_string()))?;
        if raw.is_null() {
            return Ok(Value::Null);
        }
        read(row, index, kind).map_err(|error| StoreError::Column {
            column: index,
            expected: "a number, text or bytes".to_owned(),
            found: format!("{kind} ({error}); cast it in the statement"),
        })
    });
    values.collect::<Result<Vec<_>, _>>().map(Row::new)
}

fn read(row: &MySqlRow, index: usize, kind: &MySqlTypeInfo) -> Result<Value, sqlx::Error> {
    if <i64 as Type<MySql>>::compatible(kind) {
        return row.try_get_unchecked(index).map(Value::Int);
    }
    if <str as Type<MySql>>::compatible(kind) {
        return row.try_get_unchecked(index).map(Value::Text);
    }
    if <[u8] as Type<MySql>>::compatible(kind) {
        return row.try_get_unchecked(index).map(Value::Blob);
    }
    match kind.name() {
        "DOUBLE" => row.try_get_unchecked(index).map(Value::Real),
        "FLOAT" => row
            .try_get_unchecked::<f32, _>(index)
            .map(|number| Value::Real(number.into())),
        // Sums of whole numbers are decimals here, sent as text.
        "DECIMAL" => {
            let text: String = row.try_get_unchecked(index)?;
            text.parse().map(Value::Int).map_err(unreadable)
        }
        name if name.ends_with("UNSIGNED") || name == "YEAR" => {
            let number: u64 = row.try_get_unchecked(index)?;
            i64::try_from(number).map(Value::Int).map_err(unreadable)
        }
        "NULL" => Ok(Value::Null),
        _ => Err(sqlx::Error::Decode("no value of a store".into())),
    }
}

fn unreadable(error: impl std::error::Error + Send + Sync + 'static) -> sqlx::Error {
    sqlx::Error::Decode(Box::new(error))
}
