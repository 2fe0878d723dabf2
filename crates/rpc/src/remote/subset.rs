//! To which instances of many a client connects: each client to others, and each to nearly the same
//! ones when some come or go (rendezvous hashing: Thaler and Ravishankar, *Using Name-Based Mappings
//! to Increase Hit Rates*, 1998).

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// As many of these addresses, by the client's seed; all where `most` is 0.
pub(super) fn of(mut addresses: Vec<&str>, most: usize, seed: u64) -> Vec<&str> {
    if most == 0 || addresses.len() <= most {
        return addresses;
    }
    let rank = |address: &&str| xxh3_64_with_seed(address.as_bytes(), seed);
    addresses.select_nth_unstable_by_key(most, rank);
    addresses.truncate(most);
    addresses
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};

    fn addresses(count: usize) -> Vec<String> {
        (0..count)
            .map(|number| format!("10.0.0.{number}:80"))
            .collect()
    }

    fn chosen(all: &[String], seed: u64) -> BTreeSet<&str> {
        let all = all.iter().map(String::as_str).collect();
        of(all, 10, seed).into_iter().collect()
    }

    #[test]
    fn who_comes_moves_one_connection_at_most() {
        let all = addresses(100);
        for seed in 0..50 {
            let (before, after) = (chosen(&all[..99], seed), chosen(&all, seed));
            assert_eq!(after.len(), 10);
            assert!(before.difference(&after).count() <= 1);
        }
    }

    #[test]
    fn many_clients_connect_to_all_alike() {
        let all = addresses(100);
        let mut connected: BTreeMap<&str, usize> = BTreeMap::new();
        for seed in 0..1000 {
            for address in chosen(&all, seed) {
                *connected.entry(address).or_default() += 1;
            }
        }
        assert_eq!(connected.len(), 100);
        assert!(connected.values().all(|count| (60..150).contains(count)));
    }

    #[test]
    fn few_are_all_connected_to() {
        assert_eq!(chosen(&addresses(10), 1).len(), 10);
        let all = addresses(20);
        assert_eq!(of(all.iter().map(String::as_str).collect(), 0, 1).len(), 20);
    }
}
