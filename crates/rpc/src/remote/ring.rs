//! Consistent hashing: each endpoint stands at many points of a ring, and a key goes to the one that
//! stands next. Who comes or goes moves only the keys of its own points.

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// At how many points each endpoint stands: shares differ by some tenths at most.
const POINTS: u64 = 128;

/// Endpoints by number, at their points.
#[derive(Debug)]
pub(super) struct Ring(Vec<(u64, usize)>);

impl Ring {
    /// Of these addresses, numbered as they come.
    pub(super) fn of<'a>(addresses: impl Iterator<Item = &'a str>) -> Self {
        let mut points: Vec<_> = addresses
            .enumerate()
            .flat_map(|(number, address)| {
                let point = move |seed| (xxh3_64_with_seed(address.as_bytes(), seed), number);
                (0..POINTS).map(point)
            })
            .collect();
        points.sort_unstable();
        Ring(points)
    }

    /// The numbers from where the key is on, each point once.
    pub(super) fn from(&self, key: u64) -> impl Iterator<Item = usize> {
        let start = self.0.partition_point(|(point, _)| *point < key);
        let (before, after) = self.0.split_at(start);
        after.iter().chain(before).map(|(_, number)| *number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(count: usize) -> Vec<String> {
        (0..count)
            .map(|number| format!("10.0.0.{number}:80"))
            .collect()
    }

    fn place(addresses: &[String], key: u64) -> Option<&String> {
        let ring = Ring::of(addresses.iter().map(String::as_str));
        let first = ring.from(key).next();
        first.map(|number| &addresses[number])
    }

    fn keys() -> impl Iterator<Item = u64> {
        (0..2000u64).map(|key| xxh3_64_with_seed(&key.to_le_bytes(), 9))
    }

    #[test]
    fn who_leaves_moves_its_own_keys_alone() {
        let all = addresses(10);
        let mut fewer = all.clone();
        let gone = fewer.remove(3);
        for key in keys().take(200) {
            let before = place(&all, key);
            if before != Some(&gone) {
                assert_eq!(before, place(&fewer, key));
            }
        }
    }

    #[test]
    fn shares_are_alike_and_everybody_is_on_the_way() {
        let all = addresses(10);
        let ring = Ring::of(all.iter().map(String::as_str));
        let mut shares = [0; 10];
        for key in keys() {
            shares[ring.from(key).next().unwrap()] += 1;
        }
        assert!(
            shares.iter().all(|share| (120..300).contains(share)),
            "{shares:?}"
        );
        let mut met: Vec<_> = ring.from(7).collect();
        met.sort_unstable();
        met.dedup();
        assert_eq!(met.len(), 10);
        assert_eq!(Ring::of(std::iter::empty()).from(7).next(), None);
    }
}
