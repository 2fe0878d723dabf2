//! Few that are popular, many that are not.

use backlot::Dice;

/// Picks out of so many, the first ones most often, as people rate films in MovieLens.
///
/// The number of a film's ratings falls with the cube root of its place: `exp(-STEEP * x^(1/3))`,
/// where `x` is the place as a part of all. Of 100,836 ratings picked so out of MovieLens 32M's
/// 87,585 films, by users as busy as its small sample's, the most rated 1 %, 10 % and half of the
/// films have 16 %, 62 % and 94 %; in that sample they have 16 %, 60 % and 94 %.
#[derive(Clone, Copy, Debug)]
pub(super) struct Popularity {
    count: f64,
}

const STEEP: f64 = 17.0;
/// The part of all ratings that go to any film: even the least known ones have some.
const ANY: f64 = 0.01;

impl Popularity {
    pub(super) fn of(count: u32) -> Self {
        Popularity {
            count: f64::from(count),
        }
    }

    /// One of them, from 0.
    pub(super) fn pick(self, dice: &Dice) -> u32 {
        let part = if dice.unit() < ANY {
            dice.unit()
        } else {
            steep(dice)
        };
        (part * self.count).min(self.count - 1.0).max(0.0) as u32
    }

    /// The part of all that the one at this place has.
    pub(super) fn share(self, place: u32) -> f64 {
        let before = |place: f64| first_have(place / self.count) / first_have(1.0);
        let place = f64::from(place);
        (1.0 - ANY) * (before(place + 1.0) - before(place)) + ANY / self.count
    }
}

/// A place as a part of all. Its cube root is spread as the sum of three exponential waits.
fn steep(dice: &Dice) -> f64 {
    loop {
        let one = || 1.0 - dice.unit();
        let root = -(one() * one() * one()).ln() / STEEP;
        if root < 1.0 {
            return root.powi(3);
        }
    }
}

/// What the first ones up to this part of all have, not yet as a part: the regularized lower
/// incomplete gamma function of 3.
fn first_have(part: f64) -> f64 {
    let wait = STEEP * part.cbrt();
    1.0 - (1.0 + wait + wait * wait / 2.0) * (-wait).exp()
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

/// How busy a user is, in ratings if there are 159 of them for each user: 20 at least, 80 in the
/// middle, 600 for one in twenty, 1,200 for one in a hundred, as in MovieLens. The user's place
/// among all, from the busiest, is another one than that in the file.
fn weight(user: u64, users: u64) -> f64 {
    let place = (user * 7_919) % users.max(1);
    let wait = -((place as f64 + 0.5) / users as f64).ln();
    20.0 + 97.0 * wait.powf(1.6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn films_have_parts_as_in_movielens() {
        let (popularity, dice) = (Popularity::of(10_000), Dice::seeded(1));
        let mut counts = vec![0u32; 10_000];
        (0..100_000).for_each(|_| counts[popularity.pick(&dice) as usize] += 1);
        for (first, low, high) in [(100, 69_000, 72_000), (1_000, 97_000, 98_500)] {
            let have: u32 = counts[..first].iter().sum();
            assert!((low..high).contains(&have), "the first {first}: {have}");
        }
        let last: u32 = counts[9_000..].iter().sum();
        assert!((50..200).contains(&last), "the last tenth: {last}");
        let shares: f64 = (0..10_000).map(|place| popularity.share(place)).sum();
        assert!((shares - 1.0).abs() < 1e-9, "{shares}");
        let tenth: f64 = (0..1_000).map(|place| popularity.share(place)).sum();
        assert!((0.97..0.985).contains(&tenth), "{tenth}");
    }

    #[test]
    fn users_are_as_busy_as_in_movielens() {
        let (users, total) = (10_000, 1_590_000);
        let mut shares = Shares::of(users, 100_000, total);
        let each = (0..u64::from(users)).map(|user| shares.next(user));
        let mut each: Vec<u64> = each.collect();
        each.sort_unstable();
        let at = |part: usize| each[part];
        assert!((19..22).contains(&at(0)), "{}", at(0));
        assert!((70..90).contains(&at(5_000)), "{}", at(5_000));
        assert!((1_000..1_400).contains(&at(9_900)), "{}", at(9_900));
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
