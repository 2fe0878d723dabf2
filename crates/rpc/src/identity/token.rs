//! A token, part by part.

use super::contract::identity::v1::Key;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use backlot_core::principal::{Token, User};
use backlot_core::{Clock, Dice, Error, Principal, Timestamp};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// The longest a token may live.
pub const MAX_LIFETIME: Duration = Duration::from_secs(15 * 60);
const MAX_LENGTH: usize = 8 * 1024;
/// In seconds.
const LEEWAY: i64 = backlot_core::principal::LEEWAY.as_secs().cast_signed();

/// Exactly these members: anything else (`crit`, `jku`, `jwk`, ...) is refused.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: String,
    typ: String,
    kid: String,
}

/// What a token says.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Claims {
    /// Who made it.
    pub iss: String,
    /// Whom it speaks of.
    pub sub: String,
    /// The services it is meant for.
    #[serde(deserialize_with = "one_or_many")]
    pub aud: BTreeSet<String>,
    /// When it ends, in seconds since 1970 UTC.
    pub exp: i64,
    /// When it was made.
    pub iat: i64,
    /// From when it holds.
    pub nbf: i64,
    /// Its own id.
    pub jti: String,
    /// What the subject is beyond itself.
    #[serde(default)]
    pub roles: BTreeSet<String>,
}

fn one_or_many<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeSet<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Audience {
        One(String),
        Many(BTreeSet<String>),
    }
    Ok(match Audience::deserialize(deserializer)? {
        Audience::One(one) => BTreeSet::from([one]),
        Audience::Many(many) => many,
    })
}

impl Claims {
    /// Claims of `subject` for the services in `audience`, from now for `lifetime`.
    #[must_use]
    pub fn new(
        issuer: &str,
        subject: &str,
        audience: BTreeSet<String>,
        lifetime: Duration,
        clock: &Clock,
        dice: &Dice,
    ) -> Self {
        let now = clock.wall().seconds();
        let lifetime = i64::try_from(lifetime.min(MAX_LIFETIME).as_secs()).unwrap_or(0);
        Claims {
            iss: issuer.to_owned(),
            sub: subject.to_owned(),
            aud: audience,
            exp: now + lifetime,
            iat: now,
            nbf: now,
            jti: dice.uuid(),
            roles: BTreeSet::new(),
        }
    }

    pub(super) fn into_user(self, token: &str) -> User {
        User {
            subject: self.sub,
            roles: self.roles,
            audience: self.aud,
            expires: Timestamp::of_seconds(self.exp),
            token: Token::new(token),
        }
    }
}

/// A public key, bound to the one algorithm it verifies.
pub(super) type PublicKey = UnparsedPublicKey<Vec<u8>>;

/// The public key that a key set publishes as `x`.
pub(super) fn public_key(x: &str) -> Option<PublicKey> {
    let bytes = URL_SAFE_NO_PAD.decode(x).ok()?;
    (bytes.len() == 32).then(|| UnparsedPublicKey::new(&ED25519, bytes))
}

/// A private Ed25519 key that signs tokens.
pub struct SigningKey {
    kid: String,
    pair: Ed25519KeyPair,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKey")
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}

impl SigningKey {
    /// A key from its seed, the 32 secret bytes of RFC 8032. Its name derives from the public key.
    ///
    /// # Errors
    /// `Internal` when the library refuses the seed.
    pub fn from_seed(seed: &[u8; 32]) -> Result<Self, Error> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|error| {
            Error::internal("the signing key is malformed").with_source(error.to_string())
        })?;
        let kid = URL_SAFE_NO_PAD.encode(&pair.public_key().as_ref()[..12]);
        Ok(SigningKey { kid, pair })
    }

    /// What the key set publishes of it.
    #[must_use]
    pub fn public(&self) -> Key {
        Key {
            kty: "OKP".into(),
            crv: "Ed25519".into(),
            x: URL_SAFE_NO_PAD.encode(self.pair.public_key().as_ref()),
            kid: self.kid.clone(),
            alg: "EdDSA".into(),
            r#use: "sig".into(),
        }
    }

    /// Its name in the key set.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Signs claims.
    ///
    /// # Errors
    /// `Internal` when the claims cannot be encoded.
    pub fn sign(&self, claims: &Claims) -> Result<String, Error> {
        let header = Header {
            alg: "EdDSA".into(),
            typ: "at+jwt".into(),
            kid: self.kid.clone(),
        };
        let unsigned = format!("{}.{}", encode(&header)?, encode(claims)?);
        let signature = URL_SAFE_NO_PAD.encode(self.pair.sign(unsigned.as_bytes()));
        Ok(format!("{unsigned}.{signature}"))
    }

    /// The principal of these claims, with its token: for a part of the system that may sign.
    ///
    /// # Errors
    /// As [`SigningKey::sign`].
    pub fn principal(&self, claims: Claims) -> Result<Principal, Error> {
        let token = self.sign(&claims)?;
        Ok(Principal::User(Arc::new(claims.into_user(&token))))
    }
}

fn encode(part: &impl Serialize) -> Result<String, Error> {
    let json = serde_json::to_vec(part)
        .map_err(|error| Error::internal("the token cannot be encoded").with_source(error))?;
    Ok(URL_SAFE_NO_PAD.encode(json))
}

/// A token cut at its dots, nothing believed yet.
pub(super) struct Parts<'a> {
    header: Header,
    claims: Claims,
    signed: &'a str,
    signature: &'a str,
}

impl<'a> Parts<'a> {
    pub(super) fn split(token: &'a str) -> Result<Self, Error> {
        if token.len() > MAX_LENGTH {
            return Err(refused("it is longer than 8 KiB"));
        }
        let (signed, signature) = token
            .rsplit_once('.')
            .ok_or_else(|| refused("it is not a JWT"))?;
        let (header, claims) = signed
            .split_once('.')
            .ok_or_else(|| refused("it is not a JWT"))?;
        let header: Header = decode(header, "header")?;
        if header.alg != "EdDSA" {
            return Err(refused("its 'alg' is not EdDSA"));
        }
        if header.typ != "at+jwt" {
            return Err(refused("its 'typ' is not at+jwt"));
        }
        Ok(Parts {
            header,
            claims: decode(claims, "claims")?,
            signed,
            signature,
        })
    }

    pub(super) fn kid(&self) -> &str {
        &self.header.kid
    }

    /// The end of its life, in seconds; meaningful once verified.
    pub(super) fn expires(&self) -> i64 {
        self.claims.exp
    }

    pub(super) fn verify(
        &self,
        key: &PublicKey,
        issuer: &str,
        audience: &str,
        now: i64,
    ) -> Result<Claims, Error> {
        let signature = URL_SAFE_NO_PAD
            .decode(self.signature)
            .map_err(|_| refused("its signature is not base64url"))?;
        if key.verify(self.signed.as_bytes(), &signature).is_err() {
            return Err(refused("its signature is wrong"));
        }
        let claims = &self.claims;
        let lifetime = i64::try_from(MAX_LIFETIME.as_secs()).unwrap_or(i64::MAX);
        let broken = if claims.iss != issuer {
            Some("its issuer is not the one configured here")
        } else if !claims.aud.contains(audience) {
            Some("it is not meant for this service ('aud')")
        } else if claims.exp < claims.iat {
            Some("it ends before it was made")
        } else if claims.exp.saturating_sub(claims.iat) > lifetime {
            Some("it lives longer than 15 minutes")
        } else if claims.exp.saturating_add(LEEWAY) <= now {
            Some(EXPIRED)
        } else if claims.nbf.saturating_sub(LEEWAY) > now || claims.iat.saturating_sub(LEEWAY) > now
        {
            Some("it is not valid yet")
        } else if claims.sub.is_empty() || claims.jti.is_empty() {
            Some("'sub' or 'jti' is empty")
        } else {
            None
        };
        match broken {
            Some(rule) => Err(refused(rule)),
            None => Ok(claims.clone()),
        }
    }
}

fn decode<T: for<'de> Deserialize<'de>>(part: &str, name: &str) -> Result<T, Error> {
    let bytes = URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|_| refused(&format!("its {name} is not base64url")))?;
    // serde_json refuses duplicate members of a struct, and the error names no value.
    serde_json::from_slice(&bytes)
        .map_err(|error| refused(&format!("its {name} is malformed")).with_source(error))
}

const EXPIRED: &str = "it has expired: get a new one";

/// What the bearer of a token that has ended is told, on every binding.
pub(crate) fn expired() -> Error {
    refused(EXPIRED)
}

fn refused(why: &str) -> Error {
    Error::unauthenticated(format!("the token does not hold: {why}"))
}
