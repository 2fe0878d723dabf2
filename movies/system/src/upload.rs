//! `movies upload`: gives a film its poster.

use crate::{PRODUCT, call, token};
use aws_lc_rs::digest::{SHA256, digest};
use backlot::app::cli::{Configuration, Options};
use backlot::app::{StartError, out, process};
use backlot::rpc::Binding;
use backlot::{Client as _, Context, Env, Error, Streaming};
use movies_api as api;
use movies_api::{GetPosterRequest, GetUploadRequest, UploadFileRequest};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// The largest file there may be, in bytes.
const LARGEST: u64 = 10 * 1024 * 1024;
/// How much is sent at a time.
const PIECE: usize = 256 * 1024;
/// How long sending may take.
const SENDING: Duration = Duration::from_secs(300);
/// How long is waited for the pictures.
const MAKING: Duration = Duration::from_secs(30);

/// What `movies upload` is told.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  movies upload metropolis-1927 poster.jpg
  movies upload metropolis-1927 poster.png --token \"$(movies token ann --editor)\"")]
pub struct Arguments {
    /// The film, by its id
    film: String,
    /// A JPEG, PNG or WebP of at most 10 MiB
    file: PathBuf,
    /// Where the movie service is, if not at its configured address
    #[arg(long, value_name = "HOST:PORT")]
    to: Option<String>,
    /// Who sends it, an editor; otherwise the data folder's key is used
    #[arg(long)]
    token: Option<String>,
}

/// Sends the file, and waits until it is shown.
#[must_use]
pub fn run(arguments: &Arguments, options: &Options) -> ExitCode {
    let env = Env::real();
    let configuration = match process::prepare(&PRODUCT, options, &env) {
        Ok(configuration) => configuration,
        Err(code) => return code,
    };
    let ran = process::runtime(&configuration.platform.runtime)
        .map_err(|source| StartError::System {
            what: "threads",
            source,
        })
        .and_then(|runtime| runtime.block_on(upload(arguments, &configuration, &env)));
    match ran {
        Ok(said) => out::answer(said),
        Err(error) => {
            out::note(format_args!("movies: {}", error.chain()));
            ExitCode::FAILURE
        }
    }
}

async fn upload(
    arguments: &Arguments,
    configuration: &Configuration,
    env: &Env,
) -> Result<String, StartError> {
    let bytes = read(&arguments.file)?;
    let sha256: String = digest(&SHA256, &bytes)
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let platform = &configuration.platform;
    let token = match &arguments.token {
        Some(token) => token.clone(),
        None => {
            let roles = ["editor".to_owned()].into();
            let issuer = &platform.identity.issuer;
            token::make("editor", roles, &platform.data, issuer, env)?
        }
    };
    let service = &api::MOVIE_SERVICE;
    let remote = call::remote(service, arguments.to.as_deref(), configuration, env);
    let movies = api::MovieClient::bind(Binding::Remote(remote));
    let within = |limit| {
        let cx = Context::background().with_timeout(limit);
        cx.with_principal(call::bearer(&token, service))
    };
    let (film, size) = (arguments.film.clone(), bytes.len() as u32);
    let asked = GetUploadRequest {
        movie_id: film.clone(),
        size,
        sha256: sha256.clone(),
    };
    let received = movies.get_upload(&within(SENDING), asked).await?.received;
    let first = UploadFileRequest {
        movie_id: film.clone(),
        filename: String::new(),
        size,
        sha256: sha256.clone(),
        offset: received,
        chunk: Vec::new(),
    };
    let rest = bytes.get(received as usize..).unwrap_or_default();
    let pieces = rest.chunks(PIECE).map(|piece| UploadFileRequest {
        chunk: piece.to_vec(),
        ..UploadFileRequest::default()
    });
    let requests = Streaming::of([first].into_iter().chain(pieces).collect::<Vec<_>>());
    movies.upload_file(&within(SENDING), requests).await?;
    let asked = GetPosterRequest {
        movie_id: film.clone(),
        wait_ms: u32::try_from(MAKING.as_millis()).unwrap_or(u32::MAX),
    };
    let poster = movies.get_poster(&within(MAKING + SENDING), asked).await?;
    if poster.uploaded == sha256 && !poster.refused.is_empty() {
        let reason = poster.refused;
        let said = format!("the file was refused: {reason}; what was shown before still is");
        return Err(Error::invalid_argument(said).into());
    }
    if poster.poster != sha256 {
        return Ok(format!(
            "the file was taken, and waits for a maker of posters: see movies queues, and ask again with movies call MovieService/GetPoster '{{\"movieId\": \"{film}\"}}'"
        ));
    }
    let sizes = poster.pictures.iter();
    let sizes: Vec<_> = sizes
        .map(|picture| format!("{} x {}", picture.width, picture.height))
        .collect();
    Ok(format!(
        "{film} is shown by it: {} pixels",
        sizes.join(", ")
    ))
}

fn read(file: &std::path::Path) -> Result<Vec<u8>, Error> {
    let failed = |error: std::io::Error| {
        let said = format!("{} cannot be read", file.display());
        Error::invalid_argument(said).with_source(error)
    };
    let size = std::fs::metadata(file).map_err(failed)?.len();
    if !(1..=LARGEST).contains(&size) {
        return Err(Error::invalid_argument(format!(
            "{} has {size} bytes: a poster has 1 to {LARGEST}",
            file.display()
        )));
    }
    std::fs::read(file).map_err(failed)
}
