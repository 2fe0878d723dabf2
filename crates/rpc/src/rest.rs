//! JSON over HTTP from the same contract: every route of `google.api.http`, `/openapi.json`, and a
//! page to try them at `/docs`.
//!
//! A request is put together from path, query and body, then takes the way of every other call
//! ([`Mount::bytes`]); the answer is canonical proto3 JSON with all fields written out, save those
//! that can be absent and are. A stream of answers is server-sent events; a stream of requests is a
//! body of `application/x-ndjson`, a message on each line, read as it comes. What goes wrong is told
//! as RFC 9457 describes it.

mod docs;
mod events;
mod json;
mod lines;
mod openapi;
mod problem;
mod request;
mod route;
mod template;
#[cfg(test)]
mod tests;
mod text;
mod transcode;

pub use transcode::Transcoder;

use crate::contract::{Shape, Verb};
use crate::edge::Edge;
use crate::mount::{Mount, Reply};
use backlot_core::Error;
use backlot_core::trace::TraceContext;
use bytes::Bytes;
use http::header::{ALLOW, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, Request, Response, StatusCode};
use problem::{About, Problem};
use route::Endpoint;
use std::collections::BTreeSet;
use std::sync::Arc;
use template::Tree;
use tower::ServiceExt;

/// The largest body of a request, and the longest line of one that has a message on each, in bytes.
pub const MAX_BODY: usize = 4 << 20;
/// How deep the JSON of a body may nest.
pub const MAX_DEPTH: usize = 100;

type Body = axum::body::Body;

/// The REST routes of `mounts` alone, for an axum application of one's own:
/// `app.fallback_service(rest::routes(&mounts, &edge)?)`.
///
/// # Errors
/// `Internal` when two mounts claim the same route, or a mount's descriptors are malformed.
pub fn routes(mounts: &[Mount], edge: &Edge) -> Result<axum::Router, Error> {
    router(mounts, edge.clone(), axum::Router::new(), true)
}

/// A failure as RFC 9457 describes it, for routes of one's own; `path` is what was asked for.
#[must_use]
pub fn problem(error: Error, path: &str) -> Response<Body> {
    let about = About {
        instance: path.to_owned(),
        trace: TraceContext::NONE,
    };
    Problem::from(error).into_response(&about)
}

/// The REST routes of `mounts`; what they do not answer goes to `pages`. They are described, by
/// document and page, only if callers may know what there is.
///
/// # Errors
/// `Internal` when two mounts claim the same route, or a mount's descriptors are malformed.
pub(crate) fn router(
    mounts: &[Mount],
    edge: Edge,
    pages: axum::Router,
    described: bool,
) -> Result<axum::Router, Error> {
    let mut tree = Tree::default();
    for endpoint in route::endpoints(mounts)? {
        let (verb, template) = (endpoint.route.verb, endpoint.route.template);
        if let Some(other) = tree.insert(template, verb, Arc::new(endpoint))? {
            return Err(Error::internal(format!(
                "{} is claimed by two mounts: the other is {}",
                template, other.method.path
            )));
        }
    }
    let openapi = openapi::merged(mounts)?;
    let rest = Arc::new(Rest {
        tree,
        edge,
        pages,
        openapi: described.then_some(openapi),
        docs: described && !mounts.is_empty(),
    });
    Ok(axum::Router::new().fallback(move |request: Request<Body>| {
        let rest = Arc::clone(&rest);
        async move { rest.answer(request).await }
    }))
}

struct Rest {
    tree: Tree<Arc<Endpoint>>,
    edge: Edge,
    pages: axum::Router,
    openapi: Option<Bytes>,
    docs: bool,
}

impl Rest {
    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let about = About {
            instance: request.uri().path().to_owned(),
            trace: self.edge.trace(request.headers()),
        };
        let method = request.method().clone();
        let head = method == http::Method::HEAD;
        let verb = verb(&method);
        if let Some(file) = self.description(&about.instance) {
            return match verb {
                Some(Verb::Get) => finish(head, file),
                _ => refuse_method(&method, &BTreeSet::from([Verb::Get]), &about),
            };
        }
        let found = self.tree.find(&about.instance);
        if found.is_empty() {
            return self.page(request, &about).await;
        }
        let chosen = verb.and_then(|verb| {
            found
                .iter()
                .find_map(|(ends, captures)| Some((ends.get(&verb)?, captures.as_slice())))
        });
        let Some((endpoint, captures)) = chosen else {
            let verbs: BTreeSet<Verb> = found
                .iter()
                .flat_map(|(ends, _)| ends.keys().copied())
                .collect();
            return refuse_method(&method, &verbs, &about);
        };
        if head && endpoint.method.shape == Shape::ServerStream {
            return finish(head, events::headers(Body::empty()));
        }
        let outcome = self.call(endpoint, captures, request, &about).await;
        finish(
            head,
            outcome.unwrap_or_else(|problem| problem.into_response(&about)),
        )
    }

    /// What describes the routes, if it is asked for and may be known.
    fn description(&self, path: &str) -> Option<Response<Body>> {
        if path == "/openapi.json" {
            return Some(json(self.openapi.clone()?));
        }
        self.docs.then(|| docs::file(path)).flatten()
    }

    async fn call(
        &self,
        endpoint: &Arc<Endpoint>,
        captures: &[&str],
        request: Request<Body>,
        about: &About,
    ) -> Result<Response<Body>, Problem> {
        let (parts, body) = request.into_parts();
        let cx = self
            .edge
            .context_in(about.trace, &parts.headers, endpoint.method)
            .await?;
        let (mount, method) = (&endpoint.mount, endpoint.method);
        let reply = match method.shape {
            Shape::Unary | Shape::ServerStream => {
                let message =
                    request::read(endpoint, captures, &parts, body, cx.deadline()).await?;
                mount.bytes(method.index, cx, message).await?
            }
            Shape::ClientStream => {
                let messages = request::messages(Arc::clone(endpoint), captures, parts, body)?;
                mount.stream_bytes(method.index, cx, messages).await?
            }
        };
        match reply {
            Reply::One(message) => Ok(json(endpoint.write(message)?.into())),
            Reply::Stream(stream) => Ok(events::response(
                endpoint.output.clone(),
                stream,
                about.clone(),
            )),
        }
    }

    /// Answers from the pages; a refusal without a body becomes a problem.
    async fn page(&self, request: Request<Body>, about: &About) -> Response<Body> {
        let verb = request.method().clone();
        let at_root = about.instance == "/" && matches!(verb.as_str(), "GET" | "HEAD");
        let response = match self.pages.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        if response.headers().contains_key(CONTENT_TYPE) {
            return response;
        }
        match response.status() {
            StatusCode::NOT_FOUND if at_root && self.docs => docs::redirect(),
            StatusCode::NOT_FOUND => Problem::not_found(&about.instance).into_response(about),
            StatusCode::METHOD_NOT_ALLOWED => {
                let mut refusal = Problem::wrong_method(&verb).into_response(about);
                if let Some(allow) = response.headers().get(ALLOW) {
                    refusal.headers_mut().insert(ALLOW, allow.clone());
                }
                refusal
            }
            _ => response,
        }
    }
}

/// HEAD is answered as GET, without the body.
fn verb(method: &http::Method) -> Option<Verb> {
    Some(match method.as_str() {
        "GET" | "HEAD" => Verb::Get,
        "PUT" => Verb::Put,
        "POST" => Verb::Post,
        "DELETE" => Verb::Delete,
        "PATCH" => Verb::Patch,
        _ => return None,
    })
}

fn verb_name(verb: Verb) -> &'static str {
    match verb {
        Verb::Get => "GET, HEAD",
        Verb::Put => "PUT",
        Verb::Post => "POST",
        Verb::Delete => "DELETE",
        Verb::Patch => "PATCH",
    }
}

/// OPTIONS is told what there is, everything else that it is not there.
fn refuse_method(method: &http::Method, verbs: &BTreeSet<Verb>, about: &About) -> Response<Body> {
    let names = verbs
        .iter()
        .copied()
        .map(verb_name)
        .chain(["OPTIONS"])
        .collect::<Vec<_>>()
        .join(", ");
    let mut response = if method == http::Method::OPTIONS {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        response
    } else {
        Problem::wrong_method(method).into_response(about)
    };
    if let Ok(allow) = HeaderValue::from_str(&names) {
        response.headers_mut().insert(ALLOW, allow);
    }
    response
}

fn json(body: Bytes) -> Response<Body> {
    let length = HeaderValue::from(body.len());
    let mut response = Response::new(Body::from(body));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(CONTENT_LENGTH, length);
    response
}

fn finish(head: bool, response: Response<Body>) -> Response<Body> {
    if head {
        response.map(|_| Body::empty())
    } else {
        response
    }
}
