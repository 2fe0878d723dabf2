//! What is called, and what a right reply is.

use anyhow::{Context as _, Result, ensure};
use backlot::Env;
use bytes::{BufMut, Bytes};
use clap::ValueEnum;
use http::header::{AUTHORIZATION, CONTENT_TYPE, TE};
use http::{HeaderMap, HeaderValue, Request, Uri};
use http_body_util::Full;
use movies_api as api;
use movies_bench::names;
use movies_bench::users::Users;
use prost::Message;
use std::path::Path;

/// What to call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Method {
    /// A film with its rating
    Details,
    /// A film
    Metadata,
    /// The ratings of a film in numbers
    Aggregate,
    /// Rates a film
    Put,
}

/// Makes the requests and checks the replies.
pub(crate) struct Calls {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    record: Option<String>,
    /// One for each user, for writes.
    tokens: Vec<HeaderValue>,
    /// Where writes start: neighbouring runs shall not write the same values.
    first: u64,
}

impl Calls {
    pub(crate) fn new(
        method: Method,
        target: &str,
        record: Option<String>,
        data: Option<&Path>,
    ) -> Result<Self> {
        let path = match method {
            Method::Details => "/movies.movie.v1.MovieService/GetMovieDetails",
            Method::Metadata => "/movies.metadata.v1.MetadataService/GetMetadata",
            Method::Aggregate => "/movies.rating.v1.RatingService/GetAggregatedRating",
            Method::Put => "/movies.rating.v1.RatingService/PutRating",
        };
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert(TE, HeaderValue::from_static("trailers"));
        let mut tokens = Vec::new();
        if method == Method::Put {
            let users = Users::of(data.context("--method put needs --data")?)?;
            for number in 0..u64::from(names::USERS) {
                tokens.push(HeaderValue::from_str(&format!(
                    "Bearer {}",
                    users.token(number)?
                ))?);
            }
        }
        let first = Env::real().dice.below(1 << 40);
        Ok(Calls {
            method,
            uri: format!("http://{target}{path}").parse()?,
            headers,
            record,
            tokens,
            first,
        })
    }

    fn record(&self, number: u64) -> String {
        self.record
            .clone()
            .unwrap_or_else(|| names::film_id(number))
    }

    /// The request of this number.
    pub(crate) fn request(&self, number: u64) -> Result<Request<Full<Bytes>>> {
        let message = match self.method {
            Method::Details => framed(&api::GetMovieDetailsRequest {
                movie_id: self.record(number),
            }),
            Method::Metadata => framed(&api::GetMetadataRequest {
                movie_id: self.record(number),
            }),
            Method::Aggregate => framed(&names::rating_of(self.record(number))),
            Method::Put => framed(&names::rating(self.first + number)),
        };
        let mut request = Request::post(self.uri.clone()).body(Full::new(message))?;
        *request.headers_mut() = self.headers.clone();
        if self.method == Method::Put {
            let token = &self.tokens[(self.first + number) as usize % self.tokens.len()];
            request.headers_mut().insert(AUTHORIZATION, token.clone());
            // As our own clients do: a write that may come twice carries a key.
            let key = format!("load-{}-{number}", std::process::id());
            request
                .headers_mut()
                .insert("idempotency-key", HeaderValue::from_str(&key)?);
        }
        Ok(request)
    }

    /// Whether this is a reply a caller would be content with.
    pub(crate) fn check(&self, reply: &[u8]) -> Result<()> {
        let message = unframed(reply).context("the reply is no whole message")?;
        match self.method {
            Method::Details => {
                let reply = api::GetMovieDetailsResponse::decode(message)?;
                ensure!(reply.degraded.is_empty(), "the reply is degraded");
                let movie = reply.movie.context("the reply has no movie")?;
                ensure!(
                    movie.metadata.is_some_and(|film| !film.title.is_empty()),
                    "the reply has no film"
                );
                ensure!(
                    movie.rating.is_some_and(|rating| rating.count > 0),
                    "the reply has no rating"
                );
            }
            Method::Metadata => {
                let reply = api::GetMetadataResponse::decode(message)?;
                ensure!(
                    reply.metadata.is_some_and(|film| !film.title.is_empty()),
                    "the reply has no film"
                );
            }
            Method::Aggregate => {
                let reply = api::GetAggregatedRatingResponse::decode(message)?;
                ensure!(
                    reply.aggregate.is_some_and(|rating| rating.count > 0),
                    "the reply has no rating"
                );
            }
            Method::Put => {
                let reply = api::PutRatingResponse::decode(message)?;
                ensure!(
                    reply.aggregate.is_some_and(|rating| rating.count > 0),
                    "the reply has no rating"
                );
            }
        }
        Ok(())
    }
}

/// A message as gRPC sends it: not compressed, its length, itself.
fn framed(message: &impl Message) -> Bytes {
    let message = message.encode_to_vec();
    let mut frame = Vec::with_capacity(5 + message.len());
    frame.put_u8(0);
    frame.put_u32(message.len() as u32);
    frame.put_slice(&message);
    frame.into()
}

fn unframed(frame: &[u8]) -> Option<&[u8]> {
    let (head, message) = frame.split_first_chunk::<5>()?;
    let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
    (head[0] == 0 && message.len() == length as usize).then_some(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_reply_is_seen() {
        let frame = framed(&names::details_of(1));
        assert!(unframed(&frame).is_some());
        assert!(unframed(&frame[..frame.len() - 1]).is_none());
        assert!(unframed(&frame[..3]).is_none());
    }

    #[test]
    fn a_degraded_reply_is_refused() {
        let calls = Calls::new(Method::Details, "127.0.0.1:1", None, None).unwrap();
        let mut reply = api::GetMovieDetailsResponse {
            movie: Some(api::MovieDetails {
                metadata: Some(names::film(1)),
                rating: Some(names::aggregate()),
            }),
            degraded: Vec::new(),
            metadata_age_ms: 0,
        };
        assert!(calls.check(&framed(&reply)).is_ok());
        reply.degraded.push("rating".to_owned());
        assert!(calls.check(&framed(&reply)).is_err());
    }
}
