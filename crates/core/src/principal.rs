//! Who asks, and what they may do.

use crate::{Error, Timestamp};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// How far the clocks of those who make tokens and those who believe them may differ.
pub const LEEWAY: Duration = Duration::from_secs(30);

/// Who a call is made for. It comes from a verified token, never from a body.
#[derive(Clone, Debug)]
pub enum Principal {
    /// Nobody showed a token.
    Anonymous,
    /// A verified user.
    User(Arc<User>),
    /// A part of this system acting for itself (a loader, a worker), named. Never made from
    /// anything a caller sent.
    System(&'static str),
}

/// A verified user.
#[derive(Clone, Debug)]
pub struct User {
    /// The subject of the token: the user's id.
    pub subject: String,
    /// What the user is beyond themselves, for example `editor`.
    pub roles: BTreeSet<String>,
    /// The services the token is meant for, by discovery name.
    pub audience: BTreeSet<String>,
    /// When the token ends.
    pub expires: Timestamp,
    /// The token itself, so that calls made on the user's behalf can show it.
    pub token: Token,
}

impl User {
    /// Whether the token has ended, [`LEEWAY`] allowed.
    #[must_use]
    pub fn has_expired(&self, now: Timestamp) -> bool {
        self.expires.plus(LEEWAY) <= now
    }
}

/// A bearer token; its `Debug` hides it.
#[derive(Clone)]
pub struct Token(Arc<str>);

impl Token {
    /// Wraps the token's text.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Token(text.into())
    }

    /// The secret itself: for a header, never for a log.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// Something a service lets some principals do. A service lists its own as an enum.
pub trait Permission {
    /// What the error says, for example `rate`.
    fn name(&self) -> &'static str;
    /// Who may.
    fn rule(&self) -> Rule;
}

/// Who may do a thing that belongs to an owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// The owner alone (and the system itself).
    Owner,
    /// Whoever has this role.
    Role(&'static str),
    /// Any verified user.
    AnyUser,
}

impl Principal {
    /// The id a caller acts under: the subject of a user, the name of a system part, or nothing.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        match self {
            Principal::Anonymous => None,
            Principal::User(user) => Some(&user.subject),
            Principal::System(name) => Some(name),
        }
    }

    /// The token to show on calls made on this principal's behalf.
    #[must_use]
    pub fn token(&self) -> Option<&Token> {
        match self {
            Principal::User(user) => Some(&user.token),
            Principal::Anonymous | Principal::System(_) => None,
        }
    }

    /// Who this principal is to the service `target`: a user whose token is meant for it, else
    /// nobody. A part of this system never acts as itself towards another service.
    #[must_use]
    pub fn towards(&self, target: &str) -> Principal {
        match self {
            Principal::User(user) if user.audience.contains(target) => self.clone(),
            Principal::User(_) | Principal::System(_) | Principal::Anonymous => {
                Principal::Anonymous
            }
        }
    }

    /// Checks that this principal may do `permission` to something of `owner`'s.
    ///
    /// # Errors
    /// `Unauthenticated` for nobody, `PermissionDenied` for somebody else.
    pub fn allow(&self, permission: &impl Permission, owner: &str) -> Result<(), Error> {
        let user = match self {
            Principal::System(_) => return Ok(()),
            Principal::Anonymous => {
                return Err(Error::unauthenticated(format!(
                    "to {} you must show a token: send the header 'authorization: Bearer TOKEN'",
                    permission.name()
                )));
            }
            Principal::User(user) => user,
        };
        let (may, who) = match permission.rule() {
            Rule::AnyUser => (true, String::new()),
            Rule::Owner => (user.subject == owner, format!("{owner:?} may")),
            Rule::Role(role) => (user.roles.contains(role), format!("the role {role:?} may")),
        };
        if may {
            return Ok(());
        }
        Err(Error::permission_denied(format!(
            "{:?} may not {}: only {who}",
            user.subject,
            permission.name()
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Code;

    struct Rate;
    impl Permission for Rate {
        fn name(&self) -> &'static str {
            "rate"
        }
        fn rule(&self) -> Rule {
            Rule::Owner
        }
    }

    fn user(subject: &str) -> Principal {
        Principal::User(Arc::new(User {
            subject: subject.into(),
            roles: BTreeSet::new(),
            audience: BTreeSet::from(["rating".to_owned()]),
            expires: Timestamp::of_seconds(100),
            token: Token::new("secret"),
        }))
    }

    #[test]
    fn only_the_owner_may() {
        assert!(user("ann").allow(&Rate, "ann").is_ok());
        assert_eq!(
            user("bob").allow(&Rate, "ann").unwrap_err().code(),
            Code::PermissionDenied
        );
        assert_eq!(
            Principal::Anonymous.allow(&Rate, "ann").unwrap_err().code(),
            Code::Unauthenticated
        );
    }

    #[test]
    fn a_user_is_nobody_to_a_service_the_token_is_not_meant_for() {
        assert_eq!(user("ann").towards("rating").subject(), Some("ann"));
        assert_eq!(user("ann").towards("metadata").subject(), None);
        assert_eq!(
            Principal::System("loader").towards("rating").subject(),
            None
        );
    }

    #[test]
    fn debug_hides_the_token() {
        assert!(!format!("{:?}", user("ann")).contains("secret"));
    }
}
