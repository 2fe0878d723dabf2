//! What a policy must be to make sense.

use super::{Balance, Connect, Eject, Policy, Retry, Throttle};
use backlot_service::config::{Problems, Validate};
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);
const MINUTE: Duration = Duration::from_secs(60);

/// Tells of one table.
struct Check<'a> {
    at: String,
    problems: &'a mut Problems,
}

impl Check<'_> {
    fn holds(&mut self, holds: bool, field: &str, must: &str) {
        if !holds {
            self.problems.push(
                &self.at,
                field,
                must.to_owned(),
                "leave it out for the default",
            );
        }
    }

    fn between(&mut self, is: Duration, least: Duration, most: Duration, field: &str, must: &str) {
        self.holds((least..=most).contains(&is), field, must);
    }
}

impl Validate for Policy {
    fn validate(&self, at: &str, problems: &mut Problems) {
        let mut check = |section: &str, look: &dyn Fn(&mut Check<'_>)| {
            let at = format!("{at}.{section}");
            let at = at.trim_start_matches('.').to_owned();
            look(&mut Check { at, problems });
        };
        check("retry", &|check| self.retry.check(check));
        check("balance", &|check| self.balance.check(check));
        check("eject", &|check| self.eject.check(check));
        check("throttle", &|check| self.throttle.check(check));
        check("connect", &|check| self.connect.check(check));
    }
}

impl Retry {
    fn check(&self, check: &mut Check<'_>) {
        check.holds(
            (1..=5).contains(&self.attempts),
            "attempts",
            "must be 1 to 5",
        );
        check.between(self.pause, MS, MINUTE, "pause", "must be 1ms to 1m");
        let longest = "must be as long as pause, and 1m at most";
        check.between(
            self.longest_pause,
            self.pause,
            MINUTE,
            "longest_pause",
            longest,
        );
        check.holds(self.share <= 100, "share", "must be 0 to 100");
        check.holds(self.floor <= 1000, "floor", "must be 0 to 1000");
        check.holds(
            self.replay <= 4 << 20,
            "replay",
            "must be 0 to 4194304 bytes",
        );
        let in_all = "must be 0 to 1073741824 bytes";
        check.holds(self.replay_in_all <= 1 << 30, "replay_in_all", in_all);
        let patience = "must be 0s, or up to 1m";
        check.between(self.patience, Duration::ZERO, MINUTE, "patience", patience);
    }
}

impl Balance {
    fn check(&self, check: &mut Check<'_>) {
        let subset = "must be 0 to 10000, and not 1: one instance is none to balance over";
        check.holds(self.subset <= 10_000 && self.subset != 1, "subset", subset);
        let spill = "must be 1 to 1000";
        check.holds((1.0..=1000.0).contains(&self.spill), "spill", spill);
        let (shortest, longest) = (100 * MS, 10 * MINUTE);
        check.between(
            self.decay,
            shortest,
            longest,
            "decay",
            "must be 100ms to 10m",
        );
        check.between(
            self.hold,
            Duration::ZERO,
            60 * MINUTE,
            "hold",
            "must be 0s to 1h",
        );
    }
}

impl Eject {
    fn check(&self, check: &mut Check<'_>) {
        check.holds(
            (1..=1000).contains(&self.failures),
            "failures",
            "must be 1 to 1000",
        );
        check.holds(self.success <= 100, "success", "must be 0 to 100");
        check.holds(
            (1..=100_000).contains(&self.answers),
            "answers",
            "must be 1 to 100000",
        );
        check.between(
            self.shortest,
            10 * MS,
            MINUTE,
            "shortest",
            "must be 10ms to 1m",
        );
        let longest = "must be as long as shortest, and 1h at most";
        check.between(self.longest, self.shortest, 60 * MINUTE, "longest", longest);
        check.holds(self.most <= 100, "most", "must be 0 to 100");
        check.between(
            self.ramp,
            Duration::ZERO,
            10 * MINUTE,
            "ramp",
            "must be 0s to 10m",
        );
    }
}

impl Throttle {
    fn check(&self, check: &mut Check<'_>) {
        check.holds(
            (1.1..=100.0).contains(&self.excess),
            "excess",
            "must be 1.1 to 100",
        );
        check.holds(self.most <= 99, "most", "must be 0 to 99");
        check.holds(self.least <= 1_000_000, "least", "must be 0 to 1000000");
    }
}

impl Connect {
    fn check(&self, check: &mut Check<'_>) {
        check.between(self.timeout, MS, MINUTE, "timeout", "must be 1ms to 1m");
        check.between(self.pause, MS, MINUTE, "pause", "must be 1ms to 1m");
        let longest = "must be as long as pause, and 1m at most";
        check.between(
            self.longest_pause,
            self.pause,
            MINUTE,
            "longest_pause",
            longest,
        );
        check.between(
            self.ping,
            10 * MS,
            10 * MINUTE,
            "ping",
            "must be 10ms to 10m",
        );
        check.between(self.answer, 10 * MS, MINUTE, "answer", "must be 10ms to 1m");
        let connections = (1..=16).contains(&self.connections);
        check.holds(connections, "connections", "must be 1 to 16");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_makes_sense_and_all_that_does_not_is_told() {
        let mut problems = Problems::default();
        Policy::default().validate("movie.calls", &mut problems);
        assert_eq!(problems.to_string(), "");
        let mut wrong = Policy::default();
        wrong.retry.attempts = 0;
        wrong.balance.subset = 1;
        wrong.balance.spill = f64::NAN;
        wrong.eject.longest = MS;
        wrong.throttle.excess = 0.5;
        wrong.connect.ping = Duration::ZERO;
        wrong.validate("movie.calls", &mut problems);
        let keys: Vec<_> = problems
            .iter()
            .map(|problem| problem.key.as_str())
            .collect();
        assert_eq!(
            keys,
            [
                "movie.calls.retry.attempts",
                "movie.calls.balance.subset",
                "movie.calls.balance.spill",
                "movie.calls.eject.longest",
                "movie.calls.throttle.excess",
                "movie.calls.connect.ping",
            ]
        );
    }
}
