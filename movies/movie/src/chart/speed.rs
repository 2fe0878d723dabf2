//! What charts of many films cost: to be asked for, in release.
//!
//! `cargo test --release -p movies-movie charts_of_300_000_films -- --ignored --nocapture`

use super::drawn::Drawn;
use super::projection::Projection;
use backlot::Dice;
use movies_api::{AggregateChange, MetadataChange};

const FILMS: u32 = 300_000;

/// Memory in use, in kilobytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
#[ignore = "a measurement"]
fn charts_of_300_000_films() {
    let dice = Dice::seeded(1);
    let before = resident();
    let mut projection = Projection::default();
    let began = tokio::time::Instant::now();
    for number in 0..FILMS {
        let id = format!("tt{number:07}");
        let genres = (0..1 + dice.next_u64() % 4)
            .map(|_| format!("Genre {}", dice.next_u64() % 28))
            .collect();
        projection.sort(&MetadataChange {
            movie_id: id.clone(),
            year: 1900 + (dice.next_u64() % 126) as i32,
            genres,
            changed_at: 1,
        });
        let count = 1 + (1.0 / (1e-4 + dice.unit())) as u32;
        projection.rate(&AggregateChange {
            record_id: id,
            count,
            sum: i64::from(count) * 2 + (dice.next_u64() % (u64::from(count) * 8)) as i64,
            version: 1,
            changed_at: 1,
        });
    }
    println!("taken over in {:.1?}", tokio::time::Instant::now() - began);
    let projected = resident();
    println!(
        "projection: {} kB, {} bytes a film",
        projected - before,
        (projected - before) * 1024 / u64::from(FILMS)
    );
    let mut kept = None;
    for _ in 0..5 {
        let began = tokio::time::Instant::now();
        kept = Some(Drawn::of(&projection, 25.0));
        println!("drawn in {:.1?}", tokio::time::Instant::now() - began);
    }
    println!(
        "with charts, and what drawing them took: {} kB",
        resident() - before
    );
    drop(kept);
}
