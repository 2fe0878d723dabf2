//! Two counts over a moving time, in slots: what is older than the last slots is gone.

use std::time::Duration;
use tokio::time::Instant;

/// In how many slots the time is cut.
const SLOTS: usize = 10;

/// Counts of two kinds.
#[derive(Clone, Debug)]
pub(super) struct Window {
    began: Instant,
    slot: Duration,
    /// Which slot of all times the last in use is.
    last: u64,
    slots: [[u64; 2]; SLOTS],
}

impl Window {
    /// Nothing was counted yet; what is counted stays for `length`, or less by up to a tenth.
    pub(super) fn new(length: Duration, now: Instant) -> Self {
        Window {
            began: now,
            slot: length / SLOTS as u32,
            last: 0,
            slots: [[0; 2]; SLOTS],
        }
    }

    /// One more of a kind.
    pub(super) fn count(&mut self, kind: usize, now: Instant) {
        self.turn(now)[kind] += 1;
    }

    /// How many there are of each.
    pub(super) fn sums(&mut self, now: Instant) -> [u64; 2] {
        self.turn(now);
        let add = |sums: [u64; 2], slot: &[u64; 2]| [sums[0] + slot[0], sums[1] + slot[1]];
        self.slots.iter().fold([0; 2], add)
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) {
        self.slots = [[0; 2]; SLOTS];
    }

    /// The slot of now; those that are over are emptied.
    fn turn(&mut self, now: Instant) -> &mut [u64; 2] {
        let passed = now.saturating_duration_since(self.began).as_nanos();
        let number = passed / self.slot.as_nanos().max(1);
        let number = u64::try_from(number).unwrap_or(u64::MAX);
        let over = number.saturating_sub(self.last).min(SLOTS as u64);
        for step in 1..=over {
            // From the oldest that is over to that of now.
            self.slots[place(number - over + step)] = [0; 2];
        }
        self.last = self.last.max(number);
        &mut self.slots[place(self.last)]
    }
}

#[expect(clippy::cast_possible_truncation, reason = "below ten")]
fn place(number: u64) -> usize {
    (number % SLOTS as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_last_ten_slots_are_counted_exactly(
            steps in proptest::collection::vec((0u64..700, 0usize..2), 1..300),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            let _entered = runtime.enter();
            let began = Instant::now();
            let mut window = Window::new(Duration::from_secs(10), began);
            let (mut now, mut counted) = (0, Vec::new());
            for (wait, kind) in steps {
                now += wait;
                let at = began + Duration::from_millis(now);
                window.count(kind, at);
                counted.push((now / 1000, kind));
                let of = |kind: usize| {
                    let recent = |&&(slot, which): &&(u64, usize)| which == kind && slot + 10 > now / 1000;
                    counted.iter().filter(recent).count() as u64
                };
                prop_assert_eq!(window.sums(at), [of(0), of(1)]);
            }
            let later = began + Duration::from_millis(now) + Duration::from_secs(10);
            prop_assert_eq!(window.sums(later), [0, 0]);
        }
    }
}
