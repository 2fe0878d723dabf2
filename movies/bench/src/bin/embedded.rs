//! Movies in one process, called through the typed clients, which move messages and encode none.
//! Prints one line of JSON for each number of callers.
//!
//! ```text
//! embedded --data FOLDER --method details --callers 1,16,64 --requests 20000
//! ```

use anyhow::{Result, ensure};
use backlot::{Context, Env, Principal};
use clap::{Parser, ValueEnum};
use movies_api::{MovieClient, RatingClient};
use movies_bench::figures::{Figures, Latencies};
use movies_bench::running::Running;
use movies_bench::users::Users;
use movies_bench::{machine, names};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::task::JoinSet;
use tokio::time::Instant;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Method {
    /// A film with its rating
    Details,
    /// Rates a film
    Put,
}

/// Calls the services of this process
#[derive(Debug, Parser)]
struct Arguments {
    /// The folder with the databases
    #[arg(long)]
    data: PathBuf,
    /// What to call
    #[arg(long)]
    method: Method,
    /// How many callers call at once; several numbers are measured one after the other
    #[arg(long, value_delimiter = ',', default_value = "1,16,64")]
    callers: Vec<usize>,
    /// Calls to measure
    #[arg(long, default_value_t = 10_000)]
    requests: u64,
    /// Calls to make before
    #[arg(long, default_value_t = 1_000)]
    warm_up: u64,
}

struct Clients {
    method: Method,
    movie: MovieClient,
    rating: RatingClient,
    users: Vec<Principal>,
}

fn main() -> Result<()> {
    // The flavour Movies runs in when nothing else is configured.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(run(Arguments::parse()))
}

async fn run(arguments: Arguments) -> Result<()> {
    let Arguments {
        data,
        method,
        callers,
        requests,
        warm_up,
    } = arguments;
    let running = Running::start(&data).await?;
    let signer = Users::of(&data)?;
    let users = (0..u64::from(names::USERS))
        .map(|number| signer.principal(number))
        .collect::<Result<_>>()?;
    let clients = Arc::new(Clients {
        method,
        movie: running.client(),
        rating: running.client(),
        users,
    });
    // Neighbouring runs shall not write the same values.
    let mut first = Env::real().dice.below(1 << 40);
    for callers in callers {
        phase(&clients, callers, first, warm_up).await?;
        first += warm_up;
        let figures = phase(&clients, callers, first, requests).await?;
        first += requests;
        println!("{}", serde_json::to_string(&figures)?);
    }
    running.stop().await;
    Ok(())
}

async fn phase(clients: &Arc<Clients>, callers: usize, first: u64, count: u64) -> Result<Figures> {
    let next = Arc::new(AtomicU64::new(first));
    let (began, cpu_before) = (Instant::now(), machine::cpu(std::process::id())?);
    let mut loops = JoinSet::new();
    for _ in 0..callers {
        let (clients, next) = (Arc::clone(clients), Arc::clone(&next));
        loops.spawn(async move {
            let mut latencies = Latencies::new()?;
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= first + count {
                    return anyhow::Ok(latencies);
                }
                let began = Instant::now();
                clients.call(number).await?;
                latencies.add(Instant::now() - began);
            }
        });
    }
    let mut all = Latencies::new()?;
    while let Some(done) = loops.join_next().await {
        all.merge(&done??)?;
    }
    let (time, cpu) = (
        Instant::now() - began,
        machine::cpu(std::process::id())? - cpu_before,
    );
    Ok(all.figures(callers, time, cpu))
}

impl Clients {
    async fn call(&self, number: u64) -> Result<()> {
        let cx = Context::background();
        match self.method {
            Method::Details => {
                let reply = self
                    .movie
                    .get_movie_details(&cx, names::details_of(number))
                    .await?;
                ensure!(reply.degraded.is_empty(), "the reply is degraded");
                let rating = reply.movie.and_then(|movie| movie.rating);
                ensure!(
                    rating.is_some_and(|rating| rating.count > 0),
                    "the reply has no rating"
                );
            }
            Method::Put => {
                let user = self.users[number as usize % self.users.len()].clone();
                let reply = self
                    .rating
                    .put_rating(&cx.with_principal(user), names::rating(number))
                    .await?;
                ensure!(reply.aggregate.is_some(), "the reply has no aggregate");
            }
        }
        Ok(())
    }
}
