//! A run in words.

use backlot_sim::{Kind, Outcome};

/// The timeline, one event a line; everyday work and logs only when asked for.
#[must_use]
pub fn timeline(outcome: &Outcome, verbose: bool) -> String {
    let mut page = String::new();
    for (number, fault) in (1..).zip(&outcome.faults) {
        page.push_str(&format!(
            "fault {number}, at {:.3} s: {fault}\n",
            fault.at.as_secs_f64()
        ));
    }
    for event in &outcome.events {
        if verbose || !matches!(event.kind, Kind::Log | Kind::Detail) {
            page.push_str(&format!("{event}\n"));
        }
    }
    page
}

/// What the run came to, in one line.
#[must_use]
pub fn verdict(outcome: &Outcome) -> String {
    let seed = outcome.seed;
    match outcome.violations().next() {
        Some(first) => format!(
            "seed {seed} FAILED at {:.3} s: {}: {}; trace {:016x}",
            first.at.as_secs_f64(),
            first.host,
            first.text,
            outcome.hash
        ),
        None => format!(
            "seed {seed} ok: {} changes acknowledged, {} repeated, {} answers lost after a commit; \
             {} films looked at, {} without ratings; {} calls published, {} of them again; {} errands over; \
             {} faults in {:.1} s; trace {:016x}",
            outcome.count("changes acknowledged"),
            outcome.count("changes repeated"),
            outcome.count("answers lost after a commit"),
            outcome.count("films looked at"),
            outcome.count("films looked at without ratings"),
            outcome.count("calls published"),
            outcome.count("calls published again"),
            outcome.count("errands over"),
            outcome.faults.len(),
            outcome.simulated.as_secs_f64(),
            outcome.hash
        ),
    }
}
