//! Reading an aggregate costs the same, however many ratings there are.

use crate::alternate::{Target, alternate};
use crate::fleet::{Fleet, Kind};
use crate::report::{Report, Weight};
use crate::{Bench, bulk};
use anyhow::Result;
use movies_bench::running;

/// How many ratings the records have. The small ones are rated through the service, the large ones
/// in bulk.
const RATINGS: [(u32, bool); 4] = [
    (10, false),
    (1_000, false),
    (100_000, true),
    (1_000_000, true),
];

pub(super) async fn measure(bench: &Bench, report: &mut Report) -> Result<()> {
    let data = bench.data("aggregate")?;
    for (ratings, in_bulk) in RATINGS {
        if in_bulk {
            bulk::rate(&data, record(ratings), ratings).await?;
        } else {
            running::rate(&data, &record(ratings), ratings).await?;
        }
    }
    let fleet = Fleet::start(Kind::Movies, bench, &data)?;
    let target = |(ratings, in_bulk): &(u32, bool)| Target {
        name: format!(
            "{ratings} ratings, {}",
            if *in_bulk {
                "put in bulk"
            } else {
                "through the service"
            }
        ),
        address: fleet.address("rating"),
        method: "aggregate",
        pids: fleet.pid("rating"),
        record: Some(record(*ratings)),
        ..Target::default()
    };
    let targets: Vec<Target> = RATINGS.iter().map(target).collect();
    let measured = alternate(bench, &targets, &[1, 16], |level| {
        if level == 1 { 8_000 } else { 40_000 }
    })?;
    report.measured("aggregate", &measured);
    for level in measured.chunks_exact(RATINGS.len()) {
        let [few, many] = [&level[0], &level[RATINGS.len() - 1]];
        let in_flight = few.figures.in_flight;
        let what = |figure: &str| {
            format!("aggregate: {figure} of 1,000,000 ratings beside 10, {in_flight} in flight")
        };
        if in_flight == 1 {
            report.at_most(
                Weight::Must,
                what("latency"),
                many.times(few, |figures| figures.p50_us),
                1.2,
            );
        } else {
            report.at_most(
                Weight::Must,
                what("CPU"),
                many.times(few, |figures| figures.cpu_us),
                1.2,
            );
        }
    }
    Ok(())
}

fn record(ratings: u32) -> String {
    format!("rated-{ratings}")
}
