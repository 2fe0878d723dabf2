//! Shows the page over the sample catalogue, with doubles of the services behind it:
//!
//! ```text
//! cargo run -p movies-web --example preview -- [host:port] [ratings-away] [movies-away] [crowd]
//! ```
//!
//! `crowd` lets others rate the first film four times a second.

#![expect(clippy::unwrap_used, reason = "a preview may end by panicking")]

use backlot::Env;
use backlot::core::net::Stream;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use movies_api::metadata::v1::Metadata;
use serde::Deserialize;
use std::error::Error;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::task::JoinSet;

#[path = "../tests/it/fakes.rs"]
mod fakes;

#[derive(Deserialize)]
struct Film {
    id: String,
    title: String,
    year: i32,
    director: String,
    cast: Vec<String>,
    genres: Vec<String>,
    description: String,
    sample: Sample,
}

#[derive(Deserialize)]
struct Sample {
    count: u32,
    mean: f64,
}

const CATALOGUE: &str = include_str!("../../system/sample/catalogue.json");

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let address = words
        .iter()
        .find(|word| word.contains(':'))
        .map_or("127.0.0.1:8080", String::as_str);
    let films: Vec<Film> = serde_json::from_str(CATALOGUE)?;
    let house = fakes::House::new(films.into_iter().map(|film| {
        let Film {
            id,
            title,
            year,
            director,
            cast,
            genres,
            description,
            sample,
        } = film;
        (
            Metadata {
                id,
                title,
                description,
                director,
                year,
                cast,
                genres,
                ..Default::default()
            },
            sample.count,
            sample.mean,
        )
    }));
    house.ratings_away.store(
        words.iter().any(|word| word == "ratings-away"),
        Ordering::SeqCst,
    );
    house.movies_away.store(
        words.iter().any(|word| word == "movies-away"),
        Ordering::SeqCst,
    );

    house.outside.lock().unwrap().extend([
        (
            "metropolis-1927".to_owned(),
            "imdb".to_owned(),
            4.15,
            190_412,
        ),
        ("alien-1979".to_owned(), "imdb".to_owned(), 4.25, 981_020),
    ]);
    let env = Env::real();
    let router = house.page(&env).router();
    let mut listener = env.net.bind(address).await?;
    println!("http://{}", listener.local_addr()?);
    let crowd = words.iter().any(|word| word == "crowd");
    let (mut visitor, mut others) = (0, tokio::time::interval(Duration::from_millis(250)));
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            _ = others.tick(), if crowd => {
                visitor += 1;
                house.rate("2001-a-space-odyssey-1968", &visitor.to_string(), 1 + (visitor * 7 % 10));
            }
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => {
                let (stream, _): (Stream, _) = accepted?;
                let service = TowerToHyperService::new(router.clone());
                connections.spawn(async move {
                    let server = Builder::new(TokioExecutor::new());
                    drop(server.serve_connection(TokioIo::new(stream), service).await);
                });
            }
        }
    }
}
