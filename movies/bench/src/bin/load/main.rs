//! A closed loop of gRPC calls: so many connections, each with one call in flight, on one thread.
//! Every reply is checked. Prints one line of JSON.
//!
//! ```text
//! load --target 127.0.0.1:9083 --method details --connections 64 --requests 20000 --cpu-of 11,12
//! ```

mod call;
mod connection;

use anyhow::Result;
use call::{Calls, Method};
use clap::Parser;
use connection::Connection;
use movies_bench::figures::Latencies;
use movies_bench::machine;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// How long the target may take until its first right answer.
const SETTLE: Duration = Duration::from_secs(20);

/// Calls a service as often as it answers
#[derive(Debug, Parser)]
struct Arguments {
    /// `host:port` of the service
    #[arg(long)]
    target: String,
    /// What to call
    #[arg(long)]
    method: Method,
    /// Connections, each with one call in flight
    #[arg(long, default_value_t = 1)]
    connections: usize,
    /// Calls to measure
    #[arg(long, default_value_t = 10_000)]
    requests: u64,
    /// Calls to make before
    #[arg(long, default_value_t = 1_000)]
    warm_up: u64,
    /// Processes whose time is counted
    #[arg(long, value_delimiter = ',')]
    cpu_of: Vec<u32>,
    /// The one record to read, instead of all films in turn
    #[arg(long)]
    record: Option<String>,
    /// The data folder whose key signs tokens, for writes
    #[arg(long)]
    data: Option<PathBuf>,
}

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(run(Arguments::parse()))
}

async fn run(arguments: Arguments) -> Result<()> {
    let Arguments {
        target,
        method,
        connections,
        requests,
        warm_up,
        cpu_of,
        record,
        data,
    } = arguments;
    let calls = Arc::new(Calls::new(method, &target, record, data.as_deref())?);
    settle(&target, &calls).await?;
    let mut open = Vec::with_capacity(connections);
    for _ in 0..connections {
        open.push(Connection::open(&target).await?);
    }
    let (open, _) = phase(open, &calls, 0, warm_up).await?;
    let (began, cpu_before) = (Instant::now(), machine::cpu_of(&cpu_of)?);
    let (_open, latencies) = phase(open, &calls, warm_up, requests).await?;
    let (time, cpu) = (
        Instant::now() - began,
        machine::cpu_of(&cpu_of)? - cpu_before,
    );
    let figures = latencies.figures(connections, time, cpu);
    println!("{}", serde_json::to_string(&figures)?);
    Ok(())
}

/// Waits for the first right answer: services find each other after they listen.
async fn settle(target: &str, calls: &Calls) -> Result<()> {
    let until = Instant::now() + SETTLE;
    loop {
        let attempt = async { Connection::open(target).await?.call(calls, 0).await };
        match attempt.await {
            Ok(()) => return Ok(()),
            Err(error) if Instant::now() > until => {
                return Err(error.context(format!("{target} gives no right answer")));
            }
            Err(_not_yet) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

/// Makes `count` calls over the connections, numbered from `first`.
async fn phase(
    open: Vec<Connection>,
    calls: &Arc<Calls>,
    first: u64,
    count: u64,
) -> Result<(Vec<Connection>, Latencies)> {
    let next = Arc::new(AtomicU64::new(first));
    let mut loops = JoinSet::new();
    for mut connection in open {
        let (calls, next) = (Arc::clone(calls), Arc::clone(&next));
        loops.spawn(async move {
            let mut latencies = Latencies::new()?;
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= first + count {
                    return anyhow::Ok((connection, latencies));
                }
                let began = Instant::now();
                connection.call(&calls, number).await?;
                latencies.add(Instant::now() - began);
            }
        });
    }
    let (mut open, mut all) = (Vec::new(), Latencies::new()?);
    while let Some(done) = loops.join_next().await {
        let (connection, latencies) = done??;
        open.push(connection);
        all.merge(&latencies)?;
    }
    Ok((open, all))
}
