//! The rows, one file each where they need more than a screen.

mod aggregate;
mod import;
mod start;

use crate::alternate::{Measured, Target, alternate};
use crate::fleet::{Fleet, Kind};
use crate::report::{Report, Weight};
use crate::{Bench, Row};
use anyhow::{Result, ensure};
use std::process::Command;
use tokio::time::Instant;

/// Calls in flight.
const LEVELS: [usize; 3] = [1, 16, 64];

pub(crate) async fn measure(row: Row, bench: &Bench, report: &mut Report) -> Result<()> {
    match row {
        Row::Details => details(bench, report, "details", [Kind::Movies, Kind::Bare]),
        Row::Constant => details(
            bench,
            report,
            "constant",
            [Kind::Constant, Kind::BareConstant],
        ),
        Row::Embedded => embedded(bench, report),
        Row::Hop => hop(bench, report),
        Row::Aggregate => aggregate::measure(bench, report).await,
        Row::Put => put(bench, report),
        Row::Start => start::measure(bench, report).await,
        Row::Import => import::measure(bench, report).await,
    }
}

/// Requests for a read.
fn reads(in_flight: usize) -> u64 {
    if in_flight == 1 { 6_000 } else { 30_000 }
}

fn details_of(name: &str, fleet: &Fleet) -> Target {
    Target {
        name: name.to_owned(),
        address: fleet.address("movie"),
        method: "details",
        pids: fleet.pids(),
        ..Target::default()
    }
}

fn details(bench: &Bench, report: &mut Report, row: &'static str, kinds: [Kind; 2]) -> Result<()> {
    let [ours, bare] = kinds;
    let mut ours = Fleet::start(ours, bench, &bench.data(&format!("{row}-movies"))?)?;
    let mut bare = Fleet::start(bare, bench, &bench.data(&format!("{row}-bare"))?)?;
    let targets = [details_of("movies", &ours), details_of("bare tonic", &bare)];
    let measured = alternate(bench, &targets, &LEVELS, reads);
    ours.expect_alive()?;
    bare.expect_alive()?;
    let measured = measured?;
    report.measured(row, &measured);
    for pair in measured.chunks_exact(2) {
        let [ours, bare] = [&pair[0], &pair[1]];
        let in_flight = ours.figures.in_flight;
        let share = ours.times(bare, |figures| figures.per_second);
        let what = format!("{row}: throughput beside bare tonic, {in_flight} in flight");
        report.at_least(Weight::Must, &what, share, 0.8);
        report.at_least(Weight::Goal, &what, share, 0.9);
        let what = format!("CPU a request beside bare tonic, {in_flight} in flight");
        report.fact(
            row,
            what,
            ours.times(bare, |figures| figures.cpu_us),
            "times",
        );
    }
    for (service, resident) in ours.resident()? {
        report.fact(
            row,
            format!("resident memory of {service} after the load"),
            resident,
            "MiB",
        );
        report.at_most(
            Weight::Must,
            format!("{row}: resident memory of {service} in MiB"),
            resident,
            100.0,
        );
        if service == "movie" {
            report.at_most(
                Weight::Goal,
                format!("{row}: resident memory of movie in MiB"),
                resident,
                20.0,
            );
        }
    }
    for (service, resident) in bare.resident()? {
        report.fact(
            row,
            format!("resident memory of bare {service}"),
            resident,
            "MiB",
        );
    }
    Ok(())
}

fn embedded(bench: &Bench, report: &mut Report) -> Result<()> {
    let fleet = Fleet::start(Kind::Movies, bench, &bench.data("embedded-fleet")?)?;
    let within = Target {
        name: "one process, typed client".to_owned(),
        method: "details",
        data: Some(bench.data("embedded")?),
        ..Target::default()
    };
    let targets = [within, details_of("three processes", &fleet)];
    let measured = alternate(bench, &targets, &LEVELS, reads)?;
    report.measured("embedded", &measured);
    for pair in measured.chunks_exact(2) {
        let [within, fleet] = [&pair[0], &pair[1]];
        let gain = fleet.times(within, |figures| figures.cpu_us);
        let within = within.figures;
        let what = format!(
            "requests per CPU-second beside the fleet's, {} in flight",
            within.in_flight
        );
        if within.in_flight == 64 {
            let what = format!("embedded: {what}");
            report.at_least(Weight::Must, what, gain, 5.0);
        } else {
            report.fact("embedded", what, gain, "times");
        }
        let what = format!("embedded: CPU us a request, {} callers", within.in_flight);
        report.at_most(Weight::Goal, what, within.cpu_us, 10.0);
    }
    Ok(())
}

fn hop(bench: &Bench, report: &mut Report) -> Result<()> {
    let fleets = [
        ("movies, constant", Kind::Constant),
        ("bare tonic, constant", Kind::BareConstant),
        ("movies, SQLite", Kind::Movies),
        ("bare tonic, SQLite", Kind::Bare),
    ];
    let mut started = Vec::new();
    let mut targets = Vec::new();
    for (index, (name, kind)) in fleets.into_iter().enumerate() {
        let fleet = Fleet::start(kind, bench, &bench.data(&format!("hop-{index}"))?)?;
        targets.push(Target {
            name: name.to_owned(),
            address: fleet.address("metadata"),
            method: "metadata",
            pids: fleet.pid("metadata"),
            ..Target::default()
        });
        started.push(fleet);
    }
    let measured = alternate(bench, &targets, &[16], |_| 60_000)?;
    report.measured("hop", &measured);
    if let Some(Measured { figures, .. }) = measured.first() {
        report.at_most(
            Weight::Goal,
            "hop: CPU us of a constant GetMetadata, 16 in flight",
            figures.cpu_us,
            18.0,
        );
    }
    Ok(())
}

fn put(bench: &Bench, report: &mut Report) -> Result<()> {
    let of_fleet = bench.data("put-fleet")?;
    let fleet = Fleet::start(Kind::Movies, bench, &of_fleet)?;
    let as_process = Target {
        name: "as a process".to_owned(),
        address: fleet.address("rating"),
        method: "put",
        pids: fleet.pid("rating"),
        data: Some(of_fleet),
        ..Target::default()
    };
    let within = Target {
        name: "one process, typed client".to_owned(),
        method: "put",
        data: Some(bench.data("put-embedded")?),
        ..Target::default()
    };
    let writes = |in_flight| {
        if in_flight == 1 {
            1_500
        } else {
            500 * in_flight as u64
        }
    };
    let measured = alternate(bench, &[as_process, within], &LEVELS, writes)?;
    report.measured("put", &measured);
    Ok(())
}

/// Builds Movies with nothing built before.
pub(crate) fn cold_build(bench: &Bench, report: &mut Report) -> Result<()> {
    let target = bench.folder.path().join("cold");
    let began = Instant::now();
    let status = Command::new("cargo")
        .args([
            "build",
            "--release",
            "--package",
            "movies-system",
            "--target-dir",
        ])
        .arg(&target)
        .status()?;
    ensure!(status.success(), "the build failed");
    report.fact(
        "build",
        "cold build in release",
        (Instant::now() - began).as_secs_f64(),
        "s",
    );
    Ok(())
}
