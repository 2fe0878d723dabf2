//! The name somebody picked, kept in a cookie.

use crate::percent;
use axum::http::header::COOKIE;
use axum::http::{HeaderMap, HeaderValue};
use std::fmt;

const COOKIE_NAME: &str = "movies_name";
const LONGEST: usize = 32;
const A_YEAR: u32 = 365 * 24 * 3600;

/// A picked name: 1 to 32 letters, digits, `-` or `_`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name(String);

/// Why a text is no name, in words for whoever typed it.
pub(crate) const RULE: &str = "A name has 1 to 32 letters, digits, “-” or “_”.";

impl Name {
    /// Reads what somebody typed; blanks around it do not count.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let plain = |letter: char| letter.is_alphanumeric() || matches!(letter, '-' | '_');
        let fits = (1..=LONGEST).contains(&text.chars().count()) && text.chars().all(plain);
        fits.then(|| Name(text.to_owned()))
    }

    /// The name in the visitor's cookie. It is only a claim: anybody can write any cookie.
    pub(crate) fn of_visitor(headers: &HeaderMap) -> Option<Self> {
        headers
            .get_all(COOKIE)
            .iter()
            .filter_map(|header| header.to_str().ok())
            .flat_map(|header| header.split(';'))
            .filter_map(|pair| pair.trim().strip_prefix(COOKIE_NAME)?.strip_prefix('='))
            .find_map(|value| Name::parse(&percent::decoded(value)?))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// `set-cookie` that keeps this name for a year.
    pub(crate) fn cookie(&self, secure: bool) -> HeaderValue {
        cookie(&percent::encoded(&self.0), A_YEAR, secure)
    }

    /// `set-cookie` that forgets any name.
    pub(crate) fn forget(secure: bool) -> HeaderValue {
        cookie("", 0, secure)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn cookie(value: &str, max_age: u32, secure: bool) -> HeaderValue {
    let secure = if secure { "; Secure" } else { "" };
    let text =
        format!("{COOKIE_NAME}={value}; Path=/; Max-Age={max_age}; HttpOnly; SameSite=Lax{secure}");
    // Everything beyond ASCII is percent-encoded.
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn visitor(cookie: &str) -> Option<Name> {
        let mut headers = HeaderMap::new();
        headers.insert(COOKIE, HeaderValue::from_str(cookie).unwrap());
        Name::of_visitor(&headers)
    }

    #[test]
    fn a_name_comes_back_from_its_cookie() {
        for name in ["ann", "Zoë", "小津", "a-b_9"] {
            let name = Name::parse(name).unwrap();
            let header = name.cookie(false);
            let pair = header
                .to_str()
                .unwrap()
                .split(';')
                .next()
                .unwrap()
                .to_owned();
            assert_eq!(visitor(&format!("other=1; {pair}")), Some(name));
        }
    }

    #[test]
    fn what_is_no_name_is_nobody() {
        for cookie in [
            "movies_name=",
            "movies_name=a b",
            "movies_name=%3Cscript%3E",
            "movies_name=%f",
            "x=ann",
        ] {
            assert_eq!(visitor(cookie), None, "{cookie}");
        }
        assert_eq!(Name::parse(&"x".repeat(33)), None);
        assert_eq!(
            Name::parse("  ann ")
                .map(|name| name.to_string())
                .as_deref(),
            Some("ann")
        );
    }

    #[test]
    fn the_cookie_is_kept_from_scripts_and_other_sites() {
        let header = Name::parse("ann").unwrap().cookie(true);
        let text = header.to_str().unwrap();
        for part in [
            "movies_name=ann;",
            "Path=/",
            "HttpOnly",
            "SameSite=Lax",
            "Secure",
        ] {
            assert!(text.contains(part), "{text}");
        }
    }
}
