//! Requests to one endpoint, over connections that are kept for a while.

use crate::transport::{Connection, Transport, Trouble};
use backlot_core::Timestamp;
use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use parking_lot::Mutex;
use std::time::{Duration, UNIX_EPOCH};
use tokio::time::Instant;
use url::Url;

/// How long a connection is kept: its address was checked that long ago.
const KEPT: Duration = Duration::from_secs(30);
/// The most bytes of an answer that are read.
const ANSWER: usize = 16 * 1024;
/// How much of an answer is kept, in characters.
const SAID: usize = 200;
/// The longest that an endpoint may ask to be left alone.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

pub(crate) struct Client {
    transport: Transport,
    url: Url,
    /// The most connections that are kept.
    most: usize,
    idle: Mutex<Vec<(Connection, Instant)>>,
}

/// What an endpoint answered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// How long it wants to be left alone.
    pub(crate) retry_after: Option<Duration>,
    /// The beginning of its body, on one line.
    pub(crate) said: String,
}

impl Client {
    pub(crate) fn new(transport: Transport, url: Url, most: usize) -> Self {
        Client {
            transport,
            url,
            most,
            idle: Mutex::default(),
        }
    }

    /// Posts; the answer. The caller brings the deadline, and the time for what the answer says of it.
    pub(crate) async fn post(
        &self,
        headers: &HeaderMap,
        body: &Bytes,
        now: Timestamp,
    ) -> Result<Answer, Trouble> {
        loop {
            let (mut connection, made, is_fresh) = match self.kept() {
                Some((connection, made)) => (connection, made, false),
                None => (
                    self.transport.connect(&self.url).await?,
                    Instant::now(),
                    true,
                ),
            };
            let response = match connection.send_request(self.request(headers, body)).await {
                Ok(response) => response,
                // It was closed while nobody used it.
                Err(error) if !is_fresh && is_closed(&error) => continue,
                Err(error) => return Err(error.into()),
            };
            let (head, body) = response.into_parts();
            let answer = |said| Answer {
                status: head.status,
                retry_after: retry_after(&head.headers, now),
                said,
            };
            // What is longer is not read, and its connection not used again.
            let Ok(read) = Limited::new(body, ANSWER).collect().await else {
                return Ok(answer(String::new()));
            };
            self.keep(connection, made);
            return Ok(answer(line(&read.to_bytes())));
        }
    }

    fn request(&self, headers: &HeaderMap, body: &Bytes) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(body.clone()));
        *request.method_mut() = Method::POST;
        let mut path = self.url.path().to_owned();
        if let Some(query) = self.url.query() {
            path.push('?');
            path.push_str(query);
        }
        // A path of a URL is one of a request.
        *request.uri_mut() = path.parse().unwrap_or_default();
        *request.headers_mut() = headers.clone();
        let host = match (self.url.host_str(), self.url.port()) {
            (Some(host), Some(port)) => format!("{host}:{port}"),
            (host, _) => host.unwrap_or_default().to_owned(),
        };
        if let Ok(host) = HeaderValue::from_str(&host) {
            request.headers_mut().insert(http::header::HOST, host);
        }
        request
    }

    fn kept(&self) -> Option<(Connection, Instant)> {
        let now = Instant::now();
        let mut idle = self.idle.lock();
        while let Some((connection, made)) = idle.pop() {
            if made + KEPT > now && !connection.is_closed() {
                return Some((connection, made));
            }
        }
        None
    }

    fn keep(&self, connection: Connection, made: Instant) {
        let mut idle = self.idle.lock();
        if idle.len() < self.most && !connection.is_closed() {
            idle.push((connection, made));
        }
    }
}

fn is_closed(error: &hyper::Error) -> bool {
    error.is_canceled() || error.is_closed() || error.is_incomplete_message()
}

/// Seconds, or a date (RFC 9110, 10.2.3).
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let said = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = said.parse::<u64>() {
        return Some(Duration::from_secs(seconds).min(LONGEST));
    }
    let until = httpdate::parse_http_date(said).ok()?;
    let until = until.duration_since(UNIX_EPOCH).ok()?;
    let now = Duration::from_millis(now.0.max(0).unsigned_abs());
    Some(until.saturating_sub(now).min(LONGEST))
}

/// What was said, for people.
fn line(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let plain = |sign: char| if sign.is_control() { ' ' } else { sign };
    text.chars().take(SAID).map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = Timestamp::of_seconds(1_445_412_480 - 90);
        let after = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, value.parse().unwrap());
            retry_after(&headers, now)
        };
        assert_eq!(after("120"), Some(Duration::from_secs(120)));
        assert_eq!(
            after("Wed, 21 Oct 2015 07:28:00 GMT"),
            Some(Duration::from_secs(90))
        );
        assert_eq!(after("Fri, 21 Oct 2005 07:28:00 GMT"), Some(Duration::ZERO));
        assert_eq!(after("99999999999"), Some(LONGEST));
        assert_eq!(after("soon"), None);
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }

    #[test]
    fn what_was_said_is_one_short_line() {
        assert_eq!(line(b"no\r\nroom\x1b[2J"), "no  room [2J");
        assert_eq!(line(&[b'x'; 5000]).len(), SAID);
    }
}
