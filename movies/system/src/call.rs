//! `movies call`: any method over gRPC, with its request and answer in JSON.

use crate::PRODUCT;
use backlot::app::cli::{Configuration, Options};
use backlot::app::process;
use backlot::core::discovery::{Instance, InstanceSet};
use backlot::core::principal::{Token, User};
use backlot::rpc::contract::{Method, Service};
use backlot::rpc::rest::Transcoder;
use backlot::rpc::{Remote, Reply};
use backlot::service::tasks::Tasks;
use backlot::service::telemetry::Metrics;
use backlot::{Context, Env, Error, Principal, Timestamp};
use movies_api as api;
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

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
    /// The request
    #[arg(default_value = "{}")]
    json: String,
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

/// The contracts of Movies.
const SERVICES: [&Service; 4] = [
    &api::METADATA_SERVICE,
    &api::RATING_SERVICE,
    &api::MOVIE_SERVICE,
    &api::AUTH_SERVICE,
];

/// Calls the method and prints what it answers.
#[must_use]
pub fn run(arguments: &Arguments, options: &Options) -> ExitCode {
    let env = Env::real();
    let configuration = match Configuration::load(&PRODUCT, options, &env) {
        Ok(configuration) => configuration,
        Err(problems) => {
            eprintln!("movies: the configuration is wrong\n{problems}");
            return ExitCode::from(process::MISCONFIGURED);
        }
    };
    let called = process::runtime(&configuration.platform.runtime)
        .map_err(|error| Error::internal("the system refuses threads").with_source(error))
        .and_then(|runtime| runtime.block_on(call(arguments, &configuration, &env)));
    match called {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn call(
    arguments: &Arguments,
    configuration: &Configuration,
    env: &Env,
) -> Result<(), Error> {
    let (service, method) = find(&arguments.method)?;
    let transcoder = Transcoder::of(service)?;
    let request = transcoder.request(method, &arguments.json)?;
    let address = match &arguments.to {
        Some(address) => address.clone(),
        None => configuration
            .service(service.target)
            .map(|service| service.listen().to_owned())
            .unwrap_or_default(),
    };
    let instance = Instance {
        id: address.clone(),
        service: service.target.to_owned(),
        address,
        version: String::new(),
        metadata: BTreeMap::new(),
    };
    let (_instances, watched) = watch::channel(InstanceSet::new(vec![instance]));
    let remote = Remote::new(
        service,
        service.target,
        watched,
        &Metrics::new(),
        env,
        &Tasks::new(env),
    );
    match remote
        .encoded(method, &context(arguments, method, service), request)
        .await?
    {
        Reply::One(answer) => println!("{}", transcoder.answer(method, answer)?),
        Reply::Stream(mut answers) => {
            while let Some(answer) = answers.next().await {
                println!("{}", transcoder.answer(method, answer?)?);
            }
        }
    }
    Ok(())
}

fn context(arguments: &Arguments, method: &Method, service: &Service) -> Context {
    let usual = if method.shape == backlot::rpc::contract::Shape::Unary {
        5
    } else {
        3600
    };
    let cx =
        Context::background().with_timeout(Duration::from_secs(arguments.timeout.unwrap_or(usual)));
    let Some(token) = &arguments.token else {
        return cx;
    };
    // The token speaks for itself: whom it names is for the service to find out.
    cx.with_principal(Principal::User(Arc::new(User {
        subject: String::new(),
        roles: Default::default(),
        audience: [service.target.to_owned()].into(),
        expires: Timestamp(i64::MAX),
        token: Token::new(token.trim()),
    })))
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
