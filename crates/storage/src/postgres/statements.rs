//! Statements in PostgreSQL's own words, put together once.

use crate::scan::numbered;
use crate::{Param, StoreError};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;

/// More than a service has; further ones are put together each time.
const KEPT: usize = 1024;

/// Statements by where their text stands in memory, which for a constant is always the same.
#[derive(Debug, Default)]
pub(super) struct Statements(Mutex<BTreeMap<(usize, usize), Arc<Numbered>>>);

#[derive(Debug)]
struct Numbered {
    /// What stood there: memory may hold another text later.
    original: Box<str>,
    text: String,
    count: usize,
}

impl Statements {
    /// The statement with numbered placeholders and a comment that names the kinds of its
    /// parameters: the server fixes them when it prepares a statement, and a value may be null once
    /// and a number later.
    pub(super) fn text(&self, sql: &str, params: &[Param<'_>]) -> Result<String, StoreError> {
        let numbered = self.numbered(sql);
        if numbered.count != params.len() {
            return Err(StoreError::sql(format!(
                "{} parameters given, {} expected in {sql:?}",
                params.len(),
                numbered.count
            )));
        }
        let mut text = String::with_capacity(numbered.text.len() + params.len() + 6);
        text.push_str(&numbered.text);
        text.push_str(" /*");
        text.extend(params.iter().map(kind));
        text.push_str("*/");
        Ok(text)
    }

    fn numbered(&self, sql: &str) -> Arc<Numbered> {
        let place = (sql.as_ptr().addr(), sql.len());
        let mut kept = self.0.lock();
        if let Some(known) = kept.get(&place)
            && *known.original == *sql
        {
            return Arc::clone(known);
        }
        let (text, count) = numbered(sql);
        let numbered = Arc::new(Numbered {
            original: sql.into(),
            text,
            count,
        });
        if kept.len() < KEPT || kept.contains_key(&place) {
            kept.insert(place, Arc::clone(&numbered));
        }
        numbered
    }
}

const fn kind(param: &Param<'_>) -> char {
    match param {
        Param::Null => 'n',
        Param::Int(_) => 'i',
        Param::Real(_) => 'r',
        Param::Text(_) => 't',
        Param::Blob(_) => 'b',
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params;

    #[test]
    fn another_text_at_the_same_place_is_another_statement() {
        let statements = Statements::default();
        let mut text = String::from("SELECT ?");
        assert_eq!(
            statements.text(&text, &params![1]).unwrap(),
            "SELECT $1 /*i*/"
        );
        text.replace_range(.., "DELETE ?");
        assert_eq!(
            statements.text(&text, &params![None::<i64>]).unwrap(),
            "DELETE $1 /*n*/"
        );
    }

    #[test]
    fn a_wrong_number_of_parameters_is_refused_with_both_numbers() {
        let refused = Statements::default().text("SELECT ?, ?", &params![1]);
        let text = backlot_core::error::chain(&refused.unwrap_err());
        assert!(text.contains("1 parameters given, 2 expected"), "{text}");
    }
}
