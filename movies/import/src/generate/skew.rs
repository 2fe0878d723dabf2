//! Few that are popular, many that are not.

use backlot::Dice;

/// Picks out of so many, the first ones most often, as Zipf's law has it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Popularity {
    count: f64,
}

/// How steep: of MovieLens' films the tenth part has nine tenths of the ratings.
const SLOPE: f64 = 0.9;

impl Popularity {
    pub(super) fn of(count: u32) -> Self {
        Popularity {
            count: f64::from(count),
        }
    }

    /// One of them, from 0.
    pub(super) fn pick(self, dice: &Dice) -> u32 {
        // The inverse of the share that the first ones have.
        let power = 1.0 - SLOPE;
        let reach = (self.count + 1.0).powf(power) - 1.0;
        let place = (dice.unit() * reach + 1.0).powf(1.0 / power) - 1.0;
        place.min(self.count - 1.0).max(0.0) as u32
    }

    /// The part of all that the one at this place has.
    pub(super) fn share(self, place: u32) -> f64 {
        let power = 1.0 - SLOPE;
        let reach = |count: f64| (count + 1.0).powf(power) - 1.0;
        (reach(f64::from(place) + 1.0) - reach(f64::from(place))) / reach(self.count)
    }
}

/// How many each of so many users gives, adding up to a total exactly.
#[derive(Clone, Debug)]
pub(super) struct Shares {
    users: u64,
    most: u64,
    total: u64,
    weight: f64,
    /// What those who can give no more leave to others.
    extra: u64,
    seen: f64,
    given: u64,
}

impl Shares {
    /// Nobody gives more than `most`.
    pub(super) fn of(users: u32, most: u32, total: u64) -> Self {
        let users = u64::from(users);
        let mut shares = Shares {
            users,
            most: u64::from(most),
            total,
            weight: (0..users).map(|user| weight(user, users)).sum(),
            extra: 0,
            seen: 0.0,
            given: 0,
        };
        let given: u64 = {
            let mut first = shares.clone();
            (0..users).map(|user| first.next(user)).sum()
        };
        shares.extra = total - given.min(total);
        shares
    }

    /// The number of this user, who comes after the one before.
    pub(super) fn next(&mut self, user: u64) -> u64 {
        self.seen += weight(user, self.users);
        let due = (self.total as f64 * (self.seen / self.weight)).round() as u64;
        let own = due
            .min(self.total)
            .saturating_sub(self.given)
            .min(self.most);
        self.given += own;
        let extra = self.extra.min(self.most - own);
        self.extra -= extra;
        own + extra
    }
}

/// The user's place among all, from the busiest, is another one than that in the file.
fn weight(user: u64, users: u64) -> f64 {
    let place = (user * 7_919) % users.max(1);
    (place as f64 + 10.0).powf(-0.7)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_ones_are_picked_most() {
        let (popularity, dice) = (Popularity::of(1_000), Dice::seeded(1));
        let mut counts = vec![0u32; 1_000];
        (0..100_000).for_each(|_| counts[popularity.pick(&dice) as usize] += 1);
        let first: u32 = counts[..100].iter().sum();
        assert!((50_000..90_000).contains(&first), "{first}");
        assert!(counts[999] > 0 || counts[990..].iter().sum::<u32>() > 0);
        let shares: f64 = (0..1_000).map(|place| popularity.share(place)).sum();
        assert!((shares - 1.0).abs() < 1e-9, "{shares}");
    }

    #[test]
    fn shares_add_up_and_nobody_gives_more_than_they_can() {
        for (users, most, total) in [
            (7, 20, 100),
            (10, 10, 100),
            (10, 10, 99),
            (1, 5, 3),
            (610, 9_742, 100_836),
        ] {
            let mut shares = Shares::of(users, most, total);
            let each: Vec<u64> = (0..u64::from(users))
                .map(|user| shares.next(user))
                .collect();
            assert_eq!(each.iter().sum::<u64>(), total, "{users} {most} {total}");
            assert!(
                each.iter().all(|count| *count <= u64::from(most)),
                "{each:?}"
            );
        }
    }
}
