//! Texts that are part of the program on the other side, and here as well: errors name fields and
//! cures by them.

use parking_lot::Mutex;
use std::collections::BTreeSet;

/// The most that are kept, and the longest.
const MOST: usize = 256;
const LONGEST: usize = 512;
/// What stands for the others.
const OTHER: &str = "see what the broker says";

static KEPT: Words = Words(Mutex::new(BTreeSet::new()));

struct Words(Mutex<BTreeSet<&'static str>>);

/// The same text, for as long as the program runs. A broker has few of them: what is kept is
/// bounded.
pub(super) fn fixed(text: &str) -> &'static str {
    KEPT.fixed(text)
}

impl Words {
    fn fixed(&self, text: &str) -> &'static str {
        let mut kept = self.0.lock();
        if let Some(known) = kept.get(text) {
            return known;
        }
        if kept.len() >= MOST || text.len() > LONGEST {
            return OTHER;
        }
        let text: &'static str = Box::leak(text.to_owned().into_boxed_str());
        kept.insert(text);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_kept_once_and_few_are() {
        let words = Words(Mutex::default());
        let first = words.fixed("partitions");
        assert_eq!(words.fixed("partitions").as_ptr(), first.as_ptr());
        assert_eq!(words.fixed(&"x".repeat(LONGEST + 1)), OTHER);
        for number in 0..2 * MOST {
            words.fixed(&number.to_string());
        }
        assert_eq!(words.0.lock().len(), MOST);
        assert_eq!(
            words.fixed("partitions"),
            "partitions",
            "what is kept stays"
        );
    }
}
