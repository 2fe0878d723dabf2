//! Who an import acts for.

use crate::token::AUDIENCE;
use backlot::app::config::PlatformConfig;
use backlot::app::{StartError, secret};
use backlot::core::principal::{Token, User};
use backlot::identity::{Claims, MAX_LIFETIME, SigningKey};
use backlot::{Env, Error, Principal, Timestamp};
use movies_import::Identity;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What an importer may.
const ROLES: [&str; 2] = ["importer", "editor"];

/// Signs with the key in the data folder: whoever may read it may be anyone. Each call has a token
/// of its own, so that none ends on the way.
pub(super) struct Signer {
    key: SigningKey,
    issuer: String,
    name: String,
    env: Env,
}

impl Signer {
    pub(super) fn new(
        platform: &PlatformConfig,
        name: &str,
        env: &Env,
    ) -> Result<Self, StartError> {
        let name = name.trim();
        if name.is_empty() || name.chars().count() > 64 {
            return Err(Error::invalid_argument(format!(
                "the name must be 1 to 64 characters, got {name:?}"
            ))
            .into());
        }
        let seed = secret::load_or_make(&platform.data, movies_auth::KEY, &env.dice)?;
        Ok(Signer {
            key: SigningKey::from_seed(&seed)?,
            issuer: platform.identity.issuer.clone(),
            name: name.to_owned(),
            env: env.clone(),
        })
    }

    fn principal(&self, name: &str, roles: &[&str]) -> Result<Principal, Error> {
        let audience = AUDIENCE.map(String::from).into();
        let (clock, dice) = (&self.env.clock, &self.env.dice);
        let claims = Claims::new(&self.issuer, name, audience, MAX_LIFETIME, clock, dice);
        let roles = roles.iter().map(|role| (*role).to_owned()).collect();
        self.key.principal(Claims { roles, ..claims })
    }
}

impl Identity for Signer {
    fn importer(&self) -> Result<Principal, Error> {
        self.principal(&self.name, &ROLES)
    }

    fn user(&self, id: &str) -> Result<Principal, Error> {
        self.principal(id, &[])
    }
}

/// Shows a token it was given.
pub(super) struct Bearer(Principal);

impl Bearer {
    pub(super) fn new(token: &str) -> Self {
        // The token speaks for itself: whom it names is for the services to find out.
        Bearer(Principal::User(Arc::new(User {
            subject: String::new(),
            roles: BTreeSet::new(),
            audience: AUDIENCE.map(String::from).into(),
            expires: Timestamp(i64::MAX),
            token: Token::new(token.trim()),
        })))
    }
}

impl Identity for Bearer {
    fn importer(&self) -> Result<Principal, Error> {
        Ok(self.0.clone())
    }

    fn user(&self, id: &str) -> Result<Principal, Error> {
        Err(Error::permission_denied(format!(
            "the file takes back a rating of {id:?}, which only the user may: import it with the data folder's key instead of --token"
        )))
    }
}
