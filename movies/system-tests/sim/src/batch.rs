//! Many seeds, each in a process of its own, a few at once.

use std::collections::VecDeque;
use std::fs;
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

pub(crate) fn run(many: &Many) -> ExitCode {
    let jobs = many.jobs.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from)).max(1);
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => {
            eprintln!("this program cannot find itself: {error}");
            return ExitCode::FAILURE;
        }
    };
    let end = many.minutes.and_then(|minutes| Some(uptime()? + minutes * 60.0));
    let in_time = || end.is_none_or(|end| uptime().is_none_or(|now| now < end));
    let mut seeds = many.from..many.from.saturating_add(many.count);
    let mut running: VecDeque<(u64, Child)> = VecDeque::new();
    let (mut good, mut bad) = (0_u64, Vec::new());
    loop {
        while running.len() < jobs && in_time() {
            let Some(seed) = seeds.next() else { break };
            let mut one = Command::new(&program);
            one.args(["run", "--brief", "--seed", &seed.to_string()]).stdout(Stdio::piped()).stdin(Stdio::null());
            match one.spawn() {
                Ok(child) => running.push_back((seed, child)),
                Err(error) => {
                    println!("seed {seed} FAILED: it cannot be started: {error}");
                    bad.push(seed);
                }
            }
        }
        let Some((seed, child)) = running.pop_front() else { break };
        match child.wait_with_output() {
            Ok(output) => {
                print!("{}", String::from_utf8_lossy(&output.stdout));
                if output.status.success() {
                    good += 1;
                } else {
                    if output.stdout.is_empty() {
                        println!("seed {seed} FAILED: it ended with {}", output.status);
                    }
                    bad.push(seed);
                }
            }
            Err(error) => {
                println!("seed {seed} FAILED: it cannot be waited for: {error}");
                bad.push(seed);
            }
        }
    }
    if bad.is_empty() {
        println!("{good} seeds, every promise kept");
        return ExitCode::SUCCESS;
    }
    println!("{} of {} seeds broke a promise: {bad:?}", bad.len(), good + bad.len() as u64);
    ExitCode::FAILURE
}

/// Seconds the machine is up. In this program the clock stands still outside of simulations.
fn uptime() -> Option<f64> {
    fs::read_to_string("/proc/uptime").ok()?.split(' ').next()?.parse().ok()
}
