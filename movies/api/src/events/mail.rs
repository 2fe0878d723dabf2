//! Mail: who wants some, and what is due.

use backlot::Error;
use backlot::messaging::event::Event;
use serde::{Deserialize, Serialize};

/// The longest address, in bytes (RFC 5321, 4.5.3.1.3, less the brackets).
const LONGEST: usize = 254;
/// The longest part of it before the `@`.
const LONGEST_LOCAL: usize = 64;

/// Somebody who goes by a name wants mail at an address, or takes that back. A name proves nothing: what
/// an address said yes to stays as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MailWished {
    /// The name.
    pub user_id: String,
    /// Where; none to take back what was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}

/// Somebody followed a link in a message: whoever reads the mail of its address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MailAnswered {
    /// What the link had in it.
    pub token: String,
    /// Whether mail is wanted at that address.
    pub wanted: bool,
}

/// A message is to be sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MailDue {
    /// Of the message, the same however often it is sent.
    pub id: String,
    /// An address.
    pub to: String,
    /// One line.
    pub subject: String,
    /// What it says in plain text.
    pub text: String,
    /// The same in HTML.
    pub html: String,
    /// Where one more like it is declined.
    pub leave: String,
}

impl MailWished {
    /// The address, in the form in which it is compared: the part behind the `@` in lower case.
    ///
    /// # Errors
    /// `InvalidArgument` that says what an address is.
    pub fn address(&self) -> Result<Option<String>, Error> {
        self.address.as_deref().map(address).transpose()
    }
}

/// An address as people write it; the part behind the `@` in lower case. Quoted forms, which nobody
/// has, are not taken.
///
/// # Errors
/// `InvalidArgument` that says what an address is.
pub fn address(text: &str) -> Result<String, Error> {
    let wrong = || {
        let rule = "must be a mail address, for example ann@example.com";
        Error::invalid_argument(format!("address: {rule}")).with_violation("address", rule)
    };
    let text = text.trim();
    let (local, domain) = text.rsplit_once('@').ok_or_else(wrong)?;
    let is_atom = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte);
    let is_dotted = |text: &str, is_part: &dyn Fn(&str) -> bool| text.split('.').all(is_part);
    let local_fits = local.len() <= LONGEST_LOCAL
        && is_dotted(local, &|part| !part.is_empty() && part.bytes().all(is_atom));
    let is_label = |label: &str| {
        let inner = label
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        (1..=63).contains(&label.len()) && inner && !label.starts_with('-') && !label.ends_with('-')
    };
    if text.len() <= LONGEST && local_fits && is_dotted(domain, &is_label) {
        return Ok(format!("{local}@{}", domain.to_ascii_lowercase()));
    }
    Err(wrong())
}

impl Event for MailWished {
    const NAME: &'static str = "MailWished";
    const TOPIC: &'static str = "mail-wishes";
    const PARTITIONS: u32 = 4;
    const VERSION: u32 = 1;

    fn key(&self) -> Option<String> {
        Some(self.user_id.clone())
    }
}

impl Event for MailAnswered {
    const NAME: &'static str = "MailAnswered";
    const TOPIC: &'static str = "mail-answers";
    const PARTITIONS: u32 = 4;
    const VERSION: u32 = 1;

    fn key(&self) -> Option<String> {
        Some(self.token.clone())
    }
}

impl Event for MailDue {
    const NAME: &'static str = "MailDue";
    const TOPIC: &'static str = "mail";
    const PARTITIONS: u32 = 4;
    const VERSION: u32 = 1;

    fn key(&self) -> Option<String> {
        Some(self.to.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_what_people_write() {
        assert_eq!(
            address(" Ann.Lee+x@Example.COM ").unwrap(),
            "Ann.Lee+x@example.com"
        );
        assert_eq!(address("ann@localhost").unwrap(), "ann@localhost");
        let long = format!("{}@example.com", "a".repeat(65));
        let longer = format!("a@{}", "example.".repeat(40));
        for wrong in [
            "",
            "ann",
            "@",
            "ann@",
            "@example.com",
            "a b@example.com",
            "a..b@example.com",
            ".a@example.com",
            "a@-b.com",
            "a@b-.com",
            "a@b..com",
            "a@[127.0.0.1]",
            "a@example.com\r\nBcc: b@example.com",
            "\"a b\"@example.com",
            "ä@example.com",
            "a@exämple.com",
            &long,
            &longer,
        ] {
            let error = address(wrong).unwrap_err();
            assert_eq!(error.violations()[0].field, "address", "{wrong}");
        }
    }
}
