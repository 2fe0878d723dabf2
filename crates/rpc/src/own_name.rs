//! Whether a request was sent to a name of ours.
//!
//! A page that an operator has open may have a name that leads to this machine a moment later; to
//! the browser what it asks for then is its own. Pages that anybody may see who can reach them must
//! therefore answer to addresses, `localhost` and names they were told alone: addresses are nobody
//! else's.

use http::header::HOST;
use http::{HeaderMap, Uri};
use std::collections::BTreeSet;
use std::net::IpAddr;

/// Whether a request went to an address, to `localhost`, or to one of these names, which are in lower
/// case.
#[must_use]
pub fn is_own(uri: &Uri, headers: &HeaderMap, names: &BTreeSet<String>) -> bool {
    // HTTP/2 carries the host in the URI.
    let authority = uri.authority().map(|it| it.as_str().to_owned());
    let header = || Some(headers.get(HOST)?.to_str().ok()?.to_owned());
    let Some(authority) = authority.or_else(header) else {
        return false;
    };
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => &authority,
    };
    let host = host.to_ascii_lowercase();
    let bare = host.trim_matches(['[', ']']);
    host == "localhost" || bare.parse::<IpAddr>().is_ok() || names.contains(&host)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn only_names_of_ours_lead_here() {
        let names = BTreeSet::from(["console.example.com".to_owned()]);
        let own = |host: &'static str| {
            let headers = [(HOST, HeaderValue::from_static(host))]
                .into_iter()
                .collect();
            is_own(&Uri::from_static("/"), &headers, &names)
        };
        for ours in [
            "127.0.0.1:8089",
            "localhost",
            "[::1]:8089",
            "Console.example.com",
            "10.0.0.7:1",
        ] {
            assert!(own(ours), "{ours}");
        }
        for foreign in [
            "evil.example",
            "evil.example:8089",
            "localhost.evil.example",
            "",
            "127.0.0.1.evil.example",
        ] {
            assert!(!own(foreign), "{foreign}");
        }
        assert!(!is_own(&Uri::from_static("/"), &HeaderMap::new(), &names));
    }
}
