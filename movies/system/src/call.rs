//! `movies call`: any method over gRPC, with its requests and answers in JSON.

use crate::PRODUCT;
use backlot::app::cli::{Configuration, Options};
use backlot::app::out;
use backlot::app::process;
use backlot::broker::contract::BROKER_SERVICE;
use backlot::core::discovery::{Instance, InstanceSet};
use backlot::core::principal::{Token, User};
use backlot::rpc::contract::{Method, Service, Shape};
use backlot::rpc::rest::Transcoder;
use backlot::rpc::{Caller, Remote, Reply};
use backlot::service::tasks::Tasks;
use backlot::service::telemetry::Metrics;
use backlot::{Context, Env, Error, Principal, Streaming, Timestamp};
use movies_api as api;
use std::collections::BTreeMap;
use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::sync::watch;

/// The largest array of requests that is read from the standard input, in bytes.
const MAX_ARRAY: u64 = 64 << 20;

/// What `movies call` is told.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  movies call MovieService/GetMovieDetails '{\"movieId\": \"metropolis-1927\"}'
  movies call RatingService/PutRating --token \"$(movies token ann)\" \\
      '{\"recordType\": \"movie\", \"recordId\": \"metropolis-1927\", \"userId\": \"ann\", \"value\": 4.5}'
  movies call RatingService/WatchRatings '{\"recordType\": \"movie\", \"recordId\": \"metropolis-1927\"}'")]
pub struct Arguments {
    /// Which method, for example RatingService/GetAggregatedRating
    method: String,
    /// The request; for a method that takes many, an array of them or one on each line, from the
    /// standard input if left out or '-'
    json: Option<String>,
    /// Where, if not at the service's configured address
    #[arg(long, value_name = "HOST:PORT")]
    to: Option<String>,
    /// Who asks; see movies token
    #[arg(long)]
    token: Option<String>,
    /// How long it may take, in seconds; a stream may go on for an hour
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u64>,
}

/// The contracts of Movies, and of its broker.
const SERVICES: [&Service; 6] = [
    &api::METADATA_SERVICE,
    &api::RATING_SERVICE,
    &api::MOVIE_SERVICE,
    &api::AUTH_SERVICE,
    &api::MAIL_SERVICE,
    &BROKER_SERVICE,
];

/// Calls the method and prints what it answers.
#[must_use]
pub fn run(arguments: &Arguments, options: &Options) -> ExitCode {
    let env = Env::real();
    let configuration = match Configuration::load(&PRODUCT, options, &env) {
        Ok(configuration) => configuration,
        Err(problems) => {
            out::note(format_args!(
                "movies: the configuration is wrong\n{problems}"
            ));
            return ExitCode::from(process::MISCONFIGURED);
        }
    };
    let called = process::runtime(&configuration.platform.runtime)
        .map_err(|error| Error::internal("the system refuses threads").with_source(error))
        .and_then(|runtime| runtime.block_on(call(arguments, &configuration, &env)));
    match called {
        Ok(printed) => out::ended(printed),
        Err(error) => {
            out::note(error);
            ExitCode::FAILURE
        }
    }
}

async fn call(
    arguments: &Arguments,
    configuration: &Configuration,
    env: &Env,
) -> Result<io::Result<()>, Error> {
    let (service, method) = find(&arguments.method)?;
    let transcoder = Transcoder::of(service)?;
    let remote = remote(service, arguments.to.as_deref(), configuration, env);
    let cx = context(arguments, method, service);
    let reply = if method.shape == Shape::ClientStream {
        let requests = requests(arguments, method, service).await?;
        Reply::One(remote.encoded_stream(method, &cx, requests).await?)
    } else {
        let json = arguments.json.as_deref().unwrap_or("{}");
        let request = transcoder.request(method, json)?;
        remote.encoded(method, &cx, request).await?
    };
    match reply {
        Reply::One(answer) => Ok(out::line(transcoder.answer(method, answer)?)),
        Reply::Stream(mut answers) => {
            while let Some(answer) = answers.next().await {
                let printed = out::line(transcoder.answer(method, answer?)?);
                if printed.is_err() {
                    return Ok(printed);
                }
            }
            Ok(Ok(()))
        }
    }
}

/// A service at this address, or at its configured one.
pub(crate) fn remote(
    service: &'static Service,
    address: Option<&str>,
    configuration: &Configuration,
    env: &Env,
) -> Remote {
    let configured = configuration.service(service.target);
    let address = address.or(configured.map(|service| service.listen()));
    let address = address.unwrap_or_default().to_owned();
    let instance = Instance {
        id: address.clone(),
        service: service.target.to_owned(),
        address,
        version: String::new(),
        metadata: BTreeMap::new(),
    };
    let (_instances, watched) = watch::channel(InstanceSet::new(vec![instance]));
    Remote::new(
        service,
        service.target,
        watched,
        &Caller::new(&Metrics::new(), env, &Tasks::new(env)),
    )
}

/// Whoever the token names: it speaks for itself, and services find out.
pub(crate) fn bearer(token: &str, service: &Service) -> Principal {
    Principal::User(Arc::new(User {
        subject: String::new(),
        roles: Default::default(),
        audience: [service.target.to_owned()].into(),
        expires: Timestamp(i64::MAX),
        token: Token::new(token.trim()),
    }))
}

/// The requests of a method that takes many. Lines of the standard input are read as they are sent.
async fn requests(
    arguments: &Arguments,
    method: &'static Method,
    service: &'static Service,
) -> Result<Streaming<bytes::Bytes>, Error> {
    let transcoder = Transcoder::of(service)?;
    if let Some(json) = arguments.json.as_deref().filter(|json| *json != "-") {
        return Ok(Streaming::of(transcoder.requests(method, json)?));
    }
    let unreadable = |error: std::io::Error| {
        Error::invalid_argument("the standard input cannot be read as text").with_source(error)
    };
    let mut input = BufReader::new(tokio::io::stdin());
    let mut text = String::new();
    input.read_line(&mut text).await.map_err(unreadable)?;
    if text.trim_start().starts_with('[') {
        input
            .take(MAX_ARRAY)
            .read_to_string(&mut text)
            .await
            .map_err(unreadable)?;
        if text.len() as u64 > MAX_ARRAY {
            return Err(Error::invalid_argument(format!(
                "the array is larger than {MAX_ARRAY} bytes: send a request on each line"
            )));
        }
        return Ok(Streaming::of(transcoder.requests(method, &text)?));
    }
    Ok(Streaming::new(async_stream::try_stream! {
        let mut number = 0;
        while !text.is_empty() {
            number += 1;
            if !text.trim().is_empty() {
                yield transcoder.request_on_line(method, &text, number)?;
            }
            text.clear();
            input.read_line(&mut text).await.map_err(unreadable)?;
        }
    }))
}

fn context(arguments: &Arguments, method: &Method, service: &Service) -> Context {
    let usual = if method.shape == Shape::Unary {
        5
    } else {
        3600
    };
    let cx =
        Context::background().with_timeout(Duration::from_secs(arguments.timeout.unwrap_or(usual)));
    match &arguments.token {
        Some(token) => cx.with_principal(bearer(token, service)),
        None => cx,
    }
}

/// The method of this name; the package may be left out.
fn find(name: &str) -> Result<(&'static Service, &'static Method), Error> {
    let name = name.trim_start_matches('/');
    let matches = |method: &Method| {
        let full = method.path.trim_start_matches('/');
        full == name
            || full
                .rsplit_once('.')
                .is_some_and(|(_, short)| short == name)
    };
    SERVICES
        .iter()
        .find_map(|service| {
            Some((
                *service,
                service.methods.iter().find(|method| matches(method))?,
            ))
        })
        .ok_or_else(|| {
            let known: Vec<_> = SERVICES
                .iter()
                .flat_map(|service| service.methods)
                .filter_map(|method| method.path.rsplit_once('.').map(|(_, short)| short))
                .collect();
            Error::not_found(format!(
                "no method {name:?}; there are {}",
                known.join(", ")
            ))
        })
}
