//! Who gets a token, and what it says.

use crate::config::Config;
use backlot::identity::{Claims, Key, SigningKey};
use backlot::{Clock, Dice, Error};

pub(crate) struct Controller {
    config: Config,
    key: SigningKey,
    clock: Clock,
    dice: Dice,
}

/// A signed token and when it ends, in seconds since 1970 UTC.
pub(crate) struct Issued {
    pub(crate) token: String,
    pub(crate) expires_at: i64,
}

impl Controller {
    pub(crate) fn new(config: Config, key: SigningKey, clock: Clock, dice: Dice) -> Self {
        Controller {
            config,
            key,
            clock,
            dice,
        }
    }

    pub(crate) fn pick_name(&self, name: &str) -> Result<Issued, Error> {
        let plain = |character: char| character.is_alphanumeric() || matches!(character, '-' | '_');
        if !name.chars().all(plain) {
            let cure = "must be letters, digits, '-' or '_'";
            return Err(
                Error::invalid_argument(format!("name: {cure}, got {name:?}"))
                    .with_violation("name", cure),
            );
        }
        let Config {
            issuer,
            audience,
            lifetime,
        } = &self.config;
        let claims = Claims::new(
            issuer,
            name,
            audience.clone(),
            *lifetime,
            &self.clock,
            &self.dice,
        );
        Ok(Issued {
            token: self.key.sign(&claims)?,
            expires_at: claims.exp,
        })
    }

    pub(crate) fn keys(&self) -> Vec<Key> {
        vec![self.key.public()]
    }
}
