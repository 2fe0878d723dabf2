//! Who may have an instance do something: operators.
//!
//! Parts of the system that act for operators show a pass: made with a secret of the system for one
//! request to one instance, by where it answers operators, and for a minute or two. Whoever announces
//! an instance that is none learns nothing from a pass that others would take.

use aws_lc_rs::hmac;
use backlot_broker::access::OPERATOR;
use backlot_core::{Clock, Deadline, Error, Permission, Rule, Timestamp};
use backlot_rpc::{Edge, wire};
use http::{HeaderMap, Method, Uri};
use std::fmt;
use std::time::Duration;

/// How long it may take to find out who shows a token.
const PATIENCE: Duration = Duration::from_secs(3);
/// What a pass begins with.
const PASS: &str = "operators-";
/// For how long a pass is made out, in milliseconds; it is taken as long before and after.
const WINDOW: i64 = 60_000;

/// Who may.
pub(crate) struct Access {
    edge: Edge,
    key: hmac::Key,
    /// Where the instance answers operators, as it is configured and as it is announced.
    addresses: [String; 2],
    clock: Clock,
}

struct Operate;

impl Permission for Operate {
    fn name(&self) -> &'static str {
        "operate this service"
    }

    fn rule(&self) -> Rule {
        Rule::Role(OPERATOR)
    }
}

impl Access {
    /// Those who show a pass made with `secret` for one of these addresses, and users with the role `operator`
    /// whose token `edge` believes.
    pub(crate) fn new(edge: Edge, secret: &[u8; 32], addresses: [String; 2], clock: Clock) -> Self {
        Access {
            edge,
            key: key(secret),
            addresses,
            clock,
        }
    }

    /// Who asks, if that is an operator.
    ///
    /// # Errors
    /// `Unauthenticated` for nobody and for a pass that does not hold, `PermissionDenied` for other
    /// users.
    pub(crate) async fn check(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Result<String, Error> {
        let Some(token) = wire::bearer(headers)? else {
            return Err(Error::unauthenticated(
                "this is for operators: show the token of somebody with the role 'operator'",
            ));
        };
        if let Some(pass) = token.strip_prefix(PASS) {
            return match self.holds(pass, method, uri) {
                true => Ok("somebody who knows the operators' secret".to_owned()),
                false => Err(Error::unauthenticated(
                    "the pass is not made for this request to this instance at this time: give every service the same operators.key, the right time, and the address that it is reached at",
                )),
            };
        }
        let principal = self
            .edge
            .principal(token, Deadline::after(PATIENCE))
            .await?;
        principal.allow(&Operate, "")?;
        Ok(principal.subject().unwrap_or("somebody").to_owned())
    }

    fn holds(&self, pass: &str, method: &Method, uri: &Uri) -> bool {
        let Some((window, tag)) = pass.split_once('-') else {
            return false;
        };
        let (Ok(window), Some(tag)) = (window.parse::<i64>(), from_hex(tag)) else {
            return false;
        };
        let now = self.clock.wall().0.div_euclid(WINDOW);
        let path = uri.path_and_query().map_or("", |path| path.as_str());
        let is_made_for = |address: &String| {
            let said = about(address, (method, path), window);
            hmac::verify(&self.key, said.as_bytes(), &tag).is_ok()
        };
        now.abs_diff(window) <= 1 && self.addresses.iter().any(is_made_for)
    }
}

/// What is shown to the instance that answers operators at `address`, with this request.
pub(super) fn pass(
    secret: &[u8; 32],
    address: &str,
    request: (&Method, &str),
    now: Timestamp,
) -> String {
    let window = now.0.div_euclid(WINDOW);
    let tag = hmac::sign(&key(secret), about(address, request, window).as_bytes());
    let digits = tag.as_ref().iter().map(|byte| format!("{byte:02x}"));
    format!("{PASS}{window}-{}", digits.collect::<String>())
}

fn key(secret: &[u8; 32]) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, secret)
}

fn about(address: &str, (method, path): (&Method, &str), window: i64) -> String {
    format!("{PASS}{window} {address} {method} {path}")
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(bytes)
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Access(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use backlot_core::Code;
    use http::HeaderValue;
    use http::header::AUTHORIZATION;

    const AT: &str = "127.0.0.1:8093";

    #[tokio::test]
    async fn a_pass_opens_one_instance_for_a_while_and_nothing_else_does() {
        let clock = Clock::real();
        let now = clock.wall();
        let addresses = ["localhost:8093".to_owned(), AT.to_owned()];
        let access = Access::new(Edge::anonymous(), &[0xab; 32], addresses, clock);
        let uri = Uri::from_static("/caches/films?key=a");
        let shown = async |token: String| {
            let value = HeaderValue::from_str(&token).unwrap();
            let headers = [(AUTHORIZATION, value)].into_iter().collect();
            access
                .check(&Method::DELETE, &uri, &headers)
                .await
                .map_err(|error| error.code())
                .err()
        };
        let made = |secret: u8, address: &str, now: Timestamp| {
            let request = (&Method::DELETE, "/caches/films?key=a");
            format!("Bearer {}", pass(&[secret; 32], address, request, now))
        };
        let elsewhere = |method: &Method, path: &str| {
            format!("Bearer {}", pass(&[0xab; 32], AT, (method, path), now))
        };
        assert_eq!(shown(made(0xab, AT, now)).await, None);
        assert_eq!(shown(made(0xab, "localhost:8093", now)).await, None);
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        assert_eq!(shown(made(0xab, AT, now.minus(minutes(1)))).await, None);
        for wrong in [
            made(0xac, AT, now),
            made(0xab, "127.0.0.1:8094", now),
            made(0xab, AT, now.minus(minutes(3))),
            made(0xab, AT, now.plus(minutes(3))),
            elsewhere(&Method::GET, "/caches/films?key=a"),
            elsewhere(&Method::DELETE, "/caches/films"),
            made(0xab, AT, now).replace("Bearer", "Basic"),
            format!("Bearer {}", "ab".repeat(32)),
            "Bearer operators-1".to_owned(),
            "Bearer operators-x-y".to_owned(),
            "Bearer x.y.z".to_owned(),
        ] {
            let refused = shown(wrong.clone()).await;
            assert_eq!(refused, Some(Code::Unauthenticated), "{wrong}");
        }
        let nobody = access
            .check(&Method::DELETE, &uri, &HeaderMap::new())
            .await
            .unwrap_err();
        assert_eq!(nobody.code(), Code::Unauthenticated);
        assert_eq!(format!("{access:?}"), "Access(***)");
    }
}
