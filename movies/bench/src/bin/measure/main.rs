//! Measures everything and compares: started by `cargo xtask bench`, which builds what it starts.
//!
//! Systems that are compared run at the same time and are loaded in turn, several rounds; what is
//! printed is the median of the rounds.

mod alternate;
mod bulk;
mod child;
mod fleet;
mod report;
mod rows;

use anyhow::{Context as _, Result};
use clap::{Parser, ValueEnum};
use report::Report;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tempfile::TempDir;

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Row {
    /// GetMovieDetails over three processes, beside the bare system
    Details,
    /// The same with metadata and rating that answer constants
    Constant,
    /// GetMovieDetails in one process, beside three
    Embedded,
    /// GetMetadata, one hop
    Hop,
    /// The ratings of a record in numbers, with 10 to 1,000,000 of them
    Aggregate,
    /// PutRating, durable
    Put,
    /// From the start to the first answer, and resident memory
    Start,
    /// Importing generated ratings, alone and into the running system
    Import,
}

/// Measures Movies, row by row
#[derive(Debug, Parser)]
struct Arguments {
    /// Fewer requests: figures for a first look
    #[arg(long)]
    quick: bool,
    /// Measure only this; may be repeated
    #[arg(long, value_name = "ROW")]
    only: Vec<Row>,
    /// Where the figures go as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Also build Movies from nothing, which takes minutes
    #[arg(long)]
    cold_build: bool,
}

/// What every row needs to know.
struct Bench {
    /// Where the programs are.
    programs: PathBuf,
    /// Data of this run; beside the programs, because a folder for temporary files may be memory.
    folder: TempDir,
    rounds: usize,
    /// Requests are divided by this.
    fewer: u64,
}

impl Bench {
    fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }

    /// A folder of its own with the films and their ratings.
    fn data(&self, name: &str) -> Result<PathBuf> {
        let (from, to) = (self.prepared(), self.folder.path().join(name));
        fs::create_dir_all(&to)?;
        for entry in fs::read_dir(&from)? {
            let entry = entry?;
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
        Ok(to)
    }

    fn prepared(&self) -> PathBuf {
        self.folder.path().join("prepared")
    }

    fn requests(&self, of: u64) -> u64 {
        (of / self.fewer).max(200)
    }
}

fn main() -> ExitCode {
    match measure(Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!("a must was missed");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether every must was met.
fn measure(arguments: Arguments) -> Result<bool> {
    let Arguments {
        quick,
        only,
        json,
        cold_build,
    } = arguments;
    let own = std::env::current_exe().context("where am I?")?;
    let programs = own.parent().unwrap_or(Path::new(".")).to_owned();
    let folder = TempDir::with_prefix_in("bench-", &programs)?;
    let (rounds, fewer) = if quick { (3, 6) } else { (5, 1) };
    let bench = Bench {
        programs,
        folder,
        rounds,
        fewer,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;

    eprintln!("filling the data: {} films", movies_bench::names::FILMS);
    runtime.block_on(movies_bench::running::fill(&bench.prepared()))?;
    let mut report = Report::default();
    let wanted = |row: &Row| only.is_empty() || only.contains(row);
    let outcome = (|| {
        for row in Row::value_variants().iter().filter(|row| wanted(row)) {
            eprintln!("measuring {row:?}");
            runtime
                .block_on(rows::measure(*row, &bench, &mut report))
                .with_context(|| format!("row {row:?}"))?;
        }
        if cold_build {
            eprintln!("building from nothing");
            rows::cold_build(&bench, &mut report)?;
        }
        anyhow::Ok(())
    })();
    // What was found before a failure is worth seeing.
    println!("{}", report.table());
    outcome?;
    if let Some(path) = json {
        fs::write(&path, report.json()?)
            .with_context(|| format!("{} cannot be written", path.display()))?;
        println!("figures: {}", path.display());
    }
    Ok(report.is_met())
}
