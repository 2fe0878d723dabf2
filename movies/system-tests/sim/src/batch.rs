//! Many seeds, each in a process of its own, a few at once.

use std::collections::VecDeque;
use std::fs;
use std::io::{self, Write};
use std::process::{Child, Command, ExitCode, Stdio};

/// Which seeds.
#[derive(Debug, clap::Args)]
pub(crate) struct Many {
    /// The first seed
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// How many
    #[arg(long, default_value_t = 100)]
    count: u64,
    /// Start no seed after so many minutes
    #[arg(long)]
    minutes: Option<f64>,
    /// How many at once; one per core if not given
    #[arg(long)]
    jobs: Option<usize>,
}

pub(crate) fn run(many: &Many) -> io::Result<ExitCode> {
    let jobs = many
        .jobs
        .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from))
        .max(1);
    let end = many
        .minutes
        .and_then(|minutes| Some(uptime()? + minutes * 60.0));
    let in_time = || end.is_none_or(|end| uptime().is_none_or(|now| now < end));
    let mut out = io::stdout().lock();
    let mut seeds = many.from..many.from.saturating_add(many.count);
    let mut running: VecDeque<(u64, io::Result<Child>)> = VecDeque::new();
    let (mut good, mut bad) = (0_u64, Vec::new());
    loop {
        while running.len() < jobs && in_time() {
            let Some(seed) = seeds.next() else { break };
            running.push_back((seed, start(seed)));
        }
        let Some((seed, child)) = running.pop_front() else {
            break;
        };
        match child.and_then(Child::wait_with_output) {
            Ok(output) if output.status.success() => {
                good += 1;
                out.write_all(&output.stdout)?;
            }
            Ok(output) => {
                bad.push(seed);
                if output.stdout.is_empty() {
                    writeln!(out, "seed {seed} FAILED: it ended with {}", output.status)?;
                }
                out.write_all(&output.stdout)?;
            }
            Err(error) => {
                bad.push(seed);
                writeln!(out, "seed {seed} FAILED: it cannot be run: {error}")?;
            }
        }
        out.flush()?;
    }
    if bad.is_empty() {
        writeln!(out, "{good} seeds, every promise kept")?;
        return Ok(ExitCode::SUCCESS);
    }
    let broken: Vec<String> = bad.iter().map(u64::to_string).collect();
    writeln!(
        out,
        "{} of {} broke a promise: {}",
        bad.len(),
        good + bad.len() as u64,
        broken.join(", ")
    )?;
    Ok(ExitCode::FAILURE)
}

fn start(seed: u64) -> io::Result<Child> {
    let mut one = Command::new(std::env::current_exe()?);
    one.args(["run", "--brief", "--seed", &seed.to_string()]);
    one.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()
}

/// Seconds the machine is up. In this program the clock stands still outside of simulations.
fn uptime() -> Option<f64> {
    fs::read_to_string("/proc/uptime")
        .ok()?
        .split(' ')
        .next()?
        .parse()
        .ok()
}
