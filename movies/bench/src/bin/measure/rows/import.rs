//! Importing generated ratings: alone, and into the running system.

use crate::Bench;
use crate::child::{Child, free_addresses};
use crate::report::{Report, Weight};
use anyhow::{Context as _, Result, ensure};
use movies_bench::machine;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use tokio::time::Instant;

/// How many ratings; fewer for a first look.
const RATINGS: u64 = 5_000_000;
const PATIENCE: Duration = Duration::from_secs(60);
const SERVICES: [&str; 10] = [
    "broker", "auth", "metadata", "rating", "movie", "web", "poster", "mail", "webhooks", "console",
];

pub(super) async fn measure(bench: &Bench, report: &mut Report) -> Result<()> {
    let ratings = RATINGS / bench.fewer;
    let files = bench.folder.path().join("movielens");
    let made = Command::new(bench.program("movies"))
        .args(["generate", "movielens", "--films", "20000"])
        .args(["--users", "50000", "--ratings", &ratings.to_string()])
        .arg(&files)
        .stdout(Stdio::null())
        .status()?;
    ensure!(made.success(), "the files could not be made: {made}");
    for (name, beside) in [("alone", false), ("into the running system", true)] {
        let data = bench.folder.path().join(name.replace(' ', "-"));
        fs::create_dir_all(&data)?;
        let addresses = free_addresses()?;
        let running = if beside {
            let mut command = movies(bench, &data, &addresses);
            command.args(["--no-sample", "--exit-with-parent"]);
            let child = Child::start("movies", &data, &mut command)?;
            wait_for(&addresses[2]).await?;
            Some(child)
        } else {
            None
        };
        let (took, peak) = import(bench, &files, &data, &addresses).await?;
        let rate = ratings as f64 / took.as_secs_f64();
        report.fact("import", format!("{ratings} ratings, {name}"), rate, "/s");
        let what = format!("import: ratings a second, {name}");
        report.at_least(Weight::Must, &what, rate, 50_000.0);
        report.at_least(Weight::Goal, &what, rate, 300_000.0);
        let what = format!("import: peak memory of the importer in MiB, {name}");
        report.at_most(Weight::Must, what, peak, 150.0);
        if let Some(running) = running {
            let resident = machine::resident(running.pid())? as f64 / 1024.0 / 1024.0;
            report.fact(
                "import",
                "resident memory of the running system",
                resident,
                "MiB",
            );
            running.stop().await?;
        }
    }
    Ok(())
}

fn movies(bench: &Bench, data: &Path, addresses: &[String; 6]) -> Command {
    let mut command = Command::new(bench.program("movies"));
    command.arg("--data").arg(data);
    for (service, address) in SERVICES.iter().zip(addresses) {
        command.args(["--set", &format!("{service}.server.listen={address}")]);
        command.args(["--set", &format!("{service}.server.admin=127.0.0.1:0")]);
    }
    command
}

async fn wait_for(address: &str) -> Result<()> {
    let until = Instant::now() + PATIENCE;
    while std::net::TcpStream::connect(address).is_err() {
        ensure!(Instant::now() < until, "nobody listens on {address}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// Runs an import; how long it took, and its highest resident memory in MiB.
async fn import(
    bench: &Bench,
    files: &PathBuf,
    data: &Path,
    addresses: &[String; 6],
) -> Result<(Duration, f64)> {
    let mut command = movies(bench, data, addresses);
    command.args(["import", "movielens"]).arg(files);
    let began = Instant::now();
    let mut process = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("{command:?} does not start"))?;
    let mut peak = 0;
    loop {
        if let Some(status) = process.try_wait()? {
            ensure!(status.success(), "the import ended: {status}");
            let took = Instant::now() - began;
            return Ok((took, peak as f64 / 1024.0 / 1024.0));
        }
        // It may end between the two questions.
        peak = peak.max(machine::resident(process.id()).unwrap_or_default());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
