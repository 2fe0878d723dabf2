//! Who may look and act.
//!
//! A page of somebody else that an operator has open must be able to do neither: writes must come
//! from our own pages ([`same_origin`]), and the name in the address must be one of ours, so that no
//! foreign name that leads to this machine makes a foreign page ours.

use crate::config::Config;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use backlot_rpc::own_name::is_own;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What somebody is called who needs no password.
const LOCAL: &str = "somebody on this machine";
/// The longest name that an operator goes by.
const LONGEST_NAME: usize = 64;

/// Who an action is by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Operator(pub(crate) Arc<str>);

/// Who may come in.
#[derive(Clone)]
pub(crate) struct Access {
    /// The hash of the password, if there is one.
    password: Option<Vec<u8>>,
    hosts: Arc<BTreeSet<String>>,
}

impl Access {
    pub(crate) fn new(config: &Config) -> Self {
        let password = config.password.expose();
        let hosts = config.hosts.iter().map(|host| host.to_ascii_lowercase());
        Access {
            password: (!password.is_empty()).then(|| hash(password)),
            hosts: Arc::new(hosts.collect()),
        }
    }

    /// Lets those in who may, with the name that their actions go by.
    pub(crate) async fn check(
        State(access): State<Access>,
        mut request: Request,
        next: Next,
    ) -> Response {
        if !is_own(request.uri(), request.headers(), &access.hosts) {
            let why = "this console does not go by that name: reach it by its address, or add the name to console.hosts\n";
            return (StatusCode::MISDIRECTED_REQUEST, why).into_response();
        }
        match access.operator(request.headers()) {
            Some(operator) => {
                request.extensions_mut().insert(operator);
                next.run(request).await
            }
            None => {
                let ask = [(
                    WWW_AUTHENTICATE,
                    "Basic realm=\"console\", charset=\"UTF-8\"",
                )];
                (StatusCode::UNAUTHORIZED, ask, "who are you?\n").into_response()
            }
        }
    }

    fn operator(&self, headers: &HeaderMap) -> Option<Operator> {
        let Some(password) = &self.password else {
            return Some(Operator(LOCAL.into()));
        };
        let text = headers.get(AUTHORIZATION)?.to_str().ok()?;
        let encoded = text.strip_prefix("Basic ")?;
        let decoded = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
        let (name, given) = decoded.split_once(':')?;
        // Hashes have one length, so that the time tells nothing.
        verify_slices_are_equal(password, &hash(given)).ok()?;
        let plain = name.chars().filter(|character| !character.is_control());
        let name: String = plain.take(LONGEST_NAME).collect();
        Some(Operator(name.into()))
    }
}

fn hash(text: &str) -> Vec<u8> {
    digest(&SHA256, text.as_bytes()).as_ref().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;
    use backlot_service::config::Secret;

    fn access(password: &str) -> Access {
        Access::new(&Config {
            password: Secret::new(password),
            hosts: vec!["Console.example.com".into()],
        })
    }

    #[test]
    fn with_a_password_one_needs_it_and_goes_by_a_name() {
        let access = access("correct horse battery");
        let operator = |pair: &str| {
            let text = format!("Basic {}", STANDARD.encode(pair));
            let value = HeaderValue::from_str(&text).unwrap();
            access.operator(&[(AUTHORIZATION, value)].into_iter().collect())
        };
        assert_eq!(
            operator("olga:correct horse battery"),
            Some(Operator("olga".into()))
        );
        assert_eq!(
            operator("a\nb:correct horse battery"),
            Some(Operator("ab".into()))
        );
        assert_eq!(operator("olga:wrong"), None);
        assert_eq!(operator("olga"), None);
        assert_eq!(access.operator(&HeaderMap::new()), None);
    }
}
