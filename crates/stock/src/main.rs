//! Measures the stock stack and Backlot side by side where calls fail, and prints a page of it.

#![expect(
    clippy::disallowed_methods,
    reason = "real servers, clients and wires: nothing here is ever simulated"
)]

mod cost;
mod ours;
mod page;
mod probes;
mod side;
mod stock;

use clap::Parser;
use std::path::PathBuf;
use std::process::ExitCode;

/// Measures what tonic and axum do by default where calls fail, beside Backlot
#[derive(Debug, Parser)]
#[command(
    name = "stock-vs-backlot",
    after_help = "Examples:
  stock-vs-backlot                                     print the page, after half a minute
  stock-vs-backlot --out docs/stock-vs-backlot.md      write it down
  stock-vs-backlot --cost --out docs/what-calls-cost.md   what calls cost, after a minute"
)]
struct Arguments {
    /// Where the page goes; printed otherwise
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Measure what calls cost instead; of a release build
    #[arg(long)]
    cost: bool,
    /// Be the other end of that
    #[arg(long, hide = true)]
    callee: bool,
    /// Say how much memory a client needs, stock or ours
    #[arg(long, hide = true, value_name = "KIND")]
    memory: Option<String>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let out = arguments.out.clone();
    let written = match arguments {
        Arguments { callee: true, .. } => Box::pin(cost::callee()).await.map(|()| String::new()),
        Arguments {
            memory: Some(kind), ..
        } => {
            return match Box::pin(cost::memory(&kind)).await {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => {
                    eprintln!("stock-vs-backlot: {error:#}");
                    ExitCode::FAILURE
                }
            };
        }
        Arguments { cost: true, .. } => {
            eprintln!("measuring: about a minute");
            Box::pin(cost::all()).await.map(|rows| page::of_cost(&rows))
        }
        _ => {
            eprintln!("measuring: about half a minute");
            Box::pin(probes::all()).await.map(|rows| page::of(&rows))
        }
    };
    let page = match written {
        Ok(page) => page,
        Err(error) => {
            eprintln!("stock-vs-backlot: {error:#}");
            return ExitCode::FAILURE;
        }
    };
    let Some(out) = out else {
        print!("{page}");
        return ExitCode::SUCCESS;
    };
    match std::fs::write(&out, page) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("stock-vs-backlot: {}: {error}", out.display());
            ExitCode::FAILURE
        }
    }
}
