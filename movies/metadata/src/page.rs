//! Page tokens: where the next page starts, in a form callers pass back untouched.

use backlot::Error;
use backlot::core::idempotency::fingerprint;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Where a film stands in the catalogue.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) sort_key: String,
    pub(crate) id: String,
    pub(crate) number: u32,
}

/// The last item of a page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct After {
    /// Which part of the answer it is in, counted from 0.
    pub(crate) part: u8,
    /// What the part is ordered by.
    pub(crate) key: String,
    pub(crate) id: String,
}

/// What a list was asked for: a token is for the same question alone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question(u64);

impl Question {
    /// A question of these words.
    pub(crate) fn of(words: &[&str]) -> Self {
        Question(fingerprint(words.join("\0").as_bytes()))
    }

    pub(crate) fn token(self, after: &After) -> String {
        let After { part, key, id } = after;
        let mut bytes = vec![*part];
        bytes.extend(self.0.to_le_bytes());
        // Keys hold no such character.
        bytes.extend(format!("{key}\0{id}").bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads a token; the empty one is the first page.
    ///
    /// # Errors
    /// `InvalidArgument` for what is no token of this list, or one of another question.
    pub(crate) fn parse(self, token: &str) -> Result<Option<After>, Error> {
        if token.is_empty() {
            return Ok(None);
        }
        let (question, after) = read(token).ok_or_else(|| {
            refused("is not a token of this list: pass back nextPageToken as it came, or nothing for the first page")
        })?;
        if question != self.0 {
            return Err(refused(
                "belongs to a list that was asked for otherwise: keep query and filters as they were, or start at the first page",
            ));
        }
        Ok(Some(after))
    }
}

fn read(token: &str) -> Option<(u64, After)> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    let (part, bytes) = bytes.split_first()?;
    let (question, bytes) = bytes.split_first_chunk::<8>()?;
    let (key, id) = str::from_utf8(bytes).ok()?.split_once('\0')?;
    // Every film has an id.
    let after = (!id.is_empty()).then(|| After {
        part: *part,
        key: key.to_owned(),
        id: id.to_owned(),
    })?;
    Some((u64::from_le_bytes(*question), after))
}

fn refused(cure: &str) -> Error {
    Error::invalid_argument(format!("pageToken: {cure}")).with_violation("pageToken", cure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_comes_back_and_anything_else_is_refused() {
        let after = After {
            part: 3,
            key: "äpfel".into(),
            id: "a\0b".into(),
        };
        let question = Question::of(&["list"]);
        let token = question.token(&after);
        assert_eq!(question.parse(&token).unwrap(), Some(after));
        assert_eq!(question.parse("").unwrap(), None);
        for token in ["!", "AAAA", "_____w"] {
            assert!(question.parse(token).is_err(), "{token}");
        }
        let error = Question::of(&["list", "drama"]).parse(&token).unwrap_err();
        assert_eq!(error.violations()[0].field, "pageToken");
        assert!(error.message().contains("otherwise"), "{error}");
    }
}
