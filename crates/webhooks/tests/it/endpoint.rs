//! Somebody's endpoint: it keeps what it is sent, and answers as it is told.

use backlot_core::net::{Listener, Network, Stream, Tcp};
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// What was sent.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Received {
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).map(|value| value.to_str().unwrap());
        value.unwrap_or_default()
    }
}

/// What is answered: a status, and headers.
pub(crate) type Reply = (u16, Vec<(&'static str, String)>);

#[derive(Default)]
struct State {
    received: Vec<Received>,
    /// What is answered by path, in order; 200 when there is nothing.
    replies: BTreeMap<String, Vec<Reply>>,
    /// Requests that are being answered, by path, now and at most.
    running: BTreeMap<String, (usize, usize)>,
    connections: usize,
}

/// Endpoints at one port.
pub(crate) struct Endpoint {
    pub(crate) port: u16,
    state: Arc<Mutex<State>>,
    /// Open while nobody answers under /held.
    held: Arc<tokio::sync::Semaphore>,
    _serving: JoinSet<()>,
}

impl Endpoint {
    pub(crate) async fn start(tls: Option<TlsAcceptor>) -> Endpoint {
        let listener = Tcp.bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state: Arc<Mutex<State>> = Arc::default();
        let held = Arc::new(tokio::sync::Semaphore::new(0));
        let mut serving = JoinSet::new();
        serving.spawn(serve(listener, tls, Arc::clone(&state), Arc::clone(&held)));
        Endpoint {
            port,
            state,
            held,
            _serving: serving,
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Answers this the next times that this path is asked for.
    pub(crate) fn answers(&self, path: &str, replies: impl IntoIterator<Item = Reply>) {
        let mut state = self.state.lock();
        let queued = state.replies.entry(path.to_owned()).or_default();
        queued.extend(replies);
    }

    /// What was sent to this path.
    pub(crate) fn received(&self, path: &str) -> Vec<Received> {
        let state = self.state.lock();
        let received = state.received.iter().filter(|it| it.path == path);
        received.cloned().collect()
    }

    /// The most that were answered at once.
    pub(crate) fn most_at_once(&self, path: &str) -> usize {
        self.state
            .lock()
            .running
            .get(path)
            .map_or(0, |(_, most)| *most)
    }

    pub(crate) fn connections(&self) -> usize {
        self.state.lock().connections
    }

    /// Lets so many be answered that are held.
    pub(crate) fn release(&self, count: usize) {
        self.held.add_permits(count);
    }

    /// So many, sooner or later.
    pub(crate) async fn received_by(&self, path: &str, count: usize) -> Vec<Received> {
        backlot_testkit::wait_until("it is sent", async || {
            let received = self.received(path);
            match received.len() {
                enough if enough >= count => Ok(received),
                few => Err(format!("{few} of {count} to {path}")),
            }
        })
        .await
    }
}

async fn serve(
    mut listener: Box<dyn Listener>,
    tls: Option<TlsAcceptor>,
    state: Arc<Mutex<State>>,
    held: Arc<tokio::sync::Semaphore>,
) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        state.lock().connections += 1;
        let (tls, state, held) = (tls.clone(), Arc::clone(&state), Arc::clone(&held));
        connections.spawn(async move {
            let stream = match tls {
                None => stream,
                // Who does not believe us goes away.
                Some(tls) => match tls.accept(stream).await {
                    Ok(stream) => Stream::Other(Box::new(stream)),
                    Err(_unbelieved) => return,
                },
            };
            let service =
                service_fn(move |request| answer(request, Arc::clone(&state), Arc::clone(&held)));
            drop(
                http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .await,
            );
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    state: Arc<Mutex<State>>,
    held: Arc<tokio::sync::Semaphore>,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let (head, body) = request.into_parts();
    let path = head.uri.to_string();
    let body = body.collect().await?.to_bytes();
    {
        let mut state = state.lock();
        state.received.push(Received {
            path: path.clone(),
            headers: head.headers,
            body,
        });
        let (now, most) = state.running.entry(path.clone()).or_default();
        *now += 1;
        *most = (*most).max(*now);
    }
    if path.starts_with("/held") {
        held.acquire().await.unwrap().forget();
    }
    let mut state = state.lock();
    if let Some((now, _)) = state.running.get_mut(&path) {
        *now -= 1;
    }
    let replies = state
        .replies
        .get_mut(&path)
        .filter(|replies| !replies.is_empty());
    let (status, headers) = replies.map_or((200, Vec::new()), |replies| replies.remove(0));
    let mut response = Response::new(Full::from("as you wish"));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    for (name, value) in headers {
        response.headers_mut().insert(name, value.parse().unwrap());
    }
    Ok(response)
}
