//! The page.

use crate::{cost, probes::Row};

const HEAD: &str = "# What the stock stack does, and what Backlot does

Measured by `cargo run -p backlot-stock -- --out docs/stock-vs-backlot.md`, which runs both on loopback: tonic
0.14 and axum 0.8 with their defaults, and Backlot with its own. What takes longer than 15 s is not waited for.

| what happens | tonic and axum | Backlot |
|---|---|---|
";

const FOOT: &str = "
tonic and axum can be told to do better at some of these; the table is of what one gets who tells them nothing.
What Backlot does about each is on [the page of calls](calls.md).
";

pub(crate) fn of(rows: &[Row]) -> String {
    let line = |row: &Row| format!("| {} | {} | {} |\n", row.what, row.stock, row.ours);
    let lines: String = rows.iter().map(line).collect();
    format!("{HEAD}{lines}{FOOT}")
}

const COST: &str = "# What calls cost

Measured by `cargo run --release -p backlot-stock -- --cost --out docs/what-calls-cost.md`, all in one run, on CORES
cores of one machine; client and server of the first rows share a process. Rates are medians of seven rounds of a
second, the least and the most in brackets. tonic 0.14 is as it comes, with `TCP_NODELAY`: no deadline, no metrics, one connection. Of
what Backlot does for each call these are on: deadlines, validation, metrics, balancing, retries, ejection, the
frame watch. Tokens and logs are on neither side.

| | tonic | Backlot | asked |
|---|---|---|---|
";

/// The page of what calls cost.
pub(crate) fn of_cost(rows: &[cost::Row]) -> String {
    let line = |row: &cost::Row| {
        let (what, stock, ours, asked) = (&row.what, &row.stock, &row.ours, row.asked);
        format!("| {what} | {stock} | {ours} | {asked} |\n")
    };
    let lines: String = rows.iter().map(line).collect();
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let head = COST.replace("CORES", &cores.to_string());
    format!("{head}{lines}")
}
