//! Refuses writes that another site's page started in the visitor's browser.
//!
//! Browsers say who started a request: `sec-fetch-site`, or before that `origin`. A write without
//! either, or with one that is not ours, is refused. A proxy in front must pass `host` on.
//!
//! ```
//! use axum::Router;
//! use axum::middleware::from_fn;
//! use axum::routing::post;
//! use backlot_rpc::same_origin;
//!
//! let page: Router = Router::new()
//!     .route("/name", post(async || "taken"))
//!     .layer(from_fn(same_origin::only));
//! ```

use axum::extract::Request;
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// Lets reads and our own writes pass.
pub async fn only(request: Request, next: Next) -> Response {
    if request.method().is_safe() || is_ours(request.uri(), request.headers()) {
        return next.run(request).await;
    }
    let why = "refused: this form was not sent from this site. Send it from the page itself, \
               or with the header 'sec-fetch-site: same-origin'.\n";
    (StatusCode::FORBIDDEN, why).into_response()
}

fn is_ours(uri: &Uri, headers: &HeaderMap) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return site == "same-origin" || site == "none";
    }
    let text = |value: &HeaderValue| value.to_str().map(str::to_ascii_lowercase).ok();
    // HTTP/2 carries the host in the URI.
    let host = uri
        .authority()
        .map(|host| host.as_str().to_ascii_lowercase())
        .or_else(|| headers.get(HOST).and_then(text));
    let origin = headers.get(ORIGIN).and_then(text);
    match (origin, host) {
        (Some(origin), Some(host)) => origin
            .split_once("://")
            .is_some_and(|(_, from)| from == host),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours(pairs: &[(&'static str, &'static str)]) -> bool {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (
                axum::http::HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        };
        is_ours(
            &Uri::from_static("/name"),
            &pairs.iter().map(pair).collect(),
        )
    }

    #[test]
    fn the_browsers_word_counts() {
        assert!(ours(&[("sec-fetch-site", "same-origin")]));
        assert!(ours(&[("sec-fetch-site", "none")]));
        for site in ["cross-site", "same-site", ""] {
            assert!(
                !ours(&[
                    ("sec-fetch-site", site),
                    ("origin", "http://a"),
                    ("host", "a")
                ]),
                "{site}"
            );
        }
    }

    #[test]
    fn without_it_the_origin_must_be_the_host() {
        assert!(ours(&[
            ("origin", "http://Movies.example:8080"),
            ("host", "movies.example:8080")
        ]));
        assert!(!ours(&[
            ("origin", "http://evil.example"),
            ("host", "movies.example")
        ]));
        assert!(!ours(&[
            ("origin", "http://movies.example:81"),
            ("host", "movies.example")
        ]));
        assert!(!ours(&[("origin", "null"), ("host", "null")]));
        assert!(!ours(&[("host", "movies.example")]), "no word at all");
    }
}
