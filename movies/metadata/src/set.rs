//! Sets of films by number, in blocks as the store keeps them.
//!
//! A block holds [`BLOCK`] consecutive numbers. Stored, it is the list of those in it (two bytes
//! each, in order) while that is short, and a bitmap of 512 bytes otherwise.

use backlot::storage::StoreError;
use std::collections::BTreeMap;

/// How many numbers a block holds.
pub(crate) const BLOCK: u32 = 4096;
const WORDS: usize = (BLOCK / 64) as usize;
const BITMAP: usize = WORDS * 8;

/// The numbers of one block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Block(Box<[u64; WORDS]>);

impl Block {
    pub(crate) fn empty() -> Self {
        Block(Box::new([0; WORDS]))
    }

    /// # Errors
    /// [`StoreError::Column`] when the bytes are no block.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, StoreError> {
        let mut block = Block::empty();
        block.add(bytes)?;
        Ok(block)
    }

    /// Puts the numbers of a stored block in.
    fn add(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        let malformed = || StoreError::Column {
            column: 2,
            expected: "a block of film numbers".to_owned(),
            found: format!("{} bytes that are none", bytes.len()),
        };
        if bytes.len() == BITMAP {
            for (word, bytes) in self.0.iter_mut().zip(bytes.as_chunks::<8>().0) {
                *word |= u64::from_le_bytes(*bytes);
            }
            return Ok(());
        }
        let (numbers, rest) = bytes.as_chunks::<2>();
        if bytes.len() > BITMAP || !rest.is_empty() {
            return Err(malformed());
        }
        for number in numbers {
            let number = u32::from(u16::from_le_bytes(*number));
            if number >= BLOCK {
                return Err(malformed());
            }
            self.insert(number);
        }
        Ok(())
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        if self.count() * 2 >= BITMAP {
            return self.0.iter().flat_map(|word| word.to_le_bytes()).collect();
        }
        self.numbers()
            .flat_map(|number| (number as u16).to_le_bytes())
            .collect()
    }

    /// Puts a number in, counted from the beginning of the block.
    pub(crate) fn insert(&mut self, number: u32) {
        self.0[(number / 64) as usize] |= 1 << (number % 64);
    }

    /// Takes a number out, counted from the beginning of the block.
    pub(crate) fn remove(&mut self, number: u32) {
        self.0[(number / 64) as usize] &= !(1 << (number % 64));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    fn contains(&self, number: u32) -> bool {
        self.0[(number / 64) as usize] & (1 << (number % 64)) != 0
    }

    fn count(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    fn numbers(&self) -> impl Iterator<Item = u32> {
        (0..)
            .step_by(64)
            .zip(self.0.iter())
            .flat_map(|(first, word)| {
                let mut rest = *word;
                std::iter::from_fn(move || {
                    let bit = (rest != 0).then(|| rest.trailing_zeros())?;
                    rest &= rest - 1;
                    Some(first + bit)
                })
            })
    }

    fn each(&mut self, other: &Block, join: impl Fn(u64, u64) -> u64) {
        for (ours, theirs) in self.0.iter_mut().zip(other.0.iter()) {
            *ours = join(*ours, *theirs);
        }
    }
}

/// A set of films.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Set(BTreeMap<u32, Block>);

impl Set {
    /// Adds the numbers of a stored block.
    ///
    /// # Errors
    /// [`StoreError::Column`] when the bytes are no block.
    pub(crate) fn add(&mut self, index: u32, bytes: &[u8]) -> Result<(), StoreError> {
        self.0.entry(index).or_insert_with(Block::empty).add(bytes)
    }

    pub(crate) fn join(&mut self, other: &Set) {
        for (index, block) in &other.0 {
            match self.0.get_mut(index) {
                Some(ours) => ours.each(block, |ours, theirs| ours | theirs),
                None => drop(self.0.insert(*index, block.clone())),
            }
        }
    }

    pub(crate) fn intersect(&mut self, other: &Set) {
        self.0.retain(|index, ours| {
            let Some(theirs) = other.0.get(index) else {
                return false;
            };
            ours.each(theirs, |ours, theirs| ours & theirs);
            !ours.is_empty()
        });
    }

    pub(crate) fn subtract(&mut self, other: &Set) {
        self.0.retain(|index, ours| {
            if let Some(theirs) = other.0.get(index) {
                ours.each(theirs, |ours, theirs| ours & !theirs);
            }
            !ours.is_empty()
        });
    }

    pub(crate) fn contains(&self, number: u32) -> bool {
        self.0
            .get(&(number / BLOCK))
            .is_some_and(|block| block.contains(number % BLOCK))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.values().all(Block::is_empty)
    }

    pub(crate) fn count(&self) -> usize {
        self.0.values().map(Block::count).sum()
    }

    pub(crate) fn numbers(&self) -> impl Iterator<Item = u32> {
        self.0
            .iter()
            .flat_map(|(index, block)| block.numbers().map(move |number| index * BLOCK + number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn set(numbers: &BTreeSet<u32>) -> Set {
        let mut set = Set::default();
        for number in numbers {
            let mut block = Block::empty();
            block.insert(number % BLOCK);
            set.add(number / BLOCK, &block.encode()).unwrap();
        }
        set
    }

    fn numbers() -> impl Strategy<Value = BTreeSet<u32>> {
        prop::collection::btree_set(0..3 * BLOCK, 0..600)
    }

    proptest! {
        #[test]
        fn sets_are_sets(a in numbers(), b in numbers()) {
            let (ours, theirs) = (set(&a), set(&b));
            let read = |set: &Set| set.numbers().collect::<BTreeSet<_>>();
            prop_assert_eq!(ours.count(), a.len());
            let mut joined = ours.clone();
            joined.join(&theirs);
            prop_assert_eq!(read(&joined), &a | &b);
            let mut common = ours.clone();
            common.intersect(&theirs);
            prop_assert_eq!(read(&common), &a & &b);
            let mut rest = ours.clone();
            rest.subtract(&theirs);
            prop_assert_eq!(read(&rest), &a - &b);
            prop_assert!(a.iter().all(|number| ours.contains(*number)));
        }

        #[test]
        fn a_block_comes_back_as_it_was_stored(numbers in prop::collection::btree_set(0..BLOCK, 0..600)) {
            let mut block = Block::empty();
            numbers.iter().for_each(|number| block.insert(*number));
            let bytes = block.encode();
            prop_assert!(bytes.len() <= BITMAP);
            prop_assert_eq!(Block::decode(&bytes).unwrap(), block.clone());
            numbers.iter().for_each(|number| block.remove(*number));
            prop_assert!(block.is_empty() && block.encode().is_empty());
        }
    }

    #[test]
    fn bytes_that_are_no_block_are_refused() {
        for bytes in [&[1][..], &[0, 16], &[0; 514]] {
            assert!(Block::decode(bytes).is_err(), "{bytes:?}");
        }
    }
}
