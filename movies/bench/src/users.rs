//! Users who may sign for themselves: made with the key in the data folder, as `movies token` does.

use crate::names;
use anyhow::Result;
use backlot::app::secret;
use backlot::identity::{Claims, MAX_LIFETIME, SigningKey};
use backlot::{Env, Principal};
use std::path::Path;

/// Makes tokens. They live fifteen minutes.
#[derive(Debug)]
pub struct Users {
    key: SigningKey,
    env: Env,
}

impl Users {
    /// Users of the system whose data is in this folder.
    ///
    /// # Errors
    /// When the key can be neither read nor made.
    pub fn of(data: &Path) -> Result<Self> {
        let env = Env::real();
        let seed = secret::load_or_make(data, movies_auth::KEY, &env.dice)?;
        Ok(Users {
            key: SigningKey::from_seed(&seed)?,
            env,
        })
    }

    /// The token of the user of this number.
    ///
    /// # Errors
    /// Never in practice: the claims are well formed.
    pub fn token(&self, number: u64) -> Result<String> {
        Ok(self.key.sign(&self.claims(&names::user_id(number)))?)
    }

    /// The user of this number.
    ///
    /// # Errors
    /// As [`Users::token`].
    pub fn principal(&self, number: u64) -> Result<Principal> {
        self.named(&names::user_id(number))
    }

    /// The user of this name.
    ///
    /// # Errors
    /// As [`Users::token`].
    pub fn named(&self, name: &str) -> Result<Principal> {
        Ok(self.key.principal(self.claims(name))?)
    }

    /// A user of any number, with the name.
    ///
    /// # Errors
    /// As [`Users::token`].
    pub fn newcomer(&self, number: u64) -> Result<(String, Principal)> {
        let name = format!("newcomer-{number}");
        let principal = self.named(&name)?;
        Ok((name, principal))
    }

    /// Somebody who may edit the catalogue.
    ///
    /// # Errors
    /// As [`Users::token`].
    pub fn editor(&self) -> Result<Principal> {
        self.with_roles("editor", &["editor"])
    }

    /// Somebody who may import a catalogue and everybody's ratings.
    ///
    /// # Errors
    /// As [`Users::token`].
    pub fn importer(&self) -> Result<Principal> {
        self.with_roles("importer", &["importer", "editor"])
    }

    fn with_roles(&self, name: &str, roles: &[&str]) -> Result<Principal> {
        let roles = roles.iter().map(|role| (*role).to_owned()).collect();
        let claims = self.claims(name);
        Ok(self.key.principal(Claims { roles, ..claims })?)
    }

    fn claims(&self, name: &str) -> Claims {
        let audience = ["metadata", "movie", "rating"].map(String::from).into();
        Claims::new(
            "movies",
            name,
            audience,
            MAX_LIFETIME,
            &self.env.clock,
            &self.env.dice,
        )
    }
}
