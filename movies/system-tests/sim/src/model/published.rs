//! What was published of one user's rating of one film.

use super::Change;

/// The changes of one rating that were published as events, in their order, and how far their
/// effects were seen.
#[derive(Clone, Debug, Default)]
pub struct Published {
    changes: Vec<Change>,
    acknowledged: usize,
    /// At least so many had their effect.
    seen: usize,
}

impl Published {
    /// A change is about to be published.
    pub(super) fn submit(&mut self, change: Change) {
        self.changes.push(change);
    }

    /// All changes so far are published.
    pub(super) fn acknowledge(&mut self) {
        self.acknowledged = self.changes.len();
    }

    /// Whether all changes are known to be published.
    #[must_use]
    pub fn is_acknowledged(&self) -> bool {
        self.acknowledged == self.changes.len()
    }

    /// How many changes there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.changes.len()
    }

    /// What is held when every change had its effect.
    #[must_use]
    pub fn last(&self) -> Option<u8> {
        self.after(self.changes.len())
    }

    /// Whether the system may hold this now: what the rating was after some change, none of those
    /// before what was seen already.
    pub(super) fn see(&mut self, held: Option<u8>) -> bool {
        // The earliest that explains it: whatever is true, it is not before that.
        let explained = (self.seen..=self.changes.len()).find(|count| self.after(*count) == held);
        match explained {
            Some(count) => self.seen = count,
            None => return false,
        }
        true
    }

    /// What the rating is after the first `count` changes.
    fn after(&self, count: usize) -> Option<u8> {
        let last = count.checked_sub(1).and_then(|last| self.changes.get(last));
        last.copied().and_then(Change::after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn published(changes: &[Change]) -> Published {
        let mut published = Published::default();
        for change in changes {
            published.submit(*change);
        }
        published
    }

    #[test]
    fn effects_come_late_and_never_go_back() {
        let mut published = published(&[Change::Put(3), Change::Put(7), Change::Delete]);
        assert!(published.see(None));
        assert!(published.see(Some(7)) && published.see(Some(7)));
        assert!(!published.see(Some(3)));
        assert!(published.see(None));
        assert!(!published.see(Some(7)));
        assert_eq!(published.last(), None);
    }

    #[test]
    fn what_nobody_published_is_not_explained() {
        let mut published = published(&[Change::Put(3)]);
        assert!(!published.see(Some(4)));
        assert!(!published.is_acknowledged());
        published.acknowledge();
        assert!(published.is_acknowledged());
        assert_eq!(published.last(), Some(3));
    }
}
