//! Who may call a broker: services of the same system, which know its secret, and operators.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use backlot_core::{Context, Error, Permission, Rule};
use std::fmt;

/// The role of people who may do all that a broker can.
pub const OPERATOR: &str = "operator";

/// Who may call.
#[derive(Clone)]
pub struct Access {
    secret: [u8; 32],
}

struct Operate;

impl Permission for Operate {
    fn name(&self) -> &'static str {
        "use the broker"
    }

    fn rule(&self) -> Rule {
        Rule::Role(OPERATOR)
    }
}

impl Access {
    /// Those who send `secret`, and users with the role [`OPERATOR`].
    #[must_use]
    pub fn new(secret: [u8; 32]) -> Self {
        Access { secret }
    }

    /// Checks a call that came with `secret`, which is empty when none was sent.
    ///
    /// # Errors
    /// `Unauthenticated` for nobody and for another secret, `PermissionDenied` for other users.
    pub fn check(&self, cx: &Context, secret: &[u8]) -> Result<(), Error> {
        if secret.is_empty() {
            return cx.allow(Operate, "");
        }
        verify_slices_are_equal(&self.secret, secret).map_err(|_differ| {
            Error::unauthenticated(
                "the secret is not this broker's: give every service of the system the same broker.key",
            )
        })
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Access(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use backlot_core::principal::{Token, User};
    use backlot_core::{Code, Principal, Timestamp};
    use std::sync::Arc;

    fn user(role: &str) -> Context {
        Context::background().with_principal(Principal::User(Arc::new(User {
            subject: "ann".into(),
            roles: [role.to_owned()].into(),
            audience: ["broker".to_owned()].into(),
            expires: Timestamp::of_seconds(100),
            token: Token::new("t"),
        })))
    }

    #[test]
    fn the_secret_or_the_role_opens_and_nothing_else() {
        let access = Access::new([7; 32]);
        let nobody = Context::background();
        let code = |cx: &Context, secret: &[u8]| {
            access.check(cx, secret).map_err(|error| error.code()).err()
        };
        assert_eq!(code(&nobody, &[7; 32]), None);
        assert_eq!(code(&user(OPERATOR), &[]), None);
        assert_eq!(code(&nobody, &[]), Some(Code::Unauthenticated));
        assert_eq!(code(&user("editor"), &[]), Some(Code::PermissionDenied));
        for wrong in [&[7; 31][..], &[8; 32], &[7; 33]] {
            assert_eq!(code(&user(OPERATOR), wrong), Some(Code::Unauthenticated));
        }
        assert!(!format!("{access:?}").contains('7'));
    }
}
