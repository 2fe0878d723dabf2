//! From the start to the first answer, with the sample there; and memory after some work.

use crate::Bench;
use crate::alternate::{Target, alternate};
use crate::child::{Child, free_addresses};
use crate::report::{Report, Weight};
use anyhow::{Result, ensure};
use movies_bench::machine;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use tokio::time::Instant;

/// How long the sample may take to load, and a start until its first answer.
const PATIENCE: Duration = Duration::from_secs(180);
/// A film of the sample.
const FILM: &str = "/v1/movies/metropolis-1927";

/// Movies in one process, not yet started.
struct Movies<'a> {
    bench: &'a Bench,
    data: PathBuf,
    web: String,
    movie: String,
}

pub(super) async fn measure(bench: &Bench, report: &mut Report) -> Result<()> {
    let movies = Movies::new(bench)?;
    movies.load_sample().await?;
    let mut starts = Vec::new();
    for _ in 0..bench.rounds {
        let (child, took) = movies.start().await?;
        starts.push(took.as_secs_f64());
        child.stop().await?;
    }
    starts.sort_by(f64::total_cmp);
    let start = starts[starts.len() / 2];
    report.fact(
        "start",
        "start to the first page and REST answer",
        start,
        "s",
    );
    report.at_most(
        Weight::Must,
        "start: seconds to the first page and REST answer",
        start,
        1.0,
    );

    let (child, _took) = movies.start().await?;
    report.fact(
        "start",
        "resident memory of one process, at rest",
        mebibytes(child.pid())?,
        "MiB",
    );
    // The films of the bench are not here: one of the sample is read again and again.
    let target = Target {
        name: "one process, called from outside".to_owned(),
        address: movies.movie.clone(),
        method: "details",
        pids: vec![child.pid()],
        record: Some("metropolis-1927".to_owned()),
        ..Target::default()
    };
    let measured = alternate(bench, &[target], &[1, 16, 64], |_| 20_000)?;
    report.measured("start", &measured);
    let resident = mebibytes(child.pid())?;
    report.fact(
        "start",
        "resident memory of one process, after the load",
        resident,
        "MiB",
    );
    report.at_most(
        Weight::Must,
        "start: resident memory of one process in MiB",
        resident,
        100.0,
    );
    child.stop().await?;
    Ok(())
}

fn mebibytes(pid: u32) -> Result<f64> {
    Ok(machine::resident(pid)? as f64 / 1024.0 / 1024.0)
}

impl<'a> Movies<'a> {
    fn new(bench: &'a Bench) -> Result<Self> {
        let data = bench.folder.path().join("sample");
        fs::create_dir_all(&data)?;
        let [web, movie] = free_addresses()?;
        Ok(Movies {
            bench,
            data,
            web,
            movie,
        })
    }

    fn spawn(&self) -> Result<Child> {
        let mut command = Command::new(self.bench.program("movies"));
        command
            .arg("--exit-with-parent")
            .arg("--data")
            .arg(&self.data);
        for service in [
            "broker", "auth", "metadata", "rating", "movie", "web", "poster", "mail", "webhooks",
            "console",
        ] {
            let listen = match service {
                "web" => &self.web,
                "movie" => &self.movie,
                _ => "127.0.0.1:0",
            };
            command.args(["--set", &format!("{service}.server.listen={listen}")]);
            command.args(["--set", &format!("{service}.server.admin=127.0.0.1:0")]);
        }
        Child::start("movies", &self.data, &mut command)
    }

    /// Runs once until the sample is there.
    async fn load_sample(&self) -> Result<()> {
        let mut child = self.spawn()?;
        let until = Instant::now() + PATIENCE;
        while !child.log().contains("loaded the sample") {
            child.expect_alive()?;
            ensure!(
                Instant::now() < until,
                "the sample is not loaded:\n{}",
                child.log()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        child.stop().await?;
        Ok(())
    }

    /// Starts it; how long it took until the page and a REST route answered.
    async fn start(&self) -> Result<(Child, Duration)> {
        let began = Instant::now();
        let mut child = self.spawn()?;
        for (address, path) in [(&self.web, "/"), (&self.movie, FILM)] {
            while !answers(address, path) {
                child.expect_alive()?;
                ensure!(
                    Instant::now() - began < PATIENCE,
                    "no answer from {path}:\n{}",
                    child.log()
                );
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        Ok((child, Instant::now() - began))
    }
}

/// Whether a GET is answered with 200.
fn answers(address: &str, path: &str) -> bool {
    let ask = || {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n"
        )?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        std::io::Result::Ok(answer)
    };
    ask().is_ok_and(|answer| answer.starts_with(b"HTTP/1.1 200"))
}
