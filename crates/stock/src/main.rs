//! Measures the stock stack and Backlot side by side where calls fail, and prints a page of it.

#![expect(
    clippy::disallowed_methods,
    reason = "real servers, clients and wires: nothing here is ever simulated"
)]

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
  stock-vs-backlot --out docs/stock-vs-backlot.md      write it down"
)]
struct Arguments {
    /// Where the page goes; printed otherwise
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    eprintln!("measuring: about half a minute");
    let page = match Box::pin(probes::all()).await {
        Ok(rows) => page::of(&rows),
        Err(error) => {
            eprintln!("stock-vs-backlot: {error:#}");
            return ExitCode::FAILURE;
        }
    };
    let Some(out) = arguments.out else {
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
