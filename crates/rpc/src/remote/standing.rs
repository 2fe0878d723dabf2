//! Whether an endpoint gets calls: one that fails is ejected for a while, then tried with one call,
//! and comes back little by little.
//!
//! Five failures in a row eject it, or too few successes of the answers of the last ten seconds. How
//! long doubles with each time, drawn anew by half more or less, so that its callers do not all come
//! back together; a minute without makes it the first time again.

use super::window::Window;
use crate::policy::Eject;
use backlot_core::Dice;
use parking_lot::Mutex;
use std::time::Duration;
use tokio::time::Instant;

/// For how long answers count.
const LENGTH: Duration = Duration::from_secs(10);
const WELL: usize = 0;
const FAILED: usize = 1;
/// How long a call that may not be repeated leaves the first try to those that may.
const COURTESY: Duration = Duration::from_secs(1);
/// How long the call that tries it may take before another does.
const TRIAL: Duration = Duration::from_secs(5);
/// The least share of calls that one gets that comes back.
const LEAST: f64 = 0.1;

/// How one endpoint stands.
#[derive(Debug)]
pub(super) struct Standing(Mutex<Record>);

#[derive(Debug)]
struct Record {
    answers: Window,
    /// How many failed in a row.
    failures: u32,
    /// How often it was ejected lately.
    times: u32,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    /// It gets calls: fewer at first, where it came back then.
    In { back: Option<Instant> },
    /// It gets none until then.
    Out { until: Instant },
    /// One call tries it, since then.
    Tried { since: Instant },
}

/// What an endpoint may get now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum May {
    /// Calls like the others.
    All,
    /// This share of them.
    Some(f64),
    /// One, to try it.
    One,
    /// None.
    None,
}

/// What an answer did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Nothing.
    Stays,
    /// It is ejected, for so long.
    Ejected { why: Why, wait: Duration },
    /// It would be, but too many are.
    Spared,
    /// It is back.
    Returned,
}

/// Why one is ejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    InARow,
    Share,
    Tried,
}

impl Why {
    pub(super) const ALL: [Why; 3] = [Why::InARow, Why::Share, Why::Tried];

    pub(super) fn name(self) -> &'static str {
        match self {
            Why::InARow => "failures in a row",
            Why::Share => "too few successes",
            Why::Tried => "failed again when tried",
        }
    }
}

/// One answer, as far as it matters here.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heard {
    pub(super) failed: bool,
    /// Whether the call was sent to try it.
    pub(super) tried: bool,
    /// How long the callee asks to be left alone.
    pub(super) pushback: Option<Duration>,
}

impl Standing {
    pub(super) fn new(now: Instant) -> Self {
        Standing(Mutex::new(Record {
            answers: Window::new(LENGTH, now),
            failures: 0,
            times: 0,
            state: State::In { back: None },
        }))
    }

    /// What it may get: `repeatable` calls try it first.
    pub(super) fn may(&self, policy: &Eject, repeatable: bool, now: Instant) -> May {
        match self.0.lock().state {
            State::In { back: None } => May::All,
            State::In { back: Some(back) } => {
                let passed = now.saturating_duration_since(back).as_secs_f64();
                let share = passed / policy.ramp.as_secs_f64();
                // Where the ramp takes no time: not a number, which is not below 1.
                if share < 1.0 {
                    May::Some(share.max(LEAST))
                } else {
                    May::All
                }
            }
            State::Out { until } => {
                let courtesy = if repeatable { Duration::ZERO } else { COURTESY };
                if now >= until + courtesy {
                    May::One
                } else {
                    May::None
                }
            }
            State::Tried { since } if now >= since + TRIAL => May::One,
            State::Tried { .. } => May::None,
        }
    }

    /// Takes the one call that tries it; whether it was there.
    pub(super) fn try_it(&self, now: Instant) -> bool {
        let mut record = self.0.lock();
        let is_due = match record.state {
            State::In { .. } => false,
            State::Out { until } => now >= until,
            State::Tried { since } => now >= since + TRIAL,
        };
        if is_due {
            record.state = State::Tried { since: now };
        }
        is_due
    }

    /// The call that tried it came to nothing: another will, after a while, or one after the other
    /// would come to nothing.
    pub(super) fn untried(&self, policy: &Eject, now: Instant) {
        let mut record = self.0.lock();
        if matches!(record.state, State::Tried { .. }) {
            let until = now + policy.shortest;
            record.state = State::Out { until };
        }
    }

    /// It comes back from a start: little by little.
    pub(super) fn returns(&self, now: Instant) {
        let mut record = self.0.lock();
        if let State::In { back } = &mut record.state {
            *back = Some(now);
        }
    }

    /// Whether it is out.
    pub(super) fn is_out(&self) -> bool {
        !matches!(self.0.lock().state, State::In { .. })
    }

    /// It answered. `may_eject` tells whether one more may be out.
    pub(super) fn heard(
        &self,
        heard: Heard,
        policy: &Eject,
        dice: &Dice,
        now: Instant,
        may_eject: impl FnOnce() -> bool,
    ) -> Turn {
        let mut record = self.0.lock();
        if heard.tried && matches!(record.state, State::Tried { .. }) {
            return match heard.failed {
                true => record.eject(Why::Tried, heard.pushback, policy, dice, now),
                false => {
                    record.returned(now);
                    Turn::Returned
                }
            };
        }
        let kind = if heard.failed { FAILED } else { WELL };
        record.answers.count(kind, now);
        record.failures = if heard.failed { record.failures + 1 } else { 0 };
        let back = match record.state {
            State::In { back } => back,
            // It is called although it is out: it is the only one, or nobody heeds it.
            // And a trial that was slow to succeed did.
            State::Out { until }
                if !heard.failed && (heard.tried || now >= until || !policy.on) =>
            {
                record.returned(now);
                return Turn::Returned;
            }
            // Those that it still had when it was ejected.
            State::Out { .. } | State::Tried { .. } => return Turn::Stays,
        };
        if back.is_some_and(|back| now.saturating_duration_since(back) > policy.longest) {
            record.times = 0;
        }
        let Some(why) = record.why(heard.failed, policy, now) else {
            return Turn::Stays;
        };
        if !may_eject() {
            return Turn::Spared;
        }
        record.eject(why, heard.pushback, policy, dice, now)
    }
}

impl Record {
    fn why(&mut self, failed: bool, policy: &Eject, now: Instant) -> Option<Why> {
        if !failed || !policy.on {
            return None;
        }
        if self.failures >= policy.failures {
            return Some(Why::InARow);
        }
        let [well, failed] = self.answers.sums(now);
        let answers = well + failed;
        let is_enough = answers >= u64::from(policy.answers);
        let is_low = well * 100 < answers * u64::from(policy.success);
        (is_enough && is_low).then_some(Why::Share)
    }

    fn eject(
        &mut self,
        why: Why,
        pushback: Option<Duration>,
        policy: &Eject,
        dice: &Dice,
        now: Instant,
    ) -> Turn {
        let doubled = policy.shortest.saturating_mul(1 << self.times.min(20));
        let drawn = doubled.min(policy.longest).mul_f64(0.5 + dice.unit());
        let wait = drawn.max(pushback.unwrap_or_default()).min(policy.longest);
        self.times += 1;
        self.failures = 0;
        self.answers.clear();
        self.state = State::Out { until: now + wait };
        Turn::Ejected { why, wait }
    }

    fn returned(&mut self, now: Instant) {
        self.failures = 0;
        self.answers.clear();
        self.state = State::In { back: Some(now) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    struct Room {
        standing: Standing,
        policy: Eject,
        dice: Dice,
        now: Instant,
    }

    fn room() -> Room {
        let now = Instant::now();
        Room {
            standing: Standing::new(now),
            policy: Eject::default(),
            dice: Dice::seeded(3),
            now,
        }
    }

    impl Room {
        fn heard(&self, failed: bool) -> Turn {
            self.told(failed, false, None)
        }

        fn told(&self, failed: bool, tried: bool, pushback: Option<Duration>) -> Turn {
            let heard = Heard {
                failed,
                tried,
                pushback,
            };
            self.standing
                .heard(heard, &self.policy, &self.dice, self.now, || true)
        }

        fn may(&self) -> May {
            self.standing.may(&self.policy, true, self.now)
        }

        /// Fails until it is ejected; for how long.
        fn eject(&self) -> Duration {
            loop {
                if let Turn::Ejected { wait, .. } = self.heard(true) {
                    return wait;
                }
            }
        }
    }

    #[tokio::test]
    async fn five_failures_in_a_row_eject_and_a_success_between_does_not() {
        let room = room();
        for _ in 0..3 {
            for _ in 0..4 {
                assert_eq!(room.heard(true), Turn::Stays);
            }
            assert_eq!(room.heard(false), Turn::Stays);
            room.standing.0.lock().answers.clear();
        }
        for _ in 0..4 {
            assert_eq!(room.heard(true), Turn::Stays);
        }
        let why = Why::InARow;
        assert!(matches!(room.heard(true), Turn::Ejected { why: is, .. } if is == why));
        assert_eq!(room.may(), May::None);
    }

    #[tokio::test]
    async fn fewer_than_four_in_five_of_twenty_eject() {
        let mut room = room();
        // Each fifth fails: that is four in five.
        for number in 0..100 {
            assert_eq!(room.heard(number % 5 == 4), Turn::Stays, "{number}");
        }
        room.now += 20 * SECOND;
        let mut answers = 0;
        loop {
            answers += 1;
            // Each fourth.
            let turn = room.heard(answers % 4 == 0);
            match turn {
                Turn::Stays => assert!(answers < 20),
                turn => {
                    assert!(matches!(
                        turn,
                        Turn::Ejected {
                            why: Why::Share,
                            ..
                        }
                    ));
                    break;
                }
            }
        }
        assert_eq!(answers, 20);
    }

    #[tokio::test]
    async fn one_call_tries_it_and_it_comes_back_little_by_little() {
        let mut room = room();
        let wait = room.eject();
        room.now += wait - Duration::from_nanos(1);
        assert_eq!(room.may(), May::None);
        room.now += Duration::from_nanos(1);
        assert_eq!(room.may(), May::One);
        let write = room.standing.may(&room.policy, false, room.now);
        assert_eq!(write, May::None, "a call that may be repeated goes first");
        assert!(room.standing.try_it(room.now));
        assert!(!room.standing.try_it(room.now), "one");
        assert_eq!(room.may(), May::None);
        // What it still had says nothing.
        assert_eq!(room.heard(false), Turn::Stays);
        assert_eq!(room.may(), May::None);
        assert_eq!(room.told(false, true, None), Turn::Returned);
        assert_eq!(room.may(), May::Some(0.1));
        room.now += 5 * SECOND;
        assert_eq!(room.may(), May::Some(0.5));
        room.now += 5 * SECOND;
        assert_eq!(room.may(), May::All);
    }

    #[tokio::test]
    async fn each_time_takes_twice_as_long_up_to_a_minute_and_a_good_minute_clears_it() {
        let mut room = room();
        let mut wait = room.eject();
        for time in 0..9 {
            let expected = (SECOND * (1 << time)).min(room.policy.longest);
            let bounds = expected / 2..=(expected * 3 / 2).min(room.policy.longest);
            assert!(bounds.contains(&wait), "{time}: {wait:?}");
            room.now += wait;
            assert!(room.standing.try_it(room.now));
            let Turn::Ejected { why, wait: next } = room.told(true, true, None) else {
                panic!("it failed");
            };
            assert_eq!(why, Why::Tried);
            wait = next;
        }
        room.now += wait;
        room.standing.try_it(room.now);
        assert_eq!(room.told(false, true, None), Turn::Returned);
        room.now += room.policy.longest + SECOND;
        assert!(room.eject() <= SECOND * 3 / 2);
    }

    #[tokio::test]
    async fn the_callee_may_ask_for_longer() {
        let room = room();
        for _ in 0..4 {
            room.heard(true);
        }
        let asked = 20 * SECOND;
        let turn = room.told(true, false, Some(asked));
        assert!(matches!(turn, Turn::Ejected { wait, .. } if wait == asked));
    }

    #[tokio::test]
    async fn it_is_spared_where_too_many_are_out_and_where_it_is_switched_off() {
        let mut room = room();
        room.policy.on = false;
        for _ in 0..100 {
            assert_eq!(room.heard(true), Turn::Stays);
        }
        room.policy.on = true;
        let heard = Heard {
            failed: true,
            tried: false,
            pushback: None,
        };
        let turn = room
            .standing
            .heard(heard, &room.policy, &room.dice, room.now, || false);
        assert_eq!(turn, Turn::Spared);
        assert_eq!(room.may(), May::All);
    }

    #[tokio::test]
    async fn a_try_that_came_to_nothing_is_made_again() {
        let mut room = room();
        room.now += room.eject();
        assert!(room.standing.try_it(room.now));
        room.standing.untried(&room.policy, room.now);
        assert_eq!(room.may(), May::None, "not at once");
        room.now += room.policy.shortest;
        assert!(room.standing.try_it(room.now));
        // One that hangs does not keep the others from it.
        room.now += TRIAL - Duration::from_nanos(1);
        assert_eq!(room.may(), May::None);
        room.now += Duration::from_nanos(1);
        assert!(room.standing.try_it(room.now));
    }

    #[tokio::test]
    async fn one_that_is_called_all_the_same_comes_back_by_its_answers() {
        let mut room = room();
        let wait = room.eject();
        assert_eq!(room.heard(false), Turn::Stays, "it was asked before");
        room.now += wait;
        assert_eq!(room.heard(false), Turn::Returned);
        room.eject();
        room.policy.on = false;
        assert_eq!(room.heard(false), Turn::Returned);
    }
}
