//! Tokens for curl, made with the key in the data folder: whoever may read it may be anyone.

use crate::PRODUCT;
use backlot::app::cli::{Configuration, Options};
use backlot::app::out;
use backlot::app::{StartError, secret};
use backlot::broker::access::OPERATOR;
use backlot::identity::{Claims, MAX_LIFETIME, SigningKey};
use backlot::{Env, Error};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;

/// The services of Movies, for whom a token is meant.
pub(crate) const AUDIENCE: [&str; 8] = [
    "auth", "broker", "mail", "metadata", "movie", "rating", "web", "webhooks",
];

/// What `movies token` is told.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The name to speak for
    name: String,
    /// May edit the catalogue as well
    #[arg(long)]
    editor: bool,
    /// May import: edit the catalogue, and rate on behalf of anybody
    #[arg(long)]
    importer: bool,
    /// May do all that the broker can: publish, read in any group, move it; and manage webhooks
    #[arg(long)]
    operator: bool,
}

impl Arguments {
    fn roles(&self) -> BTreeSet<String> {
        let roles = [
            ("editor", self.editor || self.importer),
            ("importer", self.importer),
            (OPERATOR, self.operator),
        ];
        let has = roles.into_iter().filter(|(_, has)| *has);
        has.map(|(role, _)| role.to_owned()).collect()
    }
}

/// Prints a token that lives fifteen minutes.
#[must_use]
pub fn run(arguments: &Arguments, options: &Options) -> ExitCode {
    let env = Env::real();
    let configuration = match Configuration::load(&PRODUCT, options, &env) {
        Ok(configuration) => configuration,
        Err(problems) => {
            out::note(format_args!(
                "movies: the configuration is wrong\n{problems}"
            ));
            return ExitCode::from(backlot::app::process::MISCONFIGURED);
        }
    };
    let platform = &configuration.platform;
    match make(
        &arguments.name,
        arguments.roles(),
        &platform.data,
        &platform.identity.issuer,
        &env,
    ) {
        Ok(token) => out::answer(token),
        Err(error) => {
            out::note(format_args!("no token: {}", error.chain()));
            ExitCode::FAILURE
        }
    }
}

pub(crate) fn make(
    name: &str,
    roles: BTreeSet<String>,
    data: &Path,
    issuer: &str,
    env: &Env,
) -> Result<String, StartError> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > 64 {
        return Err(Error::invalid_argument(format!(
            "the name must be 1 to 64 characters, got {name:?}"
        ))
        .into());
    }
    let key = SigningKey::from_seed(&secret::load_or_make(data, movies_auth::KEY, &env.dice)?)?;
    let audience = AUDIENCE.map(String::from).into();
    let claims = Claims {
        roles,
        ..Claims::new(issuer, name, audience, MAX_LIFETIME, &env.clock, &env.dice)
    };
    Ok(key.sign(&claims)?)
}
