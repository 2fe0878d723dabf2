//! Randomness, through a seam: seeded in simulation, from the system otherwise.

use parking_lot::Mutex;
use rand::rngs::{StdRng, SysRng};
use rand::{Rng, SeedableRng};
use std::sync::Arc;

/// A source of randomness. Clones share it; [`Dice::branch`] makes an independent one.
#[derive(Clone)]
pub struct Dice {
    seed: u64,
    rng: Arc<Mutex<StdRng>>,
}

impl Dice {
    /// Dice from the system's entropy.
    ///
    /// # Panics
    /// When the system has no entropy to give.
    #[must_use]
    pub fn from_entropy() -> Self {
        #[expect(
            clippy::expect_used,
            reason = "a machine without entropy cannot run a service"
        )]
        let mut rng =
            StdRng::try_from_rng(&mut SysRng).expect("the system's entropy source answers");
        Dice {
            seed: rng.next_u64(),
            rng: Arc::new(Mutex::new(rng)),
        }
    }

    /// Dice that always roll the same for the same seed.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Dice {
            seed,
            rng: Arc::new(Mutex::new(StdRng::seed_from_u64(seed))),
        }
    }

    /// Independent dice for one component: the same seed and label give the same rolls, however
    /// much others have rolled.
    #[must_use]
    pub fn branch(&self, label: &str) -> Dice {
        Dice::seeded(xxhash_rust::xxh3::xxh3_64_with_seed(
            label.as_bytes(),
            self.seed,
        ))
    }

    /// Independent dice for one of several of a kind, which no label tells apart: each call gives
    /// others. That costs one roll.
    #[must_use]
    pub fn split(&self) -> Dice {
        Dice::seeded(self.next_u64())
    }

    /// A roll over all of `u64`.
    #[must_use]
    pub fn next_u64(&self) -> u64 {
        self.rng.lock().next_u64()
    }

    /// A roll in `0..bound`; 0 when the bound is 0.
    #[must_use]
    pub fn below(&self, bound: u64) -> u64 {
        // Multiply-shift: the bias is below 2^-32 for any bound a decision here uses.
        ((u128::from(self.next_u64()) * u128::from(bound)) >> 64) as u64
    }

    /// A roll in `[0, 1)`.
    #[must_use]
    pub fn unit(&self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Fills a buffer, for example with key material.
    pub fn fill(&self, bytes: &mut [u8]) {
        self.rng.lock().fill_bytes(bytes);
    }

    /// A random (version 4) UUID in its usual spelling.
    #[must_use]
    pub fn uuid(&self) -> String {
        let high = (self.next_u64() & 0xffff_ffff_ffff_0fff) | 0x4000;
        let low = (self.next_u64() >> 2) | (1 << 63);
        let number = (u128::from(high) << 64) | u128::from(low);
        // Digit by digit: ids are made for every message, and formatting takes ten times as long.
        let mut text = [b'-'; 36];
        let places = (0..8)
            .chain(9..13)
            .chain(14..18)
            .chain(19..23)
            .chain(24..36);
        for (digit, place) in places.enumerate() {
            let digit = (number >> (124 - 4 * digit)) as usize & 0xf;
            text[place] = b"0123456789abcdef"[digit];
        }
        String::from_utf8_lossy(&text).into_owned()
    }
}

impl std::fmt::Debug for Dice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Dice")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_branch_depends_on_seed_and_label_alone() {
        let first = Dice::seeded(7);
        let before = first.branch("jitter").next_u64();
        let _rolled = first.next_u64();
        assert_eq!(first.branch("jitter").next_u64(), before);
        assert_ne!(first.branch("ids").next_u64(), before);
    }

    #[test]
    fn uuids_have_version_and_variant() {
        let uuid = Dice::seeded(1).uuid();
        assert_eq!(uuid.len(), 36);
        assert_eq!(uuid.as_bytes()[14], b'4');
        assert!(
            matches!(uuid.as_bytes()[19], b'8' | b'9' | b'a' | b'b'),
            "{uuid}"
        );
    }
}
