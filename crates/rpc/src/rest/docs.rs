//! A page to try the methods of an address: forms made of its own OpenAPI document.
//!
//! The files are part of the program; the page loads nothing from elsewhere, and its policy allows
//! nothing else.

use super::Body;
use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderValue, Response, StatusCode};

/// Where the page is.
pub(super) const PATH: &str = "/docs";

const FILES: [(&str, &str, &str); 3] = [
    (
        PATH,
        "text/html; charset=utf-8",
        include_str!("docs/page.html"),
    ),
    (
        "/docs/page.css",
        "text/css; charset=utf-8",
        include_str!("docs/page.css"),
    ),
    (
        "/docs/page.js",
        "text/javascript; charset=utf-8",
        include_str!("docs/page.js"),
    ),
];

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
    img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'";

/// The file of the page at this path.
pub(super) fn file(path: &str) -> Option<Response<Body>> {
    let path = path.strip_suffix('/').unwrap_or(path);
    let (_, kind, text) = FILES.into_iter().find(|(name, ..)| *name == path)?;
    let mut response = Response::new(Body::from(Bytes::from_static(text.as_bytes())));
    let headers = [
        (CONTENT_TYPE, kind),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        // A new program may bring a new page.
        (CACHE_CONTROL, "no-cache"),
    ];
    for (name, value) in headers {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    Some(response)
}

/// Sends a visitor of the root to the page.
pub(super) fn redirect() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
    response
        .headers_mut()
        .insert(LOCATION, HeaderValue::from_static(PATH));
    response
}
