//! Where a request goes.

use super::health;
use crate::contract::Method;
use crate::edge::Edge;
use crate::mount::Mount;
use crate::mount::answer::Answer;
use crate::{rest, status};
use backlot_core::{BoxFuture, Error};
use backlot_service::health::Health;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Request, Response};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tower::util::BoxCloneSyncService;
use tower::{Service, ServiceExt};

pub(super) type Grpc =
    BoxCloneSyncService<Request<tonic::body::Body>, Response<tonic::body::Body>, Infallible>;

/// Sends each request to the method, the REST route or the page it is for. Cheap to clone.
#[derive(Clone)]
pub(super) struct Dispatch(Arc<Table>);

struct Table {
    /// By gRPC path.
    methods: BTreeMap<&'static str, (Mount, &'static Method)>,
    /// Health and reflection, by the service in the path.
    others: Vec<(String, Grpc)>,
    /// Services that tonic generated, in the same way.
    plain: Vec<(String, Grpc)>,
    http: axum::Router,
    edge: Edge,
}

impl Dispatch {
    pub(super) fn new(
        mounts: Vec<Mount>,
        plain: impl Iterator<Item = (&'static str, Grpc)>,
        pages: axum::Router,
        edge: Edge,
        health: Health,
        reflection: bool,
    ) -> Result<Self, Error> {
        let http = rest::router(&mounts, edge.clone(), pages, reflection)?;
        let mut others = vec![health::service(health)];
        if reflection {
            others.extend(reflect(&mounts)?);
        }
        let methods = mounts
            .iter()
            .flat_map(|mount| {
                mount
                    .service()
                    .methods
                    .iter()
                    .map(move |method| (method.path, (mount.clone(), method)))
            })
            .collect();
        Ok(Dispatch(Arc::new(Table {
            methods,
            others,
            plain: plain
                .map(|(name, service)| (format!("/{name}/"), service))
                .collect(),
            http,
            edge,
        })))
    }

    /// Answers one request.
    pub(super) fn answer(self, request: Request<Incoming>) -> BoxFuture<'static, Response<Body>> {
        let grpc = request
            .headers()
            .get(CONTENT_TYPE)
            .is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"));
        if grpc {
            Box::pin(self.grpc(request))
        } else {
            Box::pin(self.rest(request))
        }
    }

    async fn grpc(self, request: Request<Incoming>) -> Response<Body> {
        let table = &self.0;
        if let Some((mount, method)) = table.methods.get(request.uri().path()) {
            let answer = async {
                let cx = table.edge.context(request.headers(), method).await?;
                mount.grpc(method, cx, request).await
            };
            return match answer.await {
                Ok(answer) => answer.map(Body::Answer),
                Err(error) => status::to_response(&error).map(Body::Grpc),
            };
        }
        let path = request.uri().path();
        let mut plain = table.plain.iter();
        if let Some((_, plain)) = plain.find(|(prefix, _)| path.starts_with(prefix.as_str())) {
            let request = request.map(tonic::body::Body::new);
            return match plain.clone().oneshot(request).await {
                Ok(response) => response.map(Body::Grpc),
                Err(never) => match never {},
            };
        }
        let Some((_, other)) = table
            .others
            .iter()
            .find(|(prefix, _)| path.starts_with(prefix.as_str()))
        else {
            let error = Error::unimplemented(format!("no method {path:?} here"));
            return status::to_response(&error).map(Body::Grpc);
        };
        match other
            .clone()
            .oneshot(request.map(tonic::body::Body::new))
            .await
        {
            // These have no failures of their own that a caller could cause.
            Ok(response) => status::callers_fault(response).map(Body::Grpc),
            Err(never) => match never {},
        }
    }

    async fn rest(self, request: Request<Incoming>) -> Response<Body> {
        match self
            .0
            .http
            .clone()
            .call(request.map(axum::body::Body::new))
            .await
        {
            Ok(response) => response.map(Body::Http),
            Err(never) => match never {},
        }
    }
}

fn reflect(mounts: &[Mount]) -> Result<Vec<(String, Grpc)>, Error> {
    let builder = || {
        mounts.iter().fold(
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET),
            |builder, mount| {
                builder.register_encoded_file_descriptor_set(mount.service().descriptors)
            },
        )
    };
    let malformed = |error: tonic_reflection::server::Error| {
        Error::internal("a mount's descriptors are malformed").with_source(error)
    };
    let v1 = builder().build_v1().map_err(malformed)?;
    let v1alpha = builder().build_v1alpha().map_err(malformed)?;
    Ok(vec![
        (
            "/grpc.reflection.v1.ServerReflection/".to_owned(),
            BoxCloneSyncService::new(v1),
        ),
        (
            "/grpc.reflection.v1alpha.ServerReflection/".to_owned(),
            BoxCloneSyncService::new(v1alpha),
        ),
    ])
}

/// The body of either protocol.
pub(super) enum Body {
    Answer(Answer),
    Grpc(tonic::body::Body),
    Http(axum::body::Body),
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match self.get_mut() {
            Body::Answer(body) => Pin::new(body)
                .poll_frame(cx)
                .map_err(|never| match never {}),
            Body::Grpc(body) => Pin::new(body).poll_frame(cx).map_err(Into::into),
            Body::Http(body) => Pin::new(body).poll_frame(cx).map_err(Into::into),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Body::Answer(body) => body.is_end_stream(),
            Body::Grpc(body) => body.is_end_stream(),
            Body::Http(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Body::Answer(body) => body.size_hint(),
            Body::Grpc(body) => body.size_hint(),
            Body::Http(body) => body.size_hint(),
        }
    }
}
