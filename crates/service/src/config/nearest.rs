//! The known word nearest to an unknown one.

/// The candidate fewest edits away, if that is few enough to be a slip of the finger: at most a
/// third of the word's last part, and at least one.
pub(super) fn nearest<'a>(
    word: &str,
    candidates: impl Iterator<Item = &'a String>,
) -> Option<&'a String> {
    let last = word.rsplit('.').next().unwrap_or(word);
    let tolerance = (last.chars().count() / 3).max(1);
    candidates
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= tolerance)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Edits (insert, delete, replace, swap neighbours) between two words.
fn distance(left: &str, right: &str) -> usize {
    let left: Vec<char> = left.chars().collect();
    let right: Vec<char> = right.chars().collect();
    let width = right.len() + 1;
    let mut before: Vec<usize> = vec![0; width];
    let mut above: Vec<usize> = (0..width).collect();
    for row in 1..=left.len() {
        let mut current = vec![row; width];
        for column in 1..width {
            let replace = above[column - 1] + usize::from(left[row - 1] != right[column - 1]);
            let mut best = replace.min(above[column] + 1).min(current[column - 1] + 1);
            let swapped = row > 1
                && column > 1
                && left[row - 1] == right[column - 2]
                && left[row - 2] == right[column - 1];
            if swapped {
                best = best.min(before[column - 2] + 1);
            }
            current[column] = best;
        }
        before = std::mem::replace(&mut above, current);
    }
    above[width - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_swap_counts_as_one_edit() {
        assert_eq!(distance("path", "paht"), 1);
        assert_eq!(distance("path", "path"), 0);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("listen", "listens"), 1);
    }

    #[test]
    fn words_too_far_away_are_not_suggested() {
        let known = ["listen".to_owned(), "store".to_owned()];
        assert_eq!(nearest("lisen", known.iter()), Some(&known[0]));
        assert_eq!(nearest("colour", known.iter()), None);
    }
}
