//! Page tokens: where the next page starts, in a form callers pass back untouched.

use backlot::Error;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The last film of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct After {
    pub(crate) sort_key: String,
    pub(crate) id: String,
}

impl After {
    pub(crate) fn token(&self) -> String {
        URL_SAFE_NO_PAD.encode(format!("{}\0{}", self.sort_key, self.id))
    }

    /// Reads a token; the empty one is the first page.
    pub(crate) fn parse(token: &str) -> Result<Option<Self>, Error> {
        if token.is_empty() {
            return Ok(None);
        }
        let malformed = || {
            let cure = "is not a token of this list: pass back nextPageToken as it came, or nothing for the first page";
            Error::invalid_argument(format!("pageToken: {cure}")).with_violation("pageToken", cure)
        };
        let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| malformed())?;
        let text = String::from_utf8(bytes).map_err(|_| malformed())?;
        // Every film has an id.
        let (sort_key, id) = text
            .rsplit_once('\0')
            .filter(|(_, id)| !id.is_empty())
            .ok_or_else(malformed)?;
        Ok(Some(After {
            sort_key: sort_key.to_owned(),
            id: id.to_owned(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_comes_back_and_anything_else_is_refused() {
        let after = After {
            sort_key: "äpfel".into(),
            id: "a\u{1}b".into(),
        };
        assert_eq!(After::parse(&after.token()).unwrap(), Some(after));
        assert_eq!(After::parse("").unwrap(), None);
        for token in ["!", "AAAA", "_____w"] {
            assert!(After::parse(token).is_err(), "{token}");
        }
    }
}
