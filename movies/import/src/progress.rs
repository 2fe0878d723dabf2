//! How far an import is, for who waits: a bar on a terminal, a line every five seconds elsewhere.

use crate::tally::{Tally, digits};
use backlot::app::out;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::time::Duration;
use tokio::time::Instant;

/// How often a plain line is written.
const BETWEEN: Duration = Duration::from_secs(5);
/// Over how long a rate is taken.
const RATE: Duration = Duration::from_secs(2);

/// Shows progress on standard error.
#[derive(Debug)]
pub struct Progress {
    kind: Kind,
    total: u64,
    rate: Option<Rate>,
}

#[derive(Debug)]
enum Kind {
    Silent,
    Bar(ProgressBar),
    Lines { last: Instant },
}

/// The rate of the last seconds, and what it is counted from.
#[derive(Clone, Copy, Debug)]
struct Rate {
    began: Instant,
    read: u64,
    since: Instant,
    rows: u64,
    /// Rows a second.
    now: f64,
}

impl Progress {
    /// Tells nobody.
    #[must_use]
    pub fn silent() -> Self {
        Progress::of(Kind::Silent)
    }

    /// A bar if standard error is a terminal, otherwise lines.
    #[must_use]
    pub fn shown() -> Self {
        if !std::io::stderr().is_terminal() {
            return Progress::lines();
        }
        let bar = ProgressBar::new(0);
        // The template is constant: that it is well formed is tested.
        if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
            bar.set_style(style);
        }
        Progress::of(Kind::Bar(bar))
    }

    /// A line every five seconds.
    #[must_use]
    pub fn lines() -> Self {
        let last = Instant::now();
        Progress::of(Kind::Lines { last })
    }

    fn of(kind: Kind) -> Self {
        Progress {
            kind,
            total: 0,
            rate: None,
        }
    }

    /// Says something beside the progress.
    pub(crate) fn say(&self, what: &str) {
        match &self.kind {
            Kind::Silent => {}
            Kind::Bar(bar) => bar.suspend(|| out::note(what)),
            Kind::Lines { .. } => out::note(what),
        }
    }

    /// There are so many bytes to read in all.
    pub(crate) fn total(&mut self, bytes: u64) {
        self.total = bytes;
        if let Kind::Bar(bar) = &self.kind {
            bar.set_length(bytes);
        }
    }

    /// So many bytes are read, and what came of them.
    pub(crate) fn at(&mut self, file: &str, read: u64, tally: &Tally) {
        let now = Instant::now();
        let rows = tally.films.total() + tally.ratings.total() + tally.outside;
        let rate = self.rate.get_or_insert(Rate {
            began: now,
            read,
            since: now,
            rows,
            now: 0.0,
        });
        let window = now.saturating_duration_since(rate.since);
        if window >= RATE {
            rate.now = rows.saturating_sub(rate.rows) as f64 / window.as_secs_f64();
            (rate.since, rate.rows) = (now, rows);
        }
        let rate = *rate;
        match &mut self.kind {
            Kind::Silent => {}
            Kind::Bar(bar) => {
                if bar.position() == 0 {
                    // What an earlier run read is not this one's speed.
                    bar.set_position(read);
                    bar.reset_eta();
                }
                bar.set_position(read);
                bar.set_message(message(file, tally, rate.now));
            }
            Kind::Lines { last } => {
                if now.saturating_duration_since(*last) < BETWEEN {
                    return;
                }
                *last = now;
                let took = now.saturating_duration_since(rate.began);
                let left = left(took, read.saturating_sub(rate.read), self.total, read);
                let share = read * 100 / self.total.max(1);
                out::note(format_args!(
                    "{share:>3} %  {}{left}",
                    message(file, tally, rate.now)
                ));
            }
        }
    }

    /// The end: what was shown goes.
    pub(crate) fn end(&mut self) {
        if let Kind::Bar(bar) = &self.kind {
            bar.finish_and_clear();
        }
    }
}

const TEMPLATE: &str = "{bar:30} {percent:>3} %  {msg}  {eta} left";

fn message(file: &str, tally: &Tally, rate: f64) -> String {
    let mut text = format!(
        "{file}  {} films, {} ratings",
        digits(tally.films.total()),
        digits(tally.ratings.total() + tally.outside)
    );
    if tally.bad > 0 {
        text.push_str(&format!(", {} bad lines", digits(tally.bad)));
    }
    if rate >= 1.0 {
        text.push_str(&format!("  {}/s", digits(rate as u64)));
    }
    text
}

/// How long the rest takes at the speed so far.
fn left(took: Duration, read: u64, total: u64, position: u64) -> String {
    if read == 0 {
        return String::new();
    }
    let rest = total.saturating_sub(position) as f64 / read as f64;
    let seconds = took.mul_f64(rest.min(1e6)).as_secs();
    match seconds {
        0..120 => format!("  {seconds} s left"),
        _ => format!("  {} min left", seconds / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_is_well_formed() {
        assert!(ProgressStyle::with_template(TEMPLATE).is_ok());
    }

    #[test]
    fn the_rest_takes_as_long_as_what_was_read_did() {
        let took = Duration::from_secs(10);
        assert_eq!(left(took, 100, 300, 100), "  20 s left");
        assert_eq!(left(took, 100, 10_100, 100), "  16 min left");
        assert_eq!(left(took, 0, 300, 100), "");
        // Half was there before.
        assert_eq!(left(took, 50, 200, 150), "  10 s left");
    }

    #[test]
    fn a_line_says_what_there_is_to_say() {
        let mut tally = Tally::default();
        tally.ratings.new = 1_234_000;
        assert_eq!(
            message("ratings.csv", &tally, 0.0),
            "ratings.csv  0 films, 1,234,000 ratings"
        );
        tally.bad = 2;
        assert_eq!(
            message("ratings.csv", &tally, 251_000.4),
            "ratings.csv  0 films, 1,234,000 ratings, 2 bad lines  251,000/s"
        );
    }
}
