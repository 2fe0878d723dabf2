//! Names that every database keeps as they are.

use crate::StoreError;

/// Refuses a text that is empty, holds U+0000 or has more than `most` bytes.
pub(crate) fn check(field: &str, text: &str, most: usize) -> Result<(), StoreError> {
    let problem = if text.is_empty() {
        "is empty: name it".to_owned()
    } else if text.len() > most {
        let begin: String = text.chars().take(32).collect();
        format!(
            "is {} bytes long, {most} is the most: shorten {begin:?}...",
            text.len()
        )
    } else if text.contains('\0') {
        format!("is {text:?}, which holds the character U+0000: leave it out")
    } else {
        return Ok(());
    };
    Err(StoreError::Field {
        field: field.to_owned(),
        problem,
    })
}
