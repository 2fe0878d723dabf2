//! Fewer faults that break the same: leaves out one after the other, as long as it still breaks.

/// The numbers, counted from 1, of `count` faults that are left when every fault is left out
/// without which `breaks` still says yes.
pub fn shrink(count: usize, mut breaks: impl FnMut(&[usize]) -> bool) -> Vec<usize> {
    let mut left: Vec<usize> = (1..=count).collect();
    for number in 1..=count {
        let fewer: Vec<usize> = left
            .iter()
            .copied()
            .filter(|kept| *kept != number)
            .collect();
        // None at all would stand for all of them.
        if !fewer.is_empty() && breaks(&fewer) {
            left = fewer;
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_matter_is_left_out() {
        let breaks = |faults: &[usize]| faults.contains(&2) && faults.contains(&5);
        assert_eq!(shrink(6, breaks), [2, 5]);
        assert_eq!(shrink(3, |_| true), [3]);
        assert_eq!(shrink(3, |_| false), [1, 2, 3]);
    }
}
